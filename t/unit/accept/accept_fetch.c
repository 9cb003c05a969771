/* What becomes of an order that was read from the shop, on the embedded store. */
#include "accept/accept.h"
#include "order/delivery.h"
#include "place.h"
#include "tap.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW_S "2026-01-02T03:04:05"
#define STATE(id, status, total)                                                                             \
    "{\"id\":" id ",\"status\":\"" status "\",\"total\":\"" total "\",\"date_modified_gmt\":\"" NOW_S "\"}"

static const char *word(enum intake_fetched became)
{
    static const char *const words[] = {"failed", "taken", "known", "ignored", "foreign"};
    return words[became];
}

static void becomes_as_of(struct app *app, const char *body, int64_t ago_ms, const char *only_key,
                          enum intake_fetched want, const char *what)
{
    struct error e = ERROR_NONE;
    const struct intake_read read = {.bytes = body,
                                     .len = strlen(body),
                                     .source = "https://shop.example.com",
                                     .ago_ms = ago_ms,
                                     .only_key = only_key};
    enum intake_fetched got = intake_fetch(app, &read, &e);

    is_str(word(got), word(want), "%s", what);
    ok((*e.text != '\0') == (got == FETCHED_FAILED), "why is told where it failed: %s", e.text);
}

static void becomes(struct app *app, const char *body, enum intake_fetched want, const char *what)
{
    becomes_as_of(app, body, 10, NULL, want, what);
}

static struct store_stats stats(struct app *app)
{
    struct store_stats s;
    ok(store_stats(app->store, &s) == STORE_OK, "there are stats");
    return s;
}

static void states(struct app *app)
{
    becomes(app, STATE("1", "processing", "10.00"), FETCHED_TAKEN, "a new order");
    becomes(app, STATE("1", "processing", "10.00"), FETCHED_KNOWN, "the same again");
    becomes(app, STATE("1", "processing", "12.00"), FETCHED_TAKEN, "another state, of the same second");
    becomes_as_of(app, STATE("1", "processing", "10.00"), 5000, NULL, FETCHED_KNOWN,
                  "one of that second that was read before a newer one came");
    becomes(app, STATE("2", "pending", "10.00"), FETCHED_IGNORED, "a status that is not mapped");
    becomes(app, STATE("3", "wc-completed", "10.00"), FETCHED_TAKEN, "a status with its prefix");
    struct store_stats s = stats(app);
    is_int(s.waiting, 2, "two wait");
    is_int(s.due, 2, "due now, and nobody has them");
    is_int(s.delivery_age_s, -1, "nothing was delivered");
}

static void others(struct app *app)
{
    becomes(app, "{\"code\":\"rest_forbidden\",\"message\":\"x\"}", FETCHED_IGNORED, "an error in its place");
    becomes(app, "{\"id\":7,\"name\":\"Tee\",\"status\":\"publish\"}", FETCHED_IGNORED, "a product");
    becomes(app, "null", FETCHED_IGNORED, "nothing");
    struct store_stats s = stats(app);
    is_int(s.reconcile_wanted, 0, "none of them asks for what is being done");
    is_int(s.counter_count, 0, "or is counted");
    becomes(app, "{\"id\":7", FETCHED_FAILED, "what is no JSON");
    is_int(stats(app).parked, 0, "is not kept");
    becomes_as_of(app, STATE("8", "processing", "1.00"), 10, "shop:9", FETCHED_FOREIGN,
                  "not the order that was asked for");
    becomes_as_of(app, STATE("9", "processing", "1.00"), 10, "shop:9", FETCHED_TAKEN, "that one");
    is_int(stats(app).waiting, 3, "it alone is taken");
    becomes(app,
            "{\"id\":10,\"status\":\"processing\",\"total\":\"1\",\"_links\":{\"self\":[{\"href\":"
            "\"https://staging.example.com/wp-json/wc/v3/orders/10\"}]}}",
            FETCHED_FOREIGN, "a staging copy's");
}

/* A sale lies in this machine's spool: its end must not come first. */
static void after_the_spool(struct app *app)
{
    static const char sale[] = STATE("20", "processing", "10.00");
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
    becomes(app, STATE("20", "refunded", "10.00"), FETCHED_FAILED, "its end");
    becomes(app, STATE("21", "processing", "10.00"), FETCHED_TAKEN, "another sale");
}

int main(void)
{
    struct place place;
    struct app app;
    struct error e = ERROR_NONE;
    char data[96], log[96];

    if (!ok(place_begin(&place), "a directory"))
        return tap_done();
    snprintf(data, sizeof data, "%s/data", place.dir);
    snprintf(log, sizeof log, "%s/log", place.dir);
    const char *const settings[][2] = {{"WOO_GHL_ENV", "/dev/null"},
                                       {"WOO_WEBHOOK_SECRET", "my_super_secret_woo_key"},
                                       {"WOO_SHOPS", "shop=shop.example.com"},
                                       {"GHL_DRY_RUN", "yes"},
                                       {"DATA_DIR", data},
                                       {"LOG", log}};
    clearenv();
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        setenv(settings[i][0], settings[i][1], 1);
    if (ok(app_open(&app, NULL) && app_ready(&app, &e), "an app: %s", e.text)) {
        states(&app);
        others(&app);
        after_the_spool(&app);
    }
    app_close(&app);
    place_end(&place);
    return tap_done();
}
