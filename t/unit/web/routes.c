/* Every answer, one request from memory each, in a dry run on the embedded store. */
#include "web/routes.h"
#include "app/ready.h"
#include "base/clock.h"
#include "order/proof.h"
#include "sandbox.h"
#include "tap.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VERSION(id, status, rest) "{\"id\":" id ",\"status\":\"" status "\",\"total\":\"10.00\"" rest "}"
#define ORDER                                                                                                \
    "{\"id\":1001,\"status\":\"processing\",\"total\":\"150.00\",\"billing\":{\"email\":\"john@example."     \
    "com\"}}"
#define SYNCED "{\"status\":\"synced\",\"ghl_id\":\"dry-<hex>\"}"
#define DUPLICATE "{\"status\":\"skipped\",\"reason\":\"duplicate\"}"
#define STALE "{\"status\":\"skipped\",\"reason\":\"stale\"}"
#define IGNORED(reason) "{\"status\":\"ignored\",\"reason\":\"" reason "\"}"
#define QUEUED(reason) "{\"status\":\"queued\",\"reason\":\"" reason "\"}"
#define KEPT QUEUED("store_unavailable")
#define BAD_SIGNATURE "{\"error\":\"Invalid Signature\"}"
#define BAD_LENGTH "{\"error\":\"Bad Content-Length\"}"
#define INCOMPLETE "{\"error\":\"Incomplete Body\"}"
#define TOO_LARGE "{\"error\":\"Payload Too Large\"}"
#define TOO_MANY "{\"error\":\"Too Many Requests\"}"
#define NOT_FOUND "{\"error\":\"Not Found\"}"
#define NOT_ALLOWED "{\"error\":\"Method Not Allowed\"}"
#define BAD_JSON "{\"error\":\"Bad JSON\"}"
#define UNAVAILABLE "{\"error\":\"Unavailable\"}"

/* -- given -- */

struct house {
    struct sandbox sandbox;
    struct app app;
};

static bool begin(struct house *house, const char *const settings[])
{
    if (!ok(sandbox_begin(&house->sandbox), "a directory"))
        return false;
    (void)sandbox_open(&house->sandbox, settings, &house->app); /* refused settings have answers, too */
    return true;
}

static void end(struct house *house)
{
    app_close(&house->app);
    sandbox_end(&house->sandbox);
}

static void reopen(struct house *house, const char *const settings[])
{
    app_close(&house->app);
    (void)sandbox_open(&house->sandbox, settings, &house->app);
}

/* -- when -- */

/* What differs from a signed order.created to /woo-order; NULL = as usual. */
struct sent {
    const char *body; /* ORDER */
    size_t len;       /* 0 = strlen */
    const char *method, *path, *length, *encoding, *signature, *topic, *resource, *type, *from, *site;
    long sip;          /* at most so many bytes at one read; 0 = all */
    size_t stops;      /* reading fails after so many bytes; 0 = never */
    int64_t waited_ms; /* for its worker */
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
    char length[24], signature[SIGNATURE_SIZE];
    const char *body = or_usual(sent->body, ORDER);
    size_t len = sent->len ? sent->len : strlen(body);
    struct supply from = {.bytes = body, .left = len, .sip = sent->sip, .stops = sent->stops};

    snprintf(length, sizeof length, "%zu", len);
    if (!signature_make(SANDBOX_SECRET, body, len, signature))
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
                                    .source = "https://shop.example.com/",
                                    .query = "",
                                    .cookie = "",
                                    .authorization = "",
                                    .document_root = or_usual(sent->site, ""),
                                    .read = read_memory,
                                    .context = &from,
                                    .arrived_mono_ms = clock_mono_ms() - sent->waited_ms};
    response_init(response);
    routes_handle(app, &request, response);
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

static void health(struct app *app, int status, const char *body, const char *what)
{
    answers(app, (struct sent){.method = "GET", .path = "/woo-order/health", .signature = "", .body = ""},
            status, body, what);
}

/* -- the request itself -- */

