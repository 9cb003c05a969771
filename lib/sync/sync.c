#include "app/alert.h"
#include "app/hold.h"
#include "base/clock.h"
#include "base/text.h"
#include "sync/refusal.h"
#include "sync/sync_work.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BACKOFF_MIN_MS (30LL * 1000)
#define BACKOFF_MAX_MS (4LL * 3600 * 1000)
#define RELOADED_MS 1000
#define BEHIND_MS (5LL * 60 * 1000)
#define LEASE_FRESH_MS 5000 /* a write's lease was confirmed since: the store's clock may jump */
#define SEND_MARGIN_MS 5000 /* no write begins so shortly before the lease may run out */

/* -- ends -- */

enum step sync_stop(struct sync_work *w, enum sync_end end, const char *reason)
{
    w->end = end;
    (void)text_copy(w->reason, sizeof w->reason, reason);
    if (!w->why[0])
        (void)text_copy(w->why, sizeof w->why, reason);
    return STEP_STOP;
}

enum step sync_stop_retry(struct sync_work *w, int64_t delay_ms, bool counted, const char *reason)
{
    w->delay_ms = delay_ms;
    w->counted = counted;
    return sync_stop(w, END_RETRY, reason);
}

/* Exponential with full jitter: anything between 0 and the step's width, and never at once. */
static int64_t backoff_ms(int64_t attempts)
{
    int64_t width = BACKOFF_MIN_MS;
    unsigned char noise[4] = {0};

    for (int64_t i = 0; i < attempts && width < BACKOFF_MAX_MS; i++)
        width *= 2;
    if (width > BACKOFF_MAX_MS)
        width = BACKOFF_MAX_MS;
    if (!digest_random(noise, sizeof noise))
        return width;
    uint32_t random =
        (uint32_t)noise[0] | (uint32_t)noise[1] << 8 | (uint32_t)noise[2] << 16 | (uint32_t)noise[3] << 24;
    int64_t delay = (int64_t)((double)random / 4294967296.0 * (double)width);
    return delay < 1000 ? 1000 : delay;
}

static enum step stop_later(struct sync_work *w, const struct ghl_answer *answer, const char *reason)
{
    int64_t delay = backoff_ms(w->entry->attempts);

    if (answer->retry_after_ms > delay)
        delay = answer->retry_after_ms < GATE_RETRY_AFTER_MAX_MS ? answer->retry_after_ms
                                                                 : GATE_RETRY_AFTER_MAX_MS;
    if (w->entry->age_ms > w->app->config.retry_for_ms)
        return sync_stop(w, END_PARK, "retried_too_long");
    return sync_stop_retry(w, delay, true, reason);
}

/* GHL's limits say when; nothing failed. */
static enum step stop_limited(struct sync_work *w, const struct ghl_answer *answer)
{
    int64_t delay = answer->retry_after_ms >= 0 ? answer->retry_after_ms : 1000;
    return sync_stop_retry(w, delay < GATE_RETRY_AFTER_MAX_MS ? delay : GATE_RETRY_AFTER_MAX_MS, false,
                           "ghl_limit");
}

/* The configuration is wrong, not the order: everything waits, nothing is parked. Unless it was mended since
 * we read it. */
static enum step stop_paused(struct sync_work *w, const struct ghl_answer *answer, int64_t delay_ms)
{
    if (app_reload(w->app))
        return sync_stop_retry(w, RELOADED_MS, false, "settings_changed");
    gate_pause(w->app, answer, w->why);
    w->hold = true;
    return sync_stop_retry(w, delay_ms, false, "paused");
}

static enum step stop_unauthorized(struct sync_work *w, const struct ghl_answer *answer)
{
    switch (gate_whose_fault(&w->watch, answer)) {
    case GATE_TOKEN: return stop_paused(w, answer, 0);
    case GATE_ORDER:
        if (refusal_is_final(w->app, w->entry))
            return sync_stop(w, END_PARK, "parked");
        break;
    case GATE_UNKNOWN: break;
    }
    return stop_later(w, answer, "ghl_refused");
}

/* When it looks like the configuration, this order goes behind the others: one of them may go through. */
static enum step stop_refused(struct sync_work *w, const struct ghl_answer *answer)
{
    if (answer->result != GHL_REFUSED || !refusal_is_configuration(w->app, w->entry->key, answer))
        return sync_stop(w, END_PARK, "parked");
    log_event(w->app->log, LOG_LEVEL_ERROR, "refused", &(struct log_about){.order = w->entry->key},
              "GHL says the same to three orders in a row: that is no order's fault");
    return stop_paused(w, answer, BEHIND_MS);
}

