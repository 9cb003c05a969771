#include "queue/location_rules.h"
#include "tap.h"
#include <stdio.h>
#include <string.h>

#define NOW 1700000000000LL
#define MINUTE 60000LL
#define DAY (24 * 60 * MINUTE)

/* -- the circuit breaker -- */

static void test_breaker(void)
{
    static const int64_t open_s[] = {30, 60, 120, 240, 300, 300};
    struct location_record l = {0};
    int64_t now = NOW;

    ok(!breaker_heard(&l, true, now), "a success changes nothing");
    for (int i = 0; i < 4; i++)
        ok(breaker_heard(&l, false, now), "failure %d counts", i + 1);
    is_int(location_hold(&l), HOLD_NONE, "four failures hold nothing");
    ok(breaker_heard(&l, true, now) && l.failures == 0, "a success between forgets them");
    for (int i = 0; i < 5; i++)
        (void)breaker_heard(&l, false, now);
    is_int(location_hold(&l), HOLD_BREAKER, "five in a row open it");
    for (size_t i = 0; i < sizeof open_s / sizeof *open_s; i++) {
        is_int(breaker_open_ms(&l, now), open_s[i] * 1000, "opened %d times: %d s", (int)i + 1,
               (int)open_s[i]);
        (void)breaker_heard(&l, false, now + 1000);
        is_int(breaker_open_ms(&l, now + 1000), open_s[i] * 1000 - 1000,
               "a straggler's failure changes nothing");
        ok(!hold_probe(&l, HOLD_BREAKER, now), "no probe while it is open");
        now += open_s[i] * 1000;
        ok(hold_probe(&l, HOLD_BREAKER, now), "then one");
        ok(!hold_probe(&l, HOLD_BREAKER, now + 29999), "and no second one");
        now += 1000;
        is_int(location_hold(&l), HOLD_BREAKER, "until the probe answers, work is held");
        (void)breaker_heard(&l, false, now);
    }
    now += 5 * MINUTE;
    ok(hold_probe(&l, HOLD_BREAKER, now) && hold_probe(&l, HOLD_BREAKER, now + 30000),
       "a probe that never answers makes room for another");
    ok(breaker_heard(&l, true, now) && location_hold(&l) == HOLD_NONE && l.opened == 0,
       "a success closes it");
    ok(!hold_probe(&l, HOLD_BREAKER, now), "then nothing is to be probed");
    for (int i = 0; i < 5; i++)
        (void)breaker_heard(&l, false, now);
    is_int(breaker_open_ms(&l, now - DAY), 0, "a clock that was set back does not keep it open");
}

/* -- the pause -- */

static void test_pause(void)
{
    struct location_record l = {0};
    bool first = false;

    ok(!pause_end(&l, NULL), "nothing is paused");
    pause_begin(&l, "token1", "GHL says 401", NOW, &first);
    ok(first && location_hold(&l) == HOLD_PAUSED && l.paused_ms == NOW, "a pause holds all work");
    pause_begin(&l, "token1", "GHL says 403", NOW + 1000, &first);
    ok(!first && l.paused_ms == NOW, "it is since the first refusal");
    is_str(l.pause_reason, "GHL says 403", "the reason is the last one's");
    ok(!hold_probe(&l, HOLD_PAUSED, NOW + MINUTE - 1), "for a minute nothing is probed");
    ok(hold_probe(&l, HOLD_PAUSED, NOW + MINUTE) && !hold_probe(&l, HOLD_PAUSED, NOW + MINUTE + 1),
       "then one call a minute");
    ok(hold_probe(&l, HOLD_PAUSED, NOW + 2 * MINUTE), "each minute");
    ok(hold_probe(&l, HOLD_PAUSED, NOW - DAY), "also if the clock was set back");
    ok(!pause_end(&l, "token1"), "the same token does not lift it");
    ok(pause_end(&l, "token2") && location_hold(&l) == HOLD_NONE && !l.pause_reason[0], "another one does");
    pause_begin(&l, "", "no such pipeline", NOW, &first);
    ok(!pause_end(&l, "token2"), "a pause that is not about a token stays if the token changes");
    ok(pause_end(&l, NULL) && !hold_probe(&l, HOLD_PAUSED, NOW + DAY), "a person lifts any");
    for (int i = 0; i < 5; i++)
        (void)breaker_heard(&l, false, NOW);
    pause_begin(&l, "", "", NOW, &first);
    is_int(location_hold(&l), HOLD_PAUSED, "a pause comes before the breaker");
}

