/* What is kept although it changes nothing in GHL now: other shops' orders, what the store cannot take, lost work. */
#include "accept/rig_accept.h"
#include "app/ready.h"
#include "base/clock.h"
#include "tap.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- orders that are not for GHL -- */

static void sub_orders(struct house *house)
{
    struct app *app = &house->app;
    becomes(app, VERSION("2", "processing", "5.00", ",\"parent_id\":1"), ACCEPTED_IGNORED, "sub_order",
            "a part of another order");
    becomes(app, VERSION("3", "processing", "5.00", ",\"parent_id\":0"), ACCEPTED_QUEUED, "later",
            "an order without a parent");
    is_int(sandbox_order(app, "shop:2").version, 0, "nothing is kept of the part");
}

static void sub_orders_that_count(struct house *house)
{
    static const char *const settings[] = {"SUB_ORDERS=count", NULL};

    reopen(house, settings);
    becomes(&house->app, VERSION("2", "processing", "5.00", ",\"parent_id\":1"), ACCEPTED_QUEUED, "later",
            "a part of another order, under SUB_ORDERS=count");
}

static void is_kept_as_foreign(struct app *app, const char *body)
{
    struct acceptance kept = deliver(app, body, (struct sent){.work = true});

    is_str(accepted_word(kept.result), "foreign", "another site's order");
    ok(!strncmp(kept.key, "foreign:", 8), "is kept: %s", kept.key);
    struct order_record record = sandbox_order(app, kept.key);
    ok(record.dead_ms && has_body(app, kept.key, "processing"), "as a dead letter, with its body");
    ok(strstr(record.reason, "copy.example.com"), "which says whose it is: %s", record.reason);
    int64_t dead = sandbox_sizes(app).count[INDEX_DEAD];
    is_str(accepted_word(deliver(app, body, (struct sent){0}).result), "foreign", "again");
    is_int(sandbox_sizes(app).count[INDEX_DEAD], dead, "it is kept once");
}

static void a_shop_that_is_not_configured(struct house *house)
{
    static const char *const settings[] = {"WOO_SHOPS=shop=shop.example.com", NULL};

    reopen(house, settings);
    is_kept_as_foreign(&house->app, OF_SITE("1", "copy.example.com"));
    becomes(&house->app, OF_SITE("1", "shop.example.com"), ACCEPTED_SYNCED, "", "the shop's own",
            .work = true);
}

/* Without WOO_SHOPS the first site is the shop; a copy of it has the same secret. */
static void a_copy_of_the_shop(struct house *house)
{
    struct app *app = &house->app;
    becomes(app, OF_SITE("1", "shop.example.com"), ACCEPTED_SYNCED, "", "the first order's site",
            .work = true);
    is_str(sandbox_location(app).site, "shop.example.com", "is the shop");
    is_kept_as_foreign(app, OF_SITE("1", "copy.example.com"));
    is_int(sandbox_sizes(app).count[INDEX_DUE], 0, "it does not touch the order of the same id");
    becomes(app, OF_SITE("2", "www.shop.example.com/de"), ACCEPTED_SYNCED, "",
            "another address of the shop's", .work = true);
    becomes(app, SALE("3"), ACCEPTED_SYNCED, "", "an order that does not say its site", .work = true);
}

/* The other worker learned the shop's site after this one had read the location's record. */
static void a_copy_at_a_worker_with_an_old_view(struct house *house)
{
    struct app late;
    struct error e = ERROR_NONE;

    ok(sandbox_app(&house->sandbox, NULL, &late) && app_ready(&late, &e), "given another worker %s", e.text);
    becomes(&late, SALE("1"), ACCEPTED_SYNCED, "", "that had an order of no site", .work = true);
    becomes(&house->app, OF_SITE("2", "shop.example.com"), ACCEPTED_SYNCED, "", "and the first order's site",
            .work = true);
    is_kept_as_foreign(&late, OF_SITE("2", "copy.example.com"));
    app_close(&late);
}

/* -- trouble of our own -- */

static void the_store_is_away(struct house *house)
{
    struct app *app = &house->app;

    sql(house, "CREATE TRIGGER away BEFORE INSERT ON orders BEGIN SELECT RAISE(ABORT, 'away'); END");
    becomes(app, SALE("1"), ACCEPTED_SPOOLED, "store_unavailable", "an order that the store does not take");
    becomes(app, "{", ACCEPTED_BAD_JSON, "bad_json", "and what is no JSON");
    is_int(spooled(app), 2, "the spool has both");
    becomes(app, SALE("2"), ACCEPTED_AWAY, "store_unavailable", "one of the spool stays there",
            .origin = ORIGIN_SPOOL);
    becomes(app, SALE("3"), ACCEPTED_AWAY, "store_unavailable", "one that was fetched is not kept", FETCHED);
    becomes(app, "{", ACCEPTED_AWAY, "store_unavailable", "nor is what is no JSON", .origin = ORIGIN_SPOOL);
    is_int(spooled(app), 2, "no other is in the spool");
    sql(house, "DROP TRIGGER away");
    becomes(app, SALE("2"), ACCEPTED_QUEUED, "later", "it is taken at last", .origin = ORIGIN_SPOOL);
}

