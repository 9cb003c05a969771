/*
 * webhooks_watch: a webhook that WooCommerce disabled is told to a person, and set active again if WOO_REENABLE says so.
 */
#pragma once

#include "app/app.h"
#include "shop/woo.h"

/* The store's value: when they were looked at last, ms since 1970, a blank, and what is wrong ("" = nothing). */
#define WEBHOOKS_SEEN "webhooks/seen"

/* Looks at the shop's webhooks; logs and raises what is wrong. True if one was set active: what it missed is to be read.
 * Each is set active at most once a day: one whose cause lasts is disabled again. */
bool webhooks_watch(struct app *app, struct woo *woo);
