#include "crypt/crypt.h"
#include "base/html_entity.h"
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <stdlib.h>
#include <string.h>

#define KEY_LEN 32
#define ID_LEN ((CRYPT_ID_SIZE - 1) / 2)
#define NONCE_LEN 12
#define TAG_LEN 16
#define NONCE_AT (1 + ID_LEN) /* form and key id come before it */
#define TEXT_AT (NONCE_AT + NONCE_LEN)

_Static_assert(TEXT_AT + TAG_LEN == CRYPT_OVERHEAD, "the sealed form");

/* A blob's first byte: what its key was derived from, so that an error can name the setting. */
enum form { FORM_SECRET = 'W', FORM_DATA_KEY = 'D' };

struct key {
    enum form form;
    char *secret; /* owned */
    bool derived; /* the following are known; they lie as HKDF puts them out */
    struct {
        unsigned char seal[KEY_LEN], hash[DIGEST_LEN], id[ID_LEN];
    } part;
};

struct crypt {
    struct key key[CRYPT_SECRETS_MAX]; /* the first seals */
    size_t count;
    char id[CRYPT_ID_SIZE]; /* of the first, once derived */
    EVP_CIPHER *cipher;     /* fetched once: that costs as much as sealing a small body */
    EVP_CIPHER_CTX *ctx;
};

/* -- life cycle -- */

static bool add_secret(struct crypt *crypt, enum form form, const char *value)
{
    if (!value || !*value)
        return true;
    char *secret = form == FORM_SECRET ? entity_decode(value, ENTITY_SPECIAL) : strdup(value);
    if (!secret)
        return false;
    crypt->key[crypt->count++] = (struct key){.form = form, .secret = secret};
    return true;
}

struct crypt *crypt_new(const struct config *c, struct error *e)
{
    struct crypt *crypt = NULL;

    if (!(c->data_key && *c->data_key) && !(c->webhook_secret && *c->webhook_secret)) {
        error_set(e, "WOO_WEBHOOK_SECRET: it is not set, and DATA_KEY neither: set one, orders are stored "
                     "encrypted with it");
        return NULL;
    }
    crypt = calloc(1, sizeof *crypt);
    if (crypt && add_secret(crypt, FORM_DATA_KEY, c->data_key) &&
        add_secret(crypt, FORM_SECRET, c->webhook_secret) &&
        add_secret(crypt, FORM_DATA_KEY, c->data_key_previous) &&
        add_secret(crypt, FORM_SECRET, c->webhook_secret_previous))
        return crypt;
    crypt_free(crypt);
    error_set(e, "encryption: out of memory");
    return NULL;
}

void crypt_free(struct crypt *crypt)
{
    if (!crypt)
        return;
    for (size_t i = 0; i < crypt->count; i++) {
        explicit_bzero(crypt->key[i].secret, strlen(crypt->key[i].secret));
        free(crypt->key[i].secret);
    }
    EVP_CIPHER_CTX_free(crypt->ctx);
    EVP_CIPHER_free(crypt->cipher);
    explicit_bzero(crypt, sizeof *crypt);
    free(crypt);
}

/* -- keys -- */

/* False if libcrypto fails. */
static bool derive(struct key *key)
{
    char sha256[] = "SHA256", info[] = "woo_ghl keys 1";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, sha256, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, key->secret, strlen(key->secret)),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, sizeof info - 1),
        OSSL_PARAM_construct_end()};

    if (key->derived)
        return true;
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    key->derived = ctx && EVP_KDF_derive(ctx, (unsigned char *)&key->part, sizeof key->part, params) == 1;
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return key->derived;
}

/* The key of that id: OK, UNKNOWN_KEY or FAILED. */
static enum crypt_result find_key(struct crypt *crypt, const unsigned char id[ID_LEN], struct key **out)
{
    for (size_t i = 0; i < crypt->count; i++) {
        if (!derive(&crypt->key[i]))
            return CRYPT_FAILED;
        if (!memcmp(crypt->key[i].part.id, id, ID_LEN)) {
            *out = &crypt->key[i];
            return CRYPT_OK;
        }
    }
    return CRYPT_UNKNOWN_KEY;
}

const char *crypt_key_id(struct crypt *crypt)
{
    if (!*crypt->id && derive(&crypt->key[0]))
        digest_hex(crypt->key[0].part.id, ID_LEN, crypt->id);
    return crypt->id;
}

/* -- sealing -- */

/* Begins with one blob, whose form, key id and nonce stand at `head`. They, purpose and about are bound to
 * it. */
static bool begin(struct crypt *crypt, const struct key *key, bool seal, const unsigned char *head,
                  const char *purpose, const char *about)
{
    int n = 0;

    if (!crypt->cipher)
        crypt->cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    if (!crypt->ctx)
        crypt->ctx = EVP_CIPHER_CTX_new();
    return crypt->cipher && crypt->ctx &&
           EVP_CipherInit_ex2(crypt->ctx, crypt->cipher, key->part.seal, head + NONCE_AT, seal, NULL) == 1 &&
           EVP_CipherUpdate(crypt->ctx, NULL, &n, head, NONCE_AT) == 1 &&
           EVP_CipherUpdate(crypt->ctx, NULL, &n, (const unsigned char *)purpose, (int)strlen(purpose) + 1) ==
               1 &&
           EVP_CipherUpdate(crypt->ctx, NULL, &n, (const unsigned char *)about, (int)strlen(about) + 1) == 1;
}

