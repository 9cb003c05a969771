/*
 * drain: works the queue off. For cron (once), as a service (watch), and for idle workers (a few seconds
 * after an answer).
 */
#ifndef WOO_GHL_DRAIN_H
#define WOO_GHL_DRAIN_H

#include "app/app.h"
#include "worker/drain_round.h"

struct drain_options {
    bool watch; /* go on until stopped */
    /* Each order that waits is taken once before its time, through a pause or an open breaker, too. Without
     * watch nothing else is taken, and those that come meanwhile are. */
    bool now;
    struct drain_round *round; /* `now`: hand out these, and list no others; NULL = list them */
    int64_t budget_ms;         /* CLOCK_NEVER, or stop taking entries after that */
    bool heartbeat;            /* this is a real drain: workers need not */
    /* Told after each entry: how many were looked at, and how many waited at the start. NULL = nobody
     * watches. */
    void (*progress)(long looked_at, long waited);
};

struct drain_counts {
    long done, nothing, queued, parked; /* entries by how they ended */
    long left;                          /* still waiting, as far as known; -1 = unknown */
};

/* False when the store cannot be used (it was logged); but one that watches ends well when it is told to
 * stop. */
bool drain_run(struct app *app, const struct drain_options *options, struct drain_counts *counts);

/* -- for drain_jobs -- */

/* Moves the spool, probes a pause, and lists what waits, as drain_round_list does. */
enum store_result drain_list(struct app *app, struct drain_round *round) MUST_CHECK;
/* Logs and alerts that the store does not answer. */
void drain_complain(struct app *app);

#endif
