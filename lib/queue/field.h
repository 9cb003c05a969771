/*
 * field: a record as named fields, so that each store can keep it without knowing what it means.
 *
 * One table describes a record's struct. Redis keeps the fields behind their names in one value; SQLite keeps each in the
 * column of its name. A field at its default (0, "") is not kept. Pure.
 */
#pragma once

#include "base/buf.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum field_type {
    FIELD_INT,  /* int64_t */
    FIELD_FLAG, /* bool */
    FIELD_ENUM, /* an enum of `size` values, from 0 */
    FIELD_TEXT, /* char[size], NUL-terminated */
};

struct field {
    const char *name; /* short: it is stored with each record */
    enum field_type type;
    size_t offset, size;
};

/* A kind of record. Its struct begins with `int64_t version`, which is no field: the store keeps and counts it
 * (0 = the store does not have the record). */
struct record_type {
    const char *name;
    size_t size; /* of the struct */
    const struct field *fields;
    size_t count;
};

int64_t field_version(const void *record); /* 0 of NULL */

#define FIELD_VALUE_SIZE 320 /* of any field as text, with its NUL */

/* The field's value as text; "" = its default. */
void field_get(const struct field *field, const void *record, char out[FIELD_VALUE_SIZE]);
/* Sets the field. False, and the field at its default, if the text is no value of it: too long, no number, out of
 * the enum's range, beyond TEXT_NUMBER_MAX. Stores hold what this program wrote; other things in them are damage. */
bool field_set(const struct field *field, void *record, const char *text) MUST_CHECK;
/* The same in fewer bytes: hex digits, which hashes and ids are, as half as many bytes after a FIELD_PACKED. Returns how
 * many; 0 = the field is at its default. */
#define FIELD_PACKED '\1'
size_t field_pack(const struct field *field, const void *record, char out[FIELD_VALUE_SIZE]);
bool field_unpack(const struct field *field, void *record, const char *bytes, size_t len) MUST_CHECK;
bool field_is_default(const struct field *field, const void *record);
/* The same of a field that is no text, as a number. field_number: 0 for a text. */
int64_t field_number(const struct field *field, const void *record);
bool field_set_number(const struct field *field, void *record, int64_t number) MUST_CHECK;
bool field_same(const struct field *field, const void *a, const void *b);

/* -- a record as bytes: its version in digits, a newline; then of each field that is not at its default the name, whose
 *    last character has the highest bit set, how many bytes follow (one byte, or two, the first of which has that bit),
 *    and these: a number's, the highest first; a text's as field_pack makes them -- */

/* With this version in the place of its own. False if the buffer has failed. */
bool record_pack(const struct record_type *type, const void *record, int64_t version,
                 struct buf *out) MUST_CHECK;
/* False if the bytes are no record of the type; *wrong is what of them then, "" = unknown. Fields of other names are left out. */
bool record_unpack(const struct record_type *type, void *record, const char *bytes, size_t len,
                   const char **wrong) MUST_CHECK;
