/* sync_opportunity: an order has one opportunity, whatever was lost, refused, deleted or made before. */
#include "app/hold.h"
#include "sync/rig_ghl.h"
#include "sync/shifted_clock.h"
#include "tap.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE_MS (60 * 1000LL)
#define UPDATE "PUT /opportunities/opportunity1\n"
#define CREATED "\"createdAt\":\"2099-01-01T00:00:00Z\""
#define FOUND(id, name, more)                                                                                \
    "{\"opportunities\":[{\"id\":\"" id "\",\"name\":\"" name                                                \
    "\",\"contactId\":\"contact1\",\"status\":\"won\"" more "}],\"meta\":{\"total\":1}}"
#define IS_THERE(id, name, status)                                                                           \
    "{\"opportunity\":{\"id\":\"" id "\",\"name\":\"" name "\",\"status\":\"" status "\"}}"
#define DUPLICATE(id) "{\"code\":\"OPPORTUNITY_NO_DUPLICATE\",\"meta\":{\"existingId\":\"" id "\"}}"
#define NO_OPPORTUNITY "{\"statusCode\":404,\"message\":\"Opportunity with id opportunity1 not found\"}"

/* Version `minute` of order 1. */
#define VERSION(minute, status, total, more)                                                                 \
    "{\"id\":1,\"number\":\"1\",\"status\":\"" status "\",\"total\":\"" total                                \
    "\",\"date_modified_gmt\":\"2026-03-01T10:" minute                                                       \
    ":00\",\"billing\":{\"email\":\"a1@example.com\"}" more "}"
#define SALE VERSION("00", "processing", "1", "")
/* Of long ago: the store cannot know whether it has an opportunity. */
#define OLD(status) VERSION("00", status, "1", ",\"date_created_gmt\":\"2026-02-01T00:00:00\"")

static struct order_record record(struct app *app)
{
    return sandbox_order(app, "shop:1");
}

static void synced(struct app *app, const char *what)
{
    struct sync_outcome outcome = work(app, 1);
    is_int(outcome.result, SYNC_DONE, "%s: %s", what, outcome.reason);
}

static void given_an_opportunity(struct app *app)
{
    order_waits(app, SALE);
    synced(app, "given an order in GHL");
    ghl_does(NULL, 0);
}

/* -- what the store does not know -- */

static void an_old_order_is_looked_for(struct app *app)
{
    order_waits(app, OLD("processing"));
    synced(app, "given an order of before");
    is_str(ghl_calls(), SEARCH UPSERT TAGS CREATE NOTE, "it is looked for before it is created");
}

static void an_old_order_is_found(struct app *app)
{
    GHL_DOES(
        {.call = "GET /opportunities/search", .status = 200, .body = FOUND("opportunity1", "Order #1", "")});
    order_waits(app, OLD("processing"));
    synced(app, "given an order whose opportunity is in GHL");
    is_str(ghl_calls(), SEARCH TAGS UPDATE NOTE, "it is brought up to date");
    is_int(ghl_count("POST /opportunities/"), 0, "and not made again");
    is_str(record(app).link.opportunity, "opportunity1", "it is remembered");
}

static void one_that_resembles_it(struct app *app)
{
    GHL_DOES(
        {.call = "GET /opportunities/search", .status = 200, .body = FOUND("opportunity9", "Order #10", "")});
    order_waits(app, OLD("processing"));
    synced(app, "given another order's opportunity in the answer");
    is_int(ghl_count("POST /opportunities/"), 1, "this one's is made");
}

static void one_that_another_order_owns(struct app *app)
{
    GHL_DOES(
        {.call = "GET /opportunities/search", .status = 200, .body = FOUND("opportunity9", "Order #1", "")});
    ok(store_put(app->store, "owner/opportunity9", "1 other:1", 0) == STORE_OK,
       "given that another shop's order owns it");
    order_waits(app, OLD("processing"));
    synced(app, "and an order of the same number");
    is_int(ghl_count("PUT /opportunities/opportunity9"), 0, "it is left alone");
    is_int(ghl_count("POST /opportunities/"), 1, "this one's is made");
}

