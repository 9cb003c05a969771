/* drain: each order that is due is worked on once, by whichever process takes it; what is old is emptied. */
#include "worker/drain.h"
#include "accept/accept.h"
#include "base/clock.h"
#include "sandbox.h"
#include "tap.h"
#include "worker/upkeep.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_MS (3600 * 1000LL)
#define DAY_MS (24 * HOUR_MS)
#define ORDERS 40
#define JOBS 4

struct house {
    struct sandbox sandbox;
    struct app app;
};

/* An order of now that waits. */
static void waits(struct app *app, int id)
{
    char body[128];
    int n = snprintf(body, sizeof body, "{\"id\":%d,\"status\":\"processing\",\"total\":\"1\"}", id);
    const struct accept_delivery delivery = {
        .bytes = body, .len = (size_t)n, .headers = {"order.created", "order", ""}, .origin = ORIGIN_WEBHOOK};
    struct acceptance acceptance;

    accept_delivery(app, &delivery, &acceptance);
    if (acceptance.result != ACCEPTED_QUEUED)
        ok(false, "order %d waits", id);
}

static struct drain_counts drains(struct app *app, const struct drain_options *options, const char *what)
{
    struct drain_counts counts;

    ok(drain_run(app, options, &counts), "%s", what);
    return counts;
}

static const struct drain_options once = {.budget_ms = CLOCK_NEVER, .heartbeat = true},
                                  now = {.budget_ms = CLOCK_NEVER, .now = true};

static void what_is_due(struct house *house)
{
    struct app *app = &house->app;
    struct order_work work = {0};
    struct drain_counts counts = drains(app, &once, "given that none waits, a drain");

    is_int(counts.done + counts.nothing + counts.queued + counts.dead + counts.left, 0, "does nothing");
    for (int id = 1; id <= 3; id++)
        waits(app, id);
    ok(sandbox_lease(app, "shop:3", &work) == STORE_OK &&
           orders_retry(&app->orders, &work, &work.record.link, HOUR_MS, true, false, "not yet") == STORE_OK,
       "given three orders, one of which is due in an hour");
    order_work_free(&work);
    ok(sandbox_lease(app, "shop:2", &work) == STORE_OK, "and one that a worker has");
    counts = drains(app, &once, "a drain");
    is_int(counts.done, 1, "takes the one that is due");
    is_int(counts.left, 2, "and leaves the others");
    order_work_free(&work);
    store_shift_clock(app->store, 2 * HOUR_MS);
    counts = drains(app, &once, "a drain two hours later");
    is_int(counts.done, 2, "takes these");
    /* The worker that never said how it ended may have written: the order is confirmed later. */
    is_int(counts.left, sandbox_sizes(app).count[INDEX_DUE], "and tells what is left");
}

static void a_budget(struct house *house)
{
    static const struct drain_options none = {.budget_ms = 0};

    waits(&house->app, 1);
    struct drain_counts counts = drains(&house->app, &none, "given no time, a drain");
    is_int(counts.done, 0, "takes no order");
    is_int(counts.left, 1, "and leaves it");
}

static bool pauses(struct location_record *location, int64_t now_ms, void *context)
{
    bool first;

    (void)context;
    pause_begin(location, "", "a pipeline is missing", now_ms, &first);
    location->pause_probe_ms = now_ms; /* a probe was just sent */
    return true;
}

static void before_their_time(struct house *house)
{
    struct app *app = &house->app;
    struct order_work work = {0};

    waits(app, 1);
    waits(app, 2);
    ok(sandbox_lease(app, "shop:1", &work) == STORE_OK &&
           orders_retry(&app->orders, &work, &work.record.link, HOUR_MS, true, false, "not yet") == STORE_OK,
       "given an order that is due in an hour, another that is due now");
    order_work_free(&work);
    ok(orders_location(&app->orders, pauses, NULL) == STORE_OK, "and a pause");
    struct drain_counts counts = drains(app, &once, "a drain");
    is_int(counts.done, 0, "takes none");
    counts = drains(app, &now, "a drain --now");
    is_int(counts.done, 2, "takes both");
    is_int(counts.left, 0, "and none is left");
}

static int lines_with(const struct house *house, const char *text)
{
    char path[128], line[4096];
    int n = 0;

    sandbox_path(&house->sandbox, "log", path);
    FILE *log = fopen(path, "r");
    while (log && fgets(line, sizeof line, log))
        n += strstr(line, text) != NULL;
    if (log && fclose(log) != 0)
        n = -1;
    return n;
}

static void several_at_once(struct house *house)
{
    struct app *app = &house->app;
    struct drain_counts counts;

    for (int id = 1; id <= ORDERS; id++)
        waits(app, id);
    app_close(app);
    ok(drain_jobs(JOBS, &now, NULL, &counts), "given %d orders, %d drains at once", ORDERS, JOBS);
    is_int(counts.done, ORDERS, "bring each to GHL");
    is_int(counts.left, 0, "and none is left");
    is_int(lines_with(house, "event=synced"), ORDERS, "each was taken once");
    ok(sandbox_open(&house->sandbox, NULL, app), "opened again");
}

static void old_dead_letters(struct house *house)
{
    struct app *app = &house->app;
    static const char *const keys[] = {"bad:old", "bad:new"};

    for (int i = 0; i < 2; i++) {
        ok(orders_keep_bytes(&app->orders, keys[i], "{", 1, "not decodable as JSON") == STORE_OK,
           "given a dead letter");
        ok(upkeep(app), "a drain looks");
        ok(sandbox_order(app, keys[i]).current.id[0], "it keeps its content");
        store_shift_clock(app->store, 20 * DAY_MS);
    }
    ok(upkeep(app), "after 40 and 20 days");
    struct order_record old = sandbox_order(app, keys[0]);
    is_str(old.current.id, "", "the old one's content is deleted");
    ok(old.dead_ms > 0 && *old.reason, "key and reason stay");
    ok(sandbox_order(app, keys[1]).current.id[0], "the newer one keeps it");
    is_int(sandbox_sizes(app).count[INDEX_DEAD], 2, "both are listed");
}

int main(void)
{
    static void (*const cases[])(struct house *) = {
        what_is_due, a_budget, before_their_time, several_at_once, old_dead_letters,
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct house house = {0};
        if (ok(sandbox_begin(&house.sandbox) && sandbox_app(&house.sandbox, NULL, &house.app), "an app"))
            cases[i](&house);
        app_close(&house.app);
        sandbox_end(&house.sandbox);
    }
    return tap_done();
}