enum step sync_stop_answer(struct sync_work *w, const char *what, const struct ghl_answer *answer)
{
    struct error why = ERROR_NONE; /* whole for the log's line; the store keeps what fits */
    char status[32] = ":";         /* without one GHL did not answer */
    if (answer->status)
        snprintf(status, sizeof status, ", status %d", answer->status);
    error_set(&why, "%s: %s%s %s%s%s%s%s", what, ghl_result_name(answer->result), status, answer->message,
              answer->code[0] ? ", code " : "", answer->code, answer->trace_id[0] ? ", traceId " : "",
              answer->trace_id);
    (void)text_copy(w->why, sizeof w->why, why.text);
    struct log_about about = {.order = w->plan.key, .status = answer->status, .trace_id = answer->trace_id};
    log_event(w->app->log, LOG_LEVEL_WARN, "ghl", &about, "%s", w->why);

    switch (answer->result) {
    case GHL_RETRY:
    case GHL_UNKNOWN: return stop_later(w, answer, "ghl_unavailable");
    case GHL_LIMITED: return stop_limited(w, answer);
    case GHL_TOO_LATE: return sync_stop_retry(w, 0, false, "no_time");
    case GHL_LOST: return sync_stop(w, END_LEAVE, "lease_lost");
    case GHL_AUTH: return stop_unauthorized(w, answer);
    case GHL_CONFIG: return stop_paused(w, answer, 0);
    case GHL_OK:
    case GHL_GONE:
    case GHL_DUPLICATE:
    case GHL_REFUSED: break;
    }
    return stop_refused(w, answer);
}

/* -- the lease -- */

static void lease_confirmed(struct sync_work *w, int64_t asked_mono_ms)
{
    w->lease_mono_ms = asked_mono_ms + SYNC_LEASE_MS;
}

/* Asked by the GHL client before every write. */
static bool may_write(void *context)
{
    struct sync_work *w = context;
    int64_t now = clock_mono_ms();

    if (w->lease_mono_ms - now > SYNC_LEASE_MS - LEASE_FRESH_MS)
        return true;
    if (store_renew(w->app->store, w->entry->key, w->entry->token, SYNC_LEASE_MS) != STORE_OK)
        return false;
    lease_confirmed(w, now);
    return true;
}

struct ghl_call sync_call(const struct sync_work *w)
{
    return (struct ghl_call){.terms = &w->watch.terms,
                             .deadline_mono_ms = w->deadline_mono_ms,
                             .order = w->entry->key,
                             .send_deadline_mono_ms = w->lease_mono_ms - SEND_MARGIN_MS};
}

bool sync_may_have_happened(const struct ghl_answer *answer)
{
    return answer->result == GHL_UNKNOWN || (answer->status >= 300 && answer->status < 400);
}

/* What was learned must outlive a store that is away. */
static void spool_ids(struct sync_work *w, const char *contact_id, const char *opportunity_id,
                      bool clear_attempt)
{
    struct error e = ERROR_NONE;
    const struct spool_ids ids = {.key = w->entry->key,
                                  .contact_id = contact_id,
                                  .opportunity_id = opportunity_id,
                                  .clear_attempt = clear_attempt};
    struct log_about about = {.order = w->entry->key, .ghl_id = opportunity_id};

    if ((!contact_id || !*contact_id) && (!opportunity_id || !*opportunity_id))
        return;
    if (!w->app->spool || !spool_put_ids(w->app->spool, &ids, &e))
        log_event(w->app->log, LOG_LEVEL_ERROR, "spool", &about,
                  "This order's ids could be kept neither in the store nor in the spool; they are looked for "
                  "later. %s",
                  e.text);
}

enum step sync_progress(struct sync_work *w, const struct store_progress *progress)
{
    int64_t asked = clock_mono_ms();
    unsigned others = 0;
    struct store_progress told = *progress;
    char *known = w->entry->link.contact_id;
    bool has_contact = told.contact_id && *told.contact_id;

    /* GHL gave another contact than before: merged there, or the order names another customer now. */
    told.replace_contact =
        told.replace_contact || (has_contact && *known && strcmp(known, told.contact_id) != 0);
    enum store_result result = store_progress(w->app->store, w->entry->key, w->entry->token, &told, &others);
    if (others)
        alert_others(w->app, w->entry->key, others, told.contact_id, told.opportunity_id,
                     told.clear_attempt && !told.opportunity_id);
    if (result == STORE_OK) {
        if (has_contact)
            (void)text_copy(known, sizeof w->entry->link.contact_id, told.contact_id);
        lease_confirmed(w, asked);
        return STEP_NEXT;
    }
    if (result == STORE_UNAVAILABLE && progress->attempt == STORE_ATTEMPT_NONE)
        spool_ids(w, progress->contact_id, progress->opportunity_id, progress->clear_attempt);
    return sync_stop(w, END_LEAVE, result == STORE_LOST ? "lease_lost" : "store_unavailable");
}

