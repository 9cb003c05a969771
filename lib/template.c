#include "template.h"
#include "attribution.h"
#include "text.h"
#include <stdlib.h>
#include <string.h>

#define PATH_MAX_LEN 255

/* A computed name: adds its values. */
typedef bool helper(json_t *values, const struct template_scope *scope);
static helper *find_helper(const char *name); /* NULL = there is none */

/* -- the language: a text is a row of pieces -- */

struct piece {
    bool is_path; /* otherwise literal text */
    const char *text;
    size_t len;
    const char *fallback; /* what follows "|"; NULL = none */
    size_t fallback_len;
};

enum step { STEP_PIECE, STEP_END, STEP_ERROR };

/* Letters, digits, "_" and "-" between points. A key of meta data may be anything. */
static bool is_legal_path(const char *path, size_t n)
{
    static const char legal[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    if (n > PATH_MAX_LEN)
        return false;
    for (size_t at = 0; at <= n;) {
        const char *segment = path + at;
        size_t len = 0;
        while (at + len < n && segment[len] != '.')
            len++;
        if (len == 0)
            return false;
        if (len == 4 && !memcmp(segment, "meta", 4) && at + len + 1 < n)
            return true;
        for (size_t i = 0; i < len; i++)
            if (!strchr(legal, segment[i]))
                return false;
        at += len + 1;
    }
    return true;
}

static enum step fail(const char *whole, const char *at, const char *what, struct error *e)
{
    error_set(e, "template, character %zu: %s", (size_t)(at - whole) + 1, what);
    return STEP_ERROR;
}

static enum step next_path(const char *whole, const char **at, struct piece *p, struct error *e)
{
    const char *open = *at, *start = open + 1;
    size_t n = strcspn(start, "{}");
    if (start[n] != '}')
        return fail(whole, open, "this { has no }; a path is written {billing.city}, a literal brace {{", e);
    const char *bar = memchr(start, '|', n);
    size_t path_len = bar ? (size_t)(bar - start) : n;
    if (!is_legal_path(start, path_len))
        return fail(whole, open,
                    "this is no path; a path is letters, digits, \"_\" and \"-\" between points, as in "
                    "{line_items.sku} or {meta.gift_message|none}",
                    e);
    *p = (struct piece){true, start, path_len, NULL, 0};
    if (bar) {
        p->fallback = bar + 1;
        p->fallback_len = n - path_len - 1;
    }
    *at = start + n + 1;
    return STEP_PIECE;
}

/* The next piece of a text that ends at `end` or at its NUL. */
static enum step next_piece(const char *whole, const char **at, const char *end, struct piece *p,
                            struct error *e)
{
    const char *s = *at;
    if (s == end || !*s)
        return STEP_END;
    if ((s[0] == '{' || s[0] == '}') && s[1] == s[0]) {
        *p = (struct piece){false, s, 1, NULL, 0};
        *at = s + 2;
        return STEP_PIECE;
    }
    if (*s == '}')
        return fail(whole, s, "this } has no {; a literal brace is written }}", e);
    if (*s == '{')
        return next_path(whole, at, p, e);
    size_t n = strcspn(s, "{}");
    if (end && n > (size_t)(end - s))
        n = (size_t)(end - s);
    *p = (struct piece){false, s, n, NULL, 0};
    *at = s + n;
    return STEP_PIECE;
}

bool template_check(const char *text, struct error *e)
{
    struct piece p;
    const char *at = text;
    size_t literal = 0;
    enum step step;
    json_t *utf8 = json_string(text);
    if (!utf8) {
        error_set(e, "template: it is not UTF-8; it should be");
        return false;
    }
    json_decref(utf8);
    while ((step = next_piece(text, &at, NULL, &p, e)) == STEP_PIECE)
        literal += p.is_path ? p.fallback_len : p.len;
    if (step == STEP_END && literal > TEMPLATE_VALUE_MAX) {
        error_set(e, "template of %zu characters: it may have %d at most", literal, TEMPLATE_VALUE_MAX);
        return false;
    }
    return step == STEP_END;
}

bool template_check_paths(const char *text, struct error *e)
{
    struct piece p;
    const char *at = text;
    while (next_piece(text, &at, NULL, &p, NULL) == STEP_PIECE) {
        char path[PATH_MAX_LEN + 1];
        if (!p.is_path || p.fallback)
            continue;
        memcpy(path, p.text, p.len);
        path[p.len] = '\0';
        if (!find_helper(path) && !order_may_have(path)) {
            error_set(
                e,
                "{%.100s} is nothing that WooCommerce sends of an order; a field of a plugin is written "
                "with a default, {%.100s|}, or read from the meta data, {meta.KEY}",
                path, path);
            return false;
        }
    }
    return true;
}

bool template_uses(const char *text, const char *name)
{
    struct piece p;
    const char *at = text;
    while (next_piece(text, &at, NULL, &p, NULL) == STEP_PIECE)
        if (p.is_path && p.len == strlen(name) && !memcmp(p.text, name, p.len))
            return true;
    return false;
}

/* -- values: what a path finds, as an array of clean texts that are not empty -- */

static bool add_text(json_t *values, const char *text)
{
    if (json_array_size(values) >= TEMPLATE_LIST_MAX)
        return true;
    char *clean = text_clean(text, TEMPLATE_VALUE_MAX);
    bool good = clean && (!*clean || !json_array_append_new(values, json_string(clean)));
    free(clean);
    return good;
}

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
        return add_text(values, json_string_value(value));
    if (json_is_boolean(value))
        return add_text(values, json_is_true(value) ? "yes" : "no");
    if (!is_list(value))
        return true;
    struct json_walk walk = {.list = value};
    for (const json_t *element; (element = json_walk(&walk));)
        if (!json_is_array(element) && !json_is_object(element) && !add_value(values, element))
            return false;
    return true;
}

