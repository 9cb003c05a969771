/*
 * digest: the keyed hashes of this program, over OpenSSL 3's libcrypto, which is started only at the first
 * use (a plain CGI start pays 0.9 ms for it otherwise).
 */
#pragma once

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>

#define DIGEST_LEN 32      /* bytes of HMAC-SHA256 */
#define DIGEST_HEX_SIZE 65 /* its lower-case hex with the final NUL */

/* HMAC-SHA256. False only when libcrypto fails (out of memory). */
bool digest_hmac(const void *key, size_t key_len, const void *bytes, size_t len,
                 unsigned char out[DIGEST_LEN]) MUST_CHECK;

/* The same as hex. `label` is hashed before the bytes, with its NUL, so that hashes of two purposes never
 * meet. */
bool digest_label_hex(const void *key, size_t key_len, const char *label, const void *bytes, size_t len,
                      char out[DIGEST_HEX_SIZE]) MUST_CHECK;

/* Are both texts the same? How long that takes tells nothing of either. False, too, if libcrypto fails. */
bool digest_same_text(const char *a, const char *b) MUST_CHECK;

/* Cryptographically random bytes. False when the system has none. */
bool digest_random(void *out, size_t n) MUST_CHECK;

/* Random hex digits, size - 1 of them (an even number), and a NUL. False when the system has none. */
bool digest_token(char *out, size_t size) MUST_CHECK;

void digest_hex(const unsigned char *bytes, size_t n, char *out /* 2n + 1 */);
