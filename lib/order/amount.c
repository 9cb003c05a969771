#include "order/amount.h"
#include "base/ascii.h"
#include "base/text.h"
#include "base/utf8.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 60 /* bytes of an amount with all that stands around it */
#define SIGN_MAX 3  /* characters of a currency: "$", "kr", "USD" */
#define DIGITS_MAX 40

/* A number's parts: the digits and separators, from its first digit to its last. */
struct written {
    bool negative;
    const char *text;
    size_t len;
};

static bool is_word_letter(uint32_t code)
{
    return code >= 0x80 || is_letter((char)code);
}

/* What may stand before or behind a number: one currency, blanks, and, before it, one sign. A point may end a
 * currency ("kr."). */
static bool is_around(const char *s, const char *end, bool before, bool *negative)
{
    size_t len, letters = 0, signs = 0;
    char last = ' ';
    for (; s < end; s += len) {
        uint32_t code = utf8_read(s, &len);
        if (code == '-' || code == '+' || code == 0x2212) {
            signs++;
            *negative = code != '+';
        } else if (code == '$' || is_word_letter(code)) {
            letters++;
        } else if (code != ' ' && !(code == '.' && last == 'a')) {
            return false;
        }
        last = is_word_letter(code) ? 'a' : ' ';
    }
    return letters <= SIGN_MAX && signs <= (before ? 1 : 0);
}

static bool find_number(const char *text, struct written *out)
{
    const char *first = text + strcspn(text, "0123456789"), *last = text + strlen(text);
    if (!*first)
        return false;
    while (!is_digit(last[-1]))
        last--;
    if (first > text && (first[-1] == ',' || first[-1] == '.') && (first - 1 == text || first[-2] == ' '))
        first--; /* ",50" */
    *out = (struct written){false, first, (size_t)(last - first)};
    return is_around(text, first, true, &out->negative) &&
           is_around(last, text + strlen(text), false, &out->negative);
}

static size_t count(const char *s, size_t n, char c)
{
    size_t found = 0;
    for (size_t i = 0; i < n; i++)
        found += s[i] == c;
    return found;
}

/* "1.234.567", "12,34,567": digits in groups of three, or, as in India, of two and at last three. Without the
 * separator it is digits alone. Appends the digits. */
static bool read_whole(const char *s, size_t n, char separator, char *digits)
{
    size_t group = 0, groups = 0, at = strlen(digits);
    for (size_t i = 0; i < n; i++) {
        if (is_digit(s[i])) {
            if (at == DIGITS_MAX)
                return false;
            digits[at++] = s[i];
            group++;
        } else if (s[i] == separator && group > 0 && group <= 3 && (groups == 0 || group > 1)) {
            groups++;
            group = 0;
        } else {
            return false;
        }
    }
    digits[at] = '\0';
    return groups == 0 || group == 3;
}

/* Which of them divides the decimals? '\0' = none does. False: it cannot be told. */
static bool find_point(const struct written *w, char *point)
{
    size_t points = count(w->text, w->len, '.'), commas = count(w->text, w->len, ',');
    *point = '\0';
    if (points && commas) {
        const char *s = w->text + w->len;
        while (*--s != '.' && *s != ',')
            ;
        *point = *s;
        return true;
    }
    if (points + commas != 1)
        return true;
    *point = points ? '.' : ',';
    const char *at = memchr(w->text, *point, w->len);
    size_t before = (size_t)(at - w->text), behind = w->len - before - 1;
    return behind != 3 || before == 0 || before > 3 || w->text[0] == '0';
}

static enum amount_result read_number(const struct written *w, struct decimal *out, int *places)
{
    static const char separators[] = ".,' ";
    char digits[DIGITS_MAX + 1] = "", text[2 * DIGITS_MAX + 4], fraction[DIGITS_MAX + 1] = "", point;
    if (!find_point(w, &point))
        return AMOUNT_AMBIGUOUS;
    const char *at = point ? memchr(w->text, point, w->len) : NULL;
    size_t whole = at ? (size_t)(at - w->text) : w->len;
    const char *group = separators;
    while (*group && (*group == point || !count(w->text, whole, *group)))
        group++;
    if (!read_whole(w->text, whole, *group, digits) ||
        (at && !read_whole(at + 1, w->len - whole - 1, '\0', fraction)))
        return AMOUNT_NONE;
    *places = (int)strlen(fraction);
    snprintf(text, sizeof text, "%s%s.%s", w->negative ? "-" : "", digits, fraction);
    return decimal_parse(text, out) ? AMOUNT_OK : AMOUNT_NONE;
}

/* The apostrophes that Switzerland groups digits with, and the one of a keyboard. */
static void plain_apostrophes(char *text)
{
    char *out = text;
    size_t len;
    for (const char *s = text; *s; s += len) {
        if (utf8_read(s, &len) == 0x2019) {
            *out++ = '\'';
            continue;
        }
        memmove(out, s, len);
        out += len;
    }
    *out = '\0';
}

enum amount_result amount_parse(const char *text, struct decimal *out, int *places)
{
    struct written w;
    if (decimal_parse(text, out)) { /* as WooCommerce writes it */
        const char *point = strchr(text, '.');
        *places = point ? (int)strspn(point + 1, "0123456789") : 0;
        return AMOUNT_OK;
    }
    char *clean = text_clean(text, TEXT_MAX + 1);
    if (!clean)
        return AMOUNT_NO_MEMORY;
    plain_apostrophes(clean);
    enum amount_result result = !*clean ? AMOUNT_MISSING
                                : strlen(clean) > TEXT_MAX || !find_number(clean, &w)
                                    ? AMOUNT_NONE
                                    : read_number(&w, out, places);
    free(clean);
    return result;
}
