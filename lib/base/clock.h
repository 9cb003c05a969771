/*
 * clock: the process's clocks and absolute deadlines. Dates are in clock_date.h.
 *
 * Work inside one process is timed by the monotonic clock. What several processes share is timed by the store
 * (store.h), never by these.
 */
#pragma once

#include "base/clock_date.h"
#include <stdbool.h>
#include <stdint.h>

#define CLOCK_NEVER INT64_MAX

int64_t clock_wall_ms(void); /* since 1970-01-01 UTC; may step */
int64_t
clock_mono_ms(void); /* since this boot, the same for all processes; never set. It goes on while the machine
                                sleeps, as a lease does: CLOCK_BOOTTIME */

/* Which boot of which machine this is: what clock_mono_ms told there compares with itself alone. "" = unknown
 * (no /proc, as in an empty chroot). */
#define CLOCK_BOOT_ID_SIZE 40
void clock_boot_id(char out[CLOCK_BOOT_ID_SIZE]);

/* ms until the deadline (CLOCK_NEVER allowed): 0 when it has passed. */
int64_t clock_left_ms(int64_t deadline_mono_ms);

/* Sleeps ms, or shorter when a signal handler has set *stop (may be NULL). False when it was stopped. */
bool clock_sleep_ms(int64_t ms, const volatile int *stop);
