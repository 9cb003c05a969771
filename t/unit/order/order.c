#include "order/order.h"
#include "tap.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const minimal =
    "{\"id\":1001,\"status\":\"processing\",\"total\":\"150.00\",\"currency\":\"USD\","
    "\"billing\":{\"first_name\":\"Jo\",\"email\":\"john@example.com\"}}";

static struct order_verdict parse(const char *body, const char *topic, const char *resource,
                                  struct order *order)
{
    struct order_headers headers = {topic, resource, NULL};
    return order_parse(body, strlen(body), &headers, order);
}

static void is_reason(const char *body, const char *topic, const char *resource, const char *reason,
                      const char *advice)
{
    struct order order;
    struct order_verdict verdict = parse(body, topic, resource, &order);
    is_int(verdict.kind, ORDER_NOT_ORDER, "%.50s (%s) is no order", body, topic ? topic : "no topic");
    is_str(verdict.reason, reason, "because of %s", reason);
    ok(strstr(verdict.advice, advice), "its advice speaks of \"%s\"", advice);
    ok(!order.json && !order.site, "and nothing is left to free");
    order_free(&order);
}

static void is_total(const char *total, const char *refunds, const char *want)
{
    char body[1024], text[DECIMAL_TEXT_SIZE] = "none";
    struct order order;
    snprintf(body, sizeof body, "{\"id\":1,\"status\":\"completed\",\"total\":%s,\"refunds\":%s}", total,
             refunds);
    struct order_verdict verdict = parse(body, NULL, NULL, &order);
    struct decimal sum;
    if (verdict.kind == ORDER_FULL && order.has_total && decimal_add(order.total, order.refunds, &sum))
        decimal_format(sum, 4, text);
    is_str(text, want, "total %s, refunds %.60s", total, refunds);
    order_free(&order);
}

static void test_minimal(void)
{
    struct order order;
    struct order_verdict verdict = parse(minimal, NULL, NULL, &order);
    is_int(verdict.kind, ORDER_FULL, "the smallest order is one, without any header");
    is_str(order.id, "1001", "id");
    is_str(order.number, "1001", "the number falls back to the id");
    is_str(order.status, "processing", "status");
    is_str(order.currency, "USD", "currency");
    ok(order.has_total, "a total");
    is_int(order.created_s, 0, "no date");
    is_str(order.site, "", "no links, no site");
    is_str(order.admin_url, "", "and no admin page");
    is_str(order_billing(&order, "email"), "john@example.com", "billing field");
    is_str(order_billing(&order, "phone"), "", "missing billing field");
    order_free(&order);

    struct order_headers headers = {"order.created", "order", "https://shop.example.com/"};
    verdict = order_parse(minimal, strlen(minimal), &headers, &order);
    is_int(verdict.kind, ORDER_FULL, "with headers");
    order_free(&order);
    verdict = order_parse(minimal, strlen(minimal), NULL, &order);
    is_int(verdict.kind, ORDER_FULL, "without the headers' struct");
    order_free(&order);
    verdict = parse(minimal, "order.deleted", "order", &order);
    is_int(verdict.kind, ORDER_FULL, "a whole body under order.deleted is an order");
    is_str(order.status, "processing", "with its own status");
    order_free(&order);
}

static void test_whole(void)
{
    struct order order;
    struct order_verdict verdict =
        parse("{\"id\":43,\"number\":\"W-0043\",\"status\":\"wc-completed\",\"total\":21.76,"
              "\"date_created_gmt\":\"2026-11-25T00:43:19\",\"date_modified_gmt\":\"2026-11-25T00:43:20\","
              "\"_links\":{\"self\":[{\"href\":\"https:\\/\\/Shop.Example.com\\/de\\/wp-json\\/wc\\/v3\\/"
              "orders\\/43\"}]}}",
              "order.updated", "order", &order);
    is_int(verdict.kind, ORDER_FULL, "an order");
    is_str(order.number, "W-0043", "its own number");
    is_str(order.status, "completed", "the status without wc-");
    is_int(order.created_s, 1795567399, "created");
    is_int(order.modified_s, 1795567400, "modified");
    is_str(order.link_site, "shop.example.com/de", "the site of the link");
    is_str(order.site, "shop.example.com", "the shop's site");
    is_str(order.admin_url, "https://shop.example.com/wp-admin/post.php?post=43&action=edit", "admin page");
    order_free(&order);
}

