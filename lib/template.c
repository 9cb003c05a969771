#include "template.h"
#include "text.h"
#include <stdlib.h>
#include <string.h>

#define PATH_LEN 200
#define PARTS_MAX 32

/* A template taken apart: literal text, or a path with its default. */
struct part {
    const char *text; /* literal: of `len` bytes, in the template */
    size_t len;
    bool is_path;
    char path[PATH_LEN];
    const char *fallback; /* of `fallback_len` bytes; NULL = none */
    size_t fallback_len;
};

struct parts {
    struct part part[PARTS_MAX];
    size_t n;
};

/* -- taking apart -- */

static bool is_path_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("_.-:/ ", c);
}

static bool take_path(const char *begin, const char *end, struct part *part, struct error *e)
{
    const char *bar = memchr(begin, '|', (size_t)(end - begin)), *stop = bar ? bar : end;
    size_t n = (size_t)(stop - begin);

    *part = (struct part){.is_path = true};
    for (const char *p = begin; p < stop; p++)
        if (!*p || !is_path_byte(*p))
            n = 0;
    if (n == 0 || n >= PATH_LEN || *begin == '.' || stop[-1] == '.') {
        error_set(e, "'{%.*s}' is no path; write for example {billing.email} or {meta.KEY|none}",
                  (int)(end - begin), begin);
        return false;
    }
    memcpy(part->path, begin, n);
    part->path[n] = '\0';
    if (bar) {
        part->fallback = bar + 1;
        part->fallback_len = (size_t)(end - bar - 1);
    }
    return true;
}

static bool take_apart(const char *text, struct parts *parts, struct error *e)
{
    parts->n = 0;
    for (const char *p = text; *p;) {
        struct part *part = &parts->part[parts->n];
        if (parts->n == PARTS_MAX) {
            error_set(e, "it has more than %d parts; make it shorter", PARTS_MAX);
            return false;
        }
        if ((p[0] == '{' || p[0] == '}') && p[1] == p[0]) {
            *part = (struct part){.text = p, .len = 1};
            p += 2;
        } else if (*p == '{') {
            const char *end = strpbrk(p + 1, "{}");
            if (!end || *end != '}') {
                error_set(e, "the brace at '%.20s' is not closed; a literal brace is written {{", p);
                return false;
            }
            if (!take_path(p + 1, end, part, e))
                return false;
            p = end + 1;
        } else if (*p == '}') {
            error_set(e, "there is a closing brace without an opening one; a literal brace is written }}");
            return false;
        } else {
            *part = (struct part){.text = p, .len = strcspn(p, "{}")};
            p += part->len;
        }
        parts->n++;
    }
    return true;
}

bool template_check(const char *text, struct error *e)
{
    struct parts parts;
    return take_apart(text, &parts, e);
}

bool template_uses(const char *text, const char *name)
{
    struct parts parts;

    if (!take_apart(text, &parts, NULL))
        return false;
    for (size_t i = 0; i < parts.n; i++)
        if (parts.part[i].is_path && !strcmp(parts.part[i].path, name))
            return true;
    return false;
}

/* -- looking up -- */

/* Adds the value's text, cleaned, to the list; nothing for what has no text or is empty. */
static bool add_value(json_t *list, const json_t *value)
{
    const char *text = json_is_string(value)  ? json_string_value(value)
                       : json_is_true(value)  ? "yes"
                       : json_is_false(value) ? "no"
                                              : "";
    char *clean = text_clean(text, TEMPLATE_VALUE_MAX);
    bool good = clean && (!*clean || json_array_append_new(list, json_string(clean)) == 0);
    free(clean);
    return good;
}

/* The value of KEY in meta_data: an array of {key, value} or an object; the last one wins. */
static const json_t *find_meta(const json_t *meta, const char *key)
{
    const json_t *found = json_object_get(meta, key), *pair;
    size_t i;

    json_array_foreach(meta, i, pair) if (!strcmp(json_text(pair, "key"), key)) found =
        json_object_get(pair, "value");
    return found;
}

static bool collect(json_t *list, const json_t *value, const char *path)
{
    size_t i;
    const json_t *element;

    if (json_is_array(value)) {
        json_array_foreach(value, i, element) if (!collect(list, element, path)) return false;
        return true;
    }
    if (!*path)
        return add_value(list, value);
    if (!json_is_object(value))
        return true;
    size_t n = strcspn(path, ".");
    char key[PATH_LEN];
    memcpy(key, path, n);
    key[n] = '\0';
    const char *rest = path[n] ? path + n + 1 : path + n;
    if (!strcmp(key, "meta") && *rest && !json_object_get(value, "meta"))
        return collect(list, find_meta(json_object_get(value, "meta_data"), rest), "");
    element = json_object_get(value, key);
    return !element || collect(list, element, rest);
}

static bool add_text(json_t *list, const char *text)
{
    json_t *value = json_string(text);
    bool good = value && add_value(list, value);
    json_decref(value);
    return good;
}

