#include "web/environment.h"
#include "base/clock.h"
#include "base/text.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ROUTE "/woo-order"
#define LATEST_MS (24LL * 3600 * 1000)

enum variable {
    METHOD,
    ADDRESS,
    TYPE,
    LENGTH,
    ENCODING,
    SIGNATURE,
    TOPIC,
    RESOURCE,
    SOURCE,
    ACCEPT,
    QUERY,
    COOKIE,
    AUTHORIZATION,
    AUTHORIZATION_KEPT,
    HTTPS,
    SCHEME,
    PROTOCOL_BEFORE,
    FORWARDED_FOR,
    FORWARDED,
    REAL_IP,
    VIA,
    CLOUDFLARE,
    ROOT,
    ARRIVED,
    SCRIPT,
    INFO,
    FILE_NAME,
    REDIRECTED,
    VARIABLES
};

#define NAME(text)                                                                                           \
    {                                                                                                        \
        text, sizeof(text) - 1                                                                               \
    }
static const struct {
    const char *text;
    size_t len;
} names[VARIABLES] = {
    [METHOD] = NAME("REQUEST_METHOD"),
    [ADDRESS] = NAME("REMOTE_ADDR"),
    [TYPE] = NAME("CONTENT_TYPE"),
    [LENGTH] = NAME("CONTENT_LENGTH"),
    [ENCODING] = NAME("HTTP_TRANSFER_ENCODING"),
    [SIGNATURE] = NAME("HTTP_X_WC_WEBHOOK_SIGNATURE"),
    [TOPIC] = NAME("HTTP_X_WC_WEBHOOK_TOPIC"),
    [RESOURCE] = NAME("HTTP_X_WC_WEBHOOK_RESOURCE"),
    [SOURCE] = NAME("HTTP_X_WC_WEBHOOK_SOURCE"),
    [ACCEPT] = NAME("HTTP_ACCEPT"),
    [QUERY] = NAME("QUERY_STRING"),
    [COOKIE] = NAME("HTTP_COOKIE"),
    [AUTHORIZATION] = NAME("HTTP_AUTHORIZATION"),
    /* Many hosts keep it from CGI programs; a rewrite rule brings it so. */
    [AUTHORIZATION_KEPT] = NAME("REDIRECT_HTTP_AUTHORIZATION"),
    [HTTPS] = NAME("HTTPS"),
    [SCHEME] = NAME("REQUEST_SCHEME"),
    [PROTOCOL_BEFORE] = NAME("HTTP_X_FORWARDED_PROTO"),
    [FORWARDED_FOR] = NAME("HTTP_X_FORWARDED_FOR"),
    [FORWARDED] = NAME("HTTP_FORWARDED"),
    [REAL_IP] = NAME("HTTP_X_REAL_IP"),
    [VIA] = NAME("HTTP_VIA"),
    [CLOUDFLARE] = NAME("HTTP_CF_CONNECTING_IP"),
    [ROOT] = NAME("DOCUMENT_ROOT"),
    [ARRIVED] = NAME("REQUEST_ARRIVED"),
    [SCRIPT] = NAME("SCRIPT_NAME"),
    [INFO] = NAME("PATH_INFO"),
    [FILE_NAME] = NAME("SCRIPT_FILENAME"),
    [REDIRECTED] = NAME("REDIRECT_URL"),
};

/* Of a variable that is there twice the first counts. */
static void find_values(char *const *variables, const char *value[VARIABLES])
{
    memset(value, 0, VARIABLES * sizeof *value);
    for (; *variables; variables++) {
        const char *at = *variables;
        const char *equals = strchr(at, '=');
        size_t len = equals ? (size_t)(equals - at) : 0;
        for (int i = 0; i < VARIABLES; i++)
            if (names[i].len == len && !value[i] && !memcmp(at, names[i].text, len)) {
                value[i] = equals + 1;
                break;
            }
    }
    for (int i = 0; i < VARIABLES; i++)
        if (!value[i])
            value[i] = "";
}

/*
 * The path that was asked for. The part behind the program (PATH_INFO) counts when the program was named by its own file
 * (/cgi-bin/woo_ghl/health is /woo-order/health); otherwise SCRIPT_NAME is the location that the server was told to hand
 * over. A script name that ends in the route is the route wherever it is mounted.
 */
static bool find_path(const char *const value[VARIABLES], char path[ENVIRONMENT_PATH_SIZE])
{
    const char *script = value[SCRIPT], *info = value[INFO];
    const char *route = strstr(script, ROUTE);

    /* The last occurrence, so that a folder of the same name above changes nothing. */
    for (const char *next = route; next; next = strstr(next + 1, ROUTE))
        route = next;
    /* A folder of that name that holds the program: /woo-order/woo_ghl.cgi. No route has a dot. */
    if (route)
        return text_format(path, ENVIRONMENT_PATH_SIZE, "%s%s", strchr(route, '.') ? ROUTE : route, info);
    const char *const told[] = {info, value[REDIRECTED]}; /* what was asked for before a rewriting */
    for (size_t i = 0; i < sizeof told / sizeof *told; i++)
        if ((route = strstr(told[i], ROUTE)))
            return text_copy(path, ENVIRONMENT_PATH_SIZE, route);
    const char *file = strrchr(value[FILE_NAME], '/'), *name = strrchr(script, '/');
    bool itself = file && name && file[1] && !strcmp(file, name);
    return text_format(path, ENVIRONMENT_PATH_SIZE, "%s%s", itself ? ROUTE : script, info);
}

/*
 * When the web server got the request, in ms of this process's clock: nginx tells it (REQUEST_ARRIVED, s.ms of the wall
 * clock), because a request may have waited for a worker. What is no such time, lies ahead, or a day back, is now.
 */
static int64_t arrived(const char *told)
{
    char *end = NULL;
    double seconds = *told ? strtod(told, &end) : 0;
    bool legal = end && !*end && seconds > 0 && seconds < 1e11; /* not so: infinity, not a number */
    int64_t ago = legal ? clock_wall_ms() - (int64_t)(seconds * 1000) : 0;

    if (ago < 0 || ago > LATEST_MS)
        ago = 0;
    return clock_mono_ms() - ago;
}

void environment_read(char *const *variables, struct request *request, char path[ENVIRONMENT_PATH_SIZE])
{
    const char *value[VARIABLES];

    find_values(variables, value);
    request->path = find_path(value, path) ? path : "";
    request->method = value[METHOD];
    request->remote_addr = value[ADDRESS];
    request->content_type = value[TYPE];
    request->content_length = value[LENGTH];
    request->transfer_encoding = value[ENCODING];
    request->signature = value[SIGNATURE];
    request->topic = value[TOPIC];
    request->resource = value[RESOURCE];
    request->source = value[SOURCE];
    request->accept = value[ACCEPT];
    request->query = value[QUERY];
    request->cookie = value[COOKIE];
    request->authorization = *value[AUTHORIZATION] ? value[AUTHORIZATION] : value[AUTHORIZATION_KEPT];
    /* As the web server says, or the one before it. */
    request->is_tls = !strcasecmp(value[HTTPS], "on") || !strcmp(value[SCHEME], "https") ||
                      !strcasecmp(value[PROTOCOL_BEFORE], "https");
    /* Did another server hand it on? Its clients are not this machine's, though its address is. */
    request->is_forwarded =
        *value[FORWARDED_FOR] || *value[FORWARDED] || *value[REAL_IP] || *value[VIA] || *value[CLOUDFLARE];
    request->document_root = value[ROOT];
    request->arrived_mono_ms = arrived(value[ARRIVED]);
}
