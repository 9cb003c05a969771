/* Every field of every record: there and back, and what is no value of it. */
#include "queue/record.h"
#include "tap.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

union any_record {
    struct order_record order;
    struct location_record location;
    struct limiter_record limiter;
};

static bool goes_round(const struct field *field, const char *text)
{
    static const union any_record none;
    union any_record record = none, again = none;
    char got[FIELD_VALUE_SIZE];

    if (!field_set(field, &record, text))
        return false;
    field_get(field, &record, got);
    if (field->type != FIELD_TEXT && (!field_set_number(field, &again, field_number(field, &record)) ||
                                      !field_same(field, &record, &again)))
        return false;
    char packed[FIELD_VALUE_SIZE];
    size_t len = field_pack(field, &record, packed);
    if (len > strlen(text) + 1 || !len != field_is_default(field, &record) ||
        (len && (!field_unpack(field, &again, packed, len) || !field_same(field, &record, &again))))
        return false;
    return !strcmp(got, text) && field_same(field, &record, &none) == !*text;
}

/* Refused, and the field is at its default: nothing half read is left. */
static bool refused(const struct field *field, const char *text)
{
    static const union any_record none;
    union any_record record;
    char got[FIELD_VALUE_SIZE];

    memset(&record, 0, sizeof record);
    if (!field_set(field, &record, field->type == FIELD_TEXT ? "x" : "1") || field_set(field, &record, text))
        return false;
    field_get(field, &record, got);
    return !*got && field_same(field, &record, &none);
}

static void test_number(const struct field *field)
{
    static const char *const garbage[] = {"x",
                                          "1x",
                                          " 1",
                                          "1 ",
                                          "+1",
                                          "0x1",
                                          "1.5",
                                          "--1",
                                          "-",
                                          "1-",
                                          "4503599627370497",
                                          "-4503599627370497",
                                          "9223372036854775807",
                                          "-9223372036854775808",
                                          "9223372036854775808",
                                          "-9223372036854775809"};
    char beyond[32];

    for (size_t i = 0; i < sizeof garbage / sizeof *garbage; i++)
        ok(refused(field, garbage[i]), "%s is never \"%s\"", field->name, garbage[i]);
    ok(goes_round(field, "1"), "%s: 1", field->name);
    if (field->type == FIELD_INT) {
        ok(goes_round(field, "4503599627370496") && goes_round(field, "-4503599627370496") &&
               goes_round(field, "-1"),
           "%s: as large as it gets", field->name);
    } else {
        snprintf(beyond, sizeof beyond, "%zu", field->type == FIELD_FLAG ? (size_t)2 : field->size);
        ok(refused(field, beyond) && refused(field, "-1") && refused(field, "4294967296"), "%s: its range",
           field->name);
    }
}

static void test_text(const struct field *field)
{
    char text[FIELD_VALUE_SIZE + 1], got[FIELD_VALUE_SIZE];
    union any_record record;

    memset(&record, 0, sizeof record);
    ok(!field_set_number(field, &record, 1) && field_number(field, &record) == 0, "%s is no number",
       field->name);
    ok(field->size <= FIELD_VALUE_SIZE, "%s is no longer than any value", field->name);
    memset(text, 'a', sizeof text);
    text[field->size] = '\0';
    ok(refused(field, text), "%s: one byte too long", field->name);
    text[field->size - 1] = '\0';
    ok(goes_round(field, text) && goes_round(field, "a b=c\n\xc3\xa9"), "%s: whole", field->name);
    memset(&record, 'x', sizeof record);
    field_get(field, &record, got);
    ok(strlen(got) <= field->size, "%s: ends, also if its NUL is missing", field->name);
}

static void test_type(const struct record_type *type)
{
    unsigned char covered[sizeof(union any_record)] = {0};

    for (size_t i = 0; i < type->count; i++) {
        const struct field *field = &type->fields[i];
        size_t size = field->type == FIELD_TEXT   ? field->size
                      : field->type == FIELD_INT  ? sizeof(int64_t)
                      : field->type == FIELD_FLAG ? sizeof(bool)
                                                  : sizeof(int);
        bool alone = field->offset >= sizeof(int64_t) && field->offset + size <= type->size;
        for (size_t j = 0; j < i; j++)
            alone = alone && strcmp(type->fields[j].name, field->name) != 0;
        for (size_t at = field->offset; alone && at < field->offset + size; at++)
            alone = !covered[at]++;
        ok(alone, "%s.%s has a name and a place of its own", type->name, field->name);
        ok(goes_round(field, ""), "%s: its default", field->name);
        if (field->type == FIELD_TEXT)
            test_text(field);
        else
            test_number(field);
    }
    /* What no field covers is the version and padding: a member that was forgotten would be more. */
    size_t gap = 0, longest = 0;
    for (size_t at = sizeof(int64_t); at < type->size; at++) {
        gap = covered[at] ? 0 : gap + 1;
        longest = gap > longest ? gap : longest;
    }
    ok(longest < sizeof(int64_t), "%s: every member is a field", type->name);
}

/* A whole record: there and back; and cut anywhere it is none, or one of fewer fields. */
static void records_go_round(const struct record_type *type)
{
    union any_record record = {0}, again;
    struct buf bytes;
    const char *wrong;
    size_t refused_count = 0;
    bool same;

    buf_init(&bytes, 100000);
    for (size_t i = 0; i < type->count; i++) {
        const struct field *field = &type->fields[i];
        char text[FIELD_VALUE_SIZE] = "";
        if (field->type == FIELD_TEXT)
            memset(text, i % 2 ? 'x' : 'a',
                   field->size - 1 < sizeof text - 1 ? field->size - 1 : sizeof text - 1);
        ok(field->type == FIELD_TEXT
               ? field_set(field, &record, text)
               : field_set_number(field, &record,
                                  field->type == FIELD_INT ? (i % 2 ? -5 : 1796006605801) : 1),
           "%s: %s is set", type->name, field->name);
    }
    ok(record_pack(type, &record, 7, &bytes) && record_unpack(type, &again, bytes.data, bytes.len, &wrong),
       "%s: %zu bytes", type->name, bytes.len);
    same = field_version(&again) == 7;
    for (size_t i = 0; i < type->count; i++)
        same = same && field_same(&type->fields[i], &record, &again);
    ok(same, "%s: as it was", type->name);
    for (size_t len = 0; len < bytes.len; len++) {
        char *part = malloc(len ? len : 1);
        memcpy(part, bytes.data, len);
        refused_count += !record_unpack(type, &again, part, len, &wrong);
        free(part);
    }
    is_int(refused_count, bytes.len - type->count, "%s: a part of it is refused, but for whole fields",
           type->name);
    buf_free(&bytes);
}

int main(void)
{
    test_type(&order_record_type);
    test_type(&location_record_type);
    test_type(&limiter_record_type);
    records_go_round(&order_record_type);
    records_go_round(&location_record_type);
    records_go_round(&limiter_record_type);
    return tap_done();
}
