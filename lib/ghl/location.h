/*
 * location: whether the GHL sub-account lets a contact have several opportunities ("allow duplicate
 * opportunities"). The setting is asked for at need and kept in the store for an hour, also that GHL would
 * not tell.
 */
#ifndef WOO_GHL_LOCATION_H
#define WOO_GHL_LOCATION_H

#include "app/app.h"

/* GHL refused a second opportunity: says in the log what the setting is and what becomes of such orders, once
 * for all processes until the setting or GHL_ON_DUPLICATE is another one (or a month has passed). Asks GHL,
 * within the call's deadline, where no answer is kept. */
void location_explain_duplicates(struct app *app, const struct ghl_call *call);

/* One line of `woo_ghl check` about it; GHL is asked in any case. */
void location_check_duplicates(struct app *app, const struct ghl_call *call);

#endif
