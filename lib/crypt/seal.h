/*
 * seal: authenticated encryption of bytes under a key at hand, and keys derived from other secrets, over
 * libcrypto. It knows nothing of where keys come from (vault does).
 *
 * The sealed form is nonce (12 random bytes), ciphertext, tag (16). A random nonce may be used for some 2^32
 * messages of one key (NIST SP 800-38D, 8.3): at a hundred a second, more than a year of nothing else; the
 * data key of a shop sees a few an order.
 */
#ifndef WOO_GHL_SEAL_H
#define WOO_GHL_SEAL_H

#include "base/buf.h"

#define SEAL_KEY_LEN 32
#define SEAL_NONCE_LEN 12
#define SEAL_TAG_LEN 16
#define SEAL_OVERHEAD (SEAL_NONCE_LEN + SEAL_TAG_LEN)

/* AES-256-GCM. Appends the sealed form to out; aad is bound to it, not kept in it. False when out of memory,
 * of randomness, or over out's maximum. */
bool seal_bytes(const unsigned char key[SEAL_KEY_LEN], const void *aad, size_t aad_len, const void *bytes,
                size_t len, struct buf *out) MUST_CHECK;

enum seal_result { SEAL_OK, SEAL_FORGED, SEAL_FAILED };

/* Appends the opened bytes; out's bytes stay as they were unless OK. FORGED: another key, other aad, or
 * changed or cut bytes. FAILED: out of memory or over out's maximum. */
enum seal_result seal_open(const unsigned char key[SEAL_KEY_LEN], const void *aad, size_t aad_len,
                           const void *sealed, size_t len, struct buf *out) MUST_CHECK;

/* HKDF-SHA256 (RFC 5869). salt may be empty. False only when libcrypto fails. */
bool seal_derive(const void *secret, size_t secret_len, const void *salt, size_t salt_len, const char *label,
                 unsigned char out[SEAL_KEY_LEN]) MUST_CHECK;

#endif