static void paths_and_methods(void)
{
    struct house house;
    struct app *app = &house.app;

    if (!begin(&house, NULL))
        return;
    answers(app, (struct sent){.path = "/"}, 404, NOT_FOUND, "another path");
    answers(app, (struct sent){.path = ""}, 404, NOT_FOUND, "no path");
    answers(app, (struct sent){.path = "/woo-orders"}, 404, NOT_FOUND, "a longer path");
    answers(app, (struct sent){.method = "GET"}, 405, NOT_ALLOWED, "GET");
    answers(app, (struct sent){.method = "post"}, 405, NOT_ALLOWED, "small letters");
    answers_header(app, (struct sent){.method = "DELETE"}, 405, "Allow", "POST");
    answers_header(app, (struct sent){.path = "/woo-order/health"}, 405, "Allow", "GET");
    health(app, 200, "{\"status\":\"ok\"}", "health");
    end(&house);
}

static void lengths(void)
{
    static const char *const settings[] = {"MAX_BODY=1k", NULL};
    static const char *const bad[] = {"-1",  "+2",  "2 ",  " 2",
                                      "0x2", "2,2", "1e3", "9223372036854775808" /* more than 63 bits */};
    struct house house;
    struct app *app = &house.app;
    char full[1025];

    if (!begin(&house, settings))
        return;
    answers(app, (struct sent){.length = "1025"}, 413, TOO_LARGE, "over MAX_BODY");
    answers(app, (struct sent){.length = "922337203685477580"}, 413, TOO_LARGE, "far over it");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        answers(app, (struct sent){.length = bad[i]}, 400, BAD_LENGTH, bad[i]);
    answers(app, (struct sent){.length = "500"}, 400, INCOMPLETE, "an early end");
    answers(app, (struct sent){.stops = 20, .sip = 20}, 400, INCOMPLETE, "a reset in the middle");
    /* what lies behind the length is not the body's */
    answers(app, (struct sent){.length = "5"}, 401, BAD_SIGNATURE, "a short length");
    answers(app, (struct sent){.length = ""}, 401, BAD_SIGNATURE, "no length, no body");

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
    answers(app, chunks, 413, TOO_LARGE, "over MAX_BODY in chunks");
    chunks.stops = 20;
    answers(app, chunks, 400, INCOMPLETE, "a reset in the middle of chunks");
    answers(app, (struct sent){.length = "5", .encoding = "chunked"}, 401, BAD_SIGNATURE,
            "a length counts, whatever it came in");
    end(&house);
}

static void who_may_come_in(void)
{
    static const char *const settings[] = {"RATE_LIMIT_PER_DAY=2", NULL};
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
    answers(app, ping, 401, BAD_SIGNATURE, "more than a ping");
    answers(app, wrong, 401, BAD_SIGNATURE, "a wrong signature");
    answers(app, none, 429, TOO_MANY, "the third of a day");
    answers_header(app, wrong, 429, "Retry-After", NULL);
    none.from = "192.0.2.2";
    answers(app, none, 401, BAD_SIGNATURE, "another address");
    none.from = "2001:db8:1:2::1";
    answers(app, none, 401, BAD_SIGNATURE, "IPv6, first");
    none.from = "2001:db8:1:2:ffff::9";
    answers(app, none, 401, BAD_SIGNATURE, "its neighbour");
    answers(app, none, 429, TOO_MANY, "a /64 counts together");
    none.from = "::ffff:192.0.2.1";
    answers(app, none, 429, TOO_MANY, "an IPv4 address in IPv6's clothes");

    /* Signed ones are counted apart, and taken all the same. */
    answers(app, (struct sent){0}, 200, SYNCED, "a signed order of a limited address");
    answers(app, (struct sent){0}, 200, DUPLICATE, "again");
    answers(app, (struct sent){.body = VERSION("3", "processing", "")}, 202, QUEUED("rate_limited"),
            "the third signed one");
    struct order_record order = sandbox_order(app, "shop:3");
    ok(order.current.id[0] && !order.lease[0], "waits, and nobody has it");
    ok(order.due_ms <= store_now_ms(app->store), "and is due at once");
    answers(app, (struct sent){.body = "{", .signature = ""}, 429, TOO_MANY,
            "the signature comes before the JSON");
    end(&house);
}

