#include "base/redact.h"
#include "base/ascii.h"
#include "base/text.h"

#include <string.h>

#define HIDDEN "***"
#define PHONE_DIGITS_MIN 7   /* fewer are no phone number, and four of them would be most of it */
#define BROKEN_DIGITS_MIN 10 /* digits of a number without '+' or "00" that is taken for a phone */
#define QUOTED_MAX 256       /* bytes of a quoted local part; RFC 5321 allows 64 */
#define GAP_MAX 4            /* separators in a row inside a phone number */

static bool is_alnum(char c)
{
    return is_digit(c) || is_letter(c);
}

static bool is_high(char c) /* a byte of a character beyond ASCII */
{
    return ((unsigned char)c & 0x80) != 0;
}

static bool is_local(char c) /* RFC 5322's atext and the dot, and what internationalised addresses add */
{
    return is_alnum(c) || is_high(c) || (c && strchr(".!#$%&'*+-/=?^_`{|}~", c));
}

static bool is_domain(char c)
{
    return is_alnum(c) || is_high(c) || c == '.' || c == '-';
}

/* The bytes of the first `wanted` characters, as UTF-8; *had = how many there were, at most that. */
static size_t first_characters(const char *text, size_t len, size_t wanted, size_t *had)
{
    size_t at = 0;
    for (*had = 0; at < len && *had < wanted; (*had)++) {
        size_t end = at + 4 < len ? at + 4 : len;
        for (at++; at < end && ((unsigned char)text[at] & 0xc0) == 0x80; at++)
            ;
    }
    return at;
}

/* Bytes of a local part that may be shown: two characters, of a short one only one. */
static size_t shown_bytes(const char *local, size_t len)
{
    size_t had;
    /* "jo***" was made here earlier: masking twice changes nothing. */
    if (len >= 3 && memcmp(local + len - 3, HIDDEN, 3) == 0 &&
        first_characters(local, len - 3, 2, &had) == len - 3)
        return len - 3;
    first_characters(local, len, 3, &had);
    return first_characters(local, len, had > 2 ? 2 : 1, &had);
}

static void mask_parts(const char *local, size_t local_len, const char *domain, char *out, size_t out_size)
{
    size_t shown = shown_bytes(local, local_len);
    size_t need = shown + 3 + 1 + strlen(domain);
    if (need >= out_size) {
        (void)text_copy(out, out_size, HIDDEN);
        return;
    }
    memcpy(out, local, shown);
    memcpy(out + shown, HIDDEN "@", 4);
    memcpy(out + shown + 4, domain, strlen(domain) + 1);
}

void mask_email(const char *email, char *out, size_t out_size)
{
    const char *at = strrchr(email, '@');
    bool has_letter = false, fits = at != NULL;

    /* What follows the '@' is shown: it must be a domain, not a sentence or a number behind an '@'. */
    for (const char *p = at ? at + 1 : ""; *p; p++) {
        has_letter |= is_alnum(*p) && !is_digit(*p);
        fits &= is_domain(*p);
    }
    if (!fits || !has_letter)
        (void)text_copy(out, out_size, HIDDEN);
    else
        mask_parts(email, (size_t)(at - email), at + 1, out, out_size);
}

static void mask_digits(size_t digits, const char last[4], char *out, size_t out_size)
{
    char text[] = HIDDEN "-0000";
    if (digits < PHONE_DIGITS_MIN) {
        (void)text_copy(out, out_size, HIDDEN);
        return;
    }
    memcpy(text + 4, last, 4);
    (void)text_copy(out, out_size, text);
}

static void shift_in(char last[4], char digit)
{
    memmove(last, last + 1, 3);
    last[3] = digit;
}

void mask_phone(const char *phone, char *out, size_t out_size)
{
    char last[4] = "000";
    size_t digits = 0;
    for (const char *p = phone; *p; p++) {
        if (is_digit(*p)) {
            shift_in(last, *p);
            digits++;
        }
    }
    mask_digits(digits, last, out, out_size);
}

