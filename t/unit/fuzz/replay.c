/*
 * Replays what is in t/fuzz/seeds/NAME, and in t/fixtures for whole orders, through each fuzzer, and variations of it:
 * the same ones each time, FUZZ_ROUNDS=N of each seed (default 300). FUZZ_TARGET=NAME: this one alone.
 *
 * The input that ends the program is in build/fuzz-failed (BUILD's).
 */
#include "../../fuzz/rig.h"
#include "tap.h"
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INPUT_MAX 65536
#define PATH_SIZE 512
#define ROUNDS 300
#define EDITS 4

static uint32_t state = 1;

static uint32_t under(size_t n)
{
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return n ? state % (uint32_t)n : 0;
}

/* One edit: a byte changes or goes, a piece comes twice, the end is cut, a bracket or a number comes in. */
static size_t edit(uint8_t *bytes, size_t len)
{
    static const char *const pieces[] = {"{",    "}", "\"", "\\u0000", "-1", "99999999999999999999",
                                         "\xff", "%", "\n", "&lt;"};
    size_t at = under(len + 1), n = 1 + under(8);
    const char *piece = pieces[under(sizeof pieces / sizeof *pieces)];

    switch (under(5)) {
    case 0: return at;
    case 1:
        if (at < len)
            bytes[at] = (uint8_t)under(256);
        return len;
    case 2:
        if (at + n > len)
            return len;
        memmove(bytes + at, bytes + at + n, len - at - n);
        return len - n;
    case 3:
        if (at + n > len)
            return len;
        piece = (const char *)bytes + at;
        break;
    default: n = strlen(piece);
    }
    char kept[32];
    if (len + n > INPUT_MAX || n > sizeof kept)
        return len;
    memcpy(kept, piece, n);
    memmove(bytes + at + n, bytes + at, len - at);
    memcpy(bytes + at, kept, n);
    return len + n;
}

static char failed[PATH_SIZE];

static uint8_t bytes[INPUT_MAX];
static size_t n;

/* Keeps what ended the program. */
static void keep(int number)
{
    int fd = open(failed, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0 || write(fd, bytes, n) != (ssize_t)n)
        _exit(EXIT_FAILURE);
    signal(number, SIG_DFL);
    raise(number);
}

static size_t run_seed(const struct fuzz_target *target, const char *path, long rounds)
{
    static uint8_t seed[INPUT_MAX];
    FILE *file = fopen(path, "rb");
    size_t len = file ? fread(seed, 1, sizeof seed, file) : 0;

    if (!file)
        return 0;
    fclose(file);
    for (long round = 0; round <= rounds; round++) {
        n = len;
        memcpy(bytes, seed, len);
        for (uint32_t edits = round ? 1 + under(EDITS) : 0; edits > 0; edits--)
            n = edit(bytes, n);
        target->run(bytes, n);
    }
    return 1;
}

static size_t run_folder(const struct fuzz_target *target, const char *folder, const char *like, long rounds)
{
    struct dirent **entry;
    char path[PATH_SIZE];
    size_t count = 0;
    int found = scandir(folder, &entry, NULL, alphasort);

    for (int i = 0; i < found; i++) {
        if (entry[i]->d_name[0] != '.' && strstr(entry[i]->d_name, like)) {
            snprintf(path, sizeof path, "%s/%s", folder, entry[i]->d_name);
            count += run_seed(target, path, rounds);
        }
        free(entry[i]);
    }
    if (found >= 0)
        free(entry);
    return count;
}

int main(void)
{
    const char *told = getenv("FUZZ_ROUNDS"), *only = getenv("FUZZ_TARGET");
    const char *build = getenv("BUILD");
    long rounds = told ? strtol(told, NULL, 10) : ROUNDS;

    signal(SIGABRT, keep);
    signal(SIGSEGV, keep);
    snprintf(failed, sizeof failed, "%s/fuzz-failed", build ? build : "build");
    for (size_t i = 0; i < fuzz_target_count; i++) {
        const struct fuzz_target *target = &fuzz_targets[i];
        char folder[PATH_SIZE];
        if (only && strcmp(only, target->name) != 0)
            continue;
        snprintf(folder, sizeof folder, "t/fuzz/seeds/%s", target->name);
        size_t count = run_folder(target, folder, "", rounds);
        if (!strcmp(target->name, "order"))
            count += run_folder(target, "t/fixtures", ".json", rounds / 10);
        ok(count > 0, "%s: %zu seeds and %ld variations of each", target->name, count, rounds);
    }
    return tap_done();
}
