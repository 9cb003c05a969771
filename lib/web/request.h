/*
 * request: one HTTP request and its response, as the routes see them. Tests make them from memory.
 */
#ifndef WOO_GHL_WEB_REQUEST_H
#define WOO_GHL_WEB_REQUEST_H

#include "base/buf.h"
#include <stdint.h>

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

#endif
