/*
 * unit: numbers as people write them in a setting: 100, 10s, 400d, 8m.
 *
 * Reading is strict: the whole text is the number, or it is refused. What is written reads back the same.
 */
#pragma once

#include "base/buf.h"
#include <stdint.h>

/* Digits at *text, which moves behind them; false without digits or over what fits. */
bool unit_take_number(const char **text, int64_t *out) MUST_CHECK;

/* Units from large to small; a number without a unit has the one named "". The last has no name. */
struct unit {
    const char *name;
    int64_t factor;
};
extern const struct unit unit_count[], /* 100 */
    unit_duration[],                   /* 500ms 10s 5m 24h 400d, into ms; without a unit: seconds */
    unit_size[];                       /* 64k 8m 1g, into bytes; without a unit: bytes */

bool unit_read(const char *text, const struct unit *units, int64_t *out) MUST_CHECK;
bool unit_write(int64_t n, const struct unit *units, struct buf *out);

/* 2026-11-01, into its first second (UTC, since 1970); 0 is written as "-". */
bool unit_read_day(const char *text, int64_t *out_s) MUST_CHECK;
bool unit_write_day(int64_t day_s, struct buf *out);
