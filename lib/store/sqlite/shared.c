#include "store/sqlite/schema.h"
#include "store/sqlite/sqlite.h"
#include <stdlib.h>
#include <string.h>

/* -- two orders of one customer -- */

struct contact {
    char token[STORE_TOKEN_SIZE];
    struct record lease; /* of it only the lease is used */
    int64_t newest_s, until_ms;
};

static void contact_load(struct db *db, const char *hash, struct contact *c)
{
    *c = (struct contact){.lease = {.kind = RECORD_LEASED}};
    sqlite3_stmt *row =
        db_query(db,
                 "SELECT token, lease_boot, lease_until_ms, newest_s, until_ms FROM contacts WHERE "
                 "space = ? AND hash = ? AND until_ms > ?",
                 "iti", db->space, hash, db->now_ms);
    if (!db_next(db, row))
        return;
    db_text(row, 0, c->token, sizeof c->token);
    db_text(row, 1, c->lease.lease_boot, sizeof c->lease.lease_boot);
    c->lease.lease_until_ms = sqlite3_column_int64(row, 2);
    c->newest_s = sqlite3_column_int64(row, 3);
    c->until_ms = sqlite3_column_int64(row, 4);
    db_done(row);
}

static void contact_save(struct db *db, const char *hash, const struct contact *c)
{
    db_run(
        db,
        "INSERT OR REPLACE INTO contacts(space, hash, token, lease_boot, lease_until_ms, newest_s, until_ms) "
        "VALUES(?, ?, ?, ?, ?, ?, ?)",
        "itttiii", db->space, hash, c->token, c->lease.lease_boot, c->lease.lease_until_ms, c->newest_s,
        c->until_ms);
}

static bool contact_is_others(const struct db *db, const struct contact *c, const char *token)
{
    return c->token[0] && strcmp(c->token, token) != 0 && record_lease_holds(db, &c->lease);
}

enum store_result sqlite_contact_lock(void *self, const char *const hash[], size_t n, const char *token,
                                      int64_t lease_ms, int64_t *newest_s)
{
    struct db *db = &((struct store_sqlite *)self)->db;
    struct contact c;
    int64_t newest = 0;

    if (!db_write(db))
        return STORE_UNAVAILABLE;
    for (size_t i = 0; i < n; i++) {
        contact_load(db, hash[i], &c);
        if (contact_is_others(db, &c, token)) {
            db_rollback(db);
            return STORE_NONE;
        }
        if (c.newest_s > newest)
            newest = c.newest_s;
        record_lease(db, &c.lease, token, lease_ms);
        memcpy(c.token, c.lease.token, sizeof c.token);
        if (c.until_ms < db->now_ms + lease_ms)
            c.until_ms = db->now_ms + lease_ms;
        contact_save(db, hash[i], &c);
    }
    if (!db_commit(db))
        return STORE_UNAVAILABLE;
    if (newest_s)
        *newest_s = newest;
    return STORE_OK;
}

enum store_result sqlite_contact_unlock(void *self, const char *const hash[], size_t n, const char *token,
                                        int64_t wrote_s)
{
    struct db *db = &((struct store_sqlite *)self)->db;
    bool mine = true;

    if (!db_write(db))
        return STORE_UNAVAILABLE;
    for (size_t i = 0; i < n; i++) {
        struct contact c;
        contact_load(db, hash[i], &c);
        bool held = !strcmp(c.token, token);
        mine &= held && record_lease_holds(db, &c.lease);
        if (held) {
            c.token[0] = c.lease.lease_boot[0] = '\0';
            c.lease.lease_until_ms = 0;
        }
        if (wrote_s > 0) {
            c.newest_s = wrote_s > c.newest_s ? wrote_s : c.newest_s;
            c.until_ms = db->now_ms + db->config->link_ttl_ms;
        }
        if (c.token[0] || c.newest_s)
            contact_save(db, hash[i], &c);
        else
            db_run(db, "DELETE FROM contacts WHERE space = ? AND hash = ?", "it", db->space, hash[i]);
    }
    if (!db_commit(db))
        return STORE_UNAVAILABLE;
    return mine ? STORE_OK : STORE_LOST;
}

/* -- two orders on one card -- */

enum store_result sqlite_card_take(void *self, const char *opportunity_id, const char *key, int64_t created_s,
                                   enum store_card how)
{
    struct db *db = &((struct store_sqlite *)self)->db;
    char owner[RECORD_KEY_SIZE] = "";
    int64_t owner_s = 0;

