#include "base/clock.h"
#include "base/text.h"
#include "ghl/location.h"
#include "ghl/resolve.h"
#include "sync/sync_work.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CREATED_SLACK_MS 10000 /* the shop's clock may be so far ahead of the store's */
#define DAY_MS (24LL * 3600 * 1000)
#define RETRY_MS 10000
#define GONE_RETRY_MS                                                                                        \
    (5LL * 60 * 1000) /* so much later an opportunity that is not found is asked for again */
#define GONE_TRIES 2
#define CLOCK_SLACK_S                                                                                        \
    (24 * 3600) /* this machine's clock and GHL's may differ: it must not look too old to be ours */
#define LOCK_MARGIN_MS 5000
#define LOCK_RETRY_MS 2000

/* Ids of the pipeline (and of the plan's stage, if it has one). */
static enum step resolve(struct sync_work *w, char pipeline_id[GHL_ID_SIZE], char stage_id[GHL_ID_SIZE])
{
    struct ghl_answer answer;
    struct ghl_call call = sync_call(w);
    enum step step = STEP_NEXT;

    if (resolve_pipeline(w->app->ghl, &call, &w->cache, json_text(w->plan->opportunity, "stage"), pipeline_id,
                         stage_id, &answer) != GHL_OK)
        step = sync_stop_answer(w, "pipeline", &answer);
    ghl_answer_free(&answer);
    return step;
}

/* -- the opportunity that this order has -- */

/* Its own status is not mapped: GHL's stays. */
static bool follows(const struct sync_work *w)
{
    return w->work->record.current.follows;
}

static json_t *update_body(const struct sync_work *w, const char *pipeline_id, const char *stage_id)
{
    json_t *body = json_deep_copy(w->plan->opportunity);

    if (!body)
        return NULL;
    json_object_del(body, "stage");
    if (follows(w)) {
        json_object_del(body, "status");
        return body;
    }
    return json_if(!*stage_id || (json_object_set_new(body, "pipelineId", json_string(pipeline_id)) == 0 &&
                                  json_object_set_new(body, "pipelineStageId", json_string(stage_id)) == 0),
                   body);
}

/* For `status`. */
static void list_gone(const struct sync_work *w, const char *opportunity)
{
    char name[RECORD_KEY_SIZE + sizeof SYNC_GONE];

    (void)text_format(name, sizeof name, SYNC_GONE "%s", w->work->key);
    app_keep(w->app, name, opportunity, w->app->config.link_ttl_ms);
}

/* One "not found" may be a trouble of GHL's: it is asked for by its id, and again later. */
static enum step not_found(struct sync_work *w)
{
    struct log_about about = {.order = w->work->key, .ghl_id = w->link.opportunity};
    struct ghl_call call = sync_call(w);
    struct ghl_answer answer;
    enum ghl_result result = ghl_opportunity_get(w->app->ghl, &call, w->link.opportunity, &answer);
    enum step step = STEP_STOP;

    if (result == GHL_OK)
        step = sync_stop_retry(w, RETRY_MS, true, "opportunity_unclear"); /* it is there after all */
    else if (result != GHL_GONE)
        step = sync_stop_answer(w, "opportunity", &answer);
    else if (w->work->record.erased && !w->link.contact[0]) {
        w->link.gone_ms =
            store_now_ms(w->app->store); /* it went with its contact (GHL_ON_ERASE), nobody misses it */
        step = sync_stop(w, SYNC_END_FINISH, "opportunity_gone");
    } else if (!w->link.gone_ms && w->work->record.attempts < GONE_TRIES - 1)
        step = sync_stop_retry(w, GONE_RETRY_MS, true, "opportunity_not_found");
    else {
        if (!w->link.gone_ms)
            w->link.gone_ms = store_now_ms(w->app->store);
        log_event(w->app->log, LOG_LEVEL_WARN, "gone", &about,
                  "GHL does not have this order's opportunity any more; it is not made again. "
                  "`woo_ghl failed retry %s` makes a new one",
                  w->work->key);
        list_gone(w, w->link.opportunity);
        step = sync_stop(w, SYNC_END_FINISH, "opportunity_gone");
    }
    ghl_answer_free(&answer);
    return step;
}

