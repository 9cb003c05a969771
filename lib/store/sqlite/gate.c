#include "store/sqlite/sqlite.h"
#include <stdlib.h>
#include <string.h>

#define DAY_MS (24 * 3600 * 1000LL)
#define BREAKER_FAILURES 5
#define BREAKER_FIRST_MS 30000
#define PAUSE_PROBE_MS 60000
#define DAY_END_SLACK_MS 5000
#define NO_LIMIT (INT64_MAX / 2)

static bool begin(struct db *db, struct space *space)
{
    if (!db_write(db))
        return false;
    space_load(db, space);
    return true;
}

static enum store_result ended(struct db *db, enum store_result result)
{
    return db_commit(db) ? result : STORE_UNAVAILABLE;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* A time that cannot be so far ahead was set before the clock was set back. */
static bool has_come(const struct db *db, int64_t at_ms, int64_t farthest_ms)
{
    return at_ms <= db->now_ms || at_ms - db->now_ms > farthest_ms;
}

/* -- pace -- */

static void begin_day(const struct db *db, struct space *space)
{
    if (!has_come(db, space->pace_day_end_ms, 2 * DAY_MS))
        return;
    space->pace_day_left = db->config->ghl_rate_per_day > 0 ? db->config->ghl_rate_per_day : NO_LIMIT;
    space->pace_day_end_ms = db->now_ms + DAY_MS;
}

/* The theoretical arrival time of the next call, never in the past and never absurdly far ahead. */
static int64_t arrival_us(const struct db *db, const struct space *space)
{
    int64_t now_us = db->now_ms * 1000;
    return has_come(db, space->pace_us / 1000, 2 * DAY_MS) ? now_us : larger(space->pace_us, now_us);
}

static int64_t tolerance_us(const struct db *db, int64_t *interval_us)
{
    int64_t burst = 1;
    store_pace_terms(db->config->ghl_rate.count, db->config->ghl_rate.window_ms, interval_us, &burst);
    return (burst - 1) * *interval_us;
}

enum store_result sqlite_pace(void *self, int64_t max_wait_ms, int64_t *wait_ms)
{
    struct db *db = &((struct store_sqlite *)self)->db;
    struct space space;
    int64_t interval_us = 0;

    /* A machine that crashed is not back before what it forgot of this is no matter any more. */
    if (!db_write_lazily(db))
        return STORE_UNAVAILABLE;
    space_load(db, &space);
    int64_t tolerance = tolerance_us(db, &interval_us), at_us = arrival_us(db, &space),
            wait_us = larger(at_us - tolerance - db->now_ms * 1000, 0);
    begin_day(db, &space);
    *wait_ms = (wait_us + 999) / 1000;
    bool next_day = space.pace_day_left <= 0;
    if (next_day)
        *wait_ms = larger(*wait_ms, space.pace_day_end_ms - db->now_ms);
    if (*wait_ms <= max_wait_ms) {
        if (next_day) {
            at_us = larger(at_us, space.pace_day_end_ms * 1000);
            space.pace_day_left = db->config->ghl_rate_per_day;
            space.pace_day_end_ms += DAY_MS;
        }
        space.pace_us = at_us + interval_us;
        space.pace_day_left--;
        space_save(db, &space);
    }
    return ended(db, STORE_OK);
}

/* Has there been a sign of others within the last minute? A thing of the namespace, which goes by itself. */
static bool is_shared(struct db *db, const struct store_limits *limits)
{
    if (limits->shared)
        db_run(db, "INSERT OR REPLACE INTO things(space, name, value, until_ms) VALUES(?, ?, '', ?)", "iti",
               db->space, DB_SHARED, db->now_ms + STORE_SHARED_MS);
    /* One further ahead was written before the clock was set back. */
    return db_integer(db, 0,
                      "SELECT 1 FROM things WHERE space = ? AND name = ? AND until_ms > ? AND until_ms <= ?",
                      "itii", db->space, DB_SHARED, db->now_ms, db->now_ms + STORE_SHARED_MS) != 0;
}

/* When the window of GHL ends is not told. What is left of it is spread over a tenth of a window: that is as
 * fast as the pace alone while enough is left, and a pause of a tenth when nothing is. */
static int64_t spread_ms(struct db *db, const struct store_limits *limits)
{
    bool shared = is_shared(db, limits);

    if (limits->window_remaining < 0 || limits->window_ms <= 0 || (limits->window_remaining > 0 && !shared))
        return 0;
    return limits->window_ms / 10 / (limits->window_remaining + 1);
}

/* True when it changed. Every answer tells the day's end anew, some ms apart. */
static bool lower_day(const struct db *db, struct space *space, const struct store_limits *limits)
{
    int64_t left = space->pace_day_left, end_ms = space->pace_day_end_ms;

    if (limits->daily_remaining < 0)
        return false;
    begin_day(db, space);
    if (limits->daily_remaining < space->pace_day_left)
        space->pace_day_left = limits->daily_remaining;
    if (limits->daily_reset_ms > 0 && limits->daily_reset_ms <= DAY_MS)
        space->pace_day_end_ms = db->now_ms + limits->daily_reset_ms;
    return space->pace_day_left != left || llabs(space->pace_day_end_ms - end_ms) > DAY_END_SLACK_MS;
}

enum store_result sqlite_pace_correct(void *self, const struct store_limits *limits)
{
    struct db *db = &((struct store_sqlite *)self)->db;
    struct space space;
    int64_t interval_us = 0;

