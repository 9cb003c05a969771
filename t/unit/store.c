/* The store's contract: every case once on the embedded store and once on a real Redis. */
#include "store.h"
#include "clock.h"
#include "stores.h"
#include "tap.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LEASE_MS 60000
#define HOUR_MS (3600 * 1000LL)
#define DAY_MS (24 * HOUR_MS)

static const char *const A = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                         *const B = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
                         *const C = "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc";

static const char *name_of(enum store_claim_result result)
{
    static const char *const names[] = {"new",      "duplicate", "stale",       "busy",
                                        "deferred", "ignored",   "unavailable", "full"};
    return names[result];
}

/* What most claims are. */
static struct store_claim a_claim(const char *key, const char *fingerprint)
{
    return (struct store_claim){.key = key,
                                .fingerprint = fingerprint,
                                .hmac = "",
                                .body = fingerprint,
                                .body_len = strlen(fingerprint),
                                .creates = true,
                                .client = "",
                                .work = true,
                                .lease_ms = LEASE_MS};
}

static void claims(struct store *store, const struct store_claim *claim, struct store_entry *entry,
                   const char *want, const char *what)
{
    struct store_claim_reply reply;
    is_str(name_of(store_claim(store, claim, &reply, entry)), want, "%s: %s", what, want);
}

/* A claim of which only the answer matters. */
static void answers(struct store *store, const struct store_claim *claim, const char *want, const char *what)
{
    struct store_entry entry = {0};
    claims(store, claim, &entry, want, what);
    store_entry_free(&entry);
}

static void finishes(struct store *store, struct store_entry *entry, const char *card)
{
    struct store_link link = entry->link;
    struct store_entry next = {0};
    bool has_next = false;

    snprintf(link.contact_id, sizeof link.contact_id, "contact1");
    snprintf(link.opportunity_id, sizeof link.opportunity_id, "%s", card);
    is_int(store_finish(store, entry->key, entry->token, entry->fingerprint, &link, 0, &next, &has_next),
           STORE_OK, "finished");
    store_entry_free(entry);
}

static struct store_order look(struct store *store, const char *key)
{
    struct store_order order;
    if (store_look(store, key, &order) != STORE_OK)
        order = (struct store_order){0};
    return order;
}

/* -- dedupe and place in time -- */

static void dedupes(struct store *store)
{
    struct store_claim claim = a_claim("shop:1", A);
    struct store_entry entry = {0};

    claims(store, &claim, &entry, "new", "a first delivery");
    is_str(entry.key, "shop:1", "its key");
    is_str(entry.body, A, "its body");
    is_str(entry.fingerprint, A, "its fingerprint");
    ok(entry.sold && !entry.trashed && !entry.look_first, "sold, not trashed, young");
    is_int(entry.attempts, 0, "no attempts");
    answers(store, &claim, "duplicate", "the same while it is worked on");
    ok(look(store, "shop:1").leased, "it is leased");
    finishes(store, &entry, "card1");
    answers(store, &claim, "duplicate", "the same after it is done");
    struct store_order order = look(store, "shop:1");
    ok(order.idempotency_key && !order.waiting && !order.leased, "done, with its idempotency key");
    is_str(order.link.opportunity_id, "card1", "the link");

    claim = a_claim("shop:1", B);
    claims(store, &claim, &entry, "new", "another state");
    ok(!look(store, "shop:1").idempotency_key, "the idempotency key is gone");
    is_str(entry.link.opportunity_id, "card1", "with the link");
    finishes(store, &entry, "card1");
    claim = a_claim("shop:1", A);
    claims(store, &claim, &entry, "new", "won, lost, won again reaches GHL");
    finishes(store, &entry, "card1");
}

static void orders_in_time(struct store *store)
{
    int64_t now = clock_wall_ms() / 1000;
    struct store_claim claim = a_claim("shop:2", A);
    struct store_entry entry = {0};

    claim.modified_s = now - 100;
    claims(store, &claim, &entry, "new", "a state");
    finishes(store, &entry, "card2");
    claim = a_claim("shop:2", B);
    claim.modified_s = now - 101;
    answers(store, &claim, "stale", "an older one");
    claim.modified_s = now - 100;
    claims(store, &claim, &entry, "new", "one of the same second is not older");
    finishes(store, &entry, "card2");
    claim = a_claim("shop:2", C);
    claims(store, &claim, &entry, "new", "one without a time counts as the stored one");
    finishes(store, &entry, "card2");
    /* A duplicate moves the place on: what lay between is stale. */
    claim.modified_s = now - 10;
    answers(store, &claim, "duplicate", "the same state, seen later");
    claim = a_claim("shop:2", A);
    claim.modified_s = now - 50;
    answers(store, &claim, "stale", "a state from between");
    /* The shop's clock is a day ahead: its own later states are not locked out. */
    claim = a_claim("shop:3", A);
    claim.modified_s = now + 86400;
    claims(store, &claim, &entry, "new", "a state from tomorrow");
    finishes(store, &entry, "card3");
    claim = a_claim("shop:3", B);
    claim.modified_s = now + 5;
    claims(store, &claim, &entry, "new", "the next one, after the clock was set right");
    finishes(store, &entry, "card3");
    /* From the spool: its arrival counts, not its move. */
    claim = a_claim("shop:3", C);
    claim.arrived_ago_ms = HOUR_MS;
    claim.modified_s = now - 3600;
    answers(store, &claim, "stale", "a delivery that lay in the spool for an hour");
}

