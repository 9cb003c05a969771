#include "base/clock.h"
#include "base/text.h"
#include "sync/sync_work.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define RETRY_MS 2000
#define NEW_SLACK_S 60 /* between GHL's clock and ours, for what may have had no source before */
#define TOLD_TTL_MS (30LL * 24 * 3600 * 1000)

/* -- what GHL is told beside the fields -- */

/* Also one whose first answer was lost: then GHL says that it knows the contact, which came into being since
 * the order was accepted, and has no source. */
static bool is_new(const struct sync_work *w, const struct ghl_answer *answer)
{
    const json_t *contact = json_object_get(answer->json, "contact");
    int64_t age_ms = store_now_ms(w->app->store) - w->work->record.current.accepted_ms, added_s;

    return answer->created ||
           (!*json_text(contact, "source") && clock_parse_iso(json_text(contact, "dateAdded"), &added_s) &&
            added_s >= (clock_wall_ms() - age_ms) / 1000 - NEW_SLACK_S);
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
            struct log_about about = {.order = w->work->key, .status = answer.status};
            struct error words = ERROR_NONE;
            ghl_explain(&answer, &words);
            log_event(w->app->log, LOG_LEVEL_WARN, "degraded", &about,
                      "The new contact is without its source: %s", words.text);
        }
        ghl_answer_free(&answer);
    }
    json_decref(body);
}

/* A note for the owner on a contact, once. It is no reason to hold up the order. */
static void tell_note(struct sync_work *w, const char *contact, const char *text)
{
    char name[RECORD_ID_SIZE + RECORD_SHORT_SIZE + 8], hash[RECORD_SHORT_SIZE], *kept = NULL;
    struct log_about about = {.order = w->work->key};
    struct ghl_answer answer;
    struct ghl_call call = sync_call(w);

    if (!app_hash(w->app, "note", text, hash))
        return;
    snprintf(name, sizeof name, "told/%s/%s", contact, hash);
    if (store_get(w->app->store, name, &kept) == STORE_NONE) {
        struct error words = ERROR_NONE;
        enum ghl_result result = ghl_note_create(w->app->ghl, &call, contact, text, &answer);
        ghl_explain(&answer, &words);
        if (result != GHL_OK)
            log_event(w->app->log, LOG_LEVEL_WARN, "degraded", &about, "A contact is without a note: %s",
                      words.text);
        else
            app_keep(w->app, name, "1", TOLD_TTL_MS);
        ghl_answer_free(&answer);
    }
    free(kept);
}

static void log_left_out(const struct sync_work *w)
{
    struct log_about about = {.order = w->work->key};

    if (w->plan->phone_left_out[0])
        log_event(w->app->log, LOG_LEVEL_INFO, "phone", &about,
                  "The phone %s is not complete, or not one of its country: the contact gets none",
                  w->plan->phone_left_out);
    if (w->plan->email_left_out[0])
        log_event(w->app->log, LOG_LEVEL_WARN, "email", &about,
                  "The email %s is no address that GHL takes: the contact gets none",
                  w->plan->email_left_out);
}

/* Digits alone: GHL may write a phone in another way. */
static bool same_phone(const char *a, const char *b)
{
    for (;;) {
        a += strcspn(a, "0123456789");
        b += strcspn(b, "0123456789");
        if (*a != *b || !*a)
            return *a == *b;
        a++;
        b++;
    }
}

/* What GHL answers is compared with what was meant: it leaves out without a word what another contact has, or what it
 * does not like. An answer that shows none of it says nothing. */
