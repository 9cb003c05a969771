#include "base/ascii.h"
#include "base/json.h"
#include "base/json_memory.h"
#include "base/text.h"
#include "base/utf8.h"
#include <errno.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <string.h>

#define BOM "\xEF\xBB\xBF"
#define REPLACEMENT 0xFFFD

#define VALUES_MAX 500000
#define VALUES_MIN 100000
#define VALUES_ROOM 575000 /* what a body of no length would leave room for */

/* RFC 8259, read by descent. A function that returns false, or NULL, has said why in `wrong`, and `at` is where. */
struct reader {
    const char *at, *end;
    /* the names whose values are being read, each with a NUL behind it; then the string in hand */
    struct buf text;
    bool ascii;          /* all of that string's bytes; its escapes are UTF-8 anyhow */
    size_t values, most; /* seen so far, and allowed, as json_values_max counts them */
    int depth;
    const char *wrong;
};

static json_t *read_value(struct reader *r);

/* RFC 8259 lets a parser skip a byte order mark. */
static size_t bom_length(const char *bytes, size_t len)
{
    return len >= strlen(BOM) && !memcmp(bytes, BOM, strlen(BOM)) ? strlen(BOM) : 0;
}

static bool fail(struct reader *r, const char *wrong)
{
    r->wrong = wrong;
    return false;
}

static bool unexpected(struct reader *r)
{
    return fail(r, r->at == r->end ? "it ends too early"
                   : !*r->at       ? "there is a NUL byte in it"
                                   : "it is not JSON there");
}

static bool no_memory(struct reader *r)
{
    return fail(r, JSON_NO_MEMORY);
}

/* Jansson makes no text of bytes that are not UTF-8, and does not say whether memory is what it lacks; malloc does. */
static bool no_text(struct reader *r, bool ascii)
{
    return ascii || errno == ENOMEM ? no_memory(r) : fail(r, "it is not UTF-8");
}

/* The next byte that is no blank; NUL at the end. */
static char next(struct reader *r)
{
    while (r->at < r->end && is_blank(*r->at))
        r->at++;
    return r->at < r->end ? *r->at : '\0';
}

static bool count(struct reader *r, size_t weight)
{
    r->values += weight;
    return r->values <= r->most || fail(r, JSON_TOO_MANY);
}

/* -- strings and numbers -- */

/* The number of a \uXXXX at s; -1 when it is none. */
static long escape_code(const char *s, size_t left)
{
    if (left < 6 || s[0] != '\\' || s[1] != 'u')
        return -1;
    int high = text_octet(s + 2), low = text_octet(s + 4);
    return high < 0 || low < 0 ? -1 : high << 8 | low;
}

/* half 0 comes first in a pair of surrogates, half 1 second. */
static bool is_surrogate(long code, int half)
{
    return code >> 10 == (0xD800 >> 10) + half;
}

