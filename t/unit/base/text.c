#include "base/text.h"
#include "tap.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void cleans(const char *typed, size_t max, const char *want)
{
    char *got = text_clean(typed, max);
    is_str(got, want, "\"%.30s\" of %zu bytes", want, max);
    free(got);
}

static void test_clean(void)
{
    cleans("Jane", 255, "Jane");
    cleans("", 255, "");
    cleans("  Jane \t\n Example  ", 255, "Jane Example");
    cleans("O&#039;Brien &amp; S\xC3\xB6hne", 255, "O'Brien & S\xC3\xB6hne");
    cleans("a &amp;lt; b", 255, "a &lt; b");
    cleans("J&ouml;rg &amp; &Eacute;mile&nbsp;M&uuml;ller", 255, "J\xC3\xB6rg & \xC3\x89mile M\xC3\xBCller");
    cleans("Tee &#8211; blue &ndash; &hellip; 5&euro;", 255,
           "Tee \xE2\x80\x93 blue \xE2\x80\x93 \xE2\x80\xA6 5\xE2\x82\xAC");
    cleans("&amp;ouml; &Ouml &nothing; & Co; &; &#; &#x; &#xD800; &#1114112;", 255,
           "&ouml; &Ouml &nothing; & Co; &; &#; &#x; &#xD800; &#1114112;");
    cleans("soft&shy;hyphen", 255, "softhyphen");
    cleans("\xE5\xB1\xB1\xE3\x80\x80\xE5\xA4\xAA\xE2\x80\x89", 255, "\xE5\xB1\xB1 \xE5\xA4\xAA");
    cleans("<b>bold</b>", 255, "<b>bold</b>");
    cleans("a\x01\x1F"
           "b\x7F"
           "c\xC2\x9B"
           "d",
           255, "abcd");
    cleans("a\xC2\xA0"
           "b\xE2\x80\xA8"
           "c",
           255, "a b c");
    cleans("\xE2\x80\xAE"
           "evil\xE2\x80\x8B\xEF\xBB\xBF",
           255, "evil");
    cleans("\xE2\x80\x8F\xD7\x93", 255, "\xE2\x80\x8F\xD7\x93");
    cleans("\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x92\xBB", 255,
           "\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x92\xBB");
    cleans("a\xC3"
           "b\xFF"
           "c\xE2\x82"
           "d\xF0\x9F\x98",
           255, "abcd");
    cleans("\x01 \x02", 255, "");
}

/* What is no markup does not become any; one decoding of "&amp;lt;" makes no "<" either. */
static void test_markup(void)
{
    cleans("&lt;img src=x onerror=alert(1)&gt;", 255, "&lt;img src=x onerror=alert(1)&gt;");
    cleans("&#60;b&#x3E; &#x3c;&#0062;", 255, "&#60;b&#x3E; &#x3c;&#0062;");
    cleans("&amp;lt;b&amp;gt;", 255, "&lt;b&gt;");
    cleans("\"&quot;&lsaquo;", 255, "\"\"\xE2\x80\xB9");
}

static void has_lines(const char *typed, size_t max, const char *want)
{
    char *got = text_clean_lines(typed, max);
    is_str(got, want, "lines of \"%.30s\"", want);
    free(got);
}

static void test_lines(void)
{
    has_lines("one", 255, "one");
    has_lines("a\xE0\x8B\x90\xC0\xAF\xF0\x80\x80\xAF"
              "b",
              255, "ab"); /* overlong */
    has_lines(" a  b \r\n\tc ", 255, "a b\nc");
    has_lines("\n\na\n\n\n\nb\n\n", 255, "a\n\nb");
    has_lines("a\n\x01\nb &amp;\xE2\x80\xA8"
              "c",
              255, "a\n\nb &\nc");
    has_lines("a\n\nb", 3, "a");
    has_lines("a\n\nb", 4, "a\n\nb");
}

