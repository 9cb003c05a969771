/*
 * `woo_ghl rekey`: what is stored is sealed anew, in words.
 */
#ifndef WOO_GHL_CLI_REKEY_H
#define WOO_GHL_CLI_REKEY_H

#include "app/app.h"

/* The exit code: EX_OK if nothing needs an older secret any more. */
int rekey_run(struct app *app);

#endif