/* meta_data is a list of {key, value}, or an object of key: value. */
static const json_t *find_meta(const json_t *meta, const char *key)
{
    const json_t *found = NULL;
    struct json_walk walk = {.list = meta};
    for (const json_t *entry; (entry = json_walk(&walk));) {
        const json_t *name = json_object_get(entry, "key");
        if (json_is_string(name) ? !strcmp(json_string_value(name), key) : walk.key && !strcmp(walk.key, key))
            found = json_is_string(name) ? json_object_get(entry, "value") : entry;
    }
    return found;
}

/* Depth is bounded by the path's points; a list adds one level each, and lists in lists do not count. */
static bool walk_path(json_t *values, const json_t *at, const char *path)
{
    char segment[PATH_MAX_LEN + 1];
    size_t n = strcspn(path, ".");
    memcpy(segment, path, n);
    segment[n] = '\0';
    const char *rest = path[n] ? path + n + 1 : NULL;

    const json_t *next = json_object_get(at, segment);
    const json_t *meta = json_object_get(at, "meta_data");
    if (!next && rest && meta && !strcmp(segment, "meta"))
        return add_value(values, find_meta(meta, rest));
    if (!next && json_is_array(at) && segment[strspn(segment, "0123456789")] == '\0')
        next = json_array_get(at, strtoul(segment, NULL, 10));
    if (next)
        return rest ? walk_path(values, next, rest) : add_value(values, next);
    if (!is_list(at))
        return true;
    struct json_walk walk = {.list = at};
    for (const json_t *element; (element = json_walk(&walk));)
        if (json_is_object(element) && !is_list(element) && !walk_path(values, element, path))
            return false;
    return true;
}

/* -- helpers: computed names -- */

static bool help_shop(json_t *values, const struct template_scope *scope)
{
    return add_text(values, scope->shop);
}

static bool help_number(json_t *values, const struct template_scope *scope)
{
    return add_text(values, scope->order->number);
}

static bool help_status(json_t *values, const struct template_scope *scope)
{
    return add_text(values, scope->order->status);
}

static bool help_admin_url(json_t *values, const struct template_scope *scope)
{
    return add_text(values, scope->order->admin_url);
}

static bool help_value(json_t *values, const struct template_scope *scope)
{
    struct decimal value;
    char text[DECIMAL_TEXT_SIZE];
    if (!scope->order->has_total || !decimal_add(scope->order->total, scope->order->refunds, &value))
        return true;
    decimal_format(value, 4, text);
    return add_text(values, text);
}

