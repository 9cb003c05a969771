/*
 * reconcile_work: what the two files of reconcile share: the run, and the walk over the shop's orders. Only they include
 * this.
 */
#pragma once

#include "shop/reconcile.h"

#define UNKNOWN_S INT64_MAX

/* One run. */
struct run {
    struct app *app;
    const struct reconcile_options *options;
    struct reconcile_counts *counts;
    struct error *e;
    struct woo *woo;
    int64_t began_s;            /* woo_page's asked_s; UNKNOWN_S until the shop answered */
    int64_t wanted_ms, lost_ms; /* the location's, as they were when it began */
    int64_t foreign_s; /* when the first order of another shop was modified; UNKNOWN_S = there is none */
};

/* Reads all orders of this WooCommerce status that changed since counts->since_s. */
enum reconcile_result reconcile_walk(struct run *run, const char *status) MUST_CHECK;
/* The orders that had refunds and were not read for that today, whenever modified; at most 100 in one run. */
enum reconcile_result reconcile_refunds(struct run *run) MUST_CHECK;
/* What the shop's answer means to the run. */
enum reconcile_result reconcile_result_of(enum woo_result result);
/* Takes one of them, if its key is only_key (NULL = any; *other: it is not). False, with the run's error set, if it could not be kept. */
bool reconcile_take(struct run *run, const struct woo_page *page, const struct woo_item *item,
                    const char *only_key, bool *other) MUST_CHECK;