static void the_end_of_an_old_order(struct app *app)
{
    GHL_DOES(
        {.call = "GET /opportunities/search", .status = 200, .body = FOUND("opportunity1", "Order #1", "")});
    order_waits(app, OLD("cancelled"));
    synced(app, "given the end of an order whose opportunity is in GHL");
    ok(ghl_was_told("PUT /opportunities/opportunity1", "\"abandoned\""), "it is told");
}

static void the_end_of_an_order_that_is_not_there(struct app *app)
{
    order_waits(app, OLD("cancelled"));
    struct sync_outcome outcome = work(app, 1);
    is_int(outcome.result, SYNC_NOTHING, "given the end of an order that GHL does not have");
    is_str(outcome.reason, "never_sold", "nothing is made");
    is_str(ghl_calls(), SEARCH, "not even a contact");
}

/* -- a create whose answer is lost -- */

static void a_lost_create_is_found(struct app *app)
{
    GHL_DOES({.call = "POST /opportunities/", .status = 0});
    order_waits(app, SALE);
    is_str(work(app, 1).reason, "in_flight", "given a create without an answer");
    is_int(record(app).attempt.kind, ATTEMPT_OPPORTUNITY, "it is recorded");
    GHL_DOES({.call = "GET /opportunities/search",
              .status = 200,
              .body = FOUND("opportunity1", "Order #1", "," CREATED)});
    order_waits(app, VERSION("01", "completed", "2", ",\"number\":\"1-new\""));
    synced(app, "and a newer version under another name");
    is_int(ghl_count("POST /opportunities/"), 0, "it is found by what was sent");
    ok(ghl_was_told("PUT /opportunities/opportunity1", "Order #1-new"), "and brought up to date");
    is_int(record(app).attempt.kind, ATTEMPT_NONE, "the attempt is done with");
}

static void an_older_namesake_is_not_it(struct app *app)
{
    GHL_DOES({.call = "POST /opportunities/", .status = 0});
    order_waits(app, SALE);
    is_str(work(app, 1).reason, "in_flight", "given a create without an answer");
    time_passes(3 * MINUTE_MS);
    GHL_DOES({.call = "GET /opportunities/search",
              .status = 200,
              .always = true,
              .body = FOUND("opportunity9", "Order #1", ",\"createdAt\":\"2001-01-01T00:00:00Z\"")});
    synced(app, "and an opportunity of that name which is older than it");
    is_int(ghl_count("POST /opportunities/"), 1, "it is made");
    is_int(ghl_count("PUT /opportunities/opportunity9"), 0, "the other is left alone");
}

static void a_refused_create_that_happened(struct app *app)
{
    GHL_DOES({.call = "POST /opportunities/", .status = 422},
             {.call = "GET /opportunities/search",
              .status = 200,
              .body = FOUND("opportunity1", "Order #1", "," CREATED)});
    order_waits(app, SALE);
    synced(app, "given a create that GHL refuses and carries out");
    is_int(ghl_count("POST /opportunities/"), 1, "it is sent once");
    is_str(record(app).link.opportunity, "opportunity1", "and found");
}

static bool fails(struct location_record *location, int64_t now_ms, void *context)
{
    (void)context;
    return breaker_heard(location, false, now_ms);
}

/* Other workers meet the same trouble. */
static void others_fail(const struct reply *reply, void *app)
{
    for (int i = 0; i < 2 && !reply->status; i++)
        ok(orders_location(&((struct app *)app)->orders, fails, NULL) == STORE_OK, "another call fails, too");
}

