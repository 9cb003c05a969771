#include "base/decimal.h"
#include "base/ascii.h"
#include <string.h>

#define PLACES 12       /* decimals kept in units */
#define WHOLE_DIGITS 18 /* digits before the point */
#define EXPONENT_LIMIT 100000000L

static decimal_units power_of_ten(int n)
{
    decimal_units power = 1;
    while (n-- > 0)
        power *= 10;
    return power;
}

static bool in_range(decimal_units units)
{
    decimal_units limit = power_of_ten(WHOLE_DIGITS + PLACES);
    return units > -limit && units < limit;
}

/* "e+12" at s -> its value, held within the limit so that it never overflows. NULL when it is no exponent. */
static const char *parse_exponent(const char *s, long *out)
{
    long value = 0;
    s++;
    bool negative = *s == '-';
    if (*s == '-' || *s == '+')
        s++;
    if (!is_digit(*s))
        return NULL;
    for (; is_digit(*s); s++)
        if (value < EXPONENT_LIMIT)
            value = value * 10 + (*s - '0');
    *out = negative ? -value : value;
    return s;
}

/* Digits (with at most one point among them) whose first stands for 10^place -> units, half up. */
static bool digits_to_units(const char *digits, size_t n, long place, decimal_units *out)
{
    decimal_units units = 0;
    for (size_t i = 0; i < n; i++) {
        if (digits[i] == '.')
            continue;
        int digit = digits[i] - '0';
        if (digit && place >= WHOLE_DIGITS)
            return false;
        if (place == -PLACES - 1 && digit >= 5)
            units++;
        if (place < -PLACES)
            break;
        units = units * 10 + digit;
        place--;
    }
    /* what the text does not say down to the last place is zero */
    if (units && place >= -PLACES)
        units *= power_of_ten((int)(place + PLACES + 1));
    *out = units;
    return in_range(units);
}

bool decimal_parse(const char *text, struct decimal *out)
{
    const char *s = text;
    while (is_space(*s))
        s++;
    bool negative = *s == '-';
    if (*s == '-' || *s == '+')
        s++;

    const char *digits = s;
    long whole = 0, fraction = 0, exponent = 0;
    for (; is_digit(*s); s++)
        whole++;
    if (*s == '.')
        for (s++; is_digit(*s); s++)
            fraction++;
    size_t n = (size_t)(s - digits);
    if (!whole && !fraction)
        return false;
    if (*s == 'e' || *s == 'E') {
        s = parse_exponent(s, &exponent);
        if (!s)
            return false;
    }
    while (is_space(*s))
        s++;
    decimal_units units;
    if (*s || !digits_to_units(digits, n, whole - 1 + exponent, &units))
        return false;
    out->units = negative ? -units : units;
    return true;
}

bool decimal_add(struct decimal a, struct decimal b, struct decimal *out)
{
    decimal_units sum;
    if (__builtin_add_overflow(a.units, b.units, &sum) || !in_range(sum))
        return false;
    out->units = sum;
    return true;
}

struct decimal decimal_negate(struct decimal a)
{
    return (struct decimal){-a.units};
}

void decimal_format(struct decimal value, int places, char out[DECIMAL_TEXT_SIZE])
{
    bool negative = value.units < 0;
    decimal_units units = negative ? -value.units : value.units;
    if (places < 0)
        places = 0;
    if (places > PLACES)
        places = PLACES;
    decimal_units dropped = power_of_ten(PLACES - places);
    units = (units + dropped / 2) / dropped;
    while (places > 0 && units % 10 == 0) {
        units /= 10;
        places--;
    }

    /* from the right end: at least one digit before the point */
    char reversed[DECIMAL_TEXT_SIZE];
    size_t n = 0;
    bool zero = units == 0;
    for (int digit = 0; units > 0 || digit <= places; digit++) {
        if (digit == places && places > 0)
            reversed[n++] = '.';
        reversed[n++] = (char)('0' + (int)(units % 10));
        units /= 10;
    }
    if (negative && !zero)
        reversed[n++] = '-';
    for (size_t i = 0; i < n; i++)
        out[i] = reversed[n - 1 - i];
    out[n] = '\0';
}