/* "2 × Tee, 1 × Mug" */
static bool add_items(json_t *list, const json_t *order)
{
    struct buf out;
    size_t i;
    const json_t *item;

    buf_init(&out, TEMPLATE_VALUE_MAX);
    json_array_foreach(json_object_get(order, "line_items"), i,
                       item) if (!buf_addf(&out, "%s%s \xc3\x97 %s", out.len ? ", " : "",
                                           json_text(item, "quantity"),
                                           json_text(item, "name"))) break; /* a very long list is cut */
    bool good = add_text(list, out.data);
    buf_free(&out);
    return good;
}

static bool add_customer(json_t *list, const struct order *order)
{
    const char *first = order_billing(order, "first_name"), *last = order_billing(order, "last_name");
    struct buf out;

    buf_init(&out, TEMPLATE_VALUE_MAX);
    bool good = buf_addf(&out, "%s%s%s", first, *first && *last ? " " : "", last) && add_text(list, out.data);
    buf_free(&out);
    return good;
}

static bool values_of(const char *path, const struct template_scope *scope, json_t *list)
{
    const struct order *order = scope->order;

    if (!strcmp(path, "shop"))
        return add_text(list, scope->shop);
    if (!strcmp(path, "id"))
        return add_text(list, order->id);
    if (!strcmp(path, "number"))
        return add_text(list, order->number);
    if (!strcmp(path, "status"))
        return add_text(list, order->status);
    if (!strcmp(path, "admin_url"))
        return add_text(list, order->admin_url ? order->admin_url : "");
    if (!strcmp(path, "customer.name"))
        return add_customer(list, order);
    if (!strcmp(path, "items"))
        return add_items(list, order->json);
    return collect(list, order->json, path);
}

/* -- rendering -- */

/* The list of each path part's values; NULL for literals. Freed by the caller. */
static bool look_up(const struct parts *parts, const struct template_scope *scope, json_t *value[PARTS_MAX])
{
    for (size_t i = 0; i < parts->n; i++) {
        if (!parts->part[i].is_path)
            continue;
        value[i] = json_array();
        if (!value[i] || !values_of(parts->part[i].path, scope, value[i]))
            return false;
    }
    return true;
}

static bool add_joined(struct buf *out, const json_t *values)
{
    size_t i;
    const json_t *value;
    bool good = true;

    json_array_foreach(values, i, value) good =
        good && buf_addf(out, "%s%s", i ? ", " : "", json_string_value(value));
    return good;
}

static bool add_literal(struct buf *out, const char *text, size_t len)
{
    return buf_add(out, text, len);
}

bool template_render(const char *text, const struct template_scope *scope, struct buf *out)
{
    struct parts parts;
    json_t *value[PARTS_MAX] = {0};
    struct buf whole;
    bool good = take_apart(text, &parts, NULL) && look_up(&parts, scope, value);

    buf_init(&whole, (size_t)PARTS_MAX * TEMPLATE_VALUE_MAX * 4);
    for (size_t i = 0; good && i < parts.n; i++) {
        const struct part *part = &parts.part[i];
        if (!part->is_path)
            good = add_literal(&whole, part->text, part->len);
        else if (json_array_size(value[i]) == 0)
            good = !part->fallback || add_literal(&whole, part->fallback, part->fallback_len);
        else
            good = add_joined(&whole, value[i]);
    }
    good = good && buf_add(out, whole.data, text_cut(whole.data, whole.len, TEMPLATE_VALUE_MAX));
    for (size_t i = 0; i < PARTS_MAX; i++)
        json_decref(value[i]);
    buf_wipe(&whole);
    return good;
}

/* The i-th text: each path gives its i-th value, a path of one value that one. *empty: a value is missing. */
static bool render_one(const struct parts *parts, json_t *const value[PARTS_MAX], size_t i, struct buf *out,
                       bool *empty)
{
    bool good = true;

    *empty = false;
    for (size_t p = 0; good && p < parts->n; p++) {
        const struct part *part = &parts->part[p];
        size_t n = json_array_size(value[p]);
        if (!part->is_path)
            good = add_literal(out, part->text, part->len);
        else if (n > 0)
            good = n == 1 || i < n
                       ? buf_adds(out, json_string_value(json_array_get(value[p], n == 1 ? 0 : i)))
                       : (*empty = true);
        else if (part->fallback && part->fallback_len)
            good = add_literal(out, part->fallback, part->fallback_len);
        else
            *empty = true;
    }
    return good;
}

bool template_each(const char *text, const struct template_scope *scope,
                   bool (*take)(void *context, const char *value), void *context)
{
    struct parts parts;
    json_t *value[PARTS_MAX] = {0};
    size_t n = 1;
    bool good = take_apart(text, &parts, NULL) && look_up(&parts, scope, value);

    for (size_t i = 0; good && i < parts.n; i++)
        if (json_array_size(value[i]) > n)
            n = json_array_size(value[i]);
    for (size_t i = 0; good && i < n && i < TEMPLATE_VALUES_MAX; i++) {
        struct buf one;
        bool empty;
        buf_init(&one, TEMPLATE_VALUE_MAX);
        /* One value too long to be a tag or a field is left out. */
        if (render_one(&parts, value, i, &one, &empty) && !empty && one.len > 0)
            good = take(context, one.data);
        buf_wipe(&one);
    }
    for (size_t i = 0; i < PARTS_MAX; i++)
        json_decref(value[i]);
    return good;
}
