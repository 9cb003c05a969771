/* The spool comes back into the store: ids first, in order of arrival, and nothing holds up the rest. */
#include "worker/unspool.h"
#include "base/clock.h"
#include "order/delivery.h"
#include "sandbox.h"
#include "tap.h"
#include "worker/drain.h"
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MINUTE_MS (60 * 1000LL)

static bool begin(struct sandbox *sandbox, struct app *app)
{
    *app = (struct app){0};
    if (!ok(sandbox_begin(sandbox) && sandbox_app(sandbox, NULL, app), "an app"))
        return false;
    return ok(app->spool != NULL, "and its spool");
}

static void end(struct sandbox *sandbox, struct app *app)
{
    app_close(app);
    sandbox_end(sandbox);
}

/* As accept leaves it, so long ago. */
static void spooled(struct app *app, const char *body, int64_t ago_ms)
{
    const struct order_headers headers = {.topic = "order.updated", .resource = "order", .source = ""};
    struct error e = ERROR_NONE;
    struct buf packed;

    buf_init(&packed, 65536);
    bool good = delivery_pack(&headers, body, strlen(body), &packed);
    const struct spool_delivery delivery = {
        .key = "", .packed = packed.data, .packed_len = packed.len, .arrived_ago_ms = ago_ms};
    ok(good && spool_put_delivery(app->spool, &delivery, &e), "spooled: %s %s", body, e.text);
    buf_free(&packed);
}

static void spooled_ids(struct app *app, const char *key, const char *contact, const char *opportunity)
{
    struct error e = ERROR_NONE;
    const struct spool_ids ids = {.key = key, .contact_id = contact, .opportunity_id = opportunity};
    ok(spool_put_ids(app->spool, &ids, &e), "ids of %s spooled: %s", key, e.text);
}

static void leased(struct app *app, const char *key, struct order_work *work)
{
    ok(sandbox_lease(app, key, work) == STORE_OK, "%s waits", key);
}

static bool holds(const struct order_work *work, const char *text)
{
    struct delivery delivery = {0};
    bool found = delivery_unpack(work->body.data, work->body.len, &delivery) &&
                 memmem(delivery.body, delivery.body_len, text, strlen(text)) != NULL;
    delivery_free(&delivery);
    return found;
}

static void by_arrival(void)
{
    struct sandbox sandbox;
    struct app app;
    struct order_work work = {0};

    if (!begin(&sandbox, &app))
        return;
    is_int(unspool(&app), 0, "nothing is spooled");
    /* no modified times: only the arrival tells which is newer */
    spooled(&app, "{\"id\":1,\"status\":\"refunded\",\"total\":\"1\"}", MINUTE_MS);
    spooled(&app, "{\"id\":1,\"status\":\"processing\",\"total\":\"1\"}", 2 * MINUTE_MS);
    is_int(unspool(&app), 2, "two states of one order move");
    leased(&app, "shop:1", &work);
    ok(holds(&work, "refunded"), "the later one is what waits, also where it was written first");
    order_work_free(&work);

    spooled(&app, "{\"id\":1,\"status\":\"completed\",\"total\":\"1\"}", 3 * MINUTE_MS);
    is_int(unspool(&app), 1, "a state that is older than what the store has moves");
    ok(!sandbox_order(&app, "shop:1").waiting.id[0], "and changes nothing");
    end(&sandbox, &app);
}

/* Two movers at once: one has the sale in hand, the other moves its end. */
static void a_sale_behind_its_end(void)
{
    struct sandbox sandbox;
    struct app app;
    struct error e = ERROR_NONE;
    struct spool_item item = {0};
    struct order_work work = {0};

    if (!begin(&sandbox, &app))
        return;
    spooled(
        &app,
        "{\"id\":1,\"status\":\"processing\",\"total\":\"1\",\"date_modified_gmt\":\"2026-01-01T10:00:00\"}",
        2 * MINUTE_MS);
    spooled(
        &app,
        "{\"id\":1,\"status\":\"cancelled\",\"total\":\"1\",\"date_modified_gmt\":\"2026-01-01T10:01:00\"}",
        MINUTE_MS);
    struct spool *other = spool_open(&app.config, app.crypt, &e);
    ok(other && spool_begin(other, false, &e) == SPOOL_OK && spool_next(other, &item, &e) == SPOOL_OK,
       "another mover has the first file %s", e.text);
    is_int(unspool(&app), 1, "the end is moved before its sale");
    buf_free(&item.content);
    close(item.fd); /* it dies */
    spool_close(other);
    is_int(unspool(&app), 1, "then the sale");
    leased(&app, "shop:1", &work);
    ok(holds(&work, "processing") && work.record.sold, "which waits");
    is_str(work.record.current.status, "cancelled", "as it ended");
    order_work_free(&work);
    end(&sandbox, &app);
}

