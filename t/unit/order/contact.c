#include "order/contact.h"
#include "tap.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The contact of an order with these members, in canonical form, and what it notes. */
static char *contact_of_body(const char *members, const char *default_country, struct contact_notes *notes)
{
    struct order order;
    struct buf body;
    buf_init(&body, 65536);
    buf_addf(&body, "{\"id\":7,\"number\":\"W-7\",\"status\":\"processing\",\"total\":\"1\",%s}", members);
    struct order_verdict verdict = order_parse(body.data, body.len, NULL, &order);
    json_t *contact = verdict.kind == ORDER_FULL ? contact_of(&order, default_country, notes) : NULL;
    char *text = contact ? json_canonical(contact) : strdup(verdict.advice);
    json_decref(contact);
    order_free(&order);
    buf_free(&body);
    return text;
}

static char *contact_text(const char *billing)
{
    struct contact_notes notes;
    struct buf members;
    buf_init(&members, 65536);
    buf_addf(&members, "\"billing\":%s", billing);
    char *text = contact_of_body(members.data, "", &notes);
    buf_free(&members);
    return text;
}

static void is_contact(const char *billing, const char *want)
{
    char *got = contact_text(billing);
    is_str(got, want, "%.100s", billing);
    free(got);
}

/* Billing and shipping, single quotes for double ones. */
static void is_person(const char *members, const char *want)
{
    struct contact_notes notes;
    char *json = strdup(members), *expected = strdup(want);
    for (char *p = json; *p; p++)
        *p = *p == '\'' ? '"' : *p;
    for (char *p = expected; *p; p++)
        *p = *p == '\'' ? '"' : *p;
    char *got = contact_of_body(json, "", &notes);
    is_str(got, expected, "%s", members);
    free(json);
    free(expected);
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
        "\"phone\":\"+15555550123\",\"postalCode\":\"10001\",\"state\":\"New York\"}");
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
    /* given neither, it stays missing, too: a name for a new contact is not the person's */
    is_contact("{\"last_name\":\"Doe\"}", "{\"lastName\":\"Doe\"}");
    is_contact("{\"company\":\"Example Co\"}", "{\"companyName\":\"Example Co\"}");
    is_contact("{\"city\":\"Berlin\"}", "{\"city\":\"Berlin\"}");
    is_contact("{\"first_name\":\"\\u0007 \",\"email\":\"none\",\"phone\":\"none\"}", "{}");
}

static void is_standin(const char *contact, const char *want)
{
    char number[] = "W-7";
    struct order order = {.number = number};
    json_t *made = json_loads(contact, 0, NULL);
    char *name = contact_standin_name(made, &order, "main");
    is_str(name, want, "%s is called so if it is new", contact);
    free(name);
    json_decref(made);
}

static void test_standin_name(void)
{
    is_standin("{}", "main order W-7");
    is_standin("{\"city\":\"Berlin\"}", "main order W-7");
    is_standin("{\"companyName\":\"Example Co\"}", "Example Co");
}

/* What is typed for nothing overwrites nothing. */
static void test_stand_ins(void)
{
    static const char *const nothing[] = {
        "",        " ",       "-",       "--",        ".",           "...",     "?",       "N/A",
        "n.a.",    "none",    "guest",   "null",      "(-)",         "unknown", "*",       "_",
        "#",       "no name", "\\u200b", "undefined", "\\u2014",     "\\u2026", "\\u3002", "\\uff0d",
        "\\u3164", "\\u2800", "na",      "n\\\\a",    "not provided"};
    static const char *const names[] = {"Na",
                                        "X",
                                        "Null",
                                        "Guest",
                                        "None",
                                        "Li",
                                        "\xC3\x98",
                                        "\xE6\x9D\x8E",
                                        "\xE3\x80\x87",
                                        "\xE0\xA4\x85",
                                        "\xF0\x9F\x98\x80"};
    char members[200], want[100];
    for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++) {
        snprintf(members, sizeof members, "'billing':{'first_name':'Ann','last_name':'%s','city':'%s'}",
                 nothing[i], nothing[i]);
        is_person(members, "{'firstName':'Ann'}");
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(members, sizeof members, "'billing':{'first_name':'Ann','last_name':'%s'}", names[i]);
        snprintf(want, sizeof want, "{'firstName':'Ann','lastName':'%s'}", names[i]);
        is_person(members, want);
    }
    is_person("'billing':{'first_name':'Ann','last_name':'NA','city':'NA','state':'NA','country':'NA'}",
              "{'city':'NA','country':'NA','firstName':'Ann','state':'NA'}");
    /* the only name there is */
    is_person("'billing':{'first_name':'Guest','last_name':'','company':'None'}", "{}");
    is_person("'billing':{'first_name':'GUEST','last_name':'guest'}", "{}");
    is_person("'billing':{'first_name':'Guest','last_name':'Customer'}",
              "{'firstName':'Guest','lastName':'Customer'}");
}

#define SHIPPING                                                                                             \
    "'shipping':{'first_name':'Ann','last_name':'Lee','address_1':'1 High "                                  \
    "St','city':'Leeds','postcode':'LS1 1AA',"                                                               \
    "'country':'GB','phone':'07700 900123'}"

