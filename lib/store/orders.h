/*
 * orders: the life of orders in the store. It runs the rules (queue/rules.h) against it: read, decide, commit, and
 * decide anew if another process was quicker, a bounded number of times.
 *
 * To claim a new order costs one round trip, a duplicate one, a new version of a known order two; orders_known_bytes
 * costs one before.
 */
#pragma once

#include "base/clock.h"
#include "queue/location_rules.h"
#include "queue/rules.h"
#include "store/store.h"

#define ORDERS_LEASE_MS 60000
#define ORDERS_MET 1024

/* What one process needs for it. Zero-initialise, then orders_init. */
struct orders {
    struct store *store;
    const struct config *config;
    struct log *log;
    struct location_record
        location;                  /* as last heard; version 0: the store's memory is to be checked (anew) */
    struct limiter_record limiter; /* as last heard */
    bool leaves;                   /* what ends or is dropped here goes on in another store (order_left) */
    int64_t committed_ms;          /* when an order was last changed here, by the store's clock; 0 = never */
    char boot[CLOCK_BOOT_ID_SIZE];
    uint32_t met[ORDERS_MET]; /* hashes of keys that were claimed here: only a hint */
    struct error sealed;      /* why a body that waits could not be opened; who alerts clears it */
};
void orders_init(struct orders *orders, struct store *store, const struct config *config, struct log *log);

/* "contact/ID/KEY": which orders a contact has, values since the order's work first ended with it. */
#define ORDERS_OF_CONTACT "contact/"
#define ORDERS_SOLD "sold"
#define ORDERS_ERASED "erased" /* the shop erased its person */

/* An order leased to this process. Zero-initialise; order_work_free after use; may then be used again. */
struct order_work {
    char key[RECORD_KEY_SIZE];
    char token[RECORD_TOKEN_SIZE]; /* of the lease */
    struct order_record record;    /* as committed last, as far as this process knows */
    int64_t
        asked_mono_ms; /* just before the lease was asked for or renewed: it holds ORDERS_LEASE_MS from then */
    struct buf body;   /* opened: what delivery_pack made */
    bool took_over;    /* the worker before never said how it ended */
};
void order_work_free(struct order_work *work);

/* -- claim -- */

/* The idempotency key, "idem/HASH": the order whose latest version these bytes (arrival's) are. It is set with the commit
 * that finishes them, for IDEMPOTENCY_TTL, and goes with the commit that makes something else the latest
 * (order_known_bytes). OK: delivered now they are a duplicate, and *key is the order's. NONE: they are to be read. */
#define ORDERS_IDEM "idem/"
#define ORDERS_IDEM_SIZE (sizeof ORDERS_IDEM + RECORD_SHORT_SIZE)
enum store_result orders_known_bytes(struct orders *, const char *bytes,
                                     char key[RECORD_KEY_SIZE]) MUST_CHECK;

struct orders_claim {
    const char *key;        /* "shop:1001" */
    struct arrival arrival; /* without arrived_ms, body_id, token and up_ms */
    int64_t arrived_ago_ms; /* 0 = now */
    const void *body;       /* what delivery_pack made */
    size_t body_len;
    const char *client; /* hash of the client's address; NULL = do not count */
    bool work;          /* lease it, if nothing holds the work */
};

struct orders_claimed {
    enum claim claim;
    char key[RECORD_KEY_SIZE]; /* under which the order stands: another one if its id was given out again */
    enum hold hold;            /* why it is queued and not leased */
    int64_t client_count;      /* today's requests of this client, this one included */
    struct order_record record;
};

/* OK: *claimed says what became of it, and if it is LEASED, *work holds it (with its body). FULL, UNAVAILABLE: it is not
 * accepted, or nobody knows: the caller spools it. */
enum store_result orders_claim(struct orders *, const struct orders_claim *, struct orders_claimed *,
                               struct order_work *) MUST_CHECK;

/* Keeps bytes that are no order as a dead letter under "bad:HASH". Repeating it changes nothing. */
enum store_result orders_keep_bytes(struct orders *, const char *key, const void *bytes, size_t len,
                                    const char *reason) MUST_CHECK;

/* -- taking work -- */

struct orders_wait {
    enum hold hold;      /* NONE: something is due, but this holds it */
    int64_t next_due_ms; /* NONE: in so many ms the next one is due; -1 = the queue is empty */
};

