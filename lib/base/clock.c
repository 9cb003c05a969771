#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SLICE_MS 200 /* how long a stop may go unnoticed */

static int64_t now_ms(clockid_t id)
{
    struct timespec now;
    if (clock_gettime(id, &now) != 0)
        return 0; /* not on Linux: these clocks always exist */
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_wall_ms(void)
{
    return now_ms(CLOCK_REALTIME);
}

int64_t clock_mono_ms(void)
{
    return now_ms(CLOCK_BOOTTIME);
}

void clock_boot_id(char out[CLOCK_BOOT_ID_SIZE])
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, out, CLOCK_BOOT_ID_SIZE - 1);

    if (fd >= 0)
        close(fd);
    out[n > 0 ? n : 0] = '\0';
    out[strspn(out, "0123456789abcdef-")] = '\0';
}

int64_t clock_left_ms(int64_t deadline_mono_ms)
{
    if (deadline_mono_ms == CLOCK_NEVER)
        return CLOCK_NEVER;
    int64_t now = clock_mono_ms();
    return deadline_mono_ms > now ? deadline_mono_ms - now : 0;
}

bool clock_sleep_ms(int64_t ms, const volatile int *stop)
{
    int64_t now = clock_mono_ms();
    int64_t until = ms > CLOCK_NEVER - now ? CLOCK_NEVER : now + ms;

    /* In slices: a signal between the look at *stop and the sleep would otherwise wait for the sleep's end.
     */
    for (;;) {
        if (stop && *stop)
            return false;
        int64_t left = clock_left_ms(until);
        if (left <= 0)
            return true;
        if (stop && left > SLICE_MS)
            left = SLICE_MS;
        struct timespec nap = {.tv_sec = left / 1000, .tv_nsec = (long)(left % 1000) * 1000000};
        if (nanosleep(&nap, NULL) != 0 && errno != EINTR)
            return true;
    }
}
