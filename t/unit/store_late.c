/* store: what comes too late, without a time, or after a clock was set. */
#include "store_rig.h"
#include <stdio.h>
#include <string.h>

static int64_t then(void)
{
    return rig_now_s() - 1000;
}

static struct store_claim never_creating(const char *key, const char *fingerprint, int64_t modified_s)
{
    struct store_claim claim = rig_state(key, fingerprint, modified_s);
    claim.creates = false;
    return claim;
}

/* -- clocks -- */

/* Redis failed over to a server whose clock is behind, or the machine's clock was set back. */
static void the_clock_was_set_back(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    struct store_claim claim = rig_state("shop:1", "aa", rig_now_s());

    is_claim(rig_claim(rig, &claim, token), CLAIM_NEW, "given a state of just now");
    rig_finish(rig, "shop:1", token, "aa", "contact", "card");
    store_shift_clock(rig->store, -HOUR_MS);
    claim = never_creating("shop:1", "bb", rig_now_s() + 5);
    is_claim(rig_claim(rig, &claim, token), CLAIM_NEW,
             "the clock is set back: the next state is no older one");
    rig_finish(rig, "shop:1", token, "bb", "contact", "card");
    claim = rig_state("shop:1", "cc", 0);
    is_claim(rig_claim(rig, &claim, token), CLAIM_NEW, "nor is one without a time");
    rig_finish(rig, "shop:1", token, "cc", "contact", "card");
    claim = rig_state("shop:1", "dd", rig_now_s() - 5);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_STALE, "an older one is stale as ever");
}

/* -- without a time -- */

static void an_end_without_a_time(struct rig *rig)
{
    struct store_claim claim = never_creating("shop:1", "aa", 0);

    is_claim(rig_claim(rig, &claim, NULL), CLAIM_IGNORED, "given an end without a time, of an unknown order");
    claim = rig_state("shop:1", "bb", then());
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_NEW, "a sale that comes later, modified before, counts");
}

/* -- a sale after its end -- */

static void a_sale_after_the_lease_on_its_end_ran_out(struct rig *rig)
{
    int64_t t = then();
    struct store_entry entry = {0};
    struct store_claim claim = never_creating("shop:1", "aa", t);

    claim.created_s = t - 10 * 365 * 24 * 3600; /* may have a card: it is looked for */
    claim.work = false;
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_DEFERRED, "given an end that waits");
    rig_due(rig, "shop:1", &entry);
    store_shift_clock(rig->store, LEASE_MS + 1000);
    claim = rig_state("shop:1", "bb", t - 10);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_STALE, "an older sale, when its worker has slept too long");
    rig_finish(rig, "shop:1", entry.token, "aa", "", "");
    store_entry_free(&entry);
    rig_due(rig, "shop:1", &entry);
    ok(entry.sold, "the worker's word, which did not know, is not the last");
    store_entry_free(&entry);
}

static void the_end_of_a_sale_that_lost_its_content(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    struct store_claim_reply reply;
    struct store_entry entry = {0};
    int64_t expired = 0;

    rig_new(rig, "shop:1", "aa", token);
    is_result(store_park(rig->store, "shop:1", token, "no", NULL), STORE_OK, "given a parked sale");
    store_shift_clock(rig->store, 31 * DAY_MS);
    is_result(store_expire_parked(rig->store, &expired), STORE_OK, "whose time is over");
    is_int(expired, 1, "its content is gone");
    struct store_claim claim = never_creating("shop:1", "bb", then() + 5);
    is_claim(store_claim(rig->store, &claim, &reply, &entry), CLAIM_NEW, "its end is not ignored");
    ok(entry.sold, "the order was sold");
    is_str(entry.body, "bb", "and has a content again");
    store_entry_free(&entry);
}

/* -- what belongs to seen -- */

static void the_key_of_a_state_that_was_overtaken(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    struct store_claim claim = never_creating("shop:1", "aa", then());

    claim.created_s = 1; /* older than memory: not ignored */
    is_claim(rig_claim(rig, &claim, token), CLAIM_NEW, "given an end");
    rig_finish(rig, "shop:1", token, "aa", "", "");
    ok(rig_look(rig, "shop:1").idempotency_key, "that needs nothing in GHL");
    claim = never_creating("shop:1", "bb", then() + 5);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_IGNORED, "another end is ignored");
    ok(!rig_look(rig, "shop:1").idempotency_key, "but seen is another now, and the key is gone");
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_IGNORED, "the same again");
}

/* -- who drains -- */

static void a_lease_is_no_backlog(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    struct store_claim_reply reply;
    struct store_entry entry = {0};
    struct store_claim claim = rig_state("shop:2", "aa", then());

    is_result(store_heartbeat(rig->store), STORE_OK, "given a drain");
    store_shift_clock(rig->store, 11 * MINUTE_MS);
    rig_new(rig, "shop:1", "aa", token);
    is_claim(store_claim(rig->store, &claim, &reply, &entry), CLAIM_NEW,
             "that is silent, while workers do what comes");
    ok(!reply.undrained && !reply.drain_needed, "nothing is left behind");
    ok(!rig_stats(rig).undrained, "the stats say so too");
    store_entry_free(&entry);
    is_result(store_retry(rig->store, "shop:1", token, HOUR_MS, true, false, "why"), STORE_OK,
              "given one that waits");
    ok(rig_stats(rig).undrained, "that is left behind");
}

#define CASE(name)                                                                                           \
    {                                                                                                        \
#name, name                                                                                          \
    }
int main(void)
{
    static const struct rig_case cases[] = {
        CASE(the_clock_was_set_back),
        CASE(an_end_without_a_time),
        CASE(a_sale_after_the_lease_on_its_end_ran_out),
        CASE(the_end_of_a_sale_that_lost_its_content),
        CASE(the_key_of_a_state_that_was_overtaken),
        CASE(a_lease_is_no_backlog),
    };
    return rig_main(cases, sizeof cases / sizeof *cases);
}
