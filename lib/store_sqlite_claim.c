/* The claim: dedupes a delivery, writes it ahead and leases it, in one transaction. */
#include "store_sqlite.h"
#include <string.h>

#define DAY_MS (24LL * 3600 * 1000)
#define UNDRAINED_MS (10LL * 60 * 1000)
#define DRAIN_NEEDED_MS (60LL * 1000)

struct place {
    int64_t first_s, arrived_ms;
    bool older, newer; /* than seen */
};

static bool count_client(struct db *db, const struct store_claim *claim)
{
    if (!claim->client || !*claim->client)
        return false;
    int64_t day = db->now_ms / DAY_MS;
    db_run(db,
           "INSERT INTO clients(space, client, day, count, until_ms) VALUES(?, ?, ?, 1, ?)"
           " ON CONFLICT DO UPDATE SET count = count + 1",
           "itii", db->space, claim->client, day, (day + 1) * DAY_MS);
    int64_t count = db_integer(db, 0, "SELECT count FROM clients WHERE space = ? AND client = ? AND day = ?",
                               "iti", db->space, claim->client, day);
    return claim->client_limit > 0 && count > claim->client_limit;
}

static struct place place_of(const struct db *db, const struct order_row *row,
                             const struct store_claim *claim)
{
    bool seen = row->seen_until_ms > 0;
    struct place place = {.arrived_ms = db->now_ms - claim->arrived_ago_ms};
    int64_t arrived_s = place.arrived_ms / 1000;

    if (claim->modified_s > 0)
        place.first_s = claim->modified_s < arrived_s ? claim->modified_s : arrived_s;
    else
        place.first_s = seen ? row->seen_place_s : arrived_s;
    place.older = seen && place.first_s < row->seen_place_s;
    place.newer = !seen || place.first_s > row->seen_place_s ||
                  (place.first_s == row->seen_place_s && place.arrived_ms > row->seen_arrived_ms);
    return place;
}

static void see_place(struct db *db, struct order_row *row, const struct place *place)
{
    if (place->newer) {
        row->seen_place_s = place->first_s;
        row->seen_arrived_ms = place->arrived_ms;
    }
    row->seen_until_ms = db->now_ms + link_ttl_ms(db);
}

static void see(struct db *db, struct order_row *row, const struct place *place,
                const struct store_claim *claim)
{
    see_place(db, row, place);
    snprintf(row->seen_fingerprint, sizeof row->seen_fingerprint, "%s", claim->fingerprint);
    snprintf(row->seen_hmac, sizeof row->seen_hmac, "%s", claim->hmac ? claim->hmac : "");
}

static bool never_sold(struct db *db, const struct order_row *row, const struct store_claim *claim)
{
    return !claim->creates && !row_has_link(row) && row->attempt == STORE_ATTEMPT_NONE &&
           !row->current_body && !row->sold && !row_is_old(db, claim->created_s);
}

static int64_t copy_blob(struct db *db, int64_t id)
{
    db_run(db, "INSERT INTO blobs(bytes) SELECT bytes FROM blobs WHERE id = ?", "i", id);
    return db->failed ? 0 : sqlite3_last_insert_rowid(db->sqlite);
}

/* Behind a lease: one waiting body, the newest. */
static void wait_behind(struct db *db, struct order_row *row, const struct store_claim *claim)
{
    if (claim->status_only) {
        if (!row->waiting_body)
            row->waiting_body = copy_blob(db, row->current_body);
        row->waiting_trashed = true;
    } else {
        blob_drop(db, &row->waiting_body);
        row->waiting_body = blob_put(db, claim->body, claim->body_len);
        row->waiting_trashed = false;
    }
    row->waiting_accepted_ms = db->now_ms;
    row->waiting_held_ms = space_held_ms(db);
    snprintf(row->waiting_fingerprint, sizeof row->waiting_fingerprint, "%s", claim->fingerprint);
}

