/* sync_contact: who the customer is, what is written to their contact, and a contact that GHL cannot match. */
#include "sync/rig_ghl.h"
#include "sync/shifted_clock.h"
#include "tap.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE_MS (60 * 1000LL)
#define PHONE ",\"phone\":\"+1 202 555 0123\""
#define FIND_BY_PHONE "GET /contacts/search/duplicate?locationId=location1&number"
#define FIND_BY_EMAIL "GET /contacts/search/duplicate?locationId=location1&email"
#define UPDATE(contact) "PUT /contacts/" contact "\n"
#define UPDATE_OPPORTUNITY "PUT /opportunities/opportunity1\n"

/* Version `minute` of order 1, of this customer. */
#define VERSION(minute, status, billing)                                                                     \
    "{\"id\":1,\"number\":\"1\",\"status\":\"" status                                                        \
    "\",\"total\":\"1\",\"date_modified_gmt\":\"2026-03-01T10:" minute ":00\",\"billing\":{" billing "}}"

static struct order_link link_of(struct app *app)
{
    return sandbox_order(app, "shop:1").link;
}

static void synced(struct app *app, const char *what)
{
    struct sync_outcome outcome = work(app, 1);
    is_int(outcome.result, SYNC_DONE, "%s: %s", what, outcome.reason);
}

/* -- email is identity -- */

static void nobody_has_the_phone(struct app *app)
{
    order_with(app, 1, PHONE);
    synced(app, "given a customer whom GHL does not know");
    is_str(ghl_calls(), FIND_PHONE UPSERT TAGS CREATE NOTE, "it is asked for the phone");
    ok(ghl_was_told("POST /contacts/upsert", "\"phone\":\"+12025550123\""), "which the contact gets");
}

static void the_phone_is_the_customers_own(struct app *app)
{
    GHL_DOES({.call = FIND_BY_PHONE,
              .status = 200,
              .body = "{\"contact\":{\"id\":\"contact1\",\"email\":\"A1@Example.com\"}}"});
    order_with(app, 1, PHONE);
    synced(app, "given a customer whom GHL knows by email and phone");
    is_str(ghl_calls(), FIND_PHONE UPSERT TAGS CREATE NOTE, "it is one contact");
    ok(ghl_was_told("POST /contacts/upsert", "\"phone\""), "with its phone");
}

static void the_phone_is_another_persons(struct app *app)
{
    GHL_DOES({.call = FIND_BY_PHONE,
              .status = 200,
              .always = true,
              .body = "{\"contact\":{\"id\":\"contact2\",\"email\":\"z@example.com\"}}"});
    order_with(app, 1, PHONE);
    synced(app, "given a phone that another email has");
    is_str(ghl_calls(), FIND_PHONE UPSERT NOTE TAGS CREATE NOTE, "nobody is merged");
    ok(!ghl_was_told("POST /contacts/upsert", "\"phone\""), "the contact goes without the phone");
    ok(ghl_was_told("POST /contacts/contact1/notes", "belongs to another contact"), "a note says so");
    ok(!ghl_was_told("POST /contacts/contact2", "") && !ghl_was_told("PUT /contacts/contact2", ""),
       "the other person is left alone");
}

/* As if the worker had died before it told the store anything of GHL. */
static void forget_link(struct app *app)
{
    struct order_record before = sandbox_order(app, "shop:1"), after = before;
    struct store_reply reply;

    after.link = (struct order_link){0};
    ok(store_commit(
           app->store,
           &(struct store_commit){
               .key = "shop:1", .before = &before, .after = &after, .decided_ms = store_now_ms(app->store)},
           &reply) == STORE_OK,
       "which dies before it tells the store");
}

static void the_same_note_is_not_written_twice(struct app *app)
{
    struct reply others = {.call = FIND_BY_PHONE,
                           .status = 200,
                           .always = true,
                           .body = "{\"contact\":{\"id\":\"contact2\",\"email\":\"z@example.com\"}}"};

    GHL_DOES(others, {.call = "POST /contacts/contact1/tags", .status = 503, .always = true});
    order_with(app, 1, PHONE);
    is_str(work(app, 1).reason, "ghl_unavailable", "given a worker that wrote that note");
    forget_link(app);
    GHL_DOES(others);
    time_passes(10 * MINUTE_MS);
    synced(app, "the next worker");
    ok(ghl_count("POST /contacts/upsert") == 1 && ghl_count("GET /contacts/search/duplicate?number") == 1,
       "does the same again");
    is_int(ghl_count("POST /contacts/contact1/notes"), 1, "with the order's own note alone");
    ok(!ghl_was_told("POST /contacts/contact1/notes", "belongs to another contact"), "it is not told again");
}