static void test_id(void)
{
    static const struct {
        const char *id, *want;
    } cases[] = {
        {"54", "54"},
        {"\"54\"", "54"},
        {"\"0054\"", "54"},
        {"9999999999999999999", "9999999999999999999"},
        {"99999999999999999999", NULL},
        {"0", NULL},
        {"\"0\"", NULL},
        {"\"\"", NULL},
        {"-5", NULL},
        {"1e3", NULL},
        {"54.0", NULL},
        {"\" 54\"", NULL},
        {"\"54a\"", NULL},
        {"\"W-54\"", NULL},
        {"null", NULL},
        {"true", NULL},
        {"[54]", NULL},
        {"{\"id\":54}", NULL},
        {"\"5\\u00004\"", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char body[200];
        struct order order;
        snprintf(body, sizeof body, "{\"id\":%s,\"status\":\"processing\",\"total\":\"1\"}", cases[i].id);
        struct order_verdict verdict = parse(body, "order.created", "order", &order);
        if (cases[i].want) {
            is_str(order.id, cases[i].want, "id %s", cases[i].id);
        } else {
            ok(verdict.kind == ORDER_NOT_ORDER && !strcmp(verdict.reason, "no_id"), "id %s is none",
               cases[i].id);
        }
        order_free(&order);
    }
    is_reason("{\"status\":\"processing\",\"total\":\"1\"}", NULL, NULL, "no_id", "above 0");
}

static void test_amounts(void)
{
    is_total("\"21.76\"", "[]", "21.76");
    is_total("21.76", "[]", "21.76");
    is_total("19.989999999999998", "[]", "19.99");
    is_total("\"-3.50\"", "[]", "-3.5");
    is_total("\"48.97\"",
             "[{\"id\":59,\"reason\":\"\",\"total\":\"-8.99\"},{\"id\":58,\"total\":\"-39.98\"}]", "0");
    is_total("\"10\"", "[{\"total\":\"-0.1\"},{\"total\":\"-0.2\"}]", "9.7");
    is_total("\"10\"", "[{\"total\":-2.5}]", "7.5");
    is_total("\"10\"", "[{\"total\":\"2.5\"}]", "7.5");
    is_total("\"10\"", "{\"0\":{\"total\":\"-1\"},\"2\":{\"total\":\"-2\"}}", "7");
    is_total("\"10\"", "[{\"total\":null},{\"total\":[]},{},null,7,\"-5\",[]]", "10");
    is_total("\"10\"", "[{\"total\":\"about 2\"}]", "none");
    is_total("\"149,90\"", "[{\"total\":\"-20,00\"}]", "129.9");
    is_total("\"10\"", "null", "10");
    is_total("\"10\"", "\"-5\"", "10");
    is_total("\"\"", "[]", "none");
    is_total("null", "[]", "none");
    is_total("[\"5\"]", "[]", "none");
    is_total("true", "[]", "none");
    is_total("\"1,234.50\"", "[]", "1234.5");
    is_total("\"1,234\"", "[]", "none");
    is_total("1e30", "[]", "none");
}

static void is_note(const char *members, const char *note, int places)
{
    char body[400];
    struct order order;
    snprintf(body, sizeof body, "{\"id\":1,\"status\":\"completed\",\"order_key\":\"k\"%s}", members);
    (void)parse(body, NULL, NULL, &order);
    is_str(order.amount_note, note, "note of %s", members);
    ok(order.has_total == !*note, "and the amounts are %sknown", *note ? "not " : "");
    is_int(order.places, places, "and their decimals");
    order_free(&order);
}

static void test_amount_notes(void)
{
    is_note(",\"total\":\"150.00\"", "", 2);
    is_note(",\"total\":\"150\"", "", 0);
    is_note(",\"total\":\"6.125\"", "", 3);
    is_note(",\"total\":19.989999999999998", "", 0);
    is_note(",\"total\":150,\"refunds\":[{\"total\":\"-19.20\"}]", "", 2);
    is_note("", "total is missing", 0);
    is_note(",\"total\":\" \"", "total is missing", 0);
    is_note(",\"total\":\"1,234\"", "total '1,234' may be either of two amounts", 0);
    is_note(",\"total\":\"soon: <b>\"", "total is no amount", 0);
    is_note(",\"total\":\"1\",\"refunds\":[{\"total\":\"-1\"},{\"total\":\"1,000\"}]",
            "refunds.1.total '1,000' may be either of two amounts", 0);
    is_note(",\"total\":\"-999999999999999999\",\"refunds\":[{\"total\":\"-999999999999999999\"}]",
            "total less refunds has more than 18 digits", 0);
}

/* Numbers, keys and the like: plain, of a bounded length, and never doubled. */
static void test_words(void)
{
    static const struct {
        const char *number, *want;
    } cases[] = {{"#1001", "1001"}, {"# 1001 ", "1001"},  {"W-1", "W-1"}, {"#", "7"},
                 {"\\u200b", "7"},  {"<b>5</b>", "b5/b"}, {"a#1", "a#1"}};
    struct order order;
    char body[1200], longest[501];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(body, sizeof body, "{\"id\":7,\"status\":\"x\",\"total\":\"1\",\"number\":\"%s\"}",
                 cases[i].number);
        (void)parse(body, NULL, NULL, &order);
        is_str(order.number, cases[i].want, "number %s", cases[i].number);
        is_str(json_text(order.json, "number"), cases[i].want, "and templates see the same");
        order_free(&order);
    }
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    snprintf(body, sizeof body, "{\"id\":7,\"status\":\"wc-%s\",\"total\":\"1\",\"order_key\":\"%s\"}",
             longest, longest);
    (void)parse(body, NULL, NULL, &order);
    is_int(strlen(order.order_key), ORDER_KEY_MAX, "an endless key is cut");
    ok(strlen(order.status) <= ORDER_WORD_MAX, "and an endless status");
    order_free(&order);
    (void)parse("{\"id\":7,\"status\":\"wc-\",\"order_key\":\"wc_order_Ab1\"}", NULL, NULL, &order);
    is_str(order.order_key, "wc_order_Ab1", "the key");
    is_str(order.status, "wc-", "a status is never nothing");
    order_free(&order);
    (void)parse("{\"id\":7,\"status\":\"<>\",\"total\":\"1\"}", NULL, NULL, &order);
    is_str(order.status, "unknown", "not even one that cannot be seen");
    is_str(order.order_key, "", "no key");
    order_free(&order);
}

