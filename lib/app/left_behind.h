/*
 * left_behind: orders that wait where the settings do not look any more: under another GHL_LOCATION_ID or REDIS_PREFIX, or
 * in the embedded store after a move to Redis. DATA_DIR knows which there were (memory.h).
 */
#ifndef WOO_GHL_APP_LEFT_BEHIND_H
#define WOO_GHL_APP_LEFT_BEHIND_H

#include "app/app.h"

/* Appends one line for each place where orders wait: what waits there, and how to bring it to GHL. */
void left_behind(const struct app *app, struct buf *out);

#endif
