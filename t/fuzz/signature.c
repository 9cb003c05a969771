/*
 * Fuzzes signatures: a line for the header, a line for the secret, then the body. A header is good if it is what
 * signature_make makes under a form of the secret, and no other is.
 */
#include "order/signature.h"
#include "base/html_entity.h"
#include "order/sanitize.h"
#include "rig.h"
#include <stdlib.h>
#include <string.h>

#define SIGNATURE_LEN 44

void fuzz_signature(const uint8_t *bytes, size_t len)
{
    char *header = fuzz_take(&bytes, &len, '\n'), *secret = fuzz_take(&bytes, &len, '\n');
    char *cleaned = sanitize_text_field(secret), *decoded = entity_decode(secret, ENTITY_SPECIAL);
    struct signature_keys keys;
    char made[SIGNATURE_LEN + 1], spoiled[SIGNATURE_LEN + 1];

    check(cleaned && decoded && signature_keys_init(&keys, secret, cleaned));
    check(keys.count <= SIGNATURE_KEYS_MAX && (keys.count > 0) == (*secret != '\0'));
    if (*secret) {
        check(signature_make(secret, bytes, len, made));
        check(signature_verify(&keys, made, bytes, len, NULL) != SIGNATURE_NONE);
        memcpy(spoiled, made, sizeof spoiled);
        spoiled[len % (SIGNATURE_LEN - 2)] ^= 1;
        check(signature_verify(&keys, spoiled, bytes, len, NULL) == SIGNATURE_NONE);
    }
    if (signature_verify(&keys, header, bytes, len, NULL) != SIGNATURE_NONE) {
        bool known = false;
        for (size_t i = 0; i < keys.count; i++)
            known = known || (signature_make(keys.key[i], bytes, len, made) && strstr(header, made));
        check(known);
    }
    check(*signature_tried(&keys));
    signature_keys_free(&keys);
    free(header);
    free(secret);
    free(cleaned);
    free(decoded);
}
