/*
 * json: legal JSON that Jansson refuses made decodable, and short ways to look into decoded values.
 *
 * One pass over the bytes, before Jansson, turns \u0000 and lone surrogates into U+FFFD and number literals
 * into strings: no amount ever becomes a binary floating point number, and no id loses a digit.
 */
#ifndef WOO_GHL_JSON_H
#define WOO_GHL_JSON_H

#include "buf.h"
#include <jansson.h>

/* Decodes len bytes; numbers arrive as JSON strings holding their literal. NULL with the error set when the
 * bytes are not JSON (the error names position and reason, never content). Depth is limited
 * (JSON_PARSER_MAX_DEPTH). */
json_t *json_decode_exact(const char *bytes, size_t len, struct error *e);

/* The string at key of an object; "" when it is missing, null, or not a string. Never NULL. Borrowed. */
const char *json_text(const json_t *object, const char *key);

/* The canonical form, sorted keys, compact: what hashes are made over. malloc'ed; NULL when out of memory. */
char *json_canonical(const json_t *value);

/* A JSON number whose text is exactly the decimal text given (decimal_format). The nearest double prints with
 * at most 15 significant digits, so that 21.76 is sent as 21.76. NULL when out of memory. */
json_t *json_decimal(const char *text);

#endif
