#include "plan/plan.h"
#include "base/text.h"
#include "order/contact.h"
#include "order/template.h"
#include "plan/shop.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define VALUE_PLACES 4

/* GHL_NOTE=yes */
#define NOTE_DEFAULT                                                                                         \
    "Order #{number} of {date_created|an unknown day} is {status}.\n"                                        \
    "Items: {items|none}\n"                                                                                  \
    "Total: {total|unknown} {currency}; after refunds: {value|unknown} {currency}\n"                         \
    "Payment: {payment_method_title|none}\n"                                                                 \
    "Customer's note: {customer_note|none}\n"                                                                \
    "{admin_url}"

static bool set(json_t *object, const char *key, const char *value)
{
    return !*value || !json_object_set_new(object, key, json_string(value));
}

/* A template's text, without white space around it. malloc'ed; NULL when it cannot be rendered. */
static char *render_line(const char *template, const struct template_scope *scope, size_t max)
{
    struct buf text;
    buf_init(&text, TEMPLATE_VALUE_MAX);
    char *line =
        template_render(template, scope, max, &text) ? text_tidy(text.data ? text.data : "", max) : NULL;
    buf_wipe(&text);
    return line;
}

/* -- custom fields -- */

/* A field without a value is left out: GHL takes no empty ones. */
static bool add_field(json_t *fields, const struct pair *field, const struct template_scope *scope)
{
    json_t *values = template_values(field->value, scope);
    char *text = values ? render_line(field->value, scope, TEMPLATE_VALUE_MAX) : NULL;
    bool good = text && (!*text || (!json_array_insert_new(values, 0, json_string(text)) &&
                                    !json_object_set(fields, field->key, values)));
    free(text);
    json_decref(values);
    return good;
}

static bool set_fields(json_t *part, const struct pair_list *list, const struct template_scope *scope)
{
    json_t *fields = json_object();
    bool good = fields != NULL;
    for (size_t i = 0; good && i < list->count; i++)
        good = add_field(fields, &list->item[i], scope);
    if (good && json_object_size(fields))
        good = !json_object_set(part, "customFields", fields);
    json_decref(fields);
    return good;
}

/* -- the opportunity -- */

static bool set_name(json_t *opportunity, const struct config *config, const struct template_scope *scope)
{
    char *name = render_line(config->opportunity_name, scope, CONFIG_NAME_MAX);
    bool good = name && set(opportunity, "name", *name ? name : scope->order->id);
    free(name);
    return good;
}

/* The total less the refunds. An amount that is not known is no value: none is better than a wrong one. */
static bool set_value(struct plan *plan, const struct order *order)
{
    struct decimal value;
    char text[DECIMAL_TEXT_SIZE];
    if (!order->has_total || !decimal_add(order->total, order->refunds, &value)) {
        memcpy(plan->amount_note, order->amount_note, sizeof plan->amount_note);
        return true;
    }
    decimal_format(value, VALUE_PLACES, text);
    return !json_object_set_new(plan->opportunity, "monetaryValue", json_decimal(text));
}

static const char *find_stage(const struct config *config, const char *status)
{
    const char *stage = pair_find(&config->stage_map, status);
    return stage ? stage : "";
}

/* What tells nothing of a person, whatever the shop is. */
static const char *const impersonal[] = {"number",       "id",        "shop",        "status", "currency",
                                         "total",        "value",     "refunded",    "items",  "admin_url",
                                         "date_created", "date_paid", "created_via", NULL};

/* Of an erased order a name that tells of a person would tell of the stand-in. */
static bool tells_name(const struct plan *plan, const struct config *config)
{
    return !plan->erased || template_uses_only(config->opportunity_name, impersonal);
}

/* Status and stage, unless the opportunity keeps those it has. */
static bool set_status(struct plan *plan, const struct config *config, const char *status)
{
    return plan->follows ||
           (set(plan->opportunity, "status", outcome_name(plan->outcome)) &&
            (plan->status_only || set(plan->opportunity, "stage", find_stage(config, status))));
}

static bool plan_opportunity(struct plan *plan, const struct config *config,
                             const struct template_scope *scope)
{
    plan->opportunity = json_object();
    if (!plan->opportunity || !set_status(plan, config, scope->order->status))
        return false;
    if (plan->status_only)
        return true;
    return (!tells_name(plan, config) || set_name(plan->opportunity, config, scope)) &&
           set_value(plan, scope->order) &&
           (plan->erased || set_fields(plan->opportunity, &config->opportunity_fields, scope));
}

/* -- tags, note, source -- */

static bool plan_tags(struct plan *plan, const struct config *config, const struct template_scope *scope)
{
    json_t *tags = template_list(config->tags, scope);
    if (json_array_size(tags) > 0)
        plan->tags = json_incref(tags);
    bool good = tags != NULL;
    json_decref(tags);
    return good;
}

