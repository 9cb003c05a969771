#include "base/clock.h"
#include "base/crash.h"
#include "crypt/vault.h"
#include "store/backend.h"
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define SEALED_MAX (STORE_BODY_MAX + 1024)

/* Every verb goes through here, so that a test build can die before and after each. */
#define ASK(verb, ...) CRASH_AROUND("store_" #verb, store->backend->verb(__VA_ARGS__))

struct store {
    const struct store_backend *backend;
    void *state;
    struct log *log;
    struct vault *vault;      /* NULL: nothing can be sealed yet */
    struct error own_trouble; /* what went wrong in this file */
};

/* -- life cycle -- */

struct store *store_open(const struct config *config, struct log *log, struct error *e)
{
    struct store *store = calloc(1, sizeof *store);

    if (!store) {
        error_set(e, "Out of memory");
        return NULL;
    }
    store->log = log;
    store->backend = *config->redis_url ? &store_redis : &store_sqlite;
    store->state = store->backend->open(config, log, e);
    if (store->state)
        return store;
    free(store);
    return NULL;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    store->backend->close(store->state);
    free(store);
}

void store_before_fork(struct store *store)
{
    if (store && store->backend->before_fork)
        store->backend->before_fork(store->state);
}

bool store_lost(struct store *store, struct error *what)
{
    return store->backend->lost && store->backend->lost(store->state, what);
}

enum store_result store_forgot(struct store *store, const char *key_id)
{
    return ASK(forgot, store->state, key_id);
}

void store_use_vault(struct store *store, struct vault *vault)
{
    store->vault = vault;
}

const char *store_kind(const struct store *store)
{
    return store->backend->kind;
}

const char *store_trouble(const struct store *store)
{
    return store->own_trouble.text[0] ? store->own_trouble.text : store->backend->trouble(store->state);
}

void store_shift_clock(struct store *store, int64_t ms)
{
    store->backend->shift_clock(store->state, ms, false);
}

void store_set_clock(struct store *store, int64_t by_ms)
{
    store->backend->shift_clock(store->state, by_ms, true);
}

void store_entry_free(struct store_entry *entry)
{
    if (entry->body)
        explicit_bzero(entry->body, entry->body_len);
    if (entry->attempt_note)
        explicit_bzero(entry->attempt_note, strlen(entry->attempt_note));
    free(entry->key);
    free(entry->body);
    free(entry->attempt_note);
    *entry = (struct store_entry){0};
}

void store_parked_free(struct store_parked *list, size_t n, bool free_list)
{
    for (size_t i = 0; i < n; i++) {
        if (list[i].body)
            explicit_bzero(list[i].body, list[i].body_len);
        free(list[i].key);
        free(list[i].why);
        free(list[i].body);
        list[i] = (struct store_parked){0};
    }
    if (free_list)
        free(list);
}

/* -- sealing and opening: the one place through which bodies and notes go -- */

static bool has_vault(struct store *store, const char *done)
{
    store->own_trouble.text[0] = '\0';
    if (!store->vault)
        error_set(&store->own_trouble, "The store: nothing can be %s before its vault is open", done);
    return store->vault != NULL;
}

static bool seal(struct store *store, const char *purpose, const char *about, const void *bytes, size_t len,
                 struct buf *out)
{
    if (has_vault(store, "sealed") && !vault_seal(store->vault, purpose, about, bytes, len, out))
        error_set(&store->own_trouble, "The store: a body could not be sealed: out of memory, or too long");
    return !store->own_trouble.text[0];
}

static bool open_sealed(struct store *store, const char *purpose, const char *about, const void *bytes,
                        size_t len, struct buf *out)
{
    struct error e = ERROR_NONE;

    if (has_vault(store, "opened") &&
        vault_open_sealed(store->vault, purpose, about, bytes, len, out, &e) != VAULT_OK)
        error_set(&store->own_trouble, "Order %s: its stored %s cannot be opened; it stays. %s", about,
                  purpose, e.text);
    return !store->own_trouble.text[0];
}

/* A sealed note is kept as text. */
static bool seal_text(struct store *store, const char *about, const char *text, struct buf *out)
{
    struct buf sealed;

    buf_init(&sealed, SEALED_MAX);
    bool good = seal(store, "note", about, text, strlen(text), &sealed);
    size_t size = 4 * ((sealed.len + 2) / 3);
    char *room = good ? buf_room(out, size) : NULL;
    if (room) {
        buf_wrote(out, (size_t)EVP_EncodeBlock((unsigned char *)room, (const unsigned char *)sealed.data,
                                               (int)sealed.len));
    }
    buf_free(&sealed);
    return room != NULL;
}

