#include "accept/accept_work.h"
#include "app/alert.h"
#include "base/clock.h"
#include "order/delivery.h"
#include "sync/sync.h"
#include "web/body.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define RETRY_AFTER_UNAVAILABLE "60"
#define DAY_S (24 * 3600)
#define WORK_NEEDS_MS 5000 /* a create does not begin with less */

/* -- answers -- */

void response_init(struct response *response)
{
    *response = (struct response){.content_type = "application/json"};
    buf_init(&response->body, 64L * 1024);
}

void response_free(struct response *response)
{
    buf_free(&response->body);
}

static void add_header(struct response *response, const char *name, const char *value)
{
    if (response->header_count == RESPONSE_HEADERS_MAX)
        return;
    size_t n = response->header_count++;
    response->header[n].name = name;
    size_t len = strnlen(value, sizeof response->header[n].value - 1);
    memcpy(response->header[n].value, value, len);
    response->header[n].value[len] = '\0';
}

/* A body of one or two members; the values are words and ids of ours or GHL's, so json_pack's quoting is
 * enough. */
static void answer(struct response *response, int status, const char *name, const char *value,
                   const char *name2, const char *value2)
{
    response->status = status;
    buf_reset(&response->body);
    json_t *body = name2 ? json_pack("{ssss}", name, value, name2, value2) : json_pack("{ss}", name, value);
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    if (!text || !buf_adds(&response->body, text))
        response->status = 500;
    free(text);
    json_decref(body);
}

static void answer_error(struct response *response, int status, const char *error)
{
    answer(response, status, "error", error, NULL, NULL);
}

static void answer_unavailable(struct response *response)
{
    answer_error(response, 503, "Unavailable");
    add_header(response, "Retry-After", RETRY_AFTER_UNAVAILABLE);
}

/* -- the log's line about this visit -- */

static struct log_about about(const struct visit *v, const char *reason)
{
    return (struct log_about){.order = v->key,
                              .client = v->request->remote_addr,
                              .reason = reason,
                              .status = v->response->status,
                              .ms = clock_mono_ms() - v->request->arrived_mono_ms,
                              .has_ms = true};
}

/* -- the request itself -- */

/* False when the body is not whole; the response then says why. */
static bool read_body(struct visit *v)
{
    switch (body_read(v->request, v->app->config.max_body, &v->body)) {
    case BODY_WHOLE: return true;
    case BODY_BAD_LENGTH: answer_error(v->response, 400, "Bad Content-Length"); return false;
    case BODY_TOO_LARGE: answer_error(v->response, 413, "Payload Too Large"); return false;
    case BODY_INCOMPLETE: answer_error(v->response, 400, "Incomplete Body"); return false;
    case BODY_NO_MEMORY: answer_unavailable(v->response); return false;
    }
    return false;
}

/* WooCommerce's ping: an unsigned form body `webhook_id=N`. */
static bool is_ping(const struct visit *v)
{
    static const char name[] = "webhook_id=", type[] = "application/x-www-form-urlencoded";
    const size_t n = sizeof name - 1;
    const char *body = v->body.data;

    if (v->request->signature[0] || strncasecmp(v->request->content_type, type, sizeof type - 1) != 0)
        return false;
    if (v->body.len <= n || v->body.len > n + 20 || memcmp(body, name, n) != 0)
        return false;
    return strspn(body + n, "0123456789") == v->body.len - n;
}

/* The client whose requests are counted together: an IPv4 address, or an IPv6 address's /64. Only its hash is
 * kept. */
static bool hash_client(const struct app *app, const char *address, char out[DIGEST_HEX_SIZE])
{
    unsigned char six[16], four[4];
    if (inet_pton(AF_INET, address, four) == 1)
        return digest_label_hex(app->hash_key, DIGEST_LEN, "client", four, sizeof four, out);
    if (inet_pton(AF_INET6, address, six) == 1) {
        static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
        if (!memcmp(six, mapped, sizeof mapped))
            return digest_label_hex(app->hash_key, DIGEST_LEN, "client", six + 12, 4, out);
        return digest_label_hex(app->hash_key, DIGEST_LEN, "client", six, 8, out);
    }
    return digest_label_hex(app->hash_key, DIGEST_LEN, "client", address, strlen(address), out);
}

