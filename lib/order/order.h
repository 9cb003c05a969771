/*
 * order: bytes of a delivery -> struct order, or why this is not an order.
 *
 * It knows WooCommerce's types and nothing of configuration or GHL. Nothing in a body is trusted: every type
 * may be any other type, every string may be empty or huge.
 */
#ifndef WOO_GHL_ORDER_H
#define WOO_GHL_ORDER_H

#include "base/decimal.h"
#include "base/json.h"
#include <stdint.h>

/* The unsigned headers of a delivery. They may narrow or refuse, never widen. NULL or "" = absent. */
struct order_headers {
    const char *topic;    /* X-WC-Webhook-Topic: "order.created" */
    const char *resource; /* X-WC-Webhook-Resource: "order" */
    const char *source;   /* X-WC-Webhook-Source: "https://shop.example.com/" */
};

enum order_kind {
    ORDER_FULL,      /* an order with its content */
    ORDER_DELETED,   /* {"id":54} under topic order.deleted: only id is set, status is "trash" */
    ORDER_BAD_JSON,  /* the bytes cannot be decoded */
    ORDER_NOT_ORDER, /* JSON, but no order: `reason` and `advice` say what and what to do */
};

struct order {
    json_t *json;       /* owned; the whole body, numbers as strings, with a "number" in every case */
    char id[24];        /* decimal digits, no leading zero, not "0" */
    const char *number; /* what people see; the id where a body has none. Borrowed from json */
    const char *status; /* without "wc-"; "" when the body has none */
    const char *currency;
    struct decimal total;   /* as sent, not reduced by refunds */
    struct decimal refunds; /* sum of refunds[].total, a negative number or 0 */
    bool has_total;
    int64_t created_s;  /* date_created_gmt, s since 1970; 0 = missing */
    int64_t modified_s; /* date_modified_gmt; 0 = missing */
    char *site; /* owned; host and path before /wp-json of the signed _links, lower-case host, no final slash,
                   "" = no links */
    char *admin_url; /* owned; "https://host/path/wp-admin/post.php?post=ID&action=edit"; "" = no links. It
                        leads to the order in either of WooCommerce's storages: one redirects it (its
                        PostsRedirectionController), the other has no address but this one */
};

/* Reasons are words for answers and counters: "empty_body", "rest_error", "action", "legacy_api",
 * "other_resource", "no_id", "not_an_object"; "bad_json" and "out_of_memory" for ORDER_BAD_JSON. Advice is a
 * sentence for the log; it quotes codes of known form only. Both point to static text or into the struct. */
struct order_verdict {
    enum order_kind kind;
    const char *reason;
    char advice[256];
};

/* Parses. *out is filled only for ORDER_FULL and ORDER_DELETED; order_free always may follow. */
struct order_verdict order_parse(const char *bytes, size_t len, const struct order_headers *headers,
                                 struct order *out);
void order_free(struct order *order);

/* Where the WordPress site of a URL lives: lower-case host (with a port that is not the scheme's own) and
 * path, without /wp-json and what follows, without final slash: "shop.example.com/de". "" when it is no
 * http(s) URL. malloc'ed; NULL when out of memory. */
char *order_site(const char *url);

/* May an order of WooCommerce have a value at this path ("billing.city", "line_items.0.sku")? The members of
 * an order, of its addresses and of its lines are known; below meta data, taxes, images and links anything
 * may be. */
bool order_may_have(const char *path);

/* The billing field ("email"), trimmed by the caller; "" when missing. Borrowed. */
const char *order_billing(const struct order *order, const char *field);

#endif
