#include "cli/options.h"
#include "base/clock.h"
#include "tap.h"
#include <stdio.h>

int main(void)
{
    static const char *const bad[] = {"soon", "20261125",   "3600",       "2999-01-01",  "-1h",
                                      "36",   "2026-13-01", "1900-01-01", "2026-11-25x", "h"};
    int64_t now_s = clock_wall_ms() / 1000, got;
    struct error e = ERROR_NONE;
    char want[512];

    ok(options_parse_time("--since", "2026-11-25", &got, NULL) && got == 1795564800, "a day");
    ok(options_parse_time("--since", "2026-11-25T08:00:00", &got, NULL) && got == 1795593600, "a moment");
    ok(options_parse_time("--since", "2026-11-25T08:00:00+01:00", &got, NULL) && got == 1795590000,
       "of another zone");
    ok(options_parse_time("--since", "36h", &got, NULL) && got >= now_s - 36 * 3600 &&
           got < now_s - 36 * 3600 + 200,
       "some hours");
    ok(options_parse_time("--since", "30d", &got, NULL) && got >= now_s - 30 * 86400 &&
           got < now_s - 30 * 86400 + 200,
       "some days");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ok(!options_parse_time("--since", bad[i], &got, &e), "'%s' is refused", bad[i]);
        snprintf(want, sizeof want,
                 "--since: '%s' is not a date in the past; write for example 2026-11-25, 2026-11-25T08:00:00 "
                 "(UTC) or 36h",
                 bad[i]);
        is_str(e.text, want, "with what would be right");
    }
    ok(!options_parse_time("--since", "", &got, &e), "none is refused");
    is_str(e.text, "--since needs a value; write for example 2026-11-25, 2026-11-25T08:00:00 (UTC) or 36h",
           "as well");
    return tap_done();
}