/* -- parts -- */

bool sync_differs(const struct sync_work *w, enum plan_part part)
{
    return w->plan.part_hash[part][0] && strcmp(w->plan.part_hash[part], w->link.part_hash[part]) != 0;
}

void sync_holds(struct sync_work *w, enum plan_part part)
{
    memcpy(w->link.part_hash[part], w->plan.part_hash[part], DIGEST_HEX_SIZE);
}

enum step sync_fields(struct sync_work *w, enum fields_model model, json_t *part, const char *mark)
{
    struct ghl_answer answer;
    struct ghl_call call = sync_call(w);
    enum step step = STEP_NEXT;

    if (fields_resolve(w->app->ghl, &call, &w->cache, model, part, mark, &answer) != GHL_OK)
        step = sync_stop_answer(w, "custom fields", &answer);
    ghl_answer_free(&answer);
    return step;
}

bool sync_drop_fields(const struct sync_work *w, json_t *part, const struct ghl_answer *answer)
{
    struct log_about about = {.order = w->plan.key, .trace_id = answer->trace_id, .status = answer->status};

    if (answer->result != GHL_CONFIG || strcmp(answer->field, "customFields") != 0 ||
        json_object_set_new(part, "customFields", json_array()) != 0) /* in GHL's form: not resolved anew */
        return false;
    fields_forget(&w->cache);
    log_event(w->app->log, LOG_LEVEL_WARN, "degraded", &about,
              "GHL does not take these custom fields: they are left out. %s", answer->message);
    return true;
}

bool sync_only_looks(const struct sync_work *w)
{
    return w->entry->look_first && !w->entry->sold && !outcome_creates(w->plan.outcome) &&
           !w->link.opportunity_id[0];
}

/* -- one entry -- */

/* The body is planned anew: today's configuration says what GHL should hold. */
static enum step prepare(struct sync_work *w)
{
    struct error e = ERROR_NONE;

    if (!delivery_unpack(w->entry->body, w->entry->body_len, &w->delivery))
        return sync_stop(w, END_PARK, "unreadable_body");
    struct order_verdict verdict =
        order_parse(w->delivery.body, w->delivery.body_len, &w->delivery.headers, &w->order);
    if (verdict.kind != ORDER_FULL && verdict.kind != ORDER_DELETED)
        return sync_stop(w, END_PARK, verdict.reason);
    if (w->entry->status[0])
        w->order.status = w->entry->status;
    switch (
        plan_make(&w->order, w->delivery.headers.source, &w->app->config, w->app->hash_key, &w->plan, &e)) {
    case PLAN_OK: break;
    case PLAN_FOREIGN_SHOP:
        (void)text_copy(w->why, sizeof w->why, e.text);
        return sync_stop(w, END_PARK, "foreign_shop");
    case PLAN_FAILED:
        (void)text_copy(w->why, sizeof w->why, e.text);
        return sync_stop_retry(w, BACKOFF_MIN_MS, true, "plan_failed");
    }
    if (w->plan.outcome == OUTCOME_IGNORE)
        return sync_stop(w, END_FINISH, "status_not_mapped");
    return STEP_NEXT;
}

/*
 * The store forgot, and may have known this order: whoever had its lease may go on until that would have run
 * out, and GHL's search shows what it did even later. Until then nothing is done for the order, as nobody can
 * tell what is there.
 */
static enum step wait_for_others(struct sync_work *w)
{
    const struct store_entry *entry = w->entry;
    int64_t grace_ms = SYNC_LEASE_MS + w->app->config.ghl_timeout_ms + SEARCH_LAG_MS;

    if (entry->look_first && entry->forgot_age_ms >= 0 && entry->forgot_age_ms < grace_ms)
        return sync_stop_retry(w, grace_ms - entry->forgot_age_ms, false, "in_flight");
    return STEP_NEXT;
}

/* Must this state reach GHL at all? Lost and abandoned only change a card that the order has, may have, or
 * was accepted to get. */
static enum step wanted(struct sync_work *w)
{
    const struct store_entry *entry = w->entry;

    if (w->link.gone)
        return sync_stop(w, END_FINISH, "card_gone");
    if (outcome_creates(w->plan.outcome) || entry->sold || w->link.opportunity_id[0] ||
        entry->attempt != STORE_ATTEMPT_NONE || entry->look_first)
        return STEP_NEXT;
    return sync_stop(w, END_FINISH, "never_sold");
}

