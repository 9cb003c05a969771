/*
 * rekey: what is stored is sealed anew with the key that seals now, so that an older secret opens nothing any more.
 */
#pragma once

#include "app/app.h"

struct rekey_counts {
    long blobs;       /* bodies, dead letters, notes on attempts that were sealed anew */
    long files;       /* of the spool */
    long in_hand;     /* orders that a worker has: they keep what they have */
    long locked;      /* no configured key opens them */
    struct error why; /* ... one of these; or why it failed */
};

/* All of this location and this machine's spool. What is under the current key already is left as it is, so that it may
 * be run again. False with `why`: the store or the spool failed. app_ready must be true. */
bool rekey(struct app *app, struct rekey_counts *counts) MUST_CHECK;
