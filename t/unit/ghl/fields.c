#include "ghl/fields.h"
#include "tap.h"

static const char list_text[] =
    "[{\"id\":\"a1\",\"name\":\"UTM "
    "Source\",\"fieldKey\":\"contact.utm_source\",\"dataType\":\"TEXT\",\"model\":\"contact\"},"
    "{\"id\":\"a2\",\"name\":\"utm_source\",\"fieldKey\":\"contact.other\",\"dataType\":\"FILE_UPLOAD\"},"
    "{\"id\":\"b1\",\"name\":\"Mark\",\"fieldKey\":\"opportunity.mark\",\"dataType\":\"TEXT\",\"model\":"
    "\"opportunity\"}]";

static void finds(const json_t *list, enum fields_model model, const char *key, const char *want)
{
    is_str(json_text(fields_find(list, model, key), "id"), want, "\"%s\" of model %d", key, model);
}

int main(void)
{
    json_t *list = json_loads(list_text, 0, NULL);
    json_t *opportunity =
        json_loads("{\"customFields\":[{\"id\":\"b1\",\"fieldValue\":\"shop:1\"},{\"id\":\"b2\","
                   "\"fieldValueString\":\"x\"},"
                   "{\"id\":\"b3\",\"fieldValue\":[\"y\"]}]}",
                   0, NULL);

    finds(list, FIELDS_CONTACT, "a1", "a1");
    finds(list, FIELDS_CONTACT, "utm_source", "a1"); /* the key before the name */
    finds(list, FIELDS_CONTACT, "Contact.UTM_source", "a1");
    finds(list, FIELDS_CONTACT, "utm source", "a1");
    finds(list, FIELDS_CONTACT, "other", "a2"); /* without a model it is the contact's */
    finds(list, FIELDS_CONTACT, "b1", "");
    finds(list, FIELDS_CONTACT, "mark", "");
    finds(list, FIELDS_OPPORTUNITY, "mark", "b1");
    finds(list, FIELDS_OPPORTUNITY, "", "");
    finds(NULL, FIELDS_OPPORTUNITY, "mark", "");
    ok(fields_can_hold(json_array_get(list, 0)), "a text can be put into a text");
    ok(!fields_can_hold(json_array_get(list, 1)), "but not into a file");
    is_str(fields_value(opportunity, "b1"), "shop:1", "an opportunity's value");
    is_str(fields_value(opportunity, "b2"), "x", "in its other form");
    is_str(fields_value(opportunity, "b3"), "", "a list is no text");
    is_str(fields_value(opportunity, "b4"), "", "none");
    is_str(fields_value(opportunity, ""), "", "no field, no value");
    is_str(fields_value(NULL, "b1"), "", "no opportunity");
    json_decref(list);
    json_decref(opportunity);
    return tap_done();
}
