/* store: the leased entry. Progress, finish, retry, park, and what a worker without its lease may do. */
#include "store/store_rig.h"
#include <stdio.h>
#include <string.h>

static const struct store_link no_link = {0};

/* A second body waits behind the lease. */
static void wait_behind(struct rig *rig, const char *key, const char *fingerprint)
{
    struct store_claim claim = rig_state(key, fingerprint, rig_then() + 100);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_BUSY, "given %s waiting behind %s", fingerprint, key);
}

static enum store_result progress(struct rig *rig, const char *key, const char *token, const char *contact,
                                  const char *opportunity, unsigned *others)
{
    const struct store_progress about = {
        .contact_id = contact, .opportunity_id = opportunity, .lease_ms = LEASE_MS};
    return store_progress(rig->store, key, token, &about, others);
}

/* -- progress -- */

static void progress_is_remembered(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    struct store_entry entry = {0};
    unsigned others = 7;
    const struct store_progress about = {.contact_id = "contact",
                                         .attempt = STORE_ATTEMPT_OPPORTUNITY,
                                         .attempt_note = "{\"name\":\"Order #1\"}",
                                         .lease_ms = LEASE_MS};

    rig_new(rig, "shop:1", "aa", token);
    store_shift_clock(rig->store, 50000);
    is_result(store_progress(rig->store, "shop:1", token, &about, &others), STORE_OK, "given progress");
    is_int(others, 0, "without conflict");
    is_about(rig_look(rig, "shop:1").due_in_ms, LEASE_MS, "which renews the lease");
    store_shift_clock(rig->store, 65000);
    rig_due(rig, "shop:1", &entry);
    is_str(entry.link.contact_id, "contact", "the next worker gets the contact");
    is_int(entry.attempt, STORE_ATTEMPT_OPPORTUNITY, "the attempt");
    is_str(entry.attempt_note, "{\"name\":\"Order #1\"}", "its note");
    is_about(entry.attempt_age_ms, 65000, "and its age");
    is_int(entry.attempts, 0, "a lease that ran out is no counted retry");

    const struct store_progress known = {.clear_attempt = true, .lease_ms = LEASE_MS};
    is_result(store_progress(rig->store, "shop:1", entry.token, &known, NULL), STORE_OK,
              "the outcome is known");
    store_entry_free(&entry);
    store_shift_clock(rig->store, 65000);
    rig_due(rig, "shop:1", &entry);
    is_int(entry.attempt, STORE_ATTEMPT_NONE, "no attempt any more");
    ok(!entry.attempt_note, "nor its note");
    is_int(entry.attempt_age_ms, 0, "nor its age");
    store_entry_free(&entry);
}

static void ids_that_disagree(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    unsigned others = 0;

    rig_new(rig, "shop:1", "aa", token);
    is_result(progress(rig, "shop:1", token, "contact", "card", &others), STORE_OK, "given ids");
    is_result(progress(rig, "shop:1", token, "contact", "card", &others), STORE_OK, "the same again");
    is_int(others, 0, "no conflict");
    is_result(progress(rig, "shop:1", token, NULL, "other", &others), STORE_OK, "another opportunity");
    is_int(others, STORE_OTHER_CARD, "another is there");
    is_str(rig_look(rig, "shop:1").link.opportunity_id, "card", "the first stays");
    is_result(progress(rig, "shop:1", token, "other", "", &others), STORE_OK, "another contact");
    is_int(others, STORE_OTHER_CONTACT, "another is there, too");
    is_str(rig_look(rig, "shop:1").link.contact_id, "contact", "the first stays");
    is_result(progress(rig, "shop:1", token, NULL, NULL, &others), STORE_OK, "nothing new");
    is_int(others, 0, "no conflict");
}