/* Leases an order that is due. OK, NONE, UNAVAILABLE. */
enum store_result orders_lease_due(struct orders *, struct order_work *, struct orders_wait *) MUST_CHECK;
/* Leases this order, due or not, whatever holds. NONE: it does not wait, or a worker has it, or had it since
 * untried_since_ms. */
enum store_result orders_lease(struct orders *, const char *key, int64_t untried_since_ms,
                               struct order_work *) MUST_CHECK;

/* -- the worker's steps; NONE = the lease is lost -- */

enum store_result orders_renew(struct orders *, struct order_work *) MUST_CHECK;
/* About to send a create; note (JSON) says what to look for. window_ms: see struct order_attempt. NONE also if the
 * create before it may still come true (order_attempt). */
enum store_result orders_attempt(struct orders *, struct order_work *, enum attempt_kind, const char *note,
                                 int64_t window_ms) MUST_CHECK;
enum store_result orders_attempt_ends(struct orders *, struct order_work *, enum attempt_end,
                                      int64_t window_ms) MUST_CHECK;
/* The attempt's note, owned by the caller; OK, NONE, SEALED, UNAVAILABLE. */
enum store_result orders_attempt_note(struct orders *, const struct order_work *, char **note) MUST_CHECK;
int64_t orders_attempt_age_ms(const struct orders *, const struct order_work *);
/* Ids that GHL gave ("" = none). *others: see order_learn. NONE: kept as far as they were unknown. */
enum store_result orders_learn(struct orders *, struct order_work *, const char *contact,
                               const char *opportunity, unsigned *others) MUST_CHECK;
/* The same without a lease, for ids from the spool. */
enum store_result orders_learn_late(struct orders *, const char *key, const char *contact,
                                    const char *opportunity, unsigned *others) MUST_CHECK;
enum store_result orders_lose_contact(struct orders *, struct order_work *) MUST_CHECK;

/* -- how the work ends -- */

/* NEXT: *work then holds the next version, leased. Otherwise *work is used up, but
 * for its body. NONE: the lease is lost (END_LOST). */
enum store_result orders_finish(struct orders *, struct order_work *, const struct order_link *,
                                bool take_next, enum end *end) MUST_CHECK;
enum store_result orders_retry(struct orders *, struct order_work *, const struct order_link *,
                               int64_t delay_ms, bool counted, bool hold, const char *reason) MUST_CHECK;
enum store_result orders_refuse(struct orders *, struct order_work *, const struct order_link *,
                                const char *reason, enum end *end) MUST_CHECK;

/* -- dead letters -- */

enum store_result orders_requeue(struct orders *, const char *key, enum requeue *result) MUST_CHECK;
enum store_result orders_drop(struct orders *, const char *key) MUST_CHECK; /* NONE: no dead letter */
/* Seals anew what the order keeps under another key than the one that seals now; *sealed grows by how many. OK, NONE (a
 * worker has it in hand: later), SEALED, UNAVAILABLE. */
enum store_result orders_seal_anew(struct orders *, const char *key, long *sealed) MUST_CHECK;
enum store_result orders_delete_body(struct orders *, const char *key) MUST_CHECK; /* NONE: it has none */

/* -- the location -- */

/* Hears of the location anew. OK, UNAVAILABLE. */
enum store_result orders_look(struct orders *) MUST_CHECK;
/* Runs a rule on the location's record until it is committed. `change` returns false if there is nothing to commit;
 * it may run more than once. */
typedef bool orders_rule(struct location_record *location, int64_t now_ms, void *context);
enum store_result orders_location(struct orders *, orders_rule *change, void *context) MUST_CHECK;
/* A reconcile is wanted (location_record.reconcile_ms). */
enum store_result orders_want_reconcile(struct orders *) MUST_CHECK;

/* Waits are at most max_wait_ms: then the call's slot is taken. */
enum store_result orders_limit(struct orders *, int64_t max_wait_ms, int64_t *wait_ms) MUST_CHECK;
enum store_result orders_limits_heard(struct orders *, const struct limiter_heard *) MUST_CHECK;
/* What holds the calls is forgotten: a person asks for a try now. */
enum store_result orders_limiter_release(struct orders *) MUST_CHECK;
struct limiter_terms orders_limiter_terms(const struct config *config);