/* -- states that create nothing -- */

static void never_creates(struct store *store)
{
    struct store_claim claim = a_claim("shop:10", A);
    struct store_entry entry = {0};

    claim.creates = false;
    answers(store, &claim, "ignored", "cancelled, never sold");
    answers(store, &claim, "ignored", "and again");
    claim = a_claim("shop:10", B);
    claims(store, &claim, &entry, "new", "then it is paid");
    finishes(store, &entry, "card10");
    claim = a_claim("shop:10", A);
    claim.creates = false;
    claims(store, &claim, &entry, "new", "cancelled, with a card");
    ok(!entry.sold, "finish had forgotten that it was sold");
    finishes(store, &entry, "card10");

    claim = a_claim("shop:11", A);
    claim.work = false;
    answers(store, &claim, "deferred", "sold, and it waits");
    claim = a_claim("shop:11", B);
    claim.creates = false;
    claims(store, &claim, &entry, "new", "refunded before it reached GHL");
    ok(entry.sold, "it counts as sold");
    finishes(store, &entry, "card11");

    claim = a_claim("shop:12", A);
    claim.creates = false;
    claim.created_s = clock_wall_ms() / 1000 - 1000000;
    claims(store, &claim, &entry, "new", "a refund of an order from before the store was born");
    ok(entry.look_first && !entry.sold, "it is to be looked for");
    finishes(store, &entry, "");
}

static void deleted(struct store *store)
{
    struct store_claim claim = a_claim("shop:20", A), trash = a_claim("shop:20", B);
    struct store_entry entry = {0};

    trash.creates = false;
    trash.status_only = true;
    claim.work = false;
    answers(store, &claim, "deferred", "an order waits");
    claims(store, &trash, &entry, "new", "then it is deleted");
    is_str(entry.body, A, "the body with content stays");
    ok(entry.trashed && entry.sold, "and is marked");
    is_str(entry.fingerprint, B, "the state is the newer one");
    answers(store, &trash, "duplicate", "deleted once more");
    claim = a_claim("shop:20", C);
    answers(store, &claim, "busy", "restored while the worker is on it");
    ok(look(store, "shop:20").has_waiting_body, "it waits behind");
    struct store_entry next = {0};
    bool has_next = false;
    is_int(store_finish(store, entry.key, entry.token, entry.fingerprint, &entry.link, LEASE_MS, &next,
                        &has_next),
           STORE_OK, "the deleted one is done");
    ok(has_next, "the restored one is handed over");
    is_str(next.body, C, "with its body");
    ok(!next.trashed, "not marked");
    store_entry_free(&entry);
    finishes(store, &next, "card20");

    claim = a_claim("shop:21", A);
    claims(store, &claim, &entry, "new", "an order in hand");
    trash.key = "shop:21";
    answers(store, &trash, "busy", "deleted meanwhile");
    is_int(store_finish(store, entry.key, entry.token, entry.fingerprint, &entry.link, LEASE_MS, &next,
                        &has_next),
           STORE_OK, "done");
    ok(has_next && next.trashed, "the deletion is handed over");
    is_str(next.body, A, "on the last content");
    store_entry_free(&entry);
    finishes(store, &next, "card21");
}

/* -- leases -- */

