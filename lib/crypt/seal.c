#include "crypt/seal.h"
#include "base/digest.h"
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <string.h>

/* libcrypto counts in int. */
static bool countable(size_t n)
{
    return n <= INT_MAX - 64;
}

/* An empty input needs an address: libcrypto takes NULL for something else. */
static const unsigned char *address(const void *bytes)
{
    static const unsigned char none = 0;
    return bytes ? bytes : &none;
}

bool seal_bytes(const unsigned char key[SEAL_KEY_LEN], const void *aad, size_t aad_len, const void *bytes,
                size_t len, struct buf *out)
{
    unsigned char nonce[SEAL_NONCE_LEN];
    int n = 0;

    if (!countable(len) || !countable(aad_len) || !digest_random(nonce, sizeof nonce))
        return false;
    unsigned char *at = (unsigned char *)buf_room(out, len + SEAL_OVERHEAD);
    EVP_CIPHER_CTX *ctx = at ? EVP_CIPHER_CTX_new() : NULL;
    unsigned char *text = at ? at + SEAL_NONCE_LEN : NULL;
    bool good = ctx && EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce) == 1 &&
                EVP_EncryptUpdate(ctx, NULL, &n, address(aad), (int)aad_len) == 1 &&
                EVP_EncryptUpdate(ctx, text, &n, address(bytes), (int)len) == 1 && (size_t)n == len &&
                EVP_EncryptFinal_ex(ctx, text + len, &n) == 1 && n == 0 &&
                EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, SEAL_TAG_LEN, text + len) == 1;
    EVP_CIPHER_CTX_free(ctx);
    if (good)
        memcpy(at, nonce, sizeof nonce);
    if (at)
        buf_wrote(out, good ? len + SEAL_OVERHEAD : 0);
    return good;
}

enum seal_result seal_open(const unsigned char key[SEAL_KEY_LEN], const void *aad, size_t aad_len,
                           const void *sealed, size_t len, struct buf *out)
{
    unsigned char tag[SEAL_TAG_LEN];
    const unsigned char *nonce = sealed, *text = nonce + SEAL_NONCE_LEN;
    enum seal_result result = SEAL_FAILED;
    int n = 0;

    if (len < SEAL_OVERHEAD)
        return SEAL_FORGED;
    size_t text_len = len - SEAL_OVERHEAD;
    if (!countable(text_len) || !countable(aad_len))
        return SEAL_FORGED;
    unsigned char *at = (unsigned char *)buf_room(out, text_len);
    if (!at)
        return SEAL_FAILED;
    memcpy(tag, text + text_len, sizeof tag);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (ctx && EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce) == 1 &&
        EVP_DecryptUpdate(ctx, NULL, &n, address(aad), (int)aad_len) == 1 &&
        EVP_DecryptUpdate(ctx, at, &n, text, (int)text_len) == 1 && (size_t)n == text_len &&
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, SEAL_TAG_LEN, tag) == 1)
        result = EVP_DecryptFinal_ex(ctx, at + text_len, &n) == 1 ? SEAL_OK : SEAL_FORGED;
    EVP_CIPHER_CTX_free(ctx);
    if (result != SEAL_OK)
        explicit_bzero(at, text_len); /* it must not look opened to anybody */
    buf_wrote(out, result == SEAL_OK ? text_len : 0);
    return result;
}

bool seal_derive(const void *secret, size_t secret_len, const void *salt, size_t salt_len, const char *label,
                 unsigned char out[SEAL_KEY_LEN])
{
    char sha256[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, sha256, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)address(secret), secret_len),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)address(label), strlen(label)),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)address(salt), salt_len),
        OSSL_PARAM_construct_end()};

    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    bool good = ctx && EVP_KDF_derive(ctx, out, SEAL_KEY_LEN, params) == 1;
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return good;
}
