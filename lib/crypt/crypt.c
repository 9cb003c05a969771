#include "crypt/crypt.h"
#include "base/html_entity.h"
#include "base/text.h"
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <stdlib.h>
#include <string.h>

#define KEY_LEN 32
#define ID_LEN 8
#define NONCE_LEN 12
#define TAG_LEN 16
#define NONCE_AT (1 + ID_LEN) /* form and key id come before it */
#define TEXT_AT (NONCE_AT + NONCE_LEN)

_Static_assert(TEXT_AT + TAG_LEN == CRYPT_OVERHEAD, "the sealed form");

/* A blob's and an id's first byte: what the key was derived from, so that an error can name the setting. */
enum form { FORM_SECRET = 'w', FORM_DATA_KEY = 'd' };

struct key {
    enum form form;
    char *secret;           /* owned */
    char id[CRYPT_ID_SIZE]; /* "" = not derived yet */
    struct {                /* as HKDF puts them out */
        unsigned char seal[KEY_LEN], hash[DIGEST_LEN], id[ID_LEN];
    } part;
};

/* Behind a pointer, because what is derived and fetched at the first use changes nothing for a caller. */
struct state {
    struct key key[CRYPT_SECRETS_MAX]; /* the first seals */
    size_t count;
    EVP_CIPHER *cipher; /* fetched once: that costs as much as sealing a small body */
    EVP_CIPHER_CTX *ctx;
};

struct crypt {
    struct state *state;
};

/* -- life cycle -- */

static bool add_secret(struct state *state, enum form form, const char *value)
{
    if (!value || !*value)
        return true;
    char *secret = form == FORM_SECRET ? entity_decode(value, ENTITY_SPECIAL) : strdup(value);
    if (!secret)
        return false;
    state->key[state->count++] = (struct key){.form = form, .secret = secret};
    return true;
}

struct crypt *crypt_new(const struct config *c, struct error *e)
{
    if (!(c->data_key && *c->data_key) && !(c->webhook_secret && *c->webhook_secret)) {
        error_set(e, "WOO_WEBHOOK_SECRET: it is not set, and DATA_KEY neither: set one, orders are stored "
                     "encrypted with it");
        return NULL;
    }
    struct crypt *crypt = calloc(1, sizeof *crypt);
    struct state *state = crypt ? calloc(1, sizeof *state) : NULL;
    if (crypt)
        crypt->state = state;
    if (state && add_secret(state, FORM_DATA_KEY, c->data_key) &&
        add_secret(state, FORM_SECRET, c->webhook_secret) &&
        add_secret(state, FORM_DATA_KEY, c->data_key_previous) &&
        add_secret(state, FORM_SECRET, c->webhook_secret_previous))
        return crypt;
    crypt_free(crypt);
    error_set(e, "encryption: out of memory");
    return NULL;
}

void crypt_free(struct crypt *crypt)
{
    struct state *state = crypt ? crypt->state : NULL;

    for (size_t i = 0; state && i < state->count; i++)
        text_free_secret(state->key[i].secret);
    if (state) {
        EVP_CIPHER_CTX_free(state->ctx);
        EVP_CIPHER_free(state->cipher);
        explicit_bzero(state, sizeof *state);
    }
    free(state);
    free(crypt);
}

/* -- keys -- */

static void id_text(int form, const unsigned char id[ID_LEN], char out[CRYPT_ID_SIZE])
{
    out[0] = (char)form;
    digest_hex(id, ID_LEN, out + 1);
}

/* False if libcrypto fails. */
static bool derive(struct key *key)
{
    char sha256[] = "SHA256", info[] = "woo_ghl keys 1";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, sha256, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, key->secret, strlen(key->secret)),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, sizeof info - 1),
        OSSL_PARAM_construct_end()};

    if (*key->id)
        return true;
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    bool good = ctx && EVP_KDF_derive(ctx, (unsigned char *)&key->part, sizeof key->part, params) == 1;
    if (good)
        id_text((int)key->form, key->part.id, key->id);
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return good;
}

/* OK; UNKNOWN_KEY or FAILED with the error set. */
static enum crypt_result find_key(struct state *state, const char *id, struct key **out, struct error *e)
{
    const char *setting = *id == FORM_DATA_KEY ? "DATA_KEY" : "WOO_WEBHOOK_SECRET";

    for (size_t i = 0; i < state->count; i++) {
        if (!derive(&state->key[i])) {
            error_set(e, "its key cannot be derived: out of memory, or libcrypto has no HKDF");
            return CRYPT_FAILED;
        }
        if (!strcmp(state->key[i].id + 1, id + 1)) { /* a DATA_KEY may have the value that the secret had */
            *out = &state->key[i];
            return CRYPT_OK;
        }
    }
    error_set(e, "it was encrypted with another %s (key id %s): set %s_PREVIOUS to the value of that time",
              setting, id, setting);
    return CRYPT_UNKNOWN_KEY;
}

const char *crypt_key_id(const struct crypt *crypt)
{
    return derive(&crypt->state->key[0]) ? crypt->state->key[0].id : "";
}

enum crypt_result crypt_opens(const struct crypt *crypt, const char *id, struct error *e)
{
    struct key *key = NULL;
    return find_key(crypt->state, *id ? id : "?", &key, e);
}

/* -- sealing -- */

