/*
 * proof: is it this program that answers at the shop's delivery URL, and with our secret?
 *
 * The question is a signed body that is no order: a nonce, and padding that makes it as long as a large order. The
 * answer is the nonce's HMAC under the secret, with a label of its own, so that it is a signature of nothing else.
 * Only who has the secret can ask, so the answer tells a stranger nothing.
 */
#pragma once

#include "base/buf.h"
#include "base/digest.h"

#define PROOF_LEN 200000              /* bytes of the question: over mod_fcgid's default limit of a body */
#define PROOF_NONCE_SIZE (2 * 16 + 1) /* lower-case hex, with its NUL */

/* Appends the question. */
bool proof_ask(const char nonce[PROOF_NONCE_SIZE], struct buf *body) MUST_CHECK;

/* Is this (signed) body such a question? Then its nonce is copied. */
bool proof_is_asked(const char *body, size_t len, char nonce[PROOF_NONCE_SIZE]) MUST_CHECK;

/* The answer, as hex. False if libcrypto fails. */
bool proof_answer(const char *secret, const char *nonce, char out[DIGEST_HEX_SIZE]) MUST_CHECK;