static enum step run_steps(struct sync_work *w)
{
    static enum step (*const steps[])(struct sync_work *) = {
        prepare, wait_for_others, wanted, sync_contact, sync_tags, sync_opportunity, sync_note};

    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (steps[i](w) == STEP_STOP)
            return STEP_STOP;
    return sync_stop(w, END_FINISH, "synced");
}

/* Tells the store how it ended. False when the store did not take it: the lease will run out and another goes
 * on. */
static bool tell(struct sync_work *w, int64_t next_lease_ms, struct store_entry *next, bool *has_next)
{
    const struct store_entry *entry = w->entry;
    struct store *store = w->app->store;
    enum store_result result = STORE_OK;

    switch (w->end) {
    case END_FINISH:
        result = store_finish(store, entry->key, entry->token, entry->fingerprint, &w->link, next_lease_ms,
                              next, has_next);
        break;
    case END_RETRY:
        result = store_retry(store, entry->key, entry->token, w->delay_ms, w->counted, w->hold, w->why);
        break;
    case END_PARK: result = store_park(store, entry->key, entry->token, w->why, NULL); break;
    case END_LEAVE: return true;
    }
    if (result == STORE_OK)
        return true;
    struct log_about about = {.order = entry->key,
                              .reason = result == STORE_LOST ? "lease_lost" : "store_unavailable",
                              .ghl_id = w->link.opportunity_id};
    log_event(w->app->log, LOG_LEVEL_WARN, "store", &about,
              "The end of the work on this order could not be told%s%s",
              result == STORE_LOST ? ": another worker has it" : ": ",
              result == STORE_LOST ? "" : store_trouble(store));
    return false;
}

static struct sync_outcome outcome_of(const struct sync_work *w)
{
    struct sync_outcome outcome = {.result = SYNC_QUEUED};

    (void)text_copy(outcome.reason, sizeof outcome.reason, w->reason);
    (void)text_copy(outcome.ghl_id, sizeof outcome.ghl_id, w->link.opportunity_id);
    if (w->end == END_FINISH)
        outcome.result = outcome.ghl_id[0] && !w->link.gone ? SYNC_DONE : SYNC_NOTHING;
    else if (w->end == END_PARK)
        outcome.result = SYNC_PARKED;
    return outcome;
}

static struct sync_outcome sync_one(struct app *app, struct store_entry *entry, int64_t deadline_mono_ms,
                                    struct store_entry *next, bool *has_next)
{
    struct sync_work w = {.app = app,
                          .cache = app_cache(app),
                          .entry = entry,
                          .deadline_mono_ms = deadline_mono_ms,
                          .link = entry->link};

    lease_confirmed(&w, entry->asked_mono_ms);
    gate_watch_begin(&w.watch, app, may_write, &w);
    run_steps(&w);
    if (w.end == END_FINISH && w.watch.took)
        refusal_forget(app);
    bool told = tell(&w, clock_left_ms(deadline_mono_ms) > 0 ? SYNC_LEASE_MS : 0, next, has_next);
    struct sync_outcome outcome = outcome_of(&w);
    /* GHL holds the order, but the store does not know that it is done: it stays queued and is compared
     * again. */
    if (!told && outcome.result != SYNC_DONE)
        outcome.result = SYNC_QUEUED;
    outcome.left = w.end == END_LEAVE || (!told && w.end != END_FINISH);
    if (w.end == END_PARK) {
        struct log_about about = {.order = entry->key, .reason = w.reason};
        log_event(app->log, LOG_LEVEL_ERROR, "parked", &about,
                  "Parked until a person looks at it (woo_ghl failed): %s", w.why);
        (void)alert_raise(app, ALERT_PARKED,
                          "Order %s is parked until a person looks at it (woo_ghl failed): %s", entry->key,
                          w.why);
    }
    plan_free(&w.plan);
    order_free(&w.order);
    delivery_free(&w.delivery);
    return outcome;
}

struct sync_outcome sync_entry(struct app *app, struct store_entry *entry, int64_t deadline_mono_ms)
{
    struct store_entry next = {0};
    bool has_next = false;
    struct sync_outcome first = sync_one(app, entry, deadline_mono_ms, &next, &has_next);

    while (has_next) {
        store_entry_free(entry);
        *entry = next;
        next = (struct store_entry){0};
        has_next = false;
        struct sync_outcome later = sync_one(app, entry, deadline_mono_ms, &next, &has_next);
        if (later.result == SYNC_DONE && !first.ghl_id[0])
            first = later;
        first.left = later.left;
    }
    if (!first.left)
        store_entry_free(entry);
    return first;
}