/* No lease in force: it becomes the current body. */
static void become_current(struct db *db, struct order_row *row, const struct store_claim *claim)
{
    (void)row_promote(db, row); /* what waited is newer than what was leased; it is replaced or marked now */
    if (claim->status_only && row->current_body) {
        row->current_trashed = true;
    } else {
        blob_drop(db, &row->current_body);
        row->current_body = blob_put(db, claim->body, claim->body_len);
        row->current_trashed = false;
    }
    row->current_accepted_ms = db->now_ms;
    row->current_held_ms = space_held_ms(db);
    snprintf(row->current_fingerprint, sizeof row->current_fingerprint, "%s", claim->fingerprint);
    row->attempts = 0;
    row->reason[0] = '\0';
    row->parked_ms = 0;
}

static enum store_claim_result accept(struct db *db, struct order_row *row, const struct store_claim *claim,
                                      struct store_claim_reply *reply, struct store_entry *entry)
{
    bool busy = row_lease_in_force(db, row);

    row->idempotent_until_ms = 0;
    row->sold = row->sold || claim->creates;
    if (claim->created_s || !row->exists)
        row->created_s = claim->created_s;
    if (busy) {
        wait_behind(db, row, claim);
        return CLAIM_BUSY;
    }
    become_current(db, row, claim);
    reply->hold = space_hold(db);
    if (reply->hold == STORE_GO && claim->work && !reply->over_limit) {
        row_lease(db, row, claim->lease_ms, entry);
        return CLAIM_NEW;
    }
    row->kind = ROW_DUE;
    row->due_ms = db->now_ms;
    return CLAIM_DEFERRED;
}

static enum store_claim_result decide(struct db *db, const struct store_claim *claim,
                                      struct store_claim_reply *reply, struct store_entry *entry)
{
    struct order_row row;
    enum store_claim_result result;

    row_load(db, claim->key, &row);
    const struct place place = place_of(db, &row, claim);
    bool same = row.seen_fingerprint[0] && !strcmp(row.seen_fingerprint, claim->fingerprint);

    if (never_sold(db, &row, claim)) {
        if (place.newer && !place.older)
            see(db, &row, &place, claim);
        result = CLAIM_IGNORED;
    } else if (same && (row.kind != ROW_PARKED || place.older)) {
        see_place(db, &row, &place);
        result = CLAIM_DUPLICATE;
    } else if (place.older) {
        return CLAIM_STALE;
    } else {
        see(db, &row, &place, claim);
        result = accept(db, &row, claim, reply, entry);
    }
    row_save(db, &row);
    return result;
}

static void look_at_queue(struct db *db, struct store_claim_reply *reply)
{
    int64_t heartbeat = db_integer(db, 0, "SELECT heartbeat_ms FROM spaces WHERE id = ?", "i", db->space);
    int64_t oldest =
        db_integer(db, 0, "SELECT min(due_ms) FROM orders WHERE space = ? AND kind = 1", "i", db->space);
    int64_t silent = db->now_ms - heartbeat;

    reply->drain_needed = oldest > 0 && oldest <= db->now_ms && silent > DRAIN_NEEDED_MS;
    /* An order that has been due for so long, and nobody came. */
    reply->undrained = oldest > 0 && db->now_ms - oldest > UNDRAINED_MS && silent > UNDRAINED_MS;
    reply->breaker_failures =
        db_integer(db, 0, "SELECT breaker_failures FROM spaces WHERE id = ?", "i", db->space);
}

enum store_claim_result sqlite_claim(void *state, const struct store_claim *claim,
                                     struct store_claim_reply *reply, struct store_entry *entry)
{
    struct db *db = &((struct sqlite_store *)state)->db;

    if (!db_write(db))
        return db->full ? CLAIM_FULL : CLAIM_UNAVAILABLE;
    reply->over_limit = count_client(db, claim);
    enum store_claim_result result = decide(db, claim, reply, entry);
    look_at_queue(db, reply);
    if (db_commit(db))
        return result;
    return db->full ? CLAIM_FULL : CLAIM_UNAVAILABLE;
}
