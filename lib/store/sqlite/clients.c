#include "store/sqlite/clients.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLOTS 65536
#define NEIGHBOURS 8
#define MAGIC UINT64_C(0x31746e6c63676f77) /* the first word: "wogclnt1" */
#define SIZE ((SLOTS + 1) * sizeof(uint64_t))
#define COUNT_MAX UINT64_C(0xffffff)

/* -- the word: hash, day, count -- */

static uint64_t word_of(uint64_t hash, int64_t day)
{
    return (hash >> 36) << 36 | ((uint64_t)day & 0xfff) << 24;
}

static uint64_t count_of(uint64_t word)
{
    return word & COUNT_MAX;
}

static uint64_t day_of(uint64_t word)
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

bool clients_init(struct clients *clients, const char *dir)
{
    size_t size = strlen(dir) + sizeof "/clients.map";

    *clients = (struct clients){.path = malloc(size), .fd = -1};
    if (!clients->path)
        return false;
    snprintf(clients->path, size, "%s/clients.map", dir);
    return true;
}

static void unmap(struct clients *clients)
{
    if (clients->words)
        munmap((void *)(uintptr_t)clients->words, SIZE);
    if (clients->fd >= 0)
        close(clients->fd);
    clients->words = NULL;
    clients->fd = -1;
}

void clients_close(struct clients *clients)
{
    unmap(clients);
    free(clients->path);
    clients->path = NULL;
}

/* Under a name of its own and then renamed: a file that others have mapped is never cut, and never seen half
 * made. */
static bool make_file(const struct clients *clients, struct error *e)
{
    const uint64_t magic = MAGIC;
    char name[4096];
    bool good = false;

    if ((size_t)snprintf(name, sizeof name, "%s.XXXXXX", clients->path) >= sizeof name) {
        error_set(e, "%s: its name is too long", clients->path);
        return false;
    }
    int fd = mkostemp(name, O_CLOEXEC);
    if (fd < 0) {
        error_set(e, "%s: cannot be made: %s", clients->path, strerror(errno));
        return false;
    }
    /* All of its blocks now: a write into a hole of a full disk is a fatal signal. */
    int code = posix_fallocate(fd, 0, (off_t)SIZE);
    if (code == 0 && pwrite(fd, &magic, sizeof magic, 0) != (ssize_t)sizeof magic)
        code = errno ? errno : EIO;
    if (code == 0 && rename(name, clients->path) != 0)
        code = errno;
    good = code == 0;
    if (!good) {
        error_set(e, "%s: cannot be made: %s", clients->path, strerror(code));
        unlink(name);
    }
    close(fd);
    return good;
}

/* False when the file is missing, of another size or of another kind. */
static bool map_file(struct clients *clients)
{
    struct stat st;

    clients->fd = open(clients->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (clients->fd < 0 || fstat(clients->fd, &st) != 0 || st.st_size != (off_t)SIZE)
        goto bad;
    void *words = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, clients->fd, 0);
    if (words == MAP_FAILED)
        goto bad;
    clients->words = words;
    if (atomic_load(&clients->words[0]) == MAGIC)
        return true;
bad:
    unmap(clients);
    return false;
}

static bool is_usable(struct clients *clients, struct error *e)
{
    struct stat st;

    if (clients->words && fstat(clients->fd, &st) == 0 && st.st_nlink > 0 && st.st_size == (off_t)SIZE)
        return true;
    unmap(clients);
    if (map_file(clients) || (make_file(clients, e) && map_file(clients)))
        return true;
    if (e && !e->text[0])
        error_set(e, "%s: cannot be mapped: %s", clients->path, strerror(errno));
    return false;
}

/* -- counting -- */

/* This client's word, else a free one (of another day, or never used), else the smallest count's. */
static _Atomic uint64_t *find(const struct clients *clients, uint64_t hash, uint64_t fresh)
{
    _Atomic uint64_t *best = NULL;
    uint64_t best_count = UINT64_MAX;

    for (size_t i = 0; i < NEIGHBOURS; i++) {
        _Atomic uint64_t *word = &clients->words[1 + (hash + i) % SLOTS];
        uint64_t value = atomic_load(word);
        if ((value & ~COUNT_MAX) == fresh && count_of(value) > 0)
            return word;
        uint64_t count = day_of(value) == day_of(fresh) ? count_of(value) : 0;
        if (count < best_count) {
            best = word;
            best_count = count;
        }
    }
    return best;
}

bool clients_count(struct clients *clients, const char *client, int64_t day, int64_t *count, struct error *e)
{
    if (!is_usable(clients, e))
        return false;
    uint64_t hash = hash_of(client), fresh = word_of(hash, day);
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
