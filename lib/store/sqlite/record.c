#include "store/sqlite/record.h"
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define LEASE_SANE_MS (24 * 3600 * 1000LL) /* a lease that seems longer is one of an earlier boot */

/* In the order of the columns in every statement below. */
#define INTEGER(name, field)                                                                                 \
    {                                                                                                        \
        name, offsetof(struct record, field), DB_INTEGER, 0                                                  \
    }
#define BOOL(name, field)                                                                                    \
    {                                                                                                        \
        name, offsetof(struct record, field), DB_BOOL, 0                                                     \
    }
#define TEXT(name, field)                                                                                    \
    {                                                                                                        \
        name, offsetof(struct record, field), DB_TEXT, sizeof((struct record *)NULL)->field                  \
    }

static const struct db_column columns[] = {
    TEXT("seen_fingerprint", seen_fingerprint),
    TEXT("seen_hmac", seen_hmac),
    TEXT("seen_ended", seen_ended),
    INTEGER("seen_place_s", seen_place_s),
    INTEGER("seen_arrived_ms", seen_arrived_ms),
    INTEGER("seen_until_ms", seen_until_ms),
    INTEGER("idempotent_until_ms", idempotent_until_ms),
    TEXT("contact_id", link.contact_id),
    TEXT("opportunity_id", link.opportunity_id),
    BOOL("gone", link.gone),
    TEXT("part0", link.part_hash[0]),
    TEXT("part1", link.part_hash[1]),
    TEXT("part2", link.part_hash[2]),
    TEXT("part3", link.part_hash[3]),
    INTEGER("link_until_ms", link_until_ms),
    INTEGER("kind", kind),
    INTEGER("due_ms", due_ms),
    TEXT("token", token),
    TEXT("lease_boot", lease_boot),
    INTEGER("lease_until_ms", lease_until_ms),
    INTEGER("attempts", attempts),
    BOOL("sold", sold),
    INTEGER("created_s", created_s),
    TEXT("reason", reason),
    INTEGER("parked_ms", parked_ms),
    INTEGER("current_body", current.body),
    TEXT("current_status", current.status),
    INTEGER("current_accepted_ms", current.accepted_ms),
    INTEGER("current_held_ms", current.held_ms),
    TEXT("current_fingerprint", current.fingerprint),
    INTEGER("waiting_body", waiting.body),
    TEXT("waiting_status", waiting.status),
    INTEGER("waiting_accepted_ms", waiting.accepted_ms),
    INTEGER("waiting_held_ms", waiting.held_ms),
    TEXT("waiting_fingerprint", waiting.fingerprint),
    INTEGER("attempt", attempt),
    INTEGER("attempt_note", attempt_note),
    INTEGER("attempt_ms", attempt_ms),
    TEXT("attempt_boot", attempt_boot),
    INTEGER("attempt_boot_ms", attempt_boot_ms),
};
#define COLUMNS (sizeof columns / sizeof *columns)
_Static_assert(STORE_PARTS == 4, "part0 to part3 hold the parts' hashes");

#define NAMES                                                                                                \
    "seen_fingerprint, seen_hmac, seen_ended, seen_place_s, seen_arrived_ms, seen_until_ms, "                \
    "idempotent_until_ms, "                                                                                  \
    "contact_id, opportunity_id, gone, part0, part1, part2, part3, link_until_ms, kind, due_ms, token, "     \
    "lease_boot, lease_until_ms, attempts, sold, created_s, reason, parked_ms, current_body, "               \
    "current_status, current_accepted_ms, current_held_ms, current_fingerprint, waiting_body, "              \
    "waiting_status, waiting_accepted_ms, waiting_held_ms, waiting_fingerprint, attempt, attempt_note, "     \
    "attempt_ms, attempt_boot, attempt_boot_ms"

/* -- load and save -- */

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* As long as what is known of the order beside it. */
static int64_t attempt_until_ms(const struct db *db, const struct record *r)
{
    return r->attempt == STORE_ATTEMPT_NONE
               ? 0
               : later(r->attempt_ms + db->config->link_ttl_ms, later(r->seen_until_ms, r->link_until_ms));
}

static void forget_expired(const struct db *db, struct record *r)
{
    if (attempt_until_ms(db, r) <= db->now_ms && r->kind == RECORD_NONE) {
        r->attempt = STORE_ATTEMPT_NONE;
        r->created_s = 0;
    }
    if (r->seen_until_ms <= db->now_ms && r->kind == RECORD_NONE) {
        r->seen_fingerprint[0] = r->seen_hmac[0] = r->seen_ended[0] = '\0';
        r->seen_place_s = r->seen_arrived_ms = r->seen_until_ms = 0;
    }
    if (r->idempotent_until_ms <= db->now_ms)
        r->idempotent_until_ms = 0;
    /* Ids are also an entry's progress, and an entry does not expire. */
    if (r->link_until_ms <= db->now_ms && r->kind == RECORD_NONE) {
        memset(&r->link, 0, sizeof r->link);
        r->link_until_ms = 0;
    }
}

