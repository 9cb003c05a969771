/*
 * shop: which of the configured shops an order belongs to, so that a staging copy never writes into GHL.
 */
#pragma once

#include "config/config.h"
#include "order/order.h"

/* The shop's name, borrowed from the configuration; NULL = none of WOO_SHOPS, or out of memory.
 *
 * No entry: always SHOP. One entry: SHOP, unless the body's signed links name another host (or another path,
 * where the entry has one); a body without links (a deletion) is judged by `source`, where there is one.
 * Several: the one whose alias is the links' host and path; a body without links takes the one that matches
 * `source`, the unsigned X-WC-Webhook-Source (NULL or "" = absent).
 *
 * An alias that is the very address comes first. Then "www." makes no difference, nor does a language's
 * directory (order_site_normalise) that the alias does not have; of several the longest alias counts. */
const char *shop_of(const struct order *order, const char *source, const struct config *config);

/* Where the delivery comes from (order_site, normalised): by the links, or, without any, by `source` (NULL = absent),
 * which is not signed, so that it may only refuse. "" = neither says. malloc'ed; NULL when out of memory. */
char *shop_site(const struct order *order, const char *source);