static void the_phones_contact_has_no_email_yet(struct app *app)
{
    GHL_DOES({.call = FIND_BY_PHONE, .status = 200, .body = "{\"contact\":{\"id\":\"contact1\"}}"});
    order_with(app, 1, PHONE);
    synced(app, "given a contact of that phone without an email");
    is_str(ghl_calls(), FIND_PHONE FIND_EMAIL UPDATE("contact1") TAGS CREATE NOTE, "it is the same person");
    ok(ghl_was_told("PUT /contacts/contact1", "a1@example.com"), "and gets the email");
}

static void email_and_phone_are_two_contacts(struct app *app)
{
    GHL_DOES({.call = FIND_BY_PHONE, .status = 200, .body = "{\"contact\":{\"id\":\"contact2\"}}"},
             {.call = FIND_BY_EMAIL,
              .status = 200,
              .body = "{\"contact\":{\"id\":\"contact1\",\"email\":\"a1@example.com\"}}"});
    order_with(app, 1, PHONE);
    synced(app, "given that one contact has the email and another the phone");
    is_str(ghl_calls(), FIND_PHONE FIND_EMAIL UPSERT NOTE TAGS CREATE NOTE, "the email's is the customer");
    ok(!ghl_was_told("POST /contacts/upsert", "\"phone\""), "the phone stays where it is");
}

static void a_phone_alone(struct app *app)
{
    GHL_DOES({.call = FIND_BY_PHONE,
              .status = 200,
              .body = "{\"contact\":{\"id\":\"contact1\",\"email\":\"z@example.com\"}}"});
    order_waits(app, VERSION("00", "processing", "\"first_name\":\"Ann\",\"phone\":\"+1 202 555 0123\""));
    synced(app, "given an order without an email, and a contact with its phone");
    is_str(ghl_calls(), FIND_PHONE TAGS CREATE NOTE, "the contact keeps what it has");
    is_str(link_of(app).contact, "contact1", "and has the opportunity");
}

static void a_phone_alone_of_nobody(struct app *app)
{
    order_waits(app, VERSION("00", "processing", "\"first_name\":\"Ann\",\"phone\":\"+1 202 555 0123\""));
    synced(app, "given an order without an email, and a phone of nobody");
    is_str(ghl_calls(), FIND_PHONE UPSERT TAGS CREATE NOTE, "there is a new contact");
}

/* -- the order names another email -- */

#define FIRST VERSION("00", "processing", "\"email\":\"a1@example.com\"")
#define CORRECTED VERSION("01", "processing", "\"email\":\"b1@example.com\"")

static void the_email_of_its_own_contact_is_corrected(struct app *app)
{
    GHL_DOES({.call = "POST /contacts/upsert",
              .status = 200,
              .body = "{\"new\":true,\"contact\":{\"id\":\"contact1\"}}"});
    order_waits(app, FIRST);
    synced(app, "given a contact that was made for this order");
    ghl_does(NULL, 0);
    order_waits(app, CORRECTED);
    synced(app, "and a corrected email that nobody has");
    is_str(ghl_calls(), FIND_EMAIL UPDATE("contact1"), "the contact gets it");
    ok(ghl_was_told("PUT /contacts/contact1", "b1@example.com"), "the new one");
    is_int(sandbox_value(app, "count/other_customer"), 0, "it is the same customer");
}

static void the_email_is_an_unknown_persons_now(struct app *app)
{
    order_waits(app, FIRST);
    synced(app, "given a contact that was there before this order");
    GHL_DOES({.call = "POST /contacts/upsert",
              .status = 200,
              .body = "{\"new\":true,\"contact\":{\"id\":\"contact2\"}}"});
    order_waits(app, CORRECTED);
    synced(app, "and an email that nobody has");
    ok(!ghl_was_told("PUT /contacts/contact1", "b1@example.com"), "the old contact keeps its email");
    ok(ghl_was_told("POST /contacts/upsert", "b1@example.com"), "the other customer becomes a contact");
    is_int(ghl_count("POST /contacts/contact1/notes"), 1, "a note tells the one");
    is_int(ghl_count("POST /contacts/contact2/notes"), 1, "and the other");
    is_str(link_of(app).contact, "contact1", "the opportunity stays, as GHL cannot move it");
    is_int(ghl_count("POST /opportunities/"), 0, "and there is no second one");
    is_int(sandbox_value(app, "count/other_customer"), 1, "it is counted");
}

