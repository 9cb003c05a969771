/* Every answer, one request from memory each, in a dry run on the embedded store. */
#include "accept/accept.h"
#include "base/clock.h"
#include "order/delivery.h"
#include "place.h"
#include "sync/sync.h"
#include "tap.h"
#include "worker/drain.h"
#include "worker/unspool.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STATE(id, status, rest) "{\"id\":" id ",\"status\":\"" status "\",\"total\":\"10.00\"" rest "}"
#define SECRET "my_super_secret_woo_key"
#define ORDER                                                                                                \
    "{\"id\":1001,\"status\":\"processing\",\"total\":\"150.00\",\"billing\":{\"email\":\"john@example."     \
    "com\"}}"
#define SYNCED "{\"status\":\"synced\",\"ghl_id\":\"dry-<hex>\"}"
#define DUPLICATE "{\"status\":\"skipped\",\"reason\":\"duplicate\"}"
#define NOWHERE "{\"error\":\"Unavailable\"}"
#define KEPT "{\"status\":\"queued\",\"reason\":\"store_unavailable\"}"

/* -- given -- */

struct house {
    struct place place;
    struct app app;
};

/* A directory, and an app in it as the program would open it; settings are NAME, value, ..., NULL. */
static void open_app(struct house *house, const char *const settings[])
{
    char data[96], log[96];

    snprintf(data, sizeof data, "%s/data", house->place.dir);
    snprintf(log, sizeof log, "%s/log", house->place.dir);
    clearenv();
    setenv("WOO_GHL_ENV", "/dev/null", 1);
    setenv("WOO_WEBHOOK_SECRET", SECRET, 1);
    setenv("GHL_DRY_RUN", "yes", 1);
    setenv("DATA_DIR", data, 1);
    setenv("LOG", log, 1);
    for (size_t i = 0; settings && settings[i]; i += 2)
        setenv(settings[i], settings[i + 1], 1);
    (void)app_open(&house->app, NULL);
}

static bool begin(struct house *house, const char *const settings[])
{
    if (!ok(place_begin(&house->place), "a directory"))
        return false;
    open_app(house, settings);
    return true;
}

static void end(struct house *house)
{
    app_close(&house->app);
    place_end(&house->place);
}

static void reopen(struct house *house, const char *const settings[])
{
    app_close(&house->app);
    open_app(house, settings);
}

/* -- when -- */

/* What differs from a signed order.created to /woo-order; NULL = as usual. */
struct sent {
    const char *body; /* ORDER */
    size_t len;       /* 0 = strlen */
    const char *method, *path, *length, *encoding, *signature, *topic, *resource, *source, *type, *from;
    long sip;     /* at most so many bytes at one read; 0 = all */
    size_t stops; /* reading fails after so many bytes; 0 = never */
};

struct supply {
    const char *bytes;
    size_t left, taken, stops;
    long sip;
};

static long read_memory(void *context, char *into, size_t n)
{
    struct supply *from = context;

    if (from->stops > 0 && from->taken >= from->stops)
        return -1;
    if (n > from->left)
        n = from->left;
    if (from->sip > 0 && n > (size_t)from->sip)
        n = (size_t)from->sip;
    memcpy(into, from->bytes + from->taken, n);
    from->taken += n;
    from->left -= n;
    return (long)n;
}

static const char *or_usual(const char *given, const char *usual)
{
    return given ? given : usual;
}

static void deliver(struct app *app, const struct sent *sent, struct response *response)
{
    char length[24], signature[45];
    const char *body = or_usual(sent->body, ORDER);
    size_t len = sent->len ? sent->len : strlen(body);
    struct supply from = {.bytes = body, .left = len, .sip = sent->sip, .stops = sent->stops};

    snprintf(length, sizeof length, "%zu", len);
    if (!signature_make(SECRET, body, len, signature))
        abort();
    const struct request request = {.method = or_usual(sent->method, "POST"),
                                    .path = or_usual(sent->path, "/woo-order"),
                                    .remote_addr = or_usual(sent->from, "192.0.2.1"),
                                    .content_type = or_usual(sent->type, "application/json"),
                                    .content_length = or_usual(sent->length, length),
                                    .transfer_encoding = or_usual(sent->encoding, ""),
                                    .signature = or_usual(sent->signature, signature),
                                    .topic = or_usual(sent->topic, "order.created"),
                                    .resource = or_usual(sent->resource, "order"),
                                    .source = or_usual(sent->source, "https://shop.example.com/"),
                                    .accept = "*/*",
                                    .read = read_memory,
                                    .context = &from,
                                    .arrived_mono_ms = clock_mono_ms()};
    response_init(response);
    intake_handle(app, &request, response);
}