static void leases_run_out(struct store *store)
{
    struct store_claim claim = a_claim("shop:30", A);
    struct store_entry first = {0}, second = {0};
    struct store_link link = {.contact_id = "contact30", .opportunity_id = "card30"};
    bool has_next = false, conflict = false;

    claims(store, &claim, &first, "new", "a worker takes it");
    is_int(store_lease_due(store, LEASE_MS, false, &second, NULL, NULL), STORE_NONE, "nobody else gets it");
    is_int(store_renew(store, first.key, first.token, LEASE_MS), STORE_OK, "its lease can be renewed");
    store_shift_clock(store, LEASE_MS + 1);
    is_int(store_lease_due(store, LEASE_MS, false, &second, NULL, NULL), STORE_OK,
           "when the lease ran out another gets it");
    is_str(second.body, A, "with the body");
    is_int(store_renew(store, first.key, first.token, LEASE_MS), STORE_LOST, "the first one has lost it");
    struct store_progress progress = {
        .contact_id = "contact30", .opportunity_id = "card30", .lease_ms = LEASE_MS};
    is_int(store_progress(store, first.key, first.token, &progress, &conflict), STORE_LOST,
           "its progress says so");
    ok(!conflict, "its ids are taken");
    is_str(look(store, "shop:30").link.opportunity_id, "card30", "and kept");
    is_int(store_finish(store, first.key, first.token, A, &link, 0, &second, &has_next), STORE_LOST,
           "it cannot finish");
    struct store_order order = look(store, "shop:30");
    ok(order.leased, "the order is still the second one's");
    store_entry_free(&first);
    store_entry_free(&second);

    /* The second one's ids differ: an alert, and the first stay. (Its entry was freed above; it waits for its
     * lease to run out.) */
    store_shift_clock(store, LEASE_MS + 1);
    is_int(store_lease_due(store, LEASE_MS, false, &second, NULL, NULL), STORE_OK, "a third takes over");
    is_str(second.link.opportunity_id, "card30", "and knows the card");
    progress.opportunity_id = "card31";
    is_int(store_progress(store, second.key, second.token, &progress, &conflict), STORE_OK, "another id");
    ok(conflict, "is told");
    is_str(look(store, "shop:30").link.opportunity_id, "card30", "and not taken");
    finishes(store, &second, "card30");
}

static void newer_behind_an_expired_lease(struct store *store)
{
    struct store_claim claim = a_claim("shop:31", A);
    struct store_entry entry = {0};

    claims(store, &claim, &entry, "new", "a worker takes it and dies");
    store_entry_free(&entry);
    claim = a_claim("shop:31", B);
    answers(store, &claim, "busy", "a newer state waits");
    claim = a_claim("shop:31", C);
    answers(store, &claim, "busy", "a still newer one replaces it");
    store_shift_clock(store, LEASE_MS + 1);
    is_int(store_lease_due(store, LEASE_MS, false, &entry, NULL, NULL), STORE_OK, "when the lease ran out");
    is_str(entry.body, C, "the newest is handed out");
    is_int(store_lease_due(store, LEASE_MS, false, &entry, NULL, NULL), STORE_NONE, "and nothing else waits");
    store_shift_clock(store, LEASE_MS + 1);
    is_int(store_lease_due(store, LEASE_MS, false, &entry, NULL, NULL), STORE_OK, "again");
    finishes(store, &entry, "card31");
}

static void attempts(struct store *store)
{
    struct store_claim claim = a_claim("shop:32", A);
    struct store_entry entry = {0};
    struct store_progress progress = {.contact_id = "contact32",
                                      .attempt = STORE_ATTEMPT_OPPORTUNITY,
                                      .attempt_note = "{\"name\":\"Order #32\"}",
                                      .lease_ms = LEASE_MS};

    claims(store, &claim, &entry, "new", "a worker begins");
    is_int(entry.attempt, STORE_ATTEMPT_NONE, "no create was begun");
    is_int(store_progress(store, entry.key, entry.token, &progress, NULL), STORE_OK, "a create is recorded");
    store_entry_free(&entry);
    store_shift_clock(store, LEASE_MS + 1);
    is_int(store_lease_due(store, LEASE_MS, false, &entry, NULL, NULL), STORE_OK, "the next worker");
    is_int(entry.attempt, STORE_ATTEMPT_OPPORTUNITY, "knows of it");
    is_str(entry.attempt_note, "{\"name\":\"Order #32\"}", "and of what");
    ok(entry.attempt_age_ms >= LEASE_MS, "and since when");
    is_str(entry.link.contact_id, "contact32", "and the contact");
    progress =
        (struct store_progress){.opportunity_id = "card32", .clear_attempt = true, .lease_ms = LEASE_MS};
    is_int(store_progress(store, entry.key, entry.token, &progress, NULL), STORE_OK, "it is found");
    is_int(store_retry(store, entry.key, entry.token, 0, true, false, "later"), STORE_OK,
           "and waits once more");
    store_entry_free(&entry);
    is_int(store_lease_due(store, LEASE_MS, false, &entry, NULL, NULL), STORE_OK, "the next worker");
    is_int(entry.attempt, STORE_ATTEMPT_NONE, "knows that it is settled");
    is_str(entry.link.opportunity_id, "card32", "and the card");
    is_int(entry.attempts, 1, "one attempt was counted");
    finishes(store, &entry, "card32");
}

