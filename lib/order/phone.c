#include "order/phone.h"
#include "base/ascii.h"
#include "base/utf8.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* The numbers of a country: lengths are those of the national number without trunk prefix, for fixed lines
 * and mobiles. `bare` is the length from which a number written without trunk prefix cannot be a local one
 * (without its area code); 0 = such numbers are never taken. Facts: ITU-T E.164 and the national numbering
 * plans, as collected by libphonenumber 8.12.57; rare lengths are left out, where a mistyped number would
 * pass for one. */
struct numbering {
    char country[3];
    char code[4];  /* calling code */
    char trunk[3]; /* dialled before a national number; never part of it */
    unsigned char min, max, bare;
};

static const struct numbering table[] = {
    {"AD", "376", "", 6, 9, 6},     {"AE", "971", "0", 8, 9, 8},   {"AF", "93", "0", 9, 9, 9},
    {"AG", "1", "1", 10, 10, 10},   {"AI", "1", "1", 10, 10, 10},  {"AL", "355", "0", 8, 9, 9},
    {"AM", "374", "0", 8, 8, 8},    {"AO", "244", "", 9, 9, 9},    {"AR", "54", "0", 10, 11, 10},
    {"AS", "1", "1", 10, 10, 10},   {"AT", "43", "0", 7, 13, 0},   {"AU", "61", "0", 9, 9, 9},
    {"AW", "297", "", 7, 7, 7},     {"AX", "358", "0", 6, 10, 9},  {"AZ", "994", "0", 9, 9, 9},
    {"BA", "387", "0", 8, 9, 8},    {"BB", "1", "1", 10, 10, 10},  {"BD", "880", "0", 8, 10, 10},
    {"BE", "32", "0", 8, 9, 9},     {"BF", "226", "", 8, 8, 8},    {"BG", "359", "0", 7, 9, 9},
    {"BH", "973", "", 8, 8, 8},     {"BI", "257", "", 8, 8, 8},    {"BJ", "229", "", 10, 10, 10},
    {"BL", "590", "0", 9, 9, 9},    {"BM", "1", "1", 10, 10, 10},  {"BN", "673", "", 7, 7, 7},
    {"BO", "591", "0", 8, 8, 8},    {"BQ", "599", "", 7, 7, 7},    {"BR", "55", "0", 10, 11, 10},
    {"BS", "1", "1", 10, 10, 10},   {"BT", "975", "", 7, 8, 7},    {"BW", "267", "", 7, 8, 7},
    {"BY", "375", "80", 9, 9, 9},   {"BZ", "501", "", 7, 7, 7},    {"CA", "1", "1", 10, 10, 10},
    {"CC", "61", "0", 9, 9, 9},     {"CD", "243", "0", 9, 9, 9},   {"CF", "236", "", 8, 8, 8},
    {"CG", "242", "", 9, 9, 9},     {"CH", "41", "0", 9, 9, 9},    {"CI", "225", "", 10, 10, 10},
    {"CK", "682", "", 5, 5, 5},     {"CL", "56", "", 9, 9, 9},     {"CM", "237", "", 9, 9, 9},
    {"CN", "86", "0", 10, 11, 10},  {"CO", "57", "0", 10, 10, 10}, {"CR", "506", "", 8, 8, 8},
    {"CU", "53", "0", 8, 8, 8},     {"CV", "238", "", 7, 7, 7},    {"CW", "599", "", 7, 8, 7},
    {"CX", "61", "0", 9, 9, 9},     {"CY", "357", "", 8, 8, 8},    {"CZ", "420", "", 9, 9, 9},
    {"DE", "49", "0", 6, 11, 0},    {"DJ", "253", "", 8, 8, 8},    {"DK", "45", "", 8, 8, 8},
    {"DM", "1", "1", 10, 10, 10},   {"DO", "1", "1", 10, 10, 10},  {"DZ", "213", "0", 8, 9, 9},
    {"EC", "593", "0", 8, 9, 9},    {"EE", "372", "", 7, 8, 7},    {"EG", "20", "0", 8, 10, 10},
    {"EH", "212", "0", 9, 9, 9},    {"ER", "291", "0", 7, 7, 0},   {"ES", "34", "", 9, 9, 9},
    {"ET", "251", "0", 9, 9, 9},    {"FI", "358", "0", 6, 10, 9},  {"FJ", "679", "", 7, 7, 7},
    {"FK", "500", "", 5, 5, 5},     {"FM", "691", "", 7, 7, 7},    {"FO", "298", "", 6, 6, 6},
    {"FR", "33", "0", 9, 9, 9},     {"GA", "241", "", 7, 8, 7},    {"GB", "44", "0", 9, 10, 10},
    {"GD", "1", "1", 10, 10, 10},   {"GE", "995", "0", 9, 9, 9},   {"GF", "594", "0", 9, 9, 9},
    {"GG", "44", "0", 10, 10, 10},  {"GH", "233", "0", 9, 9, 9},   {"GI", "350", "", 8, 8, 8},
    {"GL", "299", "", 6, 6, 6},     {"GM", "220", "", 7, 7, 7},    {"GN", "224", "", 8, 9, 8},
    {"GP", "590", "0", 9, 9, 9},    {"GQ", "240", "", 9, 9, 9},    {"GR", "30", "", 10, 10, 10},
    {"GT", "502", "", 8, 8, 8},     {"GU", "1", "1", 10, 10, 10},  {"GW", "245", "", 9, 9, 9},
    {"GY", "592", "", 7, 7, 7},     {"HK", "852", "", 8, 8, 8},    {"HN", "504", "", 8, 8, 8},
    {"HR", "385", "0", 8, 9, 8},    {"HT", "509", "", 8, 8, 8},    {"HU", "36", "06", 8, 9, 9},
    {"ID", "62", "0", 8, 12, 9},    {"IE", "353", "0", 7, 9, 9},   {"IL", "972", "0", 8, 9, 9},
    {"IM", "44", "0", 10, 10, 10},  {"IN", "91", "0", 10, 10, 10}, {"IO", "246", "", 7, 7, 7},
    {"IQ", "964", "0", 8, 10, 10},  {"IR", "98", "0", 10, 10, 10}, {"IS", "354", "", 7, 7, 7},
    {"IT", "39", "", 6, 11, 6},     {"JE", "44", "0", 10, 10, 10}, {"JM", "1", "1", 10, 10, 10},
    {"JO", "962", "0", 8, 9, 9},    {"JP", "81", "0", 9, 10, 10},  {"KE", "254", "0", 7, 9, 9},
    {"KG", "996", "0", 9, 9, 9},    {"KH", "855", "0", 8, 9, 8},   {"KM", "269", "", 7, 7, 7},
    {"KN", "1", "1", 10, 10, 10},   {"KR", "82", "0", 8, 10, 10},  {"KW", "965", "", 8, 8, 8},
    {"KY", "1", "1", 10, 10, 10},   {"KZ", "7", "8", 10, 10, 10},  {"LA", "856", "0", 8, 10, 10},
    {"LB", "961", "0", 7, 8, 8},    {"LC", "1", "1", 10, 10, 10},  {"LI", "423", "", 7, 9, 7},
    {"LK", "94", "0", 9, 9, 9},     {"LR", "231", "0", 7, 9, 9},   {"LS", "266", "", 8, 8, 8},
    {"LT", "370", "0", 8, 8, 8},    {"LU", "352", "", 6, 9, 6},    {"LV", "371", "", 8, 8, 8},
    {"LY", "218", "0", 9, 9, 9},    {"MA", "212", "0", 9, 9, 9},   {"MC", "377", "0", 8, 9, 8},
    {"MD", "373", "0", 8, 8, 8},    {"ME", "382", "0", 8, 8, 8},   {"MF", "590", "0", 9, 9, 9},
    {"MG", "261", "0", 9, 9, 9},    {"MH", "692", "1", 7, 7, 0},   {"MK", "389", "0", 8, 8, 8},
    {"ML", "223", "", 8, 8, 8},     {"MM", "95", "0", 7, 10, 9},   {"MN", "976", "", 8, 8, 8},
    {"MO", "853", "", 8, 8, 8},     {"MP", "1", "1", 10, 10, 10},  {"MQ", "596", "0", 9, 9, 9},
    {"MR", "222", "", 8, 8, 8},     {"MS", "1", "1", 10, 10, 10},  {"MT", "356", "", 8, 8, 8},
    {"MU", "230", "", 7, 8, 7},     {"MV", "960", "", 7, 7, 7},    {"MW", "265", "0", 7, 9, 9},
    {"MX", "52", "01", 10, 10, 10}, {"MY", "60", "0", 8, 10, 9},   {"MZ", "258", "", 8, 9, 8},
    {"NA", "264", "0", 8, 9, 0},    {"NC", "687", "", 6, 6, 6},    {"NE", "227", "", 8, 8, 8},
    {"NF", "672", "", 6, 6, 6},     {"NG", "234", "0", 8, 10, 10}, {"NI", "505", "", 8, 8, 8},
    {"NL", "31", "0", 9, 9, 9},     {"NO", "47", "", 8, 8, 8},     {"NP", "977", "0", 8, 10, 10},
    {"NR", "674", "", 7, 7, 7},     {"NU", "683", "", 4, 7, 4},    {"NZ", "64", "0", 8, 10, 9},
    {"OM", "968", "", 8, 8, 8},     {"PA", "507", "", 7, 8, 7},    {"PE", "51", "0", 8, 9, 9},
    {"PF", "689", "", 8, 8, 8},     {"PG", "675", "", 7, 8, 7},    {"PH", "63", "0", 8, 10, 10},
    {"PK", "92", "0", 9, 10, 10},   {"PL", "48", "", 9, 9, 9},     {"PM", "508", "0", 6, 6, 0},
    {"PR", "1", "1", 10, 10, 10},   {"PS", "970", "0", 8, 9, 9},   {"PT", "351", "", 9, 9, 9},
    {"PW", "680", "", 7, 7, 7},     {"PY", "595", "0", 7, 9, 9},   {"QA", "974", "", 8, 8, 8},
    {"RE", "262", "0", 9, 9, 9},    {"RO", "40", "0", 9, 9, 9},    {"RS", "381", "0", 8, 10, 9},
    {"RU", "7", "8", 10, 10, 10},   {"RW", "250", "0", 8, 9, 9},   {"SA", "966", "0", 9, 9, 9},
    {"SB", "677", "", 5, 7, 5},     {"SC", "248", "", 7, 7, 7},    {"SD", "249", "0", 9, 9, 9},
    {"SE", "46", "0", 7, 9, 9},     {"SG", "65", "", 8, 8, 8},     {"SI", "386", "0", 8, 8, 8},
    {"SJ", "47", "", 8, 8, 8},      {"SK", "421", "0", 9, 9, 9},   {"SL", "232", "0", 8, 8, 8},
    {"SM", "378", "", 6, 10, 6},    {"SN", "221", "", 9, 9, 9},    {"SO", "252", "0", 6, 9, 0},
    {"SR", "597", "", 6, 7, 6},     {"SS", "211", "0", 9, 9, 9},   {"ST", "239", "", 7, 7, 7},
    {"SV", "503", "", 8, 8, 8},     {"SX", "1", "1", 10, 10, 10},  {"SY", "963", "0", 8, 9, 9},
    {"SZ", "268", "", 8, 8, 8},     {"TC", "1", "1", 10, 10, 10},  {"TD", "235", "", 8, 8, 8},
    {"TG", "228", "", 8, 8, 8},     {"TH", "66", "0", 8, 9, 9},    {"TJ", "992", "", 9, 9, 9},
    {"TL", "670", "", 7, 8, 7},     {"TM", "993", "8", 8, 8, 8},   {"TN", "216", "", 8, 8, 8},
    {"TO", "676", "", 5, 7, 5},     {"TR", "90", "0", 10, 10, 10}, {"TT", "1", "1", 10, 10, 10},
    {"TV", "688", "", 5, 7, 5},     {"TW", "886", "0", 8, 9, 9},   {"TZ", "255", "0", 9, 9, 9},
    {"UA", "380", "0", 9, 9, 9},    {"UG", "256", "0", 9, 9, 9},   {"US", "1", "1", 10, 10, 10},
    {"UY", "598", "0", 8, 8, 8},    {"UZ", "998", "8", 9, 9, 9},   {"VC", "1", "1", 10, 10, 10},
    {"VA", "39", "", 6, 11, 6},     {"VE", "58", "0", 10, 10, 10}, {"VG", "1", "1", 10, 10, 10},
    {"VI", "1", "1", 10, 10, 10},   {"VN", "84", "0", 9, 10, 9},   {"VU", "678", "", 5, 7, 5},
    {"WF", "681", "", 6, 6, 6},     {"WS", "685", "", 5, 7, 5},    {"XK", "383", "0", 8, 9, 8},
    {"YE", "967", "0", 7, 9, 9},    {"YT", "262", "0", 9, 9, 9},   {"ZA", "27", "0", 9, 9, 9},
    {"ZM", "260", "0", 9, 9, 9},    {"ZW", "263", "0", 7, 10, 9},
};

