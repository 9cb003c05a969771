/*
 * spool_name: how the spool's files are named, so that their names sort by arrival and say what may be done
 * with them without opening any: WALL_MS r RANDOM . n NAMESPACE . KIND [.locked|.damaged]. The letters keep
 * digits apart, which the log would take for a phone number and hide (mask.h).
 */
#ifndef WOO_GHL_SPOOL_NAME_H
#define WOO_GHL_SPOOL_NAME_H

#include "spool/spool.h"

enum spool_place { SPOOL_WAITING, SPOOL_LOCKED, SPOOL_DAMAGED };

struct spool_name {
    char text[SPOOL_NAME_SIZE];
    int64_t wall_ms; /* of the arrival */
    enum spool_kind kind;
    enum spool_place place;
    bool foreign; /* another namespace's */
};

const char *spool_kind_name(enum spool_kind kind); /* "ids", "delivery" */

/* A new file's name. False when it does not fit or the system has no random bytes. */
bool spool_name_make(const char *space, int64_t wall_ms, enum spool_kind kind,
                     char out[SPOOL_NAME_SIZE]) MUST_CHECK;

/* False when it is no name of this form. `space` is the namespace that is not foreign. */
bool spool_name_parse(const char *space, const char *text, struct spool_name *out) MUST_CHECK;

/* Calls visit for each file of this form, in no order, until one says false. False with errno when visit said
 * so or the directory cannot be read. */
typedef bool (*spool_name_visit)(void *context, const struct spool_name *name);
bool spool_name_each(int dir, const char *space, void *context, spool_name_visit visit) MUST_CHECK;

#endif
