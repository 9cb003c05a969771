/*
 * status: what waits, the dead letters, what holds the work, and this machine's spool, in words or as JSON.
 */
#pragma once

#include "app/app.h"
#include "base/finding.h"

/* Prints to stdout, one sentence first. The spool is told also while the store is away. An exit code: 0 = all is well, 1 =
 * somebody should look, 2 = orders are at risk. */
int status_print(struct app *app, bool json);

/* For `check`: a finding for each status of paid orders that GHL_STATUS_MAP does not name. */
void status_unmapped(struct app *app, struct findings *findings);
