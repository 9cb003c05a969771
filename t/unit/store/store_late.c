/* store: what comes too late, without a time, or after a clock was set. */
#include "store/store_rig.h"
#include <stdio.h>
#include <string.h>

/* -- clocks -- */

/* Redis failed over to a server whose clock is behind, or the machine's clock was set back. */
static void the_clock_was_set_back(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    struct store_claim claim = rig_state("shop:1", "aa", rig_now_s());

    is_claim(rig_claim(rig, &claim, token), CLAIM_NEW, "given a state of just now");
    rig_finish(rig, "shop:1", token, "aa", "contact", "card");
    store_shift_clock(rig->store, -HOUR_MS);
    claim = rig_never_creating("shop:1", "bb", rig_now_s() + 5);
    is_claim(rig_claim(rig, &claim, token), CLAIM_NEW,
             "the clock is set back: the next state is no older one");
    rig_finish(rig, "shop:1", token, "bb", "contact", "card");
    claim = rig_state("shop:1", "cc", 0);
    is_claim(rig_claim(rig, &claim, token), CLAIM_NEW, "nor is one without a time");
    rig_finish(rig, "shop:1", token, "cc", "contact", "card");
    claim = rig_state("shop:1", "dd", rig_now_s() - 5);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_STALE, "an older one is stale as ever");
}

/* A create is searched for until nothing of it can be under way; then it is sent again. */
static void the_clock_is_set_during_an_attempt(struct rig *rig)
{
    static const int64_t by_ms[] = {2 * HOUR_MS, -2 * HOUR_MS};
    const struct store_progress about = {
        .attempt = STORE_ATTEMPT_OPPORTUNITY, .attempt_note = "{}", .lease_ms = LEASE_MS};
    char token[STORE_TOKEN_SIZE];
    struct store_entry entry = {0};

    for (size_t i = 0; i < 2; i++) {
        const char *key = i ? "shop:2" : "shop:1";
        rig_new(rig, key, "aa", token);
        is_result(store_progress(rig->store, key, token, &about, NULL), STORE_OK, "given an attempt");
        is_result(store_retry(rig->store, key, token, 0, true, false, "why"), STORE_OK, "of unknown outcome");
        store_set_clock(rig->store, by_ms[i]);
        store_shift_clock(rig->store, 30000);
        is_result(store_lease_due(rig->store, LEASE_MS, key, &entry, NULL, NULL), STORE_OK,
                  "the clock is set, 30 s pass");
        is_str(entry.key, key, "it is looked for");
        is_about(entry.attempt_age_ms, 30000, "it is 30 s old");
        rig_finish(rig, key, entry.token, "aa", "contact", "card");
        store_entry_free(&entry);
        store_set_clock(rig->store, -by_ms[i]);
    }
}

/* Links that expired while the clock was wrong are missing when it is right again. */
static void the_clock_jumped_ahead_and_came_back(struct rig *rig)
{
    const int64_t years_ms = 1000 * DAY_MS;
    char token[STORE_TOKEN_SIZE];
    struct store_claim_reply reply;
    struct store_entry entry = {0};
    struct store_claim claim = rig_state("shop:1", "aa", rig_then());

    claim.client = "client";
    is_claim(rig_claim(rig, &claim, token), CLAIM_NEW, "given an order");
    rig_finish(rig, "shop:1", token, "aa", "contact", "card");
    store_shift_clock(rig->store, 2 * MINUTE_MS);
    store_set_clock(rig->store, years_ms);
    claim.key = "shop:2";
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_NEW, "and another, when the clock is years ahead");
    store_set_clock(rig->store, -years_ms);
    store_shift_clock(rig->store, MINUTE_MS);
    claim.key = "shop:1";
    claim.fingerprint = "bb";
    is_claim(store_claim(rig->store, &claim, &reply, &entry), CLAIM_NEW,
             "it is right again: the first order");
    ok(entry.look_first || entry.link.opportunity_id[0], "has its link, or is looked for");
    store_entry_free(&entry);
    claim.key = "shop:3";
    claim.created_s = rig_now_s() + 4 * 60;
    is_claim(store_claim(rig->store, &claim, &reply, &entry), CLAIM_NEW, "an order of after that");
    ok(!entry.look_first, "is not");
    store_entry_free(&entry);
}

/* -- without a time -- */

static void an_end_without_a_time(struct rig *rig)
{
    struct store_claim claim = rig_never_creating("shop:1", "aa", 0);

    is_claim(rig_claim(rig, &claim, NULL), CLAIM_IGNORED, "given an end without a time, of an unknown order");
    claim = rig_state("shop:1", "bb", rig_then());
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_NEW, "a sale that comes later, modified before, counts");
}

