/* Computed names of the template language: {items}, {value}, {customer.name} ... */
#include "base/text.h"
#include "order/attribution.h"
#include "order/contact.h"
#include "order/template_work.h"
#include <stdlib.h>
#include <string.h>

#define VALUE_PLACES 4

bool template_add_text(json_t *values, const char *text)
{
    if (json_array_size(values) >= TEMPLATE_LIST_MAX)
        return true;
    char *clean = text_clean(text, TEMPLATE_VALUE_MAX);
    bool good = clean && (!*clean || !json_array_append_new(values, json_string(clean)));
    free(clean);
    return good;
}

static bool help_shop(json_t *values, const struct template_scope *scope)
{
    return template_add_text(values, scope->shop);
}

static bool help_number(json_t *values, const struct template_scope *scope)
{
    return template_add_text(values, scope->order->number);
}

static bool help_status(json_t *values, const struct template_scope *scope)
{
    return template_add_text(values, scope->order->status);
}

static bool help_admin_url(json_t *values, const struct template_scope *scope)
{
    return template_add_text(values, scope->order->admin_url);
}

/* With the decimals that the shop writes: "30.80", not "30.8". */
static bool add_amount(json_t *values, const struct order *order, struct decimal amount)
{
    char text[DECIMAL_TEXT_SIZE];
    decimal_format(amount, VALUE_PLACES, text);
    size_t n = strlen(text), places = n - strcspn(text, ".");
    if (places == 0 && order->places > 0)
        text[n++] = '.';
    for (places -= places > 0; places < (size_t)order->places && n < sizeof text - 1; places++)
        text[n++] = '0';
    text[n] = '\0';
    return template_add_text(values, text);
}

static bool help_value(json_t *values, const struct template_scope *scope)
{
    struct decimal value;
    const struct order *order = scope->order;
    if (!order->has_total || !decimal_add(order->total, order->refunds, &value))
        return true;
    return add_amount(values, order, value);
}

static bool help_refunded(json_t *values, const struct template_scope *scope)
{
    const struct order *order = scope->order;
    if (!order->has_total)
        return true;
    return order->refunds.units ? add_amount(values, order, decimal_negate(order->refunds))
                                : template_add_text(values, "0");
}

static bool help_customer_name(json_t *values, const struct template_scope *scope)
{
    char *name = contact_name(scope->order);
    bool good = name && template_add_text(values, name);
    free(name);
    return good;
}

static bool help_customer_note(json_t *values, const struct template_scope *scope)
{
    char *note = text_clean_lines(json_text(scope->order->json, "customer_note"), TEMPLATE_VALUE_MAX);
    bool good = note && (!*note || !json_array_append_new(values, json_string(note)));
    free(note);
    return good;
}

static bool help_items(json_t *values, const struct template_scope *scope)
{
    struct json_walk walk = {.list = json_object_get(scope->order->json, "line_items")};
    bool good = true;
    for (const json_t *item; good && (item = json_walk(&walk));) {
        const char *quantity = json_text(item, "quantity"), *name = json_text(item, "name");
        struct buf line;
        if (!*name)
            continue;
        buf_init(&line, strlen(quantity) + strlen(name) + 8);
        good = buf_addf(&line, "%s \xc3\x97 %s", *quantity ? quantity : "1", name) &&
               template_add_text(values, line.data);
        buf_free(&line);
    }
    return good;
}

static bool help_attribution(json_t *values, const struct template_scope *scope)
{
    char *from = attribution_of(scope);
    bool good = from && template_add_text(values, from);
    free(from);
    return good;
}

/* The day of "2026-11-25T00:43:19", in the shop's own time zone. */
static bool add_day(json_t *values, const char *date)
{
    char day[11] = "";
    if (strlen(date) >= 10 && date[4] == '-' && date[7] == '-')
        memcpy(day, date, 10);
    return template_add_text(values, day);
}

static bool help_date_paid(json_t *values, const struct template_scope *scope)
{
    return add_day(values, json_text(scope->order->json, "date_paid"));
}

static bool help_date_created(json_t *values, const struct template_scope *scope)
{
    return add_day(values, json_text(scope->order->json, "date_created"));
}

static const struct {
    const char *name;
    template_helper *help;
} helpers[] = {
    {"shop", help_shop},
    {"number", help_number},
    {"status", help_status},
    {"admin_url", help_admin_url},
    {"value", help_value},
    {"refunded", help_refunded},
    {"customer.name", help_customer_name},
    {"customer_note", help_customer_note},
    {"items", help_items},
    {"date_paid", help_date_paid},
    {"date_created", help_date_created},
    {"attribution", help_attribution},
};

template_helper *template_find_helper(const char *name)
{
    for (size_t i = 0; i < sizeof helpers / sizeof *helpers; i++)
        if (!strcmp(helpers[i].name, name))
            return helpers[i].help;
    return NULL;
}
