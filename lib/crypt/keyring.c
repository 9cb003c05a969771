#include "crypt/keyring.h"
#include "order/signature.h"
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WRAPPED_LEN (SEAL_KEY_LEN + SEAL_OVERHEAD) /* a multiple of 3: its base64 has no padding */
#define WRAPPED_TEXT_LEN ((size_t)WRAPPED_LEN / 3 * 4)

/* -- secrets -- */

static bool add_secret(struct keyring *ring, const char *setting, const char *value, bool signs, bool wraps)
{
    if (!value || !*value)
        return true;
    char *text = signs ? signature_decode_entities(value) : strdup(value);
    if (!text)
        return false;
    size_t n = ring->secret_count++;
    ring->secret[n].setting = setting;
    ring->secret[n].text = text;
    ring->secret[n].wraps = wraps;
    return true;
}

bool keyring_init(struct keyring *ring, const struct config *c)
{
    bool own = c->data_key && *c->data_key;

    *ring = (struct keyring){0};
    if (add_secret(ring, "DATA_KEY", c->data_key, false, true) &&
        add_secret(ring, "DATA_KEY_PREVIOUS", c->data_key_previous, false, false) &&
        add_secret(ring, "WOO_WEBHOOK_SECRET", c->webhook_secret, true, !own) &&
        add_secret(ring, "WOO_WEBHOOK_SECRET_PREVIOUS", c->webhook_secret_previous, true, !own))
        return true;
    keyring_free(ring);
    return false;
}

void keyring_free(struct keyring *ring)
{
    for (size_t i = 0; i < ring->secret_count; i++) {
        explicit_bzero(ring->secret[i].text, strlen(ring->secret[i].text));
        free(ring->secret[i].text);
    }
    while (ring->keys) {
        struct data_key *key = ring->keys;
        ring->keys = key->next;
        explicit_bzero(key, sizeof *key);
        free(key);
    }
    *ring = (struct keyring){0};
}

/* -- keys -- */

bool keyring_is_id(const char *text)
{
    return strspn(text, "0123456789abcdef") == VAULT_ID_SIZE - 1 && text[VAULT_ID_SIZE - 1] == '\0';
}

const struct data_key *keyring_find(const struct keyring *ring, const char *id)
{
    for (const struct data_key *key = ring->keys; key; key = key->next)
        if (!strcmp(key->id, id))
            return key;
    return NULL;
}

/* The id is derived from the key, so that a wrong key can never pass for it. */
static const struct data_key *add_key(struct keyring *ring, const unsigned char bytes[SEAL_KEY_LEN],
                                      const char *want_id)
{
    unsigned char id[DIGEST_LEN];
    struct data_key *key = calloc(1, sizeof *key);

    if (!key)
        return NULL;
    memcpy(key->key, bytes, sizeof key->key);
    if (!digest_hmac(bytes, SEAL_KEY_LEN, "woo_ghl data key", 16, id) ||
        !seal_derive(bytes, SEAL_KEY_LEN, NULL, 0, "woo_ghl seal 1", key->seal_key))
        goto fail;
    memcpy(key->raw_id, id, KEYRING_ID_LEN);
    digest_hex(id, KEYRING_ID_LEN, key->id);
    if (want_id && strcmp(key->id, want_id) != 0)
        goto fail;
    key->next = ring->keys;
    ring->keys = key;
    return key;
fail:
    explicit_bzero(key, sizeof *key);
    free(key);
    return NULL;
}

const struct data_key *keyring_make(struct keyring *ring)
{
    unsigned char bytes[SEAL_KEY_LEN];
    const struct data_key *key = digest_random(bytes, sizeof bytes) ? add_key(ring, bytes, NULL) : NULL;
    explicit_bzero(bytes, sizeof bytes);
    return key;
}

/* -- wrapped copies -- */

/* One secret's way to wrap the key of one id. */
struct wrap {
    unsigned char key[SEAL_KEY_LEN];
    const char *id;
    char name[KEYRING_NAME_SIZE]; /* the copy's, on every shelf */
};

static bool wrap_init(struct wrap *wrap, const char *secret, const char *id)
{
    unsigned char hash[DIGEST_LEN];
    char copy[VAULT_ID_SIZE];

    wrap->id = id;
    if (!seal_derive(secret, strlen(secret), id, strlen(id), "woo_ghl wrap 1", wrap->key) ||
        !digest_hmac(wrap->key, sizeof wrap->key, "woo_ghl copy", 12, hash))
        return false;
    digest_hex(hash, KEYRING_ID_LEN, copy);
    snprintf(wrap->name, sizeof wrap->name, "vault/%s/%s", id, copy);
    return true;
}

