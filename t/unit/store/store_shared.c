/* store: what all orders share. Contacts, cards, GHL's limits, breaker, pause, counters, small things. */
#include "base/clock.h"
#include "store/store_rig.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- contacts -- */

static void contact_locks(struct rig *rig)
{
    const char *const both[] = {"aa", "bb"}, *const second[] = {"bb"}, *const mixed[] = {"cc", "bb"},
                      *const turned[] = {"bb", "aa"}, *const third[] = {"cc"};
    int64_t newest = 7;

    is_result(store_contact_lock(rig->store, both, 2, "one", LEASE_MS, &newest), STORE_OK, "two hashes");
    is_int(newest, 0, "nobody wrote it");
    is_result(store_contact_lock(rig->store, both, 2, "one", LEASE_MS, &newest), STORE_OK, "the same again");
    is_result(store_contact_lock(rig->store, second, 1, "two", LEASE_MS, &newest), STORE_NONE,
              "one is another's");
    is_result(store_contact_lock(rig->store, mixed, 2, "two", LEASE_MS, &newest), STORE_NONE,
              "one of two is, too");
    is_result(store_contact_lock(rig->store, third, 1, "three", LEASE_MS, &newest), STORE_OK,
              "all or none: the other is free");
    is_result(store_contact_unlock(rig->store, second, 1, "two", 0), STORE_LOST, "a stranger's unlock");
    is_result(store_contact_lock(rig->store, second, 1, "two", LEASE_MS, &newest), STORE_NONE,
              "unlocks nothing");
    is_result(store_contact_unlock(rig->store, both, 2, "one", 100), STORE_OK, "an order of 100 wrote it");
    is_result(store_contact_lock(rig->store, second, 1, "two", LEASE_MS, &newest), STORE_OK, "it is free");
    is_int(newest, 100, "and was written");
    is_result(store_contact_unlock(rig->store, second, 1, "two", 50), STORE_OK, "an order of 50 wrote it");
    is_result(store_contact_lock(rig->store, second, 1, "two", LEASE_MS, &newest), STORE_OK, "locked again");
    is_int(newest, 100, "the newest counts");
    is_result(store_contact_unlock(rig->store, second, 1, "two", 300), STORE_OK, "an order of 300 wrote it");
    is_result(store_contact_lock(rig->store, both, 2, "four", LEASE_MS, &newest), STORE_OK, "both");
    is_int(newest, 300, "the larger of the two");
    is_result(store_contact_lock(rig->store, turned, 2, "four", LEASE_MS, &newest), STORE_OK, "turned about");
    is_int(newest, 300, "it is the same");
    store_shift_clock(rig->store, LEASE_MS + 1000);
    is_result(store_contact_lock(rig->store, both, 2, "five", LEASE_MS, &newest), STORE_OK,
              "the lease ran out");
    is_result(store_contact_unlock(rig->store, both, 2, "four", 0), STORE_LOST, "its worker lost it");
    store_shift_clock(rig->store, 401 * DAY_MS);
    is_result(store_contact_lock(rig->store, both, 2, "six", LEASE_MS, &newest), STORE_OK,
              "a LINK_TTL later");
    is_int(newest, 0, "it is forgotten");
    is_result(store_contact_lock(rig->store, both, 0, "six", LEASE_MS, &newest), STORE_OK, "no hash at all");
    is_int(newest, 0, "nothing to know");
}

