#include "base/clock_date.h"
#include "base/ascii.h"
#include "base/text.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LONGEST_MS (INT64_C(366) * 24 * 3600 * 1000) /* a peer's "later" is never later than this */

/* Exactly n digits at *p, which moves behind them. */
static bool take_digits(const char **p, int n, int *out)
{
    int value = 0;
    for (int i = 0; i < n; i++, (*p)++) {
        if (!is_digit(**p))
            return false;
        value = value * 10 + (**p - '0');
    }
    *out = value;
    return true;
}

static bool take_char(const char **p, char c)
{
    if (**p != c)
        return false;
    (*p)++;
    return true;
}

/* Nothing, "Z" or "+hh:mm" -> s east of Greenwich. */
static bool take_zone(const char **p, int *east_s)
{
    int hours, minutes;
    *east_s = 0;
    if (**p == '\0' || take_char(p, 'Z'))
        return true;
    char sign = **p;
    if (sign != '+' && sign != '-')
        return false;
    (*p)++;
    if (!take_digits(p, 2, &hours) || !take_char(p, ':') || !take_digits(p, 2, &minutes))
        return false;
    if (hours > 23 || minutes > 59)
        return false;
    *east_s = (hours * 60 + minutes) * 60 * (sign == '-' ? -1 : 1);
    return true;
}

/* timegm, but false for what it would silently move ("February 30"). */
static bool to_seconds(const struct tm *tm, int64_t *out_s)
{
    struct tm normal = *tm;
    if (tm->tm_hour > 23 || tm->tm_min > 59 || tm->tm_sec > 59)
        return false;
    *out_s = (int64_t)timegm(&normal);
    return normal.tm_mday == tm->tm_mday && normal.tm_mon == tm->tm_mon && normal.tm_year == tm->tm_year;
}

bool clock_parse_iso(const char *text, int64_t *out_s)
{
    struct tm tm = {0};
    const char *p = text;
    int east_s;
    int64_t seconds;

    if (!take_digits(&p, 4, &tm.tm_year) || !take_char(&p, '-') || !take_digits(&p, 2, &tm.tm_mon) ||
        !take_char(&p, '-') || !take_digits(&p, 2, &tm.tm_mday) || !take_char(&p, 'T') ||
        !take_digits(&p, 2, &tm.tm_hour) || !take_char(&p, ':') || !take_digits(&p, 2, &tm.tm_min) ||
        !take_char(&p, ':') || !take_digits(&p, 2, &tm.tm_sec))
        return false;
    if (take_char(&p, '.')) {
        if (!is_digit(*p))
            return false;
        while (is_digit(*p))
            p++;
    }
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    if (!take_zone(&p, &east_s) || *p != '\0' || !to_seconds(&tm, &seconds))
        return false;
    *out_s = seconds - east_s;
    return true;
}

/* The three forms of RFC 9110, 5.6.7. The program never leaves the C locale, so the names are English. */
bool clock_parse_http_date(const char *text, int64_t *out_s)
{
    static const char *const forms[] = {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT",
                                        "%a %b %e %H:%M:%S %Y"};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct tm tm = {0};
        const char *end = strptime(text, forms[i], &tm);
        if (end && *end == '\0') {
            if (tm.tm_sec == 60) /* a leap second */
                tm.tm_sec = 59;
            return to_seconds(&tm, out_s);
        }
    }
    return false;
}

bool clock_parse_retry_after(const char *text, int64_t now_wall_ms, int64_t *out_ms)
{
    int64_t ms, at_s;

    if (*text && !text[strspn(text, "0123456789")])
        ms = strlen(text) <= 9 ? text_number(text, NULL) * 1000 : LONGEST_MS;
    else if (clock_parse_http_date(text, &at_s))
        ms = at_s * 1000 - now_wall_ms;
    else
        return false;
    *out_ms = ms < 0 ? 0 : ms > LONGEST_MS ? LONGEST_MS : ms;
    return true;
}

void clock_format_iso(int64_t wall_ms, char out[32])
{
    int64_t ms = wall_ms % 1000;
    if (ms < 0)
        ms += 1000;
    time_t seconds = (time_t)((wall_ms - ms) / 1000);
    struct tm tm;

    size_t n = gmtime_r(&seconds, &tm) ? strftime(out, 32 - sizeof ".123Z", "%Y-%m-%dT%H:%M:%S", &tm) : 0;
    if (n == 0) { /* a year beyond every calendar in use */
        out[0] = '\0';
        return;
    }
    out[n] = '.';
    out[n + 1] = (char)('0' + ms / 100);
    out[n + 2] = (char)('0' + ms / 10 % 10);
    out[n + 3] = (char)('0' + ms % 10);
    out[n + 4] = 'Z';
    out[n + 5] = '\0';
}

const char *clock_in_words(int64_t ms, char out[CLOCK_WORDS_SIZE])
{
    int64_t s = ms > 0 ? (ms + 500) / 1000 : 0, min = s / 60, h = min / 60, days = h / 24;

    if (s < 120)
        snprintf(out, CLOCK_WORDS_SIZE, "%" PRId64 " s", s);
    else if (h < 1)
        snprintf(out, CLOCK_WORDS_SIZE, "%" PRId64 " min", min);
    else if (h < 48 && min % 60)
        snprintf(out, CLOCK_WORDS_SIZE, "%" PRId64 " h %" PRId64 " min", h, min % 60);
    else if (h < 48)
        snprintf(out, CLOCK_WORDS_SIZE, "%" PRId64 " h", h);
    else
        snprintf(out, CLOCK_WORDS_SIZE, "%" PRId64 " days", days);
    return out;
}