/* '@' or its percent-encoded form, followed by something that can be a domain. */
static size_t at_sign(const char *p)
{
    size_t len = *p == '@' ? 1 : strncmp(p, "%40", 3) == 0 ? 3 : 0;
    return len && (is_alnum(p[len]) || is_high(p[len])) ? len : 0;
}

/* The length of the local part that begins here and has its '@' behind it; 0 when there is none. */
static size_t local_part(const char *p)
{
    size_t len = 0;
    if (*p == '"') {
        for (len = 1; len < QUOTED_MAX && p[len] && p[len] != '"'; len++)
            if (p[len] == '\\' && p[len + 1])
                len++;
        return p[len] == '"' && at_sign(p + len + 1) ? len + 1 : 0;
    }
    while (is_local(p[len]) && !(len && at_sign(p + len)))
        len++;
    return len && at_sign(p + len) ? len : 0;
}

/* Addresses first: a phone number inside one is then gone already. */
static bool mask_emails(const char *text, struct buf *out)
{
    char masked[80];
    while (*text) {
        size_t len = local_part(text);
        if (len) {
            const char *domain = text + len + at_sign(text + len);
            size_t domain_len = 0;
            for (size_t at = 1; at > 0;) {
                while (is_domain(domain[domain_len]))
                    domain_len++;
                at = at_sign(domain + domain_len);
                if (at) { /* "a@b@example.com": b is no domain */
                    len = (size_t)(domain - text) + domain_len;
                    domain += domain_len + at;
                    domain_len = 0;
                }
            }
            while (domain[domain_len - 1] == '.') /* the sentence's end */
                domain_len--;
            mask_parts(text, len, "", masked, sizeof masked); /* "jo***@" */
            if (!buf_adds(out, masked) || !buf_add(out, domain, domain_len))
                return false;
            text = domain + domain_len;
            continue;
        }
        /* A whole word at once, or a long one would be looked at again from each of its letters. A quote
         * that opens no address is one character. */
        size_t word = 0;
        while (is_local(text[word]))
            word++;
        if (word == 0)
            word = 1;
        if (!buf_add(out, text, word))
            return false;
        text += word;
    }
    return true;
}

/* The length of the separator here: what people put between the digits of a phone number; 0 when none. */
static size_t separator(const char *p)
{
    if (*p && strchr(" \t.()-", *p))
        return 1;
    if (strncmp(p, "\xc2\xa0", 2) == 0) /* no-break space */
        return 2;
    if (strncmp(p, "\xe2\x80", 2) == 0 && /* hyphens and dashes, the narrow no-break space */
        (((unsigned char)p[2] >= 0x90 && (unsigned char)p[2] <= 0x95) || (unsigned char)p[2] == 0xaf))
        return 3;
    return 0;
}

static size_t digit_run(const char *p)
{
    return strspn(p, "0123456789");
}

/* "2026-11-25", with "T00:43:19" or " 00:43:19" behind it: its length, or 0. */
static size_t iso_date(const char *p)
{
    if (digit_run(p) != 4 || p[4] != '-' || digit_run(p + 5) != 2 || p[7] != '-' || digit_run(p + 8) != 2)
        return 0;
    bool has_time =
        (p[10] == 'T' || p[10] == ' ') && digit_run(p + 11) == 2 && p[13] == ':' && digit_run(p + 14) == 2;
    if (!has_time)
        return 10;
    size_t len = 16;
    if (p[len] == ':' && digit_run(p + len + 1) == 2)
        len += 3;
    if (p[len] == '.')
        len += 1 + digit_run(p + len + 1);
    return len;
}

/* An IPv4 address: its length, or 0. */
static size_t ipv4(const char *p)
{
    size_t len = 0;
    for (int part = 0; part < 4; part++) {
        size_t digits = digit_run(p + len);
        int value = 0;
        for (size_t i = 0; i < digits && i < 4; i++)
            value = value * 10 + (p[len + i] - '0');
        if (digits < 1 || digits > 3 || value > 255)
            return 0;
        len += digits;
        if (part < 3 && p[len++] != '.')
            return 0;
    }
    return p[len] == '.' && is_digit(p[len + 1]) ? 0 : len;
}