/* All of the text. libcrypto takes a NULL address for something else than an empty text. */
static bool update(struct crypt *crypt, unsigned char *out, const void *in, size_t len)
{
    int n = 0;
    return len == 0 || (EVP_CipherUpdate(crypt->ctx, out, &n, in, (int)len) == 1 && (size_t)n == len);
}

bool crypt_seal(struct crypt *crypt, const char *purpose, const char *about, const void *bytes, size_t len,
                struct buf *out)
{
    struct key *key = &crypt->key[0];
    int n = 0;

    if (len > INT_MAX - CRYPT_OVERHEAD || !derive(key)) /* libcrypto counts in int */
        return false;
    unsigned char *head = (unsigned char *)buf_room(out, len + CRYPT_OVERHEAD);
    if (!head)
        return false;
    unsigned char *text = head + TEXT_AT;
    head[0] = (unsigned char)key->form;
    memcpy(head + 1, key->part.id, ID_LEN);
    bool good = digest_random(head + NONCE_AT, NONCE_LEN) && begin(crypt, key, true, head, purpose, about) &&
                update(crypt, text, bytes, len) && EVP_CipherFinal_ex(crypt->ctx, text + len, &n) == 1 &&
                EVP_CIPHER_CTX_ctrl(crypt->ctx, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, text + len) == 1;
    buf_wrote(out, good ? len + CRYPT_OVERHEAD : 0);
    return good;
}

static void say_unknown(const unsigned char *head, struct error *e)
{
    const char *setting = head[0] == FORM_DATA_KEY ? "DATA_KEY" : "WOO_WEBHOOK_SECRET";
    char id[CRYPT_ID_SIZE];

    digest_hex(head + 1, ID_LEN, id);
    error_set(e,
              "it was encrypted with another %s (key id %s): set %s_PREVIOUS to the value that %s had then",
              setting, id, setting, setting);
}

enum crypt_result crypt_open(struct crypt *crypt, const char *purpose, const char *about, const void *sealed,
                             size_t len, struct buf *out, struct error *e)
{
    const unsigned char *head = sealed;
    unsigned char tag[TAG_LEN], *at = NULL;
    struct key *key = NULL;
    enum crypt_result result = CRYPT_FAILED;
    int n = 0;

    if (len < CRYPT_OVERHEAD || len > INT_MAX || (head[0] != FORM_SECRET && head[0] != FORM_DATA_KEY)) {
        error_set(e, "its %zu bytes are not encrypted in a form that this version knows", len);
        return CRYPT_DAMAGED;
    }
    size_t text_len = len - CRYPT_OVERHEAD;
    result = find_key(crypt, head + 1, &key);
    if (result == CRYPT_UNKNOWN_KEY) {
        say_unknown(head, e);
        return result;
    }
    at = result == CRYPT_OK ? (unsigned char *)buf_room(out, text_len) : NULL;
    memcpy(tag, head + TEXT_AT + text_len, sizeof tag);
    if (!at || !begin(crypt, key, false, head, purpose, about) ||
        !update(crypt, at, head + TEXT_AT, text_len) ||
        EVP_CIPHER_CTX_ctrl(crypt->ctx, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, tag) != 1) {
        error_set(e, "it cannot be decrypted: out of memory, or over %zu bytes", out->max);
        result = CRYPT_FAILED;
    } else if (EVP_CipherFinal_ex(crypt->ctx, at + text_len, &n) != 1) {
        error_set(e, "it was changed, cut, or encrypted for something else than %s of %s", purpose, about);
        result = CRYPT_DAMAGED;
    }
    if (at && result != CRYPT_OK)
        explicit_bzero(at, text_len); /* nobody may take it for the opened bytes */
    if (at)
        buf_wrote(out, result == CRYPT_OK ? text_len : 0);
    return result;
}

/* -- keyed hashes -- */

static bool hash_key(struct key *key, const char *label, unsigned char out[DIGEST_LEN])
{
    return derive(key) && digest_hmac(key->part.hash, sizeof key->part.hash, label, strlen(label), out);
}

bool crypt_hash_key(struct crypt *crypt, const char *label, unsigned char out[DIGEST_LEN])
{
    return hash_key(&crypt->key[0], label, out);
}

size_t crypt_hash_keys(struct crypt *crypt, const char *label,
                       unsigned char out[CRYPT_SECRETS_MAX][DIGEST_LEN])
{
    for (size_t i = 0; i < crypt->count; i++)
        if (!hash_key(&crypt->key[i], label, out[i]))
            return 0;
    return crypt->count;
}
