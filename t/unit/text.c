#include "text.h"
#include "tap.h"
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

static void test_lower(void)
{
    char text[] = "Jane.X+1@EXAMPLE.com \xC3\x84";
    text_lower(text);
    is_str(text, "jane.x+1@example.com \xC3\x84", "ASCII only");
}

int main(void)
{
    test_clean();
    test_limit();
    test_cut();
    test_lower();
    return tap_done();
}