static void test_shipping(void)
{
    is_person("'billing':{'first_name':'','last_name':'-','email':'','phone':'','country':''}," SHIPPING,
              "{'address1':'1 High St','city':'Leeds','country':'GB','firstName':'Ann','lastName':'Lee',"
              "'phone':'+447700900123','postalCode':'LS1 1AA'}");
    is_person(SHIPPING,
              "{'address1':'1 High St','city':'Leeds','country':'GB','firstName':'Ann','lastName':'Lee',"
              "'phone':'+447700900123','postalCode':'LS1 1AA'}");
    /* each group as a whole: no one's first name beside another's last name, no street of another town */
    is_person("'billing':{'first_name':'Bo','city':'York','country':'GB','phone':'07700 900999'}," SHIPPING,
              "{'city':'York','country':'GB','firstName':'Bo','phone':'+447700900999'}");
    is_person("'billing':{'company':'Example Co','email':'a@example.com','phone':'07700 "
              "900999','country':'GB'}," SHIPPING,
              "{'address1':'1 High St','city':'Leeds','companyName':'Example "
              "Co','country':'GB','email':'a@example.com',"
              "'phone':'+447700900999','postalCode':'LS1 1AA'}");
    /* country and state are the shop's: no place of the customer's */
    is_person("'billing':{'country':'US','state':'NY'}," SHIPPING,
              "{'address1':'1 High St','city':'Leeds','country':'GB','firstName':'Ann','lastName':'Lee',"
              "'phone':'+447700900123','postalCode':'LS1 1AA'}");
    is_person("'billing':{'country':'US','state':'NY'},'shipping':{'city':'','country':'GB'}",
              "{'country':'US','state':'New York'}");
    is_person("'billing':{'email':'a@example.com'},'shipping':{'city':'Leeds'}",
              "{'city':'Leeds','email':'a@example.com'}");
    /* a phone that is nobody's is none */
    is_person(
        "'billing':{'first_name':'Bo','phone':'123456789','country':'ES'}," SHIPPING,
        "{'address1':'1 High St','city':'Leeds','country':'GB','firstName':'Bo','phone':'+447700900123',"
        "'postalCode':'LS1 1AA'}");
}

static void test_state(void)
{
    is_person("'billing':{'country':'us','state':'ny'}", "{'country':'US','state':'New York'}");
    is_person("'billing':{'country':'CA','state':'QC'}", "{'country':'CA','state':'Quebec'}");
    is_person("'billing':{'country':'AU','state':'NSW'}", "{'country':'AU','state':'New South Wales'}");
    is_person("'billing':{'country':'IT','state':'MI'}", "{'country':'IT','state':'MI'}");
    is_person("'billing':{'country':'US','state':'Elsewhere'}", "{'country':'US','state':'Elsewhere'}");
    is_person("'billing':{'state':'NY'}", "{'state':'NY'}");
}

static void is_noted(const char *billing, const char *country, const char *phone, const char *left_out,
                     bool shared)
{
    struct contact_notes notes;
    char members[400], want[60];
    snprintf(members, sizeof members, "\"billing\":{%s}", billing);
    snprintf(want, sizeof want, "\"phone\":\"%s\"", phone);
    char *got = contact_of_body(members, country, &notes);
    ok(*phone ? strstr(got, want) != NULL : !strstr(got, "phone"), "%s: %s", billing, got);
    is_str(notes.phone_left_out, left_out, "%s: what is left out", billing);
    ok(notes.phone_shared == shared, "%s: shared", billing);
    free(got);
}

static void test_phone(void)
{
    is_noted("\"phone\":\"(212) 555-0123\",\"country\":\"US\"", "", "+12125550123", "", false);
    is_noted("\"phone\":\"(212) 555-0123\"", "US", "+12125550123", "", false);
    is_noted("\"phone\":\"(212) 555-0123\"", "", "", "***-0123", false);
    is_noted("\"phone\":\"020 7946 0958\",\"country\":\"GB\"", "US", "+442079460958", "", false);
    is_noted("\"phone\":\"123456789\",\"country\":\"ES\"", "", "", "***-6789", false);
    is_noted("\"phone\":\"+0 000 000 0000\"", "", "", "***-0000", false);
    is_noted("\"phone\":\"n/a\"", "US", "", "", false);
    /* the other address's country comes before the default one, and its phone in the place of nobody's */
    is_noted("\"phone\":\"020 7946 0958\"},\"shipping\":{\"country\":\"GB\"", "US", "+442079460958", "",
             false);
    is_noted("\"phone\":\"123456789\"},\"shipping\":{\"phone\":\"+442079460958\"", "US", "+442079460958", "",
             false);
    is_noted("\"phone\":\"+1 212 555 0123 ext 5\"", "", "+12125550123", "", true);
}

static void is_email_note(const char *email, const char *want, const char *left_out)
{
    struct contact_notes notes;
    char members[200];
    snprintf(members, sizeof members, "\"billing\":{\"email\":\"%s\"}", email);
    char *got = contact_of_body(members, "", &notes);
    is_str(got, want, "email '%s'", email);
    is_str(notes.email_left_out, left_out, "email '%s': what is left out", email);
    free(got);
}

static void test_email_notes(void)
{
    /* marks that come along with a copied address */
    is_email_note("\\u200bjohn\\u200c@\\u200dexa\\u200emple\\u200f.\\u2060com\\ufeff\\u00ad",
                  "{\"email\":\"john@example.com\"}", "");
    is_email_note("john@exmaple", "{}", "jo***@exmaple");
    is_email_note("john example.com", "{}", "***");
    is_email_note("", "{}", "");
    is_email_note("N/A", "{}", "");
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
        is_contact(billing[i], "{}");
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
    test_standin_name();
    test_stand_ins();
    test_shipping();
    test_state();
    test_phone();
    test_email_notes();
    test_nothing();
    test_country();
    test_email();
    test_limits();
    return tap_done();
}
