/*
 * store: the shared state behind all workers. Claims, links, the queue, counters.
 *
 * One contract, two implementations: Redis (store_redis.c, one Lua script a verb) and the embedded SQLite
 * (store_sqlite.c, one transaction a verb). Nothing outside them names either. Every verb is atomic and costs
 * one round trip. The store never sees GHL and never looks into a body.
 *
 * TIME comes from the store: TIME inside the scripts; for SQLite the clock since boot, with the boot id, for
 * leases (another boot = expired), and the wall clock for everything else. In both an attempt's age is told
 * by the clock since boot of the machine that asks (attempt_age_ms): two cards would come of one that looks
 * older than it is. Callers pass durations only, in ms. store_shift_clock moves all of it, for tests.
 *
 * NAMESPACE: everything lives under prefix and GHL location; a dry run has its own ("dry:" before the
 * location). Redis keys begin with
 * `{prefix:location}`, the only hash tag; SQLite keeps it in each row and never leases another's.
 *
 * What is kept of an order, under its key ("shop:1001"):
 *   seen   the newest accepted state: place in time, fingerprint, the delivery's HMAC. Kept LINK_TTL after
 * its last renewal, and while there is an entry. entry  at most one current body (leased, due, or parked) and
 * one waiting body behind a leased one, with one shared attempt count, progress, and the time at which the
 * current body was accepted. Never expires by itself, but for a parked body (DEAD_LETTER_TTL). link   contact id,
 * opportunity id, gone mark, one keyed hash per part. Kept LINK_TTL, renewed by every finish.
 *
 * SEALING. What the store holds sealed was sealed under the data key that its thing STORE_PRIMARY_KEY names,
 * or under one of which it had a copy then: whoever finds the body finds the key. So the verbs that bring a
 * body, and the one that takes work, do nothing and answer OTHER_KEY when that is not the key of the vault in
 * use: the store came back empty, or as another one. The vault counts as not settled then; once it is
 * (vault.h), everything that was hashed is to be hashed again, and the verb is asked again.
 *
 * A state's PLACE IN TIME is (the smaller of its modified time and its arrival, then its arrival). An earlier
 * first member is older; an equal one is not older (WooCommerce's times have 1 s resolution), unless it
 * comes from the spool and arrived more than a second before what was seen. What does not come from the spool
 * arrives after all that was seen, also when the store's clock was set back. A missing
 * modified time counts as the stored first member, or as the arrival where nothing is stored. `seen` always
 * keeps the newest place of all accepted or duplicate states.
 *
 * DURABLE: what a verb did is on disk when it returns; Redis as its configuration says. But three things the
 * embedded store does not sync by themselves, so that a crash of the machine (never the death of a process)
 * may take them back to what was synced last: the pace, the heartbeat, and what a claim of the state that is
 * seen already renews (seen's place and expiry, the client's count, the time of the last delivery).
 */
#ifndef WOO_GHL_STORE_H
#define WOO_GHL_STORE_H

#include "base/buf.h"
#include "base/digest.h"
#include "config/config.h"

#define STORE_ID_SIZE 64
#define STORE_TOKEN_SIZE 33 /* a lease's random token, hex */
#define STORE_REASON_SIZE 256
#define STORE_STATUS_SIZE 32 /* an order's status; a longer one is not kept */
#define STORE_PARTS 4        /* as many as plan.h's parts */
#define STORE_BODY_MAX (64L * 1024 * 1024)
#define STORE_MAX_DELAY_MS                                                                                   \
    (24LL * 3600 * 1000) /* a due time further ahead than this counts as due: a clock stepped back */

struct store;

enum store_result {
    STORE_OK,
    STORE_LOST,        /* the lease is not this worker's any more; what could be kept was kept */
    STORE_NONE,        /* nothing there (no due entry, no such key) */
    STORE_OTHER_KEY,   /* the store's data key is not the vault's: see SEALING */
    STORE_UNAVAILABLE, /* the store could not do it or did not answer in time; it may or may not have been
                          done */
};

/* -- life cycle -- */

/* Opens the store that the configuration names. The embedded one creates DATA_DIR (0700; its parent must
 * exist) and its file. The Redis one does not connect yet. NULL with the error set. config and log must
 * outlive it. */