/* -- then -- */

/* The ids of a dry run are hashes: dry-<hex>. */
static void hide_hash(char *body)
{
    char *hash = strstr(body, "\"dry-");
    if (!hash || strspn(hash + 5, "0123456789abcdef") != 12)
        return;
    memcpy(hash + 5, "<hex>", 5);
    memmove(hash + 10, hash + 17, strlen(hash + 17) + 1);
}

static void answers(struct app *app, struct sent sent, int status, const char *body, const char *what)
{
    struct response response;

    deliver(app, &sent, &response);
    hide_hash(response.body.data);
    is_int(response.status, status, "%s: status", what);
    is_str(response.body.data, body, "%s: body", what);
    is_str(response.content_type, "application/json", "%s: it is JSON", what);
    if (status != 405 && status != 429 && status != 503)
        is_int(response.header_count, 0, "%s: no other header", what);
    response_free(&response);
}

/* The same, with the one header that such an answer has: a value, or NULL for a number from 1 to a day. */
static void answers_header(struct app *app, struct sent sent, int status, const char *name, const char *value)
{
    struct response response;

    deliver(app, &sent, &response);
    is_int(response.status, status, "status %d again", status);
    if (ok(response.header_count == 1, "%d: one header", status)) {
        long seconds = strtol(response.header[0].value, NULL, 10);
        is_str(response.header[0].name, name, "%d: its name", status);
        if (value)
            is_str(response.header[0].value, value, "%d: its value", status);
        else
            ok(seconds > 0 && seconds <= 86400, "%d: its value: %s", status, response.header[0].value);
    }
    response_free(&response);
}

static struct store_order look(struct app *app, const char *key)
{
    struct store_order order;
    if (store_look(app->store, key, &order) != STORE_OK)
        order = (struct store_order){0};
    return order;
}

static struct store_stats stats(struct app *app)
{
    struct store_stats stats = {0};
    ok(store_stats(app->store, &stats) == STORE_OK, "the store tells");
    return stats;
}

static bool log_has(const struct house *house, const char *text)
{
    char path[96];
    struct buf all;
    bool found = false;

    snprintf(path, sizeof path, "%s/log", house->place.dir);
    buf_init(&all, 1024L * 1024);
    FILE *file = fopen(path, "r");
    char *room = buf_room(&all, 512 * 1024);
    if (file && room) {
        buf_wrote(&all, fread(room, 1, 512 * 1024, file));
        found = strstr(all.data, text) != NULL;
    }
    if (file && fclose(file) != 0)
        found = false;
    buf_free(&all);
    return found;
}

/* -- the request itself -- */

