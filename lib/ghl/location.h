/*
 * location: whether the GHL sub-account lets a contact have several opportunities ("allow duplicate
 * opportunities"). The setting is asked for at need and kept in the cache for an hour, also that GHL would
 * not tell.
 */
#ifndef WOO_GHL_LOCATION_H
#define WOO_GHL_LOCATION_H

#include "ghl/ghl.h"

/* GHL refused a second opportunity: logs what the setting is and what becomes of such orders, once for all
 * processes until the setting or GHL_ON_DUPLICATE changes (or a month has passed). Asks GHL, within the call's
 * deadline, if no answer is kept. */
void location_explain_duplicates(struct ghl *, const struct ghl_call *, const struct ghl_cache *);

/* One line of `woo_ghl check` about it; GHL is asked in any case. */
void location_check_duplicates(struct ghl *, const struct ghl_call *, const struct ghl_cache *);

#endif