/* Does something begin here that looks like a phone number and is none? Its length, or 0. */
static size_t known_form(const char *p)
{
    size_t len = iso_date(p);
    return len ? len : ipv4(p);
}

struct number {
    size_t len, digits, runs;
    char last[4];
};

/* The digits from here on, over separators. */
static struct number read_number(const char *p)
{
    struct number n = {.last = "000"};
    bool plus = *p == '+';
    size_t at = plus ? 1 : 0;
    for (;;) {
        size_t gap = 0, step;
        for (int i = 0; i < GAP_MAX && (step = separator(p + at + gap)) != 0; i++)
            gap += step;
        size_t run = digit_run(p + at + gap);
        if (run == 0 || (!plus && known_form(p + at + gap)))
            return n;
        at += gap;
        for (size_t i = 0; i < run; i++)
            shift_in(n.last, p[at + i]);
        at += run;
        n.len = at;
        n.digits += run;
        n.runs++;
    }
}

static bool is_phone(const char *p, const struct number *n)
{
    if (n->digits < PHONE_DIGITS_MIN)
        return false;
    if (*p == '+')
        return true;
    if (n->runs > 1 && n->digits >= BROKEN_DIGITS_MIN)
        return true;
    /* "00" and a country; but an id of letters and digits may begin like that. */
    const char *first = p + strcspn(p, "0123456789");
    return strncmp(first, "00", 2) == 0 && n->digits >= PHONE_DIGITS_MIN + 2 && !is_alnum(p[n->len]);
}

/* Neither of a number nor of a control character, whatever is before and behind it. */
static bool is_plain(char c)
{
    return c >= 0x20 && c < 0x7f && !is_digit(c) && c != '+' && c != '(';
}

/* A control character (C0, DEL, C1 as UTF-8, a line or paragraph separator): its length, or 0. */
static size_t control(const char *p)
{
    if ((unsigned char)*p < 0x20 || *p == 0x7f)
        return 1;
    if ((unsigned char)*p == 0xc2 && (unsigned char)p[1] >= 0x80 && (unsigned char)p[1] <= 0x9f)
        return 2;
    if (strncmp(p, "\xe2\x80", 2) == 0 && ((unsigned char)p[2] == 0xa8 || (unsigned char)p[2] == 0xa9))
        return 3;
    return 0;
}

static bool mask_phones(const char *text, struct buf *out)
{
    char masked[16], before = '\0';
    while (*text) {
        size_t len = 1;
        bool inside_word = is_alnum(before) || before == '_';
        if (*text == '+' || (!inside_word && (is_digit(*text) || *text == '('))) {
            size_t known = known_form(text);
            struct number n = known ? (struct number){0} : read_number(text);
            if (!known && is_phone(text, &n)) {
                mask_digits(n.digits, n.last, masked, sizeof masked);
                if (!buf_adds(out, masked))
                    return false;
                before = '0';
                text += n.len;
                continue;
            }
            len = known ? known : digit_run(text) ? digit_run(text) : 1;
        } else if ((len = control(text)) != 0) {
            if (!buf_addc(out, ' '))
                return false;
            before = ' ';
            text += len;
            continue;
        } else {
            for (len = 1; is_plain(text[len]); len++)
                ;
        }
        if (!buf_add(out, text, len))
            return false;
        before = text[len - 1];
        text += len;
    }
    return true;
}

bool mask_text(const char *text, struct buf *out)
{
    struct buf half;
    buf_init(&half, out->max);
    bool has_email = strchr(text, '@') || strstr(text, "%40");
    bool good = (!has_email || mask_emails(text, &half)) && mask_phones(has_email ? half.data : text, out);
    if (!good)
        out->failed = true;
    buf_wipe(&half);
    return good;
}
