#include "base/utf8.h"

uint32_t utf8_read(const char *s, size_t *len)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char first = (unsigned char)*s;
    size_t n = first < 0x80                    ? 1
               : first >= 0xF0 && first < 0xF5 ? 4
               : first >= 0xE0 && first < 0xF0 ? 3
               : first >= 0xC2 && first < 0xE0 ? 2
                                               : 0;
    uint32_t code = n == 1 ? first : n == 2 ? first & 0x1F : n == 3 ? first & 0x0F : first & 0x07;

    *len = 1;
    if (n == 0)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if (((unsigned char)s[i] & 0xC0) != 0x80)
            return 0;
        code = code << 6 | ((unsigned char)s[i] & 0x3F);
    }
    if (code < least[n]) /* overlong */
        return 0;
    *len = n;
    return code;
}

char *utf8_write(char *at, uint32_t code)
{
    if (code < 0x80) {
        *at++ = (char)code;
        return at;
    }
    if (code < 0x800) {
        *at++ = (char)(0xC0 | code >> 6);
    } else {
        if (code < 0x10000) {
            *at++ = (char)(0xE0 | code >> 12);
        } else {
            *at++ = (char)(0xF0 | code >> 18);
            *at++ = (char)(0x80 | (code >> 12 & 0x3F));
        }
        *at++ = (char)(0x80 | (code >> 6 & 0x3F));
    }
    *at++ = (char)(0x80 | (code & 0x3F));
    return at;
}