/* Two orders may write one opportunity: one at a time. */
static enum step lock(struct sync_work *w, char name[RECORD_ID_SIZE + 16])
{
    snprintf(name, RECORD_ID_SIZE + 16, "opportunity/%s", w->link.opportunity);
    switch (store_lock(w->app->store, name, w->work->token,
                       clock_left_ms(w->deadline_mono_ms) + LOCK_MARGIN_MS)) {
    case STORE_OK: return STEP_NEXT;
    case STORE_NONE: return sync_stop_retry(w, LOCK_RETRY_MS, false, "opportunity_busy");
    default: return sync_stop(w, SYNC_END_LEAVE, "store_unavailable");
    }
}

static enum step send_update(struct sync_work *w, json_t *body)
{
    struct ghl_answer answer;
    struct ghl_call call = sync_call(w);
    enum step step = STEP_NEXT;

    sync_writes(w, PLAN_OPPORTUNITY);
    enum ghl_result result = ghl_opportunity_update(w->app->ghl, &call, w->link.opportunity, body, &answer);
    sync_wrote(w, PLAN_OPPORTUNITY, &answer);
    bool again = result != GHL_OK && sync_drop_refused(w, "opportunity", body, &answer);
    if (result == GHL_OK) {
        if (w->link.gone_ms)
            list_gone(w, NULL);
        w->link.gone_ms = 0;
    } else if (result == GHL_GONE)
        step = not_found(w);
    else if (!again)
        step = sync_stop_answer(w, "opportunity update", &answer);
    ghl_answer_free(&answer);
    return again ? send_update(w, body) : step;
}

static enum step update_locked(struct sync_work *w)
{
    char pipeline_id[GHL_ID_SIZE] = "", stage_id[GHL_ID_SIZE] = "";

    if (*json_text(w->plan->opportunity, "stage") && !follows(w) &&
        resolve(w, pipeline_id, stage_id) == STEP_STOP)
        return STEP_STOP;
    /* With the mark: the opportunity may be from a time before it. */
    if (!w->plan->status_only &&
        sync_fields(w, FIELDS_OPPORTUNITY, w->plan->opportunity, w->work->key) == STEP_STOP)
        return STEP_STOP;
    json_t *body = update_body(w, pipeline_id, stage_id);
    enum step step = STEP_NEXT;
    if (!body)
        step = sync_stop_memory(w);
    else if (json_object_size(body))
        step = send_update(w, body);
    json_decref(body);
    return step;
}

static enum step update(struct sync_work *w)
{
    struct log_about about = {.order = w->work->key, .ghl_id = w->link.opportunity};
    char name[RECORD_ID_SIZE + 16];

    if (!sync_differs(w, PLAN_OPPORTUNITY))
        return STEP_NEXT;
    switch (sync_own(w, w->link.opportunity, OWNER_TAKE)) {
    case STORE_OK: break;
    case STORE_NONE:
        log_event(w->app->log, LOG_LEVEL_INFO, "not_owner", &about,
                  "The opportunity belongs to a newer order of this customer; this version changes nothing");
        return STEP_NEXT;
    default: return sync_stop(w, SYNC_END_LEAVE, "store_unavailable");
    }
    if (lock(w, name) == STEP_STOP)
        return STEP_STOP;
    enum step step = update_locked(w);
    app_unlock(w->app, name, w->work->token);
    return step;
}

/* The id is this order's from now on: recorded at once, then the content is compared. */
static enum step adopt(struct sync_work *w, const char *id, enum sync_owner how)
{
    if (sync_own(w, id, how) == STORE_UNAVAILABLE)
        return sync_stop(w, SYNC_END_LEAVE, "store_unavailable");
    sync_writes(w, PLAN_OPPORTUNITY); /* what it holds is unknown */
    if (sync_learn(w, w->link.contact, id) == STEP_STOP)
        return STEP_STOP;
    return update(w);
}

