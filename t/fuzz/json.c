/*
 * Fuzzes JSON: what Jansson takes, json_decode_exact takes, too, and nothing else but what its header names; what it gives
 * can be written and read again. The slices of an array lie in it, one behind the other.
 */
#include "base/json.h"
#include "rig.h"
#include <stdlib.h>
#include <string.h>

static void slices(const char *bytes, size_t len)
{
    struct json_slices slices = {.text = bytes, .len = len};
    const char *behind = bytes;

    while (json_slice(&slices) == JSON_SLICE_ONE) {
        check(slices.element >= behind && slices.element_len <= (size_t)(bytes + len - slices.element));
        behind = slices.element + slices.element_len;
    }
}

static void walk(const json_t *value)
{
    struct json_walk at = {.list = value};
    size_t n = 0;

    while (json_walk(&at))
        n++;
    check(n == (json_is_array(value) ? json_array_size(value) : json_object_size(value)));
}

/* Jansson passes over a NUL byte behind a word or number. It refuses escapes that stand for no character, byte order marks,
 * and numbers that no double holds. */
static void judge_alike(const char *text, size_t len, bool exact)
{
    json_error_t error = {.text = ""};
    json_t *plain = json_loadb(text, len, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, &error);
    bool alike = !memchr(text, '\0', len) && !memmem(text, len, "\\u", 2) &&
                 !memmem(text, len, "\xEF\xBB\xBF", 3) &&
                 json_error_code(&error) != json_error_numeric_overflow;

    check(!alike || exact == (plain != NULL));
    json_decref(plain);
}

void fuzz_json(const uint8_t *bytes, size_t len)
{
    const char *text = len ? (const char *)bytes : "";
    struct error e = ERROR_NONE;
    json_t *exact = json_decode_exact(text, len, &e);
    char *any = fuzz_text(text, len);
    json_t *string = json_from_text(any);

    check(string && (exact || *e.text));
    judge_alike(text, len, exact != NULL);
    if (exact) {
        char *written = json_canonical(exact);
        check(written != NULL);
        json_t *again = json_decode_exact(written, strlen(written), &e);
        check(json_equal(exact, again));
        (void)json_text(exact, "id");
        walk(exact);
        json_decref(again);
        free(written);
    }
    slices(text, len);
    json_decref(string);
    json_decref(exact);
    free(any);
}
