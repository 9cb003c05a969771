#include "base/clock.h"
#include "base/text.h"
#include "order/contact.h"
#include "sync/sync_work.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CONTACT_LEASE_MARGIN_MS 5000 /* beyond the end of the work's last call */
#define CONTACT_WAIT_MS 50           /* between two tries to lock a customer whom another order is writing */
#define CONTACT_WAIT_MAX_MS 3000
#define CONTACT_RETRY_MS 2000
#define NAMESAKE_SLACK_S 600 /* between GHL's clock and ours; one of yesterday is another */
#define NEW_SLACK_S 60       /* the same, for what may have had no source before */
#define NAMESAKES_MAX 20     /* so many contacts of one name, the newest, are looked at for an order's opportunity */
#define IN_FLIGHT_RETRY_MS 30000

/* -- two orders of one customer at once -- */

struct customer {
    char hash[2][RECORD_SHORT_SIZE];
    size_t n;
    int64_t newest_s; /* the newest order date that wrote this contact */
};

static bool hash_customer(const struct sync_work *w, struct customer *c)
{
    const char *value[2] = {plan_email(w->plan), plan_phone(w->plan)};
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
        if (!app_hash(w->app, label[i], lower, c->hash[c->n]))
            return false;
        c->n++;
    }
    /* In sorted order, so that two workers never wait for each other. */
    if (c->n == 2 && strcmp(c->hash[0], c->hash[1]) > 0) {
        char swap[RECORD_SHORT_SIZE];
        memcpy(swap, c->hash[0], sizeof swap);
        memcpy(c->hash[0], c->hash[1], sizeof swap);
        memcpy(c->hash[1], swap, sizeof swap);
    }
    return true;
}

#define NAME_SIZE (RECORD_SHORT_SIZE + 16)
static void lock_name(const struct customer *c, size_t i, char out[NAME_SIZE])
{
    snprintf(out, NAME_SIZE, "customer/%s", c->hash[i]);
}

static void unlock_customer(struct sync_work *w, const struct customer *c, size_t n)
{
    char name[NAME_SIZE];

    for (size_t i = 0; i < n; i++) {
        lock_name(c, i, name);
        if (store_unlock(w->app->store, name, w->work->token) == STORE_UNAVAILABLE)
            log_event(w->app->log, LOG_LEVEL_WARN, "store", NULL,
                      "The store did not take back a customer's lock; it ends by itself: %s",
                      store_trouble(w->app->store));
    }
}

/* All or none. */
static enum store_result try_lock(struct sync_work *w, const struct customer *c)
{
    int64_t ttl_ms = clock_left_ms(w->deadline_mono_ms) + CONTACT_LEASE_MARGIN_MS;
    char name[NAME_SIZE];

    for (size_t i = 0; i < c->n; i++) {
        lock_name(c, i, name);
        enum store_result result = store_lock(w->app->store, name, w->work->token, ttl_ms);
        if (result != STORE_OK) {
            unlock_customer(w, c, i);
            return result;
        }
    }
    return STORE_OK;
}

/* The date of the newest order that wrote this customer. */
static enum store_result read_newest(struct sync_work *w, struct customer *c)
{
    char name[NAME_SIZE], *kept = NULL;

    for (size_t i = 0; i < c->n; i++) {
        snprintf(name, sizeof name, "wrote/%s", c->hash[i]);
        enum store_result result = store_get(w->app->store, name, &kept);
        if (result != STORE_OK && result != STORE_NONE)
            return result;
        int64_t wrote_s = kept ? strtoll(kept, NULL, 10) : 0;
        c->newest_s = wrote_s > c->newest_s ? wrote_s : c->newest_s;
        free(kept);
        kept = NULL;
    }
    return STORE_OK;
}

static enum step lock_customer(struct sync_work *w, struct customer *c)
{
    int64_t give_up = clock_mono_ms() + CONTACT_WAIT_MAX_MS;

