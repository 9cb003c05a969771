#include "base/html_entity.h"
#include "base/ascii.h"
#include "base/utf8.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define LATIN_FIRST 0xA0

struct named {
    const char *name;
    uint32_t code;
};

static const struct named special[] = {{"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}};

/* HTML 4.01, 24.2: U+00A0 to U+00FF, in order. */
static const char *const latin[] = {
    "nbsp",   "iexcl",  "cent",   "pound",  "curren", "yen",    "brvbar", "sect",   "uml",    "copy",
    "ordf",   "laquo",  "not",    "shy",    "reg",    "macr",   "deg",    "plusmn", "sup2",   "sup3",
    "acute",  "micro",  "para",   "middot", "cedil",  "sup1",   "ordm",   "raquo",  "frac14", "frac12",
    "frac34", "iquest", "Agrave", "Aacute", "Acirc",  "Atilde", "Auml",   "Aring",  "AElig",  "Ccedil",
    "Egrave", "Eacute", "Ecirc",  "Euml",   "Igrave", "Iacute", "Icirc",  "Iuml",   "ETH",    "Ntilde",
    "Ograve", "Oacute", "Ocirc",  "Otilde", "Ouml",   "times",  "Oslash", "Ugrave", "Uacute", "Ucirc",
    "Uuml",   "Yacute", "THORN",  "szlig",  "agrave", "aacute", "acirc",  "atilde", "auml",   "aring",
    "aelig",  "ccedil", "egrave", "eacute", "ecirc",  "euml",   "igrave", "iacute", "icirc",  "iuml",
    "eth",    "ntilde", "ograve", "oacute", "ocirc",  "otilde", "ouml",   "divide", "oslash", "ugrave",
    "uacute", "ucirc",  "uuml",   "yacute", "thorn",  "yuml",
};
_Static_assert(sizeof latin / sizeof *latin == 96, "one name for each character");

/* HTML 4.01, 24.3 and 24.4: those that names of people and products hold. */
static const struct named other[] = {
    {"OElig", 0x152},   {"oelig", 0x153},   {"Scaron", 0x160},  {"scaron", 0x161},  {"Yuml", 0x178},
    {"ensp", 0x2002},   {"emsp", 0x2003},   {"thinsp", 0x2009}, {"zwnj", 0x200C},   {"zwj", 0x200D},
    {"lrm", 0x200E},    {"rlm", 0x200F},    {"ndash", 0x2013},  {"mdash", 0x2014},  {"lsquo", 0x2018},
    {"rsquo", 0x2019},  {"sbquo", 0x201A},  {"ldquo", 0x201C},  {"rdquo", 0x201D},  {"bdquo", 0x201E},
    {"dagger", 0x2020}, {"bull", 0x2022},   {"hellip", 0x2026}, {"permil", 0x2030}, {"prime", 0x2032},
    {"Prime", 0x2033},  {"lsaquo", 0x2039}, {"rsaquo", 0x203A}, {"euro", 0x20AC},   {"trade", 0x2122},
    {"minus", 0x2212},
};

static bool is(const char *name, const char *text, size_t n)
{
    return strlen(name) == n && !memcmp(name, text, n);
}

static uint32_t find(const struct named *list, size_t count, const char *text, size_t n)
{
    for (size_t i = 0; i < count; i++)
        if (is(list[i].name, text, n))
            return list[i].code;
    return 0;
}

static uint32_t find_latin(const char *text, size_t n)
{
    for (uint32_t i = 0; i < sizeof latin / sizeof *latin; i++)
        if (is(latin[i], text, n))
            return LATIN_FIRST + i;
    return 0;
}

/* The character that n bytes between "&" and ";" name; 0 = none. */
static uint32_t named_entity(const char *text, size_t n, enum entity_set set)
{
    uint32_t code = find(special, sizeof special / sizeof *special, text, n);

    if (!code && set == ENTITY_TEXT)
        code = find_latin(text, n);
    if (!code && set == ENTITY_TEXT)
        code = find(other, sizeof other / sizeof *other, text, n);
    return code;
}

/* "39" or "x27" */
static uint32_t numeric_entity(const char *text, size_t n)
{
    bool hex = *text == 'x' || *text == 'X';
    size_t digits = strspn(text + hex, hex ? "0123456789abcdefABCDEF" : "0123456789");
    unsigned long code = digits && digits + hex == n ? strtoul(text + hex, NULL, hex ? 16 : 10) : 0;

    return code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF) ? 0 : (uint32_t)code;
}

/* The entity at text, which begins with "&": its character and its length; 0 when it is none. */
static size_t entity_at(const char *text, enum entity_set set, uint32_t *code)
{
    bool numeric = text[1] == '#';
    const char *body = text + (numeric ? 2 : 1);
    size_t n = 0;

    while (is_digit(body[n]) || is_letter(body[n]))
        n++;
    if (n == 0 || body[n] != ';')
        return 0;
    *code = numeric ? numeric_entity(body, n) : named_entity(body, n, set);
    if (set == ENTITY_TEXT && (*code == '<' || *code == '>'))
        return 0;
    return *code ? (size_t)(body + n + 1 - text) : 0;
}

char *entity_decode(const char *text, enum entity_set set)
{
    /* No entity is shorter than what it stands for: four bytes of UTF-8 need at least "&#65536;". */
    char *decoded = malloc(strlen(text) + 1), *at = decoded;

    if (!decoded)
        return NULL;
    while (*text) {
        uint32_t code;
        size_t len = *text == '&' ? entity_at(text, set, &code) : 0;
        if (len) {
            at = utf8_write(at, code);
            text += len;
        } else {
            *at++ = *text++;
        }
    }
    *at = '\0';
    return decoded;
}
