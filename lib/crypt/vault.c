#include "crypt/vault.h"
#include "base/files.h"
#include "crypt/keyring.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VERSION 1
#define HEAD_LEN (1 + KEYRING_ID_LEN) /* version, key id */
#define PRIMARY STORE_PRIMARY_KEY
#define SETTLED "vault/settled"
#define FILE_MAX 4096 /* a wrapped copy has 80 bytes */

struct vault {
    const struct config *config;
    struct log *log;
    struct vault_shelf store, cache;
    int dir; /* DATA_DIR/vault; -1 = not to be had, and why: */
    struct error dir_error;
    char tag[VAULT_NAMESPACE_SIZE];
    struct keyring ring;
    const struct data_key *current; /* points into ring */
    const struct data_key *kept;    /* in DATA_DIR/vault, as its primary; NULL = not known to be */
    enum vault_state state;
    char knew[VAULT_ID_SIZE]; /* the key that this process last settled on; "" = none yet */
    struct error trouble;
};

/* -- DATA_DIR/vault as a shelf -- */

/* "vault/ID/COPY" -> "ID-COPY"; the files that are the namespace's own have its tag. */
static bool file_name(const struct vault *v, const char *name, char out[KEYRING_NAME_SIZE])
{
    bool own = !strcmp(name, PRIMARY) || !strcmp(name, SETTLED);
    int n =
        snprintf(out, KEYRING_NAME_SIZE, "%s%s%s", strchr(name, '/') + 1, own ? "-" : "", own ? v->tag : "");
    for (char *p = out; (p = strchr(p, '/'));)
        *p = '-';
    return n > 0 && n < KEYRING_NAME_SIZE;
}

static enum store_result cache_get(void *context, const char *name, char **out)
{
    struct vault *v = context;
    char file[KEYRING_NAME_SIZE];
    struct buf text;
    struct error e = ERROR_NONE;

    *out = NULL;
    if (v->dir < 0 || !file_name(v, name, file)) {
        v->trouble = v->dir_error;
        return STORE_UNAVAILABLE;
    }
    buf_init(&text, FILE_MAX);
    enum files_result result = files_read(v->dir, file, &text, &e);
    if (result == FILES_OK)
        *out = buf_steal(&text);
    else if (result == FILES_FAILED)
        error_set(&v->trouble, "%s/vault/%s", v->config->data_dir, e.text);
    buf_free(&text);
    if (result == FILES_MISSING)
        return STORE_NONE;
    return *out ? STORE_OK : STORE_UNAVAILABLE;
}

static enum store_result cache_put(void *context, const char *name, const char *value, int64_t ttl_ms,
                                   bool if_absent, char **out)
{
    struct vault *v = context;
    char file[KEYRING_NAME_SIZE];
    struct error e = ERROR_NONE;

    (void)ttl_ms;
    *out = NULL;
    if (v->dir < 0 || !file_name(v, name, file)) {
        v->trouble = v->dir_error;
        return STORE_UNAVAILABLE;
    }
    switch (files_write(v->dir, file, value, strlen(value), if_absent, &e)) {
    case FILES_EXISTS: return cache_get(context, name, out) == STORE_OK ? STORE_OK : STORE_UNAVAILABLE;
    case FILES_OK: *out = strdup(value); return *out ? STORE_OK : STORE_UNAVAILABLE;
    case FILES_MISSING:
    case FILES_FAILED: error_set(&v->trouble, "%s/vault/%s", v->config->data_dir, e.text); break;
    }
    return STORE_UNAVAILABLE;
}

/* -- the directory -- */

static bool open_dir(struct vault *v, struct error *e)
{
    char path[PATH_MAX];

    if (snprintf(path, sizeof path, "%s/vault", v->config->data_dir) >= (int)sizeof path) {
        error_set(e, "DATA_DIR: its path is longer than %d bytes", PATH_MAX);
        return false;
    }
    int above = files_open_dir(v->config->data_dir, e);
    if (above < 0)
        return false;
    close(above);
    v->dir = files_open_dir(path, e);
    if (v->dir >= 0)
        (void)files_clean(v->dir); /* a count that nobody needs */
    return v->dir >= 0;
}

