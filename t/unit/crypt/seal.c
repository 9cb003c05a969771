#include "crypt/seal.h"

#include "base/digest.h"
#include "tap.h"
#include <string.h>

static const unsigned char key[SEAL_KEY_LEN] = "0123456789abcdef0123456789abcde";

static void derives_as_the_rfc(void)
{
    unsigned char secret[22], salt[13], out[SEAL_KEY_LEN];
    const char label[] = {'\xf0', '\xf1', '\xf2', '\xf3', '\xf4', '\xf5', '\xf6', '\xf7', '\xf8', '\xf9', 0};
    char hex[2 * SEAL_KEY_LEN + 1];

    memset(secret, 0x0b, sizeof secret);
    for (size_t i = 0; i < sizeof salt; i++)
        salt[i] = (unsigned char)i;
    ok(seal_derive(secret, sizeof secret, salt, sizeof salt, label, out), "a key is derived");
    digest_hex(out, sizeof out, hex);
    is_str(hex, "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf",
           "RFC 5869, case 1: the first 32 bytes");
    ok(seal_derive(secret, sizeof secret, NULL, 0, "label", out), "without salt too");
}

static enum seal_result open_it(const unsigned char *k, const char *aad, const struct buf *sealed,
                                struct buf *out)
{
    return seal_open(k, aad, strlen(aad), sealed->data, sealed->len, out);
}

static void opens_what_it_sealed(void)
{
    static const char text[] = "jane.doe@example.com\0\xff binary";
    struct buf sealed, again, out;

    buf_init(&sealed, 1000);
    buf_init(&again, 1000);
    buf_init(&out, 1000);
    ok(seal_bytes(key, "for", 3, text, sizeof text, &sealed), "bytes are sealed");
    is_int(sealed.len, sizeof text + SEAL_OVERHEAD, "with the overhead that is documented");
    ok(!memmem(sealed.data, sealed.len, "jane", 4), "and cannot be read");
    ok(seal_bytes(key, "for", 3, text, sizeof text, &again) && memcmp(again.data, sealed.data, 12) != 0,
       "each time under another nonce");
    ok(buf_adds(&out, "before:") && open_it(key, "for", &sealed, &out) == SEAL_OK, "they open");
    ok(out.len == 7 + sizeof text && !memcmp(out.data, "before:", 7) &&
           !memcmp(out.data + 7, text, sizeof text),
       "appended, as they were");

    buf_reset(&out);
    is_int(open_it(key, "from", &sealed, &out), SEAL_FORGED, "not for another purpose");
    is_int(open_it((const unsigned char *)"another key, another key, anothe", "for", &sealed, &out),
           SEAL_FORGED, "not under another key");
    is_int(out.len, 0, "and nothing is appended then");

    int opened = 0;
    for (size_t i = 0; i < sealed.len; i++) {
        sealed.data[i] = (char)(sealed.data[i] ^ 1);
        opened += open_it(key, "for", &sealed, &out) != SEAL_FORGED;
        sealed.data[i] = (char)(sealed.data[i] ^ 1);
    }
    is_int(opened, 0, "a change of any bit is seen");
    for (size_t n = 0; n < sealed.len; n++)
        opened += seal_open(key, "for", 3, sealed.data, n, &out) != SEAL_FORGED;
    is_int(opened, 0, "and a cut at any byte");
    buf_free(&sealed);
    buf_free(&again);
    buf_free(&out);
}

static void takes_nothing_and_no_more_than_fits(void)
{
    struct buf sealed, small;

    buf_init(&sealed, 1000);
    buf_init(&small, 10);
    ok(seal_bytes(key, NULL, 0, NULL, 0, &sealed) && sealed.len == SEAL_OVERHEAD, "nothing can be sealed");
    is_int(seal_open(key, NULL, 0, sealed.data, sealed.len, &small), SEAL_OK, "and opened");
    is_int(small.len, 0, "as nothing");
    ok(!seal_bytes(key, NULL, 0, "x", 1, &small), "what does not fit is not sealed");
    is_int(small.len, 0, "nor half of it kept");
    buf_free(&small);
    buf_reset(&sealed);
    ok(seal_bytes(key, NULL, 0, "eleven char", 11, &sealed), "eleven bytes");
    is_int(seal_open(key, NULL, 0, sealed.data, sealed.len, &small), SEAL_FAILED,
           "do not open into room for ten: no forgery, a failure");
    buf_free(&sealed);
    buf_free(&small);
}

int main(void)
{
    derives_as_the_rfc();
    opens_what_it_sealed();
    takes_nothing_and_no_more_than_fits();
    return tap_done();
}
