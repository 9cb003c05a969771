/* store: claim, rule by rule. */
#include "store_rig.h"
#include <stdio.h>
#include <string.h>

static int64_t then(void)
{
    return rig_now_s() - 1000;
}

/* What a claim leases, or would. */
static struct store_claim never_creating(const char *key, const char *fingerprint, int64_t modified_s)
{
    struct store_claim claim = rig_state(key, fingerprint, modified_s);
    claim.creates = false;
    return claim;
}

static struct store_claim deleted(const char *key, const char *fingerprint)
{
    struct store_claim claim = never_creating(key, fingerprint, 0);
    claim.status_only = true;
    claim.status = "trash";
    return claim;
}

/* -- 2: ignored -- */

static void never_creating_state_of_an_unknown_order(struct rig *rig)
{
    int64_t t = then();
    struct store_claim claim = never_creating("shop:1", "aa", t);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_IGNORED, "nothing is known: ignored");
    struct store_order order = rig_look(rig, "shop:1");
    is_str(order.fingerprint, "aa", "only seen is written");
    ok(!order.waiting && !order.parked && !order.idempotency_key, "no body is kept");

    claim = never_creating("shop:1", "bb", t - 5);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_IGNORED, "an older one: ignored, not stale");
    is_str(rig_look(rig, "shop:1").fingerprint, "aa", "the newest's fingerprint stays");
    claim = rig_state("shop:1", "cc", t - 1);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_STALE, "the newest's place stays");
    claim = never_creating("shop:1", "dd", t + 5);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_IGNORED, "a newer one: ignored");
    is_str(rig_look(rig, "shop:1").fingerprint, "dd", "and it is seen");
    claim = rig_state("shop:1", "ee", t + 1);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_STALE, "a creating state from before it is stale");
    claim = rig_state("shop:1", "ff", t + 5);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_NEW, "one of the same second is new");
}

static void ignored_of_the_same_second(struct rig *rig)
{
    int64_t t = then();
    struct store_claim claim = never_creating("shop:1", "aa", t);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_IGNORED, "given an ignored state");
    claim = never_creating("shop:1", "bb", t);
    claim.arrived_ago_ms = 5000;
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_IGNORED, "another of that second that arrived before it");
    is_str(rig_look(rig, "shop:1").fingerprint, "aa", "is not the newest");
}

static void never_creating_state_of_a_known_order(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    int64_t t = then();
    struct store_claim claim;

    rig_new(rig, "shop:body", "aa", token);
    claim = never_creating("shop:body", "bb", t + 10);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_BUSY, "a body is there: not ignored");

    rig_new(rig, "shop:link", "aa", token);
    rig_finish(rig, "shop:link", token, "aa", "contact", "");
    claim = never_creating("shop:link", "bb", t + 10);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_NEW, "a contact is known: not ignored");

    const struct store_link gone = {.gone = true};
    struct store_entry next = {0};
    bool has_next;
    rig_new(rig, "shop:gone", "aa", token);
    is_result(store_finish(rig->store, "shop:gone", token, "aa", &gone, 0, &next, &has_next), STORE_OK,
              "given a gone mark");
    claim = never_creating("shop:gone", "bb", t + 10);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_NEW, "a gone mark is known: not ignored");

    const struct store_progress about = {.attempt = STORE_ATTEMPT_OPPORTUNITY, .lease_ms = LEASE_MS};
    rig_new(rig, "shop:attempt", "aa", token);
    is_result(store_progress(rig->store, "shop:attempt", token, &about, NULL), STORE_OK, "given an attempt");
    is_result(store_park(rig->store, "shop:attempt", token, "why", NULL), STORE_OK, "parked");
    is_result(store_drop(rig->store, "shop:attempt"), STORE_OK, "and dropped");
    claim = never_creating("shop:attempt", "bb", t + 10);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_NEW, "an attempt of unknown outcome: not ignored");
}