static void is_kind(const char *members, bool erased, bool sub_order)
{
    char body[400];
    struct order order;
    snprintf(body, sizeof body, "{\"id\":7,\"status\":\"completed\",\"total\":\"1\",%s}", members);
    (void)parse(body, NULL, NULL, &order);
    ok(order.erased == erased, "%s: %serased", members, erased ? "" : "not ");
    ok(order.sub_order == sub_order, "%s: %sa sub-order", members, sub_order ? "" : "not ");
    order_free(&order);
}

static void test_kinds(void)
{
    is_kind("\"meta_data\":[{\"key\":\"_anonymized\",\"value\":\"yes\"}]", true, false);
    is_kind("\"meta_data\":{\"_anonymized\":true}", true, false);
    is_kind("\"meta_data\":[{\"key\":\"_anonymized\",\"value\":\"no\"}]", false, false);
    is_kind("\"meta_data\":[{\"key\":\"_anonymized\",\"value\":\"\"}]", false, false);
    is_kind("\"billing\":{\"first_name\":\"[deleted]\"}", true, false);
    is_kind("\"billing\":{\"email\":\"Deleted@Site.invalid\"}", true, false);
    is_kind("\"billing\":{\"email\":\"1a2b@site.invalid\"}", true, false);
    is_kind("\"shipping\":{\"address_1\":\"[deleted]\"}", true, false);
    is_kind("\"billing\":{\"first_name\":\"deleted\",\"email\":\"a@site.invalid.example.com\"}", false,
            false);
    is_kind("\"customer_ip_address\":\"0.0.0.0\"", false, false);
    is_kind("\"parent_id\":100", false, true);
    is_kind("\"parent_id\":\"100\"", false, true);
    is_kind("\"parent_id\":0", false, false);
    is_kind("\"parent_id\":\"\"", false, false);
    is_kind("\"parent_id\":null", false, false);
    is_kind("\"parent_id\":5,\"meta_data\":[{\"key\":\"_subscription_renewal\",\"value\":\"77\"}]", false,
            false);
    is_kind("\"parent_id\":5,\"meta_data\":[{\"key\":\"_subscription_renewal\",\"value\":77}]", false, false);
    is_kind("\"parent_id\":5,\"created_via\":\"subscription\"", false, false);
    is_kind("\"parent_id\":5,\"meta_data\":[{\"key\":\"_subscription_renewal\",\"value\":\"\"}]", false,
            true);
}

