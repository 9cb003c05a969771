/*
 * request: one HTTP request, as the routes see it. Tests make them from memory.
 */
#pragma once

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
    const char *query;                                 /* of the URL, without "?" */
    const char *cookie, *authorization;
    bool is_tls;               /* the web server says that the client's connection is encrypted */
    bool is_forwarded;         /* another server handed it on: remote_addr is that server's */
    const char *document_root; /* of the web server's site */
    /* Reads up to n bytes of the body; 0 = end, -1 = error. */
    long (*read)(void *context, char *into, size_t n);
    void *context;
    int64_t arrived_mono_ms; /* when the request began */
};
