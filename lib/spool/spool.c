#include "spool/spool.h"
#include "base/crash.h"
#include "base/files.h"
#include "spool/spool_work.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* -- life cycle -- */

static bool make_namespace(const struct config *c, char out[SPOOL_NAMESPACE_SIZE])
{
    char hash[DIGEST_HEX_SIZE];
    struct buf name;

    buf_init(&name, 4096);
    bool good = buf_addf(&name, "%s:%s", c->redis_prefix ? c->redis_prefix : "",
                         c->ghl_location_id ? c->ghl_location_id : "") &&
                digest_label_hex("", 0, c->dry_run ? "dry" : "live", name.data, name.len, hash);
    buf_free(&name);
    if (good)
        snprintf(out, SPOOL_NAMESPACE_SIZE, "%.*s", SPOOL_NAMESPACE_SIZE - 1, hash);
    return good;
}

struct spool *spool_open(const struct config *config, const struct crypt *crypt, struct error *e)
{
    struct spool *spool = calloc(1, sizeof *spool);

    if (!spool || !make_namespace(config, spool->namespace)) {
        error_set(e, "spool: out of memory");
        free(spool);
        return NULL;
    }
    spool->crypt = crypt;
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

void spool_close(struct spool *spool)
{
    if (!spool)
        return;
    spool_end_pass(spool);
    if (spool->dir >= 0)
        close(spool->dir);
    free(spool);
}

bool spool_is_there(const struct spool *spool)
{
    struct stat st;
    return fstat(spool->dir, &st) == 0 && st.st_nlink > 0;
}

/* -- orders in names -- */

/* What files of this order have in their names: under the current key first, then under the previous ones.
 * How many; 0 if libcrypto fails. */
static size_t order_marks(const struct spool *spool, const char *key,
                          char out[CRYPT_SECRETS_MAX][SPOOL_ORDER_SIZE])
{
    unsigned char keys[CRYPT_SECRETS_MAX][DIGEST_LEN], hash[DIGEST_LEN];
    size_t n = crypt_hash_keys(spool->crypt, "spool order", keys);

    for (size_t i = 0; i < n; i++) {
        if (!digest_hmac(keys[i], DIGEST_LEN, key, strlen(key), hash))
            n = 0;
        else
            digest_hex(hash, (SPOOL_ORDER_SIZE - 1) / 2, out[i]);
    }
    explicit_bzero(keys, sizeof keys);
    return n;
}

struct search {
    const struct spool *spool;
    char marks[CRYPT_SECRETS_MAX][SPOOL_ORDER_SIZE];
    size_t count;
    bool found;
};

static void search_one(void *context, const struct spool_name *name)
{
    struct search *search = context;

    if (name->kind != SPOOL_DELIVERY || name->damaged ||
        strcmp(name->namespace, search->spool->namespace) != 0)
        return;
    for (size_t i = 0; i < search->count; i++)
        search->found |= !strcmp(name->order, search->marks[i]);
}

bool spool_holds(const struct spool *spool, const char *key)
{
    struct search search = {.spool = spool};

    search.count = order_marks(spool, key, search.marks);
    return spool_name_each(spool->dir, &search, search_one) && search.found;
}

/* -- putting -- */

/* The lines before the payload. A line break would move what follows into another line: refused. */
static bool add_head(const struct spool *spool, struct buf *out, int64_t ago_ms, const char *key)
{
    return !strchr(key, '\n') && buf_addf(out, "%s\n%lld\n%s\n%s\n", SPOOL_FORM,
                                          (long long)(clock_mono_ms() - ago_ms), spool->boot_id, key);
}

static bool make_name(const struct spool *spool, enum spool_kind kind, int64_t ago_ms, const char *key,
                      struct spool_name *name)
{
    char marks[CRYPT_SECRETS_MAX][SPOOL_ORDER_SIZE] = {SPOOL_ORDER_UNKNOWN};

