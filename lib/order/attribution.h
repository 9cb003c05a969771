/*
 * attribution: where a customer came from, by what WooCommerce kept of the visit in the order's meta data.
 */
#pragma once

#include "order/template.h"

/* "newsletter / email" (utm_source, utm_medium), else the referrer's host, else "": a customer who typed the
 * address came from nowhere. malloc'ed; NULL when out of memory. */
char *attribution_of(const struct template_scope *scope);
