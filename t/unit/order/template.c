#include "order/template.h"
#include "tap.h"
#include <stdlib.h>
#include <string.h>

static const char body[] =
    "{\"id\":43,\"number\":\"W-43\",\"status\":\"processing\",\"total\":\"21.76\",\"customer_note\":"
    "\"a\\nb\","
    "\"date_paid\":\"2026-11-24T19:43:19\",\"date_created\":null,\"prices_include_tax\":false,"
    "\"refunds\":[{\"total\":\"-1.76\"}],"
    "\"billing\":{\"first_name\":\"Jane &amp; Jo\",\"last_name\":\"Example\",\"company\":\"Example "
    "Co\",\"city\":\"\"},"
    "\"meta_data\":[{\"id\":1,\"key\":\"_utm\",\"value\":\"old\"},{\"id\":2,\"key\":\"_utm\",\"value\":"
    "\"new\"},"
    "{\"key\":\"a "
    "b.c\",\"value\":7},{\"key\":\"list\",\"value\":[\"x\",[\"y\"],\"z\"]},{\"key\":\"map\",\"value\":"
    "{\"k\":\"v\"}},{\"key\":\"nothing\",\"value\":null},{\"key\":5},null,\"x\"],"
    "\"line_items\":[{\"sku\":\"TEE\",\"name\":\"Tee\",\"quantity\":2,\"meta_data\":[{\"key\":\"Size\","
    "\"value\":\"M\"}]},"
    "{\"sku\":\"\",\"name\":\"Cap\",\"quantity\":1,\"meta_data\":{\"Size\":\"L\"}},"
    "{\"sku\":\"tee\",\"name\":\"Tee\\u0007\",\"quantity\":1}],"
    "\"fee_lines\":{\"0\":{\"name\":\"F1\"},\"2\":{\"name\":\"F2\"}},"
    "\"_links\":{\"self\":[{\"href\":\"https://shop.example.com/wp-json/wc/v3/orders/43\"}]}}";

static struct order order;
static struct template_scope scope = {&order, "main"};

static void renders(const char *text, const char *want)
{
    struct buf out;
    buf_init(&out, TEMPLATE_VALUE_MAX);
    is_str(template_render(text, &scope, TEMPLATE_VALUE_MAX, &out) ? out.data : "(refused)", want, "%.60s",
           text);
    buf_free(&out);
}

static void lists(const char *text, const char *want)
{
    json_t *list = template_list(text, &scope);
    char *got = list ? json_canonical(list) : strdup("(refused)");
    is_str(got, want, "list %.60s", text);
    free(got);
    json_decref(list);
}

static void refuses(const char *text, const char *why)
{
    struct error e = ERROR_NONE;
    ok(!template_check(text, &e) && strstr(e.text, why), "\"%s\" is refused: %s", text, e.text);
    renders(text, "(refused)");
    lists(text, "(refused)");
}

static void test_paths(void)
{
    renders("Order #{number}", "Order #W-43");
    renders("", "");
    renders("plain", "plain");
    renders("{id}", "43");
    renders("{billing.first_name} {billing.last_name}", "Jane & Jo Example");
    renders("{billing.city}", "");
    renders("{billing.city|none}", "none");
    renders("{billing.city|}", "");
    renders("{billing.company|none}", "Example Co");
    renders("{missing.path|-}", "-");
    renders("{billing|-}", "-");
    renders("{date_created_gmt|-}", "-");
    renders("{customer_note}", "a\nb");
    renders("{prices_include_tax}", "no");
    renders("{{literal}} {{{id}}}", "{literal} {43}");
    renders("{id}{,} {{,}}", "43, {,}");
    renders("{line_items.sku}", "TEE, tee");
    renders("{line_items.name}", "Tee, Cap, Tee");
    renders("{line_items.1.name}", "Cap");
    renders("{line_items.9.name|-}", "-");
    renders("{line_items.99999999999999999999999.name|-}", "-");
    renders("{line_items|-}", "-");
    renders("{fee_lines.name}", "F1, F2");
    renders("{fee_lines.0.name} {fee_lines.1.name} {fee_lines.2.name|-}", "F1 F2 -");
    renders("{id.x.y|-}", "-");
    renders("{total.0|-}", "-");
}

static void test_meta(void)
{
    renders("{meta._utm}", "new");
    renders("{meta.a b.c}", "7");
    renders("{meta.list}", "x, z");
    renders("{meta.map|-}", "-");
    renders("{meta.nothing|-}", "-");
    renders("{meta.missing|-}", "-");
    renders("{line_items.meta.Size}", "M, L");
    renders("{line_items.0.meta.Size}", "M");
    renders("{meta|-}", "-");
    renders("{billing.meta.x|-}", "-");
}