static void ids(void)
{
    struct sandbox sandbox;
    struct app app;
    struct order_work work = {0};

    if (!begin(&sandbox, &app))
        return;
    spooled(&app, "{\"id\":1,\"status\":\"processing\",\"total\":\"1\"}", MINUTE_MS);
    is_int(unspool(&app), 1, "an order waits");
    spooled(&app, "{\"id\":2,\"status\":\"processing\",\"total\":\"1\"}", 2 * MINUTE_MS);
    spooled_ids(&app, "shop:1", "contact1", "opportunity1");
    is_int(unspool(&app), 2, "ids learned while the store was away, and an older delivery");
    leased(&app, "shop:1", &work);
    is_str(work.record.link.contact, "contact1", "the contact is known");
    is_str(work.record.link.opportunity, "opportunity1",
           "the opportunity is known, so no second one is made");
    order_work_free(&work);
    spooled_ids(&app, "shop:1", "contact1", "opportunity2");
    is_int(unspool(&app), 1, "another opportunity's id is an alert");
    end(&sandbox, &app);
}

/* One that nobody understands (of a later version) does not hold up those behind it. */
static void not_understood(void)
{
    static const char *const strange[] = {"", "\n", "woo_ghl delivery 9\n\n\n\n{}", "woo_ghl delivery 1\n"};
    struct sandbox sandbox;
    struct app app;
    struct error e = ERROR_NONE;
    struct spool_stats stats = {0};

    if (!begin(&sandbox, &app))
        return;
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
        const struct spool_delivery delivery = {
            .key = "", .packed = strange[i], .packed_len = strlen(strange[i]), .arrived_ago_ms = MINUTE_MS};
        ok(spool_put_delivery(app.spool, &delivery, &e), "a file of another form %s", e.text);
    }
    spooled(&app, "{\"id\":1,\"status\":\"processing\",\"total\":\"1\"}", 0);
    is_int(unspool(&app), 1, "the good one moves");
    ok(sandbox_order(&app, "shop:1").current.id[0] != '\0', "and waits in the store");
    ok(spool_stats(app.spool, &stats, &e), "the spool tells");
    is_int(stats.damaged, 4, "the others are kept aside");
    is_int(stats.deliveries, 0, "and nothing else is left");
    end(&sandbox, &app);
}

/* Files are moved in the order of their names, which begin with the millisecond. */
static void next_ms(void)
{
    for (int64_t now = clock_wall_ms(); clock_wall_ms() == now;)
        ;
}

static void sql(const struct sandbox *sandbox, const char *text)
{
    char path[128];
    sqlite3 *db = NULL;

    sandbox_path(sandbox, "data/store.db", path);
    ok(sqlite3_open(path, &db) == SQLITE_OK && sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK, "%s",
       text);
    sqlite3_close(db);
}

/* x: one that the store does not take. */
static void ids_in_a_row(struct app *app, const char *refused)
{
    for (; *refused; refused++) {
        spooled_ids(app, *refused == 'x' ? "shop:9" : "shop:1", "contact1", "opportunity1");
        next_ms();
    }
}

