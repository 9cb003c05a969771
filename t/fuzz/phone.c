/* Fuzzes phone numbers: two letters of a country, then what was typed. What is found is E.164, and stays as it is. */
#include "order/phone.h"
#include "rig.h"
#include <stdlib.h>
#include <string.h>

void fuzz_phone(const uint8_t *bytes, size_t len)
{
    size_t n = len < 2 ? len : 2;
    char *country = fuzz_text(bytes, n), *typed = fuzz_text(bytes + n, len - n);
    char found[PHONE_SIZE], again[PHONE_SIZE];

    if (phone_e164(typed, country, found)) {
        size_t digits = strspn(found + 1, "0123456789");
        check(found[0] == '+' && digits >= 6 && digits <= 15 && !found[1 + digits] && found[1] != '0');
        check(phone_e164(found, "", again) && !strcmp(found, again));
    }
    (void)phone_is_placeholder(typed);
    (void)phone_has_extension(typed);
    (void)phone_knows_country(country);
    free(country);
    free(typed);
}
