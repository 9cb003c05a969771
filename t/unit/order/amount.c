#include "order/amount.h"
#include "tap.h"

static void is_amount(const char *text, const char *want, int places)
{
    struct decimal amount;
    char got[DECIMAL_TEXT_SIZE] = "none";
    int decimals = -1;
    enum amount_result result = amount_parse(text, &amount, &decimals);
    if (result == AMOUNT_OK)
        decimal_format(amount, 12, got);
    is_str(got, want, "'%s'", text);
    is_int(result == AMOUNT_OK ? decimals : -1, places, "'%s': its decimals", text);
}

static void is_none(const char *text, enum amount_result want)
{
    struct decimal amount;
    int places;
    is_int(amount_parse(text, &amount, &places), want, "'%s' is none", text);
}

static void test_amounts(void)
{
    is_amount("149.90", "149.9", 2);
    is_amount("6.125", "6.125", 3); /* as WooCommerce writes it in a shop with three decimals */
    is_amount("-5", "-5", 0);
    is_amount("149,90", "149.9", 2);
    is_amount("-20,00", "-20", 2);
    is_amount("149,9", "149.9", 1);
    is_amount("1,2345", "1.2345", 4);
    is_amount("0,125", "0.125", 3);
    is_amount("1234,567", "1234.567", 3);
    is_amount(",50", "0.5", 2);
    is_amount("1.234,56", "1234.56", 2);
    is_amount("1,234.56", "1234.56", 2);
    is_amount("1.234,567", "1234.567", 3);
    is_amount("1.234.567", "1234567", 0);
    is_amount("1,234,567", "1234567", 0);
    is_amount("1.234.567,89", "1234567.89", 2);
    is_amount("12,34,567.00", "1234567", 2);
    is_amount("1 234,56", "1234.56", 2);
    is_amount("1 234", "1234", 0);
    is_amount("1\xC2\xA0"
              "234\xC2\xA0"
              "567,8",
              "1234567.8", 1);
    is_amount("1'234.50", "1234.5", 2);
    is_amount("1\xE2\x80\x99"
              "234.50",
              "1234.5", 2);
    is_amount("1 234,567", "1234.567", 3);
}

static void test_currencies(void)
{
    is_amount("$149.90", "149.9", 2);
    is_amount("-$ 1,234.50", "-1234.5", 2);
    is_amount("$-20.00", "-20", 2);
    is_amount("149,90 \xE2\x82\xAC", "149.9", 2);
    is_amount("149,90&nbsp;&euro;", "149.9", 2);
    is_amount("\xE2\x88\x92"
              "20,00 kr.",
              "-20", 2);
    is_amount("Rs. 1,23,456.00", "123456", 2);
    is_amount("CHF 12.50", "12.5", 2);
    is_amount("12.50 USD", "12.5", 2);
}

static void test_none(void)
{
    is_none("", AMOUNT_MISSING);
    is_none(" \t", AMOUNT_MISSING);
    is_none("1,234", AMOUNT_AMBIGUOUS);
    is_none("-12,345", AMOUNT_AMBIGUOUS);
    is_none("$1.234", AMOUNT_AMBIGUOUS);
    is_none("free", AMOUNT_NONE);
    is_none("about 10", AMOUNT_NONE);
    is_none("10%", AMOUNT_NONE);
    is_none("--5", AMOUNT_NONE);
    is_none("5-", AMOUNT_NONE);
    is_none("1.23.45", AMOUNT_NONE);
    is_none("12.34,56", AMOUNT_NONE);
    is_none("1,2,3", AMOUNT_NONE);
    is_none("1,2,345", AMOUNT_NONE);
    is_none("1.234,56.7", AMOUNT_NONE);
    is_none("1 23", AMOUNT_NONE);
    is_none("1 2345,00", AMOUNT_NONE);
    is_none("10 20", AMOUNT_NONE);
    is_none("<b>5</b>", AMOUNT_NONE);
    is_none("1234567890123456789,0", AMOUNT_NONE);
    is_none("1111111111111111111111111111111111111111111111111111111111111111", AMOUNT_NONE);
}

int main(void)
{
    test_amounts();
    test_currencies();
    test_none();
    return tap_done();
}
