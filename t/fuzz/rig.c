#include "rig.h"
#include <ftw.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FUZZ_ROW(name) {#name, fuzz_##name},
const struct fuzz_target fuzz_targets[] = {FUZZ_EACH(FUZZ_ROW)};
const size_t fuzz_target_count = sizeof fuzz_targets / sizeof *fuzz_targets;

jmp_buf *fuzz_way_out;

void fuzz_fail(const char *file, int line, const char *what)
{
    if (fuzz_way_out)
        longjmp(*fuzz_way_out, 1);
    fprintf(stderr, "%s line %d: this must hold: %s\n", file, line, what);
    abort();
}

char *fuzz_text(const void *bytes, size_t len)
{
    char *text = strndup(bytes, len);

    check(text != NULL);
    return text;
}

char *fuzz_take(const uint8_t **bytes, size_t *len, char by)
{
    const uint8_t *end = *len ? memchr(*bytes, by, *len) : NULL;
    size_t n = end ? (size_t)(end - *bytes) : *len;
    char *text = fuzz_text(*bytes, n);

    n += end != NULL;
    *bytes += n;
    *len -= n;
    return text;
}

bool fuzz_is_utf8(const char *text)
{
    json_t *string = json_string(text);

    json_decref(string);
    return string != NULL;
}

static char directory[] = "/dev/shm/woo_ghl.XXXXXX", elsewhere[] = "/tmp/woo_ghl.XXXXXX";
static const char *made;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

static void remove_directory(void)
{
    (void)nftw(made, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *fuzz_directory(void)
{
    if (!made) {
        made = mkdtemp(directory);
        if (!made)
            made = mkdtemp(elsewhere);
        check(made && atexit(remove_directory) == 0);
    }
    return made;
}
