#include "base/clock.h"
#include "base/text.h"
#include "sync/sync_work.h"
#include <string.h>
#include <strings.h>

#define CONTACT_LEASE_MARGIN_MS 5000 /* beyond the end of the work's last call */
#define CONTACT_WAIT_MS 50           /* between two tries to lock a customer whom another order is writing */
#define CONTACT_WAIT_MAX_MS 3000
#define CONTACT_BUSY_RETRY_MS 2000
#define CONTACT_SEND_MS 5000 /* as with a card: nothing leaves so long after the attempt was recorded */
#define NAMESAKE_SLACK_S 600 /* between GHL's clock and ours; one of yesterday is another */
#define NEW_SLACK_S 60       /* the same, for what may have had no source before */
#define NAMESAKES_MAX 20     /* so many contacts of one name, the newest, are looked at for an order's card */
#define CONTACT_IN_FLIGHT_MS                                                                                 \
    (CONTACT_SEND_MS +                                                                                       \
     90000) /* send deadline and GHL's search lag; GHL_TIMEOUT comes on top                \
                               */

/* -- two orders of one customer at once -- */

struct customer {
    char hash[2][DIGEST_HEX_SIZE];
    const char *name[2];
    size_t n;
    int64_t newest_s; /* the newest order date that wrote this contact */
};

static bool hash_customer(const struct sync_work *w, struct customer *c)
{
    const char *value[2] = {plan_email(&w->plan), plan_phone(&w->plan)};
    static const char *const label[2] = {"contact email", "contact phone"};

    *c = (struct customer){0};
    for (int i = 0; i < 2; i++) {
        char lower[320];
        size_t len = strlen(value[i]);
        if (len == 0 || len >= sizeof lower)
            continue;
        for (size_t j = 0; j <= len; j++)
            lower[j] =
                (char)(value[i][j] >= 'A' && value[i][j] <= 'Z' ? value[i][j] + ('a' - 'A') : value[i][j]);
        if (!digest_label_hex(w->app->hash_key, DIGEST_LEN, label[i], lower, len, c->hash[c->n]))
            return false;
        c->n++;
    }
    if (c->n == 2 && strcmp(c->hash[0], c->hash[1]) >
                         0) { /* in sorted order, so that two workers never wait for each other */
        char swap[DIGEST_HEX_SIZE];
        memcpy(swap, c->hash[0], sizeof swap);
        memcpy(c->hash[0], c->hash[1], sizeof swap);
        memcpy(c->hash[1], swap, sizeof swap);
    }
    for (size_t i = 0; i < c->n; i++)
        c->name[i] = c->hash[i];
    return true;
}

static enum step lock_customer(struct sync_work *w, struct customer *c)
{
    int64_t give_up = clock_mono_ms() + CONTACT_WAIT_MAX_MS;

    if (!hash_customer(w, c))
        return sync_stop_retry(w, CONTACT_BUSY_RETRY_MS, false, "out_of_memory");
    if (c->n == 0)
        return STEP_NEXT;
    for (;;) {
        int64_t lease_ms = clock_left_ms(w->deadline_mono_ms) + CONTACT_LEASE_MARGIN_MS;
        switch (store_contact_lock(w->app->store, c->name, c->n, w->entry->token, lease_ms, &c->newest_s)) {
        case STORE_OK: return STEP_NEXT;
        case STORE_NONE: break;
        default: return sync_stop(w, END_LEAVE, "store_unavailable");
        }
        if (clock_mono_ms() > give_up || clock_left_ms(w->deadline_mono_ms) == 0 ||
            !clock_sleep_ms(CONTACT_WAIT_MS, w->app->stop))
            return sync_stop_retry(w, CONTACT_BUSY_RETRY_MS, false, "contact_busy");
    }
}