static bool wrap_key(const struct wrap *wrap, const struct data_key *key, char out[WRAPPED_TEXT_LEN + 1])
{
    struct buf sealed;
    buf_init(&sealed, WRAPPED_LEN);
    bool good = seal_bytes(wrap->key, wrap->id, strlen(wrap->id), key->key, sizeof key->key, &sealed) &&
                EVP_EncodeBlock((unsigned char *)out, (const unsigned char *)sealed.data, WRAPPED_LEN) ==
                    WRAPPED_TEXT_LEN;
    buf_free(&sealed);
    return good;
}

/* False: the text is no copy made under this wrapping key. */
static bool unwrap_key(const struct wrap *wrap, const char *text, struct buf *key)
{
    unsigned char sealed[WRAPPED_LEN];

    return strlen(text) == WRAPPED_TEXT_LEN &&
           EVP_DecodeBlock(sealed, (const unsigned char *)text, WRAPPED_TEXT_LEN) == WRAPPED_LEN &&
           seal_open(wrap->key, wrap->id, strlen(wrap->id), sealed, sizeof sealed, key) == SEAL_OK &&
           key->len == SEAL_KEY_LEN;
}

/* The key by one secret. */
static enum store_result fetch_copy(struct keyring *ring, const struct vault_shelf *shelf, const char *secret,
                                    const char *id, const struct data_key **out)
{
    struct wrap wrap;
    struct buf bytes;
    char *text = NULL;

    if (!wrap_init(&wrap, secret, id))
        return STORE_UNAVAILABLE;
    buf_init(&bytes, SEAL_KEY_LEN);
    enum store_result result = shelf->get(shelf->context, wrap.name, &text);
    if (result == STORE_OK) {
        *out = unwrap_key(&wrap, text, &bytes) ? add_key(ring, (const unsigned char *)bytes.data, id) : NULL;
        result = *out ? STORE_OK : STORE_NONE;
    }
    free(text);
    buf_wipe(&bytes);
    explicit_bzero(&wrap, sizeof wrap);
    return result;
}

enum store_result keyring_fetch(struct keyring *ring, const struct vault_shelf *shelf, const char *id,
                                const struct data_key **out)
{
    *out = keyring_find(ring, id);
    enum store_result result = *out ? STORE_OK : STORE_NONE;

    for (size_t i = 0; result == STORE_NONE && i < ring->secret_count; i++)
        result = fetch_copy(ring, shelf, ring->secret[i].text, id, out);
    return result == STORE_OK || result == STORE_NONE ? result : STORE_UNAVAILABLE;
}

/* Puts the copy under one secret if there is none; one that does not open is no copy and is replaced. Looks
 * first: most starts find it, and a look costs no store a write. */
static enum store_result share_copy(const struct vault_shelf *shelf, const struct data_key *key,
                                    const char *secret, bool *added)
{
    struct wrap wrap;
    struct buf bytes;
    char mine[WRAPPED_TEXT_LEN + 1], *there = NULL, *now = NULL;
    enum store_result result = STORE_UNAVAILABLE;

    *added = false;
    buf_init(&bytes, SEAL_KEY_LEN);
    if (!wrap_init(&wrap, secret, key->id))
        goto out;
    result = shelf->get(shelf->context, wrap.name, &there);
    if (result == STORE_OK && unwrap_key(&wrap, there, &bytes))
        goto out;
    bool absent = result == STORE_NONE;
    if (!absent && result != STORE_OK)
        goto out;
    result = STORE_UNAVAILABLE;
    if (wrap_key(&wrap, key, mine))
        result = shelf->put(shelf->context, wrap.name, mine, 0, absent, &now);
    *added = result == STORE_OK;
out:
    free(there);
    free(now);
    buf_wipe(&bytes);
    explicit_bzero(&wrap, sizeof wrap);
    return result == STORE_OK ? STORE_OK : STORE_UNAVAILABLE;
}

enum store_result keyring_share(const struct keyring *ring, const struct vault_shelf *shelf,
                                const struct data_key *key, const char **added)
{
    enum store_result result = STORE_OK;
    bool one = false;

    if (added)
        *added = NULL;
    for (size_t i = 0; result == STORE_OK && i < ring->secret_count; i++) {
        if (!ring->secret[i].wraps)
            continue;
        result = share_copy(shelf, key, ring->secret[i].text, &one);
        if (added && one)
            *added = ring->secret[i].setting;
    }
    return result;
}
