/*
 * order: bytes of a delivery -> struct order, or why this is not an order.
 *
 * It knows WooCommerce's types and nothing of configuration or GHL. Nothing in a body is trusted: every type
 * may be any other type, every string may be empty or huge.
 */
#pragma once

#include "base/decimal.h"
#include "base/json.h"
#include <stdint.h>

#define ORDER_WORD_MAX 100 /* bytes of a number, a status and the like */
#define ORDER_KEY_MAX 64

/* The unsigned headers of a delivery. They may narrow or refuse, never widen. NULL or "" = absent. */
struct order_headers {
    const char *topic;    /* X-WC-Webhook-Topic: "order.created" */
    const char *resource; /* X-WC-Webhook-Resource: "order" */
    const char *source;   /* X-WC-Webhook-Source: "https://shop.example.com/" */
};

/* WordPress's action after the seventh failure in a row; a webhook of the topic "action." and this delivers it
 * (WC_Webhook::failed_delivery: while the queue runs, as any action that webhooks may have). */
#define ORDER_WEBHOOK_DISABLED "woocommerce_webhook_disabled_due_delivery_failures"

enum order_kind {
    ORDER_FULL,      /* an order with its content */
    ORDER_DELETED,   /* {"id":54} under topic order.deleted: only id is set, status is "trash" */
    ORDER_BAD_JSON,  /* the bytes cannot be decoded */
    ORDER_NOT_ORDER, /* JSON, but no order: `reason` and `advice` say what and what to do */
};

struct order {
    json_t *json;       /* owned; the whole body, numbers as strings, with a "number" in every case */
    char id[24];        /* decimal digits, no leading zero, not "0" */
    const char *number; /* what people see, without a "#" before it; the id if a body has none. Borrowed from
                           json, as the next ones are: plain text of at most ORDER_WORD_MAX bytes */
    const char *status; /* without "wc-"; "" when the body has none */
    const char *currency;
    const char *
        order_key; /* at most ORDER_KEY_MAX; "wc_order_...", "" = none. It differs if an id was given out again */
    char parent_id[24]; /* the order that this one is a part of; "" = none */
    bool sub_order;     /* it has a parent, and is no renewal of a subscription */
    bool erased;        /* the shop erased the person: what it says of one is a stand-in */

    struct decimal total;   /* as sent, not reduced by refunds */
    struct decimal refunds; /* sum of refunds[].total, a negative number or 0 */
    bool has_total;         /* both are known */
    int places;             /* decimals that the shop writes its amounts with, 0 to 4 */
    char amount_note[128];  /* why they are not ("total: '1,234' may be two amounts"); "" = they are known */

    /* s since 1970, of date_*_gmt; 0 = missing. The API's version 1 has no such dates: date_* is taken then,
     * whatever its zone, and the legacy API's *_at. */
    int64_t created_s, paid_s, modified_s;

    char *site;      /* owned; which shop this is, by the signed _links: lower-case host without "www.", path
                        without a language's directory, no final slash; "" = no links */
    char *link_site; /* owned; the same as the link has it: "www.shop.example.com/de" */
    bool api_v1;     /* the links are those of the API's version 1: the webhook should have version 3 */
    char *admin_url; /* owned; "https://host/path/wp-admin/post.php?post=ID&action=edit"; "" = no links. It
                        leads to the order in either of WooCommerce's storages: one redirects it (its
                        PostsRedirectionController), the other has no address but this one */
};

/* Reasons are words for answers and counters: "empty_body", "rest_error", "action", "webhook_disabled", "legacy_api",
 * "other_resource", "no_id", "not_an_object"; "bad_json", "too_many_values" and "out_of_memory" for ORDER_BAD_JSON. Advice is a
 * sentence for the log; it quotes codes of known form only. Both point to static text or into the struct. */
struct order_verdict {
    enum order_kind kind;
    const char *reason;
    /* "rest_error": "cannot_view" or "cannot_read" (the webhook's owner may not), "invalid_id" (it was deleted since), ...;
     * NULL = none that is known. Static. */
    const char *code;
    char advice[256];
};

/* Do topic and resource, as far as they are there, name an order? */
bool order_headers_fit(const struct order_headers *headers);

/* Parses. *out is filled only for ORDER_FULL and ORDER_DELETED; order_free always may follow. */
struct order_verdict order_parse(const char *bytes, size_t len, const struct order_headers *headers,
                                 struct order *out);
/* Lets go of what only a plan reads, lines and meta data above all: most of a large order. The refunds stay. */
void order_shrink(struct order *order);
void order_free(struct order *order);

/* Where the WordPress site of a URL lives: lower-case host (with a port that is not the scheme's own) and
 * path, without /wp-json and what follows, without final slash: "shop.example.com/de". "" when it is no
 * http(s) URL. malloc'ed; NULL when out of memory. */
char *order_site(const char *url);

/* Makes the addresses of one shop one, in place: "www.shop.example.com/de" -> "shop.example.com". A
 * language's directory is two letters, alone or with a region or script ("pt-br", "zh-hans"), first or last
 * in the path; "wp" is none, WordPress itself often lives there. */
void order_site_normalise(char *site);

/* May an order of WooCommerce have a value at this path ("billing.city", "line_items.0.sku")? The members of
 * an order, of its addresses and of its lines are known; below meta data, taxes, images and links anything
 * may be. */
bool order_may_have(const char *path);

/* The value of key in a list of meta data, which is one of {key, value} or an object; of several the last
 * one, NULL = none. Borrowed. */
const json_t *order_meta(const json_t *meta_data, const char *key);

/* The billing field ("email"), trimmed by the caller; "" when missing. Borrowed. */
const char *order_billing(const struct order *order, const char *field);
