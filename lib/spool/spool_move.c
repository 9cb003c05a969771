#include "base/crash.h"
#include "base/files.h"
#include "base/text.h"
#include "spool/spool_work.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define BATCH 256      /* names that are read at once: a long spool is not listed once a file */
#define FAULT_MS 60000 /* after a fault of the directory nothing is moved for so long */

/* -- reading a file -- */

/* Cuts the line that *at points to out of the content, in place; NULL when there is none. */
static const char *take_line(struct buf *content, size_t *at)
{
    char *line = content->data + *at;
    char *end = memchr(line, '\n', content->len - *at);
    if (!end)
        return NULL;
    *end = '\0';
    *at += (size_t)(end - line) + 1;
    return line;
}

/* The content is authentic: a line that is there is as it was written. */
static bool parse_content(const struct spool *spool, struct spool_item *item)
{
    struct buf *content = &item->content;
    size_t at = 0;
    const char *line = take_line(content, &at);
    bool known = line && !strcmp(line, SPOOL_FORM);
    const char *boot_ms = take_line(content, &at), *boot_id = take_line(content, &at);
    const char *key = take_line(content, &at);

    if (!known || !boot_id || !key)
        return false;
    bool same_boot = *boot_id && !strcmp(boot_id, spool->boot_id);
    int64_t ago_ms =
        same_boot ? clock_mono_ms() - text_number(boot_ms, NULL) : clock_wall_ms() - item->name.wall_ms;
    item->arrived_ago_ms = ago_ms > 0 ? ago_ms : 0;
    if (item->kind == SPOOL_DELIVERY) {
        item->delivery = (struct spool_delivery){.key = key,
                                                 .packed = content->data + at,
                                                 .packed_len = content->len - at,
                                                 .arrived_ago_ms = item->arrived_ago_ms};
        return true;
    }
    item->ids = (struct spool_ids){.key = key};
    item->ids.contact_id = take_line(content, &at);
    item->ids.opportunity_id = take_line(content, &at);
    line = take_line(content, &at);
    item->ids.clear_attempt = line && !strcmp(line, "clear");
    return line != NULL;
}

/* Reads and opens the locked file. */
static enum spool_result read_item(const struct spool *spool, struct spool_item *item)
{
    char about[SPOOL_NAME_SIZE];
    enum crypt_result result = CRYPT_FAILED;
    struct buf sealed;

    buf_init(&sealed, SPOOL_CONTENT_MAX + CRYPT_OVERHEAD + 1);
    buf_init(&item->content, SPOOL_CONTENT_MAX);
    spool_about(&item->name, about);
    if (files_read_fd(item->fd, &sealed, &item->why))
        result =
            crypt_open(spool->crypt, "spool", about, sealed.data, sealed.len, &item->content, &item->why);
    buf_free(&sealed);
    if (result == CRYPT_OK && parse_content(spool, item))
        return SPOOL_OK;
    if (result == CRYPT_OK)
        error_set(&item->why, "its content has a form that this version does not know");
    item->unreadable = result == CRYPT_OK || result == CRYPT_DAMAGED ? SPOOL_DAMAGED : SPOOL_REFUSED;
    return SPOOL_UNREADABLE;
}

/* -- moving -- */

enum hold { HOLD_MINE, HOLD_NOT, HOLD_FAILED };

/* Opens and locks. Between the two another process may have moved it: the name must still be this file's. */
static enum hold hold_file(const struct spool *spool, struct spool_item *item)
{
    struct stat mine, named;

