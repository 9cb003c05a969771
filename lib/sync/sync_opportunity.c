#include "base/clock.h"
#include "ghl/location.h"
#include "ghl/resolve.h"
#include "sync/sync_work.h"
#include <stdlib.h>
#include <string.h>

#define CREATE_SEND_MS                                                                                       \
    5000                     /* a create's first byte leaves at most so long after its attempt was recorded  \
                              */
#define CREATE_NEEDS_MS 5000 /* with less time left no create begins */
#define IN_FLIGHT_RETRY_MS 20000 /* how often an unknown outcome is looked for */
#define UNKNOWN_RETRY_MS 10000
#define CLOCK_SLACK_S                                                                                        \
    (24 * 3600) /* this machine's clock and GHL's may differ: its own card must not look too old to be it */

static bool copy_id(char out[STORE_ID_SIZE], const char *id)
{
    size_t n = strlen(id);
    if (n == 0 || n >= STORE_ID_SIZE)
        return false;
    memcpy(out, id, n + 1);
    return true;
}

/* An order without a date is of now, and so is one of later: a date that somebody typed must not keep the
 * card from every order until then. */
static int64_t order_date(const struct sync_work *w)
{
    int64_t now_s = clock_wall_ms() / 1000;
    return w->plan.created_s > 0 && w->plan.created_s < now_s ? w->plan.created_s : now_s;
}

/* -- the card that this order has -- */

static json_t *update_body(const struct sync_work *w, const char *pipeline_id, const char *stage_id)
{
    json_t *body = json_deep_copy(w->plan.opportunity);
    if (!body)
        return NULL;
    json_object_del(body, "stage");
    if (*stage_id && (json_object_set_new(body, "pipelineId", json_string(pipeline_id)) != 0 ||
                      json_object_set_new(body, "pipelineStageId", json_string(stage_id)) != 0)) {
        json_decref(body);
        return NULL;
    }
    return body;
}

/* Ids of the pipeline (and of the plan's stage, if it has one). */
static enum step resolve(struct sync_work *w, char pipeline_id[GHL_ID_SIZE], char stage_id[GHL_ID_SIZE])
{
    struct ghl_answer answer;
    struct ghl_call call = sync_call(w);
    enum step step = STEP_NEXT;

    if (resolve_pipeline(w->app->ghl, &call, &w->cache, json_text(w->plan.opportunity, "stage"), pipeline_id,
                         stage_id, &answer) != GHL_OK)
        step = sync_stop_answer(w, "pipeline", &answer);
    ghl_answer_free(&answer);
    return step;
}

/* What tells this order's card from others, for those that are to find it: the field that marks it ("" =
 * none) and, where it is one of its own, the name. */
struct order_mark {
    char field[GHL_ID_SIZE];
    const char *name;
};

static enum step order_mark(struct sync_work *w, struct order_mark *mark)
{
    struct ghl_answer answer;
    struct ghl_call call = sync_call(w);
    enum step step = STEP_NEXT;

    mark->name = config_name_is_unique(&w->app->config) ? json_text(w->plan.opportunity, "name") : "";
    if (fields_mark(w->app->ghl, &call, &w->cache, mark->field, &answer) != GHL_OK)
        step = sync_stop_answer(w, "custom fields", &answer);
    ghl_answer_free(&answer);
    return step;
}

static enum step card_gone(struct sync_work *w)
{
    struct log_about about = {.order = w->plan.key, .ghl_id = w->link.opportunity_id};
    log_event(w->app->log, LOG_LEVEL_WARN, "gone", &about,
              "The card was deleted in GHL; it is not made again and this order's later states are ignored");
    w->link.gone = true;
    return sync_stop(w, END_FINISH, "card_gone");
}

static enum step update(struct sync_work *w)
{
    char pipeline_id[GHL_ID_SIZE] = "", stage_id[GHL_ID_SIZE] = "";
    struct ghl_answer answer;

