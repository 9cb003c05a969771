/*
 * failed: the dead letters, for a person: list, show, retry, drop.
 *
 * The list is masked; `show` prints the order's own bytes, because who calls it has to mend what is in them.
 */
#ifndef WOO_GHL_FAILED_H
#define WOO_GHL_FAILED_H

#include "app/app.h"

/* argv[0] is "failed"; app_ready must have said yes. An exit code from sysexits.h. */
int failed_main(struct app *app, int argc, char **argv);

#endif
