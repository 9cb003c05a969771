/*
 * store_redis: the Redis implementation of store.h, for its own files only.
 *
 * One script a verb (lib/lua); the state's layout is told at the top of lib/lua/order.lua. The files by their
 * job: store_redis.c opens and closes, store_redis_order.c holds the verbs on orders, store_redis_shared.c
 * what orders share (contacts, cards, counters, limits, switches), store_redis_report.c what people read.
 */
#ifndef WOO_GHL_STORE_REDIS_H
#define WOO_GHL_STORE_REDIS_H

#include "base/clock.h"
#include "store/backend.h"
#include "store/redis/script.h"

struct redis_store {
    const struct config *config;
    struct log *log; /* may be NULL */
    struct redis_connection connection;
    struct redis_scripts scripts;
    char boot_id[CLOCK_BOOT_ID_SIZE];
    int64_t boot_shift_ms; /* tests: added to the clock since boot */
};

/* Runs the script and reads its first element: 1 is OK, 0 is `zero`. */
enum store_result redis_verb(struct redis_store *store, enum redis_script which,
                             const struct redis_args *args, enum store_result zero) MUST_CHECK;
/* Runs the script; NULL is UNAVAILABLE. */
redisReply *redis_ask(struct redis_store *store, enum redis_script which,
                      const struct redis_args *args) MUST_CHECK;
/* Copies what fits; false when it does not. */
bool redis_copy_text(const redisReply *array, size_t i, char *out, size_t size) MUST_CHECK;

/* -- store_redis_order.c -- */
enum store_claim_result redis_claim(void *, const struct store_claim *, struct store_claim_reply *,
                                    struct store_entry *);
enum store_result redis_progress(void *, const char *key, const char *token, const struct store_progress *,
                                 unsigned *others);
enum store_result redis_renew(void *, const char *key, const char *token, int64_t lease_ms);
enum store_result redis_finish(void *, const char *key, const char *token, const char *fingerprint,
                               const struct store_link *, int64_t next_lease_ms, struct store_entry *next,
                               bool *has_next);
enum store_result redis_retry(void *, const char *key, const char *token, int64_t delay_ms, bool counted,
                              bool hold, const char *why);
enum store_result redis_park(void *, const char *key, const char *token, const char *why, bool *parked);
enum store_result redis_park_bytes(void *, const char *key, const void *bytes, size_t len, const char *why,
                                   const char *key_id);
enum store_result redis_waiting(void *, struct buf *keys);
enum store_result redis_lease_due(void *, int64_t lease_ms, const char *only, const char *key_id,
                                  struct store_entry *, int64_t *next_due_ms, enum store_hold *);

/* -- store_redis_shared.c -- */
enum store_result redis_heartbeat(void *);
enum store_result redis_contact_lock(void *, const char *const hash[], size_t n, const char *token,
                                     int64_t lease_ms, int64_t *newest_s);
enum store_result redis_contact_unlock(void *, const char *const hash[], size_t n, const char *token,
                                       int64_t wrote_s);
enum store_result redis_card_take(void *, const char *opportunity_id, const char *key, int64_t created_s,
                                  enum store_card how);
enum store_result redis_allow(void *, const char *client, int64_t *count);
enum store_result redis_pace(void *, int64_t max_wait_ms, int64_t *wait_ms);
enum store_result redis_pace_correct(void *, const struct store_limits *limits);
enum store_result redis_breaker(void *, bool success, int64_t *open_ms);
enum store_result redis_probe(void *, enum store_hold what);
enum store_result redis_pause(void *, const char *token_hash, const char *why, bool *first);
enum store_result redis_resume(void *, const char *token_hash);
enum store_result redis_count(void *, const char *word, bool reconcile);
enum store_result redis_reconciled(void *, int64_t wanted);
enum store_result redis_put(void *, const char *name, const char *value, int64_t ttl_ms, bool if_absent,
                            char **out);
enum store_result redis_get(void *, const char *name, char **out);

/* -- store_redis_report.c -- */
enum store_result redis_stats(void *, struct store_stats *);
enum store_result redis_parked_list(void *, const char *after, size_t max, struct store_parked **list,
                                    size_t *n);
enum store_result redis_parked_get(void *, const char *key, struct store_parked *out);
enum store_result redis_requeue(void *, const char *key);
enum store_result redis_drop(void *, const char *key);
enum store_result redis_expire_parked(void *, int64_t *n);
enum store_result redis_look(void *, const char *key, struct store_order *out);

#endif
