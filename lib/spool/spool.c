#include "spool/spool.h"
#include "base/clock.h"
#include "base/crash.h"
#include "base/files.h"
#include "spool/spool_name.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define BATCH 256 /* names that are read at once, so that a long spool is not listed once a file */

static const char form[] = "woo_ghl spool 1";
struct spool {
    struct vault *vault;
    int dir;
    char path[PATH_MAX];
    char boot_id[CLOCK_BOOT_ID_SIZE]; /* "" = unknown */
    /* this pass */
    struct spool_name *names; /* owned; the oldest, at most BATCH */
    size_t count, at;
    bool more;     /* the directory held more than BATCH */
    bool removed;  /* one of them is gone: another look brings others */
    bool ids_held; /* by another process, or released: no delivery in this pass */
};

/* Calls visit for each file of the spool. False with the error set when the directory cannot be read. */
static bool each_name(const struct spool *spool, void *context, spool_name_visit visit, struct error *e)
{
    bool good = spool_name_each(spool->dir, vault_namespace(spool->vault), context, visit);
    if (!good)
        error_set(e, "%s: cannot be listed: %s", spool->path, strerror(errno));
    return good;
}

/* -- life cycle -- */

struct spool *spool_open(const struct config *config, struct vault *vault, struct error *e)
{
    struct spool *spool = calloc(1, sizeof *spool);

    if (!spool) {
        error_set(e, "spool: out of memory");
        return NULL;
    }
    spool->vault = vault;
    spool->dir = -1;
    clock_boot_id(spool->boot_id);
    if (snprintf(spool->path, sizeof spool->path, "%s/spool", config->data_dir) >= (int)sizeof spool->path) {
        error_set(e, "DATA_DIR: its path is longer than %d bytes", PATH_MAX);
        goto fail;
    }
    int above = files_open_dir(config->data_dir, e);
    if (above < 0)
        goto fail;
    close(above);
    spool->dir = files_open_dir(spool->path, e);
    if (spool->dir < 0)
        goto fail;
    return spool;
fail:
    spool_close(spool);
    return NULL;
}

static void end_pass(struct spool *spool)
{
    free(spool->names);
    spool->names = NULL;
    spool->count = spool->at = 0;
    spool->more = spool->removed = spool->ids_held = false;
}

void spool_close(struct spool *spool)
{
    if (!spool)
        return;
    end_pass(spool);
    if (spool->dir >= 0)
        close(spool->dir);
    free(spool);
}

bool spool_is_there(const struct spool *spool)
{
    struct stat st;
    return fstat(spool->dir, &st) == 0 && st.st_nlink > 0;
}

/* -- putting -- */

/* The lines before the payload. A line break would move what follows into another line: refused. */
static bool add_head(const struct spool *spool, struct buf *out, int64_t wall_ms, int64_t boot_ms,
                     const char *key)
{
    return !strchr(key, '\n') && buf_addf(out, "%s\n%lld\n%lld\n%s\n%s\n", form, (long long)wall_ms,
                                          (long long)boot_ms, spool->boot_id, key);
}

static bool about_file(const struct spool *spool, enum spool_kind kind, char out[SPOOL_NAME_SIZE])
{
    int n = snprintf(out, SPOOL_NAME_SIZE, "%s.%s", vault_namespace(spool->vault), spool_kind_name(kind));
    return n > 0 && n < SPOOL_NAME_SIZE;
}

/* Seals and writes; the content is wiped. */
static bool put(struct spool *spool, enum spool_kind kind, int64_t wall_ms, struct buf *content,
                struct error *e)
{
    char name[SPOOL_NAME_SIZE], about[SPOOL_NAME_SIZE];
    struct buf sealed;
    bool good = false;

    buf_init(&sealed, SPOOL_CONTENT_MAX + VAULT_OVERHEAD);
    vault_keep(spool->vault);
    if (content->failed || !about_file(spool, kind, about) ||
        !spool_name_make(vault_namespace(spool->vault), wall_ms, kind, name) ||
        !vault_seal(spool->vault, "spool", about, content->data, content->len, &sealed)) {
        error_set(e, "%s: a file cannot be made: out of memory, of random bytes, or over %ld bytes",
                  spool->path, SPOOL_CONTENT_MAX);
    } else if (CRASH_AROUND("spool_put", files_write(spool->dir, name, sealed.data, sealed.len, false, e)) ==
               FILES_OK) {
        good = true;
    } else {
        error_prefix(e, "%s", spool->path);
    }
    buf_free(&sealed);
    buf_wipe(content);
    return good;
}

