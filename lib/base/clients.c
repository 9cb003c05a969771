#include "base/clients.h"
#include "base/files.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define SLOTS 65536
#define NEIGHBOURS 8
#define SIZE (SLOTS * sizeof(uint64_t))
#define COUNT_MAX UINT64_C(0xffffff)

/* -- the word: hash, period, count -- */

static uint64_t word_of(uint64_t hash, int64_t period)
{
    return (hash >> 36) << 36 | ((uint64_t)period & 0xfff) << 24;
}

static uint64_t count_of(uint64_t word)
{
    return word & COUNT_MAX;
}

static uint64_t period_of(uint64_t word)
{
    return word >> 24 & 0xfff;
}

/* FNV-1a, with a last mixing so that both ends of it are good. The client's text is a keyed hash already. */
static uint64_t hash_of(const char *text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return (hash ^ hash >> 32) * UINT64_C(0x9e3779b97f4a7c15);
}

/* -- the file -- */

void clients_close(struct clients *clients)
{
    if (clients->words)
        munmap((void *)(uintptr_t)clients->words, SIZE);
    clients->words = NULL;
}

static bool map(struct clients *clients, const char *dir, const char *name, struct error *e)
{
    char path[4096];
    bool fits = snprintf(path, sizeof path, "%s/%s", dir, name) < (int)sizeof path;

    errno = ENAMETOOLONG;
    clients->words = fits ? files_map(AT_FDCWD, path, SIZE) : NULL;
    if (!clients->words)
        error_set(e, "%s: cannot be mapped: %s", path, strerror(errno));
    return clients->words != NULL;
}

/* -- counting -- */

/* This client's word, else a free one (of another period, or never used), else the smallest count's. */
static _Atomic uint64_t *find(const struct clients *clients, uint64_t hash, uint64_t fresh)
{
    _Atomic uint64_t *best = NULL;
    uint64_t best_count = UINT64_MAX;

    for (size_t i = 0; i < NEIGHBOURS; i++) {
        _Atomic uint64_t *word = &clients->words[(hash + i) % SLOTS];
        uint64_t value = atomic_load(word);
        if ((value & ~COUNT_MAX) == fresh && count_of(value) > 0)
            return word;
        uint64_t count = period_of(value) == period_of(fresh) ? count_of(value) : 0;
        if (count < best_count) {
            best = word;
            best_count = count;
        }
    }
    return best;
}

bool clients_count(struct clients *clients, const char *dir, const char *name, const char *client,
                   int64_t period, int64_t *count, struct error *e)
{
    if (!clients->words && !map(clients, dir, name, e))
        return false;
    uint64_t hash = hash_of(client), fresh = word_of(hash, period);
    for (;;) {
        _Atomic uint64_t *word = find(clients, hash, fresh);
        uint64_t before = atomic_load(word), after = fresh | 1;
        if ((before & ~COUNT_MAX) == fresh)
            after = count_of(before) < COUNT_MAX ? before + 1 : before;
        if (atomic_compare_exchange_strong(word, &before, after)) {
            *count = (int64_t)count_of(after);
            return true;
        }
    }
}
