/*
 * report: one text for a bug report: version, system, settings, what check and status say, and the end of the log; without
 * secrets and personal data.
 */
#ifndef WOO_GHL_CLI_REPORT_H
#define WOO_GHL_CLI_REPORT_H

#include "app/app.h"

/* Writes it to the file (0600; it must not exist), or to standard output if that is NULL. settings_good: app_open said so.
 * An exit code from sysexits.h. */
int report_print(struct app *app, bool settings_good, const char *file);

#endif