/* -- the store's memory -- */

static void test_memory(void)
{
    static const struct {
        const char *what, *store_id, *server, *known_id;
        int64_t known_first_use_ms;
        enum memory want;
        bool forgot;
        int64_t first_use_ms;
    } cases[] = {
        {"nothing changed", "id1", "s1", "id1", 50, MEMORY_SAME, false, 100},
        {"this machine sees the store for the first time", "id1", "s1", "", 0, MEMORY_SAME, false, 100},
        {"a first installation", "", "s1", "", 0, MEMORY_FIRST, false, NOW},
        {"the store was deleted", "", "s1", "id1", 50, MEMORY_LOST, true, 50},
        {"the store was deleted, by a clock of later", "", "s1", "id1", NOW + 5, MEMORY_LOST, true, NOW},
        {"another store than this machine knows", "id2", "s1", "id1", 50, MEMORY_LOST, true, 50},
        {"another store that is older than this machine", "id2", "s1", "id1", 500, MEMORY_LOST, true, 100},
        {"a failover, or a restored backup", "id1", "s2", "id1", 50, MEMORY_MOVED, true, 100},
        {"moved, seen by a machine that is new", "id1", "s2", "", 0, MEMORY_MOVED, true, 100},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct location_record l = {.first_use_ms = *cases[i].store_id ? 100 : 0};
        snprintf(l.store_id, sizeof l.store_id, "%s", cases[i].store_id);
        snprintf(l.server, sizeof l.server, "%s", *cases[i].store_id ? cases[i].server : "");
        enum memory got =
            memory_check(&l, cases[i].known_id, cases[i].known_first_use_ms, cases[i].server, 0, "new", NOW);
        if (cases[i].want == MEMORY_MOVED) {
            snprintf(l.server, sizeof l.server, "s1");
            got = memory_check(&l, cases[i].known_id, cases[i].known_first_use_ms, "s2", 0, "new", NOW);
        }
        is_int(got, cases[i].want, "%s", cases[i].what);
        ok((l.up_ms == NOW) == cases[i].forgot && (l.lost_ms == NOW) == cases[i].forgot &&
               (l.reconcile_ms == NOW) == cases[i].forgot,
           "%s: %s", cases[i].what, cases[i].forgot ? "a reconcile is wanted" : "it forgot nothing");
        is_int(l.first_use_ms, cases[i].first_use_ms, "%s: the installation's first use", cases[i].what);
        is_str(l.store_id, *cases[i].store_id ? cases[i].store_id : "new", "%s: the store's id",
               cases[i].what);
        is_int(memory_check(&l, l.store_id, 0, cases[i].want == MEMORY_MOVED ? "s2" : l.server, 0, "other",
                            NOW + 1),
               MEMORY_SAME, "%s: then all is well", cases[i].what);
        is_str(l.server, cases[i].want == MEMORY_MOVED ? "s2" : cases[i].server, "%s: the server",
               cases[i].what);
    }
    struct location_record l = {.store_id = "id1", .server = "s2", .up_ms = 500};
    is_int(memory_check(&l, "id1", 1, "s2", 500, "new", NOW), MEMORY_SAME,
           "a process that did nothing on the old server since the new one took over");
    is_int(memory_check(&l, "id1", 1, "s2", 501, "new", NOW), MEMORY_MOVED,
           "one that did: the new one does not have it");
    is_int(l.up_ms, NOW, "it is looked for");
}

