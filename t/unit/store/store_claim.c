/* store: claim, rule by rule: what is ignored, a duplicate, stale, accepted. */
#include "store/store_rig.h"
#include <stdio.h>
#include <string.h>

/* -- 2: ignored -- */

static void never_creating_state_of_an_unknown_order(struct rig *rig)
{
    int64_t t = rig_then();
    struct store_claim claim = rig_never_creating("shop:1", "aa", t);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_IGNORED, "nothing is known: ignored");
    struct store_order order = rig_look(rig, "shop:1");
    is_str(order.fingerprint, "aa", "only seen is written");
    ok(!order.waiting && !order.parked && !order.idempotency_key, "no body is kept");

    claim = rig_never_creating("shop:1", "bb", t - 5);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_IGNORED, "an older one: ignored, not stale");
    is_str(rig_look(rig, "shop:1").fingerprint, "aa", "the newest's fingerprint stays");
    claim = rig_state("shop:1", "cc", t - 1);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_STALE, "the newest's place stays");
    claim = rig_never_creating("shop:1", "dd", t + 5);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_IGNORED, "a newer one: ignored");
    is_str(rig_look(rig, "shop:1").fingerprint, "dd", "and it is seen");
    claim = rig_state("shop:1", "ee", t + 1);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_STALE, "a creating state from before it is stale");
    claim = rig_state("shop:1", "ff", t + 5);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_NEW, "one of the same second is new");
}

static void ignored_of_the_same_second(struct rig *rig)
{
    int64_t t = rig_then();
    struct store_claim claim = rig_never_creating("shop:1", "aa", t);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_IGNORED, "given an ignored state");
    claim = rig_never_creating("shop:1", "bb", t);
    claim.arrived_ago_ms = 5000;
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_IGNORED, "another of that second that arrived before it");
    is_str(rig_look(rig, "shop:1").fingerprint, "aa", "is not the newest");
}

static void never_creating_state_of_a_known_order(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    int64_t t = rig_then();
    struct store_claim claim;

    rig_new(rig, "shop:body", "aa", token);
    claim = rig_never_creating("shop:body", "bb", t + 10);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_BUSY, "a body is there: not ignored");

    rig_new(rig, "shop:link", "aa", token);
    rig_finish(rig, "shop:link", token, "aa", "contact", "");
    claim = rig_never_creating("shop:link", "bb", t + 10);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_NEW, "a contact is known: not ignored");

    const struct store_link gone = {.gone = true};
    struct store_entry next = {0};
    bool has_next;
    rig_new(rig, "shop:gone", "aa", token);
    is_result(store_finish(rig->store, "shop:gone", token, "aa", &gone, 0, &next, &has_next), STORE_OK,
              "given a gone mark");
    claim = rig_never_creating("shop:gone", "bb", t + 10);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_NEW, "a gone mark is known: not ignored");

    const struct store_progress about = {.attempt = STORE_ATTEMPT_OPPORTUNITY, .lease_ms = LEASE_MS};
    rig_new(rig, "shop:attempt", "aa", token);
    is_result(store_progress(rig->store, "shop:attempt", token, &about, NULL), STORE_OK, "given an attempt");
    is_result(store_park(rig->store, "shop:attempt", token, "why", NULL), STORE_OK, "parked");
    is_result(store_drop(rig->store, "shop:attempt"), STORE_OK, "and dropped");
    claim = rig_never_creating("shop:attempt", "bb", t + 10);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_NEW, "an attempt of unknown outcome: not ignored");
}

static void never_creating_state_older_than_memory(struct rig *rig)
{
    struct store_claim claim = rig_never_creating("shop:1", "aa", rig_then());
    claim.created_s = rig_now_s() - 3600;
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_NEW, "created before born: GHL may hold a card");
    claim = rig_never_creating("shop:2", "aa", rig_then());
    claim.created_s = 0;
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_IGNORED, "no creation date counts as now");
    store_shift_clock(rig->store, 401 * DAY_MS);
    claim = rig_never_creating("shop:3", "aa", rig_then());
    claim.created_s = rig_now_s() + 60;
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_NEW,
             "created longer ago than LINK_TTL: the link may be gone");
}

