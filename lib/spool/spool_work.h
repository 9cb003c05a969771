/*
 * What spool's files share among themselves: spool.c puts and counts, spool_move.c moves.
 */
#pragma once

#include "base/clock.h"
#include "spool/spool.h"
#include <limits.h>

#define SPOOL_FORM "woo_ghl spool 2" /* a file's content begins with it */

struct spool {
    const struct crypt *crypt;
    int dir;
    char path[PATH_MAX];
    char namespace[SPOOL_NAMESPACE_SIZE];
    char boot_id[CLOCK_BOOT_ID_SIZE]; /* "" = unknown */
    int64_t fault_mono_ms;            /* when the last fault is over */
    /* this pass */
    struct spool_name *names; /* owned; NULL = none. The next BATCH of it, sorted */
    size_t count, at;
    bool old_keys;          /* it is one over files that another key sealed, due or not */
    struct spool_name last; /* the last one of those before; its text is "" in the first batch */
};

/* What a file's content is bound to: nothing of its name that may change. */
void spool_about(const struct spool_name *name, char out[SPOOL_NAME_SIZE]);

/* Is its key missing? needs (may be NULL) says which. */
bool spool_is_locked(const struct spool *spool, const struct spool_name *name, struct error *needs);

void spool_end_pass(struct spool *spool);
