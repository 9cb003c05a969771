/*
 * Fuzzes JSON: what Jansson takes, json_decode_exact takes, too; what it gives can be written and read again. The
 * slices of an array lie in it, one behind the other.
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

void fuzz_json(const uint8_t *bytes, size_t len)
{
    const char *text = len ? (const char *)bytes : "";
    struct error e = ERROR_NONE;
    json_t *exact = json_decode_exact(text, len, &e);
    json_t *plain = json_loadb(text, len, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, NULL);
    char *any = fuzz_text(text, len);
    json_t *string = json_from_text(any);

    check(string && (exact || *e.text));
    check(exact || !json_is_object(plain));
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
    json_decref(plain);
    json_decref(exact);
    free(any);
}