static void test_shops(void)
{
    struct location_record l = {0};
    char name[41] = "";

    ok(!location_has_shop(&l, "a") && !location_has_shop(&l, ""), "no shop yet");
    ok(location_saw_shop(&l, "shop", ""), "the first is news");
    ok(!location_saw_shop(&l, "shop", ""), "once");
    ok(location_saw_shop(&l, "myshop", "") && location_saw_shop(&l, "sho", ""), "others, too");
    ok(location_has_shop(&l, "shop") && location_has_shop(&l, "myshop") && location_has_shop(&l, "sho"),
       "all are known");
    ok(!location_has_shop(&l, "hop") && !location_has_shop(&l, "my") && !location_has_shop(&l, "shops"),
       "but no part of a name");
    ok(location_saw_shop(&l, "shop", "shop.example.com"), "its site is news");
    ok(!location_saw_shop(&l, "shop", "other.example.com"), "the first site stays");
    is_str(l.site, "shop.example.com", "it is the first one");
    memset(name, 'x', sizeof name - 1);
    for (int i = 0; i < 20; i++) {
        name[0] = (char)('a' + i);
        (void)location_saw_shop(&l, name, "");
    }
    ok(strlen(l.shops) < sizeof l.shops && location_has_shop(&l, "shop"), "too many: the first ones stay");
    memset(&l, 0, sizeof l);
    memset(name, 'y', 15);
    name[15] = '\0'; /* 16 names and the spaces between fill it */
    for (int i = 0; i < 17; i++) {
        name[0] = (char)('a' + i);
        ok(location_saw_shop(&l, name, "") == (i < 16) && location_has_shop(&l, name) == (i < 16), "shop %d",
           i);
    }
}

/* -- the rate limiter -- */

static const struct limiter_terms usual = {.count = 100, .window_ms = 10000, .per_day = 200000};

static void test_limiter_rate(void)
{
    struct limiter_record l = {0};
    int64_t sum = 0;

    is_int(limiter_take(&l, &usual, 0, NOW), 0, "the first call goes at once");
    is_int(limiter_take(&l, &usual, 0, NOW), 0, "and one more");
    int64_t wait = limiter_take(&l, &usual, 0, NOW);
    ok(wait > 0 && wait <= 110, "the third waits for its slot");
    is_int(limiter_take(&l, &usual, 0, NOW), wait, "who does not want to wait takes none");
    is_int(limiter_take(&l, &usual, 1000, NOW), wait, "who waits takes it");
    ok(limiter_take(&l, &usual, 1000, NOW) > wait, "the next one is another");
    for (int i = 0; i < 50; i++)
        sum = limiter_take(&l, &usual, 100000, NOW);
    ok(sum > 5000, "a crowd is spread");
    is_int(limiter_take(&l, &usual, 0, NOW - 2 * DAY), 0,
           "what was written before a clock was set back counts not");
    is_int(limiter_most(&usual, 10000), 98, "less than 99 %% of the limit");
    is_int(limiter_most(&usual, 0), 2, "two at once");
    for (int64_t count = 1; count < 400; count++)
        if (limiter_most(&(struct limiter_terms){count, 10000, 1}, 10000) > (count > 1 ? count : 2))
            ok(false, "a window of %d calls holds %d", (int)count,
               (int)limiter_most(&(struct limiter_terms){count, 10000, 1}, 10000));
}

struct walk {
    uint64_t seed;
    struct limiter_record limiter;
    struct limiter_terms terms;
    int64_t now_ms, call[4096], calls, worst, longest_ms;
};

static int64_t any(struct walk *w, int64_t below)
{
    w->seed = w->seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (int64_t)((w->seed >> 33) % (uint64_t)below);
}