static bool read_escape(struct reader *r)
{
    static const char known[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
    const size_t left = (size_t)(r->end - r->at);
    const char *one = left > 1 && r->at[1] ? strchr(known, r->at[1]) : NULL;
    char utf8[4];

    if (one) {
        r->at += 2;
        (void)buf_addc(&r->text, means[one - known]);
        return true;
    }
    long code = escape_code(r->at, left);
    if (code < 0)
        return unexpected(r);
    r->at += 6;
    long second = is_surrogate(code, 0) ? escape_code(r->at, left - 6) : -1;
    if (is_surrogate(second, 1)) {
        r->at += 6;
        code = 0x10000 + (code - 0xD800) * 0x400 + (second - 0xDC00);
    } else if (code == 0 || is_surrogate(code, 0) || is_surrogate(code, 1)) {
        code = REPLACEMENT;
    }
    (void)buf_add(&r->text, utf8, (size_t)(utf8_write(utf8, (uint32_t)code) - utf8));
    return true;
}

/* Adds the string that begins here to r->text. */
static bool read_string(struct reader *r)
{
    unsigned char bits = 0;

    r->at++;
    for (;;) {
        const char *from = r->at;
        while (r->at < r->end && (unsigned char)*r->at >= ' ' && *r->at != '"' && *r->at != '\\')
            bits |= (unsigned char)*r->at++;
        (void)buf_add(&r->text, from, (size_t)(r->at - from));
        if (r->at == r->end || (*r->at != '"' && *r->at != '\\'))
            return unexpected(r);
        if (*r->at == '"')
            break;
        if (!read_escape(r))
            return false;
    }
    r->at++;
    r->ascii = bits < 0x80;
    return !r->text.failed || no_memory(r);
}

static json_t *text_value(struct reader *r)
{
    const size_t from = r->text.len;
    json_t *value = NULL;

    if (!read_string(r))
        return NULL;
    const char *text = r->text.data + from;
    const size_t len = r->text.len - from;
    value = r->ascii ? json_stringn_nocheck(text, len) : json_stringn(text, len);
    buf_cut(&r->text, from);
    if (!value)
        (void)no_text(r, r->ascii);
    return value;
}

static bool digits(struct reader *r)
{
    const char *from = r->at;

    while (r->at < r->end && is_digit(*r->at))
        r->at++;
    return r->at > from || unexpected(r);
}

static bool take(struct reader *r, const char *any_of)
{
    bool is = r->at < r->end && *r->at && strchr(any_of, *r->at);

    r->at += is;
    return is;
}

/* As a string that holds its literal. */
static json_t *number_value(struct reader *r)
{
    const char *from = r->at;

    (void)take(r, "-");
    if (!take(r, "0") && !digits(r)) /* no digit may follow a zero: that is for the caller to see */
        return NULL;
    if (take(r, ".") && !digits(r))
        return NULL;
    if (take(r, "eE") && ((void)take(r, "+-"), !digits(r)))
        return NULL;
    json_t *value = json_stringn_nocheck(from, (size_t)(r->at - from));
    if (!value)
        (void)no_memory(r);
    return value;
}

/* -- values -- */

static bool read_member(struct reader *r, json_t *object)
{
    const size_t from = r->text.len;

    if (next(r) != '"')
        return unexpected(r);
    if (!count(r, 1) || !read_string(r))
        return false;
    if (!buf_addc(&r->text, '\0'))
        return no_memory(r);
    const bool ascii = r->ascii;
    if (next(r) != ':')
        return unexpected(r);
    r->at++;
    json_t *value = read_value(r);
    const char *name = r->text.data + from;
    bool set = value && (ascii ? json_object_set_new_nocheck(object, name, value)
                               : json_object_set_new(object, name, value)) == 0;
    buf_cut(&r->text, from);
    return set || (value && no_text(r, ascii));
}

static bool read_element(struct reader *r, json_t *array)
{
    json_t *value = read_value(r);

    return value && (json_array_append_new(array, value) == 0 || no_memory(r));
}

/* The members of an object, or the elements of an array, and the bracket behind them. */
static bool read_list(struct reader *r, json_t *list, char close)
{
    r->at++;
    if (next(r) == close) {
        r->at++;
        return true;
    }
    for (;;) {
        if (!(close == '}' ? read_member(r, list) : read_element(r, list)))
            return false;
        char c = next(r);
        if (c != ',' && c != close)
            return unexpected(r);
        r->at++;
        if (c == close)
            return true;
    }
}

static json_t *list_value(struct reader *r, json_t *list, char close)
{
    return json_if(list ? read_list(r, list, close) : no_memory(r), list);
}

static json_t *word_value(struct reader *r, const char *word, json_t *value)
{
    size_t len = strlen(word);

    if ((size_t)(r->end - r->at) < len || memcmp(r->at, word, len) != 0) {
        (void)unexpected(r);
        return NULL;
    }
    r->at += len;
    return value;
}

static size_t weight(char c)
{
    return c == '{' ? 4 : c == '[' ? 2 : 1;
}

static json_t *read_value(struct reader *r)
{
    char c = next(r);
    json_t *value;

    if (!count(r, weight(c)) ||
        (r->depth == JSON_PARSER_MAX_DEPTH && !fail(r, JSON_TOO_MANY " inside each other")))
        return NULL;
    r->depth++;
    switch (c) {
    case '{': value = list_value(r, json_object(), '}'); break;
    case '[': value = list_value(r, json_array(), ']'); break;
    case '"': value = text_value(r); break;
    case 't': value = word_value(r, "true", json_true()); break;
    case 'f': value = word_value(r, "false", json_false()); break;
    case 'n': value = word_value(r, "null", json_null()); break;
    default: value = number_value(r); break;
    }
    r->depth--;
    return value;
}

size_t json_values_max(size_t len)
{
    size_t less = len / 27, most = less < VALUES_ROOM ? VALUES_ROOM - less : 0;

    return most > VALUES_MAX ? VALUES_MAX : most < VALUES_MIN ? VALUES_MIN : most;
}

/* Says what is wrong; nothing of the text. */
static void explain(const struct reader *r, const char *bytes, size_t len, struct error *e)
{
    if (!strcmp(r->wrong, JSON_NO_MEMORY))
        error_set(e, "body of %zu bytes: " JSON_NO_MEMORY, len);
    else if (!strcmp(r->wrong, JSON_TOO_MANY))
        error_set(e,
                  "body of %zu bytes: " JSON_TOO_MANY
                  " (an object counts four, an array two); %zu are read of so many bytes",
                  len, r->most);
    else
        error_set(e, "body of %zu bytes cannot be decoded, about byte %zu: %s; it should be one JSON object",
                  len, (size_t)(r->at - bytes) + 1, r->wrong);
}

json_t *json_decode_exact(const char *bytes, size_t len, struct error *e)
{
    struct reader r = {.at = bytes, .end = bytes + len, .most = json_values_max(len)};

    errno = 0;
    buf_init(&r.text, len + JSON_PARSER_MAX_DEPTH); /* no escape is shorter than what it stands for */
    r.at += bom_length(bytes, len);
    json_memory_begin();
    json_t *value = read_value(&r);
    json_memory_end();
    if (value && (next(&r), r.at < r.end)) {
        (void)fail(&r, *r.at ? "something follows its end" : "there is a NUL byte in it");
        json_decref(value);
        value = NULL;
    }
    buf_wipe(&r.text);
    if (!value)
        explain(&r, bytes, len, e);
#ifdef __GLIBC__
    if (!value && r.values > VALUES_MIN) /* what they took goes back before the body is sealed and sent */
        (void)malloc_trim(0);
#endif
    return value;
}

/* -- slices -- */

static void skip_blanks(struct json_slices *s)
{
    while (s->at < s->len && is_blank(s->text[s->at]))
        s->at++;
}

/* Behind the string that begins here, or the end of the text. */
static void skip_string(struct json_slices *s)
{
    for (s->at++; s->at < s->len && s->text[s->at] != '"'; s->at++)
        if (s->text[s->at] == '\\')
            s->at++;
    s->at = s->at < s->len ? s->at + 1 : s->len;
}

/* To the comma or bracket that ends the element. False: the text ends before. */
static bool skip_element(struct json_slices *s)
{
    size_t depth = 0;

    while (s->at < s->len) {
        char c = s->text[s->at];
        if (c == '"') {
            skip_string(s);
            continue;
        }
        if (depth == 0 && (c == ',' || c == ']' || c == '}'))
            return c != '}';
        if (c == '[' || c == '{')
            depth++;
        else if (c == ']' || c == '}')
            depth--;
        s->at++;
    }
    return false;
}

/* Behind the last element's bracket. */
static enum json_slice end_of_slices(struct json_slices *s)
{
    s->at++;
    skip_blanks(s);
    return s->at == s->len ? JSON_SLICE_END : JSON_SLICE_BROKEN;
}

enum json_slice json_slice(struct json_slices *s)
{
    bool first = s->at == 0;

    if (first)
        s->at = bom_length(s->text, s->len);
    skip_blanks(s);
    if (s->at >= s->len)
        return JSON_SLICE_BROKEN;
    char c = s->text[s->at];
    if (!first && c == ']')
        return end_of_slices(s);
    if (c != (first ? '[' : ','))
        return JSON_SLICE_BROKEN;
    s->at++;
    skip_blanks(s);
    if (first && s->at < s->len && s->text[s->at] == ']')
        return end_of_slices(s);
    s->element = s->text + s->at;
    size_t start = s->at;
    if (!skip_element(s))
        return JSON_SLICE_BROKEN;
    s->element_len = s->at - start;
    while (s->element_len > 0 && is_blank(s->element[s->element_len - 1]))
        s->element_len--;
    return s->element_len > 0 ? JSON_SLICE_ONE : JSON_SLICE_BROKEN;
}