/* -- a create whose outcome is not known -- */

/* Searches by what was recorded then, never by today's plan alone. STEP_NEXT without an id: none was created, and one
 * may be. */
static enum step settle_attempt(struct sync_work *w, struct sync_found *found)
{
    const struct order_attempt *attempt = &w->work->record.attempt;
    int64_t left_ms = sync_in_flight_ms(w), ago_s = (store_now_ms(w->app->store) - attempt->at_ms) / 1000;
    json_t *note;

    if (sync_attempt_note(w, &note) == STEP_STOP)
        return STEP_STOP;
    struct sync_wanted wanted = {.name = json_text(note, "name"),
                                 .field = json_text(note, "field"),
                                 .contact = json_text(note, "contact"),
                                 .not_before_s = clock_wall_ms() / 1000 - ago_s - CLOCK_SLACK_S};
    enum step step = !*wanted.name && !*wanted.field ? sync_stop(w, SYNC_END_REFUSE, "attempt_unreadable")
                                                     : sync_search(w, &wanted, found);
    json_decref(note);
    return step == STEP_NEXT && !*found->id && left_ms > 0 ? sync_stop_in_flight(w, left_ms) : step;
}

/* -- one opportunity per contact -- */

static enum step refuse_duplicate(struct sync_work *w, const char *which)
{
    snprintf(
        w->why, sizeof w->why,
        "GHL allows one opportunity per contact and this contact has one%s: turn on Settings > Objects > "
        "Opportunities > Allow Multiple Opportunities per Contact%s",
        which,
        w->app->config.on_duplicate == ON_DUPLICATE_DEAD_LETTER ? ", or set GHL_ON_DUPLICATE=update" : "");
    return sync_stop(w, SYNC_END_REFUSE, "duplicate_opportunity");
}

/* It is no order's, or an earlier order's, or this order's own. */
static enum step take_existing(struct sync_work *w, const char *id, bool same, bool open)
{
    struct ghl_call call = sync_call(w);
    enum store_result mine = sync_own(w, id, OWNER_LOOK);

    if (mine == STORE_UNAVAILABLE)
        return sync_stop(w, SYNC_END_LEAVE, "store_unavailable");
    if (mine == STORE_OK && same)
        return adopt(w, id, OWNER_TAKE);
    location_explain_duplicates(w->app->ghl, &call, &w->cache);
    if (w->app->config.on_duplicate == ON_DUPLICATE_DEAD_LETTER)
        return refuse_duplicate(w, "");
    if (mine == STORE_OK)
        return open ? adopt(w, id, OWNER_TAKE) : refuse_duplicate(w, ", which is closed and no order's");
    /* An earlier order owns it: the newest order that took it has it. */
    switch (sync_own(w, id, OWNER_TAKE_OVER)) {
    case STORE_OK: return adopt(w, id, OWNER_TAKE_OVER);
    case STORE_NONE:
        text_copy(w->link.opportunity, sizeof w->link.opportunity, id);
        return sync_stop(w, SYNC_END_FINISH, "not_owner");
    default: return sync_stop(w, SYNC_END_LEAVE, "store_unavailable");
    }
}

static enum step resolve_duplicate(struct sync_work *w, const char *id, const struct sync_wanted *wanted)
{
    struct ghl_answer answer;
    struct ghl_call call = sync_call(w);

    if (!*id) {
        location_explain_duplicates(w->app->ghl, &call, &w->cache);
        return refuse_duplicate(w, ", it does not say which");
    }
    enum ghl_result result = ghl_opportunity_get(w->app->ghl, &call, id, &answer);
    enum step step = STEP_STOP;
    if (result == GHL_OK) {
        const json_t *existing = json_object_get(answer.json, "opportunity");
        bool same = sync_is_wanted(w, existing, wanted),
             open = !strcmp(json_text(existing, "status"), "open");
        step = take_existing(w, id, same, open);
    } else if (result == GHL_GONE) {
        step = sync_stop_retry(w, RETRY_MS, true, "ghl_unavailable");
    } else {
        step = sync_stop_answer(w, "opportunity", &answer);
    }
    ghl_answer_free(&answer);
    return step;
}

