#include "app/alert.h"
#include "base/clock.h"
#include "base/text.h"
#include "sync/sync_work.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_MS (30LL * 1000)
#define GONE_RETRY_MS (5LL * 60 * 1000)
#define LEASE_FRESH_MS 5000 /* a write's lease was confirmed since: the store's clock may jump */
#define SEND_MARGIN_MS 5000 /* no write begins so shortly before the lease may run out */
#define START_BEFORE_S (24 * 3600)

int64_t sync_start_s(const struct app *app)
{
    if (app->config.sales_since_s > 0)
        return app->config.sales_since_s;
    return app->orders.location.first_use_ms / 1000 - START_BEFORE_S;
}

/* -- the lease -- */

static int64_t lease_until_mono_ms(const struct sync_work *w)
{
    return w->work->asked_mono_ms + ORDERS_LEASE_MS;
}

/* Asked by the GHL client before every write. */
static bool may_write(void *context)
{
    struct sync_work *w = context;

    return clock_mono_ms() - w->work->asked_mono_ms < LEASE_FRESH_MS ||
           orders_renew(&w->app->orders, w->work) == STORE_OK;
}

struct ghl_call sync_call(const struct sync_work *w)
{
    return (struct ghl_call){.terms = &w->terms.terms,
                             .deadline_mono_ms = w->deadline_mono_ms,
                             .order = w->work->key,
                             .send_deadline_mono_ms = lease_until_mono_ms(w) - SEND_MARGIN_MS};
}

/* -- what GHL holds -- */

bool sync_differs(const struct sync_work *w, enum plan_part part)
{
    char wanted[RECORD_SHORT_SIZE];

    planned_part(w->planned, part, wanted);
    return *wanted && strcmp(wanted, w->link.part[part]) != 0;
}

void sync_holds(struct sync_work *w, enum plan_part part)
{
    planned_part(w->planned, part, w->link.part[part]);
}

void sync_writes(struct sync_work *w, enum plan_part part)
{
    w->link.part[part][0] = '\0';
}

/* So long after it began, what GHL was sent was carried out or never will be, and its search shows it. */
static int64_t base_window_ms(const struct sync_work *w)
{
    return WRITE_SEND_MS + w->app->config.ghl_timeout_ms + SEARCH_LAG_MS;
}

void sync_wrote(struct sync_work *w, enum plan_part part, const struct ghl_answer *answer)
{
    int64_t until_ms = store_now_ms(w->app->store) + base_window_ms(w);

    if (answer->maybe_later && until_ms > w->link.unsettled_ms)
        w->link.unsettled_ms = until_ms;
    if (answer->result == GHL_OK)
        sync_holds(w, part);
}

/* -- ids and attempts -- */

/* What was learned must outlive a store that is away. */
static void spool_ids(struct sync_work *w, const char *contact, const char *opportunity, bool created)
{
    struct error e = ERROR_NONE;
    const struct spool_ids ids = {
        .key = w->work->key, .contact_id = contact, .opportunity_id = opportunity, .clear_attempt = created};
    struct log_about about = {.order = w->work->key, .ghl_id = opportunity};

    if (!w->app->spool || !spool_put_ids(w->app->spool, &ids, &e))
        log_event(w->app->log, LOG_LEVEL_ERROR, "spool", &about,
                  "Neither store nor spool can keep this order's ids; they are looked for later. %s", e.text);
}

enum step sync_learn(struct sync_work *w, const char *contact, const char *opportunity)
{
    bool created = w->work->record.attempt.kind == ATTEMPT_CONTACT;
    unsigned others = 0;

    if (*contact)
        text_copy(w->link.contact, sizeof w->link.contact, contact);
    if (*opportunity)
        text_copy(w->link.opportunity, sizeof w->link.opportunity, opportunity);
    enum store_result result = orders_learn(&w->app->orders, w->work, contact, opportunity, &others);
    if (others)
        alert_others(w->app, w->work->key, others, contact, opportunity, created);
    if (result == STORE_OK)
        return STEP_NEXT;
    if (result != STORE_NONE)
        spool_ids(w, contact, opportunity, created);
    return sync_stop_store(w, result);
}

int64_t sync_window_ms(const struct sync_work *w)
{
    const struct location_record *location = &w->app->orders.location;
    int64_t window_ms = base_window_ms(w);
    bool trouble = location->opened || location->failures > 1; /* this very call may be the one failure */

    return trouble && window_ms < TROUBLE_WINDOW_MS ? TROUBLE_WINDOW_MS : window_ms;
}