static void requests(void)
{
    static const char *const settings[] = {"MAX_BODY", "1k", NULL};
    struct house house;
    struct app *app = &house.app;
    char full[1025];

    if (!begin(&house, settings))
        return;
    answers(app, (struct sent){.path = "/"}, 404, "{\"error\":\"Not Found\"}", "another path");
    answers(app, (struct sent){.path = ""}, 404, "{\"error\":\"Not Found\"}", "no path");
    answers(app, (struct sent){.path = "/woo-orders"}, 404, "{\"error\":\"Not Found\"}", "a longer path");
    answers(app, (struct sent){.method = "GET"}, 405, "{\"error\":\"Method Not Allowed\"}", "GET");
    answers(app, (struct sent){.method = "post"}, 405, "{\"error\":\"Method Not Allowed\"}", "small letters");
    answers_header(app, (struct sent){.method = "DELETE"}, 405, "Allow", "POST");
    answers_header(app, (struct sent){.path = "/woo-order/health"}, 405, "Allow", "GET");

    answers(app, (struct sent){.length = "1025"}, 413, "{\"error\":\"Payload Too Large\"}", "over MAX_BODY");
    answers(app, (struct sent){.length = "922337203685477580"}, 413, "{\"error\":\"Payload Too Large\"}",
            "far over it");
    answers(app, (struct sent){.length = "9223372036854775808"}, 400, "{\"error\":\"Bad Content-Length\"}",
            "a length of more than 63 bits");
    static const char *const lengths[] = {"-1", "+2", "2 ", " 2", "0x2", "2,2", "1e3"};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        answers(app, (struct sent){.length = lengths[i]}, 400, "{\"error\":\"Bad Content-Length\"}",
                lengths[i]);
    answers(app, (struct sent){.length = "500"}, 400, "{\"error\":\"Incomplete Body\"}", "an early end");
    answers(app, (struct sent){.stops = 20, .sip = 20}, 400, "{\"error\":\"Incomplete Body\"}",
            "a reset in the middle");
    /* what lies behind the length is not the body's */
    answers(app, (struct sent){.length = "5"}, 401, "{\"error\":\"Invalid Signature\"}", "a short length");
    answers(app, (struct sent){.length = ""}, 401, "{\"error\":\"Invalid Signature\"}", "no length, no body");

    memset(full, ' ', sizeof full);
    memcpy(full, ORDER, strlen(ORDER));
    answers(app, (struct sent){.body = full, .len = 1024}, 200, SYNCED, "exactly MAX_BODY");
    answers(app, (struct sent){.sip = 1, .path = "/woo-order/"}, 200, DUPLICATE,
            "byte by byte, with a slash");

    /* taken apart from chunks, it has no length, and lasts until its end */
    struct sent chunks = {.length = "", .encoding = "chunked", .sip = 7};
    answers(app, chunks, 200, DUPLICATE, "a body without a length that came in chunks");
    chunks.body = full;
    chunks.len = 1024;
    answers(app, chunks, 200, DUPLICATE, "exactly MAX_BODY in chunks");
    chunks.len = 1025;
    answers(app, chunks, 413, "{\"error\":\"Payload Too Large\"}", "over MAX_BODY in chunks");
    chunks.stops = 20;
    answers(app, chunks, 400, "{\"error\":\"Incomplete Body\"}", "a reset in the middle of chunks");
    answers(app, (struct sent){.length = "5", .encoding = "chunked"}, 401,
            "{\"error\":\"Invalid Signature\"}", "a length counts, whatever it came in");
    end(&house);
}

static void doors(void)
{
    static const char *const settings[] = {"RATE_LIMIT_PER_DAY", "2", NULL};
    static const char form[] = "application/x-www-form-urlencoded";
    struct sent none = {.signature = ""},
                wrong = {.signature = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="},
                ping = {.signature = "", .type = form, .body = "webhook_id=7"};
    struct house house;
    struct app *app = &house.app;

    if (!begin(&house, settings))
        return;
    for (int i = 0; i < 4; i++)
        answers(app, ping, 200, "{\"status\":\"pong\"}", "a ping, never limited");
    ping.body = "webhook_id=7&id=1";
    answers(app, ping, 401, "{\"error\":\"Invalid Signature\"}", "more than a ping");
    answers(app, wrong, 401, "{\"error\":\"Invalid Signature\"}", "a wrong signature");
    answers(app, none, 429, "{\"error\":\"Too Many Requests\"}", "the third of a day");
    answers_header(app, wrong, 429, "Retry-After", NULL);
    none.from = "192.0.2.2";
    answers(app, none, 401, "{\"error\":\"Invalid Signature\"}", "another address");
    none.from = "2001:db8:1:2::1";
    answers(app, none, 401, "{\"error\":\"Invalid Signature\"}", "IPv6, first");
    none.from = "2001:db8:1:2:ffff::9";
    answers(app, none, 401, "{\"error\":\"Invalid Signature\"}", "its neighbour");
    answers(app, none, 429, "{\"error\":\"Too Many Requests\"}", "a /64 counts together");
    none.from = "::ffff:192.0.2.1";
    answers(app, none, 429, "{\"error\":\"Too Many Requests\"}", "an IPv4 address in IPv6's clothes");

    /* Signed ones are counted apart, and taken all the same. */
    answers(app, (struct sent){0}, 200, SYNCED, "a signed order of a limited address");
    answers(app, (struct sent){0}, 200, DUPLICATE, "again");
    answers(app, (struct sent){.body = STATE("3", "processing", "")}, 202,
            "{\"status\":\"queued\",\"reason\":\"rate_limited\"}", "the third signed one");
    ok(look(app, "shop:3").waiting, "waits");
    is_int(look(app, "shop:3").due_in_ms, 0, "and is due at once");
    end(&house);
}

/* -- orders -- */

static void orders(void)
{
    struct house house;
    struct app *app = &house.app;

    if (!begin(&house, NULL))
        return;
    answers(app,
            (struct sent){.body = STATE("1", "processing", ",\"date_modified_gmt\":\"2026-01-02T00:00:00\"")},
            200, SYNCED, "an order");
    answers(app,
            (struct sent){.body = STATE("1", "refunded", ",\"date_modified_gmt\":\"2026-01-01T00:00:00\"")},
            200, "{\"status\":\"skipped\",\"reason\":\"stale\"}", "an older state");
    answers(app,
            (struct sent){.body = STATE("1", "refunded", ",\"date_modified_gmt\":\"2026-01-03T00:00:00\"")},
            200, SYNCED, "a newer one");
    answers(app, (struct sent){.body = "{\"id\":1}", .topic = "order.deleted"}, 200, SYNCED, "its deletion");
    answers(app, (struct sent){.body = STATE("2", "on-hold", "")}, 200,
            "{\"status\":\"ignored\",\"reason\":\"status_not_mapped\"}", "a status that is not mapped");
    answers(app, (struct sent){.body = STATE("2", "cancelled", "")}, 200,
            "{\"status\":\"ignored\",\"reason\":\"never_sold\"}", "the end of what was never sold");
    ok(!stats(app).reconcile_wanted, "none of them asks for a reconcile");
    ok(log_has(&house, "Skipping Stale Order #1"), "the log says it for people");
    end(&house);
}

static void not_orders(void)
{
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
        {ORDER, "customer.created", "customer", "other_resource"},
        {"{\"status\":\"processing\"}", NULL, NULL, "no_id"},
        {STATE("0", "processing", ""), NULL, NULL, "no_id"},
    };
    struct house house;
    char want[96];

    if (!begin(&house, NULL))
        return;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(want, sizeof want, "{\"status\":\"ignored\",\"reason\":\"%s\"}", cases[i].reason);
        answers(&house.app,
                (struct sent){.body = cases[i].body, .topic = cases[i].topic, .resource = cases[i].resource},
                200, want, *cases[i].body ? cases[i].body : "an empty body");
    }
    struct store_stats told = stats(&house.app);
    ok(told.reconcile_wanted, "a reconcile is asked for");
    is_int(told.waiting + told.parked, 0, "nothing is kept of them");
    int64_t no_id = 0;
    for (size_t i = 0; i < told.counter_count; i++)
        if (!strcmp(told.counter[i].word, "no_id"))
            no_id = told.counter[i].count;
    is_int(no_id, 2, "they are counted by reason");
    end(&house);
}