    if (!sync_differs(w, PLAN_OPPORTUNITY))
        return STEP_NEXT;
    switch (store_card_take(w->app->store, w->link.opportunity_id, w->plan.key, order_date(w), CARD_TAKE)) {
    case STORE_OK: break;
    case STORE_LOST: {
        struct log_about about = {.order = w->plan.key, .ghl_id = w->link.opportunity_id};
        log_event(w->app->log, LOG_LEVEL_INFO, "not_owner", &about,
                  "The card belongs to a newer order of this customer; this state changes nothing");
        return STEP_NEXT;
    }
    default: return sync_stop(w, END_LEAVE, "store_unavailable");
    }
    if (*json_text(w->plan.opportunity, "stage") && resolve(w, pipeline_id, stage_id) == STEP_STOP)
        return STEP_STOP;
    /* With the mark: the card may be from a time before it. */
    if (!w->plan.status_only &&
        sync_fields(w, FIELDS_OPPORTUNITY, w->plan.opportunity, w->plan.key) == STEP_STOP)
        return STEP_STOP;
    json_t *body = update_body(w, pipeline_id, stage_id);
    if (!body)
        return sync_stop_retry(w, UNKNOWN_RETRY_MS, true, "out_of_memory");
    struct ghl_call call = sync_call(w);
    enum step step = STEP_NEXT;
    bool again = false; /* once: without custom fields */
    switch (ghl_opportunity_update(w->app->ghl, &call, w->link.opportunity_id, body, &answer)) {
    case GHL_OK: sync_holds(w, PLAN_OPPORTUNITY); break;
    case GHL_GONE: step = card_gone(w); break;
    default:
        again = sync_drop_fields(w, w->plan.opportunity, &answer);
        if (!again)
            step = sync_stop_answer(w, "opportunity update", &answer);
        break;
    }
    ghl_answer_free(&answer);
    json_decref(body);
    return again ? update(w) : step;
}

/* The id is this order's from now on: recorded at once, then the content is compared. */
static enum step adopt(struct sync_work *w, const char *id, bool take_over)
{
    if (!copy_id(w->link.opportunity_id, id))
        return sync_stop(w, END_PARK, "bad_id");
    switch (store_card_take(w->app->store, id, w->plan.key, order_date(w),
                            take_over ? CARD_TAKE_OVER : CARD_TAKE)) {
    case STORE_OK:
    case STORE_LOST: break;
    default: return sync_stop(w, END_LEAVE, "store_unavailable");
    }
    memset(w->link.part_hash[PLAN_OPPORTUNITY], 0, DIGEST_HEX_SIZE); /* what it holds is unknown */
    if (sync_progress(w, &(struct store_progress){.contact_id = w->link.contact_id,
                                                  .opportunity_id = id,
                                                  .clear_attempt = true,
                                                  .lease_ms = SYNC_LEASE_MS}) == STEP_STOP)
        return STEP_STOP;
    return update(w);
}

/* -- looking for a card whose create has an unknown outcome, or that was made before the store was born -- */

struct wanted_card {
    const char *contact_id;
    const char *name;     /* "" = it says nothing */
    const char *field;    /* the field that marks the order; "" = none */
    const char *key;      /* what it then holds */
    int64_t not_before_s; /* 0 = any */
};

/* A mark decides, whatever the name; a card without one may be from a time before GHL_ORDER_FIELD was set. */
static bool is_wanted(const json_t *found, const struct wanted_card *card)
{
    const char *mark = fields_value(found, card->field);
    if (*mark)
        return !strcmp(mark, card->key);
    return *card->name && !strcmp(json_text(found, "name"), card->name);
}

static enum step park_bad_id(struct sync_work *w)
{
    snprintf(w->why, sizeof w->why,
             "GHL shows a card of this order whose id is none (1 to %d letters and digits)", GHL_ID_SIZE - 1);
    return sync_stop(w, END_PARK, "bad_id");
}

/* The first of them that is wanted and that no other order owns. */
static enum step choose(struct sync_work *w, const json_t *cards, const struct wanted_card *card,
                        char id[GHL_ID_SIZE])
{
    size_t i;
    const json_t *found;

    json_array_foreach(cards, i, found)
    {
        char its_id[GHL_ID_SIZE];
        int64_t created_s;
        if (!is_wanted(found, card))
            continue;
        if (card->not_before_s && clock_parse_iso(json_text(found, "createdAt"), &created_s) &&
            created_s < card->not_before_s)
            continue;
        /* It is there and nothing can be done with it: none is made beside it. */
        if (!ghl_take_id(json_text(found, "id"), its_id))
            return park_bad_id(w);
        switch (store_card_take(w->app->store, its_id, w->plan.key, order_date(w), CARD_TAKE)) {
        case STORE_OK: memcpy(id, its_id, sizeof its_id); return STEP_NEXT;
        case STORE_LOST: break;
        default: return sync_stop(w, END_LEAVE, "store_unavailable");
        }
    }
    return STEP_NEXT;
}

