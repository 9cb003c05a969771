/*
 * contact: an order's addresses -> the fields of a GHL contact.
 *
 * Only fields that have a value, and none that GHL would refuse: its validation throws the whole contact away
 * for one bad country.
 */
#pragma once

#include "order/order.h"

#define CONTACT_FIELD_MAX 255 /* bytes of one field; longer ones are cut at a character's end */

/* What was given and is not in the contact, and what no contact may be found by. Masked as for a log; "" =
 * nothing. */
struct contact_notes {
    char phone_left_out[16]; /* no number, an incomplete one, or one that nobody has ("123456789") */
    char email_left_out[64]; /* no address that GHL would take */
    bool phone_shared;       /* a switchboard's, with an extension */
};

/* A new object of firstName, lastName, companyName, email, phone, address1, city, state, postalCode, country;
 * {} if there is nothing. What people and shops type for "nothing" ("-", "N/A", "guest") is nothing.
 *
 * Name, phone and address are each billing's, or, if billing has none, shipping's as a whole: wallets and
 * marketplaces fill in shipping alone. The email is lower-case, because GHL finds contacts by it whatever the
 * case, and two spellings are one person. A phone is E.164; default_country ("" = none) tells how it is
 * written if the order names no country. NULL when out of memory. */
json_t *contact_of(const struct order *order, const char *default_country, struct contact_notes *notes);

/* What a new contact is called that has no name: its company, else "SHOP order NUMBER". GHL wants a name of
 * one without email and phone. malloc'ed; NULL when out of memory. */
char *contact_standin_name(const json_t *contact, const struct order *order, const char *shop);

/* First and last name as the contact has them, else the company, else "". malloc'ed; NULL when out of memory.
 */
char *contact_name(const struct order *order);

/* Would GHL take it as an email? One "@", a local part of dot-separated atoms (RFC 5321 without quotes), a
 * domain name with a top level of letters. */
bool contact_is_email(const char *text);