static void is_dated(const char *members, int64_t created, int64_t paid, int64_t modified)
{
    char body[400];
    struct order order;
    snprintf(body, sizeof body, "{\"id\":7,\"status\":\"completed\",\"total\":\"1\",%s}", members);
    (void)parse(body, NULL, NULL, &order);
    is_int(order.created_s, created, "created: %s", members);
    is_int(order.paid_s, paid, "paid");
    is_int(order.modified_s, modified, "modified");
    order_free(&order);
}

static void test_dates(void)
{
    is_dated("\"date_created_gmt\":\"2026-11-25T00:43:19\",\"date_created\":\"2026-11-24T19:43:19\","
             "\"date_paid_gmt\":\"2026-11-25T00:43:20\",\"date_modified_gmt\":\"2026-11-25T00:43:21\"",
             1795567399, 1795567400, 1795567401);
    /* version 1 of the API */
    is_dated("\"date_created\":\"2026-11-25T00:43:19\",\"date_paid\":null,\"date_modified\":\"2026-11-25T00:"
             "43:21\"",
             1795567399, 0, 1795567401);
    is_dated("\"created_at\":\"2026-11-25T00:43:19Z\",\"updated_at\":\"2026-11-25T00:43:21Z\"", 1795567399, 0,
             1795567401);
    is_dated("\"date_created_gmt\":\"soon\"", 0, 0, 0);
}

static void test_deleted(void)
{
    struct order order;
    struct order_verdict verdict = parse("{\"id\":54}", "order.deleted", "order", &order);
    is_int(verdict.kind, ORDER_DELETED, "an id alone under order.deleted");
    is_str(order.id, "54", "has its id");
    is_str(order.number, "54", "its number");
    is_str(order.status, "trash", "and the status trash");
    is_str(order.site, "", "and no site");
    order_free(&order);
    verdict = parse("{\"id\":54}", "order.deleted", NULL, &order);
    is_int(verdict.kind, ORDER_DELETED, "the same without a resource");
    order_free(&order);

    is_reason("{\"id\":54}", NULL, NULL, "other_resource", "order.deleted");
    is_reason("{\"id\":54}", "order.updated", "order", "other_resource", "order.deleted");
    is_reason("{\"id\":54}", "customer.deleted", "customer", "other_resource", "not about orders");
    is_reason("{\"id\":54}", "order.deleted", "product", "other_resource", "not about orders");
    is_reason("{\"id\":\"x\"}", "order.deleted", "order", "no_id", "above 0");
    is_reason("{\"id\":54,\"name\":\"x\"}", "order.deleted", "order", "other_resource", "no order");
}

