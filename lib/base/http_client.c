#include "base/http_client.h"
#include "base/clock.h"
#include "base/text.h"
#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

struct http {
    char *user_agent, *ca_file;
    bool global; /* curl_global_init was done */
    CURL *curl;  /* NULL until the first call: a start of the program that calls nobody pays nothing */
    CURL *of_parent;
    pid_t pid; /* of the process that made `curl` */
};

/* What libcurl's callbacks look at. */
struct transfer {
    const struct http_request *request;
    struct buf *body;
    bool sent;     /* the first byte of the request may have gone out */
    bool resent;   /* ... and once more, on another connection */
    bool late;     /* stopped before that: the send deadline had passed */
    bool too_long; /* the answer ran over its maximum */
    int reserve; /* a descriptor for the connection: libcurl takes some that it can do without; -1 = given up */
};

struct http *http_new(const char *user_agent, const char *ca_file, struct error *e)
{
    struct http *http = calloc(1, sizeof *http);
    if (http)
        *http = (struct http){.user_agent = strdup(user_agent), .ca_file = strdup(ca_file ? ca_file : "")};
    if (http && http->user_agent && http->ca_file)
        return http;
    error_set(e, "Out of memory for the HTTP client");
    http_free(http);
    return NULL;
}

void http_free(struct http *http)
{
    if (!http)
        return;
    curl_easy_cleanup(http->curl);
    if (http->global)
        curl_global_cleanup();
    free(http->user_agent);
    free(http->ca_file);
    free(http);
}

void http_answer_init(struct http_answer *answer)
{
    *answer = (struct http_answer){.retry_after_ms = -1,
                                   .rate_max = -1,
                                   .rate_remaining = -1,
                                   .rate_interval_ms = -1,
                                   .rate_daily_limit = -1,
                                   .rate_daily_remaining = -1,
                                   .rate_daily_reset_ms = -1,
                                   .wp_total = -1,
                                   .date_s = -1};
    buf_init(&answer->body, HTTP_ANSWER_MAX);
}

void http_answer_free(struct http_answer *answer)
{
    buf_wipe(&answer->body);
}

/* -- addresses -- */

static bool is_loopback(const char *host)
{
    struct in_addr v4;
    if (strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0)
        return true;
    return inet_pton(AF_INET, host, &v4) == 1 && (ntohl(v4.s_addr) >> 24) == 127;
}

/* libcurl's own parser says what the address is, so that nobody else reads it differently. */
static bool check_url(const char *text, bool base, bool plain_anywhere, bool *plain, struct error *e)
{
    static const struct {
        CURLUPart part;
        const char *name;
    } unwanted[] = {{CURLUPART_USER, "user"},
                    {CURLUPART_PASSWORD, "password"},
                    {CURLUPART_QUERY, "query"},
                    {CURLUPART_FRAGMENT, "fragment"}};
    char *scheme = NULL, *host = NULL;
    bool good = false;
    CURLU *url = curl_url();

    if (!url || curl_url_set(url, CURLUPART_URL, text, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK) {
        error_set(e, "not a URL; right would be https://host/path");
        goto out;
    }
    *plain = strcmp(scheme, "http") == 0;
    if (!*plain && strcmp(scheme, "https") != 0) {
        error_set(e, "the scheme \"%.20s\" is not spoken; right would be https://", scheme);
        goto out;
    }
    if (*plain && !plain_anywhere && !is_loopback(host)) {
        error_set(
            e, "plain http goes to this machine only (127.0.0.1, ::1, localhost); right would be https://");
        goto out;
    }
    for (size_t i = 0; i < sizeof unwanted / sizeof *unwanted; i++) {
        char *value = NULL;
        CURLUcode found = curl_url_get(url, unwanted[i].part, &value, 0);
        curl_free(value);
        if (found == CURLUE_OK && (base || unwanted[i].part != CURLUPART_QUERY)) {
            error_set(e, "it holds a %s; right would be https://host/path alone", unwanted[i].name);
            goto out;
        }
    }
    good = true;
out:
    curl_free(scheme);
    curl_free(host);
    curl_url_cleanup(url);
    return good;
}

bool http_check_base(const char *url, struct error *e)
{
    bool plain;
    return check_url(url, true, false, &plain, e);
}

bool http_escape(struct buf *out, const char *value)
{
    char *escaped = curl_easy_escape(NULL, value, 0);
    bool good = escaped && buf_adds(out, escaped);

    curl_free(escaped);
    return good;
}

/* -- libcurl's callbacks -- */

/* Connected, and just before the first byte of the request. It runs again if libcurl sends a request anew
 * because a kept connection had died: what went out before may have arrived. */
static int before_sending(void *context, char *local_ip, char *peer_ip, int local_port, int peer_port)
{
    struct transfer *transfer = context;
    (void)local_ip, (void)peer_ip, (void)local_port, (void)peer_port;

    if (clock_left_ms(transfer->request->send_deadline_mono_ms) == 0) {
        transfer->late = true;
        return CURL_PREREQFUNC_ABORT;
    }
    transfer->resent = transfer->sent;
    transfer->sent = true;
    return CURL_PREREQFUNC_OK;
}

/* What the kernel still holds is thrown away when the socket closes, and when the peer does not acknowledge it
 * in time, also while this process stands still. */
static bool forget_unsent(curl_socket_t fd, int64_t unsent_ms)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    unsigned int ms = unsent_ms < INT32_MAX ? (unsigned int)unsent_ms : INT32_MAX;

    return setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0 &&
           setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms) == 0;
}

