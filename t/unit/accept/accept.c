/* What becomes of a delivery of each origin, in a dry run on the embedded store. */
#include "accept/rig_accept.h"
#include "base/clock.h"
#include "tap.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- versions of an order -- */

static void versions(struct house *house)
{
    struct app *app = &house->app;
    becomes(app, VERSION("1", "processing", "10.00", AT("03:00:00")), ACCEPTED_SYNCED, "", "a new order",
            .work = true);
    becomes(app, VERSION("1", "processing", "10.00", AT("03:00:00")), ACCEPTED_DUPLICATE, "duplicate",
            "again", .work = true);
    becomes(app, VERSION("1", "processing", "12.00", AT("03:00:00")), ACCEPTED_SYNCED, "",
            "another version of the same second", .work = true);
    becomes(app, VERSION("1", "processing", "10.00", AT("03:00:00")), ACCEPTED_DUPLICATE, "duplicate",
            "the first version of that second again", .work = true);
    becomes(app, VERSION("1", "refunded", "10.00", AT("02:59:59")), ACCEPTED_STALE, "stale",
            "an older version", .work = true);
    becomes(app, VERSION("1", "refunded", "12.00", AT("03:00:01")), ACCEPTED_SYNCED, "", "a newer one",
            .work = true);
    becomes(app, VERSION("1", "processing", "12.00", AT("03:00:02")), ACCEPTED_SYNCED, "", "won again",
            .work = true);
    becomes(app, "{\"id\":1}", ACCEPTED_SYNCED, "", "its deletion", .work = true, .topic = "order.deleted");
    is_str(sandbox_order(app, "shop:1").status, "trash", "is remembered");

    becomes(app, SALE("2"), ACCEPTED_QUEUED, "later", "an order that is only kept");
    becomes(app, SALE("2"), ACCEPTED_DUPLICATE, "duplicate", "the same while it waits");
    becomes(app, VERSION("2", "processing", "10.00", ",\"note\":\"\""), ACCEPTED_DUPLICATE, "duplicate",
            "other bytes that say the same");
}

/* The very bytes are known before they are read; the headers still say whether they are an order. */
static void a_redelivery(struct house *house)
{
    static const char first[] = VERSION("1", "processing", "10.00", AT("03:00:00")),
                      other[] = VERSION("2", "processing", "10.00", AT("03:00:00"));
    struct app *app = &house->app;

    becomes(app, first, ACCEPTED_SYNCED, "", "given an order in GHL", .work = true);
    struct acceptance again = deliver(app, first, (struct sent){.topic = "order.created"});
    is_str(accepted_word(again.result), accepted_word(ACCEPTED_DUPLICATE), "under the other topic");
    is_str(again.key, "shop:1", "it is that order");
    is_str(again.number, "1", "and has its number");
    becomes(app, first, ACCEPTED_IGNORED, "other_resource", "under another resource it is none",
            .resource = "product");
    sql(house, "UPDATE vals SET value='shop:7' WHERE name LIKE 'idem/%'");
    is_str(deliver(app, first, (struct sent){.work = true}).key, "shop:7", "the key alone says so");
    sql(house, "DELETE FROM vals WHERE name LIKE 'idem/%'");
    is_str(deliver(app, first, (struct sent){.work = true}).key, "shop:1", "without it the record does");
    becomes(app, other, ACCEPTED_QUEUED, "later", "an order that waits");
    is_str(accepted_word(deliver(app, other, (struct sent){.work = true}).result),
           accepted_word(ACCEPTED_DUPLICATE), "is known, too");
    is_int(sandbox_sizes(app).count[INDEX_DUE], 1, "and waits still");
}

static void what_needs_nothing(struct house *house)
{
    struct app *app = &house->app;
    becomes(app, VERSION("1", "pending", "10.00", ""), ACCEPTED_IGNORED, "status_not_mapped",
            "a status that is not mapped");
    becomes(app, VERSION("2", "cancelled", "10.00", ""), ACCEPTED_IGNORED, "never_sold",
            "the end of what was never sold");
    becomes(app, "{\"id\":3}", ACCEPTED_IGNORED, "never_sold", "its deletion", .topic = "order.deleted");
    is_int(sandbox_sizes(app).count[INDEX_DUE], 0, "none of them waits");
    becomes(app, VERSION("2", "processing", "10.00", AT("00:00:00")), ACCEPTED_QUEUED, "later",
            "the sale that came after its end");
    ok(!sandbox_location(app).reconcile_ms, "none of them asks for a reconcile");
}

