/*
 * rig: what the fuzzers share.
 *
 * Each file of this folder fuzzes one door: fuzz_NAME takes any bytes, and ends the process if something happens that
 * must not happen. `make fuzz` gives them to libFuzzer; t/unit/fuzz/replay.c replays the seeds in t/fuzz/seeds/NAME, and
 * variations of them, with every `make check`.
 */
#pragma once

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All of them, by name. */
#define FUZZ_EACH(x)                                                                                         \
    x(decimal) x(dotenv) x(ghl) x(json) x(order) x(phone) x(request) x(sealed) x(settings) x(signature)      \
        x(store) x(template) x(typed)
#define FUZZ_DECLARE(name) void fuzz_##name(const uint8_t *bytes, size_t len);
FUZZ_EACH(FUZZ_DECLARE)

struct fuzz_target {
    const char *name;
    void (*run)(const uint8_t *bytes, size_t len);
};
extern const struct fuzz_target fuzz_targets[];
extern const size_t fuzz_target_count;

/* This must hold, whatever came in. */
#define check(good) ((good) ? (void)0 : fuzz_fail(__FILE__, __LINE__, #good))
_Noreturn void fuzz_fail(const char *file, int line, const char *what);
/* If set: where it goes on then, instead of ending. */
extern jmp_buf *fuzz_way_out;

/* The bytes as a text of the caller's, which ends at the first NUL. */
char *fuzz_text(const void *bytes, size_t len);

/* Takes the text before the first `by`, or all that is left, off the bytes; the caller's. */
char *fuzz_take(const uint8_t **bytes, size_t *len, char by);

/* Is it UTF-8, as JSON needs it? */
bool fuzz_is_utf8(const char *text);

/* A directory in memory, if the machine has one: nothing waits for a disk. It is removed at exit. */
const char *fuzz_directory(void);
