#include "base/text.h"
#include "base/html_entity.h"
#include "base/utf8.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

static bool is_space(uint32_t code)
{
    return code == ' ' || (code >= '\t' && code <= '\r') || code == 0x85 || code == 0xA0 ||
           (code >= 0x2000 && code <= 0x200A) || code == 0x2028 || code == 0x2029 || code == 0x202F ||
           code == 0x205F || code == 0x3000;
}

/* Control characters, soft hyphen, zero width space and byte order mark, and the marks that turn the
 * direction of what follows. What scripts and emoji need to join stays. */
static bool is_dropped(uint32_t code)
{
    return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0xAD || code == 0x200B || code == 0xFEFF ||
           (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069) ||
           (code >= 0xD800 && code <= 0xDFFF) || (code >= 0xE0000 && code <= 0xE007F) || code > 0x10FFFF;
}

static bool is_line_end(uint32_t code)
{
    return code == '\n' || code == 0x2028 || code == 0x2029;
}

/* White space between two words: how many bytes of " ", "\n" and "\n\n", and where they are. */
struct gap {
    size_t len;
    const char *text;
};

static struct gap gap_of(bool blank, int line_ends, bool lines)
{
    if (!blank)
        return (struct gap){0, ""};
    if (!lines || line_ends == 0)
        return (struct gap){1, " "};
    return line_ends == 1 ? (struct gap){1, "\n"} : (struct gap){2, "\n\n"};
}

/* In place: what is written is never longer than what was read. */
static char *tidy(char *text, size_t max, bool lines)
{
    if (!text)
        return NULL;
    size_t out = 0, len;
    bool blank = false;
    int line_ends = 0;
    for (const char *s = text; *s; s += len) {
        uint32_t code = utf8_read(s, &len);
        bool plain = code > ' ' && code < 0x7F; /* most are */
        if (!plain && is_space(code)) {
            blank = out > 0;
            line_ends += is_line_end(code);
            continue;
        }
        if (!plain && is_dropped(code))
            continue;
        struct gap gap = gap_of(blank, line_ends, lines);
        if (out + gap.len + len > max)
            break;
        memcpy(text + out, gap.text, gap.len);
        out += gap.len;
        blank = false;
        line_ends = 0;
        memmove(text + out, s, len);
        out += len;
    }
    text[out] = '\0';
    return text;
}

char *text_clean(const char *typed, size_t max)
{
    return tidy(entity_decode(typed, ENTITY_TEXT), max, false);
}

char *text_tidy(const char *text, size_t max)
{
    return tidy(strdup(text), max, false);
}

char *text_clean_lines(const char *typed, size_t max)
{
    return tidy(entity_decode(typed, ENTITY_TEXT), max, true);
}

/* Capitals whose small letter is so much further, in steps: every code point, or every other one. */
static const struct {
    uint16_t first, last, step, further;
} capitals[] = {
    {'A', 'Z', 1, 32},      {0xC0, 0xD6, 1, 32},  /* Latin-1, but for the times sign */
    {0xD8, 0xDE, 1, 32},    {0x100, 0x12E, 2, 1}, /* Latin Extended-A; U+0130, whose small letter is two
                                                     characters, stays */
    {0x132, 0x136, 2, 1},   {0x139, 0x147, 2, 1},  {0x14A, 0x176, 2, 1},
    {0x179, 0x17D, 2, 1},   {0x218, 0x21A, 2, 1}, /* Romanian */
    {0x386, 0x386, 1, 38},                        /* Greek */
    {0x388, 0x38A, 1, 37},  {0x38C, 0x38C, 1, 64}, {0x38E, 0x38F, 1, 63},
    {0x391, 0x3A1, 1, 32},  {0x3A3, 0x3AB, 1, 32}, {0x400, 0x40F, 1, 80}, /* Cyrillic */
    {0x410, 0x42F, 1, 32},  {0x460, 0x480, 2, 1},  {0x48A, 0x4BE, 2, 1},
    {0x4D0, 0x52E, 2, 1},   {0x531, 0x556, 1, 48}, /* Armenian */
    {0x1E00, 0x1E94, 2, 1},                        /* Latin Extended Additional: Vietnamese and others */
    {0x1EA0, 0x1EFE, 2, 1},
};