static void never_creating_state_older_than_memory(struct rig *rig)
{
    struct store_claim claim = never_creating("shop:1", "aa", then());
    claim.created_s = rig_now_s() - 3600;
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_NEW, "created before born: GHL may hold a card");
    claim = never_creating("shop:2", "aa", then());
    claim.created_s = 0;
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_IGNORED, "no creation date counts as now");
    store_shift_clock(rig->store, 401 * DAY_MS);
    claim = never_creating("shop:3", "aa", then());
    claim.created_s = rig_now_s() + 60;
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_NEW,
             "created longer ago than LINK_TTL: the link may be gone");
}

static void look_first(struct rig *rig)
{
    struct store_claim_reply reply;
    struct store_entry entry = {0};
    struct store_claim claim = rig_state("shop:1", "aa", then());

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
    claim = rig_state("shop:2", "aa", then());
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
    struct store_claim claim = rig_state("shop:1", "aa", then());
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
    int64_t t = then();
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
    int64_t t = then();

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
    int64_t t = then();
    struct store_entry entry = {0};
    struct store_claim claim = never_creating("shop:1", "aa", t);

    claim.created_s = t - 10 * 365 * 24 * 3600; /* may have a card: it is looked for */
    claim.work = false;
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_DEFERRED, "given an end that waits");
    claim = never_creating("shop:1", "bb", t - 20);
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
    int64_t t = then();
    struct store_entry entry = {0};
    struct store_claim claim = never_creating("shop:1", "aa", t);

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
    struct store_claim claim = rig_state("shop:1", "aa", then());

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
    int64_t t = then();
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
    struct store_claim claim = rig_state("shop:1", "aa", then());
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

    claim = rig_state("shop:2", "aa", then());
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
    int64_t t = then();

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
    struct store_claim claim = never_creating("shop:1", "bb", then() + 1);
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
    struct store_claim claim = rig_state("shop:1", "aa", then() + 5);

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
    struct store_claim claim = rig_state("shop:1", "bb", then() + 5);

    rig_new(rig, "shop:1", "aa", token);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_BUSY, "given a waiting state");
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_DUPLICATE, "the same again is a duplicate");
    claim.fingerprint = "aa";
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_BUSY, "the leased one again, not older, comes after it");
    rig_finish(rig, "shop:1", token, "aa", "contact", "card");
    ok(rig_look(rig, "shop:1").idempotency_key, "finishing it sets the key: it is seen's again");
    ok(rig_look(rig, "shop:1").waiting, "what waited is due");
}

/* -- 5: sold, trashed, status only -- */

static void status_only_of_a_waiting_order(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    struct store_claim_reply reply;
    struct store_entry entry = {0};

    rig_new(rig, "shop:1", "aa", token);
    is_result(store_retry(rig->store, "shop:1", token, HOUR_MS, true, false, "why"), STORE_OK,
              "given a wait");
    struct store_claim claim = deleted("shop:1", "dd");
    is_claim(store_claim(rig->store, &claim, &reply, &entry), CLAIM_NEW, "deleted while it waits");
    is_str(entry.body, "aa", "its body stays");
    ok(!strcmp(entry.status, "trash") && entry.sold, "trashed, and still sold");
    is_str(entry.fingerprint, "dd", "under the new fingerprint");
    is_int(entry.attempts, 0, "attempts begin anew");
    store_entry_free(&entry);
}

static void status_only_of_a_leased_order(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    struct store_entry entry = {0};

    rig_new(rig, "shop:1", "aa", token);
    struct store_claim claim = deleted("shop:1", "dd");
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_BUSY, "deleted while leased");
    rig_finish(rig, "shop:1", token, "aa", "contact", "card");
    rig_due(rig, "shop:1", &entry);
    is_str(entry.body, "aa", "a copy of the current body waited");
    ok(!strcmp(entry.status, "trash") && entry.sold, "trashed, and sold");
    store_entry_free(&entry);
}

static void status_only_behind_a_waiting_body(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    struct store_entry entry = {0};
    struct store_claim claim = never_creating("shop:1", "bb", then() + 1);

    rig_new(rig, "shop:1", "aa", token);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_BUSY, "given a waiting body");
    claim = deleted("shop:1", "dd");
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_BUSY, "deleted");
    rig_finish(rig, "shop:1", token, "aa", "contact", "card");
    rig_due(rig, "shop:1", &entry);
    is_str(entry.body, "bb", "the waiting body stays");
    is_str(entry.status, "trash", "trashed");
    store_entry_free(&entry);
    claim = rig_state("shop:1", "ee", then() + 2);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_BUSY, "restored");
    store_shift_clock(rig->store, 2 * LEASE_MS);
    rig_due(rig, "shop:1", &entry);
    is_str(entry.body, "ee", "a body of its own");
    ok(!entry.status[0] && entry.sold, "is not trashed, but sold");
    store_entry_free(&entry);
}

