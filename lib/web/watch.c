#include "web/watch.h"
#include "app/heartbeat.h"
#include "app/journal.h"
#include "app/ready.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/version.h"
#include "web/client.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PROBE "ready" /* the value that is written to see whether the store takes one */
#define PROBE_MS 60000
#define MACHINES "metrics/machines" /* the value that keeps what the metrics tell of all machines */
#define MACHINES_MS 30000
#define BEARER "Bearer "

bool watch_is_allowed(const struct app *app, const struct request *request, struct response *response)
{
    const char *token = app->config.metrics_token, *given = request->authorization;
    const size_t n = sizeof BEARER - 1;

    if (client_is_local(request) ||
        (*token && !strncmp(given, BEARER, n) && digest_same_text(given + n, token)))
        return true;
    response_error(response, 401, "Only from this machine, or with METRICS_TOKEN as a bearer token");
    response_header(response, "WWW-Authenticate", "Bearer");
    return false;
}

void watch_health(struct app *app, struct response *response)
{
    struct error e = ERROR_NONE;
    struct store_sizes sizes;

    if (app_ready(app, &e) && store_sizes(app->store, &sizes) == STORE_OK)
        response_json(response, 200, "status",
                      app->orders.location.paused_ms || drain_is_overdue(app, &sizes) ? "degraded" : "ok",
                      NULL, NULL);
    else
        response_unavailable(response);
}

/* -- ready -- */

static void add_word(char *out, size_t size, bool add, const char *word)
{
    size_t len = strlen(out);

    if (add)
        (void)text_format(out + len, size - len, "%s%s", len ? "," : "", word);
}

void watch_ready(struct app *app, struct response *response)
{
    struct error e = ERROR_NONE;
    struct store_sizes sizes = {0};
    struct location_record location = {0};
    char missing[128] = "";
    bool store = app_ready(app, &e) && store_put(app->store, PROBE, "", PROBE_MS) == STORE_OK &&
                 store_sizes(app->store, &sizes) == STORE_OK &&
                 store_read_location(app->store, &location) == STORE_OK;

    add_word(missing, sizeof missing, !store, "store");
    add_word(missing, sizeof missing, store && !heartbeat_anywhere(app), "drain");
    add_word(missing, sizeof missing, store && drain_is_overdue(app, &sizes), "overdue");
    add_word(missing, sizeof missing, location_hold(&location) == HOLD_BREAKER, "breaker");
    add_word(missing, sizeof missing, location_hold(&location) == HOLD_PAUSED, "paused");
    if (*missing)
        response_json(response, 503, "status", "not ready", "missing", missing);
    else
        response_json(response, 200, "status", "ready", NULL, NULL);
}

/* -- metrics -- */

static void head(struct buf *out, const char *name, const char *type, const char *help)
{
    (void)buf_addf(out, "# HELP woo_ghl_%s %s\n# TYPE woo_ghl_%s %s\n", name, help, name, type);
}

static void gauge(struct buf *out, const char *name, int64_t value, const char *help)
{
    head(out, name, "gauge", help);
    (void)buf_addf(out, "woo_ghl_%s %" PRId64 "\n", name, value);
}

/* The counters of one family, "received/queued", each with its word as a label. */
static void family(struct buf *out, const struct tally_counts *counts, const char *prefix, const char *name,
                   const char *label, const char *help)
{
    size_t n = strlen(prefix);

    head(out, name, "counter", help);
    for (size_t i = 0; i < TALLY_COUNTERS; i++)
        if (!strncmp(tally_names[i], prefix, n))
            (void)buf_addf(out, "woo_ghl_%s{%s=\"%s\"} %" PRId64 "\n", name, label, tally_names[i] + n,
                           counts->n[i]);
}

/* Its buckets are in ms, Prometheus's are in seconds and hold those below them, too. */
static void histogram(struct buf *out, const struct tally_counts *counts)
{
    static const char prefix[] = "took/";
    int64_t sum = 0;

    head(out, "answer_seconds", "histogram", "How long answers to deliveries took.");
    for (size_t i = 0; i < TALLY_COUNTERS; i++) {
        if (strncmp(tally_names[i], prefix, sizeof prefix - 1) != 0)
            continue;
        const char *limit = tally_names[i] + sizeof prefix - 1;
        sum += counts->n[i];
        if (*limit == '+')
            (void)buf_addf(out, "woo_ghl_answer_seconds_bucket{le=\"+Inf\"} %" PRId64 "\n", sum);
        else
            (void)buf_addf(out, "woo_ghl_answer_seconds_bucket{le=\"%g\"} %" PRId64 "\n",
                           (double)strtol(limit, NULL, 10) / 1000, sum);
    }
    (void)buf_addf(out, "woo_ghl_answer_seconds_sum %g\nwoo_ghl_answer_seconds_count %" PRId64 "\n",
                   (double)tally_of(counts, TALLY_TOOK) / 1000, sum);
}

/* A host's name is what its owner made it. */
static void label_value(struct buf *out, const char *text)
{
    for (; *text; text++)
        if (*text >= ' ' && *text != '"' && *text != '\\')
            (void)buf_addc(out, *text);
}

static void of_machine(struct buf *out, const char *name, const struct heartbeat *beat, int64_t value)
{
    (void)buf_addf(out, "woo_ghl_%s{machine=\"", name);
    label_value(out, beat->machine);
    (void)buf_addf(out, "\"} %" PRId64 "\n", value);
}

