/*
 * heartbeat: does anything drain? A web worker drains after its answer if nothing else does, and the owner is told if
 * what waits is overdue.
 *
 * Each machine has its own heartbeat: only a drain of this machine moves this machine's spool. It is a file in DATA_DIR;
 * the store has a copy of each machine's, with what lies in its spool, for `status` and for orders that another machine
 * drains. A machine that cannot reach the store is silent there.
 */
#pragma once

#include "app/app.h"

#define HEARTBEAT_NAME_SIZE 256
#define HEARTBEAT_OVERDUE_MS (10LL * 60 * 1000) /* what is older is told to the owner */

/* A machine, as the store knows it. Times are ms since 1970 by the store's clock. */
struct heartbeat {
    const char *machine; /* its name; borrowed */
    int64_t drained_ms;  /* when a drain last ran there; 0 = none did */
    int64_t told_ms;     /* when this was told */
    int64_t files;       /* in its spool then, those aside that nobody can use */
    int64_t oldest_ms;   /* when the oldest of them that can be moved came; 0 = there was none */
};

/* This machine's name. */
void heartbeat_machine(char name[HEARTBEAT_NAME_SIZE]);

/* A drain runs on this machine now. False if the store does not answer. */
bool heartbeat_beat(struct app *app) MUST_CHECK;
/* Tells the store what lies in this machine's spool: if something does, and no drain of this machine tells it; or if it was
 * moved just now. */
void heartbeat_tell_spool(struct app *app, bool moved);
/* How long ago one ran on this machine; -1 = never, or its file cannot be read. */
int64_t heartbeat_age_ms(const struct app *app);

/* What the store knows of all machines, for heartbeat_next. */
enum store_result heartbeat_read(struct app *app, struct buf *all) MUST_CHECK;
/* The next of them; *at begins at 0. False = no more. */
bool heartbeat_next(const struct buf *all, size_t *at, struct heartbeat *beat);

/* Did one run on any machine within 10 minutes, as far as the store knows? */
bool heartbeat_anywhere(struct app *app);

/* An order is due, or a file lies in the spool, and no drain of this machine ran within a minute. If they are overdue it is
 * logged and alerted. app_ready must have said yes. */
bool drain_is_wanted(struct app *app);
/* An order is due, or a file lies in the spool, for more than 10 minutes, no drain ran meanwhile and nothing holds. */
bool drain_is_overdue(struct app *app, const struct store_sizes *sizes);
