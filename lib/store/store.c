#include "store/store.h"
#include "base/clock.h"
#include "base/crash.h"
#include "base/text.h"
#include "crypt/crypt.h"
#include "store/backend.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ABOUT_SIZE (RECORD_KEY_SIZE + RECORD_TOKEN_SIZE)

struct store {
    const struct backend *backend;
    void *state;
    struct crypt *crypt;
    int64_t ahead_ms;             /* the store's time less the clock since boot, as the last reply said */
    int64_t shift_ms;             /* tests: how much later it is than the clocks say */
    char told[RECORD_ID_SIZE];    /* the server, as last told; the backend commits to no other */
    char trusted[RECORD_ID_SIZE]; /* the server whose memory was checked; "" = none */
    struct error own_trouble;     /* what went wrong in this file */
};

/* Every call goes through here, so that a test build can die before and after each. */
#define ASK(call, ...) ASK_AS("store_" #call, call, __VA_ARGS__)
#define ASK_AS(step, call, ...)                                                                              \
    ((store)->own_trouble.text[0] = '\0', CRASH_AROUND(step, (store)->backend->call(__VA_ARGS__)))

/* -- life cycle -- */

static void *open_backend(const struct backend *backend, const struct config *config, struct log *log,
                          struct error *e)
{
    struct buf space;
    void *state = NULL;

    buf_init(&space, 1024);
    if (buf_addf(&space, "%s:%s%s", config->redis_prefix, config->dry_run ? "dry:" : "",
                 config->ghl_location_id))
        state = backend == &redis_backend ? redis_open(config, space.data, log, e)
                                          : sqlite_open(config, space.data, log, e);
    else
        error_set(e, "REDIS_PREFIX and GHL_LOCATION_ID: together longer than 1,000 characters");
    buf_free(&space);
    return state;
}

struct store *store_open(const struct config *config, struct crypt *crypt, struct log *log, struct error *e)
{
    struct store *store = calloc(1, sizeof *store);

    if (!store) {
        error_set(e, "Out of memory");
        return NULL;
    }
    store->crypt = crypt;
    store->ahead_ms = clock_wall_ms() - clock_mono_ms();
    store->backend = *config->redis_url ? &redis_backend : &sqlite_backend;
    store->state = open_backend(store->backend, config, log, e);
    if (store->state)
        return store;
    free(store);
    return NULL;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    store->backend->close(store->state);
    free(store);
}

const char *store_kind(const struct store *store)
{
    return store->backend->kind;
}

const char *store_trouble(const struct store *store)
{
    return store->own_trouble.text[0] ? store->own_trouble.text : store->backend->trouble(store->state);
}

enum store_result store_server(struct store *store, char server[RECORD_ID_SIZE])
{
    enum store_result result = ASK(server, store->state, server);

    if (result == STORE_OK)
        memcpy(store->told, server, sizeof store->told);
    return result;
}

void store_trust(struct store *store, const char *server)
{
    snprintf(store->trusted, sizeof store->trusted, "%s", server);
}

static bool is_trusted(struct store *store)
{
    if (*store->trusted && !strcmp(store->told, store->trusted))
        return true;
    error_set(&store->own_trouble, "The store's memory was not checked yet: it is another server, or file");
    return false;
}

void store_before_fork(struct store *store)
{
    store->backend->before_fork(store->state);
}

int64_t store_now_ms(const struct store *store)
{
    return clock_mono_ms() + store->ahead_ms;
}

int64_t store_boot_ms(const struct store *store)
{
    return clock_mono_ms() + store->shift_ms;
}

void store_shift_clock(struct store *store, int64_t ms)
{
    store->backend->shift_clock(store->state, ms);
    store->shift_ms += ms;
    store->ahead_ms += ms;
}

/* 0 = the reply brought none. */
static void note_time(struct store *store, int64_t now_ms)
{
    if (now_ms)
        store->ahead_ms = now_ms - clock_mono_ms();
}

/* -- sealing: the one place through which blobs go -- */

/* What a blob is sealed for: it opens as this one of this order only. */
static const char *sealed_for(char about[ABOUT_SIZE], const char *key, const char *id)
{
    snprintf(about, ABOUT_SIZE, "%s %s", key, id);
    return about;
}

