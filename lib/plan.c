#include "plan.h"
#include "phone.h"
#include "template.h"
#include "text.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FIELD_MAX 255 /* bytes of one contact field */
#define EMAIL_MAX 254 /* RFC 5321 */
#define TAG_MAX 100
#define TAGS_MAX 50
#define NAME_MAX_BYTES 255
#define VALUE_PLACES 4

/* -- small helpers -- */

static bool set(json_t *object, const char *key, const char *value)
{
    return !*value || json_object_set_new(object, key, json_string(value)) == 0;
}

/* The cleaned text of one or two billing fields, under GHL's name; nothing where it is empty. */
static bool set_billing(json_t *contact, const char *key, const struct order *order, const char *field,
                        const char *field2)
{
    char *one = text_clean(order_billing(order, field), FIELD_MAX);
    char *two = text_clean(field2 ? order_billing(order, field2) : "", FIELD_MAX);
    struct buf both;
    bool good = one && two;

    buf_init(&both, 2 * FIELD_MAX + 2);
    good = good && buf_addf(&both, "%s%s%s", one, *one && *two ? ", " : "", two);
    if (good && both.len > FIELD_MAX) {
        both.len = text_cut(both.data, both.len, FIELD_MAX);
        both.data[both.len] = '\0';
    }
    good = good && set(contact, key, both.data);
    buf_wipe(&both);
    free(one);
    free(two);
    return good;
}

/* -- shops -- */

static bool is_alias(const struct shop_rule *shop, const char *site)
{
    for (size_t i = 0; i < shop->alias_count; i++)
        if (!strcmp(shop->alias[i], site))
            return true;
    return false;
}

/* "https://Shop.Example.com/path/" -> "shop.example.com/path" */
static void plain_site(const char *source, char out[FIELD_MAX + 1])
{
    const char *begin = strstr(source, "://");
    size_t n;

    begin = begin ? begin + 3 : source;
    n = strnlen(begin, FIELD_MAX);
    while (n > 0 && begin[n - 1] == '/')
        n--;
    memcpy(out, begin, n);
    out[n] = '\0';
    for (char *p = out; *p && *p != '/'; p++)
        *p = (char)tolower((unsigned char)*p);
}

/* The shop's name, or NULL when WOO_SHOPS does not know it. */
static const char *find_shop(const struct order *order, const char *source, const struct config *config)
{
    const char *site = order->site ? order->site : "";
    char from_header[FIELD_MAX + 1];

    if (config->shop_count <= 1) {
        bool foreign = config->shop_count == 1 && *site && !is_alias(&config->shops[0], site);
        return foreign ? NULL : config->shop;
    }
    if (!*site) {
        plain_site(source ? source : "", from_header);
        site = from_header;
    }
    for (size_t i = 0; i < config->shop_count; i++)
        if (is_alias(&config->shops[i], site))
            return config->shops[i].name;
    return NULL;
}

/* -- the contact -- */

/* Enough of RFC 5321 to avoid GHL's 422: one '@', a dot in the domain, no white space or control bytes, ASCII
 * only. */
static bool email_is_plausible(const char *email)
{
    const char *at = strchr(email, '@'), *dot = at ? strrchr(at, '.') : NULL;

    if (!at || at == email || strchr(at + 1, '@') || at - email > 64 || strlen(email) > EMAIL_MAX)
        return false;
    if (!dot || dot == at + 1 || strlen(dot) < 3 || strstr(email, "..") || at[-1] == '.' || *email == '.')
        return false;
    for (const char *p = email; *p; p++)
        if (*p <= ' ' || *p >= 0x7f || strchr("\"(),:;<>[\\]", *p))
            return false;
    for (const char *p = at + 1; *p; p++)
        if (!isalnum((unsigned char)*p) && *p != '.' && *p != '-')
            return false;
    return at[1] != '-' && at[1] != '.';
}

static bool set_email(json_t *contact, const struct order *order)
{
    char *email = text_clean(order_billing(order, "email"), EMAIL_MAX + 1);
    if (!email)
        return false;
    text_lower(email); /* GHL keeps them so, and two spellings are one person */
    bool good = !email_is_plausible(email) || set(contact, "email", email);
    free(email);
    return good;
}

