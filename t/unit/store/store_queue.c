/* store: the queue and the parked orders. */
#include "store/store_rig.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Written, not leased: waits, due now. */
static void defer(struct rig *rig, const char *key)
{
    struct store_claim claim = rig_state(key, "aa", rig_now_s() - 1000);
    claim.work = false;
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_DEFERRED, "given %s, waiting", key);
}

static void park(struct rig *rig, const char *key, const char *why)
{
    char token[STORE_TOKEN_SIZE];
    rig_new(rig, key, "aa", token);
    is_result(store_park(rig->store, key, token, why, NULL), STORE_OK, "given %s, parked", key);
}

/* The keys of all that wait, a space after each. */
static void is_waiting(struct rig *rig, const char *want)
{
    struct buf keys;

    buf_init(&keys, 4096);
    is_result(store_waiting(rig->store, &keys), STORE_OK, "what waits");
    for (size_t i = 0; i < keys.len; i++)
        if (!keys.data[i])
            keys.data[i] = ' ';
    is_str(keys.data, want, "is this");
    buf_free(&keys);
}

/* -- order -- */

static void the_first_due_comes_first(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    struct store_entry entry = {0};
    int64_t next_ms = 7;
    enum store_hold hold = STORE_HOLD_PAUSED;

    is_result(store_lease_due(rig->store, LEASE_MS, NULL, &entry, &next_ms, &hold), STORE_NONE,
              "an empty queue");
    is_int(next_ms, -1, "says so");
    is_int(hold, STORE_GO, "nothing holds it");
    is_waiting(rig, "");

    rig_new(rig, "shop:late", "aa", token);
    is_result(store_retry(rig->store, "shop:late", token, 20 * MINUTE_MS, true, false, ""), STORE_OK,
              "in 20 min");
    rig_new(rig, "shop:soon", "aa", token);
    is_result(store_retry(rig->store, "shop:soon", token, 10 * MINUTE_MS, true, false, ""), STORE_OK,
              "in 10 min");
    is_result(store_lease_due(rig->store, LEASE_MS, NULL, &entry, &next_ms, &hold), STORE_NONE, "not yet");
    ok(next_ms > 9 * MINUTE_MS && next_ms <= 10 * MINUTE_MS, "but in 10 min");
    is_int(hold, STORE_GO, "nothing holds it");
    defer(rig, "shop:now");
    rig_due(rig, "shop:now", &entry);
    store_entry_free(&entry);
    store_shift_clock(rig->store, 30 * MINUTE_MS);
    rig_due(rig, "shop:now", &entry); /* its lease ran out after a minute */
    store_entry_free(&entry);
    rig_due(rig, "shop:soon", &entry);
    store_entry_free(&entry);
    rig_due(rig, "shop:late", &entry);
    store_entry_free(&entry);
    is_result(store_lease_due(rig->store, LEASE_MS, NULL, &entry, &next_ms, &hold), STORE_NONE,
              "all are leased");
    ok(next_ms > 0 && next_ms <= LEASE_MS, "until a lease runs out");
}

static void one_alone(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    struct store_entry entry = {0};

    rig_new(rig, "shop:late", "aa", token);
    is_result(store_retry(rig->store, "shop:late", token, HOUR_MS, true, false, ""), STORE_OK,
              "given one in an hour");
    defer(rig, "shop:now");
    park(rig, "shop:parked", "no");
    rig_new(rig, "shop:done", "aa", token);
    rig_finish(rig, "shop:done", token, "aa", "contact", "card");
    is_waiting(rig, "shop:now shop:late ");
    is_result(store_lease_due(rig->store, LEASE_MS, "shop:late", &entry, NULL, NULL), STORE_OK,
              "it is leased when it is asked for");
    is_str(entry.key, "shop:late", "it and not the one that is due");
    is_waiting(rig, "shop:now shop:late ");
    store_entry_free(&entry);
    is_result(store_lease_due(rig->store, LEASE_MS, "shop:late", &entry, NULL, NULL), STORE_NONE,
              "but not from a worker that has it");
    is_result(store_lease_due(rig->store, LEASE_MS, "shop:parked", &entry, NULL, NULL), STORE_NONE,
              "nor is a parked one");
    is_result(store_lease_due(rig->store, LEASE_MS, "shop:done", &entry, NULL, NULL), STORE_NONE,
              "nor one that is done");
    is_result(store_lease_due(rig->store, LEASE_MS, "shop:unknown", &entry, NULL, NULL), STORE_NONE,
              "nor an unknown one");
    ok(rig_look(rig, "shop:parked").parked, "which changes nothing");
    struct store_claim claim = rig_state("shop:late", "bb", rig_now_s());
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_BUSY, "another state comes");
    store_shift_clock(rig->store, LEASE_MS + 1000);
    is_result(store_lease_due(rig->store, LEASE_MS, "shop:late", &entry, NULL, NULL), STORE_OK,
              "a lease that ran out is free");
    is_str(entry.body, "bb", "for the newest state");
    store_entry_free(&entry);
}