static void cards(struct rig *rig)
{
    is_result(store_card_take(rig->store, "card", "shop:2", 200, CARD_LOOK), STORE_OK,
              "a look at a free card");
    is_result(store_card_take(rig->store, "card", "shop:1", 100, CARD_TAKE), STORE_OK,
              "takes it from nobody");
    is_result(store_card_take(rig->store, "card", "shop:2", 200, CARD_LOOK), STORE_LOST,
              "a look at another's");
    is_result(store_card_take(rig->store, "card", "shop:1", 100, CARD_TAKE), STORE_OK, "its own");
    is_result(store_card_take(rig->store, "card", "shop:2", 200, CARD_TAKE), STORE_LOST, "another's");
    is_result(store_card_take(rig->store, "card", "shop:2", 99, CARD_TAKE_OVER), STORE_LOST,
              "an older order takes none over");
    is_result(store_card_take(rig->store, "card", "shop:1", 900, CARD_TAKE), STORE_OK,
              "its own once more: it gets no newer by that");
    is_result(store_card_take(rig->store, "card", "shop:2", 101, CARD_TAKE_OVER), STORE_OK,
              "a newer one does");
    is_result(store_card_take(rig->store, "card", "shop:3", 101, CARD_TAKE_OVER), STORE_OK,
              "one of the same second, too");
    is_result(store_card_take(rig->store, "card", "shop:2", 102, CARD_TAKE_OVER), STORE_OK, "and so on");
    is_result(store_card_take(rig->store, "card", "shop:1", 100, CARD_TAKE_OVER), STORE_LOST, "for good");
    is_result(store_card_take(rig->store, "other", "shop:1", 100, CARD_TAKE), STORE_OK,
              "there are other cards");
    store_shift_clock(rig->store, 399 * DAY_MS);
    is_result(store_card_take(rig->store, "card", "shop:2", 101, CARD_TAKE), STORE_OK, "taking it renews it");
    store_shift_clock(rig->store, 2 * DAY_MS);
    is_result(store_card_take(rig->store, "card", "shop:1", 100, CARD_TAKE), STORE_LOST, "for LINK_TTL");
    store_shift_clock(rig->store, 399 * DAY_MS);
    is_result(store_card_take(rig->store, "card", "shop:1", 100, CARD_TAKE), STORE_OK, "then it is free");
}

/* -- GHL's limits -- */

#define CALLS 600
#define WINDOW 100
#define WINDOW_MS 10000

/* Tells the store what GHL said. */
static void ghl_says(struct rig *rig, struct store_limits limits, const char *what)
{
    is_result(store_pace_correct(rig->store, &limits), STORE_OK, "%s", what);
}

/* Nothing but this of the window. */
static struct store_limits window_of(int64_t remaining, bool shared)
{
    return (struct store_limits){
        .window_remaining = remaining, .window_ms = WINDOW_MS, .shared = shared, .daily_remaining = -1};
}

/* Calls as fast as the pace lets; at[] is when each may go, on the store's shifted clock. Each answer says
 * how much is left of the window; -1 = it says nothing. */
static int64_t call_all(struct rig *rig, int64_t at[], size_t n, int64_t shift_ms, int64_t remaining)
{
    const struct store_limits limits = window_of(remaining, false);

    for (size_t i = 0; i < n; i++) {
        int64_t wait_ms = 0, now_ms = clock_mono_ms() + shift_ms;
        if (store_pace(rig->store, HOUR_MS, &wait_ms) != STORE_OK ||
            (remaining >= 0 && store_pace_correct(rig->store, &limits) != STORE_OK))
            ok(false, "call %zu is paced: %s", i, store_trouble(rig->store));
        at[i] = now_ms + wait_ms;
        store_shift_clock(rig->store, wait_ms);
        shift_ms += wait_ms;
    }
    return shift_ms;
}

static void no_window_is_too_full(const int64_t at[], size_t n)
{
    int64_t shortest = INT64_MAX;
    for (size_t i = 0; i + WINDOW < n; i++)
        if (at[i + WINDOW] - at[i] < shortest)
            shortest = at[i + WINDOW] - at[i];
    ok(shortest > WINDOW_MS, "no 10 s ever hold 101 calls: the fastest 101 took %lld ms",
       (long long)shortest);
}

static double used_by(const int64_t at[], size_t n)
{
    const int64_t took_ms = at[n - 1] - at[0], calls = (int64_t)n - 1;
    return (double)calls / WINDOW / ((double)took_ms / WINDOW_MS);
}

static void pace_of_a_backlog(struct rig *rig)
{
    static int64_t at[CALLS];

    int64_t shift_ms = call_all(rig, at, CALLS / 2, 0, -1);
    store_shift_clock(rig->store, HOUR_MS);
    call_all(rig, at + CALLS / 2, CALLS / 2, shift_ms + HOUR_MS, -1);
    no_window_is_too_full(at, CALLS);
    double used = used_by(at + CALLS / 2, CALLS / 2);
    ok(used >= 0.96, "a backlog uses %.1f %% of the rate, at least 96", 100 * used);
}