/* Fills `id` with such a card which no other order owns; "" when there is none. Looks in every pipeline: a
 * workflow of the location, or a salesperson, may have moved it. */
static enum step search(struct sync_work *w, const struct wanted_card *card, char id[GHL_ID_SIZE])
{
    struct ghl_answer answer;
    struct ghl_call call = sync_call(w);
    enum step step = STEP_NEXT;

    id[0] = '\0';
    if (ghl_opportunity_search(w->app->ghl, &call, card->contact_id, "", &answer) != GHL_OK)
        step = sync_stop_answer(w, "opportunity search", &answer);
    else
        step = choose(w, answer.json, card, id);
    ghl_answer_free(&answer);
    return step;
}

/* So long after its attempt was recorded a create surely happened or not, and GHL's search shows it. */
static int64_t in_flight_ms(const struct sync_work *w)
{
    return CREATE_SEND_MS + w->app->config.ghl_timeout_ms + SEARCH_LAG_MS;
}

/* A create was begun and its outcome is not recorded. Searches by what was recorded then, never by today's
 * plan. STEP_NEXT with no id: it surely did not happen, and may be sent again. */
static enum step settle_attempt(struct sync_work *w)
{
    char id[GHL_ID_SIZE] = "";
    int64_t age = w->entry->attempt_age_ms;
    int64_t window = in_flight_ms(w);
    json_t *note = w->entry->attempt_note ? json_loads(w->entry->attempt_note, 0, NULL) : NULL;
    struct wanted_card card = {.contact_id = json_text(note, "contact"),
                               .name = json_text(note, "name"),
                               .field = json_text(note, "field"),
                               .key = w->plan.key,
                               .not_before_s =
                                   (clock_wall_ms() - w->entry->attempt_ago_ms) / 1000 - CLOCK_SLACK_S};
    enum step step = STEP_NEXT;

    if (!*card.contact_id || (!*card.name && !*card.field))
        step = sync_stop(w, END_PARK, "attempt_unreadable");
    else
        step = search(w, &card, id);
    json_decref(note);
    if (step == STEP_STOP)
        return step;
    if (*id)
        return adopt(w, id, false);
    if (age < window)
        return sync_stop_retry(w, window - age < IN_FLIGHT_RETRY_MS ? window - age : IN_FLIGHT_RETRY_MS,
                               false, "in_flight");
    return STEP_NEXT;
}

/* -- one card per contact -- */

static enum step park_duplicate(struct sync_work *w, const char *which)
{
    snprintf(w->why, sizeof w->why,
             "GHL allows one opportunity per contact and this contact has one%s: turn on \"allow duplicate "
             "opportunities\" in the location%s",
             which,
             w->app->config.on_duplicate == ON_DUPLICATE_DEAD_LETTER ? ", or set GHL_ON_DUPLICATE=update"
                                                                     : "");
    return sync_stop(w, END_PARK, "duplicate_opportunity");
}

