#include "queue/location_rules.h"
#include "queue/rules_work.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BREAKER_FAILURES 5
#define BREAKER_SHORTEST_MS 30000
#define BREAKER_LONGEST_MS 300000
#define PROBE_LEASE_MS 30000
#define PAUSE_PROBE_EVERY_MS 60000
#define DAY_MS (24LL * 3600 * 1000)
#define SHARED_MS 60000
#define SLOT_MAX_MS 60000 /* no call waits longer for its slot; further ahead, a clock was set back */

/* Still ahead, and not so far that a clock was set back since it was written. */
static bool is_ahead(int64_t until_ms, int64_t now_ms, int64_t most_ms)
{
    return until_ms > now_ms && until_ms <= now_ms + most_ms;
}

enum hold location_hold(const struct location_record *l)
{
    return l->paused_ms ? HOLD_PAUSED : l->opened ? HOLD_BREAKER : HOLD_NONE;
}

/* -- the circuit breaker -- */

bool breaker_heard(struct location_record *l, bool success, int64_t now_ms)
{
    if (success) {
        bool changed = l->failures || l->opened;
        l->failures = l->opened = l->open_until_ms = l->probe_until_ms = 0;
        return changed;
    }
    l->failures++;
    /* While it is open, stragglers change nothing; a failed probe doubles its time. */
    if ((!l->opened && l->failures >= BREAKER_FAILURES) ||
        (l->opened && !is_ahead(l->open_until_ms, now_ms, BREAKER_LONGEST_MS))) {
        int64_t open_ms = BREAKER_SHORTEST_MS;
        for (int64_t i = 0; i < l->opened && open_ms < BREAKER_LONGEST_MS; i++)
            open_ms *= 2;
        l->opened++;
        l->open_until_ms = now_ms + (open_ms < BREAKER_LONGEST_MS ? open_ms : BREAKER_LONGEST_MS);
    }
    return true;
}

int64_t breaker_open_ms(const struct location_record *l, int64_t now_ms)
{
    return l->opened && is_ahead(l->open_until_ms, now_ms, BREAKER_LONGEST_MS) ? l->open_until_ms - now_ms
                                                                               : 0;
}

/* -- the pause -- */

void pause_begin(struct location_record *l, const char *token, const char *reason, int64_t now_ms,
                 bool *first)
{
    *first = !l->paused_ms;
    if (*first)
        l->paused_ms = l->pause_probe_ms = now_ms;
    SET(l->pause_token, token);
    SET(l->pause_reason, reason);
}

bool pause_end(struct location_record *l, const char *token)
{
    if (!l->paused_ms || (token && (!l->pause_token[0] || !strcmp(l->pause_token, token))))
        return false;
    l->paused_ms = l->pause_probe_ms = 0;
    l->pause_token[0] = l->pause_reason[0] = '\0';
    return true;
}

bool hold_probe(struct location_record *l, enum hold hold, int64_t now_ms)
{
    if (hold == HOLD_PAUSED) {
        int64_t next_ms = l->pause_probe_ms + PAUSE_PROBE_EVERY_MS;
        if (!l->paused_ms || is_ahead(next_ms, now_ms, PAUSE_PROBE_EVERY_MS))
            return false;
        l->pause_probe_ms = now_ms;
        return true;
    }
    if (hold != HOLD_BREAKER || !l->opened || breaker_open_ms(l, now_ms) > 0 ||
        is_ahead(l->probe_until_ms, now_ms, PROBE_LEASE_MS))
        return false;
    l->probe_until_ms = now_ms + PROBE_LEASE_MS;
    return true;
}

/* -- the store's memory -- */

enum memory memory_check(struct location_record *l, const char *known_id, int64_t known_first_use_ms,
                         const char *server, int64_t elsewhere_ms, const char *new_id, int64_t now_ms)
{
    bool is_new = !l->store_id[0];

    if (is_new) {
        SET(l->store_id, new_id);
        l->first_use_ms = known_first_use_ms && known_first_use_ms < now_ms ? known_first_use_ms : now_ms;
    }
    if (*known_id && strcmp(known_id, l->store_id) != 0) {
        l->up_ms = l->lost_ms = l->reconcile_ms = now_ms;
        if (known_first_use_ms && known_first_use_ms < l->first_use_ms)
            l->first_use_ms = known_first_use_ms;
        SET(l->server, server);
        return MEMORY_LOST;
    }
    if (is_new && !elsewhere_ms) {
        SET(l->server, server);
        return MEMORY_FIRST;
    }
    if (!strcmp(l->server, server) && elsewhere_ms <= l->up_ms)
        return MEMORY_SAME;
    SET(l->server, server);
    l->up_ms = l->lost_ms = l->reconcile_ms = now_ms;
    return MEMORY_MOVED;
}

bool location_has_shop(const struct location_record *l, const char *shop)
{
    return rules_has_word(l->shops, shop, strlen(shop));
}

bool location_saw_shop(struct location_record *l, const char *shop, const char *site)
{
    char all[sizeof l->shops];
    bool changed = false;

    if (!location_has_shop(l, shop) && strlen(l->shops) + strlen(shop) + 2 <= sizeof l->shops) {
        text_format(all, sizeof all, "%s%s%s", l->shops, l->shops[0] ? " " : "", shop);
        SET(l->shops, all);
        changed = true;
    }
    if (!l->site[0] && *site) {
        SET(l->site, site);
        changed = true;
    }
    return changed;
}

void location_want_reconcile(struct location_record *l, int64_t now_ms)
{
    l->reconcile_ms = now_ms > l->reconcile_ms ? now_ms : l->reconcile_ms + 1;
}

