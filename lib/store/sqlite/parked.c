#include "store/sqlite/sqlite.h"
#include <stdlib.h>
#include <string.h>

enum store_result sqlite_park_bytes(void *self, const char *key, const void *bytes, size_t len,
                                    const char *why, const char *key_id)
{
    struct db *db = &((struct store_sqlite *)self)->db;
    struct record r;

    if (!db_write(db))
        return STORE_UNAVAILABLE;
    if (!shared_has_key(db, key_id) && !db->failed) {
        db_rollback(db);
        return STORE_OTHER_KEY;
    }
    if (record_load(db, key, &r) && r.kind == RECORD_NONE) {
        struct space space;
        space_load(db, &space);
        r.kind = RECORD_PARKED;
        r.parked_ms = db->now_ms;
        r.current = (struct record_state){.body = blob_put(db, bytes, len),
                                          .accepted_ms = db->now_ms,
                                          .held_ms = space_held_ms(&space, db->now_ms)};
        record_reason(&r, why);
        record_save(db, &r);
    }
    return db_commit(db) ? STORE_OK : STORE_UNAVAILABLE;
}

/* -- the list -- */

static int64_t age_s(const struct db *db, int64_t then_ms)
{
    return db->now_ms > then_ms ? (db->now_ms - then_ms) / 1000 : 0;
}

static char *column_copy(struct db *db, sqlite3_stmt *row, int column)
{
    char *copy = strdup((const char *)sqlite3_column_text(row, column));
    if (!copy)
        db_fail(db, "out of memory");
    return copy;
}

static size_t read_list(struct db *db, const char *after, size_t max, struct store_parked *list)
{
    size_t n = 0;
    int64_t after_ms =
        db_integer(db, -1, "SELECT parked_ms FROM orders WHERE space = ? AND key = ? AND kind = 3", "it",
                   db->space, after);
    sqlite3_stmt *row =
        db_query(db,
                 "SELECT key, reason, parked_ms, attempts, current_status FROM orders WHERE space = ? "
                 "AND kind = 3 AND (parked_ms, key) > (?, ?) ORDER BY parked_ms, key LIMIT ?",
                 "iiti", db->space, after_ms, after, (int64_t)max);
    while (db_next(db, row)) {
        struct store_parked *parked = &list[n++];
        parked->key = column_copy(db, row, 0);
        parked->why = column_copy(db, row, 1);
        parked->age_s = age_s(db, sqlite3_column_int64(row, 2));
        parked->attempts = sqlite3_column_int64(row, 3);
        db_text(row, 4, parked->status, sizeof parked->status);
    }
    return n;
}

enum store_result sqlite_parked_list(void *self, const char *after, size_t max, struct store_parked **list,
                                     size_t *n)
{
    struct db *db = &((struct store_sqlite *)self)->db;

    *list = NULL;
    *n = 0;
    if (!db_read(db))
        return STORE_UNAVAILABLE;
    *list = calloc(max ? max : 1, sizeof **list);
    if (*list)
        *n = read_list(db, after, max, *list);
    else
        db_fail(db, "out of memory");
    if (db_commit(db))
        return STORE_OK;
    store_parked_free(*list, *n, true);
    *list = NULL;
    *n = 0;
    return STORE_UNAVAILABLE;
}

/* -- one of them -- */

enum store_result sqlite_parked_get(void *self, const char *key, struct store_parked *out)
{
    struct db *db = &((struct store_sqlite *)self)->db;
    struct record r;

    *out = (struct store_parked){0};
    if (!db_read(db))
        return STORE_UNAVAILABLE;
    bool parked = record_load(db, key, &r) && r.kind == RECORD_PARKED;
    if (parked) {
        out->key = strdup(r.key);
        out->why = strdup(r.reason);
        out->body = blob_get(db, r.current.body, &out->body_len);
        memcpy(out->status, r.current.status, sizeof out->status);
        out->age_s = age_s(db, r.parked_ms);
        out->attempts = r.attempts;
        if (!out->key || !out->why || (r.current.body && !out->body))
            db_fail(db, "order %s: its body cannot be read", key);
    }
    if (db_commit(db))
        return parked ? STORE_OK : STORE_NONE;
    store_parked_free(out, 1, false);
    return STORE_UNAVAILABLE;
}

enum store_result sqlite_requeue(void *self, const char *key)
{
    struct db *db = &((struct store_sqlite *)self)->db;
    struct space space;
    struct record r;

    if (!db_write(db))
        return STORE_UNAVAILABLE;
    space_load(db, &space);
    bool parked = record_load(db, key, &r) && r.kind == RECORD_PARKED && r.current.body;
    if (parked) {
        r.attempts = 0;
        r.reason[0] = '\0';
        r.current.accepted_ms = db->now_ms;
        r.current.held_ms = space_held_ms(&space, db->now_ms);
        record_due(db, &r, 0);
        record_save(db, &r);
    }
    if (!db_commit(db))
        return STORE_UNAVAILABLE;
    return parked ? STORE_OK : STORE_NONE;
}

enum store_result sqlite_drop(void *self, const char *key)
{
    struct db *db = &((struct store_sqlite *)self)->db;
    struct record r;

    if (!db_write(db))
        return STORE_UNAVAILABLE;
    bool parked = record_load(db, key, &r) && r.kind == RECORD_PARKED;
    if (parked) {
        record_end(db, &r);
        record_renew(db, &r);
        r.seen_ended[0] = '\0'; /* a late sale must not bring it back */
        record_save(db, &r);
    }
    if (!db_commit(db))
        return STORE_UNAVAILABLE;
    return parked ? STORE_OK : STORE_NONE;
}

enum store_result sqlite_expire_parked(void *self, int64_t *n)
{
    struct db *db = &((struct store_sqlite *)self)->db;

    *n = 0;
    if (!db_write(db))
        return STORE_UNAVAILABLE;
    int64_t before_ms = db->now_ms - db->config->dead_letter_ttl_ms;
    db_run(db,
           "DELETE FROM blobs WHERE id IN (SELECT current_body FROM orders WHERE space = ? AND kind = 3 AND "
           "parked_ms <= ? AND current_body <> 0)",
           "ii", db->space, before_ms);
    db_run(db,
           "UPDATE orders SET current_body = 0 WHERE space = ? AND kind = 3 AND parked_ms <= ? AND "
           "current_body <> 0",
           "ii", db->space, before_ms);
    int64_t expired = db_changes(db);
    if (!db_commit(db))
        return STORE_UNAVAILABLE;
    *n = expired;
    return STORE_OK;
}