/* Calls at random moments; none of them knows of the others but through the record. */
static void walk_step(struct walk *w, bool hear)
{
    int64_t max_wait = any(w, 3) ? any(w, 3000) : 0;
    int64_t wait = limiter_take(&w->limiter, &w->terms, max_wait, w->now_ms);

    if (wait <= max_wait) {
        int64_t at = w->now_ms + wait, in_window = 1;
        for (int64_t i = w->calls - 1; i >= 0 && i > w->calls - 1000; i--) {
            int64_t apart = at - w->call[i % 4096];
            in_window += apart >= 0 && apart < w->terms.window_ms;
        }
        w->call[w->calls++ % 4096] = at;
        if (in_window > w->worst)
            w->worst = in_window;
    }
    if (wait > w->longest_ms)
        w->longest_ms = wait;
    if (hear && wait <= max_wait && !any(w, 4)) {
        const struct limiter_heard heard = {.hold_ms = any(w, 3)   ? 0
                                                       : any(w, 2) ? any(w, 20000)
                                                                   : 86400000,
                                            .window_remaining = any(w, 5) - 1,
                                            .window_ms = any(w, 2) ? 0 : any(w, DAY * 2),
                                            .shared = !any(w, 5),
                                            .daily_remaining = any(w, 4) - 1,
                                            .daily_reset_ms = any(w, 2) ? 0 : any(w, DAY * 2)};
        limiter_hear(&w->limiter, &w->terms, &heard, w->now_ms);
    }
    w->now_ms +=
        any(w, 20) ? any(w, 2 * w->terms.window_ms / w->terms.count + 2) : any(w, w->terms.window_ms);
}

static void test_limiter_walks(void)
{
    static const struct limiter_terms terms[] = {{100, 10000, 1000000}, {100, 10000, 500},
                                                 {10, 1000, 1000000},   {7, 1000, 1000000},
                                                 {1, 1000, 50},         {30, 60000, 1000000}};

    for (size_t i = 0; i < sizeof terms / sizeof *terms; i++)
        for (int hear = 0; hear < 2; hear++) {
            static struct walk w;
            int64_t slot_ms = 2 * terms[i].window_ms / terms[i].count;
            w = (struct walk){.seed = 4711 + i, .terms = terms[i], .now_ms = NOW};
            for (int step = 0; step < 20000; step++)
                walk_step(&w, hear);
            ok(w.worst <= terms[i].count, "%d calls in %d ms%s: no window held more than %d",
               (int)terms[i].count, (int)terms[i].window_ms, hear ? ", GHL's answers at random" : "",
               (int)w.worst);
            ok(w.longest_ms <= LIMITER_HOLD_MAX_MS + 5 * slot_ms + 3000,
               "nobody waits longer than five minutes and a "
               "few slots: %d ms",
               (int)w.longest_ms);
            ok(w.calls > 10, "%d calls went", (int)w.calls);
        }
}

/* No answer stops all calls for longer than five minutes. */
static void test_limiter_hears(void)
{
    static const struct {
        const char *what;
        struct limiter_heard heard;
        int64_t wait_ms; /* of the next call */
        bool reason;
    } cases[] = {
        {"nothing", {0, -1, 0, false, -1, 0}, 0, false},
        {"Retry-After: 3", {3000, -1, 0, false, -1, 0}, 3000, true},
        {"Retry-After: 86400", {86400000, -1, 0, false, -1, 0}, LIMITER_HOLD_MAX_MS, true},
        {"calls are left of the window", {0, 50, 10000, false, -1, 0}, 0, false},
        {"no call is left of the window", {0, 0, 10000, false, -1, 0}, 1000, true},
        {"no call is left of the window, which is not said", {0, 0, 0, false, -1, 0}, 1000, true},
        {"no call is left of a window of a day", {0, 0, DAY - 1, false, -1, 0}, LIMITER_HOLD_MAX_MS, true},
        {"others use the limit: what is left is spread", {0, 9, 10000, true, -1, 0}, 100, true},
        {"calls are left of the day", {0, -1, 0, false, 1000, 0}, 0, false},
        {"no call is left of the day", {0, -1, 0, false, 0, 0}, LIMITER_HOLD_MAX_MS, true},
        {"no call is left of the day, which ends in a minute", {0, -1, 0, false, 0, MINUTE}, MINUTE, true},
        {"no call is left of a day of a week", {0, -1, 0, false, 0, 7 * DAY}, LIMITER_HOLD_MAX_MS, true},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct limiter_record l = {0};
        (void)limiter_take(&l, &usual, 0, NOW);
        limiter_hear(&l, &usual, &cases[i].heard, NOW);
        is_int(limiter_take(&l, &usual, -1, NOW), cases[i].wait_ms, "%s", cases[i].what);
        ok((l.hold_reason[0] != '\0') == cases[i].reason, "%s: %s", cases[i].what,
           cases[i].reason ? l.hold_reason : "no reason");
        struct limiter_record released = l;
        is_int(limiter_release(&released, NOW), cases[i].wait_ms > 0, "%s: a person does not wait",
               cases[i].what);
        is_int(limiter_take(&released, &usual, 0, NOW), 0, "%s: so a call goes", cases[i].what);
        is_int(limiter_take(&l, &usual, 0, NOW + cases[i].wait_ms), 0, "%s: then a call goes", cases[i].what);
    }
}

