/* The search for an order's opportunity, and who owns one. */
#include "base/clock.h"
#include "base/text.h"
#include "sync/sync_work.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONTACTS_MAX 8 /* that are looked at */

enum step sync_wanted(struct sync_work *w, struct sync_wanted *wanted, char field_room[GHL_ID_SIZE])
{
    struct ghl_answer answer;
    struct ghl_call call = sync_call(w);
    enum step step = STEP_NEXT;

    *wanted = (struct sync_wanted){
        .name = config_name_is_unique(&w->app->config) ? json_text(w->plan->opportunity, "name") : "",
        .field = field_room,
        .contact = ""};
    if (fields_mark(w->app->ghl, &call, &w->cache, field_room, &answer) != GHL_OK)
        step = sync_stop_answer(w, "custom fields", &answer);
    ghl_answer_free(&answer);
    return step;
}

/* Does the key stand for this very order? It may have stood under another name of its shop. */
static bool is_this_order(const struct sync_work *w, const char *key)
{
    const char *order_key = w->work->record.order_key;
    struct store_reply *reply;
    bool same;

    if (!strcmp(key, w->work->key)) /* the plan's may be another order's, under the same id */
        return true;
    reply = *order_key ? malloc(sizeof *reply) : NULL;
    same = reply && store_read(w->app->store, key, NULL, reply) == STORE_OK && reply->order.version &&
           !strcmp(reply->order.order_key, order_key);
    free(reply);
    return same;
}

/* A mark decides, whatever the name; an opportunity without one may be from a time before GHL_ORDER_FIELD was set. */
bool sync_is_wanted(const struct sync_work *w, const json_t *opportunity, const struct sync_wanted *wanted)
{
    const char *mark = fields_value(opportunity, wanted->field);
    int64_t created_s;

    if (wanted->not_before_s && clock_parse_iso(json_text(opportunity, "createdAt"), &created_s) &&
        created_s < wanted->not_before_s)
        return false;
    if (*mark)
        return is_this_order(w, mark);
    return *wanted->name && !strcmp(json_text(opportunity, "name"), wanted->name);
}

/* The first of them that is wanted and that no other order owns. */
static enum step choose(struct sync_work *w, const json_t *list, const struct sync_wanted *wanted,
                        struct sync_found *found)
{
    size_t i;
    const json_t *opportunity;

    json_array_foreach(list, i, opportunity)
    {
        char its_id[GHL_ID_SIZE];
        if (!sync_is_wanted(w, opportunity, wanted))
            continue;
        /* It is there and nothing can be done with it: none is made beside it. */
        if (!ghl_take_id(json_text(opportunity, "id"), its_id)) {
            snprintf(w->why, sizeof w->why,
                     "GHL shows an opportunity of this order whose id is none (1 to %d letters and digits)",
                     GHL_ID_SIZE - 1);
            return sync_stop(w, SYNC_END_REFUSE, "bad_id");
        }
        switch (sync_own(w, its_id, OWNER_TAKE)) {
        case STORE_OK:
            memcpy(found->id, its_id, sizeof its_id);
            (void)ghl_take_id(json_text(opportunity, "contactId"), found->contact);
            return STEP_NEXT;
        case STORE_NONE: break;
        default: return sync_stop(w, SYNC_END_LEAVE, "store_unavailable");
        }
    }
    return STEP_NEXT;
}

static enum step look(struct sync_work *w, const char *contact, const char *text,
                      const struct sync_wanted *wanted, struct sync_found *found)
{
    struct ghl_answer answer;
    struct ghl_call call = sync_call(w);
    enum step step = STEP_NEXT;
    enum ghl_result result = ghl_opportunity_search(w->app->ghl, &call, contact, text, &answer);

    if (result == GHL_OK)
        step = choose(w, answer.json, wanted, found);
    else if (result != GHL_GONE) /* the contact is gone: what hung on it is gone, or was moved to another */
        step = sync_stop_answer(w, "opportunity search", &answer);
    ghl_answer_free(&answer);
    return step;
}

