/*
 * signature: is this body really the shop's? HMAC-SHA256 over the raw bytes, before anything is parsed.
 *
 * Each secret is tried as it is, entity-decoded, and as WordPress cleans it. The header is base64 of the raw
 * HMAC: exactly those 44 characters (white space around them is allowed, nothing else). Compared in constant time.
 */
#pragma once

#include "base/digest.h"

/* The forms of a secret. WooCommerce signs with what it has stored, HTML entities decoded; saving a webhook's
 * page stores what WordPress's sanitize_text_field leaves of it. */
enum signature_form {
    SIGNATURE_NONE,
    SIGNATURE_RAW,
    SIGNATURE_DECODED,
    SIGNATURE_CLEANED,
    SIGNATURE_UNKNOWN, /* libcrypto failed: it may be one */
};

#define SIGNATURE_KEYS_MAX 6 /* two secrets, each in three forms */

struct signature_keys {
    char *key[SIGNATURE_KEYS_MAX]; /* owned; distinct, in the order in which they are tried */
    size_t len[SIGNATURE_KEYS_MAX];
    enum signature_form form[SIGNATURE_KEYS_MAX];
    size_t count;
};

/* Takes the secret and the previous one (either may be NULL or ""). False when out of memory. */
bool signature_keys_init(struct signature_keys *keys, const char *secret, const char *previous) MUST_CHECK;
void signature_keys_free(struct signature_keys *keys); /* wipes them */

/* Under which form of a secret is header the body's signature? NONE: under no key, also if there is no key:
 * there is no open mode. UNKNOWN: there is no memory to look. If it is one, `first` (may be NULL) is the body's HMAC under the first key. */
enum signature_form signature_verify(const struct signature_keys *keys, const char *header, const void *body,
                                     size_t len, unsigned char first[DIGEST_LEN]);

/* The body's HMAC under the first key, whoever brought it. False if there is no key, or libcrypto fails. */
bool signature_first(const struct signature_keys *keys, const void *body, size_t len,
                     unsigned char first[DIGEST_LEN]) MUST_CHECK;

/* For the log line of a 401: the forms that were tried, as the rest of a sentence, "as it is and ...". "no
 * secret is set" if there is no key. Static text. */
const char *signature_tried(const struct signature_keys *keys);

/* The header's value for a body (used by `trigger` and tests). */
#define SIGNATURE_SIZE 45 /* base64 of an HMAC: 43 characters, one '=', NUL */
bool signature_make(const char *secret, const void *body, size_t len, char out[SIGNATURE_SIZE]) MUST_CHECK;