/* The vendor's list is ISO 3166-1 without these. */
static bool country_is_known(const char *country)
{
    static const char *const lacking[] = {"BL", "BQ", "CW", "SS"};

    if (strlen(country) != 2 || !isupper((unsigned char)country[0]) || !isupper((unsigned char)country[1]))
        return false;
    for (size_t i = 0; i < sizeof lacking / sizeof *lacking; i++)
        if (!strcmp(lacking[i], country))
            return false;
    return true;
}

static bool set_country_and_phone(json_t *contact, const struct order *order)
{
    char country[4] = "", phone[PHONE_SIZE];
    const char *typed = order_billing(order, "country");

    for (size_t i = 0; i < 3 && typed[i]; i++)
        country[i] = (char)toupper((unsigned char)typed[i]);
    bool good = !country_is_known(country) || set(contact, "country", country);
    if (good && phone_e164(order_billing(order, "phone"), country, phone))
        good = set(contact, "phone", phone);
    return good;
}

/* A contact that nothing would name gets the company's name, or the order's. */
static bool set_last_resort(json_t *contact, const struct plan *plan)
{
    struct buf name;

    if (json_object_get(contact, "firstName") || json_object_get(contact, "lastName"))
        return true;
    if (json_object_get(contact, "companyName"))
        return set(contact, "firstName", json_text(contact, "companyName"));
    if (json_object_get(contact, "email") || json_object_get(contact, "phone"))
        return true;
    buf_init(&name, FIELD_MAX);
    bool good =
        buf_addf(&name, "%s order %s", plan->shop, plan->number) && set(contact, "firstName", name.data);
    buf_free(&name);
    return good;
}

static json_t *plan_contact(const struct order *order, const struct plan *plan)
{
    json_t *contact = json_object();
    if (contact && set_billing(contact, "firstName", order, "first_name", NULL) &&
        set_billing(contact, "lastName", order, "last_name", NULL) &&
        set_billing(contact, "companyName", order, "company", NULL) &&
        set_billing(contact, "address1", order, "address_1", "address_2") &&
        set_billing(contact, "city", order, "city", NULL) &&
        set_billing(contact, "state", order, "state", NULL) &&
        set_billing(contact, "postalCode", order, "postcode", NULL) && set_email(contact, order) &&
        set_country_and_phone(contact, order) && set_last_resort(contact, plan))
        return contact;
    json_decref(contact);
    return NULL;
}

/* -- tags -- */

static bool take_tag(void *context, const char *value)
{
    json_t *tags = context;
    size_t i;
    const json_t *tag;
    char *clean = text_clean(value, TAG_MAX);
    bool wanted = clean && *clean && json_array_size(tags) < TAGS_MAX;

    if (!clean)
        return false;
    text_lower(clean); /* GHL keeps them so */
    json_array_foreach(tags, i, tag) wanted = wanted && strcmp(json_string_value(tag), clean) != 0;
    bool good = !wanted || json_array_append_new(tags, json_string(clean)) == 0;
    free(clean);
    return good;
}

/* One template between commas, and what it gives. */
static bool add_tags(json_t *tags, const char *templates, const struct template_scope *scope)
{
    bool good = true;

    for (const char *p = templates; *p && good;) {
        int depth = 0;
        const char *begin = p;
        for (; *p && (depth || *p != ','); p++)
            depth += *p == '{' ? 1 : *p == '}' && depth ? -1 : 0;
        char *one = strndup(begin, (size_t)(p - begin));
        good = one && template_each(one, scope, take_tag, tags);
        free(one);
        p += *p == ',';
    }
    return good;
}

/* -- the opportunity -- */

static const char *find_stage(const struct config *config, const char *status)
{
    for (size_t i = 0; i < config->stage_map_count; i++)
        if (!strcmp(config->stage_map[i].key, status))
            return config->stage_map[i].value;
    return "";
}

static bool set_value(json_t *opportunity, const struct order *order)
{
    struct decimal value = order->total;
    char text[DECIMAL_TEXT_SIZE];

    if (!order->has_total)
        return true;
    if (!decimal_add(order->total, order->refunds, &value))
        return false;
    decimal_format(value, VALUE_PLACES, text);
    return json_object_set_new(opportunity, "monetaryValue", json_decimal(text)) == 0;
}