struct store *store_open(const struct config *config, struct log *log, struct error *e);
void store_close(struct store *store);
const char *store_kind(const struct store *store); /* "redis" or "sqlite" */
/* What was last wrong with it, for people; "" = nothing. */
const char *store_trouble(const struct store *store);
/* Has it found, since this was last asked, that something of what it held is lost? *what says it to people.
 */
bool store_lost(struct store *store, struct error *what);
/* The store lost what it knew (it came back empty): it is born now, and orders of before are looked for in
 * GHL with the patience that GHL's search needs (forgot_age_ms). Once for each key_id, the data key that the
 * store has from then on: whoever notices later changes nothing. OK, UNAVAILABLE. */
enum store_result store_forgot(struct store *store, const char *key_id) MUST_CHECK;
/* Made so shortly after that, an order counts as of before, as does one without a date: a shop's clock may be
 * ahead, and a look more costs less than a second card. */
#define STORE_FORGOT_SLACK_S (24 * 3600)
/* To be called before a fork whose child uses the store too: connections are not shared. */
void store_before_fork(struct store *store);
/* Bodies and attempt notes are sealed by this vault from now on, and opened by it. Without one they
 * cannot be stored: claim, progress with a note, park and lease_due are UNAVAILABLE. The vault must outlive
 * the store. */
struct vault;
/* The thing whose text begins with the id of the data key in use. */
#define STORE_PRIMARY_KEY "vault/primary"
void store_use_vault(struct store *store, struct vault *vault);
/* Tests: shifts the store's time for this handle by ms, as if it had passed; or sets its wall clock alone. */
void store_shift_clock(struct store *store, int64_t ms);
void store_set_clock(struct store *store, int64_t by_ms);

/* -- values -- */

struct store_link {
    char contact_id[STORE_ID_SIZE];               /* "" = unknown */
    char opportunity_id[STORE_ID_SIZE];           /* "" = unknown */
    bool gone;                                    /* the card was deleted in GHL: not to be recreated */
    char part_hash[STORE_PARTS][DIGEST_HEX_SIZE]; /* what GHL holds; "" = unknown */
};

/* A create whose outcome is not recorded yet. */
enum store_attempt {
    STORE_ATTEMPT_NONE,
    STORE_ATTEMPT_CONTACT,
    STORE_ATTEMPT_OPPORTUNITY,
    STORE_ATTEMPT_NOTE
};

/* An entry leased to the caller. Zero-initialise; store_entry_free after use; may then be used again. */
struct store_entry {
    char *key;                    /* owned */
    char token[STORE_TOKEN_SIZE]; /* the lease */
    int64_t asked_mono_ms; /* this process's clock just before the lease was asked for; the lease holds at
                              least lease_ms from then */
    char *body;            /* owned; the bytes as given to claim, NUL after them */
    size_t body_len;
    char status[STORE_STATUS_SIZE]; /* counts instead of the body's own: of an order.deleted that came after
                                       this body, or of the end that came before it; "" = the body's own */
    bool sold; /* a creating state of this order was accepted into this entry: a never-creating one must reach
                  GHL too */
    bool look_first; /* created before `born` or longer ago than LINK_TTL, and no link: look for it in GHL
                        before creating */
    int64_t forgot_age_ms; /* with look_first: since the store lost what it knew; -1 = it never did, as far as
                              known */
    char fingerprint[DIGEST_HEX_SIZE]; /* of the body's state, as claimed */
    int64_t attempts;                  /* how many retries were counted since the body was accepted */
    int64_t age_ms; /* since the body was accepted, less the time on hold: what RETRY_FOR is compared with */
    struct store_link link; /* also carries ids known from progress */
    enum store_attempt attempt;
    char *attempt_note; /* owned; what progress recorded with the attempt (JSON), NULL = none */
    /* Since that progress, where it was in this boot of this machine; else since this boot's first lease of
     * it. By the clock since boot: whatever clock is set, it is so old at least. */
    int64_t attempt_age_ms;
    int64_t attempt_ago_ms; /* since that progress by the store's time; not less than attempt_age_ms */
};
void store_entry_free(struct store_entry *entry);

/* Why work must not begin now. */
enum store_hold { STORE_GO, STORE_HOLD_PAUSED, STORE_HOLD_BREAKER };

