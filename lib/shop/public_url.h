/*
 * public_url: does a delivery of the shop's reach this program? Asked from outside: through the URL that the webhooks
 * name, by the same web server, under the same rules.
 *
 * Two questions each to the URL and to the URL with a final slash, as WooCommerce would send them: an unsigned ping,
 * and a signed question of 200 KB that only this program with our secret can answer (order/proof.h). Certificates are
 * verified and no redirect is followed: WooCommerce takes one for success, and the order is lost.
 */
#pragma once

#include "base/finding.h"
#include "config/config.h"

/* The URL to ask, without its final slash: PUBLIC_URL, else that of the shop's active webhook for orders (a list of
 * woo_webhooks; NULL = not known), else WOO_URL/woo-order. malloc'ed; "" if none is known or PUBLIC_URL is "no"; NULL
 * when out of memory. */
char *public_url(const struct config *config, const json_t *webhooks) MUST_CHECK;

/* Asks all four; what answers them is one finding, with what to do. */
void public_url_look(const struct config *config, const char *url, struct findings *findings);