static void unlock_customer(struct sync_work *w, const struct customer *c, bool wrote)
{
    /* An order without a date counts as the newest there is known; neither it nor one of later must make
     * later ones look old. */
    int64_t now_s = clock_wall_ms() / 1000, wrote_s = wrote ? w->plan.created_s : 0;
    if (wrote_s > now_s)
        wrote_s = now_s;
    if (c->n &&
        store_contact_unlock(w->app->store, c->name, c->n, w->entry->token, wrote_s) == STORE_UNAVAILABLE)
        log_event(w->app->log, LOG_LEVEL_WARN, "store", NULL,
                  "A customer's lease could not be given back; it runs out by itself: %s",
                  store_trouble(w->app->store));
}

/* -- the contact itself -- */

/* What is sent of the contact. An older order than the one that wrote it last overwrites nothing: it only
 * finds the contact. */
static json_t *contact_body(const struct sync_work *w, bool older)
{
    if (!older)
        return json_deep_copy(w->plan.contact);
    const char *email = plan_email(&w->plan);
    return *email ? json_pack("{ss}", "email", email) : json_pack("{ss}", "phone", plan_phone(&w->plan));
}

/* Also one whose first answer was lost: then GHL says that it knows the contact, which came into being since
 * the order was accepted, and has no source. */
static bool is_new(const struct sync_work *w, const struct ghl_answer *answer)
{
    const json_t *contact = json_object_get(answer->json, "contact");
    int64_t accepted_s = (clock_wall_ms() - w->entry->age_ms) / 1000, added_s;

    return answer->created ||
           (!*json_text(contact, "source") && clock_parse_iso(json_text(contact, "dateAdded"), &added_s) &&
            added_s >= accepted_s - NEW_SLACK_S);
}

/* A source is told to a new contact only: the one that a known contact has stays. A call of its own, because
 * only the upsert's answer says that the contact is new. It is no reason to hold up the order. */
static void tell_source(struct sync_work *w)
{
    struct ghl_answer answer;
    struct ghl_call call = sync_call(w);
    json_t *body = json_pack("{ss}", "source", w->plan.source);

    if (body) {
        if (ghl_contact_update(w->app->ghl, &call, w->link.contact_id, body, &answer) != GHL_OK) {
            struct log_about about = {.order = w->plan.key, .status = answer.status};
            log_event(w->app->log, LOG_LEVEL_WARN, "degraded", &about,
                      "The new contact's source could not be told: %s %s", ghl_result_name(answer.result),
                      answer.message);
        }
        ghl_answer_free(&answer);
    }
    json_decref(body);
}

static void log_phone(const struct sync_work *w)
{
    struct log_about about = {.order = w->plan.key};
    if (w->plan.phone_left_out[0])
        log_event(w->app->log, LOG_LEVEL_INFO, "phone", &about,
                  "The phone %s is not complete, or not one of its country: the contact gets none",
                  w->plan.phone_left_out);
}

static enum step by_name(struct sync_work *w);

/* GHL takes neither email nor phone of it. */
static enum step without_either(struct sync_work *w)
{
    json_object_del(w->plan.contact, "email");
    json_object_del(w->plan.contact, "phone");
    return by_name(w);
}

/* The field that GHL does not take of this contact is left out of what is sent: true, send it again. Each
 * time there is one less. */
static bool drop_refused(const struct sync_work *w, json_t *body, const struct ghl_answer *answer)
{
    struct log_about about = {.order = w->plan.key, .trace_id = answer->trace_id, .status = answer->status};
    if (sync_drop_fields(w, body, answer))
        return true;
    if (answer->result != GHL_REFUSED || !answer->field[0] || json_object_del(body, answer->field) != 0)
        return false;
    log_event(w->app->log, LOG_LEVEL_WARN, "degraded", &about,
              "GHL does not take this contact's %s: it is left out", answer->field);
    return true;
}

/* Upserts; drops an optional field that GHL does not take, once each, and goes on. */
static enum step upsert(struct sync_work *w, bool older)
{
    struct ghl_answer answer;
    json_t *body = contact_body(w, older);
    enum step step = STEP_STOP;