/* One that was deleted while it was open takes nothing any more. */
static void look_at_dir(struct vault *v)
{
    struct stat st;

    if (v->dir >= 0 && (fstat(v->dir, &st) != 0 || st.st_nlink == 0)) {
        close(v->dir);
        v->dir = -1;
        v->kept = NULL;
    }
    if (v->dir < 0 && !open_dir(v, &v->dir_error))
        v->dir = -1; /* cache_get and cache_put say why when it matters */
}

/* -- the primary -- */

/* "ID SETTING" -> id, and the setting (cut) for people. NONE when it is no such text. */
static enum store_result parse_primary(const char *text, char id[VAULT_ID_SIZE], char setting[48])
{
    snprintf(id, VAULT_ID_SIZE, "%s", text);
    size_t n = strlen(id);
    snprintf(setting, 48, "%s", text[n] == ' ' ? text + n + 1 : "a secret");
    return keyring_is_id(id) && (text[n] == ' ' || text[n] == '\0') ? STORE_OK : STORE_NONE;
}

struct primary {
    bool there; /* on the shelf, whatever it says */
    char id[VAULT_ID_SIZE];
    char setting[48];
};

/* OK, NONE (none there, or, with p->there, none that can be read), UNAVAILABLE. */
static enum store_result get_primary(const struct vault_shelf *shelf, struct primary *p)
{
    char *text = NULL;

    *p = (struct primary){0};
    enum store_result result = shelf->get(shelf->context, PRIMARY, &text);
    p->there = result == STORE_OK;
    if (result == STORE_OK)
        result = parse_primary(text, p->id, p->setting);
    free(text);
    return result == STORE_OK || result == STORE_NONE ? result : STORE_UNAVAILABLE;
}

/* Copies first, then the primary: so a primary always has one. *p is what is there afterwards. */
static enum store_result put_primary(const struct vault *v, const struct vault_shelf *shelf,
                                     const struct data_key *key, bool if_absent, struct primary *p)
{
    char text[VAULT_ID_SIZE + 48], *there = NULL;

    *p = (struct primary){0};
    snprintf(text, sizeof text, "%s %s", key->id, v->ring.secret[0].setting);
    enum store_result result = keyring_share(&v->ring, shelf, key, NULL);
    if (result == STORE_OK)
        result = shelf->put(shelf->context, PRIMARY, text, 0, if_absent, &there);
    p->there = result == STORE_OK;
    if (result == STORE_OK)
        result = parse_primary(there, p->id, p->setting);
    free(there);
    return result == STORE_OK || result == STORE_NONE ? result : STORE_UNAVAILABLE;
}

/* The key that this machine last used; NULL = none that opens. */
static const struct data_key *cached_key(struct vault *v, struct primary *p)
{
    const struct data_key *key = NULL;

    if (get_primary(&v->cache, p) != STORE_OK || keyring_fetch(&v->ring, &v->cache, p->id, &key) != STORE_OK)
        return NULL;
    v->kept = key;
    return key;
}

/* A key for the spool alone. It is on disk before it is used. NULL with the error set. */
static const struct data_key *key_without_store(struct vault *v, struct error *e)
{
    struct primary p;
    const struct data_key *key = cached_key(v, &p);

    if (key)
        return key;
    bool stranger = p.there; /* one that does not open: its copies stay, this machine goes on with another */
    key = keyring_make(&v->ring);
    if (!key) {
        error_set(e, "vault: out of memory or random bytes");
        return NULL;
    }
    enum store_result result = put_primary(v, &v->cache, key, !stranger, &p);
    if (result == STORE_OK && strcmp(p.id, key->id) != 0) /* another process was first */
        result = keyring_fetch(&v->ring, &v->cache, p.id, &key);
    if (result != STORE_OK) {
        error_set(e, "the store gives no data key, and none can be kept in %s/vault: %s", v->config->data_dir,
                  v->trouble.text);
        return NULL;
    }
    v->kept = key;
    log_event(v->log, LOG_LEVEL_WARN, "vault", NULL,
              "The store gives no data key; the spool is sealed under the key %s, kept in DATA_DIR/vault",
              key->id);
    return key;
}

/* -- settling with the store -- */