static void test_limit(void)
{
    cleans("abcdef", 3, "abc");
    cleans("ab cdef", 3, "ab");
    cleans("ab cdef", 4, "ab c");
    cleans("a\xC3\xA9", 2, "a");
    cleans("a\xC3\xA9", 3, "a\xC3\xA9");
    cleans("a\xF0\x9F\x98\x80", 4, "a");
    cleans("abc", 0, "");
}

static void test_cut(void)
{
    is_int(text_cut("abc", 3, 5), 3, "what fits stays");
    is_int(text_cut("abc", 3, 2), 2, "ASCII is cut anywhere");
    is_int(text_cut("a\xC3\xA9"
                    "b",
                    4, 2),
           1, "a character is not cut");
    is_int(text_cut("a\xC3\xA9"
                    "b",
                    4, 3),
           3, "but kept whole");
    is_int(text_cut("\xF0\x9F\x98\x80", 4, 3), 0, "nor the first");
}

static void lowers(const char *typed, const char *want)
{
    char text[64];
    snprintf(text, sizeof text, "%s", typed);
    text_lower(text);
    is_str(text, want, "%s is %s", typed, want);
}

static void test_lower(void)
{
    lowers("Jane.X+1@EXAMPLE.com", "jane.x+1@example.com");
    lowers("\u00c4\u00d6\u00dc\u00d1\u00de \u00d7 \u00df", "\u00e4\u00f6\u00fc\u00f1\u00fe \u00d7 \u00df");
    lowers("\u0141\u00d3D\u0179 \u0160KODA \u0178 \u0218", "\u0142\u00f3d\u017a \u0161koda \u00ff \u0219");
    lowers("\u0391\u0398\u0397\u039d\u0391 \u038f \u03a9", "\u03b1\u03b8\u03b7\u03bd\u03b1 \u03ce \u03c9");
    lowers("\u041a\u0418\u0407\u0412 \u0401\u0416", "\u043a\u0438\u0457\u0432 \u0451\u0436");
    lowers("\u1ea0 \u1ed8 \u0531", "\u1ea1 \u1ed9 \u0561");
    lowers("\u6771\u4eac \U0001F600 \u0130 a\xff", "\u6771\u4eac \U0001F600 \u0130 a\xff");
}

/* Whatever the size, what is in the array are whole characters, as many as fit. */
static void test_copy(void)
{
    static const char text[] = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z"; /* of 1, 2, 3, 4 and 1 bytes */
    static const size_t fits[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};

    for (size_t size = 1; size <= sizeof fits / sizeof *fits; size++) {
        char copied[16], formatted[16];
        bool whole = fits[size - 1] == strlen(text);
        memset(copied, 'x', sizeof copied);
        memset(formatted, 'x', sizeof formatted);
        ok(text_copy(copied, size, text) == whole && text_format(formatted, size, "%s", text) == whole,
           "%zu bytes: whole, or not", size);
        ok(strlen(copied) == fits[size - 1] && !memcmp(copied, text, fits[size - 1]), "copied");
        is_str(formatted, copied, "formatted");
    }
    char six[7];
    ok(!text_format(six, sizeof six, "ab\xC3\xA9%s", "\x82\x82\x82\x82"), "bytes that are no character");
    is_str(six, "ab\xC3\xA9", "are left out");
    ok(!text_format(six, sizeof six, "%s", "abcdef\xC3\xA9"), "plain letters before");
    is_str(six, "abcdef", "stay");
}

static void test_number(void)
{
    const char *end;

    is_int(text_number("1700000000123 shop:1", &end), 1700000000123, "a number");
    is_str(end, " shop:1", "and what follows");
    is_int(text_number("-4503599627370496", NULL), -TEXT_NUMBER_MAX, "the least");
    is_int(text_number("4503599627370497", NULL), 0, "one too large for sums is none");
    is_int(text_number("9223372036854775808", NULL), 0, "nor is one too large for anything");
    is_int(text_number("", NULL), 0, "nor is nothing");
}

int main(void)
{
    test_number();
    test_clean();
    test_limit();
    test_markup();
    test_lines();
    test_cut();
    test_copy();
    test_lower();
    return tap_done();
}
