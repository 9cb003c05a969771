/*
 * backend: what Redis and SQLite each do for store.c. Only lib/store includes this.
 *
 * The same meaning as the calls of store.h; blobs come and go sealed. A backend says what is wrong in
 * backend->trouble ("" = nothing) and reports the store's time with every reply that it got.
 */
#pragma once

#include "store/store.h"

/* A record of any type, as a commit sees it. */
struct backend_commit {
    const struct record_type *type;
    const char *key;    /* of the order; NULL for the others */
    const void *before; /* NULL = version 0 */
    const void *after;
    bool durable;
    /* what only orders have */
    const char *drop_blob[RECORD_BLOBS]; /* those that go; NULL = none */
    int64_t index_ms[INDEXES];           /* order_index_ms(after); -1 = not in it */
    int64_t expires_ms;                  /* 0 = never */
    const struct store_commit *order;    /* blob (sealed), values, client; NULL for the others */
    int64_t decided_ms, deadline_ms;     /* of orders; deadline 0 = the backend's own timeout */
};

struct backend {
    const char *kind;
    void (*close)(void *state);
    void (*before_fork)(void *state);
    void (*shift_clock)(void *state, int64_t ms);
    const char *(*trouble)(const void *state);

    /* Connects if needed (the only call, beside the first one, that may reconnect after a loss), and tells which server or
     * file this is. Cheap if all is well: it asks nothing over the network. */
    enum store_result (*server)(void *state, char server[RECORD_ID_SIZE]);
    /* *record: whole, version 0 if there is none, or it has expired. key NULL, but for an order. location may be
     * NULL. client NULL: none is counted. */
    enum store_result (*read)(void *state, const struct record_type *type, const char *key,
                              const char *client, void *record, struct location_record *location,
                              int64_t *client_count, int64_t *now_ms);
    /* CHANGED: *current is what is there (version 0: nothing). OK: *version is the new one. location may be NULL.
     * UNAVAILABLE if another server is there than `server` told last. */
    enum store_result (*commit)(void *state, const struct backend_commit *, void *current, int64_t *version,
                                struct location_record *location, int64_t *client_count, int64_t *now_ms);
    enum store_result (*blob)(void *state, const char *id, struct buf *sealed);
    enum store_result (*list)(void *state, enum order_index, int64_t from_ms, const char *after, size_t max,
                              struct store_entry *, size_t *n);
    enum store_result (*sizes)(void *state, struct store_sizes *);
    enum store_result (*get)(void *state, const char *name, char **out);
    /* value NULL: delete. absent: only if it is not there. out may be NULL. */
    enum store_result (*put)(void *state, const char *name, const char *value, int64_t ttl_ms, bool absent,
                             char **out);
    /* Locks need not be listed. */
    enum store_result (*values)(void *state, const char *prefix, struct buf *out);
    enum store_result (*lock)(void *state, const char *name, const char *token, int64_t ttl_ms);
    enum store_result (*unlock)(void *state, const char *name, const char *token);
    enum store_result (*count)(void *state, const char *name);
    enum store_result (*count_client)(void *state, const char *client, int64_t *count);
    enum store_result (*expire)(void *state, long max, long *n);
    enum store_result (*about)(void *state, struct store_about *);
};

/* `space` is the namespace, without braces. NULL with the error set. */
void *sqlite_open(const struct config *config, const char *space, struct log *log,
                  struct error *e) MUST_CHECK;
void *redis_open(const struct config *config, const char *space, struct log *log, struct error *e) MUST_CHECK;
extern const struct backend sqlite_backend, redis_backend;
