/*
 * sandbox: a temporary directory in which a test opens the whole app, as the program would, on the embedded store.
 */
#pragma once

#include "app/app.h"

#define SANDBOX_SECRET "my_super_secret_woo_key"

struct sandbox {
    char dir[64];
};

/* Makes the directory. False (and a note) if that fails. */
bool sandbox_begin(struct sandbox *sandbox);
void sandbox_end(struct sandbox *sandbox); /* removes it */
/* DIR/name. */
void sandbox_path(const struct sandbox *sandbox, const char *name, char out[128]);

/* Opens an app in it. Its settings replace the environment: the secret above, a dry run, location "location1", and then
 * these ("NAME=value", a NULL after the last; NULL = none), which win. What app_open says. */
bool sandbox_open(const struct sandbox *sandbox, const char *const settings[], struct app *app);
/* The same in two steps: these settings, and app_open. */
void sandbox_settings(const struct sandbox *sandbox, const char *const settings[]);
/* As sandbox_open, and its store must answer. */
bool sandbox_app(const struct sandbox *sandbox, const char *const settings[], struct app *app);

/* Leases this order, whenever it was tried, as a worker would. */
enum store_result sandbox_lease(struct app *app, const char *key, struct order_work *work);

/* -- what is there now -- */

/* The order's record; version 0 = there is none. */
struct order_record sandbox_order(struct app *app, const char *key);
struct location_record sandbox_location(struct app *app);
struct store_sizes sandbox_sizes(struct app *app);
/* A counter or value of the store as a number; 0 = there is none. */
int64_t sandbox_value(struct app *app, const char *name);
/* Does the log hold this text? */
bool sandbox_log_has(const struct sandbox *sandbox, const char *text);
