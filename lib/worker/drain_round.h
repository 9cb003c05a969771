/*
 * drain_round: what `drain --now` takes before its time. The orders that wait are listed, and each is handed
 * out once, whichever job asks: the list lies in memory that a process shares with those that it forks.
 */
#ifndef WOO_GHL_DRAIN_ROUND_H
#define WOO_GHL_DRAIN_ROUND_H

#include "store/store.h"

struct drain_round;

struct drain_round *drain_round_new(void); /* with an empty list; NULL = out of memory */
void drain_round_free(struct drain_round *round);

/* Lists those that wait now and were on none of its lists before. No other process may have the old list in
 * use. OK, NONE (there is no new one), UNAVAILABLE. */
enum store_result drain_round_list(struct drain_round *round, struct store *store) MUST_CHECK;

/* The next order's key, valid until the next list; NULL = all of the list were handed out. */
const char *drain_round_next(struct drain_round *round);

#endif