static void the_email_is_a_known_persons_now(struct app *app)
{
    order_waits(app, FIRST);
    synced(app, "given an order in GHL");
    GHL_DOES({.call = FIND_BY_EMAIL,
              .status = 200,
              .body = "{\"contact\":{\"id\":\"contact2\",\"email\":\"b1@example.com\"}}"});
    order_waits(app, CORRECTED);
    synced(app, "and an email that another contact has");
    is_int(ghl_count("POST /contacts/upsert") + ghl_count("PUT /contacts/"), 0, "neither contact changes");
    is_int(ghl_count("POST /contacts/contact1/notes") + ghl_count("POST /contacts/contact2/notes"), 2,
           "a note tells both");
    is_str(link_of(app).contact, "contact1", "the opportunity stays");
}

static void the_email_changes_before_there_is_an_opportunity(struct app *app)
{
    GHL_DOES({.call = "POST /opportunities/", .status = 422});
    order_waits(app, FIRST);
    is_int(work(app, 1).result, SYNC_DEAD, "given an opportunity that GHL refused");
    GHL_DOES({.call = "POST /contacts/upsert", .status = 200, .body = "{\"contact\":{\"id\":\"contact2\"}}"},
             {.call = FIND_BY_EMAIL, .status = 200, .body = "{\"contact\":{\"id\":\"contact2\"}}"});
    order_waits(app, CORRECTED);
    is_str(work(app, 1).reason, "in_flight", "and a corrected email, it is looked for");
    time_passes(2LL * MINUTE_MS);
    ghl_does(NULL, 0);
    GHL_DOES({.call = "POST /contacts/upsert", .status = 200, .body = "{\"contact\":{\"id\":\"contact2\"}}"},
             {.call = FIND_BY_EMAIL, .status = 200, .body = "{\"contact\":{\"id\":\"contact2\"}}"});
    synced(app, "and made when it is surely not there");
    ok(ghl_was_told("POST /opportunities/", "\"contact2\""), "the opportunity is the new customer's");
    is_str(link_of(app).contact, "contact2", "which is the order's contact");
    is_str(link_of(app).former, "contact1", "the old one is not forgotten");
}

/* A person may have given the contact another email in GHL. */
static void an_email_that_is_the_same_is_not_written_again(struct app *app)
{
    order_waits(app, FIRST);
    synced(app, "given an order in GHL");
    ghl_does(NULL, 0);
    order_waits(app, VERSION("01", "processing", "\"email\":\"a1@example.com\",\"first_name\":\"Ann\""));
    synced(app, "and its customer's name");
    is_str(ghl_calls(), UPDATE("contact1"), "the contact is updated by its id");
    ok(!ghl_was_told("PUT /contacts/contact1", "@example.com"), "without its email");
}

/* -- several orders of one customer -- */

#define OF(id, date, name)                                                                                   \
    "{\"id\":" id ",\"status\":\"processing\",\"total\":\"1\",\"date_created_gmt\":\"" date                  \
    "\",\"date_paid_gmt\":\"2099-01-01T00:00:00\",\"billing\":{\"email\":\"a1@example.com\",\"first_name\":" \
    "\"" name "\"}}"

static void an_older_order_overwrites_nothing(struct app *app)
{
    order_waits(app, OF("2", "2026-03-01T10:00:00", "Ann"));
    is_int(work(app, 2).result, SYNC_DONE, "given a customer whom an order wrote");
    ghl_does(NULL, 0);
    GHL_DOES({.call = "POST /opportunities/",
              .status = 200,
              .body = "{\"opportunity\":{\"id\":\"opportunity2\"}}"});
    order_waits(app, OF("1", "2026-02-01T10:00:00", "Anna"));
    synced(app, "and an older order");
    ok(ghl_was_told("POST /contacts/upsert", "a1@example.com") &&
           !ghl_was_told("POST /contacts/upsert", "Anna"),
       "which only finds the contact");
}