static uint32_t small_letter(uint32_t code)
{
    for (size_t i = 0; i < sizeof capitals / sizeof *capitals; i++)
        if (code >= capitals[i].first && code <= capitals[i].last)
            return (code - capitals[i].first) % capitals[i].step ? code : code + capitals[i].further;
    return code == 0x178 ? 0xFF : code; /* Y with diaeresis */
}

/* In place: a small letter is as long as its capital, here. */
void text_lower(char *text)
{
    size_t len;
    for (; *text; text += len) {
        uint32_t code = utf8_read(text, &len), small = small_letter(code);
        if (small != code)
            (void)utf8_write(text, small);
    }
}

size_t text_cut(const char *text, size_t len, size_t max)
{
    if (len <= max)
        return len;
    while (max > 0 && is_continuation(text[max]))
        max--;
    return max;
}

/* Where a text that was cut after len bytes, perhaps inside a character, ends with a whole one. */
static size_t text_end(const char *text, size_t len)
{
    size_t begin = len, n;

    while (begin > 0 && is_continuation(text[begin - 1]) && len - begin < 3)
        begin--;
    if (begin == 0 || !((unsigned char)text[begin - 1] & 0x80))
        return len; /* plain ASCII, or bytes that are no character in any case */
    (void)utf8_read(text + begin - 1, &n);
    return begin - 1 + (n > 1 ? n : 0);
}

bool text_copy(char *out, size_t size, const char *text)
{
    size_t len = strlen(text), n = text_cut(text, len, size - 1);

    memcpy(out, text, n);
    out[n] = '\0';
    return n == len;
}

bool text_vformat(char *out, size_t size, const char *fmt, va_list args)
{
    int wanted = vsnprintf(out, size, fmt, args);

    if (wanted < 0)
        out[0] = '\0';
    if (wanted < 0 || (size_t)wanted < size)
        return wanted >= 0;
    out[text_end(out, size - 1)] = '\0';
    return false;
}

void text_still(char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i], next = i + 1 < len ? (unsigned char)text[i + 1] : 0;
        if ((c && c < ' ') || c == 0x7F)
            text[i] = ' ';
        else if (c == 0xC2 && next >= 0x80 && next < 0xA0) /* U+0080 to U+009F */
            text[i] = text[i + 1] = ' ';
    }
}

int64_t text_number(const char *text, const char **end)
{
    char *behind;
    long long number = strtoll(text, &behind, 10); /* one that does not fit it is beyond, too */

    if (end)
        *end = behind;
    return number >= -TEXT_NUMBER_MAX && number <= TEXT_NUMBER_MAX ? number : 0;
}

bool text_format(char *out, size_t size, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    bool whole = text_vformat(out, size, fmt, args);
    va_end(args);
    return whole;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int text_octet(const char *digits)
{
    int high = hex_digit(digits[0]), low = high < 0 ? -1 : hex_digit(digits[1]);
    return low < 0 ? -1 : high * 16 + low;
}

uint32_t text_hash(const char *text)
{
    uint32_t hash = 2166136261u;

    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 16777619u;
    return hash;
}

bool text_is_one_of(const char *text, const char *const *list)
{
    while (*list && strcmp(text, *list) != 0)
        list++;
    return *list != NULL;
}

void text_free_secret(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

/* -- did you mean -- */

#define WORD_LEN 64

/* How many letters have to change (Levenshtein); words over WORD_LEN are far from everything. */
static size_t distance(const char *a, const char *b)
{
    size_t la = strlen(a), lb = strlen(b), row[WORD_LEN + 1];

    if (la > WORD_LEN || lb > WORD_LEN)
        return WORD_LEN;
    for (size_t j = 0; j <= lb; j++)
        row[j] = j;
    for (size_t i = 1; i <= la; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t change = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;
            if (change < row[j])
                row[j] = change;
        }
    }
    return row[lb];
}

void text_nearest(struct text_nearest *nearest, const char *known)
{
    size_t d = distance(nearest->typed, known);

    /* Three letters off is still a slip of the hand, in a word of nine. */
    if (d > 3 || d * 3 > strlen(nearest->typed) || (nearest->word && d >= nearest->distance))
        return;
    nearest->word = known;
    nearest->distance = d;
}