/* What the pace itself leaves of the window is no reason to be slower. */
static void a_backlog_alone(struct rig *rig)
{
    static int64_t at[CALLS / 2];

    call_all(rig, at, CALLS / 2, 0, 1);
    no_window_is_too_full(at, CALLS / 2);
    double used = used_by(at, CALLS / 2);
    ok(used >= 0.96, "with one call left all the time it uses %.1f %% of the rate, at least 96", 100 * used);
}

static void nothing_is_left(struct rig *rig)
{
    int64_t wait_ms = 7;

    ghl_says(rig, window_of(0, false), "given nothing left of the window, and no sign of others");
    is_result(store_pace(rig->store, 0, &wait_ms), STORE_OK, "a call");
    is_left(wait_ms, WINDOW_MS / 10, "waits for a tenth of it");
    store_shift_clock(rig->store, 2000);
    ghl_says(rig, window_of(1, false), "one is left then");
    is_result(store_pace(rig->store, 0, &wait_ms), STORE_OK, "a call");
    is_int(wait_ms, 0, "goes at once");
}

static void a_backlog_beside_others(struct rig *rig)
{
    int64_t wait_ms = 7;

    ghl_says(rig, window_of(2, true), "given less left than our calls can have used");
    store_shift_clock(rig->store, 50000);
    ghl_says(rig, window_of(4, false), "four left soon after");
    is_result(store_pace(rig->store, 0, &wait_ms), STORE_OK, "a call");
    is_left(wait_ms, WINDOW_MS / 10 / 5, "waits for a fifth of a tenth of the window");
    store_shift_clock(rig->store, 20000);
    ghl_says(rig, window_of(4, false), "four left a minute after the sign of others");
    is_result(store_pace(rig->store, 0, &wait_ms), STORE_OK, "a call");
    is_int(wait_ms, 0, "goes at once");
}

static void the_most_of_a_window(struct rig *rig)
{
    is_int(store_pace_most(&rig->config, WINDOW_MS), 98, "of 100 calls the pace uses 98 at most");
    is_int(store_pace_most(&rig->config, 2 * WINDOW_MS), 195, "a longer window holds as many more");
}

static void a_slot_is_taken_or_not(struct rig *rig)
{
    int64_t wait_ms = 7, again_ms = 7;
    int taken = 0;

    while (taken < 50 && store_pace(rig->store, 0, &wait_ms) == STORE_OK && wait_ms == 0)
        taken++;
    ok(taken >= 1 && taken < 50, "a small burst goes at once: %d", taken);
    ok(wait_ms > 0 && wait_ms < 1000, "then there is a wait");
    for (int i = 0; i < 10; i++)
        is_result(store_pace(rig->store, 0, &again_ms), STORE_OK, "asked again");
    ok(again_ms <= wait_ms, "the slot was not taken: the wait does not grow");
    is_result(store_pace(rig->store, 1000, &wait_ms), STORE_OK, "a longer patience");
    is_result(store_pace(rig->store, 0, &again_ms), STORE_OK, "took it");
    ok(again_ms > wait_ms, "so the next waits longer");
}

static void the_limit_a_day(struct rig *rig)
{
    struct rig other;
    int64_t wait_ms = 7;
    static const char *const few[] = {"GHL_RATE_PER_DAY=5", NULL};

    if (!rig_join(&other, rig, few))
        return;
    for (int i = 0; i < 5; i++) {
        is_result(store_pace(other.store, HOUR_MS, &wait_ms), STORE_OK, "call %d of 5 a day", i + 1);
        ok(wait_ms < 5000, "goes soon");
    }
    is_result(store_pace(other.store, HOUR_MS, &wait_ms), STORE_OK, "the sixth");
    is_left(wait_ms, DAY_MS, "waits until tomorrow");
    ghl_says(&other, (struct store_limits){.window_remaining = -1, .daily_remaining = 1000},
             "GHL says that 1000 are left");
    is_result(store_pace(other.store, 0, &wait_ms), STORE_OK, "and a call");
    is_left(wait_ms, DAY_MS, "still waits: what is left only sinks");
    store_shift_clock(other.store, DAY_MS + 1000);
    is_result(store_pace(other.store, 0, &wait_ms), STORE_OK, "the next day");
    is_int(wait_ms, 0, "it goes");
    rig_close(&other);
}