/* GHL says that the contact has a card already. Is it this order's, an earlier order's, a salesperson's? */
static enum step resolve_duplicate(struct sync_work *w, const char *existing_id,
                                   const struct order_mark *mark)
{
    struct ghl_answer answer;
    struct ghl_call call = sync_call(w);
    enum step step;

    if (!*existing_id) {
        location_explain_duplicates(w->app->ghl, &call, &w->cache);
        return park_duplicate(w, ", it does not say which");
    }
    if (ghl_opportunity_get(w->app->ghl, &call, existing_id, &answer) != GHL_OK) {
        step = answer.result == GHL_GONE ? sync_stop_retry(w, UNKNOWN_RETRY_MS, true, "ghl_unavailable")
                                         : sync_stop_answer(w, "opportunity", &answer);
        ghl_answer_free(&answer);
        return step;
    }
    const json_t *card = json_object_get(answer.json, "opportunity");
    const struct wanted_card wanted = {.name = mark->name, .field = mark->field, .key = w->plan.key};
    bool same = is_wanted(card, &wanted), open = !strcmp(json_text(card, "status"), "open");
    ghl_answer_free(&answer);

    enum store_result mine =
        store_card_take(w->app->store, existing_id, w->plan.key, order_date(w), CARD_LOOK);
    if (mine == STORE_UNAVAILABLE)
        return sync_stop(w, END_LEAVE, "store_unavailable");
    if (mine == STORE_OK && same)
        return adopt(w, existing_id, false);
    location_explain_duplicates(w->app->ghl, &call, &w->cache);
    if (w->app->config.on_duplicate == ON_DUPLICATE_DEAD_LETTER)
        return park_duplicate(w, "");
    if (mine == STORE_OK && !open)
        return park_duplicate(w, ", which is closed and no order's");
    if (mine == STORE_OK)
        return adopt(w, existing_id, false);
    /* An earlier order owns it: the newest order that took it has it. */
    switch (store_card_take(w->app->store, existing_id, w->plan.key, order_date(w), CARD_TAKE_OVER)) {
    case STORE_OK: return adopt(w, existing_id, true);
    case STORE_LOST:
        if (!copy_id(w->link.opportunity_id, existing_id))
            return sync_stop(w, END_PARK, "bad_id");
        return sync_stop(w, END_FINISH, "not_owner");
    default: return sync_stop(w, END_LEAVE, "store_unavailable");
    }
}

/* -- the create -- */

static json_t *create_body(const struct sync_work *w, const char *pipeline_id, const char *stage_id)
{
    json_t *body = json_deep_copy(w->plan.opportunity);
    if (!body)
        return NULL;
    json_object_del(body, "stage");
    bool good = json_object_set_new(body, "pipelineId", json_string(pipeline_id)) == 0 &&
                json_object_set_new(body, "contactId", json_string(w->link.contact_id)) == 0 &&
                (!*stage_id || json_object_set_new(body, "pipelineStageId", json_string(stage_id)) == 0) &&
                (!*w->plan.source || json_object_set_new(body, "source", json_string(w->plan.source)) == 0);
    if (good)
        return body;
    json_decref(body);
    return NULL;
}

/* Makes it durable that a create may be on its way, and what to look for if nobody hears of it. */
static enum step record_attempt(struct sync_work *w, const char *pipeline_id, const struct order_mark *mark)
{
    json_t *note = json_pack("{ssssssss}", "contact", w->link.contact_id, "pipeline", pipeline_id, "name",
                             mark->name, "field", mark->field);
    char *text = note ? json_dumps(note, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    enum step step;

    json_decref(note);
    if (!text)
        return sync_stop_retry(w, UNKNOWN_RETRY_MS, true, "out_of_memory");
    step = sync_progress(w, &(struct store_progress){.contact_id = w->link.contact_id,
                                                     .attempt = STORE_ATTEMPT_OPPORTUNITY,
                                                     .attempt_note = text,
                                                     .lease_ms = SYNC_LEASE_MS});
    free(text);
    return step;
}

/* It surely did not happen: nobody needs to look for it. */
static void clear_attempt(struct sync_work *w)
{
    const struct store_progress progress = {.clear_attempt = true, .lease_ms = SYNC_LEASE_MS};
    if (store_progress(w->app->store, w->entry->key, w->entry->token, &progress, NULL) != STORE_OK)
        log_event(w->app->log, LOG_LEVEL_WARN, "store", NULL,
                  "An attempt that did not happen could not be cleared: it is looked for first");
}

static enum step created(struct sync_work *w, const char *id)
{
    if (!copy_id(w->link.opportunity_id, id))
        return sync_stop(w, END_PARK, "bad_id");
    sync_holds(w, PLAN_OPPORTUNITY);
    /* The id first: with it the card is found again whatever happens now. */
    if (sync_progress(w, &(struct store_progress){.contact_id = w->link.contact_id,
                                                  .opportunity_id = id,
                                                  .clear_attempt = true,
                                                  .lease_ms = SYNC_LEASE_MS}) == STEP_STOP)
        return STEP_STOP;
    if (store_card_take(w->app->store, id, w->plan.key, order_date(w), CARD_TAKE) == STORE_UNAVAILABLE)
        return sync_stop(w, END_LEAVE, "store_unavailable");
    return STEP_NEXT;
}

static enum step create_unknown(struct sync_work *w, const struct ghl_answer *answer)
{
    enum step step = sync_stop_answer(w, "opportunity create", answer);
    if (w->end == END_RETRY) /* it is not known to have failed: look soon, the attempt says for what */
        sync_stop_retry(w, UNKNOWN_RETRY_MS, true, "in_flight");
    return step;
}

/* `again`: the contact was made anew for this create already. */
static enum step create(struct sync_work *w, bool again)
{
    char pipeline_id[GHL_ID_SIZE], stage_id[GHL_ID_SIZE];
    struct ghl_answer answer;
    struct order_mark mark;
    enum step step = STEP_STOP;

