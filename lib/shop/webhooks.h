/*
 * webhooks: does the shop still deliver? WooCommerce disables a webhook after the seventh failure in a row and tells nobody.
 */
#ifndef WOO_GHL_SHOP_WEBHOOKS_H
#define WOO_GHL_SHOP_WEBHOOKS_H

#include "order/order.h"
#include "shop/woo.h"

/* The topic that tells that WooCommerce disabled a webhook. */
#define WEBHOOKS_WATCH "action." ORDER_WEBHOOK_DISABLED

/* The nth topic that orders need, that one behind them if `watch`; NULL = there are no more. */
const char *webhooks_topic(size_t n, bool watch);

/* Does this delivery URL end in /woo-order, whatever the host? */
bool webhooks_is_ours(const char *url);

/* Of the shop's webhooks (woo_webhooks), those that deliver orders to /woo-order: appends a sentence for each that is not
 * active or (unless `existing`) not there, one a line, and says what to do. True if orders arrive. */
bool webhooks_are_well(const json_t *list, bool existing, struct buf *out);

/* The delivery URL of the shop's webhook for updated orders (else for created ones) that delivers to /woo-order; "" if
 * there is none. Borrowed from the list, which may be NULL. */
const char *webhooks_url(const json_t *list);

#endif