static void give_up_reserve(struct transfer *transfer)
{
    if (transfer->reserve >= 0)
        close(transfer->reserve);
    transfer->reserve = -1;
}

static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)purpose;
    give_up_reserve(context);
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static int on_socket(void *context, curl_socket_t fd, curlsocktype purpose)
{
    const struct transfer *transfer = context;

    (void)purpose;
    if (transfer->request->unsent_ms > 0 && !forget_unsent(fd, transfer->request->unsent_ms))
        return CURL_SOCKOPT_ERROR;
    return CURL_SOCKOPT_OK;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *context)
{
    struct transfer *transfer = context;
    if (buf_add(transfer->body, bytes, size * n))
        return size * n;
    transfer->too_long = true;
    return 0;
}

static int on_progress(void *context, curl_off_t down_all, curl_off_t down, curl_off_t up_all, curl_off_t up)
{
    const struct transfer *transfer = context;
    (void)down_all, (void)down, (void)up_all, (void)up;

    return *transfer->request->stop ? 1 : 0;
}

/* -- one call -- */

static bool ready(struct http *http)
{
    /* After a fork the parent's connections are not ours: closing them would end its TLS sessions. */
    if (http->curl && http->pid != getpid()) {
        http->of_parent = http->curl;
        http->curl = NULL;
    }
    if (!http->global)
        http->global = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    if (http->global && !http->curl) {
        http->curl = curl_easy_init();
        http->pid = getpid();
    }
    return http->curl != NULL;
}

/* Without "Expect:" libcurl may wait a second for a "100 Continue". */
static CURLcode add_headers(const struct http_request *request, struct curl_slist **list)
{
    struct curl_slist *longer = *list = curl_slist_append(NULL, "Expect:");

    for (size_t i = 0; longer && request->headers && request->headers[i]; i++) {
        if (strpbrk(request->headers[i], "\r\n"))
            return CURLE_BAD_FUNCTION_ARGUMENT;
        longer = curl_slist_append(*list, request->headers[i]);
        if (longer)
            *list = longer;
    }
    return longer ? CURLE_OK : CURLE_OUT_OF_MEMORY;
}

#define SET(option, value)                                                                                   \
    do {                                                                                                     \
        if (code == CURLE_OK)                                                                                \
            code = curl_easy_setopt(curl, option, value);                                                    \
    } while (0)

