/*
 * store: a clock that was years ahead and is right again. What was written meanwhile lies far in the future;
 * nothing must wait for it.
 */
#include "store/store_rig.h"
#include <string.h>

#define AHEAD_MS (1000 * DAY_MS)

/* Leases of the embedded store go by the clock since boot, which nobody sets. */
static void right_again(struct rig *rig, int64_t later_ms)
{
    store_set_clock(rig->store, -AHEAD_MS);
    store_shift_clock(rig->store, later_ms);
}

static int64_t wait_of_a_call(struct rig *rig)
{
    int64_t wait_ms = -7;
    is_result(store_pace(rig->store, 0, &wait_ms), STORE_OK, "a call");
    return wait_ms;
}

static void ghl_says(struct rig *rig, struct store_limits limits, const char *what)
{
    is_result(store_pace_correct(rig->store, &limits), STORE_OK, "%s", what);
}

static void the_pace(struct rig *rig)
{
    store_set_clock(rig->store, AHEAD_MS);
    for (int i = 0; i < 10; i++)
        ok(wait_of_a_call(rig) < 10000, "given calls");
    right_again(rig, 0);
    is_int(wait_of_a_call(rig), 0, "goes");
}

static void a_wait_that_ghl_asked_for(struct rig *rig)
{
    store_set_clock(rig->store, AHEAD_MS);
    ghl_says(rig, (struct store_limits){.hold_ms = HOUR_MS, .window_remaining = -1, .daily_remaining = -1},
             "given a Retry-After of an hour");
    is_left(wait_of_a_call(rig), HOUR_MS, "waits");
    right_again(rig, 0);
    is_int(wait_of_a_call(rig), 0, "goes");
    ghl_says(rig, (struct store_limits){.hold_ms = MINUTE_MS, .window_remaining = -1, .daily_remaining = -1},
             "another, of a minute");
    is_left(wait_of_a_call(rig), MINUTE_MS, "waits for that one");
}

static void the_limit_a_day(struct rig *rig)
{
    static const char *const few[] = {"GHL_RATE_PER_DAY=2", NULL};
    const struct store_limits none = {.window_remaining = -1, .daily_reset_ms = HOUR_MS},
                              some = {
                                  .window_remaining = -1, .daily_remaining = 2, .daily_reset_ms = HOUR_MS};
    struct rig other;

    if (!rig_join(&other, rig, few))
        return;
    store_set_clock(other.store, AHEAD_MS);
    for (int i = 0; i < 2; i++)
        is_int(wait_of_a_call(&other), 0, "call %d of 2 a day", i + 1);
    is_left(wait_of_a_call(&other), DAY_MS, "waits until tomorrow");
    right_again(&other, 0);
    is_int(wait_of_a_call(&other), 0, "goes");
    ghl_says(&other, none, "GHL's day is used up for an hour");
    is_left(wait_of_a_call(&other), HOUR_MS, "waits for the hour");
    store_set_clock(other.store, AHEAD_MS);
    ghl_says(&other, none, "and once more, years ahead");
    right_again(&other, 0);
    is_int(wait_of_a_call(&other), 0, "goes");
    store_set_clock(other.store, AHEAD_MS);
    ghl_says(&other, none, "the same");
    right_again(&other, MINUTE_MS);
    ghl_says(&other, some, "but some are left when the clock is right");
    is_int(wait_of_a_call(&other), 0, "goes");
    ghl_says(&other, none, "and none once more");
    is_left(wait_of_a_call(&other), HOUR_MS, "waits for the hour");
    rig_close(&other);
}

static void a_sign_of_others(struct rig *rig)
{
    struct store_limits limits = {
        .window_remaining = 4, .window_ms = 10000, .shared = true, .daily_remaining = -1};

    store_set_clock(rig->store, AHEAD_MS);
    ghl_says(rig, limits, "given a sign that others use the limit");
    right_again(rig, 0);
    limits.shared = false;
    ghl_says(rig, limits, "and none");
    is_int(wait_of_a_call(rig), 0, "goes");
}

static int64_t fail(struct rig *rig, int times)
{
    int64_t open_ms = 0;
    for (int i = 0; i < times; i++)
        is_result(store_breaker(rig->store, false, &open_ms), STORE_OK, "a failure");
    return open_ms;
}

