/*
 * check: are the settings, the store, GHL and the shop fit for work? And what the location has, for people who
 * write settings.
 */
#ifndef WOO_GHL_CHECK_H
#define WOO_GHL_CHECK_H

#include "app/app.h"

/* Prints the settings in force and one line for each thing that was tried. `settings_good`: app_open said so.
 * True when everything is good. */
bool check_print(struct app *app, bool settings_good);

/* Print the location's pipelines with their stages, and its custom fields. An exit code from sysexits.h. */
int check_pipelines(struct app *app);
int check_fields(struct app *app);

#endif