static CURLcode set_request(CURL *curl, const struct http_request *request)
{
    CURLcode code = CURLE_OK;

    SET(CURLOPT_URL, request->url);
    if (request->body || strcmp(request->method, "POST") == 0) {
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
        SET(CURLOPT_POSTFIELDS, request->body ? request->body : "");
    } else {
        SET(CURLOPT_HTTPGET, 1L);
    }
    SET(CURLOPT_CUSTOMREQUEST, request->method);
    if (request->fresh_connection) {
        SET(CURLOPT_FRESH_CONNECT, 1L);
        SET(CURLOPT_FORBID_REUSE, 1L);
    }
    return code;
}

static CURLcode set_transport(CURL *curl, bool plain, int64_t timeout_ms, const char *ca_file)
{
    CURLcode code = CURLE_OK;
    long ms = timeout_ms > INT32_MAX ? INT32_MAX : timeout_ms < 1 ? 1 : (long)timeout_ms; /* 0 = for ever */

    SET(CURLOPT_PROTOCOLS_STR, plain ? "http" : "https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_NOPROXY, "*");
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_TIMEOUT_MS, ms);
    SET(CURLOPT_CONNECTTIMEOUT_MS, ms);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_MAXCONNECTS, 2L);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    if (!*ca_file)
        ca_file = getenv("SSL_CERT_FILE"); /* libcurl itself does not ask OpenSSL's variable */
    if (ca_file && *ca_file)
        SET(CURLOPT_CAINFO, ca_file);
    return code;
}

static CURLcode set_callbacks(CURL *curl, struct transfer *transfer)
{
    CURLcode code = CURLE_OK;

    SET(CURLOPT_PREREQFUNCTION, before_sending);
    SET(CURLOPT_PREREQDATA, transfer);
    SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
    SET(CURLOPT_OPENSOCKETDATA, transfer);
    SET(CURLOPT_SOCKOPTFUNCTION, on_socket);
    SET(CURLOPT_SOCKOPTDATA, transfer);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, transfer);
    if (transfer->request->stop) {
        SET(CURLOPT_NOPROGRESS, 0L);
        SET(CURLOPT_XFERINFOFUNCTION, on_progress);
        SET(CURLOPT_XFERINFODATA, transfer);
    }
    return code;
}

static const char *header(CURL *curl, const char *name)
{
    struct curl_header *found;
    return curl_easy_header(curl, name, 0, CURLH_HEADER, -1, &found) == CURLHE_OK ? found->value : NULL;
}

static int64_t number_header(CURL *curl, const char *name)
{
    const char *text = header(curl, name);

    return text && *text && strlen(text) <= 15 && !text[strspn(text, "0123456789")] ? text_number(text, NULL)
                                                                                    : -1;
}

static void read_headers(CURL *curl, struct http_answer *answer)
{
    const char *retry_after = header(curl, "Retry-After");
    if (!retry_after || !clock_parse_retry_after(retry_after, clock_wall_ms(), &answer->retry_after_ms))
        answer->retry_after_ms = -1;
    answer->rate_max = number_header(curl, "X-RateLimit-Max");
    answer->rate_remaining = number_header(curl, "X-RateLimit-Remaining");
    answer->rate_interval_ms = number_header(curl, "X-RateLimit-Interval-Milliseconds");
    answer->rate_daily_limit = number_header(curl, "X-RateLimit-Limit-Daily");
    answer->rate_daily_remaining = number_header(curl, "X-RateLimit-Daily-Remaining");
    answer->rate_daily_reset_ms = number_header(curl, "X-RateLimit-Daily-Reset");
    answer->wp_total = number_header(curl, "X-WP-Total");
    const char *date = header(curl, "Date");
    if (!date || !clock_parse_http_date(date, &answer->date_s))
        answer->date_s = -1;
    const char *sunset = header(curl, "Sunset");
    if (sunset)
        (void)text_copy(answer->sunset, sizeof answer->sunset, sunset);
    const char *password = header(curl, "WWW-Authenticate");
    answer->asks_password = password && !strncasecmp(password, "Basic", 5);
    const char *location = header(curl, "Location"); /* each look-up may end what the one before gave */
    if (location && strlen(location) < sizeof answer->location)
        snprintf(answer->location, sizeof answer->location, "%s", location);
}