#define COUNTRIES (sizeof table / sizeof *table)

/* Where a number may begin with 0, which is no trunk prefix then. */
static const char zero_first[] = "BF BJ CG CI GA IT NC NE SM TJ VA";

/* What people still write before a national number that their country has given up: Lithuania's trunk prefix
 * until 2025, and the prefixes of Mexico's mobiles until 2019, of which the 1 stood behind +52. */
static const struct {
    char country[3], prefix[4];
} habit[] = {{"LT", "8"}, {"MX", "1"}, {"MX", "044"}, {"MX", "045"}};
#define HABITS (sizeof habit / sizeof *habit)
#define DIGITS_MAX 20      /* more than any prefix and number together */
#define E164_DIGITS_MAX 15 /* ITU-T E.164 */
#define RUN_MIN 7          /* digits in a row that no subscriber's number has */

struct typed {
    bool plus;
    bool extension;
    size_t n;
    char digits[DIGITS_MAX + 1];
};

/* The ASCII character that is meant at s, and its length there: full-width forms, Arabic and Persian digits,
 * and for every kind of space, dash and direction mark, which come with a number copied from an address book,
 * a space. 0 = none that a phone number holds. */
static char fold(const char *s, size_t *len)
{
    uint32_t code = utf8_read(s, len);
    if (code < 0x80)
        return (char)code;
    if (code >= 0xFF01 && code <= 0xFF5E)
        return (char)(code - 0xFEE0);
    if (code >= 0x660 && code <= 0x669)
        return (char)('0' + (code - 0x660));
    if (code >= 0x6F0 && code <= 0x6F9)
        return (char)('0' + (code - 0x6F0));
    bool separates = code == 0xA0 || (code >= 0x2000 && code <= 0x206F) || code == 0x2212 || code == 0x3000 ||
                     code == 0x30FC;
    return separates ? ' ' : '\0';
}

