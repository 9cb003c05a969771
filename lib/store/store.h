/*
 * store: keeps records, blobs, values, locks and counters for all processes of a location. It knows no rule.
 *
 * Two backends keep one contract: Redis (store/redis) and the embedded SQLite (store/sqlite). Nothing outside
 * this folder names either. The rules that change an order are pure functions (queue/rules.h); `orders` runs them
 * against a store.
 *
 * A RECORD changes by commit alone: the caller names the version that it has read, and the store takes the new
 * record if that is still the one it has. A commit is one step: record, indexes, blobs and values together.
 *
 * TIME is the store's: Redis's TIME; for SQLite a clock that runs steadily from boot to boot and is never set back
 * (sqlite/db.h). Each reply brings it. A commit names the time that it was decided at. The store refuses one that is
 * more than STORE_CLOCK_SLACK_MS off its clock, and one that comes after its deadline: a server that hung may
 * work it off when nobody waits for it any more.
 *
 * NAMESPACE: all keys of a location begin with `{prefix:location}`, the only hash tag; SQLite has the same text in
 * a column of each table. A dry run has its own ("dry:" before the location).
 *
 * SEALING: blobs are sealed here (crypt.h) before they reach the backend, and opened when they are read. A blob's
 * id begins with its time, so that SQLite adds it at its table's end, has 84 random bits, and is never used twice.
 *
 * DURABLE: what a commit did is on disk when it returns; Redis as its configuration says. Values, locks, counters
 * and the limiter's record may be lost if the machine crashes, never if a process dies.
 */
#pragma once

#include "base/buf.h"
#include "config/config.h"
#include "queue/record.h"

#define STORE_BLOB_MAX (64L * 1024 * 1024) /* bytes, opened */
#define STORE_CLOCK_SLACK_MS 1000
#define STORE_VALUE_MAX 4096 /* bytes of a value */

struct store;
struct crypt;

enum store_result {
    STORE_OK,
    STORE_NONE,     /* it is not there; a lock is somebody else's */
    STORE_CHANGED,  /* commit: the store has another version; it is in the reply */
    STORE_TOO_LATE, /* commit: past its deadline, or decided by a clock that is off; nothing was done */
    STORE_FULL,     /* no memory or disk is left; nothing was done */
    STORE_SEALED,   /* a blob is there and cannot be opened: store_trouble names the setting that opens it */
    STORE_UNAVAILABLE, /* the store did not answer in time, or failed; a commit may or may not have been done, and
                          after its deadline it will not be */
};

/* -- life cycle -- */

/* Opens the store that the configuration names. The embedded one makes DATA_DIR (0700; its parent must exist) and
 * its file; the Redis one connects at the first call. NULL with the error set. All arguments must outlive it. */
struct store *store_open(const struct config *config, struct crypt *crypt, struct log *log,
                         struct error *e) MUST_CHECK;
void store_close(struct store *store);             /* NULL is fine */
const char *store_kind(const struct store *store); /* "redis" or "sqlite" */
/* What was last wrong with it, for people; "" = nothing. */
const char *store_trouble(const struct store *store);
/* Connects, if needed, and tells which server (its run_id) or file (device, inode and birth) this is: another one may
 * have forgotten something. OK, UNAVAILABLE. */
enum store_result store_server(struct store *store, char server[RECORD_ID_SIZE]) MUST_CHECK;
/* The caller has compared this server's memory with its own (memory_check). Until then, and as soon as another
 * server answers, store_commit is UNAVAILABLE. */
void store_trust(struct store *store, const char *server);
/* To be called before a fork whose child uses the store too: connections are not shared. */
void store_before_fork(struct store *store);
/* The store's clock, ms since 1970, as far as this process knows it without asking. */
int64_t store_now_ms(const struct store *store);
/* This machine's clock since boot, ms: what ages are counted by that no clock which is set may change. */
int64_t store_boot_ms(const struct store *store);
/* Tests: both are by ms later for this handle. Keys that expire come nearer to it. */
void store_shift_clock(struct store *store, int64_t ms);

/* -- records -- */

/* What a call on an order brings, in one round trip. */
struct store_reply {
    int64_t now_ms;
    struct order_record order;       /* version 0: the store does not have it. commit: with CHANGED only */
    struct location_record location; /* version 0: the store is empty */
    int64_t client_count;            /* today's, if a client was counted */
};

/* client: as in a commit. */
enum store_result store_read(struct store *, const char *key, const char *client,
                             struct store_reply *) MUST_CHECK;

struct store_blob {
    const char *id; /* in the record that is committed */
    const void *bytes;
    size_t len;
};

struct store_value {
    const char *name;
    const char *value; /* NULL = the value goes */
    int64_t ttl_ms;    /* 0 = it stays */
};

#define STORE_COMMIT_VALUES 3

struct store_commit {
    const char *key;
    const struct order_record *before; /* as read; its version is the expected one. NULL = version 0 */
    const struct order_record *after;  /* its version is ignored: the store counts */
    struct store_blob blob;            /* a new one; id NULL = none. Those that `after` needs no more go */
    struct store_value value[STORE_COMMIT_VALUES]; /* name NULL = none. Done only if the commit is */
    const char
        *count_client;   /* hash of a client's address: counted whatever becomes of the commit. NULL = none */
    int64_t decided_ms;  /* by the store's clock */
    int64_t deadline_ms; /* 0 = decided_ms and as long as the backend waits for its answer */
};