static void look_first(struct rig *rig)
{
    struct store_claim_reply reply;
    struct store_entry entry = {0};
    struct store_claim claim = rig_state("shop:1", "aa", rig_then());

    claim.created_s = rig_now_s() - 3600;
    is_claim(store_claim(rig->store, &claim, &reply, &entry), CLAIM_NEW, "created before born");
    ok(entry.look_first, "it is looked for first");
    is_int(entry.forgot_age_ms, -1, "though the store forgot nothing");
    rig_finish(rig, "shop:1", entry.token, "aa", "contact", "card");
    store_entry_free(&entry);
    claim.fingerprint = "bb";
    is_claim(store_claim(rig->store, &claim, &reply, &entry), CLAIM_NEW, "with a link");
    ok(!entry.look_first, "it is not");
    is_str(entry.link.contact_id, "contact", "the contact is given");
    is_str(entry.link.opportunity_id, "card", "the opportunity is given");
    store_entry_free(&entry);
    claim = rig_state("shop:2", "aa", rig_then());
    is_claim(store_claim(rig->store, &claim, &reply, &entry), CLAIM_NEW, "created after born");
    ok(!entry.look_first, "it is not");
    store_entry_free(&entry);
    claim.key = "shop:3";
    claim.created_s = 0;
    is_claim(store_claim(rig->store, &claim, &reply, &entry), CLAIM_NEW, "without a creation date");
    ok(!entry.look_first, "it counts as created now");
    store_entry_free(&entry);
    claim.key = "shop:4";
    claim.created_s = rig_now_s() - 3600;
    is_claim(store_claim(rig->store, &claim, &reply, &entry), CLAIM_NEW, "one more from before born");
    is_int(entry.forgot_age_ms, -1, "the store never forgot anything");
    store_entry_free(&entry);
    is_result(store_forgot(rig->store, "0123456789abcdef"), STORE_OK, "given that it did");
    store_shift_clock(rig->store, MINUTE_MS);
    is_result(store_forgot(rig->store, "0123456789abcdef"), STORE_OK, "noticed twice");
    claim.key = "shop:5";
    claim.created_s = rig_now_s() - 5;
    is_claim(store_claim(rig->store, &claim, &reply, &entry), CLAIM_NEW, "an order of before that");
    ok(entry.look_first, "is looked for");
    is_about(entry.forgot_age_ms, MINUTE_MS, "as of the first notice");
    store_entry_free(&entry);
}

/* A link without the opportunity does not tell whether GHL holds a card. */
static void look_first_with_a_contact_alone(struct rig *rig)
{
    struct store_claim_reply reply;
    struct store_entry entry = {0};
    struct store_claim claim = rig_state("shop:1", "aa", rig_then());
    const struct store_progress contact = {.contact_id = "contact", .lease_ms = 1};

    claim.created_s = rig_now_s() - 3600;
    is_claim(store_claim(rig->store, &claim, &reply, &entry), CLAIM_NEW, "created before born");
    is_result(store_progress(rig->store, "shop:1", entry.token, &contact, NULL), STORE_OK,
              "given that its contact is known and its worker died");
    store_entry_free(&entry);
    store_shift_clock(rig->store, 1000);
    rig_due(rig, "shop:1", &entry);
    ok(entry.look_first, "the card is still looked for first");
    store_entry_free(&entry);
}

/* -- 3 and 4: duplicate, stale -- */

static void duplicates(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    int64_t t = rig_then();
    struct store_claim claim;

    rig_new(rig, "shop:1", "aa", token);
    claim = rig_state("shop:1", "aa", t);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_DUPLICATE, "while leased");
    is_result(store_retry(rig->store, "shop:1", token, 1000, true, false, "why"), STORE_OK, "given a retry");
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_DUPLICATE, "while it waits");
    store_shift_clock(rig->store, 2000);
    struct store_entry entry = {0};
    rig_due(rig, "shop:1", &entry);
    rig_finish(rig, "shop:1", entry.token, "aa", "contact", "card");
    store_entry_free(&entry);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_DUPLICATE, "when it is finished");
    claim.fetched = true;
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_DUPLICATE, "from a reconcile");
    claim.modified_s = t - 50;
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_DUPLICATE, "an older one of the same content");
    claim.modified_s = t + 50;
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_DUPLICATE, "a newer one of the same content");
    claim = rig_state("shop:1", "bb", t + 40);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_STALE, "the newer place of a duplicate is kept");
    is_str(rig_look(rig, "shop:1").fingerprint, "aa", "a stale state is not seen");
}