static void say_locked(struct vault *v, const struct primary *p)
{
    v->state = VAULT_LOCKED;
    if (!keyring_is_id(p->id)) {
        error_set(&v->trouble, "The store's " PRIMARY " names no data key: restore the store's backup");
        return;
    }
    error_set(&v->trouble,
              "The store's data key %s (made under %s) opens with none of the configured secrets: set "
              "WOO_WEBHOOK_SECRET_PREVIOUS, or DATA_KEY or DATA_KEY_PREVIOUS where those were used, to the "
              "value of that time. Until then orders go to the spool",
              p->id, p->setting);
}

static void say_away(struct vault *v)
{
    v->state = VAULT_AWAY;
    error_set(&v->trouble, "The store does not answer, so its data key is not known for sure; orders go to "
                           "the spool");
}

/* The id of the key that this process, or any of this machine, last settled on; "" = none. */
static void last_settled(struct vault *v, char id[VAULT_ID_SIZE])
{
    char *kept = NULL;

    memcpy(id, v->knew, VAULT_ID_SIZE);
    if (!*id && cache_get(v, SETTLED, &kept) == STORE_OK && keyring_is_id(kept))
        snprintf(id, VAULT_ID_SIZE, "%s", kept);
    free(kept);
}

static void note_settled(struct vault *v, const struct data_key *key)
{
    char last[VAULT_ID_SIZE], *kept = NULL;

    last_settled(v, last);
    if (strcmp(last, key->id) != 0 && cache_put(v, SETTLED, key->id, 0, false, &kept) != STORE_OK)
        log_event(v->log, LOG_LEVEL_WARN, "vault", NULL, "DATA_DIR/vault cannot be written: %s",
                  v->trouble.text);
    free(kept);
    snprintf(v->knew, sizeof v->knew, "%s", key->id);
}

/* `had`: the id of the store's key; "" = it has none. It is going to be settled on `id`. */
static enum store_result tell_forgot(struct vault *v, const char *had, const char *id)
{
    char last[VAULT_ID_SIZE];

    last_settled(v, last);
    if (!*last || !strcmp(last, had) || !v->store.forgot)
        return STORE_OK;
    return v->store.forgot(v->store.context, id);
}

/* The store has no key yet: gives it the one in use, else this machine's last, else a new one. *p is the
 * store's primary afterwards, which may be another's. */
static enum store_result found_store(struct vault *v, struct primary *p)
{
    struct primary cached;
    const struct data_key *key = v->current ? v->current : cached_key(v, &cached);
    bool made = !key;

    if (made)
        key = keyring_make(&v->ring);
    if (!key)
        return STORE_UNAVAILABLE;
    /* Before it takes any order. */
    enum store_result result = tell_forgot(v, "", key->id);
    if (result == STORE_OK)
        result = put_primary(v, &v->store, key, true, p);
    if (result == STORE_OK && !strcmp(p->id, key->id))
        log_event(v->log, LOG_LEVEL_INFO, "vault", NULL,
                  "The store had no data key; it has %s now, %s, wrapped under %s", key->id,
                  made ? "newly made" : "which this machine used before", p->setting);
    return result;
}

/* The key of that id from wherever it can be had. */
static enum store_result fetch_anywhere(struct vault *v, const char *id, const struct data_key **key)
{
    if (keyring_fetch(&v->ring, &v->cache, id, key) == STORE_OK)
        return STORE_OK;
    return keyring_fetch(&v->ring, &v->store, id, key);
}

/* Keys that sealed this machine's spool while the store was away can be had from the store from now on. */
static void share_foreign(struct vault *v, const struct data_key *primary)
{
    struct primary p;
    const struct data_key *foreign[] = {v->current, cached_key(v, &p)};

    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
        if (foreign[i] && foreign[i] != primary &&
            keyring_share(&v->ring, &v->store, foreign[i], NULL) != STORE_OK)
            log_event(v->log, LOG_LEVEL_WARN, "vault", NULL,
                      "The data key %s could not be put into the store; it is still in DATA_DIR/vault",
                      foreign[i]->id);
}

