/*
 * signature: is this body really the shop's? HMAC-SHA256 over the raw bytes, before anything is parsed.
 *
 * WooCommerce signs with the secret after HTML entities are decoded, so each configured secret is tried as it
 * is and entity-decoded. The header is base64 of the raw HMAC: exactly 44 characters, strictly decoded (white
 * space around the value is allowed, nothing else). Compared in constant time.
 */
#ifndef WOO_GHL_SIGNATURE_H
#define WOO_GHL_SIGNATURE_H

#include "base/digest.h"

#define SIGNATURE_KEYS_MAX 4 /* two secrets, each in two forms */

struct signature_keys {
    char *key[SIGNATURE_KEYS_MAX]; /* owned; distinct, in the order in which they are tried */
    size_t len[SIGNATURE_KEYS_MAX];
    size_t count;
};

/* Takes the secret and the previous one (either may be NULL or ""). False when out of memory. */
bool signature_keys_init(struct signature_keys *keys, const char *secret, const char *previous) MUST_CHECK;
void signature_keys_free(struct signature_keys *keys); /* wipes them */

/* Is header a signature of the body under one of the keys? No key = false: there is no open mode. */
bool signature_verify(const struct signature_keys *keys, const char *header, const void *body, size_t len);

/* The header's value for a body (used by `trigger` and tests): 44 characters and a NUL into out. */
bool signature_make(const char *secret, const void *body, size_t len, char out[45]) MUST_CHECK;

/* Decodes the entities that WordPress makes (&amp; &lt; &gt; &quot; &#39; &#039; &apos; and numeric ones, as
 * UTF-8), once, not again over the result. Returns a malloc'ed string, NULL when out of memory. */
char *signature_decode_entities(const char *text);

#endif