    if (!body)
        return sync_stop_retry(w, CONTACT_BUSY_RETRY_MS, true, "out_of_memory");
    for (;;) {
        struct ghl_call call = sync_call(w);
        if (!json_object_get(body, "email") && !json_object_get(body, "phone")) {
            step = without_either(w);
            break;
        }
        enum ghl_result result = ghl_contact_upsert(w->app->ghl, &call, body, &answer);
        if (drop_refused(w, body, &answer)) {
            ghl_answer_free(&answer);
            continue;
        }
        if (result == GHL_OK) {
            if (strcmp(w->link.contact_id, answer.id) != 0) /* another's tags and notes say nothing of it */
                w->link.part_hash[PLAN_TAGS][0] = w->link.part_hash[PLAN_NOTE][0] = '\0';
            memcpy(w->link.contact_id, answer.id, sizeof answer.id);
            sync_tags_seen(w, json_object_get(answer.json, "contact"));
            if (*w->plan.source && is_new(w, &answer))
                tell_source(w);
            sync_holds(w, PLAN_CONTACT);
            step = STEP_NEXT;
        } else {
            step = sync_stop_answer(w, "contact", &answer);
        }
        ghl_answer_free(&answer);
        break;
    }
    json_decref(body);
    return step;
}

/* -- a contact with neither email nor phone: a create that must not happen twice -- */

static void full_name(const json_t *contact, char *out, size_t size)
{
    const char *first = json_text(contact, "firstName"), *last = json_text(contact, "lastName"),
               *name = json_text(contact, "name");

    if (*first || *last)
        (void)text_format(out, size, "%s%s%s", first, *first && *last ? " " : "", last);
    else
        (void)text_copy(out, size, name);
}

/* GHL's search is one for a text anywhere: a contact that only resembles it is somebody else. */
static bool is_named(const json_t *contact, const char *name)
{
    char full[512];

    full_name(contact, full, sizeof full);
    return !strcasecmp(full, name) && !*json_text(contact, "email") && !*json_text(contact, "phone");
}

/* Has the recorded create happened? The newest contact of that name, not older than the attempt, is ours. */
static enum step look_for_contact(struct sync_work *w)
{
    struct ghl_answer answer;
    struct ghl_call call = sync_call(w);
    json_t *note = w->entry->attempt_note ? json_loads(w->entry->attempt_note, 0, NULL) : NULL;
    const char *name = json_text(note, "name");
    int64_t window = CONTACT_IN_FLIGHT_MS + w->app->config.ghl_timeout_ms;
    enum step step = STEP_NEXT;

    if (ghl_contact_search(w->app->ghl, &call, name, &answer) != GHL_OK) {
        step = sync_stop_answer(w, "contact search", &answer);
        goto out;
    }
    size_t i;
    const json_t *contact;
    int64_t since_s = (clock_wall_ms() - w->entry->attempt_ago_ms) / 1000 - NAMESAKE_SLACK_S, added_s;
    json_array_foreach(json_object_get(answer.json, "contacts"), i, contact)
    {
        const char *id = json_text(contact, "id");
        if (!*id || strlen(id) >= sizeof w->link.contact_id || !is_named(contact, name) ||
            !clock_parse_iso(json_text(contact, "dateAdded"), &added_s) || added_s < since_s)
            continue;
        memcpy(w->link.contact_id, id, strlen(id) + 1);
        sync_holds(w, PLAN_CONTACT);
        step = sync_progress(
            w, &(struct store_progress){.contact_id = id, .clear_attempt = true, .lease_ms = SYNC_LEASE_MS});
        w->entry->attempt = STORE_ATTEMPT_NONE;
        goto out;
    }
    if (w->entry->attempt_age_ms < window)
        step = sync_stop_retry(
            w, window - w->entry->attempt_age_ms < 30000 ? window - w->entry->attempt_age_ms : 30000, false,
            "in_flight");
out:
    ghl_answer_free(&answer);
    json_decref(note);
    return step;
}

