/*
 * decimal: amounts of money as WooCommerce writes them, without binary floating point.
 *
 * A value is an integer of up to 30 digits with 0 to 12 decimals kept. What WooCommerce or a plugin sends
 * beyond that ("19.989999999999998") is rounded half up (away from zero) at the 12th decimal.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

__extension__ typedef __int128 decimal_units;

struct decimal {
    decimal_units units; /* the value times 10^12 */
};

#define DECIMAL_TEXT_SIZE 48

/* "21.76" "-5.00" "1e3" "7" "+.5", white space around it; false when it is no number, or 10^18 and more. */
bool decimal_parse(const char *text, struct decimal *out);
/* False on overflow (*out is then unchanged). */
bool decimal_add(struct decimal a, struct decimal b, struct decimal *out);
struct decimal decimal_negate(struct decimal a);
/* Rounded half up (away from zero) to `places` decimals (0..12), trailing zeros and a bare point cut: "150",
 * "21.7601", "-0.5"; never "-0". This text is the JSON number that GHL receives. */
void decimal_format(struct decimal value, int places, char out[DECIMAL_TEXT_SIZE]);