static void the_contact_is_replaced(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    unsigned others = 7;
    struct store_progress about = {.contact_id = "new", .replace_contact = true, .lease_ms = LEASE_MS};
    struct store_entry next = {0};
    bool has_next;
    const struct store_link link = {
        .contact_id = "old", .opportunity_id = "card", .part_hash = {"p0", "p1", "p2", "p3"}};

    rig_new(rig, "shop:1", "aa", token);
    is_result(store_finish(rig->store, "shop:1", token, "aa", &link, 0, &next, &has_next), STORE_OK,
              "given a finished order");
    struct store_claim claim = rig_state("shop:1", "bb", rig_then() + 1);
    is_claim(rig_claim(rig, &claim, token), CLAIM_NEW, "claimed again");
    is_result(store_progress(rig->store, "shop:1", token, &about, &others), STORE_OK, "its contact is gone");
    is_int(others, 0, "no conflict");
    struct store_order order = rig_look(rig, "shop:1");
    is_str(order.link.contact_id, "new", "the new one is taken");
    is_str(order.link.opportunity_id, "card", "the opportunity stays");
    is_str(order.link.part_hash[0], "", "what the old contact held says nothing of the new one");
    about.contact_id = "";
    is_result(store_progress(rig->store, "shop:1", token, &about, NULL), STORE_OK, "gone, with none instead");
    is_str(rig_look(rig, "shop:1").link.contact_id, "", "none");
    about.contact_id = "foreign";
    is_result(progress(rig, "shop:1", token, "mine", NULL, NULL), STORE_OK, "given one");
    is_result(store_progress(rig->store, "shop:1", "no such lease", &about, &others), STORE_LOST,
              "without the lease");
    is_int(others, STORE_OTHER_CONTACT, "it is only another");
    is_str(rig_look(rig, "shop:1").link.contact_id, "mine", "and replaces nothing");
}

static void a_worker_that_lost_its_lease(struct rig *rig)
{
    char old[STORE_TOKEN_SIZE];
    struct store_entry entry = {0};
    unsigned others = 7;
    struct store_progress about = {.contact_id = "contact",
                                   .attempt = STORE_ATTEMPT_OPPORTUNITY,
                                   .attempt_note = "{}",
                                   .lease_ms = LEASE_MS};

    rig_new(rig, "shop:1", "aa", old);
    is_result(store_progress(rig->store, "shop:1", old, &about, NULL), STORE_OK, "given an attempt");
    store_shift_clock(rig->store, LEASE_MS + 1000);
    rig_due(rig, "shop:1", &entry);
    is_result(store_renew(rig->store, "shop:1", old, LEASE_MS), STORE_LOST, "its lease is another's");

    about = (struct store_progress){.clear_attempt = true, .lease_ms = LEASE_MS};
    is_result(store_progress(rig->store, "shop:1", old, &about, NULL), STORE_LOST, "it clears the attempt");
    about = (struct store_progress){.contact_id = "contact", .clear_attempt = true, .lease_ms = LEASE_MS};
    is_result(store_progress(rig->store, "shop:1", old, &about, NULL), STORE_LOST, "with the wrong id");
    about = (struct store_progress){.attempt = STORE_ATTEMPT_CONTACT, .attempt_note = "x", .lease_ms = 1};
    is_result(store_progress(rig->store, "shop:1", old, &about, NULL), STORE_LOST, "begins another");
    is_about(rig_look(rig, "shop:1").due_in_ms, LEASE_MS, "the lease is the other's");
    is_result(store_retry(rig->store, "shop:1", entry.token, 0, true, false, ""), STORE_OK, "which goes on");
    store_entry_free(&entry);
    rig_due(rig, "shop:1", &entry);
    is_int(entry.attempt, STORE_ATTEMPT_OPPORTUNITY, "none of it counted");
    is_str(entry.attempt_note, "{}", "the note stays");

    about = (struct store_progress){.opportunity_id = "card", .clear_attempt = true, .lease_ms = LEASE_MS};
    is_result(store_progress(rig->store, "shop:1", old, &about, &others), STORE_LOST, "it brings the id");
    is_int(others, 0, "where none was");
    is_str(rig_look(rig, "shop:1").link.opportunity_id, "card", "which is taken");
    is_result(store_retry(rig->store, "shop:1", entry.token, 0, true, false, ""), STORE_OK, "given a retry");
    store_entry_free(&entry);
    rig_due(rig, "shop:1", &entry);
    is_int(entry.attempt, STORE_ATTEMPT_NONE, "and ends the attempt");
    is_str(entry.link.opportunity_id, "card", "the next worker gets it");
    store_entry_free(&entry);
    is_result(progress(rig, "shop:1", old, NULL, "other", &others), STORE_LOST, "another id");
    is_int(others, STORE_OTHER_CARD, "it is told");
    is_str(rig_look(rig, "shop:1").link.opportunity_id, "card", "and changes nothing");
}

