/*
 * shifted_clock: this process's clocks go forward when the test says so, and sleeping only moves them. For one test
 * program, in whose place of the C library's functions these stand.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static _Atomic int64_t shift_ms;
static _Atomic bool really_sleeps; /* while another process is waited for */

static inline void time_passes(int64_t ms)
{
    atomic_fetch_add(&shift_ms, ms);
}

/* libcurl goes by CLOCK_MONOTONIC, which nobody moves. */
int clock_gettime(clockid_t id, struct timespec *now)
{
    int64_t shift = atomic_load(&shift_ms);

    if (syscall(SYS_clock_gettime, id, now) != 0)
        return -1;
    if (id == CLOCK_BOOTTIME || id == CLOCK_REALTIME)
        now->tv_sec += shift / 1000; /* whole seconds alone are moved by */
    return 0;
}

int nanosleep(const struct timespec *wanted, struct timespec *left)
{
    if (atomic_load(&really_sleeps))
        return (int)syscall(SYS_nanosleep, wanted, left);
    time_passes(wanted->tv_sec * 1000 + (wanted->tv_nsec > 0 ? 1000 : 0));
    return 0;
}