/* Of several rules for one status the same tag may come more than once; the limit is that of one list. */
static bool add_distinct(json_t *tags, const json_t *more)
{
    const json_t *tag, *have;
    size_t i, j;
    json_array_foreach(more, i, tag)
    {
        bool there = json_array_size(tags) >= TEMPLATE_LIST_MAX;
        json_array_foreach(tags, j, have) there = there || json_equal(have, tag);
        if (!there && json_array_append(tags, (json_t *)tag) != 0)
            return false;
    }
    return true;
}

static bool plan_tags_remove(struct plan *plan, const struct config *config,
                             const struct template_scope *scope)
{
    if (plan->follows)
        return true; /* these go at a status that the map names */
    bool good = (plan->tags_remove = json_array()) != NULL;
    for (size_t i = 0; good && i < config->tags_remove.count; i++) {
        if (strcmp(config->tags_remove.item[i].key, scope->order->status) != 0)
            continue;
        json_t *tags = template_list(config->tags_remove.item[i].value, scope);
        good = tags && add_distinct(plan->tags_remove, tags);
        json_decref(tags);
    }
    if (good && json_array_size(plan->tags_remove) > 0)
        return true;
    json_decref(plan->tags_remove);
    plan->tags_remove = NULL;
    return good;
}

/* The note shows that a phone was given: the contact has none. */
static bool add_phone_line(const struct plan *plan, struct buf *text)
{
    return !plan->phone_left_out[0] ||
           buf_addf(text, "\nPhone left out, no valid number: %s", plan->phone_left_out);
}

static bool plan_source(struct plan *plan, const struct config *config, const struct template_scope *scope)
{
    bool none = plan->status_only || plan->erased || !strcasecmp(config->source, "no");
    plan->source = none ? strdup("") : render_line(config->source, scope, CONFIG_NAME_MAX);
    return plan->source != NULL;
}

static bool plan_note(struct plan *plan, const struct config *config, const struct template_scope *scope)
{
    if (!*config->note || !strcasecmp(config->note, "no"))
        return true;
    struct buf text;
    buf_init(&text, TEMPLATE_VALUE_MAX + 100);
    bool good = template_render(strcasecmp(config->note, "yes") ? config->note : NOTE_DEFAULT, scope,
                                TEMPLATE_VALUE_MAX, &text);
    while (good && text.len > 0 && strchr(" \t\r\n", text.data[text.len - 1]))
        text.data[--text.len] = '\0';
    if (good && text.len > 0)
        good = add_phone_line(plan, &text) && (plan->note = buf_steal(&text)) != NULL;
    buf_wipe(&text);
    return good;
}

/* -- hashes -- */

/* In place: "http://" becomes "//" like "https://". A shop's links have the scheme of whatever request made the
 * body, which is no news of the order. */
static void drop_schemes(char *text)
{
    static const char *const scheme[] = {"http:", "https:"};
    char *out = text;
    for (const char *s = text; *s;) {
        size_t n = 0;
        for (int i = 0; *s == 'h' && i < 2; i++)
            if (!strncmp(s, scheme[i], strlen(scheme[i])) && !strncmp(s + strlen(scheme[i]), "//", 2))
                n = strlen(scheme[i]);
        s += n;
        *out++ = *s++;
    }
    *out = '\0';
}

static bool hash_json(const json_t *value, const char *label, const unsigned char *key,
                      char out[DIGEST_HEX_SIZE])
{
    char *text = json_canonical(value);
    if (text)
        drop_schemes(text);
    bool good = text && digest_label_hex(key, DIGEST_LEN, label, text, strlen(text), out);
    free(text);
    return good;
}

/* Two halves, so that sync sees which of the two lists is another one. An empty list is zeros. */
static bool hash_tags(struct plan *plan, const unsigned char *key)
{
    const json_t *const list[2] = {plan->tags, plan->tags_remove};
    static const char *const label[2] = {"tags to add", "tags to remove"};
    char *half = plan->part_hash[PLAN_TAGS];
    for (int i = 0; (list[0] || list[1]) && i < 2; i++, half += PLAN_TAGS_HALF) {
        char whole[DIGEST_HEX_SIZE];
        if (!list[i])
            memset(half, '0', PLAN_TAGS_HALF);
        else if (hash_json(list[i], label[i], key, whole))
            memcpy(half, whole, PLAN_TAGS_HALF);
        else
            return false;
    }
    *half = '\0';
    return true;
}

/* The source is told once, with a new opportunity: it is no part of what GHL should hold later. A status alone and a whole
 * opportunity never have one hash, whatever they hold. */
static bool plan_hashes(struct plan *plan, const unsigned char *key)
{
    json_t *note = plan->note ? json_string(plan->note) : NULL;
    bool good = (note || !plan->note) && hash_tags(plan, key) &&
                (!plan->contact || hash_json(plan->contact, "contact", key, plan->part_hash[PLAN_CONTACT])) &&
                (!plan->opportunity ||
                 hash_json(plan->opportunity, plan->status_only ? "opportunity status" : "opportunity", key,
                           plan->part_hash[PLAN_OPPORTUNITY])) &&
                (!note || hash_json(note, "note", key, plan->part_hash[PLAN_NOTE]));
    json_decref(note);
    /* each part has its place, so that two orders whose parts differ never have one fingerprint */
    return good && digest_label_hex(key, DIGEST_LEN, "fingerprint", plan->part_hash, sizeof plan->part_hash,
                                    plan->fingerprint);
}