static void a_conflicting_id_ends_no_attempt(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    struct store_entry entry = {0};
    unsigned others = 0;
    const struct store_progress attempt = {.opportunity_id = "card",
                                           .attempt = STORE_ATTEMPT_OPPORTUNITY,
                                           .lease_ms = LEASE_MS},
                                late = {
                                    .opportunity_id = "other", .clear_attempt = true, .lease_ms = LEASE_MS};

    rig_new(rig, "shop:1", "aa", token);
    is_result(store_progress(rig->store, "shop:1", token, &attempt, NULL), STORE_OK, "given an attempt");
    is_result(store_progress(rig->store, "shop:1", "lost", &late, &others), STORE_LOST, "another id");
    is_int(others, STORE_OTHER_CARD, "it is told");
    store_shift_clock(rig->store, LEASE_MS + 1000);
    rig_due(rig, "shop:1", &entry);
    is_int(entry.attempt, STORE_ATTEMPT_OPPORTUNITY, "the attempt stays");
    store_entry_free(&entry);
}

static void nobody_took_a_lease_that_ran_out(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];

    rig_new(rig, "shop:1", "aa", token);
    store_shift_clock(rig->store, LEASE_MS + 1000);
    ok(!rig_look(rig, "shop:1").leased, "given a lease that ran out");
    is_result(store_renew(rig->store, "shop:1", token, LEASE_MS), STORE_OK, "it is still this worker's");
    ok(rig_look(rig, "shop:1").leased, "and in force again");
    is_result(store_renew(rig->store, "shop:none", token, LEASE_MS), STORE_LOST, "of no order: lost");
    is_result(store_renew(rig->store, "shop:1", "", LEASE_MS), STORE_LOST, "an empty token: lost");
    is_result(store_retry(rig->store, "shop:1", token, 0, true, false, ""), STORE_OK, "given back");
    is_result(store_renew(rig->store, "shop:1", "", LEASE_MS), STORE_LOST, "an empty token: still lost");
    is_result(store_park(rig->store, "shop:1", "", "no", NULL), STORE_LOST, "park, too");
}

/* -- finish -- */

static void finished(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    struct store_entry next = {0};
    bool has_next = true;
    struct store_link link = {
        .contact_id = "contact", .opportunity_id = "card", .part_hash = {"p0", "p1", "p2", "p3"}};

    rig_new(rig, "shop:1", "aa", token);
    is_result(store_finish(rig->store, "shop:1", token, "aa", &link, LEASE_MS, &next, &has_next), STORE_OK,
              "finished");
    ok(!has_next && !next.key, "nothing waited");
    struct store_order order = rig_look(rig, "shop:1");
    ok(!order.waiting && !order.leased && !order.parked, "the body is gone");
    ok(order.idempotency_key, "the idempotency key is set");
    is_str(order.link.contact_id, "contact", "the link's contact");
    is_str(order.link.opportunity_id, "card", "its opportunity");
    is_str(order.link.part_hash[0], "p0", "its first part");
    is_str(order.link.part_hash[3], "p3", "its last part");
    is_int(rig_stats(rig).waiting, 0, "nothing waits");
    is_result(store_finish(rig->store, "shop:1", token, "aa", &link, LEASE_MS, &next, &has_next), STORE_LOST,
              "twice: lost");
    is_result(store_retry(rig->store, "shop:1", token, 0, true, false, ""), STORE_LOST, "retry: lost");
    is_result(store_park(rig->store, "shop:1", token, "", NULL), STORE_LOST, "park: lost");

    store_shift_clock(rig->store, DAY_MS - MINUTE_MS);
    ok(rig_look(rig, "shop:1").idempotency_key, "the key lives for IDEMPOTENCY_TTL");
    store_shift_clock(rig->store, 2 * MINUTE_MS);
    ok(!rig_look(rig, "shop:1").idempotency_key, "and not longer");
    is_str(rig_look(rig, "shop:1").link.opportunity_id, "card", "the link lives on");

    struct store_claim claim = rig_state("shop:1", "bb", rig_then() + 1);
    is_claim(rig_claim(rig, &claim, token), CLAIM_NEW, "given the next state");
    link = (struct store_link){.gone = true};
    is_result(store_finish(rig->store, "shop:1", token, "bb", &link, 0, &next, &has_next), STORE_OK,
              "finished with a gone mark and no ids");
    order = rig_look(rig, "shop:1");
    is_str(order.link.opportunity_id, "card", "an empty id says nothing");
    ok(order.link.gone, "the mark is kept");
    is_str(order.link.part_hash[0], "", "the parts are as told");
}

