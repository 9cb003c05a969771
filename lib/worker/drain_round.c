#include "worker/drain_round.h"
#include "base/buf.h"
#include <search.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define KEYS_MAX (256UL * 1024 * 1024) /* bytes of all keys */

/* One list, shared by the processes. */
struct list {
    _Atomic size_t next; /* where the next key to be handed out begins */
    char keys[];         /* a NUL after each */
};

struct drain_round {
    void *listed; /* tsearch()'s tree of all keys so far */
    struct list *list;
    size_t len; /* of its keys */
};

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

static size_t size_of(size_t len)
{
    return sizeof(struct list) + len;
}

static void drop_list(struct drain_round *round)
{
    if (round->list)
        munmap(round->list, size_of(round->len));
    round->list = NULL;
    round->len = 0;
}

struct drain_round *drain_round_new(void)
{
    return calloc(1, sizeof(struct drain_round));
}

void drain_round_free(struct drain_round *round)
{
    if (!round)
        return;
    drop_list(round);
    tdestroy(round->listed, free);
    free(round);
}

/* False when out of memory. */
static bool remember(struct drain_round *round, const char *key, bool *is_new)
{
    char *copy = NULL;

    *is_new = !tfind(key, &round->listed, compare);
    if (!*is_new)
        return true;
    copy = strdup(key);
    if (copy && tsearch(copy, &round->listed, compare))
        return true;
    free(copy);
    return false;
}

static bool make_list(struct drain_round *round, const struct buf *keys)
{
    if (!keys->len)
        return true;
    void *at = mmap(NULL, size_of(keys->len), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return false;
    round->list = at;
    round->len = keys->len;
    memcpy(round->list->keys, keys->data, keys->len);
    return true;
}

enum store_result drain_round_list(struct drain_round *round, struct store *store)
{
    struct buf waiting, fresh;

    drop_list(round);
    buf_init(&waiting, KEYS_MAX);
    buf_init(&fresh, KEYS_MAX);
    enum store_result result = store_waiting(store, &waiting);
    bool good = result == STORE_OK, is_new;
    for (size_t at = 0; good && at < waiting.len;) {
        const char *key = waiting.data + at;
        size_t size = strlen(key) + 1;
        good = remember(round, key, &is_new) && (!is_new || buf_add(&fresh, key, size));
        at += size;
    }
    if (!good || !make_list(round, &fresh))
        result = STORE_UNAVAILABLE;
    else if (!fresh.len)
        result = STORE_NONE;
    buf_free(&waiting);
    buf_free(&fresh);
    return result;
}

const char *drain_round_next(struct drain_round *round)
{
    if (!round->list)
        return NULL;
    size_t at = atomic_load(&round->list->next), after;
    do {
        if (at >= round->len)
            return NULL;
        after = at + strlen(round->list->keys + at) + 1;
    } while (!atomic_compare_exchange_weak(&round->list->next, &at, after));
    return round->list->keys + at;
}
