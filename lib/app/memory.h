/*
 * memory: does the store still know what this machine knows that it knew?
 *
 * A store has a random id, made once. DATA_DIR keeps a copy, with the day of the first use. Another id, another server or
 * another file may mean that something was lost: a Redis that came back empty or failed over, a store.db that was
 * deleted or restored from a backup, two servers during a move. So does another REDIS_PREFIX meanwhile: the store knows
 * nothing of what was done under it. The store then counts as new (location_record.up_ms), and orders that it does not know are looked for in GHL (queue/rules.h). Those of before wait two minutes if they are not
 * found there (sync_look): GHL's search lags.
 */
#pragma once

#include "app/app.h"

#define MEMORY_FILE "store-id" /* what the copies' names begin with */

/* Compares, records and tells; the store then takes commits from this server. False with the error set: the store does
 * not answer, or the settings do not fit what it holds. */
bool memory_is_checked(struct app *app, const char *server, struct error *e);