/* The blob, if there is one, in its sealed form, whose bytes are in `sealed`. */
static bool seal(struct store *store, const char *key, struct store_blob *blob, struct buf *sealed)
{
    char about[ABOUT_SIZE];

    if (!blob->id)
        return true;
    if (!crypt_seal(store->crypt, "blob", sealed_for(about, key, blob->id), blob->bytes, blob->len, sealed)) {
        error_set(&store->own_trouble, "%s: %zu bytes cannot be sealed: out of memory, or over %ld bytes",
                  key, blob->len, STORE_BLOB_MAX);
        return false;
    }
    blob->bytes = sealed->data;
    blob->len = sealed->len;
    return true;
}

static enum store_result open_blob(struct store *store, const char *key, const char *id, bool old_only,
                                   struct buf *out)
{
    char about[ABOUT_SIZE];
    struct buf sealed;

    buf_init(&sealed, STORE_BLOB_MAX + CRYPT_OVERHEAD);
    enum store_result result = ASK(blob, store->state, id, &sealed);
    if (result == STORE_OK && old_only && crypt_is_current(store->crypt, sealed.data, sealed.len))
        result = STORE_NONE;
    if (result == STORE_OK)
        switch (crypt_open(store->crypt, "blob", sealed_for(about, key, id), sealed.data, sealed.len, out,
                           &store->own_trouble)) {
        case CRYPT_OK: break;
        case CRYPT_UNKNOWN_KEY:
        case CRYPT_DAMAGED: result = STORE_SEALED; break;
        case CRYPT_FAILED: result = STORE_UNAVAILABLE; break;
        }
    buf_free(&sealed);
    return result;
}

enum store_result store_blob(struct store *store, const char *key, const char *id, struct buf *out)
{
    return open_blob(store, key, id, false, out);
}

enum store_result store_old_blob(struct store *store, const char *key, const char *id, struct buf *out)
{
    return open_blob(store, key, id, true, out);
}

/* -- records -- */

enum store_result store_read(struct store *store, const char *key, const char *client,
                             struct store_reply *reply)
{
    *reply = (struct store_reply){0};
    enum store_result result = ASK(read, store->state, &order_record_type, key, client, &reply->order,
                                   &reply->location, &reply->client_count, &reply->now_ms);
    note_time(store, reply->now_ms);
    return result;
}

/* The blobs that before needs and after does not. */
static void find_dropped(const struct store_commit *commit, const char *drop[RECORD_BLOBS])
{
    const char *had[RECORD_BLOBS], *has[RECORD_BLOBS];
    size_t had_count = commit->before ? order_blobs(commit->before, had) : 0,
           has_count = order_blobs(commit->after, has), dropped = 0;

    for (size_t i = 0; i < had_count; i++) {
        bool kept = false;
        for (size_t j = 0; j < has_count; j++)
            kept = kept || !strcmp(had[i], has[j]);
        if (!kept)
            drop[dropped++] = had[i];
    }
}

enum store_result store_commit(struct store *store, const struct store_commit *commit,
                               struct store_reply *reply)
{
    struct store_commit sealed = *commit;
    struct buf bytes;
    int64_t version = 0;
    enum store_result result = STORE_UNAVAILABLE;
    struct backend_commit c = {.type = &order_record_type,
                               .key = commit->key,
                               .before = commit->before,
                               .after = commit->after,
                               .durable = true,
                               .expires_ms = commit->after->expires_ms,
                               .order = &sealed,
                               .decided_ms = commit->decided_ms,
                               .deadline_ms = commit->deadline_ms};

    *reply = (struct store_reply){0};
    buf_init(&bytes, STORE_BLOB_MAX + CRYPT_OVERHEAD);
    find_dropped(commit, c.drop_blob);
    for (int i = 0; i < INDEXES; i++)
        c.index_ms[i] = order_index_ms(commit->after, (enum order_index)i);
    if (is_trusted(store) && seal(store, commit->key, &sealed.blob, &bytes))
        result = ASK(commit, store->state, &c, &reply->order, &version, &reply->location,
                     &reply->client_count, &reply->now_ms);
    note_time(store, reply->now_ms);
    if (result == STORE_OK) {
        reply->order = *commit->after;
        reply->order.version = version;
    }
    buf_free(&bytes);
    return result;
}

enum store_result store_read_shared(struct store *store, const struct record_type *type, void *record)
{
    int64_t now_ms = 0;
    enum store_result result =
        ASK_AS(type == &location_record_type ? "store_read_location" : "store_read_limiter", read,
               store->state, type, NULL, NULL, record, NULL, NULL, &now_ms);

