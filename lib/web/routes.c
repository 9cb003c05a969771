#include "web/routes.h"
#include "accept/accept.h"
#include "app/alert.h"
#include "app/heartbeat.h"
#include "app/ready.h"
#include "base/clock.h"
#include "base/text.h"
#include "order/delivery.h"
#include "order/proof.h"
#include "web/admin.h"
#include "web/body.h"
#include "web/client.h"
#include "web/first.h"
#include "web/watch.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DAY_S (24 * 3600)
#define HEADERS_MAX ((size_t)64 * 1024) /* bytes of those that are kept beside a body */
#define WORK_NEEDS_MS 5000              /* with less time left no work begins */
#define WORK_WAITED_MS 3000 /* a delivery that waited so long for its worker is kept and answered at once */

/* One request on its way down. */
struct visit {
    struct app *app;
    const struct request *request;
    struct response *response;
    struct buf
        packed;       /* headers and body, as they are kept (delivery.h): the body comes where it is to lie */
    const char *body; /* in it */
    size_t body_len;
    char client[RECORD_SHORT_SIZE]; /* hash of the address */
};

/* -- answers -- */

/* What WooCommerce is told of what became of its delivery. */
static const struct {
    enum accepted result;
    int status;
    const char *word;   /* "status"; NULL: an error of its own */
    const char *reason; /* NULL = the acceptance's */
} answers[] = {
    {ACCEPTED_SYNCED, 200, "synced", NULL},
    {ACCEPTED_DUPLICATE, 200, "skipped", "duplicate"},
    {ACCEPTED_STALE, 200, "skipped", "stale"},
    {ACCEPTED_IGNORED, 200, "ignored", NULL},
    {ACCEPTED_FOREIGN, 200, "ignored", "foreign_shop"},
    {ACCEPTED_OTHER, 200, "ignored", NULL},
    {ACCEPTED_QUEUED, 202, "queued", NULL},
    {ACCEPTED_DEAD, 202, "queued", "dead_letter"},
    {ACCEPTED_SPOOLED, 202, "queued", "store_unavailable"},
    {ACCEPTED_UNREAD, 202, "queued", "dead_letter"},
    {ACCEPTED_BAD_JSON, 400, NULL, "Bad JSON"},
};

static void answer_accepted(struct response *response, const struct acceptance *a)
{
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        if (answers[i].result != a->result)
            continue;
        if (!answers[i].word)
            response_error(response, answers[i].status, answers[i].reason);
        else if (a->result == ACCEPTED_SYNCED)
            response_json(response, answers[i].status, "status", answers[i].word, "ghl_id", a->ghl_id);
        else
            response_json(response, answers[i].status, "status", answers[i].word, "reason",
                          answers[i].reason ? answers[i].reason : a->reason);
        return;
    }
    response_unavailable(response);
}

/* -- the request itself -- */

/* False if the body is not whole; the response then says why. */
static bool read_body(struct visit *v)
{
    const struct request *request = v->request;

    if (!delivery_pack(&(struct order_headers){request->topic, request->resource, request->source}, "", 0,
                       &v->packed)) {
        response_unavailable(v->response);
        return false;
    }
    const size_t head = v->packed.len;
    enum body_result result = body_read(request, v->app->config.max_body, &v->packed);
    v->body = v->packed.data + head;
    v->body_len = v->packed.len - head;
    switch (result) {
    case BODY_WHOLE: return true;
    case BODY_BAD_LENGTH: response_error(v->response, 400, "Bad Content-Length"); return false;
    case BODY_TOO_LARGE: response_error(v->response, 413, "Payload Too Large"); return false;
    case BODY_INCOMPLETE: response_error(v->response, 400, "Incomplete Body"); return false;
    case BODY_NO_MEMORY: response_unavailable(v->response); return false;
    }
    return false;
}

/* WooCommerce's ping: an unsigned form body `webhook_id=N`. */
static bool is_ping(const struct visit *v)
{
    static const char name[] = "webhook_id=", type[] = "application/x-www-form-urlencoded";
    const size_t n = sizeof name - 1;
    const char *body = v->body;

    if (v->request->signature[0] || strncasecmp(v->request->content_type, type, sizeof type - 1) != 0)
        return false;
    if (v->body_len <= n || v->body_len > n + 20 || memcmp(body, name, n) != 0)
        return false;
    return strspn(body + n, "0123456789") == v->body_len - n;
}

