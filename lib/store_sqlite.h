/*
 * store_sqlite: the embedded store's rooms and what they share. Only store_sqlite*.c include this.
 *
 * store_sqlite_order.c reads and writes one order's row; store_sqlite_claim.c, _entry.c and _queue.c hold the
 * verbs on it; store_sqlite_shared.c what orders share: locks, cards, pace, breaker, pauses, counters;
 * store_sqlite_parked.c the commands'.
 */
#ifndef WOO_GHL_STORE_SQLITE_H
#define WOO_GHL_STORE_SQLITE_H

#include "store_backend.h"
#include "store_clients.h"
#include "store_sqlite_db.h"

struct sqlite_store {
    struct db db;
    struct store_clients clients; /* the unsigned front door */
};

enum order_kind_of_row { ROW_IDLE, ROW_DUE, ROW_LEASED, ROW_PARKED };

/* One row of `orders`; the fields are the columns (store_sqlite_schema.h). */
struct order_row {
    const char *key; /* borrowed */
    bool exists;
    int64_t until_ms;
    char seen_fingerprint[DIGEST_HEX_SIZE], seen_hmac[DIGEST_HEX_SIZE];
    int64_t seen_place_s, seen_arrived_ms, seen_until_ms, idempotent_until_ms;
    char contact_id[STORE_ID_SIZE], opportunity_id[STORE_ID_SIZE];
    bool gone;
    char part0[DIGEST_HEX_SIZE], part1[DIGEST_HEX_SIZE], part2[DIGEST_HEX_SIZE], part3[DIGEST_HEX_SIZE];
    int64_t link_until_ms;
    int64_t kind, due_ms;
    char token[STORE_TOKEN_SIZE], lease_boot[DB_BOOT_SIZE];
    int64_t lease_until_ms, attempts;
    bool sold;
    int64_t created_s;
    char reason[1024]; /* sealed */
    int64_t parked_ms;
    int64_t current_body; /* id of the blob; 0 = none */
    bool current_trashed;
    int64_t current_accepted_ms, current_held_ms;
    char current_fingerprint[DIGEST_HEX_SIZE];
    int64_t waiting_body;
    bool waiting_trashed;
    int64_t waiting_accepted_ms, waiting_held_ms;
    char waiting_fingerprint[DIGEST_HEX_SIZE];
    int64_t attempt, attempt_note, attempt_ms;
};

/* -- store_sqlite_order.c: inside a transaction -- */
/* The order's row, without what has expired; a fresh one when there is none. */
void row_load(struct db *db, const char *key, struct order_row *row);
void row_save(struct db *db, struct order_row *row);
bool row_has_link(const struct order_row *row);
bool row_lease_in_force(const struct db *db, const struct order_row *row);
int64_t blob_put(struct db *db, const void *bytes, size_t len);
void blob_drop(struct db *db, int64_t *id);
/* The waiting body becomes the current one (which goes): due now, fresh attempts. False when there is none.
 */
bool row_promote(struct db *db, struct order_row *row);
/* Leases the row to the token in entry and fills the entry from it. */
void row_lease(struct db *db, struct order_row *row, int64_t lease_ms, struct store_entry *entry);
void row_link(const struct order_row *row, struct store_link *link);
/* ms of the time on hold (pause, breaker) of this namespace so far. */
int64_t space_held_ms(struct db *db);
enum store_hold space_hold(struct db *db);
int64_t space_born_ms(struct db *db);
bool row_is_old(struct db *db, int64_t created_s);
int64_t link_ttl_ms(const struct db *db);

/* STORE_OK when the transaction could be ended well, else STORE_UNAVAILABLE. */
enum store_result sqlite_end(struct db *db, enum store_result result);

/* -- the verbs, by room -- */
enum store_claim_result sqlite_claim(void *, const struct store_claim *, struct store_claim_reply *,
                                     struct store_entry *);
enum store_result sqlite_progress(void *, const char *, const char *, const struct store_progress *, bool *);
enum store_result sqlite_renew(void *, const char *, const char *, int64_t);
enum store_result sqlite_finish(void *, const char *, const char *, const char *, const struct store_link *,
                                int64_t, struct store_entry *, bool *);
enum store_result sqlite_retry(void *, const char *, const char *, int64_t, bool, bool, const char *);
enum store_result sqlite_park(void *, const char *, const char *, const char *, bool *);
enum store_result sqlite_park_bytes(void *, const char *, const void *, size_t, const char *);
enum store_result sqlite_lease_due(void *, int64_t, bool, struct store_entry *, int64_t *, enum store_hold *);
enum store_result sqlite_heartbeat(void *);
enum store_result sqlite_contact_lock(void *, const char *const[], size_t, const char *, int64_t, int64_t *);
enum store_result sqlite_contact_unlock(void *, const char *const[], size_t, const char *, int64_t);
enum store_result sqlite_card_take(void *, const char *, const char *, int64_t, bool);
enum store_result sqlite_pace(void *, int64_t, int64_t *);
enum store_result sqlite_pace_correct(void *, int64_t, int64_t, int64_t, int64_t, int64_t);
enum store_result sqlite_breaker(void *, bool, int64_t *);
enum store_result sqlite_probe(void *, enum store_hold);
enum store_result sqlite_pause(void *, const char *, const char *, bool *);
enum store_result sqlite_resume(void *, const char *);
enum store_result sqlite_count(void *, const char *, bool);
enum store_result sqlite_put(void *, const char *, const char *, int64_t, bool, char **);
enum store_result sqlite_get(void *, const char *, char **);
enum store_result sqlite_stats(void *, struct store_stats *);
enum store_result sqlite_parked_list(void *, const char *, size_t, struct store_parked **, size_t *);
enum store_result sqlite_parked_get(void *, const char *, struct store_parked *);
enum store_result sqlite_requeue(void *, const char *);
enum store_result sqlite_drop(void *, const char *);
enum store_result sqlite_expire_parked(void *, int64_t *);
enum store_result sqlite_look(void *, const char *, struct store_order *);

#endif