static char *open_text(struct store *store, const char *about, const char *text)
{
    size_t len = strlen(text), padding = 0;
    unsigned char *sealed = malloc(len + 1);
    struct buf out;
    char *opened = NULL;

    buf_init(&out, SEALED_MAX);
    int n = sealed ? EVP_DecodeBlock(sealed, (const unsigned char *)text, (int)len) : -1;
    while (padding < 2 && padding < len && text[len - 1 - padding] == '=')
        padding++;
    if (n >= (int)padding && open_sealed(store, "note", about, sealed, (size_t)n - padding, &out))
        opened = buf_steal(&out);
    buf_wipe(&out);
    free(sealed);
    return opened;
}

/* The entry's sealed body and note, in place. False: it cannot be opened; the entry is freed. */
static bool open_entry(struct store *store, struct store_entry *entry)
{
    struct buf body;

    buf_init(&body, SEALED_MAX);
    bool good = open_sealed(store, "body", entry->key, entry->body, entry->body_len, &body);
    if (good) {
        free(entry->body);
        entry->body_len = body.len;
        entry->body = buf_steal(&body);
        good = entry->body != NULL;
    }
    buf_wipe(&body);
    if (good && entry->attempt_note) {
        char *note = open_text(store, entry->key, entry->attempt_note);
        free(entry->attempt_note);
        entry->attempt_note = note;
        good = note != NULL;
    }
    if (!good) {
        struct log_about about = {.order = entry->key};
        log_event(store->log, LOG_LEVEL_ERROR, "sealed", &about, "%s", store->own_trouble.text);
    }
    return good;
}

/* Gives back an entry that cannot be opened: it stays, and is looked at again later. */
#define UNOPENED_RETRY_MS (10LL * 60 * 1000)
static void give_back(struct store *store, struct store_entry *entry)
{
    (void)store->backend->retry(
        store->state, entry->key, entry->token, UNOPENED_RETRY_MS, false, true,
        "it cannot be opened: set the DATA_KEY or the webhook secret that it was stored under");
    store_entry_free(entry);
}

static bool make_token(char token[STORE_TOKEN_SIZE])
{
    unsigned char random[(STORE_TOKEN_SIZE - 1) / 2];

    if (!digest_random(random, sizeof random))
        return false;
    digest_hex(random, sizeof random, token);
    return true;
}

static void begin_entry(struct store_entry *entry)
{
    *entry = (struct store_entry){.asked_mono_ms = clock_mono_ms()};
}

/* The store does not know the vault's key: it has another one, or came back empty. */
static void other_key(struct store *store)
{
    vault_doubt(store->vault);
    error_set(&store->own_trouble, "The store's data key is another one than a moment ago");
}

/* -- claim -- */

enum store_claim_result store_claim(struct store *store, const struct store_claim *claim,
                                    struct store_claim_reply *reply, struct store_entry *entry)
{
    struct buf sealed;
    struct store_claim with_seal = *claim;
    enum store_claim_result result = CLAIM_UNAVAILABLE;

    *reply = (struct store_claim_reply){0};
    begin_entry(entry);
    int64_t asked = entry->asked_mono_ms;
    buf_init(&sealed, SEALED_MAX);
    if (make_token(entry->token) && seal(store, "body", claim->key, claim->body, claim->body_len, &sealed)) {
        with_seal.body = sealed.data;
        with_seal.body_len = sealed.len;
        with_seal.key_id = vault_key_id(store->vault);
        result = ASK(claim, store->state, &with_seal, reply, entry);
    }
    buf_free(&sealed);
    if (result == CLAIM_OTHER_KEY)
        other_key(store);
    if (result != CLAIM_NEW) {
        store_entry_free(entry);
        return result;
    }
    entry->asked_mono_ms = asked;
    if (open_entry(store, entry))
        return CLAIM_NEW;
    give_back(store, entry);
    return CLAIM_DEFERRED;
}

/* -- the leased entry -- */

enum store_result store_progress(struct store *store, const char *key, const char *token,
                                 const struct store_progress *progress, unsigned *others)
{
    struct store_progress with_seal = *progress;
    struct buf note;
    unsigned ignored = 0;
    enum store_result result = STORE_UNAVAILABLE;

    buf_init(&note, SEALED_MAX);
    if (!progress->attempt_note || seal_text(store, key, progress->attempt_note, &note)) {
        with_seal.attempt_note = progress->attempt_note ? note.data : NULL;
        result = ASK(progress, store->state, key, token, &with_seal, others ? others : &ignored);
    }
    buf_free(&note);
    return result;
}

