#include "tap.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int count, failed;

static bool report(bool good, const char *file, int line, const char *fmt, va_list args)
    __attribute__((format(printf, 4, 0)));

static bool report(bool good, const char *file, int line, const char *fmt, va_list args)
{
    printf("%sok %d - ", good ? "" : "not ", ++count);
    vprintf(fmt, args);
    putchar('\n');
    if (!good) {
        failed++;
        printf("#   at %s line %d\n", file, line);
    }
    return good;
}

bool tap_ok(bool good, const char *file, int line, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    report(good, file, line, fmt, args);
    va_end(args);
    return good;
}

bool tap_is_str(const char *got, const char *want, const char *file, int line, const char *fmt, ...)
{
    bool good = got && want ? !strcmp(got, want) : got == want;
    va_list args;
    va_start(args, fmt);
    report(good, file, line, fmt, args);
    va_end(args);
    if (!good)
        printf("#   got:  %s\n#   want: %s\n", got ? got : "(null)", want ? want : "(null)");
    return good;
}

bool tap_is_int(long long got, long long want, const char *file, int line, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    report(got == want, file, line, fmt, args);
    va_end(args);
    if (got != want)
        printf("#   got:  %lld\n#   want: %lld\n", got, want);
    return got == want;
}

void tap_note(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    printf("# ");
    vprintf(fmt, args);
    putchar('\n');
    va_end(args);
}

int tap_done(void)
{
    printf("1..%d\n", count);
    return failed ? 1 : 0;
}
