/* What WooCommerce's REST API (v1 to v3, up to WooCommerce 10) sends of an order. */
#include "order/order.h"
#include <string.h>

static const char *const plain[] = {
    "id",
    "parent_id",
    "number",
    "order_key",
    "created_via",
    "version",
    "status",
    "currency",
    "currency_symbol",
    "prices_include_tax",
    "date_created",
    "date_created_gmt",
    "date_modified",
    "date_modified_gmt",
    "date_completed",
    "date_completed_gmt",
    "date_paid",
    "date_paid_gmt",
    "discount_total",
    "discount_tax",
    "shipping_total",
    "shipping_tax",
    "cart_tax",
    "cart_hash",
    "total",
    "total_tax",
    "customer_id",
    "customer_note",
    "customer_ip_address",
    "customer_user_agent",
    "payment_method",
    "payment_method_title",
    "payment_url",
    "transaction_id",
    "is_editable",
    "needs_payment",
    "needs_processing",
    NULL,
};

static const char *const billing[] = {"first_name", "last_name", "company", "address_1", "address_2", "city",
                                      "state",      "postcode",  "country", "email",     "phone",     NULL};
static const char *const shipping[] = {"first_name", "last_name", "company", "address_1", "address_2", "city",
                                       "state",      "postcode",  "country", "phone",     NULL};
static const char *const items[] = {"id",        "name",     "parent_name",  "product_id", "variation_id",
                                    "quantity",  "price",    "sku",          "total",      "global_unique_id",
                                    "total_tax", "subtotal", "subtotal_tax", "tax_class",  "taxes",
                                    "image",     "meta",     "meta_data",    NULL};
static const char *const taxes[] = {
    "id",           "rate_code", "rate_id", "label", "compound", "tax_total", "shipping_tax_total",
    "rate_percent", "meta_data", "meta",    NULL};
static const char *const shippings[] = {"id",        "method_title", "method_id", "instance_id",
                                        "total",     "total_tax",    "taxes",     "tax_status",
                                        "meta_data", "meta",         NULL};
static const char *const fees[] = {"id",         "name",  "amount",    "total", "total_tax", "tax_class",
                                   "tax_status", "taxes", "meta_data", "meta",  NULL};
static const char *const coupons[] = {
    "id",        "code", "discount", "discount_tax", "discount_type", "nominal_amount", "free_shipping",
    "meta_data", "meta", NULL};
static const char *const refunds[] = {"id", "reason", "total", NULL};

/* Members that hold more: an object, or a list of objects (`list`: a number may pick one). */
static const struct group {
    const char *name;
    const char *const *member; /* NULL = anything */
    bool list;
} groups[] = {
    {"billing", billing, false},     {"shipping", shipping, false}, {"line_items", items, true},
    {"tax_lines", taxes, true},      {"fee_lines", fees, true},     {"shipping_lines", shippings, true},
    {"coupon_lines", coupons, true}, {"refunds", refunds, true},    {"meta", NULL, false},
    {"meta_data", NULL, false},      {"_links", NULL, false},
};

/* Of the lines' members those that hold more; what, is not looked at. */
static const char *const deeper[] = {"taxes", "image", "meta", "meta_data", NULL};

static bool is_one_of(const char *name, size_t n, const char *const *list)
{
    for (; *list; list++)
        if (strlen(*list) == n && !memcmp(*list, name, n))
            return true;
    return false;
}

/* What follows the path's first segment, "" when nothing does; *n is that segment's length. */
static const char *after_segment(const char *path, size_t *n)
{
    *n = strcspn(path, ".");
    return path[*n] ? path + *n + 1 : "";
}

static bool group_may_have(const struct group *group, const char *path)
{
    size_t n;
    const char *rest = after_segment(path, &n);

    if (!group->member)
        return n > 0;
    if (group->list && n > 0 && strspn(path, "0123456789") == n) {
        path = rest;
        rest = after_segment(path, &n);
    }
    if (!is_one_of(path, n, group->member))
        return false;
    return is_one_of(path, n, deeper) ? *rest != '\0' : *rest == '\0';
}

bool order_may_have(const char *path)
{
    size_t n;
    const char *rest = after_segment(path, &n);

    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        if (strlen(groups[i].name) == n && !memcmp(groups[i].name, path, n))
            return group_may_have(&groups[i], rest);
    return !*rest && is_one_of(path, n, plain);
}
