/* The spool comes back into the store: ids first, in order of arrival, and nothing holds up the rest. */
#include "worker/unspool.h"
#include "base/clock.h"
#include "order/delivery.h"
#include "place.h"
#include "tap.h"
#include "worker/drain.h"
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MINUTE_MS (60 * 1000LL)

static bool begin(struct place *place, struct app *app)
{
    *app = (struct app){0};
    if (!ok(place_begin(place) && place_app(place, "location1", app), "an app"))
        return false;
    return ok(app->spool != NULL, "and its spool");
}

static void end(struct place *place, struct app *app)
{
    app_close(app);
    place_end(place);
}

/* As intake leaves it, so long ago. */
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

static void spooled_ids(struct app *app, const char *key, const char *contact, const char *card)
{
    struct error e = ERROR_NONE;
    const struct spool_ids ids = {.key = key, .contact_id = contact, .opportunity_id = card};
    ok(spool_put_ids(app->spool, &ids, &e), "ids of %s spooled: %s", key, e.text);
}

static void leased(struct app *app, const char *key, struct store_entry *entry)
{
    *entry = (struct store_entry){0};
    ok(store_lease_due(app->store, MINUTE_MS, key, entry, NULL, NULL) == STORE_OK, "%s waits", key);
    is_str(entry->key ? entry->key : "(none)", key, "it is %s", key);
}

static bool holds(const struct store_entry *entry, const char *text)
{
    struct delivery delivery = {0};
    bool found = entry->body && delivery_unpack(entry->body, entry->body_len, &delivery) &&
                 memmem(delivery.body, delivery.body_len, text, strlen(text)) != NULL;
    delivery_free(&delivery);
    return found;
}

static void by_arrival(void)
{
    struct place place;
    struct app app;
    struct store_entry entry;

    if (!begin(&place, &app))
        return;
    is_int(unspool(&app), 0, "nothing is spooled");
    /* no modified times: only the arrival tells which is newer */
    spooled(&app, "{\"id\":1,\"status\":\"refunded\",\"total\":\"1\"}", MINUTE_MS);
    spooled(&app, "{\"id\":1,\"status\":\"processing\",\"total\":\"1\"}", 2 * MINUTE_MS);
    is_int(unspool(&app), 2, "two states of one order move");
    leased(&app, "shop:1", &entry);
    ok(holds(&entry, "refunded"), "the later one is what waits, also where it was written first");
    store_entry_free(&entry);

    spooled(&app, "{\"id\":1,\"status\":\"completed\",\"total\":\"1\"}", 3 * MINUTE_MS);
    is_int(unspool(&app), 1, "a state that is older than what the store has moves");
    struct store_order order;
    ok(store_look(app.store, "shop:1", &order) == STORE_OK && !order.has_waiting_body, "and changes nothing");
    end(&place, &app);
}

/* Two movers at once: one has the sale in hand, the other moves its end. */
static void a_sale_behind_its_end(void)
{
    struct place place;
    struct app app;
    struct error e = ERROR_NONE;
    struct spool_item item = {0};
    struct store_entry entry;

    if (!begin(&place, &app))
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
    ok(other && spool_begin(other, &e) == SPOOL_OK && spool_next(other, &item, &e) == SPOOL_OK,
       "another mover has the first file %s", e.text);
    is_int(unspool(&app), 1, "the end is moved before its sale");
    buf_free(&item.content);
    close(item.fd); /* it dies */
    spool_close(other);
    is_int(unspool(&app), 1, "then the sale");
    leased(&app, "shop:1", &entry);
    ok(holds(&entry, "processing") && entry.sold, "which waits");
    is_str(entry.status, "cancelled", "as it ended");
    store_entry_free(&entry);
    end(&place, &app);
}

static void ids(void)
{
    struct place place;
    struct app app;
    struct store_entry entry;

    if (!begin(&place, &app))
        return;
    spooled(&app, "{\"id\":1,\"status\":\"processing\",\"total\":\"1\"}", MINUTE_MS);
    is_int(unspool(&app), 1, "an order waits");
    spooled(&app, "{\"id\":2,\"status\":\"processing\",\"total\":\"1\"}", 2 * MINUTE_MS);
    spooled_ids(&app, "shop:1", "contact1", "card1");
    is_int(unspool(&app), 2, "ids learned while the store was away, and an older delivery");
    leased(&app, "shop:1", &entry);
    is_str(entry.link.contact_id, "contact1", "the contact is known");
    is_str(entry.link.opportunity_id, "card1", "the card is known, so no second one is made");
    store_entry_free(&entry);
    spooled_ids(&app, "shop:1", "contact1", "card2");
    is_int(unspool(&app), 1, "another card's id is an alert");
    end(&place, &app);
}