/* OK: reply->order is `after` with its new version. CHANGED: it is what the store has. */
enum store_result store_commit(struct store *, const struct store_commit *, struct store_reply *) MUST_CHECK;

/* The blob, opened, appended to *out (whose maximum should be STORE_BLOB_MAX). `key` is the order's that it
 * belongs to. OK, NONE, SEALED, UNAVAILABLE. */
enum store_result store_blob(struct store *, const char *key, const char *id, struct buf *out) MUST_CHECK;

/* The same if it was sealed with another key than the one that seals now; NONE if not. */
enum store_result store_old_blob(struct store *, const char *key, const char *id, struct buf *out) MUST_CHECK;

/* What all orders share: records of the types location_record_type and limiter_record_type. read: OK also if there is
 * none (version 0). */
enum store_result store_read_shared(struct store *, const struct record_type *, void *record) MUST_CHECK;
enum store_result store_read_location(struct store *, struct location_record *) MUST_CHECK;
enum store_result store_read_limiter(struct store *, struct limiter_record *) MUST_CHECK;
/* OK, CHANGED, UNAVAILABLE. On OK and CHANGED *after is what the store has. */
enum store_result store_commit_shared(struct store *, const struct record_type *, const void *before,
                                      void *after) MUST_CHECK;

/* -- indexes -- */

struct store_entry {
    char key[RECORD_KEY_SIZE];
    int64_t at_ms; /* order_index_ms */
};

/* Up to max entries, the lowest first, of those at from_ms or later. Entries at from_ms itself begin after the key
 * `after` ("" = from the first), so that a list can be read page by page: the last entry gives the next call's
 * from_ms and after. *n is how many. */
enum store_result store_list(struct store *, enum order_index index, int64_t from_ms, const char *after,
                             size_t max, struct store_entry *list, size_t *n) MUST_CHECK;

/* An index from its beginning, or from a time on. After the end `result` tells whether it was all. */
#define STORE_WALK_PAGE 64
struct store_walk {
    struct store *store;
    enum order_index index;
    enum store_result result;
    struct store_entry last, page[STORE_WALK_PAGE];
    size_t at, n;
};
void store_walk_begin(struct store_walk *, struct store *, enum order_index index, int64_t from_ms);
/* The next entry, good until the next call; NULL at the end. Entries may be changed and removed meanwhile. */
const struct store_entry *store_walk_next(struct store_walk *) MUST_CHECK;

struct store_sizes {
    int64_t count[INDEXES];    /* entries of each index */
    int64_t due;               /* of INDEX_DUE: those that are due now */
    int64_t first_ms[INDEXES]; /* the lowest of each; 0 = it is empty */
    int64_t now_ms;
};
enum store_result store_sizes(struct store *, struct store_sizes *) MUST_CHECK;

/* -- values, locks, counters -- */

/* Small things that outlive processes: resolved names, owners, marks. *out is owned by the caller. OK, NONE. */
enum store_result store_get(struct store *, const char *name, char **out) MUST_CHECK;
/* ttl_ms 0 = it stays. value NULL = it goes. */
enum store_result store_put(struct store *, const char *name, const char *value, int64_t ttl_ms) MUST_CHECK;
/* Puts it if it is absent; *out (owned by the caller) is what is there afterwards. */
enum store_result store_put_absent(struct store *, const char *name, const char *value, int64_t ttl_ms,
                                   char **out) MUST_CHECK;
/* All values whose names begin so, as name NUL value NUL ...; at most 1,000. For status and alerts: control characters
 * are spaces. */
enum store_result store_values(struct store *, const char *prefix, struct buf *out) MUST_CHECK;
/* The next name of them, and its value. NULL = there is no other. *at begins as 0. */
const char *store_next_value(const struct buf *values, size_t *at, const char **value) MUST_CHECK;

/* A lock for ttl_ms. token is the holder's; who has it already renews it. OK, NONE = another has it. */
enum store_result store_lock(struct store *, const char *name, const char *token, int64_t ttl_ms) MUST_CHECK;
/* Gives it back if it is the token's. OK, NONE. */
enum store_result store_unlock(struct store *, const char *name, const char *token) MUST_CHECK;

/* Adds 1 to the counter, a value that stays. */
enum store_result store_count(struct store *, const char *name) MUST_CHECK;

/* Counts a request of a client (hash of its address; its first digit is one of these letters if the request was signed, or
 * is a login) today. The counters need no more room, however many clients there are. Not durable; on SQLite it never waits for a writer. */
#define STORE_CLIENT_SIGNED 's'
#define STORE_CLIENT_LOGIN 'l'
enum store_result store_count_client(struct store *, const char *client, int64_t *count) MUST_CHECK;

/* Removes up to `max` records and values that expired. Redis does it by itself: 0. */
enum store_result store_expire(struct store *, long max, long *n) MUST_CHECK;

/* -- for check and status -- */

struct store_about {
    char durability[2 * RECORD_REASON_SIZE]; /* what a crash of the machine can lose; "" = nothing */
    bool loses; /* ... is more than the last moments: a restart or crash loses orders that wait */
    char problem[RECORD_REASON_SIZE]; /* a setting that breaks a promise (maxmemory-policy); "" = none */
};
enum store_result store_about(struct store *, struct store_about *) MUST_CHECK;
