#include "store/sqlite/sqlite.h"
#include <string.h>

/* A due time further ahead than STORE_MAX_DELAY_MS was set before the clock was set back: it counts as due.
 */
bool queue_is_due(const struct db *db, int64_t due_ms)
{
    return due_ms <= db->now_ms || due_ms > db->now_ms + STORE_MAX_DELAY_MS;
}

static bool take_row(struct db *db, sqlite3_stmt *row, char key[RECORD_KEY_SIZE], int64_t *due_ms)
{
    if (!db_next(db, row))
        return false;
    db_text(row, 0, key, RECORD_KEY_SIZE);
    *due_ms = sqlite3_column_int64(row, 1);
    db_done(row);
    return true;
}

/* SQLite takes a partial index only where the index's own condition is said again. */
#define QUEUE "FROM orders INDEXED BY orders_due WHERE kind IN (1, 2) AND space = ?1"

static bool first_waiting(struct db *db, bool now, char key[RECORD_KEY_SIZE], int64_t *due_ms)
{
    sqlite3_stmt *row =
        db_query(db, "SELECT key, due_ms " QUEUE " AND kind = 1 ORDER BY due_ms LIMIT 1", "i", db->space);
    if (!take_row(db, row, key, due_ms))
        return false;
    if (now || queue_is_due(db, *due_ms))
        return true;
    row = db_query(db, "SELECT key, due_ms " QUEUE " AND kind = 1 AND due_ms > ?2 ORDER BY due_ms LIMIT 1",
                   "ii", db->space, db->now_ms + STORE_MAX_DELAY_MS);
    return take_row(db, row, key, due_ms);
}

/* Leases are few: one a worker. */
static bool first_run_out(struct db *db, char key[RECORD_KEY_SIZE], int64_t *due_ms)
{
    sqlite3_stmt *row =
        db_query(db, "SELECT key, due_ms, lease_boot, lease_until_ms " QUEUE " AND kind = 2 ORDER BY due_ms",
                 "i", db->space);
    while (db_next(db, row)) {
        struct record r = {.kind = RECORD_LEASED, .lease_until_ms = sqlite3_column_int64(row, 3)};
        db_text(row, 2, r.lease_boot, sizeof r.lease_boot);
        if (record_lease_holds(db, &r))
            continue;
        db_text(row, 0, key, RECORD_KEY_SIZE);
        *due_ms = sqlite3_column_int64(row, 1);
        db_done(row);
        return true;
    }
    return false;
}

bool queue_first(struct db *db, bool now, char key[RECORD_KEY_SIZE])
{
    char other[RECORD_KEY_SIZE];
    int64_t due_ms = 0, other_ms = 0;
    bool waits = first_waiting(db, now, key, &due_ms), ran_out = first_run_out(db, other, &other_ms);

    if (ran_out && (!waits || other_ms < due_ms))
        memcpy(key, other, sizeof other);
    return waits || ran_out;
}

static int64_t next_due_ms(struct db *db)
{
    int64_t first = db_integer(db, -1,
                               "SELECT min(a) FROM (SELECT min(due_ms) a " QUEUE " AND kind = 1 UNION ALL "
                               "SELECT min(due_ms) " QUEUE " AND kind = 2)",
                               "i", db->space);
    if (first < 0)
        return -1;
    return first > db->now_ms ? first - db->now_ms : 0;
}

/* Nothing is given of an order that does not wait or that a worker has. */
static bool lease(struct db *db, const struct space *space, const char *key, int64_t lease_ms,
                  struct store_entry *entry)
{
    struct record r;

    if (!record_load(db, key, &r) || (r.kind != RECORD_DUE && r.kind != RECORD_LEASED) ||
        record_lease_holds(db, &r))
        return false;
    if (r.kind == RECORD_LEASED && r.waiting.body)
        record_promote(db, &r, 0);
    record_lease(db, &r, entry->token, lease_ms);
    record_save(db, &r);
    record_give(db, space, &r, entry);
    return !db->failed;
}

static bool lease_first(struct db *db, const struct space *space, int64_t lease_ms, struct store_entry *entry,
                        int64_t *next_ms, enum store_hold *hold)
{
    char key[RECORD_KEY_SIZE];
    bool due = queue_first(db, false, key);

    if (due && space_hold(space) == STORE_GO)
        return lease(db, space, key, lease_ms, entry);
    if (due && hold)
        *hold = space_hold(space);
    if (next_ms)
        *next_ms = next_due_ms(db);
    return false;
}

enum store_result sqlite_lease_due(void *self, int64_t lease_ms, const char *only, const char *key_id,
                                   struct store_entry *entry, int64_t *next_ms, enum store_hold *hold)
{
    struct db *db = &((struct store_sqlite *)self)->db;
    struct space space;

    if (hold)
        *hold = STORE_GO;
    if (next_ms)
        *next_ms = -1;
    if (!db_write(db))
        return STORE_UNAVAILABLE;
    if (!shared_has_key(db, key_id) && !db->failed) {
        db_rollback(db);
        return STORE_OTHER_KEY;
    }
    space_load(db, &space);
    bool leased = only ? lease(db, &space, only, lease_ms, entry)
                       : lease_first(db, &space, lease_ms, entry, next_ms, hold);
    if (!db_commit(db))
        return STORE_UNAVAILABLE;
    return leased ? STORE_OK : STORE_NONE;
}

enum store_result sqlite_waiting(void *self, struct buf *keys)
{
    struct db *db = &((struct store_sqlite *)self)->db;
    char key[RECORD_KEY_SIZE];

    if (!db_read(db))
        return STORE_UNAVAILABLE;
    sqlite3_stmt *row = db_query(db, "SELECT key " QUEUE " ORDER BY due_ms, key", "i", db->space);
    while (db_next(db, row)) {
        db_text(row, 0, key, sizeof key);
        (void)buf_add(keys, key, strlen(key) + 1); /* a failure sticks */
    }
    return db_commit(db) ? STORE_OK : STORE_UNAVAILABLE;
}

enum store_result sqlite_heartbeat(void *self)
{
    struct db *db = &((struct store_sqlite *)self)->db;

    if (!db_write_lazily(db))
        return STORE_UNAVAILABLE;
    db_run(db, "UPDATE spaces SET heartbeat_ms = ? WHERE id = ?", "ii", db->now_ms, db->space);
    return db_commit(db) ? STORE_OK : STORE_UNAVAILABLE;
}