static void refuse_unsigned(struct visit *v)
{
    int64_t count = 0, limit = v->app->config.rate_limit_per_day;
    char retry_after[24];

    answer_error(v->response, 401, "Invalid Signature");
    if (limit > 0 && v->app->store && store_allow(v->app->store, v->client, &count) == STORE_OK &&
        count > limit) {
        answer_error(v->response, 429, "Too Many Requests");
        snprintf(retry_after, sizeof retry_after, "%d",
                 (int)(DAY_S - clock_wall_ms() / 1000 % DAY_S)); /* the counters begin anew at midnight UTC */
        add_header(v->response, "Retry-After", retry_after);
    }
    struct log_about what = about(v, v->request->signature[0] ? "wrong_signature" : "no_signature");
    log_event(v->app->log, LOG_LEVEL_WARN, v->response->status == 429 ? "limited" : "refused", &what,
              v->response->status == 429 ? "Too many unsigned requests from this address today"
                                         : "The signature is missing or is not that of any configured "
                                           "secret: is WOO_WEBHOOK_SECRET the webhook's secret?");
}

/* -- what was signed -- */

/* The store cannot take it: a sealed file of this machine does. 503 only if that fails too. */
static void spool(struct visit *v, const char *trouble)
{
    struct app *app = v->app;
    struct buf packed;
    struct error e = ERROR_NONE;
    bool kept = false;

    answer_unavailable(v->response);
    if (v->replayed) {
        error_set(&v->trouble, "%s", trouble);
        return;
    }
    buf_init(&packed, STORE_BODY_MAX);
    if (!app->spool)
        error_set(&e, "The spool is not open");
    else if (!delivery_pack(&v->headers, v->body.data, v->body.len, &packed))
        error_set(&e, "Out of memory");
    else
        kept = spool_put_delivery(
            app->spool,
            &(struct spool_delivery){.key = v->key, .packed = packed.data, .packed_len = packed.len}, &e);
    buf_wipe(&packed);
    if (kept) {
        v->response->header_count = 0;
        answer(v->response, 202, "status", "queued", "reason", "store_unavailable");
    }
    struct log_about what = about(v, "store_unavailable");
    if (kept)
        log_event(app->log, LOG_LEVEL_WARN, "spooled", &what,
                  "The store cannot take this delivery, the spool has it: %s", trouble);
    else
        log_event(app->log, LOG_LEVEL_ERROR, "spool", &what,
                  "Neither the store nor the spool can take this delivery: %s; %s", trouble, e.text);
    (void)alert_raise(app, ALERT_STORE, "The store cannot take a delivery, the spool %s: %s",
                      kept ? "has it" : "cannot either", trouble);
}

static void keep_bad_json(struct visit *v)
{
    struct buf packed;
    char key[DIGEST_HEX_SIZE + 8];
    enum store_result kept = STORE_UNAVAILABLE;

    buf_init(&packed, STORE_BODY_MAX);
    snprintf(key, sizeof key, "bad:%s", v->hmac);
    if (v->ready && delivery_pack(&v->headers, v->body.data, v->body.len, &packed))
        kept = store_park_bytes(v->app->store, key, packed.data, packed.len, "not decodable as JSON");
    buf_wipe(&packed);
    v->other_key = kept == STORE_OTHER_KEY;
    if (v->other_key)
        return;
    if (kept != STORE_OK) {
        spool(v, v->ready ? store_trouble(v->app->store) : v->not_ready.text);
        if (v->response->status >= 500)
            return;
    }
    answer_error(v->response, 400, "Bad JSON");
    struct log_about what = about(v, "bad_json");
    log_event(v->app->log, LOG_LEVEL_ERROR, "bad_json", &what,
              "A signed body of %zu bytes is not JSON; its bytes are kept", v->body.len);
    (void)alert_raise(v->app, ALERT_PARKED, "A signed body of %zu bytes is not JSON; its bytes are kept",
                      v->body.len);
}

