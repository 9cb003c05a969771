#include "plan/plan.h"
#include "tap.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const unsigned char hash_key[DIGEST_LEN] = "a key of this test";

/* A plan and what it was made of, under the default settings but those named. */
struct made {
    struct order order;
    struct config config;
    struct plan plan;
    struct error e;
    enum plan_result result;
};

static struct made make(const char *body, const char *topic, const char *const settings[][2])
{
    struct made m = {.e = ERROR_NONE};
    struct config_report report;
    struct order_headers headers = {topic, NULL, NULL};
    clearenv();
    setenv("WOO_GHL_ENV", "/dev/null", 1);
    setenv("WOO_WEBHOOK_SECRET", "secret", 1);
    setenv("GHL_DRY_RUN", "yes", 1);
    setenv("DATA_DIR", "/nonexistent/woo_ghl", 1);
    for (size_t i = 0; settings && settings[i][0]; i++)
        setenv(settings[i][0], settings[i][1], 1);
    bool loaded = config_load(&m.config, &report);
    for (size_t i = 0; !loaded && i < report.problem_count; i++)
        tap_note("%s", report.problem[i]);
    config_report_free(&report);
    struct order_verdict verdict = order_parse(body, strlen(body), &headers, &m.order);
    if (verdict.kind == ORDER_FULL || verdict.kind == ORDER_DELETED)
        m.result = plan_make(&m.order, "", &m.config, hash_key, &m.plan, &m.e);
    else
        m.result = PLAN_FAILED;
    return m;
}

static void unmake(struct made *m)
{
    plan_free(&m->plan);
    order_free(&m->order);
    config_free(&m->config);
}

static void is_json(const json_t *got, const char *want, const char *what)
{
    char *text = got ? json_canonical(got) : strdup("nothing");
    is_str(text, want, "%s", what);
    free(text);
}

#define BODY(fields)                                                                                         \
    "{\"id\":1001,\"status\":\"processing\",\"total\":\"150.00\",\"currency\":\"USD\"," fields "}"
#define BILLING "\"billing\":{\"first_name\":\"John\",\"last_name\":\"Doe\",\"email\":\"john@example.com\"}"
#define ITEMS                                                                                                \
    "\"line_items\":[{\"sku\":\"TEE\",\"name\":\"Tee\",\"quantity\":2},{\"sku\":\"CAP\",\"name\":\"Cap\","   \
    "\"quantity\":1}]"

static void test_default(void)
{
    struct made m = make(BODY("\"number\":\"1001\"," BILLING), NULL, NULL);
    is_int(m.result, PLAN_OK, "the smallest order has a plan");
    is_str(m.plan.key, "shop:1001", "key");
    is_str(m.plan.shop, "shop", "shop");
    is_str(m.plan.number, "1001", "number");
    is_int(m.plan.outcome, OUTCOME_WON, "outcome");
    ok(!m.plan.status_only, "it is a whole one");
    is_json(m.plan.contact, "{\"email\":\"john@example.com\",\"firstName\":\"John\",\"lastName\":\"Doe\"}",
            "contact");
    is_json(m.plan.opportunity, "{\"monetaryValue\":150,\"name\":\"Order #1001\",\"status\":\"won\"}",
            "opportunity");
    ok(!m.plan.tags && !m.plan.tags_remove && !m.plan.note, "neither tags nor note");
    is_str(m.plan.source, "", "no source");
    is_str(plan_email(&m.plan), "john@example.com", "email");
    is_str(plan_phone(&m.plan), "", "no phone");
    is_int(strlen(m.plan.fingerprint), 64, "a fingerprint");
    is_str(m.plan.part_hash[PLAN_TAGS], "", "no hash of no tags");
    is_str(m.plan.part_hash[PLAN_NOTE], "", "nor of no note");
    unmake(&m);
}

static void is_value(const char *fields, const char *want)
{
    char body[400];
    snprintf(body, sizeof body, "{\"id\":1,\"status\":\"completed\",%s}", fields);
    struct made m = make(body, NULL, NULL);
    json_t *value = json_object_get(m.plan.opportunity, "monetaryValue");
    char *text = value ? json_canonical(value) : strdup("none");
    is_str(text, want, "%s", fields);
    free(text);
    unmake(&m);
}

