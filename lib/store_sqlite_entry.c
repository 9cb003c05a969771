/* The leased entry: progress, and how it ends. */
#include "store_sqlite.h"
#include <string.h>

static struct db *db_of(void *state)
{
    return &((struct sqlite_store *)state)->db;
}

/* A lease that ran out but that nobody took over is still its holder's. */
static bool is_holder(const struct order_row *row, const char *token)
{
    return row->kind == ROW_LEASED && *token && !strcmp(row->token, token);
}

static void copy(char *to, size_t size, const char *from)
{
    size_t n = strnlen(from, size - 1);
    memcpy(to, from, n);
    to[n] = '\0';
}

/* An id is taken where there is none. True when another is there. */
static bool take_id(char *mine, size_t size, const char *id)
{
    if (!id || !*id)
        return false;
    if (!*mine)
        copy(mine, size, id);
    return strcmp(mine, id) != 0;
}

static void renew(struct db *db, struct order_row *row, int64_t lease_ms)
{
    copy(row->lease_boot, sizeof row->lease_boot, db->boot_id);
    row->lease_until_ms = db->boot_ms + lease_ms;
    row->due_ms = db->now_ms + lease_ms;
}

static void clear_attempt(struct db *db, struct order_row *row)
{
    row->attempt = STORE_ATTEMPT_NONE;
    row->attempt_ms = 0;
    blob_drop(db, &row->attempt_note);
}

static void keep_link_ttl(struct db *db, struct order_row *row)
{
    if (row_has_link(row))
        row->link_until_ms = db->now_ms + link_ttl_ms(db);
}

enum store_result sqlite_progress(void *state, const char *key, const char *token,
                                  const struct store_progress *progress, bool *conflict)
{
    struct db *db = db_of(state);
    struct order_row row;

    if (!db_write(db))
        return STORE_UNAVAILABLE;
    row_load(db, key, &row);
    bool holder = is_holder(&row, token);
    if (holder && progress->replace_contact)
        copy(row.contact_id, sizeof row.contact_id, progress->contact_id ? progress->contact_id : "");
    else if (take_id(row.contact_id, sizeof row.contact_id, progress->contact_id) && holder)
        copy(row.contact_id, sizeof row.contact_id,
             progress->contact_id); /* the customer's email changed: another contact */
    *conflict = take_id(row.opportunity_id, sizeof row.opportunity_id, progress->opportunity_id);
    bool settles =
        (row.attempt == STORE_ATTEMPT_OPPORTUNITY && progress->opportunity_id && *progress->opportunity_id) ||
        (row.attempt == STORE_ATTEMPT_CONTACT && progress->contact_id && *progress->contact_id);
    if (progress->clear_attempt && (holder || settles))
        clear_attempt(db, &row);
    if (holder && progress->attempt != STORE_ATTEMPT_NONE) {
        clear_attempt(db, &row);
        row.attempt = progress->attempt;
        row.attempt_ms = db->now_ms;
        if (progress->attempt_note)
            row.attempt_note = blob_put(db, progress->attempt_note, progress->attempt_note_len);
    }
    if (holder)
        renew(db, &row, progress->lease_ms);
    keep_link_ttl(db, &row);
    row_save(db, &row);
    return sqlite_end(db, holder ? STORE_OK : STORE_LOST);
}

enum store_result sqlite_renew(void *state, const char *key, const char *token, int64_t lease_ms)
{
    struct db *db = db_of(state);
    struct order_row row;

    if (!db_write(db))
        return STORE_UNAVAILABLE;
    row_load(db, key, &row);
    bool holder = is_holder(&row, token);
    if (holder) {
        renew(db, &row, lease_ms);
        row_save(db, &row);
    }
    return sqlite_end(db, holder ? STORE_OK : STORE_LOST);
}

static void set_link(struct db *db, struct order_row *row, const struct store_link *link)
{
    copy(row->contact_id, sizeof row->contact_id, link->contact_id);
    copy(row->opportunity_id, sizeof row->opportunity_id, link->opportunity_id);
    row->gone = link->gone;
    copy(row->part0, sizeof row->part0, link->part_hash[0]);
    copy(row->part1, sizeof row->part1, link->part_hash[1]);
    copy(row->part2, sizeof row->part2, link->part_hash[2]);
    copy(row->part3, sizeof row->part3, link->part_hash[3]);
    keep_link_ttl(db, row);
}

