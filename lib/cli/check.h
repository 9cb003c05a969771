/*
 * check: the doctor. Are settings, store, GHL and shop fit for work, and what is to be done if not?
 *
 * One table (check.c) names the areas in their order. Each looks for itself and adds what it found (base/finding.h).
 */
#pragma once

#include "app/app.h"
#include "base/finding.h"

struct check_options {
    bool json;
    bool alert; /* sends a test by ALERT_COMMAND and ALERT_URL */
};

/* Prints the settings in force and what was found, or the findings as JSON.
 * `settings_good`: app_open said so; if not, the
 * settings alone are looked at. An exit code: EXIT_SUCCESS if nothing FAILed, else EXIT_FAILURE. */
int check_print(struct app *app, bool settings_good, const struct check_options *options);

/* -- the areas; each adds to `findings` -- */

void check_files(struct app *app, struct findings *findings); /* check_machine.c */
void check_drain(struct app *app, struct findings *findings);
void check_alerts(struct app *app, struct findings *findings);     /* check_alert.c */
void check_test_alert(struct app *app, struct findings *findings); /* sends one */
void check_ghl(struct app *app, struct findings *findings);        /* check_ghl.c */
void check_mapping(struct app *app,
                   struct findings *findings); /* check_mapping.c: pipeline, stages, custom fields */
void check_duplicates(struct app *app, struct findings *findings);
void check_shop(struct app *app, struct findings *findings); /* check_shop.c */
void check_webhooks(struct app *app, struct findings *findings);
void check_public_url(struct app *app, struct findings *findings);
void check_deliveries(struct app *app, struct findings *findings);

/* -- for them -- */

/* Did this area find a failure? Then what depends on it is not looked at. */
bool check_failed(const struct findings *findings, const char *area);

/* Is this machine's clock off? date_s: of an answer's Date; at_s: our time then. `whose`: "GHL's". */
void check_clock(struct findings *findings, const char *whose, int64_t date_s, int64_t at_s);

#define CHECK_CALL_MS 15000 /* of a call to GHL that a person waits for */
