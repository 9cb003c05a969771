/*
 * rules: every decision about an order, as pure functions (record, event, now) -> (record, what to do).
 *
 * No I/O, no clock, no allocation. A function changes the record in place; the caller commits it, and if the
 * store has another version by then, it decides anew about that one (store/orders.h). What a function says is
 * true only once the record is committed.
 *
 * The life of an order:
 *
 *        claim            lease             finish
 *   (new) ---> waiting ----------> leased ----------> done   (record kept LINK_TTL: dedupe, link)
 *                ^  ^                | | |
 *                |  +---- retry -----+ | +-- lease runs out: due again, parts unknown
 *                |                     v
 *                +---- requeue ---- dead letter ---- drop --> done
 *
 * At most one body is current and one waits behind a leased one; the newest version wins.
 */
#pragma once

#include "queue/record.h"

/* What the rules need to know besides the record. Times in ms. */
struct queue_terms {
    int64_t link_ttl_ms;     /* how long a done order is remembered */
    int64_t lease_ms;        /* a lease's length */
    int64_t write_window_ms; /* how long a write of unknown outcome may still be carried out */
    int64_t now_ms;          /* by the store's clock */
    int64_t up_ms;           /* location_record's: since then the store forgot nothing; 0 = since ever */
};

/* -- which deliveries are news -- */

enum origin {
    ORIGIN_WEBHOOK,   /* a delivery that just came */
    ORIGIN_SPOOL,     /* one that lay in this machine's spool */
    ORIGIN_RECOVERED, /* a body that its worker could not hand back: it was accepted before */
    ORIGIN_FETCHED,   /* read from the shop's REST API: nobody delivered it */
};

enum arrival_kind {
    ARRIVAL_SELLS, /* its status makes an opportunity if there is none */
    ARRIVAL_ENDS, /* it only changes one: lost, abandoned; or a sale that may not create (before the start) */
    ARRIVAL_FOLLOWS, /* its status is not mapped: value, contact and fields follow, the status stays */
};

struct arrival {
    enum origin origin;
    enum arrival_kind kind;
    bool status_only; /* order.deleted: nothing but an id; what is known of the order's content stays */
    bool erased;      /* the shop erased the order's person */
    bool part;  /* a sub-order that does not count: nothing of it is kept or looked for if it is not known */
    bool moved; /* it stood under another key, or in another store, before: it may have an opportunity */
    bool sold;  /* the order was sold, whatever this body says */
    const char *order_key;   /* hash; "" = the body has none: the newest order of that id is meant */
    int64_t created_s;       /* 0 = the body does not say: now */
    int64_t modified_s;      /* 0 = it does not say: as it arrived */
    int64_t arrived_ms;      /* by the store's clock */
    const char *fingerprint; /* what the plan says, hashed */
    const char *hash_id;     /* of the key that it was hashed with */
    const char *bytes;       /* hash of the exact body */
    const char *status;      /* WooCommerce's */
    bool other_status;       /* it counts instead of the body's own: another delivery brought it */
    const char *body_id;     /* a new blob's id */
    const char *token;       /* lease it to this token; NULL = only queue it */
    int64_t up_ms;           /* location_record's: since then the store forgot nothing */
};

enum claim {
    CLAIM_LEASED,      /* accepted, and leased to the token */
    CLAIM_QUEUED,      /* accepted, due now */
    CLAIM_BUSY,        /* accepted; waits behind the worker that has the lease */
    CLAIM_DUPLICATE,   /* known: nothing changes, unless `changed` says so */
    CLAIM_STALE,       /* older than the latest version */
    CLAIM_IGNORED,     /* remembered; needs nothing in GHL: never sold, or its status is not mapped */
    CLAIM_OTHER_ORDER, /* another order has this id: ask again under order_key_of's key */
};

/* Decides about an arrival. *changed: the record is to be committed; with a body for body_id, if it is current's
 * or waiting's id then.
 *
 * ONE ORDER is an id and an order_key. A record with another order_key is another order's.
 *
 * KNOWN OR FRESH: an order that the store does not know is fresh if it was created less than two minutes ago and the
 * store forgot nothing since then. Every other one may have an opportunity that the store does not know of: `look`
 * says to search GHL before one is created, and before its end is ignored. So may one that the store knows from before
 * it forgot something: a backup that was put back shows orders as waiting that were done.
 *
 * NEWER: versions compare by what WooCommerce says (modified_s), and within a second by arrival: an equal second is
 * not older. A shop's clock may be ahead: if either was not, the smaller of modified time and arrival counts, so that
 * a clock that was set right locks nothing out. Within one second, bytes that were accepted are never news again, if
 * they are delivered; what is read from the shop (FETCHED) is what the shop has now.
 *
 * ERASED: once a version came whose person the shop erased, one that names a person is stale, however new. */
enum claim order_claim(struct order_record *record, const struct arrival *arrival,
                       const struct queue_terms *terms, bool *changed);

/* The key under which an order of this order_key (its hash) stands, if another order has the id: "KEY/HASH". */
void order_key_of(const char *key, const char *order_key, char out[RECORD_KEY_SIZE]);

/* On the record that stands under the plain key: a newer order has this id. True if that changes it. */
bool order_is_superseded(struct order_record *record, const char *order_key);

/* -- the lease -- */