    note_time(store, now_ms);
    return result;
}

enum store_result store_commit_shared(struct store *store, const struct record_type *type, const void *before,
                                      void *after)
{
    struct backend_commit c = {
        .type = type, .before = before, .after = after, .durable = type == &location_record_type};
    int64_t version = 0, now_ms = 0;
    union {
        struct location_record location;
        struct limiter_record limiter;
    } current;
    enum store_result result =
        ASK_AS(type == &location_record_type ? "store_commit_location" : "store_commit_limiter", commit,
               store->state, &c, &current, &version, NULL, NULL, &now_ms);

    note_time(store, now_ms);
    if (result == STORE_OK)
        memcpy(after, &version, sizeof version);
    else if (result == STORE_CHANGED)
        memcpy(after, &current, type->size);
    return result;
}

enum store_result store_read_location(struct store *store, struct location_record *location)
{
    return store_read_shared(store, &location_record_type, location);
}

enum store_result store_read_limiter(struct store *store, struct limiter_record *limiter)
{
    return store_read_shared(store, &limiter_record_type, limiter);
}

/* -- indexes -- */

enum store_result store_list(struct store *store, enum order_index index, int64_t from_ms, const char *after,
                             size_t max, struct store_entry *list, size_t *n)
{
    return ASK(list, store->state, index, from_ms, after, max, list, n);
}

void store_walk_begin(struct store_walk *walk, struct store *store, enum order_index index, int64_t from_ms)
{
    *walk = (struct store_walk){.store = store,
                                .index = index,
                                .last = {.at_ms = from_ms},
                                .at = STORE_WALK_PAGE,
                                .n = STORE_WALK_PAGE};
}

const struct store_entry *store_walk_next(struct store_walk *walk)
{
    if (walk->at == STORE_WALK_PAGE) {
        walk->result = store_list(walk->store, walk->index, walk->last.at_ms, walk->last.key, STORE_WALK_PAGE,
                                  walk->page, &walk->n);
        walk->at = 0;
        if (walk->n == STORE_WALK_PAGE)
            walk->last = walk->page[walk->n - 1];
    }
    return walk->result == STORE_OK && walk->at < walk->n ? &walk->page[walk->at++] : NULL;
}

enum store_result store_sizes(struct store *store, struct store_sizes *sizes)
{
    *sizes = (struct store_sizes){0};
    enum store_result result = ASK(sizes, store->state, sizes);
    note_time(store, sizes->now_ms);
    return result;
}

/* -- values, locks, counters -- */

enum store_result store_get(struct store *store, const char *name, char **out)
{
    *out = NULL;
    return ASK(get, store->state, name, out);
}

enum store_result store_put(struct store *store, const char *name, const char *value, int64_t ttl_ms)
{
    return ASK(put, store->state, name, value, ttl_ms, false, NULL);
}

enum store_result store_put_absent(struct store *store, const char *name, const char *value, int64_t ttl_ms,
                                   char **out)
{
    *out = NULL;
    return ASK_AS("store_put_absent", put, store->state, name, value, ttl_ms, true, out);
}

enum store_result store_values(struct store *store, const char *prefix, struct buf *out)
{
    enum store_result result = ASK(values, store->state, prefix, out);

    text_still(out->data, out->len);
    return result;
}

const char *store_next_value(const struct buf *values, size_t *at, const char **value)
{
    if (*at >= values->len)
        return NULL;
    const char *name = values->data + *at;
    *value = name + strlen(name) + 1;
    *at = (size_t)(*value - values->data) + strlen(*value) + 1;
    return name;
}

enum store_result store_lock(struct store *store, const char *name, const char *token, int64_t ttl_ms)
{
    return ASK(lock, store->state, name, token, ttl_ms);
}

enum store_result store_unlock(struct store *store, const char *name, const char *token)
{
    return ASK(unlock, store->state, name, token);
}

enum store_result store_count(struct store *store, const char *name)
{
    return ASK(count, store->state, name);
}

enum store_result store_count_client(struct store *store, const char *client, int64_t *count)
{
    return ASK(count_client, store->state, client, count);
}

enum store_result store_expire(struct store *store, long max, long *n)
{
    *n = 0;
    return ASK(expire, store->state, max, n);
}

/* -- for check and status -- */

enum store_result store_about(struct store *store, struct store_about *about)
{
    *about = (struct store_about){0};
    return ASK(about, store->state, about);
}