/* -- claim -- */

struct store_claim {
    const char *key;         /* "shop:1001" */
    int64_t modified_s;      /* s since 1970; 0 = missing */
    int64_t created_s;       /* s since 1970; 0 = missing: counts as now */
    int64_t arrived_ago_ms;  /* 0 = now; more for what lay in the spool, or was read from the shop */
    const char *fingerprint; /* hex */
    const char *hmac;        /* of the body, hex; "" = none */
    const void *body;
    size_t body_len;
    const char *key_id; /* set by store_claim: the data key that the body is sealed under */
    bool creates;       /* the state's outcome may create an opportunity */
    bool status_only;   /* the body has no content (order.deleted): an existing body is kept, with this status
                           instead of its own */
    const char *status; /* what the state is called ("refunded"); NULL = "" */
    bool again; /* it was accepted before, by a worker that lost it: of one second with seen's it is the older
                   one */
    bool
        fetched; /* read from the shop, as of arrived_ago_ms: nobody delivered it, and no client is counted */
    const char *client;   /* hash of the client's address; "" = do not count */
    int64_t client_limit; /* per day; 0 = no limit */
    bool work;            /* false: never lease to me (SYNC_BUDGET=0): answers DEFERRED */
    int64_t lease_ms;
};

enum store_claim_result {
    CLAIM_NEW,       /* written ahead and leased to me: *entry is filled */
    CLAIM_DUPLICATE, /* the fingerprint is seen's, and the order is not parked */
    CLAIM_STALE,     /* older than seen, with another fingerprint */
    CLAIM_BUSY,      /* written; waits behind the worker that has the lease */
    CLAIM_DEFERRED,  /* written, due now; not leased: over the day's limit, paused, breaker open, or work ==
                        false (see reply) */
    CLAIM_IGNORED,   /* a never-creating state of an order without link, progress or body, and not older than
                        `born`: only `seen` was written */
    CLAIM_UNAVAILABLE, /* the store failed; the delivery is nowhere, or its place is unknown: spool it */
    CLAIM_FULL,        /* the store refused for memory or disk: spool it */
    CLAIM_OTHER_KEY,   /* as STORE_OTHER_KEY */
};

struct store_claim_reply {
    bool over_limit;          /* DEFERRED: by the day's limit */
    enum store_hold hold;     /* DEFERRED: by a pause or the breaker */
    bool undrained;           /* entries wait and no drain heartbeat for 10 minutes */
    bool drain_needed;        /* due entries, and the drain's heartbeat is older than 60 s */
    int64_t breaker_failures; /* in a row, so that a success need not be told when it is 0 */
};

/*
 * In this order, in one step:
 * 0. another data key than the vault's: OTHER_KEY;
 * 1. count the client (if any);
 * 2. never-creating, no link (nor gone mark), no progress (no attempt, no ids), no body anywhere, not sold (a
 * parked order that lost its body), and not older than born (created_s before `born` or longer ago than
 * LINK_TTL counts as older): write seen (newest place wins, fingerprint of the newest, whose key goes if it
 * is another), IGNORED; but one without a time (an order.deleted) of an order that was never seen writes
 * nothing: a sale that comes after it must not look older. status_only of an order that was never seen is
 * IGNORED however old: nothing in it leads to a card; but for LINK_TTL after the store forgot something a
 * reconcile is asked for, which finds the whole order in the bin;
 * 3. fingerprint == seen's: keep the newer place; if the order is parked and this is not older than seen: go
 * on at 5; else DUPLICATE;
 * 4. older than seen: STALE; but a creating one says that the order was sold after all. Then a body that
 * waits becomes `sold`; and where there is neither body nor attempt nor card, because seen's never-creating
 * state needed nothing in GHL, this body goes on at 5, with seen's status instead of its own; seen stays, but
 * under a fingerprint that is no state's: the end, when it comes again, is taken for what it says of the
 * value;
 * 5. accept: seen := this state, the idempotency key is deleted; a parked order leaves parking. A lease that
 * is in force: the body becomes the waiting one (newest wins, one at most), BUSY. Otherwise the body becomes
 * the current one (with sold |= creates, attempts 0, accepted now, progress and link kept, a waiting body
 * replaced), and it is leased (NEW) or made due now (DEFERRED). status_only at 5: where a body exists (the
 * waiting one first, else the current one), it stays (copied to waiting when the current one is leased) and
 * gets the claim's status; where none exists the status-only body itself is stored. `sold` is also set for
 * the waiting body when creates, and survives promotion; finish clears it.
 */
