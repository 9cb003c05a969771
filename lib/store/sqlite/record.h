/*
 * store_sqlite_record: what the embedded store holds of one order, and of one namespace, as structs.
 *
 * A verb loads the record, changes it by the contract's rules and saves it, all in one transaction. Loading
 * honours every expiry, so that no rule meets anything that has run out.
 */
#ifndef WOO_GHL_STORE_SQLITE_RECORD_H
#define WOO_GHL_STORE_SQLITE_RECORD_H

#include "store/sqlite/db.h"
#include "store/store.h"

#define RECORD_KEY_SIZE 256
#define HOLD_PROBE_MS 30000 /* how long a probe of the breaker is one worker's */
#define BREAKER_MAX_MS 300000

/* -- the namespace: its switches -- */

struct space {
    int64_t born_ms, forgot_ms, heartbeat_ms;
    int64_t reconcile_wanted; /* when it was asked for last, or what makes it another number than before; less
                                 than 0 once that is fulfilled; 0 = never */
    int64_t paused_ms;        /* since; 0 = not paused */
    char pause_token[DIGEST_HEX_SIZE], pause_reason[STORE_REASON_SIZE];
    int64_t pause_probe_ms; /* the next probe, not before */
    int64_t breaker_failures;
    int64_t breaker_open_ms;  /* for how long it was opened; 0 = closed */
    int64_t breaker_until_ms; /* when it may be probed */
    int64_t breaker_probe_ms; /* a probe is somebody's until then */
    int64_t held_ms;          /* how long work was on hold in all, but for the hold that lasts */
    int64_t hold_since_ms;    /* 0 = nothing holds */
    int64_t pace_us;          /* GCRA: the theoretical arrival time of the next call */
    int64_t pace_day_left, pace_day_end_ms;
};

void space_want_reconcile(struct space *space, int64_t now_ms);

void space_load(struct db *db, struct space *space);
void space_save(struct db *db, const struct space *space);
enum store_hold space_hold(const struct space *space);
/* Notes when a hold begins or ends; to be called after a change of pause or breaker. */
void space_mark_hold(struct space *space, int64_t now_ms);
int64_t space_held_ms(const struct space *space, int64_t now_ms);         /* in all, until now */
int64_t space_breaker_left_ms(const struct space *space, int64_t now_ms); /* 0 = closed */
/* Since the last drain's heartbeat; since the birth when there was none. */
int64_t space_undrained_ms(const struct space *space, int64_t now_ms);

/* -- the order -- */

enum record_kind { RECORD_NONE, RECORD_DUE, RECORD_LEASED, RECORD_PARKED }; /* stored: 0, 1, 2, 3 */

/* One accepted body. */
struct record_state {
    int64_t body;                   /* id in blobs; 0 = none */
    char status[STORE_STATUS_SIZE]; /* counts instead of the body's own; "" = the body's */
    int64_t accepted_ms;
    int64_t held_ms; /* space_held_ms then, less what was waited uncounted since */
    char fingerprint[DIGEST_HEX_SIZE];
};

struct record {
    char key[RECORD_KEY_SIZE];
    bool found; /* there is a row */

    char seen_fingerprint[DIGEST_HEX_SIZE], seen_hmac[DIGEST_HEX_SIZE]; /* "" = nothing seen */
    char seen_ended[STORE_STATUS_SIZE]; /* the status of a never-creating state; "" = it creates */
    int64_t seen_place_s, seen_arrived_ms, seen_until_ms;
    int64_t idempotent_until_ms;

    struct store_link link;
    int64_t link_until_ms;

    int64_t kind; /* enum record_kind */
    int64_t
        due_ms; /* of a leased one: when its lease runs out, by the wall clock, for the order of work only */
    char token[STORE_TOKEN_SIZE], lease_boot[DB_BOOT_SIZE];
    int64_t lease_until_ms; /* since boot */
    int64_t attempts;
    bool sold;
    int64_t created_s;
    char reason[STORE_REASON_SIZE];
    int64_t parked_ms;
    struct record_state current, waiting;
    int64_t attempt;      /* enum store_attempt */
    int64_t attempt_note; /* id in blobs */
    int64_t attempt_ms;
    char attempt_boot[DB_BOOT_SIZE]; /* the same, by the clock since that boot */
    int64_t attempt_boot_ms;
};

/* False when the database failed or the key is too long; an unknown key gives an empty record. */
bool record_load(struct db *db, const char *key, struct record *record) MUST_CHECK;
/* Writes it, or takes the row away when nothing is left in it. */
void record_save(struct db *db, struct record *record);

/* The attempt begins now. */
void record_begin_attempt(const struct db *db, struct record *record);

bool record_has_link(const struct record *record); /* any id, or the gone mark */
bool record_lease_holds(const struct db *db, const struct record *record);
/* Is the lease this worker's? Also one that ran out, as long as nobody else took the order. */
bool record_is_mine(const struct record *record, const char *token);
/* Created before the store was born or longer ago than LINK_TTL. created_s 0 = no date, of a store that
 * forgot. */
bool record_is_older(const struct db *db, const struct space *space, int64_t created_s);

void record_lease(const struct db *db, struct record *record, const char *token, int64_t lease_ms);
void record_due(const struct db *db, struct record *record, int64_t delay_ms);
/* The waiting body becomes the current one, due in delay_ms, with fresh attempts. */
void record_promote(struct db *db, struct record *record, int64_t delay_ms);
/* The entry goes: bodies, attempt, sold, everything but seen and link. */
void record_end(struct db *db, struct record *record);
void record_reason(struct record *record, const char *why);
/* Ids from a worker: kept where there are none. False when another id is there. */
bool record_take_id(char id[STORE_ID_SIZE], const char *given);
/* Seen and link, as far as they are there, live LINK_TTL from now; longer while there is an entry. */
void record_renew(const struct db *db, struct record *record);

/* Fills the caller's entry from a leased record. */
void record_give(struct db *db, const struct space *space, const struct record *record,
                 struct store_entry *entry);

/* -- blobs -- */

int64_t blob_put(struct db *db, const void *bytes, size_t len);
int64_t blob_copy(struct db *db, int64_t id);
void blob_drop(struct db *db, int64_t *id); /* sets it to 0 */
/* malloc'ed, with a NUL after its bytes; NULL for id 0 and after a failure. len may be NULL. */
char *blob_get(struct db *db, int64_t id, size_t *len);

#endif
