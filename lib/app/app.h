/*
 * app: what one process holds from start to end. Made by main, handed down; nothing below main makes another.
 */
#ifndef WOO_GHL_APP_H
#define WOO_GHL_APP_H

#include "config/config.h"
#include "crypt/crypt.h"
#include "crypt/vault.h"
#include "ghl/ghl.h"
#include "order/signature.h"
#include "spool/spool.h"
#include "store/store.h"

struct app {
    struct config config;
    struct config_report report;
    bool config_ok; /* false: every request is answered 503, and why is in the log */
    struct log *log;
    struct signature_keys keys;
    struct store *store; /* NULL: could not be opened; tried again at the next need */
    struct crypt *crypt; /* seals what is spooled; NULL if config_ok is false */
    struct vault *vault; /* seals what is stored */
    struct spool *spool; /* NULL: no place for it */
    struct ghl *ghl;
    unsigned char hash_key[DIGEST_LEN]; /* keys fingerprints and part hashes; the store's once app_ready */
    volatile int *stop;                 /* set by a signal handler; may be NULL */
};

/* Loads the configuration and opens log, store and GHL client. False when the configuration is refused or
 * something cannot be opened: app is then still good for logging, for 503 answers, and for app_close.
 * Problems are in app->report. */
bool app_open(struct app *app, volatile int *stop);
void app_close(struct app *app);

/* Opens store, vault and spool where they are not open yet, and settles the vault. True when orders can be
 * claimed; false, with the error set, when they can only be spooled. Cheap when all is well. */
bool app_ready(struct app *app, struct error *e);

/* Reads the settings anew and takes over those that say how GHL is called and what it shall hold (GHL_*, but
 * for the location, the dry run and the rates: those need a new start). True when one of them is another one
 * now. Not while a call to GHL is on its way. */
bool app_reload(struct app *app);

/* The store's key/values, as GHL's lookups use them. The app must outlive it. */
struct ghl_cache app_cache(struct app *app);

#endif
