/*
 * webhooks: does the shop still deliver? WooCommerce disables a webhook after the seventh failure in a row and tells nobody.
 */
#ifndef WOO_GHL_SHOP_WEBHOOKS_H
#define WOO_GHL_SHOP_WEBHOOKS_H

#include "shop/woo.h"

/* Of the shop's webhooks (woo_webhooks), those that deliver orders to /woo-order: appends a sentence for each that is not
 * active or (unless `existing`) not there, one a line, and says what to do. True if orders arrive. */
bool webhooks_are_well(const json_t *list, bool existing, struct buf *out);

/* The delivery URL of the shop's webhook for updated orders (else for created ones) that delivers to /woo-order; "" if
 * there is none. Borrowed from the list, which may be NULL. */
const char *webhooks_url(const json_t *list);

#endif