static void stale(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    int64_t t = rig_then();

    rig_new(rig, "shop:1", "aa", token);
    struct store_claim claim = rig_state("shop:1", "bb", t - 10);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_STALE, "older than seen");
    ok(!rig_look(rig, "shop:1").has_waiting_body, "nothing waits");
    rig_finish(rig, "shop:1", token, "aa", "contact", "card");
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_STALE, "when finished, too");
    ok(rig_look(rig, "shop:1").idempotency_key, "the idempotency key stays");
}

static void stale_sale_of_a_waiting_end(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    int64_t t = rig_then();
    struct store_entry entry = {0};
    struct store_claim claim = rig_never_creating("shop:1", "aa", t);

    claim.created_s = t - 10 * 365 * 24 * 3600; /* may have a card: it is looked for */
    claim.work = false;
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_DEFERRED, "given an end that waits");
    claim = rig_never_creating("shop:1", "bb", t - 20);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_STALE, "an older end is stale");
    rig_due(rig, "shop:1", &entry);
    ok(!entry.sold, "and says nothing of a sale");
    memcpy(token, entry.token, sizeof token);
    store_entry_free(&entry);
    is_result(store_retry(rig->store, "shop:1", token, 0, false, false, "why"), STORE_OK, "it waits again");
    claim = rig_state("shop:1", "cc", t - 10);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_STALE, "an older sale is stale");
    rig_due(rig, "shop:1", &entry);
    ok(entry.sold, "but the order was sold: its end must reach GHL");
    is_str(entry.fingerprint, "aa", "as its newest state");
    store_entry_free(&entry);
}

static void stale_sale_of_a_leased_end(struct rig *rig)
{
    int64_t t = rig_then();
    struct store_entry entry = {0};
    struct store_claim claim = rig_never_creating("shop:1", "aa", t);

    claim.created_s = t - 10 * 365 * 24 * 3600;
    claim.work = false;
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_DEFERRED, "given an end that waits");
    rig_due(rig, "shop:1", &entry);
    claim = rig_state("shop:1", "bb", t - 10);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_STALE, "an older sale, while a worker looks at the end");
    rig_finish(rig, "shop:1", entry.token, "aa", "", "");
    store_entry_free(&entry);
    rig_due(rig, "shop:1", &entry);
    ok(entry.sold, "the end comes once more, as of an order that was sold");
    is_str(entry.fingerprint, "aa", "and is the newest state still");
    rig_finish(rig, "shop:1", entry.token, "aa", "contact", "card");
    store_entry_free(&entry);
    ok(!rig_look(rig, "shop:1").waiting, "then it is done");
}

static void equal_second(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    struct store_claim claim = rig_state("shop:1", "aa", rig_then());

    is_claim(rig_claim(rig, &claim, token), CLAIM_NEW, "given a state");
    rig_finish(rig, "shop:1", token, "aa", "contact", "card");
    claim.fingerprint = "bb";
    is_claim(rig_claim(rig, &claim, token), CLAIM_NEW, "another of the same second is not older");
    rig_finish(rig, "shop:1", token, "bb", "contact", "card");
    claim.fingerprint = "cc";
    claim.arrived_ago_ms = 500;
    is_claim(rig_claim(rig, &claim, token), CLAIM_NEW, "nor is one that arrived just before");
    rig_finish(rig, "shop:1", token, "cc", "contact", "card");
    claim.fingerprint = "dd";
    claim.arrived_ago_ms = 500000;
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_STALE, "one that was overtaken on its way is");

    claim = rig_state("shop:2", "aa", 0);
    is_claim(rig_claim(rig, &claim, token), CLAIM_NEW, "given a state without a time");
    rig_finish(rig, "shop:2", token, "aa", "contact", "card");
    claim.fingerprint = "bb";
    claim.arrived_ago_ms = 500000;
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_STALE, "another that was overtaken is older, too");
}

