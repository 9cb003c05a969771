/*
 * app: what one process holds from start to end. main makes it and hands it down; nothing below main makes another.
 */
#pragma once

#include "app/tally.h"
#include "base/clients.h"
#include "config/config.h"
#include "crypt/crypt.h"
#include "ghl/ghl.h"
#include "order/signature.h"
#include "spool/spool.h"
#include "store/orders.h"

struct app {
    struct config config;
    struct config_report report;
    bool config_ok; /* false: every request is answered 503, and why is in the log */
    struct log *log;
    struct signature_keys keys;
    struct crypt *crypt;
    struct store *store;  /* NULL: it could not be opened; tried again at the next need */
    struct orders orders; /* of the store */
    struct spool *spool;  /* NULL: there is no place for it */
    struct ghl *ghl;
    unsigned char hash_key[DIGEST_LEN]; /* keys fingerprints, part hashes and all other keyed hashes */
    char hash_id[RECORD_SHORT_SIZE];    /* that key's id */
    char server[RECORD_ID_SIZE];        /* the store's server whose memory was checked; "" = none yet */
    struct clients told;                /* how often each event was told this hour: app_tells */
    int64_t shift_ms;                   /* tests: the store's clock is so much later */
    bool confined;                      /* confined.h */
    int alerts;                         /* to the process that runs ALERT_COMMAND for this one; -1 = none */
    int listener;                       /* a FastCGI worker's socket; -1 = none */
    volatile int *stop;                 /* set by a signal handler; may be NULL */
    char *site; /* the document root that was looked at last, and holds nothing of ours; NULL = none */
    int64_t looked_mono_ms;       /* when the settings were last looked at */
    struct tally tally;           /* not written down yet; see journal.h */
    int64_t drains_until_mono_ms; /* until then a drain of this machine is known to have run lately */
    int64_t delivered_mono_ms;    /* when the store was last told that a delivery came (ALERT_SILENCE) */
};

/* Loads the configuration and opens log, keys and GHL client. False if the configuration is refused or
 * something cannot be opened: app is then still good for logging, for 503 answers, and for app_close.
 * Problems are in app->report. */
bool app_open(struct app *app, volatile int *stop);
void app_close(struct app *app);

/* Takes over settings that were changed since: looks at the file at most once a second. If the new ones are refused,
 * the last good ones stay. Settings that were refused at the start are read again, too. Not while work is in hand.
 * True if the file was read anew. */
bool app_refresh(struct app *app);

/* The same at once, if the settings may just have been mended. */
bool app_refresh_now(struct app *app);

/* Does a delivery wait at the listener for some worker? What is in hand goes on from the queue then. */
bool app_is_awaited(const struct app *app);

/* A keyed hash of the text, 64 bits in hex; "" for "". False if libcrypto fails. */
bool app_hash(const struct app *app, const char *label, const char *text,
              char out[RECORD_SHORT_SIZE]) MUST_CHECK;

/* Is this event, which anybody on the internet can cause, to be logged now? `event` is any text: what happened, and to
 * whom. True for the first of each hour on this machine, the 10th, the 100th ...; *count is which one it is. */
bool app_tells(struct app *app, const char *event, int64_t *count);

/* Among all processes of the store one gets a turn of this name, and the next one not before ttl_ms. *turn tells; false
 * if the store does not. */
bool app_take_turn(struct app *app, const char *name, int64_t ttl_ms, bool *turn) MUST_CHECK;

/* The number that the store's value of this name is; 0 = there is none. OK, UNAVAILABLE. */
enum store_result app_number(struct app *app, const char *name, int64_t *number) MUST_CHECK;
/* Puts it, for ttl_ms; 0 = it stays. */
enum store_result app_put_number(struct app *app, const char *name, int64_t number,
                                 int64_t ttl_ms) MUST_CHECK;

/* What nothing depends on: puts the store's value (NULL: it goes), or adds 1 to its counter. The log tells a loss. */
void app_keep(struct app *app, const char *name, const char *value, int64_t ttl_ms);
void app_count(struct app *app, const char *name);
/* Tells that the store did not keep something. */
void app_lost(const struct app *app, const char *what);
/* store_unlock; the log tells if the lock stays until its end. */
void app_unlock(struct app *app, const char *name, const char *token);

/* The store's key/values, as GHL's lookups use them. The app must outlive it. */
struct ghl_cache app_cache(struct app *app);