    if (!db_write(db))
        return STORE_UNAVAILABLE;
    sqlite3_stmt *row = db_query(
        db, "SELECT key, created_s FROM cards WHERE space = ? AND opportunity_id = ? AND until_ms > ?", "iti",
        db->space, opportunity_id, db->now_ms);
    if (db_next(db, row)) {
        db_text(row, 0, owner, sizeof owner);
        owner_s = sqlite3_column_int64(row, 1);
        db_done(row);
    }
    bool mine = !owner[0] || !strcmp(owner, key) || (how == CARD_TAKE_OVER && owner_s <= created_s);
    if (!strcmp(owner, key)) /* an order of unknown date gets no newer by its states */
        created_s = owner_s;
    if (mine && how != CARD_LOOK)
        db_run(db,
               "INSERT OR REPLACE INTO cards(space, opportunity_id, key, created_s, until_ms) "
               "VALUES(?, ?, ?, ?, ?)",
               "ittii", db->space, opportunity_id, key, created_s, db->now_ms + db->config->link_ttl_ms);
    if (!db_commit(db))
        return STORE_UNAVAILABLE;
    return mine ? STORE_OK : STORE_LOST;
}

/* -- counters -- */

enum store_result sqlite_count(void *self, const char *word, bool reconcile)
{
    struct db *db = &((struct store_sqlite *)self)->db;

    if (!db_write(db))
        return STORE_UNAVAILABLE;
    db_run(db,
           "INSERT INTO counters(space, word, count) VALUES(?, ?, 1) ON CONFLICT DO UPDATE SET count = count "
           "+ 1",
           "it", db->space, word);
    if (reconcile)
        db_run(db, "UPDATE spaces SET reconcile_wanted = " SCHEMA_WANT_RECONCILE " WHERE id = ?2", "ii",
               db->now_ms, db->space);
    return db_commit(db) ? STORE_OK : STORE_UNAVAILABLE;
}

enum store_result sqlite_reconciled(void *self, int64_t wanted)
{
    struct db *db = &((struct store_sqlite *)self)->db;

    if (!db_write(db))
        return STORE_UNAVAILABLE;
    db_run(db, "UPDATE spaces SET reconcile_wanted = -?2 WHERE id = ?1 AND reconcile_wanted = ?2", "ii",
           db->space, wanted);
    int64_t left = db_integer(db, 0, "SELECT reconcile_wanted FROM spaces WHERE id = ?", "i", db->space);
    if (!db_commit(db))
        return STORE_UNAVAILABLE;
    return left > 0 ? STORE_NONE : STORE_OK;
}

/* -- small things -- */

/* malloc'ed; NULL = not there. */
static char *find_thing(struct db *db, const char *name)
{
    sqlite3_stmt *row = db_query(
        db, "SELECT value FROM things WHERE space = ? AND name = ? AND (until_ms = 0 OR until_ms > ?)", "iti",
        db->space, name, db->now_ms);
    if (!db_next(db, row))
        return NULL;
    char *value = strdup((const char *)sqlite3_column_text(row, 0));
    if (!value)
        db_fail(db, "out of memory");
    db_done(row);
    return value;
}

bool shared_has_key(struct db *db, const char *key_id)
{
    return db_integer(db, 0, "SELECT 1 FROM things WHERE space = ? AND name = ? AND substr(value, 1, 16) = ?",
                      "itt", db->space, STORE_PRIMARY_KEY, key_id) == 1;
}

enum store_result sqlite_put(void *self, const char *name, const char *value, int64_t ttl_ms, bool if_absent,
                             char **out)
{
    struct db *db = &((struct store_sqlite *)self)->db;

    if (out)
        *out = NULL;
    if (!db_write(db))
        return STORE_UNAVAILABLE;
    char *there = if_absent ? find_thing(db, name) : NULL;
    if (!there) {
        db_run(db, "INSERT OR REPLACE INTO things(space, name, value, until_ms) VALUES(?, ?, ?, ?)", "itti",
               db->space, name, value, ttl_ms > 0 ? db->now_ms + ttl_ms : (int64_t)0);
        there = find_thing(db, name);
    }
    if (!db_commit(db)) {
        free(there);
        return STORE_UNAVAILABLE;
    }
    if (out)
        *out = there;
    else
        free(there);
    return STORE_OK;
}

enum store_result sqlite_get(void *self, const char *name, char **out)
{
    struct db *db = &((struct store_sqlite *)self)->db;

    *out = NULL;
    if (!db_read(db))
        return STORE_UNAVAILABLE;
    *out = find_thing(db, name);
    if (!db_commit(db)) {
        free(*out);
        *out = NULL;
        return STORE_UNAVAILABLE;
    }
    return *out ? STORE_OK : STORE_NONE;
}