static void test_value(void)
{
    is_value("\"total\":\"48.97\",\"refunds\":[{\"total\":\"-8.99\"},{\"total\":\"-39.98\"}]", "0");
    is_value("\"total\":\"48.97\",\"refunds\":[{\"total\":\"-8.99\"}]", "39.98");
    is_value("\"total\":19.989999999999998", "19.99");
    is_value("\"total\":\"6.12345\"", "6.1235");
    is_value("\"total\":\"2980.00\"", "2980");
    is_value("\"total\":\"-5.00\"", "-5");
    is_value("\"total\":\"10\",\"refunds\":[{\"total\":\"-12.5\"}]", "-2.5");
    is_value("\"total\":\"\",\"order_key\":\"k\"", "none");
    is_value("\"total\":\"about ten\"", "none");
    is_value("\"total\":\"-999999999999999999\",\"refunds\":[{\"total\":\"-999999999999999999\"}]", "none");
}

static void test_status(void)
{
    static const char *const stages[][2] = {{"GHL_STAGE_MAP", "processing:Paid,completed:Sent"}, {0}};
    static const char *const open[][2] = {{"GHL_STATUS_MAP", "shipped:open"}, {0}};
    struct made m = make(BODY(BILLING), NULL, stages);
    is_json(m.plan.opportunity,
            "{\"monetaryValue\":150,\"name\":\"Order #1001\",\"stage\":\"Paid\",\"status\":\"won\"}",
            "a stage by status");
    unmake(&m);
    m = make("{\"id\":1,\"status\":\"wc-shipped\",\"total\":\"1\"}", NULL, open);
    is_int(m.plan.outcome, OUTCOME_OPEN, "a plugin's own status, mapped");
    unmake(&m);
    m = make("{\"id\":1,\"status\":\"cancelled\",\"total\":\"1\"}", NULL, NULL);
    is_int(m.plan.outcome, OUTCOME_ABANDONED, "cancelled");
    unmake(&m);
}

/* A status that the map does not name: what GHL has of the order follows, but for its status. */
static void test_unmapped(void)
{
    static const char *const set[][2] = {{"GHL_STATUS_MAP", "processing:won,on-hold:-"},
                                         {"GHL_STAGE_MAP", "shipped:Sent"},
                                         {"GHL_TAGS", "a"},
                                         {"GHL_TAGS_REMOVE", "shipped:b"},
                                         {0}};
    struct made m = make(
        "{\"id\":1,\"status\":\"shipped\",\"total\":\"10\",\"refunds\":[{\"total\":\"-4\"}]," BILLING "}",
        NULL, set);
    ok(m.result == PLAN_OK && m.plan.outcome == OUTCOME_IGNORE && m.plan.follows,
       "an unmapped status is ignored, and follows");
    is_json(m.plan.opportunity, "{\"monetaryValue\":6,\"name\":\"Order #1\"}", "without status and stage");
    is_json(m.plan.contact, "{\"email\":\"john@example.com\",\"firstName\":\"John\",\"lastName\":\"Doe\"}",
            "with its contact");
    is_json(m.plan.tags, "[\"a\"]", "and tags");
    ok(!m.plan.tags_remove, "none to take off");
    is_int(strlen(m.plan.fingerprint), 64, "a fingerprint");
    is_int(strlen(m.plan.part_hash[PLAN_OPPORTUNITY]), 64, "and hashes");
    unmake(&m);
    m = make("{\"id\":1,\"status\":\"on-hold\",\"total\":\"10\"}", NULL, set);
    ok(m.result == PLAN_OK && m.plan.outcome == OUTCOME_IGNORE && !m.plan.follows && !m.plan.unmapped_paid,
       "a status that is mapped to nothing is ignored");
    ok(!m.plan.contact && !m.plan.opportunity && !*m.plan.fingerprint, "and has nothing to send");
    is_str(m.plan.key, "shop:1", "but a key");
    unmake(&m);
}

static void is_unmapped_paid(const char *fields, bool want)
{
    char body[200];
    snprintf(body, sizeof body, "{\"id\":1,\"total\":\"10\",%s}", fields);
    struct made m = make(body, NULL, NULL);
    ok(m.plan.unmapped_paid == want, "%s: %sto be told", fields, want ? "" : "not ");
    unmake(&m);
}

