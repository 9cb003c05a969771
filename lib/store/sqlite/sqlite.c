#include "base/clients.h"
#include "store/sqlite/db.h"
#include "store/sqlite/table.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_MS (24 * 3600 * 1000LL)
#define VALUES_MAX 1000

struct sqlite {
    struct db db;
    struct clients clients;
    struct tables tables;
    char told[RECORD_ID_SIZE]; /* the file that `server` told last; "" = it was never asked */
};

/* -- life cycle -- */

static void sqlite_close(void *state)
{
    struct sqlite *self = state;

    db_close(&self->db);
    clients_close(&self->clients);
    tables_free(&self->tables);
    free(self);
}

void *sqlite_open(const struct config *config, const char *space, struct log *log, struct error *e)
{
    struct sqlite *self = calloc(1, sizeof *self);

    if (!self)
        error_set(e, "Out of memory");
    else if (db_open(&self->db, config->data_dir, space, log, e))
        return self;
    free(self);
    return NULL;
}

static void sqlite_before_fork(void *state)
{
    db_disconnect(&((struct sqlite *)state)->db);
}

static void sqlite_shift_clock(void *state, int64_t ms)
{
    ((struct sqlite *)state)->db.clock.shift_ms += ms;
}

static const char *sqlite_trouble(const void *state)
{
    return ((const struct sqlite *)state)->db.trouble.text;
}

static enum store_result sqlite_server(void *state, char server[RECORD_ID_SIZE])
{
    struct sqlite *self = state;

    if (!db_ready(&self->db))
        return db_failure(&self->db);
    memcpy(self->told, self->db.file, sizeof self->told);
    memcpy(server, self->told, sizeof self->told);
    return STORE_OK;
}

/* -- values -- */

static bool put(struct db *db, const char *name, const char *value, int64_t ttl_ms, bool absent)
{
    if (!value)
        return db_run(db, "DELETE FROM vals WHERE namespace=? AND name=?", "it", db->namespace_id, name) > 0;
    return db_run(db,
                  "INSERT INTO vals(namespace, name, value, until) VALUES(?1, ?2, ?3, ?4) ON CONFLICT DO "
                  "UPDATE SET"
                  " value=excluded.value, until=excluded.until WHERE ?5=0 OR until<=?6",
                  "ittnii", db->namespace_id, name, value, ttl_ms ? db->now_ms + ttl_ms : 0, (int64_t)absent,
                  db->now_ms) > 0;
}

static bool get(struct db *db, const char *name, char **out)
{
    sqlite3_stmt *row =
        db_query(db, "SELECT value FROM vals WHERE namespace=? AND name=? AND (until IS NULL OR until>?)",
                 "iti", db->namespace_id, name, db->now_ms);
    bool found = db_next(db, row);

    *out = NULL;
    if (!found)
        return false;
    db->saw = true;
    *out = strdup((const char *)sqlite3_column_text(row, 0));
    if (!*out)
        db_fail(db, "out of memory");
    db_done(row);
    return true;
}

static enum store_result sqlite_get(void *state, const char *name, char **out)
{
    struct db *db = &((struct sqlite *)state)->db;

    *out = NULL;
    if (!db_begin(db, DB_READ, 0))
        return db_failure(db);
    bool found = get(db, name, out);
    enum store_result result = db_end(db);
    if (result != STORE_OK) {
        free(*out);
        *out = NULL;
    }
    return result != STORE_OK || found ? result : STORE_NONE;
}

static enum store_result sqlite_put(void *state, const char *name, const char *value, int64_t ttl_ms,
                                    bool absent, char **out)
{
    struct db *db = &((struct sqlite *)state)->db;

    if (out)
        *out = NULL;
    if (!db_begin(db, DB_WRITE_LAZY, 0))
        return db_failure(db);
    put(db, name, value, ttl_ms, absent);
    if (out && !get(db, name, out) && value)
        db_fail(db, "the value %s is not there after it was put", name);
    enum store_result result = db_end(db);
    if (result != STORE_OK && out) {
        free(*out);
        *out = NULL;
    }
    return result;
}

static enum store_result sqlite_values(void *state, const char *prefix, struct buf *out)
{
    struct db *db = &((struct sqlite *)state)->db;