static void become_idle(struct db *db, struct order_row *row)
{
    blob_drop(db, &row->current_body);
    row->kind = ROW_IDLE;
    row->due_ms = row->lease_until_ms = row->attempts = 0;
    row->token[0] = row->lease_boot[0] = row->current_fingerprint[0] = row->reason[0] = '\0';
    row->current_trashed = row->sold = false;
    row->current_accepted_ms = row->current_held_ms = 0;
}

enum store_result sqlite_finish(void *state, const char *key, const char *token, const char *fingerprint,
                                const struct store_link *link, int64_t next_lease_ms,
                                struct store_entry *next, bool *has_next)
{
    struct db *db = db_of(state);
    struct order_row row;

    *has_next = false;
    if (!db_write(db))
        return STORE_UNAVAILABLE;
    row_load(db, key, &row);
    if (!is_holder(&row, token)) {
        bool took = row.exists && (!row.contact_id[0] || !row.opportunity_id[0]);
        (void)take_id(row.contact_id, sizeof row.contact_id, link->contact_id);
        (void)take_id(row.opportunity_id, sizeof row.opportunity_id, link->opportunity_id);
        keep_link_ttl(db, &row);
        if (took)
            row_save(db, &row);
        return sqlite_end(db, STORE_LOST);
    }
    set_link(db, &row, link);
    clear_attempt(db, &row);
    if (!strcmp(row.seen_fingerprint, fingerprint))
        row.idempotent_until_ms = db->now_ms + db->config->idempotency_ttl_ms;
    bool sold = row.sold;
    if (row_promote(db, &row)) {
        row.sold = sold;
        if (next_lease_ms > 0) {
            row_lease(db, &row, next_lease_ms, next);
            *has_next = true;
        }
    } else {
        become_idle(db, &row);
    }
    row_save(db, &row);
    enum store_result result = sqlite_end(db, STORE_OK);
    *has_next = *has_next && result == STORE_OK;
    return result;
}

enum store_result sqlite_retry(void *state, const char *key, const char *token, int64_t delay_ms,
                               bool counted, bool hold, const char *why)
{
    struct db *db = db_of(state);
    struct order_row row;

    if (!db_write(db))
        return STORE_UNAVAILABLE;
    row_load(db, key, &row);
    bool holder = is_holder(&row, token);
    if (holder && row_promote(db, &row)) {
        if (hold)
            row.due_ms += delay_ms;
    } else if (holder) {
        row.kind = ROW_DUE;
        row.due_ms = db->now_ms + delay_ms;
        row.attempts += counted;
        if (!counted)
            row.current_accepted_ms += delay_ms;
        copy(row.reason, sizeof row.reason, why);
    }
    if (holder) {
        row.token[0] = '\0';
        row_save(db, &row);
    }
    return sqlite_end(db, holder ? STORE_OK : STORE_LOST);
}

enum store_result sqlite_park(void *state, const char *key, const char *token, const char *why, bool *parked)
{
    struct db *db = db_of(state);
    struct order_row row;

    *parked = false;
    if (!db_write(db))
        return STORE_UNAVAILABLE;
    row_load(db, key, &row);
    bool holder = is_holder(&row, token);
    if (holder && !row_promote(db, &row)) {
        row.kind = ROW_PARKED;
        row.parked_ms = db->now_ms;
        copy(row.reason, sizeof row.reason, why);
        *parked = true;
    }
    if (holder) {
        row.token[0] = '\0';
        row_save(db, &row);
    }
    return sqlite_end(db, holder ? STORE_OK : STORE_LOST);
}

enum store_result sqlite_park_bytes(void *state, const char *key, const void *bytes, size_t len,
                                    const char *why)
{
    struct db *db = db_of(state);
    struct order_row row;

    if (!db_write(db))
        return STORE_UNAVAILABLE;
    row_load(db, key, &row);
    if (row.kind == ROW_IDLE) {
        row.kind = ROW_PARKED;
        row.parked_ms = row.current_accepted_ms = db->now_ms;
        row.current_body = blob_put(db, bytes, len);
        copy(row.reason, sizeof row.reason, why);
        row_save(db, &row);
    }
    return sqlite_end(db, STORE_OK);
}