/* -- the queue -- */

static void waits(struct store *store)
{
    struct store_claim claim = a_claim("shop:40", A);
    struct store_entry entry = {0};
    int64_t next_due = 0;

    is_int(store_lease_due(store, LEASE_MS, false, &entry, &next_due, NULL), STORE_NONE,
           "the queue is empty");
    is_int(next_due, -1, "and says so");
    claims(store, &claim, &entry, "new", "an order");
    is_int(store_retry(store, entry.key, entry.token, 30000, true, false, "GHL is away"), STORE_OK,
           "tried, and later again");
    store_entry_free(&entry);
    is_str(look(store, "shop:40").reason, "GHL is away", "with the reason");
    is_int(store_lease_due(store, LEASE_MS, false, &entry, &next_due, NULL), STORE_NONE, "not due yet");
    ok(next_due > 29000 && next_due <= 30000, "in half a minute");
    is_int(store_lease_due(store, LEASE_MS, true, &entry, NULL, NULL), STORE_OK, "but now, if wanted");
    is_int(entry.attempts, 1, "the attempt was counted");
    is_int(store_retry(store, entry.key, entry.token, 2 * HOUR_MS, false, false, "paused"), STORE_OK,
           "on hold for two hours");
    store_entry_free(&entry);
    store_shift_clock(store, 2 * HOUR_MS + 1);
    is_int(store_lease_due(store, LEASE_MS, false, &entry, NULL, NULL), STORE_OK, "due");
    is_int(entry.attempts, 1, "the hold was no attempt");
    ok(entry.age_ms < HOUR_MS, "and its time does not count");
    store_entry_free(&entry);
    store_shift_clock(store, LEASE_MS + 1);
    struct store_claim newer = a_claim("shop:40", B);
    claims(store, &newer, &entry, "new", "a newer state takes its place");
    is_int(entry.attempts, 0, "with fresh attempts");
    finishes(store, &entry, "card40");

    /* In the order in which they are due. */
    const char *const keys[] = {"shop:43", "shop:41", "shop:42"};
    for (int i = 0; i < 3; i++) {
        claim = a_claim(keys[i], A);
        claim.work = false;
        answers(store, &claim, "deferred", "one waits");
        store_shift_clock(store, 10);
    }
    for (int i = 0; i < 3; i++) {
        is_int(store_lease_due(store, LEASE_MS, false, &entry, NULL, NULL), STORE_OK, "handed out");
        is_str(entry.key, keys[i], "in order");
        finishes(store, &entry, keys[i] + 5);
    }
}

static void parks(struct store *store)
{
    struct store_claim claim = a_claim("shop:50", A);
    struct store_entry entry = {0};
    struct store_parked parked, *list;
    size_t n;
    bool is_parked = false;
    int64_t expired = -1;

    claims(store, &claim, &entry, "new", "an order");
    is_int(store_park(store, entry.key, entry.token, "country must be valid", &is_parked), STORE_OK,
           "GHL refuses it");
    ok(is_parked && look(store, "shop:50").parked, "it is parked");
    store_entry_free(&entry);
    is_int(store_lease_due(store, LEASE_MS, true, &entry, NULL, NULL), STORE_NONE, "and not handed out");
    is_int(store_parked_list(store, "", 10, &list, &n), STORE_OK, "listed");
    is_int(n, 1, "alone");
    is_str(n ? list[0].key : NULL, "shop:50", "its key");
    is_str(n ? list[0].why : NULL, "country must be valid", "its reason");
    store_parked_free(list, n, true);
    is_int(store_parked_get(store, "shop:50", &parked), STORE_OK, "looked at");
    is_str(parked.body, A, "its body");
    store_parked_free(&parked, 1, false);

    claims(store, &claim, &entry, "new", "delivered again it is tried at once");
    is_int(store_park(store, entry.key, entry.token, "still", NULL), STORE_OK, "refused again");
    store_entry_free(&entry);
    is_int(store_requeue(store, "shop:50"), STORE_OK, "a person retries it");
    is_int(store_requeue(store, "shop:50"), STORE_NONE, "once");
    is_int(store_lease_due(store, LEASE_MS, false, &entry, NULL, NULL), STORE_OK, "it is due");
    claim = a_claim("shop:50", B);
    answers(store, &claim, "busy", "a newer state comes meanwhile");
    is_int(store_park(store, entry.key, entry.token, "no", &is_parked), STORE_OK, "the older one is refused");
    ok(!is_parked, "the newer one is promoted instead");
    store_entry_free(&entry);
    is_int(store_lease_due(store, LEASE_MS, false, &entry, NULL, NULL), STORE_OK, "it is due");
    is_str(entry.body, B, "the newer one");
    is_int(store_park(store, entry.key, entry.token, "no", NULL), STORE_OK, "refused too");
    store_entry_free(&entry);
    is_int(store_expire_parked(store, &expired), STORE_OK, "nothing is old");
    is_int(expired, 0, "none expired");
    store_shift_clock(store, 31 * DAY_MS);
    is_int(store_expire_parked(store, &expired), STORE_OK, "a month later");
    is_int(expired, 1, "one expired");
    is_int(store_parked_get(store, "shop:50", &parked), STORE_OK, "its key stays");
    ok(parked.body == NULL, "without its body");
    is_str(parked.why, "no", "with the reason");
    store_parked_free(&parked, 1, false);
    is_int(store_requeue(store, "shop:50"), STORE_NONE, "it cannot be retried from here");
    is_int(store_drop(store, "shop:50"), STORE_OK, "it can be dropped");
    is_int(store_parked_get(store, "shop:50", &parked), STORE_NONE, "and is gone");

    is_int(store_park_bytes(store, "bad:1", "{", 1, "not JSON"), STORE_OK,
           "bytes that are no order are kept");
    is_int(store_park_bytes(store, "bad:1", "{", 1, "not JSON"), STORE_OK, "and again");
    is_int(store_parked_list(store, "", 10, &list, &n), STORE_OK, "listed");
    is_int(n, 1, "once");
    store_parked_free(list, n, true);
    is_int(store_drop(store, "bad:1"), STORE_OK, "dropped");
}