static void no_limit(void)
{
    static const char *const settings[] = {"RATE_LIMIT_PER_DAY=0", NULL};
    struct house house;

    if (!begin(&house, settings))
        return;
    for (int i = 0; i < 3; i++)
        answers(&house.app, (struct sent){.signature = ""}, 401, BAD_SIGNATURE, "RATE_LIMIT_PER_DAY=0");
    answers(&house.app, (struct sent){0}, 200, SYNCED, "an order");
    end(&house);
}

/* -- the proof -- */

static void asked_for_a_proof(void)
{
    static const char *const settings[] = {"RATE_LIMIT_PER_DAY=3", NULL};
    static const char nonce[] = "0123456789abcdef0123456789abcdef";
    char proof[DIGEST_HEX_SIZE], right[128], copy[PROOF_NONCE_SIZE];
    struct house house;
    struct buf question;

    if (!begin(&house, settings))
        return;
    buf_init(&question, PROOF_LEN);
    ok(proof_ask(nonce, &question) && question.len == PROOF_LEN, "a question of %d bytes", PROOF_LEN);
    ok(proof_answer(SANDBOX_SECRET, nonce, proof), "and what its answer must be");
    snprintf(right, sizeof right, "{\"status\":\"proof\",\"proof\":\"%s\"}", proof);
    answers(&house.app, (struct sent){.body = question.data}, 200, right, "asked, signed");
    answers(&house.app, (struct sent){.body = question.data, .path = "/woo-order/"}, 200, right,
            "with a slash");
    answers(&house.app, (struct sent){.body = question.data, .signature = ""}, 401, BAD_SIGNATURE,
            "unsigned");
    ok(!sandbox_sizes(&house.app).count[INDEX_DUE] && !sandbox_sizes(&house.app).count[INDEX_DEAD],
       "it is no order, and no dead letter");
    answers(&house.app, (struct sent){0}, 200, SYNCED, "an order between");
    answers(&house.app, (struct sent){.body = question.data}, 429, TOO_MANY,
            "it counts as other requests do");
    question.data[20] = '"';
    ok(!proof_is_asked(question.data, question.len, copy), "a broken nonce is none");
    ok(!proof_is_asked("{\"woo_ghl_proof\":\"", 18, copy), "nor is half a question");
    buf_free(&question);
    end(&house);
}

/* -- orders -- */

static void orders(void)
{
#define AT(day) ",\"date_modified_gmt\":\"2026-01-" day "T00:00:00\""
    struct house house;
    struct app *app = &house.app;

    if (!begin(&house, NULL))
        return;
    answers(app, (struct sent){.body = VERSION("1", "processing", AT("02"))}, 200, SYNCED, "an order");
    answers(app, (struct sent){.body = VERSION("1", "refunded", AT("01"))}, 200, STALE, "an older version");
    answers(app, (struct sent){.body = VERSION("1", "refunded", AT("03"))}, 200, SYNCED, "a newer one");
    answers(app, (struct sent){.body = VERSION("1", "refunded", AT("03"))}, 200, DUPLICATE, "the same again");
    answers(app, (struct sent){.body = "{\"id\":1}", .topic = "order.deleted"}, 200, SYNCED, "its deletion");
    answers(app, (struct sent){.body = VERSION("2", "on-hold", "")}, 200, IGNORED("status_not_mapped"),
            "a status that is not mapped");
    answers(app, (struct sent){.body = VERSION("2", "cancelled", "")}, 200, IGNORED("never_sold"),
            "the end of what was never sold");
    answers(
        app,
        (struct sent){.body = VERSION("4", "processing", ",\"date_created_gmt\":\"2001-01-01T00:00:00\"")},
        200, IGNORED("before_start"), "a sale of the shop's past");
    answers(app, (struct sent){.body = "[]"}, 200, IGNORED("not_an_object"), "what is no order");
    answers(app, (struct sent){.body = "{\"id\":1,", .topic = "order.updated"}, 400, BAD_JSON,
            "signed, and no JSON");
    ok(sandbox_log_has(&house.sandbox, "Skipping Stale Order #1"), "the log says it for people");
    end(&house);
}