/* Its day is the next one's, also for those that come before that has begun. */
static void a_call_that_waits_for_the_next_day(struct rig *rig)
{
    struct rig other;
    int64_t wait_ms = 7;
    static const char *const few[] = {"GHL_RATE_PER_DAY=2", NULL};

    if (!rig_join(&other, rig, few))
        return;
    for (int i = 0; i < 2; i++)
        is_result(store_pace(other.store, 0, &wait_ms), STORE_OK, "call %d of 2 a day", i + 1);
    is_result(store_pace(other.store, DAY_MS, &wait_ms), STORE_OK, "one that is patient");
    is_left(wait_ms, DAY_MS, "waits until tomorrow");
    store_shift_clock(other.store, DAY_MS + MINUTE_MS);
    is_result(store_pace(other.store, 0, &wait_ms), STORE_OK, "tomorrow another");
    is_int(wait_ms, 0, "goes");
    is_result(store_pace(other.store, 0, &wait_ms), STORE_OK, "the third of that day");
    ok(wait_ms > HOUR_MS, "does not: %lld ms", (long long)wait_ms);
    rig_close(&other);
}

static void ghl_corrects_the_pace(struct rig *rig)
{
    int64_t wait_ms = 7;

    ghl_says(rig, (struct store_limits){.hold_ms = 30000, .window_remaining = -1, .daily_remaining = -1},
             "Retry-After: 30");
    is_result(store_pace(rig->store, 0, &wait_ms), STORE_OK, "a call");
    is_left(wait_ms, 30000, "waits for so long");
    ghl_says(rig, (struct store_limits){.hold_ms = 1000, .window_remaining = -1, .daily_remaining = -1},
             "a shorter one");
    is_result(store_pace(rig->store, 0, &wait_ms), STORE_OK, "a call");
    is_left(wait_ms, 30000, "waits for the longer");
    store_shift_clock(rig->store, 31000);
    is_result(store_pace(rig->store, 0, &wait_ms), STORE_OK, "then");
    is_int(wait_ms, 0, "it goes");
    store_shift_clock(rig->store, MINUTE_MS);
    ghl_says(rig, window_of(0, true), "nothing is left of the window");
    is_result(store_pace(rig->store, 0, &wait_ms), STORE_OK, "a call");
    ok(wait_ms > 500 && wait_ms <= 10000, "waits, for the window at most");
    store_shift_clock(rig->store, 10000);
    is_result(store_pace(rig->store, 0, &wait_ms), STORE_OK, "then");
    is_int(wait_ms, 0, "it goes");
    store_shift_clock(rig->store, MINUTE_MS);
    ghl_says(rig,
             (struct store_limits){
                 .window_remaining = 50, .window_ms = WINDOW_MS, .shared = true, .daily_remaining = 10000},
             "enough is left");
    is_result(store_pace(rig->store, 0, &wait_ms), STORE_OK, "a call");
    ok(wait_ms < 100, "goes");
    ghl_says(rig, (struct store_limits){.window_remaining = -1, .daily_reset_ms = HOUR_MS},
             "the day is used up for an hour");
    is_result(store_pace(rig->store, 0, &wait_ms), STORE_OK, "a call");
    is_left(wait_ms, HOUR_MS, "waits for the hour");
    store_shift_clock(rig->store, HOUR_MS + 1000);
    is_result(store_pace(rig->store, 0, &wait_ms), STORE_OK, "then");
    is_int(wait_ms, 0, "it goes");
}

/* -- breaker and pause -- */

static int64_t fail(struct rig *rig)
{
    int64_t open_ms = -7;
    is_result(store_breaker(rig->store, false, &open_ms), STORE_OK, "a failure");
    return open_ms;
}

