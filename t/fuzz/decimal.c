/* Fuzzes amounts of money: what is read is written so that it reads the same. */
#include "base/decimal.h"
#include "order/amount.h"
#include "rig.h"
#include <stdlib.h>
#include <string.h>

void fuzz_decimal(const uint8_t *bytes, size_t len)
{
    char *text = fuzz_text(bytes, len), shown[DECIMAL_TEXT_SIZE];
    struct decimal value = {0}, again = {0}, sum = {0};
    int places = -1;

    if (decimal_parse(text, &value)) {
        decimal_format(value, 12, shown);
        check(decimal_parse(shown, &again) && again.units == value.units && strcmp(shown, "-0") != 0);
        check(decimal_add(value, decimal_negate(value), &sum) && sum.units == 0);
        for (int n = 0; n < 12; n++)
            decimal_format(value, n, shown);
    }
    if (amount_parse(text, &value, &places) == AMOUNT_OK) {
        check(places >= 0);
        decimal_format(value, places > 12 ? 12 : places, shown);
        check(decimal_parse(shown, &again));
    }
    free(text);
}