static void a_hold_stops_the_queue(struct rig *rig)
{
    struct store_entry entry = {0};
    int64_t next_ms = 7;
    enum store_hold hold = STORE_GO;
    bool first;

    is_result(store_pause(rig->store, "", "why", &first), STORE_OK, "given a pause");
    is_result(store_lease_due(rig->store, LEASE_MS, NULL, &entry, &next_ms, &hold), STORE_NONE,
              "nothing due");
    is_int(hold, STORE_GO, "is not held");
    defer(rig, "shop:1");
    is_result(store_lease_due(rig->store, LEASE_MS, NULL, &entry, &next_ms, &hold), STORE_NONE, "one due");
    is_int(hold, STORE_HOLD_PAUSED, "is");
    is_result(store_lease_due(rig->store, LEASE_MS, "shop:1", &entry, NULL, NULL), STORE_OK,
              "asked for, it goes on");
    is_result(store_retry(rig->store, "shop:1", entry.token, 0, true, false, ""), STORE_OK, "given back");
    store_entry_free(&entry);
    is_result(store_resume(rig->store, NULL), STORE_OK, "resumed");
    for (int i = 0; i < 5; i++)
        is_result(store_breaker(rig->store, false, NULL), STORE_OK, "given an open breaker");
    is_result(store_lease_due(rig->store, LEASE_MS, NULL, &entry, &next_ms, &hold), STORE_NONE, "one due");
    is_int(hold, STORE_HOLD_BREAKER, "is held by it");
    store_shift_clock(rig->store, MINUTE_MS);
    is_result(store_lease_due(rig->store, LEASE_MS, NULL, &entry, &next_ms, &hold), STORE_NONE,
              "also when its time is over: a probe comes first");
    is_result(store_breaker(rig->store, true, NULL), STORE_OK, "which is told");
    rig_due(rig, "shop:1", &entry);
    store_entry_free(&entry);
}

static void a_lease_that_ran_out(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    struct store_entry entry = {0};

    rig_new(rig, "shop:1", "aa", token);
    struct store_claim claim = rig_state("shop:1", "bb", rig_now_s() - 900);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_BUSY, "given one that waits");
    rig_due(rig, NULL, &entry);
    store_shift_clock(rig->store, LEASE_MS + 1000);
    rig_due(rig, "shop:1", &entry);
    is_str(entry.body, "bb", "it is promoted");
    ok(!rig_look(rig, "shop:1").has_waiting_body, "nothing waits");
    store_entry_free(&entry);
    rig_due(rig, NULL, &entry);
}

/* A clock that was stepped back by a week: what is due further ahead than it can be counts as due. */
static void a_clock_stepped_back(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    struct store_entry entry = {0};

    store_shift_clock(rig->store, 7 * DAY_MS);
    rig_new(rig, "shop:1", "aa", token);
    is_result(store_retry(rig->store, "shop:1", token, 0, true, false, ""), STORE_OK, "given one that waits");
    store_shift_clock(rig->store, -7 * DAY_MS);
    is_int(rig_stats(rig).due, 1, "it counts as due");
    rig_due(rig, "shop:1", &entry);
    store_entry_free(&entry);
    rig_due(rig, NULL, &entry);
}

static void a_leased_entry_tells_when_it_was_asked_for(struct rig *rig)
{
    struct store_entry entry = {0};
    defer(rig, "shop:1");
    rig_due(rig, "shop:1", &entry);
    ok(entry.asked_mono_ms > 0, "on this process's clock");
    store_entry_free(&entry);
}

