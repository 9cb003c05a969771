/*
 * ready: may orders be claimed now?
 */
#pragma once

#include "app/app.h"

/* Opens the store if it is not open yet. What it says counts for reading; its memory was not compared. */
bool app_open_store(struct app *app, struct error *e);

/* Opens store and spool if they are not open yet, and compares the store's memory with this machine's. True if orders
 * can be claimed; false, with the error set, if they can only be spooled. Cheap if all is well. */
bool app_ready(struct app *app, struct error *e);