static void test_not_orders(void)
{
    is_reason("", "order.created", "order", "empty_body", "empty");
    is_reason(" \r\n\t", "order.created", "order", "empty_body", "empty");
    is_reason("\xEF\xBB\xBF", "order.created", "order", "empty_body", "empty");
    is_reason("[]", NULL, NULL, "not_an_object", "not an object");
    is_reason("null", NULL, NULL, "not_an_object", "not an object");
    is_reason("12", NULL, NULL, "not_an_object", "not an object");
    is_reason("\"order\"", "order.created", "order", "not_an_object", "not an object");
    is_reason("[]", "order.deleted", "order", "not_an_object", "not an object");
    is_reason("{}", "order.created", "order", "no_id", "no id");
    is_reason("{\"code\":\"woocommerce_rest_cannot_view\",\"message\":\"Sorry\",\"data\":{\"status\":401}}",
              "order.updated", "order", "rest_error", "as an administrator");
    is_reason("{\"code\":\"woocommerce_rest_shop_order_invalid_id\",\"message\":\"Invalid ID.\"}",
              "order.created", "order", "rest_error", "deleted before");
    is_reason("{\"code\":\"rest_no_route\",\"message\":\"No route\",\"data\":{\"status\":404}}",
              "order.created", "order", "rest_error", "REST API was loaded");
    is_reason("{\"code\":\"something_new\",\"message\":\"x\"}", NULL, NULL, "rest_error", "something_new");
    is_reason("{\"code\":\"Jane <jane@example.com>\",\"message\":\"x\"}", NULL, NULL, "rest_error",
              "of unknown form");
    is_reason("{\"errors\":[{\"code\":\"woocommerce_api_user_cannot_read_order\",\"message\":\"x\"}]}", NULL,
              NULL, "rest_error", "woocommerce_api_user_cannot_read_order");
    is_reason("{\"errors\":[]}", NULL, NULL, "rest_error", "administrator");
    is_reason("{\"action\":\"woocommerce_payment_complete\",\"arg\":70}",
              "action.woocommerce_payment_complete", "action", "action", "Order created");
    is_reason("{\"action\":\"" ORDER_WEBHOOK_DISABLED "\",\"arg\":70}", "action." ORDER_WEBHOOK_DISABLED,
              "action", "webhook_disabled", "set it to Active");
    is_reason("{\"action\":\"woocommerce_payment_complete\",\"arg\":70}", NULL, NULL, "action",
              "Order created");
    is_reason("{\"order\":{\"id\":5,\"status\":\"processing\",\"total\":\"1\"}}", "order.created", "order",
              "legacy_api", "API version");
    is_reason(minimal, "product.updated", "product", "other_resource", "not about orders");
    is_reason(minimal, "order.created", "customer", "other_resource", "not about orders");
    is_reason(minimal, "subscription.created", "", "other_resource", "not about orders");
}

static void test_other_resources(void)
{
    /* given bodies of other resources whose headers were lost on the way */
    is_reason(
        "{\"id\":3,\"email\":\"a@example.com\",\"role\":\"customer\",\"billing\":{},\"username\":\"a\"}",
        NULL, NULL, "other_resource", "no order");
    is_reason("{\"id\":11,\"name\":\"Tee\",\"status\":\"publish\",\"price\":\"1\",\"total_sales\":0}", NULL,
              NULL, "other_resource", "no order");
    is_reason("{\"id\":9,\"code\":\"ten\",\"amount\":\"10\",\"status\":\"publish\",\"message\":\"x\"}", NULL,
              NULL, "other_resource", "no order");
    is_reason("{\"id\":55,\"amount\":\"5.00\",\"reason\":\"\",\"line_items\":[]}", NULL, NULL,
              "other_resource", "no order");
    is_reason("{\"id\":55,\"status\":\"active\",\"total\":\"5\",\"billing_period\":\"month\","
              "\"billing_interval\":\"1\"}",
              NULL, NULL, "other_resource", "no order");
    is_reason("{\"id\":5,\"status\":null,\"total\":\"5\"}", NULL, NULL, "other_resource", "no order");
    is_reason("{\"id\":5,\"status\":[],\"total\":\"5\"}", NULL, NULL, "other_resource", "no order");
}

