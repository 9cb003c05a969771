#include "base/digest.h"

#include "tap.h"
#include <string.h>

static void is_hmac(const char *key, size_t key_len, const char *bytes, const char *want, const char *name)
{
    unsigned char out[DIGEST_LEN];
    char hex[DIGEST_HEX_SIZE];
    ok(digest_hmac(key, key_len, bytes, strlen(bytes), out), "%s is made", name);
    digest_hex(out, sizeof out, hex);
    is_str(hex, want, "and right");
}

int main(void)
{
    is_hmac("Jefe", 4, "what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", "RFC 4231, case 2");
    is_hmac("\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b", 20,
            "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            "RFC 4231, case 1");
    is_hmac("", 0, "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad", "an empty key");

    char one[DIGEST_HEX_SIZE], other[DIGEST_HEX_SIZE], plain[DIGEST_HEX_SIZE];
    unsigned char out[DIGEST_LEN];
    ok(digest_label_hex("key", 3, "a", "bc", 2, one) && digest_label_hex("key", 3, "ab", "c", 1, other),
       "labelled hashes are made");
    ok(strcmp(one, other) != 0, "what the label ends with and the bytes begin with is told apart");
    ok(digest_hmac("key", 3, "a\0bc", 4, out), "a label is hashed with its NUL before the bytes");
    digest_hex(out, sizeof out, plain);
    is_str(one, plain, "as documented");

    unsigned char first[300] = {0}, second[300] = {0};
    ok(digest_random(first, sizeof first) && digest_random(second, sizeof second), "randomness is there");
    ok(memcmp(first, second, sizeof first) != 0, "and does not repeat");
    unsigned char zeros[8] = {0};
    ok(memcmp(first + 292, zeros, 8) != 0, "to the last byte");
    ok(digest_random(first, 0), "none is fine too");
    return tap_done();
}