/* Two orders of one customer, be it that they share the email or the phone alone. */
static void a_customer_in_anothers_hands(struct app *app)
{
    static const struct {
        const char *label, *value;
    } shared[] = {{"contact email", "a1@example.com"}, {"contact phone", "+12025550123"}};

    order_with(app, 1, PHONE);
    for (size_t i = 0; i < sizeof shared / sizeof *shared; i++) {
        char hash[RECORD_SHORT_SIZE], name[64];
        ghl_does(NULL, 0);
        ok(app_hash(app, shared[i].label, shared[i].value, hash), "a hash");
        snprintf(name, sizeof name, "customer/%s", hash);
        ok(store_lock(app->store, name, "another", MINUTE_MS) == STORE_OK,
           "given that another order writes this %s", shared[i].label);
        is_str(work(app, 1).reason, "contact_busy", "the customer is left alone");
        is_str(ghl_calls(), "", "nothing is sent");
        ok(store_unlock(app->store, name, "another") == STORE_OK, "when that is over");
    }
    synced(app, "it is written");
}

/* -- a contact that is gone, and fields that GHL does not take -- */

static void the_contact_is_gone(struct app *app)
{
    order_waits(app, FIRST);
    synced(app, "given an order in GHL");
    GHL_DOES({.call = "PUT /contacts/contact1",
              .status = 400,
              .body = "{\"statusCode\":400,\"message\":\"Contact with id contact1 not found\"}"},
             {.call = "POST /contacts/upsert",
              .status = 200,
              .body = "{\"new\":true,\"contact\":{\"id\":\"contact2\"}}"});
    order_waits(app, VERSION("01", "completed", "\"email\":\"a1@example.com\",\"first_name\":\"Ann\""));
    synced(app, "and a contact that somebody deleted");
    is_int(ghl_count("POST /contacts/upsert"), 1, "it is made anew, once");
    is_str(link_of(app).contact, "contact2", "the order knows it");
    is_str(link_of(app).former, "contact1", "and the old one");
    is_int(ghl_count("POST /opportunities/"), 0, "there is no second opportunity");
    is_int(ghl_count("POST /contacts/contact2/tags"), 1, "the new one gets the tags");
}

static void the_contact_is_gone_again_and_again(struct app *app)
{
    GHL_DOES({.call = "POST /contacts/contact1/tags",
              .status = 400,
              .always = true,
              .body = "{\"statusCode\":400,\"message\":\"Contact with id contact1 not found\"}"});
    order_waits(app, FIRST);
    is_str(work(app, 1).reason, "contact_gone", "given a contact that is gone as soon as it is made");
    is_int(ghl_count("POST /contacts/upsert"), 2, "it is made anew once, then the order waits");
    ok(!sandbox_order(app, "shop:1").dead_ms, "and is no dead letter");
}

static void a_phone_that_ghl_does_not_take(struct app *app)
{
    GHL_DOES({.call = "POST /contacts/upsert",
              .status = 422,
              .body = "{\"statusCode\":422,\"message\":[\"phone must be valid\"]}"});
    order_with(app, 1, PHONE);
    synced(app, "given a phone that GHL refuses");
    is_int(ghl_count("POST /contacts/upsert"), 2, "it is left out");
    is_str(link_of(app).contact, "contact1", "the contact is there");
}

/* -- a contact with neither email nor phone -- */

#define NAMED VERSION("00", "processing", "\"first_name\":\"Ann\",\"last_name\":\"Lee\"")
#define CONTACT_CREATE "POST /contacts/\n"
#define CONTACT_SEARCH "POST /contacts/search\n"

static void a_nameless_create_is_sent_once(struct app *app)
{
    order_waits(app, NAMED);
    synced(app, "given a customer without email and phone");
    is_str(ghl_calls(), CONTACT_CREATE TAGS CREATE NOTE, "there is one create");
    ok(!sandbox_order(app, "shop:1").attempt.kind, "no attempt is left");
}

