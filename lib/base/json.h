/*
 * json: JSON read as orders need it, and short ways to look into decoded values.
 *
 * Values are Jansson's, but Jansson's own decoder makes binary floating point numbers of amounts, refuses \u0000 and lone
 * surrogates, which shops send, and takes four times as long. This one gives number literals as strings: no amount ever
 * becomes a binary number, and no id loses a digit.
 */
#pragma once

#include "base/buf.h"
#include <jansson.h>

/* Decodes len bytes; numbers arrive as JSON strings holding their literal. NULL with the error set when the
 * bytes are not JSON (RFC 8259; the error names position and reason, never content). One UTF-8 byte order mark before the
 * text is skipped. Of equal keys the last wins. \u0000 and lone surrogates become U+FFFD. The error ends with JSON_NO_MEMORY
 * if memory is what was missing: the bytes may be fine. It has JSON_TOO_MANY in it if they hold more names and values than
 * json_values_max says, or more than JSON_PARSER_MAX_DEPTH of them inside each other. */
#define JSON_NO_MEMORY "out of memory"
#define JSON_TOO_MANY "too many names and values"
json_t *json_decode_exact(const char *bytes, size_t len, struct error *e);
/* How many names and values of len bytes are read, so that a process stays below 64 MB: an object counts four, an array
 * two, as Jansson needs about 80 bytes for each. */
size_t json_values_max(size_t len);

/* The string at key of an object; "" when it is missing, null, or not a string. Never NULL. Borrowed. */
const char *json_text(const json_t *object, const char *key);

/* A walk over a list: the elements of an array, or the values of an object, because PHP writes a list with
 * gaps as an object. Begin with {.list = value}; each call gives the next, NULL at the end. Anything else is
 * an empty list. */
struct json_walk {
    const json_t *list;
    size_t at;
    void *iter;
    const char *key; /* of an object's value; NULL in an array */
};
json_t *json_walk(struct json_walk *walk); /* borrowed */

/* The elements of an array as the very bytes that they are: for orders that must stay as they were sent.
 * Begin with {.text = ..., .len = ...}; after ONE the element is set. It looks at brackets, commas and quotes
 * alone: an element may still be no JSON. A byte order mark and blanks around the array are skipped. */
struct json_slices {
    const char *text; /* borrowed */
    size_t len, at;
    const char *element; /* into text */
    size_t element_len;
};
enum json_slice {
    JSON_SLICE_ONE,
    JSON_SLICE_END,    /* there is no other, and nothing behind the array */
    JSON_SLICE_BROKEN, /* it is no array, or not a whole one */
};
enum json_slice json_slice(struct json_slices *slices);

/* The value, which the caller made, if it is good; otherwise it is freed, and NULL. */
json_t *json_if(bool good, json_t *value);

/* A JSON string of any bytes: if they are not UTF-8, "?" stands for each that is not ASCII. NULL when out of
 * memory. */
json_t *json_from_text(const char *text);

/* A template of JSON: each {name} of `values` (an object of texts) becomes its text, as it stands inside a JSON string. */
bool json_fill(const char *form, const json_t *values, struct buf *out);

/* What json_dumps writes, or NULL when out of memory: json_dumps itself leaves an object's key out then, and goes on. The
 * caller's. */
char *json_written(const json_t *value, size_t flags);

/* The canonical form, sorted keys, compact: what hashes are made over. malloc'ed; NULL when out of memory. */
char *json_canonical(const json_t *value);

/* A JSON number whose text is exactly the decimal text given (decimal_format), up to 15 digits, if it is
 * written by json_canonical or with JSON_REAL_PRECISION(15): 21.76 is sent as 21.76. NULL when out of memory.
 */
json_t *json_decimal(const char *text);
