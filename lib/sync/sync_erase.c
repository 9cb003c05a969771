/* The contact of a customer whom the shop erased: GHL_ON_ERASE. */
#include "base/text.h"
#include "sync/sync_work.h"
#include <stdio.h>
#include <string.h>

#define DONE "erased" /* instead of the contact part's hash: it is emptied */
#define PREFIX_SIZE (sizeof ORDERS_OF_CONTACT + RECORD_ID_SIZE + 1)
#define STAYS                                                                                                \
    "its email and country, which GHL does not take empty, its company, notes and tags stay: "               \
    "a person must change them in GHL"

static struct log_about about(const struct sync_work *w)
{
    return (struct log_about){.order = w->work->key, .ghl_id = w->link.contact};
}

/* The store lost its memory once. Only of a contact that was made since then all orders are known. */
static bool may_have_forgotten(const struct sync_work *w)
{
    int64_t lost_ms = w->app->orders.location.lost_ms;

    return lost_ms && !(w->link.made && w->work->record.created_s * 1000 > lost_ms);
}

/* Has the contact an order that is not erased? This one is marked first: of two that are erased at once, one sees that
 * both are. OK = none, NONE = there is one. */
static enum store_result has_only_erased(struct sync_work *w)
{
    char prefix[PREFIX_SIZE], own[PREFIX_SIZE + RECORD_KEY_SIZE];
    const char *value;
    size_t at = 0;
    struct buf orders;

    snprintf(prefix, sizeof prefix, ORDERS_OF_CONTACT "%s/", w->link.contact);
    snprintf(own, sizeof own, "%s%s", prefix, w->work->key);
    buf_init(&orders, STORE_BLOB_MAX);
    enum store_result result = store_put(w->app->store, own, ORDERS_ERASED, w->app->config.link_ttl_ms);
    if (result == STORE_OK)
        result = store_values(w->app->store, prefix, &orders);
    while (result == STORE_OK && store_next_value(&orders, &at, &value))
        if (strcmp(value, ORDERS_ERASED) != 0)
            result = STORE_NONE;
    buf_free(&orders);
    return result;
}

/* What a plan may have put into the contact, empty; without those of which is known that GHL takes them not empty. */
static json_t *empty_fields(const struct sync_work *w)
{
    static const char *const fields[] = {"firstName", "lastName", "phone",     "address1",
                                         "city",      "state",    "postalCode"};
    const struct pair_list *custom = &w->app->config.contact_fields;
    json_t *body = json_object(), *own = custom->count ? json_object() : NULL;
    bool good = body && (own || !custom->count);

    for (size_t i = 0; good && i < sizeof fields / sizeof *fields; i++)
        good = json_object_set_new(body, fields[i], json_string("")) == 0;
    for (size_t i = 0; good && i < custom->count; i++)
        good = json_object_set_new(own, custom->item[i].key, json_pack("[ss]", "", "")) == 0;
    if (good && own)
        good = json_object_set(body, "customFields", own) == 0;
    json_decref(own);
    return json_if(good, body);
}

static enum step send_empty(struct sync_work *w, json_t *body)
{
    struct log_about of = about(w);
    struct ghl_answer answer;
    struct ghl_call call = sync_call(w);
    enum step step = STEP_NEXT;

    if (!json_object_size(body))
        return STEP_NEXT;
    sync_writes(w, PLAN_CONTACT);
    enum ghl_result result = ghl_contact_empty(w->app->ghl, &call, w->link.contact, body, &answer);
    sync_wrote(w, PLAN_CONTACT, &answer);
    bool again = result != GHL_OK && sync_drop_refused(w, "contact", body, &answer);
    if (result == GHL_OK || result == GHL_GONE) {
        text_copy(w->link.part[PLAN_CONTACT], RECORD_SHORT_SIZE, DONE);
        log_event(w->app->log, LOG_LEVEL_WARN, "erased", &of,
                  "GHL_ON_ERASE=blank: the fields of the contact were emptied, but for those that GHL did "
                  "not take empty (\"left out\" above); " STAYS);
    } else if (!again) {
        step = sync_stop_answer(w, "contact, to be emptied", &answer);
    }
    ghl_answer_free(&answer);
    return again ? send_empty(w, body) : step;
}

static enum step blank(struct sync_work *w)
{
    json_t *body = empty_fields(w);
    enum step step = body ? sync_fields(w, FIELDS_CONTACT, body, NULL) : sync_stop_memory(w);

    if (step == STEP_NEXT)
        step = send_empty(w, body);
    json_decref(body);
    return step;
}

static enum step delete_contact(struct sync_work *w)
{
    struct log_about of = about(w);
    struct ghl_answer answer;
    struct ghl_call call = sync_call(w);
    enum step step = STEP_NEXT;

    sync_writes(w, PLAN_CONTACT);
    enum ghl_result result = ghl_contact_delete(w->app->ghl, &call, w->link.contact, &answer);
    sync_wrote(w, PLAN_CONTACT, &answer);
    if (result == GHL_OK || result == GHL_GONE) {
        log_event(w->app->log, LOG_LEVEL_WARN, "erased", &of,
                  "GHL_ON_ERASE=delete: the contact was deleted in GHL");
        enum store_result lost = orders_lose_contact(&w->app->orders, w->work);
        w->link.contact[0] = w->link.email[0] = '\0';
        if (lost != STORE_OK)
            step = sync_stop_store(w, lost);
    } else {
        step = sync_stop_answer(w, "contact, to be deleted", &answer);
    }
    ghl_answer_free(&answer);
    return step;
}

enum step sync_erase(struct sync_work *w)
{
    struct log_about of = about(w);
    enum on_erase on_erase = w->app->config.on_erase;

    if (!w->plan->erased || on_erase == ON_ERASE_KEEP || !w->link.contact[0] ||
        !strcmp(w->link.part[PLAN_CONTACT], DONE))
        return STEP_NEXT;
    enum store_result only = may_have_forgotten(w) ? STORE_NONE : has_only_erased(w);
    if (only == STORE_NONE)
        log_event(w->app->log, LOG_LEVEL_WARN, "erased", &of,
                  "The shop erased this order's person; GHL's contact stays, because it has, or may have, "
                  "orders that are not erased");
    else if (only != STORE_OK)
        return sync_stop_store(w, only);
    else
        return on_erase == ON_ERASE_BLANK ? blank(w) : delete_contact(w);
    return STEP_NEXT;
}