/* One that nobody understands (of a later version) does not hold up those behind it. */
static void not_understood(void)
{
    static const char *const strange[] = {"", "\n", "woo_ghl delivery 9\n\n\n\n{}", "woo_ghl delivery 1\n"};
    struct place place;
    struct app app;
    struct error e = ERROR_NONE;
    struct spool_stats stats = {0};
    struct store_order order;

    if (!begin(&place, &app))
        return;
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
        const struct spool_delivery delivery = {
            .key = "", .packed = strange[i], .packed_len = strlen(strange[i]), .arrived_ago_ms = MINUTE_MS};
        ok(spool_put_delivery(app.spool, &delivery, &e), "a file of another form %s", e.text);
    }
    spooled(&app, "{\"id\":1,\"status\":\"processing\",\"total\":\"1\"}", 0);
    is_int(unspool(&app), 1, "the good one moves");
    ok(store_look(app.store, "shop:1", &order) == STORE_OK && order.waiting, "and waits in the store");
    ok(spool_stats(app.spool, &stats, &e), "the spool tells");
    is_int(stats.damaged, 4, "the others are kept aside");
    is_int(stats.deliveries, 0, "and nothing else is left");
    end(&place, &app);
}

/* Files are moved in the order of their names, which begin with the millisecond. */
static void next_ms(void)
{
    for (int64_t now = clock_wall_ms(); clock_wall_ms() == now;)
        ;
}

/* `refused`: such as no store takes, as a key is no longer than 200 bytes or so. */
static void ids_in_a_row(struct app *app, const char *refused)
{
    char key[1024];

    for (; *refused; refused++) {
        snprintf(key, sizeof key, "shop:%0*d", *refused == 'x' ? 900 : 1, 1);
        spooled_ids(app, key, "contact1", "card1");
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
        struct place place;
        struct app app;
        struct spool_stats stats = {0};

        if (!begin(&place, &app))
            return;
        ids_in_a_row(&app, rows[i].files);
        is_int(unspool(&app), rows[i].moved, "of %s so many are moved", rows[i].files);
        ok(spool_stats(app.spool, &stats, &e), "the spool tells");
        is_int(stats.ids, rows[i].left, "the others wait on");
        is_int(stats.refused, rows[i].left, "and were refused");
        end(&place, &app);
    }
}

static void path_of(const struct place *place, const char *name, char out[128])
{
    snprintf(out, 128, "%s/%s", place->dir, name);
}

static void sql(const struct place *place, const char *text)
{
    char path[128];
    sqlite3 *db = NULL;

    path_of(place, "data/store.db", path);
    ok(sqlite3_open(path, &db) == SQLITE_OK && sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK, "%s",
       text);
    sqlite3_close(db);
}

/* A refused file is due again after a second. */
static long moved_at_last(struct app *app)
{
    long moved = 0;

    for (int64_t until = clock_mono_ms() + 20000; moved == 0 && clock_mono_ms() < until;) {
        usleep(20000);
        moved = unspool(app);
    }
    return moved;
}

/* All that is left of a body that is no order is the wish for a reconcile. */
static void no_order(void)
{
    struct place place;
    struct app app;
    struct error e = ERROR_NONE;
    struct spool_stats spooled_stats = {0};
    struct store_stats stats = {0};

    if (!begin(&place, &app))
        return;
    spooled(&app, "{\"code\":\"rest_forbidden\",\"message\":\"x\"}", MINUTE_MS);
    sql(&place, "CREATE TRIGGER away BEFORE INSERT ON counters BEGIN SELECT RAISE(ABORT, 'away'); END");
    is_int(unspool(&app), 0, "a store that does not take it");
    ok(store_stats(app.store, &stats) == STORE_OK && stats.reconcile_wanted == 0,
       "and no reconcile is wanted");
    ok(spool_stats(app.spool, &spooled_stats, &e), "the spool tells");
    is_int(spooled_stats.deliveries, 1, "has it stay");
    sql(&place, "DROP TRIGGER away");
    is_int(moved_at_last(&app), 1, "then it does");
    ok(store_stats(app.store, &stats) == STORE_OK && stats.reconcile_wanted > 0, "and a reconcile is wanted");
    end(&place, &app);
}

/* What lacks its key is moved when the key is there again. */
static void locked(void)
{
    static const struct drain_options options = {.budget_ms = CLOCK_NEVER, .heartbeat = true};
    static const char *const with_key[] = {"DATA_KEY=a data key", NULL};
    static const char *const with_previous[] = {"DATA_KEY_PREVIOUS=a data key", NULL};
    struct place place;
    struct app app;
    struct error e = ERROR_NONE;
    struct spool_stats stats = {0};
    struct drain_counts counts;

    if (!begin(&place, &app))
        return;
    app_close(&app);
    ok(place_app_with(&place, "location1", with_key, &app), "a start with a DATA_KEY");
    spooled(&app, "{\"id\":1,\"status\":\"processing\",\"total\":\"1\"}", MINUTE_MS);
    app_close(&app);
    ok(place_app(&place, "location1", &app), "and one without it");
    spooled(&app, "{\"id\":2,\"status\":\"processing\",\"total\":\"1\"}", 0);
    ok(drain_run(&app, &options, &counts), "a drain");
    is_int(counts.done, 1, "brings to GHL what it can open");
    ok(spool_stats(app.spool, &stats, &e), "the spool tells");
    is_int(stats.locked, 1, "the other one stays");
    app_close(&app);

    ok(place_app_with(&place, "location1", with_previous, &app), "a start with it as the previous one");
    ok(drain_run(&app, &options, &counts), "a drain");
    is_int(counts.done, 1, "brings that one to GHL");
    ok(spool_stats(app.spool, &stats, &e), "the spool tells");
    is_int(stats.locked + stats.deliveries, 0, "and nothing is left");
    end(&place, &app);
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
