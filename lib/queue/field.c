#include "queue/field.h"
#include "base/text.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int64_t field_number(const struct field *field, const void *record)
{
    const char *at = (const char *)record + field->offset;
    int64_t number;
    int chosen;
    bool flag;

    switch (field->type) {
    case FIELD_INT: memcpy(&number, at, sizeof number); return number;
    case FIELD_FLAG: memcpy(&flag, at, sizeof flag); return flag;
    case FIELD_ENUM: memcpy(&chosen, at, sizeof chosen); return chosen;
    case FIELD_TEXT: break;
    }
    return 0;
}

static void put_number(const struct field *field, void *record, int64_t number)
{
    char *at = (char *)record + field->offset;
    int chosen = (int)number;
    bool flag = number != 0;

    switch (field->type) {
    case FIELD_INT: memcpy(at, &number, sizeof number); break;
    case FIELD_FLAG: memcpy(at, &flag, sizeof flag); break;
    case FIELD_ENUM: memcpy(at, &chosen, sizeof chosen); break;
    case FIELD_TEXT: break;
    }
}

void field_get(const struct field *field, const void *record, char out[FIELD_VALUE_SIZE])
{
    const char *text = (const char *)record + field->offset;

    out[0] = '\0';
    if (field->type == FIELD_TEXT) {
        size_t len = strnlen(text, field->size < FIELD_VALUE_SIZE ? field->size : FIELD_VALUE_SIZE - 1);
        memcpy(out, text, len);
        out[len] = '\0';
    } else if (field_number(field, record) != 0) {
        snprintf(out, FIELD_VALUE_SIZE, "%" PRId64, field_number(field, record));
    }
}

bool field_set_number(const struct field *field, void *record, int64_t number)
{
    int64_t values = field->type == FIELD_FLAG ? 2 : (int64_t)field->size;
    bool good = field->type == FIELD_INT ? number >= -TEXT_NUMBER_MAX && number <= TEXT_NUMBER_MAX
                                         : (field->type != FIELD_TEXT && number >= 0 && number < values);

    put_number(field, record, good ? number : 0);
    return good;
}

bool field_set(const struct field *field, void *record, const char *text)
{
    char *end = NULL;
    size_t len = strlen(text);

    if (field->type == FIELD_TEXT) {
        char *at = (char *)record + field->offset;
        at[0] = '\0';
        if (len >= field->size)
            return false;
        memcpy(at, text, len + 1);
        return true;
    }
    put_number(field, record, 0);
    if (!len)
        return true;
    if (strspn(text, "-0123456789") != len) /* strtoll takes spaces and a plus, too */
        return false;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    return !errno && !*end && field_set_number(field, record, number);
}

bool field_same(const struct field *field, const void *a, const void *b)
{
    if (field->type == FIELD_TEXT)
        return !strcmp((const char *)a + field->offset, (const char *)b + field->offset);
    return field_number(field, a) == field_number(field, b);
}