static bool help_customer_name(json_t *values, const struct template_scope *scope)
{
    struct buf name;
    buf_init(&name, TEMPLATE_VALUE_MAX);
    buf_addf(&name, "%.1000s %.1000s", order_billing(scope->order, "first_name"),
             order_billing(scope->order, "last_name"));
    bool good = !name.failed && add_text(values, name.data);
    buf_wipe(&name);
    return good && (json_array_size(values) || add_text(values, order_billing(scope->order, "company")));
}

static bool help_items(json_t *values, const struct template_scope *scope)
{
    struct json_walk walk = {.list = json_object_get(scope->order->json, "line_items")};
    bool good = true;
    for (const json_t *item; good && (item = json_walk(&walk));) {
        const char *quantity = json_text(item, "quantity"), *name = json_text(item, "name");
        struct buf line;
        if (!*name)
            continue;
        buf_init(&line, TEMPLATE_VALUE_MAX);
        buf_addf(&line, "%.40s \xc3\x97 %.2000s", *quantity ? quantity : "1", name);
        good = !line.failed && add_text(values, line.data);
        buf_free(&line);
    }
    return good;
}

static bool help_attribution(json_t *values, const struct template_scope *scope)
{
    char *from = attribution_of(scope);
    bool good = from && add_text(values, from);
    free(from);
    return good;
}

/* The day of "2026-11-25T00:43:19", in the shop's own time zone. */
static bool add_day(json_t *values, const char *date)
{
    char day[11] = "";
    if (strlen(date) >= 10 && date[4] == '-' && date[7] == '-')
        memcpy(day, date, 10);
    return add_text(values, day);
}

static bool help_date_paid(json_t *values, const struct template_scope *scope)
{
    return add_day(values, json_text(scope->order->json, "date_paid"));
}

static bool help_date_created(json_t *values, const struct template_scope *scope)
{
    return add_day(values, json_text(scope->order->json, "date_created"));
}

static const struct {
    const char *name;
    helper *help;
} helpers[] = {
    {"shop", help_shop},
    {"number", help_number},
    {"status", help_status},
    {"admin_url", help_admin_url},
    {"value", help_value},
    {"customer.name", help_customer_name},
    {"items", help_items},
    {"date_paid", help_date_paid},
    {"date_created", help_date_created},
    {"attribution", help_attribution},
};

static helper *find_helper(const char *name)
{
    for (size_t i = 0; i < sizeof helpers / sizeof *helpers; i++)
        if (!strcmp(helpers[i].name, name))
            return helpers[i].help;
    return NULL;
}

/* A new array of what a piece stands for; its default where there is nothing else. NULL when out of memory.
 */
static json_t *values_of(const struct piece *p, const struct template_scope *scope)
{
    char path[PATH_MAX_LEN + 1];
    json_t *values = json_array();
    if (!values)
        return NULL;
    if (!p->is_path) {
        if (!json_array_append_new(values, json_stringn(p->text, p->len)))
            return values;
        goto failed;
    }
    memcpy(path, p->text, p->len);
    path[p->len] = '\0';
    helper *help = find_helper(path);
    if (help ? !help(values, scope) : !walk_path(values, scope->order->json, path))
        goto failed;
    if (!json_array_size(values) && p->fallback &&
        json_array_append_new(values, json_stringn(p->fallback, p->fallback_len)))
        goto failed;
    return values;
failed:
    json_decref(values);
    return NULL;
}

/* -- rendering -- */

static bool add_joined(struct buf *out, const json_t *values)
{
    for (size_t i = 0; i < json_array_size(values); i++)
        if ((i && !buf_adds(out, ", ")) || !buf_adds(out, json_string_value(json_array_get(values, i))))
            return false;
    return true;
}

bool template_render(const char *text, const struct template_scope *scope, struct buf *out)
{
    if (!template_check(text, NULL))
        return false;
    struct buf all;
    struct piece p;
    const char *at = text;
    bool good = true;
    /* every piece at most once all its values: more than is kept, but bounded */
    buf_init(&all, (size_t)TEMPLATE_LIST_MAX * (TEMPLATE_VALUE_MAX + 2) * 2);
    while (good && all.len <= TEMPLATE_VALUE_MAX && next_piece(text, &at, NULL, &p, NULL) == STEP_PIECE) {
        json_t *values = values_of(&p, scope);
        good = values && add_joined(&all, values);
        json_decref(values);
    }
    good = good && buf_add(out, all.data, text_cut(all.data, all.len, TEMPLATE_VALUE_MAX));
    buf_wipe(&all);
    return good;
}