static void test_unmapped_paid(void)
{
    static const char *const unpaid[] = {"pending", "on-hold", "checkout-draft", "auto-draft", "draft"};
    char fields[100];
    is_unmapped_paid("\"status\":\"awaiting-fulfillment\",\"date_paid_gmt\":\"2026-11-25T00:43:19\"", true);
    is_unmapped_paid("\"status\":\"awaiting-fulfillment\"", true);
    is_unmapped_paid("\"status\":\"pending\",\"date_paid_gmt\":\"2026-11-25T00:43:19\"", true);
    is_unmapped_paid("\"status\":\"processing\",\"date_paid_gmt\":\"2026-11-25T00:43:19\"", false);
    for (size_t i = 0; i < sizeof unpaid / sizeof *unpaid; i++) {
        snprintf(fields, sizeof fields, "\"status\":\"%s\",\"date_paid_gmt\":null", unpaid[i]);
        is_unmapped_paid(fields, false);
    }
    struct made m = make("{\"id\":1,\"total\":\"10\",\"status\":\"checkout-draft\"}", NULL, NULL);
    ok(!m.plan.follows && !m.plan.contact, "a draft is not planned at all");
    unmake(&m);
}

static void test_sale(void)
{
    struct made m =
        make(BODY("\"date_created_gmt\":\"2026-11-25T00:43:19\",\"date_paid_gmt\":\"2026-11-25T00:43:29\""),
             NULL, NULL);
    is_int(m.plan.sale_s, 1795567409, "a sale is made when it is paid");
    ok(plan_is_before(&m.plan, 1795567410) && !plan_is_before(&m.plan, 1795567409),
       "before the next second alone");
    unmake(&m);
    m = make(BODY("\"date_created_gmt\":\"2026-11-25T00:43:19\",\"date_paid_gmt\":null"), NULL, NULL);
    is_int(m.plan.sale_s, 1795567399, "or, not paid, when it is created");
    unmake(&m);
    m = make(BODY(BILLING), NULL, NULL);
    ok(m.plan.sale_s == 0 && !plan_is_before(&m.plan, INT64_MAX),
       "an order without dates is never of the past");
    ok(!m.plan.sub_order, "and no part of another");
    unmake(&m);
    m = make(BODY("\"parent_id\":5"), NULL, NULL);
    ok(m.plan.sub_order, "one with a parent is");
    unmake(&m);
}

#define ERASED                                                                                               \
    "\"billing\":{\"first_name\":\"[deleted]\",\"email\":\"deleted@site.invalid\",\"city\":\"[deleted]\"},"  \
    "\"meta_data\":[{\"key\":\"_anonymized\",\"value\":\"yes\"},{\"key\":\"vat\",\"value\":\"V-1\"}]"

/* Nothing of a person whom the shop erased, and nothing of the stand-ins. */
static void test_erased(void)
{
    static const char *const all[][2] = {{"GHL_OPPORTUNITY_NAME", "{customer.name}: {number}"},
                                         {"GHL_TAGS", "from-{billing.city}"},
                                         {"GHL_NOTE", "yes"},
                                         {"GHL_SOURCE", "{billing.city|shop}"},
                                         {"GHL_CONTACT_FIELDS", "a={billing.city}"},
                                         {"GHL_OPPORTUNITY_FIELDS", "b={meta.vat}"},
                                         {"GHL_STAGE_MAP", "processing:Paid"},
                                         {0}};
    struct made m = make(BODY(ERASED), NULL, all);
    ok(m.result == PLAN_OK && m.plan.erased && !m.plan.status_only, "an erased order");
    ok(!m.plan.contact && !m.plan.tags && !m.plan.note, "no contact, tags, note");
    is_str(m.plan.source, "", "no source");
    is_str(m.plan.standin_name, "", "no name for a new contact");
    is_str(plan_email(&m.plan), "", "no email");
    is_json(m.plan.opportunity, "{\"monetaryValue\":150,\"stage\":\"Paid\",\"status\":\"won\"}",
            "status, stage and value follow");
    is_int(strlen(m.plan.fingerprint), 64, "a fingerprint");
    unmake(&m);
    m = make(BODY(ERASED), NULL, NULL);
    is_str(json_text(m.plan.opportunity, "name"), "Order #1001", "a name that tells of no person is told");
    ok(plan_name_new_contact(&m.plan) && !m.plan.contact, "there is no contact to name");
    unmake(&m);
}