static void the_idempotency_key(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];

    rig_new(rig, "shop:1", "aa", token);
    rig_finish(rig, "shop:1", token, "aa", "contact", "card");
    ok(rig_look(rig, "shop:1").idempotency_key, "given a finished order");
    struct store_claim claim = rig_state("shop:1", "bb", rig_then() + 1);
    is_claim(rig_claim(rig, &claim, token), CLAIM_NEW, "another state");
    ok(!rig_look(rig, "shop:1").idempotency_key, "deletes the key");
    is_result(store_park(rig->store, "shop:1", token, "no", NULL), STORE_OK, "parking");
    ok(!rig_look(rig, "shop:1").idempotency_key, "sets none");
}

static void finish_hands_over(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    struct store_entry next = {0};
    bool has_next = false;
    const struct store_link link = {.contact_id = "contact"};

    rig_new(rig, "shop:1", "aa", token);
    is_result(store_retry(rig->store, "shop:1", token, 0, true, false, "why"), STORE_OK, "given an attempt");
    rig_due(rig, "shop:1", &next);
    memcpy(token, next.token, sizeof token);
    is_int(next.attempts, 1, "that counted");
    store_entry_free(&next);
    wait_behind(rig, "shop:1", "bb");
    is_result(store_finish(rig->store, "shop:1", token, "aa", &link, LEASE_MS, &next, &has_next), STORE_OK,
              "finished");
    ok(has_next, "what waited is handed over");
    is_str(next.key, "shop:1", "it is this order");
    is_str(next.body, "bb", "the waiting body");
    is_str(next.fingerprint, "bb", "its fingerprint");
    is_int(next.attempts, 0, "fresh attempts");
    is_str(next.link.contact_id, "contact", "the link so far");
    ok(next.sold, "sold is kept");
    ok(strcmp(next.token, token) != 0, "under a lease of its own");
    is_result(store_renew(rig->store, "shop:1", token, LEASE_MS), STORE_LOST, "the old one is over");
    is_result(store_renew(rig->store, "shop:1", next.token, LEASE_MS), STORE_OK, "the new one stands");
    ok(!rig_look(rig, "shop:1").has_waiting_body, "nothing waits behind it");
    rig_finish(rig, "shop:1", next.token, "bb", "contact", "card");
    ok(rig_look(rig, "shop:1").idempotency_key, "its end sets the key");
    store_entry_free(&next);
}

static void finish_without_time_hands_nothing_over(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    struct store_entry next = {0};
    bool has_next = true;

    rig_new(rig, "shop:1", "aa", token);
    wait_behind(rig, "shop:1", "bb");
    is_result(store_finish(rig->store, "shop:1", token, "aa", &no_link, 0, &next, &has_next), STORE_OK,
              "finished, with no time left");
    ok(!has_next && !next.body, "nothing is handed over");
    ok(!rig_look(rig, "shop:1").leased, "nobody has it");
    rig_due(rig, "shop:1", &next);
    is_str(next.body, "bb", "what waited");
    store_entry_free(&next);
}

