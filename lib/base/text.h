/*
 * text: what a person typed into a shop -> what a contact, a card or a tag may hold.
 *
 * HTML entities are decoded once, control characters and invisible marks that could disguise a text are
 * dropped, white space is one space between words, and nothing is cut inside a character.
 */
#ifndef WOO_GHL_TEXT_H
#define WOO_GHL_TEXT_H

#include <stddef.h>

/* At most max bytes of it, cleaned, "" when nothing is left. `typed` is UTF-8 (bytes that are not are
 * dropped). malloc'ed; NULL when out of memory. */
char *text_clean(const char *typed, size_t max);

/* The same of a text that is decoded already: entities stay. */
char *text_tidy(const char *text, size_t max);

/* Letters made small, in place, as GHL keeps tags and emails: Latin, Greek, Cyrillic, Armenian. */
void text_lower(char *text);

/* The longest prefix of at most max bytes that ends with a whole character: its length. */
size_t text_cut(const char *text, size_t len, size_t max);

#endif
