/*
 * crypt: encryption at rest with keys that are derived from the settings; nothing about keys is stored.
 *
 * Bodies, and whatever else identifies a person, are sealed with AES-256-GCM before they reach a disk or the
 * store. The key is HKDF-SHA256 (RFC 5869) of DATA_KEY, or of WOO_WEBHOOK_SECRET if DATA_KEY is not set. A
 * webhook secret is entity-decoded first, as WordPress signs with it. HKDF and not a slow derivation: a plain
 * CGI program would pay for it with every request, and whoever has one signed delivery can guess as fast.
 *
 * A sealed blob is: form (1 byte: derived from DATA_KEY or from a webhook secret), key id (8), nonce (12),
 * ciphertext, tag (16). Whatever was sealed with DATA_KEY, DATA_KEY_PREVIOUS, WOO_WEBHOOK_SECRET or
 * WOO_WEBHOOK_SECRET_PREVIOUS opens; the first of DATA_KEY and WOO_WEBHOOK_SECRET that is set seals.
 *
 * A random nonce is good for some 2^32 blobs of one key (NIST SP 800-38D, 8.3): years at twenty a second.
 */
#pragma once

#include "base/buf.h"
#include "base/digest.h"
#include "config/config.h"

#define CRYPT_OVERHEAD 37 /* bytes that sealing adds */
#define CRYPT_ID_SIZE 18  /* a key's id: `w` or `d` for what it comes from, 16 hex digits, a NUL */
#define CRYPT_SECRETS_MAX 4

/* What one process needs to seal and to open. The first use derives the keys and starts libcrypto. */
struct crypt;

/* -- life cycle -- */

/* Copies the secrets. NULL with the error set: none that seals is set, or out of memory. */
struct crypt *crypt_new(const struct config *config, struct error *e) MUST_CHECK;
void crypt_free(struct crypt *crypt); /* wipes secrets and keys; NULL is fine */

/* -- sealing -- */

enum crypt_result {
    CRYPT_OK,
    CRYPT_UNKNOWN_KEY, /* sealed with a secret that is not configured now; the error names the setting */
    CRYPT_DAMAGED,     /* not sealed by this program, cut, changed, or sealed for something else */
    CRYPT_FAILED,      /* out of memory or over out's maximum; nothing is known about the blob */
};

/* Appends the sealed form of the bytes to out. purpose ("body") and about ("shop:1001") are bound to it: it
 * opens only with the same. False, and out as it was, if memory, random bytes or out's maximum do not
 * suffice. */
bool crypt_seal(const struct crypt *crypt, const char *purpose, const char *about, const void *bytes,
                size_t len, struct buf *out) MUST_CHECK;

/* Appends the opened bytes to out; unless OK, out is as it was and the error is set. */
enum crypt_result crypt_open(const struct crypt *crypt, const char *purpose, const char *about,
                             const void *sealed, size_t len, struct buf *out, struct error *e) MUST_CHECK;

/* Would it be sealed with the same key now? */
bool crypt_is_current(const struct crypt *crypt, const void *sealed, size_t len);

/* -- key ids -- */

/* The id of the key that seals; "" if libcrypto fails. */
const char *crypt_key_id(const struct crypt *crypt);

/* Does the key of that id come from a configured secret? OK, or UNKNOWN_KEY or FAILED with the error set as
 * above. */
enum crypt_result crypt_opens(const struct crypt *crypt, const char *id, struct error *e) MUST_CHECK;

/* -- keyed hashes -- */

/* The key for keyed hashes of one purpose ("fingerprint", "client"), derived from the secret that seals: the
 * same in all processes with the same settings, another one after the secret was changed. False if libcrypto
 * fails. */
bool crypt_hash_key(const struct crypt *crypt, const char *label, unsigned char out[DIGEST_LEN]) MUST_CHECK;

/* The same key for each configured secret, the one that seals first: for hashes that must be recognized after
 * a change of the secret. How many; 0 if libcrypto fails. */
size_t crypt_hash_keys(const struct crypt *crypt, const char *label,
                       unsigned char out[CRYPT_SECRETS_MAX][DIGEST_LEN]) MUST_CHECK;