static void the_breaker(struct rig *rig)
{
    store_set_clock(rig->store, AHEAD_MS);
    is_left(fail(rig, 5), 30000, "opens it");
    right_again(rig, 0);
    is_result(store_probe(rig->store, STORE_HOLD_BREAKER), STORE_OK, "it is probed");
    is_left(fail(rig, 1), MINUTE_MS, "keeps it open for longer");
    is_result(store_probe(rig->store, STORE_HOLD_BREAKER), STORE_NONE, "no probe meanwhile");
    store_set_clock(rig->store, AHEAD_MS);
    is_result(store_probe(rig->store, STORE_HOLD_BREAKER), STORE_OK, "given a probe, years ahead");
    right_again(rig, MINUTE_MS);
    is_result(store_probe(rig->store, STORE_HOLD_BREAKER), STORE_OK, "another's is not kept off by it");
    is_result(store_probe(rig->store, STORE_HOLD_BREAKER), STORE_NONE, "one");
}

static void a_pause(struct rig *rig)
{
    store_set_clock(rig->store, AHEAD_MS);
    is_result(store_pause(rig->store, "aa", "why", NULL), STORE_OK, "given a pause");
    right_again(rig, 0);
    is_result(store_probe(rig->store, STORE_HOLD_PAUSED), STORE_OK, "it is probed");
    is_result(store_probe(rig->store, STORE_HOLD_PAUSED), STORE_NONE, "once");
    store_shift_clock(rig->store, MINUTE_MS);
    is_result(store_probe(rig->store, STORE_HOLD_PAUSED), STORE_OK, "and every minute");
}

static void a_lease(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    struct store_entry entry = {0};

    store_set_clock(rig->store, AHEAD_MS);
    rig_new(rig, "shop:1", "aa", token);
    right_again(rig, LEASE_MS + 1000);
    rig_due(rig, "shop:1", &entry);
    store_entry_free(&entry);
    rig_due(rig, NULL, &entry);
    store_set_clock(rig->store, AHEAD_MS);
    rig_new(rig, "shop:2", "aa", token);
    right_again(rig, LEASE_MS + 1000);
    rig_new(rig, "shop:2", "bb", token);
}

static void a_wait(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    struct store_entry entry = {0};

    store_set_clock(rig->store, AHEAD_MS);
    rig_new(rig, "shop:1", "aa", token);
    is_result(store_retry(rig->store, "shop:1", token, HOUR_MS, true, false, "why"), STORE_OK,
              "given an order that waits for an hour");
    rig_due(rig, NULL, &entry);
    right_again(rig, 0);
    rig_new(rig, "shop:2", "aa", token);
    is_result(store_retry(rig->store, "shop:2", token, HOUR_MS, true, false, "why"), STORE_OK,
              "and another, when the clock is right");
    rig_due(rig, "shop:1", &entry);
    store_entry_free(&entry);
    rig_due(rig, NULL, &entry);
}

static void a_customer_in_work(struct rig *rig)
{
    const char *const hash[] = {"aa", "bb"};
    int64_t newest;

    store_set_clock(rig->store, AHEAD_MS);
    is_result(store_contact_lock(rig->store, hash, 2, "one", LEASE_MS, &newest), STORE_OK, "given a lock");
    right_again(rig, LEASE_MS + 1000);
    is_result(store_contact_unlock(rig->store, hash, 1, "one", 0), STORE_LOST, "it is over");
    is_result(store_contact_lock(rig->store, hash, 2, "two", LEASE_MS, &newest), STORE_OK, "another's");
    is_result(store_contact_lock(rig->store, hash, 2, "three", LEASE_MS, &newest), STORE_NONE, "holds");
}

/* What comes now comes after all that was seen. */
static void an_end_that_comes_later(struct rig *rig)
{
    struct store_claim claim = rig_state("shop:1", "aa", rig_now_s() - 1000);
    struct store_claim_reply reply;
    struct store_entry entry = {0};

    claim.created_s += 2 * 3600; /* after the store was born, which is when the clock is ahead */
    claim.creates = false;
    claim.status = "cancelled";
    store_set_clock(rig->store, HOUR_MS);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_IGNORED, "given an end");
    store_set_clock(rig->store, -HOUR_MS);
    claim.fingerprint = "bb";
    claim.status = "failed";
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_IGNORED, "and another of the same second");
    claim = rig_state("shop:1", "cc", rig_now_s() - 2000);
    is_claim(store_claim(rig->store, &claim, &reply, &entry), CLAIM_NEW, "a sale that comes late");
    is_str(entry.status, "failed", "ended as the last one says");
    store_entry_free(&entry);
}

int main(void)
{
    static const struct rig_case cases[] = {
        RIG_CASE(the_pace),
        RIG_CASE(a_wait_that_ghl_asked_for),
        RIG_CASE(the_limit_a_day),
        RIG_CASE(a_sign_of_others),
        RIG_CASE(the_breaker),
        RIG_CASE(a_pause),
        RIG_CASE(a_lease),
        RIG_CASE(a_wait),
        RIG_CASE(a_customer_in_work),
        RIG_CASE(an_end_that_comes_later),
    };
    return rig_main(cases, sizeof cases / sizeof *cases);
}