/* -- parked -- */

static void the_list(struct rig *rig)
{
    struct store_parked *list = NULL;
    size_t n = 7;
    char key[16], why[16];

    is_result(store_parked_list(rig->store, "", 10, &list, &n), STORE_OK, "an empty list");
    is_int(n, 0, "is empty");
    store_parked_free(list, n, true);
    for (int i = 1; i <= 3; i++) {
        snprintf(key, sizeof key, "shop:%d", 10 - i);
        snprintf(why, sizeof why, "why %d", i);
        park(rig, key, why);
        store_shift_clock(rig->store, HOUR_MS);
    }
    is_result(store_parked_list(rig->store, "", 10, &list, &n), STORE_OK, "given three");
    if (is_int(n, 3, "three are listed")) {
        is_str(list[0].key, "shop:9", "the oldest first");
        is_str(list[2].key, "shop:7", "the newest last");
        is_str(list[1].why, "why 2", "each with its reason");
        ok(!list[0].body, "without bodies");
        is_about(list[0].age_s * 1000, 3 * HOUR_MS, "and its age");
    }
    store_parked_free(list, n, true);
    is_result(store_parked_list(rig->store, "", 2, &list, &n), STORE_OK, "two at most");
    is_int(n, 2, "are two");
    store_parked_free(list, n, true);
    is_result(store_parked_list(rig->store, "shop:8", 10, &list, &n), STORE_OK, "after the second");
    if (is_int(n, 1, "comes one"))
        is_str(list[0].key, "shop:7", "the third");
    store_parked_free(list, n, true);
    is_result(store_parked_list(rig->store, "shop:7", 10, &list, &n), STORE_OK, "after the last");
    is_int(n, 0, "comes none");
    store_parked_free(list, n, true);
}

static void one_of_them(struct rig *rig)
{
    struct store_parked one;
    struct store_entry entry = {0};

    is_result(store_parked_get(rig->store, "shop:1", &one), STORE_NONE, "an unknown order");
    defer(rig, "shop:2");
    is_result(store_parked_get(rig->store, "shop:2", &one), STORE_NONE, "one that waits");
    is_result(store_requeue(rig->store, "shop:2"), STORE_NONE, "cannot be requeued");
    is_result(store_drop(rig->store, "shop:2"), STORE_NONE, "nor dropped");
    rig_due(rig, "shop:2", &entry);
    is_result(store_retry(rig->store, "shop:2", entry.token, 0, true, false, ""), STORE_OK, "an attempt");
    store_entry_free(&entry);
    rig_due(rig, "shop:2", &entry);
    is_result(store_park(rig->store, "shop:2", entry.token, "why", NULL), STORE_OK, "parked");
    store_entry_free(&entry);
    is_result(store_parked_get(rig->store, "shop:2", &one), STORE_OK, "is got");
    is_str(one.key, "shop:2", "its key");
    is_str(one.why, "why", "its reason");
    is_str(one.body, "aa", "its body, opened");
    is_int(one.body_len, 2, "its length");
    is_int(one.attempts, 1, "its attempts");
    ok(!one.status[0], "not trashed");
    store_parked_free(&one, 1, false);

    is_result(store_requeue(rig->store, "shop:2"), STORE_OK, "requeued");
    is_result(store_requeue(rig->store, "shop:2"), STORE_NONE, "once");
    is_result(store_parked_get(rig->store, "shop:2", &one), STORE_NONE, "it is parked no more");
    rig_due(rig, "shop:2", &entry);
    is_int(entry.attempts, 0, "fresh attempts");
    is_about(entry.age_ms, 0, "and a fresh age");
    ok(entry.sold, "still sold");
    store_entry_free(&entry);
}

static void dropped(struct rig *rig)
{
    struct store_parked one;

    park(rig, "shop:1", "why");
    is_result(store_drop(rig->store, "shop:1"), STORE_OK, "dropped");
    is_result(store_drop(rig->store, "shop:1"), STORE_NONE, "once");
    is_result(store_parked_get(rig->store, "shop:1", &one), STORE_NONE, "it is gone");
    is_int(rig_stats(rig).parked, 0, "and not counted");
    struct store_claim claim = rig_state("shop:1", "aa", rig_now_s() - 1000);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_DUPLICATE, "seen stays");
}

