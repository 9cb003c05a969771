/* intake as a function: requests from memory, a dry run, the embedded store. */
#include "intake.h"
#include "clock.h"
#include "drain.h"
#include "place.h"
#include "tap.h"
#include "unspool.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECRET "my_super_secret_woo_key"
#define ORDER(id, status)                                                                                    \
    "{\"id\":" id ",\"status\":\"" status                                                                    \
    "\",\"total\":\"150.00\",\"billing\":{\"email\":\"john@example.com\"}}"

/* A body that is read in pieces. */
struct source {
    const char *bytes;
    size_t left, piece;
};

static long read_piece(void *context, char *into, size_t n)
{
    struct source *source = context;
    size_t take = n < source->piece ? n : source->piece;

    if (take > source->left)
        take = source->left;
    memcpy(into, source->bytes, take);
    source->bytes += take;
    source->left -= take;
    return (long)take;
}

/* What a test says of a request; the rest is that of a signed order. */
struct ask {
    const char *method, *path, *body, *signature, *type, *length, *topic;
    bool unsigned_;
};

static void asks(struct app *app, const struct ask *ask, const char *want, const char *headers,
                 const char *what)
{
    const char *body = ask->body ? ask->body : "";
    struct source source = {.bytes = body, .left = strlen(body), .piece = 7};
    char length[24], made[45] = "", got[512] = "";
    struct response response;

    snprintf(length, sizeof length, "%zu", strlen(body));
    if (!ask->unsigned_ && !ask->signature && !signature_make(SECRET, body, strlen(body), made))
        return;
    const struct request request = {.method = ask->method ? ask->method : "POST",
                                    .path = ask->path ? ask->path : "/woo-order",
                                    .remote_addr = "192.0.2.1",
                                    .content_type = ask->type ? ask->type : "application/json",
                                    .content_length = ask->length ? ask->length : length,
                                    .signature = ask->signature ? ask->signature : made,
                                    .topic = ask->topic ? ask->topic : "",
                                    .resource = "",
                                    .source = "",
                                    .accept = "",
                                    .read = read_piece,
                                    .context = &source,
                                    .arrived_mono_ms = clock_mono_ms()};
    response_init(&response);
    intake_handle(app, &request, &response);
    snprintf(got, sizeof got, "%d %s", response.status, response.body.data);
    if (strstr(want, "dry-"))
        got[strlen(want) < sizeof got ? strlen(want) : sizeof got - 1] = '\0'; /* up to the id */
    is_str(got, want, "%s", what);
    got[0] = '\0';
    for (size_t i = 0; i < response.header_count; i++)
        snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s", i ? "," : "", response.header[i].name);
    is_str(got, headers, "%s: its headers", what);
    response_free(&response);
}

