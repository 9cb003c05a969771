/*
 * sync: makes GHL hold what an order's newest version asks for, step by step, resumable.
 *
 * Steps: contact -> tags -> opportunity (created once, then updated) -> note. Before and after each create the store
 * records it; whoever continues reads that. sync calls GHL only for parts whose hash differs from what GHL holds, and
 * never without the lease. A part counts as unknown from before it is written until its answer is recorded.
 */
#pragma once

#include "sync/planned.h"

enum sync_result {
    SYNC_DONE,    /* GHL holds it */
    SYNC_NOTHING, /* done without an opportunity: nothing to do for this version */
    SYNC_QUEUED,  /* later; `reason` says why */
    SYNC_DEAD,    /* GHL or the settings refuse it: it is a dead letter */
};

struct sync_outcome {
    enum sync_result result;
    char ghl_id[GHL_ID_SIZE]; /* DONE: the opportunity's id */
    char reason[64]; /* a word: "ghl_unavailable", "ghl_limit", "in_flight", "paused", "never_sold" ... */
#define SYNC_OTHER_KEY "other_key" /* left: the order's key is not its plan's any more */
    bool
        left; /* the store did not hear how it ended: another worker may have the order, or only *work holds it */
};

/* Works on a leased order until it is done, or until deadline_mono_ms, and ends it (a version that waits behind it is
 * worked on too, while time is left). `planned` (may be NULL: then it is made of work->body) is of work->body, and
 * used up. *work is used up, unless `left`: then it is the caller's to keep (accept_rescue) and to free. */
struct sync_outcome sync_order(struct app *app, struct order_work *work, struct planned *planned,
                               int64_t deadline_mono_ms);

/* The store's value for each order whose opportunity is gone in GHL: the prefix and the order's key; its id. */
#define SYNC_GONE "gone/"

/* What is before this was the shop's past when this was installed: s since 1970. */
int64_t sync_start_s(const struct app *app);
