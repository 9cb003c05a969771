#include "app/hold.h"
#include "app/alert.h"
#include "app/ready.h"
#include "base/clock.h"
#include "base/text.h"

#define PROBE_BUDGET_MS 5000
#define BREAKER_LONG_MS (4LL * 60 * 1000) /* it opens for so long only after minutes without an answer */
#define DAY_MS (24LL * 3600 * 1000)
#define WINDOW_JITTER 2      /* calls of ours that a late one brings into a window that is not theirs */
#define WINDOW_NEARLY_USED 5 /* remaining calls of GHL's window from which on its count may matter */

/* -- the terms of a call -- */

static int64_t limit(void *context, int64_t max_wait_ms)
{
    struct work_terms *terms = context;
    int64_t wait_ms = 0;

    return orders_limit(&terms->app->orders, max_wait_ms, &wait_ms) == STORE_OK ? wait_ms : -1;
}

static bool may_write(void *context)
{
    struct work_terms *terms = context;
    return !terms->may_write || terms->may_write(terms->context);
}

struct hearing {
    bool success;
    int64_t open_ms;
};

static bool heard_rule(struct location_record *location, int64_t now_ms, void *context)
{
    struct hearing *h = context;
    bool changed = breaker_heard(location, h->success, now_ms);

    h->open_ms = breaker_open_ms(location, now_ms);
    return changed;
}

static void tell_breaker(struct app *app, bool success, long status)
{
    const struct location_record *location = &app->orders.location;
    struct hearing h = {.success = success};
    char what[64] = "GHL does not answer", next[CLOCK_WORDS_SIZE];

    if (success && !location->failures && !location->opened)
        return; /* as far as this process knows; another that knows better tells it */
    if (orders_location(&app->orders, heard_rule, &h) != STORE_OK || success || h.open_ms <= 0)
        return;
    if (status)
        (void)text_format(what, sizeof what, "GHL answers with errors (%ld)", status);
    log_event(app->log, LOG_LEVEL_ERROR, "breaker", NULL,
              "%s: orders are stored and wait; the next try is in %s", what, clock_in_words(h.open_ms, next));
    if (h.open_ms >= BREAKER_LONG_MS)
        (void)alert_raise(app, ALERT_BREAKER, "%s, for minutes: orders are stored and wait, none is lost",
                          what);
}

/* What an answer says of GHL's limits. A header that is missing counts as what the settings say. */
static struct limiter_heard heard_of(const struct config *config, const struct http_answer *answer)
{
    const struct limiter_terms terms = orders_limiter_terms(config);
    bool refused = answer->status == 429;
    bool has_window = answer->rate_interval_ms > 0 && answer->rate_interval_ms <= DAY_MS;
    int64_t window_ms = has_window ? answer->rate_interval_ms : config->ghl_rate.window_ms,
            count = answer->rate_max > 0 ? answer->rate_max : config->ghl_rate.count,
            remaining = refused && answer->rate_remaining < 0 ? 0 : answer->rate_remaining;
    bool others = remaining >= 0 && remaining < count - limiter_most(&terms, window_ms) - WINDOW_JITTER;

    return (struct limiter_heard){.hold_ms =
                                      refused && answer->retry_after_ms > 0 ? answer->retry_after_ms : 0,
                                  .window_remaining = remaining,
                                  .window_ms = window_ms,
                                  .shared = refused || others,
                                  .daily_remaining = answer->rate_daily_remaining,
                                  .daily_reset_ms = answer->rate_daily_reset_ms};
}

static void tell_limiter(struct app *app, const struct http_answer *answer)
{
    const struct limiter_heard heard = heard_of(&app->config, answer);
    bool nearly = heard.window_remaining >= 0 && heard.window_remaining < WINDOW_NEARLY_USED;

    bool new_day = heard.daily_remaining > 0 && app->orders.limiter.day_left <= 0;

    if (!nearly && answer->status != 429 && heard.daily_remaining != 0 && !new_day)
        return;
    if (orders_limits_heard(&app->orders, &heard) != STORE_OK)
        app_lost(app, "what GHL said of its limits");
    if (heard.hold_ms > HOLD_RETRY_AFTER_MAX_MS || heard.daily_remaining == 0)
        (void)alert_raise(app, ALERT_LIMIT,
                          "GHL takes no calls for now (%s); orders are stored and wait. woo_ghl asks again "
                          "every few minutes",
                          heard.daily_remaining == 0 ? "no call is left of its day" : "it asks to wait");
}

static void count(struct app *app, long status)
{
    tally_count(&app->tally, "ghl",
                status == 0                      ? "no_answer"
                : status == 429                  ? "limited"
                : status == 401 || status == 403 ? "unauthorized"
                : status >= 500                  ? "error"
                : status >= 300                  ? "refused"
                                                 : "ok");
}