enum store_claim_result store_claim(struct store *, const struct store_claim *, struct store_claim_reply *,
                                    struct store_entry *entry) MUST_CHECK;

/* -- the leased entry -- */

struct store_progress {
    const char *contact_id; /* "" or NULL = nothing new */
    const char *opportunity_id;
    bool replace_contact; /* the remembered contact is gone in GHL: take contact_id (may be "") instead */
    enum store_attempt attempt; /* CONTACT/OPPORTUNITY/NOTE: about to create; NONE: leave what is recorded,
                                   see clear_attempt */
    const char *attempt_note;   /* JSON kept with it */
    bool clear_attempt;         /* the outcome is known */
    int64_t lease_ms;           /* the lease is renewed for so long */
};

/* Ids that are there already, and are others than those given. */
#define STORE_OTHER_CONTACT 1U
#define STORE_OTHER_CARD 2U

/* Ids are taken even from a worker that lost its lease: stored when there are none. *others (may be NULL)
 * is set when others are there already (they stay). attempt and clear_attempt need the lease, but for
 * clear_attempt together with the opportunity id (or contact id) that the attempt was for. OK, LOST,
 * UNAVAILABLE. */
enum store_result store_progress(struct store *, const char *key, const char *token,
                                 const struct store_progress *, unsigned *others) MUST_CHECK;

/* Is the lease still mine? Renews it. OK, LOST, UNAVAILABLE. */
enum store_result store_renew(struct store *, const char *key, const char *token,
                              int64_t lease_ms) MUST_CHECK;

/* The state is in GHL (or needs nothing there). Stores the link and renews its TTL; the body goes; the
 * idempotency key is set (SETEX, IDEMPOTENCY_TTL) if `fingerprint` is still seen's. A waiting body is
 * promoted: due now, attempts 0, progress and sold kept; with next_lease_ms > 0 it is leased to the caller
 * instead: *next is filled and *has_next true. Without the lease: LOST, ids are kept as by progress, the body
 * stays. */
enum store_result store_finish(struct store *, const char *key, const char *token, const char *fingerprint,
                               const struct store_link *link, int64_t next_lease_ms, struct store_entry *next,
                               bool *has_next) MUST_CHECK;

/* Try again in delay_ms. counted: this was an attempt (attempts + 1); otherwise the time until then does not
 * count for RETRY_FOR. A waiting body is promoted instead, due now (or in delay_ms when hold: nothing of this
 * queue can go now). */
enum store_result store_retry(struct store *, const char *key, const char *token, int64_t delay_ms,
                              bool counted, bool hold, const char *why) MUST_CHECK;

/* GHL will not take this state. A waiting body is promoted (due now) and the parked one goes; otherwise the
 * entry is parked. *parked (may be NULL) tells which. */
enum store_result store_park(struct store *, const char *key, const char *token, const char *why,
                             bool *parked) MUST_CHECK;

/* Keeps bytes that are no order (undecodable JSON) as parked under the key "bad:<hmac>". Repeating it changes
 * nothing. OK, OTHER_KEY, UNAVAILABLE. */
enum store_result store_park_bytes(struct store *, const char *key, const void *bytes, size_t len,
                                   const char *why) MUST_CHECK;

/* -- the queue -- */

/* The entry that is due first, leased; an entry whose lease ran out is due again (its waiting body promoted).
 * *next_due_ms (may be NULL): with NONE, ms until the next one is due, -1 = the queue is empty. *hold (may be
 * NULL): with NONE, why nothing is leased although something is due. OK, NONE, OTHER_KEY, UNAVAILABLE.
 * `only` (NULL = whichever is due first): this order alone, due or not, also through a pause or an open
 * breaker; NONE: it does not wait, or a worker has it. */
enum store_result store_lease_due(struct store *, int64_t lease_ms, const char *only,
                                  struct store_entry *entry, int64_t *next_due_ms,
                                  enum store_hold *hold) MUST_CHECK;

