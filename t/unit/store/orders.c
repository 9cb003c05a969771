/* orders: the rules run against a store that others change meanwhile. */
#include "store/orders.h"
#include "sandbox.h"
#include "tap.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKERS 12
#define VERSIONS 5
#define MINUTE_MS (60 * 1000LL)

static const char order_key[] = "11111111";

/* A sale of shop:1 that was modified at this second. */
static struct orders_claim claim_of(int64_t modified_s, const char *body, bool work)
{
    return (struct orders_claim){.key = "shop:1",
                                 .arrival = {.origin = ORIGIN_WEBHOOK,
                                             .kind = ARRIVAL_SELLS,
                                             .order_key = order_key,
                                             .modified_s = modified_s,
                                             .fingerprint = body,
                                             .hash_id = "k",
                                             .bytes = body,
                                             .status = "processing"},
                                 .body = body,
                                 .body_len = strlen(body),
                                 .work = work};
}

static enum claim claims(struct app *app, int64_t modified_s, const char *body, struct order_work *work)
{
    struct orders_claim claim = claim_of(modified_s, body, work != NULL);
    struct order_work none = {0};
    struct orders_claimed claimed = {0};

    if (orders_claim(&app->orders, &claim, &claimed, work ? work : &none) != STORE_OK)
        ok(false, "the store takes %s: %s", body, store_trouble(app->store));
    return claimed.claim;
}

static bool holds(const struct order_work *work, const char *body)
{
    return work->body.data && !strcmp(work->body.data, body);
}

/* -- a worker's steps -- */

static void a_body_and_the_next(struct app *app)
{
    struct order_work work = {0};
    enum end end = END_LOST;

    is_int(claims(app, 100, "first", &work), CLAIM_LEASED, "given an order that is leased as it comes");
    ok(holds(&work, "first"), "with its body");
    is_int(claims(app, 101, "second", NULL), CLAIM_BUSY, "and a newer version behind it");
    is_int(claims(app, 102, "third", NULL), CLAIM_BUSY, "and another");
    ok(orders_finish(&app->orders, &work, &work.record.link, true, &end) == STORE_OK,
       "when the first is done");
    is_int(end, END_NEXT, "the next one is leased");
    ok(holds(&work, "third"), "it is the newest, with its body");
    ok(orders_finish(&app->orders, &work, &work.record.link, true, &end) == STORE_OK, "when that is done");
    is_int(end, END_DONE, "nothing is left");
    order_work_free(&work);
}

static void another_took_over(struct app *app)
{
    struct order_work mine = {0}, theirs = {0};
    unsigned others = 0;
    enum end end = END_DONE;

    is_int(claims(app, 100, "first", &mine), CLAIM_LEASED, "given a worker");
    store_shift_clock(app->store, ORDERS_LEASE_MS + 1000);
    ok(sandbox_lease(app, "shop:1", &theirs) == STORE_OK && theirs.took_over,
       "whose lease ran out, and another");
    ok(orders_renew(&app->orders, &mine) == STORE_NONE, "the first cannot renew");
    ok(orders_attempt(&app->orders, &mine, ATTEMPT_OPPORTUNITY, "{}", MINUTE_MS) == STORE_NONE,
       "nor begin a create");
    ok(orders_learn(&app->orders, &mine, "contact1", "opportunity1", &others) == STORE_NONE && !others,
       "but the ids that it brings are kept");
    ok(orders_learn(&app->orders, &theirs, "contact2", "opportunity2", &others) == STORE_OK,
       "if another brings others");
    is_int(others, OTHER_OPPORTUNITY, "it hears of the opportunity");
    struct order_record record = sandbox_order(app, "shop:1");
    is_str(record.link.opportunity, "opportunity1", "which stays");
    is_str(record.link.contact, "contact2", "the contact is the lease holder's");
    ok(orders_finish(&app->orders, &mine, &mine.record.link, true, &end) == STORE_NONE && end == END_LOST,
       "the first one's end counts for nothing");
    ok(sandbox_order(app, "shop:1").current.id[0], "the order still waits for the other's");
    order_work_free(&mine);
    order_work_free(&theirs);
}