static void finish_without_the_lease(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    struct store_entry next = {0};
    bool has_next = true;
    struct store_link link = {.contact_id = "contact", .opportunity_id = "card", .part_hash = {"p0"}};

    rig_new(rig, "shop:1", "aa", token);
    is_result(store_finish(rig->store, "shop:1", "lost", "aa", &link, LEASE_MS, &next, &has_next), STORE_LOST,
              "finished by a stranger");
    ok(!has_next, "nothing is handed over");
    struct store_order order = rig_look(rig, "shop:1");
    ok(order.leased && !order.idempotency_key, "the body stays, no key is set");
    is_str(order.link.opportunity_id, "card", "the ids are kept");
    is_str(order.link.part_hash[0], "", "the parts are not");
    memcpy(link.opportunity_id, "other", sizeof "other");
    is_result(store_finish(rig->store, "shop:1", "lost", "aa", &link, 0, &next, &has_next), STORE_LOST,
              "with another id");
    is_str(rig_look(rig, "shop:1").link.opportunity_id, "card", "the first stays");
}

static void finish_ends_the_attempt(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    struct store_claim_reply reply;
    struct store_entry entry = {0}, next = {0};
    bool has_next;
    const struct store_progress attempt = {
        .attempt = STORE_ATTEMPT_OPPORTUNITY, .attempt_note = "{}", .lease_ms = LEASE_MS};

    for (int with_id = 0; with_id < 2; with_id++) {
        char key[16];
        struct store_link link = no_link;
        snprintf(key, sizeof key, "shop:%d", with_id);
        memcpy(link.contact_id, "contact", sizeof "contact"); /* whom it is known for does not end it */
        if (with_id)
            memcpy(link.opportunity_id, "card", sizeof "card");
        rig_new(rig, key, "aa", token);
        is_result(store_progress(rig->store, key, token, &attempt, NULL), STORE_OK, "given an attempt");
        is_result(store_finish(rig->store, key, token, "aa", &link, 0, &next, &has_next), STORE_OK,
                  "finished %s an id", with_id ? "with" : "without");
        struct store_claim claim = rig_state(key, "bb", rig_then() + 1);
        is_claim(store_claim(rig->store, &claim, &reply, &entry), CLAIM_NEW, "the next state");
        is_int(entry.attempt, with_id ? STORE_ATTEMPT_NONE : STORE_ATTEMPT_OPPORTUNITY,
               "knows of the attempt, or it is over");
        is_str(entry.attempt_note, with_id ? NULL : "{}", "and its note");
        store_entry_free(&entry);
    }
}

static void an_attempt_is_forgotten_like_a_link(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    struct store_claim_reply reply;
    struct store_entry entry = {0};
    const struct store_progress attempt = {
        .attempt = STORE_ATTEMPT_OPPORTUNITY, .attempt_note = "{}", .lease_ms = LEASE_MS};

    rig_new(rig, "shop:1", "aa", token);
    is_result(store_progress(rig->store, "shop:1", token, &attempt, NULL), STORE_OK, "given an attempt");
    is_result(store_park(rig->store, "shop:1", token, "no", NULL), STORE_OK, "that was parked");
    is_result(store_drop(rig->store, "shop:1"), STORE_OK, "and dropped");
    store_shift_clock(rig->store, 401 * DAY_MS);
    struct store_claim claim = rig_state("shop:1", "aa", rig_then());
    is_claim(store_claim(rig->store, &claim, &reply, &entry), CLAIM_NEW, "claimed a LINK_TTL later");
    is_int(entry.attempt, STORE_ATTEMPT_NONE, "no attempt is known");
    ok(!entry.attempt_note, "nor its note");
    store_entry_free(&entry);
}

/* -- how long things are remembered -- */