/* -- the create -- */

static json_t *create_body(const struct sync_work *w, const char *pipeline_id, const char *stage_id)
{
    json_t *body = json_deep_copy(w->plan->opportunity);

    if (!body)
        return NULL;
    json_object_del(body, "stage");
    bool good = json_object_set_new(body, "pipelineId", json_string(pipeline_id)) == 0 &&
                json_object_set_new(body, "contactId", json_string(w->link.contact)) == 0 &&
                (!*stage_id || json_object_set_new(body, "pipelineStageId", json_string(stage_id)) == 0) &&
                (!*w->plan->source || json_object_set_new(body, "source", json_string(w->plan->source)) == 0);
    return json_if(good, body);
}

static enum step created(struct sync_work *w, const struct ghl_answer *answer)
{
    sync_wrote(w, PLAN_OPPORTUNITY, answer);
    /* The id first: with it the opportunity is found again whatever happens now. */
    if (sync_learn(w, w->link.contact, answer->id) == STEP_STOP)
        return STEP_STOP;
    return sync_own(w, answer->id, OWNER_TAKE) == STORE_UNAVAILABLE
               ? sync_stop(w, SYNC_END_LEAVE, "store_unavailable")
               : STEP_NEXT;
}

/* GHL refused it. Some creates that were refused had been carried out: it is looked for before another, and as long as
 * its window lasts if GHL did not name a field. */
static enum step look_after_refusal(struct sync_work *w, const struct sync_wanted *wanted)
{
    struct sync_found found;
    enum step step = sync_search(w, wanted, &found);

    return step == STEP_NEXT && *found.id ? adopt(w, found.id, OWNER_TAKE) : step;
}

static enum step create_failed(struct sync_work *w, json_t *body, const struct ghl_answer *answer,
                               const struct sync_wanted *wanted, bool *again)
{
    bool refused = answer->status >= 400 && (answer->result == GHL_REFUSED || answer->result == GHL_CONFIG);
    enum step step = sync_attempt_answered(w, answer);

    *again = false;
    if (step == STEP_STOP)
        return step;
    if (sync_attempt_is_open(w) && !refused) {
        step = sync_stop_answer(w, "opportunity create", answer);
        if (w->end == SYNC_END_RETRY) /* look soon: the attempt says for what */
            sync_stop_retry(w, RETRY_MS, true, "in_flight");
        return step;
    }
    switch (answer->result) {
    case GHL_DUPLICATE: return resolve_duplicate(w, answer->existing_id, wanted);
    case GHL_GONE: return STEP_CONTACT_GONE; /* the contact was deleted or merged in GHL */
    default: break;
    }
    bool dropped = sync_drop_refused(w, "opportunity", body, answer);
    if (refused) {
        step = look_after_refusal(w, wanted);
        if (step != STEP_NEXT || w->link.opportunity[0])
            return step;
        *again = dropped && (*wanted->name || json_object_get(body, "customFields"));
    }
    return *again ? STEP_NEXT : sync_stop_answer(w, "opportunity create", answer);
}

/* One POST, recorded before it is sent. */
static enum step send_create(struct sync_work *w, json_t *body, const struct sync_wanted *wanted, bool *again)
{
    struct ghl_answer answer;
    struct ghl_call call = sync_call(w);
    json_t *note =
        json_pack("{ssssss}", "contact", w->link.contact, "name", wanted->name, "field", wanted->field);