static void foreign_shops(void)
{
    static const char *const settings[] = {"WOO_SHOPS", "main=shop.example.com", NULL};
    struct house house;

    if (!begin(&house, settings))
        return;
    answers(&house.app,
            (struct sent){.body = STATE("1", "processing",
                                        ",\"_links\":{\"self\":[{\"href\":\"https://staging.example.com/"
                                        "wp-json/wc/v3/orders/1\"}]}")},
            200, "{\"status\":\"ignored\",\"reason\":\"foreign_shop\"}", "a staging clone");
    answers(
        &house.app,
        (struct sent){
            .body = STATE(
                "1", "processing",
                ",\"_links\":{\"self\":[{\"href\":\"https://shop.example.com/wp-json/wc/v3/orders/1\"}]}")},
        200, SYNCED, "the shop itself");
    end(&house);
}

/* Whatever an order holds, it is taken, and never mistaken for a store that is away. */
static void strange_orders(void)
{
    static const char *const patient[] = {"SYNC_BUDGET", "50s",
                                          NULL}; /* for a slow machine under the sanitizers */
    const size_t n = 2L * 1024 * 1024;
    char *big = malloc(n + 256);
    struct house house;

    ok(big != NULL, "room");
    if (!big)
        return;
    if (!begin(&house, patient)) {
        free(big);
        return;
    }
    static const char *const field[] = {"\"number\":\"", "\"total\":\"", "\"billing\":{\"email\":\"",
                                        "\"billing\":{\"first_name\":\""};
    for (size_t i = 0; i < sizeof field / sizeof *field; i++) {
        int head =
            snprintf(big, 256, "{\"id\":%zu,\"status\":\"processing\",\"billing\":{},\"total\":\"1\",%s",
                     i + 1, field[i]);
        memset(big + head, '7', n);
        snprintf(big + head + n, 8, "\"}%s", strstr(field[i], "billing") ? "}" : "");
        answers(&house.app, (struct sent){.body = big}, 200, SYNCED, field[i]);
    }
    answers(&house.app,
            (struct sent){.body = "{\"id\":\"9\",\"status\":\"processing\",\"number\":{},\"total\":[],"
                                  "\"billing\":7,\"line_items\":\"x\",\"meta_data\":null,\"_links\":[]}"},
            200, SYNCED, "every type another one");
    free(big);
    end(&house);
}