enum lease {
    LEASE_TAKEN,
    LEASE_NOT_DUE, /* it is not due yet, or has no body, or is a dead letter */
    LEASE_HELD,    /* a worker has it */
};

/* Leases the order if it is due (or `early`: due or not). A lease that ran out is nobody's: its worker may have
 * written anything, so every part but the note counts as unknown, and a late write may come until the window is over. */
enum lease order_lease(struct order_record *record, const char *token, bool early,
                       const struct queue_terms *terms);

/* Did a worker have the order at since_ms or later? */
bool order_was_leased_since(const struct order_record *record, int64_t since_ms,
                            const struct queue_terms *terms);

/* Is the lease the token's? Renews it. */
bool order_renew(struct order_record *record, const char *token, const struct queue_terms *terms);

/* -- what a worker learns -- */

/* About to send a create. False: the lease is not the token's, or the create before, of a contact or an opportunity,
 * may still come true: it is within its window, and was not refused. */
bool order_attempt(struct order_record *record, const char *token, enum attempt_kind kind, const char *blob,
                   int64_t window_ms, const char *boot, int64_t boot_ms, const struct queue_terms *terms);

enum attempt_end {
    ATTEMPT_UNKNOWN,    /* it may have been carried out: its window is this long */
    ATTEMPT_REFUSED,    /* GHL says what of it is wrong, so it made nothing: look once before another */
    ATTEMPT_IMPOSSIBLE, /* it never left: forget it */
};
bool order_attempt_ends(struct order_record *record, const char *token, enum attempt_end end,
                        int64_t window_ms);

/* How old the attempt surely is, ms: counted by the clock of this boot of this machine, from its own first look or
 * its own attempt. Whatever clock is set, no attempt looks older than it is. order_lease's caller passes its boot to
 * order_watch first. */
int64_t order_attempt_age_ms(const struct order_record *record, const char *boot, int64_t boot_ms);
/* This boot knows of the attempt from now on. True if that changes the record. */
bool order_watch(struct order_record *record, const char *boot, int64_t boot_ms);

#define OTHER_CONTACT 1U
#define OTHER_OPPORTUNITY 2U

/* Ids that GHL gave ("" = none): kept if there are none, whoever brings them, also without the lease. With the lease
 * a contact replaces the one that is there, which becomes a former one. An id ends the attempt that it came from.
 * Returns which are there already and are others than these (they stay). */
unsigned order_learn(struct order_record *record, const char *token, const char *contact,
                     const char *opportunity, const struct queue_terms *terms);
/* GHL does not know the contact any more: it becomes a former one, and what it held says nothing. False: the lease is
 * not the token's. */
bool order_lose_contact(struct order_record *record, const char *token);

/* -- how the work ends -- */

enum end {
    END_LOST,   /* the lease is not the token's: nothing changed but ids that were unknown */
    END_DONE,   /* no body is left */
    END_NEXT,   /* a waiting body became current and is leased to `next` */
    END_QUEUED, /* a body is due at due_ms */
    END_DEAD,   /* it is a dead letter */
};

/* The version is in GHL, or needs nothing there. A waiting body becomes current, leased to `next` (NULL: due now).
 *
 * A write of unknown outcome may still be carried out, over a later one, until link.unsettled_ms. The worker sets
 * that when it hears of one. Until a lease begins after it, every part but a note counts as unknown, and the
 * version is due again after it. */
enum end order_finish(struct order_record *record, const char *token, const struct order_link *link,
                      const char *next, const struct queue_terms *terms);

/* Again in delay_ms. counted: GHL was tried and failed. A waiting body becomes current, due now; with `hold` (nothing
 * of this location can go now) in delay_ms. */
enum end order_retry(struct order_record *record, const char *token, const struct order_link *link,
                     int64_t delay_ms, bool counted, bool hold, const char *reason,
                     const struct queue_terms *terms);

/* GHL or the settings refuse this version. A waiting body becomes current, due now, in its place. */
enum end order_refuse(struct order_record *record, const char *token, const struct order_link *link,
                      const char *reason, const struct queue_terms *terms);

/* -- dead letters, by a person's hand -- */

/* Bytes that are no order, kept as a dead letter under a key of their own. False: they are kept already. */
bool order_keep_bytes(struct order_record *record, const char *body_id, const char *reason,
                      const struct queue_terms *terms);
enum requeue {
    REQUEUE_DUE,     /* due now, with fresh attempts */
    REQUEUE_NO_BODY, /* its body is deleted: the shop has it. The next version that comes is news */
    REQUEUE_NONE,    /* it is neither a dead letter nor gone in GHL: nothing changed */
};
/* An opportunity that was gone is looked for, and made again if it is not there. */
enum requeue order_requeue(struct order_record *record, const struct queue_terms *terms);
/* Forgets it for good; version and link stay. False: it is none. */
bool order_drop(struct order_record *record, const struct queue_terms *terms);
/* Another store has it now, and may write to GHL what is not known here: if it comes back it is news, and is looked for. */
void order_left(struct order_record *record);
/* The bytes of this blob lie under another id now: they were sealed anew. False: the record has it no more, or a worker
 * has the order in hand. */
bool order_move_blob(struct order_record *record, const char *from, const char *to,
                     const struct queue_terms *terms);
/* Its body is deleted (DEAD_LETTER_TTL, or a person was erased); reason and key stay. False: it has none. */
bool order_delete_body(struct order_record *record);