static void test_bad_json(void)
{
    static const char *const bodies[] = {"{",           "{} {}", "webhook_id=1",
                                         "{\"id\":01}", "\xFF",  "{\"a\":\"\xC3\"}"};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct order order;
        struct order_verdict verdict = parse(bodies[i], "order.created", "order", &order);
        ok(verdict.kind == ORDER_BAD_JSON && !strcmp(verdict.reason, "bad_json"), "body %zu is bad JSON", i);
        ok(strstr(verdict.advice, "cannot be decoded"), "%s", verdict.advice);
        order_free(&order);
    }
}

static void test_any_type(void)
{
    /* given every field of every type, when an order is read, then it is read or refused, never misread */
    static const char *const fields[] = {"status",
                                         "total",
                                         "refunds",
                                         "number",
                                         "currency",
                                         "billing",
                                         "meta_data",
                                         "date_created_gmt",
                                         "date_modified_gmt",
                                         "_links",
                                         "line_items"};
    static const char *const values[] = {"null",
                                         "true",
                                         "0",
                                         "-1.5e9",
                                         "\"\"",
                                         "\"\\u0000\\ud800\"",
                                         "[]",
                                         "{}",
                                         "[[]]",
                                         "[{}]",
                                         "{\"self\":{}}",
                                         "{\"self\":[1]}",
                                         "{\"self\":[{\"href\":5}]}",
                                         "{\"email\":[\"x\"]}"};
    for (size_t f = 0; f < sizeof fields / sizeof *fields; f++)
        for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
            char body[400];
            struct order order;
            snprintf(body, sizeof body, "{\"id\":7,\"status\":\"processing\",\"order_key\":\"k\",\"%s\":%s}",
                     fields[f], values[v]);
            struct order_verdict verdict = parse(body, "order.created", "order", &order);
            ok(verdict.kind == ORDER_FULL
                   ? !strcmp(order.id, "7") && *order.status && !*order_billing(&order, "email")
                   : !strcmp(verdict.reason, "other_resource"),
               "%s: %s", fields[f], values[v]);
            order_free(&order);
        }
}

static void test_site(void)
{
    static const struct {
        const char *url, *want;
    } cases[] = {
        {"https://shop.example.com/wp-json/wc/v3/orders/43", "shop.example.com"},
        {"https://shop.example.com/", "shop.example.com"},
        {"https://shop.example.com", "shop.example.com"},
        {"HTTPS://SHOP.example.COM/De/wp-json/wc/v3/orders/1", "shop.example.com/De"},
        {"http://example.com/a/b//", "example.com/a/b"},
        {"https://example.com/shop/index.php/wp-json/wc/v3/orders/1", "example.com/shop"},
        {"https://example.com/?rest_route=/wc/v3/orders/1", "example.com"},
        {"https://example.com/shop/index.php?rest_route=/wc/v3/orders/1", "example.com/shop"},
        {"https://example.com?rest_route=/wc", "example.com"},
        {"https://example.com:443/wp-json/", "example.com"},
        {"http://example.com:80/wp-json/", "example.com"},
        {"http://localhost:8080/wp-json/", "localhost:8080"},
        {"http://[::1]:8080/shop", "[::1]:8080/shop"},
        {"https://example.com./", "example.com"},
        {"https://example.com/api/wc/v3/orders/43", "example.com"},
        {"https://example.com/shop/api/wc/v3/orders/43", "example.com/shop"},
        {"https://example.com/wc/versions/wp-json/wc/v3/orders/1", "example.com/wc/versions"},
        {"https://user:pw@example.com/", ""},
        {"https://exa mple.com/", ""},
        {"https://example.com/a\nb/wp-json/", ""},
        {"https:///wp-json/", ""},
        {"https://", ""},
        {"ftp://example.com/", ""},
        {"shop.example.com", ""},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *site = order_site(cases[i].url);
        is_str(site, cases[i].want, "site of case %zu", i);
        free(site);
    }
}