static void missing_time(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    int64_t t = rig_then();
    struct store_claim claim = rig_state("shop:1", "aa", t);

    is_claim(rig_claim(rig, &claim, token), CLAIM_NEW, "given a state");
    rig_finish(rig, "shop:1", token, "aa", "contact", "card");
    claim = rig_state("shop:1", "bb", 0);
    is_claim(rig_claim(rig, &claim, token), CLAIM_NEW, "a missing time counts as the stored one");
    rig_finish(rig, "shop:1", token, "bb", "contact", "card");
    claim = rig_state("shop:1", "cc", t + 1);
    is_claim(rig_claim(rig, &claim, token), CLAIM_NEW, "so that a second later is not stale");

    claim = rig_state("shop:2", "aa", 0);
    claim.arrived_ago_ms = 100000;
    is_claim(rig_claim(rig, &claim, token), CLAIM_NEW, "with nothing stored it counts as the arrival");
    rig_finish(rig, "shop:2", token, "aa", "contact", "card");
    claim = rig_state("shop:2", "bb", rig_now_s() - 110);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_STALE, "before the arrival: stale");
    claim.modified_s = rig_now_s() - 90;
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_NEW, "after it: new");
}

static void a_shop_clock_ahead(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    struct store_claim claim = rig_state("shop:1", "aa", rig_now_s() + 86400);

    is_claim(rig_claim(rig, &claim, token), CLAIM_NEW, "given a state from tomorrow");
    rig_finish(rig, "shop:1", token, "aa", "contact", "card");
    store_shift_clock(rig->store, 5000);
    claim = rig_state("shop:1", "bb", rig_now_s() + 4);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_NEW, "the right clock's next state is taken");
}

/* -- 5: accepted -- */

static void accepted(struct rig *rig)
{
    struct store_claim_reply reply;
    struct store_entry entry = {0};
    struct store_claim claim = rig_state("shop:1", "aa", rig_then());
    const char body[] = "a body\0with a NUL";

    claim.body = body;
    claim.body_len = sizeof body - 1;
    is_claim(store_claim(rig->store, &claim, &reply, &entry), CLAIM_NEW, "a new order");
    is_str(entry.key, "shop:1", "its key");
    is_int(strlen(entry.token), STORE_TOKEN_SIZE - 1, "a lease's token");
    is_int(entry.body_len, sizeof body - 1, "its length");
    ok(entry.body && !memcmp(entry.body, body, sizeof body), "its bytes, and a NUL after them");
    is_str(entry.fingerprint, "aa", "its fingerprint");
    ok(entry.sold && !entry.status[0], "it is sold, not trashed");
    is_int(entry.attempts, 0, "no attempts");
    is_about(entry.age_ms, 0, "just accepted");
    is_int(entry.attempt, STORE_ATTEMPT_NONE, "no attempt");
    ok(!entry.attempt_note && !entry.link.contact_id[0] && !entry.link.gone, "no note, no link");
    ok(!reply.over_limit && reply.hold == STORE_GO && !reply.undrained, "nothing holds it");
    struct store_order order = rig_look(rig, "shop:1");
    ok(order.waiting && order.leased && !order.parked && !order.has_waiting_body, "it is leased");
    is_about(order.due_in_ms, LEASE_MS, "due again when the lease runs out");
    store_entry_free(&entry);

    claim = rig_state("shop:2", "aa", rig_then());
    claim.body = "";
    claim.body_len = 0;
    is_claim(store_claim(rig->store, &claim, &reply, &entry), CLAIM_NEW, "an empty body");
    is_int(entry.body_len, 0, "is empty");
    store_entry_free(&entry);
}

static void busy(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    struct store_entry entry = {0};
    int64_t t = rig_then();

    rig_new(rig, "shop:1", "aa", token);
    struct store_claim claim = rig_state("shop:1", "bb", t + 1);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_BUSY, "another worker has it");
    ok(rig_look(rig, "shop:1").has_waiting_body, "the body waits");
    claim = rig_state("shop:1", "cc", t + 2);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_BUSY, "a third");
    is_int(rig_stats(rig).waiting, 1, "one order waits");
    rig_finish(rig, "shop:1", token, "aa", "contact", "card");
    ok(!rig_look(rig, "shop:1").idempotency_key, "the finished state is not the newest: no idempotency key");
    rig_due(rig, "shop:1", &entry);
    is_str(entry.body, "cc", "the newest waited");
    is_str(entry.fingerprint, "cc", "with its fingerprint");
    is_str(entry.link.opportunity_id, "card", "and gets the link");
    rig_finish(rig, "shop:1", entry.token, "cc", "contact", "card");
    store_entry_free(&entry);
    rig_due(rig, NULL, &entry);
}

