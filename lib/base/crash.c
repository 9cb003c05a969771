/* Compiled in the test build only (make CRASH=1). */
#ifndef WOO_GHL_CRASH
#define WOO_GHL_CRASH
#endif
#include "base/crash.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POINT_SIZE 80

/* A trace that misses a point would make the test pass over it: rather no run at all. */
static void trace(const char *path, const char *point)
{
    char line[POINT_SIZE + 1];
    int n = snprintf(line, sizeof line, "%s\n", point);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    if (fd < 0 || write(fd, line, (size_t)n) != n)
        abort();
    close(fd);
}

/* Behind "POINT#N" in asked, when it is this point's turn; else NULL. *hits: how often it was passed. */
static const char *turn(const char *asked, const char *point, long *hits)
{
    size_t n = strlen(point);
    char *end = NULL;

    if (!asked || strncmp(asked, point, n) != 0 || asked[n] != '#')
        return NULL;
    return ++*hits == strtol(asked + n + 1, &end, 10) ? end : NULL;
}

void crash_point(const char *step, const char *when)
{
    static long hits, hits_do; /* of the points that are asked for; this build serves no one but the tests */
    char point[POINT_SIZE];
    const char *trace_path = getenv("WOO_GHL_CRASH_TRACE");
    int kept = errno; /* callers look at it after the call that is framed */
    int n = snprintf(point, sizeof point, "%s:%s", step, when);

    if (n < 0 || n >= (int)sizeof point)
        abort();
    if (trace_path)
        trace(trace_path, point);
    if (turn(getenv("WOO_GHL_CRASH_AT"), point, &hits))
        _exit(CRASH_EXIT);
    const char *command = turn(getenv("WOO_GHL_CRASH_DO"), point, &hits_do);
    if (command && system(command) != 0)
        abort();
    errno = kept;
}
