/*
 * clock_date: the date forms that the peers use. It asks no clock, so that pure rules may read dates.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* "2026-11-25T00:43:19", with or without a fraction, "Z" or "+hh:mm" (none = UTC) -> s since 1970; false when
 * it is no such date. */
bool clock_parse_iso(const char *text, int64_t *out_s);

/* An HTTP date, in any of the forms of RFC 9110, 5.6.7 -> s since 1970; false when it is none. */
bool clock_parse_http_date(const char *text, int64_t *out_s);

/* An HTTP Retry-After: whole seconds, or an HTTP date compared with now_wall_ms -> ms from now, 0 or more;
 * false when it is neither (RFC 9110, 10.2.3). */
bool clock_parse_retry_after(const char *text, int64_t now_wall_ms, int64_t *out_ms);

/* "2026-11-25T00:43:19.123Z" into out (at least 32 bytes). */
void clock_format_iso(int64_t wall_ms, char out[32]);

/* How long, for people: "12 s", "5 min", "3 h 20 min", "2 days". */
#define CLOCK_WORDS_SIZE 32
const char *clock_in_words(int64_t ms, char out[CLOCK_WORDS_SIZE]);