static void compare(const struct sync_work *w, json_t *sent, const json_t *has)
{
    struct log_about about = {.order = w->work->key};
    bool shown = false;
    const char *field;
    json_t *value;

    json_object_foreach(sent, field, value) shown = shown || json_is_string(json_object_get(has, field));
    json_object_foreach(sent, field, value)
    {
        const char *meant = json_string_value(value), *is = json_text(has, field);
        bool same = meant && (strcmp(field, "phone") ? !strcasecmp(meant, is) : same_phone(meant, is));
        if (shown && meant && !same)
            log_event(w->app->log, LOG_LEVEL_WARN, "differs", &about,
                      "GHL took this order's contact, but its %s is %s: GHL may not like it, or it belongs "
                      "to another contact",
                      field, *is ? "another one" : "not there");
    }
}

/* -- writing a contact -- */

/* GHL gave this contact. */
static void take_contact(struct sync_work *w, json_t *sent, const struct ghl_answer *answer)
{
    const json_t *contact = json_object_get(answer->json, "contact");

    if (strcmp(w->link.contact, answer->id) != 0) { /* another's tags and notes say nothing of it */
        w->link.part[PLAN_TAGS][0] = w->link.part[PLAN_NOTE][0] = '\0';
        w->link.made = is_new(w, answer);
    }
    text_copy(w->link.contact, sizeof w->link.contact, answer->id);
    sync_tags_seen(w, contact);
    compare(w, sent, contact);
    if (*w->plan->source && is_new(w, answer))
        tell_source(w);
}

/* GHL says that another contact has one of these: the known contact goes without it, first without the phone. */
static bool drop_taken(const struct sync_work *w, json_t *body)
{
    const char *field = json_object_get(body, "phone") ? "phone" : "email";
    struct log_about about = {.order = w->work->key};

    if (json_object_del(body, field) != 0)
        return false;
    log_event(
        w->app->log, LOG_LEVEL_WARN, "degraded", &about,
        "Another contact in GHL has this order's %s: it stays there, and this order's contact keeps its own",
        field);
    return true;
}

/* One known contact; nobody else is matched. */
static enum step update(struct sync_work *w, json_t *body)
{
    struct ghl_answer answer;
    struct ghl_call call = sync_call(w);
    enum step step = STEP_NEXT;

    if (!json_object_size(body)) {
        sync_holds(w, PLAN_CONTACT);
        return STEP_NEXT;
    }
    sync_writes(w, PLAN_CONTACT);
    enum ghl_result result = ghl_contact_update(w->app->ghl, &call, w->link.contact, body, &answer);
    sync_wrote(w, PLAN_CONTACT, &answer);
    bool again = result == GHL_DUPLICATE ? drop_taken(w, body)
                                         : result != GHL_OK && sync_drop_refused(w, "contact", body, &answer);
    if (result == GHL_OK)
        compare(w, body, json_object_get(answer.json, "contact"));
    else if (result == GHL_GONE)
        step = STEP_CONTACT_GONE;
    else if (!again)
        step = sync_stop_answer(w, "contact update", &answer);
    ghl_answer_free(&answer);
    return again ? update(w, body) : step;
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
    bool adopted = result == GHL_OK && answer.existing_id[0], email = json_object_get(body, "email") != NULL;
    /* Email is identity: whoever has the phone alone is another. */
    bool again = adopted ? email && json_object_get(body, "phone") && strcmp(answer.field, "email") != 0 &&
                               drop_taken(w, body)
                         : result != GHL_OK && sync_drop_refused(w, "contact", body, &answer);
    enum step step = STEP_NEXT;
    if (result == GHL_OK && !again) {
        take_contact(w, body, &answer);
        if (adopted && email) /* it has nothing of the order yet */
            step = update(w, body);
    } else if (!again) {
        step = sync_stop_answer(w, "contact", &answer);
    }
    ghl_answer_free(&answer);
    return again ? upsert(w, body, bare) : step;
}

/* -- who the customer is -- */

/* The phone is another person's: this contact goes without it, and a note says so. */
static enum step without_phone(struct sync_work *w, json_t *body, bool *bare)
{
    struct log_about about = {.order = w->work->key};
    struct buf text;