/* Of what is read from the shop most is known, run after run. */
static enum log_level level_of(const struct visit *v, enum log_level level)
{
    return v->fetched && level == LOG_LEVEL_INFO ? LOG_LEVEL_DEBUG : level;
}

static void ignore(struct visit *v, enum log_level level, const char *reason, const char *advice)
{
    v->became = FETCHED_IGNORED;
    answer(v->response, 200, "status", "ignored", "reason", reason);
    struct log_about what = about(v, reason);
    log_event(v->app->log, level_of(v, level), "ignored", &what, "%s", advice);
}

static void ignore_not_order(struct visit *v, const struct order_verdict *verdict)
{
    /* Nothing of it is worth keeping but that it came: a reconcile is wanted. That survives a store that is
     * away. */
    if (!v->fetched && (!v->ready || store_count(v->app->store, verdict->reason, true) != STORE_OK)) {
        spool(v, v->ready ? store_trouble(v->app->store) : v->not_ready.text);
        if (v->replayed)
            return; /* it stays in the spool */
    }
    v->response->header_count = 0;
    ignore(v, LOG_LEVEL_WARN, verdict->reason, verdict->advice);
}

static void answer_queued(struct visit *v, const char *reason)
{
    v->became = FETCHED_TAKEN;
    answer(v->response, 202, "status", "queued", "reason", reason);
    struct log_about what = about(v, reason);
    what.email = plan_email(&v->plan);
    log_event(v->app->log, LOG_LEVEL_INFO, "queued", &what, "Order #%s is stored and goes to GHL later",
              v->plan.number);
}

static void work_now(struct visit *v, struct store_entry *entry)
{
    int64_t deadline = v->request->arrived_mono_ms + v->app->config.sync_budget_ms;
    struct sync_outcome outcome = sync_entry(v->app, entry, deadline);
    struct log_about what;

    if (outcome.left)
        intake_keep(v->app, entry, strcmp(outcome.reason, "store_unavailable") != 0);
    switch (outcome.result) {
    case SYNC_DONE:
        answer(v->response, 200, "status", "synced", "ghl_id", outcome.ghl_id);
        what = about(v, NULL);
        what.email = plan_email(&v->plan);
        what.ghl_id = outcome.ghl_id;
        log_event(v->app->log, LOG_LEVEL_INFO, "synced", &what, "Order #%s is %s in GHL", v->plan.number,
                  outcome_name(v->plan.outcome));
        break;
    case SYNC_NOTHING:
        ignore(v, LOG_LEVEL_INFO, outcome.reason, "Nothing to do in GHL for this state of the order");
        break;
    case SYNC_QUEUED: answer_queued(v, outcome.reason); break;
    case SYNC_PARKED: answer_queued(v, "parked"); break;
    }
}

static void skip(struct visit *v, const char *reason)
{
    v->became = FETCHED_KNOWN;
    answer(v->response, 200, "status", "skipped", "reason", reason);
    struct log_about what = about(v, reason);
    log_event(v->app->log, level_of(v, LOG_LEVEL_INFO), "skipped", &what, "Skipping %s Order #%s",
              strcmp(reason, "stale") ? "Duplicate" : "Stale", v->plan.number);
}

static const char *deferred_reason(const struct store_claim_reply *reply)
{
    if (reply->over_limit)
        return "rate_limited";
    if (reply->hold == STORE_HOLD_PAUSED)
        return "paused";
    return reply->hold == STORE_HOLD_BREAKER ? "ghl_unavailable" : "later";
}

/* A sale of this order that lies in the spool must be known to the store before the order's end is judged:
 * without it the end is that of an order that was never sold, and the sale then is stale. */
