/*
 * delivery: what is kept of a request from WooCommerce until its order is in GHL: the exact body and the
 * three headers that may narrow its meaning.
 *
 * The form is four lines ("woo_ghl delivery 1", topic, resource, source) and then the body's bytes. A
 * header's line break becomes a space.
 */
#pragma once

#include "base/buf.h"
#include "order/order.h"

/* Appends the packed form to out. False when out of memory. */
bool delivery_pack(const struct order_headers *headers, const void *body, size_t len,
                   struct buf *out) MUST_CHECK;

struct delivery {
    struct order_headers headers; /* point into `text` */
    const char *body;             /* borrowed from the packed bytes */
    size_t body_len;
    char *text;     /* owned */
    bool no_memory; /* not unpacked for want of it */
};

/* False when the bytes are no packed delivery, or when out of memory. Free in every case; the packed bytes must outlive it. */
bool delivery_unpack(const char *packed, size_t len, struct delivery *out) MUST_CHECK;
void delivery_free(struct delivery *delivery);