/* -- a sale after its end -- */

static void a_sale_after_the_lease_on_its_end_ran_out(struct rig *rig)
{
    int64_t t = rig_then();
    struct store_entry entry = {0};
    struct store_claim claim = rig_never_creating("shop:1", "aa", t);

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

/* Both were delivered, the end overtook the sale: through another machine, or out of the spool. */
static void a_sale_after_its_end(struct rig *rig)
{
    int64_t t = rig_then();
    struct store_claim_reply reply;
    struct store_entry entry = {0};
    struct store_claim end = rig_never_creating("shop:1", "aa", t), sale = rig_state("shop:1", "bb", t - 10);

    end.status = "refunded";
    is_claim(rig_claim(rig, &end, NULL), CLAIM_IGNORED, "given an end that was ignored");
    is_claim(store_claim(rig->store, &sale, &reply, &entry), CLAIM_NEW, "its sale, which is older, is taken");
    is_str(entry.body, "bb", "with the sale's content");
    is_str(entry.status, "refunded", "but as it ended");
    ok(entry.sold, "it is sold");
    is_str(entry.fingerprint, "xa", "which is neither state");
    is_str(rig_look(rig, "shop:1").fingerprint, "xa", "as is seen");
    is_claim(rig_claim(rig, &sale, NULL), CLAIM_STALE, "the sale again");
    is_result(store_retry(rig->store, "shop:1", entry.token, 0, true, false, "why"), STORE_OK,
              "given a retry");
    store_entry_free(&entry);
    rig_due(rig, "shop:1", &entry);
    is_str(entry.status, "refunded", "how it ended is kept");
    is_claim(rig_claim(rig, &end, NULL), CLAIM_BUSY, "the end again has the content that the sale lacks");
    rig_finish(rig, "shop:1", entry.token, "xa", "contact", "card");
    store_entry_free(&entry);
    is_claim(rig_claim(rig, &sale, NULL), CLAIM_STALE, "with a card the sale is stale");
    rig_due(rig, "shop:1", &entry);
    is_str(entry.body, "aa", "the end's content is next");
    is_str(entry.status, "", "as it says itself");
    ok(entry.sold, "of an order that is sold");
    rig_finish(rig, "shop:1", entry.token, "aa", "contact", "card");
    store_entry_free(&entry);
    is_claim(rig_claim(rig, &end, NULL), CLAIM_DUPLICATE, "and is known then");
    ok(rig_look(rig, "shop:1").idempotency_key, "it is done");
    sale = rig_state("shop:1", "cc", t + 5);
    is_claim(store_claim(rig->store, &sale, &reply, &entry), CLAIM_NEW, "a sale after the end");
    is_str(entry.status, "", "is what it says itself");
    store_entry_free(&entry);
}

static void a_sale_after_its_end_was_looked_for(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    int64_t t = rig_then();
    struct store_claim_reply reply;
    struct store_entry entry = {0};
    struct store_claim claim = rig_never_creating("shop:1", "aa", t);

    claim.created_s = 1; /* may have a card: it is looked for */
    claim.status = "cancelled";
    is_claim(rig_claim(rig, &claim, token), CLAIM_NEW, "given an end");
    rig_finish(rig, "shop:1", token, "aa", "contact", "");
    claim = rig_state("shop:1", "bb", t - 10);
    is_claim(store_claim(rig->store, &claim, &reply, &entry), CLAIM_NEW,
             "for which GHL held no card: its sale");
    is_str(entry.status, "cancelled", "is taken as it ended");
    is_result(store_park(rig->store, "shop:1", entry.token, "no", NULL), STORE_OK, "GHL refuses it");
    store_entry_free(&entry);
    struct store_parked parked;
    is_result(store_parked_get(rig->store, "shop:1", &parked), STORE_OK, "it is parked");
    is_str(parked.status, "cancelled", "as it ended");
    store_parked_free(&parked, 1, false);
    is_result(store_drop(rig->store, "shop:1"), STORE_OK, "and dropped");
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_STALE, "what a person dropped does not come back");
}