    if (!hash_customer(w, c))
        return sync_stop_retry(w, CONTACT_RETRY_MS, false, "out_of_memory");
    for (;;) {
        enum store_result result = try_lock(w, c);
        if (result == STORE_OK && (result = read_newest(w, c)) == STORE_OK)
            return STEP_NEXT;
        if (result != STORE_NONE)
            return sync_stop(w, SYNC_END_LEAVE, "store_unavailable");
        if (clock_mono_ms() > give_up || clock_left_ms(w->deadline_mono_ms) == 0 ||
            !clock_sleep_ms(CONTACT_WAIT_MS, w->app->stop))
            return sync_stop_retry(w, CONTACT_RETRY_MS, false, "contact_busy");
    }
}

static void note_wrote(struct sync_work *w, const struct customer *c)
{
    /* An order without a date counts as the newest there is known; neither it nor one of later must make
     * later ones look old. */
    int64_t now_s = clock_wall_ms() / 1000,
            wrote_s = w->plan->created_s > now_s ? now_s : w->plan->created_s;
    char name[NAME_SIZE], text[24];

    if (wrote_s <= c->newest_s)
        return;
    snprintf(text, sizeof text, "%" PRId64, wrote_s);
    for (size_t i = 0; i < c->n; i++) {
        snprintf(name, sizeof name, "wrote/%s", c->hash[i]);
        if (store_put(w->app->store, name, text, w->app->config.link_ttl_ms) != STORE_OK)
            log_event(w->app->log, LOG_LEVEL_WARN, "store", NULL,
                      "The store did not keep which order wrote this customer last: %s",
                      store_trouble(w->app->store));
    }
}

/* -- the contact itself -- */

/* What is sent of the contact. An older order than the one that wrote it last overwrites nothing: it only
 * finds the contact. */
static json_t *contact_body(const struct sync_work *w, bool older)
{
    if (!older)
        return json_deep_copy(w->plan->contact);
    const char *email = plan_email(w->plan);
    return *email ? json_pack("{ss}", "email", email) : json_pack("{ss}", "phone", plan_phone(w->plan));
}

/* Also one whose first answer was lost: then GHL says that it knows the contact, which came into being since
 * the order was accepted, and has no source. */