static void list_machines(const struct buf *all, int64_t now_ms, struct buf *out)
{
    struct heartbeat beat;

    head(out, "drain_age_seconds", "gauge",
         "How long ago a drain last ran on this machine, as of half a minute ago at most.");
    for (size_t at = 0; heartbeat_next(all, &at, &beat);)
        if (beat.drained_ms)
            of_machine(out, "drain_age_seconds", &beat, (now_ms - beat.drained_ms) / 1000);
    head(out, "spool_files", "gauge", "What lies in this machine's spool, as it last told.");
    for (size_t at = 0; heartbeat_next(all, &at, &beat);)
        of_machine(out, "spool_files", &beat, beat.files);
    head(out, "spool_oldest_seconds", "gauge", "How old the oldest of it is that can be moved.");
    for (size_t at = 0; heartbeat_next(all, &at, &beat);)
        of_machine(out, "spool_oldest_seconds", &beat, beat.oldest_ms ? (now_ms - beat.oldest_ms) / 1000 : 0);
}

/* A list of values costs Redis a look at all of its keys: one in so long is enough, whoever asks. */
static bool machines(struct app *app, struct buf *out)
{
    char *kept = NULL;
    size_t begin = out->len;
    struct buf all;
    enum store_result result = store_get(app->store, MACHINES, &kept);
    bool good = result == STORE_OK || result == STORE_NONE;

    buf_init(&all, STORE_BLOB_MAX);
    if (result == STORE_OK) {
        (void)buf_adds(out, kept);
    } else if (good && (good = heartbeat_read(app, &all) == STORE_OK)) {
        list_machines(&all, store_now_ms(app->store), out);
        if (all.len && out->len - begin < STORE_VALUE_MAX)
            good = store_put(app->store, MACHINES, out->data + begin, MACHINES_MS) == STORE_OK;
    }
    buf_free(&all);
    free(kept);
    return good;
}

static void counters(struct buf *out, const struct tally_counts *c)
{
    int64_t last_s = tally_of(c, TALLY_LAST_ORDER);

    family(out, c, "received/", "deliveries_total", "answer", "Answers to what came at /woo-order.");
    family(out, c, "done/", "orders_done_total", "outcome", "How work on an order ended.");
    family(out, c, "ghl/", "ghl_calls_total", "result", "Calls to GoHighLevel.");
    head(out, "ghl_limited_total", "counter", "Calls that GoHighLevel answered with 429.");
    (void)buf_addf(out, "woo_ghl_ghl_limited_total %" PRId64 "\n", tally_of(c, "ghl/limited"));
    histogram(out, c);
    if (last_s)
        gauge(out, "last_order_age_seconds", clock_wall_ms() / 1000 - last_s,
              "Since a signed order last came.");
}

static void queue(struct buf *out, const struct store_sizes *s)
{
    int64_t first_ms = s->first_ms[INDEX_AGE];

    gauge(out, "orders_waiting", s->count[INDEX_DUE], "Orders that wait to reach GoHighLevel.");
    gauge(out, "orders_due", s->due, "Those of them that are due now.");
    gauge(out, "oldest_waiting_seconds", first_ms && first_ms < s->now_ms ? (s->now_ms - first_ms) / 1000 : 0,
          "How long the oldest of them has waited.");
    gauge(out, "dead_letters", s->count[INDEX_DEAD], "Orders that wait for a person.");
}

static bool holds(struct app *app, struct buf *out)
{
    const struct limiter_terms terms = orders_limiter_terms(&app->config);
    struct location_record location;
    struct limiter_record limiter;

    if (store_read_location(app->store, &location) != STORE_OK ||
        store_read_limiter(app->store, &limiter) != STORE_OK)
        return false;
    int64_t now_ms = store_now_ms(app->store);
    gauge(out, "paused", location.paused_ms != 0,
          "Whether a refused token or setting stops all work, 1 or 0.");
    gauge(out, "breaker_open", breaker_open_ms(&location, now_ms) > 0,
          "Whether GoHighLevel does not answer, 1 or 0.");
    head(out, "ghl_pace", "gauge", "Calls a second that the limiter lets go at most.");
    (void)buf_addf(out, "woo_ghl_ghl_pace %g\n",
                   (double)limiter_most(&terms, terms.window_ms) * 1000 / (double)terms.window_ms);
    if (limiter.day_until_ms > now_ms)
        gauge(out, "ghl_calls_left_today", limiter.day_left, "Calls that are left of GoHighLevel's day.");
    /* On a copy: nothing is taken. */
    gauge(out, "ghl_hold_seconds",
          *limiter.hold_reason ? limiter_take(&limiter, &terms, -1, now_ms) / 1000 : 0,
          "How long GoHighLevel's limits hold all calls.");
    return true;
}

void watch_metrics(struct app *app, struct response *response)
{
    struct buf *out = &response->body;
    struct error e = ERROR_NONE;
    struct store_sizes sizes;
    struct tally_counts sums;
    bool good = app_ready(app, &e);

    if (good) {
        journal_keep(app);
        journal_fold(app);
    }
    good = good && journal_sums(app, &sums) == STORE_OK && store_sizes(app->store, &sizes) == STORE_OK;
    if (good) {
        head(out, "info", "gauge", "The program.");
        (void)buf_adds(out, "woo_ghl_info{version=\"" WOO_GHL_VERSION "\"} 1\n");
        counters(out, &sums);
        queue(out, &sizes);
        good = holds(app, out) && machines(app, out) && !out->failed;
    }
    if (!good) {
        response_unavailable(response);
        return;
    }
    response->status = 200;
    response->content_type = "text/plain; version=0.0.4; charset=utf-8";
}