static void one_create_at_a_time(struct app *app)
{
    struct order_work work = {0};
    char *note = NULL;

    is_int(claims(app, 100, "first", &work), CLAIM_LEASED, "given a worker");
    ok(orders_attempt(&app->orders, &work, ATTEMPT_CONTACT, "{\"a\":1}", MINUTE_MS) == STORE_OK,
       "that begins a create");
    ok(orders_attempt_note(&app->orders, &work, &note) == STORE_OK, "what to look for is kept");
    is_str(note, "{\"a\":1}", "as it was");
    free(note);
    ok(orders_attempt(&app->orders, &work, ATTEMPT_OPPORTUNITY, "{}", MINUTE_MS) == STORE_NONE,
       "no other begins while it may come true");
    is_int(sandbox_order(app, "shop:1").attempt.kind, ATTEMPT_CONTACT, "it is not forgotten");
    store_shift_clock(app->store, MINUTE_MS + 1000);
    ok(sandbox_lease(app, "shop:1", &work) == STORE_OK, "when that time is over");
    ok(orders_attempt(&app->orders, &work, ATTEMPT_OPPORTUNITY, "{}", MINUTE_MS) == STORE_OK, "another may");
    ok(orders_attempt_ends(&app->orders, &work, ATTEMPT_IMPOSSIBLE, 0) == STORE_OK, "one that never left");
    is_int(sandbox_order(app, "shop:1").attempt.kind, ATTEMPT_NONE, "is forgotten");
    order_work_free(&work);
}

static void ids_without_an_order(struct app *app)
{
    unsigned others = 0;

    ok(orders_learn_late(&app->orders, "shop:1", "contact1", "opportunity1", &others) == STORE_OK && !others,
       "given ids of an order that the store does not know");
    is_int(claims(app, 100, "first", NULL), CLAIM_QUEUED, "when it comes");
    is_str(sandbox_order(app, "shop:1").link.opportunity, "opportunity1", "it has them");
}

/* An end that needs nothing is judged by what the store has, not by what this process thinks. */
static void nothing_to_do_is_no_guess(struct app *app)
{
    struct orders_claim deleted = claim_of(0, "{}", false);
    struct order_work none = {0};
    struct orders_claimed claimed = {0};

    is_int(claims(app, 100, "first", NULL), CLAIM_QUEUED, "given a sale");
    deleted.arrival.kind = ARRIVAL_ENDS;
    deleted.arrival.status_only = true;
    deleted.arrival.status = "trash";
    deleted.arrival.order_key = "";
    ok(orders_claim(&app->orders, &deleted, &claimed, &none) == STORE_OK, "and its deletion");
    is_int(claimed.claim, CLAIM_QUEUED, "that is news");
    is_str(sandbox_order(app, "shop:1").current.status, "trash", "and waits");
    deleted.key = "shop:2";
    ok(orders_claim(&app->orders, &deleted, &claimed, &none) == STORE_OK && claimed.claim == CLAIM_IGNORED,
       "the deletion of an order that nobody knows");
    is_int(sandbox_order(app, "shop:2").version, 0, "leaves nothing behind");
    deleted.client = "client1";
    ok(orders_claim(&app->orders, &deleted, &claimed, &none) == STORE_OK, "nor does one that is counted");
    is_int(claimed.client_count, 1, "once");
    is_int(sandbox_order(app, "shop:2").version, 0, "nothing");
}

/* -- the idempotency key -- */

static const char *known(struct app *app, const char *bytes)
{
    static char key[RECORD_KEY_SIZE];
    return orders_known_bytes(&app->orders, bytes, key) == STORE_OK ? key : "";
}

static void finishes(struct app *app, struct order_work *work, const char *when)
{
    enum end end = END_LOST;

    ok(sandbox_lease(app, "shop:1", work) == STORE_OK &&
           orders_finish(&app->orders, work, &work->record.link, false, &end) == STORE_OK && end == END_DONE,
       "%s", when);
}