static void claimed_while_it_waits(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    struct store_claim_reply reply;
    struct store_entry entry = {0};
    const struct store_progress about = {.contact_id = "contact",
                                         .attempt = STORE_ATTEMPT_OPPORTUNITY,
                                         .attempt_note = "{}",
                                         .lease_ms = LEASE_MS};

    rig_new(rig, "shop:1", "aa", token);
    is_result(store_progress(rig->store, "shop:1", token, &about, NULL), STORE_OK, "given progress");
    is_result(store_retry(rig->store, "shop:1", token, HOUR_MS, true, false, "why"), STORE_OK,
              "given a retry in an hour");
    is_str(rig_look(rig, "shop:1").reason, "why", "its reason is kept");
    struct store_claim claim = rig_never_creating("shop:1", "bb", rig_then() + 1);
    is_claim(store_claim(rig->store, &claim, &reply, &entry), CLAIM_NEW, "the next state is leased at once");
    is_str(entry.body, "bb", "its body is the current one");
    is_int(entry.attempts, 0, "its attempts begin anew");
    ok(entry.sold, "sold is kept");
    is_str(entry.link.contact_id, "contact", "so is progress");
    is_int(entry.attempt, STORE_ATTEMPT_OPPORTUNITY, "and the attempt");
    is_str(entry.attempt_note, "{}", "and its note");
    store_entry_free(&entry);
    is_str(rig_look(rig, "shop:1").reason, "", "the reason is gone");
    rig_due(rig, NULL, &entry);
}

static void a_parked_order_is_claimed(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    struct store_claim claim = rig_state("shop:1", "aa", rig_then() + 5);

    is_claim(rig_claim(rig, &claim, token), CLAIM_NEW, "given an order");
    is_result(store_park(rig->store, "shop:1", token, "no", NULL), STORE_OK, "that is parked");
    claim.modified_s -= 4;
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_DUPLICATE, "the same content, older: a duplicate");
    ok(rig_look(rig, "shop:1").parked, "it stays parked");
    claim.fingerprint = "bb";
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_STALE, "another content, older: stale");
    claim.fingerprint = "aa";
    claim.modified_s += 4;
    is_claim(rig_claim(rig, &claim, token), CLAIM_NEW, "the same content, not older: tried at once");
    struct store_order order = rig_look(rig, "shop:1");
    ok(!order.parked && order.leased, "it leaves parking");
    is_str(order.reason, "", "and its reason");
    is_int(rig_stats(rig).parked, 0, "nothing is parked");
    is_result(store_requeue(rig->store, "shop:1"), STORE_NONE, "nor can be requeued");
}

static void the_same_content_waits_already(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    struct store_claim claim = rig_state("shop:1", "bb", rig_then() + 5);

    rig_new(rig, "shop:1", "aa", token);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_BUSY, "given a waiting state");
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_DUPLICATE, "the same again is a duplicate");
    claim.fingerprint = "aa";
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_BUSY, "the leased one again, not older, comes after it");
    rig_finish(rig, "shop:1", token, "aa", "contact", "card");
    ok(rig_look(rig, "shop:1").idempotency_key, "finishing it sets the key: it is seen's again");
    ok(rig_look(rig, "shop:1").waiting, "what waited is due");
}

int main(void)
{
    static const struct rig_case cases[] = {
        RIG_CASE(never_creating_state_of_an_unknown_order),
        RIG_CASE(ignored_of_the_same_second),
        RIG_CASE(never_creating_state_of_a_known_order),
        RIG_CASE(never_creating_state_older_than_memory),
        RIG_CASE(look_first),
        RIG_CASE(look_first_with_a_contact_alone),
        RIG_CASE(duplicates),
        RIG_CASE(stale),
        RIG_CASE(stale_sale_of_a_waiting_end),
        RIG_CASE(stale_sale_of_a_leased_end),
        RIG_CASE(equal_second),
        RIG_CASE(missing_time),
        RIG_CASE(a_shop_clock_ahead),
        RIG_CASE(accepted),
        RIG_CASE(busy),
        RIG_CASE(claimed_while_it_waits),
        RIG_CASE(a_parked_order_is_claimed),
        RIG_CASE(the_same_content_waits_already),
    };
    return rig_main(cases, sizeof cases / sizeof *cases);
}