static void test_same_site(void)
{
    static const struct {
        const char *site, *want;
    } cases[] = {
        {"shop.example.com", "shop.example.com"},
        {"www.shop.example.com", "shop.example.com"},
        {"shop.example.com/de", "shop.example.com"},
        {"www.shop.example.com/pt-br", "shop.example.com"},
        {"shop.example.com/pt_BR", "shop.example.com"},
        {"shop.example.com/zh-hans", "shop.example.com"},
        {"shop.example.com/es-419", "shop.example.com"},
        {"shop.example.com/shop/de", "shop.example.com/shop"},
        {"shop.example.com/de/shop", "shop.example.com/shop"},
        {"shop.example.com/shop", "shop.example.com/shop"},
        {"shop.example.com/wp", "shop.example.com/wp"},
        {"shop.example.com/b2b", "shop.example.com/b2b"},
        {"shop.example.com/my-shop", "shop.example.com/my-shop"},
        {"shop.example.com/de-archive", "shop.example.com/de-archive"},
        {"shop.example.com:8443/de", "shop.example.com:8443"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char site[64];
        snprintf(site, sizeof site, "%s", cases[i].site);
        order_site_normalise(site);
        is_str(site, cases[i].want, "%s", cases[i].site);
    }
}

static void is_admin(const char *href, const char *image, const char *want)
{
    char body[500], url[200];
    struct order order;
    snprintf(body, sizeof body,
             "{\"id\":7,\"status\":\"completed\",\"line_items\":[{\"image\":{\"src\":\"\"}},{\"image\":{"
             "\"src\":\"%s\"}}],"
             "\"_links\":{\"self\":[{\"href\":\"%s/wp-json/wc/v3/orders/7\"}]}}",
             image, href);
    (void)parse(body, NULL, NULL, &order);
    snprintf(url, sizeof url, "%s/wp-admin/post.php?post=7&action=edit", want);
    is_str(order.admin_url, url, "%s, picture %s", href, image);
    order_free(&order);
}

static void test_admin_url(void)
{
    is_admin("https://example.com", "", "https://example.com");
    is_admin("http://example.com/shop", "", "http://example.com/shop");
    is_admin("https://example.com/de", "", "https://example.com");
    is_admin("https://example.com/shop/de", "", "https://example.com/shop");
    /* WordPress in a directory of its own: pictures lie in it, the site does not */
    is_admin("https://example.com", "https://example.com/wp/wp-content/uploads/a.png",
             "https://example.com/wp");
    is_admin("https://www.example.com/de", "https://WWW.example.com/core/wp-content/a.png",
             "https://www.example.com/core");
    is_admin("https://example.com/shop", "https://example.com/shop/wp-content/a.png",
             "https://example.com/shop");
    is_admin("https://example.com/shop", "https://cdn.example.com/x/wp-content/a.png",
             "https://example.com/shop");
    is_admin("https://example.com/shop", "https://example.com/pictures/a.png?of=/wp-content/",
             "https://example.com/shop");
    /* a network's sites share the directory of pictures */
    is_admin("https://example.com/de", "https://example.com/wp-content/uploads/sites/2/a.png",
             "https://example.com/de");
}

int main(void)
{
    test_minimal();
    test_whole();
    test_id();
    test_amounts();
    test_amount_notes();
    test_words();
    test_kinds();
    test_dates();
    test_deleted();
    test_not_orders();
    test_other_resources();
    test_bad_json();
    test_any_type();
    test_site();
    test_same_site();
    test_admin_url();
    return tap_done();
}