static bool is_separator(char c)
{
    return c && strchr(" \t\r\n.-()/~", c);
}

/* "ext. 5", "x5", "#5", ";ext=5" and nothing more. */
static bool is_extension(const char *s)
{
    static const char *const marker[] = {";ext=", "extension", "ext", "x", "#"};
    for (size_t i = 0; i < sizeof marker / sizeof *marker; i++) {
        size_t n = strlen(marker[i]);
        if (strncasecmp(s, marker[i], n) != 0)
            continue;
        s += n;
        s += strspn(s, " .:");
        n = strspn(s, "0123456789");
        s += n;
        s += strspn(s, " ");
        return n > 0 && n <= 7 && !*s;
    }
    return false;
}

/* The digits, and whether a plus led them. False when there is anything that no phone number holds. */
static bool read_typed(const char *s, struct typed *out)
{
    *out = (struct typed){0};
    if (!strncasecmp(s, "tel:", 4))
        s += 4;
    for (size_t len; *s; s += len) {
        char c = fold(s, &len);
        if (is_separator(c))
            continue;
        if (is_digit(c)) {
            if (out->n == DIGITS_MAX)
                return false;
            out->digits[out->n++] = c;
        } else if (c == '+' && !out->plus && out->n == 0) {
            out->plus = true;
        } else {
            out->extension = out->n > 0 && is_extension(s);
            return out->extension;
        }
    }
    return true;
}