    if (!begin(db, &space))
        return STORE_UNAVAILABLE;
    int64_t wait_ms = larger(limits->hold_ms < DAY_MS ? limits->hold_ms : DAY_MS, spread_ms(db, limits));
    if (wait_ms > 0)
        space.pace_us =
            larger(arrival_us(db, &space), (db->now_ms + wait_ms) * 1000 + tolerance_us(db, &interval_us));
    /* Mostly nothing changes: then there is nothing to write either. */
    if (lower_day(db, &space, limits) || wait_ms > 0)
        space_save(db, &space);
    return ended(db, STORE_OK);
}

/* -- breaker -- */

static void open_breaker(const struct db *db, struct space *space, int64_t for_ms)
{
    space->breaker_open_ms = for_ms < BREAKER_MAX_MS ? for_ms : BREAKER_MAX_MS;
    space->breaker_until_ms = db->now_ms + space->breaker_open_ms;
    space->breaker_probe_ms = 0;
}

enum store_result sqlite_breaker(void *self, bool success, int64_t *open_ms)
{
    struct db *db = &((struct store_sqlite *)self)->db;
    struct space space;

    if (!begin(db, &space))
        return STORE_UNAVAILABLE;
    bool changes = !success || space.breaker_failures || space.breaker_open_ms;
    if (success)
        space.breaker_failures = space.breaker_open_ms = space.breaker_until_ms = space.breaker_probe_ms = 0;
    else
        space.breaker_failures++;
    if (space.breaker_open_ms && has_come(db, space.breaker_until_ms, BREAKER_MAX_MS))
        open_breaker(db, &space,
                     2 * space.breaker_open_ms); /* the probe failed; earlier ones were on their way */
    else if (!space.breaker_open_ms && space.breaker_failures >= BREAKER_FAILURES)
        open_breaker(db, &space, BREAKER_FIRST_MS);
    space_mark_hold(&space, db->now_ms);
    if (changes)
        space_save(db, &space);
    if (open_ms)
        *open_ms = space_breaker_left_ms(&space, db->now_ms);
    return ended(db, STORE_OK);
}

static bool take_probe(const struct db *db, struct space *space, enum store_hold what)
{
    switch (what) {
    case STORE_HOLD_PAUSED:
        if (!space->paused_ms || !has_come(db, space->pause_probe_ms, PAUSE_PROBE_MS))
            return false;
        space->pause_probe_ms = db->now_ms + PAUSE_PROBE_MS;
        return true;
    case STORE_HOLD_BREAKER:
        if (!space->breaker_open_ms || !has_come(db, space->breaker_until_ms, BREAKER_MAX_MS) ||
            !has_come(db, space->breaker_probe_ms, HOLD_PROBE_MS))
            return false;
        space->breaker_probe_ms = db->now_ms + HOLD_PROBE_MS;
        return true;
    case STORE_GO: break;
    }
    return false;
}

enum store_result sqlite_probe(void *self, enum store_hold what)
{
    struct db *db = &((struct store_sqlite *)self)->db;
    struct space space;

    if (!begin(db, &space))
        return STORE_UNAVAILABLE;
    bool mine = take_probe(db, &space, what);
    if (mine)
        space_save(db, &space);
    return ended(db, mine ? STORE_OK : STORE_NONE);
}

/* -- pause -- */

static void copy_text(char *out, size_t size, const char *text)
{
    size_t n = text ? strnlen(text, size - 1) : 0;
    if (n)
        memcpy(out, text, n);
    out[n] = '\0';
}

enum store_result sqlite_pause(void *self, const char *token_hash, const char *why, bool *first)
{
    struct db *db = &((struct store_sqlite *)self)->db;
    struct space space;

    if (first)
        *first = false;
    if (!begin(db, &space))
        return STORE_UNAVAILABLE;
    bool begins = !space.paused_ms;
    if (begins) {
        space.paused_ms = db->now_ms;
        space.pause_probe_ms = db->now_ms + PAUSE_PROBE_MS;
    }
    copy_text(space.pause_token, sizeof space.pause_token, token_hash);
    copy_text(space.pause_reason, sizeof space.pause_reason, why);
    space_mark_hold(&space, db->now_ms);
    space_save(db, &space);
    enum store_result result = ended(db, STORE_OK);
    if (first)
        *first = result == STORE_OK && begins;
    return result;
}

enum store_result sqlite_resume(void *self, const char *token_hash)
{
    struct db *db = &((struct store_sqlite *)self)->db;
    struct space space;

    if (!begin(db, &space))
        return STORE_UNAVAILABLE;
    bool lifts = space.paused_ms &&
                 (!token_hash || (space.pause_token[0] && strcmp(space.pause_token, token_hash) != 0));
    if (lifts) {
        space.paused_ms = space.pause_probe_ms = 0;
        space.pause_token[0] = space.pause_reason[0] = '\0';
        space_mark_hold(&space, db->now_ms);
        space_save(db, &space);
    }
    return ended(db, lifts ? STORE_OK : STORE_NONE);
}