static void the_breaker(struct rig *rig)
{
    static const int64_t next_ms[] = {60000, 120000, 240000, 300000, 300000};
    int64_t open_ms = 7;

    is_result(store_probe(rig->store, STORE_HOLD_BREAKER), STORE_NONE, "closed: nothing to probe");
    for (int i = 0; i < 4; i++)
        is_int(fail(rig), 0, "which opens nothing");
    is_result(store_breaker(rig->store, true, &open_ms), STORE_OK, "a success in between");
    is_int(open_ms, 0, "closed");
    for (int i = 0; i < 4; i++)
        is_int(fail(rig), 0, "in a row counts");
    is_int(rig_stats(rig).breaker_failures, 4, "the stats tell it");
    is_left(fail(rig), 30000, "the fifth opens it for 30 s");
    is_left(fail(rig), 30000, "a straggler does not lengthen that");
    is_left(rig_stats(rig).breaker_open_ms, 30000, "the stats tell it");
    is_result(store_probe(rig->store, STORE_HOLD_BREAKER), STORE_NONE, "no probe yet");
    is_result(store_probe(rig->store, STORE_HOLD_PAUSED), STORE_NONE, "it is no pause");
    store_shift_clock(rig->store, 30000);
    for (size_t i = 0; i < sizeof next_ms / sizeof *next_ms; i++) {
        is_result(store_probe(rig->store, STORE_HOLD_BREAKER), STORE_OK, "then a probe");
        is_result(store_probe(rig->store, STORE_HOLD_BREAKER), STORE_NONE, "by one worker");
        ok(rig_stats(rig).breaker_open_ms > 0, "still open");
        is_left(fail(rig), next_ms[i], "that fails: twice as long, 5 min at most");
        store_shift_clock(rig->store, next_ms[i]);
    }
    is_result(store_probe(rig->store, STORE_HOLD_BREAKER), STORE_OK, "given a probe");
    store_shift_clock(rig->store, 31000);
    is_result(store_probe(rig->store, STORE_HOLD_BREAKER), STORE_OK,
              "whose worker died: another's after 30 s");
    is_result(store_breaker(rig->store, true, &open_ms), STORE_OK, "a success");
    is_int(open_ms, 0, "closes it");
    is_int(rig_stats(rig).breaker_open_ms + rig_stats(rig).breaker_failures, 0, "as if nothing had been");
    for (int i = 0; i < 4; i++)
        is_int(fail(rig), 0, "and it takes five again");
    is_left(fail(rig), 30000, "to open for 30 s");
}

static void a_pause(struct rig *rig)
{
    bool first = false;

    is_result(store_resume(rig->store, NULL), STORE_NONE, "nothing to resume");
    is_result(store_probe(rig->store, STORE_HOLD_PAUSED), STORE_NONE, "nor to probe");
    is_result(store_probe(rig->store, STORE_GO), STORE_NONE, "nothing is nothing");
    is_result(store_pause(rig->store, "aa", "GHL refuses the token", &first), STORE_OK, "paused");
    ok(first, "it was not before");
    is_result(store_pause(rig->store, "aa", "GHL refuses the token", &first), STORE_OK, "again");
    ok(!first, "it was");
    store_shift_clock(rig->store, 10000);
    struct store_stats s = rig_stats(rig);
    ok(s.paused, "the stats tell it");
    is_str(s.pause_reason, "GHL refuses the token", "and why");
    is_about(s.pause_age_s * 1000, 10000, "and since when");
    is_result(store_probe(rig->store, STORE_HOLD_PAUSED), STORE_NONE, "no probe yet");
    store_shift_clock(rig->store, 51000);
    is_result(store_probe(rig->store, STORE_HOLD_PAUSED), STORE_OK, "after 60 s");
    is_result(store_probe(rig->store, STORE_HOLD_PAUSED), STORE_NONE, "one");
    store_shift_clock(rig->store, 61000);
    is_result(store_probe(rig->store, STORE_HOLD_PAUSED), STORE_OK, "every 60 s");
    is_result(store_resume(rig->store, "aa"), STORE_NONE, "the same token does not lift it");
    ok(rig_stats(rig).paused, "it stays");
    is_result(store_resume(rig->store, "bb"), STORE_OK, "another does");
    ok(!rig_stats(rig).paused, "it is lifted");
    is_str(rig_stats(rig).pause_reason, "", "and its reason gone");

    is_result(store_pause(rig->store, "", "no such pipeline", &first), STORE_OK, "one about no token");
    ok(first, "the first again");
    is_result(store_resume(rig->store, "bb"), STORE_NONE, "no token lifts it");
    is_result(store_pause(rig->store, "bb", "GHL refuses the token", NULL), STORE_OK,
              "then a token is refused");
    is_str(rig_stats(rig).pause_reason, "GHL refuses the token", "the latest reason is told");
    is_result(store_resume(rig->store, "cc"), STORE_OK, "and another token lifts it");
    is_result(store_pause(rig->store, "", "why", NULL), STORE_OK, "another pause");
    is_result(store_resume(rig->store, NULL), STORE_OK, "a person lifts any");
    is_result(store_resume(rig->store, NULL), STORE_NONE, "once");
}

