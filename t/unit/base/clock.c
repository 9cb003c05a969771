#include "base/clock.h"

#include "tap.h"
#include <stddef.h>

static void iso_dates(void)
{
    static const struct {
        const char *text;
        int64_t want;
    } good[] = {
        {"1970-01-01T00:00:00", 0},
        {"2026-11-25T00:43:19", 1795567399},
        {"2026-11-25T00:43:19Z", 1795567399},
        {"2026-11-25T00:43:19.123456Z", 1795567399},
        {"2026-11-25T02:43:19+02:00", 1795567399},
        {"2026-11-24T19:13:19-05:30", 1795567399},
        {"2024-02-29T00:00:00", 1709164800},
        {"1969-12-31T23:59:59", -1},
    };
    static const char *const bad[] = {
        "",
        "null",
        "2026-11-25",
        "2026-11-25 00:43:19",
        "2026-02-30T00:00:00",
        "2023-02-29T00:00:00",
        "2026-13-01T00:00:00",
        "2026-00-01T00:00:00",
        "2026-01-00T00:00:00",
        "2026-11-25T24:00:00",
        "2026-11-25T00:60:00",
        "2026-11-25T00:00:60",
        "2026-11-25T00:43:19.",
        "2026-11-25T00:43:19+0200",
        "2026-11-25T00:43:19+24:00",
        "2026-11-25T00:43:19Zx",
        "2026-11-25T00:43:1",
        "-026-11-25T00:43:19",
        "0000-00-00T00:00:00",
    };
    int64_t got;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        got = 7;
        ok(clock_parse_iso(good[i].text, &got), "%s is a date", good[i].text);
        is_int(got, good[i].want, "with these seconds");
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        got = 7;
        ok(!clock_parse_iso(bad[i], &got) && got == 7, "'%s' is none", bad[i]);
    }
}

static void formatting(void)
{
    char text[32];
    clock_format_iso(INT64_C(1795567399123), text);
    is_str(text, "2026-11-25T00:43:19.123Z", "a time prints with its ms");
    clock_format_iso(-1, text);
    is_str(text, "1969-12-31T23:59:59.999Z", "also before 1970");
    clock_format_iso(INT64_MAX, text);
    is_str(text, "292278994-08-17T07:12:55.807Z", "and at the end of what can be counted");
}

static void retry_after(void)
{
    const int64_t now = INT64_C(784111777000); /* 1994-11-06 08:49:37 */
    static const struct {
        const char *text;
        int64_t want;
    } good[] = {
        {"0", 0},
        {"120", 120000},
        {"99999999999999999999999", INT64_C(366) * 24 * 3600 * 1000},
        {"Sun, 06 Nov 1994 08:49:47 GMT", 10000},
        {"Sunday, 06-Nov-94 08:50:37 GMT", 60000},
        {"Sun Nov  6 08:49:38 1994", 1000},
        {"Sun, 06 Nov 1994 08:49:07 GMT", 0},
    };
    static const char *const bad[] = {"", "soon", "-1", "1.5", "12 s", "Sun, 06 Nov 1994", "+3"};
    int64_t got;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        got = -7;
        ok(clock_parse_retry_after(good[i].text, now, &got), "'%s' can be waited for", good[i].text);
        is_int(got, good[i].want, "for so many ms");
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ok(!clock_parse_retry_after(bad[i], now, &got), "'%s' cannot", bad[i]);
}

static void deadlines(void)
{
    is_int(clock_left_ms(CLOCK_NEVER), CLOCK_NEVER, "never is never near");
    is_int(clock_left_ms(clock_mono_ms() - 1), 0, "a passed deadline leaves nothing");
    int64_t left = clock_left_ms(clock_mono_ms() + 60000);
    ok(left > 50000 && left <= 60000, "a minute ahead leaves a minute");

    int stop = 1;
    ok(!clock_sleep_ms(60000, &stop), "a stopped sleep ends at once");
    int64_t before = clock_mono_ms();
    stop = 0;
    ok(clock_sleep_ms(30, &stop), "a sleep that nobody stops is slept");
    ok(clock_mono_ms() - before >= 29, "to its end");
    ok(clock_sleep_ms(-5, NULL), "a negative one is none");
    ok(clock_wall_ms() > INT64_C(1700000000000) && clock_mono_ms() >= before, "the clocks go");
}

int main(void)
{
    iso_dates();
    formatting();
    retry_after();
    deadlines();
    return tap_done();
}
