/*
 * sync: the lease during long work, what counts as an attempt, and what holds all work. GHL is a thread here, and what
 * would take minutes only moves this process's clock.
 */
#include "sync/sync.h"
#include "app/hold.h"
#include "base/clock.h"
#include "sync/rig_ghl.h"
#include "sync/shifted_clock.h"
#include "tap.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE_MS (60 * 1000LL)
#define WORK_MS (20 * MINUTE_MS)

static _Atomic int64_t disk_ms; /* of the next sync */

int fdatasync(int fd)
{
    time_passes(atomic_exchange(&disk_ms, 0));
    return (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
    return fdatasync(fd);
}

/* -- a world -- */

struct world {
    struct sandbox sandbox;
    struct app app;
    bool taken; /* another worker could take the order while a call was under way */
};

/* Whoever else looks at the queue: is the order to be had? */
static void another_looks(struct world *world)
{
    struct order_work work = {0};

    if (sandbox_lease(&world->app, "shop:1", &work) == STORE_OK)
        world->taken = true;
    order_work_free(&work);
}

static void during(const struct reply *reply, void *context)
{
    struct world *world = context;

    time_passes(reply->took_ms);
    store_shift_clock(world->app.store, reply->jump_ms);
    atomic_store(&disk_ms, reply->disk_ms);
    if (reply->took_ms)
        another_looks(world);
}

static bool begin(struct world *world)
{
    *world = (struct world){0};
    ghl_does(NULL, 0);
    ghl_during(during, world);
    return sandbox_begin(&world->sandbox) && ghl_app(&world->sandbox, NULL, &world->app);
}

static void end(struct world *world)
{
    app_close(&world->app);
    sandbox_end(&world->sandbox);
}

static int64_t due_in_ms(struct app *app, const char *key)
{
    return sandbox_order(app, key).due_ms - store_now_ms(app->store);
}

/* -- the lease -- */

static void a_lease_is_renewed_during_long_work(struct world *world)
{
    GHL_DOES({.status = 503, .took_ms = 40000}, {.status = 200, .took_ms = 40000});
    order(&world->app, 1);
    struct sync_outcome outcome = work(&world->app, 1);
    is_int(outcome.result, SYNC_DONE, "two calls of 40 s each, under a lease of 60 s: %s", outcome.reason);
    ok(!world->taken, "nobody else could take it");
    is_str(ghl_calls(), UPSERT UPSERT TAGS CREATE NOTE, "each went out");
}

static void no_write_begins_when_the_lease_may_run_out(struct world *world)
{
    GHL_DOES({.status = 503, .took_ms = 56000});
    order(&world->app, 1);
    struct sync_outcome outcome = work(&world->app, 1);
    is_str(outcome.reason, "ghl_unavailable", "given a call that fails 4 s before the end of its lease");
    is_str(ghl_calls(), UPSERT, "there is no other");
}

static void a_write_begins_well_before_that(struct world *world)
{
    GHL_DOES({.status = 503, .took_ms = 50000});
    order(&world->app, 1);
    is_int(work(&world->app, 1).result, SYNC_DONE,
           "given a call that fails 10 s before the end of its lease");
    is_str(ghl_calls(), UPSERT UPSERT TAGS CREATE NOTE, "it is sent again");
}

static void a_lease_that_ended_early(struct world *world)
{
    GHL_DOES({.status = 200, .took_ms = 6000, .jump_ms = 60000});
    order(&world->app, 1);
    struct sync_outcome outcome = work(&world->app, 1);
    ok(world->taken, "given a store's clock that jumps, and another worker");
    is_str(outcome.reason, "lease_lost", "the first knows it after its call");
    is_str(ghl_calls(), UPSERT, "and sends no other");
}

static void a_worker_that_slept(struct world *world)
{
    struct order_work mine = {0};

    order(&world->app, 1);
    ok(sandbox_lease(&world->app, "shop:1", &mine) == STORE_OK, "given a worker that has an order");
    time_passes(ORDERS_LEASE_MS + 1000);
    another_looks(world);
    ok(world->taken, "and sleeps until another has it");
    struct sync_outcome outcome = sync_order(&world->app, &mine, NULL, clock_mono_ms() + WORK_MS);
    is_int(outcome.result, SYNC_QUEUED, "it can do nothing when it wakes: %s", outcome.reason);
    is_str(ghl_calls(), "", "not even a call");
    if (outcome.left)
        order_work_free(&mine);
}

static void a_create_is_not_sent_late(struct world *world)
{
    GHL_DOES({.status = 200}, {.status = 200}, {.status = 429}, {.status = 429}, {.status = 429},
             {.status = 200});
    order(&world->app, 1);
    is_str(work(&world->app, 1).reason, "ghl_limit", "given a create that GHL has no time for");
    is_str(ghl_calls(), UPSERT TAGS CREATE CREATE CREATE,
           "it is sent again for 5 s, which whoever takes over reckons with");
    is_str(sandbox_order(&world->app, "shop:1").lease, "", "then it waits");
}

/* The attempt's record comes out so late that whoever takes over may think the create done. */
static void a_create_whose_record_takes_long(struct world *world)
{
    GHL_DOES({.status = 200}, {.status = 200, .disk_ms = 6000});
    order(&world->app, 1);
    is_str(work(&world->app, 1).reason, "no_time", "given a disk that hangs for 6 s");
    is_str(ghl_calls(), UPSERT TAGS, "the create is not sent");
    ghl_does(NULL, 0);
    is_int(work(&world->app, 1).result, SYNC_DONE, "it is the next time");
    is_str(ghl_calls(), CREATE NOTE, "without a look, as it did not happen");
}

/* The lease counts from when the store was asked. */
static void a_disk_that_hangs_for_a_lease(struct world *world)
{
    GHL_DOES({.status = 200}, {.status = 200}, {.status = 200, .disk_ms = ORDERS_LEASE_MS});
    order(&world->app, 1);
    is_int(work(&world->app, 1).result, SYNC_QUEUED,
           "given a disk that hangs while the opportunity's id is written");
    is_str(ghl_calls(), UPSERT TAGS CREATE, "nothing more is sent");
}

/* -- what comes behind it -- */

static void a_version_that_waits_behind_it(struct world *world)
{
    struct order_work mine = {0};

    order(&world->app, 1);
    ok(sandbox_lease(&world->app, "shop:1", &mine) == STORE_OK, "given a worker that has an order");
    order_waits(&world->app, "{\"id\":1,\"status\":\"refunded\",\"total\":\"1\","
                             "\"billing\":{\"email\":\"a1@example.com\"}}");
    struct sync_outcome outcome = sync_order(&world->app, &mine, NULL, clock_mono_ms() + WORK_MS);
    is_int(outcome.result, SYNC_DONE, "and a newer version behind it: %s", outcome.reason);
    is_str(ghl_calls(), UPSERT TAGS CREATE NOTE "PUT /opportunities/opportunity1\n",
           "both are written, in turn");
    ok(ghl_was_told("PUT /opportunities/opportunity1", "\"lost\""), "the newer one last");
    is_int(sandbox_sizes(&world->app).count[INDEX_DUE], 0, "nothing waits");
}

/* -- GHL's limits -- */

static void ghls_day_is_over(struct world *world)
{
    GHL_DOES({.status = 200, .day_over = true});
    order(&world->app, 1);
    is_str(work(&world->app, 1).reason, "ghl_limit", "given the last call of the day");
    is_str(ghl_calls(), UPSERT, "there is no other");
    int64_t due_ms = due_in_ms(&world->app, "shop:1");
    ok(due_ms > 4 * MINUTE_MS && due_ms <= 5 * MINUTE_MS, "it is asked again in 5 min: %lld ms",
       (long long)due_ms);
    is_int(sandbox_order(&world->app, "shop:1").attempts, 0, "that is no attempt");
}

/* -- attempts -- */

static void a_look_for_a_lost_answer_is_no_attempt(struct world *world)
{
    int looks = 0;

    GHL_DOES({.status = 200}, {.status = 200}, {.status = 0});
    order(&world->app, 1);
    is_str(work(&world->app, 1).reason, "in_flight", "given a create without an answer");
    for (struct sync_outcome outcome; looks < 20; looks++) {
        struct order_record waits = sandbox_order(&world->app, "shop:1");
        is_int(waits.attempts, 1, "that was the one attempt");
        time_passes(due_in_ms(&world->app, "shop:1") + 1000);
        outcome = work(&world->app, 1);
        if (outcome.result == SYNC_DONE)
            break;
        is_str(outcome.reason, "in_flight", "it is looked for");
        is_int(ghl_count("POST /opportunities/"), 1, "and not sent again");
    }
    ok(looks >= 4 && looks < 20, "for as long as it may still come: %d times", looks);
    is_int(ghl_count("POST /opportunities/"), 2, "then it is sent again");
}

/* -- whose fault a refusal is -- */

static void one_order_is_refused(struct world *world)
{
    GHL_DOES({.call = "POST /opportunities/", .status = 422});
    order(&world->app, 1);
    order(&world->app, 2);
    is_int(work(&world->app, 1).result, SYNC_DEAD, "given an opportunity that GHL refuses");
    is_str(ghl_calls(), UPSERT TAGS CREATE SEARCH SEARCH_OF("contact1"),
           "it is looked for once, as it may be there");
    struct order_record dead = sandbox_order(&world->app, "shop:1");
    ok(dead.dead_ms && dead.current.id[0], "it is a dead letter, with its body");
    ok(strstr(dead.reason, "(422)"), "which says why: %s", dead.reason);
    is_int(work(&world->app, 2).result, SYNC_DONE, "another order goes on");
}

/* Does a process with that token go on, before the pause may be probed? No call of it leaves. */
static bool goes_on_with(struct world *world, const char *token)
{
    const char *const settings[] = {token, NULL};
    struct app other;
    bool goes_on = ghl_app(&world->sandbox, settings, &other) && hold_lift(&other, HOLD_PAUSED, false);

    is_str(ghl_calls(), "", "it asks nobody");
    app_close(&other);
    return goes_on;
}

static void a_refused_token(struct world *world)
{
    GHL_DOES({.status = 401}, {.status = 401});
    order(&world->app, 1);
    is_str(work(&world->app, 1).reason, "paused", "given a token that GHL refuses");
    ok(!sandbox_order(&world->app, "shop:1").dead_ms, "the order is no dead letter");
    ghl_does(NULL, 0);
    ok(!goes_on_with(world, "GHL_API_KEY=pit-token"), "the same token waits for the probe");
    ok(goes_on_with(world, "GHL_API_KEY=pit-other"), "another does not");
}

static void a_pause_is_probed(struct world *world)
{
    struct order_work other = {0};
    struct orders_wait wait;

    GHL_DOES({.status = 401}, {.status = 401});
    order(&world->app, 1);
    is_str(work(&world->app, 1).reason, "paused", "given a pause");
    ok(orders_lease_due(&world->app.orders, &other, &wait) == STORE_NONE && wait.hold == HOLD_PAUSED,
       "nothing is handed out");
    time_passes(2 * MINUTE_MS);
    GHL_DOES({.status = 401});
    ok(!hold_lift(&world->app, HOLD_PAUSED, false), "given a probe that is refused, too");
    ok(!hold_lift(&world->app, HOLD_PAUSED, false), "it goes on");
    is_str(ghl_calls(), "GET /opportunities/pipelines\n", "and a second probe waits");
    time_passes(2 * MINUTE_MS);
    GHL_DOES({.status = 200, .body = "{\"pipelines\":[]}"});
    ok(hold_lift(&world->app, HOLD_PAUSED, false), "given a probe that GHL answers, it is over");
    ok(orders_lease_due(&world->app.orders, &other, &wait) == STORE_OK, "the order is handed out");
    order_work_free(&other);
}

static void a_wrong_pipeline(struct world *world)
{
    GHL_DOES({.status = 200}, {.status = 200},
             {.status = 422, .body = "{\"statusCode\":422,\"message\":[\"The pipelineId is invalid\"]}"},
             {.call = "GET /opportunities/pipelines", .status = 200, .body = "{\"pipelines\":[]}"});
    order(&world->app, 1);
    is_str(work(&world->app, 1).reason, "paused", "given a pipeline that GHL does not know");
    ghl_does(NULL, 0);
    ok(!goes_on_with(world, "GHL_API_KEY=pit-other"), "another token mends nothing");
}

/* GHL names the pipeline, but it is there: it is this order's own trouble. */
static void a_pipeline_that_is_there(struct world *world)
{
    GHL_DOES({.status = 200}, {.status = 200},
             {.status = 422, .body = "{\"statusCode\":422,\"message\":[\"The pipelineId is invalid\"]}"},
             {.call = "GET /opportunities/pipelines",
              .status = 200,
              .body = "{\"pipelines\":[{\"id\":\"fakePipelineAAAAAAAA\",\"name\":\"Shop\",\"stages\":[]}]}"});
    order(&world->app, 1);
    is_int(work(&world->app, 1).result, SYNC_DEAD, "given a pipeline that GHL names and has");
    is_int(sandbox_location(&world->app).paused_ms, 0, "nothing is paused");
}

static void a_403_of_one_order(struct world *world)
{
    order(&world->app, 1);
    for (int i = 1; i <= 3; i++) {
        GHL_DOES({.status = 403},
                 {.call = "GET /opportunities/pipelines", .status = 200, .body = "{\"pipelines\":[]}"});
        struct sync_outcome outcome = work(&world->app, 1);
        is_str(outcome.reason, i < 3 ? "ghl_refused" : "dead_letter",
               "given a 403 of this order alone, time %d", i);
    }
    is_int(sandbox_location(&world->app).paused_ms, 0, "nothing is paused");
}

static void a_refusal_while_ghl_is_not_well(struct world *world)
{
    order(&world->app, 1);
    for (int i = 0; i < 5; i++) {
        GHL_DOES({.status = 403}, {.call = "GET /opportunities/pipelines", .status = 503, .always = true});
        is_str(work(&world->app, 1).reason, "ghl_refused",
               "given a 403 when nobody can tell whose fault it is");
        ok(!sandbox_order(&world->app, "shop:1").dead_ms, "the order is not blamed");
        time_passes(10 * MINUTE_MS);
    }
}

/* -- the circuit breaker -- */

static int64_t failures(struct world *world)
{
    return sandbox_location(&world->app).failures;
}

static void the_breaker_hears(struct world *world)
{
    GHL_DOES({.status = 503}, {.status = 503}, {.status = 503}, {.status = 503}, {.status = 429},
             {.status = 429}, {.status = 429}, {.status = 429}, {.status = 404});
    order(&world->app, 1);
    is_str(work(&world->app, 1).reason, "ghl_unavailable", "given an order that GHL does not answer");
    is_int(failures(world), 4, "four times");
    order(&world->app, 2);
    is_str(work(&world->app, 2).reason, "ghl_limit", "one that it has no time for");
    is_int(failures(world), 4, "says nothing of its health");
    order(&world->app, 3);
    ok(work(&world->app, 3).result != SYNC_DONE, "one that it refuses");
    is_int(failures(world), 0, "says that it is well");
}

int main(void)
{
#define CASE(name)                                                                                           \
    {                                                                                                        \
#name, name                                                                                          \
    }
    static const struct {
        const char *name;
        void (*run)(struct world *world);
    } cases[] = {
        CASE(a_lease_is_renewed_during_long_work),
        CASE(no_write_begins_when_the_lease_may_run_out),
        CASE(a_write_begins_well_before_that),
        CASE(a_lease_that_ended_early),
        CASE(a_worker_that_slept),
        CASE(a_create_is_not_sent_late),
        CASE(a_create_whose_record_takes_long),
        CASE(a_disk_that_hangs_for_a_lease),
        CASE(a_version_that_waits_behind_it),
        CASE(ghls_day_is_over),
        CASE(a_look_for_a_lost_answer_is_no_attempt),
        CASE(one_order_is_refused),
        CASE(a_refused_token),
        CASE(a_pause_is_probed),
        CASE(a_wrong_pipeline),
        CASE(a_pipeline_that_is_there),
        CASE(a_403_of_one_order),
        CASE(a_refusal_while_ghl_is_not_well),
        CASE(the_breaker_hears),
    };
    if (!ok(ghl_begin(), "a GHL"))
        return tap_done();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world world;
        tap_note("%s", cases[i].name);
        if (begin(&world))
            cases[i].run(&world);
        end(&world);
    }
    ghl_end();
    return tap_done();
}