/* GHL's search lags more while GHL is in trouble. */
static void a_lost_create_in_troubled_times(struct app *app)
{
    ghl_during(others_fail, app);
    GHL_DOES({.call = "POST /opportunities/", .status = 0});
    order_waits(app, SALE);
    is_str(work(app, 1).reason, "in_flight", "given a create without an answer, while GHL is in trouble");
    ghl_during(NULL, NULL);
    time_passes(25 * MINUTE_MS);
    is_str(work(app, 1).reason, "in_flight", "after minutes it is looked for");
    is_int(ghl_count("POST /opportunities/"), 1, "and not sent again");
    time_passes(6 * MINUTE_MS);
    synced(app, "after half an hour");
    is_int(ghl_count("POST /opportunities/"), 2, "it is");
}

static void tags_whose_answers_are_lost(struct app *app)
{
    GHL_DOES({.call = "POST /contacts/upsert", .status = 200},
             {.call = "POST /contacts/contact1/tags", .status = 0, .always = true},
             {.call = "POST /opportunities/", .status = 0});
    order_waits(app, SALE);
    ok(work(app, 1).result == SYNC_QUEUED, "given tags whose answers are lost");
    is_int(ghl_count("POST /opportunities/"), 0, "no opportunity is made yet");
    int64_t left_ms = record(app).link.unsettled_ms - store_now_ms(app->store);
    ok(left_ms > MINUTE_MS && left_ms < 3 * MINUTE_MS, "a late write is reckoned with: %lld ms",
       (long long)left_ms);
}

/* -- what GHL holds -- */

static void it_is_known_what_ghl_holds(struct app *app)
{
    given_an_opportunity(app);
    struct order_link link = record(app).link;
    ok(link.part[0][0] && link.part[1][0] && link.part[2][0] && link.part[3][0],
       "what GHL holds of each part is known");
}

static void a_change_of_value(struct app *app)
{
    given_an_opportunity(app);
    order_waits(app, VERSION("01", "processing", "2", ""));
    synced(app, "and another value");
    is_str(ghl_calls(), UPDATE, "that alone is written");
    ok(ghl_was_told("PUT /opportunities/opportunity1", "\"monetaryValue\":2"), "to the opportunity");
    ok(!ghl_was_told("PUT /opportunities/opportunity1", "contactId"), "which stays where it is");
}

/* Its write may have been carried out, may be carried out yet, or not at all. */
static void a_worker_that_dies(struct app *app)
{
    struct order_work dead = {0};

    given_an_opportunity(app);
    order_waits(app, VERSION("01", "refunded", "1", ""));
    ok(sandbox_lease(app, "shop:1", &dead) == STORE_OK, "and a worker that has a newer version");
    time_passes(ORDERS_LEASE_MS + 1000);
    order_work_free(&dead);
    synced(app, "if it dies, another one");
    is_str(ghl_calls(), TAGS UPDATE, "writes everything anew, but for the note");
    struct order_record waits = record(app);
    ok(waits.current.id[0] && waits.due_ms > store_now_ms(app->store) + MINUTE_MS, "the order waits on");
    time_passes(waits.due_ms - store_now_ms(app->store) + 1000);
    ghl_does(NULL, 0);
    synced(app, "when the dead one's writes are surely over");
    is_str(ghl_calls(), TAGS UPDATE, "it is written once more");
    ok(!record(app).current.id[0], "then it is done");
}

static void an_update_whose_answer_is_lost(struct app *app)
{
    given_an_opportunity(app);
    GHL_DOES({.call = "PUT /opportunities/opportunity1", .status = 0});
    order_waits(app, VERSION("01", "refunded", "1", ""));
    synced(app, "and an update that is sent again, as its answer was lost");
    is_int(ghl_count("PUT /opportunities/"), 2, "the second one is answered");
    struct order_record waits = record(app);
    is_str(waits.link.part[PLAN_OPPORTUNITY], "", "the first may still come: what GHL holds is not known");
    ok(waits.link.part[PLAN_NOTE][0], "but a note is never written twice");
    ok(waits.current.id[0] && waits.link.unsettled_ms > store_now_ms(app->store), "the order waits on");
    time_passes(waits.due_ms - store_now_ms(app->store) + 1000);
    ghl_does(NULL, 0);
    synced(app, "after that");
    is_int(ghl_count("PUT /opportunities/"), 1, "it is written once more");
    is_int(ghl_count("POST /contacts/contact1/notes"), 0, "without a note");
    ok(record(app).link.part[PLAN_OPPORTUNITY][0] && !record(app).current.id[0], "then it is done");
}

