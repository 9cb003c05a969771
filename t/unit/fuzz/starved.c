/*
 * What t/fuzz/seeds holds, through each fuzzer, while the machine has no more to give: the n-th allocation or addition to
 * a buffer fails, or the n-th call of a file, alone or with all that come after it. It must not crash, and what was begun
 * comes to its end; what the fuzzer then checks may be wrong for want of memory.
 *
 * STARVED=N: N faults of each kind for each seed, and both ways (default: 20; 100 in `make coverage`).
 */
#include "../../fuzz/rig.h"
#include "../../torture/faults.h"
#include "tap.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INPUT_MAX 65536
#define PATH_SIZE 512
#define HANG_S 60

#if defined(__SANITIZE_ADDRESS__)
/* What a check leaves behind is no leak of the program's; t/torture.t looks for those. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}
#endif

/* The at-th of this kind fails, 0 = none; how many there were. */
static long run(const struct fuzz_target *target, const uint8_t *bytes, size_t len, enum fault_kind kind,
                long at, bool on)
{
    static jmp_buf way_out;

    fuzz_way_out = &way_out;
    (void)alarm(HANG_S); /* what waits for ever ends by a signal */
    faults_at(kind, at, on);
    if (setjmp(way_out) == 0)
        target->run(bytes, len);
    fuzz_way_out = NULL;
    return faults_stop(kind);
}

/* Without a fault, then with so many of this kind. */
static long starve(const struct fuzz_target *target, const uint8_t *bytes, size_t len, enum fault_kind kind,
                   long tries)
{
    long all = run(target, bytes, len, kind, 0, false), tried = 0;

    for (long at = 1; at <= all; at += all > tries ? all / tries : 1, tried += 2) {
        (void)run(target, bytes, len, kind, at, false);
        (void)run(target, bytes, len, kind, at, true);
    }
    return tried;
}

static void starve_all(const struct fuzz_target *target, long tries)
{
    static uint8_t bytes[INPUT_MAX];
    struct dirent **entry;
    char path[PATH_SIZE];
    long tried[FAULT_KINDS] = {0};

    snprintf(path, sizeof path, "t/fuzz/seeds/%s", target->name);
    int found = scandir(path, &entry, NULL, alphasort);
    for (int i = 0; i < found; i++) {
        snprintf(path, sizeof path, "t/fuzz/seeds/%s/%s", target->name, entry[i]->d_name);
        FILE *file = *entry[i]->d_name != '.' ? fopen(path, "rb") : NULL;
        if (file) {
            size_t len = fread(bytes, 1, sizeof bytes, file);
            fclose(file);
            if (tried[FAULT_MEMORY] == 0)
                target->run(bytes, len); /* it opens what it keeps */
            for (int kind = FAULT_MEMORY; kind <= FAULT_CALL; kind++)
                tried[kind] += starve(target, bytes, len, (enum fault_kind)kind, tries);
        }
        free(entry[i]);
    }
    if (found >= 0)
        free(entry);
    ok(found > 2, "%s: %ld allocations and %ld calls failed", target->name, tried[FAULT_MEMORY],
       tried[FAULT_CALL]);
}

int main(void)
{
    const char *told = getenv("STARVED"), *only = getenv("FUZZ_TARGET");
    long tries = told ? strtol(told, NULL, 10) : getenv("COVERAGE") ? 100 : 20;

    faults_install();
#if !defined(__SANITIZE_ADDRESS__)
    check(freopen("/dev/null", "w", stderr)); /* a log that cannot be opened is written there */
#endif
    for (size_t i = 0; i < fuzz_target_count; i++)
        if (!only || !strcmp(only, fuzz_targets[i].name))
            starve_all(&fuzz_targets[i], tries > 0 ? tries : 1);
    return tap_done();
}
