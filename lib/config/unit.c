#include "config/unit.h"
#include "base/clock.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

bool unit_take_number(const char **text, int64_t *out)
{
    const char *p = *text;
    int64_t n = 0;

    if (*p < '0' || *p > '9')
        return false;
    for (; *p >= '0' && *p <= '9'; p++) {
        if (n > (INT64_MAX - 9) / 10)
            return false;
        n = n * 10 + (*p - '0');
    }
    *text = p;
    *out = n;
    return true;
}

const struct unit unit_count[] = {{"", 1}, {NULL, 0}};
const struct unit unit_duration[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000},
                                     {"", 1000},      {"ms", 1},      {NULL, 0}};
const struct unit unit_size[] = {{"g", 1 << 30}, {"m", 1 << 20}, {"k", 1 << 10}, {"", 1}, {NULL, 0}};

bool unit_read(const char *text, const struct unit *unit, int64_t *out)
{
    int64_t n;

    if (!unit_take_number(&text, &n))
        return false;
    while (unit->name && strcasecmp(text, unit->name) != 0)
        unit++;
    if (!unit->name || n > INT64_MAX / unit->factor)
        return false;
    *out = n * unit->factor;
    return true;
}

bool unit_write(int64_t n, const struct unit *unit, struct buf *out)
{
    while (unit->factor > 1 && (n % unit->factor || n == 0))
        unit++;
    return buf_addf(out, "%" PRId64 "%s", n / unit->factor, unit->name);
}

bool unit_read_day(const char *text, int64_t *out_s)
{
    char midnight[sizeof "2026-11-01T00:00:00"];
    int n = snprintf(midnight, sizeof midnight, "%sT00:00:00", text);

    return n == sizeof midnight - 1 && clock_parse_iso(midnight, out_s) && *out_s > 0;
}

bool unit_write_day(int64_t day_s, struct buf *out)
{
    char text[32];

    clock_format_iso(day_s * 1000, text);
    return day_s ? buf_add(out, text, strlen("2026-11-01")) : buf_addc(out, '-');
}
