/*
 * ready: may orders be claimed now?
 */
#ifndef WOO_GHL_APP_READY_H
#define WOO_GHL_APP_READY_H

#include "app/app.h"

/* Opens store and spool if they are not open yet, and compares the store's memory with this machine's. True if orders
 * can be claimed; false, with the error set, if they can only be spooled. Cheap if all is well. */
bool app_ready(struct app *app, struct error *e);

#endif