/* -- what goes to GHL later -- */

static void later(void)
{
    static const char *const settings[] = {"SYNC_BUDGET", "0", NULL};
    struct house house;
    struct app *app = &house.app;
    bool first;

    if (!begin(&house, settings))
        return;
    answers(app, (struct sent){0}, 202, "{\"status\":\"queued\",\"reason\":\"later\"}", "SYNC_BUDGET=0");
    answers(app, (struct sent){0}, 200, DUPLICATE, "the same while it waits");
    reopen(&house, NULL);

    struct error e = ERROR_NONE;
    ok(app_ready(app, &e), "opened again %s", e.text);
    struct store_entry entry = {0};
    ok(store_lease_due(app->store, SYNC_LEASE_MS, NULL, &entry, NULL, NULL) == STORE_OK,
       "another worker has it in hand");
    answers(app, (struct sent){.body = "{\"id\":1001,\"status\":\"refunded\",\"total\":\"150.00\"}"}, 202,
            "{\"status\":\"queued\",\"reason\":\"busy\"}", "a newer state meanwhile");
    store_entry_free(&entry);

    ok(store_pause(app->store, "", "a pipeline is missing", &first) == STORE_OK, "paused");
    answers(app, (struct sent){.body = STATE("2", "processing", "")}, 202,
            "{\"status\":\"queued\",\"reason\":\"paused\"}", "an order in a pause");
    answers(app, (struct sent){.method = "GET", .path = "/woo-order/health", .signature = "", .body = ""},
            200, "{\"status\":\"degraded\"}", "health in a pause");
    ok(store_resume(app->store, NULL) == STORE_OK, "resumed");
    for (int i = 0; i < 5; i++)
        ok(store_breaker(app->store, false, NULL) == STORE_OK, "a failure");
    answers(app, (struct sent){.body = STATE("3", "processing", "")}, 202,
            "{\"status\":\"queued\",\"reason\":\"ghl_unavailable\"}", "an order at an open breaker");
    is_int(stats(app).waiting, 3, "three orders wait");
    end(&house);
}

static void bad_json(void)
{
    static const char bytes[] = "{\"id\":1001,\0\xff}";
    const size_t len = sizeof bytes - 1;
    struct house house;
    struct app *app = &house.app;
    struct store_parked *list = NULL, kept = {0};
    struct delivery delivery = {0};
    size_t n = 0;

    if (!begin(&house, NULL))
        return;
    for (int i = 0; i < 2; i++)
        answers(app, (struct sent){.body = bytes, .len = len, .topic = "order.updated"}, 400,
                "{\"error\":\"Bad JSON\"}", "signed, and no JSON");
    ok(store_parked_list(app->store, "", 10, &list, &n) == STORE_OK && n == 1, "it is kept once: %zu", n);
    if (n == 1) {
        ok(!strncmp(list[0].key, "bad:", 4) && strlen(list[0].key) == 4 + 64, "under its hash");
        ok(store_parked_get(app->store, list[0].key, &kept) == STORE_OK, "it can be had");
        ok(kept.body && delivery_unpack(kept.body, kept.body_len, &delivery), "as a delivery");
        ok(delivery.body_len == len && !memcmp(delivery.body, bytes, len), "of the very bytes");
        is_str(delivery.headers.topic, "order.updated", "with its topic");
        delivery_free(&delivery);
        store_parked_free(&kept, 1, false);
    }
    store_parked_free(list, n, true);
    answers(app, (struct sent){.body = "{", .signature = ""}, 401, "{\"error\":\"Invalid Signature\"}",
            "the signature comes before the JSON");
    end(&house);
}

/* -- trouble of our own -- */

static bool put_garbage(const struct house *house, const char *name)
{
    char path[96];
    snprintf(path, sizeof path, "%s/%s", house->place.dir, name);
    FILE *file = fopen(path, "w");
    bool good = file != NULL;
    for (int i = 0; good && i < 1000; i++)
        good = fputs("this is no database. ", file) >= 0;
    return file && fclose(file) == 0 && good;
}