bool spool_put_delivery(struct spool *spool, const struct spool_delivery *delivery, struct error *e)
{
    int64_t wall_ms = clock_wall_ms() - delivery->arrived_ago_ms;
    int64_t boot_ms = clock_boot_ms() - delivery->arrived_ago_ms;
    struct buf content;

    buf_init(&content, SPOOL_CONTENT_MAX);
    if (!add_head(spool, &content, wall_ms, boot_ms, delivery->key ? delivery->key : "") ||
        !buf_add(&content, delivery->packed, delivery->packed_len))
        content.failed = true;
    return put(spool, SPOOL_DELIVERY, wall_ms, &content, e);
}

bool spool_put_ids(struct spool *spool, const struct spool_ids *ids, struct error *e)
{
    const char *contact = ids->contact_id ? ids->contact_id : "";
    const char *opportunity = ids->opportunity_id ? ids->opportunity_id : "";
    int64_t wall_ms = clock_wall_ms();
    struct buf content;

    if (!ids->key || !*ids->key || strpbrk(contact, "\n") || strpbrk(opportunity, "\n")) {
        error_set(e, "%s: ids need an order's key and hold no line breaks", spool->path);
        return false;
    }
    buf_init(&content, SPOOL_CONTENT_MAX);
    if (!add_head(spool, &content, wall_ms, clock_boot_ms(), ids->key) ||
        !buf_addf(&content, "%s\n%s\n%s\n", contact, opportunity, ids->clear_attempt ? "clear" : "keep"))
        content.failed = true;
    end_pass(spool); /* the next look finds these before any delivery */
    return put(spool, SPOOL_IDS, wall_ms, &content, e);
}

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

static bool take_ms(struct buf *content, size_t *at, int64_t *out)
{
    const char *line = take_line(content, at);
    char *end = NULL;

    if (!line || !*line)
        return false;
    errno = 0;
    *out = strtoll(line, &end, 10);
    return errno == 0 && *end == '\0';
}

static bool parse_content(const struct spool *spool, struct spool_item *item)
{
    struct buf *content = &item->content;
    size_t at = 0;
    int64_t wall_ms, boot_ms, ago_ms;

    const char *line = take_line(content, &at);
    if (!line || strcmp(line, form) != 0 || !take_ms(content, &at, &wall_ms) ||
        !take_ms(content, &at, &boot_ms))
        return false;
    const char *boot_id = take_line(content, &at);
    const char *key = boot_id ? take_line(content, &at) : NULL;
    if (!key)
        return false;
    bool same_boot = *boot_id && !strcmp(boot_id, spool->boot_id);
    ago_ms = same_boot ? clock_boot_ms() - boot_ms : clock_wall_ms() - wall_ms;
    item->arrived_ago_ms = ago_ms > 0 ? ago_ms : 0;

    if (item->kind == SPOOL_DELIVERY) {
        item->delivery = (struct spool_delivery){.key = key,
                                                 .packed = content->data + at,
                                                 .packed_len = content->len - at,
                                                 .arrived_ago_ms = item->arrived_ago_ms};
        return true;
    }
    item->ids.key = key;
    item->ids.contact_id = take_line(content, &at);
    item->ids.opportunity_id = item->ids.contact_id ? take_line(content, &at) : NULL;
    line = item->ids.opportunity_id ? take_line(content, &at) : NULL;
    item->ids.clear_attempt = line && !strcmp(line, "clear");
    return line != NULL;
}

/* Reads and opens the locked file. */
static enum spool_result read_item(struct spool *spool, struct spool_item *item)
{
    char about[SPOOL_NAME_SIZE];
    struct buf sealed;