/* GHL keeps the opportunity's status; its value and content follow. */
static void a_status_that_is_not_mapped(struct house *house)
{
    struct app *app = &house->app;
    becomes(app, VERSION("1", "processing", "10.00", AT("01:00:00")), ACCEPTED_SYNCED, "",
            "given an order in GHL", .work = true);
    becomes(app,
            VERSION("1", "packing", "12.00", AT("02:00:00") ",\"date_paid_gmt\":\"2026-01-01T00:00:00\""),
            ACCEPTED_QUEUED, "later", "a version with a status that is not mapped");
    struct order_record record = sandbox_order(app, "shop:1");
    ok(record.current.follows, "follows");
    is_str(record.current.status, "processing", "with the status before it");
    is_str(record.status, "processing", "which is the latest that is mapped");
    is_int(sandbox_value(app, "unmapped/packing"), 0, "nothing is amiss");
    becomes(app, VERSION("2", "packing", "12.00", ",\"date_paid_gmt\":\"2026-01-01T00:00:00\""),
            ACCEPTED_IGNORED, "status_not_mapped", "given a paid order that was never sold by its status");
    is_int(sandbox_value(app, "unmapped/packing"), 1, "that it makes no opportunity is counted");
}

static void the_past(struct house *house)
{
    static const char sale[] =
        VERSION("1", "processing", "10.00", ",\"date_created_gmt\":\"2001-01-01T00:00:00\"");
    struct app *app = &house->app;

    becomes(app, sale, ACCEPTED_IGNORED, "before_start", "a sale of the shop's past", .work = true);
    is_int(sandbox_value(app, "count/before_start"), 1, "is counted");
    is_int(sandbox_sizes(app).count[INDEX_DUE], 0, "and does not wait");
    becomes(app, VERSION("2", "processing", "10.00", ",\"date_created_gmt\":\"2001-01-01T00:00:00\""),
            ACCEPTED_SYNCED, "", "a person asked for it", .past_too = true, .origin = ORIGIN_FETCHED,
            .work = true);
}

/* An id that was given out again is another order. */
static void two_orders_of_one_id(struct house *house)
{
    struct app *app = &house->app;
#define KEYED(key, status) VERSION("1", status, "10.00", ",\"order_key\":\"wc_order_" key "\"")
    struct acceptance first = deliver(app, KEYED("aaa", "processing"), (struct sent){.work = true}),
                      second = deliver(app, KEYED("bbb", "processing"), (struct sent){.work = true});

    is_str(first.key, "shop:1", "given an order");
    ok(!strncmp(second.key, "shop:1/", 7) && strlen(second.key) == 7 + RECORD_SHORT_SIZE - 1,
       "another order of its id has a record of its own: %s", second.key);
    is_str(accepted_word(second.result), "synced", "and is worked on");
    ok(strcmp(first.ghl_id, second.ghl_id) != 0, "as an opportunity of its own");
    becomes(app, KEYED("aaa", "processing"), ACCEPTED_DUPLICATE, "duplicate", "the first is known");
    becomes(app, KEYED("bbb", "processing"), ACCEPTED_DUPLICATE, "duplicate", "so is the second");
    struct acceptance deleted = deliver(app, "{\"id\":1}", (struct sent){.topic = "order.deleted"});
    is_str(deleted.key, second.key, "a deletion, which has no key, is the newer one's");
    is_str(sandbox_order(app, "shop:1").status, "processing", "the other one stays as it is");
}

static void the_worker_is_busy(struct house *house)
{
    struct app *app = &house->app;
    struct order_work work = {0};

    becomes(app, VERSION("1", "processing", "10.00", AT("01:00:00")), ACCEPTED_QUEUED, "later",
            "given an order");
    ok(sandbox_lease(app, "shop:1", &work) == STORE_OK, "that a worker has");
    becomes(app, VERSION("1", "refunded", "10.00", AT("02:00:00")), ACCEPTED_QUEUED, "busy",
            "a newer version", .work = true);
    becomes(app, VERSION("1", "processing", "11.00", AT("01:30:00")), ACCEPTED_STALE, "stale",
            "one between them", .work = true);
    ok(sandbox_order(app, "shop:1").waiting.id[0], "the newer one waits behind the worker");
    order_work_free(&work);
}

/* -- what is no order -- */

