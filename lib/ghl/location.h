/*
 * location: whether the GHL sub-account lets a contact have several opportunities ("allow duplicate
 * opportunities").
 */
#pragma once

#include "base/finding.h"
#include "ghl/ghl.h"

/* GHL refused a second opportunity: asks it for the setting, within the call's deadline, and logs it and what
 * becomes of such orders. Once a day for all processes (two at the same moment may both do it), and when
 * GHL_ON_DUPLICATE changes. */
void location_explain_duplicates(struct ghl *, const struct ghl_call *, const struct ghl_cache *);

/* For `woo_ghl check`. */
void location_check_duplicates(struct ghl *, const struct ghl_call *, struct findings *);
