#include "order/contact.h"
#include "tap.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The contact of an order whose billing is the JSON given, in canonical form. */
static char *contact_text(const char *billing)
{
    struct order order;
    struct buf body;
    buf_init(&body, 65536);
    buf_addf(&body, "{\"id\":7,\"number\":\"W-7\",\"status\":\"processing\",\"billing\":%s}", billing);
    struct order_verdict verdict = order_parse(body.data, body.len, NULL, &order);
    json_t *contact = verdict.kind == ORDER_FULL ? contact_of(&order, "main") : NULL;
    char *text = contact ? json_canonical(contact) : strdup(verdict.advice);
    json_decref(contact);
    order_free(&order);
    buf_free(&body);
    return text;
}

static void is_contact(const char *billing, const char *want)
{
    char *got = contact_text(billing);
    is_str(got, want, "%.100s", billing);
    free(got);
}

static void test_whole(void)
{
    is_contact(
        "{\"first_name\":\" Jane \",\"last_name\":\"O&#039;Neil\",\"company\":\"Example &amp; "
        "Co\",\"address_1\":"
        "\"12 Sample St\",\"address_2\":\"Apt 3\",\"city\":\"New York\",\"state\":\"NY\",\"postcode\":10001,"
        "\"country\":\"us\",\"email\":\" Jane@Example.COM \",\"phone\":\"(555) 555-0123\"}",
        "{\"address1\":\"12 Sample St, Apt 3\",\"city\":\"New York\",\"companyName\":\"Example & Co\","
        "\"country\":\"US\",\"email\":\"jane@example.com\",\"firstName\":\"Jane\",\"lastName\":\"O'Neil\","
        "\"phone\":\"+15555550123\",\"postalCode\":\"10001\",\"state\":\"NY\"}");
    is_contact("{\"address_2\":\"Apt 3\",\"email\":\"a@example.com\"}",
               "{\"address1\":\"Apt 3\",\"email\":\"a@example.com\"}");
}

static void test_names(void)
{
    /* given an email, a missing name stays missing: the contact's own name in GHL is not overwritten */
    is_contact("{\"company\":\"Example Co\",\"email\":\"a@example.com\"}",
               "{\"companyName\":\"Example Co\",\"email\":\"a@example.com\"}");
    is_contact("{\"email\":\"a@example.com\"}", "{\"email\":\"a@example.com\"}");
    is_contact("{\"phone\":\"+15555550123\"}", "{\"phone\":\"+15555550123\"}");
    /* given neither, something names the contact */
    is_contact("{\"last_name\":\"Doe\"}", "{\"lastName\":\"Doe\"}");
    is_contact("{\"company\":\"Example Co\"}",
               "{\"companyName\":\"Example Co\",\"firstName\":\"Example Co\"}");
    is_contact("{\"city\":\"Berlin\"}", "{\"city\":\"Berlin\",\"firstName\":\"main order W-7\"}");
    is_contact("{\"first_name\":\"\\u0007 \",\"email\":\"none\",\"phone\":\"none\"}",
               "{\"firstName\":\"main order W-7\"}");
}

static void test_nothing(void)
{
    static const char *const billing[] = {"{}",
                                          "[]",
                                          "null",
                                          "\"x\"",
                                          "5",
                                          "[{\"email\":\"a@example.com\"}]",
                                          "{\"email\":[\"a@example.com\"],\"first_name\":{},\"phone\":null}"};
    for (size_t i = 0; i < sizeof billing / sizeof *billing; i++)
        is_contact(billing[i], "{\"firstName\":\"main order W-7\"}");
}