static bool starts_with(const char *digits, const char *prefix)
{
    return !strncmp(digits, prefix, strlen(prefix));
}

static bool is_one_digit_repeated(const char *digits)
{
    return digits[strspn(digits, (char[]){digits[0], '\0'})] == '\0';
}

/* A fixed line begins with 0, which is part of it, a mobile with 3. "03" and nine digits may be a mobile
 * behind a 0 that does not belong there. */
static bool fits_italy(const char *national, size_t n)
{
    if (national[0] == '0')
        return national[1] != '0' && (n < 11 || national[1] != '3');
    return national[0] == '3' && (n == 9 || n == 10);
}

/* Can this be a national number, without trunk prefix, of the country? */
static bool fits(const struct numbering *c, const char *national)
{
    size_t n = strlen(national);
    if (n < c->min || n > c->max || is_one_digit_repeated(national))
        return false;
    if (!strcmp(c->code, "1")) /* NANP: neither area code nor exchange begins with 0 or 1 */
        return national[0] >= '2' && national[3] >= '2';
    if (!strcmp(c->code, "39"))
        return fits_italy(national, n);
    if (!strcmp(c->code, "54")) /* behind a 9 a mobile, as it is called from abroad; no area begins with 15 */
        return (n == 11) == (national[0] == '9') && national[0] != '0' && !starts_with(national, "15");
    return national[0] != '0' || strstr(zero_first, c->country);
}