/* A worker that lost its lease claims what it had once more: the store may have lost it. */
static void claimed_again(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    int64_t t = rig_then();
    struct store_claim first = rig_state("shop:1", "aa", t), second = rig_state("shop:1", "bb", t);

    first.again = second.again = true;
    first.arrived_ago_ms = 100;
    is_claim(rig_claim(rig, &first, token), CLAIM_NEW, "given one that the store does not know any more");
    is_claim(rig_claim(rig, &first, NULL), CLAIM_DUPLICATE, "it is there now");
    second.again = false;
    is_claim(rig_claim(rig, &second, NULL), CLAIM_BUSY, "another state of the same second");
    is_claim(rig_claim(rig, &first, NULL), CLAIM_STALE, "has overtaken it");
    second.fingerprint = "cc";
    second.modified_s = t + 1;
    second.again = true;
    is_claim(rig_claim(rig, &second, NULL), CLAIM_BUSY, "one that is newer than all that is known is taken");
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
    struct store_claim claim = rig_never_creating("shop:1", "bb", rig_then() + 5);
    is_claim(store_claim(rig->store, &claim, &reply, &entry), CLAIM_NEW, "its end is not ignored");
    ok(entry.sold, "the order was sold");
    is_str(entry.body, "bb", "and has a content again");
    store_entry_free(&entry);
}

/* -- what belongs to seen -- */

static void the_key_of_a_state_that_was_overtaken(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    struct store_claim claim = rig_never_creating("shop:1", "aa", rig_then());

    claim.created_s = 1; /* older than memory: not ignored */
    is_claim(rig_claim(rig, &claim, token), CLAIM_NEW, "given an end");
    rig_finish(rig, "shop:1", token, "aa", "", "");
    ok(rig_look(rig, "shop:1").idempotency_key, "that needs nothing in GHL");
    claim = rig_never_creating("shop:1", "bb", rig_then() + 5);
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
    struct store_claim claim = rig_state("shop:2", "aa", rig_then());

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

/* -- what the store forgot -- */

static void after_it_forgot(struct rig *rig)
{
    static const struct {
        const char *key, *when;
        int64_t created_s; /* from now; 0 = it has no date */
        bool look_first;
    } orders[] = {{"shop:1", "before that", -3600, true},
                  {"shop:2", "since, or before it by a clock that is ahead", STORE_FORGOT_SLACK_S - 60, true},
                  {"shop:3", "nobody knows when", 0, true},
                  {"shop:4", "since", STORE_FORGOT_SLACK_S + 60, false}};
    struct store_claim_reply reply;
    struct store_entry entry = {0};
    struct store_claim deleted = rig_never_creating("shop:5", "zz", 0),
                       failed = rig_never_creating("shop:5", "zz", rig_then());

    deleted.status_only = true;
    deleted.created_s = 0;
    is_result(store_forgot(rig->store, "0123456789abcdef"), STORE_OK, "given a store that forgot");
    is_claim(rig_claim(rig, &deleted, NULL), CLAIM_IGNORED, "a deletion of what it does not know is ignored");
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        struct store_claim claim = rig_state(orders[i].key, "aa", rig_then());
        claim.created_s = orders[i].created_s ? rig_now_s() + orders[i].created_s : 0;
        is_claim(store_claim(rig->store, &claim, &reply, &entry), CLAIM_NEW, "an order made %s",
                 orders[i].when);
        ok(entry.look_first == orders[i].look_first, "is looked for first, or not");
        if (orders[i].look_first)
            is_about(entry.forgot_age_ms, 0, "and it is told since when");
        else
            is_int(entry.forgot_age_ms, -1, "and nothing is told");
        store_entry_free(&entry);
    }
    failed.created_s = 0;
    is_claim(rig_claim(rig, &failed, NULL), CLAIM_NEW, "the end of one without a date may have a card");
    store_shift_clock(rig->store, 2 * MINUTE_MS);
    is_result(store_forgot(rig->store, "0123456789abcdef"), STORE_OK, "who notices later");
    rig_due(rig, "shop:1", &entry);
    is_about(entry.forgot_age_ms, 2 * MINUTE_MS, "changes nothing");
    store_entry_free(&entry);
}

int main(void)
{
    static const struct rig_case cases[] = {
        RIG_CASE(the_clock_was_set_back),
        RIG_CASE(the_clock_is_set_during_an_attempt),
        RIG_CASE(the_clock_jumped_ahead_and_came_back),
        RIG_CASE(an_end_without_a_time),
        RIG_CASE(a_sale_after_the_lease_on_its_end_ran_out),
        RIG_CASE(a_sale_after_its_end),
        RIG_CASE(a_sale_after_its_end_was_looked_for),
        RIG_CASE(claimed_again),
        RIG_CASE(the_end_of_a_sale_that_lost_its_content),
        RIG_CASE(the_key_of_a_state_that_was_overtaken),
        RIG_CASE(a_lease_is_no_backlog),
        RIG_CASE(after_it_forgot),
    };
    return rig_main(cases, sizeof cases / sizeof *cases);
}