    if (!db_begin(db, DB_READ, 0))
        return db_failure(db);
    sqlite3_stmt *row =
        db_query(db,
                 "SELECT name, value FROM vals WHERE namespace=?1 AND name>=?2 AND"
                 " name<?2||char(1114111) AND (until IS NULL OR until>?3) ORDER BY name LIMIT ?4",
                 "itii", db->namespace_id, prefix, db->now_ms, (int64_t)VALUES_MAX);
    while (db_next(db, row))
        for (int i = 0; i < 2; i++)
            if (!buf_add(out, sqlite3_column_text(row, i), (size_t)sqlite3_column_bytes(row, i) + 1))
                db_fail(db, "the values of %s need more than %zu bytes", prefix, out->max);
    return db_end(db);
}

/* One writing step that changes something, or nothing: OK, NONE. */
static enum store_result ended(struct db *db, bool changed)
{
    enum store_result result = db_end(db);
    return result == STORE_OK && !changed ? STORE_NONE : result;
}

static enum store_result sqlite_lock(void *state, const char *name, const char *token, int64_t ttl_ms)
{
    struct db *db = &((struct sqlite *)state)->db;

    if (!db_begin(db, DB_WRITE_LAZY, 0))
        return db_failure(db);
    return ended(db, db_run(db,
                            "INSERT INTO vals(namespace, name, value, until) VALUES(?1, 'lock:'||?2, ?3, ?4)"
                            " ON CONFLICT DO UPDATE SET value=excluded.value, until=excluded.until"
                            " WHERE value=excluded.value OR until<=?5",
                            "ittii", db->namespace_id, name, token, db->now_ms + ttl_ms, db->now_ms) > 0);
}

static enum store_result sqlite_unlock(void *state, const char *name, const char *token)
{
    struct db *db = &((struct sqlite *)state)->db;

    if (!db_begin(db, DB_WRITE_LAZY, 0))
        return db_failure(db);
    return ended(db,
                 db_run(db, "DELETE FROM vals WHERE namespace=? AND name='lock:'||? AND value=? AND until>?",
                        "itti", db->namespace_id, name, token, db->now_ms) > 0);
}

static enum store_result sqlite_count(void *state, const char *name)
{
    struct db *db = &((struct sqlite *)state)->db;

    if (!db_begin(db, DB_WRITE_LAZY, 0))
        return db_failure(db);
    db_run(db,
           "INSERT INTO vals(namespace, name, value) VALUES(?, ?, 1) ON CONFLICT DO UPDATE"
           " SET value=CAST(value AS INTEGER)+1",
           "it", db->namespace_id, name);
    return db_end(db);
}

/* -- records -- */

static bool count_client(struct sqlite *self, const char *client, int64_t *count, struct error *e)
{
    char name[256];

    snprintf(name, sizeof name, "%lld:%s", (long long)self->db.namespace_id, client);
    return clients_count(&self->clients, self->db.dir, "clients.map", name,
                         store_clock_now(&self->db.clock) / DAY_MS, count, e);
}

static enum store_result sqlite_count_client(void *state, const char *client, int64_t *count)
{
    struct sqlite *self = state;
    struct error e = ERROR_NONE;

    if (count_client(self, client, count, &e))
        return STORE_OK;
    self->db.trouble = e;
    return STORE_UNAVAILABLE;
}

static void read_record(struct sqlite *self, const struct record_type *type, const char *key, void *record)
{
    table_read(&self->db, &self->tables, type, self->db.namespace_id, key ? key : "", false, record);
}

/* A limit that cannot be counted stops no order. */
static void try_count_client(struct sqlite *self, const char *client, int64_t *count)
{
    struct error e = ERROR_NONE;

    if (client && !count_client(self, client, count, &e))
        *count = 0;
}

static enum store_result sqlite_read(void *state, const struct record_type *type, const char *key,
                                     const char *client, void *record, struct location_record *location,
                                     int64_t *client_count, int64_t *now_ms)
{
    struct sqlite *self = state;

    try_count_client(self, client, client_count);
    if (!db_begin(&self->db, DB_READ, 0))
        return db_failure(&self->db);
    *now_ms = self->db.now_ms;
    read_record(self, type, key, record);
    if (location)
        read_record(self, &location_record_type, NULL, location);
    return db_end(&self->db);
}