static void the_key_follows_the_newest_version(struct app *app)
{
    struct order_work work = {0};

    is_str(known(app, "first"), "", "given bytes that never came");
    is_int(claims(app, 100, "first", NULL), CLAIM_QUEUED, "when they are accepted");
    is_str(known(app, "first"), "", "no key says so as long as they wait");
    is_int(claims(app, 100, "first", NULL), CLAIM_DUPLICATE, "as their record does");
    finishes(app, &work, "when they are finished");
    is_str(known(app, "first"), "shop:1", "they are known as this order's");
    is_int(claims(app, 101, "second", NULL), CLAIM_QUEUED, "and a newer version");
    is_str(known(app, "first"), "", "takes their key away");
    is_int(claims(app, 100, "first", NULL), CLAIM_STALE, "the older one is stale");
    is_str(known(app, "first"), "", "and gets no key");
    finishes(app, &work, "when the newer one is finished");
    store_shift_clock(app->store, app->config.idempotency_ttl_ms - 1000);
    is_str(known(app, "second"), "shop:1", "its key lives its time from then");
    store_shift_clock(app->store, 2000);
    is_str(known(app, "second"), "", "and no longer");
    is_int(claims(app, 101, "second", NULL), CLAIM_DUPLICATE, "the record knows it all the same");
    order_work_free(&work);
}

static void the_key_goes_with_what_is_news_again(struct app *app)
{
    struct order_work work = {0};
    enum end end = END_LOST;
    enum requeue requeue = REQUEUE_NONE;

    is_int(claims(app, 100, "first", &work), CLAIM_LEASED, "given an order");
    ok(orders_refuse(&app->orders, &work, &work.record.link, "refused", &end) == STORE_OK && end == END_DEAD,
       "that becomes a dead letter");
    is_str(known(app, "first"), "", "to deliver it again is news");
    ok(orders_requeue(&app->orders, "shop:1", &requeue) == STORE_OK, "until it is tried again");
    finishes(app, &work, "and finished");
    is_str(known(app, "first"), "shop:1", "then it is known");
    is_int(claims(app, 0, "no date", NULL), CLAIM_QUEUED, "but a version without a date");
    is_str(known(app, "first"), "", "takes the key away");
    is_str(known(app, "no date"), "", "and gets none: when it comes again it may be the newest");
    order_work_free(&work);
}

/* -- all at once -- */

static int deliver_all(const struct sandbox *sandbox, int worker)
{
    struct app app;
    bool good = sandbox_app(sandbox, NULL, &app);

    for (int i = 0; good && i < VERSIONS; i++) {
        char body[32];
        struct orders_claimed claimed = {0};
        struct order_work none = {0};
        int64_t modified_s = 1000 + i * WORKERS + worker;
        snprintf(body, sizeof body, "version %lld", (long long)modified_s);
        struct orders_claim claim = claim_of(modified_s, body, false);
        good = orders_claim(&app.orders, &claim, &claimed, &none) == STORE_OK;
    }
    app_close(&app);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void many_at_once(const struct sandbox *sandbox, struct app *app)
{
    struct order_work work = {0};
    pid_t pid[WORKERS];
    char newest[32];
    int failed = 0;

    fflush(stdout);
    store_before_fork(app->store);
    for (int i = 0; i < WORKERS; i++)
        if ((pid[i] = fork()) == 0)
            _exit(deliver_all(sandbox, i));
    for (int i = 0, status; i < WORKERS; i++)
        failed += waitpid(pid[i], &status, 0) != pid[i] || status != 0;
    is_int(failed, 0, "given %d processes that each deliver %d versions of one order, all are taken", WORKERS,
           VERSIONS);
    snprintf(newest, sizeof newest, "version %d", 1000 + VERSIONS * WORKERS - 1);
    ok(sandbox_lease(app, "shop:1", &work) == STORE_OK && holds(&work, newest), "and the newest waits");
    is_str(sandbox_order(app, "shop:1").waiting.id, "", "alone");
    order_work_free(&work);
}

int main(void)
{
    static void (*const cases[])(struct app *) = {
        a_body_and_the_next,
        another_took_over,
        one_create_at_a_time,
        ids_without_an_order,
        nothing_to_do_is_no_guess,
        the_key_follows_the_newest_version,
        the_key_goes_with_what_is_news_again,
    };
    const size_t n = sizeof cases / sizeof *cases;

    for (size_t i = 0; i <= n; i++) {
        struct sandbox sandbox;
        struct app app = {0};
        if (ok(sandbox_begin(&sandbox) && sandbox_app(&sandbox, NULL, &app), "an app") && i < n)
            cases[i](&app);
        else if (app.store)
            many_at_once(&sandbox, &app);
        app_close(&app);
        sandbox_end(&sandbox);
    }
    return tap_done();
}
