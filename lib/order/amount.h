/*
 * amount: an amount of money as a shop's plugins write it -> a decimal, or why it is none.
 *
 * WooCommerce writes "149.90". Plugins also write it as people read it: "149,90", "1.234,56", "$ 1,234.56".
 * Only what has one meaning is read.
 */
#pragma once

#include "base/decimal.h"

enum amount_result {
    AMOUNT_OK,
    AMOUNT_MISSING,   /* there is none */
    AMOUNT_AMBIGUOUS, /* "1,234": a thousand or one? */
    AMOUNT_NONE,      /* no amount, or one of 10^18 and more */
    AMOUNT_NO_MEMORY,
};

/* *places: how many decimals are written. Both are set only if OK. */
enum amount_result amount_parse(const char *text, struct decimal *out, int *places);
