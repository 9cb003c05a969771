#include "order/signature.h"
#include "base/html_entity.h"
#include "base/text.h"
#include "order/sanitize.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#define BLANKS " \t\r\n"

/* Takes over `key`, or frees it if it is there already, or empty. */
static bool add_key(struct signature_keys *keys, char *key, enum signature_form form)
{
    if (!key)
        return false;
    bool there = !*key;
    for (size_t i = 0; i < keys->count; i++)
        there = there || strcmp(keys->key[i], key) == 0;
    if (there) {
        text_free_secret(key);
        return true;
    }
    keys->key[keys->count] = key;
    keys->form[keys->count] = form;
    keys->len[keys->count++] = strlen(key);
    return true;
}

/* What WooCommerce signs with after the webhook's page was saved. */
static char *cleaned(const char *secret)
{
    char *stored = sanitize_text_field(secret), *key = stored ? entity_decode(stored, ENTITY_SPECIAL) : NULL;
    if (stored)
        text_free_secret(stored);
    return key;
}

bool signature_keys_init(struct signature_keys *keys, const char *secret, const char *previous)
{
    const char *const secrets[] = {secret, previous};
    *keys = (struct signature_keys){.count = 0};
    for (size_t i = 0; i < 2; i++) {
        if (!secrets[i] || !*secrets[i])
            continue;
        if (!add_key(keys, strdup(secrets[i]), SIGNATURE_RAW) ||
            !add_key(keys, entity_decode(secrets[i], ENTITY_SPECIAL), SIGNATURE_DECODED) ||
            !add_key(keys, cleaned(secrets[i]), SIGNATURE_CLEANED)) {
            signature_keys_free(keys);
            return false;
        }
    }
    return true;
}

void signature_keys_free(struct signature_keys *keys)
{
    for (size_t i = 0; i < keys->count; i++)
        text_free_secret(keys->key[i]);
    *keys = (struct signature_keys){.count = 0};
}

static bool write_text(const unsigned char digest[DIGEST_LEN], char out[SIGNATURE_SIZE])
{
    return EVP_EncodeBlock((unsigned char *)out, digest, DIGEST_LEN) == SIGNATURE_SIZE - 1;
}

bool signature_make(const char *secret, const void *body, size_t len, char out[SIGNATURE_SIZE])
{
    unsigned char digest[DIGEST_LEN];

    return digest_hmac(secret, strlen(secret), body, len, digest) && write_text(digest, out);
}

/* As texts: one for each digest, so that no second spelling of a signature is a signature. */
enum signature_form signature_verify(const struct signature_keys *keys, const char *header, const void *body,
                                     size_t len, unsigned char first[DIGEST_LEN])
{
    const char *claimed = header ? header + strspn(header, BLANKS) : "";
    size_t claimed_len = strcspn(claimed, BLANKS);
    enum signature_form form = SIGNATURE_NONE;
    unsigned char digest[DIGEST_LEN];
    char right[SIGNATURE_SIZE];

    if (claimed_len != SIGNATURE_SIZE - 1 || claimed[claimed_len + strspn(claimed + claimed_len, BLANKS)])
        return SIGNATURE_NONE;
    /* Every key is tried, whichever fits: the time tells nothing about which. */
    for (size_t i = 0; i < keys->count; i++) {
        if (!digest_hmac(keys->key[i], keys->len[i], body, len, digest) || !write_text(digest, right))
            return SIGNATURE_UNKNOWN;
        if (i == 0 && first)
            memcpy(first, digest, DIGEST_LEN);
        if (CRYPTO_memcmp(claimed, right, SIGNATURE_SIZE - 1) == 0)
            form = keys->form[i];
    }
    return form;
}

bool signature_first(const struct signature_keys *keys, const void *body, size_t len,
                     unsigned char first[DIGEST_LEN])
{
    return keys->count > 0 && digest_hmac(keys->key[0], keys->len[0], body, len, first);
}

const char *signature_tried(const struct signature_keys *keys)
{
    return keys->count ? "as it is, with HTML entities decoded, and as WordPress cleans it when a webhook's "
                         "page is saved"
                       : "no secret is set";
}