bool sync_attempt_is_open(const struct sync_work *w)
{
    return w->work->record.attempt.kind != ATTEMPT_NONE && !w->work->record.attempt.refused;
}

int64_t sync_in_flight_ms(const struct sync_work *w)
{
    const struct order_attempt *attempt = &w->work->record.attempt;
    int64_t left_ms = attempt->window_ms - orders_attempt_age_ms(&w->app->orders, w->work);

    return attempt->refused || left_ms < 0 ? 0 : left_ms;
}

enum step sync_attempt(struct sync_work *w, enum attempt_kind kind, const json_t *note)
{
    const enum attempt_kind before = w->work->record.attempt.kind;
    int64_t left_ms = sync_in_flight_ms(w);
    char *text = note ? json_written(note, JSON_COMPACT | JSON_SORT_KEYS) : NULL;

    if (!text)
        return sync_stop_memory(w);
    if ((before == ATTEMPT_CONTACT || before == ATTEMPT_OPPORTUNITY) && left_ms > 0) {
        free(text); /* its record is all that the create before is found by */
        return sync_stop_in_flight(w, left_ms);
    }
    enum store_result result = orders_attempt(&w->app->orders, w->work, kind, text, sync_window_ms(w));
    free(text);
    return result == STORE_OK ? STEP_NEXT : sync_stop_store(w, result);
}

enum step sync_attempt_note(struct sync_work *w, json_t **note)
{
    char *text = NULL;
    enum store_result result = orders_attempt_note(&w->app->orders, w->work, &text);

    *note = text ? json_loads(text, 0, NULL) : NULL;
    free(text);
    return result == STORE_UNAVAILABLE ? sync_stop_store(w, result) : STEP_NEXT;
}

enum step sync_attempt_answered(struct sync_work *w, const struct ghl_answer *answer)
{
    enum attempt_end end = ATTEMPT_UNKNOWN;

    if (answer->result == GHL_LOST)
        return STEP_NEXT; /* whoever has the lease decides */
    if (!answer->maybe_done && !answer->maybe_later)
        end = ATTEMPT_IMPOSSIBLE;
    else if (answer->status >= 400 && !answer->maybe_later &&
             (answer->result == GHL_CONFIG || (answer->result == GHL_REFUSED && answer->field[0])))
        end = ATTEMPT_REFUSED;
    enum store_result result = orders_attempt_ends(&w->app->orders, w->work, end, sync_window_ms(w));
    return result == STORE_OK ? STEP_NEXT : sync_stop_store(w, result);
}

/* -- parts -- */

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

/* An opportunity is none without the others. */
static bool is_optional(const char *what, const char *field)
{
    static const char *const optional[] = {"source", "monetaryValue", "assignedTo", "customFields"};

    if (strcmp(what, "opportunity") != 0)
        return true;
    for (size_t i = 0; i < sizeof optional / sizeof *optional; i++)
        if (!strcmp(optional[i], field))
            return true;
    return false;
}

bool sync_drop_refused(const struct sync_work *w, const char *what, json_t *body,
                       const struct ghl_answer *answer)
{
    struct log_about about = {.order = w->work->key, .trace_id = answer->trace_id, .status = answer->status};
    json_t *fields = json_object_get(body, "customFields");
    char its_id[GHL_ID_SIZE] = "";
    bool one = !strcmp(answer->field, "customFields") && answer->field_index >= 0 &&
               json_array_size(fields) > (size_t)answer->field_index;

    if ((answer->result != GHL_REFUSED && answer->result != GHL_CONFIG) || !answer->field[0] ||
        !is_optional(what, answer->field))
        return false;
    if (one)
        text_copy(its_id, sizeof its_id,
                  json_text(json_array_get(fields, (size_t)answer->field_index), "id"));
    if (one ? json_array_remove(fields, (size_t)answer->field_index) != 0
            : json_object_del(body, answer->field) != 0)
        return false;
    if (!strcmp(answer->field, "customFields"))
        fields_forget(&w->cache);
    log_event(w->app->log, LOG_LEVEL_WARN, "degraded", &about,
              one ? "GHL does not take a custom field of this %s (%s): it is left out. %s"
                  : "GHL does not take this %s's %s: it is left out. %s",
              what, *its_id ? its_id : answer->field, answer->message);
    return true;
}

/* -- one order -- */

static enum step stop_not_sold(struct sync_work *w)
{
    bool past = outcome_creates(w->plan->outcome) && plan_is_before(w->plan, sync_start_s(w->app));

    return sync_stop(w, SYNC_END_FINISH, past ? "before_start" : "never_sold");
}