static void heard(void *context, const struct http_answer *answer, bool transport_ok)
{
    struct work_terms *terms = context;

    count(terms->app, answer->status);
    if (answer->status != 429) /* that says nothing of GHL's health */
        tell_breaker(terms->app, transport_ok, answer->status);
    tell_limiter(terms->app, answer);
}

static bool is_awaited(void *context)
{
    const struct work_terms *terms = context;
    return app_is_awaited(terms->app);
}

/* A worker that was told to stop begins no further try; its order waits in the queue. */
static bool wait_ms(void *context, int64_t ms)
{
    const struct work_terms *terms = context;
    return clock_sleep_ms(ms, terms->app->stop);
}

void work_terms_begin(struct work_terms *terms, struct app *app, bool (*allowed)(void *), void *context)
{
    *terms = (struct work_terms){.terms = {.context = terms,
                                           .limit = limit,
                                           .may_write = may_write,
                                           .heard = heard,
                                           .is_awaited = is_awaited,
                                           .wait = wait_ms},
                                 .app = app,
                                 .may_write = allowed,
                                 .context = context};
}

/* -- pauses -- */

static enum ghl_result ask(struct work_terms *terms)
{
    struct ghl_answer neutral;
    struct ghl_call call = ghl_call_within(PROBE_BUDGET_MS);
    call.terms = &terms->terms;
    enum ghl_result result = ghl_pipelines(terms->app->ghl, &call, &neutral);

    ghl_answer_free(&neutral);
    return result;
}

enum fault hold_whose_fault(struct work_terms *terms, const struct ghl_answer *answer)
{
    if (answer->names_access)
        return FAULT_TOKEN;
    enum ghl_result result = ask(terms);
    return result == GHL_AUTH ? FAULT_TOKEN : result == GHL_OK ? FAULT_ORDER : FAULT_UNKNOWN;
}

struct pausing {
    const char *token, *why;
    bool first;
};

static bool pause_rule(struct location_record *location, int64_t now_ms, void *context)
{
    struct pausing *p = context;

    pause_begin(location, p->token, p->why, now_ms, &p->first);
    return true;
}

void hold_pause(struct app *app, const struct ghl_answer *answer, const char *why)
{
    static const char text[] = "Everything waits until this is mended; no order is lost. %s";
    char token[RECORD_SHORT_SIZE] = "";
    struct pausing p = {.token = token, .why = why};

    if (answer->result == GHL_AUTH && !app_hash(app, "ghl token", app->config.ghl_api_key, token))
        token[0] = '\0';
    if (orders_location(&app->orders, pause_rule, &p) != STORE_OK)
        log_event(app->log, LOG_LEVEL_ERROR, "store", NULL, "The store did not keep the pause: %s",
                  store_trouble(app->store));
    else if (p.first)
        log_event(app->log, LOG_LEVEL_ERROR, "paused", NULL, text, why);
    if (p.first)
        (void)alert_raise(app, ALERT_PAUSED, text, why);
}

struct lifting {
    enum hold hold;
    const char *token; /* lift only a pause about another one; NULL = any */
    bool done;
};

static bool lift_rule(struct location_record *location, int64_t now_ms, void *context)
{
    struct lifting *l = context;

    (void)now_ms;
    return l->done = pause_end(location, l->token);
}

static bool probe_rule(struct location_record *location, int64_t now_ms, void *context)
{
    struct lifting *l = context;
    return l->done = hold_probe(location, l->hold, now_ms);
}

bool hold_lift(struct app *app, enum hold hold, bool now)
{
    char token[RECORD_SHORT_SIZE];
    struct work_terms terms;
    struct lifting l = {.hold = hold, .token = token};
    struct error e = ERROR_NONE;

    if (hold == HOLD_NONE)
        return true;
    /* A person mends the settings' file; that this process runs on with what it read before is its own affair. */
    if (hold == HOLD_PAUSED && app_refresh_now(app) && !app_ready(app, &e))
        return false;
    if (hold == HOLD_PAUSED && app_hash(app, "ghl token", app->config.ghl_api_key, token) &&
        orders_location(&app->orders, lift_rule, &l) == STORE_OK && l.done) {
        log_event(app->log, LOG_LEVEL_INFO, "resumed", NULL,
                  "The GHL token is another one now: work goes on");
        return true;
    }
    if (!now && (orders_location(&app->orders, probe_rule, &l) != STORE_OK || !l.done))
        return false;
    work_terms_begin(&terms, app, NULL, NULL);
    if (ask(&terms) != GHL_OK)
        return false;
    l.token = NULL;
    if (hold == HOLD_PAUSED && orders_location(&app->orders, lift_rule, &l) != STORE_OK)
        return false;
    log_event(app->log, LOG_LEVEL_INFO, "resumed", NULL, "GHL answers again: work goes on");
    return true;
}
