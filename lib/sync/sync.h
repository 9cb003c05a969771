/*
 * sync: makes GHL hold what an order's newest state asks for, step by step, resumable.
 *
 * Steps: contact (upsert; create when there is neither email nor phone) -> tags -> opportunity (create once,
 * then update) -> note. Before and after each call that cannot be repeated, progress is recorded in the
 * store; whoever continues reads it. sync calls GHL only for parts whose hash differs from the link's, and
 * never without the lease.
 */
#ifndef WOO_GHL_SYNC_H
#define WOO_GHL_SYNC_H

#include "app/app.h"
#include "order/order.h"
#include "plan/plan.h"

#define SYNC_LEASE_MS 60000

enum sync_result {
    SYNC_DONE,    /* GHL holds it; finish was told */
    SYNC_NOTHING, /* finished without a card: nothing to do for this state */
    SYNC_QUEUED,  /* later; retry was told (or the lease was lost: another works on it); `reason` says why */
    SYNC_PARKED,  /* GHL refuses this order's data; park was told */
};

struct sync_outcome {
    enum sync_result result;
    char ghl_id[GHL_ID_SIZE]; /* DONE: the opportunity's id */
    char reason[64]; /* a word: "ghl_unavailable", "ghl_limit", "in_flight", "paused", "parked" ... */
    bool left; /* the store did not hear how it ended: the lease was gone, or the store was. Another may have
                  the order; or the store lost it, and only *entry holds it */
};

/* Works on a leased entry until it is done, or until deadline_mono_ms; ends it by finish, retry or park (the
 * waiting state that finish hands over is worked on too while time is left). The entry is used up, but for
 * what was left: then it is the caller's to keep (intake_keep) and to free. */
struct sync_outcome sync_entry(struct app *app, struct store_entry *entry, int64_t deadline_mono_ms);

#endif
