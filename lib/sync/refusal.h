/*
 * refusal: is it this order that GHL refuses, or our configuration? What all processes saw lately decides.
 *
 * The same words for three orders in a row are no order's fault. A 401 or 403 that is not about the token is
 * one order's, and it is tried three times. No words of GHL's are kept, only a keyed hash of them.
 */
#ifndef WOO_GHL_REFUSAL_H
#define WOO_GHL_REFUSAL_H

#include "app/app.h"

/* GHL refused this order's data. True when it said the same to three orders in a row, this one included: the
 * others of them are put back into the queue. */
bool refusal_is_configuration(struct app *app, const char *key, const struct ghl_answer *answer);

/* GHL took an order: what it refused before was those orders' own. */
void refusal_forget(struct app *app);

/* A 401 or 403 that is this entry's own. True at its third time since the entry had its first attempt. */
bool refusal_is_final(struct app *app, const struct store_entry *entry);

#endif