static void a_status_that_is_not_mapped(struct app *app)
{
    given_an_opportunity(app);
    order_waits(app, VERSION("01", "packing", "3", ",\"date_paid_gmt\":\"2026-03-01T10:00:00\""));
    synced(app, "and a version whose status is not mapped");
    ok(ghl_was_told("PUT /opportunities/opportunity1", "\"monetaryValue\":3"), "its value follows");
    ok(!ghl_was_told("PUT /opportunities/opportunity1", "status"), "GHL's status stays");
}

/* -- an opportunity that is gone -- */

#define IS_GONE                                                                                              \
    {.call = "PUT /opportunities/opportunity1", .status = 404, .body = NO_OPPORTUNITY, .always = true},      \
    {                                                                                                        \
        .call = "GET /opportunities/opportunity1", .status = 404, .body = NO_OPPORTUNITY, .always = true     \
    }

static void one_not_found_is_no_proof(struct app *app)
{
    given_an_opportunity(app);
    GHL_DOES({.call = "PUT /opportunities/opportunity1", .status = 404, .body = NO_OPPORTUNITY},
             {.call = "GET /opportunities/opportunity1",
              .status = 200,
              .body = IS_THERE("opportunity1", "Order #1", "won")});
    order_waits(app, VERSION("01", "refunded", "1", ""));
    is_str(work(app, 1).reason, "opportunity_unclear",
           "given a \"not found\" of an opportunity that is there");
    is_int(record(app).link.gone_ms, 0, "it is not gone");
    synced(app, "it is tried again");
}

static void an_opportunity_that_was_deleted(struct app *app)
{
    enum requeue requeued = REQUEUE_NONE;

    given_an_opportunity(app);
    GHL_DOES(IS_GONE);
    order_waits(app, VERSION("01", "completed", "2", ""));
    is_str(work(app, 1).reason, "opportunity_not_found", "given an opportunity that somebody deleted");
    time_passes(6 * MINUTE_MS);
    is_int(work(app, 1).result, SYNC_NOTHING, "asked again after a while, it is gone");
    ok(record(app).link.gone_ms > 0, "that is remembered");
    order_waits(app, VERSION("02", "refunded", "2", ""));
    is_int(work(app, 1).result, SYNC_NOTHING, "a later version makes no other");
    is_int(ghl_count("POST /opportunities/"), 0, "ever");

    GHL_DOES({.call = "POST /opportunities/",
              .status = 200,
              .body = "{\"opportunity\":{\"id\":\"opportunity2\"}}"});
    ok(orders_requeue(&app->orders, "shop:1", &requeued) == STORE_OK, "but a person may ask for one");
    is_int(requeued, REQUEUE_NO_BODY, "then the shop's next version is news");
    order_waits(app, VERSION("03", "completed", "2", ""));
    synced(app, "and is written");
    ok(ghl_count("GET /opportunities/search") > 0, "after it was looked for");
    is_str(record(app).link.opportunity, "opportunity2", "as another opportunity");
    is_int(record(app).link.gone_ms, 0, "that is not gone");
}

/* -- one opportunity per contact -- */

#define IN_THE_WAY(its_name, its_status)                                                                     \
    {.call = "POST /opportunities/", .status = 400, .body = DUPLICATE("opportunity7")},                      \
    {                                                                                                        \
        .call = "GET /opportunities/opportunity7", .status = 200,                                            \
        .body = IS_THERE("opportunity7", its_name, its_status)                                               \
    }

