/*
 * left_behind: orders that wait where the settings do not look any more: under another GHL_LOCATION_ID or REDIS_PREFIX, or
 * in the embedded store after a move to Redis. DATA_DIR knows which there were (memory.h).
 */
#pragma once

#include "app/app.h"

/* Calls for each place that the settings do not look at any more; `there` is the app's settings but for where it looks, and
 * must not be kept. Nothing may wait there. */
void left_behind_each(const struct app *app,
                      void (*call)(const struct app *app, const struct config *there, void *context),
                      void *context);

/* Is it the same location? Then a drain brings what waits there to the store in use (worker/bring.h). */
bool left_behind_is_ours(const struct app *app, const struct config *there);

/* Appends one line for each place where orders wait: what waits there, and how to bring it to GHL. */
void left_behind(const struct app *app, struct buf *out);