static void test_helpers(void)
{
    renders("{shop} {status}", "main processing");
    renders("{customer.name}", "Jane & Jo Example");
    renders("{items}", "2 \xc3\x97 Tee, 1 \xc3\x97 Cap, 1 \xc3\x97 Tee");
    renders("{value} of {total}, {refunded} back", "20.00 of 21.76, 1.76 back");
    renders("{admin_url}", "https://shop.example.com/wp-admin/post.php?post=43&action=edit");
    renders("{date_paid}", "2026-11-24");
    renders("{date_created|unknown}", "unknown");
}

static void test_check(void)
{
    struct error e = ERROR_NONE;
    ok(template_check("Order #{number} {meta.x y|z} {{}}", &e), "a good template");
    refuses("Order {number", "character 7: this { has no }");
    refuses("Order }", "has no {");
    refuses("{a{b}}", "has no }");
    refuses("{}", "no path");
    refuses("{ id }", "no path");
    refuses("{a..b}", "no path");
    refuses("{.a}", "no path");
    refuses("{a.}", "no path");
    refuses("{meta.}", "no path");
    refuses("{a b}", "no path");
    refuses("{|x}", "no path");
    refuses("{", "has no }");
    refuses("\xFF", "UTF-8");
    char longest[TEMPLATE_VALUE_MAX + 2];
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    ok(!template_check(longest, &e) && strstr(e.text, "4096 at most"), "one character too many");
    longest[TEMPLATE_VALUE_MAX] = '\0';
    ok(template_check(longest, &e), "as many as there may be");
    renders(longest, longest);
}

static void test_uses(void)
{
    ok(template_uses("Order #{number}", "number"), "a name that is used");
    ok(template_uses("{number|x}", "number"), "with a default");
    ok(!template_uses("{{number}}", "number"), "literal braces");
    ok(!template_uses("{numbers} {billing.number}", "number"), "other names");
    ok(!template_uses("number", "number"), "a word");
}

static void test_list(void)
{
    lists("", "[]");
    lists(" , ,", "[]");
    lists("WooCommerce, Buyer ,woocommerce", "[\"woocommerce\",\"buyer\"]");
    lists("bought-{line_items.sku}", "[\"bought-tee\"]");
    lists("{line_items.name}", "[\"tee\",\"cap\"]");
    lists("{line_items.quantity}x{line_items.name}", "[\"2xtee\",\"1xcap\",\"1xtee\"]");
    /* what stands side by side is of one item, also where one lacks it */
    lists("{line_items.name}-{line_items.sku}", "[\"tee-tee\"]");
    lists("{line_items.name}={line_items.sku|none}", "[\"tee=tee\",\"cap=none\"]");
    lists("{line_items.meta.Size} {line_items.quantity} {line_items.name}", "[\"m 2 tee\",\"l 1 cap\"]");
    lists("{line_items.sku|none}", "[\"tee\",\"none\"]");
    lists("{line_items.colour|none}", "[\"none\"]");
    lists("{line_items.colour}", "[]");
    lists("{shop}-{line_items.name}-{billing.last_name}", "[\"main-tee-example\",\"main-cap-example\"]");
    lists("city-{billing.city}", "[]");
    lists("city-{billing.city|none, at all},b", "[\"city-none, at all\",\"b\"]");
    lists("{billing.last_name}{,} {billing.company},c", "[\"example, example co\",\"c\"]");
    lists("{{a,b}},c", "[\"{a\",\"b}\",\"c\"]");
    lists("{meta.list}", "[\"x\",\"z\"]");
    /* two lists of different length end with the shorter one */
    lists("{meta.list}-{line_items.name}", "[\"x-tee\",\"z-cap\"]");
}

/* given an order of many and long values, when rendered, then the result is bounded and cut at a character */
static void test_limits(void)
{
    enum { ITEMS = 20000 };
    struct buf text, out;
    struct order_verdict verdict;
    struct order many;
    buf_init(&text, 4 << 20);
    buf_adds(&text, "{\"id\":1,\"status\":\"processing\",\"total\":\"1\",\"customer_note\":\"");
    for (int i = 0; i < 5000; i++)
        buf_adds(&text, "\xC3\xA9");
    buf_adds(&text, "\",\"line_items\":[");
    for (int i = 0; i < ITEMS; i++)
        buf_addf(&text, "%s{\"sku\":\"s%d\"}", i ? "," : "", i);
    buf_adds(&text, "]}");
    verdict = order_parse(text.data, text.len, NULL, &many);
    is_int(verdict.kind, ORDER_FULL, "an order of 20000 lines");
    struct template_scope big = {&many, "main"};
    buf_init(&out, TEMPLATE_VALUE_MAX);
    ok(template_render("x{customer_note}", &big, TEMPLATE_VALUE_MAX, &out),
       "a note of 10000 bytes is rendered");
    is_int(out.len, 4096, "and cut at a character's end");
    is_str(out.data + out.len - 5, "\xC3\xA9\xE2\x80\xA6", "which shows");
    buf_reset(&out);
    ok(template_render("{line_items.sku}{line_items.sku}{line_items.sku}{line_items.sku}", &big,
                       TEMPLATE_VALUE_MAX, &out),
       "so are long lists");
    ok(out.len <= TEMPLATE_VALUE_MAX, "and cut");
    json_t *list = template_list("a{line_items.sku},b{line_items.sku}", &big);
    is_int(json_array_size(list), TEMPLATE_LIST_MAX, "a list has its maximum");
    json_decref(list);
    buf_free(&out);
    buf_free(&text);
    order_free(&many);
}

