/*
 * Fuzzes what a person typed and what a log shows: text, HTML entities, masks, dates.
 *
 * The first byte chooses how long the result may be, the rest is the text.
 */
#include "base/clock_date.h"
#include "base/html_entity.h"
#include "base/redact.h"
#include "base/text.h"
#include "rig.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 8192

static bool has_control(const char *text, const char *but)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' && !strchr(but, *text))
            return true;
    return false;
}

static void clean(char *(*with)(const char *, size_t), const char *typed, size_t max, const char *but)
{
    char *text = with(typed, max);

    check(text && strlen(text) <= max && fuzz_is_utf8(text) && !has_control(text, but));
    check(with != text_clean || !strchr(text, '<') || strchr(typed, '<'));
    check(with != text_clean || !strchr(text, '>') || strchr(typed, '>'));
    free(text);
}

static void mask(const char *text)
{
    char small[24];
    struct buf out;

    buf_init(&out, 16 * TEXT_MAX);
    if (strlen(text) < TEXT_MAX) {
        check(mask_text(text, &out) && !has_control(out.data, ""));
        for (const char *at = strchr(out.data, '@'); at; at = strchr(at + 1, '@'))
            check(at == out.data || !isalnum((unsigned char)at[-1]) || !isalpha((unsigned char)at[1]) ||
                  strchr(at + 1, '@'));
    }
    mask_email(text, small, sizeof small);
    mask_phone(text, small, sizeof small);
    check(strlen(small) < sizeof small);
    buf_free(&out);
}

static void dates(const char *text)
{
    int64_t s = 0, again = 0, ms = 0;
    char shown[32];

    if (clock_parse_iso(text, &s)) {
        clock_format_iso(s * 1000, shown);
        check(s < 0 || (clock_parse_iso(shown, &again) && again == s));
    }
    if (clock_parse_http_date(text, &s))
        check(s > -100000000000 && s < 300000000000);
    if (clock_parse_retry_after(text, 1795000000000, &ms))
        check(ms >= 0);
}

void fuzz_typed(const uint8_t *bytes, size_t len)
{
    if (len == 0)
        return;
    size_t max = *bytes % 2 ? TEXT_MAX : *bytes;
    char *text = fuzz_text(bytes + 1, len - 1), *decoded = entity_decode(text, ENTITY_SPECIAL);
    char cut[16];

    check(decoded && strlen(decoded) <= strlen(text));
    clean(text_clean, text, max, "");
    clean(text_tidy, text, max, "");
    clean(text_clean_lines, text, max, "\n");
    mask(text);
    dates(text);
    check(text_copy(cut, sizeof cut, text) == (strlen(text) < sizeof cut));
    text_lower(text);
    free(decoded);
    free(text);
}