static json_t *plan_opportunity(const struct order *order, const struct template_scope *scope,
                                const struct config *config, const struct plan *plan)
{
    json_t *opportunity = json_object();
    struct buf name;
    char *clean = NULL;

    buf_init(&name, TEMPLATE_VALUE_MAX);
    bool good = opportunity && set(opportunity, "status", outcome_name(plan->outcome));
    if (good && !plan->status_only) {
        good = template_render(config->opportunity_name, scope, &name) &&
               (clean = text_clean(name.data, NAME_MAX_BYTES)) && set(opportunity, "name", clean) &&
               set_value(opportunity, order) && set(opportunity, "stage", find_stage(config, order->status));
    }
    free(clean);
    buf_wipe(&name);
    if (good)
        return opportunity;
    json_decref(opportunity);
    return NULL;
}

static bool set_source(struct plan *plan, const struct template_scope *scope, const struct config *config)
{
    struct buf text;

    buf_init(&text, TEMPLATE_VALUE_MAX);
    bool good = template_render(config->source, scope, &text);
    plan->source = good ? text_clean(text.data, FIELD_MAX) : NULL;
    buf_free(&text);
    return plan->source != NULL;
}

/* -- hashes -- */

static bool hash_json(const json_t *value, const char *label, const unsigned char *key,
                      char out[DIGEST_HEX_SIZE])
{
    char *text = json_canonical(value);
    bool good = text && digest_label_hex(key, DIGEST_LEN, label, text, strlen(text), out);
    free(text);
    return good;
}

static bool hash_all(struct plan *plan, const unsigned char *key)
{
    static const char *const label[PLAN_PARTS] = {"contact", "tags", "opportunity", "note"};
    json_t *const part[PLAN_PARTS] = {plan->contact, plan->tags, plan->opportunity, NULL};
    json_t *whole = json_pack("{sO* sO* sO* sb}", "contact", plan->contact, "tags", plan->tags, "opportunity",
                              plan->opportunity, "status_only", plan->status_only);
    bool good = whole && hash_json(whole, "fingerprint", key, plan->fingerprint);

    for (int i = 0; i < PLAN_PARTS && good; i++)
        good = !part[i] || hash_json(part[i], label[i], key, plan->part_hash[i]);
    json_decref(whole);
    return good;
}

/* -- the plan -- */

static bool fill(const struct order *order, const struct config *config, struct plan *plan)
{
    const struct template_scope scope = {.order = order, .shop = plan->shop};

    plan->opportunity = plan_opportunity(order, &scope, config, plan);
    if (!plan->opportunity || !set_source(plan, &scope, config))
        return false;
    if (plan->status_only)
        return true;
    plan->contact = plan_contact(order, plan);
    json_t *tags = json_array();
    if (!plan->contact || !tags || !add_tags(tags, config->tags, &scope)) {
        json_decref(tags);
        return false;
    }
    if (json_array_size(tags) > 0)
        plan->tags = tags;
    else
        json_decref(tags);
    return true;
}

enum plan_result plan_make(const struct order *order, const char *source, const struct config *config,
                           const unsigned char *hash_key, struct plan *out, struct error *e)
{
    struct buf key;

    *out = (struct plan){
        .number = order->number, .created_s = order->created_s, .modified_s = order->modified_s};
    const char *shop = find_shop(order, source, config);
    if (!shop) {
        error_set(e, "WOO_SHOPS does not name %s%s: is this a staging copy of the shop?",
                  *order->site ? "" : "the shop of this body", order->site);
        return PLAN_FOREIGN_SHOP;
    }
    buf_init(&key, 512);
    out->shop = strdup(shop);
    bool good = out->shop && buf_addf(&key, "%s:%s", shop, order->id);
    out->key = good ? buf_steal(&key) : NULL;
    buf_free(&key);
    out->outcome = config_outcome(config, order->status);
    out->status_only = !json_object_get(order->json, "status");
    if (out->key && (out->outcome == OUTCOME_IGNORE || (fill(order, config, out) && hash_all(out, hash_key))))
        return PLAN_OK;
    error_set(e, "The plan for this order cannot be made: out of memory");
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
    free(plan->key);
    free(plan->shop);
    *plan = (struct plan){0};
}

const char *plan_email(const struct plan *plan)
{
    return json_text(plan->contact, "email");
}

const char *plan_phone(const struct plan *plan)
{
    return json_text(plan->contact, "phone");
}