/* A salesperson's that is closed is left alone; this one is the order's own, which nobody remembers. */
static void its_own_is_in_the_way(struct app *app)
{
    GHL_DOES(IN_THE_WAY("Order #1", "won"));
    order_waits(app, SALE);
    struct sync_outcome outcome = work(app, 1);
    is_int(outcome.result, SYNC_DONE, "given a closed opportunity of this order's name: %s", outcome.reason);
    is_str(outcome.ghl_id, "opportunity7", "it is the order's");
    is_str(ghl_calls(),
           UPSERT TAGS CREATE "GET /opportunities/opportunity7\n"
                              "PUT /opportunities/opportunity7\n" NOTE,
           "and is brought up to date");
}

static void a_salespersons_is_in_the_way(struct app *app)
{
    GHL_DOES(IN_THE_WAY("A good lead", "open"));
    order_waits(app, SALE);
    synced(app, "given an open opportunity that no order owns");
    is_int(ghl_count("PUT /opportunities/opportunity7"), 1, "it becomes the order's");
    is_int(ghl_count("POST /opportunities/"), 1, "no other create is sent");
}

static void a_closed_one_is_in_the_way(struct app *app)
{
    GHL_DOES(IN_THE_WAY("An old deal", "lost"));
    order_waits(app, SALE);
    is_int(work(app, 1).result, SYNC_DEAD, "given a closed opportunity that is no order's");
    is_int(ghl_count("PUT /opportunities/opportunity7"), 0, "it is left alone");
    ok(strstr(record(app).reason, "Allow Multiple Opportunities"), "the owner is told what to do: %s",
       record(app).reason);
}

#define DATED(id, day)                                                                                       \
    "{\"id\":" id ",\"number\":\"" id "\",\"status\":\"processing\",\"total\":\"1\","                        \
    "\"date_created_gmt\":\"2026-02-" day "T00:00:00\",\"billing\":{\"email\":\"a1@example.com\"}}"

static void an_earlier_orders_is_in_the_way(struct app *app)
{
    order_waits(app, DATED("1", "01"));
    synced(app, "given an order and its opportunity");
    GHL_DOES({.call = "POST /opportunities/", .status = 400, .body = DUPLICATE("opportunity1")},
             {.call = "GET /opportunities/opportunity1",
              .status = 200,
              .body = IS_THERE("opportunity1", "Order #1", "won")});
    order_waits(app, DATED("2", "02"));
    is_int(work(app, 2).result, SYNC_DONE, "and a later order of the same contact");
    is_int(ghl_count("PUT /opportunities/opportunity1"), 1, "the later one takes it over");
    ghl_does(NULL, 0);
    order_waits(app, "{\"id\":1,\"number\":\"1\",\"status\":\"refunded\",\"total\":\"1\",\"date_created_"
                     "gmt\":\"2026-02-01T00:00:00\","
                     "\"billing\":{\"email\":\"a1@example.com\"}}");
    (void)work(app, 1);
    is_int(ghl_count("PUT /opportunities/"), 0, "the earlier one changes it no more");
    ok(!record(app).current.id[0] && !record(app).dead_ms, "and is done");
}

static void a_later_orders_is_in_the_way(struct app *app)
{
    order_waits(app, DATED("2", "02"));
    is_int(work(app, 2).result, SYNC_DONE, "given an order and its opportunity");
    GHL_DOES({.call = "POST /opportunities/", .status = 400, .body = DUPLICATE("opportunity1")},
             {.call = "GET /opportunities/opportunity1",
              .status = 200,
              .body = IS_THERE("opportunity1", "Order #2", "won")});
    order_waits(app, DATED("1", "01"));
    struct sync_outcome outcome = work(app, 1);
    is_int(outcome.result, SYNC_NOTHING, "and an earlier order of the same contact");
    is_str(outcome.reason, "not_owner", "which does not own it");
    is_int(ghl_count("PUT /opportunities/"), 0, "and changes nothing");
}

static void whoever_writes_locks(struct app *app)
{
    given_an_opportunity(app);
    order_waits(app, VERSION("01", "refunded", "1", ""));
    ok(store_lock(app->store, "opportunity/opportunity1", "another", MINUTE_MS) == STORE_OK,
       "and another order that writes the same opportunity");
    is_str(work(app, 1).reason, "opportunity_busy", "this one waits");
    is_str(ghl_calls(), "", "and sends nothing");
    is_int(record(app).attempts, 0, "that is no attempt");
    ok(store_unlock(app->store, "opportunity/opportunity1", "another") == STORE_OK, "when that is over");
    synced(app, "it goes on");
}