static void answers(struct app *app)
{
    asks(app, &(struct ask){.body = ORDER("1", "processing")}, "200 {\"status\":\"synced\",\"ghl_id\":\"dry-",
         "", "a paid order");
    asks(app, &(struct ask){.body = ORDER("1", "processing")},
         "200 {\"status\":\"skipped\",\"reason\":\"duplicate\"}", "", "again");
    asks(app, &(struct ask){.path = "/woo-order/", .body = ORDER("1", "refunded")},
         "200 {\"status\":\"synced\",\"ghl_id\":\"dry-", "", "refunded, with a slash");
    asks(app, &(struct ask){.body = ORDER("2", "cancelled")},
         "200 {\"status\":\"ignored\",\"reason\":\"never_sold\"}", "", "a cancelled one");
    asks(app, &(struct ask){.body = ORDER("2", "checkout-draft")},
         "200 {\"status\":\"ignored\",\"reason\":\"status_not_mapped\"}", "", "a draft");
    asks(app, &(struct ask){.body = "{\"id\":1}", .topic = "order.deleted"},
         "200 {\"status\":\"synced\",\"ghl_id\":\"dry-", "", "a deleted one");
    asks(app, &(struct ask){.body = ""}, "200 {\"status\":\"ignored\",\"reason\":\"empty_body\"}", "",
         "an empty body");
    asks(app, &(struct ask){.body = "{\"code\":\"woocommerce_rest_cannot_view\",\"message\":\"x\"}"},
         "200 {\"status\":\"ignored\",\"reason\":\"rest_error\"}", "", "a REST error");
    asks(app, &(struct ask){.body = "{nonsense"}, "400 {\"error\":\"Bad JSON\"}", "", "not JSON");
    asks(app,
         &(struct ask){.body = ORDER("3", "processing"),
                       .signature = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="},
         "401 {\"error\":\"Invalid Signature\"}", "", "a wrong signature");
    asks(app, &(struct ask){.body = ORDER("3", "processing"), .unsigned_ = true},
         "401 {\"error\":\"Invalid Signature\"}", "", "no signature");
    asks(app,
         &(struct ask){
             .body = "webhook_id=12", .type = "application/x-www-form-urlencoded", .unsigned_ = true},
         "200 {\"status\":\"pong\"}", "", "the ping");
    asks(app,
         &(struct ask){
             .body = "webhook_id=1x", .type = "application/x-www-form-urlencoded", .unsigned_ = true},
         "401 {\"error\":\"Invalid Signature\"}", "", "no ping");
    asks(app, &(struct ask){.method = "GET"}, "405 {\"error\":\"Method Not Allowed\"}", "Allow", "GET");
    asks(app, &(struct ask){.path = "/woo-orders"}, "404 {\"error\":\"Not Found\"}", "", "another path");
    asks(app, &(struct ask){.method = "GET", .path = "/woo-order/health"}, "200 {\"status\":\"ok\"}", "",
         "health");
    asks(app, &(struct ask){.length = "9999999999"}, "413 {\"error\":\"Payload Too Large\"}", "",
         "a large body");
    asks(app, &(struct ask){.body = "{}", .length = "3"}, "400 {\"error\":\"Incomplete Body\"}", "",
         "a short body");
    static const char *const lengths[] = {"-1", "+2", "2 ", " 2", "0x2", "2,2", "99999999999999999999"};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        asks(app, &(struct ask){.body = "{}", .length = lengths[i]}, "400 {\"error\":\"Bad Content-Length\"}",
             "", lengths[i]);
}

static void limits(struct app *app)
{
    app->config.rate_limit_per_day = 2;
    for (int i = 0; i < 2; i++)
        asks(app, &(struct ask){.unsigned_ = true, .path = "/woo-order"},
             "401 {\"error\":\"Invalid Signature\"}", "", "an unsigned request");
    asks(app, &(struct ask){.unsigned_ = true}, "429 {\"error\":\"Too Many Requests\"}", "Retry-After",
         "one too many");
    asks(app, &(struct ask){.body = ORDER("11", "processing")},
         "200 {\"status\":\"synced\",\"ghl_id\":\"dry-", "", "a signed one");
    asks(app, &(struct ask){.body = ORDER("12", "processing")},
         "200 {\"status\":\"synced\",\"ghl_id\":\"dry-", "", "a second");
    asks(app, &(struct ask){.body = ORDER("13", "processing")},
         "202 {\"status\":\"queued\",\"reason\":\"rate_limited\"}", "", "a third is kept");
    app->config.rate_limit_per_day = 0;

    struct drain_counts counts;
    ok(drain_run(app, &(struct drain_options){.budget_ms = CLOCK_NEVER}, &counts), "a drain");
    is_int(counts.done, 1, "takes it to GHL");
    is_int(counts.left, 0, "and nothing waits");
    app->config.sync_budget_ms = 0;
    asks(app, &(struct ask){.body = ORDER("14", "processing")},
         "202 {\"status\":\"queued\",\"reason\":\"later\"}", "", "without a budget it waits");
    app->config.sync_budget_ms = 10000;
    ok(drain_run(app, &(struct drain_options){.budget_ms = CLOCK_NEVER}, &counts), "a drain");
    is_int(counts.done, 1, "takes it to GHL");
}

/* The store's file is garbage: deliveries go to the spool, and come back when it is mended. */
static void spools(const struct place *place)
{
    struct app app;
    char path[128], away[128];
    struct store_order order;

    snprintf(path, sizeof path, "%s/data/store.db", place->dir);
    snprintf(away, sizeof away, "%s/store.db.away", place->dir);
    ok(rename(path, away) == 0, "the store is taken away");
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
    ok(fd >= 0 &&
           write(fd,
                 "this is no database, it is a text of more than a hundred bytes, so that SQLite has "
                 "something to read in it.....",
                 110) == 110 &&
           close(fd) == 0,
       "and replaced by garbage");
    ok(app_open(&app, NULL), "the program starts");
    asks(&app, &(struct ask){.body = ORDER("21", "processing")},
         "202 {\"status\":\"queued\",\"reason\":\"store_unavailable\"}", "", "an order is spooled");
    asks(&app, &(struct ask){.body = "{nonsense"}, "400 {\"error\":\"Bad JSON\"}", "",
         "and so are bytes that are no JSON");
    asks(&app, &(struct ask){.method = "GET", .path = "/woo-order/health"}, "503 {\"error\":\"Unavailable\"}",
         "Retry-After", "health says so");
    is_int(unspool(&app), 0, "nothing can be moved yet");
    ok(rename(away, path) == 0, "the store is mended");
    is_int(unspool(&app), 2, "the spool comes back");
    ok(app.store && store_look(app.store, "shop:21", &order) == STORE_OK && order.waiting,
       "the order waits in the store");
    is_int(unspool(&app), 0, "once");
    app_close(&app);
}

static void refused(void)
{
    struct app app;

    setenv("WOO_WEBHOOK_SECRET", "", 1);
    ok(!app_open(&app, NULL), "without a secret the settings are refused");
    asks(&app, &(struct ask){.body = ORDER("1", "processing")}, "503 {\"error\":\"Unavailable\"}",
         "Retry-After", "an order");
    asks(&app, &(struct ask){.method = "GET"}, "405 {\"error\":\"Method Not Allowed\"}", "Allow",
         "another method");
    app_close(&app);
}

int main(void)
{
    struct place place;
    struct app app;

    if (ok(place_begin(&place), "a place for it")) {
        ok(place_app(&place, "location1", &app), "the app opens");
        app.config.rate_limit_per_day = 0;
        answers(&app);
        app_close(&app);
        ok(place_app(&place, "location2", &app), "another location");
        limits(&app);
        app_close(&app);
        spools(&place);
        refused();
    }
    place_end(&place);
    return tap_done();
}