static void their_bodies_expire(struct rig *rig)
{
    struct store_parked one;
    int64_t n = 7;

    park(rig, "shop:old", "why");
    store_shift_clock(rig->store, 29 * DAY_MS);
    park(rig, "shop:young", "why");
    is_result(store_expire_parked(rig->store, &n), STORE_OK, "before DEAD_LETTER_TTL");
    is_int(n, 0, "none");
    store_shift_clock(rig->store, 2 * DAY_MS);
    is_result(store_expire_parked(rig->store, &n), STORE_OK, "after it");
    is_int(n, 1, "the old one");
    is_result(store_expire_parked(rig->store, &n), STORE_OK, "once");
    is_int(n, 0, "more is not to be done");
    is_result(store_parked_get(rig->store, "shop:old", &one), STORE_OK, "it is still known");
    ok(!one.body, "without a body");
    is_str(one.why, "why", "with its reason");
    store_parked_free(&one, 1, false);
    is_result(store_requeue(rig->store, "shop:old"), STORE_NONE, "it cannot be requeued");
    is_int(rig_stats(rig).parked, 2, "both are parked");
    is_result(store_drop(rig->store, "shop:old"), STORE_OK, "it can be dropped");
    is_result(store_requeue(rig->store, "shop:young"), STORE_OK, "the young one can be requeued");
}

static void bytes_that_are_no_order(struct rig *rig)
{
    struct store_parked one;
    struct store_entry entry = {0};
    const char bytes[] = "{\"id\":\0 broken";

    is_result(store_park_bytes(rig->store, "bad:ab", bytes, sizeof bytes, "no JSON"), STORE_OK, "kept");
    is_result(store_park_bytes(rig->store, "bad:ab", "other", 5, "other"), STORE_OK, "again");
    is_int(rig_stats(rig).parked, 1, "one is parked");
    is_result(store_parked_get(rig->store, "bad:ab", &one), STORE_OK, "they are got");
    is_int(one.body_len, sizeof bytes, "as long as they were");
    ok(one.body && !memcmp(one.body, bytes, sizeof bytes), "unchanged");
    is_str(one.why, "no JSON", "for the first reason");
    store_parked_free(&one, 1, false);
    is_result(store_requeue(rig->store, "bad:ab"), STORE_OK, "they can be requeued");
    rig_due(rig, "bad:ab", &entry);
    is_int(entry.body_len, sizeof bytes, "as they were");
    is_result(store_park(rig->store, "bad:ab", entry.token, "no JSON", NULL), STORE_OK, "parked again");
    store_entry_free(&entry);
    is_result(store_drop(rig->store, "bad:ab"), STORE_OK, "and dropped");
    is_int(rig_stats(rig).parked, 0, "none is left");
}

/* -- stats and look -- */

static void stats(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    struct store_stats s = rig_stats(rig);

    is_int(s.waiting + s.due + s.parked + s.oldest_s, 0, "nothing there");
    ok(!s.paused && !s.breaker_open_ms && !s.undrained && !s.reconcile_wanted, "nothing wrong");
    is_about(s.born_age_s * 1000, 0, "just born");
    store_shift_clock(rig->store, HOUR_MS);
    defer(rig, "shop:1");
    store_shift_clock(rig->store, HOUR_MS);
    defer(rig, "shop:2");
    rig_new(rig, "shop:3", "aa", token);
    rig_new(rig, "shop:4", "aa", token);
    is_result(store_retry(rig->store, "shop:4", token, HOUR_MS, true, false, ""), STORE_OK, "given a retry");
    park(rig, "shop:5", "why");
    s = rig_stats(rig);
    is_int(s.waiting, 4, "four wait, the leased one too");
    is_int(s.due, 2, "two are due");
    is_about(s.oldest_s * 1000, HOUR_MS, "the oldest waits for an hour");
    is_int(s.parked, 1, "one is parked");
    is_about(s.born_age_s * 1000, 2 * HOUR_MS, "born two hours ago");
    ok(s.undrained, "nobody drains");
    store_shift_clock(rig->store, LEASE_MS + 1000);
    is_int(rig_stats(rig).due, 3, "a lease that ran out is due");
}

