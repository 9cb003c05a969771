/*
 * unit: numbers as people write them in a setting: 100, 10s, 400d, 8m.
 *
 * Reading is strict: the whole text is the number, or it is refused. What is written reads back the same.
 */
#ifndef WOO_GHL_UNIT_H
#define WOO_GHL_UNIT_H

#include "base/buf.h"
#include <stdint.h>

/* Digits at *text, which moves behind them; false without digits or over what fits. */
bool unit_take_number(const char **text, int64_t *out) MUST_CHECK;

bool unit_read_count(const char *text, int64_t *out) MUST_CHECK;
bool unit_write_count(int64_t n, struct buf *out);

/* 500ms 10s 5m 24h 400d, into ms; a number without a unit is seconds. "off" is 0. */
bool unit_read_duration(const char *text, int64_t *out_ms) MUST_CHECK;
bool unit_read_off_duration(const char *text, int64_t *out_ms) MUST_CHECK;
bool unit_write_duration(int64_t ms, struct buf *out);
bool unit_write_off_duration(int64_t ms, struct buf *out);

/* 2026-11-01, into its first second (UTC, since 1970); 0 is written as "-". */
bool unit_read_day(const char *text, int64_t *out_s) MUST_CHECK;
bool unit_write_day(int64_t day_s, struct buf *out);

/* 64k 8m 1g, into bytes; a number without a unit is bytes. */
bool unit_read_size(const char *text, int64_t *out_bytes) MUST_CHECK;
bool unit_write_size(int64_t bytes, struct buf *out);

#endif