/* given a text that is too long, then its longest values lose their ends, and nothing else */
static void test_shortened(void)
{
    static const char many[] =
        "{\"id\":7,\"number\":\"W-2026-0000007\",\"status\":\"processing\",\"total\":\"1\",\"customer_note\":"
        "\"short\",\"line_items\":[{\"sku\":\"aaaaaaaaaaaaaaaaaaaaaaaa\"},{\"sku\":"
        "\"bbbbbbbbbbbbbbbbbbbbbbbb\"}]}";
    struct order long_one;
    struct order_verdict verdict = order_parse(many, strlen(many), NULL, &long_one);
    struct template_scope of = {&long_one, "main"};
    struct buf out;
    is_int(verdict.kind, ORDER_FULL, "given an order");
    buf_init(&out, 256);
    ok(template_render("{line_items.sku} ({customer_note}) #{number}", &of, 40, &out), "a long list first");
    is_str(out.data, "aaaaaaaaaaaaa\xE2\x80\xA6 (short) #W-2026-0000007", "the rest is whole");
    is_int(out.len, 40, "and there is no room left");
    buf_reset(&out);
    ok(template_render("{line_items.sku}{number}", &of, 16, &out), "hardly any room");
    is_str(out.data, "W-2026-0000007", "is the number's");
    buf_reset(&out);
    ok(template_render("{customer_note}", &of, 5, &out), "what fits exactly");
    is_str(out.data, "short", "is not cut");
    is_int(template_literal_len("a{x|bc}{{{id}"), 4, "letters, a default, a brace");
    buf_free(&out);
    order_free(&long_one);
}

static void test_known_paths(void)
{
    static const char *const good[] = {"",
                                       "x",
                                       "{number}",
                                       "{items} {customer.name} {attribution}",
                                       "{billing.city}",
                                       "{shipping.city}",
                                       "{line_items.sku} {line_items.0.name} {line_items.0.image.src}",
                                       "{line_items.meta.Any Size} {line_items.2.meta_data.0.value}",
                                       "{line_items.bundled_by|}",
                                       "{meta.any thing}",
                                       "{meta_data.0.value}",
                                       "{gift_wrap|}",
                                       "{coupon_lines.code} {fee_lines.amount} {refunds.reason}",
                                       "{shipping_lines.method_title} {tax_lines.rate_percent}",
                                       "{_links.self.href}",
                                       "{,}"};
    static const char *const bad[] = {"{nmber}",          "a{biling.city}",         "{billing}",
                                      "{billing.town}",   "{shipping.email}",       "{customer.first_name}",
                                      "{billing.city.0}", "{metadata.x}",           "{line_items.skuu}",
                                      "{line_items}",     "{line_items.0}",         "{line_items.sku.x}",
                                      "{meta}",           "{line_items.meta_data}", "{total.x}",
                                      "{refunds.amount}", "{coupon_lines.id.x}"};
    struct error e = ERROR_NONE;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        ok(template_check_paths(good[i], &e), "\"%s\" may be", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ok(!template_check_paths(bad[i], &e), "\"%s\" is nothing of an order's", bad[i]);
    ok(!template_check_paths("{ok|x} {biling.city}", &e) && strstr(e.text, "{biling.city} is nothing"),
       "the path is named");
}

static void test_values(void)
{
    json_t *list = template_values("A, {line_items.sku}", &scope);
    char *got = json_canonical(list);
    ok(got && strstr(got, "\"A, "), "commas are literal and capitals stay: %s", got);
    ok(json_array_size(list) > 1, "one value for each item");
    free(got);
    json_decref(list);
    ok(!template_values("{", &scope), "none of what is not well formed");
}

int main(void)
{
    struct order_verdict verdict = order_parse(body, strlen(body), NULL, &order);
    is_int(verdict.kind, ORDER_FULL, "given an order");
    test_paths();
    test_meta();
    test_helpers();
    test_check();
    test_uses();
    test_list();
    test_limits();
    test_shortened();
    test_known_paths();
    test_values();
    order_free(&order);
    return tap_done();
}