static void the_link_expires(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    struct store_order order;

    rig_new(rig, "shop:1", "aa", token);
    rig_finish(rig, "shop:1", token, "aa", "contact", "card");
    store_shift_clock(rig->store, 399 * DAY_MS);
    is_str(rig_look(rig, "shop:1").link.opportunity_id, "card", "remembered for LINK_TTL");
    struct store_claim claim = rig_state("shop:1", "bb", rig_now_s() + 399 * 86400);
    is_claim(rig_claim(rig, &claim, token), CLAIM_NEW, "given another state");
    rig_finish(rig, "shop:1", token, "bb", "", "");
    store_shift_clock(rig->store, 399 * DAY_MS);
    is_str(rig_look(rig, "shop:1").link.opportunity_id, "card", "every finish renews it");
    store_shift_clock(rig->store, 2 * DAY_MS);
    is_result(store_look(rig->store, "shop:1", &order), STORE_NONE, "then the order is unknown");
}

static void an_entry_keeps_its_link(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    struct store_entry entry = {0};

    rig_new(rig, "shop:1", "aa", token);
    is_result(progress(rig, "shop:1", token, "contact", "card", NULL), STORE_OK, "given progress");
    is_result(store_park(rig->store, "shop:1", token, "no", NULL), STORE_OK, "parked");
    store_shift_clock(rig->store, 500 * DAY_MS);
    is_str(rig_look(rig, "shop:1").link.opportunity_id, "card", "its ids stay as long as it is there");
    is_result(store_requeue(rig->store, "shop:1"), STORE_OK, "given a requeue");
    rig_due(rig, "shop:1", &entry);
    is_str(entry.body, "aa", "its body");
    is_str(entry.link.opportunity_id, "card", "and its ids are given");
    store_entry_free(&entry);
}

/* -- retry -- */

static void retried(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    struct store_entry entry = {0};
    int64_t next_ms = 0;

    rig_new(rig, "shop:1", "aa", token);
    is_result(store_retry(rig->store, "shop:1", token, HOUR_MS, true, false, "GHL is away"), STORE_OK,
              "counted, in an hour");
    struct store_order order = rig_look(rig, "shop:1");
    ok(order.waiting && !order.leased, "it waits");
    is_str(order.reason, "GHL is away", "for a reason");
    is_result(store_lease_due(rig->store, LEASE_MS, NULL, &entry, &next_ms, NULL), STORE_NONE, "not due yet");
    ok(next_ms > HOUR_MS - 20000 && next_ms <= HOUR_MS, "but in an hour");
    store_shift_clock(rig->store, HOUR_MS);
    rig_due(rig, "shop:1", &entry);
    is_int(entry.attempts, 1, "one attempt");
    is_about(entry.age_ms, HOUR_MS, "the hour counts");
    is_result(store_retry(rig->store, "shop:1", entry.token, HOUR_MS, false, false, "held"), STORE_OK,
              "not counted, in an hour");
    store_entry_free(&entry);
    store_shift_clock(rig->store, HOUR_MS);
    rig_due(rig, "shop:1", &entry);
    is_int(entry.attempts, 1, "still one attempt");
    is_about(entry.age_ms, HOUR_MS, "that hour does not count");
    store_entry_free(&entry);
}

static void retry_promotes(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    struct store_entry entry = {0};

    rig_new(rig, "shop:1", "aa", token);
    wait_behind(rig, "shop:1", "bb");
    is_result(store_retry(rig->store, "shop:1", token, HOUR_MS, true, false, "why"), STORE_OK, "retried");
    rig_due(rig, "shop:1", &entry);
    is_str(entry.body, "bb", "what waited is due now");
    is_int(entry.attempts, 0, "with fresh attempts");
    memcpy(token, entry.token, sizeof token);
    store_entry_free(&entry);
    struct store_claim claim = rig_state("shop:1", "cc", rig_then() + 200);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_BUSY, "given another that waits");
    is_result(store_retry(rig->store, "shop:1", token, HOUR_MS, false, true, "why"), STORE_OK, "on hold");
    rig_due(rig, NULL, &entry);
    is_about(rig_look(rig, "shop:1").due_in_ms + 20000, HOUR_MS, "it waits too");
    store_shift_clock(rig->store, HOUR_MS);
    rig_due(rig, "shop:1", &entry);
    is_str(entry.body, "cc", "the newest");
    store_entry_free(&entry);
}

