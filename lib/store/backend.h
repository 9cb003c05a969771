/*
 * store_backend: what an implementation of store.h provides. Only store.c and the implementations include
 * this.
 *
 * store.c is the thin common front: it chooses the implementation by configuration, makes lease tokens, seals
 * and opens bodies (vault, when it is there) and hands everything else through.
 */
#ifndef WOO_GHL_STORE_BACKEND_H
#define WOO_GHL_STORE_BACKEND_H

#include "store/store.h"

/* Each verb as in store.h, with the implementation's own state first. Tokens are made by the caller of claim,
 * lease_due and finish and passed in entry->token / next->token before the call. key_id (claim: in the
 * struct) is the id of the vault's data key: OTHER_KEY when the store's is another. */
struct store_backend {
    const char *kind;
    void *(*open)(const struct config *, struct log *, struct error *);
    void (*close)(void *);
    bool (*lost)(void *, struct error *what); /* NULL = it never finds it out by itself */
    enum store_result (*forgot)(void *, const char *key_id);
    void (*before_fork)(void *); /* NULL = it notices a fork by itself */
    const char *(*trouble)(const void *);
    void (*shift_clock)(void *, int64_t ms, bool wall_alone);
    enum store_claim_result (*claim)(void *, const struct store_claim *, struct store_claim_reply *,
                                     struct store_entry *);
    enum store_result (*progress)(void *, const char *key, const char *token, const struct store_progress *,
                                  unsigned *others);
    enum store_result (*renew)(void *, const char *key, const char *token, int64_t lease_ms);
    enum store_result (*finish)(void *, const char *key, const char *token, const char *fingerprint,
                                const struct store_link *, int64_t next_lease_ms, struct store_entry *next,
                                bool *has_next);
    enum store_result (*retry)(void *, const char *key, const char *token, int64_t delay_ms, bool counted,
                               bool hold, const char *why);
    enum store_result (*park)(void *, const char *key, const char *token, const char *why, bool *parked);
    enum store_result (*park_bytes)(void *, const char *key, const void *bytes, size_t len, const char *why,
                                    const char *key_id);
    enum store_result (*lease_due)(void *, int64_t lease_ms, const char *only, const char *key_id,
                                   struct store_entry *, int64_t *next_due_ms, enum store_hold *);
    enum store_result (*waiting)(void *, struct buf *keys);
    enum store_result (*heartbeat)(void *);
    enum store_result (*contact_lock)(void *, const char *const hash[], size_t n, const char *token,
                                      int64_t lease_ms, int64_t *newest_s);
    enum store_result (*contact_unlock)(void *, const char *const hash[], size_t n, const char *token,
                                        int64_t wrote_s);
    enum store_result (*card_take)(void *, const char *opportunity_id, const char *key, int64_t created_s,
                                   enum store_card how);
    enum store_result (*allow)(void *, const char *client, int64_t *count);
    enum store_result (*pace)(void *, int64_t max_wait_ms, int64_t *wait_ms);
    enum store_result (*pace_correct)(void *, const struct store_limits *);
    enum store_result (*breaker)(void *, bool success, int64_t *open_ms);
    enum store_result (*probe)(void *, enum store_hold what);
    enum store_result (*pause)(void *, const char *token_hash, const char *why, bool *first);
    enum store_result (*resume)(void *, const char *token_hash);
    enum store_result (*count)(void *, const char *word, bool reconcile);
    enum store_result (*reconciled)(void *, int64_t wanted);
    enum store_result (*put)(void *, const char *name, const char *value, int64_t ttl_ms, bool if_absent,
                             char **out);
    enum store_result (*get)(void *, const char *name, char **out);
    enum store_result (*stats)(void *, struct store_stats *);
    enum store_result (*parked_list)(void *, const char *after, size_t max, struct store_parked **list,
                                     size_t *n);
    enum store_result (*parked_get)(void *, const char *key, struct store_parked *out);
    enum store_result (*requeue)(void *, const char *key);
    enum store_result (*drop)(void *, const char *key);
    enum store_result (*expire_parked)(void *, int64_t *n);
    enum store_result (*look)(void *, const char *key, struct store_order *out);
};

extern const struct store_backend store_redis, store_sqlite;

/* GCRA, shared by both so that they agree: the emission interval in microseconds and the burst for a rate
 * (store.c). At 99 % of the rate, with a burst so small that no window of window_ms ever sees more than count
 * calls. */
void store_pace_terms(int64_t count, int64_t window_ms, int64_t *interval_us, int64_t *burst);
#define STORE_SHARED_MS 60000 /* how long after a sign of others GHL's count is heeded */

#endif