static enum step create(struct sync_work *w)
{
    struct ghl_answer answer;
    json_t *contact = json_deep_copy(w->plan.contact);
    char full[512];

    if (!contact ||
        (*w->plan.source && json_object_set_new(contact, "source", json_string(w->plan.source)) != 0)) {
        json_decref(contact);
        return sync_stop_retry(w, CONTACT_BUSY_RETRY_MS, true, "out_of_memory");
    }
    full_name(contact, full, sizeof full);
    json_t *note = json_pack("{ss}", "name", full);
    char *text = note ? json_dumps(note, JSON_COMPACT) : NULL;
    json_decref(note);
    if (!text) {
        json_decref(contact);
        return sync_stop_retry(w, CONTACT_BUSY_RETRY_MS, true, "out_of_memory");
    }
    struct ghl_call call = sync_call(w);
    call.send_deadline_mono_ms = clock_mono_ms() + CONTACT_SEND_MS; /* from before it is recorded */
    enum step step = sync_progress(w, &(struct store_progress){.attempt = STORE_ATTEMPT_CONTACT,
                                                               .attempt_note = text,
                                                               .lease_ms = SYNC_LEASE_MS});
    free(text);
    if (step == STEP_STOP) {
        json_decref(contact);
        return step;
    }
    bool again = false; /* without what GHL did not take */
    enum ghl_result result = ghl_contact_create(w->app->ghl, &call, contact, &answer);
    if (result == GHL_OK) {
        memcpy(w->link.contact_id, answer.id, sizeof answer.id);
        sync_holds(w, PLAN_CONTACT);
        step =
            sync_progress(w, &(struct store_progress){
                                 .contact_id = answer.id, .clear_attempt = true, .lease_ms = SYNC_LEASE_MS});
    } else {
        again = drop_refused(w, w->plan.contact, &answer);
        if (!again)
            step = sync_stop_answer(w, "contact create", &answer);
        if (result != GHL_LOST && !sync_may_have_happened(&answer) &&
            store_progress(w->app->store, w->entry->key, w->entry->token,
                           &(struct store_progress){.clear_attempt = true, .lease_ms = SYNC_LEASE_MS},
                           NULL) == STORE_UNAVAILABLE) {
            step = sync_stop(w, END_LEAVE, "store_unavailable");
            again = false;
        }
    }
    ghl_answer_free(&answer);
    json_decref(contact);
    return again ? create(w) : step;
}

/* Known and changed, without email and phone: GHL cannot find it by itself. */
static enum step update(struct sync_work *w)
{
    struct ghl_answer answer;
    struct ghl_call call = sync_call(w);
    enum step step = STEP_NEXT;

    switch (ghl_contact_update(w->app->ghl, &call, w->link.contact_id, w->plan.contact, &answer)) {
    case GHL_OK: sync_holds(w, PLAN_CONTACT); break;
    case GHL_GONE:
        ghl_answer_free(&answer);
        w->link.contact_id[0] = '\0';
        return create(w);
    default:
        if (drop_refused(w, w->plan.contact, &answer)) {
            ghl_answer_free(&answer);
            return update(w);
        }
        step = sync_stop_answer(w, "contact update", &answer);
        break;
    }
    ghl_answer_free(&answer);
    return step;
}

/* The contact without email and phone of an order that the store does not remember: GHL cannot match it, but
 * that one of its name is this order's which has this order's card. */
static enum step find_by_card(struct sync_work *w)
{
    struct ghl_answer answer;
    struct ghl_call call = sync_call(w);
    char full[512], card[GHL_ID_SIZE] = "";
    enum step step = STEP_NEXT;
    const json_t *contact;
    size_t i, looked = 0;