static void status_only_when_the_lease_ran_out(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    struct store_claim_reply reply;
    struct store_entry entry = {0};
    struct store_claim claim = rig_state("shop:1", "bb", then() + 1);

    rig_new(rig, "shop:1", "aa", token);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_BUSY, "given a waiting body behind a lease");
    store_shift_clock(rig->store, LEASE_MS + 1000);
    claim = deleted("shop:1", "dd");
    is_claim(store_claim(rig->store, &claim, &reply, &entry), CLAIM_NEW, "that ran out: deleted");
    is_str(entry.body, "bb", "the waiting body is the one");
    is_str(entry.status, "trash", "trashed");
    ok(!rig_look(rig, "shop:1").has_waiting_body, "and nothing waits any more");
    store_entry_free(&entry);
    is_result(store_renew(rig->store, "shop:1", token, LEASE_MS), STORE_LOST, "the old worker lost it");
}

static void status_only_of_a_parked_order(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    struct store_claim_reply reply;
    struct store_entry entry = {0};
    int64_t expired = 0;

    rig_new(rig, "shop:1", "aa", token);
    is_result(store_park(rig->store, "shop:1", token, "no", NULL), STORE_OK, "given a parked order");
    struct store_claim claim = deleted("shop:1", "dd");
    is_claim(store_claim(rig->store, &claim, &reply, &entry), CLAIM_NEW, "deleted");
    is_str(entry.body, "aa", "its body stays");
    ok(!strcmp(entry.status, "trash") && entry.sold, "trashed, sold");
    is_result(store_park(rig->store, "shop:1", entry.token, "no", NULL), STORE_OK, "parked again");
    store_entry_free(&entry);
    store_shift_clock(rig->store, 31 * DAY_MS);
    is_result(store_expire_parked(rig->store, &expired), STORE_OK, "its time is over");
    is_int(expired, 1, "its body is gone");
    claim = deleted("shop:1", "ee");
    claim.creates = true; /* a known order otherwise */
    is_claim(store_claim(rig->store, &claim, &reply, &entry), CLAIM_NEW, "deleted once more");
    is_str(entry.body, "ee", "no body is there: the status-only one is kept");
    ok(!entry.status[0], "it says itself what it is");
    store_entry_free(&entry);
}

static void status_only_of_a_finished_order(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    struct store_claim_reply reply;
    struct store_entry entry = {0};

    rig_new(rig, "shop:1", "aa", token);
    rig_finish(rig, "shop:1", token, "aa", "contact", "card");
    struct store_claim claim = deleted("shop:1", "dd");
    is_claim(store_claim(rig->store, &claim, &reply, &entry), CLAIM_NEW, "deleted when finished");
    is_str(entry.body, "dd", "the status-only body itself");
    ok(!entry.status[0] && !entry.sold, "neither trashed nor sold: finish cleared it");
    store_entry_free(&entry);
    claim = deleted("shop:2", "dd");
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_IGNORED, "deleted and never heard of: ignored");
    rig_new(rig, "shop:2", "aa", token);
    is_str(rig_look(rig, "shop:2").fingerprint, "aa", "a sale that comes later, modified before, counts");
}

static void sold_survives(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    struct store_entry entry = {0};
    struct store_claim claim = rig_state("shop:1", "aa", then());

    claim.creates = false;
    claim.created_s = 1; /* older than memory: not ignored */
    is_claim(rig_claim(rig, &claim, token), CLAIM_NEW, "given a never-creating state");
    claim = rig_state("shop:1", "bb", then() + 1);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_BUSY, "a creating one waits");
    claim = never_creating("shop:1", "cc", then() + 2);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_BUSY, "a never-creating one takes its place");
    rig_finish(rig, "shop:1", token, "aa", "", "");
    rig_due(rig, "shop:1", &entry);
    is_str(entry.body, "cc", "the last one is promoted");
    ok(entry.sold, "sold, for it was bought in between");
    rig_finish(rig, "shop:1", entry.token, "cc", "contact", "card");
    store_entry_free(&entry);
    claim = never_creating("shop:1", "dd", then() + 3);
    struct store_claim_reply reply;
    is_claim(store_claim(rig->store, &claim, &reply, &entry), CLAIM_NEW, "after the end");
    ok(!entry.sold, "it is not");
    store_entry_free(&entry);
}