/* -- counters and small things -- */

static int64_t counted(const struct store_stats *s, const char *word)
{
    for (size_t i = 0; i < s->counter_count; i++)
        if (!strcmp(s->counter[i].word, word))
            return s->counter[i].count;
    return 0;
}

static void counters(struct rig *rig)
{
    is_result(store_count(rig->store, "rest_error", false), STORE_OK, "a word");
    is_result(store_count(rig->store, "rest_error", false), STORE_OK, "again");
    is_result(store_count(rig->store, "created", false), STORE_OK, "another");
    struct store_stats s = rig_stats(rig);
    is_int(s.counter_count, 2, "two words");
    is_int(counted(&s, "rest_error"), 2, "counted twice");
    is_int(counted(&s, "created"), 1, "counted once");
    ok(!s.reconcile_wanted, "no reconcile is wanted");
    is_result(store_count(rig->store, "lost", true), STORE_OK, "with a wish");
    ok(rig_stats(rig).reconcile_wanted, "it is");
}

static void is_thing(struct rig *rig, const char *name, const char *want, const char *what)
{
    char *value = NULL;
    is_result(store_get(rig->store, name, &value), want ? STORE_OK : STORE_NONE, "%s", what);
    is_str(value, want, "%s: its value", what);
    free(value);
}

static void small_things(struct rig *rig)
{
    char *there = NULL;

    is_thing(rig, "a", NULL, "nothing there");
    is_result(store_put(rig->store, "a", "1", 0, false, &there), STORE_OK, "put");
    is_str(there, "1", "is there");
    free(there);
    is_result(store_put(rig->store, "a", "2", 0, true, &there), STORE_OK, "put if absent");
    is_str(there, "1", "keeps what is there");
    free(there);
    is_result(store_put(rig->store, "a", "3", 0, false, NULL), STORE_OK, "put over it");
    is_thing(rig, "a", "3", "the last counts");
    is_result(store_put(rig->store, "b", "", HOUR_MS, true, &there), STORE_OK, "nothing, for an hour");
    is_str(there, "", "is something");
    free(there);
    store_shift_clock(rig->store, HOUR_MS - MINUTE_MS);
    is_thing(rig, "b", "", "within the hour");
    store_shift_clock(rig->store, 2 * MINUTE_MS);
    is_thing(rig, "b", NULL, "after it");
    is_result(store_put(rig->store, "b", "4", 0, true, NULL), STORE_OK, "absent again");
    store_shift_clock(rig->store, 1000 * DAY_MS);
    is_thing(rig, "a", "3", "0 = for good");
    is_thing(rig, "b", "4", "also after one that was not");
}

static void the_front_door(struct rig *rig)
{
    int64_t count = 0;

    for (int i = 1; i <= 3; i++) {
        is_result(store_allow(rig->store, "client", &count), STORE_OK, "a request");
        is_int(count, i, "is counted");
    }
    is_result(store_allow(rig->store, "another", &count), STORE_OK, "another's");
    is_int(count, 1, "apart");
    struct store_claim claim = rig_state("shop:1", "aa", rig_now_s() - 1000);
    claim.client = "client";
    claim.client_limit = 1;
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_NEW, "signed ones are counted apart, too");
    store_shift_clock(rig->store, DAY_MS);
    is_result(store_allow(rig->store, "client", &count), STORE_OK, "tomorrow");
    is_int(count, 1, "it begins anew");
}

/* -- namespaces -- */