/* -- the plan -- */

static bool plan_contact(struct plan *plan, const struct config *config, const struct template_scope *scope)
{
    struct contact_notes notes;
    plan->contact = contact_of(scope->order, config->default_country, &notes);
    if (!plan->contact)
        return false;
    memcpy(plan->phone_left_out, notes.phone_left_out, sizeof plan->phone_left_out);
    memcpy(plan->email_left_out, notes.email_left_out, sizeof plan->email_left_out);
    plan->phone_shared = notes.phone_shared;
    if (!*json_text(plan->contact, "firstName") && !*json_text(plan->contact, "lastName")) {
        free(plan->standin_name);
        plan->standin_name = contact_standin_name(plan->contact, scope->order, plan->shop);
    }
    return plan->standin_name && set_fields(plan->contact, &config->contact_fields, scope);
}

static bool plan_content(struct plan *plan, const struct config *config, const struct template_scope *scope)
{
    return plan->status_only || plan->erased ||
           (plan_contact(plan, config, scope) && plan_tags(plan, config, scope) &&
            plan_tags_remove(plan, config, scope) && plan_note(plan, config, scope));
}

/* Statuses of WooCommerce's own: carts that were not sent off, and orders that are not paid. */
static const char *const drafts[] = {"checkout-draft", "auto-draft", "draft", NULL},
                         *const unpaid[] = {"pending", "on-hold", "cancelled", "failed", "trash", NULL};

/* What kind of order it is, and of state. */
static void plan_kind(struct plan *plan, const struct order *order, const struct config *config)
{
    plan->outcome = config_outcome(config, order->status);
    /* only the body of an order.deleted has no status of its own */
    plan->status_only = !json_object_get(order->json, "status");
    plan->follows = !plan->status_only && !text_is_one_of(order->status, drafts) &&
                    !pair_find(&config->status_map, order->status);
    plan->sub_order = order->sub_order && config->sub_orders == SUB_ORDERS_IGNORE;
    plan->unmapped_paid =
        plan->follows && !plan->sub_order && (order->paid_s || !text_is_one_of(order->status, unpaid));
    plan->erased = order->erased;
    plan->sale_s = order->paid_s ? order->paid_s : order->created_s;
}

static bool plan_key(struct plan *plan, const char *shop, const char *id)
{
    plan->shop = strdup(shop);
    plan->standin_name = strdup("");
    if (asprintf(&plan->key, "%s:%s", shop, id) < 0)
        plan->key = NULL;
    return plan->shop && plan->key && plan->standin_name;
}

enum plan_result plan_make(const struct order *order, const char *source, const struct config *config,
                           const unsigned char *hash_key, struct plan *out, struct error *e)
{
    *out = (struct plan){
        .number = order->number, .created_s = order->created_s, .modified_s = order->modified_s};
    const char *shop = shop_of(order, source, config);
    if (!shop) {
        error_set(e,
                  "WOO_SHOPS does not name %s; a staging copy of the shop should not send to this URL, a new "
                  "address of the shop belongs into WOO_SHOPS",
                  *order->link_site ? order->link_site : "the shop of a body without links");
        return PLAN_FOREIGN_SHOP;
    }
    const struct template_scope scope = {order, shop};
    plan_kind(out, order, config);
    if (!plan_key(out, shop, order->id) || !plan_source(out, config, &scope))
        goto failed;
    if (out->outcome == OUTCOME_IGNORE && !out->follows)
        return PLAN_OK;
    if (plan_opportunity(out, config, &scope) && plan_content(out, config, &scope) &&
        plan_hashes(out, hash_key))
        return PLAN_OK;
failed:
    error_set(e,
              "the plan of order %s cannot be made: out of memory, or a template in the settings is not well "
              "formed (woo_ghl check names it)",
              order->id);
    return PLAN_FAILED;
}

void plan_free(struct plan *plan)
{
    json_decref(plan->contact);
    json_decref(plan->tags);
    json_decref(plan->tags_remove);
    json_decref(plan->opportunity);
    free(plan->note);
    free(plan->source);
    free(plan->standin_name);
    free(plan->key);
    free(plan->shop);
    *plan = (struct plan){0};
}

bool plan_is_before(const struct plan *plan, int64_t start_s)
{
    return plan->sale_s > 0 && plan->sale_s < start_s;
}

bool plan_name_new_contact(struct plan *plan)
{
    json_t *contact = plan->contact;
    return *plan_email(plan) || *plan_phone(plan) || !*plan->standin_name ||
           !json_object_set_new(contact, "firstName", json_string(plan->standin_name));
}

const char *plan_email(const struct plan *plan)
{
    return json_text(plan->contact, "email");
}

const char *plan_phone(const struct plan *plan)
{
    return json_text(plan->contact, "phone");
}