    *again = false;
    /* Counted from before it is recorded: never later than what others reckon with. */
    call.send_deadline_mono_ms = clock_mono_ms() + WRITE_SEND_MS;
    enum step step = sync_attempt(w, ATTEMPT_OPPORTUNITY, note);
    json_decref(note);
    if (step == STEP_STOP)
        return step;
    if (ghl_opportunity_create(w->app->ghl, &call, body, &answer) == GHL_OK)
        step = created(w, &answer);
    else
        step = create_failed(w, body, &answer, wanted, again);
    ghl_answer_free(&answer);
    return step;
}

static enum step create(struct sync_work *w)
{
    char pipeline_id[GHL_ID_SIZE], stage_id[GHL_ID_SIZE], field[GHL_ID_SIZE];
    struct sync_wanted wanted;
    bool again = true;
    enum step step = STEP_NEXT;

    if (resolve(w, pipeline_id, stage_id) == STEP_STOP || sync_wanted(w, &wanted, field) == STEP_STOP ||
        sync_fields(w, FIELDS_OPPORTUNITY, w->plan->opportunity, w->work->key) == STEP_STOP)
        return STEP_STOP;
    json_t *body = create_body(w, pipeline_id, stage_id);
    if (!body)
        return sync_stop_memory(w);
    while (again && step == STEP_NEXT) { /* each time with one optional field less */
        again = false;
        if (clock_left_ms(w->deadline_mono_ms) < GHL_CREATE_NEEDS_MS)
            step = sync_stop_retry(w, 0, false, "no_time");
        else
            step = send_create(w, body, &wanted, &again);
    }
    json_decref(body);
    return step;
}

/* It may have an opportunity that the store does not know. */
static enum step find(struct sync_work *w, struct sync_found *found)
{
    char field[GHL_ID_SIZE];
    struct sync_wanted wanted;

    if (sync_wanted(w, &wanted, field) == STEP_STOP)
        return STEP_STOP;
    return *wanted.name || *wanted.field ? sync_search(w, &wanted, found) : STEP_NEXT;
}

/* The store forgot something a moment ago: whatever was made just before that, GHL's search may not show yet. How long that
 * may last, ms; 0 for an order that was surely created after it. */
static int64_t unseen_ms(const struct sync_work *w)
{
    int64_t now_ms = store_now_ms(w->app->store), up_ms = w->app->orders.location.up_ms,
            created_ms = w->work->record.created_s * 1000, left_ms = up_ms + sync_window_ms(w) - now_ms;

    if (!up_ms || left_ms <= 0 || up_ms > now_ms)
        return 0;
    /* A shop's clock may be ahead, but not by a day. */
    bool after =
        created_ms > up_ms + CREATED_SLACK_MS && (created_ms <= now_ms || created_ms > now_ms + DAY_MS);
    return created_ms && after ? 0 : left_ms;
}

enum step sync_look(struct sync_work *w)
{
    const struct order_record *record = &w->work->record;
    struct sync_found found = {0};
    enum step step = STEP_NEXT;

    if (w->link.opportunity[0] || !w->plan->opportunity)
        return STEP_NEXT;
    if (record->attempt.kind == ATTEMPT_OPPORTUNITY)
        step = settle_attempt(w, &found);
    else if (record->look)
        step = find(w, &found);
    if (step == STEP_NEXT && !*found.id && record->look && unseen_ms(w) > 0)
        return sync_stop_in_flight(w, unseen_ms(w));
    if (step != STEP_NEXT || !*found.id)
        return step;
    if (sync_own(w, found.id, OWNER_TAKE) == STORE_UNAVAILABLE)
        return sync_stop(w, SYNC_END_LEAVE, "store_unavailable");
    w->found = *found.contact && !w->link.contact[0];
    sync_writes(w, PLAN_OPPORTUNITY); /* what it holds is unknown */
    return sync_learn(w, w->link.contact[0] ? w->link.contact : found.contact, found.id);
}

enum step sync_opportunity(struct sync_work *w)
{
    if (w->link.opportunity[0])
        return update(w);
    return w->work->record.sold && !w->plan->status_only && w->link.contact[0] ? create(w) : STEP_NEXT;
}
