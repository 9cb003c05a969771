#include "base/json.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

const char *json_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

json_t *json_walk(struct json_walk *walk)
{
    if (json_is_array(walk->list))
        return json_array_get(walk->list, walk->at++);
    if (!json_is_object(walk->list))
        return NULL;
    /* Jansson's iterators want a non-const object but only read it. */
    union {
        const json_t *read;
        json_t *take;
    } list = {walk->list};
    walk->iter = walk->at++ ? json_object_iter_next(list.take, walk->iter) : json_object_iter(list.take);
    walk->key = json_object_iter_key(walk->iter);
    return json_object_iter_value(walk->iter);
}

static int add_written(const char *text, size_t n, void *out)
{
    return buf_add(out, text, n) ? 0 : -1;
}

/* A buf that once lacked memory says so in the end, also of what Jansson did not hear of. */
char *json_written(const json_t *value, size_t flags)
{
    struct buf text;

    buf_init(&text, SIZE_MAX);
    char *written = json_dump_callback(value, add_written, &text, flags) == 0 ? buf_steal(&text) : NULL;
    buf_free(&text);
    return written;
}

char *json_canonical(const json_t *value)
{
    return json_written(value, JSON_SORT_KEYS | JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
}

json_t *json_decimal(const char *text)
{
    /* decimal_format gives at most 18 digits before the point: a whole number always fits. */
    if (!strchr(text, '.'))
        return json_integer(strtoll(text, NULL, 10));
    return json_real(strtod(text, NULL));
}

json_t *json_if(bool good, json_t *value)
{
    if (good)
        return value;
    json_decref(value);
    return NULL;
}

json_t *json_from_text(const char *text)
{
    json_t *string = json_string(text);
    char *ascii = string ? NULL : strdup(text);

    for (char *p = ascii; p && *p; p++)
        if ((unsigned char)*p & 0x80)
            *p = '?';
    if (ascii)
        string = json_string(ascii);
    free(ascii);
    return string;
}

/* The text as it stands between the quotes of a JSON string. */
static bool add_inside(struct buf *out, const char *text)
{
    json_t *value = json_from_text(text);
    char *quoted = value ? json_written(value, JSON_ENCODE_ANY) : NULL;
    bool good = quoted && buf_add(out, quoted + 1, strlen(quoted) - 2);

    free(quoted);
    json_decref(value);
    return good;
}

bool json_fill(const char *form, const json_t *values, struct buf *out)
{
    char name[32];
    bool good = true;

    while (good && *form) {
        size_t n = *form == '{' ? strspn(form + 1, "abcdefghijklmnopqrstuvwxyz_") : 0;
        bool named = n > 0 && n < sizeof name && form[n + 1] == '}';
        if (named) {
            memcpy(name, form + 1, n);
            name[n] = '\0';
            named = json_is_string(json_object_get(values, name));
        }
        good = named ? add_inside(out, json_text(values, name)) : buf_addc(out, *form);
        form += named ? n + 2 : 1;
    }
    return good;
}
