/*
 * template: "Order #{number}" -> text, over the order's JSON.
 *
 * {path} looks into the order's JSON ("{billing.first_name}"); a path through an array gives one value per
 * element.
 * {{ and }} are literal braces. Helpers are computed names ("{shop}", "{status}").
 */
#ifndef WOO_GHL_TEMPLATE_H
#define WOO_GHL_TEMPLATE_H

#include "order.h"

#define TEMPLATE_VALUE_MAX 4096 /* bytes of a rendered value; longer ones are cut at a character's end */

/* What a template may look at. */
struct template_scope {
    const struct order *order;
    const char *shop; /* the shop's name */
};

/* Is the text well formed (braces match, every path has a legal form)? The error names the place and what is
 * right. */
bool template_check(const char *text, struct error *e) MUST_CHECK;

/* Does it use {name}? */
bool template_uses(const char *text, const char *name);

/* One text: values of an array are joined by ", ". HTML entities in values are decoded, control characters
 * dropped. False only when out of memory or over TEMPLATE_VALUE_MAX of literal text. */
bool template_render(const char *text, const struct template_scope *scope, struct buf *out) MUST_CHECK;

/* One text per value: "bought-{line_items.sku}" gives one for each line. A text with an empty value in it is
 * left out. The texts are handed to take, cleaned; at most TEMPLATE_VALUES_MAX of them. False when out of
 * memory, or take says so. */
#define TEMPLATE_VALUES_MAX 100
bool template_each(const char *text, const struct template_scope *scope,
                   bool (*take)(void *context, const char *value), void *context) MUST_CHECK;

#endif