static void test_standin_name(void)
{
    struct made m = make(
        BODY("\"billing\":{\"first_name\":\"-\",\"last_name\":\"Guest\",\"city\":\"Leeds\"}"), NULL, NULL);
    is_json(m.plan.contact, "{\"city\":\"Leeds\"}", "a contact without a name");
    is_str(m.plan.standin_name, "shop order 1001", "a name if it is new");
    ok(plan_name_new_contact(&m.plan), "it is");
    is_json(m.plan.contact, "{\"city\":\"Leeds\",\"firstName\":\"shop order 1001\"}", "and gets it");
    unmake(&m);
    m = make(BODY("\"billing\":{\"email\":\"a@example.com\"}"), NULL, NULL);
    ok(plan_name_new_contact(&m.plan), "one with an email");
    is_json(m.plan.contact, "{\"email\":\"a@example.com\"}", "needs none");
    unmake(&m);
    m = make(BODY("\"billing\":{\"last_name\":\"Lee\"}"), NULL, NULL);
    is_str(m.plan.standin_name, "", "one with a name has no other");
    unmake(&m);
}

static void test_notes_for_the_log(void)
{
    static const char *const us[][2] = {{"DEFAULT_COUNTRY", "us"}, {0}};
    struct made m =
        make("{\"id\":1,\"status\":\"completed\",\"total\":\"1,234\",\"billing\":{\"email\":\"jo@exmaple\","
             "\"phone\":\"(212) 555-0123 ext 5\"}}",
             NULL, us);
    is_str(m.plan.amount_note, "total '1,234' may be either of two amounts", "why there is no value");
    is_json(m.plan.opportunity, "{\"name\":\"Order #1\",\"status\":\"won\"}", "and there is none");
    is_str(m.plan.email_left_out, "j***@exmaple", "which email is none");
    is_str(plan_phone(&m.plan), "+12125550123", "DEFAULT_COUNTRY tells how a phone is written");
    ok(m.plan.phone_shared, "and it is a switchboard's");
    unmake(&m);
    m = make("{\"id\":54}", "order.deleted", NULL);
    is_str(m.plan.amount_note, "", "a deleted order has no value to miss");
    unmake(&m);
}

/* A reconcile's request is answered with other links than a webhook's. */
static void test_schemes(void)
{
    static const char *const set[][2] = {
        {"GHL_NOTE", "{admin_url}"}, {"GHL_OPPORTUNITY_FIELDS", "a={admin_url}"}, {0}};
    struct made http =
        make(BODY("\"_links\":{\"self\":[{\"href\":\"http://shop.example.com/de/wp-json/wc/v3/orders/1\"}]}"),
             NULL, set);
    struct made https =
        make(BODY("\"_links\":{\"self\":[{\"href\":\"https://shop.example.com/wp-json/wc/v3/orders/1\"}]}"),
             NULL, set);
    struct made other =
        make(BODY("\"_links\":{\"self\":[{\"href\":\"https://other.example.com/wp-json/wc/v3/orders/1\"}]}"),
             NULL, set);
    ok(strcmp(http.plan.note, https.plan.note) != 0, "a link has its scheme");
    is_str(http.plan.part_hash[PLAN_NOTE], https.plan.part_hash[PLAN_NOTE], "but it makes no other note");
    is_str(http.plan.fingerprint, https.plan.fingerprint, "and no other state");
    ok(strcmp(http.plan.fingerprint, other.plan.fingerprint) != 0, "a host does");
    unmake(&http);
    unmake(&https);
    unmake(&other);
}

