#include "base/json.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BOM "\xEF\xBB\xBF"

#define VALUES_MAX 500000
#define VALUES_MIN 100000
#define VALUES_ROOM 575000 /* what a body of no length would leave room for */

/* The one pass. It changes only what is legal JSON: whatever is not stays as it is, for Jansson to refuse. */
struct pass {
    const char *in;
    size_t len, at;
    struct buf *out;
    size_t values; /* seen so far, as json_values_max counts them */
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The number of a \uXXXX at s; -1 when it is none. */
static long escape_code(const char *s, size_t left)
{
    long code = 0;
    if (left < 6 || s[0] != '\\' || s[1] != 'u')
        return -1;
    for (int i = 2; i < 6; i++) {
        char c = s[i];
        if (is_digit(c))
            code = code * 16 + (c - '0');
        else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
            code = code * 16 + ((c | 0x20) - 'a' + 10);
        else
            return -1;
    }
    return code;
}

static bool is_high_surrogate(long code)
{
    return code >= 0xD800 && code <= 0xDBFF;
}

static bool is_low_surrogate(long code)
{
    return code >= 0xDC00 && code <= 0xDFFF;
}

static bool pass_string(struct pass *p)
{
    size_t from = p->at++;
    while (p->at < p->len && p->in[p->at] != '"') {
        const char *s = p->in + p->at;
        size_t left = p->len - p->at;
        if (*s != '\\') {
            p->at++;
            continue;
        }
        long code = escape_code(s, left);
        if (is_high_surrogate(code) && is_low_surrogate(escape_code(s + 6, left - 6))) {
            p->at += 12;
        } else if (code == 0 || is_high_surrogate(code) || is_low_surrogate(code)) {
            buf_add(p->out, p->in + from, p->at - from);
            buf_adds(p->out, "\\ufffd");
            p->at += 6;
            from = p->at;
        } else {
            p->at += left < 2 ? left : 2;
        }
    }
    if (p->at < p->len)
        p->at++; /* the closing quote */
    return buf_add(p->out, p->in + from, p->at - from);
}

/* RFC 8259: [ minus ] int [ frac ] [ exp ], all n bytes of it. */
static bool is_number(const char *s, size_t n)
{
    const char *end = s + n;
    if (s < end && *s == '-')
        s++;
    if (s == end || !is_digit(*s))
        return false;
    if (*s == '0' && s + 1 < end && is_digit(s[1]))
        return false;
    while (s < end && is_digit(*s))
        s++;
    if (s < end && *s == '.') {
        if (++s == end || !is_digit(*s))
            return false;
        while (s < end && is_digit(*s))
            s++;
    }
    if (s < end && (*s == 'e' || *s == 'E')) {
        s++;
        if (s < end && (*s == '+' || *s == '-'))
            s++;
        if (s == end || !is_digit(*s))
            return false;
        while (s < end && is_digit(*s))
            s++;
    }
    return s == end;
}

static bool pass_number(struct pass *p)
{
    size_t from = p->at;
    while (p->at < p->len && p->in[p->at] && strchr("0123456789+-.eE", p->in[p->at]))
        p->at++;
    size_t n = p->at - from, next = p->at;
    while (next < p->len && is_space(p->in[next]))
        next++;
    /* A number in a key's place is an error: quoting it would make it legal. */
    bool is_key = next < p->len && p->in[next] == ':';
    if (is_key || !is_number(p->in + from, n))
        return buf_add(p->out, p->in + from, n);
    return buf_addc(p->out, '"') && buf_add(p->out, p->in + from, n) && buf_addc(p->out, '"');
}

/* What begins here, outside strings and numbers: an object, an array; true, false and null have one of these letters. */
static size_t weight(char c)
{
    return c == '{' ? 4 : c == '[' ? 2 : c == 't' || c == 'f' || c == 'n';
}

/* One string, one number, or what lies between them. */
static bool pass_step(struct pass *p)
{
    size_t from = p->at;
    while (p->at < p->len) {
        char c = p->in[p->at];
        if (c == '"' || c == '-' || is_digit(c))
            break;
        p->values += weight(c);
        p->at++;
    }
    if (p->at > from)
        return buf_add(p->out, p->in + from, p->at - from);
    p->values++;
    return p->in[p->at] == '"' ? pass_string(p) : pass_number(p);
}

static struct pass pass_begin(const char *bytes, size_t len, struct buf *out)
{
    struct pass p = {.in = bytes, .len = len, .out = out};
    /* RFC 8259 lets a parser skip a byte order mark; the signature was over it. */
    if (len >= strlen(BOM) && !memcmp(bytes, BOM, strlen(BOM)))
        p.at = strlen(BOM);
    return p;
}

/* Where in the delivery's own bytes Jansson's position is: at the end of the step that wrote it. */
static size_t source_position(const char *bytes, size_t len, struct buf *scratch, int position)
{
    buf_reset(scratch);
    struct pass p = pass_begin(bytes, len, scratch);
    while (p.at < p.len && (position < 0 || scratch->len < (size_t)position) && pass_step(&p))
        ;
    return p.at;
}

/* Jansson's own text quotes the body; this never does. */
static const char *reason_of(const json_error_t *error)
{
    switch (json_error_code(error)) {
    case json_error_stack_overflow: return "it is nested too deeply";
    case json_error_invalid_utf8: return "it is not UTF-8";
    case json_error_premature_end_of_input: return "it ends too early";
    case json_error_end_of_input_expected: return "something follows its end";
    case json_error_null_character: return "there is a NUL byte in it";
    default: return "it is not JSON there";
    }
}

size_t json_values_max(size_t len)
{
    size_t less = len / 27, most = less < VALUES_ROOM ? VALUES_ROOM - less : 0;

    return most > VALUES_MAX ? VALUES_MAX : most < VALUES_MIN ? VALUES_MIN : most;
}

json_t *json_decode_exact(const char *bytes, size_t len, struct error *e)
{
    const size_t most = json_values_max(len);
    json_t *value = NULL;
    struct buf text;
    json_error_t error;
    /* All of it at once: what grows lies in memory twice. Each number grows by two quotes. */
    buf_init(&text, len + 2 * (most + 1));
    (void)buf_room(&text, len);
    struct pass p = pass_begin(bytes, len, &text);
    while (p.at < p.len && p.values <= most && pass_step(&p))
        ;
    if (p.values > most) {
        error_set(e,
                  "body of %zu bytes: " JSON_TOO_MANY
                  " (an object counts four, an array two); %zu are read of so many bytes",
                  len, most);
        goto out;
    }
    if (text.failed) {
        error_set(e, "body of %zu bytes: " JSON_NO_MEMORY, len);
        goto out;
    }
    errno = 0; /* Jansson does not always say that memory is what it lacks; malloc does */
    value = json_loadb(text.data, text.len, JSON_DECODE_ANY, &error);
    if (!value && (errno == ENOMEM || !error.text[0] || json_error_code(&error) == json_error_out_of_memory))
        error_set(e, "body of %zu bytes: " JSON_NO_MEMORY, len);
    else if (!value)
        error_set(e, "body of %zu bytes cannot be decoded, about byte %zu: %s; it should be one JSON object",
                  len, source_position(bytes, len, &text, error.position), reason_of(&error));
out:
    buf_free(&text);
    return value;
}

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

/* -- slices -- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

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

    if (first && s->len >= 3 && !memcmp(s->text, "\xEF\xBB\xBF", 3))
        s->at = 3;
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

char *json_canonical(const json_t *value)
{
    return json_dumps(value, JSON_SORT_KEYS | JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
}

json_t *json_decimal(const char *text)
{
    /* decimal_format gives at most 18 digits before the point: a whole number always fits. */
    if (!strchr(text, '.'))
        return json_integer(strtoll(text, NULL, 10));
    return json_real(strtod(text, NULL));
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
    char *quoted = value ? json_dumps(value, JSON_ENCODE_ANY) : NULL;
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