/* Counts the request. True if it is one too many of its address today: it is answered 429. */
static bool is_over_limit(struct visit *v)
{
    int64_t count = 0, limit = v->app->config.rate_limit_per_day;
    char retry_after[24];
    struct error e = ERROR_NONE;

    if (limit <= 0 || !app_ready(v->app, &e) ||
        store_count_client(v->app->store, v->client, &count) != STORE_OK || count <= limit)
        return false;
    response_error(v->response, 429, "Too Many Requests");
    snprintf(retry_after, sizeof retry_after, "%d",
             (int)(DAY_S - clock_wall_ms() / 1000 % DAY_S)); /* the counters begin anew at midnight UTC */
    response_header(v->response, "Retry-After", retry_after);
    return true;
}

/* What an unsigned request got: is it to be logged? The first of an address and hour, then the 10th, the 100th ...: a
 * flood fills no disk. */
static bool is_told(struct visit *v, int64_t *count)
{
    char event[RECORD_SHORT_SIZE + 16];

    snprintf(event, sizeof event, "%s %d", v->client, v->response->status);
    return app_tells(v->app, event, count);
}

static void log_unsigned(struct visit *v)
{
    bool limited = v->response->status == 429;
    struct log_about about = {.client = v->request->remote_addr,
                              .reason = v->request->signature[0] ? "wrong_signature" : "no_signature",
                              .status = v->response->status};
    int64_t count;

    if (!is_told(v, &count))
        return;
    if (count > 1)
        log_event(v->app->log, LOG_LEVEL_WARN, limited ? "limited" : "refused", &about,
                  "%lld unsigned requests from this address in this hour", (long long)count);
    else if (limited)
        log_event(v->app->log, LOG_LEVEL_WARN, "limited", &about,
                  "Too many unsigned requests from this address today");
    else
        log_event(v->app->log, LOG_LEVEL_WARN, "refused", &about,
                  "The signature is missing or is not that of any configured secret (%s): is "
                  "WOO_WEBHOOK_SECRET the webhook's secret?",
                  signature_tried(&v->app->keys));
}

static void refuse_unsigned(struct visit *v)
{
    if (!is_over_limit(v))
        response_error(v->response, 401, "Invalid Signature");
    tally_count(&v->app->tally, "received", v->response->status == 429 ? "limited" : "refused");
    log_unsigned(v);
}

/* Until when it may be worked on; 0: who sent it has waited enough for a worker, it is only kept. */
static int64_t work_until(const struct visit *v)
{
    int64_t budget_ms = v->app->config.sync_budget_ms, arrived = v->request->arrived_mono_ms,
            left_ms = clock_left_ms(arrived + budget_ms);

    if (left_ms <= 0 || clock_mono_ms() - arrived > WORK_WAITED_MS)
        return 0;
    return left_ms >= WORK_NEEDS_MS || budget_ms < WORK_NEEDS_MS ? arrived + budget_ms : 0;
}

/* `woo_ghl check` asks through the public URL whether it is this program that answers (order/proof.h). */
static void prove(struct visit *v, const char *nonce)
{
    char proof[DIGEST_HEX_SIZE];
    int64_t count;
    struct log_about about = {.client = v->request->remote_addr};
    struct error e = ERROR_NONE;

    if (is_over_limit(v))
        return;
    (void)app_ready(v->app, &e); /* opens what can be opened */
    if ((!v->app->store && !v->app->spool) || !proof_answer(v->app->config.webhook_secret, nonce, proof)) {
        response_unavailable(v->response);
        return;
    }
    response_json(v->response, 200, "status", "proof", "proof", proof);
    if (is_told(v, &count))
        log_event(v->app->log, LOG_LEVEL_INFO, "proof", &about,
                  "`woo_ghl check` asked from outside: it is here");
}

static void want_drain(struct visit *v)
{
    if (v->app->config.drain_after)
        v->response->drain_wanted = drain_is_wanted(v->app);
    else
        heartbeat_tell_spool(v->app, false);
}

