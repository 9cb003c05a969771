/*
 * shelf: a store's put and get in memory, with faults, and a temporary directory. For the tests of vault and
 * spool.
 */
#ifndef WOO_GHL_T_SHELF_H
#define WOO_GHL_T_SHELF_H

#include "crypt/vault.h"
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHELF_MAX 64

struct shelf {
    struct {
        char name[96], value[160];
    } item[SHELF_MAX];
    size_t count;
    bool away;         /* answers nothing */
    long puts_left;    /* then it answers nothing; -1 = no end */
    long gets, puts;   /* how many were asked for */
    const char *watch; /* a name: before it is put, `on_put` runs once */
    void (*on_put)(struct shelf *);
    void *context; /* on_put's */
};

static inline char *shelf_value(struct shelf *shelf, const char *name)
{
    for (size_t i = 0; i < shelf->count; i++)
        if (!strcmp(shelf->item[i].name, name))
            return shelf->item[i].value;
    return NULL;
}

static inline enum store_result shelf_get(void *context, const char *name, char **out)
{
    struct shelf *shelf = context;
    *out = NULL;
    shelf->gets++;
    if (shelf->away)
        return STORE_UNAVAILABLE;
    const char *value = shelf_value(shelf, name);
    if (!value)
        return STORE_NONE;
    *out = strdup(value);
    return STORE_OK;
}

static inline enum store_result shelf_put(void *context, const char *name, const char *value, int64_t ttl_ms,
                                          bool if_absent, char **out)
{
    struct shelf *shelf = context;
    *out = NULL;
    shelf->puts++;
    if (shelf->watch && !strcmp(name, shelf->watch)) {
        shelf->watch = NULL;
        shelf->on_put(shelf);
    }
    if (shelf->puts_left == 0)
        shelf->away = true;
    if (shelf->away || ttl_ms != 0)
        return STORE_UNAVAILABLE;
    if (shelf->puts_left > 0)
        shelf->puts_left--;
    char *there = shelf_value(shelf, name);
    if (!there && shelf->count == SHELF_MAX)
        return STORE_UNAVAILABLE;
    if (!there) {
        there = shelf->item[shelf->count].value;
        snprintf(shelf->item[shelf->count++].name, sizeof shelf->item->name, "%s", name);
        snprintf(there, sizeof shelf->item->value, "%s", value);
    } else if (!if_absent) {
        snprintf(there, sizeof shelf->item->value, "%s", value);
    }
    *out = strdup(there);
    return STORE_OK;
}

static inline struct vault_shelf shelf_face(struct shelf *shelf)
{
    return (struct vault_shelf){.context = shelf, .get = shelf_get, .put = shelf_put};
}

/* One machine: a configuration whose DATA_DIR is data/ in a temporary directory of its own. */
struct machine {
    char dir[64], data_dir[80], secret[64], previous[64], data_key[64], data_key_previous[64];
    char prefix[16], location[32];
    struct config config;
};

static inline void machine_init(struct machine *m, const char *secret)
{
    *m = (struct machine){.prefix = "woo_ghl", .location = "ve9EPM428h8vShlRW1KT"};
    const char *tmp = getenv("TMPDIR");
    snprintf(m->dir, sizeof m->dir, "%s/woo_ghl-unit-XXXXXX", tmp && strlen(tmp) < 32 ? tmp : "/tmp");
    if (!mkdtemp(m->dir))
        abort();
    snprintf(m->data_dir, sizeof m->data_dir, "%s/data", m->dir);
    snprintf(m->secret, sizeof m->secret, "%s", secret);
    m->config = (struct config){.webhook_secret = m->secret,
                                .webhook_secret_previous = m->previous,
                                .data_key = m->data_key,
                                .data_key_previous = m->data_key_previous,
                                .redis_prefix = m->prefix,
                                .ghl_location_id = m->location,
                                .data_dir = m->data_dir};
}

static inline int machine_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static inline void machine_free(struct machine *m)
{
    if (nftw(m->dir, machine_remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
        fprintf(stderr, "# %s could not be removed\n", m->dir);
}

#endif
