#include "base/text.h"
#include "order/template_work.h"
#include <stdlib.h>
#include <string.h>

#define PATH_MAX_LEN 255
#define ELLIPSIS "\xE2\x80\xA6"
#define ELLIPSIS_LEN 3
#define KEPT_MAX 100 /* bytes of an order's number: beyond it, it is a text like others */

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
    if (n == 1 && *start == ',') { /* where commas divide, a literal one */
        *p = (struct piece){false, start, 1, NULL, 0};
        *at = start + 2;
        return STEP_PIECE;
    }
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
    enum step step;
    json_t *utf8 = json_string(text);
    if (!utf8) {
        error_set(e, "template: it is not UTF-8; it should be");
        return false;
    }
    json_decref(utf8);
    while ((step = next_piece(text, &at, NULL, &p, e)) == STEP_PIECE)
        ;
    if (step != STEP_END)
        return false;
    size_t literal = template_literal_len(text);
    if (literal > TEMPLATE_VALUE_MAX)
        error_set(e, "template of %zu characters: it may have %d at most", literal, TEMPLATE_VALUE_MAX);
    return literal <= TEMPLATE_VALUE_MAX;
}

size_t template_literal_len(const char *text)
{
    struct piece p;
    const char *at = text;
    size_t literal = 0;
    while (next_piece(text, &at, NULL, &p, NULL) == STEP_PIECE)
        literal += p.is_path ? p.fallback_len : p.len;
    return literal;
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
        if (!template_find_helper(path) && !order_may_have(path)) {
            error_set(e,
                      "{%.100s} is nothing that WooCommerce sends of an order; a field of a plugin is "
                      "written with a default, {%.100s|}, or read from the meta data, {meta.KEY}",
                      path, path);
            return false;
        }
    }
    return true;
}

static bool is_path(const struct piece *p, const char *name)
{
    return p->is_path && p->len == strlen(name) && !memcmp(p->text, name, p->len);
}

bool template_uses(const char *text, const char *name)
{
    struct piece p;
    const char *at = text;
    while (next_piece(text, &at, NULL, &p, NULL) == STEP_PIECE)
        if (is_path(&p, name))
            return true;
    return false;
}

bool template_uses_only(const char *text, const char *const *names)
{
    struct piece p;
    const char *at = text;
    while (next_piece(text, &at, NULL, &p, NULL) == STEP_PIECE) {
        const char *const *name = names;
        while (p.is_path && *name && !is_path(&p, *name))
            name++;
        if (p.is_path && !*name)
            return false;
    }
    return true;
}

/* -- values: what a piece stands for, as clean texts that are not empty -- */

/* `each`: see template_find; NULL = not wanted. */
static bool find_values(const struct piece *p, const struct template_scope *scope, json_t *values,
                        json_t *each)
{
    char path[PATH_MAX_LEN + 1];
    if (!p->is_path)
        return !json_array_append_new(values, json_stringn(p->text, p->len));
    memcpy(path, p->text, p->len);
    path[p->len] = '\0';
    template_helper *help = template_find_helper(path);
    return help ? help(values, scope) : template_find(values, each, scope->order->json, path);
}

static bool add_default(const struct piece *p, json_t *values)
{
    return json_array_size(values) || !p->fallback ||
           !json_array_append_new(values, json_stringn(p->fallback, p->fallback_len));
}

/* A new array of the values of a piece; its default where there is nothing else. NULL when out of memory. */
static json_t *values_of(const struct piece *p, const struct template_scope *scope)
{
    json_t *values = json_array();

    return json_if(values && find_values(p, scope, values, NULL) && add_default(p, values), values);
}

/* -- rendering -- */

/* A piece's values as one text. One byte more than is ever shown tells that there is more. */
static json_t *join(const json_t *values)
{
    struct buf text;
    bool good = true;
    buf_init(&text, (size_t)2 * TEMPLATE_VALUE_MAX + 16);
    for (size_t i = 0; good && i < json_array_size(values) && text.len <= TEMPLATE_VALUE_MAX; i++)
        good = (!i || buf_adds(&text, ", ")) && buf_adds(&text, json_string_value(json_array_get(values, i)));
    json_t *joined = good ? json_stringn(text.data ? text.data : "",
                                         text_cut(text.data, text.len, TEMPLATE_VALUE_MAX + ELLIPSIS_LEN))
                          : NULL;
    buf_wipe(&text);
    return joined;
}

/* What tells one order from another is never cut, nor what the owner wrote. */
static bool is_kept(const struct piece *p, const char *text)
{
    bool names_order =
        (p->len == 6 && !memcmp(p->text, "number", 6)) || (p->len == 2 && !memcmp(p->text, "id", 2));
    return !p->is_path || (names_order && strlen(text) <= KEPT_MAX);
}

struct rendering {
    json_t *kept, *cut; /* texts of the pieces, null where the piece is of the other kind */
};

static bool render_pieces(const char *text, const struct template_scope *scope, struct rendering *r)
{
    struct piece p;
    const char *at = text;
    while (next_piece(text, &at, NULL, &p, NULL) == STEP_PIECE) {
        json_t *values = values_of(&p, scope);
        json_t *joined = values ? join(values) : NULL;
        json_decref(values);
        bool kept = joined && is_kept(&p, json_string_value(joined));
        if (!joined || json_array_append_new(r->kept, kept ? json_incref(joined) : json_null()) ||
            json_array_append_new(r->cut, kept ? json_null() : json_incref(joined))) {
            json_decref(joined);
            return false;
        }
        json_decref(joined);
    }
    return true;
}