static void test_country(void)
{
    static const struct {
        const char *typed, *want;
    } cases[] = {{"US", "US"}, {" de ", "DE"}, {"BL", ""}, {"bq", ""}, {"CW", ""},  {"SS", ""},
                 {"USA", ""},  {"U", ""},      {"", ""},   {"1A", ""}, {"U S", ""}, {"\\u00c4\\u00d6", ""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char billing[100], want[100];
        snprintf(billing, sizeof billing, "{\"last_name\":\"D\",\"country\":\"%s\"}", cases[i].typed);
        snprintf(want, sizeof want,
                 *cases[i].want ? "{\"country\":\"%s\",\"lastName\":\"D\"}" : "{\"lastName\":\"D\"}",
                 cases[i].want);
        is_contact(billing, want);
    }
    /* a country that GHL does not know still tells how its phones are written */
    is_contact("{\"country\":\"CW\",\"phone\":\"767 1234\"}", "{\"phone\":\"+5997671234\"}");
}

static void test_email(void)
{
    static const char *const good[] = {
        "a@b.co",
        "o'brien+tag@example.com",
        "first.last@sub.example.org",
        "x@example.museum",
        "1@2.de",
        "!#$%&'*+-/=?^_`{|}~@example.com",
        "a@xn--bcher-kva.example",
        "a@example.xn--p1ai",
        "j\xC3\xB6rg@example.de",
        ("a@b\xC3\xBC"
         "cher.de"),
        "1234567890123456789012345678901234567890123456789012345678901234@example.com"};
    static const char *const bad[] = {
        "",
        "a",
        "a@",
        "@b.co",
        "a@b",
        "a@b.c",
        "a@b.1",
        "a@b..co",
        "a@.b.co",
        "a@b.co.",
        ".a@b.co",
        "a.@b.co",
        "a..b@c.de",
        "a b@c.de",
        "a@b c.de",
        "a@-b.de",
        "a@b-.de",
        "a@b_c.de",
        "a@@b.de",
        "a@b@c.de",
        "\"a\"@b.de",
        "a@[127.0.0.1]",
        "a@127.0.0.1",
        "a,b@c.de",
        "a<b>@c.de",
        "(x)a@b.de",
        "a@b.de>",
        "mailto:a@b.de",
        "a\\b@c.de",
        "\xF0\x9F\x98\x80@example.com",
        "12345678901234567890123456789012345678901234567890123456789012345@example.com",
        "a@1234567890123456789012345678901234567890123456789012345678901234.de"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        ok(contact_is_email(good[i]), "%s is an email", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ok(!contact_is_email(bad[i]), "\"%s\" is none", bad[i]);
    char text[300];
    memset(text, 'a', sizeof text);
    text[1] = '@';
    for (size_t i = 12; i < 250; i += 11)
        text[i] = '.';
    text[254] = '\0';
    ok(contact_is_email(text), "254 bytes");
    text[254] = 'a';
    text[255] = '\0';
    ok(!contact_is_email(text), "255 bytes are too many");
}

static void test_limits(void)
{
    /* given a name of 300 characters of two bytes, then it is cut at 254 bytes, and an address likewise */
    struct buf billing, want;
    buf_init(&billing, 65536);
    buf_init(&want, 65536);
    buf_adds(&billing, "{\"last_name\":\"");
    for (int i = 0; i < 300; i++)
        buf_adds(&billing, "\\u00e9");
    buf_adds(&billing, "\",\"address_2\":\"x\",\"address_1\":\"");
    for (int i = 0; i < 300; i++)
        buf_adds(&billing, "\\u00e9");
    buf_adds(&billing, "\"}");
    buf_adds(&want, "{\"address1\":\"");
    for (int i = 0; i < 127; i++)
        buf_adds(&want, "\xC3\xA9");
    buf_adds(&want, "\",\"lastName\":\"");
    for (int i = 0; i < 127; i++)
        buf_adds(&want, "\xC3\xA9");
    buf_adds(&want, "\"}");
    char *got = contact_text(billing.data);
    ok(!strcmp(got, want.data), "long fields are cut at a character's end");
    free(got);
    buf_free(&billing);
    buf_free(&want);
}

int main(void)
{
    test_whole();
    test_names();
    test_nothing();
    test_country();
    test_email();
    test_limits();
    return tap_done();
}
