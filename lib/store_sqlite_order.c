/* One order's row: reading, writing, leasing, promoting. */
#include "store_sqlite.h"
#include <stdlib.h>
#include <string.h>

/* clang-format off */
#define COLUMNS(I, B, T) \
    I(until_ms) T(seen_fingerprint) T(seen_hmac) I(seen_place_s) I(seen_arrived_ms) I(seen_until_ms) \
    I(idempotent_until_ms) T(contact_id) T(opportunity_id) B(gone) T(part0) T(part1) T(part2) T(part3) \
    I(link_until_ms) I(kind) I(due_ms) T(token) T(lease_boot) I(lease_until_ms) I(attempts) B(sold) \
    I(created_s) T(reason) I(parked_ms) I(current_body) B(current_trashed) I(current_accepted_ms) \
    I(current_held_ms) T(current_fingerprint) I(waiting_body) B(waiting_trashed) I(waiting_accepted_ms) \
    I(waiting_held_ms) T(waiting_fingerprint) I(attempt) I(attempt_note) I(attempt_ms)
#define NAME(field) ", " #field
#define MARK(field) ", ?"
#define INTEGER(field) {#field, offsetof(struct order_row, field), DB_INTEGER, 0},
#define BOOL(field) {#field, offsetof(struct order_row, field), DB_BOOL, 0},
#define TEXT(field) {#field, offsetof(struct order_row, field), DB_TEXT, sizeof((struct order_row *)0)->field},
static const struct db_column columns[] = {COLUMNS(INTEGER, BOOL, TEXT)};
/* clang-format on */
#define COLUMN_COUNT (sizeof columns / sizeof *columns)

int64_t link_ttl_ms(const struct db *db)
{
    return db->config->link_ttl_ms;
}

/* -- reading and writing -- */

static void forget_expired(const struct db *db, struct order_row *row)
{
    if (row->seen_until_ms <= db->now_ms) {
        row->seen_fingerprint[0] = row->seen_hmac[0] = '\0';
        row->seen_place_s = row->seen_arrived_ms = row->seen_until_ms = 0;
    }
    if (row->link_until_ms <= db->now_ms && !row->current_body) {
        row->contact_id[0] = row->opportunity_id[0] = '\0';
        row->part0[0] = row->part1[0] = row->part2[0] = row->part3[0] = '\0';
        row->gone = false;
        row->link_until_ms = 0;
    }
    if (row->idempotent_until_ms <= db->now_ms)
        row->idempotent_until_ms = 0;
}

void row_load(struct db *db, const char *key, struct order_row *row)
{
    *row = (struct order_row){.key = key};
    sqlite3_stmt *found =
        db_query(db, "SELECT 0" COLUMNS(NAME, NAME, NAME) " FROM orders WHERE space = ? AND key = ?", "it",
                 db->space, key);
    if (!db_next(db, found))
        return;
    db_row_read(found, 1, columns, COLUMN_COUNT, row);
    db_done(found);
    row->exists = true;
    forget_expired(db, row);
}

void row_save(struct db *db, struct order_row *row)
{
    /* A row with a body stays until the body goes; another as long as anything in it is to be remembered. */
    int64_t until = row->seen_until_ms > row->link_until_ms ? row->seen_until_ms : row->link_until_ms;
    row->until_ms = row->current_body || row->kind != ROW_IDLE ? 0 : until > 0 ? until : 1;
    sqlite3_stmt *save = db_query(db,
                                  "INSERT OR REPLACE INTO orders(space, key" COLUMNS(
                                      NAME, NAME, NAME) ") VALUES(?, ?" COLUMNS(MARK, MARK, MARK) ")",
                                  "it", db->space, row->key);
    db_row_bind(db, save, 3, columns, COLUMN_COUNT, row);
    while (db_next(db, save))
        ;
}

int64_t blob_put(struct db *db, const void *bytes, size_t len)
{
    db_run(db, "INSERT INTO blobs(bytes) VALUES(?)", "b", bytes, len);
    return db->failed ? 0 : sqlite3_last_insert_rowid(db->sqlite);
}

void blob_drop(struct db *db, int64_t *id)
{
    if (*id)
        db_run(db, "DELETE FROM blobs WHERE id = ?", "i", *id);
    *id = 0;
}

static void blob_get(struct db *db, int64_t id, char **bytes, size_t *len)
{
    sqlite3_stmt *found = db_query(db, "SELECT bytes FROM blobs WHERE id = ?", "i", id);

    if (!db_next(db, found)) {
        db_fail(db, "a body is missing in the table blobs: the file is damaged; keep a copy of it");
        return;
    }
    const void *blob = sqlite3_column_blob(found, 0);
    *len = (size_t)sqlite3_column_bytes(found, 0);
    *bytes = malloc(*len + 1);
    if (*bytes) {
        if (*len)
            memcpy(*bytes, blob, *len);
        (*bytes)[*len] = '\0';
    } else {
        db_fail(db, "out of memory");
    }
    db_done(found);
}

