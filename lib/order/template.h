/*
 * template: "Order #{number}" -> text, over the order's JSON.
 *
 * {path} looks into the order's JSON ("{billing.first_name}"); a path through an array gives one value per
 * element ("{line_items.sku}"), a number picks one by its place ("{line_items.0.sku}"). {meta.KEY} is the
 * value of KEY in meta_data, the last one if there are several; KEY may hold any character but braces and
 * "|", and {line_items.meta.KEY} looks into each item's own. {path|none} gives "none" where there is no
 * value.
 * {{ and }} are literal braces, {,} is a literal comma where commas divide. Helpers are computed names:
 *
 *   {shop}           the shop's name            {number}     what people see; the id where a body has none
 *   {status}         without "wc-"              {customer.name}  first and last name, else the company
 *   {items}          "2 × Tee, 1 × Cap"         {value}      the total less the refunds
 *   {refunded}       the sum of the refunds, "0" = none
 *   {admin_url}      the order in wp-admin (see order.h)
 *   {customer_note}  with its lines
 *   {date_paid}, {date_created}  the day, "2026-11-25"
 *   {attribution}    where the customer came from: "newsletter / email", "www.example.org"
 */
#pragma once

#include "order/order.h"

#define TEMPLATE_VALUE_MAX                                                                                   \
    4096                      /* bytes of a value, and of a text; longer ones are cut at a character's end */
#define TEMPLATE_LIST_MAX 250 /* values that a list of templates gives at most; the first ones stay */
#define TEMPLATE_TAG_MAX 255  /* bytes of one such value */

/* What a template may look at. */
struct template_scope {
    const struct order *order;
    const char *shop; /* the shop's name */
};

/* Is the text well formed (braces match, every path has a legal form)? The error names the place and what is
 * right. */
bool template_check(const char *text, struct error *e) MUST_CHECK;

/* Can each path be one of an order's? What WooCommerce sends of an order, of billing and of shipping is
 * known; what plugins add to it is written with a default ("{their_field|}"), which is taken without a
 * question. The error names the path. The text is well formed. */
bool template_check_paths(const char *text, struct error *e) MUST_CHECK;

/* Does it use {name}? */
bool template_uses(const char *text, const char *name);

/* Does it use none but these names (NULL ends them)? */
bool template_uses_only(const char *text, const char *const *names);

/* One text of at most `max` bytes (TEMPLATE_VALUE_MAX and less), added to out: values of an array are joined
 * by ", ". HTML entities in values are decoded, control characters dropped. Where it would be longer its
 * longest values lose their ends ("..."), never what the template says itself, {number} and {id}. False when
 * the text is not well formed, or out of memory. `out` needs room for `max` bytes. */
bool template_render(const char *text, const struct template_scope *scope, size_t max,
                     struct buf *out) MUST_CHECK;

/* How many bytes the template says itself, defaults counted. The text is well formed. */
size_t template_literal_len(const char *text);

/* A list of templates divided by commas ("woocommerce, bought-{line_items.sku}") -> a new JSON array of
 * distinct, trimmed, lower-case strings, in order. A path through an array gives one string per element (two
 * such paths in one template go side by side, element by element); where a path has no value and no default
 * the string is left out. NULL when the text is not well formed or out of memory. */
json_t *template_list(const char *text, const struct template_scope *scope) MUST_CHECK;

/* The same of one template, where commas are literal and upper case stays: the values of a custom field that
 * takes several. */
json_t *template_values(const char *text, const struct template_scope *scope) MUST_CHECK;