/* -- 5: deferred -- */

static void deferred_for_no_work(struct rig *rig)
{
    struct store_claim_reply reply;
    struct store_entry entry = {0};
    struct store_claim claim = rig_state("shop:1", "aa", then());

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
    struct store_claim claim = rig_state("shop:1", "aa", then());

    is_result(store_pause(rig->store, "", "why", &first), STORE_OK, "given a pause");
    is_claim(store_claim(rig->store, &claim, &reply, &entry), CLAIM_DEFERRED, "written, not leased");
    is_int(reply.hold, STORE_HOLD_PAUSED, "for the pause");
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_DUPLICATE, "the same is still a duplicate");
}

static void deferred_for_the_breaker(struct rig *rig)
{
    struct store_claim_reply reply;
    struct store_entry entry = {0};
    struct store_claim claim = rig_state("shop:1", "aa", then());

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
        struct store_claim claim = rig_state(key, "aa", then());
        claim.client = "client";
        claim.client_limit = 2;
        is_claim(store_claim(rig->store, &claim, &reply, &entry), i < 2 ? CLAIM_NEW : CLAIM_DEFERRED,
                 "claim %d of two a day", i + 1);
        is_int(reply.over_limit, i == 2, "over the limit or not");
        store_entry_free(&entry);
    }
    struct store_claim claim = rig_state("shop:3", "aa", then());
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
    struct store_claim claim = rig_state("shop:1", "aa", then());

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
    struct store_claim claim = rig_state("shop:1", "aa", then());

    is_int(rig_stats(rig).drain_age_s, -1, "no heartbeat ever");
    is_claim(store_claim(rig->store, &claim, &reply, &entry), CLAIM_NEW, "an order that is leased at once");
    ok(!reply.drain_needed, "needs no drain");
    store_entry_free(&entry);
    claim.key = "shop:2";
    claim.work = false;
    is_claim(store_claim(rig->store, &claim, &reply, &entry), CLAIM_DEFERRED, "one that waits");
    ok(reply.drain_needed && !reply.undrained, "needs one");
}

#define CASE(name)                                                                                           \
    {                                                                                                        \
#name, name                                                                                          \
    }
int main(void)
{
    static const struct rig_case cases[] = {
        CASE(never_creating_state_of_an_unknown_order),
        CASE(ignored_of_the_same_second),
        CASE(never_creating_state_of_a_known_order),
        CASE(never_creating_state_older_than_memory),
        CASE(look_first),
        CASE(look_first_with_a_contact_alone),
        CASE(duplicates),
        CASE(stale),
        CASE(stale_sale_of_a_waiting_end),
        CASE(stale_sale_of_a_leased_end),
        CASE(equal_second),
        CASE(missing_time),
        CASE(a_shop_clock_ahead),
        CASE(accepted),
        CASE(busy),
        CASE(claimed_while_it_waits),
        CASE(a_parked_order_is_claimed),
        CASE(the_same_content_waits_already),
        CASE(status_only_of_a_waiting_order),
        CASE(status_only_of_a_leased_order),
        CASE(status_only_behind_a_waiting_body),
        CASE(status_only_when_the_lease_ran_out),
        CASE(status_only_of_a_parked_order),
        CASE(status_only_of_a_finished_order),
        CASE(sold_survives),
        CASE(deferred_for_no_work),
        CASE(deferred_for_a_pause),
        CASE(deferred_for_the_breaker),
        CASE(deferred_for_the_limit),
        CASE(who_drains),
        CASE(nobody_ever_drained),
    };
    return rig_main(cases, sizeof cases / sizeof *cases);
}