/* -- what a row says -- */

bool row_has_link(const struct order_row *row)
{
    return row->contact_id[0] || row->opportunity_id[0] || row->gone;
}

bool row_lease_in_force(const struct db *db, const struct order_row *row)
{
    return row->kind == ROW_LEASED && !strcmp(row->lease_boot, db->boot_id) &&
           row->lease_until_ms > db->boot_ms;
}

void row_link(const struct order_row *row, struct store_link *link)
{
    const char *const part[STORE_PARTS] = {row->part0, row->part1, row->part2, row->part3};

    memcpy(link->contact_id, row->contact_id, sizeof link->contact_id);
    memcpy(link->opportunity_id, row->opportunity_id, sizeof link->opportunity_id);
    link->gone = row->gone;
    for (int i = 0; i < STORE_PARTS; i++)
        memcpy(link->part_hash[i], part[i], DIGEST_HEX_SIZE);
}

/* -- the namespace -- */

int64_t space_held_ms(struct db *db)
{
    return db_integer(db, 0,
                      "SELECT held_ms + CASE WHEN hold_since_ms > 0 AND hold_since_ms < ?2 THEN ?2 - "
                      "hold_since_ms ELSE 0 END"
                      " FROM spaces WHERE id = ?1",
                      "ii", db->space, db->now_ms);
}

enum store_hold space_hold(struct db *db)
{
    return (enum store_hold)db_integer(db, 0,
                                       "SELECT CASE WHEN paused_ms > 0 THEN 1 WHEN breaker_open_ms > 0 THEN "
                                       "2 ELSE 0 END FROM spaces WHERE id = ?",
                                       "i", db->space);
}

int64_t space_born_ms(struct db *db)
{
    return db_integer(db, 0, "SELECT born_ms FROM spaces WHERE id = ?", "i", db->space);
}

/* Made before the store was born, or longer ago than it remembers; without a date: now. */
bool row_is_old(struct db *db, int64_t created_s)
{
    if (created_s == 0)
        return false;
    /* The order's time has whole seconds: one of the very second of birth is not older. */
    return created_s < space_born_ms(db) / 1000 || created_s * 1000 < db->now_ms - link_ttl_ms(db);
}

/* -- leasing -- */

bool row_promote(struct db *db, struct order_row *row)
{
    if (!row->waiting_body)
        return false;
    blob_drop(db, &row->current_body);
    row->current_body = row->waiting_body;
    row->current_trashed = row->waiting_trashed;
    row->current_accepted_ms = row->waiting_accepted_ms;
    row->current_held_ms = row->waiting_held_ms;
    memcpy(row->current_fingerprint, row->waiting_fingerprint, sizeof row->current_fingerprint);
    row->waiting_body = 0;
    row->waiting_trashed = false;
    row->waiting_fingerprint[0] = '\0';
    row->waiting_accepted_ms = row->waiting_held_ms = 0;
    row->attempts = 0;
    row->kind = ROW_DUE;
    row->due_ms = db->now_ms;
    row->reason[0] = '\0';
    return true;
}

void row_lease(struct db *db, struct order_row *row, int64_t lease_ms, struct store_entry *entry)
{
    row->kind = ROW_LEASED;
    row->due_ms = db->now_ms + lease_ms;
    memcpy(row->token, entry->token, sizeof row->token);
    memcpy(row->lease_boot, db->boot_id, sizeof row->lease_boot);
    row->lease_until_ms = db->boot_ms + lease_ms;

    entry->key = strdup(row->key);
    if (!entry->key)
        db_fail(db, "out of memory");
    blob_get(db, row->current_body, &entry->body, &entry->body_len);
    entry->trashed = row->current_trashed;
    entry->sold = row->sold;
    memcpy(entry->fingerprint, row->current_fingerprint, sizeof entry->fingerprint);
    entry->attempts = row->attempts;
    int64_t age = db->now_ms - row->current_accepted_ms - (space_held_ms(db) - row->current_held_ms);
    entry->age_ms = age > 0 ? age : 0;
    row_link(row, &entry->link);
    entry->attempt = (enum store_attempt)row->attempt;
    entry->attempt_age_ms = row->attempt && db->now_ms > row->attempt_ms ? db->now_ms - row->attempt_ms : 0;
    if (row->attempt_note) {
        size_t len = 0;
        blob_get(db, row->attempt_note, &entry->attempt_note, &len);
        entry->attempt_note_len = len;
    }
    entry->look_first = !row->opportunity_id[0] && !row->gone && row->attempt == STORE_ATTEMPT_NONE &&
                        row_is_old(db, row->created_s);
}

enum store_result sqlite_end(struct db *db, enum store_result result)
{
    return db_commit(db) ? result : STORE_UNAVAILABLE;
}
