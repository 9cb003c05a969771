#include "web/environment.h"
#include "base/clock.h"
#include "base/text.h"
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ROUTE "/woo-order"
#define LATEST_MS (24LL * 3600 * 1000)

/* The request, and what else the variables tell of it. */
struct told {
    struct request request;
    const char *forwarded; /* not empty: another server handed it on */
    const char *https, *scheme, *scheme_before, *arrived, *script, *info, *file, *redirected;
};

#define VARIABLE(text, field)                                                                                \
    {                                                                                                        \
        text, sizeof(text) - 1, offsetof(struct told, field)                                                 \
    }
static const struct {
    const char *name;
    size_t len, offset;
} variables_known[] = {
    VARIABLE("REQUEST_METHOD", request.method),
    VARIABLE("REMOTE_ADDR", request.remote_addr),
    VARIABLE("CONTENT_TYPE", request.content_type),
    VARIABLE("CONTENT_LENGTH", request.content_length),
    VARIABLE("HTTP_TRANSFER_ENCODING", request.transfer_encoding),
    VARIABLE("HTTP_X_WC_WEBHOOK_SIGNATURE", request.signature),
    VARIABLE("HTTP_X_WC_WEBHOOK_TOPIC", request.topic),
    VARIABLE("HTTP_X_WC_WEBHOOK_RESOURCE", request.resource),
    VARIABLE("HTTP_X_WC_WEBHOOK_SOURCE", request.source),
    VARIABLE("QUERY_STRING", request.query),
    VARIABLE("HTTP_COOKIE", request.cookie),
    VARIABLE("HTTP_AUTHORIZATION", request.authorization),
    /* Many hosts keep it from CGI programs; a rewrite rule brings it so. */
    VARIABLE("REDIRECT_HTTP_AUTHORIZATION", request.authorization),
    VARIABLE("DOCUMENT_ROOT", request.document_root),
    VARIABLE("HTTPS", https),
    VARIABLE("REQUEST_SCHEME", scheme),
    VARIABLE("HTTP_X_FORWARDED_PROTO", scheme_before),
    VARIABLE("HTTP_X_FORWARDED_FOR", forwarded),
    VARIABLE("HTTP_FORWARDED", forwarded),
    VARIABLE("HTTP_X_REAL_IP", forwarded),
    VARIABLE("HTTP_VIA", forwarded),
    VARIABLE("HTTP_CF_CONNECTING_IP", forwarded),
    VARIABLE("REQUEST_ARRIVED", arrived),
    VARIABLE("SCRIPT_NAME", script),
    VARIABLE("PATH_INFO", info),
    VARIABLE("SCRIPT_FILENAME", file),
    VARIABLE("REDIRECT_URL", redirected),
};
#define KNOWN (sizeof variables_known / sizeof *variables_known)

static const char **field_of(struct told *told, size_t variable)
{
    return (const char **)(void *)((char *)told + variables_known[variable].offset);
}

/* Of several for one field the first that is not empty counts. */
static void read_variables(char *const *variables, struct told *told)
{
    for (size_t i = 0; i < KNOWN; i++)
        *field_of(told, i) = "";
    for (; *variables; variables++) {
        const char *at = *variables, *equals = strchr(at, '=');
        size_t len = equals ? (size_t)(equals - at) : 0, i = 0;
        while (i < KNOWN && (variables_known[i].len != len || memcmp(at, variables_known[i].name, len) != 0))
            i++;
        if (i < KNOWN && !**field_of(told, i))
            *field_of(told, i) = equals + 1;
    }
}

/*
 * The path that was asked for. The part behind the program (PATH_INFO) counts when the program was named by its own file
 * (/cgi-bin/woo_ghl/health is /woo-order/health); otherwise SCRIPT_NAME is the location that the server was told to hand
 * over. A script name that ends in the route is the route wherever it is mounted.
 */
static bool find_path(const struct told *t, char path[ENVIRONMENT_PATH_SIZE])
{
    const char *script = t->script, *info = t->info;
    const char *route = strstr(script, ROUTE);

    /* The last occurrence, so that a folder of the same name above changes nothing. */
    for (const char *next = route; next; next = strstr(next + 1, ROUTE))
        route = next;
    /* A folder of that name that holds the program: /woo-order/woo_ghl.cgi. No route has a dot. */
    if (route)
        return text_format(path, ENVIRONMENT_PATH_SIZE, "%s%s", strchr(route, '.') ? ROUTE : route, info);
    const char *const told[] = {info, t->redirected}; /* what was asked for before a rewriting */
    for (size_t i = 0; i < sizeof told / sizeof *told; i++)
        if ((route = strstr(told[i], ROUTE)))
            return text_copy(path, ENVIRONMENT_PATH_SIZE, route);
    const char *file = strrchr(t->file, '/'), *name = strrchr(script, '/');
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
    struct told t = {.request = *request};

    read_variables(variables, &t);
    *request = t.request;
    request->path = find_path(&t, path) ? path : "";
    /* As the web server says, or the one before it. */
    request->is_tls =
        !strcasecmp(t.https, "on") || !strcmp(t.scheme, "https") || !strcasecmp(t.scheme_before, "https");
    request->is_forwarded = *t.forwarded; /* its clients are not this machine's, though its address is */
    request->arrived_mono_ms = arrived(t.arrived);
}