static void not_orders(struct house *house)
{
    struct app *app = &house->app;
    static const struct {
        const char *body, *topic, *resource, *reason;
    } cases[] = {
        {"", NULL, NULL, "empty_body"},
        {"[]", NULL, NULL, "not_an_object"},
        {"{\"code\":\"woocommerce_rest_cannot_view\",\"message\":\"x\",\"data\":{\"status\":401}}", NULL,
         NULL, "rest_error"},
        {"{\"action\":\"woocommerce_payment_complete\",\"arg\":1}", "action.woocommerce_payment_complete",
         "action", "action"},
        {"{\"order\":{\"id\":1,\"status\":\"processing\"}}", NULL, NULL, "legacy_api"},
        {SALE("1"), "customer.created", "customer", "other_resource"},
        {"{\"status\":\"processing\"}", NULL, NULL, "no_id"},
        {SALE("0"), NULL, NULL, "no_id"},
    };
    int64_t wished_ms = 0;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        becomes(app, cases[i].body, ACCEPTED_IGNORED, cases[i].reason,
                *cases[i].body ? cases[i].body : "an empty body", .topic = cases[i].topic,
                .resource = cases[i].resource);
        int64_t now_ms = sandbox_location(app).reconcile_ms;
        ok(now_ms > wished_ms, "each asks for a reconcile anew");
        wished_ms = now_ms;
    }
    struct store_sizes sizes = sandbox_sizes(app);
    is_int(sizes.count[INDEX_DUE] + sizes.count[INDEX_DEAD], 0, "nothing is kept of them");
    is_int(sandbox_value(app, "count/no_id"), 2, "they are counted by reason");
}

static void bad_json(struct house *house)
{
    struct app *app = &house->app;
    static const char bytes[] = "{\"id\":1001,\0\xff}";
    struct store_entry list[2];
    struct buf packed;
    struct delivery delivery = {0};
    size_t n = 0;

    for (int i = 0; i < 2; i++)
        becomes(app, bytes, ACCEPTED_BAD_JSON, "bad_json", "signed, and no JSON", .len = sizeof bytes - 1);
    ok(store_list(app->store, INDEX_DEAD, 0, "", 2, list, &n) == STORE_OK && n == 1, "it is kept once: %zu",
       n);
    if (n != 1)
        return;
    ok(!strncmp(list[0].key, "bad:", 4) && strlen(list[0].key) == 4 + 16, "under its hash: %s", list[0].key);
    buf_init(&packed, 4096);
    ok(store_blob(app->store, list[0].key, sandbox_order(app, list[0].key).current.id, &packed) == STORE_OK &&
           delivery_unpack(packed.data, packed.len, &delivery),
       "as a delivery");
    ok(delivery.body_len == sizeof bytes - 1 && !memcmp(delivery.body, bytes, sizeof bytes - 1),
       "of the very bytes");
    is_str(delivery.headers.topic, "order.updated", "with its topic");
    delivery_free(&delivery);
    buf_free(&packed);
}

/* Whatever an order holds, it is taken, and never mistaken for a store that is away. */
static void strange_orders(struct house *house)
{
    struct app *app = &house->app;
    static const char *const field[] = {"\"number\":\"", "\"total\":\"", "\"billing\":{\"email\":\"",
                                        "\"billing\":{\"first_name\":\""};
    const size_t n = 2L * 1024 * 1024;
    char *big = malloc(n + 256);

    ok(big != NULL, "memory");
    for (size_t i = 0; big && i < sizeof field / sizeof *field; i++) {
        int head =
            snprintf(big, 256, "{\"id\":%zu,\"status\":\"processing\",\"billing\":{},\"total\":\"1\",%s",
                     i + 1, field[i]);
        memset(big + head, '7', n);
        snprintf(big + head + n, 8, "\"}%s", strstr(field[i], "billing") ? "}" : "");
        becomes(app, big, ACCEPTED_SYNCED, "", field[i], .work = true);
    }
    free(big);
    becomes(app,
            "{\"id\":\"9\",\"status\":\"processing\",\"number\":{},\"total\":[],"
            "\"billing\":7,\"line_items\":\"x\",\"meta_data\":null,\"_links\":[]}",
            ACCEPTED_SYNCED, "", "every type another one", .work = true);
}

/* -- from the spool -- */

static void from_the_spool(struct house *house)
{
    struct app *app = &house->app;
    becomes(app, VERSION("1", "refunded", "10.00", ""), ACCEPTED_IGNORED, "never_sold",
            "given an end that came first", .origin = ORIGIN_SPOOL, .ago_ms = MINUTE_MS);
    becomes(app, SALE("1"), ACCEPTED_QUEUED, "later", "its sale, which arrived before it",
            .origin = ORIGIN_SPOOL, .ago_ms = 2 * MINUTE_MS);
    struct order_record record = sandbox_order(app, "shop:1");
    ok(record.sold && has_body(app, "shop:1", "processing"), "waits");
    is_str(record.current.status, "refunded", "as it ended");
    becomes(app, VERSION("1", "completed", "10.00", ""), ACCEPTED_STALE, "stale", "what is older than both",
            .origin = ORIGIN_SPOOL, .ago_ms = 3 * MINUTE_MS);
}