static void a_nameless_create_whose_answer_is_lost(struct app *app)
{
    GHL_DOES({.call = "POST /contacts/ ", .status = 0});
    order_waits(app, NAMED);
    is_int(work(app, 1).result, SYNC_QUEUED, "given a create without an answer");
    struct order_record waits = sandbox_order(app, "shop:1");
    is_int(waits.attempt.kind, ATTEMPT_CONTACT, "it is recorded");
    GHL_DOES({.call = "POST /contacts/search", .status = 200, .body = "{\"contacts\":[]}"});
    is_str(work(app, 1).reason, "in_flight", "while it is not found");
    is_int(ghl_count("POST /contacts/ "), 0, "it is not sent again");
    GHL_DOES(
        {.call = "POST /contacts/search",
         .status = 200,
         .body =
             "{\"contacts\":[{\"id\":\"contact9\",\"contactName\":\"x\",\"firstName\":\"Ann\",\"lastName\":"
             "\"Leeson\","
             "\"dateAdded\":\"2099-01-01T00:00:00Z\"},"
             "{\"id\":\"contact8\",\"firstName\":\"ann\",\"lastName\":\"lee\",\"email\":\"x@example.com\","
             "\"dateAdded\":\"2099-01-01T00:00:00Z\"},"
             "{\"id\":\"contact7\",\"firstName\":\"ann\",\"lastName\":\"lee\",\"dateAdded\":\"2001-01-01T00:"
             "00:00Z\"},"
             "{\"id\":\"contact1\",\"firstName\":\"ann\",\"lastName\":\"lee\",\"dateAdded\":\"2099-01-01T00:"
             "00:00Z\"}]}"});
    synced(app, "if it is found");
    is_str(ghl_calls(), CONTACT_SEARCH TAGS CREATE NOTE, "it is taken");
    is_str(link_of(app).contact, "contact1", "and no namesake");
}

static void a_nameless_create_that_never_was(struct app *app)
{
    GHL_DOES({.call = "POST /contacts/ ", .status = 0});
    order_waits(app, NAMED);
    is_int(work(app, 1).result, SYNC_QUEUED, "given a create without an answer");
    time_passes(3 * MINUTE_MS);
    ghl_does(NULL, 0);
    synced(app, "when it cannot come any more");
    is_str(ghl_calls(), CONTACT_SEARCH CONTACT_CREATE TAGS CREATE NOTE,
           "it is looked for once more, and sent again");
}

/* A record has room for one attempt. No create goes out unrecorded. */
static void an_email_comes_while_a_nameless_create_is_under_way(struct app *app)
{
    GHL_DOES({.call = "POST /contacts/ ", .status = 0});
    order_waits(app, NAMED);
    is_int(work(app, 1).result, SYNC_QUEUED, "given a create without an answer");
    ghl_does(NULL, 0);
    order_waits(app, VERSION("01", "processing", "\"email\":\"a1@example.com\",\"first_name\":\"Ann\""));
    is_str(work(app, 1).reason, "in_flight", "and a version with an email");
    is_int(ghl_count("POST /opportunities/"), 0, "no create goes out that is not recorded");
    time_passes(MINUTE_MS);
    synced(app, "when the store knows the other contact");
    is_int(ghl_count("POST /opportunities/"), 1, "there is one opportunity");
}

int main(void)
{
#define CASE(name)                                                                                           \
    {                                                                                                        \
#name, name                                                                                          \
    }
    static const struct {
        const char *name;
        void (*run)(struct app *app);
    } cases[] = {
        CASE(nobody_has_the_phone),
        CASE(the_phone_is_the_customers_own),
        CASE(the_phone_is_another_persons),
        CASE(the_same_note_is_not_written_twice),
        CASE(the_phones_contact_has_no_email_yet),
        CASE(email_and_phone_are_two_contacts),
        CASE(a_phone_alone),
        CASE(a_phone_alone_of_nobody),
        CASE(the_email_of_its_own_contact_is_corrected),
        CASE(the_email_is_an_unknown_persons_now),
        CASE(the_email_is_a_known_persons_now),
        CASE(the_email_changes_before_there_is_an_opportunity),
        CASE(an_email_that_is_the_same_is_not_written_again),
        CASE(an_older_order_overwrites_nothing),
        CASE(a_customer_in_anothers_hands),
        CASE(the_contact_is_gone),
        CASE(the_contact_is_gone_again_and_again),
        CASE(a_phone_that_ghl_does_not_take),
        CASE(a_nameless_create_is_sent_once),
        CASE(a_nameless_create_whose_answer_is_lost),
        CASE(a_nameless_create_that_never_was),
        CASE(an_email_comes_while_a_nameless_create_is_under_way),
    };
    if (!ok(ghl_begin(), "a GHL"))
        return tap_done();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sandbox sandbox;
        struct app app;
        tap_note("%s", cases[i].name);
        ghl_does(NULL, 0);
        if (sandbox_begin(&sandbox) && ghl_app(&sandbox, NULL, &app))
            cases[i].run(&app);
        app_close(&app);
        sandbox_end(&sandbox);
    }
    ghl_end();
    return tap_done();
}
