/* What a path of a template finds in the order's JSON. */
#include "order/template_work.h"
#include <stdlib.h>
#include <string.h>

#define SEGMENT_MAX 255 /* bytes; a whole path is no longer */

/* A list with gaps, which PHP writes as an object: its first key is a number. */
static bool is_list(const json_t *value)
{
    struct json_walk walk = {.list = value};
    if (json_is_array(value))
        return true;
    return json_walk(&walk) && walk.key[strspn(walk.key, "0123456789")] == '\0';
}

static bool add_value(json_t *values, const json_t *value)
{
    if (json_is_string(value))
        return template_add_text(values, json_string_value(value));
    if (json_is_boolean(value))
        return template_add_text(values, json_is_true(value) ? "yes" : "no");
    if (!is_list(value))
        return true;
    struct json_walk walk = {.list = value};
    for (const json_t *element; (element = json_walk(&walk));)
        if (!json_is_array(element) && !json_is_object(element) && !add_value(values, element))
            return false;
    return true;
}

/* A member by its name; of a list the element at that place, also where its keys have gaps. NULL = none. */
static const json_t *pick(const json_t *at, const char *name)
{
    if (name[strspn(name, "0123456789")] || !is_list(at))
        return json_object_get(at, name);
    size_t wanted = strtoul(name, NULL, 10);
    struct json_walk walk = {.list = at};
    if (json_is_array(at))
        return json_array_get(at, wanted);
    const json_t *element = json_walk(&walk);
    for (size_t i = 0; element && i < wanted; i++)
        element = json_walk(&walk);
    return element;
}

/* Depth is bounded by the path's points; a list adds one level each, and lists in lists do not count. */
bool template_find(json_t *values, json_t *each, const json_t *at, const char *path)
{
    char segment[SEGMENT_MAX + 1];
    size_t n = strcspn(path, ".");
    if (n > SEGMENT_MAX)
        return true;
    memcpy(segment, path, n);
    segment[n] = '\0';
    const char *rest = path[n] ? path + n + 1 : NULL;

    const json_t *next = pick(at, segment);
    const json_t *meta = json_object_get(at, "meta_data");
    if (!next && rest && meta && !strcmp(segment, "meta"))
        return add_value(values, order_meta(meta, rest));
    if (next)
        return rest ? template_find(values, each, next, rest) : add_value(values, next);
    if (!is_list(at))
        return true;
    struct json_walk walk = {.list = at};
    for (const json_t *element; (element = json_walk(&walk));) {
        if (!json_is_object(element) || is_list(element))
            continue;
        json_t *into = each ? json_array() : json_incref(values);
        bool good =
            into && template_find(into, NULL, element, path) && (!each || !json_array_append(each, into));
        json_decref(into);
        if (!good)
            return false;
    }
    return true;
}
