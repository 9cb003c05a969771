#include "order/proof.h"
#include <string.h>

#define BEGIN "{\"woo_ghl_proof\":\""
#define MIDDLE "\",\"padding\":\""
#define END "\"}"
#define NONCE_LEN (PROOF_NONCE_SIZE - 1)

bool proof_ask(const char nonce[PROOF_NONCE_SIZE], struct buf *body)
{
    size_t frame = strlen(BEGIN MIDDLE END) + NONCE_LEN;

    return buf_addf(body, BEGIN "%.*s" MIDDLE "%0*d" END, (int)NONCE_LEN, nonce, (int)(PROOF_LEN - frame), 0);
}

bool proof_is_asked(const char *body, size_t len, char nonce[PROOF_NONCE_SIZE])
{
    static const char begin[] = BEGIN;
    const size_t n = sizeof begin - 1;

    if (len < n + NONCE_LEN + strlen(MIDDLE) || memcmp(body, begin, n) != 0 ||
        memcmp(body + n + NONCE_LEN, MIDDLE, strlen(MIDDLE)) != 0)
        return false;
    memcpy(nonce, body + n, NONCE_LEN);
    nonce[NONCE_LEN] = '\0';
    return strspn(nonce, "0123456789abcdef") == NONCE_LEN;
}

bool proof_answer(const char *secret, const char *nonce, char out[DIGEST_HEX_SIZE])
{
    return digest_label_hex(secret, strlen(secret), "woo_ghl proof", nonce, strlen(nonce), out);
}