/* -- lists -- */

/* Where the item that begins at s ends: at a comma outside braces, or at the end. */
static const char *item_end(const char *s)
{
    bool inside = false;
    for (; *s && (inside || *s != ','); s++) {
        if ((*s == '{' || *s == '}') && s[1] == *s && !inside)
            s++;
        else if (*s == '{' || *s == '}')
            inside = *s == '{';
    }
    return s;
}

/* The values of each piece of an item, as an array of arrays, and the number of strings that it gives. */
static json_t *item_columns(const char *item, const char *end, const struct template_scope *scope,
                            size_t *rows)
{
    struct piece p;
    json_t *columns = json_array();
    bool missing = false;
    *rows = 1;
    while (columns && next_piece(item, &item, end, &p, NULL) == STEP_PIECE) {
        json_t *values = values_of(&p, scope);
        size_t n = json_array_size(values);
        if (!values || json_array_append_new(columns, values)) {
            json_decref(columns);
            return NULL;
        }
        missing = missing || n == 0;
        if (n > *rows)
            *rows = n;
    }
    if (missing)
        *rows = 0;
    return columns;
}

/* Row i of the columns: a single value stands in every row, a shorter list ends the rows that it has no value
 * for. */
static bool render_row(const json_t *columns, size_t row, struct buf *out)
{
    for (size_t c = 0; c < json_array_size(columns); c++) {
        const json_t *values = json_array_get(columns, c);
        size_t n = json_array_size(values);
        const json_t *value = json_array_get(values, n == 1 ? 0 : row);
        if (!value)
            buf_reset(out);
        if (!value || out->len > TEMPLATE_VALUE_MAX)
            return true;
        if (!buf_adds(out, json_string_value(value)))
            return false;
    }
    return true;
}

struct list {
    json_t *values;
    json_t *seen; /* what it has already: a shop's order may have thousands of lines */
    bool lower;
};

static bool add_distinct(struct list *list, const char *text)
{
    char *clean = text_clean(text, TEMPLATE_TAG_MAX);
    if (!clean)
        return false;
    if (list->lower)
        text_lower(clean);
    bool good = true;
    if (*clean && !json_object_get(list->seen, clean) && json_array_size(list->values) < TEMPLATE_LIST_MAX)
        good = !json_object_set_new(list->seen, clean, json_true()) &&
               !json_array_append_new(list->values, json_string(clean));
    free(clean);
    return good;
}

static bool add_item(struct list *list, const char *item, const char *end, const struct template_scope *scope)
{
    size_t rows;
    json_t *columns = item_columns(item, end, scope, &rows);
    bool good = columns != NULL;
    struct buf line;
    buf_init(&line, (size_t)TEMPLATE_VALUE_MAX * 4);
    for (size_t row = 0; good && row < rows; row++) {
        buf_reset(&line);
        good = render_row(columns, row, &line) && add_distinct(list, line.data);
    }
    buf_free(&line);
    json_decref(columns);
    return good;
}

/* Of the templates divided by commas, or of the whole text as one. */
static json_t *make_list(const char *text, const struct template_scope *scope, bool divided)
{
    if (!template_check(text, NULL))
        return NULL;
    struct list list = {json_array(), json_object(), divided};
    bool good = list.values && list.seen;
    for (const char *item = text; good; item++) {
        const char *end = divided ? item_end(item) : item + strlen(item);
        good = add_item(&list, item, end, scope);
        item = end;
        if (!*item)
            break;
    }
    json_decref(list.seen);
    if (!good) {
        json_decref(list.values);
        list.values = NULL;
    }
    return list.values;
}

json_t *template_list(const char *text, const struct template_scope *scope)
{
    return make_list(text, scope, true);
}

json_t *template_values(const char *text, const struct template_scope *scope)
{
    return make_list(text, scope, false);
}
