/*
 * phone: what a customer typed -> E.164, or nothing.
 *
 * GHL wants E.164, and a wrong number is worse than none: when in doubt there is none.
 */
#pragma once

#include <stdbool.h>

#define PHONE_SIZE 24 /* "+" and 15 digits (ITU-T E.164) with room */

/* `country` is ISO 3166-1 alpha-2 in any case, or "". Accepts "+..." and "00..." anywhere, a national number
 * by the country's calling code and trunk prefix; spaces, dots, brackets, hyphens, slashes; full-width,
 * Arabic and Persian digits; an extension ("ext 5", "x5", "#5") is dropped. False: leave the phone out. */
bool phone_e164(const char *typed, const char *country, char out[PHONE_SIZE]);

/* Is it what people type who keep their number to themselves: digits that only ascend or descend
 * ("123456789"), or that are one digit ("+0 000 000 0000", "600000000")? */
bool phone_is_placeholder(const char *typed);

/* Does an extension follow the number? Then it is a switchboard's, and several people share it. */
bool phone_has_extension(const char *typed);

/* Is there a country of this ISO code, in any case? */
bool phone_knows_country(const char *country);