    if (resolve(w, pipeline_id, stage_id) == STEP_STOP || order_mark(w, &mark) == STEP_STOP ||
        sync_fields(w, FIELDS_OPPORTUNITY, w->plan.opportunity, w->plan.key) == STEP_STOP)
        return STEP_STOP;
    if (clock_left_ms(w->deadline_mono_ms) < CREATE_NEEDS_MS)
        return sync_stop_retry(w, 0, false, "no_time");
    bool without = false; /* custom fields: GHL refused them */
    json_t *body = create_body(w, pipeline_id, stage_id);
    if (!body)
        return sync_stop_retry(w, UNKNOWN_RETRY_MS, true, "out_of_memory");
    struct ghl_call call = sync_call(w);
    call.send_deadline_mono_ms =
        clock_mono_ms() +
        CREATE_SEND_MS; /* from before it is recorded: never later than what others reckon with */
    if (record_attempt(w, pipeline_id, &mark) == STEP_STOP)
        goto out;
    enum ghl_result result = ghl_opportunity_create(w->app->ghl, &call, body, &answer);
    switch (result) {
    case GHL_OK: step = created(w, answer.id); break;
    case GHL_UNKNOWN: step = create_unknown(w, &answer); break;
    case GHL_LOST: step = sync_stop_answer(w, "opportunity create", &answer); break;
    case GHL_DUPLICATE:
        clear_attempt(w);
        step = resolve_duplicate(w, answer.existing_id, &mark);
        break;
    default:
        if (!sync_may_have_happened(&answer))
            clear_attempt(w);
        without = (*mark.name || !*mark.field) && sync_drop_fields(w, w->plan.opportunity, &answer);
        if (without) {
            step = STEP_NEXT;
            break;
        }
        step = result == GHL_GONE && !again ? STEP_NEXT : sync_stop_answer(w, "opportunity create", &answer);
        break;
    }
    ghl_answer_free(&answer);
    if (without) {
        step = create(w, again);
    } else if (result == GHL_GONE && step == STEP_NEXT) {
        /* The remembered contact was deleted or merged in GHL. */
        step = sync_contact_again(w);
        if (step == STEP_NEXT)
            step = create(w, true);
    }
out:
    json_decref(body);
    return step;
}

enum step sync_find_card(struct sync_work *w, const char *contact_id, char id[GHL_ID_SIZE])
{
    struct order_mark mark;

    id[0] = '\0';
    if (order_mark(w, &mark) == STEP_STOP)
        return STEP_STOP;
    /* In every pipeline: it may have been moved. */
    struct wanted_card card = {
        .contact_id = contact_id, .name = mark.name, .field = mark.field, .key = w->plan.key};
    return *card.name || *card.field ? search(w, &card, id) : STEP_NEXT;
}

enum step sync_opportunity(struct sync_work *w)
{
    char id[GHL_ID_SIZE];

    if (!w->link.opportunity_id[0] && w->entry->attempt == STORE_ATTEMPT_OPPORTUNITY) {
        if (settle_attempt(w) == STEP_STOP)
            return STEP_STOP;
    }
    if (w->link.opportunity_id[0])
        return update(w);
    if (w->plan.status_only)
        return sync_stop(w, END_FINISH, "never_sold");
    id[0] = '\0';
    /* Made before this store was born, or longer ago than it remembers: it may have a card that the store
     * does not know. */
    if (w->entry->look_first && sync_find_card(w, w->link.contact_id, id) == STEP_STOP)
        return STEP_STOP;
    if (*id)
        return adopt(w, id, false);
    if (!outcome_creates(w->plan.outcome) && !w->entry->sold)
        return sync_stop(w, END_FINISH, "never_sold");
    return create(w, false);
}