/* -- holds -- */

static void pauses(struct store *store)
{
    struct store_claim claim = a_claim("shop:60", A);
    struct store_claim_reply reply;
    struct store_entry entry = {0};
    enum store_hold hold = STORE_GO;
    bool first = false;
    struct store_stats stats;

    is_int(store_pause(store, A, "the token is refused", &first), STORE_OK, "paused");
    ok(first, "for the first time");
    is_int(store_pause(store, A, "the token is refused", &first), STORE_OK, "paused again");
    ok(!first, "not for the first time");
    is_str(name_of(store_claim(store, &claim, &reply, &entry)), "deferred", "an order waits");
    is_int(reply.hold, STORE_HOLD_PAUSED, "because of the pause");
    is_int(store_lease_due(store, LEASE_MS, false, &entry, NULL, &hold), STORE_NONE, "nothing is handed out");
    is_int(hold, STORE_HOLD_PAUSED, "because of the pause");
    is_int(store_stats(store, &stats), STORE_OK, "the stats");
    ok(stats.paused, "say so");
    is_str(stats.pause_reason, "the token is refused", "and why");
    is_int(stats.waiting, 1, "one waits");
    is_int(store_resume(store, A), STORE_NONE, "a process with the refused token does not lift it");
    is_int(store_resume(store, B), STORE_OK, "one with another does");
    is_int(store_resume(store, B), STORE_NONE, "once");
    is_int(store_lease_due(store, LEASE_MS, false, &entry, NULL, &hold), STORE_OK, "it goes on");
    finishes(store, &entry, "card60");
}

static void breaks(struct store *store)
{
    struct store_claim claim = a_claim("shop:61", A);
    struct store_claim_reply reply;
    struct store_entry entry = {0};
    int64_t open_ms = 0, want_ms = 30000;

    for (int i = 0; i < 4; i++)
        is_int(store_breaker(store, false, &open_ms), STORE_OK, "a failure");
    is_int(store_breaker(store, true, &open_ms), STORE_OK, "a success between");
    for (int i = 0; i < 4; i++)
        is_int(store_breaker(store, false, &open_ms), STORE_OK, "a failure");
    is_int(open_ms, 0, "four in a row leave it closed");
    is_int(store_breaker(store, false, &open_ms), STORE_OK, "a fifth");
    ok(open_ms > 29000 && open_ms <= 30000, "opens it for half a minute");
    is_str(name_of(store_claim(store, &claim, &reply, &entry)), "deferred", "an order waits");
    is_int(reply.hold, STORE_HOLD_BREAKER, "because of the breaker");
    is_int(store_probe(store, STORE_HOLD_BREAKER), STORE_NONE, "no probe yet");
    for (int i = 0; i < 6; i++) {
        store_shift_clock(store, want_ms + 1);
        is_int(store_probe(store, STORE_HOLD_BREAKER), STORE_OK, "a probe");
        is_int(store_probe(store, STORE_HOLD_BREAKER), STORE_NONE, "one alone");
        is_int(store_breaker(store, false, &open_ms), STORE_OK, "it fails");
        want_ms = want_ms * 2 < 300000 ? want_ms * 2 : 300000;
        ok(open_ms > want_ms - 1000 && open_ms <= want_ms, "open for twice as long, at most 5 minutes: %lld",
           (long long)open_ms);
    }
    store_shift_clock(store, want_ms + 1);
    is_int(store_probe(store, STORE_HOLD_BREAKER), STORE_OK, "a probe");
    is_int(store_breaker(store, true, &open_ms), STORE_OK, "succeeds");
    is_int(store_lease_due(store, LEASE_MS, false, &entry, NULL, NULL), STORE_OK, "the order goes on");
    ok(entry.age_ms < 60000, "the time on hold does not count: %lld ms", (long long)entry.age_ms);
    finishes(store, &entry, "card61");
}