/* How long the whole is when no value is longer than `longest`. */
static size_t length_with(const struct rendering *r, size_t longest)
{
    size_t sum = 0;
    for (size_t i = 0; i < json_array_size(r->kept); i++) {
        size_t value = json_string_length(json_array_get(r->cut, i));
        sum += json_string_length(json_array_get(r->kept, i)) + (value < longest ? value : longest);
    }
    return sum;
}

/* So that all fits, the longest values lose their ends. */
static size_t longest_that_fits(const struct rendering *r, size_t max)
{
    size_t fits = 0, too_long = TEMPLATE_VALUE_MAX + ELLIPSIS_LEN + 1;
    while (too_long - fits > 1) {
        size_t middle = fits + (too_long - fits) / 2;
        if (length_with(r, middle) <= max)
            fits = middle;
        else
            too_long = middle;
    }
    return fits;
}

static bool write_pieces(const struct rendering *r, size_t longest, struct buf *out)
{
    bool good = true;
    for (size_t i = 0; good && i < json_array_size(r->kept); i++) {
        const json_t *kept = json_array_get(r->kept, i), *cut = json_array_get(r->cut, i);
        const char *text = json_string_value(json_is_string(kept) ? kept : cut);
        size_t n = strlen(text);
        if (json_is_string(kept) || n <= longest)
            good = buf_adds(out, text);
        else if (longest >= ELLIPSIS_LEN)
            good = buf_add(out, text, text_cut(text, n, longest - ELLIPSIS_LEN)) && buf_adds(out, ELLIPSIS);
    }
    return good;
}

bool template_render(const char *text, const struct template_scope *scope, size_t max, struct buf *out)
{
    if (!template_check(text, NULL))
        return false;
    struct rendering r = {json_array(), json_array()};
    struct buf all;
    buf_init(&all, (size_t)2 * TEMPLATE_VALUE_MAX + max);
    bool good = r.kept && r.cut && render_pieces(text, scope, &r) &&
                write_pieces(&r, longest_that_fits(&r, max), &all) &&
                buf_add(out, all.data, text_cut(all.data, all.len, max));
    buf_wipe(&all);
    json_decref(r.kept);
    json_decref(r.cut);
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

/* A new array of the rows of a piece, each an array of values: a row for each element of the list that its
 * path goes through, also for one that lacks a value, so that the rows of two such paths are of the same
 * element; otherwise a row for each value. NULL when out of memory. */
static json_t *rows_of(const struct piece *p, const struct template_scope *scope)
{
    json_t *values = json_array(), *rows = json_array();
    bool good = values && rows && find_values(p, scope, values, rows);
    bool listed = json_array_size(rows) > 0;
    for (size_t i = 0; good && !listed && i < json_array_size(values); i++)
        good = !json_array_append_new(rows, json_pack("[O]", json_array_get(values, i)));
    if (good && !json_array_size(rows) && p->fallback)
        good = !json_array_append_new(rows, json_array());
    for (size_t i = 0; good && i < json_array_size(rows); i++)
        good = add_default(p, json_array_get(rows, i));
    json_decref(values);
    return json_if(good, rows);
}

/* The rows of each piece of an item, and how many there are: none where a piece has none. */
static json_t *item_columns(const char *item, const char *end, const struct template_scope *scope,
                            size_t *rows)
{
    struct piece p;
    json_t *columns = json_array();
    bool missing = false;
    *rows = 1;
    while (columns && next_piece(item, &item, end, &p, NULL) == STEP_PIECE) {
        json_t *column = rows_of(&p, scope);
        size_t n = json_array_size(column);
        if (!column || json_array_append_new(columns, column))
            return json_if(false, columns);
        missing = missing || n == 0;
        if (n > *rows)
            *rows = n;
    }
    if (missing)
        *rows = 0;
    return columns;
}

/* Row i of the columns: a single one stands in every row, a shorter list ends the rows that it has nothing
 * for. *values: the most values that one of its cells has; 0 where one has none. */
static json_t *row_cells(const json_t *columns, size_t row, size_t *values)
{
    json_t *cells = json_array();
    bool missing = false;
    *values = 1;
    for (size_t c = 0; cells && c < json_array_size(columns); c++) {
        const json_t *column = json_array_get(columns, c);
        json_t *cell = json_array_get(column, json_array_size(column) == 1 ? 0 : row);
        size_t n = json_array_size(cell);
        missing = missing || n == 0;
        if (n > *values)
            *values = n;
        if (n && json_array_append(cells, cell) != 0)
            return json_if(false, cells);
    }
    if (missing)
        *values = 0;
    return cells;
}

/* The i-th values of the cells, one behind the other: a single value stands behind each. */
static bool render_cells(const json_t *cells, size_t i, struct buf *out)
{
    for (size_t c = 0; c < json_array_size(cells); c++) {
        const json_t *values = json_array_get(cells, c);
        const json_t *value = json_array_get(values, json_array_size(values) == 1 ? 0 : i);
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
    char *clean = text_tidy(text, TEMPLATE_TAG_MAX);
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

static bool add_row(struct list *list, const json_t *columns, size_t row)
{
    size_t n;
    json_t *cells = row_cells(columns, row, &n);
    bool good = cells != NULL;
    struct buf line;
    buf_init(&line, (size_t)TEMPLATE_VALUE_MAX * 4);
    for (size_t i = 0; good && i < n; i++) {
        buf_reset(&line);
        good = render_cells(cells, i, &line) && add_distinct(list, line.data);
    }
    buf_free(&line);
    json_decref(cells);
    return good;
}

static bool add_item(struct list *list, const char *item, const char *end, const struct template_scope *scope)
{
    size_t rows;
    json_t *columns = item_columns(item, end, scope, &rows);
    bool good = columns != NULL;
    for (size_t row = 0; good && row < rows && json_array_size(list->values) < TEMPLATE_LIST_MAX; row++)
        good = add_row(list, columns, row);
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