    buf_init(&text, 512);
    json_object_del(body, "phone");
    enum step step = upsert(w, body, bare);
    if (step == STEP_NEXT && !*bare) {
        log_event(w->app->log, LOG_LEVEL_WARN, "shared_phone", &about,
                  "Another contact in GHL, with another email, has this order's phone: it stays there, and a "
                  "note on this order's contact says so");
        if (buf_addf(&text, "The phone %s of order #%s belongs to another contact.", plan_phone(w->plan),
                     w->plan->number))
            tell_note(w, w->link.contact, text.data);
    }
    buf_wipe(&text);
    return step;
}

/*
 * Email is identity; a phone alone never merges two people. Upserting both is safe only if nobody with another email has
 * the phone: GHL may match by it, and then replaces that person's email.
 */
static enum step first_contact(struct sync_work *w, json_t *body, bool *bare)
{
    const char *email = plan_email(w->plan), *phone = w->plan->phone_shared ? "" : plan_phone(w->plan);
    struct sync_known by_phone, by_email;

    *bare = false;
    if (w->plan->phone_shared && *email)
        json_object_del(body, "phone");
    if (!*phone)
        return upsert(w, body, bare);
    if (sync_find_contact(w, "", phone, &by_phone) == STEP_STOP)
        return STEP_STOP;
    if (by_phone.refused)
        json_object_del(body, "phone");
    if (!*by_phone.id || (*email && !strcasecmp(by_phone.email, email)) || (!*email && !*by_phone.email))
        return upsert(w, body, bare);
    if (!*email) { /* it is found by its phone, and keeps what it has */
        json_object_clear(body);
        text_copy(w->link.contact, sizeof w->link.contact, by_phone.id);
        sync_holds(w, PLAN_CONTACT);
        return STEP_NEXT;
    }
    if (*by_phone.email)
        return without_phone(w, body, bare);
    if (sync_find_contact(w, email, "", &by_email) == STEP_STOP)
        return STEP_STOP;
    if (*by_email.id)
        return without_phone(w, body, bare);
    text_copy(w->link.contact, sizeof w->link.contact,
              by_phone.id); /* the same person, who had no email yet */
    return update(w, body);
}

/* The other customer whom the order names now, if GHL does not know one yet. What is known of the order's own contact
 * stays as it is. */
static enum step make_other(struct sync_work *w, char other[RECORD_ID_SIZE])
{
    const struct order_link mine = w->link;
    json_t *body = json_deep_copy(w->plan->contact);
    bool bare = false;
    enum step step = body ? first_contact(w, body, &bare) : sync_stop_memory(w);
    int64_t unsettled_ms = w->link.unsettled_ms;

    json_decref(body);
    text_copy(other, RECORD_ID_SIZE, bare ? "" : w->link.contact);
    w->link = mine;
    w->link.unsettled_ms = unsettled_ms;
    w->tags_added = w->tags_removed = false;
    return step == STEP_CONTACT_GONE ? sync_stop_retry(w, RETRY_MS, true, "contact_gone") : step;
}

/* The order names another customer now, and the opportunity cannot be moved: both are told. */
static enum step tell_both(struct sync_work *w, const char *known)
{
    struct log_about about = {.order = w->work->key, .ghl_id = w->link.contact};
    char other[RECORD_ID_SIZE];
    struct buf text;

    text_copy(other, sizeof other, known);
    if (!*other && make_other(w, other) == STEP_STOP)
        return STEP_STOP;
    buf_init(&text, 512);
    if (buf_addf(&text,
                 "Order #%s was given to another customer in the shop; its opportunity cannot be moved.",
                 w->plan->number)) {
        tell_note(w, w->link.contact, text.data);
        if (*other)
            tell_note(w, other, text.data);
    }
    buf_free(&text);
    log_event(w->app->log, LOG_LEVEL_WARN, "other_customer", &about,
              "The order has another customer's email now. GHL's API cannot move its opportunity: it stays "
              "with the contact that it has, and both contacts have a note");
    app_count(w->app, "count/other_customer");
    sync_holds(w, PLAN_CONTACT);
    return STEP_NEXT;
}