static void limits_clients(struct store *store)
{
    struct store_claim claim = a_claim("shop:62", A);
    struct store_claim_reply reply;
    struct store_entry entry = {0};
    int64_t count = 0;

    claim.client = "client1";
    claim.client_limit = 2;
    claims(store, &claim, &entry, "new", "a client's first");
    finishes(store, &entry, "card62");
    answers(store, &claim, "duplicate", "and second request");
    claim.key = "shop:63";
    is_str(name_of(store_claim(store, &claim, &reply, &entry)), "deferred", "the third waits");
    ok(reply.over_limit, "for the day's limit");
    is_int(store_lease_due(store, LEASE_MS, false, &entry, NULL, NULL), STORE_OK, "due at once");
    finishes(store, &entry, "card63");
    is_int(store_allow(store, "client1", &count), STORE_OK, "unsigned requests");
    is_int(count, 1, "are counted apart");
    is_int(store_allow(store, "client1", &count), STORE_OK, "one more");
    is_int(count, 2, "two");
    store_shift_clock(store, DAY_MS);
    is_int(store_allow(store, "client1", &count), STORE_OK, "tomorrow");
    is_int(count, 1, "they begin anew");
    claim.key = "shop:64";
    claims(store, &claim, &entry, "new", "and the signed ones too");
    finishes(store, &entry, "card64");
}

/* -- GHL's pace: whatever the rhythm, no window holds more than the limit, and a backlog uses nearly all of
 * it -- */

#define CALLS 600
static void paces(struct store *store)
{
    int64_t at[CALLS] = {0}, now = 0, wait = 0;
    size_t worst = 0;

    for (int i = 0; i < CALLS; i++) {
        if (store_pace(store, 60000, &wait) != STORE_OK)
            break;
        store_shift_clock(store, wait);
        now += wait;
        at[i] = now;
    }
    for (size_t i = 0, from = 0; i < CALLS; i++) {
        while (at[i] - at[from] >= 10000)
            from++;
        if (i - from + 1 > worst)
            worst = i - from + 1;
    }
    ok(worst <= 100, "no ten seconds hold more than 100 calls: %zu", worst);
    double rate = (CALLS - 1) * 10000.0 / (double)(at[CALLS - 1] - at[0]);
    ok(rate >= 96, "a backlog gets at least 96 in ten seconds: %.1f", rate);
    is_int(store_pace(store, 0, &wait), STORE_OK, "without patience");
    ok(wait > 0, "it has to wait");
    store_shift_clock(store, 20000);
    is_int(store_pace_correct(store, 5000, -1, -1, -1, -1), STORE_OK, "GHL says: not for 5 s");
    is_int(store_pace(store, 0, &wait), STORE_OK, "asked again");
    ok(wait > 4000 && wait <= 5200, "5 s to wait: %lld", (long long)wait);
    store_shift_clock(store, 6000);
}

/* -- customers and cards -- */

static void locks_customers(struct store *store)
{
    const char *const both[] = {A, B}, *const one[] = {B};
    int64_t newest = -1;

    is_int(store_contact_lock(store, both, 2, "worker1", 30000, &newest), STORE_OK,
           "a worker has the customer");
    is_int(newest, 0, "nobody wrote it before");
    is_int(store_contact_lock(store, one, 1, "worker2", 30000, &newest), STORE_NONE,
           "no other gets any part");
    is_int(store_contact_unlock(store, both, 2, "worker2", 5), STORE_LOST, "nor gives it back");
    is_int(store_contact_unlock(store, both, 2, "worker1", 1000), STORE_OK, "given back");
    is_int(store_contact_lock(store, one, 1, "worker2", 30000, &newest), STORE_OK, "now it does");
    is_int(newest, 1000, "and knows the order that wrote it");
    store_shift_clock(store, 30001);
    is_int(store_contact_lock(store, both, 2, "worker3", 30000, &newest), STORE_OK,
           "a lease that ran out holds nobody");
    is_int(store_contact_unlock(store, both, 2, "worker3", 500), STORE_OK, "an older order writes");
    is_int(store_contact_lock(store, one, 1, "worker4", 30000, &newest), STORE_OK, "asked again");
    is_int(newest, 1000, "the newest stays");
    is_int(store_contact_unlock(store, one, 1, "worker4", 0), STORE_OK, "given back");
}