enum step sync_find_contact(struct sync_work *w, const char *email, const char *phone,
                            struct sync_known *known)
{
    struct ghl_answer answer;
    struct ghl_call call = sync_call(w);
    enum step step = STEP_NEXT;

    *known = (struct sync_known){0};
    if (!*email && !*phone)
        return STEP_NEXT;
    enum ghl_result result = ghl_contact_find(w->app->ghl, &call, email, phone, &answer);
    if (result == GHL_REFUSED && answer.says_why) {
        struct log_about about = {
            .order = w->work->key, .status = answer.status, .trace_id = answer.trace_id};
        known->refused = true;
        log_event(w->app->log, LOG_LEVEL_WARN, "degraded", &about,
                  "GHL looks for no contact with this %s: %s", *email ? "email" : "phone", answer.message);
    } else if (result == GHL_OK) {
        memcpy(known->id, answer.id, sizeof answer.id);
        text_copy(known->email, sizeof known->email,
                  json_text(json_object_get(answer.json, "contact"), "email"));
    } else {
        step = sync_stop_answer(w, "contact look-up", &answer);
    }
    ghl_answer_free(&answer);
    return step;
}

enum step sync_search(struct sync_work *w, const struct sync_wanted *wanted, struct sync_found *found)
{
    char contacts[sizeof w->link.former + 3 * RECORD_ID_SIZE + 4], *rest = NULL;
    struct sync_known now = {0};
    enum step step = STEP_NEXT;
    int looked = 0;

    *found = (struct sync_found){0};
    /* In every pipeline and with whatever contact: a workflow or a person may have moved it. */
    if (*wanted->name)
        step = look(w, "", wanted->name, wanted, found);
    /* A person may have given it another name; the mark still tells. */
    if (step == STEP_NEXT && !*found->id && *wanted->field && !w->link.contact[0])
        step = sync_find_contact(w, plan_email(w->plan), plan_phone(w->plan), &now);
    snprintf(contacts, sizeof contacts, "%s %s %s %s", w->link.contact, now.id,
             strcmp(wanted->contact, w->link.contact) != 0 ? wanted->contact : "",
             w->work->record.link.former);
    for (char *contact = strtok_r(contacts, " ", &rest);
         contact && !*found->id && step == STEP_NEXT && looked++ < CONTACTS_MAX;
         contact = strtok_r(NULL, " ", &rest))
        step = look(w, contact, "", wanted, found);
    return step;
}

/* -- who owns an opportunity -- */

/* An order without a date is of now, and so is one of later: a date that somebody typed must not keep the
 * opportunity from every order until then. */
static int64_t order_date(const struct sync_work *w)
{
    int64_t now_s = clock_wall_ms() / 1000;
    return w->plan->created_s > 0 && w->plan->created_s < now_s ? w->plan->created_s : now_s;
}

enum store_result sync_own(struct sync_work *w, const char *opportunity, enum sync_owner how)
{
    struct store *store = w->app->store;
    char name[RECORD_ID_SIZE + 16], mine[RECORD_KEY_SIZE + 32], *kept = NULL;
    const char *key = NULL;
    int64_t ttl_ms = w->app->config.link_ttl_ms;
    enum store_result result;

    snprintf(name, sizeof name, "owner/%s", opportunity);
    snprintf(mine, sizeof mine, "%" PRId64 " %s", order_date(w), w->work->key);
    result = how == OWNER_LOOK ? store_get(store, name, &kept)
                               : store_put_absent(store, name, mine, ttl_ms, &kept);
    if (result == STORE_NONE)
        return STORE_OK; /* it is free */
    if (result != STORE_OK)
        return result;
    int64_t its_date = text_number(kept, &key);
    bool is_mine = *key == ' ' && (!strcmp(key + 1, w->work->key) || is_this_order(w, key + 1));
    bool newer = !is_mine && how == OWNER_TAKE_OVER && its_date <= order_date(w);
    free(kept);
    if (newer)
        result = store_put(store, name, mine, ttl_ms);
    return newer ? result : is_mine ? STORE_OK : STORE_NONE;
}