static void another_shop(void)
{
    static const char *const settings[] = {"WOO_SHOPS=main=shop.example.com", NULL};
    struct house house;

    if (!begin(&house, settings))
        return;
    answers(&house.app,
            (struct sent){.body = VERSION("1", "processing",
                                          ",\"_links\":{\"self\":[{\"href\":\"https://staging.example.com/"
                                          "wp-json/wc/v3/orders/1\"}]}")},
            200, IGNORED("foreign_shop"), "a staging clone");
    end(&house);
}

/* -- what goes to GHL later -- */

static bool pauses(struct location_record *location, int64_t now_ms, void *context)
{
    bool first;

    (void)context;
    pause_begin(location, "", "a pipeline is missing", now_ms, &first);
    return true;
}

static bool goes_on(struct location_record *location, int64_t now_ms, void *context)
{
    (void)now_ms, (void)context;
    return pause_end(location, NULL);
}

static bool fails(struct location_record *location, int64_t now_ms, void *context)
{
    (void)context;
    return breaker_heard(location, false, now_ms);
}

static void later(void)
{
    static const char *const settings[] = {"SYNC_BUDGET=0", NULL};
    struct house house;
    struct app *app = &house.app;
    struct error e = ERROR_NONE;
    struct order_work work = {0};

    if (!begin(&house, settings))
        return;
    answers(app, (struct sent){0}, 202, QUEUED("later"), "SYNC_BUDGET=0");
    answers(app, (struct sent){0}, 200, DUPLICATE, "the same while it waits");
    reopen(&house, NULL);

    ok(app_ready(app, &e), "opened again %s", e.text);
    answers(app, (struct sent){.body = VERSION("4", "processing", ""), .waited_ms = 4000}, 202,
            QUEUED("later"), "one that waited 4 s for its worker");
    ok(sandbox_lease(app, "shop:1001", &work) == STORE_OK, "another worker has the order");
    answers(app, (struct sent){.body = "{\"id\":1001,\"status\":\"refunded\",\"total\":\"150.00\"}"}, 202,
            QUEUED("busy"), "a newer version meanwhile");
    order_work_free(&work);

    ok(orders_location(&app->orders, pauses, NULL) == STORE_OK, "paused");
    answers(app, (struct sent){.body = VERSION("2", "processing", "")}, 202, QUEUED("paused"),
            "an order in a pause");
    health(app, 200, "{\"status\":\"degraded\"}", "health in a pause");
    ok(orders_location(&app->orders, goes_on, NULL) == STORE_OK, "work goes on");
    for (int i = 0; i < 5; i++)
        ok(orders_location(&app->orders, fails, NULL) == STORE_OK, "a failure");
    answers(app, (struct sent){.body = VERSION("3", "processing", "")}, 202, QUEUED("ghl_unavailable"),
            "an order at an open breaker");
    is_int(sandbox_sizes(app).count[INDEX_DUE], 4, "four orders wait");
    end(&house);
}

/* -- trouble of our own -- */

static bool put_garbage(const struct sandbox *sandbox, const char *name)
{
    char path[128];

    sandbox_path(sandbox, name, path);
    FILE *file = fopen(path, "w");
    bool good = file != NULL;
    for (int i = 0; good && i < 1000; i++)
        good = fputs("this is no database. ", file) >= 0;
    return file && fclose(file) == 0 && good;
}

static void remove_store(const struct sandbox *sandbox)
{
    static const char *const names[] = {"data/store.db", "data/store.db-wal", "data/store.db-shm"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[128];
        sandbox_path(sandbox, names[i], path);
        ok(unlink(path) == 0 || access(path, F_OK) != 0, "%s is away", names[i]);
    }
}