/* The keys of all entries that are not parked (leased ones too), those due first first, onto *keys, a NUL
 * after each. OK, UNAVAILABLE (also when they are longer than *keys may be). */
enum store_result store_waiting(struct store *, struct buf *keys) MUST_CHECK;

/* "I drain": renews the heartbeat. */
enum store_result store_heartbeat(struct store *) MUST_CHECK;

/* -- two orders of one customer, two orders on one card -- */

/* Short leases on up to 2 hashes (hex) of email and phone, all or none. STORE_NONE = somebody has one of
 * them. *newest_s: the newest order date that wrote this contact (the larger of the two; 0 = none). */
enum store_result store_contact_lock(struct store *, const char *const hash[], size_t n, const char *token,
                                     int64_t lease_ms, int64_t *newest_s) MUST_CHECK;
/* wrote_s > 0: an order of that date wrote the contact. Kept LINK_TTL. */
enum store_result store_contact_unlock(struct store *, const char *const hash[], size_t n, const char *token,
                                       int64_t wrote_s) MUST_CHECK;

/* Which order owns this card? OK: this order may have it (it is free, its own, or, with CARD_TAKE_OVER, its
 * owner is not newer than created_s: of two of one second the last one has it), and, but for CARD_LOOK, has
 * it now. LOST: another owns it. Kept LINK_TTL.
 */
enum store_card { CARD_TAKE, CARD_TAKE_OVER, CARD_LOOK };
enum store_result store_card_take(struct store *, const char *opportunity_id, const char *key,
                                  int64_t created_s, enum store_card how) MUST_CHECK;

/* -- shared counters -- */

/* Front door: counts an unsigned request of this client; *count is today's. Costs Redis one INCR with expiry;
 * the embedded store a fixed-size mapped file, never a transaction. */
enum store_result store_allow(struct store *, const char *client, int64_t *count) MUST_CHECK;

/* GHL's limits: GCRA over GHL_RATE at 99 % with a small burst, and GHL_RATE_PER_DAY, for all processes.
 * *wait_ms until the call may go; when it is <= max_wait_ms the slot is taken, otherwise it is not. */
enum store_result store_pace(struct store *, int64_t max_wait_ms, int64_t *wait_ms) MUST_CHECK;
/* The most calls that the pace lets go in any window_ms. */
int64_t store_pace_most(const struct config *config, int64_t window_ms);

/* What GHL said of its limits. */
struct store_limits {
    int64_t hold_ms;          /* nobody calls for so long (Retry-After); 0 = not said */
    int64_t window_remaining; /* calls left of its window; -1 = not said */
    int64_t window_ms;        /* the window's length */
    bool shared;              /* less is left than our own calls can have used, or GHL refused one */
    int64_t daily_remaining;  /* calls left of its day; -1 = not said */
    int64_t daily_reset_ms;   /* until the next day; 0 or less = not said */
};
/* Lowers the pace to it. Alone, the pace keeps the window's limit by itself, and in a steady run hardly a
 * call is ever left: what is left of the window slows nobody down until nothing is; but for a minute after
 * `shared` the rest is spread, the slower the less is left. What is left of the day only sinks until its end.
 */
enum store_result store_pace_correct(struct store *, const struct store_limits *) MUST_CHECK;

/* The breaker: a result of the transport. 5 failures in a row open it for 30 s, doubling to 5 min; a success
 * closes it. *open_ms (may be NULL): how long it stays open; 0 = closed. */
enum store_result store_breaker(struct store *, bool success, int64_t *open_ms) MUST_CHECK;
/* May I probe? OK = the probe is mine for 30 s; NONE = it is not open, or not yet, or another has the probe.
 */
enum store_result store_probe(struct store *, enum store_hold what) MUST_CHECK;

/* A pause stops all work of the namespace. token_hash: of the refused GHL token, "" = not about a token.
 * *first: it was not paused before. */
enum store_result store_pause(struct store *, const char *token_hash, const char *why,
                              bool *first) MUST_CHECK;
/* Lifts it. With token_hash != NULL only a pause that carries another hash. NONE = there was none (of that
 * kind). */
enum store_result store_resume(struct store *, const char *token_hash) MUST_CHECK;