/* The body is planned anew: today's settings say what GHL should hold. */
static enum step prepare(struct sync_work *w, struct planned *made)
{
    struct error e = ERROR_NONE;
    struct order_verdict verdict;

    switch (planned_unpack(w->app, &w->work->body, w->work->record.current.status, made, &verdict, &e)) {
    case PLANNED_OK: return STEP_NEXT;
    case PLANNED_NO_MEMORY: return sync_stop_retry(w, RETRY_MS, false, "out_of_memory");
    case PLANNED_BAD_JSON:
    case PLANNED_NOT_ORDER: return sync_stop(w, SYNC_END_REFUSE, verdict.reason);
    case PLANNED_FOREIGN: text_copy(w->why, sizeof w->why, e.text); break;
    case PLANNED_FAILED:
        text_copy(w->why, sizeof w->why, e.text);
        return sync_stop_retry(w, RETRY_MS, true, "plan_failed");
    }
    return sync_stop(w, SYNC_END_REFUSE, "foreign_shop");
}

/* "shop:1001" and "shop:1001/HASH" are keys of the plan "shop:1001". */
static bool has_its_key(const struct sync_work *w)
{
    size_t len = strlen(w->plan->key);
    return !strncmp(w->work->key, w->plan->key, len) && (!w->work->key[len] || w->work->key[len] == '/');
}

/* Must this version reach GHL at all? */
static enum step wanted(struct sync_work *w)
{
    const struct order_record *record = &w->work->record;

    if (!has_its_key(w))
        return sync_stop(w, SYNC_END_LEAVE, SYNC_OTHER_KEY);
    if (record->sold || w->link.opportunity[0] || record->attempt.kind != ATTEMPT_NONE || record->look)
        return STEP_NEXT;
    return stop_not_sold(w);
}

static enum step run_steps(struct sync_work *w)
{
    static enum step (*const steps[])(struct sync_work *) = {sync_look,  sync_contact,     sync_tags,
                                                             sync_erase, sync_opportunity, sync_note};
    enum step step = wanted(w);

    for (size_t i = 0; step == STEP_NEXT && i < sizeof steps / sizeof *steps; i++) {
        step = steps[i](w);
        /* Nothing is written for an order that must not make an opportunity and has none. */
        if (steps[i] == sync_look && step == STEP_NEXT && !w->work->record.sold && !w->link.opportunity[0])
            return stop_not_sold(w);
        if (step != STEP_CONTACT_GONE)
            continue;
        if (w->contact_again) /* a contact made anew that is gone again is a trouble of its own */
            return sync_stop_retry(w, GONE_RETRY_MS, true, "contact_gone");
        w->contact_again = true;
        w->tags_added = w->tags_removed = false;
        w->link.contact[0] = '\0';
        memset(w->link.part, 0, sizeof w->link.part);
        enum store_result result = orders_lose_contact(&w->app->orders, w->work);
        if (result != STORE_OK)
            return sync_stop_store(w, result);
        step = STEP_NEXT;
        i = (size_t)-1;
    }
    if (step == STEP_STOP)
        return step;
    return w->link.opportunity[0] ? sync_stop(w, SYNC_END_FINISH, "synced") : stop_not_sold(w);
}

/* Tells the store how it ended. False if the store did not take it: the lease will run out and another goes on. */
static bool tell(struct sync_work *w, bool take_next, enum end *end)
{
    struct orders *orders = &w->app->orders;
    enum store_result result = STORE_OK;

    switch (w->end) {
    case SYNC_END_FINISH: result = orders_finish(orders, w->work, &w->link, take_next, end); break;
    case SYNC_END_RETRY:
        result = orders_retry(orders, w->work, &w->link, w->delay_ms, w->counted, w->hold, w->why);
        break;
    case SYNC_END_REFUSE: result = orders_refuse(orders, w->work, &w->link, w->why, end); break;
    case SYNC_END_LEAVE: return true;
    }
    if (result == STORE_OK)
        return true;
    struct log_about about = {.order = w->work->key,
                              .reason = result == STORE_NONE ? "lease_lost" : "store_unavailable",
                              .ghl_id = w->link.opportunity};
    log_event(w->app->log, LOG_LEVEL_WARN, "store", &about, "The store does not know how this work ended%s%s",
              result == STORE_NONE ? ": another worker has the order" : ": ",
              result == STORE_NONE ? "" : store_trouble(w->app->store));
    return false;
}

static struct sync_outcome outcome_of(const struct sync_work *w)
{
    struct sync_outcome outcome = {.result = SYNC_QUEUED};