static void no_store(void)
{
    struct house house;
    struct app *app = &house.app;
    struct spool_stats spooled = {0};
    struct error e = ERROR_NONE;

    if (!begin(&house, NULL))
        return;
    answers(app, (struct sent){.body = VERSION("1", "processing", "")}, 200, SYNCED,
            "an order of good times");
    app_close(app);
    remove_store(&house.sandbox);
    ok(put_garbage(&house.sandbox, "data/store.db"), "the store's file is garbage");
    (void)sandbox_open(&house.sandbox, NULL, app);

    answers(app, (struct sent){0}, 202, KEPT, "an order without a store");
    answers(app, (struct sent){0}, 202, KEPT, "again: nobody knows that it is the same");
    answers(app, (struct sent){.body = "{\"id\":1001,"}, 400, BAD_JSON, "no JSON, without a store");
    answers(app, (struct sent){.signature = ""}, 401, BAD_SIGNATURE, "the signature counts without a store");
    health(app, 503, UNAVAILABLE, "health without a store");
    ok(app->spool && spool_stats(app->spool, &spooled, &e), "the spool tells");
    is_int(spooled.deliveries, 3, "it holds all three");

    remove_store(&house.sandbox); /* the same process goes on */
    answers(app, (struct sent){.body = VERSION("1001", "refunded", "")}, 202, KEPT,
            "the store is mended: an end does not overtake the sale that lies in the spool");
    answers(
        app,
        (struct sent){.body = VERSION("1002", "processing", ",\"date_created_gmt\":\"2099-01-01T00:00:00\"")},
        200, SYNCED, "a sale of since need not wait");
    answers(
        app, (struct sent){.body = VERSION("1003", "processing", "")}, 202, QUEUED("in_flight"),
        "one that does not say of when it is waits until GHL's search would show what the lost store made");
    ok(sandbox_log_has(&house.sandbox, "The store cannot take this delivery, the spool has it"),
       "the log tells");
    ok(!sandbox_log_has(&house.sandbox, "john@example.com"), "without the email");
    end(&house);
}

static void nowhere(void)
{
    static const char *const no_secret[] = {"WOO_WEBHOOK_SECRET=", NULL};
    struct house house = {0};

    if (!ok(sandbox_begin(&house.sandbox), "a directory"))
        return;
    ok(put_garbage(&house.sandbox, "data"), "DATA_DIR is no directory");
    (void)sandbox_open(&house.sandbox, NULL, &house.app);
    answers(&house.app, (struct sent){0}, 503, UNAVAILABLE, "an order that can be kept nowhere");
    answers_header(&house.app, (struct sent){0}, 503, "Retry-After", "60");
    end(&house);

    if (!begin(&house, no_secret))
        return;
    answers(&house.app, (struct sent){0}, 503, UNAVAILABLE, "no secret");
    answers_header(&house.app, (struct sent){0}, 503, "Retry-After", "60");
    answers(&house.app, (struct sent){.path = "/x"}, 404, NOT_FOUND, "the path is known");
    answers(&house.app, (struct sent){.method = "PUT"}, 405, NOT_ALLOWED, "and the method");
    ok(sandbox_log_has(&house.sandbox, "WOO_WEBHOOK_SECRET is empty"), "the log has the reason");
    end(&house);
}

/* A worker hears of the document root with the request. */
static void served(void)
{
    struct house house;

    if (!begin(&house, NULL))
        return;
    const struct sent inside = {.site = house.sandbox.dir}, outside = {.site = "/var/empty"};
    answers(&house.app, outside, 200, SYNCED, "another site's document root");
    answers(&house.app, inside, 503, UNAVAILABLE, "one that holds data and log");
    ok(sandbox_log_has(&house.sandbox, "whose files the web server hands out; move it to"),
       "the log says it");
    answers(&house.app, inside, 503, UNAVAILABLE, "once more");
    answers(&house.app, outside, 200, DUPLICATE, "the other one goes on");
    end(&house);
}

int main(void)
{
    paths_and_methods();
    lengths();
    who_may_come_in();
    no_limit();
    asked_for_a_proof();
    orders();
    another_shop();
    later();
    no_store();
    nowhere();
    served();
    return tap_done();
}
