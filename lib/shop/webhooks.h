/*
 * webhooks: does the shop still deliver? WooCommerce disables a webhook after the seventh failure in a row and tells nobody.
 */
#pragma once

#include "app/app.h"
#include "base/finding.h"
#include "order/order.h"
#include "shop/woo.h"

/* The topic that tells that WooCommerce disabled a webhook. */
#define WEBHOOKS_WATCH "action." ORDER_WEBHOOK_DISABLED

/* The nth topic that orders need, that one behind them if `watch`; NULL = there are no more. */
const char *webhooks_topic(size_t n, bool watch);

/* Does this delivery URL lead to woo_ghl: is it PUBLIC_URL, or does it end in /woo-order, whatever the host? */
bool webhooks_is_ours(const struct config *config, const char *url);

/* Do two URLs name the same place? A final slash makes no difference. */
bool webhooks_same_url(const char *a, const char *b);

/* Of the shop's webhooks (woo_webhooks): is each that delivers orders to /woo-order active? Otherwise the error says which
 * is not, and what to do. */
bool webhooks_are_well(const struct config *config, const json_t *list, struct error *e) MUST_CHECK;

/* The doctor's look at them: each of the four must be there, active, with the right URL and API version; what the shop
 * tells of failures. */
void webhooks_look(const struct config *config, const json_t *list, struct findings *findings);

/* The delivery URL of the shop's webhook for updated orders (else for created ones) that delivers to /woo-order; "" if
 * there is none. Borrowed from the list, which may be NULL. */
const char *webhooks_url(const struct config *config, const json_t *list);

/* The store's value: when they were looked at last, ms since 1970, a blank, and what is wrong ("" = nothing). */
#define WEBHOOKS_SEEN "webhooks/seen"

/* Looks at the shop's webhooks; logs and raises what is wrong. True if one was set active: what it missed is to be read.
 * Each is set active at most once a day: one whose cause lasts is disabled again. */
bool webhooks_watch(struct app *app, struct woo *woo);