/* Counts an event by a word ("rest_error"); `reconcile`: also asks for a reconcile, as whatever the store
 * loses does. */
enum store_result store_count(struct store *, const char *word, bool reconcile) MUST_CHECK;
/* A reconcile went well that had begun when stats said reconcile_wanted == `wanted`: it is not wanted any
 * more. NONE = it was asked for again meanwhile, and is wanted still. OK, NONE, UNAVAILABLE. */
enum store_result store_reconciled(struct store *, int64_t wanted) MUST_CHECK;

/* Small things that must outlive processes: resolved names, wrapped keys. ttl_ms 0 = for good. if_absent:
 * keep what is there. *out (owned by the caller) is what is there afterwards. */
enum store_result store_put(struct store *, const char *name, const char *value, int64_t ttl_ms,
                            bool if_absent, char **out) MUST_CHECK;
enum store_result store_get(struct store *, const char *name, char **out) MUST_CHECK; /* NONE = not there */

/* -- for commands and the health page -- */

struct store_counter {
    char word[48];
    int64_t count;
};

struct store_stats {
    int64_t waiting;  /* entries with a body that are not parked (leased ones too) */
    int64_t due;      /* of them, due now */
    int64_t oldest_s; /* age of the oldest of them, s; 0 = none */
    int64_t parked;
    int64_t breaker_open_ms; /* 0 = closed */
    int64_t breaker_failures;
    bool paused;
    char pause_reason[STORE_REASON_SIZE];
    int64_t pause_age_s;
    int64_t drain_age_s;      /* since the last heartbeat; -1 = never */
    bool undrained;           /* entries wait and no heartbeat for 10 minutes */
    int64_t reconcile_wanted; /* another number each time that it is asked for; 0 = nobody did */
    int64_t born_age_s;       /* since it was first used, or lost something, or had no word for a month */
    int64_t used_age_s;       /* since it was first used; where that is lost: a month before the loss */
    int64_t forgot_ms;        /* when the store lost something, ms since 1970 by its clock; 0 = never known */
    int64_t delivery_age_s;   /* since the last signed order came, to be claimed; -1 = none yet */
    struct store_counter counter[64];
    size_t counter_count;
    char durability[2 * STORE_REASON_SIZE]; /* in words: what a crash of the machine can lose; "" = nothing */
    char problem[STORE_REASON_SIZE]; /* a setting of the store that breaks a promise (maxmemory-policy); "" =
                                        none */
};
enum store_result store_stats(struct store *, struct store_stats *) MUST_CHECK;

struct store_parked {
    char *key;  /* owned */
    char *why;  /* owned */
    char *body; /* owned; NULL when it has expired or only the list was asked for */
    size_t body_len;
    char status[STORE_STATUS_SIZE]; /* as in store_entry */
    int64_t age_s;
    int64_t attempts;
};
/* Up to max parked orders, oldest first, after the key `after` ("" = from the start), without bodies. *list
 * is owned by the caller. */
enum store_result store_parked_list(struct store *, const char *after, size_t max, struct store_parked **list,
                                    size_t *n) MUST_CHECK;
enum store_result store_parked_get(struct store *, const char *key,
                                   struct store_parked *out) MUST_CHECK; /* NONE = not parked */
void store_parked_free(struct store_parked *list, size_t n, bool free_list);
/* Back into the queue, due now, fresh attempts. NONE = not parked, or its body has expired. */
enum store_result store_requeue(struct store *, const char *key) MUST_CHECK;
/* Forgets a parked body for good; seen and link stay. */
enum store_result store_drop(struct store *, const char *key) MUST_CHECK;
/* Parked bodies older than DEAD_LETTER_TTL lose their body; *n of them. Key and reason stay. */
enum store_result store_expire_parked(struct store *, int64_t *n) MUST_CHECK;

/* The whole memory of one order, for tests and `failed show`: link, and whether it waits. NONE = unknown. */
struct store_order {
    struct store_link link;
    bool waiting, leased, parked, has_waiting_body, idempotency_key;
    char fingerprint[DIGEST_HEX_SIZE]; /* seen's */
    char reason[STORE_REASON_SIZE];    /* why it waits or is parked */
    int64_t due_in_ms;
};
enum store_result store_look(struct store *, const char *key, struct store_order *out) MUST_CHECK;

#endif