/* What the store does not take holds up nothing, however much of it there is. */
static void refused_in_a_row(void)
{
    static const struct {
        const char *files;
        long moved, left;
    } rows[] = {{"xx-", 1, 2}, {"xx-xx-", 2, 4}, {"xxxxx-", 1, 5}};
    struct error e = ERROR_NONE;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sandbox sandbox;
        struct app app;
        struct spool_stats stats = {0};

        if (!begin(&sandbox, &app))
            return;
        sql(&sandbox,
            "CREATE TRIGGER no BEFORE INSERT ON orders WHEN new.key = 'shop:9' BEGIN SELECT RAISE(ABORT, "
            "'no'); END");
        ids_in_a_row(&app, rows[i].files);
        is_int(unspool(&app), rows[i].moved, "of %s so many are moved", rows[i].files);
        ok(spool_stats(app.spool, &stats, &e), "the spool tells");
        is_int(stats.ids, rows[i].left, "the others wait on");
        is_int(stats.refused, rows[i].left, "and were refused");
        end(&sandbox, &app);
    }
}

/* A refused file is due again after a second. */
static long moved_at_last(struct app *app)
{
    long moved = 0;

    for (int64_t until = clock_mono_ms() + 120000; moved == 0 && clock_mono_ms() < until;) {
        usleep(20000);
        moved = unspool(app);
    }
    return moved;
}

/* All that is left of a body that is no order is the wish for a reconcile. */
static void no_order(void)
{
    struct sandbox sandbox;
    struct app app;
    struct error e = ERROR_NONE;
    struct spool_stats spooled_stats = {0};

    if (!begin(&sandbox, &app))
        return;
    spooled(&app, "{\"code\":\"rest_forbidden\",\"message\":\"x\"}", MINUTE_MS);
    sql(&sandbox, "CREATE TRIGGER away BEFORE INSERT ON vals BEGIN SELECT RAISE(ABORT, 'away'); END");
    is_int(unspool(&app), 0, "a store that does not take it");
    is_int(sandbox_location(&app).reconcile_ms, 0, "and no reconcile is wanted");
    ok(spool_stats(app.spool, &spooled_stats, &e), "the spool tells");
    is_int(spooled_stats.deliveries, 1, "has it stay");
    sql(&sandbox, "DROP TRIGGER away");
    is_int(moved_at_last(&app), 1, "then it does");
    ok(sandbox_location(&app).reconcile_ms > 0, "and a reconcile is wanted");
    end(&sandbox, &app);
}

/* What lacks its key is moved when the key is there again. */
static void locked(void)
{
    static const struct drain_options options = {.budget_ms = CLOCK_NEVER, .heartbeat = true};
    static const char *const with_key[] = {"DATA_KEY=a data key", NULL};
    static const char *const with_previous[] = {"DATA_KEY_PREVIOUS=a data key", NULL};
    struct sandbox sandbox;
    struct app app;
    struct error e = ERROR_NONE;
    struct spool_stats stats = {0};
    struct drain_counts counts;

    if (!begin(&sandbox, &app))
        return;
    app_close(&app);
    ok(sandbox_app(&sandbox, with_key, &app), "a start with a DATA_KEY");
    spooled(&app, "{\"id\":1,\"status\":\"processing\",\"total\":\"1\"}", MINUTE_MS);
    app_close(&app);
    ok(sandbox_app(&sandbox, NULL, &app), "and one without it");
    spooled(&app, "{\"id\":2,\"status\":\"processing\",\"total\":\"1\"}", 0);
    ok(drain_run(&app, &options, &counts), "a drain");
    is_int(counts.done, 1, "brings to GHL what it can open");
    ok(spool_stats(app.spool, &stats, &e), "the spool tells");
    is_int(stats.locked, 1, "the other one stays");
    app_close(&app);

    ok(sandbox_app(&sandbox, with_previous, &app), "a start with it as the previous one");
    ok(drain_run(&app, &options, &counts), "a drain");
    is_int(counts.done, 1, "brings that one to GHL");
    ok(spool_stats(app.spool, &stats, &e), "the spool tells");
    is_int(stats.locked + stats.deliveries, 0, "and nothing is left");
    end(&sandbox, &app);
}

int main(void)
{
    by_arrival();
    a_sale_behind_its_end();
    ids();
    not_understood();
    refused_in_a_row();
    no_order();
    locked();
    return tap_done();
}
