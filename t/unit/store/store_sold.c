/* store: claims of a status alone, and what is sold. */
#include "store/store_rig.h"
#include <stdio.h>
#include <string.h>

static void status_only_of_a_waiting_order(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    struct store_claim_reply reply;
    struct store_entry entry = {0};

    rig_new(rig, "shop:1", "aa", token);
    is_result(store_retry(rig->store, "shop:1", token, HOUR_MS, true, false, "why"), STORE_OK,
              "given a wait");
    struct store_claim claim = rig_deleted("shop:1", "dd");
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
    struct store_claim claim = rig_deleted("shop:1", "dd");
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
    struct store_claim claim = rig_never_creating("shop:1", "bb", rig_then() + 1);

    rig_new(rig, "shop:1", "aa", token);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_BUSY, "given a waiting body");
    claim = rig_deleted("shop:1", "dd");
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_BUSY, "deleted");
    rig_finish(rig, "shop:1", token, "aa", "contact", "card");
    rig_due(rig, "shop:1", &entry);
    is_str(entry.body, "bb", "the waiting body stays");
    is_str(entry.status, "trash", "trashed");
    store_entry_free(&entry);
    claim = rig_state("shop:1", "ee", rig_then() + 2);
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
    struct store_claim claim = rig_state("shop:1", "bb", rig_then() + 1);

    rig_new(rig, "shop:1", "aa", token);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_BUSY, "given a waiting body behind a lease");
    store_shift_clock(rig->store, LEASE_MS + 1000);
    claim = rig_deleted("shop:1", "dd");
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
    struct store_claim claim = rig_deleted("shop:1", "dd");
    is_claim(store_claim(rig->store, &claim, &reply, &entry), CLAIM_NEW, "deleted");
    is_str(entry.body, "aa", "its body stays");
    ok(!strcmp(entry.status, "trash") && entry.sold, "trashed, sold");
    is_result(store_park(rig->store, "shop:1", entry.token, "no", NULL), STORE_OK, "parked again");
    store_entry_free(&entry);
    store_shift_clock(rig->store, 31 * DAY_MS);
    is_result(store_expire_parked(rig->store, &expired), STORE_OK, "its time is over");
    is_int(expired, 1, "its body is gone");
    claim = rig_deleted("shop:1", "ee");
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
    struct store_claim claim = rig_deleted("shop:1", "dd");
    is_claim(store_claim(rig->store, &claim, &reply, &entry), CLAIM_NEW, "deleted when finished");
    is_str(entry.body, "dd", "the status-only body itself");
    ok(!entry.status[0] && !entry.sold, "neither trashed nor sold: finish cleared it");
    store_entry_free(&entry);
    claim = rig_deleted("shop:2", "dd");
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_IGNORED, "deleted and never heard of: ignored");
    rig_new(rig, "shop:2", "aa", token);
    is_str(rig_look(rig, "shop:2").fingerprint, "aa", "a sale that comes later, modified before, counts");
}

static void sold_survives(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    struct store_entry entry = {0};
    struct store_claim claim = rig_state("shop:1", "aa", rig_then());

    claim.creates = false;
    claim.created_s = 1; /* older than memory: not ignored */
    is_claim(rig_claim(rig, &claim, token), CLAIM_NEW, "given a never-creating state");
    claim = rig_state("shop:1", "bb", rig_then() + 1);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_BUSY, "a creating one waits");
    claim = rig_never_creating("shop:1", "cc", rig_then() + 2);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_BUSY, "a never-creating one takes its place");
    rig_finish(rig, "shop:1", token, "aa", "", "");
    rig_due(rig, "shop:1", &entry);
    is_str(entry.body, "cc", "the last one is promoted");
    ok(entry.sold, "sold, for it was bought in between");
    rig_finish(rig, "shop:1", entry.token, "cc", "contact", "card");
    store_entry_free(&entry);
    claim = rig_never_creating("shop:1", "dd", rig_then() + 3);
    struct store_claim_reply reply;
    is_claim(store_claim(rig->store, &claim, &reply, &entry), CLAIM_NEW, "after the end");
    ok(!entry.sold, "it is not");
    store_entry_free(&entry);
}

int main(void)
{
    static const struct rig_case cases[] = {
        RIG_CASE(status_only_of_a_waiting_order),
        RIG_CASE(status_only_of_a_leased_order),
        RIG_CASE(status_only_behind_a_waiting_body),
        RIG_CASE(status_only_when_the_lease_ran_out),
        RIG_CASE(status_only_of_a_parked_order),
        RIG_CASE(status_only_of_a_finished_order),
        RIG_CASE(sold_survives),
    };
    return rig_main(cases, sizeof cases / sizeof *cases);
}