/* Begins with one blob, whose form, key id and nonce stand at `head`. They, purpose and about are bound to
 * it. */
static bool begin(struct state *state, const struct key *key, bool seal, const unsigned char *head,
                  const char *purpose, const char *about)
{
    int n = 0;

    if (!state->cipher)
        state->cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    if (!state->ctx)
        state->ctx = EVP_CIPHER_CTX_new();
    return state->cipher && state->ctx &&
           EVP_CipherInit_ex2(state->ctx, state->cipher, key->part.seal, head + NONCE_AT, seal, NULL) == 1 &&
           EVP_CipherUpdate(state->ctx, NULL, &n, head, NONCE_AT) == 1 &&
           EVP_CipherUpdate(state->ctx, NULL, &n, (const unsigned char *)purpose, (int)strlen(purpose) + 1) ==
               1 &&
           EVP_CipherUpdate(state->ctx, NULL, &n, (const unsigned char *)about, (int)strlen(about) + 1) == 1;
}

/* All of the text. libcrypto takes a NULL address for something else than an empty text. */
static bool update(struct state *state, unsigned char *out, const void *in, size_t len)
{
    int n = 0;
    return len == 0 || (EVP_CipherUpdate(state->ctx, out, &n, in, (int)len) == 1 && (size_t)n == len);
}

bool crypt_seal(const struct crypt *crypt, const char *purpose, const char *about, const void *bytes,
                size_t len, struct buf *out)
{
    struct state *state = crypt->state;
    struct key *key = &state->key[0];
    int n = 0;

    if (len > INT_MAX - CRYPT_OVERHEAD || !derive(key)) /* libcrypto counts in int */
        return false;
    unsigned char *head = (unsigned char *)buf_room(out, len + CRYPT_OVERHEAD);
    if (!head)
        return false;
    unsigned char *text = head + TEXT_AT;
    head[0] = (unsigned char)key->form;
    memcpy(head + 1, key->part.id, ID_LEN);
    bool good = digest_random(head + NONCE_AT, NONCE_LEN) && begin(state, key, true, head, purpose, about) &&
                update(state, text, bytes, len) && EVP_CipherFinal_ex(state->ctx, text + len, &n) == 1 &&
                EVP_CIPHER_CTX_ctrl(state->ctx, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, text + len) == 1;
    buf_wrote(out, good ? len + CRYPT_OVERHEAD : 0);
    return good;
}

enum crypt_result crypt_open(const struct crypt *crypt, const char *purpose, const char *about,
                             const void *sealed, size_t len, struct buf *out, struct error *e)
{
    const unsigned char *head = sealed;
    unsigned char tag[TAG_LEN], *at = NULL;
    char id[CRYPT_ID_SIZE];
    struct state *state = crypt->state;
    struct key *key = NULL;
    int n = 0;

    if (len < CRYPT_OVERHEAD || len > INT_MAX || (head[0] != FORM_SECRET && head[0] != FORM_DATA_KEY)) {
        error_set(e, "its %zu bytes are not encrypted in a form that this version knows", len);
        return CRYPT_DAMAGED;
    }
    size_t text_len = len - CRYPT_OVERHEAD;
    id_text(head[0], head + 1, id);
    enum crypt_result result = find_key(state, id, &key, e);
    if (result != CRYPT_OK)
        return result;
    at = (unsigned char *)buf_room(out, text_len);
    memcpy(tag, head + TEXT_AT + text_len, sizeof tag);
    if (!at || !begin(state, key, false, head, purpose, about) ||
        !update(state, at, head + TEXT_AT, text_len) ||
        EVP_CIPHER_CTX_ctrl(state->ctx, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, tag) != 1) {
        error_set(e, "it cannot be decrypted: out of memory, or over %zu bytes", out->max);
        result = CRYPT_FAILED;
    } else if (EVP_CipherFinal_ex(state->ctx, at + text_len, &n) != 1) {
        error_set(e, "it was changed, cut, or encrypted for something else than %s of %s", purpose, about);
        result = CRYPT_DAMAGED;
    }
    if (at && result != CRYPT_OK)
        explicit_bzero(at, text_len); /* nobody may take it for the opened bytes */
    if (at)
        buf_wrote(out, result == CRYPT_OK ? text_len : 0);
    return result;
}

bool crypt_is_current(const struct crypt *crypt, const void *sealed, size_t len)
{
    char id[CRYPT_ID_SIZE];
    const unsigned char *head = sealed;

    if (len < CRYPT_OVERHEAD)
        return false;
    id_text(head[0], head + 1, id);
    return !strcmp(id, crypt_key_id(crypt));
}

/* -- keyed hashes -- */

static bool hash_key(struct key *key, const char *label, unsigned char out[DIGEST_LEN])
{
    return derive(key) && digest_hmac(key->part.hash, sizeof key->part.hash, label, strlen(label), out);
}

bool crypt_hash_key(const struct crypt *crypt, const char *label, unsigned char out[DIGEST_LEN])
{
    return hash_key(&crypt->state->key[0], label, out);
}

size_t crypt_hash_keys(const struct crypt *crypt, const char *label,
                       unsigned char out[CRYPT_SECRETS_MAX][DIGEST_LEN])
{
    for (size_t i = 0; i < crypt->state->count; i++)
        if (!hash_key(&crypt->state->key[i], label, out[i]))
            return 0;
    return crypt->state->count;
}
