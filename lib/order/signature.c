#include "order/signature.h"
#include "base/html_entity.h"

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

/* Takes over `key`, or frees it when it is there already. */
static bool add_key(struct signature_keys *keys, char *key)
{
    if (!key)
        return false;
    for (size_t i = 0; i < keys->count; i++) {
        if (strcmp(keys->key[i], key) == 0) {
            explicit_bzero(key, strlen(key));
            free(key);
            return true;
        }
    }
    keys->key[keys->count] = key;
    keys->len[keys->count++] = strlen(key);
    return true;
}

bool signature_keys_init(struct signature_keys *keys, const char *secret, const char *previous)
{
    const char *const secrets[] = {secret, previous};
    *keys = (struct signature_keys){.count = 0};
    for (size_t i = 0; i < 2; i++) {
        if (!secrets[i] || !*secrets[i])
            continue;
        if (!add_key(keys, strdup(secrets[i])) || !add_key(keys, signature_decode_entities(secrets[i]))) {
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

bool signature_verify(const struct signature_keys *keys, const char *header, const void *body, size_t len)
{
    unsigned char claimed[DIGEST_LEN], right[DIGEST_LEN];
    bool good = false;

    if (!header || !decode_header(header, claimed))
        return false;
    /* Every key is tried, whichever fits: the time tells nothing about which. */
    for (size_t i = 0; i < keys->count; i++)
        if (digest_hmac(keys->key[i], keys->len[i], body, len, right))
            good |= CRYPTO_memcmp(claimed, right, DIGEST_LEN) == 0;
    return good;
}

bool signature_make(const char *secret, const void *body, size_t len, char out[45])
{
    unsigned char digest[DIGEST_LEN];
    return digest_hmac(secret, strlen(secret), body, len, digest) &&
           EVP_EncodeBlock((unsigned char *)out, digest, DIGEST_LEN) == HEADER_LEN;
}