static void test_limiter_holds(void)
{
    struct limiter_record l = {0};

    limiter_hear(&l, &usual, &(struct limiter_heard){60000, -1, 0, false, -1, 0}, NOW);
    limiter_hear(&l, &usual, &(struct limiter_heard){3000, -1, 0, false, -1, 0}, NOW);
    is_int(limiter_take(&l, &usual, -1, NOW), 60000, "the longer hold counts");
    ok(l.hold_reason[0] != '\0', "it has a reason");
    is_int(limiter_take(&l, &usual, 60000, NOW), 60000, "who waits so long takes its slot");
    ok(!l.hold_reason[0], "then the reason is over");
    l = (struct limiter_record){0};
    limiter_hear(&l, &usual, &(struct limiter_heard){0, -1, 0, false, 7, 0}, NOW);
    ok(l.day_left == 7 && l.day_until_ms == NOW + DAY, "what GHL says first of its day is known");
    (void)limiter_take(&l, &usual, 0, NOW);
    is_int(l.day_left, 6, "and counted down");
}

static void test_limiter_day(void)
{
    const struct limiter_terms terms = {.count = 100, .window_ms = 10000, .per_day = 5};
    struct limiter_record l = {0};

    for (int i = 0; i < 5; i++)
        ok(limiter_take(&l, &terms, 5000, NOW) < 1000, "call %d of 5", i + 1);
    int64_t wait = limiter_take(&l, &terms, 5000, NOW);
    ok(wait > LIMITER_HOLD_MAX_MS - 2000 && wait <= LIMITER_HOLD_MAX_MS,
       "the day is used up, also if the last call goes in a moment: %d ms", (int)wait);
    is_int(limiter_take(&l, &terms, 5000, NOW + DAY), 0, "the next day there are more");
    is_int(l.day_left, 4, "five, less this one");
    /* GHL knows better, but less only sinks. */
    limiter_hear(&l, &terms, &(struct limiter_heard){0, -1, 0, false, 2, 0}, NOW + DAY);
    is_int(l.day_left, 2, "less than thought");
    limiter_hear(&l, &terms, &(struct limiter_heard){0, -1, 0, false, 100, 0}, NOW + DAY);
    is_int(l.day_left, 2, "an answer that was overtaken is not believed");
    limiter_hear(&l, &terms, &(struct limiter_heard){0, -1, 0, false, 0, 0}, NOW + DAY);
    limiter_hear(&l, &terms, &(struct limiter_heard){0, -1, 0, false, 100, 0}, NOW + DAY);
    is_int(l.day_left, 100, "but after none, some are a new day's");
    ok(!limiter_release(&l, NOW + DAY), "nothing holds");
}

int main(void)
{
    test_breaker();
    test_pause();
    test_memory();
    test_shops();
    test_limiter_rate();
    test_limiter_walks();
    test_limiter_hears();
    test_limiter_holds();
    test_limiter_day();
    return tap_done();
}
