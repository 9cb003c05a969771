/*
 * text: what a person typed into a shop -> what a contact, an opportunity or a tag may hold.
 *
 * HTML entities are decoded once, but for those of < and >. Control characters and invisible marks that could
 * disguise a text are dropped, white space is one space between words, and nothing is cut inside a character.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* At most max bytes of it, cleaned, "" when nothing is left. `typed` is UTF-8 (bytes that are not are
 * dropped). malloc'ed; NULL when out of memory. */
char *text_clean(const char *typed, size_t max);

/* The same of a text that is decoded already: entities stay. */
char *text_tidy(const char *text, size_t max);

/* Like text_clean, but lines stay lines, with one empty line between two of them at most. */
char *text_clean_lines(const char *typed, size_t max);

/* Letters made small, in place, as GHL keeps tags and emails: Latin, Greek, Cyrillic, Armenian. */
void text_lower(char *text);

/* Is it one of the list, which ends in NULL? */
bool text_is_one_of(const char *text, const char *const *list);

/* Overwrites and frees it; NULL is fine. */
void text_free_secret(char *text);

/* The longest prefix of at most max bytes that ends with a whole character: its length. */
size_t text_cut(const char *text, size_t len, size_t max);

/* For "did you mean": begin with {.typed = what was typed}, offer each known word; `word` is the nearest one, NULL if
 * none is a slip of the hand away. */
struct text_nearest {
    const char *typed, *word;
    size_t distance;
};
void text_nearest(struct text_nearest *nearest, const char *known);

/* Into an array of this size, which is at least 1: the text, or what fits of it, cut between characters. Every
 * text from elsewhere that goes into an array goes through one of these. False if it was cut. */
bool text_copy(char *out, size_t size, const char *text);
bool text_format(char *out, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
bool text_vformat(char *out, size_t size, const char *fmt, va_list args)
    __attribute__((format(printf, 3, 0)));

/* Control characters among the len bytes (but NUL) become spaces, in place: no terminal obeys what is printed. */
void text_still(char *text, size_t len);

/* The largest number that is taken from a store or a peer: sums of some of them, and a thousand times one, still fit
 * an int64_t. As s, ms or microseconds it is a time that nobody who reads this sees. */
#define TEXT_NUMBER_MAX (INT64_C(1) << 52)
/* The whole number that the text begins with; 0 if there is none, or it is beyond TEXT_NUMBER_MAX. *end (may be NULL) is
 * what follows it. */
int64_t text_number(const char *text, const char **end);

/* The byte that two hex digits name, as behind the % of an escape; -1 = they are none. */
int text_octet(const char *digits);

/* FNV-1a: for places in a table, no secret. */
uint32_t text_hash(const char *text);