static bool no_memory;

static void *give_memory(size_t n)
{
    return no_memory ? NULL : malloc(n);
}

static void memory_is_full(struct house *house)
{
    struct app *app = &house->app;
    json_set_alloc_funcs(give_memory, free);
    no_memory = true;
    struct acceptance got = deliver(app, SALE("1"), (struct sent){.work = true});
    no_memory = false;
    json_set_alloc_funcs(malloc, free);
    is_str(accepted_word(got.result), "spooled", "an order that there is no memory for: %s",
           got.trouble.text);
    is_int(spooled(app), 1, "lies in the spool");
    is_int(sandbox_sizes(app).count[INDEX_DEAD], 0, "and is not mistaken for bad JSON");
}

/* -- what a worker lost -- */

/* As the drain does if sync leaves an order. */
static void rescue(struct app *app, struct order_work *work, const char *reason)
{
    accept_rescue(app, work, reason);
    order_work_free(work);
}

static void lost_work(struct house *house)
{
    struct app *app = &house->app;
    struct order_work work = {0};

    becomes(app, SALE("1"), ACCEPTED_QUEUED, "later", "given an order");
    ok(sandbox_lease(app, "shop:1", &work) == STORE_OK, "that a worker has");
    struct order_record before = sandbox_order(app, "shop:1");
    rescue(app, &work, "lease_lost");
    is_int(sandbox_order(app, "shop:1").version, before.version,
           "if another worker has it now, nothing changes");
    is_int(spooled(app), 0, "nothing is spooled");

    becomes(app, SALE("2"), ACCEPTED_QUEUED, "later", "given an order");
    ok(sandbox_lease(app, "shop:2", &work) == STORE_OK, "that a worker has");
    rescue(app, &work, "store_unavailable");
    is_int(spooled(app), 1, "if the store is away, the spool has it, too");

    becomes(app, VERSION("3", "processing", "10.00", AT("01:00:00")), ACCEPTED_QUEUED, "later",
            "given a sale");
    becomes(app, VERSION("3", "refunded", "10.00", AT("02:00:00")), ACCEPTED_QUEUED, "later", "and its end");
    ok(sandbox_lease(app, "shop:3", &work) == STORE_OK, "that a worker has");
    sql(house, "DELETE FROM orders WHERE key = 'shop:3'");
    rescue(app, &work, "lease_lost");
    struct order_record record = sandbox_order(app, "shop:3");
    ok(has_body(app, "shop:3", "refunded"), "if the store lost it, it waits again");
    ok(record.sold && !record.lease[0], "as the end of what was sold");
}

/* WOO_SHOPS gave the shop another name: the order is claimed anew under it, and may have an opportunity. */
static void a_key_that_changed(struct house *house)
{
    static const char *const settings[] = {"WOO_SHOPS=shop=old.example.com new=shop.example.com", NULL};
    struct app *app = &house->app;
    struct error e = ERROR_NONE;
    struct order_work work = {0};

    becomes(app, OF_SITE("1", "shop.example.com"), ACCEPTED_QUEUED, "later", "given an order of shop:1");
    reopen(house, settings);
    ok(app_ready(app, &e), "and settings that name its site's shop otherwise %s", e.text);
    ok(sandbox_lease(app, "shop:1", &work) == STORE_OK, "and a worker");
    struct sync_outcome outcome = sync_order(app, &work, NULL, clock_mono_ms() + MINUTE_MS);
    ok(outcome.left, "it is not written as it is");
    is_str(outcome.reason, SYNC_OTHER_KEY, "because of its key");
    rescue(app, &work, outcome.reason);
    struct order_record moved = sandbox_order(app, "new:1"), old = sandbox_order(app, "shop:1");
    ok(moved.current.id[0] && moved.look, "it waits under its new key, and is looked for in GHL first");
    ok(!old.current.id[0] && !old.lease[0] && old.version, "and is done under the old one");
    becomes(app, OF_SITE("1", "shop.example.com"), ACCEPTED_DUPLICATE, "duplicate", "it is known");
}

/* A name that the settings do not have any more leaves its orders behind. */
static void a_shop_that_vanished(struct house *house)
{
    static const char *const settings[] = {"SHOP=other", NULL};

    becomes(&house->app, SALE("1"), ACCEPTED_QUEUED, "later", "given an order of the shop \"shop\"");
    reopen(house, settings);
    becomes(&house->app, SALE("2"), ACCEPTED_SPOOLED, "store_unavailable",
            "under another name nothing is taken");
    reopen(house, NULL);
    becomes(&house->app, SALE("2"), ACCEPTED_QUEUED, "later", "under the old one it is");
}

int main(void)
{
    static void (*const cases[])(struct house *) = {
        sub_orders,
        sub_orders_that_count,
        a_shop_that_is_not_configured,
        a_copy_of_the_shop,
        a_copy_at_a_worker_with_an_old_view,
        the_store_is_away,
        memory_is_full,
        lost_work,
        a_key_that_changed,
        a_shop_that_vanished,
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        accept_case(cases[i]);
    return tap_done();
}