static bool comes_after_the_spool(const struct visit *v)
{
    return !outcome_creates(v->plan.outcome) && (!v->replayed || v->fetched) && v->app->spool &&
           spool_holds(v->app->spool, v->plan.key);
}

/* A delivery that waited long for its worker is stored and answered: who sent it has waited enough. */
static bool time_to_work(const struct visit *v)
{
    int64_t budget_ms = v->app->config.sync_budget_ms,
            left_ms = clock_left_ms(v->request->arrived_mono_ms + budget_ms);

    return left_ms > 0 && (left_ms >= WORK_NEEDS_MS || budget_ms < WORK_NEEDS_MS);
}

static void take(struct visit *v, const struct buf *packed)
{
    const struct config *config = &v->app->config;
    struct store_claim claim = {
        .key = v->plan.key,
        .modified_s = v->plan.modified_s,
        .created_s = v->plan.created_s,
        .fingerprint = v->plan.fingerprint,
        .hmac = v->hmac,
        .body = packed->data,
        .body_len = packed->len,
        .creates = v->sold || outcome_creates(v->plan.outcome),
        .status_only = v->plan.status_only,
        .status = v->order.status,
        .arrived_ago_ms = v->arrived_ago_ms,
        .again = v->again,
        .fetched = v->fetched,
        .client = v->client,
        .client_limit = config->rate_limit_per_day,
        .work = !v->replayed && time_to_work(v),
        .lease_ms = SYNC_LEASE_MS,
    };
    struct store_claim_reply reply = {0};
    struct store_entry entry = {0};

    switch (store_claim(v->app->store, &claim, &reply, &entry)) {
    case CLAIM_NEW: work_now(v, &entry); break;
    case CLAIM_DUPLICATE: skip(v, "duplicate"); break;
    case CLAIM_STALE: skip(v, "stale"); break;
    case CLAIM_BUSY: answer_queued(v, "busy"); break;
    case CLAIM_DEFERRED: answer_queued(v, deferred_reason(&reply)); break;
    case CLAIM_IGNORED:
        ignore(v, LOG_LEVEL_INFO, "never_sold", "This order was never sold, so its end makes no opportunity");
        break;
    case CLAIM_OTHER_KEY: v->other_key = true; break;
    case CLAIM_UNAVAILABLE:
    case CLAIM_FULL: spool(v, store_trouble(v->app->store)); break;
    }
    v->response->drain_wanted = config->drain_after && reply.drain_needed;
    if (reply.undrained) {
        static const char text[] =
            "Orders wait and nothing has drained for 10 minutes: run `woo_ghl drain` from "
            "cron or as a service";
        log_event(v->app->log, LOG_LEVEL_WARN, "undrained", NULL, "%s", text);
        (void)alert_raise(v->app, ALERT_UNDRAINED, "%s", text);
    }
    store_entry_free(&entry);
}

static void try_order(struct visit *v)
{
    struct error e = ERROR_NONE;
    unsigned char hmac[DIGEST_LEN];
    struct order_verdict verdict = order_parse(v->body.data, v->body.len, &v->headers, &v->order);

    if (!digest_hmac(v->app->hash_key, DIGEST_LEN, v->body.data, v->body.len, hmac)) {
        spool(v, "libcrypto failed");
        return;
    }
    digest_hex(hmac, DIGEST_LEN, v->hmac);
    if (verdict.kind == ORDER_BAD_JSON) {
        if (v->fetched)
            spool(v, verdict.advice);
        else
            keep_bad_json(v);
        return;
    }
    if (verdict.kind == ORDER_NOT_ORDER) {
        ignore_not_order(v, &verdict);
        return;
    }
    switch (plan_make(&v->order, v->headers.source, &v->app->config, v->app->hash_key, &v->plan, &e)) {
    case PLAN_FOREIGN_SHOP:
        ignore(v, LOG_LEVEL_WARN, "foreign_shop", e.text);
        v->became = FETCHED_FOREIGN;
        return;
    case PLAN_FAILED: spool(v, e.text); return;
    case PLAN_OK: break;
    }
    v->key = v->plan.key;
    if (v->only_key && strcmp(v->only_key, v->key) != 0) {
        v->became = FETCHED_FOREIGN;
        return;
    }
    if (v->plan.outcome == OUTCOME_IGNORE) {
        ignore(v, LOG_LEVEL_INFO, "status_not_mapped", "GHL_STATUS_MAP does not name this order status");
        return;
    }
    if (!v->ready) {
        spool(v, v->not_ready.text);
        return;
    }
    if (comes_after_the_spool(v)) {
        spool(v, "older deliveries lie in the spool, and this state must not overtake them");
        return;
    }
    struct buf packed;
    buf_init(&packed, STORE_BODY_MAX);
    if (delivery_pack(&v->headers, v->body.data, v->body.len, &packed))
        take(v, &packed);
    else
        spool(v, "out of memory");
    buf_wipe(&packed);
}