static void nothing_is_seen(struct rig *rig)
{
    struct store_order order;
    struct store_entry entry = {0};
    struct store_parked *list = NULL;
    const char *const hash[] = {"aa"};
    size_t n = 7;
    bool first = false;
    int64_t newest = 7, expired = 7;

    is_result(store_look(rig->store, "shop:1", &order), STORE_NONE, "no order");
    is_result(store_lease_due(rig->store, LEASE_MS, NULL, &entry, NULL, NULL), STORE_NONE, "none to lease");
    is_result(store_lease_due(rig->store, LEASE_MS, "shop:1", &entry, NULL, NULL), STORE_NONE, "by no key");
    is_result(store_requeue(rig->store, "shop:2"), STORE_NONE, "none to requeue");
    is_result(store_drop(rig->store, "shop:2"), STORE_NONE, "none to drop");
    is_result(store_parked_list(rig->store, "", 9, &list, &n), STORE_OK, "a list");
    is_int(n, 0, "of none");
    store_parked_free(list, n, true);
    store_shift_clock(rig->store, 60 * DAY_MS);
    is_result(store_expire_parked(rig->store, &expired), STORE_OK, "none");
    is_int(expired, 0, "to expire");
    store_shift_clock(rig->store, -60 * DAY_MS);
    struct store_stats s = rig_stats(rig);
    ok(!s.paused && !s.breaker_failures && !s.waiting && !s.parked && !s.counter_count,
       "nothing in the stats");
    is_int(s.drain_age_s, -1, "no heartbeat");
    is_thing(rig, "thing", NULL, "no thing");
    is_result(store_contact_lock(rig->store, hash, 1, "mine", LEASE_MS, &newest), STORE_OK, "no lock");
    is_result(store_card_take(rig->store, "card", "shop:9", 1, CARD_TAKE), STORE_OK, "no card");
    is_result(store_pause(rig->store, "", "why", &first), STORE_OK, "no pause");
    ok(first, "it is the first");
    is_result(store_resume(rig->store, NULL), STORE_OK, "lifted");
    struct store_claim claim = rig_state("shop:1", "aa", rig_now_s() - 1000);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_NEW, "and the same order is new");
}

static void namespaces(struct rig *rig)
{
    static const char *const location[] = {"GHL_LOCATION_ID=elsewhere", NULL},
                             *const dry[] = {"GHL_DRY_RUN=yes", NULL},
                             *const prefix[] = {"REDIS_PREFIX=p", NULL};
    const char *const *const settings[] = {location, dry, prefix};
    const char *const hash[] = {"aa"};
    char token[STORE_TOKEN_SIZE];
    int64_t newest;

    struct store_claim claim = rig_state("shop:1", "aa", rig_now_s() - 1000);
    claim.work = false;
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_DEFERRED, "given an order");
    rig_new(rig, "shop:2", "aa", token);
    is_result(store_park(rig->store, "shop:2", token, "why", NULL), STORE_OK, "a parked one");
    is_result(store_contact_lock(rig->store, hash, 1, "theirs", LEASE_MS, &newest), STORE_OK, "a lock");
    is_result(store_card_take(rig->store, "card", "shop:1", 1, CARD_TAKE), STORE_OK, "a card");
    is_result(store_put(rig->store, "thing", "1", 0, false, NULL), STORE_OK, "a thing");
    is_result(store_count(rig->store, "word", false), STORE_OK, "a counter");
    is_result(store_heartbeat(rig->store), STORE_OK, "a heartbeat");
    is_result(store_breaker(rig->store, false, NULL), STORE_OK, "a failure");
    is_result(store_pause(rig->store, "", "why", NULL), STORE_OK, "and a pause");
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        struct rig other;
        tap_note("under %s", settings[i][0]);
        if (rig_join(&other, rig, settings[i]))
            nothing_is_seen(&other);
        rig_close(&other);
    }
    struct store_stats s = rig_stats(rig);
    ok(s.paused, "the pause is still there");
    is_int(s.waiting, 1, "so is the order");
    is_int(s.parked, 1, "and the parked one");
}

int main(void)
{
    static const struct rig_case cases[] = {
        RIG_CASE(contact_locks),
        RIG_CASE(cards),
        RIG_CASE(pace_of_a_backlog),
        RIG_CASE(a_backlog_alone),
        RIG_CASE(nothing_is_left),
        RIG_CASE(a_backlog_beside_others),
        RIG_CASE(the_most_of_a_window),
        RIG_CASE(a_slot_is_taken_or_not),
        RIG_CASE(the_limit_a_day),
        RIG_CASE(a_call_that_waits_for_the_next_day),
        RIG_CASE(ghl_corrects_the_pace),
        RIG_CASE(the_breaker),
        RIG_CASE(a_pause),
        RIG_CASE(counters),
        RIG_CASE(small_things),
        RIG_CASE(the_front_door),
        RIG_CASE(namespaces),
    };
    return rig_main(cases, sizeof cases / sizeof *cases);
}