/* -- the create's own troubles -- */

static void the_contact_is_gone(struct app *app)
{
    GHL_DOES({.call = "POST /contacts/upsert", .status = 200},
             {.call = "POST /contacts/upsert", .status = 200, .body = "{\"contact\":{\"id\":\"contact2\"}}"},
             {.call = "POST /opportunities/",
              .status = 400,
              .body = "{\"statusCode\":400,\"message\":\"Contact with id contact1 not found\"}"});
    order_waits(app, SALE);
    synced(app, "given a contact that is deleted before its opportunity is made");
    is_int(ghl_count("POST /contacts/upsert"), 2, "it is made anew");
    ok(ghl_was_told("POST /opportunities/", "\"contact2\""), "and has the opportunity");
}

static void a_field_that_ghl_does_not_take(struct app *app)
{
    GHL_DOES({.call = "POST /opportunities/",
              .status = 422,
              .body = "{\"statusCode\":422,\"message\":[\"monetaryValue must be a number\"]}"});
    order_waits(app, SALE);
    synced(app, "given a value that GHL refuses");
    is_str(ghl_calls(), UPSERT TAGS CREATE SEARCH SEARCH_OF("contact1") CREATE NOTE,
           "it is left out, after a look whether the first was carried out");
}

static void there_is_no_time(struct app *app)
{
    order_waits(app, SALE);
    is_str(work_on(app, "shop:1", 3500).reason, "no_time", "given too little time for a create");
    is_int(ghl_count("POST /opportunities/"), 0, "it is not begun");
    is_int(record(app).attempt.kind, ATTEMPT_NONE, "nor recorded");
    synced(app, "later it is made");
}

int main(void)
{
    static const char *const settings[] = {"SALES_SINCE=2020-01-01", NULL};
#define CASE(name)                                                                                           \
    {                                                                                                        \
#name, name                                                                                          \
    }
    static const struct {
        const char *name;
        void (*run)(struct app *app);
    } cases[] = {
        CASE(an_old_order_is_looked_for),
        CASE(an_old_order_is_found),
        CASE(one_that_resembles_it),
        CASE(one_that_another_order_owns),
        CASE(the_end_of_an_old_order),
        CASE(the_end_of_an_order_that_is_not_there),
        CASE(a_lost_create_is_found),
        CASE(an_older_namesake_is_not_it),
        CASE(a_refused_create_that_happened),
        CASE(a_lost_create_in_troubled_times),
        CASE(tags_whose_answers_are_lost),
        CASE(it_is_known_what_ghl_holds),
        CASE(a_change_of_value),
        CASE(a_worker_that_dies),
        CASE(an_update_whose_answer_is_lost),
        CASE(a_status_that_is_not_mapped),
        CASE(one_not_found_is_no_proof),
        CASE(an_opportunity_that_was_deleted),
        CASE(its_own_is_in_the_way),
        CASE(a_salespersons_is_in_the_way),
        CASE(a_closed_one_is_in_the_way),
        CASE(an_earlier_orders_is_in_the_way),
        CASE(a_later_orders_is_in_the_way),
        CASE(whoever_writes_locks),
        CASE(the_contact_is_gone),
        CASE(a_field_that_ghl_does_not_take),
        CASE(there_is_no_time),
    };
    if (!ok(ghl_begin(), "a GHL"))
        return tap_done();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sandbox sandbox;
        struct app app;
        tap_note("%s", cases[i].name);
        ghl_does(NULL, 0);
        if (sandbox_begin(&sandbox) && ghl_app(&sandbox, settings, &app))
            cases[i].run(&app);
        app_close(&app);
        sandbox_end(&sandbox);
    }
    ghl_end();
    return tap_done();
}
