#include "base/decimal.h"
#include "tap.h"
#include <stdlib.h>
#include <string.h>

static void parses(const char *text, int places, const char *want)
{
    struct decimal value;
    char out[DECIMAL_TEXT_SIZE] = "(refused)";
    if (decimal_parse(text, &value))
        decimal_format(value, places, out);
    is_str(out, want, "\"%s\" to %d places is %s", text, places, want);
}

static void refuses(const char *text)
{
    struct decimal value = {7};
    ok(!decimal_parse(text, &value) && value.units == 7, "\"%.40s\" is no amount", text);
}

static void test_parse(void)
{
    static const char *const none[] = {"",
                                       " ",
                                       "-",
                                       "+",
                                       ".",
                                       "-.",
                                       "e3",
                                       "1e",
                                       "1e+",
                                       "1,50",
                                       "1 50",
                                       "1.2.3",
                                       "0x1",
                                       "nan",
                                       "inf",
                                       "--5",
                                       "5-",
                                       "$5",
                                       "1e5.5",
                                       "12a",
                                       "1_000",
                                       "٣",
                                       "1e400000000000000000000"};
    parses("21.76", 4, "21.76");
    parses("-5.00", 4, "-5");
    parses("1e3", 4, "1000");
    parses("1.5E-2", 4, "0.015");
    parses("25e-1", 4, "2.5");
    parses("7", 4, "7");
    parses("+.5", 4, "0.5");
    parses("5.", 4, "5");
    parses("\t 150.00 \n", 4, "150");
    parses("007.10", 4, "7.1");
    parses("0", 4, "0");
    parses("-0.00", 4, "0");
    parses("0e99999999", 4, "0");
    parses("1e-99999999", 4, "0");
    parses("19.989999999999998", 12, "19.99");
    parses("0.0000000000005", 12, "0.000000000001");
    parses("0.00000000000049", 12, "0");
    parses("999999999999999999.999999999999", 12, "999999999999999999.999999999999");
    parses("-999999999999999999.999999999999", 12, "-999999999999999999.999999999999");
    parses("0.000000000000000000001e21", 4, "1");
    parses("123456789012345678901234567890e-20", 4, "1234567890.1235");
    refuses("1000000000000000000");
    refuses("1e18");
    refuses("-1e18");
    refuses("999999999999999999.9999999999999");
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        refuses(none[i]);
}

static void test_long_text(void)
{
    /* given a number of a million digits, before and after the point */
    size_t n = 1000000;
    char *text = malloc(n + 1);
    memset(text, '9', n);
    text[n] = '\0';
    refuses(text);
    text[1] = '.';
    struct decimal value;
    char out[DECIMAL_TEXT_SIZE];
    ok(decimal_parse(text, &value), "a long tail is read");
    decimal_format(value, 4, out);
    is_str(out, "10", "and rounded");
    memset(text, '0', n);
    ok(decimal_parse(text, &value) && value.units == 0, "a million zeros are 0");
    free(text);
}

static void test_rounding(void)
{
    parses("21.76005", 4, "21.7601");
    parses("21.76004999", 4, "21.76");
    parses("-21.76005", 4, "-21.7601");
    parses("-0.00004", 4, "0");
    parses("0.5", 0, "1");
    parses("-0.5", 0, "-1");
    parses("0.49", 0, "0");
    parses("99.99995", 4, "100");
    parses("2980.00", 4, "2980");
    parses("6.125", 4, "6.125");
    parses("100", 0, "100");
    parses("1.2345", -3, "1");
    parses("0.000000000001", 99, "0.000000000001");
}

static void test_add(void)
{
    struct decimal a, b, sum = {0};
    char out[DECIMAL_TEXT_SIZE];
    /* given 0.1 and 0.2, when added, then it is 0.3 and no binary fraction */
    ok(decimal_parse("0.1", &a) && decimal_parse("0.2", &b) && decimal_add(a, b, &sum), "0.1 + 0.2");
    decimal_format(sum, 12, out);
    is_str(out, "0.3", "is exactly 0.3");
    ok(decimal_parse("48.97", &a) && decimal_parse("8.99", &b) && decimal_add(a, decimal_negate(b), &sum),
       "48.97 less 8.99");
    decimal_format(sum, 4, out);
    is_str(out, "39.98", "is 39.98");
    /* given two numbers whose sum is too large, then the result is untouched */
    ok(decimal_parse("999999999999999999", &a) && !decimal_add(a, a, &sum),
       "a sum of 10^18 and more is refused");
    decimal_format(sum, 4, out);
    is_str(out, "39.98", "and leaves the result as it was");
}

int main(void)
{
    test_parse();
    test_long_text();
    test_rounding();
    test_add();
    return tap_done();
}
