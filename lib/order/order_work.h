/*
 * order_work: how an order is read, once a body is known to be one. Only order*.c include this.
 */
#pragma once

#include "order/order.h"

/* A whole number above 0, of up to 19 digits. */
bool order_read_id(const json_t *body, const char *key, char out[24]);

/* Each fills its part of the struct from its json. False when out of memory. */
bool order_read(struct order *order);       /* all but the next ones */
bool order_read_links(struct order *order); /* site, link_site, admin_url; the id is read */
