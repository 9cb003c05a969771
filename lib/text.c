#include "text.h"
#include "signature.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

/* The code point at s and its length in bytes; a byte that begins none is 0 of length 1. */
static uint32_t code_point(const char *s, size_t *len)
{
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
        if (!is_continuation(s[i]))
            return 0;
        code = code << 6 | ((unsigned char)s[i] & 0x3F);
    }
    *len = n;
    return code;
}

static bool is_space(uint32_t code)
{
    return code == ' ' || (code >= '\t' && code <= '\r') || code == 0x85 || code == 0xA0 || code == 0x2028 ||
           code == 0x2029;
}

/* Control characters, zero width space and byte order mark, and the marks that turn the direction of what
 * follows. What scripts and emoji need to join stays. */
static bool is_dropped(uint32_t code)
{
    return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x200B || code == 0xFEFF ||
           (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069) ||
           (code >= 0xD800 && code <= 0xDFFF) || (code >= 0xE0000 && code <= 0xE007F) || code > 0x10FFFF;
}

char *text_clean(const char *typed, size_t max)
{
    char *text = signature_decode_entities(typed);
    if (!text)
        return NULL;
    size_t out = 0, len;
    bool gap = false;
    /* in place: what is written is never longer than what was read */
    for (const char *s = text; *s; s += len) {
        uint32_t code = code_point(s, &len);
        if (is_space(code)) {
            gap = out > 0;
            continue;
        }
        if (is_dropped(code))
            continue;
        if (out + gap + len > max)
            break;
        if (gap)
            text[out++] = ' ';
        gap = false;
        memmove(text + out, s, len);
        out += len;
    }
    text[out] = '\0';
    return text;
}

void text_lower(char *text)
{
    for (; *text; text++)
        if (*text >= 'A' && *text <= 'Z')
            *text = (char)(*text | 0x20);
}

size_t text_cut(const char *text, size_t len, size_t max)
{
    if (len <= max)
        return len;
    while (max > 0 && is_continuation(text[max]))
        max--;
    return max;
}
