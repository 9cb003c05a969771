/*
 * store_said: what a store says, as words that must be the same in both implementations, and times that must
 * be about the same.
 */
#ifndef WOO_GHL_T_STORE_SAID_H
#define WOO_GHL_T_STORE_SAID_H

#include "store/store.h"

#define SAID_SIZE 4096
#define SAID_NUMBERS 40
#define SAID_COUNTERS "thing1", "thing2" /* the counters that are told */

struct said {
    char text[SAID_SIZE];
    size_t len;
    int64_t number[SAID_NUMBERS]; /* ms */
    size_t count;
    bool set_back; /* the clock was: the age of an attempt is not told, which begins anew at another moment */
};

bool said_agree(const struct said *one, const struct said *two);

void say(struct said *said, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void say_ms(struct said *said, int64_t ms);
void say_entry(struct said *said, const struct store_entry *entry);
void say_order(struct said *said, struct store *store, const char *key);
void say_stats(struct said *said, struct store *store);
void say_parked(struct said *said, struct store *store);

#endif
