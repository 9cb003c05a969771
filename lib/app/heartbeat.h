/*
 * heartbeat: does anything drain? A web worker drains after its answer if nothing else does, and the owner is told if
 * what waits is overdue.
 *
 * Each machine has its own heartbeat: only a drain of this machine moves this machine's spool. It is a file in DATA_DIR;
 * the store has a copy of each machine's, for `status` and for orders that another machine drains.
 */
#ifndef WOO_GHL_APP_HEARTBEAT_H
#define WOO_GHL_APP_HEARTBEAT_H

#include "app/app.h"

#define HEARTBEAT_VALUE                                                                                      \
    "drain/" /* and the machine's name: when a drain last ran there, ms since 1970 by the store's clock */

/* A drain runs on this machine now. False if the store does not answer. */
bool heartbeat_beat(struct app *app) MUST_CHECK;
/* How long ago one ran on this machine; -1 = never, or its file cannot be read. */
int64_t heartbeat_age_ms(const struct app *app);

/* Did one run on any machine within 10 minutes, as far as the store knows? */
bool heartbeat_anywhere(struct app *app);

/* An order is due, or a file lies in the spool, and no drain of this machine ran within a minute. If they are overdue it is
 * logged and alerted. app_ready must have said yes. */
bool drain_is_wanted(struct app *app);
/* An order is due, or a file lies in the spool, for more than 10 minutes, no drain ran meanwhile and nothing holds. */
bool drain_is_overdue(struct app *app, const struct store_sizes *sizes);

#endif
