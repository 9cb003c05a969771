/* How the work on an order ends: what GHL answered decides between retry, pause and dead letter. */
#include "base/text.h"
#include "ghl/resolve.h"
#include "sync/sync_work.h"
#include <string.h>

#define BACKOFF_MIN_MS (30LL * 1000)
#define BACKOFF_MAX_MS (4LL * 3600 * 1000)
#define MEMORY_RETRY_MS 10000
#define IN_FLIGHT_RETRY_MS 20000 /* how often an unknown outcome is looked for */
#define RELOAD_MS 1000           /* app_refresh has looked by then */
#define REFUSED_TRIES 3          /* of a 401 or 403 that is one order's own */

enum step sync_stop(struct sync_work *w, enum sync_end end, const char *reason)
{
    w->end = end;
    text_copy(w->reason, sizeof w->reason, reason);
    if (!w->why[0])
        text_copy(w->why, sizeof w->why, reason);
    return STEP_STOP;
}

enum step sync_stop_retry(struct sync_work *w, int64_t delay_ms, bool counted, const char *reason)
{
    w->delay_ms = delay_ms;
    w->counted = counted;
    return sync_stop(w, SYNC_END_RETRY, reason);
}

enum step sync_stop_store(struct sync_work *w, enum store_result result)
{
    return sync_stop(w, SYNC_END_LEAVE, result == STORE_NONE ? "lease_lost" : "store_unavailable");
}

enum step sync_stop_memory(struct sync_work *w)
{
    return sync_stop_retry(w, MEMORY_RETRY_MS, true, "out_of_memory");
}

enum step sync_stop_in_flight(struct sync_work *w, int64_t left_ms)
{
    return sync_stop_retry(w, left_ms < IN_FLIGHT_RETRY_MS ? left_ms : IN_FLIGHT_RETRY_MS, false,
                           "in_flight");
}

/* Exponential with full jitter: anything between 0 and the step's width, and never at once. */
static int64_t backoff_ms(int64_t attempts)
{
    int64_t width = BACKOFF_MIN_MS;
    uint32_t random;

    for (int64_t i = 0; i < attempts && width < BACKOFF_MAX_MS; i++)
        width *= 2;
    if (width > BACKOFF_MAX_MS)
        width = BACKOFF_MAX_MS;
    if (!digest_random(&random, sizeof random))
        return width;
    int64_t delay = (int64_t)((double)random / 4294967296.0 * (double)width);
    return delay < 1000 ? 1000 : delay;
}

static int64_t capped(int64_t retry_after_ms)
{
    return retry_after_ms < HOLD_RETRY_AFTER_MAX_MS ? retry_after_ms : HOLD_RETRY_AFTER_MAX_MS;
}

static enum step stop_later(struct sync_work *w, const struct ghl_answer *answer, const char *reason)
{
    int64_t delay = backoff_ms(w->work->record.attempts);

    if (answer->retry_after_ms > delay)
        delay = capped(answer->retry_after_ms);
    return sync_stop_retry(w, delay, true, reason);
}

/* The configuration is wrong, not the order: everything waits, nothing becomes a dead letter. */
static enum step stop_paused(struct sync_work *w, const struct ghl_answer *answer)
{
    if (config_is_stale(&w->app->config)) { /* they were mended since this process read them */
        w->app->looked_mono_ms = 0;         /* the next request, or the drain's next order, looks */
        return sync_stop_retry(w, RELOAD_MS, false, "settings_changed");
    }
    hold_pause(w->app, answer, w->why);
    w->hold = true;
    return sync_stop_retry(w, 0, false, "paused");
}

static enum step stop_unauthorized(struct sync_work *w, const struct ghl_answer *answer)
{
    switch (hold_whose_fault(&w->terms, answer)) {
    case FAULT_TOKEN: return stop_paused(w, answer);
    case FAULT_ORDER:
        if (w->work->record.attempts >= REFUSED_TRIES - 1)
            return sync_stop(w, SYNC_END_REFUSE, "dead_letter");
        break;
    case FAULT_UNKNOWN: break;
    }
    return stop_later(w, answer, "ghl_refused");
}

/* GHL speaks of the configuration. A pause needs evidence: the pipeline that is configured is not there, or GHL does not
 * answer a plain question either. */
static enum step stop_configuration(struct sync_work *w, const struct ghl_answer *answer)
{
    struct ghl_call call = sync_call(w);
    struct ghl_answer looked;

    if (answer->status < 300) /* our own look found it: a name in the settings that the location lacks */
        return stop_paused(w, answer);
    enum ghl_result result =
        resolve_check(w->app->ghl, &call, &w->cache, json_text(w->plan->opportunity, "stage"), &looked);
    ghl_answer_free(&looked);
    if (result != GHL_OK)
        return stop_paused(w, answer);
    if (answer->status == 400 || answer->status == 422) /* it is this order's data after all */
        return sync_stop(w, SYNC_END_REFUSE, "dead_letter");
    return stop_later(w, answer, "ghl_refused");
}

static void explain(struct sync_work *w, const char *what, const struct ghl_answer *answer)
{
    struct error why = ERROR_NONE,
                 words = ERROR_NONE; /* whole for the log's line; the store keeps what fits */
    struct log_about about = {.order = w->work->key, .status = answer->status, .trace_id = answer->trace_id};

    ghl_explain(answer, &words);
    error_set(&why, "%s: %s%s%s%s%s", what, words.text, answer->code[0] ? ", code " : "", answer->code,
              answer->trace_id[0] ? ", traceId " : "", answer->trace_id);
    text_copy(w->why, sizeof w->why, why.text);
    log_event(w->app->log, LOG_LEVEL_WARN, "ghl", &about, "%s", w->why);
}

enum step sync_stop_answer(struct sync_work *w, const char *what, const struct ghl_answer *answer)
{
    explain(w, what, answer);
    switch (answer->result) {
    case GHL_RETRY:
    case GHL_UNKNOWN: return stop_later(w, answer, "ghl_unavailable");
    case GHL_LIMITED:
        return sync_stop_retry(w, capped(answer->retry_after_ms >= 0 ? answer->retry_after_ms : 1000), false,
                               "ghl_limit");
    case GHL_TOO_LATE: return sync_stop_retry(w, 0, false, "no_time");
    case GHL_LOST: return sync_stop(w, SYNC_END_LEAVE, "lease_lost");
    case GHL_AUTH: return stop_unauthorized(w, answer);
    case GHL_CONFIG: return stop_configuration(w, answer);
    case GHL_OK:
    case GHL_GONE:
    case GHL_DUPLICATE: break;
    case GHL_REFUSED:
        /* One unclear answer is no verdict, and no look-up is refused for the order's data. */
        if (answer->is_read || (!answer->says_why && strcmp(w->why, w->work->record.reason) != 0))
            return stop_later(w, answer, "ghl_refused");
        break;
    }
    return sync_stop(w, SYNC_END_REFUSE, "dead_letter");
}