    item->fd = openat(spool->dir, item->name.text, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (item->fd < 0 && errno == ENOENT)
        return HOLD_NOT;
    if (item->fd < 0) {
        error_set(&item->why, "it cannot be opened: %s; it must belong to the user that runs woo_ghl",
                  strerror(errno));
        return HOLD_FAILED;
    }
    enum hold hold = HOLD_MINE;
    /* A file system without locks: two movers may take it, and the store dedupes. */
    if (flock(item->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        hold = HOLD_NOT;
    else if (fstat(item->fd, &mine) != 0 ||
             fstatat(spool->dir, item->name.text, &named, AT_SYMLINK_NOFOLLOW) != 0 ||
             mine.st_ino != named.st_ino || mine.st_dev != named.st_dev)
        hold = HOLD_NOT;
    if (hold != HOLD_MINE) {
        close(item->fd);
        item->fd = -1;
    }
    return hold;
}

void spool_end_pass(struct spool *spool)
{
    free(spool->names);
    spool->names = NULL;
    spool->count = spool->at = 0;
    spool->last = (struct spool_name){0};
}

static int compare_names(const void *left, const void *right)
{
    const struct spool_name *a = left, *b = right;
    if (a->kind != b->kind)
        return a->kind == SPOOL_IDS ? -1 : 1;
    return strcmp(a->text, b->text);
}

/* Keeps the BATCH first: a heap would do less work, but this sorts once in BATCH names. */
static void collect(void *context, const struct spool_name *name)
{
    struct spool *spool = context;

    if (strcmp(name->namespace, spool->namespace) != 0 || name->damaged ||
        (spool->old_keys ? !strcmp(name->key_id, crypt_key_id(spool->crypt))
                         : !spool_name_is_due(name, clock_wall_ms() / 1000)) ||
        spool_is_locked(spool, name, NULL) || (*spool->last.text && compare_names(name, &spool->last) <= 0))
        return;
    if (spool->count == (size_t)2 * BATCH) {
        qsort(spool->names, spool->count, sizeof *spool->names, compare_names);
        spool->count = BATCH;
    }
    spool->names[spool->count++] = *name;
}

/* The next BATCH of the pass. */
static enum spool_result look(struct spool *spool, struct error *e)
{
    spool->count = spool->at = 0;
    if (!spool_name_each(spool->dir, spool, collect)) {
        error_set(e, "%s: cannot be listed: %s", spool->path, strerror(errno));
        spool_end_pass(spool);
        return SPOOL_FAILED;
    }
    if (spool->count == 0) {
        spool_end_pass(spool);
        return SPOOL_NONE;
    }
    qsort(spool->names, spool->count, sizeof *spool->names, compare_names);
    if (spool->count > BATCH)
        spool->count = BATCH;
    spool->last = spool->names[spool->count - 1];
    return SPOOL_OK;
}

enum spool_result spool_begin(struct spool *spool, bool old_keys, struct error *e)
{
    spool_end_pass(spool);
    spool->old_keys = old_keys;
    if (clock_mono_ms() < spool->fault_mono_ms)
        return SPOOL_NONE;
    (void)files_clean(spool->dir); /* a count that nobody needs */
    spool->names = calloc((size_t)2 * BATCH, sizeof *spool->names);
    if (!spool->names) {
        error_set(e, "spool: out of memory");
        return SPOOL_FAILED;
    }
    return look(spool, e);
}

enum spool_result spool_next(struct spool *spool, struct spool_item *item, struct error *e)
{
    while (spool->names) {
        enum spool_result result = spool->at < spool->count ? SPOOL_OK : look(spool, e);
        if (result != SPOOL_OK)
            return result;
        const struct spool_name *name = &spool->names[spool->at++];
        *item = (struct spool_item){.kind = name->kind, .name = *name, .fd = -1};
        buf_init(&item->content, 0);
        switch (hold_file(spool, item)) {
        case HOLD_MINE: return read_item(spool, item);
        case HOLD_FAILED: item->unreadable = SPOOL_REFUSED; return SPOOL_UNREADABLE;
        case HOLD_NOT: break;
        }
    }
    return SPOOL_NONE;
}

/* Gives the file the name that item->name says now. */
static bool rename_file(const struct spool *spool, struct spool_item *item, const char *old)
{
    if (!spool_name_write(&item->name)) {
        errno = ENAMETOOLONG;
        return false;
    }
    return renameat(spool->dir, old, spool->dir, item->name.text) == 0;
}

static bool remove_file(const struct spool *spool, const char *name)
{
    /* The directory is not fsynced: a file that a crash brings back is moved again, and deduped. */
    return CRASH_AROUND("spool_remove", unlinkat(spool->dir, name, 0)) == 0 || errno == ENOENT;
}

void spool_end(struct spool *spool, struct spool_item *item, enum spool_fate fate, struct error *line)
{
    char old[SPOOL_NAME_SIZE];
    const char *cannot = NULL;

    *line = (struct error)ERROR_NONE;
    memcpy(old, item->name.text, sizeof old);
    switch (fate) {
    case SPOOL_TAKEN:
        if (!remove_file(spool, old))
            cannot = "the store has its content, but it cannot be removed";
        break;
    case SPOOL_DAMAGED:
        item->name.damaged = true;
        error_set(line, "%s/%s is kept as .damaged and cannot be moved to the store: %s", spool->path, old,
                  item->why.text);
        if (!rename_file(spool, item, old) || (fsync(spool->dir) != 0 && errno != EINVAL))
            cannot = "it cannot be read, nor set aside";
        break;
    case SPOOL_REFUSED:
        if (spool_name_fail(&item->name, clock_wall_ms() / 1000))
            error_set(line, "%s/%s waits and is tried again, for it was not moved to the store: %s",
                      spool->path, old, item->why.text);
        if (!rename_file(spool, item, old))
            cannot = "it was not moved to the store, and cannot be renamed";
        break;
    }
    if (cannot) {
        error_set(line, "%s/%s: %s: %s; the directory must belong to the user that runs woo_ghl", spool->path,
                  old, cannot, strerror(errno));
        spool->fault_mono_ms = clock_mono_ms() + FAULT_MS;
        spool_end_pass(spool);
    }
    buf_wipe(&item->content);
    if (item->fd >= 0)
        close(item->fd); /* and its lock */
    *item = (struct spool_item){.fd = -1};
    buf_init(&item->content, 0);
}