static void owns_cards(struct store *store)
{
    is_int(store_card_take(store, "card70", "shop:70", 1000, false), STORE_OK, "a free card");
    is_int(store_card_take(store, "card70", "shop:70", 1000, false), STORE_OK, "its own");
    is_int(store_card_take(store, "card70", "shop:71", 2000, false), STORE_LOST, "another order's");
    is_int(store_card_take(store, "card70", "shop:69", 900, true), STORE_LOST,
           "an older order does not take it over");
    is_int(store_card_take(store, "card70", "shop:71", 2000, true), STORE_OK, "a newer one does");
    is_int(store_card_take(store, "card70", "shop:70", 1000, false), STORE_LOST, "it is the newer one's now");
}

/* -- small things -- */

static void keeps_things(struct store *store)
{
    char *there = NULL;
    struct store_stats stats;

    is_int(store_get(store, "thing", &there), STORE_NONE, "not there");
    is_int(store_put(store, "thing", "one", 0, true, &there), STORE_OK, "put if absent");
    is_str(there, "one", "it is");
    free(there);
    is_int(store_put(store, "thing", "two", 0, true, &there), STORE_OK, "and another");
    is_str(there, "one", "the first stays");
    free(there);
    is_int(store_put(store, "thing", "three", 1000, false, NULL), STORE_OK, "replaced, for a second");
    is_int(store_get(store, "thing", &there), STORE_OK, "there");
    is_str(there, "three", "the new one");
    free(there);
    store_shift_clock(store, 1500);
    is_int(store_get(store, "thing", &there), STORE_NONE, "then it is gone");
    is_int(store_count(store, "rest_error", true), STORE_OK, "counted");
    is_int(store_count(store, "rest_error", false), STORE_OK, "twice");
    is_int(store_stats(store, &stats), STORE_OK, "the stats");
    ok(stats.reconcile_wanted, "want a reconcile");
    is_int(stats.counter_count, 1, "one word");
    is_str(stats.counter[0].word, "rest_error", "that one");
    is_int(stats.counter[0].count, 2, "two of it");
    is_int(stats.drain_age_s, -1, "nobody drained");
    is_int(store_heartbeat(store), STORE_OK, "somebody does");
    is_int(store_stats(store, &stats), STORE_OK, "the stats");
    ok(stats.drain_age_s >= 0 && stats.drain_age_s < 5, "know it");
}

static void notices_that_nobody_drains(struct store *store)
{
    struct store_claim claim = a_claim("shop:80", A);
    struct store_claim_reply reply;
    struct store_entry entry = {0};

    claim.work = false;
    answers(store, &claim, "deferred", "an order waits");
    store_shift_clock(store, 61000);
    claim.key = "shop:81";
    is_str(name_of(store_claim(store, &claim, &reply, &entry)), "deferred", "another, a minute later");
    ok(reply.drain_needed && !reply.undrained, "workers should drain");
    store_shift_clock(store, 600000);
    claim.key = "shop:82";
    is_str(name_of(store_claim(store, &claim, &reply, &entry)), "deferred", "another, ten minutes later");
    ok(reply.undrained, "and the owner should know");
    for (int i = 0; i < 3; i++) {
        is_int(store_lease_due(store, LEASE_MS, false, &entry, NULL, NULL), STORE_OK, "drained");
        finishes(store, &entry, entry.key + 5);
    }
}

static void forgets(struct store *store)
{
    struct store_claim claim = a_claim("shop:90", A);
    struct store_entry entry = {0};

    claims(store, &claim, &entry, "new", "an order");
    finishes(store, &entry, "card90");
    store_shift_clock(store, DAY_MS + HOUR_MS);
    ok(!look(store, "shop:90").idempotency_key, "a day later its idempotency key is gone");
    answers(store, &claim, "duplicate", "it is still a duplicate");
    store_shift_clock(store, 398 * DAY_MS);
    is_str(look(store, "shop:90").link.opportunity_id, "card90", "the link is remembered");
    store_shift_clock(store, 3 * DAY_MS);
    is_str(look(store, "shop:90").link.opportunity_id, "", "400 days after its last change it is not");
}

