/* What a reconcile asks of the store, and what asks for one. */
#include "store/store_rig.h"

static void want(struct rig *rig)
{
    is_result(store_count(rig->store, "lost", true), STORE_OK, "a reconcile is asked for");
}

/* A wish that comes while a reconcile runs is not that one's. */
static void reconcile_wishes(struct rig *rig)
{
    is_int(rig_stats(rig).reconcile_wanted, 0, "nobody asked for a reconcile");
    is_result(store_reconciled(rig->store, 0), STORE_OK, "one that nobody asked for goes well");
    want(rig);
    int64_t first = rig_stats(rig).reconcile_wanted;
    ok(first != 0, "it is wanted");
    is_result(store_reconciled(rig->store, 0), STORE_NONE, "not by one that began before");
    is_int(rig_stats(rig).reconcile_wanted, first, "which takes nothing back");
    want(rig); /* within the same millisecond */
    int64_t second = rig_stats(rig).reconcile_wanted;
    ok(second != first, "asked for again it is another number");
    is_result(store_reconciled(rig->store, first), STORE_NONE, "the first one's reconcile ends");
    is_int(rig_stats(rig).reconcile_wanted, second, "and leaves the second wish");
    is_result(store_reconciled(rig->store, second), STORE_OK, "the second one's ends");
    is_int(rig_stats(rig).reconcile_wanted, 0, "nothing is wanted any more");
    is_result(store_reconciled(rig->store, second), STORE_OK, "another that ran beside it ends");
    want(rig);
    ok(rig_stats(rig).reconcile_wanted != 0, "it can be asked for again");
    is_result(store_reconciled(rig->store, second), STORE_NONE, "what ended before is not this");
    store_set_clock(rig->store, -HOUR_MS);
    int64_t third = rig_stats(rig).reconcile_wanted;
    want(rig);
    ok(rig_stats(rig).reconcile_wanted > third, "also when the clock was set back");
}

/* The webhook was disabled for longer than a month, and no reconcile ever ran. */
static void silence(struct rig *rig)
{
    struct store_claim claim = rig_state("shop:1", "aa", 0);
    struct store_claim_reply reply;
    struct store_entry entry = {0};

    claim.client = "c1";
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_NEW, "given a delivery");
    store_shift_clock(rig->store, 40 * DAY_MS);
    is_about(rig_stats(rig).used_age_s * 1000, 40 * DAY_MS, "forty days later the store is so old");
    claim.key = "shop:2";
    claim.created_s = rig_now_s() + 39 * DAY_MS / 1000;
    is_claim(store_claim(rig->store, &claim, &reply, &entry), CLAIM_NEW, "given the next one");
    ok(entry.look_first, "which is looked for, as links may have expired");
    store_entry_free(&entry);
    is_about(rig_stats(rig).used_age_s * 1000, 40 * DAY_MS, "it is no younger: what came between was missed");
    store_shift_clock(rig->store, 40 * DAY_MS);
    claim.key = "shop:3";
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_NEW, "after another silence");
    is_about(rig_stats(rig).used_age_s * 1000, 80 * DAY_MS, "neither");
}

static void forgotten(struct rig *rig)
{
    is_int(rig_stats(rig).forgot_ms, 0, "it never lost anything");
    struct store_claim claim = rig_state("shop:1", "aa", 0);
    claim.creates = false;
    claim.status_only = true;
    claim.status = "trash";
    claim.created_s = 0;
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_IGNORED, "an unknown order is deleted");
    is_int(rig_stats(rig).reconcile_wanted, 0, "it is no matter");
    is_result(store_forgot(rig->store, "0123456789abcdef"), STORE_OK, "it loses what it knew");
    int64_t first = rig_stats(rig).reconcile_wanted;
    ok(first != 0, "a reconcile is wanted");
    int64_t forgot_ms = rig_stats(rig).forgot_ms;
    is_about(rig_now_s() * 1000 - forgot_ms + 1000, 0, "it is told when");
    is_about(rig_stats(rig).used_age_s * 1000, 30 * DAY_MS,
             "since when it was used is lost: a month has to do");
    is_result(store_forgot(rig->store, "0123456789abcdef"), STORE_OK, "noticed by another, too");
    is_int(rig_stats(rig).reconcile_wanted, first, "it is one loss");
    is_result(store_reconciled(rig->store, first), STORE_OK, "given that reconcile");
    store_shift_clock(rig->store, DAY_MS);
    is_int(rig_stats(rig).forgot_ms, forgot_ms, "a day later it was the same moment");
    claim.key = "shop:2";
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_IGNORED, "an unknown order is deleted then");
    first = rig_stats(rig).reconcile_wanted;
    ok(first != 0, "it may have had a card: a reconcile is wanted");
    is_result(store_reconciled(rig->store, first), STORE_OK, "given that reconcile, too");
    store_shift_clock(rig->store, rig->config.link_ttl_ms);
    claim.key = "shop:3";
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_IGNORED, "when no link of before would be kept any more");
    is_int(rig_stats(rig).reconcile_wanted, 0, "it is no matter again");
}

/* What is read from the shop says nothing of whether it delivers. */
static void fetched(struct rig *rig)
{
    struct store_claim claim = rig_state("shop:1", "aa", rig_now_s() - 100);

    claim.fetched = true;
    claim.client = "client";
    claim.client_limit = 1;
    claim.work = false;
    claim.arrived_ago_ms = 1000;
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_DEFERRED, "an order that was read");
    is_int(rig_stats(rig).delivery_age_s, -1, "is no delivery");
    claim.key = "shop:2";
    claim.fetched = false;
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_DEFERRED, "one that was delivered");
    ok(rig_stats(rig).delivery_age_s >= 0, "is one");
}

/* A list's orders are as of when it was asked for: what was delivered since is newer, be it of the same
 * second. */
static void fetched_before_a_delivery(struct rig *rig)
{
    int64_t t = rig_now_s() - 100;
    struct store_claim delivered = rig_state("shop:1", "bb", t), read = rig_state("shop:1", "aa", t);

    delivered.work = read.work = false;
    read.fetched = true;
    read.arrived_ago_ms = 500;
    is_claim(rig_claim(rig, &delivered, NULL), CLAIM_DEFERRED, "given a delivery of this moment");
    is_claim(rig_claim(rig, &read, NULL), CLAIM_STALE, "a state of the same second that was read before");
    read.fetched = false;
    is_claim(rig_claim(rig, &read, NULL), CLAIM_DEFERRED, "in the spool it might be the later one");
    store_shift_clock(rig->store, 1000);
    read = rig_state("shop:1", "cc", t);
    read.work = false;
    read.fetched = true;
    read.arrived_ago_ms = 100;
    is_claim(rig_claim(rig, &read, NULL), CLAIM_DEFERRED, "one that was read after it");
    is_str(rig_look(rig, "shop:1").fingerprint, "cc", "is the newest");
}

int main(void)
{
    static const struct rig_case cases[] = {
        RIG_CASE(reconcile_wishes),          RIG_CASE(silence), RIG_CASE(forgotten), RIG_CASE(fetched),
        RIG_CASE(fetched_before_a_delivery),
    };
    return rig_main(cases, sizeof cases / sizeof *cases);
}