enum store_result store_renew(struct store *store, const char *key, const char *token, int64_t lease_ms)
{
    return ASK(renew, store->state, key, token, lease_ms);
}

enum store_result store_finish(struct store *store, const char *key, const char *token,
                               const char *fingerprint, const struct store_link *link, int64_t next_lease_ms,
                               struct store_entry *next, bool *has_next)
{
    begin_entry(next);
    int64_t asked = next->asked_mono_ms;
    *has_next = false;
    if (!store->vault || !make_token(next->token))
        next_lease_ms = 0; /* what waits is promoted all the same */
    enum store_result result =
        ASK(finish, store->state, key, token, fingerprint, link, next_lease_ms, next, has_next);
    if (result != STORE_OK || !*has_next) {
        *has_next = false;
        store_entry_free(next);
        return result;
    }
    next->asked_mono_ms = asked;
    if (!open_entry(store, next)) {
        give_back(store, next);
        *has_next = false;
    }
    return result;
}

enum store_result store_retry(struct store *store, const char *key, const char *token, int64_t delay_ms,
                              bool counted, bool hold, const char *why)
{
    return ASK(retry, store->state, key, token, delay_ms, counted, hold, why);
}

enum store_result store_park(struct store *store, const char *key, const char *token, const char *why,
                             bool *parked)
{
    bool ignored;
    return ASK(park, store->state, key, token, why, parked ? parked : &ignored);
}

enum store_result store_park_bytes(struct store *store, const char *key, const void *bytes, size_t len,
                                   const char *why)
{
    struct buf sealed;
    enum store_result result = STORE_UNAVAILABLE;

    buf_init(&sealed, SEALED_MAX);
    if (seal(store, "body", key, bytes, len, &sealed))
        result = ASK(park_bytes, store->state, key, sealed.data, sealed.len, why, vault_key_id(store->vault));
    buf_free(&sealed);
    if (result == STORE_OTHER_KEY)
        other_key(store);
    return result;
}

/* -- the queue -- */

enum store_result store_lease_due(struct store *store, int64_t lease_ms, const char *only,
                                  struct store_entry *entry, int64_t *next_due_ms, enum store_hold *hold)
{
    int64_t due_ignored = -1;
    enum store_hold hold_ignored = STORE_GO;

    *entry = (struct store_entry){0};
    if (!has_vault(store, "opened"))
        return STORE_UNAVAILABLE;
    for (;;) {
        begin_entry(entry);
        int64_t asked = entry->asked_mono_ms;
        if (!make_token(entry->token))
            return STORE_UNAVAILABLE;
        enum store_result result =
            ASK(lease_due, store->state, lease_ms, only, vault_key_id(store->vault), entry,
                next_due_ms ? next_due_ms : &due_ignored, hold ? hold : &hold_ignored);
        if (result == STORE_OTHER_KEY)
            other_key(store);
        if (result != STORE_OK) {
            store_entry_free(entry);
            return result;
        }
        entry->asked_mono_ms = asked;
        if (open_entry(store, entry))
            return STORE_OK;
        give_back(store, entry);
        if (only)
            return STORE_NONE;
    }
}

enum store_result store_waiting(struct store *store, struct buf *keys)
{
    store->own_trouble.text[0] = '\0';
    enum store_result result = ASK(waiting, store->state, keys);
    if (result == STORE_OK && keys->failed) {
        error_set(&store->own_trouble, "The store: no memory for the keys of all that waits");
        result = STORE_UNAVAILABLE;
    }
    return result;
}

enum store_result store_heartbeat(struct store *store)
{
    return ASK(heartbeat, store->state);
}

/* -- two orders of one customer, two orders on one card -- */

enum store_result store_contact_lock(struct store *store, const char *const hash[], size_t n,
                                     const char *token, int64_t lease_ms, int64_t *newest_s)
{
    return ASK(contact_lock, store->state, hash, n, token, lease_ms, newest_s);
}

enum store_result store_contact_unlock(struct store *store, const char *const hash[], size_t n,
                                       const char *token, int64_t wrote_s)
{
    return ASK(contact_unlock, store->state, hash, n, token, wrote_s);
}

