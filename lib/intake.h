/*
 * intake: one request -> one response, in the order of design.md.
 *
 * It knows no web server: serve gives it a struct request, and tests give it one from memory. A delivery with
 * a valid signature is never answered with 4xx or 5xx while it can be stored anywhere, except that
 * undecodable JSON gets its 400 (the bytes are kept).
 */
#ifndef WOO_GHL_INTAKE_H
#define WOO_GHL_INTAKE_H

#include "app.h"

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

/* What sync left: the state is kept again, in the store if that has lost it, else in the spool. It is there
 * already where another worker has the order: then nothing changes. The entry's key and body are those that
 * were leased. */
void intake_keep(struct app *app, const struct store_entry *entry, bool store_answers);

#endif