static void test_note_lines(void)
{
    static const char *const set[][2] = {
        {"GHL_NOTE", "{customer_note}"}, {"GHL_OPPORTUNITY_NAME", "#{number} {customer_note}"}, {0}};
    struct made m = make(BODY("\"number\":\"#5\",\"customer_note\":\"one\\r\\ntwo &lt;b&gt;\""), NULL, set);
    is_str(m.plan.note, "one\ntwo &lt;b&gt;", "a customer's note keeps its lines, and becomes no markup");
    is_str(json_text(m.plan.opportunity, "name"), "#5 one two &lt;b&gt;", "a name is one line, with one #");
    unmake(&m);
}

static void test_deleted(void)
{
    static const char *const trash[][2] = {{"GHL_STATUS_MAP", "trash:lost"},
                                           {"GHL_TAGS", "a"},
                                           {"GHL_NOTE", "yes"},
                                           {"GHL_STAGE_MAP", "trash:Gone"},
                                           {0}};
    static const char *const unmapped[][2] = {{"GHL_STATUS_MAP", "processing:won"}, {0}};
    struct made m = make("{\"id\":54}", "order.deleted", trash);
    ok(m.result == PLAN_OK && m.plan.status_only, "a deleted order tells its status only");
    is_json(m.plan.opportunity, "{\"status\":\"lost\"}", "the one that trash is mapped to");
    ok(!m.plan.contact && !m.plan.tags && !m.plan.note, "and nothing else");
    is_str(plan_email(&m.plan), "", "no email");
    struct made whole = make("{\"id\":54,\"status\":\"trash\",\"total\":\"1\"}", NULL, trash);
    ok(!whole.plan.status_only, "a whole body with the status trash is a whole plan");
    ok(strcmp(whole.plan.fingerprint, m.plan.fingerprint) != 0, "with another fingerprint");
    ok(strcmp(whole.plan.part_hash[PLAN_OPPORTUNITY], m.plan.part_hash[PLAN_OPPORTUNITY]) != 0,
       "and another hash of its opportunity");
    unmake(&whole);
    unmake(&m);
    m = make("{\"id\":54}", "order.deleted", unmapped);
    is_int(m.plan.outcome, OUTCOME_IGNORE, "where trash is not mapped it is ignored");
    unmake(&m);
}

static void test_templates(void)
{
    static const char *const all[][2] = {
        {"GHL_OPPORTUNITY_NAME", " {customer.name}:\t{number}  ({currency}) "},
        {"GHL_TAGS", "WooCommerce, bought-{line_items.sku}"},
        {"GHL_NOTE", "{items}\n{admin_url|no link}"},
        {"GHL_SOURCE", "{shop}"},
        {"SHOP", "main"},
        {0}};
    static const char *const yes[][2] = {{"GHL_NOTE", "yes"}, {0}};
    struct made m = make(BODY(BILLING "," ITEMS), NULL, all);
    is_str(json_text(m.plan.opportunity, "name"), "John Doe: 1001 (USD)", "name");
    is_json(m.plan.tags, "[\"woocommerce\",\"bought-tee\",\"bought-cap\"]", "tags");
    is_str(m.plan.note, "2 \xc3\x97 Tee, 1 \xc3\x97 Cap\nno link", "note");
    is_str(m.plan.source, "main", "source");
    is_str(m.plan.key, "main:1001", "key");
    is_int(strlen(m.plan.part_hash[PLAN_TAGS]), 64, "tags have a hash");
    is_int(strlen(m.plan.part_hash[PLAN_NOTE]), 64, "and the note");
    unmake(&m);
    m = make(BODY(BILLING "," ITEMS), NULL, yes);
    is_str(m.plan.note,
           "Order #1001 of an unknown day is processing.\nItems: 2 \xc3\x97 Tee, 1 \xc3\x97 Cap\n"
           "Total: 150.00 USD; after refunds: 150.00 USD\nPayment: none\nCustomer's note: none",
           "the note by default");
    unmake(&m);
}

static void test_fields(void)
{
    static const char *const fields[][2] = {
        {"GHL_CONTACT_FIELDS", "total={total},skus={line_items.sku}, x={coupon_lines.code}"},
        {"GHL_OPPORTUNITY_FIELDS", "Paid by={payment_method_title}"},
        {0}};
    struct made m = make(BODY(BILLING "," ITEMS), NULL, fields);
    is_json(json_object_get(m.plan.contact, "customFields"),
            "{\"skus\":[\"TEE, CAP\",\"TEE\",\"CAP\"],\"total\":[\"150.00\",\"150.00\"]}",
            "each field as a whole and as its values; none without a value");
    ok(!json_object_get(m.plan.opportunity, "customFields"), "no fields without any value");
    unmake(&m);
}

