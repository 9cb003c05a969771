/* What WooCommerce's REST API (v1 to v3) sends of an order. */
#include "order.h"
#include <string.h>

static const char *const member[] = {
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
    "billing",
    "shipping",
    "line_items",
    "tax_lines",
    "shipping_lines",
    "fee_lines",
    "coupon_lines",
    "refunds",
    "meta",
    "meta_data",
    "_links",
};

static const char *const address[] = {
    "first_name", "last_name", "company", "address_1", "address_2", "city",
    "state",      "postcode",  "country", "email",     "phone",
};

static bool is_one_of(const char *name, size_t n, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(list[i]) == n && !memcmp(list[i], name, n))
            return true;
    return false;
}

bool order_may_have(const char *path)
{
    size_t n = strcspn(path, ".");
    if (!is_one_of(path, n, member, sizeof member / sizeof *member))
        return false;
    bool billing = n == 7 && !memcmp(path, "billing", n);
    bool shipping = n == 8 && !memcmp(path, "shipping", n);
    if (!billing && !shipping)
        return true;
    const char *field = path[n] ? path + n + 1 : "";
    return is_one_of(field, strlen(field), address, sizeof address / sizeof *address) &&
           (billing || strcmp(field, "email") != 0);
}