    text_copy(outcome.reason, sizeof outcome.reason, w->reason);
    text_copy(outcome.ghl_id, sizeof outcome.ghl_id, w->link.opportunity);
    if (w->end == SYNC_END_FINISH)
        outcome.result = outcome.ghl_id[0] && !w->link.gone_ms && strcmp(w->reason, "not_owner") != 0
                             ? SYNC_DONE
                             : SYNC_NOTHING;
    else if (w->end == SYNC_END_REFUSE)
        outcome.result = SYNC_DEAD;
    return outcome;
}

static void tell_dead(const struct sync_work *w)
{
    static const char text[] = "Order %s is a dead letter until a person looks at it (woo_ghl failed): %s";
    struct log_about about = {.order = w->work->key, .reason = w->reason};

    log_event(w->app->log, LOG_LEVEL_ERROR, "dead_letter", &about, text, w->work->key, w->why);
    (void)alert_raise(w->app, ALERT_DEAD, text, w->work->key, w->why);
}

/* The parts that GHL holds otherwise than before, as far as known. */
static void name_parts(const struct order_link *was, const struct order_link *is, char out[64])
{
    static const char *const name[PLAN_PARTS] = {"contact", "tags", "opportunity", "note"};

    out[0] = '\0';
    for (int i = 0; i < PLAN_PARTS; i++)
        if (strcmp(was->part[i], is->part[i]) != 0)
            snprintf(out + strlen(out), 64 - strlen(out), "%s%s", *out ? "," : "", name[i]);
}

/* Counts how the work ended, and notes it in the journal. */
static void journal(const struct sync_work *w, const struct order_link *was,
                    const struct sync_outcome *outcome, int64_t began_mono_ms)
{
    static const char *const name[] = {"synced", "nothing", "queued", "dead_letter"};
    char parts[64];

    name_parts(was, &w->link, parts);
    tally_count(&w->app->tally, "done", name[outcome->result]);
    tally_note(&w->app->tally, &(struct tally_told){.kind = "sent",
                                                    .key = w->work->key,
                                                    .number = w->plan->number,
                                                    .what = name[outcome->result],
                                                    .why = outcome->reason,
                                                    .id = outcome->ghl_id,
                                                    .parts = parts,
                                                    .took_ms = clock_mono_ms() - began_mono_ms});
}

static struct sync_outcome sync_one(struct app *app, struct order_work *work, struct planned *planned,
                                    int64_t deadline_mono_ms, bool *has_next)
{
    struct planned made = {0};
    struct sync_work w = {.app = app,
                          .work = work,
                          .cache = app_cache(app),
                          .deadline_mono_ms = deadline_mono_ms,
                          .planned = planned ? planned : &made,
                          .link = work->record.link};
    const struct order_link was = w.link;
    const int64_t began_mono_ms = clock_mono_ms();
    enum end end = END_LOST;

    w.plan = &w.planned->plan;
    work_terms_begin(&w.terms, app, may_write, &w);
    if (planned || prepare(&w, &made) == STEP_NEXT)
        (void)run_steps(&w);
    bool told = tell(&w, clock_left_ms(deadline_mono_ms) > 0, &end);
    struct sync_outcome outcome = outcome_of(&w);
    if (w.end == SYNC_END_REFUSE && told && end == END_DEAD)
        tell_dead(&w);
    else if (w.end == SYNC_END_REFUSE)
        outcome.result = SYNC_QUEUED; /* a newer version waits in its place */
    /* GHL holds the order, but the store does not know that it is done: it stays queued and is compared again. */
    if (!told && outcome.result != SYNC_DONE)
        outcome.result = SYNC_QUEUED;
    outcome.left = w.end == SYNC_END_LEAVE || (!told && w.end != SYNC_END_FINISH);
    *has_next = told && end == END_NEXT;
    journal(&w, &was, &outcome, began_mono_ms);
    planned_free(w.planned);
    return outcome;
}

struct sync_outcome sync_order(struct app *app, struct order_work *work, struct planned *planned,
                               int64_t deadline_mono_ms)
{
    bool has_next = false;
    struct sync_outcome first = sync_one(app, work, planned, deadline_mono_ms, &has_next);

    while (has_next) {
        struct sync_outcome later = sync_one(app, work, NULL, deadline_mono_ms, &has_next);
        if (later.result == SYNC_DONE && !first.ghl_id[0])
            first = later;
        first.left = later.left;
    }
    if (!first.left)
        order_work_free(work);
    return first;
}
