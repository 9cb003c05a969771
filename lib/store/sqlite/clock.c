#include "store/sqlite/clock.h"
#include <string.h>

int64_t store_clock_now(const struct store_clock *clock)
{
    return clock_boot_ms() + clock->offset_ms + clock->shift_ms;
}

bool store_clock_use(struct store_clock *clock, const char *boot, int64_t offset_ms, int64_t last_ms)
{
    if (strcmp(boot, clock->boot) != 0 || clock_boot_ms() + offset_ms < last_ms)
        return false;
    clock->offset_ms = offset_ms;
    clock->noted_ms = last_ms;
    return true;
}

void store_clock_begin(struct store_clock *clock, int64_t last_ms)
{
    int64_t wall_ms = clock_wall_ms(), least_ms = last_ms ? last_ms + STORE_CLOCK_NOTE_MS : 0;

    clock->noted_ms = wall_ms > least_ms ? wall_ms : least_ms;
    clock->offset_ms = clock->noted_ms - clock_boot_ms();
}
