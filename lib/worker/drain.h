/*
 * drain: works the queue off. For cron (once), as a service (watch), and for idle workers (a few seconds after an
 * answer).
 */
#pragma once

#include "app/app.h"

struct drain_options {
    bool watch; /* go on until stopped */
    /* Take each order that waits once, before its time, through a pause or an open breaker, too. Without watch
     * nothing else is taken; orders that come meanwhile are. */
    bool now;
    int64_t
        began_boot_ms; /* `now`: orders that were tried since then are not taken again; 0 = since this drain began */
    int64_t budget_ms; /* CLOCK_NEVER, or take no order after that */
    /* Called now and then between two orders, at the start first: what else the machine's drain looks after. NULL = nothing. */
    void (*look_after)(struct app *app);
    bool heartbeat; /* this is a real drain: web workers need not drain */
    /* Told after each order: how many were looked at, and how many waited at the start. NULL = nobody watches. */
    void (*progress)(long looked_at, long waited);
};

struct drain_counts {
    long done, nothing, queued, dead; /* orders by how they ended */
    long left;                        /* still waiting, as far as known; -1 = unknown */
    int64_t left_mono_ms;             /* when that was asked */
};

/* False if the store cannot be used (it was logged); but a drain that watches ends well if it is told to stop. Takes over
 * changed settings between two orders. */
bool drain_run(struct app *app, const struct drain_options *options, struct drain_counts *counts);

#define DRAIN_JOBS_MAX 16

/* Runs `jobs` drains at once, each a process of its own with its own connections, and adds up their counts: GHL's answers
 * take most of the time, and its limits hold for all of them together. A set *stop is passed on. False if a store could not
 * be used, a process not be made, or one died. */
bool drain_jobs(int jobs, const struct drain_options *options, volatile int *stop,
                struct drain_counts *counts);