/* Where the store came back empty, or as another one, its key is settled, and what was hashed under the old
 * one is hashed anew. */
void intake_take_order(struct visit *v)
{
    try_order(v);
    if (!v->other_key)
        return;
    v->other_key = false;
    v->key = NULL;
    plan_free(&v->plan);
    order_free(&v->order);
    v->not_ready = (struct error)ERROR_NONE;
    v->ready = app_ready(v->app, &v->not_ready) &&
               (v->replayed || hash_client(v->app, v->request->remote_addr, v->client));
    try_order(v);
    if (v->other_key)
        spool(v, store_trouble(v->app->store));
}

static void receive(struct visit *v)
{
    const struct request *request = v->request;
    struct app *app = v->app;

    if (!read_body(v))
        return;
    if (is_ping(v)) {
        answer(v->response, 200, "status", "pong", NULL, NULL);
        return;
    }
    v->ready = app_ready(app, &v->not_ready);
    if (!hash_client(app, request->remote_addr, v->client)) {
        answer_unavailable(v->response);
        return;
    }
    if (!signature_verify(&app->keys, request->signature, v->body.data, v->body.len)) {
        refuse_unsigned(v);
        return;
    }
    v->headers = (struct order_headers){request->topic, request->resource, request->source};
    intake_take_order(v);
}

/* -- routes -- */

static void health(struct visit *v)
{
    struct store_stats stats;
    struct error e = ERROR_NONE;

    if (app_ready(v->app, &e) && store_stats(v->app->store, &stats) == STORE_OK)
        answer(v->response, 200, "status", stats.paused || stats.undrained ? "degraded" : "ok", NULL, NULL);
    else
        answer_unavailable(v->response);
}

struct route {
    const char *path, *method;
    void (*handle)(struct visit *);
};

static const struct route routes[] = {
    {"/woo-order", "POST", receive},
    {"/woo-order/", "POST", receive},
    {"/woo-order/health", "GET", health},
};

static const struct route *find_route(const char *path)
{
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
        if (!strcmp(routes[i].path, path))
            return &routes[i];
    return NULL;
}

void intake_handle(struct app *app, const struct request *request, struct response *response)
{
    struct visit v = {.app = app, .request = request, .response = response};
    const struct route *route = find_route(request->path);

    buf_init(&v.body, (size_t)(app->config.max_body > 0 ? app->config.max_body : 0));
    if (!route) {
        answer_error(response, 404, "Not Found");
    } else if (strcmp(route->method, request->method) != 0) {
        answer_error(response, 405, "Method Not Allowed");
        add_header(response, "Allow", route->method);
    } else if (!app->config_ok) {
        answer_unavailable(response);
        for (size_t i = 0; i < app->report.problem_count; i++)
            log_event(app->log, LOG_LEVEL_ERROR, "config", NULL, "%s", app->report.problem[i]);
    } else {
        route->handle(&v);
    }
    plan_free(&v.plan);
    order_free(&v.order);
    buf_wipe(&v.body);
}
