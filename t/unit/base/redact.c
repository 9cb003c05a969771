#include "base/redact.h"

#include "tap.h"
#include <string.h>
#include <time.h>

struct pair {
    const char *text, *want;
};

static void emails(void)
{
    static const struct pair cases[] = {
        {"john@example.com", "jo***@example.com"},
        {"jon@example.com", "jo***@example.com"},
        {"jo@example.com", "j***@example.com"},
        {"j@example.com", "j***@example.com"},
        {"@example.com", "***@example.com"},
        {"o'brien+tag@example.com", "o'***@example.com"},
        {"a@b@example.com", "a@***@example.com"},
        {"\xc3\xa9l\xc3\xa9onore@example.com", "\xc3\xa9l***@example.com"},
        {"\xc3\xa9l@example.com", "\xc3\xa9***@example.com"},
        {"jo***@example.com", "jo***@example.com"},
        {"j***@example.com", "j***@example.com"},
        {"", "***"},
        {"no address", "***"},
        {"john@", "***"},
        {"john@555-555-7890", "***"},
        {"john@example.com, Jane Doe", "***"},
    };
    char out[64];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mask_email(cases[i].text, out, sizeof out);
        is_str(out, cases[i].want, "email '%s'", cases[i].text);
    }
    mask_email("john@a-domain-that-is-rather-long.example.com", out, 16);
    is_str(out, "***", "what does not fit is hidden, not cut");
    mask_email("john@example.com", out, 2);
    is_str(out, "*", "even a tiny buffer is terminated");
}

static void phones(void)
{
    static const struct pair cases[] = {
        {"+1 (555) 555-7890", "***-7890"},       {"5557890", "***-7890"}, {"555789", "***"}, {"", "***"},
        {"0044 20 7946 0958 ext 5", "***-9585"}, {"call me", "***"},
    };
    char out[16];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mask_phone(cases[i].text, out, sizeof out);
        is_str(out, cases[i].want, "phone '%s'", cases[i].text);
    }
}

static void is_masked(const char *text, const char *want)
{
    struct buf out, again;
    buf_init(&out, 1000);
    buf_init(&again, 1000);
    ok(mask_text(text, &out), "'%s' is masked", text);
    is_str(out.data, want, "to what it should be");
    ok(mask_text(out.data, &again) && !strcmp(again.data, want), "and a second time changes nothing");
    buf_free(&out);
    buf_free(&again);
}

static void emails_in_text(void)
{
    is_masked("contact john@example.com is known", "contact jo***@example.com is known");
    is_masked("<john.doe@example.com>, jane@example.org.", "<jo***@example.com>, ja***@example.org.");
    is_masked("{\"email\":\"john@example.com\"}", "{\"email\":\"jo***@example.com\"}");
    is_masked("x@jane@example.com, a@b@c%40example.com", "x@***@example.com, a@***@example.com");
    is_masked("\"john doe\"@example.com", "\"j***@example.com");
    is_masked("\"a \\\"q\\\" b\"@example.com", "\"a***@example.com");
    is_masked("\"quoted\" and bare@example.com", "\"quoted\" and ba***@example.com");
    is_masked("an open \"quote", "an open \"quote");
    is_masked("GET /contacts/?email=john%40example.com&x=1", "GET /c***@example.com&x=1");
    is_masked("mail at @ noon, 5 @ 3.00, @home", "mail at @ noon, 5 @ 3.00, @home");
    is_masked("j\xc3\xb6rg@b\xc3\xbc"
              "cher.example",
              "j\xc3\xb6***@b\xc3\xbc"
              "cher.example");
    is_masked("\x80\x80\x80\x80\x80\x80@example.com", "\x80\x80\x80\x80***@example.com");
}

static void phones_in_text(void)
{
    is_masked("call +15555557890 now", "call ***-7890 now");
    is_masked("call +1 (555) 555-7890, or", "call ***-7890, or");
    is_masked("(555) 555-7890", "***-7890");
    is_masked("555-555-7890", "***-7890");
    is_masked("555.555.7890", "***-7890");
    is_masked("555\xc2\xa0"
              "555\xe2\x80\x91"
              "7890",
              "***-7890");
    is_masked("0044 20 7946 0958", "***-0958");
    is_masked("00442079460958.", "***-0958.");
    is_masked("+1 555 555 7890 ext 5", "***-7890 ext 5");
    is_masked("+15555557890x12", "***-7890x12");
    is_masked("x+15555557890", "x***-7890");
    is_masked("01 23 45 67 89", "***-6789");
    is_masked("+123456", "+123456");
    is_masked("555-7890", "555-7890");
    is_masked("+ + +15555557890", "+ + ***-7890");
}

static void what_stays(void)
{
    static const char *const stays[] = {
        "",
        "Skipping Duplicate Order #1001",
        "order 20261125004319 synced",
        "shop:1001",
        "2026-11-25T00:43:19.123Z and 2026-11-25 00:43:19 and 2026-11-25",
        "(2026-11-25 00:43)",
        "order 1001 2026-11-25 00:43:19",
        "client 192.168.100.200:8080",
        "id 550e8400-e29b-41d4-a716-446655440000",
        "id 0012345678abcdefghij",
        "ve9EPM428h8vShlRW1KT",
        "total 21.76 of 1234.50",
        "won -> lost (step 3 of 4) in 1200 ms",
        "caf\xc3\xa9 \xe2\x82\xac",
    };
    for (size_t i = 0; i < sizeof stays / sizeof *stays; i++)
        is_masked(stays[i], stays[i]);
    is_masked("a\nb\tc\x1b[31m\x7f\xc2\x9b\xe2\x80\xa8!", "a b c [31m   !");
    is_masked("\xc2", "\xc2");
    is_masked("\xe2\x80", "\xe2\x80");
}

/* Whoever makes a text makes none that takes long: each of these would be looked at again from each of its bytes. */
static void hard_texts(void)
{
    static const char *const pieces[] = {"\"\\", "\\\"", "a@",    "+1 ",  "00",
                                         "1-",   "(",    "2026-", "\"a@", "%40"};
    static char text[256 * 1024];
    struct buf out;

    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        size_t n = strlen(pieces[i]);
        for (size_t at = 0; at + n < sizeof text; at += n)
            memcpy(text + at, pieces[i], n + 1);
        buf_init(&out, 4 * sizeof text);
        clock_t began = clock();
        ok(mask_text(text, &out), "256 KB of %s", pieces[i]);
        ok(clock() - began < CLOCKS_PER_SEC, "take less than a second");
        buf_free(&out);
    }
}

static void limits(void)
{
    struct buf out;
    static char text[200001];
    memset(text, 'a', sizeof text - 1);
    buf_init(&out, 300000);
    ok(mask_text(text, &out) && out.len == 200000, "a huge word passes, in linear time");
    memset(text, '1', sizeof text - 1);
    buf_reset(&out);
    ok(mask_text(text, &out) && out.len == 200000, "a huge number passes too");
    memset(text, '+', sizeof text - 1);
    buf_reset(&out);
    ok(mask_text(text, &out) && out.len == 200000, "and a huge row of plus signs");
    buf_free(&out);
    buf_init(&out, 5);
    ok(!mask_text("123456", &out) && out.failed, "a text over the buffer's maximum fails");
    buf_free(&out);
}

int main(void)
{
    emails();
    phones();
    emails_in_text();
    phones_in_text();
    what_stays();
    limits();
    hard_texts();
    return tap_done();
}