    full_name(w->plan.contact, full, sizeof full);
    if (ghl_contact_search(w->app->ghl, &call, full, &answer) != GHL_OK)
        step = sync_stop_answer(w, "contact search", &answer);
    json_array_foreach(step == STEP_NEXT ? json_object_get(answer.json, "contacts") : NULL, i, contact)
    {
        const char *id = json_text(contact, "id");
        if (!*id || strlen(id) >= sizeof w->link.contact_id || !is_named(contact, full))
            continue;
        if (looked++ == NAMESAKES_MAX)
            break;
        step = sync_find_card(w, id, card);
        if (step == STEP_STOP)
            break;
        if (*card) {
            memcpy(w->link.contact_id, id, strlen(id) + 1);
            break;
        }
    }
    ghl_answer_free(&answer);
    return step;
}

/* A state that creates nothing, of an order that may have a card from before the store was born: the contact
 * is only looked for. Without one there is no card, and nothing to do. */
static enum step find_only(struct sync_work *w)
{
    struct ghl_answer answer;
    struct ghl_call call = sync_call(w);
    const char *email = plan_email(&w->plan), *phone = plan_phone(&w->plan);
    enum step step = STEP_NEXT;

    if (!*email && !*phone) {
        if (!plan_name_new_contact(&w->plan))
            return sync_stop_retry(w, CONTACT_BUSY_RETRY_MS, true, "out_of_memory");
        step = find_by_card(w);
        return step == STEP_NEXT && !w->link.contact_id[0] ? sync_stop(w, END_FINISH, "never_sold") : step;
    }
    if (ghl_contact_find(w->app->ghl, &call, email, phone, &answer) != GHL_OK)
        step = sync_stop_answer(w, "contact look-up", &answer);
    else if (!answer.id[0])
        step = sync_stop(w, END_FINISH, "never_sold");
    else
        memcpy(w->link.contact_id, answer.id, sizeof answer.id);
    ghl_answer_free(&answer);
    return step;
}

static enum step by_name(struct sync_work *w)
{
    if (!w->link.contact_id[0] && !plan_name_new_contact(&w->plan))
        return sync_stop_retry(w, CONTACT_BUSY_RETRY_MS, true, "out_of_memory");
    if (w->entry->attempt == STORE_ATTEMPT_CONTACT && !w->link.contact_id[0]) {
        if (look_for_contact(w) == STEP_STOP)
            return STEP_STOP;
        if (w->link.contact_id[0])
            return STEP_NEXT;
    }
    if (w->entry->look_first && !w->link.contact_id[0] && find_by_card(w) == STEP_STOP)
        return STEP_STOP;
    return w->link.contact_id[0] ? update(w) : create(w);
}

enum step sync_contact(struct sync_work *w)
{
    struct customer customer;

    if (!w->plan.contact || (w->link.contact_id[0] && !sync_differs(w, PLAN_CONTACT)))
        return STEP_NEXT;
    if (w->entry->look_first && !w->entry->sold && !outcome_creates(w->plan.outcome) &&
        !w->link.contact_id[0])
        return find_only(w);
    if (sync_fields(w, FIELDS_CONTACT, w->plan.contact, NULL) == STEP_STOP)
        return STEP_STOP;
    log_phone(w);
    if (!*plan_email(&w->plan) && !*plan_phone(&w->plan))
        return by_name(w);
    if (lock_customer(w, &customer) == STEP_STOP)
        return STEP_STOP;
    bool older = w->plan.created_s > 0 && customer.newest_s > w->plan.created_s;
    enum step step = upsert(w, older);
    unlock_customer(w, &customer, step == STEP_NEXT && !older);
    return step;
}

enum step sync_contact_again(struct sync_work *w)
{
    w->link.contact_id[0] = '\0';
    w->tags_added = w->tags_removed = false;
    memset(w->link.part_hash[PLAN_CONTACT], 0, DIGEST_HEX_SIZE);
    memset(w->link.part_hash[PLAN_TAGS], 0, DIGEST_HEX_SIZE);
    if (sync_progress(w, &(struct store_progress){.contact_id = "",
                                                  .replace_contact = true,
                                                  .lease_ms = SYNC_LEASE_MS}) == STEP_STOP)
        return STEP_STOP;
    return sync_contact(w);
}
