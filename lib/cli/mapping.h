/*
 * mapping: does the location have what the configuration names? For `woo_ghl check`.
 */
#ifndef WOO_GHL_MAPPING_H
#define WOO_GHL_MAPPING_H

#include "app/app.h"

/* Asks GHL for pipelines and custom fields, and prints one line for each name that is not there, or "ok";
 * then what the location allows a repeat buyer. False when something is missing or GHL does not answer. */
bool mapping_check(struct app *app, const struct ghl_call *call);

#endif
