/*
 * app: what one process holds from start to end. Made by main, handed down; nothing below main makes another.
 */
#ifndef WOO_GHL_APP_H
#define WOO_GHL_APP_H

#include "config.h"
#include "ghl.h"
#include "signature.h"
#include "store.h"

struct app {
    struct config config;
    struct config_report report;
    bool config_ok; /* false: every request is answered 503, and why is in the log */
    struct log *log;
    struct signature_keys keys;
    struct store *store; /* NULL: could not be opened; tried again at the next request */
    struct ghl *ghl;
    unsigned char hash_key[DIGEST_LEN]; /* keys fingerprints and part hashes */
    volatile int *stop;                 /* set by a signal handler; may be NULL */
};

/* Loads the configuration and opens log, store and GHL client. False when the configuration is refused or
 * something cannot be opened: app is then still good for logging, for 503 answers, and for app_close.
 * Problems are in app->report. */
bool app_open(struct app *app, volatile int *stop);
void app_close(struct app *app);

/* Opens the store if it is not open (a directory that was missing at start). False when it still cannot be.
 */
bool app_store(struct app *app, struct error *e);

#endif