static void explain(CURL *curl, CURLcode code, const struct transfer *transfer, struct http_answer *answer)
{
    long os_error = 0;
    const char *when = transfer->sent ? "after the request went out" : "before anything was sent";

    if (curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &os_error) != CURLE_OK || code == CURLE_OPERATION_TIMEDOUT)
        os_error = 0;
    if (transfer->late)
        snprintf(answer->error, sizeof answer->error,
                 "the send deadline had passed when the connection stood");
    else if (transfer->too_long)
        snprintf(answer->error, sizeof answer->error, "the answer is longer than %zu bytes",
                 answer->body.max);
    else
        (void)text_format(answer->error, sizeof answer->error, "%s (libcurl %d)%s%s, %s",
                          curl_easy_strerror(code), (int)code, os_error ? ": " : "",
                          os_error ? strerror((int)os_error) : "", when);
    answer->timed_out = code == CURLE_OPERATION_TIMEDOUT;
    answer->untrusted = code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE;
    answer->too_long = transfer->too_long;
}

static enum http_result judge(CURLcode code, const struct transfer *transfer)
{
    if (code == CURLE_OK)
        return HTTP_ANSWERED;
    if (transfer->sent)
        return HTTP_UNKNOWN;
    if (transfer->late)
        return HTTP_TOO_LATE;
    switch (code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL: return HTTP_UNUSABLE;
    default: return HTTP_NOT_SENT;
    }
}

/* Before anything was tried. Memory may be there the next time. */
static enum http_result unusable(struct http_answer *answer, CURLcode code, const char *why)
{
    (void)text_copy(answer->error, sizeof answer->error, why ? why : curl_easy_strerror(code));
    return code == CURLE_OUT_OF_MEMORY ? HTTP_NOT_SENT : HTTP_UNUSABLE;
}

enum http_result http_call(struct http *http, const struct http_request *request, struct http_answer *answer)
{
    enum http_result result = HTTP_UNUSABLE;
    struct curl_slist *headers = NULL;
    struct error e = ERROR_NONE;
    bool plain = false;

    http_answer_free(answer);
    http_answer_init(answer);
    if (request->answer_max)
        answer->body.max = request->answer_max;
    if (!check_url(request->url, false, request->plain_anywhere, &plain, &e))
        return unusable(answer, CURLE_URL_MALFORMAT, e.text);
    if (!ready(http))
        return unusable(answer, CURLE_OUT_OF_MEMORY, "libcurl does not start");

    CURL *curl = http->curl;
    struct transfer transfer = {.request = request, .body = &answer->body};
    curl_easy_reset(curl); /* keeps connections and TLS sessions */
    CURLcode code = add_headers(request, &headers);
    if (code == CURLE_OK)
        code = set_request(curl, request);
    if (code == CURLE_OK)
        code = set_transport(curl, plain, request->timeout_ms, http->ca_file);
    if (code == CURLE_OK)
        code = set_callbacks(curl, &transfer);
    SET(CURLOPT_USERAGENT, http->user_agent);
    SET(CURLOPT_HTTPHEADER, headers);
    if (code != CURLE_OK) {
        result = unusable(answer, code,
                          code == CURLE_BAD_FUNCTION_ARGUMENT ? "a header holds a line break" : NULL);
        goto out;
    }
    transfer.reserve = eventfd(0, EFD_CLOEXEC);
    code = curl_easy_perform(curl);
    give_up_reserve(&transfer);
    result = judge(code, &transfer);
    answer->resent = transfer.resent;
    if (code == CURLE_OK)
        code = curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer->status);
    if (code == CURLE_OK)
        read_headers(curl, answer);
    else
        explain(curl, code, &transfer, answer);
out:
    if (http->curl)
        curl_easy_reset(http->curl); /* points to nothing of this call any more */
    curl_slist_free_all(headers);
    return result;
}