/* -- from the shop's REST API -- */

static void fetched(struct house *house)
{
    struct app *app = &house->app;
    becomes(app, VERSION("1", "processing", "10.00", AT("03:04:05")), ACCEPTED_QUEUED, "later", "a new order",
            FETCHED);
    becomes(app, VERSION("1", "processing", "10.00", AT("03:04:05")), ACCEPTED_DUPLICATE, "duplicate",
            "the same again", FETCHED);
    becomes(app, VERSION("1", "processing", "12.00", AT("03:04:05")), ACCEPTED_QUEUED, "later",
            "another version of the same second", FETCHED);
    becomes(app, VERSION("1", "processing", "11.00", AT("03:04:05")), ACCEPTED_STALE, "stale",
            "one of that second that was read before a newer one came", .origin = ORIGIN_FETCHED,
            .ago_ms = 5000);
    becomes(app, VERSION("2", "pending", "10.00", AT("03:04:05")), ACCEPTED_IGNORED, "status_not_mapped",
            "a status that is not mapped", FETCHED);
    becomes(app, VERSION("3", "wc-completed", "10.00", AT("03:04:05")), ACCEPTED_QUEUED, "later",
            "a status with its prefix", FETCHED);
    is_int(sandbox_sizes(app).due, 2, "two wait, due now, and nobody has them");
}

static void fetched_others(struct house *house)
{
    struct app *app = &house->app;
    becomes(app, "{\"code\":\"rest_forbidden\",\"message\":\"x\"}", ACCEPTED_IGNORED, "rest_error",
            "an error in its place", FETCHED);
    becomes(app, "{\"id\":7,\"name\":\"Tee\",\"status\":\"publish\"}", ACCEPTED_IGNORED, "other_resource",
            "a product", FETCHED);
    becomes(app, "null", ACCEPTED_IGNORED, "not_an_object", "nothing", FETCHED);
    is_int(sandbox_location(app).reconcile_ms, 0, "none of them asks for what is being done");
    is_int(sandbox_value(app, "count/rest_error"), 0, "or is counted");
    becomes(app, "{\"id\":7", ACCEPTED_AWAY, "store_unavailable", "what is no JSON", FETCHED);
    is_int(sandbox_sizes(app).count[INDEX_DEAD], 0, "is not kept");
    is_int(spooled(app), 0, "anywhere");
    becomes(app, VERSION("8", "processing", "1.00", ""), ACCEPTED_OTHER, "another_order",
            "not the order that was asked for", FETCHED, .only_key = "shop:9");
    becomes(app, VERSION("9", "processing", "1.00", ""), ACCEPTED_QUEUED, "later", "that one", FETCHED,
            .only_key = "shop:9");
    is_int(sandbox_sizes(app).count[INDEX_DUE], 1, "it alone is taken");
}

/* A sale lies in this machine's spool: its end must not come first. */
static void after_the_spool(struct house *house)
{
    struct app *app = &house->app;
    static const char sale[] = SALE("20");
    const struct order_headers headers = {"order.created", "order", ""};
    struct buf packed;
    struct error e = ERROR_NONE;

    buf_init(&packed, 4096);
    ok(delivery_pack(&headers, sale, sizeof sale - 1, &packed) &&
           spool_put_delivery(
               app->spool,
               &(struct spool_delivery){.key = "shop:20", .packed = packed.data, .packed_len = packed.len},
               &e),
       "given a sale in the spool");
    buf_free(&packed);
    becomes(app, VERSION("20", "refunded", "10.00", ""), ACCEPTED_AWAY, "store_unavailable",
            "its end, fetched", FETCHED);
    becomes(app, VERSION("20", "refunded", "10.00", ""), ACCEPTED_SPOOLED, "store_unavailable",
            "its end, delivered");
    becomes(app, SALE("21"), ACCEPTED_QUEUED, "later", "another sale", FETCHED);
}

int main(void)
{
    static void (*const cases[])(struct house *) = {
        versions,       a_redelivery,         what_needs_nothing, a_status_that_is_not_mapped,
        the_past,       two_orders_of_one_id, the_worker_is_busy, not_orders,
        bad_json,       strange_orders,       from_the_spool,     fetched,
        fetched_others, after_the_spool,
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        accept_case(cases[i]);
    return tap_done();
}