static void look(struct rig *rig)
{
    struct store_order order;

    is_result(store_look(rig->store, "shop:1", &order), STORE_NONE, "an unknown order");
    is_result(store_look(rig->store, "", &order), STORE_NONE, "an empty key");
    defer(rig, "shop:1");
    order = rig_look(rig, "shop:1");
    is_str(order.fingerprint, "aa", "seen's fingerprint");
    ok(order.waiting && !order.leased && !order.parked, "waiting");
}

/* -- SEALING -- */

static void takes_nothing_under_another_key(struct rig *rig)
{
    struct store_claim claim = rig_state("shop:2", "bb", rig_now_s() - 1000);
    struct store_entry entry = {0};
    struct store_order order;
    char *primary = NULL;

    defer(rig, "shop:1");
    is_result(store_get(rig->store, STORE_PRIMARY_KEY, &primary), STORE_OK, "given the store's data key");
    is_result(store_put(rig->store, STORE_PRIMARY_KEY, "0123456789abcdef DATA_KEY", 0, false, NULL), STORE_OK,
              "and another one in its place");
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_OTHER_KEY, "a claim is told so");
    is_result(store_look(rig->store, "shop:2", &order), STORE_NONE, "and nothing is written");
    is_int(vault_state(rig->vault), VAULT_AWAY, "the vault is doubted");
    is_result(store_park_bytes(rig->store, "bad:1", "{", 1, "no JSON"), STORE_OTHER_KEY, "as are bytes");
    is_int(rig_stats(rig).parked, 0, "nothing is parked");
    is_result(store_lease_due(rig->store, LEASE_MS, NULL, &entry, NULL, NULL), STORE_OTHER_KEY,
              "and a drain");
    ok(!rig_look(rig, "shop:1").leased, "nothing is leased");

    is_result(store_put(rig->store, STORE_PRIMARY_KEY, primary, 0, false, NULL), STORE_OK,
              "given its own again");
    ok(vault_settle(rig->vault), "the vault settles");
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_NEW, "a claim is taken");
    rig_due(rig, "shop:1", &entry);
    store_entry_free(&entry);
    is_result(store_park_bytes(rig->store, "bad:1", "{", 1, "no JSON"), STORE_OK, "and bytes");
    free(primary);
}

static void a_store_that_lost_its_key_gets_it_back(struct rig *rig)
{
    struct store_claim claim = rig_state("shop:1", "aa", rig_now_s() - 1000);
    struct store_entry entry = {0};
    struct rig other;
    char id[VAULT_ID_SIZE];

    snprintf(id, sizeof id, "%s", vault_key_id(rig->vault));
    is_result(store_put(rig->store, STORE_PRIMARY_KEY, "", 1, false, NULL), STORE_OK,
              "given a store without a key");
    store_shift_clock(rig->store, 1000);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_OTHER_KEY, "it takes nothing");
    ok(vault_settle(rig->vault), "until the vault is settled");
    is_str(vault_key_id(rig->vault), id, "on the key that it had");
    claim.work = false;
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_DEFERRED, "then it takes");
    if (!ok(rig_join(&other, rig, NULL), "what another process"))
        return;
    store_shift_clock(other.store, 2000);
    rig_due(&other, "shop:1", &entry);
    is_str(entry.body, "aa", "can open");
    store_entry_free(&entry);
    rig_close(&other);
}

int main(void)
{
    static const struct rig_case cases[] = {
        RIG_CASE(the_first_due_comes_first),
        RIG_CASE(one_alone),
        RIG_CASE(a_hold_stops_the_queue),
        RIG_CASE(a_lease_that_ran_out),
        RIG_CASE(a_clock_stepped_back),
        RIG_CASE(a_leased_entry_tells_when_it_was_asked_for),
        RIG_CASE(the_list),
        RIG_CASE(one_of_them),
        RIG_CASE(dropped),
        RIG_CASE(their_bodies_expire),
        RIG_CASE(bytes_that_are_no_order),
        RIG_CASE(stats),
        RIG_CASE(look),
        RIG_CASE(takes_nothing_under_another_key),
        RIG_CASE(a_store_that_lost_its_key_gets_it_back),
    };
    return rig_main(cases, sizeof cases / sizeof *cases);
}