/* The number behind a trunk prefix, or behind one that was; NULL = it has none. */
static const char *behind_prefix(const struct numbering *c, const char *digits)
{
    size_t trunk = strlen(c->trunk);
    if (trunk && starts_with(digits, c->trunk) && fits(c, digits + trunk))
        return digits + trunk;
    for (size_t i = 0; i < HABITS; i++) {
        const char *rest = digits + strlen(habit[i].prefix);
        if (!strcmp(habit[i].country, c->country) && starts_with(digits, habit[i].prefix) && fits(c, rest))
            return rest;
    }
    return NULL;
}

/* Also with a prefix that does not belong there ("+44 (0)20 ..."): the national number, or NULL. */
static const char *fit_international(const struct numbering *c, const char *national)
{
    return fits(c, national) ? national : behind_prefix(c, national);
}

static bool write_e164(const char *code, const char *national, char out[PHONE_SIZE])
{
    if (strlen(code) + strlen(national) > E164_DIGITS_MAX)
        return false;
    int n = snprintf(out, PHONE_SIZE, "+%s%s", code, national);
    return n > 0 && n < PHONE_SIZE;
}

static bool from_international(const char *digits, char out[PHONE_SIZE])
{
    for (size_t i = 0; i < COUNTRIES; i++) {
        if (!starts_with(digits, table[i].code))
            continue;
        const char *national = fit_international(&table[i], digits + strlen(table[i].code));
        if (national)
            return write_e164(table[i].code, national, out);
    }
    return false;
}

/* An Argentine mobile as it is dialled inside the country: area code (11 and those of three or four digits
 * that begin with 2 or 3), 15, number, together twelve digits. From abroad it is 9, area code, number. */
