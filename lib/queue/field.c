#include "queue/field.h"
#include "base/ascii.h"
#include "base/digest.h"
#include "base/text.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLAIN '\2' /* before another text that begins with such a byte */
#define HEX_MIN 16 /* digits that are worth packing */

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

int64_t field_version(const void *record)
{
    int64_t version = 0;

    if (record)
        memcpy(&version, record, sizeof version);
    return version;
}

bool field_is_default(const struct field *field, const void *record)
{
    return field->type == FIELD_TEXT ? !*((const char *)record + field->offset)
                                     : !field_number(field, record);
}

/* -- in fewer bytes -- */

size_t field_pack(const struct field *field, const void *record, char out[FIELD_VALUE_SIZE])
{
    if (field_is_default(field, record))
        return 0;
    field_get(field, record, out);
    size_t len = strlen(out);
    bool is_hex = len >= HEX_MIN && len % 2 == 0 && !out[strspn(out, "0123456789abcdef")];
    if (field->type == FIELD_TEXT && is_hex) {
        for (size_t i = 0; i < len / 2; i++)
            out[i] = (char)text_octet(out + 2 * i);
        len /= 2;
        memmove(out + 1, out, len);
        *out = FIELD_PACKED;
        return len + 1;
    }
    if ((*out == FIELD_PACKED || *out == PLAIN) && len + 1 < FIELD_VALUE_SIZE) {
        memmove(out + 1, out, ++len);
        *out = PLAIN;
    }
    return len;
}

bool field_unpack(const struct field *field, void *record, const char *bytes, size_t len)
{
    char text[FIELD_VALUE_SIZE];
    bool packed = len > 0 && *bytes == FIELD_PACKED, plain = len > 0 && *bytes == PLAIN;

    if (packed && 2 * (len - 1) >= sizeof text)
        return false;
    if (packed) {
        digest_hex((const unsigned char *)bytes + 1, len - 1, text);
        return field_set(field, record, text);
    }
    if (len >= sizeof text || memchr(bytes, '\0', len))
        return false;
    memcpy(text, bytes, len);
    text[len] = '\0';
    return field_set(field, record, text + plain);
}

/* -- a record as bytes -- */

#define LAST 0x80 /* of a name's last character, and of the first of two bytes of a length */

/* A number's bytes, the highest first; how many. */
static size_t pack_number(int64_t number, char *out)
{
    uint64_t left = (uint64_t)number;
    size_t len = 0;

    for (int shift = 56; shift >= 0; shift -= 8)
        if (len > 0 || left >> shift)
            out[len++] = (char)(left >> shift);
    return len;
}

static int64_t unpack_number(const char *bytes, size_t len)
{
    uint64_t number = 0;

    for (size_t i = 0; i < len; i++)
        number = number << 8 | (unsigned char)bytes[i];
    return (int64_t)number;
}

bool record_pack(const struct record_type *type, const void *record, int64_t version, struct buf *out)
{
    char value[FIELD_VALUE_SIZE];

    (void)buf_addf(out, "%" PRId64 "\n", version);
    for (size_t i = 0; i < type->count; i++) {
        const struct field *field = &type->fields[i];
        if (field_is_default(field, record))
            continue;
        size_t name = strlen(field->name), len = field->type == FIELD_TEXT
                                                     ? field_pack(field, record, value)
                                                     : pack_number(field_number(field, record), value);
        (void)buf_add(out, field->name, name - 1);
        (void)buf_addc(out, (char)(field->name[name - 1] | LAST));
        if (len >= LAST)
            (void)buf_addc(out, (char)(LAST | len >> 8));
        (void)buf_addc(out, (char)len);
        (void)buf_add(out, value, len);
    }
    return !out->failed;
}

/* The field of this name; NULL = there is none. They are written in their order: it is mostly the next one. */
static const struct field *find_field(const struct record_type *type, const char *name, size_t len,
                                      size_t *next)
{
    for (size_t i = 0; i < type->count; i++) {
        size_t at = (*next + i) % type->count;
        const char *known = type->fields[at].name;
        if (strlen(known) == len && !memcmp(known, name, len - 1) &&
            (unsigned char)(known[len - 1] | LAST) == (unsigned char)name[len - 1]) {
            *next = at + 1;
            return &type->fields[at];
        }
    }
    return NULL;
}

static bool unpack_version(void *record, const char *bytes, size_t len, size_t *at)
{
    int64_t version = 0;

    for (; *at < len && is_digit(bytes[*at]) && version <= TEXT_NUMBER_MAX; ++*at)
        version = version * 10 + (bytes[*at] - '0');
    if (*at == len || bytes[*at] != '\n' || version <= 0 || version > TEXT_NUMBER_MAX)
        return false;
    ++*at;
    memcpy(record, &version, sizeof version);
    return true;
}

static bool unpack_value(const struct field *field, void *record, const char *bytes, size_t len)
{
    if (field->type == FIELD_TEXT)
        return field_unpack(field, record, bytes, len);
    return len <= sizeof(int64_t) && field_set_number(field, record, unpack_number(bytes, len));
}

bool record_unpack(const struct record_type *type, void *record, const char *bytes, size_t len,
                   const char **wrong)
{
    size_t at = 0, next = 0;

    memset(record, 0, type->size);
    *wrong = "version";
    if (!unpack_version(record, bytes, len, &at))
        return false;
    while (at < len) {
        const size_t name = at;
        *wrong = "";
        while (at < len && !(bytes[at] & LAST))
            at++;
        if (len - at < 2)
            return false;
        const struct field *field = find_field(type, bytes + name, ++at - name, &next);
        size_t size = (unsigned char)bytes[at++];
        if (size & LAST) {
            if (at == len)
                return false;
            size = (size & ~(size_t)LAST) << 8 | (unsigned char)bytes[at++];
        }
        if (size > len - at)
            return false;
        *wrong = field ? field->name : "";
        if (field && !unpack_value(field, record, bytes + at, size))
            return false;
        at += size;
    }
    return true;
}