/* The store's files; the keys stay. */
static void remove_store(const struct house *house)
{
    static const char *const names[] = {"store.db", "store.db-wal", "store.db-shm"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[96];
        snprintf(path, sizeof path, "%s/data/%s", house->place.dir, names[i]);
        ok(unlink(path) == 0 || access(path, F_OK) != 0, "%s is away", names[i]);
    }
}

static void no_store(void)
{
    struct house house;
    struct app *app = &house.app;
    struct drain_counts counts;
    const struct drain_options now = {.now = true, .budget_ms = CLOCK_NEVER, .heartbeat = true};

    if (!begin(&house, NULL))
        return;
    answers(app, (struct sent){.body = STATE("1", "processing", "")}, 200, SYNCED, "an order of good times");
    app_close(app);
    remove_store(&house);
    ok(put_garbage(&house, "data/store.db"), "the store's file is garbage");
    open_app(&house, NULL);

    answers(app, (struct sent){0}, 202, KEPT, "an order without a store");
    answers(app, (struct sent){0}, 202, KEPT, "again: nobody knows that it is the same");
    answers(app, (struct sent){.body = "{\"id\":1001,"}, 400, "{\"error\":\"Bad JSON\"}",
            "no JSON, without a store");
    answers(app, (struct sent){.signature = ""}, 401, "{\"error\":\"Invalid Signature\"}",
            "the door stays shut without a store");
    answers(app, (struct sent){.method = "GET", .path = "/woo-order/health", .signature = "", .body = ""},
            503, NOWHERE, "health without a store");
    is_int(unspool(app), 0, "nothing moves without a store");
    struct spool_stats spooled = {0};
    struct error e = ERROR_NONE;
    ok(app->spool && spool_stats(app->spool, &spooled, &e), "the spool tells");
    is_int(spooled.deliveries, 3, "it holds all three");

    remove_store(&house); /* the same process goes on */
    answers(app, (struct sent){.body = STATE("1001", "refunded", "")}, 202, KEPT,
            "the store is mended: an end does not overtake the sale that lies in the spool");
    answers(
        app,
        (struct sent){.body = STATE("1002", "processing", ",\"date_created_gmt\":\"2099-01-01T00:00:00\"")},
        200, SYNCED, "a sale of since need not wait");
    is_int(unspool(app), 4, "all four move");
    ok(look(app, "shop:1001").waiting, "the order waits in the store");
    is_int(stats(app).parked, 1, "the bytes that are no JSON are parked");
    is_int(unspool(app), 0, "the spool is empty");
    answers(app, (struct sent){.body = STATE("1001", "refunded", "")}, 200, DUPLICATE, "it is known now");
    store_shift_clock(app->store, 200000); /* what the lost store's workers may have begun is over */
    ok(drain_run(app, &now, &counts), "a drain");
    is_int(counts.done, 1, "brings it to GHL, once");
    is_int(counts.left, 0, "and leaves nothing");
    ok(log_has(&house, "The store cannot take this delivery, the spool has it"), "the log tells");
    ok(!log_has(&house, "john@example.com"), "without the email");
    end(&house);
}

static void nowhere(void)
{
    struct house house = {0};

    if (!ok(place_begin(&house.place), "a directory"))
        return;
    ok(put_garbage(&house, "data"), "DATA_DIR is no directory");
    open_app(&house, NULL);
    answers(&house.app, (struct sent){0}, 503, NOWHERE, "an order with no place at all");
    answers_header(&house.app, (struct sent){0}, 503, "Retry-After", "60");
    end(&house);

    static const char *const settings[] = {"WOO_WEBHOOK_SECRET", "", NULL};
    if (!begin(&house, settings))
        return;
    answers(&house.app, (struct sent){0}, 503, NOWHERE, "no secret");
    answers_header(&house.app, (struct sent){0}, 503, "Retry-After", "60");
    answers(&house.app, (struct sent){.path = "/x"}, 404, "{\"error\":\"Not Found\"}", "the path is known");
    ok(log_has(&house, "WOO_WEBHOOK_SECRET is empty"), "the log has the reason");
    end(&house);
}

static void health(void)
{
    struct house house;
    if (!begin(&house, NULL))
        return;
    answers(&house.app,
            (struct sent){.method = "GET", .path = "/woo-order/health", .signature = "", .body = ""}, 200,
            "{\"status\":\"ok\"}", "health");
    end(&house);
}

int main(void)
{
    requests();
    doors();
    orders();
    not_orders();
    foreign_shops();
    strange_orders();
    later();
    bad_json();
    no_store();
    nowhere();
    health();
    return tap_done();
}
