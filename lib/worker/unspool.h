/*
 * unspool: brings this machine's spool back into the store: ids first, then deliveries, as of their arrival.
 *
 * At least once: a file goes only after the store has it, and the store's claim dedupes.
 */
#ifndef WOO_GHL_UNSPOOL_H
#define WOO_GHL_UNSPOOL_H

#include "app/app.h"

/* How many files were moved; stops at the first that the store does not take. -1: the spool cannot be read
 * (logged). */
long unspool(struct app *app);

#endif
