/*
 * crash: named steps at which a test build dies. In a normal build nothing of it exists: CRASH_AROUND is its
 * call, and crash.c is not compiled.
 *
 * `make CRASH=1` makes the test build, in a directory of its own. Two points, STEP:before and STEP:after, are around
 * every call of the store (store_commit, store_read, store_lock ...; the shared records have their own names:
 * store_commit_location, store_commit_limiter), every call of GHL (its method: GET, POST, PUT, DELETE), and what puts
 * and removes the spool's files (spool_put, spool_remove).
 *
 *   WOO_GHL_CRASH_AT=store_commit:after#2   _exit(70) when this process comes there for the second time
 *   WOO_GHL_CRASH_DO=POST:after#3 COMMAND   runs the shell's COMMAND when this process comes there, and goes on
 *   WOO_GHL_CRASH_TRACE=FILE                each point that is passed is appended to FILE, one a line
 *
 * _exit and not kill: nothing is flushed, given back or answered either way, and the status tells a wanted
 * death from any other. t/crash-points.t records a run, then dies at each point of it.
 */
#pragma once

#ifdef WOO_GHL_CRASH

#define CRASH_EXIT 70

/* Comes back unless it is this step's turn. */
void crash_point(const char *step, const char *when);

#define CRASH_AROUND(step, ...)                                                                              \
    __extension__({                                                                                          \
        crash_point(step, "before");                                                                         \
        __typeof__(__VA_ARGS__) crash_result = (__VA_ARGS__);                                                \
        crash_point(step, "after");                                                                          \
        crash_result;                                                                                        \
    })

#else
#define CRASH_AROUND(step, ...) (__VA_ARGS__)
#endif
