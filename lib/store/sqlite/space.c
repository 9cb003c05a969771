#include "store/sqlite/record.h"
#include <stddef.h>

#define INTEGER(field)                                                                                       \
    {                                                                                                        \
#field, offsetof(struct space, field), DB_INTEGER, 0                                                 \
    }
#define TEXT(field)                                                                                          \
    {                                                                                                        \
#field, offsetof(struct space, field), DB_TEXT, sizeof((struct space *)NULL)->field                  \
    }

/* In the order of the columns in both statements below. */
static const struct db_column columns[] = {
    INTEGER(born_ms),          INTEGER(forgot_ms),       INTEGER(heartbeat_ms),     INTEGER(reconcile_wanted),
    INTEGER(paused_ms),        TEXT(pause_token),        TEXT(pause_reason),        INTEGER(pause_probe_ms),
    INTEGER(breaker_failures), INTEGER(breaker_open_ms), INTEGER(breaker_until_ms), INTEGER(breaker_probe_ms),
    INTEGER(held_ms),          INTEGER(hold_since_ms),   INTEGER(pace_us),          INTEGER(pace_day_left),
    INTEGER(pace_day_end_ms),
};
#define COLUMNS (sizeof columns / sizeof *columns)

void space_load(struct db *db, struct space *space)
{
    *space = (struct space){0};
    sqlite3_stmt *row = db_query(
        db,
        "SELECT born_ms, forgot_ms, heartbeat_ms, reconcile_wanted, paused_ms, pause_token, pause_reason, "
        "pause_probe_ms, breaker_failures, breaker_open_ms, breaker_until_ms, breaker_probe_ms, held_ms, "
        "hold_since_ms, pace_us, pace_day_left, pace_day_end_ms FROM spaces WHERE id = ?",
        "i", db->space);
    if (db_next(db, row)) {
        db_row_read(row, 0, columns, COLUMNS, space);
        db_done(row);
    } else
        db_fail(db, "the row of this namespace is gone");
}

void space_save(struct db *db, const struct space *space)
{
    sqlite3_stmt *row = db_query(
        db,
        "UPDATE spaces SET born_ms = ?2, forgot_ms = ?3, heartbeat_ms = ?4, reconcile_wanted = ?5, "
        "paused_ms = ?6, pause_token = ?7, pause_reason = ?8, pause_probe_ms = ?9, breaker_failures = ?10, "
        "breaker_open_ms = ?11, breaker_until_ms = ?12, breaker_probe_ms = ?13, held_ms = ?14, "
        "hold_since_ms = ?15, pace_us = ?16, pace_day_left = ?17, pace_day_end_ms = ?18 WHERE id = ?1",
        "i", db->space);
    db_row_bind(db, row, 2, columns, COLUMNS, space);
    while (db_next(db, row))
        ;
}

void space_want_reconcile(struct space *space, int64_t now_ms)
{
    int64_t last = space->reconcile_wanted < 0 ? -space->reconcile_wanted : space->reconcile_wanted;

    space->reconcile_wanted = last + 1 > now_ms ? last + 1 : now_ms;
}

enum store_hold space_hold(const struct space *space)
{
    if (space->paused_ms)
        return STORE_HOLD_PAUSED;
    return space->breaker_open_ms ? STORE_HOLD_BREAKER : STORE_GO;
}

/* A clock that was set back makes no time negative. */
static int64_t since(int64_t then_ms, int64_t now_ms)
{
    return now_ms > then_ms ? now_ms - then_ms : 0;
}

void space_mark_hold(struct space *space, int64_t now_ms)
{
    bool holds = space_hold(space) != STORE_GO;

    if (holds && !space->hold_since_ms)
        space->hold_since_ms = now_ms;
    if (!holds && space->hold_since_ms) {
        space->held_ms += since(space->hold_since_ms, now_ms);
        space->hold_since_ms = 0;
    }
}

int64_t space_held_ms(const struct space *space, int64_t now_ms)
{
    return space->held_ms + (space->hold_since_ms ? since(space->hold_since_ms, now_ms) : 0);
}

int64_t space_breaker_left_ms(const struct space *space, int64_t now_ms)
{
    if (!space->breaker_open_ms)
        return 0;
    int64_t left = space->breaker_until_ms - now_ms;
    /* Open until a success: also when it may be probed already, or when the clock was set back. */
    return left < 1 || left > BREAKER_MAX_MS ? 1 : left;
}

int64_t space_undrained_ms(const struct space *space, int64_t now_ms)
{
    return since(space->heartbeat_ms ? space->heartbeat_ms : space->born_ms, now_ms);
}
