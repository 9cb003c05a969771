/*
 * clock: the embedded store's time, ms since 1970.
 *
 * It runs as CLOCK_BOOTTIME does, from an offset that store.db keeps together with the boot's id. The first process
 * of a new boot takes the offset from the wall clock, but never so that the time falls behind the last that store.db
 * knows. So a wall clock that is set changes nothing before the next boot, and nothing ever looks younger than it is.
 */
#ifndef WOO_GHL_STORE_SQLITE_CLOCK_H
#define WOO_GHL_STORE_SQLITE_CLOCK_H

#include "base/clock.h"
#include <stdbool.h>

#define STORE_CLOCK_NOTE_MS 1000 /* how far the last time that store.db knows may lie behind */

struct store_clock {
    char boot[CLOCK_BOOT_ID_SIZE]; /* "" = unknown: a time that falls behind tells of a new boot */
    int64_t offset_ms;             /* added to the clock since boot */
    int64_t noted_ms;              /* the last time that store.db is known to know */
    int64_t shift_ms;              /* tests */
};

int64_t store_clock_now(const struct store_clock *clock);

/* Does the row of store.db (boot, offset, last time) belong to this boot? Then the clock goes by it. */
bool store_clock_use(struct store_clock *clock, const char *boot, int64_t offset_ms, int64_t last_ms);
/* The first of a new boot: an offset of its own. last_ms 0 = store.db is new. */
void store_clock_begin(struct store_clock *clock, int64_t last_ms);

#endif
