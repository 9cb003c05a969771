/* A contact with neither email nor phone: GHL cannot match it, so its create must not happen twice. */
#include "base/clock.h"
#include "base/text.h"
#include "sync/sync_work.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NAMESAKE_SLACK_S 600 /* between GHL's clock and ours; one of yesterday is another */

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
    int64_t ago_s = (store_now_ms(w->app->store) - attempt->at_ms) / 1000, left_ms = sync_in_flight_ms(w),
            added_s;
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
    return step == STEP_NEXT && left_ms > 0 ? sync_stop_in_flight(w, left_ms) : step;
}

enum step sync_contact_settle(struct sync_work *w)
{
    json_t *note;

    if (sync_attempt_note(w, &note) == STEP_STOP)
        return STEP_STOP;
    enum step step = look_for_contact(w, json_text(note, "name"));
    json_decref(note);
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
        text_copy(w->link.contact, sizeof w->link.contact, answer.id);
        w->link.made = true;
        sync_tags_seen(w, json_object_get(answer.json, "contact"));
        step = sync_learn(w, answer.id, "");
    } else {
        step = sync_attempt_answered(w, &answer);
        *again = step == STEP_NEXT && sync_drop_refused(w, "contact", contact, &answer);
        if (*again &&
            w->work->record.attempt.kind == ATTEMPT_CONTACT) /* refused: it may be there all the same */
            step = look_for_contact(w, full);
        else if (step == STEP_NEXT && !*again)
            step = sync_stop_answer(w, "contact create", &answer);
        *again = *again && step == STEP_NEXT && !w->link.contact[0];
    }
    ghl_answer_free(&answer);
    return step;
}

enum step sync_contact_create(struct sync_work *w)
{
    bool named = plan_name_new_contact(&w->planned->plan);
    json_t *contact = named ? json_deep_copy(w->plan->contact) : NULL;
    enum step step = STEP_NEXT;

    if (!contact ||
        (*w->plan->source && json_object_set_new(contact, "source", json_string(w->plan->source)) != 0)) {
        json_decref(contact);
        return sync_stop_memory(w);
    }
    for (bool again = true; again && step == STEP_NEXT;)
        step = send_create(w, contact, &again);
    json_decref(contact);
    return step;
}
