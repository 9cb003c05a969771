#include "ghl/fields.h"
#include "base/clock.h"
#include "base/decimal.h"
#include "base/text.h"
#include "ghl/ghl_work.h"
#include <string.h>
#include <strings.h>

#define FIELDS_TTL_MS (3600 * 1000)
#define FIELDS_ANEW_S 300 /* a name that the kept list lacks has it asked for anew at most so often */
#define FIELDS_KEY "custom_fields"
#define NUMBER_PLACES 4

static const char *const model_name[] = {"contact", "opportunity"};
static const char *const setting_name[] = {"GHL_CONTACT_FIELDS", "GHL_OPPORTUNITY_FIELDS"};

/* -- the location's list -- */

/* "contact.utm_source" is utm_source, too. */
static bool has_key(const json_t *field, const char *key)
{
    const char *full = json_text(field, "fieldKey"), *point = strchr(full, '.');
    return !strcasecmp(full, key) || (point && !strcasecmp(point + 1, key));
}

const json_t *fields_find(const json_t *list, enum fields_model model, const char *key)
{
    const json_t *by_key = NULL, *by_name = NULL, *field;
    size_t i;

    json_array_foreach(list, i, field)
    {
        const char *of = json_text(field, "model");
        if (strcasecmp(*of ? of : "contact", model_name[model]) != 0)
            continue;
        if (!strcmp(json_text(field, "id"), key))
            return field;
        if (!by_key && has_key(field, key))
            by_key = field;
        if (!by_name && !strcasecmp(json_text(field, "name"), key))
            by_name = field;
    }
    return by_key ? by_key : by_name;
}

/* What is needed of each field: a location may have hundreds, with their options. */
static json_t *slim(const json_t *fields)
{
    json_t *list = json_array();
    const json_t *field;
    size_t i;

    json_array_foreach(fields, i, field)
    {
        json_t *less =
            json_pack("{ss ss ss ss ss}", "id", json_text(field, "id"), "name", json_text(field, "name"),
                      "fieldKey", json_text(field, "fieldKey"), "dataType", json_text(field, "dataType"),
                      "model", json_text(field, "model"));
        if (json_array_append_new(list, less) != 0)
            return json_if(false, list);
    }
    return list;
}

static json_t *ask(struct ghl *ghl, const struct ghl_call *call, const struct ghl_cache *cache,
                   struct ghl_answer *answer)
{
    if (ghl_custom_fields(ghl, call, answer) != GHL_OK)
        return NULL;
    json_t *kept =
        json_pack("{sI so}", "at", (json_int_t)(clock_wall_ms() / 1000), "fields", slim(answer->json));
    if (kept)
        ghl_cache_put(cache, FIELDS_KEY, kept, FIELDS_TTL_MS);
    return kept;
}

void fields_forget(const struct ghl_cache *cache)
{
    cache->put(cache->context, FIELDS_KEY, "", 1);
}

/* The list, asked for anew if the kept one lacks one of these names and is not of just now. NULL: the answer
 * says why. `planned` may be NULL, `mark_field` "". */
static json_t *list_for(struct ghl *ghl, const struct ghl_call *call, const struct ghl_cache *cache,
                        enum fields_model model, const json_t *planned, const char *mark_field,
                        struct ghl_answer *answer)
{
    /* {"at": when, "fields": [...]} */
    json_t *kept = ghl_cache_get(cache, FIELDS_KEY), *fields = json_object_get(kept, "fields"), *value;
    bool lacks = *mark_field && !fields_find(fields, FIELDS_OPPORTUNITY, mark_field);
    const char *key;

    json_object_foreach((json_t *)planned, key, value) lacks = lacks || !fields_find(fields, model, key);
    json_int_t age_s = clock_wall_ms() / 1000 - json_integer_value(json_object_get(kept, "at"));
    if (!fields || (lacks && (age_s > FIELDS_ANEW_S || age_s < 0))) {
        json_decref(kept);
        kept = ask(ghl, call, cache, answer);
    }
    json_t *list = json_incref(json_object_get(kept, "fields"));
    json_decref(kept);
    if (!list && answer->result == GHL_OK)
        answer->result = GHL_RETRY;
    return list;
}

/* -- one value -- */

/* What the types of GHL's fields take; every other one takes a text. */
enum takes { TAKES_TEXT, TAKES_NUMBER, TAKES_DATE, TAKES_LIST, TAKES_NOTHING };

static const struct {
    const char *type;
    enum takes takes;
} types[] = {{"NUMERICAL", TAKES_NUMBER},      {"FLOAT", TAKES_NUMBER},        {"MONETORY", TAKES_NUMBER},
             {"MONETARY", TAKES_NUMBER},       {"DATE", TAKES_DATE},           {"CHECKBOX", TAKES_LIST},
             {"MULTIPLE_OPTIONS", TAKES_LIST}, {"FILE_UPLOAD", TAKES_NOTHING}, {"SIGNATURE", TAKES_NOTHING},
             {"TEXTBOX_LIST", TAKES_NOTHING}};

static const char *const in_words[] = {"a text", "a number", "a date", "a list",
                                       "a file, a signature or a list of boxes, which no order has"};

static enum takes takes(const json_t *field)
{
    const char *type = json_text(field, "dataType");
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (!strcasecmp(type, types[i].type))
            return types[i].takes;
    return TAKES_TEXT;
}

bool fields_can_hold(const json_t *field)
{
    return takes(field) != TAKES_NOTHING;
}