enum store_result store_card_take(struct store *store, const char *opportunity_id, const char *key,
                                  int64_t created_s, enum store_card how)
{
    return ASK(card_take, store->state, opportunity_id, key, created_s, how);
}

/* -- shared counters -- */

enum store_result store_allow(struct store *store, const char *client, int64_t *count)
{
    return ASK(allow, store->state, client, count);
}

enum store_result store_pace(struct store *store, int64_t max_wait_ms, int64_t *wait_ms)
{
    return ASK(pace, store->state, max_wait_ms, wait_ms);
}

enum store_result store_pace_correct(struct store *store, const struct store_limits *limits)
{
    return ASK(pace_correct, store->state, limits);
}

/* Two calls are kept back, so that at 99 % of the rate a window with its burst never holds more than `count`.
 */
#define PACE_BURST 2
void store_pace_terms(int64_t count, int64_t window_ms, int64_t *interval_us, int64_t *burst)
{
    int64_t usable = count * 99 / 100;

    *burst = usable > 20 ? PACE_BURST : 1;
    if (usable < 1)
        usable = 1;
    /* A window sees at most window / interval + burst calls. */
    int64_t steady = usable > *burst ? usable - *burst : 1;
    *interval_us = (window_ms * 1000 + steady - 1) / steady;
}

int64_t store_pace_most(const struct config *config, int64_t window_ms)
{
    int64_t interval_us = 1, burst = 1;

    store_pace_terms(config->ghl_rate.count, config->ghl_rate.window_ms, &interval_us, &burst);
    return window_ms * 1000 / interval_us + burst;
}

enum store_result store_breaker(struct store *store, bool success, int64_t *open_ms)
{
    int64_t ignored;
    return ASK(breaker, store->state, success, open_ms ? open_ms : &ignored);
}

enum store_result store_probe(struct store *store, enum store_hold what)
{
    return ASK(probe, store->state, what);
}

enum store_result store_pause(struct store *store, const char *token_hash, const char *why, bool *first)
{
    return ASK(pause, store->state, token_hash, why, first);
}

enum store_result store_resume(struct store *store, const char *token_hash)
{
    return ASK(resume, store->state, token_hash);
}

enum store_result store_count(struct store *store, const char *word, bool reconcile)
{
    return ASK(count, store->state, word, reconcile);
}

enum store_result store_reconciled(struct store *store, int64_t wanted)
{
    return ASK(reconciled, store->state, wanted);
}

enum store_result store_put(struct store *store, const char *name, const char *value, int64_t ttl_ms,
                            bool if_absent, char **out)
{
    char *there = NULL;
    enum store_result result = ASK(put, store->state, name, value, ttl_ms, if_absent, &there);

    if (out)
        *out = there;
    else
        free(there);
    return result;
}

enum store_result store_get(struct store *store, const char *name, char **out)
{
    *out = NULL;
    return ASK(get, store->state, name, out);
}

/* -- for commands and the health page -- */

enum store_result store_stats(struct store *store, struct store_stats *stats)
{
    *stats = (struct store_stats){0};
    return ASK(stats, store->state, stats);
}

enum store_result store_parked_list(struct store *store, const char *after, size_t max,
                                    struct store_parked **list, size_t *n)
{
    *list = NULL;
    *n = 0;
    return ASK(parked_list, store->state, after, max, list, n);
}

enum store_result store_parked_get(struct store *store, const char *key, struct store_parked *out)
{
    struct buf body;

    *out = (struct store_parked){0};
    enum store_result result = ASK(parked_get, store->state, key, out);
    if (result != STORE_OK || !out->body)
        return result;
    buf_init(&body, SEALED_MAX);
    bool good = open_sealed(store, "body", key, out->body, out->body_len, &body);
    free(out->body);
    out->body_len = body.len;
    out->body = good ? buf_steal(&body) : NULL;
    buf_wipe(&body);
    if (out->body)
        return STORE_OK;
    store_parked_free(out, 1, false);
    return STORE_UNAVAILABLE;
}

enum store_result store_requeue(struct store *store, const char *key)
{
    return ASK(requeue, store->state, key);
}

enum store_result store_drop(struct store *store, const char *key)
{
    return ASK(drop, store->state, key);
}

enum store_result store_expire_parked(struct store *store, int64_t *n)
{
    return ASK(expire_parked, store->state, n);
}

enum store_result store_look(struct store *store, const char *key, struct store_order *out)
{
    *out = (struct store_order){0};
    return ASK(look, store->state, key, out);
}
