#include "order/signature.h"
#include "base/html_entity.h"
#include "order/sanitize.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_LEN 44 /* base64 of DIGEST_LEN bytes: 43 characters and one '=' */

char *signature_decode_entities(const char *text)
{
    return entity_decode(text, ENTITY_SPECIAL);
}

static void free_key(char *key)
{
    explicit_bzero(key, strlen(key));
    free(key);
}

/* Takes over `key`, or frees it if it is there already, or empty. */
static bool add_key(struct signature_keys *keys, char *key, enum signature_form form)
{
    if (!key)
        return false;
    bool there = !*key;
    for (size_t i = 0; i < keys->count; i++)
        there = there || strcmp(keys->key[i], key) == 0;
    if (there) {
        free_key(key);
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
    char *stored = sanitize_text_field(secret), *key = stored ? signature_decode_entities(stored) : NULL;
    if (stored)
        free_key(stored);
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
            !add_key(keys, signature_decode_entities(secrets[i]), SIGNATURE_DECODED) ||
            !add_key(keys, cleaned(secrets[i]), SIGNATURE_CLEANED)) {
            signature_keys_free(keys);
            return false;
        }
    }
    return true;
}

void signature_keys_free(struct signature_keys *keys)
{
    for (size_t i = 0; i < keys->count; i++) {
        explicit_bzero(keys->key[i], keys->len[i]);
        free(keys->key[i]);
    }
    *keys = (struct signature_keys){.count = 0};
}

static int base64_value(char c)
{
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '+'             ? 62
           : c == '/'             ? 63
                                  : -1;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Strict: one text for one digest, so that no second spelling of a signature is a signature. */
static bool decode_header(const char *header, unsigned char out[DIGEST_LEN])
{
    uint32_t bits = 0;
    size_t n = 0, held = 0;

    while (is_space(*header))
        header++;
    size_t len = strlen(header);
    while (len && is_space(header[len - 1]))
        len--;
    if (len != HEADER_LEN || header[HEADER_LEN - 1] != '=')
        return false;
    for (size_t i = 0; i < HEADER_LEN - 1; i++) {
        int value = base64_value(header[i]);
        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
        held += 6;
        if (held >= 8) {
            held -= 8;
            out[n++] = (unsigned char)(bits >> held);
            bits &= (1U << held) - 1;
        }
    }
    return n == DIGEST_LEN && bits == 0;
}

enum signature_form signature_verify(const struct signature_keys *keys, const char *header, const void *body,
                                     size_t len)
{
    unsigned char claimed[DIGEST_LEN], right[DIGEST_LEN];
    enum signature_form form = SIGNATURE_NONE;

    if (!header || !decode_header(header, claimed))
        return SIGNATURE_NONE;
    /* Every key is tried, whichever fits: the time tells nothing about which. */
    for (size_t i = 0; i < keys->count; i++)
        if (digest_hmac(keys->key[i], keys->len[i], body, len, right) &&
            CRYPTO_memcmp(claimed, right, DIGEST_LEN) == 0)
            form = keys->form[i];
    return form;
}

const char *signature_form_name(enum signature_form form)
{
    static const char *const names[] = {"", "as it is", "with HTML entities decoded",
                                        "as WordPress cleans it when a webhook's page is saved"};
    return names[form];
}

const char *signature_tried(const struct signature_keys *keys)
{
    return keys->count
               ? "as it is, with HTML entities decoded, and as WordPress cleans it when a webhook's page "
                 "is saved"
               : "no secret is set";
}

bool signature_make(const char *secret, const void *body, size_t len, char out[45])
{
    unsigned char digest[DIGEST_LEN];
    return digest_hmac(secret, strlen(secret), body, len, digest) &&
           EVP_EncodeBlock((unsigned char *)out, digest, DIGEST_LEN) == HEADER_LEN;
}