static json_t *number_of(const char *text)
{
    struct decimal number;
    char exact[DECIMAL_TEXT_SIZE];
    if (!decimal_parse(text, &number))
        return NULL;
    decimal_format(number, NUMBER_PLACES, exact);
    return json_decimal(exact);
}

static json_t *list_of(const json_t *values)
{
    json_t *list = json_copy((json_t *)values);

    return json_if(list && json_array_remove(list, 0) == 0 && json_array_size(list) > 0, list);
}

/* The day of "2026-11-25T00:43:19", or of the day itself. */
static json_t *date_of(const char *text)
{
    int64_t seconds;
    char day[32];
    snprintf(day, sizeof day, "%.10sT00:00:00", text);
    return strlen(text) >= 10 && clock_parse_iso(day, &seconds) ? json_stringn(text, 10) : NULL;
}

/* [whole text, each, value] -> what the field takes; NULL = the text is none. */
static json_t *value_of(const json_t *field, const json_t *values)
{
    const char *text = json_string_value(json_array_get(values, 0));

    switch (takes(field)) {
    case TAKES_TEXT: return json_string(text);
    case TAKES_NUMBER: return number_of(text);
    case TAKES_DATE: return date_of(text);
    case TAKES_LIST: return list_of(values);
    case TAKES_NOTHING: break;
    }
    return NULL;
}

static bool add(json_t *out, const json_t *field, json_t *value)
{
    return !json_array_append_new(out,
                                  json_pack("{ss so}", "id", json_text(field, "id"), "field_value", value));
}

/* True also if it is left out; false if out of memory. */
static bool add_planned(struct log *log, const char *order, enum fields_model model, const json_t *list,
                        const char *key, const json_t *values, json_t *out)
{
    struct log_about about = {.order = order};
    const json_t *field = fields_find(list, model, key);

    if (!field) {
        log_event(log, LOG_LEVEL_WARN, "field", &about,
                  "%s: the location has no %s field \"%.80s\" (woo_ghl fields lists them); it is left out",
                  setting_name[model], model_name[model], key);
        return true;
    }
    json_t *value = value_of(field, values);
    if (value)
        return add(out, field, value);
    log_event(log, LOG_LEVEL_WARN, "field", &about,
              "%s: the field \"%.80s\" takes %s, and this order's value is none; it is left out",
              setting_name[model], key, in_words[takes(field)]);
    return true;
}

/* -- of a plan -- */

enum ghl_result fields_resolve(struct ghl *ghl, const struct ghl_call *call, const struct ghl_cache *cache,
                               enum fields_model model, json_t *body, const char *mark,
                               struct ghl_answer *answer)
{
    const char *mark_field = mark ? ghl->config->order_field : "", *key;
    json_t *planned = json_object_get(body, "customFields"), *values;

    *answer = GHL_ANSWER(GHL_OK);
    if (json_is_array(planned) || (!planned && !*mark_field))
        return GHL_OK;
    json_t *list = list_for(ghl, call, cache, model, planned, mark_field, answer);
    if (!list)
        return answer->result;
    json_t *out = json_array();
    bool good = out != NULL;
    json_object_foreach(planned, key, values) good =
        good && add_planned(ghl->log, call->order, model, list, key, values, out);
    const json_t *field = *mark_field ? fields_find(list, FIELDS_OPPORTUNITY, mark_field) : NULL;
    good =
        good && (!field || add(out, field, json_string(mark))) && !json_object_set(body, "customFields", out);
    json_decref(out);
    json_decref(list);
    return answer->result = good ? GHL_OK : GHL_RETRY;
}

enum ghl_result fields_mark(struct ghl *ghl, const struct ghl_call *call, const struct ghl_cache *cache,
                            char id[GHL_ID_SIZE], struct ghl_answer *answer)
{
    const char *wanted = ghl->config->order_field;
    struct log_about about = {.order = call->order};

    id[0] = '\0';
    *answer = GHL_ANSWER(GHL_OK);
    if (!*wanted)
        return GHL_OK;
    json_t *list = list_for(ghl, call, cache, FIELDS_OPPORTUNITY, NULL, wanted, answer);
    if (!list)
        return answer->result;
    const json_t *field = fields_find(list, FIELDS_OPPORTUNITY, wanted);
    if (field)
        (void)ghl_take_id(json_text(field, "id"), id);
    json_decref(list);
    if (field)
        return answer->result;
    (void)text_format(answer->message, sizeof answer->message,
                      "GHL_ORDER_FIELD: the location has no opportunity field \"%s\"", wanted);
    if (!config_name_is_unique(ghl->config)) {
        fields_forget(
            cache); /* everything waits for this field: the next try looks whether it is there now */
        return answer->result = GHL_CONFIG;
    }
    log_event(ghl->log, LOG_LEVEL_WARN, "field", &about, "%s; orders are told apart by their names",
              answer->message);
    return answer->result;
}

/* GHL's search and its GET write a value in more than one way. */
const char *fields_value(const json_t *opportunity, const char *id)
{
    static const char *const member[] = {"fieldValue", "fieldValueString", "field_value", "value"};
    const json_t *field;
    size_t i;

    json_array_foreach(json_object_get(opportunity, "customFields"), i, field)
    {
        if (!*id || strcmp(json_text(field, "id"), id) != 0)
            continue;
        for (size_t m = 0; m < sizeof member / sizeof *member; m++)
            if (*json_text(field, member[m]))
                return json_text(field, member[m]);
    }
    return "";
}