/* The order's email was corrected, or added. */
static enum step corrected(struct sync_work *w, json_t *body)
{
    struct sync_known known;

    if (sync_find_contact(w, plan_email(w->plan), "", &known) == STEP_STOP)
        return STEP_STOP;
    bool ours =
        w->link.made || !w->link.email[0]; /* the contact is this order's own, or had no email from it */
    if (!strcmp(known.id, w->link.contact) || (!*known.id && ours))
        return update(w, body);
    if (!w->link.opportunity[0]) { /* nothing hangs on the old one yet */
        bool bare;
        return first_contact(w, body, &bare);
    }
    return tell_both(w, known.id);
}

/* -- the step -- */

/* What is sent of the contact. An older order than the one that wrote it last overwrites nothing: it only
 * finds the contact. */
static json_t *body_of(const struct sync_work *w, bool older)
{
    const char *email = plan_email(w->plan);

    if (!older)
        return json_deep_copy(w->plan->contact);
    return *email ? json_pack("{ss}", "email", email) : json_pack("{ss}", "phone", plan_phone(w->plan));
}

static enum step write_contact(struct sync_work *w, json_t *body, const char *email_hash, bool *bare)
{
    *bare = false;
    if (!w->link.contact[0])
        return first_contact(w, body, bare);
    if (*email_hash && strcmp(email_hash, w->link.email) != 0 && !w->found)
        return corrected(w, body);
    /* Its email is what it was; a person may have given the contact another one since. */
    json_object_del(body, "email");
    if (w->found || w->plan->phone_shared)
        json_object_del(body, "phone");
    return update(w, body);
}

/* GHL takes neither email nor phone of it. */
static enum step by_name(struct sync_work *w)
{
    if (w->work->record.attempt.kind == ATTEMPT_CONTACT && !w->link.contact[0] &&
        sync_contact_settle(w) == STEP_STOP)
        return STEP_STOP;
    if (!w->link.contact[0])
        return sync_contact_create(w);
    return sync_differs(w, PLAN_CONTACT) ? update(w, w->plan->contact) : STEP_NEXT;
}

static enum step by_email_or_phone(struct sync_work *w)
{
    char email_hash[RECORD_SHORT_SIZE];
    struct sync_customer customer;
    bool bare = false;

    if (!app_hash(w->app, "contact email", plan_email(w->plan), email_hash))
        return sync_stop_memory(w);
    if (sync_customer_lock(w, &customer) == STEP_STOP)
        return STEP_STOP;
    bool older = w->plan->created_s > 0 && customer.newest_s > w->plan->created_s;
    json_t *body = body_of(w, older);
    enum step step = body ? write_contact(w, body, email_hash, &bare) : sync_stop_memory(w);
    if (step == STEP_NEXT && !bare && !older)
        sync_customer_wrote(w, &customer);
    sync_customer_unlock(w, &customer);
    json_decref(body);
    if (step == STEP_NEXT && !bare && *email_hash)
        text_copy(w->link.email, sizeof w->link.email, email_hash);
    if (step != STEP_NEXT || !bare)
        return step;
    json_object_del(w->plan->contact, "email");
    json_object_del(w->plan->contact, "phone");
    return by_name(w);
}

enum step sync_contact(struct sync_work *w)
{
    if (!w->plan->contact || (w->link.contact[0] && !sync_differs(w, PLAN_CONTACT)))
        return STEP_NEXT;
    if (sync_fields(w, FIELDS_CONTACT, w->plan->contact, NULL) == STEP_STOP)
        return STEP_STOP;
    log_left_out(w);
    return *plan_email(w->plan) || *plan_phone(w->plan) ? by_email_or_phone(w) : by_name(w);
}