    *name = (struct spool_name){.wall_ms = clock_wall_ms() - ago_ms, .kind = kind};
    if (!digest_token(name->random, sizeof name->random) || (*key && !order_marks(spool, key, marks)))
        return false;
    memcpy(name->namespace, spool->namespace, sizeof name->namespace);
    memcpy(name->order, marks[0], sizeof name->order);
    snprintf(name->key_id, sizeof name->key_id, "%s", crypt_key_id(spool->crypt));
    return *name->key_id && spool_name_write(name);
}

void spool_about(const struct spool_name *name, char out[SPOOL_NAME_SIZE])
{
    snprintf(out, SPOOL_NAME_SIZE, "%s.%s", name->namespace, spool_kind_name(name->kind));
}

/* Seals and writes; the content is wiped. */
static bool put(const struct spool *spool, enum spool_kind kind, int64_t ago_ms, const char *key,
                struct buf *content, struct error *e)
{
    char about[SPOOL_NAME_SIZE];
    struct spool_name name;
    struct buf sealed;
    bool good = !content->failed && make_name(spool, kind, ago_ms, key, &name);

    buf_init(&sealed, SPOOL_CONTENT_MAX + CRYPT_OVERHEAD);
    if (good) {
        spool_about(&name, about);
        good = crypt_seal(spool->crypt, "spool", about, content->data, content->len, &sealed);
    }
    if (!good) {
        error_set(e, "%s: a file cannot be made: out of memory, of random bytes, or over %ld bytes",
                  spool->path, SPOOL_CONTENT_MAX);
    } else if (CRASH_AROUND("spool_put", files_write(spool->dir, name.text, sealed.data, sealed.len, false,
                                                     e)) != FILES_OK) {
        error_prefix(e, "%s", spool->path);
        good = false;
    }
    buf_free(&sealed);
    buf_wipe(content);
    return good;
}

bool spool_put_delivery(const struct spool *spool, const struct spool_delivery *delivery, struct error *e)
{
    const char *key = delivery->key ? delivery->key : "";
    struct buf content;

    buf_init(&content, SPOOL_CONTENT_MAX);
    if (!add_head(spool, &content, delivery->arrived_ago_ms, key) ||
        !buf_add(&content, delivery->packed, delivery->packed_len))
        content.failed = true;
    return put(spool, SPOOL_DELIVERY, delivery->arrived_ago_ms, key, &content, e);
}

bool spool_put_ids(const struct spool *spool, const struct spool_ids *ids, struct error *e)
{
    const char *contact = ids->contact_id ? ids->contact_id : "";
    const char *opportunity = ids->opportunity_id ? ids->opportunity_id : "";
    struct buf content;

    if (!ids->key || !*ids->key || strpbrk(contact, "\n") || strpbrk(opportunity, "\n")) {
        error_set(e, "%s: ids need an order's key and hold no line breaks", spool->path);
        return false;
    }
    buf_init(&content, SPOOL_CONTENT_MAX);
    if (!add_head(spool, &content, 0, ids->key) ||
        !buf_addf(&content, "%s\n%s\n%s\n", contact, opportunity, ids->clear_attempt ? "clear" : "keep"))
        content.failed = true;
    return put(spool, SPOOL_IDS, 0, ids->key, &content, e);
}

/* -- for people -- */

bool spool_is_locked(const struct spool *spool, const struct spool_name *name, struct error *needs)
{
    return crypt_opens(spool->crypt, name->key_id, needs) != CRYPT_OK;
}

struct tally {
    const struct spool *spool;
    struct spool_stats *stats;
    int64_t oldest_wall_ms;
};

static void tally_one(void *context, const struct spool_name *name)
{
    struct tally *tally = context;
    struct spool_stats *stats = tally->stats;

    if (strcmp(name->namespace, tally->spool->namespace) != 0) {
        stats->foreign++;
    } else if (name->damaged) {
        stats->damaged++;
    } else if (spool_is_locked(tally->spool, name, &stats->needs)) {
        stats->locked++;
    } else {
        if (name->kind == SPOOL_IDS)
            stats->ids++;
        else
            stats->deliveries++;
        stats->refused += name->failures > 0;
        if (name->wall_ms < tally->oldest_wall_ms)
            tally->oldest_wall_ms = name->wall_ms;
    }
}

bool spool_stats(const struct spool *spool, struct spool_stats *stats, struct error *e)
{
    struct tally tally = {.spool = spool, .stats = stats, .oldest_wall_ms = INT64_MAX};
    int64_t now = clock_wall_ms();

    *stats = (struct spool_stats){0};
    if (!spool_name_each(spool->dir, &tally, tally_one)) {
        error_set(e, "%s: cannot be listed: %s", spool->path, strerror(errno));
        return false;
    }
    if (tally.oldest_wall_ms < now)
        stats->oldest_ms = now - tally.oldest_wall_ms;
    return true;
}
