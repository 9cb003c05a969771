/*
 * lookup: what the location has, for people who write settings.
 */
#ifndef WOO_GHL_CLI_LOOKUP_H
#define WOO_GHL_CLI_LOOKUP_H

#include "app/app.h"

/* Print the location's pipelines with their stages, and its custom fields. An exit code from sysexits.h. */
int lookup_pipelines(struct app *app);
int lookup_fields(struct app *app);

#endif
