/*
 * intake: one request -> one response, in the order of design.md.
 *
 * It knows no web server: serve gives it a struct request, and tests give it one from memory. A delivery with
 * a valid signature is never answered with 4xx or 5xx while it can be stored anywhere, except that
 * undecodable JSON gets its 400 (the bytes are kept).
 */
#ifndef WOO_GHL_INTAKE_H
#define WOO_GHL_INTAKE_H

#include "app/app.h"

/* One HTTP request as the web server hands it over. All strings are borrowed and never NULL ("" = absent). */
struct request {
    const char *method;
    const char *path; /* of the URL, without query: "/woo-order" */
    const char *remote_addr;
    const char *content_type;
    const char *content_length, *transfer_encoding;    /* as sent, unparsed */
    const char *signature, *topic, *resource, *source; /* X-WC-Webhook-* */
    const char *accept;
    /* Reads up to n bytes of the body; 0 = end, -1 = error. */
    long (*read)(void *context, char *into, size_t n);
    void *context;
    int64_t arrived_mono_ms; /* when the request began */
};

#define RESPONSE_HEADERS_MAX 4

struct response {
    int status;
    const char *content_type;
    struct {
        const char *name;
        char value[64];
    } header[RESPONSE_HEADERS_MAX]; /* besides Content-Type and Content-Length */
    size_t header_count;
    struct buf body;
    bool drain_wanted; /* due work waits and nobody drains: the worker may, after its answer is out */
};

void response_init(struct response *response);
void response_free(struct response *response);

/* Fills the response; it always holds a complete answer afterwards. */
void intake_handle(struct app *app, const struct request *request, struct response *response);

/* A delivery from the spool (delivery_pack'ed) goes the same way, as of its arrival; it is queued, not worked
 * on. True when it is stored or needs nothing; false = the store is away again, keep it. */
bool intake_replay(struct app *app, const void *packed, size_t len, int64_t arrived_ago_ms);

/* What became of an order that was read from the shop. */
enum intake_fetched {
    FETCHED_FAILED,  /* the store is away, or older deliveries lie in the spool: to be read again */
    FETCHED_TAKEN,   /* stored, due now */
    FETCHED_KNOWN,   /* the store has this state, or a newer one */
    FETCHED_IGNORED, /* its status is not mapped, or it was never sold, or it is no order */
    FETCHED_FOREIGN, /* another shop's (WOO_SHOPS), or not the order that was asked for */
};

/* An order's own bytes, as the shop's REST API told them. All borrowed. */
struct intake_read {
    const char *bytes;
    size_t len;
    const char *source;   /* the shop's URL; narrows like X-WC-Webhook-Source */
    int64_t ago_ms;       /* since the shop was asked for them */
    const char *only_key; /* the order must have this key; NULL = any */
};

/* They go the way of a signed delivery, and are queued, not worked on. FAILED sets the error. */
enum intake_fetched intake_fetch(struct app *app, const struct intake_read *read, struct error *e) MUST_CHECK;

/* What sync left: the state is kept again, in the store if that has lost it, else in the spool. It is there
 * already where another worker has the order: then nothing changes. The entry's key and body are those that
 * were leased. */
void intake_keep(struct app *app, const struct store_entry *entry, bool store_answers);

#endif
