/*
 * store_sqlite: the embedded store's verbs, one function each, as in store_backend.h. Only store_sqlite.c and
 * the files of the verbs include this.
 *
 *   store_sqlite_claim.c    claim
 *   store_sqlite_entry.c    the leased entry: progress, renew, finish, retry, park
 *   store_sqlite_queue.c    lease_due, heartbeat
 *   store_sqlite_parked.c   parked orders
 *   store_sqlite_shared.c   contacts, cards, counters, small things
 *   store_sqlite_gate.c     pace, breaker, pause
 *   store_sqlite_look.c     stats, look
 */
#ifndef WOO_GHL_STORE_SQLITE_H
#define WOO_GHL_STORE_SQLITE_H

#include "store/backend.h"
#include "store/sqlite/clients.h"
#include "store/sqlite/record.h"

/* Things of the store itself. */
#define DB_DELIVERED "delivered" /* when the shop last delivered, ms */
#define DB_SHARED "limit shared" /* there while others use GHL's limit too */

struct store_sqlite {
    struct db db;
    struct store_clients clients; /* the front door's counters */
};

enum store_claim_result sqlite_claim(void *self, const struct store_claim *claim,
                                     struct store_claim_reply *reply, struct store_entry *entry);

enum store_result sqlite_progress(void *self, const char *key, const char *token,
                                  const struct store_progress *progress, unsigned *others);
enum store_result sqlite_renew(void *self, const char *key, const char *token, int64_t lease_ms);
enum store_result sqlite_finish(void *self, const char *key, const char *token, const char *fingerprint,
                                const struct store_link *link, int64_t next_lease_ms,
                                struct store_entry *next, bool *has_next);
enum store_result sqlite_retry(void *self, const char *key, const char *token, int64_t delay_ms, bool counted,
                               bool hold, const char *why);
enum store_result sqlite_park(void *self, const char *key, const char *token, const char *why, bool *parked);

enum store_result sqlite_waiting(void *self, struct buf *keys);
enum store_result sqlite_lease_due(void *self, int64_t lease_ms, const char *only, const char *key_id,
                                   struct store_entry *entry, int64_t *next_due_ms, enum store_hold *hold);
enum store_result sqlite_heartbeat(void *self);
/* Of a waiting entry. */
bool queue_is_due(const struct db *db, int64_t due_ms);
/* The key of the entry that is due first; `now`: of any that is not leased. False when there is none. */
bool queue_first(struct db *db, bool now, char key[RECORD_KEY_SIZE]);

enum store_result sqlite_park_bytes(void *self, const char *key, const void *bytes, size_t len,
                                    const char *why, const char *key_id);
enum store_result sqlite_parked_list(void *self, const char *after, size_t max, struct store_parked **list,
                                     size_t *n);
enum store_result sqlite_parked_get(void *self, const char *key, struct store_parked *out);
enum store_result sqlite_requeue(void *self, const char *key);
enum store_result sqlite_drop(void *self, const char *key);
enum store_result sqlite_expire_parked(void *self, int64_t *n);

enum store_result sqlite_contact_lock(void *self, const char *const hash[], size_t n, const char *token,
                                      int64_t lease_ms, int64_t *newest_s);
enum store_result sqlite_contact_unlock(void *self, const char *const hash[], size_t n, const char *token,
                                        int64_t wrote_s);
enum store_result sqlite_card_take(void *self, const char *opportunity_id, const char *key, int64_t created_s,
                                   enum store_card how);
enum store_result sqlite_count(void *self, const char *word, bool reconcile);
enum store_result sqlite_reconciled(void *self, int64_t wanted);
enum store_result sqlite_put(void *self, const char *name, const char *value, int64_t ttl_ms, bool if_absent,
                             char **out);
enum store_result sqlite_get(void *self, const char *name, char **out);
/* Is the data key in use the one of this id? In a transaction. */
bool shared_has_key(struct db *db, const char *key_id);

enum store_result sqlite_pace(void *self, int64_t max_wait_ms, int64_t *wait_ms);
enum store_result sqlite_pace_correct(void *self, const struct store_limits *limits);
enum store_result sqlite_breaker(void *self, bool success, int64_t *open_ms);
enum store_result sqlite_probe(void *self, enum store_hold what);
enum store_result sqlite_pause(void *self, const char *token_hash, const char *why, bool *first);
enum store_result sqlite_resume(void *self, const char *token_hash);

enum store_result sqlite_stats(void *self, struct store_stats *stats);
enum store_result sqlite_look(void *self, const char *key, struct store_order *out);

#endif
