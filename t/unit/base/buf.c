#include "base/buf.h"

#include "tap.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void empty_buffer(void)
{
    struct buf b;
    buf_init(&b, 10);
    is_str(b.data, "", "a new buffer is an empty string");
    is_int(b.cap, 0, "and owns nothing");
    buf_wrote(&b, 0);
    ok(buf_add(&b, NULL, 0), "adding nothing is fine");
    char *stolen = buf_steal(&b);
    is_str(stolen, "", "stealing from an empty buffer gives an empty string to free");
    free(stolen);
    buf_free(&b);
}

static void maximum(void)
{
    struct buf b;
    buf_init(&b, 8);
    ok(buf_adds(&b, "12345678"), "the maximum itself fits");
    ok(!buf_addc(&b, '9'), "one byte more does not");
    ok(b.failed, "and the buffer says so");
    is_str(b.data, "12345678", "it keeps what it had");
    ok(!buf_add(&b, "", 0), "even adding nothing now reports the failure");
    ok(!buf_steal(&b), "nothing can be stolen from it");
    buf_reset(&b);
    ok(!b.failed && b.len == 0 && *b.data == '\0', "a reset buffer is empty and takes again");
    ok(!buf_room(&b, SIZE_MAX), "an absurd wish fails without overflow");
    buf_free(&b);
    ok(buf_addf(&b, "%d-%s", 42, "ab") && !strcmp(b.data, "42-ab"), "a freed buffer is usable again");
    ok(!buf_addf(&b, "%s", "1234"), "a formatted text that does not fit is refused whole");
    is_str(b.data, "42-ab", "and leaves no part behind");
    buf_wipe(&b);

    buf_init(&b, 0);
    ok(!buf_addc(&b, 'x'), "a buffer of maximum 0 takes nothing");
    buf_free(&b);
}

static void growth(void)
{
    struct buf b;
    buf_init(&b, 100000);
    bool good = true;
    for (int i = 0; i < 100000; i++)
        good &= buf_addc(&b, (char)('a' + i % 26));
    ok(good && b.len == 100000, "it grows byte by byte to its maximum");
    ok(b.data[0] == 'a' && b.data[99999] == (char)('a' + 99999 % 26) && b.data[100000] == '\0',
       "with all bytes in place and a NUL behind them");
    buf_reset(&b);
    ok(buf_add(&b, "a\0b", 3) && b.len == 3 && memcmp(b.data, "a\0b", 4) == 0, "it holds NUL bytes");
    char *at = buf_room(&b, 3);
    memcpy(at, "xyz", 3);
    buf_wrote(&b, 3);
    is_int(b.len, 6, "bytes written into its room count");
    char *stolen = buf_steal(&b);
    ok(memcmp(stolen, "a\0bxyz", 7) == 0, "the stolen bytes are NUL-terminated");
    is_int(b.len, 0, "and gone from the buffer");
    free(stolen);
    buf_free(&b);
}

int main(void)
{
    empty_buffer();
    maximum();
    growth();
    return tap_done();
}