/* -- the rate limiter -- */

#define BURST 2
static void gcra(const struct limiter_terms *terms, int64_t *interval_us, int64_t *burst)
{
    int64_t usable = terms->count * 99 / 100, steady;

    *burst = usable > 20 ? BURST : 1;
    if (usable < 1)
        usable = 1;
    steady =
        usable > *burst ? usable - *burst : 1; /* a window sees at most window / interval + burst calls */
    *interval_us = (terms->window_ms * 1000 + steady - 1) / steady;
}

int64_t limiter_most(const struct limiter_terms *terms, int64_t window_ms)
{
    int64_t interval_us, burst;

    gcra(terms, &interval_us, &burst);
    return window_ms * 1000 / interval_us + burst;
}

int64_t limiter_take(struct limiter_record *l, const struct limiter_terms *terms, int64_t max_wait_ms,
                     int64_t now_ms)
{
    int64_t interval_us, burst, at_ms = now_ms, next_us = l->next_us;

    gcra(terms, &interval_us, &burst);
    if (next_us > (now_ms + DAY_MS) * 1000) /* written before a clock was set back */
        next_us = 0;
    if (!is_ahead(l->day_until_ms, now_ms, DAY_MS)) {
        l->day_left = terms->per_day;
        l->day_until_ms = now_ms + DAY_MS;
    }
    int64_t free_ms = (next_us - (burst - 1) * interval_us + 999) / 1000;
    if (free_ms > at_ms)
        at_ms = free_ms;
    if (is_ahead(l->hold_until_ms, now_ms, LIMITER_HOLD_MAX_MS) && l->hold_until_ms > at_ms)
        at_ms = l->hold_until_ms;
    /* The day is used up, as far as known: one call asks from time to time. The last one may go in a moment. */
    if (l->day_left <= 0 &&
        is_ahead(l->last_ms + LIMITER_HOLD_MAX_MS, now_ms, LIMITER_HOLD_MAX_MS + SLOT_MAX_MS)) {
        int64_t ask_ms = (l->last_ms < now_ms ? l->last_ms : now_ms) + LIMITER_HOLD_MAX_MS;
        if (ask_ms > l->day_until_ms)
            ask_ms = l->day_until_ms;
        if (ask_ms > at_ms)
            at_ms = ask_ms;
    }
    if (at_ms - now_ms > max_wait_ms)
        return at_ms - now_ms;
    l->next_us = (next_us > at_ms * 1000 ? next_us : at_ms * 1000) + interval_us;
    l->last_ms = at_ms;
    l->day_left -= l->day_left > 0;
    if (l->day_left > 0)
        l->hold_reason[0] = '\0';
    return at_ms - now_ms;
}

static void hold(struct limiter_record *l, int64_t ms, const char *reason, int64_t now_ms)
{
    int64_t until_ms = now_ms + (ms < LIMITER_HOLD_MAX_MS ? ms : LIMITER_HOLD_MAX_MS);

    if (!is_ahead(l->hold_until_ms, now_ms, LIMITER_HOLD_MAX_MS) || until_ms > l->hold_until_ms)
        l->hold_until_ms = until_ms;
    SET(l->hold_reason, reason);
}

static void hear_day(struct limiter_record *l, const struct limiter_heard *heard, int64_t now_ms)
{
    int64_t reset_ms =
        heard->daily_reset_ms > 0 && heard->daily_reset_ms < DAY_MS ? heard->daily_reset_ms : 0;

    if (heard->daily_remaining < 0)
        return;
    if (!is_ahead(l->day_until_ms, now_ms, DAY_MS)) {
        l->day_left = heard->daily_remaining;
        l->day_until_ms = now_ms + DAY_MS;
    }
    /* What is left only sinks until the day's end; but if there was none and now some is, the day is a new one. */
    if (heard->daily_remaining < l->day_left || l->day_left <= 0)
        l->day_left = heard->daily_remaining;
    if (reset_ms)
        l->day_until_ms = now_ms + reset_ms;
    if (heard->daily_remaining == 0)
        SET(l->hold_reason, "GHL says that no call is left of its day");
}

void limiter_hear(struct limiter_record *l, const struct limiter_terms *terms,
                  const struct limiter_heard *heard, int64_t now_ms)
{
    int64_t window_ms =
        heard->window_ms > 0 && heard->window_ms < DAY_MS ? heard->window_ms : terms->window_ms;
    char reason[RECORD_REASON_SIZE];

    if (heard->shared)
        l->shared_until_ms = now_ms + SHARED_MS;
    bool shared = is_ahead(l->shared_until_ms, now_ms, SHARED_MS);
    if (heard->hold_ms > 0) {
        snprintf(reason, sizeof reason, "GHL asks to wait %" PRId64 " s (Retry-After)",
                 heard->hold_ms / 1000);
        hold(l, heard->hold_ms, reason, now_ms);
    } else if (heard->window_remaining == 0 || (shared && heard->window_remaining > 0)) {
        hold(l, window_ms / 10 / (heard->window_remaining + 1), "GHL's rate limit is used up", now_ms);
    }
    hear_day(l, heard, now_ms);
}

bool limiter_release(struct limiter_record *l, int64_t now_ms)
{
    bool held = is_ahead(l->hold_until_ms, now_ms, LIMITER_HOLD_MAX_MS) || (l->last_ms && l->day_left <= 0);

    l->hold_until_ms = l->last_ms = 0;
    if (l->day_left <= 0)
        l->day_until_ms = 0; /* as far as we know a new one begins; GHL says so if not */
    return held;
}
