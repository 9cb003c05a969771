#include "app/hold.h"
#include "app/alert.h"
#include "base/clock.h"
#include "base/digest.h"
#include <string.h>

#define PROBE_BUDGET_MS 5000
#define BREAKER_LONG_MS (4LL * 60 * 1000) /* so long only after minutes without an answer */
#define DAY_MS (24LL * 3600 * 1000)
#define WINDOW_JITTER 2      /* calls of ours that a late one brings into a window that is not theirs */
#define WINDOW_NEARLY_USED 5 /* remaining calls of GHL's window from which on its count may matter */

/* -- the terms of a call -- */

static int64_t limit(void *context, int64_t max_wait_ms)
{
    struct gate_watch *watch = context;
    int64_t wait_ms = 0;

    if (store_pace(watch->app->store, max_wait_ms, &wait_ms) != STORE_OK)
        return -1;
    return wait_ms;
}

static bool may_write(void *context)
{
    struct gate_watch *watch = context;
    return !watch->may_write || watch->may_write(watch->context);
}

static void tell_breaker(struct app *app, int64_t open_ms)
{
    log_event(app->log, LOG_LEVEL_ERROR, "breaker", NULL,
              "GHL does not answer: orders are stored and wait; next try in %lld s",
              (long long)(open_ms / 1000));
    if (open_ms >= BREAKER_LONG_MS)
        (void)alert_raise(app, ALERT_BREAKER,
                          "GHL has not answered for minutes: orders are stored and wait, none is lost");
}

/* What an answer says of GHL's limits. A header that is missing counts as what the settings say. */
static struct store_limits limits_of(const struct config *config, const struct http_answer *answer)
{
    bool refused = answer->status == 429;
    bool has_window = answer->rate_interval_ms > 0 && answer->rate_interval_ms <= DAY_MS;
    int64_t window_ms = has_window ? answer->rate_interval_ms : config->ghl_rate.window_ms,
            count = answer->rate_max > 0 ? answer->rate_max : config->ghl_rate.count,
            remaining = refused && answer->rate_remaining < 0 ? 0 : answer->rate_remaining;
    int64_t hold_ms = refused && answer->retry_after_ms > 0 ? answer->retry_after_ms : 0;
    bool others = remaining >= 0 && remaining < count - store_pace_most(config, window_ms) - WINDOW_JITTER;

    return (struct store_limits){.hold_ms =
                                     hold_ms < GATE_RETRY_AFTER_MAX_MS ? hold_ms : GATE_RETRY_AFTER_MAX_MS,
                                 .window_remaining = remaining,
                                 .window_ms = window_ms,
                                 .shared = refused || others,
                                 .daily_remaining = answer->rate_daily_remaining,
                                 .daily_reset_ms = answer->rate_daily_reset_ms};
}

static void correct_pace(struct app *app, const struct http_answer *answer)
{
    struct store_limits limits = limits_of(&app->config, answer);
    bool nearly = limits.window_remaining >= 0 && limits.window_remaining < WINDOW_NEARLY_USED;

    if (!nearly && answer->status != 429 && limits.daily_remaining != 0)
        return;
    if (store_pace_correct(app->store, &limits) != STORE_OK)
        log_event(app->log, LOG_LEVEL_WARN, "store", NULL, "GHL's limits could not be shared: %s",
                  store_trouble(app->store));
}

static void heard(void *context, const struct http_answer *answer, bool transport_ok)
{
    struct gate_watch *watch = context;
    struct store *store = watch->app->store;
    int64_t open_ms = 0;

    watch->took |= answer->status >= 200 && answer->status < 300;

    /* 429 says nothing of GHL's health. */
    if (answer->status != 429 && store_breaker(store, transport_ok, &open_ms) == STORE_OK && !transport_ok &&
        open_ms > 0)
        tell_breaker(watch->app, open_ms);
    correct_pace(watch->app, answer);
}

/* A worker that was told to stop begins no further try; its order waits in the queue. */
static bool wait_ms(void *context, int64_t ms)
{
    const struct gate_watch *watch = context;
    return clock_sleep_ms(ms, watch->app->stop);
}

void gate_watch_begin(struct gate_watch *watch, struct app *app, bool (*allowed)(void *), void *context)
{
    *watch = (struct gate_watch){
        .terms = {.context = watch, .limit = limit, .may_write = may_write, .heard = heard, .wait = wait_ms},
        .app = app,
        .may_write = allowed,
        .context = context};
}

/* -- pauses -- */

static bool token_hash(const struct app *app, char out[DIGEST_HEX_SIZE])
{
    const char *token = app->config.ghl_api_key;
    return digest_label_hex(app->hash_key, DIGEST_LEN, "ghl token", token, strlen(token), out);
}

static struct ghl_call probe_call(const struct gate_watch *watch)
{
    return (struct ghl_call){.terms = &watch->terms,
                             .deadline_mono_ms = clock_mono_ms() + PROBE_BUDGET_MS,
                             .order = "",
                             .send_deadline_mono_ms = CLOCK_NEVER};
}

enum gate_fault gate_whose_fault(struct gate_watch *watch, const struct ghl_answer *answer)
{
    struct ghl_answer neutral;
    struct ghl_call call = probe_call(watch);

    if (answer->names_access)
        return GATE_TOKEN;
    enum ghl_result result = ghl_pipelines(watch->app->ghl, &call, &neutral);
    ghl_answer_free(&neutral);
    if (result == GHL_AUTH)
        return GATE_TOKEN;
    return result == GHL_OK ? GATE_ORDER : GATE_UNKNOWN;
}

void gate_pause(struct app *app, const struct ghl_answer *answer, const char *why)
{
    char hash[DIGEST_HEX_SIZE] = "";
    bool first = false;

    if (answer->result == GHL_AUTH && !token_hash(app, hash))
        hash[0] = '\0';
    if (store_pause(app->store, hash, why, &first) != STORE_OK)
        log_event(app->log, LOG_LEVEL_ERROR, "store", NULL, "The pause could not be stored: %s",
                  store_trouble(app->store));
    else if (first)
        log_event(app->log, LOG_LEVEL_ERROR, "paused", NULL,
                  "Everything waits until this is mended; no order is lost. %s", why);
    if (first)
        (void)alert_raise(app, ALERT_PAUSED, "Everything waits until this is mended; no order is lost. %s",
                          why);
}

bool gate_probe(struct app *app, enum store_hold hold, bool now)
{
    char hash[DIGEST_HEX_SIZE];
    struct ghl_answer answer;
    struct gate_watch watch;

    if (hold == STORE_GO)
        return true;
    if (hold == STORE_HOLD_PAUSED && token_hash(app, hash) && store_resume(app->store, hash) == STORE_OK) {
        log_event(app->log, LOG_LEVEL_INFO, "resumed", NULL,
                  "The GHL token is another one now: work goes on");
        return true;
    }
    if (!now && store_probe(app->store, hold) != STORE_OK)
        return false;
    /* A person mends the settings' file; that we run on with what we read at our start is our affair. */
    if (hold == STORE_HOLD_PAUSED)
        (void)app_reload(app);
    gate_watch_begin(&watch, app, NULL, NULL);
    struct ghl_call call = probe_call(&watch);
    enum ghl_result result = ghl_pipelines(app->ghl, &call, &answer);
    ghl_answer_free(&answer);
    if (result != GHL_OK)
        return false;
    if (hold == STORE_HOLD_PAUSED && store_resume(app->store, NULL) == STORE_UNAVAILABLE)
        return false;
    log_event(app->log, LOG_LEVEL_INFO, "resumed", NULL, "GHL answers again: work goes on");
    return true;
}