static void test_tags_removed(void)
{
    static const char *const set[][2] = {
        {"GHL_TAGS", "Shop"},
        {"GHL_TAGS_REMOVE", "wc-refunded:Customer, refunded:has-{line_items.sku},failed:x"},
        {0}};
    struct made paid = make(BODY(BILLING "," ITEMS), NULL, set);
    struct made refunded =
        make("{\"id\":1001,\"status\":\"refunded\",\"total\":\"150.00\"," BILLING "," ITEMS "}", NULL, set);
    const char *a = paid.plan.part_hash[PLAN_TAGS], *b = refunded.plan.part_hash[PLAN_TAGS];
    ok(!paid.plan.tags_remove, "nothing to take off for another status");
    is_json(refunded.plan.tags_remove, "[\"customer\",\"has-tee\",\"has-cap\"]",
            "each template of the status");
    ok(!strncmp(a, b, PLAN_TAGS_HALF), "the half of what is added is the same");
    ok(strcmp(a, b) != 0, "the other is not");
    is_int(strspn(a + PLAN_TAGS_HALF, "0"), PLAN_TAGS_HALF, "nothing to take off is zeros");
    unmake(&paid);
    unmake(&refunded);
}

static void test_phone_left_out(void)
{
    static const char *const note[][2] = {{"GHL_NOTE", "x"}, {0}};
    struct made m =
        make(BODY("\"billing\":{\"email\":\"a@example.com\",\"country\":\"US\",\"phone\":\"555-4567\"}"),
             NULL, note);
    is_str(plan_phone(&m.plan), "", "a phone without its area is none");
    is_str(m.plan.phone_left_out, "***-4567", "but kept, masked");
    is_str(m.plan.note, "x\nPhone left out, no valid number: ***-4567", "and in the note");
    unmake(&m);
}

#define META(source, medium, referrer)                                                                       \
    "\"_links\":{\"self\":[{\"href\":\"https://shop.example.com/wp-json/wc/v3/orders/1\"}]},\"meta_data\":[" \
    "{\"key\":\"_wc_order_attribution_utm_source\",\"value\":\"" source "\"},"                               \
    "{\"key\":\"_wc_order_attribution_utm_medium\",\"value\":\"" medium "\"},"                               \
    "{\"key\":\"_wc_order_attribution_referrer\",\"value\":\"" referrer "\"}]"

static void is_source(const char *body, const char *want)
{
    struct made m = make(body, NULL, NULL);
    is_str(m.plan.source, want, "source %s", want);
    unmake(&m);
}

static void test_source(void)
{
    static const char *const no[][2] = {{"GHL_SOURCE", "no"}, {0}};
    is_source(BODY(META("newsletter", "email", "")), "newsletter / email");
    is_source(BODY(META("newsletter", "(none)", "")), "newsletter");
    is_source(BODY(META("(direct)", "(none)", "")), "");
    is_source(BODY(META("", "", "https://www.example.org/news?a=1")), "www.example.org");
    is_source(BODY(META("", "", "https://shop.example.com/cart")), "");
    is_source(BODY(META("", "", "app://somewhere")), "");
    is_source(BODY(BILLING), "");
    struct made m = make(BODY(META("newsletter", "email", "")), NULL, no);
    is_str(m.plan.source, "", "none is wanted");
    unmake(&m);
}

/* The fingerprints, or one part's hashes, of two bodies under two settings. */
static bool same(const char *a, const char *const a_set[][2], const char *b, const char *const b_set[][2],
                 int part)
{
    struct made one = make(a, NULL, a_set), two = make(b, NULL, b_set);
    bool equal = part < 0 ? !strcmp(one.plan.fingerprint, two.plan.fingerprint)
                          : !strcmp(one.plan.part_hash[part], two.plan.part_hash[part]);
    ok(one.result == PLAN_OK && two.result == PLAN_OK, "two plans");
    unmake(&one);
    unmake(&two);
    return equal;
}