static void commit_order(struct db *db, const struct backend_commit *c)
{
    for (size_t i = 0; i < RECORD_BLOBS; i++)
        if (c->drop_blob[i])
            table_drop_blob(db, db->namespace_id, c->drop_blob[i]);
    if (c->order->blob.id)
        db_run(db, "INSERT INTO blobs(number, namespace, id, bytes) VALUES(?, ?, ?, ?)", "iitb",
               table_blob_number(c->order->blob.id), db->namespace_id, c->order->blob.id,
               c->order->blob.bytes, c->order->blob.len);
    for (size_t i = 0; i < STORE_COMMIT_VALUES; i++)
        if (c->order->value[i].name)
            put(db, c->order->value[i].name, c->order->value[i].value, c->order->value[i].ttl_ms, false);
}

static bool is_too_late(const struct db *db, const struct backend_commit *c)
{
    int64_t off_ms = db->now_ms - c->decided_ms;

    return c->order && ((c->deadline_ms && db->now_ms > c->deadline_ms) || off_ms > STORE_CLOCK_SLACK_MS ||
                        off_ms < -STORE_CLOCK_SLACK_MS);
}

/* A duplicate waits for no writer: while one writes, a commit against version 0 looks first if there is a record. */
static enum store_result begin_commit(struct sqlite *self, const struct backend_commit *c, void *current,
                                      struct location_record *location, int64_t *now_ms)
{
    enum db_purpose purpose = c->durable ? DB_WRITE : DB_WRITE_LAZY;
    bool is_new = c->order && !field_version(c->before);

    if (is_new && db_begin(&self->db, purpose, DB_AT_ONCE))
        return STORE_OK;
    enum store_result result =
        is_new ? sqlite_read(self, c->type, c->key, NULL, current, location, NULL, now_ms) : STORE_OK;
    if (result == STORE_OK && is_new && field_version(current))
        return STORE_CHANGED;
    return result != STORE_OK || db_begin(&self->db, purpose, c->deadline_ms) ? result
                                                                              : db_failure(&self->db);
}

static enum store_result sqlite_commit(void *state, const struct backend_commit *c, void *current,
                                       int64_t *version, struct location_record *location,
                                       int64_t *client_count, int64_t *now_ms)
{
    struct sqlite *self = state;
    struct db *db = &self->db;

    if (c->order)
        try_count_client(self, c->order->count_client, client_count);
    enum store_result result = begin_commit(self, c, current, location, now_ms);
    if (result != STORE_OK)
        return result;
    if (*self->told && strcmp(self->told, db->file) != 0)
        db_fail(db, "another file is in its place now");
    *now_ms = db->now_ms;
    if (db->failed || is_too_late(db, c)) {
        result = db_rollback(db);
        return result == STORE_OK ? STORE_TOO_LATE : result;
    }
    bool done = table_write(db, &self->tables, c);
    if (done && c->order)
        commit_order(db, c);
    if (!done)
        read_record(self, c->type, c->key, current);
    if (location)
        read_record(self, &location_record_type, NULL, location);
    if (!done && !db->failed) {
        result = db_rollback(db);
        return result == STORE_OK ? STORE_CHANGED : result;
    }
    *version = field_version(c->before) + 1;
    return db_end(db);
}

static enum store_result sqlite_blob(void *state, const char *id, struct buf *sealed)
{
    struct db *db = &((struct sqlite *)state)->db;
    bool found = false;

    if (!db_begin(db, DB_READ, 0))
        return db_failure(db);
    sqlite3_stmt *row = db_query(db, "SELECT bytes FROM blobs WHERE number=? AND namespace=? AND id=?", "iit",
                                 table_blob_number(id), db->namespace_id, id);
    if (db_next(db, row)) {
        found = db->saw = true;
        if (!buf_add(sealed, sqlite3_column_blob(row, 0), (size_t)sqlite3_column_bytes(row, 0)))
            db_fail(db, "the blob %s needs more than %zu bytes", id, sealed->max);
        db_done(row);
    }
    return ended(db, found);
}

/* -- indexes -- */

#define LIST_SQL(column, by)                                                                                 \
    "SELECT key, " column " FROM orders INDEXED BY orders_" by " WHERE namespace=? AND by_" by               \
    " IS NOT NULL AND (" column ", key)>(?, ?) ORDER BY " column ", key LIMIT ?"
#define SIZES_SQL(column, by)                                                                                \
    "SELECT count(*), min(" column "), sum(" column "<=?2) FROM orders INDEXED BY orders_" by                \
    " WHERE namespace=?1 AND by_" by " IS NOT NULL"
