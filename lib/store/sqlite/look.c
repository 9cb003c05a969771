#include "store/sqlite/schema.h"
#include "store/sqlite/sqlite.h"
#include <stdio.h>
#include <string.h>

#define UNDRAINED_MS 600000

/* -- stats -- */

static void count_counters(struct db *db, struct store_stats *stats)
{
    const size_t most = sizeof stats->counter / sizeof *stats->counter;
    sqlite3_stmt *row =
        db_query(db, "SELECT word, count FROM counters WHERE space = ? ORDER BY word", "i", db->space);

    while (db_next(db, row)) {
        if (stats->counter_count == most) {
            db_done(row);
            break;
        }
        struct store_counter *counter = &stats->counter[stats->counter_count++];
        db_text(row, 0, counter->word, sizeof counter->word);
        counter->count = sqlite3_column_int64(row, 1);
    }
}

static void count_queue(struct db *db, struct store_stats *stats)
{
    int64_t oldest_ms = db->now_ms;
    sqlite3_stmt *row =
        db_query(db,
                 "SELECT kind, due_ms, lease_boot, lease_until_ms, current_accepted_ms FROM orders "
                 "INDEXED BY orders_due WHERE space = ? AND kind IN (1, 2)",
                 "i", db->space);
    while (db_next(db, row)) {
        struct record r = {.kind = sqlite3_column_int64(row, 0),
                           .due_ms = sqlite3_column_int64(row, 1),
                           .lease_until_ms = sqlite3_column_int64(row, 3)};
        db_text(row, 2, r.lease_boot, sizeof r.lease_boot);
        stats->waiting++;
        if (r.kind == RECORD_DUE ? queue_is_due(db, r.due_ms) : !record_lease_holds(db, &r))
            stats->due++;
        if (sqlite3_column_int64(row, 4) < oldest_ms)
            oldest_ms = sqlite3_column_int64(row, 4);
    }
    stats->oldest_s = (db->now_ms - oldest_ms) / 1000;
    stats->parked =
        db_integer(db, 0, "SELECT count(*) FROM orders INDEXED BY orders_parked WHERE space = ? AND kind = 3",
                   "i", db->space);
}

static int64_t age_s(const struct db *db, int64_t then_ms)
{
    return then_ms && db->now_ms > then_ms ? (db->now_ms - then_ms) / 1000 : 0;
}

static void tell_switches(struct db *db, const struct space *space, struct store_stats *stats)
{
    char key[RECORD_KEY_SIZE];

    stats->breaker_failures = space->breaker_failures;
    stats->breaker_open_ms = space_breaker_left_ms(space, db->now_ms);
    stats->paused = space->paused_ms != 0;
    memcpy(stats->pause_reason, space->pause_reason, sizeof stats->pause_reason);
    stats->pause_age_s = age_s(db, space->paused_ms);
    stats->drain_age_s = space->heartbeat_ms ? age_s(db, space->heartbeat_ms) : -1;
    stats->undrained = space_undrained_ms(space, db->now_ms) > UNDRAINED_MS && queue_first(db, true, key);
    stats->reconcile_wanted = space->reconcile_wanted > 0 ? space->reconcile_wanted : 0;
    stats->born_age_s = age_s(db, space->born_ms);
    stats->used_age_s =
        age_s(db, db_integer(db, space->born_ms,
                             "SELECT CAST(value AS INTEGER) FROM things WHERE space = ? AND name = ?", "it",
                             db->space, SCHEMA_FIRST_USED));
    stats->forgot_ms = space->forgot_ms;
    int64_t delivered_ms =
        db_integer(db, 0, "SELECT CAST(value AS INTEGER) FROM things WHERE space = ? AND name = ?", "it",
                   db->space, DB_DELIVERED);
    stats->delivery_age_s = delivered_ms ? age_s(db, delivered_ms) : -1;
}

enum store_result sqlite_stats(void *self, struct store_stats *stats)
{
    struct db *db = &((struct store_sqlite *)self)->db;
    struct space space;

    *stats = (struct store_stats){0};
    if (!db_read(db))
        return STORE_UNAVAILABLE;
    space_load(db, &space);
    count_queue(db, stats);
    tell_switches(db, &space, stats);
    count_counters(db, stats);
    if (db->network) {
        snprintf(stats->problem, sizeof stats->problem,
                 "DATA_DIR is on a network file system: use a local disk or Redis");
        snprintf(stats->durability, sizeof stats->durability, "what the file server had not written yet");
    }
    return db_commit(db) ? STORE_OK : STORE_UNAVAILABLE;
}

/* -- look -- */

static void describe(const struct db *db, const struct record *r, struct store_order *out)
{
    out->link = r->link;
    out->waiting = r->kind == RECORD_DUE || r->kind == RECORD_LEASED;
    out->leased = record_lease_holds(db, r);
    out->parked = r->kind == RECORD_PARKED;
    out->has_waiting_body = r->waiting.body != 0;
    out->idempotency_key = r->idempotent_until_ms != 0;
    memcpy(out->fingerprint, r->seen_fingerprint, sizeof out->fingerprint);
    memcpy(out->reason, r->reason, sizeof out->reason);
    if (out->waiting && r->due_ms > db->now_ms)
        out->due_in_ms = r->due_ms - db->now_ms;
}

enum store_result sqlite_look(void *self, const char *key, struct store_order *out)
{
    struct db *db = &((struct store_sqlite *)self)->db;
    struct record r;

    *out = (struct store_order){0};
    if (!db_read(db))
        return STORE_UNAVAILABLE;
    bool known =
        record_load(db, key, &r) && (r.kind != RECORD_NONE || r.seen_fingerprint[0] || record_has_link(&r));
    if (known)
        describe(db, &r, out);
    if (!db_commit(db))
        return STORE_UNAVAILABLE;
    return known ? STORE_OK : STORE_NONE;
}
