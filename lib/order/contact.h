/*
 * contact: an order's billing address -> the fields of a GHL contact.
 *
 * Only fields that have a value, and none that GHL would refuse: its validation throws the whole contact away
 * for one bad country.
 */
#ifndef WOO_GHL_CONTACT_H
#define WOO_GHL_CONTACT_H

#include "order/order.h"

#define CONTACT_FIELD_MAX 255 /* bytes of one field; longer ones are cut at a character's end */

/* A new object of firstName, lastName, companyName, email, phone, address1, city, state, postalCode, country.
 *
 * The email is lower-case, because GHL finds contacts by it whatever the case, and two spellings are one
 * person. A phone is E.164. Without email and phone GHL wants a name: the company's, else the shop's with the
 * order's number. NULL when out of memory. */
json_t *contact_of(const struct order *order, const char *shop);

/* The same name for a contact whose email or phone was taken out; one that has either, or a name, stays as it
 * is. False when out of memory. */
bool contact_give_name(json_t *contact, const struct order *order, const char *shop);

/* Would GHL take it as an email? One "@", a local part of dot-separated atoms (RFC 5321 without quotes), a
 * domain name with a top level of letters. */
bool contact_is_email(const char *text);

#endif
