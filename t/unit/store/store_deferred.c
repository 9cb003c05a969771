/* store: claims that nobody may work on now, and who drains them. */
#include "store/store_rig.h"
#include <stdio.h>
#include <string.h>

/* -- 5: deferred -- */

static void deferred_for_no_work(struct rig *rig)
{
    struct store_claim_reply reply;
    struct store_entry entry = {0};
    struct store_claim claim = rig_state("shop:1", "aa", rig_then());

    claim.work = false;
    is_claim(store_claim(rig->store, &claim, &reply, &entry), CLAIM_DEFERRED, "work = false");
    ok(!entry.key && !entry.body, "nothing is leased");
    ok(!reply.over_limit && reply.hold == STORE_GO, "for no other reason");
    struct store_order order = rig_look(rig, "shop:1");
    ok(order.waiting && !order.leased, "it waits");
    is_int(order.due_in_ms, 0, "due now");
    rig_due(rig, "shop:1", &entry);
    is_str(entry.body, "aa", "and can be leased");
    store_entry_free(&entry);
}

static void deferred_for_a_pause(struct rig *rig)
{
    struct store_claim_reply reply;
    struct store_entry entry = {0};
    bool first;
    struct store_claim claim = rig_state("shop:1", "aa", rig_then());

    is_result(store_pause(rig->store, "", "why", &first), STORE_OK, "given a pause");
    is_claim(store_claim(rig->store, &claim, &reply, &entry), CLAIM_DEFERRED, "written, not leased");
    is_int(reply.hold, STORE_HOLD_PAUSED, "for the pause");
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_DUPLICATE, "the same is still a duplicate");
}

static void deferred_for_the_breaker(struct rig *rig)
{
    struct store_claim_reply reply;
    struct store_entry entry = {0};
    struct store_claim claim = rig_state("shop:1", "aa", rig_then());

    for (int i = 0; i < 5; i++)
        is_result(store_breaker(rig->store, false, NULL), STORE_OK, "failure %d", i + 1);
    is_claim(store_claim(rig->store, &claim, &reply, &entry), CLAIM_DEFERRED, "written, not leased");
    is_int(reply.hold, STORE_HOLD_BREAKER, "for the breaker");
    is_int(reply.breaker_failures, 5, "the failures are told");
}

static void deferred_for_the_limit(struct rig *rig)
{
    struct store_claim_reply reply;
    struct store_entry entry = {0};
    char key[32];

    for (int i = 0; i < 3; i++) {
        snprintf(key, sizeof key, "shop:%d", i);
        struct store_claim claim = rig_state(key, "aa", rig_then());
        claim.client = "client";
        claim.client_limit = 2;
        is_claim(store_claim(rig->store, &claim, &reply, &entry), i < 2 ? CLAIM_NEW : CLAIM_DEFERRED,
                 "claim %d of two a day", i + 1);
        is_int(reply.over_limit, i == 2, "over the limit or not");
        store_entry_free(&entry);
    }
    struct store_claim claim = rig_state("shop:3", "aa", rig_then());
    claim.client = "client";
    claim.client_limit = 2;
    claim.fetched = true;
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_NEW, "a reconcile's claim is not counted");
    claim.fetched = false;
    claim.key = "shop:4";
    claim.client = "another";
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_NEW, "nor are others'");
    claim.key = "shop:5";
    claim.client = "client";
    claim.client_limit = 0;
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_NEW, "0 = no limit");
    store_shift_clock(rig->store, DAY_MS);
    claim.key = "shop:6";
    claim.client_limit = 2;
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_NEW, "the next day it begins anew");
}

/* -- the reply's word on the drain -- */

static void who_drains(struct rig *rig)
{
    struct store_claim_reply reply;
    struct store_entry entry = {0};
    struct store_claim claim = rig_state("shop:1", "aa", rig_then());

    is_result(store_heartbeat(rig->store), STORE_OK, "given a drain");
    claim.work = false;
    is_claim(store_claim(rig->store, &claim, &reply, &entry), CLAIM_DEFERRED, "and an entry that waits");
    ok(!reply.drain_needed && !reply.undrained, "it will be drained");
    store_shift_clock(rig->store, 61000);
    claim.key = "shop:2";
    claim.work = true;
    is_claim(store_claim(rig->store, &claim, &reply, &entry), CLAIM_NEW, "61 s later");
    ok(reply.drain_needed && !reply.undrained, "the drain's heartbeat is missed");
    store_entry_free(&entry);
    store_shift_clock(rig->store, 540000);
    claim.key = "shop:3";
    is_claim(store_claim(rig->store, &claim, &reply, &entry), CLAIM_NEW, "10 minutes later");
    ok(reply.drain_needed && reply.undrained, "nobody drains");
    store_entry_free(&entry);
    ok(rig_stats(rig).undrained, "the stats say so too");
    is_int(rig_stats(rig).drain_age_s / 10, 60, "and since when");
    is_result(store_heartbeat(rig->store), STORE_OK, "a heartbeat");
    ok(!rig_stats(rig).undrained, "ends it");
}

static void nobody_ever_drained(struct rig *rig)
{
    struct store_claim_reply reply;
    struct store_entry entry = {0};
    struct store_claim claim = rig_state("shop:1", "aa", rig_then());

    is_int(rig_stats(rig).drain_age_s, -1, "no heartbeat ever");
    is_claim(store_claim(rig->store, &claim, &reply, &entry), CLAIM_NEW, "an order that is leased at once");
    ok(!reply.drain_needed, "needs no drain");
    store_entry_free(&entry);
    claim.key = "shop:2";
    claim.work = false;
    is_claim(store_claim(rig->store, &claim, &reply, &entry), CLAIM_DEFERRED, "one that waits");
    ok(reply.drain_needed && !reply.undrained, "needs one");
}

int main(void)
{
    static const struct rig_case cases[] = {
        RIG_CASE(deferred_for_no_work),   RIG_CASE(deferred_for_a_pause), RIG_CASE(deferred_for_the_breaker),
        RIG_CASE(deferred_for_the_limit), RIG_CASE(who_drains),           RIG_CASE(nobody_ever_drained),
    };
    return rig_main(cases, sizeof cases / sizeof *cases);
}