static bool from_argentina(const char *digits, char out[PHONE_SIZE])
{
    char national[DIGITS_MAX + 1];
    int area = 0;

    if (*digits == '0')
        digits++;
    if (strlen(digits) != 12)
        return false;
    if (starts_with(digits, "1115"))
        area = 2;
    else if (*digits == '2' || *digits == '3')
        area = starts_with(digits + 3, "15") ? 3 : starts_with(digits + 4, "15") ? 4 : 0;
    if (!area)
        return false;
    snprintf(national, sizeof national, "9%.*s%s", area, digits, digits + area + 2);
    return write_e164("54", national, out);
}

static bool from_national(const struct numbering *c, const char *digits, char out[PHONE_SIZE])
{
    size_t n = strlen(digits), code = strlen(c->code);
    const char *behind = behind_prefix(c, digits);
    if (behind)
        return write_e164(c->code, behind, out);
    if (!strcmp(c->country, "AR") && from_argentina(digits, out))
        return true;
    const char *after_code = starts_with(digits, c->code) ? fit_international(c, digits + code) : NULL;
    /* Rare lengths are not in the table: what nearly is an international number is one in doubt. */
    bool doubt = code == 3 && starts_with(digits, c->code) && n - code + 1 >= c->min;
    if (c->bare && n >= c->bare && !after_code && !doubt && fits(c, digits))
        return write_e164(c->code, digits, out);
    /* the calling code without its plus: only where the whole is too long for anything else */
    if (after_code && n > c->max)
        return write_e164(c->code, after_code, out);
    return false;
}

static const struct numbering *find_country(const char *country)
{
    for (size_t i = 0; i < COUNTRIES; i++)
        if (!strcasecmp(table[i].country, country))
            return &table[i];
    return NULL;
}

bool phone_knows_country(const char *country)
{
    return find_country(country) != NULL;
}

bool phone_e164(const char *typed, const char *country, char out[PHONE_SIZE])
{
    struct typed number;
    out[0] = '\0';
    if (!read_typed(typed, &number))
        return false;
    if (number.plus)
        return from_international(number.digits, out);
    if (starts_with(number.digits, "00"))
        return from_international(number.digits + 2, out);
    const struct numbering *c = find_country(country);
    if (c && !strcmp(c->code, "1") && starts_with(number.digits, "011"))
        return from_international(number.digits + 3, out); /* how North America dials abroad */
    return c && from_national(c, number.digits, out);
}

/* -- numbers that are nobody's, or everybody's -- */

/* Each digit the one before and `step`, where 9 is followed by 0 and 0 by 9. */
static bool is_run(const char *digits, size_t n, int step)
{
    for (size_t i = 1; i < n; i++)
        if ((digits[i - 1] - '0' + 10 + step) % 10 != digits[i] - '0')
            return false;
    return n >= RUN_MIN;
}

static bool is_made_up(const char *digits)
{
    size_t n = strlen(digits);
    return is_run(digits, n, 1) || is_run(digits, n, -1) ||
           (n >= RUN_MIN && is_run(digits + n - RUN_MIN, RUN_MIN, 0));
}

bool phone_is_placeholder(const char *typed)
{
    struct typed number;
    if (!read_typed(typed, &number) || number.n == 0)
        return false;
    const char *digits = number.digits;
    bool abroad = number.plus || starts_with(digits, "00");
    if (is_made_up(digits) || is_made_up(digits + strspn(digits, "0")) || !digits[strspn(digits, "0")])
        return true;
    if (!number.plus && abroad)
        digits += 2;
    for (size_t i = 0; abroad && i < COUNTRIES; i++)
        if (*digits == *table[i].code && starts_with(digits, table[i].code) &&
            is_made_up(digits + strlen(table[i].code)))
            return true;
    return false;
}

bool phone_has_extension(const char *typed)
{
    struct typed number;
    return read_typed(typed, &number) && number.extension;
}