static void take_delivery(struct visit *v)
{
    char nonce[PROOF_NONCE_SIZE];
    const struct request *request = v->request;
    struct app *app = v->app;
    struct acceptance acceptance;

    if (!read_body(v)) {
        tally_count(&app->tally, "received", "malformed");
        return;
    }
    if (is_ping(v)) {
        tally_count(&app->tally, "received", "ping");
        response_json(v->response, 200, "status", "pong", NULL, NULL);
        return;
    }
    unsigned char hmac[DIGEST_LEN];
    enum signature_form form = signature_verify(&app->keys, request->signature, v->body, v->body_len, hmac);
    bool is_signed = form != SIGNATURE_NONE;
    bool is_counted = app->config.rate_limit_per_day > 0;
    /* Signed requests are counted apart: what anybody can send must not hold up a shop behind the same address. */
    const char *label = is_signed ? "client signed" : "client";
    if (form == SIGNATURE_UNKNOWN ||
        ((is_counted || !is_signed) && !client_hash(app, request->remote_addr, label, v->client))) {
        response_unavailable(v->response);
        return;
    }
    if (is_signed && is_counted)
        v->client[0] = STORE_CLIENT_SIGNED;
    if (!is_signed) {
        refuse_unsigned(v);
        return;
    }
    if (proof_is_asked(v->body, v->body_len, nonce)) {
        tally_count(&app->tally, "received", "ping");
        prove(v, nonce);
        return;
    }
    const struct accept_delivery delivery = {
        .bytes = v->body,
        .len = v->body_len,
        .hmac = hmac,
        .packed = v->packed.data,
        .packed_len = v->packed.len,
        .headers = {request->topic, request->resource, request->source},
        .origin = ORIGIN_WEBHOOK,
        .client = is_counted ? v->client : NULL,
        .work_until_mono_ms = work_until(v),
    };
    accept_delivery(app, &delivery, &acceptance);
    answer_accepted(v->response, &acceptance);
    v->response->deep = acceptance.read;
    alert_not_silent(app);
    want_drain(v);
}

static void receive(struct visit *v)
{
    take_delivery(v);
    tally_took(&v->app->tally, clock_mono_ms() - v->request->arrived_mono_ms);
}

/* -- routes -- */

static void admin(struct visit *v)
{
    admin_handle(v->app, v->request, v->response);
    v->response->deep = true;
    if (v->response->status == 303) /* a retry makes an order due */
        want_drain(v);
}

struct route {
    const char *path, *method; /* a second one may follow after ", " */
    void (*handle)(struct visit *);
    void (*watch)(struct app *, struct response *); /* instead: for a monitor */
    bool open;                                      /* ... and for everybody */
};

static const struct route routes[] = {
    {"/woo-order", "POST", .handle = receive},
    {"/woo-order/", "POST", .handle = receive},
    {"/woo-order/health", "GET", .watch = watch_health, .open = true},
    {"/woo-order/ready", "GET", .watch = watch_ready},
    {"/woo-order/metrics", "GET", .watch = watch_metrics},
    {"/woo-order/admin", "GET, POST", .handle = admin},
};

static const struct route *find_route(const char *path)
{
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
        if (!strcmp(routes[i].path, path))
            return &routes[i];
    return NULL;
}

/* Does the site that asks hand out settings, data or log? Looked at once for each document root in a row. */
static bool is_served(struct app *app, const char *document_root)
{
    struct error e = ERROR_NONE;
    int64_t count;

    if (!*document_root || (app->site && !strcmp(app->site, document_root)))
        return false;
    if (config_is_served(&app->config, document_root, &e)) {
        if (app_tells(app, "served", &count))
            log_event(app->log, LOG_LEVEL_ERROR, "config", NULL, "%s", e.text);
        return true;
    }
    free(app->site);
    app->site = strdup(document_root);
    return false;
}

static bool takes(const struct route *route, const char *method)
{
    const char *at = *method ? strstr(route->method, method) : NULL;
    size_t end = at ? strlen(method) : 0;

    return at && (at == route->method || at[-1] == ' ') && (!at[end] || at[end] == ',');
}

void routes_handle(struct app *app, const struct request *request, struct response *response)
{
    struct visit v = {.app = app, .request = request, .response = response};
    const struct route *route = find_route(request->path);

    (void)app_refresh(app);
    buf_init(&v.packed, HEADERS_MAX + (size_t)(app->config.max_body > 0 ? app->config.max_body : 0));
    if (first_is_wanted(app, request)) {
        first_answer(response);
    } else if (!route) {
        response_error(response, 404, "Not Found");
    } else if (!takes(route, request->method)) {
        response_error(response, 405, "Method Not Allowed");
        response_header(response, "Allow", route->method);
    } else if (!app->config_ok) {
        response_unavailable(response); /* app_open has logged why */
    } else if (is_served(app, request->document_root)) {
        response_unavailable(response);
    } else if (route->handle) {
        route->handle(&v);
    } else if (route->open || watch_is_allowed(app, request, response)) {
        route->watch(app, response);
        want_drain(&v); /* where there is no cron, a monitor that looks is one */
    }
    if (!response->status) /* no answer is one that loses the order */
        response_unavailable(response);
    buf_wipe(&v.packed);
}
