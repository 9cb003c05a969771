/*
 * accept: one delivery -> what becomes of it, in the order of doc/design.md.
 *
 * It knows no web server. What was signed, lay in the spool, was lost by a worker or was read from the shop goes the same
 * way. A delivery with a valid signature is kept as long as it can be kept anywhere: in the store, else in the spool.
 */
#pragma once

#include "accept/acceptance.h"

/* Decides, keeps, and works on it if it may. The log has a line about it in every case. */
void accept_delivery(struct app *app, const struct accept_delivery *delivery, struct acceptance *acceptance);

/* The same of what delivery_pack made. `how` says all but what is in there. False, and nothing was done, if it is none. */
bool accept_packed(struct app *app, const char *packed, size_t len, struct accept_delivery how,
                   struct acceptance *acceptance) MUST_CHECK;

/* sync left the order, for this reason (sync_outcome's): its version is kept again, in the store if that has lost it, else
 * in the spool. If another worker has it, nothing changes. One whose key is not its plan's any more (WOO_SHOPS changed)
 * is claimed anew under the right one. */
void accept_rescue(struct app *app, struct order_work *work, const char *reason);