static void test_hashes(void)
{
    static const char *const tag[][2] = {{"GHL_TAGS", "a"}, {0}};
    static const char *const note[][2] = {{"GHL_NOTE", "a"}, {0}};
    static const char *const source[][2] = {{"GHL_SOURCE", "a"}, {0}};
    static const char *const stage[][2] = {{"GHL_STAGE_MAP", "processing:a"}, {0}};
    const char *body = BODY(BILLING);
    ok(same(body, NULL, body, NULL, -1), "one order has one fingerprint");
    ok(same(body, NULL,
            "{" BILLING ",\"date_modified_gmt\":\"2026-11-25T00:43:19\",\"total\":150,\"currency\":\"USD\","
            "\"status\":\"processing\",\"id\":\"1001\",\"customer_note\":\"x\"}",
            NULL, -1),
       "whatever its keys' order, its types, its time and what is not planned");
    ok(!same(body, NULL, BODY(BILLING ",\"number\":\"5\""), NULL, -1), "another number: another fingerprint");
    ok(!same(body, NULL, body, tag, -1), "tags count");
    ok(!same(body, NULL, body, note, -1), "the note counts");
    ok(!same(body, NULL, body, stage, -1), "the stage counts");
    ok(same(body, NULL, body, source, -1), "the source does not: it is told once");
    ok(same(body, NULL, body, stage, PLAN_CONTACT), "a stage is no part of the contact");
    ok(!same(body, NULL, body, stage, PLAN_OPPORTUNITY), "but of the opportunity");
    ok(same(body, tag, body, tag, PLAN_TAGS), "tags have one hash");

    struct made m = make(body, NULL, NULL), other = make(body, NULL, NULL);
    static const unsigned char other_key[DIGEST_LEN] = "another key";
    plan_free(&other.plan);
    ok(plan_make(&other.order, "", &other.config, other_key, &other.plan, NULL) == PLAN_OK &&
           strcmp(m.plan.fingerprint, other.plan.fingerprint) != 0,
       "another key: another fingerprint");
    unmake(&m);
    unmake(&other);
}

static void test_shops(void)
{
    static const char *const two[][2] = {
        {"WOO_SHOPS", "main=shop.example.com,www.shop.example.com b2b=example.org/trade"}, {0}};
    struct made m =
        make(BODY("\"_links\":{\"self\":[{\"href\":\"https://example.org/trade/wp-json/wc/v3/orders/1\"}]}"),
             NULL, two);
    is_str(m.plan.key, "b2b:1001", "the shop that the links name");
    unmake(&m);
    m = make(
        BODY("\"_links\":{\"self\":[{\"href\":\"https://staging.example.org/wp-json/wc/v3/orders/1\"}]}"),
        NULL, two);
    is_int(m.result, PLAN_FOREIGN_SHOP, "a shop that is not known");
    ok(strstr(m.e.text, "staging.example.org") && strstr(m.e.text, "WOO_SHOPS"), "%s", m.e.text);
    unmake(&m);
    m = make("{\"id\":54}", "order.deleted", two);
    is_int(m.result, PLAN_FOREIGN_SHOP, "a body without links and without a source");
    ok(strstr(m.e.text, "without links"), "%s", m.e.text);
    unmake(&m);
}

static void test_broken_template(void)
{
    struct made m = make(BODY(BILLING), NULL, NULL);
    char *good = m.config.opportunity_name;
    char broken[] = "Order {number";
    plan_free(&m.plan);
    m.config.opportunity_name = broken;
    is_int(plan_make(&m.order, "", &m.config, hash_key, &m.plan, &m.e), PLAN_FAILED,
           "a broken template is no plan");
    ok(strstr(m.e.text, "template"), "%s", m.e.text);
    m.config.opportunity_name = good;
    unmake(&m);
}

int main(void)
{
    test_default();
    test_value();
    test_status();
    test_unmapped();
    test_unmapped_paid();
    test_sale();
    test_erased();
    test_standin_name();
    test_notes_for_the_log();
    test_schemes();
    test_note_lines();
    test_deleted();
    test_templates();
    test_fields();
    test_tags_removed();
    test_phone_left_out();
    test_source();
    test_hashes();
    test_shops();
    test_broken_template();
    return tap_done();
}
