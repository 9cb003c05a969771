#include "cli/since.h"
#include "base/clock.h"
#include "config/unit.h"
#include <stdio.h>
#include <string.h>

#define EXAMPLES "2026-11-25, 2026-11-25T08:00:00 (UTC) or 36h"

/* A moment, or the beginning of a day. */
static bool parse_date(const char *text, int64_t *out_s)
{
    char midnight[32];
    int n = snprintf(midnight, sizeof midnight, "%sT00:00:00", text);

    return clock_parse_iso(text, out_s) ||
           (n > 0 && n < (int)sizeof midnight && clock_parse_iso(midnight, out_s));
}

/* A number without a unit is a mistyped date. */
static bool parse_ago(const char *text, int64_t now_s, int64_t *out_s)
{
    int64_t ago_ms;

    if (!text[strspn(text, "0123456789")] || !unit_read(text, unit_duration, &ago_ms))
        return false;
    *out_s = now_s - ago_ms / 1000;
    return true;
}

bool since_parse(const char *option, const char *text, int64_t *out_s, struct error *e)
{
    int64_t now_s = clock_wall_ms() / 1000, since_s;

    if ((parse_date(text, &since_s) || parse_ago(text, now_s, &since_s)) && since_s > 0 && since_s <= now_s) {
        *out_s = since_s;
        return true;
    }
    if (!*text)
        error_set(e, "%s needs a value; write for example " EXAMPLES, option);
    else
        error_set(e, "%s: '%s' is not a date in the past; write for example " EXAMPLES, option, text);
    return false;
}