/* -- many processes -- */

#define PROCESSES 8
#define ORDERS 1000

/* Runs `work` in PROCESSES children, each with a store of its own; the sum of what they return through a
 * pipe. */
static long in_processes(const struct stores *stores, long (*work)(struct store *store))
{
    int ends[2];
    pid_t child[PROCESSES];
    long sum = 0, one;

    fflush(stdout);
    if (pipe(ends) != 0)
        return -1;
    for (int i = 0; i < PROCESSES; i++) {
        child[i] = fork();
        if (child[i] == 0) {
            struct app app;
            long result = stores_app(stores, "manyProcesses", &app) ? work(app.store) : -1000000;
            ssize_t written = write(ends[1], &result, sizeof result);
            app_close(&app);
            fflush(stdout); /* its notes */
            _exit(written == sizeof result ? 0 : 1);
        }
    }
    close(ends[1]);
    while (read(ends[0], &one, sizeof one) == sizeof one)
        sum += one;
    close(ends[0]);
    for (int i = 0; i < PROCESSES; i++)
        if (child[i] < 0 || waitpid(child[i], NULL, 0) != child[i])
            sum = -1;
    return sum;
}

static long claim_all(struct store *store)
{
    long taken = 0;

    for (int i = 0; i < ORDERS; i++) {
        char key[32];
        struct store_claim_reply reply;
        struct store_entry entry = {0};
        snprintf(key, sizeof key, "shop:%d", i);
        struct store_claim claim = a_claim(key, A);
        enum store_claim_result result = store_claim(store, &claim, &reply, &entry);
        if (result == CLAIM_NEW) {
            taken++;
            if (store_retry(store, entry.key, entry.token, 0, false, false, "") != STORE_OK)
                taken += 1000000;
        } else if (result != CLAIM_DUPLICATE) {
            if (taken < 1000000)
                tap_note("%s: %s: %s", key, name_of(result), store_trouble(store));
            taken += 1000000;
        }
        store_entry_free(&entry);
    }
    return taken;
}

static long drain_all(struct store *store)
{
    long drained = 0;
    struct store_entry entry = {0}, next = {0};
    bool has_next;

    while (store_lease_due(store, LEASE_MS, true, &entry, NULL, NULL) == STORE_OK) {
        struct store_link link = {.opportunity_id = "card"};
        if (store_finish(store, entry.key, entry.token, A, &link, 0, &next, &has_next) == STORE_OK)
            drained++;
        store_entry_free(&entry);
    }
    return drained;
}

static void processes(const struct stores *stores)
{
    is_int(in_processes(stores, claim_all), ORDERS, "%d processes claim %d orders: each is new once",
           PROCESSES, ORDERS);
    is_int(in_processes(stores, drain_all), ORDERS, "and drain them: each is handed out once");
}

static void namespaces(const struct stores *stores)
{
    struct app one, other;
    struct store_entry entry = {0};
    struct store_claim claim = a_claim("shop:1", A);

    claim.work = false;
    if (stores_app(stores, "locationOne", &one)) {
        answers(one.store, &claim, "deferred", "an order of one location");
        if (stores_app(stores, "locationTwo", &other)) {
            is_int(store_lease_due(other.store, LEASE_MS, true, &entry, NULL, NULL), STORE_NONE,
                   "another location does not see it");
            answers(other.store, &claim, "deferred", "and has an order of that key of its own");
        }
        app_close(&other);
    }
    app_close(&one);
}

static void run_all(bool redis)
{
    static void (*const cases[])(struct store *) = {dedupes,
                                                    orders_in_time,
                                                    never_creates,
                                                    deleted,
                                                    leases_run_out,
                                                    newer_behind_an_expired_lease,
                                                    attempts,
                                                    waits,
                                                    parks,
                                                    pauses,
                                                    breaks,
                                                    limits_clients,
                                                    paces,
                                                    locks_customers,
                                                    owns_cards,
                                                    keeps_things,
                                                    notices_that_nobody_drains,
                                                    forgets};
    struct stores stores;

    tap_note("%s", redis ? "Redis" : "the embedded store");
    if (ok(stores_begin(&stores, redis), "a place for it")) {
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            struct app app;
            char location[32];
            snprintf(location, sizeof location, "location%zu", i);
            if (ok(stores_app(&stores, location, &app), "the store opens"))
                cases[i](app.store);
            app_close(&app);
        }
        namespaces(&stores);
        processes(&stores);
    }
    stores_end(&stores);
}

int main(void)
{
    run_all(false);
    run_all(true);
    return tap_done();
}