#define FOR_EACH_INDEX(sql)                                                                                  \
    {                                                                                                        \
        sql("by_due", "due"), sql("by_dead", "dead"), sql("by_age", "due")                                   \
    }

static enum store_result sqlite_list(void *state, enum order_index index, int64_t from_ms, const char *after,
                                     size_t max, struct store_entry *list, size_t *n)
{
    static const char *const sql[INDEXES] = FOR_EACH_INDEX(LIST_SQL);
    struct db *db = &((struct sqlite *)state)->db;

    *n = 0;
    if (!db_begin(db, DB_READ, 0))
        return db_failure(db);
    sqlite3_stmt *row =
        db_query(db, sql[index], "iiti", db->namespace_id, from_ms, after ? after : "", (int64_t)max);
    while (db_next(db, row)) {
        db_text(row, 0, list[*n].key, sizeof list[*n].key);
        list[(*n)++].at_ms = sqlite3_column_int64(row, 1);
        db->saw = true;
    }
    return db_end(db);
}

static enum store_result sqlite_sizes(void *state, struct store_sizes *sizes)
{
    static const char *const sql[INDEXES] = FOR_EACH_INDEX(SIZES_SQL);
    struct db *db = &((struct sqlite *)state)->db;

    *sizes = (struct store_sizes){0};
    if (!db_begin(db, DB_READ, 0))
        return db_failure(db);
    sizes->now_ms = db->now_ms;
    for (int i = 0; i < INDEXES; i++) {
        sqlite3_stmt *row = db_query(db, sql[i], "ii", db->namespace_id, db->now_ms);
        if (!db_next(db, row))
            continue;
        sizes->count[i] = sqlite3_column_int64(row, 0);
        sizes->first_ms[i] = sqlite3_column_int64(row, 1);
        if (i == INDEX_DUE)
            sizes->due = sqlite3_column_int64(row, 2);
        db_done(row);
    }
    return db_end(db);
}

/* -- what expired, of all namespaces -- */

static bool expire_order(struct sqlite *self)
{
    struct db *db = &self->db;
    char key[RECORD_KEY_SIZE];
    sqlite3_stmt *row = db_query(
        db, "SELECT namespace, key FROM orders INDEXED BY orders_until WHERE until<=? ORDER BY until LIMIT 1",
        "i", db->now_ms);

    if (!db_next(db, row))
        return false;
    int64_t namespace_id = sqlite3_column_int64(row, 0);
    db_text(row, 1, key, sizeof key);
    db_done(row);
    table_remove(db, &self->tables, namespace_id, key);
    return true;
}

static enum store_result sqlite_expire(void *state, long max, long *n)
{
    struct sqlite *self = state;
    struct db *db = &self->db;

    *n = 0;
    if (!db_begin(db, DB_WRITE_LAZY, 0))
        return db_failure(db);
    while (*n < max && expire_order(self))
        ++*n;
    *n += (long)db_run(
        db,
        "DELETE FROM vals WHERE (namespace, name) IN (SELECT namespace, name FROM vals INDEXED BY"
        " vals_until WHERE until<=? ORDER BY until LIMIT ?)",
        "ii", db->now_ms, (int64_t)(max - *n));
    return db_end(db);
}

/* -- for check and status -- */

static enum store_result sqlite_about(void *state, struct store_about *about)
{
    struct db *db = &((struct sqlite *)state)->db;

    *about = (struct store_about){0};
    if (!db_ready(db))
        return db_failure(db);
    if (db->network)
        snprintf(
            about->durability, sizeof about->durability,
            "DATA_DIR is on a network file system: slow, and only as safe as its locks and its server; use a "
            "local disk, or Redis");
    return STORE_OK;
}

const struct backend sqlite_backend = {
    .kind = "sqlite",
    .close = sqlite_close,
    .before_fork = sqlite_before_fork,
    .shift_clock = sqlite_shift_clock,
    .trouble = sqlite_trouble,
    .server = sqlite_server,
    .read = sqlite_read,
    .commit = sqlite_commit,
    .blob = sqlite_blob,
    .list = sqlite_list,
    .sizes = sqlite_sizes,
    .get = sqlite_get,
    .put = sqlite_put,
    .values = sqlite_values,
    .lock = sqlite_lock,
    .unlock = sqlite_unlock,
    .count = sqlite_count,
    .count_client = sqlite_count_client,
    .expire = sqlite_expire,
    .about = sqlite_about,
};
