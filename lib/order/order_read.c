/* What an order says of itself: numbers, dates, amounts. */
#include "base/clock_date.h"
#include "base/text.h"
#include "order/amount.h"
#include "order/order_work.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PLACES_MAX 4 /* more decimals than this are a calculation's, not a currency's */

/* -- words -- */

/* Plain text of a bounded length, which stands in the json from now on; `otherwise` if nothing can be seen of
 * it. NULL when out of memory. */
static const char *read_word(struct order *order, const char *key, size_t max, const char *otherwise)
{
    const char *sent = json_text(order->json, key);
    char *word = text_clean(sent, max), *out = word;
    if (!word)
        return NULL;
    for (const char *s = word; *s; s++)
        if (*s != '<' && *s != '>')
            *out++ = *s;
    *out = '\0';
    bool good =
        !strcmp(word, sent) || !json_object_set_new(order->json, key, json_string(*word ? word : otherwise));
    free(word);
    return good ? json_text(order->json, key) : NULL;
}

/* What people see as the number, without the "#" that names put before it; the id if nothing of it can be
 * seen: a name must tell orders apart. */
static bool read_number(struct order *order)
{
    const char *word = read_word(order, "number", ORDER_WORD_MAX, "");
    if (!word)
        return false;
    const char *seen = word + strspn(word, "# ");
    char *number = strdup(*seen ? seen : order->id);
    bool good = number && !json_object_set_new(order->json, "number", json_string(number));
    free(number);
    order->number = json_text(order->json, "number");
    return good;
}

static bool read_words(struct order *order)
{
    order->status = read_word(order, "status", ORDER_WORD_MAX, "unknown");
    order->currency = read_word(order, "currency", ORDER_WORD_MAX, "");
    order->order_key = read_word(order, "order_key", ORDER_KEY_MAX, "");
    if (!order->status || !order->currency || !order->order_key)
        return false;
    if (!strncmp(order->status, "wc-", 3) && order->status[3])
        order->status += 3;
    return read_number(order);
}

/* -- what kind of order it is -- */

static bool says(const json_t *meta_data, const char *key)
{
    const json_t *value = order_meta(meta_data, key);
    const char *text = json_is_string(value) ? json_string_value(value) : "";
    return json_is_true(value) || (*text && strcmp(text, "0") != 0 && strcasecmp(text, "no") != 0);
}

/* A renewal names a subscription, and some versions its first order as the parent, too. */
static bool is_of_subscription(const json_t *body)
{
    static const char *const keys[] = {"_subscription_renewal", "_subscription_resubscribe",
                                       "_subscription_switch"};
    const json_t *meta_data = json_object_get(body, "meta_data");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (says(meta_data, keys[i]))
            return true;
    return !strcasecmp(json_text(body, "created_via"), "subscription");
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), len = strlen(end);
    return n >= len && !strcasecmp(text + n - len, end);
}

/* WordPress's stand-ins (wp_privacy_anonymize_data). It translates them, but neither address nor mark. */
static bool holds_stand_in(const json_t *person)
{
    struct json_walk walk = {.list = person};
    for (const json_t *value; (value = json_walk(&walk));) {
        const char *text = json_is_string(value) ? json_string_value(value) : "";
        text += strspn(text, " ");
        if (!strcasecmp(text, "[deleted]") || ends_with(text, "@site.invalid"))
            return true;
    }
    return false;
}

static bool is_erased(const json_t *body)
{
    return says(json_object_get(body, "meta_data"), "_anonymized") ||
           holds_stand_in(json_object_get(body, "billing")) ||
           holds_stand_in(json_object_get(body, "shipping"));
}

/* -- amounts -- */

static bool is_amount_like(const char *text)
{
    size_t n = strspn(text, "0123456789.,'+- ");
    return strpbrk(text, "0123456789") && n <= 24 && !text[n];
}

/* One amount of the order; `optional`: if there is none, it is 0. False: it is not known, and the note says
 * why. */
static bool read_amount(struct order *order, const char *name, const char *text, bool optional,
                        struct decimal *out)
{
    static const char *const why[] = {"", "is missing", "may be either of two amounts", "is no amount",
                                      "could not be read: out of memory"};
    int places;
    enum amount_result result = amount_parse(text, out, &places);
    if (result == AMOUNT_MISSING && optional) {
        *out = (struct decimal){0};
        return true;
    }
    if (result == AMOUNT_OK) {
        if (places > order->places && places <= PLACES_MAX)
            order->places = places;
        return true;
    }
    bool quote = is_amount_like(text);
    (void)text_format(order->amount_note, sizeof order->amount_note, "%s%s%s%s %s", name, quote ? " '" : "",
                      quote ? text : "", quote ? "'" : "", why[result]);
    return false;
}

/* WooCommerce writes a refund as "-5.00"; whatever the sign, a refund takes away. */
static bool read_refunds(struct order *order)
{
    struct json_walk walk = {.list = json_object_get(order->json, "refunds")};
    struct decimal total, left;
    size_t i = 0;
    for (const json_t *refund; (refund = json_walk(&walk)); i++) {
        char name[40];
        snprintf(name, sizeof name, "refunds.%zu.total", i);
        if (!read_amount(order, name, json_text(refund, "total"), true, &total))
            return false;
        if (total.units > 0)
            total = decimal_negate(total);
        if (!decimal_add(order->refunds, total, &order->refunds))
            break;
    }
    if (decimal_add(order->total, order->refunds, &left))
        return true;
    (void)text_copy(order->amount_note, sizeof order->amount_note,
                    "total less refunds has more than 18 digits");
    return false;
}

static void read_amounts(struct order *order)
{
    order->has_total = read_amount(order, "total", json_text(order->json, "total"), false, &order->total) &&
                       read_refunds(order);
}

/* -- dates -- */

static int64_t read_time(const json_t *body, const char *const keys[3])
{
    int64_t seconds;
    for (size_t i = 0; i < 3; i++)
        if (clock_parse_iso(json_text(body, keys[i]), &seconds) && seconds > 0)
            return seconds;
    return 0;
}

static void read_times(struct order *order)
{
    static const char *const created[] = {"date_created_gmt", "date_created", "created_at"},
                             *const paid[] = {"date_paid_gmt", "date_paid", "paid_at"},
                             *const modified[] = {"date_modified_gmt", "date_modified", "updated_at"};
    order->created_s = read_time(order->json, created);
    order->paid_s = read_time(order->json, paid);
    order->modified_s = read_time(order->json, modified);
}

bool order_read(struct order *order)
{
    if (!read_words(order))
        return false;
    if (!order_read_id(order->json, "parent_id", order->parent_id))
        order->parent_id[0] = '\0';
    order->sub_order = order->parent_id[0] && !is_of_subscription(order->json);
    order->erased = is_erased(order->json);
    read_amounts(order);
    read_times(order);
    return true;
}
