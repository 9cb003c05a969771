/*
 * spool_name: how the spool's files are named. A name says all that a mover needs to choose a file, so that
 * it opens none in vain:
 *
 *     WALL_MS r RANDOM . n NAMESPACE . KEY_ID . o ORDER . f FAILURES u DUE_S . KIND [.damaged]
 *
 * Names sort by arrival. The letters keep digits apart, which the log would take for a phone number and hide
 * (redact.h).
 */
#pragma once

#include "crypt/crypt.h"

#define SPOOL_NAME_SIZE 128
#define SPOOL_NAMESPACE_SIZE 13 /* 12 hex digits of a hash */
#define SPOOL_ORDER_SIZE 17     /* 16 hex digits of a keyed hash */
#define SPOOL_ORDER_UNKNOWN "0000000000000000"

enum spool_kind { SPOOL_IDS, SPOOL_DELIVERY };

struct spool_name {
    char text[SPOOL_NAME_SIZE];
    int64_t wall_ms; /* of the arrival */
    char random[13]; /* 12 hex digits */
    char namespace[SPOOL_NAMESPACE_SIZE];
    char key_id[CRYPT_ID_SIZE]; /* of the key that opens it */
    char order[SPOOL_ORDER_SIZE];
    unsigned failures; /* tries in a row that failed; 0 = none */
    int64_t due_s;     /* not to be tried before this wall time; 0 = now */
    enum spool_kind kind;
    bool damaged; /* set aside: no mover can use it */
};

const char *spool_kind_name(enum spool_kind kind); /* "ids", "delivery" */

/* Makes the text of the other fields. False if it does not fit. */
bool spool_name_write(struct spool_name *name) MUST_CHECK;

/* False if it is no name of this form. */
bool spool_name_parse(const char *text, struct spool_name *out) MUST_CHECK;

/* One more failure: the next try is after 1 s, 2 s, 4 s ... 10 min. True if this failure is to be told: the
 * first, and then the first of each hour by the clock. */
bool spool_name_fail(struct spool_name *name, int64_t now_s);

/* A due time that is farther off than any wait was made by a clock that has been set back since. */
bool spool_name_is_due(const struct spool_name *name, int64_t now_s);

/* Calls visit for each file of this form, in no order. False with errno if the directory cannot be read. */
typedef void (*spool_name_visit)(void *context, const struct spool_name *name);
bool spool_name_each(int dir, void *context, spool_name_visit visit) MUST_CHECK;
