/*
 * unspool: brings this machine's spool back into the store: ids first, then deliveries, as of their arrival.
 *
 * At least once: a file goes only after the store has it, and the store's claim dedupes.
 */
#pragma once

#include "app/app.h"

/* How many files were moved. A file that the store refuses waits, and the next one is tried; only a store that
 * does not answer ends it. -1: the spool cannot be read (logged). */
long unspool(struct app *app);
