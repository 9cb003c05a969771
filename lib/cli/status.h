/*
 * status: what waits, the dead letters, what holds the work, and this machine's spool, in words or as JSON.
 */
#ifndef WOO_GHL_STATUS_H
#define WOO_GHL_STATUS_H

#include "app/app.h"

/* Prints to stdout. The spool is told also while the store is away. An exit code from sysexits.h. */
int status_print(struct app *app, bool json);

/* Prints a line for each status of paid orders that GHL_STATUS_MAP does not name. false = the store is away. */
bool status_print_unmapped(struct app *app);

#endif