    item->unreadable = VAULT_FAILED;
    buf_init(&sealed, SPOOL_CONTENT_MAX + VAULT_OVERHEAD + 1);
    buf_init(&item->content, SPOOL_CONTENT_MAX);
    if (files_read_fd(item->fd, &sealed, &item->why) && about_file(spool, item->kind, about))
        item->unreadable = vault_open_sealed(spool->vault, "spool", about, sealed.data, sealed.len,
                                             &item->content, &item->why);
    buf_free(&sealed);
    if (item->unreadable == VAULT_OK && !parse_content(spool, item)) {
        item->unreadable = VAULT_DAMAGED;
        error_set(&item->why, "its content has a form that this version does not know");
    }
    return item->unreadable == VAULT_OK ? SPOOL_OK : SPOOL_UNREADABLE;
}

/* -- moving -- */

enum hold { HOLD_TAKEN, HOLD_OTHER, HOLD_GONE, HOLD_FAILED };

/* Opens and locks. Between the two another process may have moved it: the name must still be this file's. */
static enum hold hold_file(const struct spool *spool, struct spool_item *item)
{
    struct stat mine, named;

    item->fd = openat(spool->dir, item->name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (item->fd < 0 && errno == ENOENT)
        return HOLD_GONE;
    if (item->fd < 0) {
        error_set(&item->why, "it cannot be opened: %s; it must belong to the user that runs woo_ghl",
                  strerror(errno));
        return HOLD_FAILED;
    }
    enum hold hold = HOLD_TAKEN;
    /* A file system without locks: two movers may take it, and the store dedupes. */
    if (flock(item->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        hold = HOLD_OTHER;
    else if (fstat(item->fd, &mine) != 0 ||
             fstatat(spool->dir, item->name, &named, AT_SYMLINK_NOFOLLOW) != 0 ||
             mine.st_ino != named.st_ino || mine.st_dev != named.st_dev)
        hold = HOLD_GONE;
    if (hold != HOLD_TAKEN) {
        close(item->fd);
        item->fd = -1;
    }
    return hold;
}

static int compare_names(const void *left, const void *right)
{
    const struct spool_name *a = left, *b = right;
    if (a->kind != b->kind)
        return a->kind == SPOOL_IDS ? -1 : 1;
    return strcmp(a->text, b->text);
}

/* Keeps the BATCH first: a heap would do less work, but this sorts once in BATCH names. */
static bool collect(void *context, const struct spool_name *name)
{
    struct spool *spool = context;

    if (name->foreign || name->place != SPOOL_WAITING)
        return true;
    if (spool->count == (size_t)2 * BATCH) {
        qsort(spool->names, spool->count, sizeof *spool->names, compare_names);
        spool->count = BATCH;
        spool->more = true;
    }
    spool->names[spool->count++] = *name;
    return true;
}

static bool look(struct spool *spool, struct error *e)
{
    end_pass(spool);
    (void)files_clean(spool->dir); /* a count that nobody needs */
    spool->names = calloc((size_t)2 * BATCH, sizeof *spool->names);
    if (!spool->names) {
        error_set(e, "spool: out of memory");
        return false;
    }
    if (!each_name(spool, spool, collect, e)) {
        end_pass(spool);
        return false;
    }
    if (spool->count)
        qsort(spool->names, spool->count, sizeof *spool->names, compare_names);
    if (spool->count > BATCH) {
        spool->count = BATCH;
        spool->more = true;
    }
    return true;
}

void spool_begin(struct spool *spool)
{
    end_pass(spool);
}

enum spool_result spool_next(struct spool *spool, struct spool_item *item, struct error *e)
{
    enum spool_result none = SPOOL_NONE;

    if (!spool->names && !look(spool, e))
        return SPOOL_FAILED;
    for (;;) {
        if (spool->at == spool->count) {
            if (!spool->more || !spool->removed)
                break;
            if (!look(spool, e))
                return SPOOL_FAILED;
            continue;
        }
        const struct spool_name *name = &spool->names[spool->at++];
        if (name->kind == SPOOL_DELIVERY && spool->ids_held) {
            none = SPOOL_BUSY;
            break;
        }
        *item = (struct spool_item){.kind = name->kind, .fd = -1};
        memcpy(item->name, name->text, sizeof item->name);
        buf_init(&item->content, 0);
        switch (hold_file(spool, item)) {
        case HOLD_TAKEN: return read_item(spool, item);
        case HOLD_FAILED: item->unreadable = VAULT_FAILED; return SPOOL_UNREADABLE;
        case HOLD_OTHER:
            if (name->kind == SPOOL_IDS)
                spool->ids_held = true;
            break;
        case HOLD_GONE: spool->removed = true; break;
        }
    }
    end_pass(spool);
    return none;
}

static void free_item(struct spool_item *item)
{
    buf_wipe(&item->content);
    if (item->fd >= 0)
        close(item->fd); /* and its lock */
    *item = (struct spool_item){.fd = -1};
    buf_init(&item->content, 0);
}

bool spool_remove(struct spool *spool, struct spool_item *item, struct error *e)
{
    /* The directory is not fsynced: a file that a crash brings back is moved again, and deduped. */
    bool good = CRASH_AROUND("spool_remove", unlinkat(spool->dir, item->name, 0)) == 0 || errno == ENOENT;
    if (good)
        spool->removed = true;
    else
        error_set(e, "%s/%s: cannot be removed: %s; its content is in the store", spool->path, item->name,
                  strerror(errno));
    free_item(item);
    return good;
}

void spool_release(struct spool *spool, struct spool_item *item)
{
    if (item->kind == SPOOL_IDS)
        spool->ids_held = true;
    free_item(item);
}

static bool sync_names(const struct spool *spool)
{
    return fsync(spool->dir) == 0 || errno == EINVAL;
}

bool spool_quarantine(struct spool *spool, struct spool_item *item, struct error *alert)
{
    char aside[SPOOL_NAME_SIZE];
    bool good = true;

    if (item->unreadable == VAULT_FAILED) {
        error_set(alert, "%s/%s waits and cannot be moved to the store: %s", spool->path, item->name,
                  item->why.text);
    } else {
        const char *place = item->unreadable == VAULT_DAMAGED ? "damaged" : "locked";
        int n = snprintf(aside, sizeof aside, "%s.%s", item->name, place);
        good = n > 0 && n < (int)sizeof aside && renameat(spool->dir, item->name, spool->dir, aside) == 0 &&
               sync_names(spool);
        error_set(alert, "%s/%s is kept as .%s and cannot be moved to the store: %s", spool->path, item->name,
                  place, item->why.text);
        if (!good)
            error_set(alert, "%s/%s cannot be set aside: %s; and it cannot be moved: %s", spool->path,
                      item->name, strerror(errno), item->why.text);
        spool->removed = spool->removed || good;
    }
    free_item(item);
    return good;
}

struct retry {
    struct spool *spool;
    long count;
};

static bool retry_one(void *context, const struct spool_name *name)
{
    struct retry *retry = context;
    char waiting[SPOOL_NAME_SIZE] = "";

    if (name->foreign || name->place != SPOOL_LOCKED)
        return true;
    memcpy(waiting, name->text, strlen(name->text) - strlen(".locked"));
    if (renameat(retry->spool->dir, name->text, retry->spool->dir, waiting) != 0 && errno != ENOENT)
        return false;
    retry->count++;
    return true;
}

long spool_retry_locked(struct spool *spool, struct error *e)
{
    struct retry retry = {.spool = spool};

    end_pass(spool);
    if (!each_name(spool, &retry, retry_one, e))
        return -1;
    return retry.count;
}

/* -- for people -- */

struct tally {
    struct spool_stats *stats;
    int64_t oldest_wall_ms;
};

static bool tally_one(void *context, const struct spool_name *name)
{
    struct tally *tally = context;
    struct spool_stats *stats = tally->stats;

    if (name->foreign) {
        stats->foreign++;
        return true;
    }
    switch (name->place) {
    case SPOOL_LOCKED: stats->locked++; return true;
    case SPOOL_DAMAGED: stats->damaged++; return true;
    case SPOOL_WAITING: break;
    }
    if (name->kind == SPOOL_IDS)
        stats->ids++;
    else
        stats->deliveries++;
    if (name->wall_ms < tally->oldest_wall_ms)
        tally->oldest_wall_ms = name->wall_ms;
    return true;
}

bool spool_stats(const struct spool *spool, struct spool_stats *stats, struct error *e)
{
    struct tally tally = {.stats = stats, .oldest_wall_ms = INT64_MAX};
    int64_t now = clock_wall_ms();

    *stats = (struct spool_stats){0};
    if (!each_name(spool, &tally, tally_one, e))
        return false;
    if (tally.oldest_wall_ms < now)
        stats->oldest_ms = now - tally.oldest_wall_ms;
    return true;
}