static void cache_key(struct vault *v, const struct data_key *key)
{
    struct primary cached;

    v->kept = NULL;
    if (keyring_share(&v->ring, &v->cache, key, NULL) == STORE_OK) {
        enum store_result there = get_primary(&v->cache, &cached);
        if ((there != STORE_UNAVAILABLE && !strcmp(cached.id, key->id)) ||
            put_primary(v, &v->cache, key, false, &cached) == STORE_OK) {
            v->kept = key;
            return;
        }
    }
    log_event(v->log, LOG_LEVEL_WARN, "vault", NULL,
              "The wrapped data key cannot be kept in DATA_DIR/vault: %s", v->trouble.text);
}

bool vault_settle(struct vault *v)
{
    struct primary p;
    const struct data_key *key = NULL;
    const char *added = NULL;

    look_at_dir(v);
    v->trouble.text[0] = '\0';
    enum store_result result = get_primary(&v->store, &p);
    if (result == STORE_NONE && !p.there)
        result = found_store(v, &p);
    else if (result == STORE_OK)
        result = tell_forgot(v, p.id, p.id);
    if (result == STORE_OK)
        result = fetch_anywhere(v, p.id, &key);
    if (result != STORE_OK) {
        if (result == STORE_NONE)
            say_locked(v, &p);
        else
            say_away(v);
        return false;
    }
    if (keyring_share(&v->ring, &v->store, key, &added) != STORE_OK)
        log_event(v->log, LOG_LEVEL_WARN, "vault", NULL,
                  "The store does not take the data key's copies under the configured secrets now");
    else if (added)
        log_event(v->log, LOG_LEVEL_INFO, "vault", NULL, "The data key %s is now wrapped under %s too",
                  key->id, added);
    share_foreign(v, key);
    cache_key(v, key);
    note_settled(v, key);
    v->current = key;
    v->state = VAULT_SETTLED;
    return true;
}

void vault_doubt(struct vault *v)
{
    v->state = VAULT_AWAY;
    error_set(&v->trouble, "The store's data key is another one than before; orders go to the spool");
}

/* -- life cycle -- */

static bool make_tag(struct vault *v)
{
    const struct config *c = v->config;
    char hash[DIGEST_HEX_SIZE];
    struct buf name;

    buf_init(&name, 4096);
    bool good = buf_addf(&name, "%s:%s", c->redis_prefix ? c->redis_prefix : "",
                         c->ghl_location_id ? c->ghl_location_id : "") &&
                digest_label_hex("", 0, c->dry_run ? "dry" : "live", name.data, name.len, hash);
    buf_free(&name);
    if (good)
        memcpy(v->tag, hash, sizeof v->tag - 1);
    return good;
}

struct vault *vault_open(const struct config *config, const struct vault_shelf *shelf, struct log *log,
                         struct error *e)
{
    struct vault *v = calloc(1, sizeof *v);

    if (!v)
        goto no_memory;
    *v = (struct vault){.config = config, .log = log, .store = *shelf, .dir = -1, .state = VAULT_AWAY};
    v->cache = (struct vault_shelf){.context = v, .get = cache_get, .put = cache_put};
    if (!make_tag(v) || !keyring_init(&v->ring, config))
        goto no_memory;
    if (v->ring.secret_count == 0) {
        error_set(e, "vault: there is no secret to wrap the data key under: set WOO_WEBHOOK_SECRET");
        goto fail;
    }
    if (vault_settle(v))
        return v;
    struct error why = v->trouble;
    v->current = key_without_store(v, e);
    if (!v->current) {
        error_prefix(e, "%s", why.text);
        goto fail;
    }
    v->trouble = why;
    log_event(log, v->state == VAULT_LOCKED ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN, "vault", NULL, "%s",
              v->trouble.text);
    return v;
no_memory:
    error_set(e, "vault: out of memory");
fail:
    vault_free(v);
    return NULL;
}

void vault_keep(struct vault *v)
{
    look_at_dir(v);
    if (v->kept != v->current)
        cache_key(v, v->current);
}

void vault_free(struct vault *v)
{
    if (!v)
        return;
    keyring_free(&v->ring);
    if (v->dir >= 0)
        close(v->dir);
    free(v);
}

enum vault_state vault_state(const struct vault *v)
{
    return v->state;
}