bool record_load(struct db *db, const char *key, struct record *r)
{
    *r = (struct record){0};
    size_t n = strlen(key);

    if (n >= sizeof r->key) {
        db_fail(db, "an order's key has %zu bytes, at most %zu are taken", n, sizeof r->key - 1);
        return false;
    }
    memcpy(r->key, key, n + 1);
    sqlite3_stmt *row =
        db_query(db, "SELECT " NAMES " FROM orders WHERE space = ? AND key = ?", "it", db->space, key);
    if (db_next(db, row)) {
        db_row_read(row, 0, columns, COLUMNS, r);
        r->found = true;
        db_done(row);
        forget_expired(db, r);
    }
    return !db->failed;
}

void record_save(struct db *db, struct record *r)
{
    if (r->attempt == STORE_ATTEMPT_NONE)
        blob_drop(db, &r->attempt_note);
    /* Until when the row is needed; 0 = as long as there is an entry. */
    int64_t until = r->kind != RECORD_NONE ? 0
                                           : later(later(r->seen_until_ms, r->link_until_ms),
                                                   later(r->idempotent_until_ms, attempt_until_ms(db, r)));

    if (r->kind == RECORD_NONE && until <= db->now_ms) {
        if (r->found)
            db_run(db, "DELETE FROM orders WHERE space = ? AND key = ?", "it", db->space, r->key);
        r->found = false;
        return;
    }
    sqlite3_stmt *row =
        db_query(db,
                 "INSERT OR REPLACE INTO orders(space, key, until_ms, " NAMES
                 ") VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
                 "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                 "iti", db->space, r->key, until);
    db_row_bind(db, row, 4, columns, COLUMNS, r);
    while (db_next(db, row))
        ;
    r->found = true;
}

/* -- what is known -- */

bool record_has_link(const struct record *r)
{
    return r->link.contact_id[0] || r->link.opportunity_id[0] || r->link.gone;
}

bool record_lease_holds(const struct db *db, const struct record *r)
{
    return r->kind == RECORD_LEASED && !strcmp(r->lease_boot, db->boot_id) &&
           r->lease_until_ms > db->boot_ms && r->lease_until_ms - db->boot_ms <= LEASE_SANE_MS;
}

bool record_is_mine(const struct record *r, const char *token)
{
    return r->kind == RECORD_LEASED && token && *token && !strcmp(r->token, token);
}

bool record_is_older(const struct db *db, const struct space *space, int64_t created_s)
{
    if (created_s <= 0)
        return space->forgot_ms > 0;
    int64_t slack_s = space->forgot_ms ? STORE_FORGOT_SLACK_S : 0;
    return created_s < space->born_ms / 1000 + slack_s ||
           created_s < (db->now_ms - db->config->link_ttl_ms) / 1000;
}

/* -- changes -- */

void record_begin_attempt(const struct db *db, struct record *r)
{
    r->attempt_ms = db->now_ms;
    memcpy(r->attempt_boot, db->boot_id, sizeof r->attempt_boot);
    r->attempt_boot_ms = db->boot_ms;
}

/* Whatever clock is set, an attempt does not look older than it is: of another boot its age counts from this
 * boot's first lease of it. A machine that does not know its boot goes by the wall clock. */
static void watch_attempt(const struct db *db, struct record *r)
{
    if (r->attempt == STORE_ATTEMPT_NONE)
        return;
    if (r->attempt_ms > db->now_ms)
        r->attempt_ms = db->now_ms; /* a clock was set back */
    if (strcmp(r->attempt_boot, db->boot_id) != 0 || r->attempt_boot_ms > db->boot_ms) {
        memcpy(r->attempt_boot, db->boot_id, sizeof r->attempt_boot);
        r->attempt_boot_ms = db->boot_ms;
    }
}

static int64_t attempt_ago_ms(const struct db *db, const struct record *r)
{
    return later(db->now_ms - r->attempt_ms, 0);
}

static int64_t attempt_age_ms(const struct db *db, const struct record *r)
{
    return db->boot_id[0] ? db->boot_ms - r->attempt_boot_ms : attempt_ago_ms(db, r);
}

void record_lease(const struct db *db, struct record *r, const char *token, int64_t lease_ms)
{
    r->kind = RECORD_LEASED;
    r->due_ms = db->now_ms + lease_ms;
    r->lease_until_ms = db->boot_ms + lease_ms;
    memcpy(r->lease_boot, db->boot_id, sizeof r->lease_boot);
    size_t n = strnlen(token, sizeof r->token - 1);
    memmove(r->token, token, n);
    r->token[n] = '\0';
    watch_attempt(db, r);
}

void record_due(const struct db *db, struct record *r, int64_t delay_ms)
{
    r->kind = RECORD_DUE;
    r->due_ms = db->now_ms + delay_ms;
    r->token[0] = r->lease_boot[0] = '\0';
    r->lease_until_ms = 0;
    r->parked_ms = 0;
}

void record_promote(struct db *db, struct record *r, int64_t delay_ms)
{
    blob_drop(db, &r->current.body);
    r->current = r->waiting;
    r->waiting = (struct record_state){0};
    r->attempts = 0;
    r->reason[0] = '\0';
    record_due(db, r, delay_ms);
}

void record_end(struct db *db, struct record *r)
{
    blob_drop(db, &r->current.body);
    blob_drop(db, &r->waiting.body);
    r->current = r->waiting = (struct record_state){0};
    record_due(db, r, 0);
    r->kind = RECORD_NONE;
    r->due_ms = r->attempts = 0;
    if (r->attempt == STORE_ATTEMPT_NONE)
        r->created_s = 0;
    r->sold = false;
    r->reason[0] = '\0';
}

void record_reason(struct record *r, const char *why)
{
    size_t n = why ? strnlen(why, sizeof r->reason - 1) : 0;
    if (n)
        memcpy(r->reason, why, n);
    r->reason[n] = '\0';
}

bool record_take_id(char id[STORE_ID_SIZE], const char *given)
{
    if (!given || !*given || !strcmp(id, given))
        return true;
    size_t n = strlen(given);
    if (id[0] || n >= STORE_ID_SIZE)
        return false;
    memcpy(id, given, n + 1);
    return true;
}

void record_renew(const struct db *db, struct record *r)
{
    int64_t until_ms = db->now_ms + db->config->link_ttl_ms;

    if (r->seen_fingerprint[0])
        r->seen_until_ms = until_ms;
    if (record_has_link(r))
        r->link_until_ms = until_ms;
}

/* -- to the caller -- */

void record_give(struct db *db, const struct space *space, const struct record *r, struct store_entry *entry)
{
    const struct record_state *state = &r->current;

    entry->key = strdup(r->key);
    entry->body = blob_get(db, state->body, &entry->body_len);
    if (r->attempt != STORE_ATTEMPT_NONE)
        entry->attempt_note = blob_get(db, r->attempt_note, NULL);
    if (!entry->key || !entry->body || (r->attempt && r->attempt_note && !entry->attempt_note))
        db_fail(db, "order %s: its body cannot be read", r->key);
    memcpy(entry->token, r->token, sizeof entry->token);
    memcpy(entry->status, state->status, sizeof entry->status);
    entry->sold = r->sold;
    /* A contact alone says nothing of a card. */
    entry->look_first =
        !r->link.opportunity_id[0] && !r->link.gone && record_is_older(db, space, r->created_s);
    entry->forgot_age_ms =
        entry->look_first && space->forgot_ms ? later(db->now_ms - space->forgot_ms, -1) : -1;
    memcpy(entry->fingerprint, state->fingerprint, sizeof entry->fingerprint);
    entry->attempts = r->attempts;
    entry->age_ms = db->now_ms - state->accepted_ms - (space_held_ms(space, db->now_ms) - state->held_ms);
    if (entry->age_ms < 0)
        entry->age_ms = 0;
    entry->link = r->link;
    entry->attempt = (enum store_attempt)r->attempt;
    if (r->attempt != STORE_ATTEMPT_NONE) {
        entry->attempt_age_ms = attempt_age_ms(db, r);
        entry->attempt_ago_ms = later(attempt_ago_ms(db, r), entry->attempt_age_ms);
    }
}

/* -- blobs -- */

int64_t blob_put(struct db *db, const void *bytes, size_t len)
{
    /* A NULL pointer would be stored as NULL instead of as no bytes. */
    db_run(db, "INSERT INTO blobs(bytes) VALUES(?)", "b", len ? bytes : "", len);
    return db->failed ? 0 : sqlite3_last_insert_rowid(db->sqlite);
}

int64_t blob_copy(struct db *db, int64_t id)
{
    db_run(db, "INSERT INTO blobs(bytes) SELECT bytes FROM blobs WHERE id = ?", "i", id);
    return db->failed || !db_changes(db) ? 0 : sqlite3_last_insert_rowid(db->sqlite);
}

void blob_drop(struct db *db, int64_t *id)
{
    if (*id)
        db_run(db, "DELETE FROM blobs WHERE id = ?", "i", *id);
    *id = 0;
}

char *blob_get(struct db *db, int64_t id, size_t *len)
{
    char *copy = NULL;

    if (len)
        *len = 0;
    if (!id)
        return NULL;
    sqlite3_stmt *row = db_query(db, "SELECT bytes FROM blobs WHERE id = ?", "i", id);
    if (!db_next(db, row))
        return NULL;
    const void *bytes = sqlite3_column_blob(row, 0);
    size_t n = (size_t)sqlite3_column_bytes(row, 0);
    copy = malloc(n + 1);
    if (copy) {
        if (n)
            memcpy(copy, bytes, n);
        copy[n] = '\0';
        if (len)
            *len = n;
    }
    db_done(row);
    return copy;
}