static void time_on_hold(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    struct store_entry entry = {0};
    bool first;

    rig_new(rig, "shop:1", "aa", token);
    is_result(store_retry(rig->store, "shop:1", token, 0, true, false, "why"), STORE_OK, "given an order");
    store_shift_clock(rig->store, HOUR_MS);
    is_result(store_pause(rig->store, "", "why", &first), STORE_OK, "an hour later all is paused");
    store_shift_clock(rig->store, 10 * HOUR_MS);
    is_result(store_lease_due(rig->store, LEASE_MS, "shop:1", &entry, NULL, NULL), STORE_OK,
              "looked at meanwhile");
    is_about(entry.age_ms, HOUR_MS, "it is an hour old");
    is_result(store_retry(rig->store, "shop:1", entry.token, 0, true, false, "why"), STORE_OK, "given back");
    store_entry_free(&entry);
    is_result(store_resume(rig->store, NULL), STORE_OK, "resumed");
    store_shift_clock(rig->store, HOUR_MS);
    rig_due(rig, "shop:1", &entry);
    is_about(entry.age_ms, 2 * HOUR_MS, "the pause does not count");
    is_result(store_retry(rig->store, "shop:1", entry.token, 0, true, false, "why"), STORE_OK, "given back");
    store_entry_free(&entry);
    for (int i = 0; i < 5; i++)
        is_result(store_breaker(rig->store, false, NULL), STORE_OK, "GHL is away");
    store_shift_clock(rig->store, 5 * HOUR_MS);
    is_result(store_breaker(rig->store, true, NULL), STORE_OK, "for five hours");
    rig_due(rig, "shop:1", &entry);
    is_about(entry.age_ms, 2 * HOUR_MS, "which do not count either");
    store_entry_free(&entry);
}

/* -- park -- */

static void parked(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    struct store_entry entry = {0};
    bool is_parked = false;

    rig_new(rig, "shop:1", "aa", token);
    is_result(store_park(rig->store, "shop:1", token, "GHL takes no such phone", &is_parked), STORE_OK,
              "parked");
    ok(is_parked, "and told so");
    struct store_order order = rig_look(rig, "shop:1");
    ok(order.parked && !order.waiting && !order.leased, "it does not wait");
    is_str(order.reason, "GHL takes no such phone", "its reason is kept");
    is_int(rig_stats(rig).parked, 1, "one is parked");
    is_int(rig_stats(rig).waiting, 0, "none waits");
    rig_due(rig, NULL, &entry);
    is_result(store_renew(rig->store, "shop:1", token, LEASE_MS), STORE_LOST, "the lease is over");

    rig_new(rig, "shop:2", "aa", token);
    wait_behind(rig, "shop:2", "bb");
    is_parked = true;
    is_result(store_park(rig->store, "shop:2", token, "no", &is_parked), STORE_OK, "with a body that waits");
    ok(!is_parked, "nothing is parked");
    rig_due(rig, "shop:2", &entry);
    is_str(entry.body, "bb", "what waited is due now");
    is_int(rig_stats(rig).parked, 1, "the other goes");
    store_entry_free(&entry);
}

int main(void)
{
    static const struct rig_case cases[] = {
        RIG_CASE(progress_is_remembered),
        RIG_CASE(ids_that_disagree),
        RIG_CASE(the_contact_is_replaced),
        RIG_CASE(a_worker_that_lost_its_lease),
        RIG_CASE(a_conflicting_id_ends_no_attempt),
        RIG_CASE(nobody_took_a_lease_that_ran_out),
        RIG_CASE(finished),
        RIG_CASE(the_idempotency_key),
        RIG_CASE(finish_hands_over),
        RIG_CASE(finish_without_time_hands_nothing_over),
        RIG_CASE(finish_without_the_lease),
        RIG_CASE(finish_ends_the_attempt),
        RIG_CASE(an_attempt_is_forgotten_like_a_link),
        RIG_CASE(the_link_expires),
        RIG_CASE(an_entry_keeps_its_link),
        RIG_CASE(retried),
        RIG_CASE(retry_promotes),
        RIG_CASE(time_on_hold),
        RIG_CASE(parked),
    };
    return rig_main(cases, sizeof cases / sizeof *cases);
}