const char *vault_trouble(const struct vault *v)
{
    return v->trouble.text;
}

const char *vault_key_id(const struct vault *v)
{
    return v->current->id;
}

const char *vault_namespace(const struct vault *v)
{
    return v->tag;
}

/* -- sealing -- */

/* What is bound to a blob: version, key id, purpose, about. */
static bool bind(struct buf *aad, const unsigned char head[HEAD_LEN], const char *purpose, const char *about)
{
    return buf_add(aad, head, HEAD_LEN) && buf_add(aad, purpose, strlen(purpose) + 1) && buf_adds(aad, about);
}

bool vault_seal(const struct vault *v, const char *purpose, const char *about, const void *bytes, size_t len,
                struct buf *out)
{
    unsigned char head[HEAD_LEN] = {VERSION};
    size_t before = out->len;
    struct buf aad;

    memcpy(head + 1, v->current->raw_id, KEYRING_ID_LEN);
    buf_init(&aad, 64L * 1024);
    bool good = bind(&aad, head, purpose, about) && buf_add(out, head, sizeof head) &&
                seal_bytes(v->current->seal_key, aad.data, aad.len, bytes, len, out);
    buf_free(&aad);
    if (!good && out->cap) {
        out->len = before; /* no head without its rest */
        buf_wrote(out, 0);
    }
    return good;
}

/* The key of a blob that this process does not hold: it gets its missing copies, like the primary. */
static const struct data_key *find_key(struct vault *v, const char *id, struct error *e)
{
    const struct data_key *key = keyring_find(&v->ring, id);
    if (key)
        return key;
    enum store_result result = fetch_anywhere(v, id, &key);
    if (result == STORE_OK) {
        if (keyring_share(&v->ring, &v->store, key, NULL) != STORE_OK)
            log_event(v->log, LOG_LEVEL_WARN, "vault", NULL,
                      "The data key %s could not be put into the store; it is still in DATA_DIR/vault", id);
        return key;
    }
    if (result == STORE_NONE)
        error_set(e,
                  "it is sealed under the data key %s, of which neither the store nor DATA_DIR/vault has a "
                  "copy that opens with a configured secret: set WOO_WEBHOOK_SECRET_PREVIOUS, or DATA_KEY or "
                  "DATA_KEY_PREVIOUS where those were used, to the value of that time",
                  id);
    else
        error_set(e, "it is sealed under the data key %s, and the store that may have it does not answer",
                  id);
    return NULL;
}

enum vault_result vault_open_sealed(struct vault *v, const char *purpose, const char *about,
                                    const void *sealed, size_t len, struct buf *out, struct error *e)
{
    const unsigned char *head = sealed;
    char id[VAULT_ID_SIZE];
    struct buf aad;
    enum vault_result result = VAULT_FAILED;

    if (len < VAULT_OVERHEAD || head[0] != VERSION) {
        error_set(e, "its %zu bytes are not sealed in a form that this version knows", len);
        return VAULT_DAMAGED;
    }
    digest_hex(head + 1, KEYRING_ID_LEN, id);
    const struct data_key *key = find_key(v, id, e);
    if (!key)
        return VAULT_UNKNOWN_KEY;
    buf_init(&aad, 64L * 1024);
    enum seal_result opened = SEAL_FAILED;
    if (bind(&aad, head, purpose, about))
        opened = seal_open(key->seal_key, aad.data, aad.len, head + HEAD_LEN, len - HEAD_LEN, out);
    buf_free(&aad);
    switch (opened) {
    case SEAL_OK: result = VAULT_OK; break;
    case SEAL_FORGED:
        error_set(e, "it was changed, cut, or sealed for something else than %s of %s", purpose, about);
        result = VAULT_DAMAGED;
        break;
    case SEAL_FAILED: error_set(e, "it cannot be opened: out of memory"); break;
    }
    return result;
}

/* -- hashing -- */

bool vault_hash_key(const struct vault *v, const char *label, unsigned char out[DIGEST_LEN])
{
    static const char salt[] = "woo_ghl hash 1";
    return seal_derive(v->current->key, SEAL_KEY_LEN, salt, sizeof salt - 1, label, out);
}
