#include "base/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

struct piece {
    const void *bytes;
    size_t len;
};

/* libcrypto's HMAC-SHA256, fetched at the first use and then kept: to fetch it costs more than a short hash. NULL: libcrypto
 * failed. Each hash begins by setting its key. */
static EVP_MAC_CTX *hmac_sha256(void)
{
    static EVP_MAC_CTX *kept;
    char sha256[] = "SHA256";
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, sha256, 0),
                                 OSSL_PARAM_construct_end()};

    if (kept)
        return kept;
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;
    if (ctx && EVP_MAC_CTX_set_params(ctx, params))
        kept = ctx;
    else
        EVP_MAC_CTX_free(ctx);
    EVP_MAC_free(mac);
    return kept;
}

static bool hmac_pieces(const void *key, size_t key_len, const struct piece *pieces, size_t count,
                        unsigned char out[DIGEST_LEN])
{
    const unsigned char none = 0;
    size_t written = 0;
    EVP_MAC_CTX *ctx = hmac_sha256();

    /* libcrypto takes a NULL key for "keep the old one": an empty key needs an address. */
    bool good = ctx && EVP_MAC_init(ctx, key ? key : &none, key ? key_len : 0, NULL);
    for (size_t i = 0; good && i < count; i++)
        good = !pieces[i].len || EVP_MAC_update(ctx, pieces[i].bytes, pieces[i].len);
    return good && EVP_MAC_final(ctx, out, &written, DIGEST_LEN) && written == DIGEST_LEN;
}

bool digest_hmac(const void *key, size_t key_len, const void *bytes, size_t len,
                 unsigned char out[DIGEST_LEN])
{
    const struct piece body = {bytes, len};
    return hmac_pieces(key, key_len, &body, 1, out);
}

bool digest_label_hex(const void *key, size_t key_len, const char *label, const void *bytes, size_t len,
                      char out[DIGEST_HEX_SIZE])
{
    const struct piece pieces[] = {{label, strlen(label) + 1}, {bytes, len}};
    unsigned char digest[DIGEST_LEN];
    if (!hmac_pieces(key, key_len, pieces, 2, digest))
        return false;
    digest_hex(digest, DIGEST_LEN, out);
    return true;
}

/* From the kernel: libcrypto's generator needs its start, and a fork would have to be thought of. */
bool digest_same_text(const char *a, const char *b)
{
    unsigned char key[DIGEST_LEN], hash_a[DIGEST_LEN], hash_b[DIGEST_LEN];

    return digest_random(key, sizeof key) && digest_hmac(key, sizeof key, a, strlen(a), hash_a) &&
           digest_hmac(key, sizeof key, b, strlen(b), hash_b) &&
           CRYPTO_memcmp(hash_a, hash_b, DIGEST_LEN) == 0;
}

/* Kernels before 3.17 give random bytes by a file alone. */
static ssize_t read_random(void *out, size_t n)
{
    ssize_t got = getrandom(out, n, 0);
    if (got >= 0 || errno != ENOSYS)
        return got;
    int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    got = read(fd, out, n);
    close(fd);
    return got;
}

bool digest_random(void *out, size_t n)
{
    unsigned char *at = out;
    while (n) {
        ssize_t got = read_random(at, n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        at += got;
        n -= (size_t)got;
    }
    return true;
}

bool digest_token(char *out, size_t size)
{
    unsigned char random[64];
    size_t n = (size - 1) / 2;

    if (n > sizeof random || !digest_random(random, n))
        return false;
    digest_hex(random, n, out);
    return true;
}

void digest_hex(const unsigned char *bytes, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * n] = '\0';
}
