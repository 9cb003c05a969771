/*
 * reconcile: reads from the shop what changed since the last time, for webhooks that never came.
 *
 * Each order goes the way of a signed delivery (accept_delivery) and is left to the queue. What is known already
 * makes no call to GHL and no second deal, so it may run as often as one likes, also twice at once.
 *
 * SINCE WHEN. From the beginning of the last run that went well, by the shop's clock or ours, whichever is
 * behind, less an overlap. The first time: since the store was first used, so that an installation does not
 * bring the shop's past. If the store lost what it knew since the last run: from a month before that loss.
 * If the last run lies in the future, as a clock was set back: from a month ago. If another shop's orders came: from the
 * first of them, as WOO_SHOPS may name that shop by then.
 * The beginning is kept in the store, for each shop's address; a run that failed or was stopped leaves it as
 * it was, and so does one that was told to begin later than it had to.
 *
 * REFUNDS that are deleted change no date: orders that had refunds (accept/acceptance.h) are read again once a day,
 * for 90 days.
 *
 * NO ORDER IS SKIPPED. The walk goes by modified time, never by page numbers, which shift while orders
 * change: each question is "modified at this second or later, but not these", those that were read of that
 * second. What changes while it is read moves to the end; whatever changes after the run began is the next
 * run's at the latest.
 */
#pragma once

#include "app/app.h"
#include "shop/woo.h"

struct reconcile_options {
    int64_t since_s; /* s since 1970, instead of what is said above; 0 = as said above */
    bool if_wanted;  /* only if somebody asked for it (location_record), and no other runs on this machine */
    /* Told as it goes on: how many orders were read, and how many there will be about. NULL = nobody watches.
     */
    void (*progress)(long read, long all);
};

struct reconcile_counts {
    int64_t since_s;
    long read;    /* orders; each is one of: */
    long taken;   /* new, or in a new state: in the queue now */
    long known;   /* already, in this state or a newer one */
    long ignored; /* its status is not mapped, it was never sold, it is no order */
    long foreign; /* another shop's, WOO_SHOPS says */
};

enum reconcile_result {
    RECONCILE_DONE,
    RECONCILE_NOT_WANTED, /* with if_wanted: nothing was done */
    RECONCILE_UNDER_WAY,  /* the same, for another runs */
    RECONCILE_REFUSED,    /* a person has to set something right: the key, the address, the shop */
    RECONCILE_SHOP_AWAY,  /* the shop did not answer in time */
    RECONCILE_STORE_AWAY, /* the store or the spool cannot be used */
    RECONCILE_STOPPED,    /* app->stop was set */
};

/* app_ready must have said yes, and WOO_URL must be set. All but DONE, NOT_WANTED and UNDER_WAY set the
 * error; *counts tells what was done until then, which stays done. Logs its end. */
enum reconcile_result reconcile_run(struct app *app, const struct reconcile_options *options,
                                    struct reconcile_counts *counts, struct error *e) MUST_CHECK;

/* Looks at the shop's webhooks, at most every quarter of an hour on all machines together; after one was set active
 * again (WOO_REENABLE) it reads what was missed. For a drain that watches. */
void reconcile_watch(struct app *app);

/* A dead letter whose content was deleted is read from the shop anew, and waits again, due now. False with
 * the error set. */
bool reconcile_order(struct app *app, struct woo *woo, const char *key, struct error *e) MUST_CHECK;

/* For people: how long ago the last run began that went well, s; -1 = there was none, or the store does not
 * tell. */
int64_t reconcile_age_s(struct app *app);