static bool is_new(const struct sync_work *w, const struct ghl_answer *answer)
{
    const json_t *contact = json_object_get(answer->json, "contact");
    int64_t accepted_s = (clock_wall_ms() - (store_now_ms(w->app->store) - w->work->record.current.accepted_ms)) / 1000, added_s;

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
    json_t *body = json_pack("{ss}", "source", w->plan->source);

    if (body) {
        if (ghl_contact_update(w->app->ghl, &call, w->link.contact, body, &answer) != GHL_OK) {
            struct log_about about = {.order = w->plan->key, .status = answer.status};
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
    struct log_about about = {.order = w->plan->key};
    if (w->plan->phone_left_out[0])
        log_event(w->app->log, LOG_LEVEL_INFO, "phone", &about,
                  "The phone %s is not complete, or not one of its country: the contact gets none",
                  w->plan->phone_left_out);
}

/* GHL gave this contact. */
static void take_contact(struct sync_work *w, const struct ghl_answer *answer)
{
    if (strcmp(w->link.contact, answer->id) != 0) /* another's tags and notes say nothing of it */
        w->link.part[PLAN_TAGS][0] = w->link.part[PLAN_NOTE][0] = '\0';
    text_copy(w->link.contact, sizeof w->link.contact, answer->id);
    sync_tags_seen(w, json_object_get(answer->json, "contact"));
}

/* Upserts; an optional field that GHL does not take is left out, once each. *bare: neither email nor phone is left. */
static enum step upsert(struct sync_work *w, json_t *body, bool *bare)
{
    struct ghl_answer answer;
    struct ghl_call call = sync_call(w);

    *bare = !json_object_get(body, "email") && !json_object_get(body, "phone");
    if (*bare)
        return STEP_NEXT;
    sync_writes(w, PLAN_CONTACT);
    enum ghl_result result = ghl_contact_upsert(w->app->ghl, &call, body, &answer);
    sync_wrote(w, PLAN_CONTACT, &answer);
    bool again = result != GHL_OK && sync_drop_refused(w, "contact", body, &answer);
    enum step step = STEP_NEXT;
    if (result == GHL_OK) {
        take_contact(w, &answer);
        if (*w->plan->source && is_new(w, &answer))
            tell_source(w);
    } else if (!again) {
        step = sync_stop_answer(w, "contact", &answer);
    }
    ghl_answer_free(&answer);
    return again ? upsert(w, body, bare) : step;
}

/* -- a contact with neither email nor phone: a create that must not happen twice -- */

static void full_name(const json_t *contact, char *out, size_t size)
{
    const char *first = json_text(contact, "firstName"), *last = json_text(contact, "lastName"),
               *name = json_text(contact, "name");

    if (*first || *last)
        snprintf(out, size, "%s%s%s", first, *first && *last ? " " : "", last);
    else
        snprintf(out, size, "%s", name);
}

/* GHL's search is one for a text anywhere: a contact that only resembles it is somebody else. */
static bool is_named(const json_t *contact, const char *name)
{
    char full[512];

    full_name(contact, full, sizeof full);
    return !strcasecmp(full, name) && !*json_text(contact, "email") && !*json_text(contact, "phone");
}

/* Has the recorded create happened? The newest contact of that name, not older than the attempt, is ours. */
static enum step look_for_contact(struct sync_work *w, const char *name)
{
    const struct order_attempt *attempt = &w->work->record.attempt;
    int64_t ago_s = (store_now_ms(w->app->store) - attempt->at_ms) / 1000, left_ms = sync_in_flight_ms(w), added_s;
    int64_t since_s = clock_wall_ms() / 1000 - ago_s - NAMESAKE_SLACK_S;
    struct ghl_answer answer;
    struct ghl_call call = sync_call(w);
    enum step step = STEP_NEXT;
    char id[GHL_ID_SIZE] = "";
    const json_t *contact;
    size_t i;

    if (ghl_contact_search(w->app->ghl, &call, name, &answer) != GHL_OK)
        step = sync_stop_answer(w, "contact search", &answer);
    json_array_foreach(step == STEP_NEXT ? json_object_get(answer.json, "contacts") : NULL, i, contact)
    {
        if (!*id && is_named(contact, name) && clock_parse_iso(json_text(contact, "dateAdded"), &added_s) &&
            added_s >= since_s)
            (void)ghl_take_id(json_text(contact, "id"), id);
    }
    ghl_answer_free(&answer);
    if (*id) {
        sync_holds(w, PLAN_CONTACT);
        return sync_learn(w, id, "");
    }
    if (step == STEP_NEXT && left_ms > 0)
        step = sync_stop_retry(w, left_ms < IN_FLIGHT_RETRY_MS ? left_ms : IN_FLIGHT_RETRY_MS, false, "in_flight");
    return step;
}

static enum step settle_attempt(struct sync_work *w)
{
    char *text = NULL;
    enum store_result result = orders_attempt_note(&w->app->orders, w->work, &text);

    if (result == STORE_UNAVAILABLE)
        return sync_stop(w, SYNC_END_LEAVE, "store_unavailable");
    json_t *note = text ? json_loads(text, 0, NULL) : NULL;
    enum step step = look_for_contact(w, json_text(note, "name"));
    json_decref(note);
    free(text);
    return step;
}

/* One POST, recorded before it is sent. */
static enum step send_create(struct sync_work *w, json_t *contact, bool *again)
{
    struct ghl_answer answer;
    struct ghl_call call = sync_call(w);
    char full[512];

    *again = false;
    full_name(contact, full, sizeof full);
    json_t *note = json_pack("{ss}", "name", full);
    call.send_deadline_mono_ms = clock_mono_ms() + WRITE_SEND_MS; /* from before it is recorded */
    enum step step = sync_attempt(w, ATTEMPT_CONTACT, note);
    json_decref(note);
    if (step == STEP_STOP)
        return step;
    if (ghl_contact_create(w->app->ghl, &call, contact, &answer) == GHL_OK) {
        sync_wrote(w, PLAN_CONTACT, &answer);
        take_contact(w, &answer);
        step = sync_learn(w, answer.id, "");
    } else {
        step = sync_attempt_answered(w, &answer);
        *again = step == STEP_NEXT && sync_drop_refused(w, "contact", contact, &answer);
        if (*again && w->work->record.attempt.kind == ATTEMPT_CONTACT) /* refused: it may be there all the same */
            step = look_for_contact(w, full);
        else if (step == STEP_NEXT && !*again)
            step = sync_stop_answer(w, "contact create", &answer);
        *again = *again && step == STEP_NEXT && !w->link.contact[0];
    }
    ghl_answer_free(&answer);
    return step;
}

static enum step create(struct sync_work *w)
{
    json_t *contact = json_deep_copy(w->plan->contact);
    enum step step = STEP_NEXT;

    if (!contact || (*w->plan->source &&
                     json_object_set_new(contact, "source", json_string(w->plan->source)) != 0)) {
        json_decref(contact);
        return sync_stop_retry(w, CONTACT_RETRY_MS, true, "out_of_memory");
    }
    for (bool again = true; again && step == STEP_NEXT;)
        step = send_create(w, contact, &again);
    json_decref(contact);
    return step;
}

/* -- a contact that this order has -- */

/* `body` is what to tell it. */
static enum step update(struct sync_work *w, json_t *body)
{
    struct ghl_answer answer;
    struct ghl_call call = sync_call(w);
    enum step step = STEP_NEXT;

    sync_writes(w, PLAN_CONTACT);
    enum ghl_result result = ghl_contact_update(w->app->ghl, &call, w->link.contact, body, &answer);
    sync_wrote(w, PLAN_CONTACT, &answer);
    bool again = result != GHL_OK && sync_drop_refused(w, "contact", body, &answer);
    if (result == GHL_GONE)
        step = STEP_CONTACT_GONE;
    else if (result != GHL_OK && !again)
        step = sync_stop_answer(w, "contact update", &answer);
    ghl_answer_free(&answer);
    return again ? update(w, body) : step;
}

static enum step by_name(struct sync_work *w)
{
    if (w->work->record.attempt.kind == ATTEMPT_CONTACT && !w->link.contact[0] && settle_attempt(w) == STEP_STOP)
        return STEP_STOP;
    if (!w->link.contact[0])
        return create(w);
    return sync_differs(w, PLAN_CONTACT) ? update(w, w->plan->contact) : STEP_NEXT;
}

/* The opportunity that was found says whose it is. A person may have given that contact another email since. */
static enum step of_opportunity(struct sync_work *w)
{
    json_t *body = json_deep_copy(w->plan->contact);

    if (!body)
        return sync_stop_retry(w, CONTACT_RETRY_MS, true, "out_of_memory");
    json_object_del(body, "email");
    json_object_del(body, "phone");
    enum step step = json_object_size(body) ? update(w, body) : STEP_NEXT;
    json_decref(body);
    return step;
}

static enum step by_email_or_phone(struct sync_work *w)
{
    struct customer customer;
    bool bare = false;

    if (lock_customer(w, &customer) == STEP_STOP)
        return STEP_STOP;
    bool older = w->plan->created_s > 0 && customer.newest_s > w->plan->created_s;
    json_t *body = contact_body(w, older);
    enum step step = body ? upsert(w, body, &bare) : sync_stop_retry(w, CONTACT_RETRY_MS, true, "out_of_memory");
    if (step == STEP_NEXT && !bare && !older)
        note_wrote(w, &customer);
    unlock_customer(w, &customer, customer.n);
    json_decref(body);
    if (step != STEP_NEXT || !bare)
        return step;
    /* GHL takes neither email nor phone of it. */
    json_object_del(w->plan->contact, "email");
    json_object_del(w->plan->contact, "phone");
    if (!contact_give_name(w->plan->contact, &w->planned->order, w->plan->shop))
        return sync_stop_retry(w, CONTACT_RETRY_MS, true, "out_of_memory");
    return by_name(w);
}

enum step sync_contact(struct sync_work *w)
{
    if (!w->plan->contact || (w->link.contact[0] && !sync_differs(w, PLAN_CONTACT)))
        return STEP_NEXT;
    if (sync_fields(w, FIELDS_CONTACT, w->plan->contact, NULL) == STEP_STOP)
        return STEP_STOP;
    log_phone(w);
    if (w->found)
        return of_opportunity(w);
    return *plan_email(w->plan) || *plan_phone(w->plan) ? by_email_or_phone(w) : by_name(w);
}
