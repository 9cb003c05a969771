#include "base/text.h"
#include "order/order_work.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ID_DIGITS_MAX 19

/* -- why a body is no order -- */

static struct order_verdict not_order(const char *reason, const char *advice)
{
    struct order_verdict verdict = {.kind = ORDER_NOT_ORDER, .reason = reason};
    (void)text_copy(verdict.advice, sizeof verdict.advice, advice);
    return verdict;
}

static struct order_verdict out_of_memory(void)
{
    return (struct order_verdict){
        .kind = ORDER_BAD_JSON, .reason = "out_of_memory", .advice = "out of memory while reading an order"};
}

/* A code of WordPress's form, which may be quoted in a log. */
static bool is_known_form(const char *code)
{
    size_t n = strspn(code, "abcdefghijklmnopqrstuvwxyz0123456789_-");
    return n > 0 && n <= 64 && !code[n];
}

/* What WordPress answers in the place of an order, when the webhook's job asks its own REST API for it. */
static struct order_verdict rest_error(const char *code)
{
    static const char owner[] = "the webhook's owner may not read orders (deleted, or lost rights): open the "
                                "webhook in WooCommerce as an administrator and save it again";
    static const struct {
        const char *part, *advice;
    } known[] = {
        {"cannot_view", owner},
        {"cannot_read", owner},
        {"invalid_id", "the order was deleted before its webhook ran: nothing is to be done"},
        {"rest_no_route", "the shop built the webhook inside another request, before its REST API was "
                          "loaded: deliver webhooks from the queue (WooCommerce's default)"},
        {"authentication", "the shop's REST API refuses its own webhook: open the webhook in WooCommerce as "
                           "an administrator and save it again"},
    };
    const char *advice = "save the webhook again in WooCommerce as an administrator", *part = NULL;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strstr(code, known[i].part)) {
            advice = known[i].advice;
            part = known[i].part;
            break;
        }
    struct order_verdict verdict = {.kind = ORDER_NOT_ORDER, .reason = "rest_error", .code = part};
    (void)text_format(verdict.advice, sizeof verdict.advice,
                      "WooCommerce sent the REST error %s instead of an order: %s",
                      is_known_form(code) ? code : "(of unknown form)", advice);
    return verdict;
}

static bool is_empty(const char *bytes, size_t len)
{
    if (len >= 3 && !memcmp(bytes, "\xEF\xBB\xBF", 3)) {
        bytes += 3;
        len -= 3;
    }
    for (size_t i = 0; i < len; i++)
        if (!strchr(" \t\r\n", bytes[i]) || !bytes[i])
            return false;
    return true;
}

static bool present(const char *header)
{
    return header && *header;
}

bool order_headers_fit(const struct order_headers *headers)
{
    return (!present(headers->topic) || !strncasecmp(headers->topic, "order.", 6)) &&
           (!present(headers->resource) || !strcasecmp(headers->resource, "order"));
}

/* Does a header say that this is something else than an order? */
static bool names_other(const struct order_headers *headers, struct order_verdict *verdict)
{
    if (!headers || order_headers_fit(headers))
        return false;
    if (present(headers->topic) && !strcasecmp(headers->topic, "action." ORDER_WEBHOOK_DISABLED)) {
        *verdict = not_order(
            "webhook_disabled",
            "WooCommerce disabled a webhook after seven failures in a row: set it to Active in WooCommerce > "
            "Settings > Advanced > Webhooks (or run `woo_ghl connect`), then run `woo_ghl reconcile`");
        return true;
    }
    bool action = (present(headers->topic) && !strncasecmp(headers->topic, "action.", 7)) ||
                  (present(headers->resource) && !strcasecmp(headers->resource, "action"));
    *verdict = action ? not_order("action", "the webhook's topic is an action: choose \"Order created\" or "
                                            "\"Order updated\" in WooCommerce")
                      : not_order("other_resource", "the webhook's topic is not about orders: choose \"Order "
                                                    "created\" or \"Order updated\" in WooCommerce");
    return true;
}

static bool is_text(const json_t *object, const char *key)
{
    return *json_text(object, key) != '\0';
}

static bool has(const json_t *object, const char *key)
{
    return json_object_get(object, key) != NULL;
}

/* An order has a status and one of these; a product, coupon, customer or refund has not both. */
static bool looks_like_order(const json_t *body)
{
    if (has(body, "billing_period") && has(body, "billing_interval"))
        return false; /* a subscription: its ids are not those of orders */
    return is_text(body, "status") &&
           (has(body, "total") || has(body, "line_items") || has(body, "billing") || has(body, "order_key"));
}

static struct order_verdict other_body(const json_t *body)
{
    if (!has(body, "id")) {
        if (is_text(body, "code") && has(body, "message"))
            return rest_error(json_text(body, "code"));
        const json_t *errors = json_object_get(body, "errors");
        if (json_is_array(errors) || json_is_object(errors))
            return rest_error(json_text(json_array_get(errors, 0), "code"));
        if (is_text(body, "action"))
            return not_order("action", "the webhook's topic is an action: choose \"Order created\" or "
                                       "\"Order updated\" in WooCommerce");
        if (json_is_object(json_object_get(body, "order")))
            return not_order("legacy_api", "the webhook speaks the legacy API: choose \"WP REST API "
                                           "Integration v3\" as its API version in WooCommerce");
        return not_order("no_id", "the body has no id: it is no order of WooCommerce's REST API");
    }
    if (json_object_size(body) == 1)
        return not_order("other_resource", "a body of an id alone counts only with the topic order.deleted");
    return not_order("other_resource",
                     "the body has an id but is no order (an order has a status and a total): choose \"Order "
                     "created\" or \"Order updated\" in WooCommerce");
}

/* -- reading an order -- */

/* Leading zeros (a string's only) are cut. Digits alone: "1e3" and "54.0" are no ids. */
bool order_read_id(const json_t *body, const char *key, char out[24])
{
    const char *text = json_text(body, key);
    size_t n = strspn(text, "0123456789");
    if (text[n])
        return false;
    while (*text == '0') {
        text++;
        n--;
    }
    if (n == 0 || n > ID_DIGITS_MAX)
        return false;
    memcpy(out, text, n + 1);
    return true;
}

static struct order_verdict judge(struct order *order, const struct order_headers *headers)
{
    struct order_verdict verdict = {.kind = ORDER_FULL, .reason = ""};
    const json_t *body = order->json;
    bool deleted = headers && present(headers->topic) && !strcasecmp(headers->topic, "order.deleted") &&
                   json_object_size(body) == 1 && has(body, "id");

    if (!json_is_object(body))
        return not_order("not_an_object",
                         "the body is JSON, but not an object: it is no order of WooCommerce's REST API");
    if (names_other(headers, &verdict))
        return verdict;
    if (!deleted && !looks_like_order(body))
        return other_body(body);
    if (!order_read_id(body, "id", order->id))
        return not_order(
            "no_id",
            "the body's id is no order number: it should be a whole number above 0, of up to 19 digits");
    if (!order_read(order) || !order_read_links(order))
        return out_of_memory();
    if (deleted) {
        verdict.kind = ORDER_DELETED;
        order->status = "trash";
    }
    return verdict;
}

static struct order order_none(void)
{
    return (struct order){.number = "", .status = "", .currency = "", .order_key = ""};
}

struct order_verdict order_parse(const char *bytes, size_t len, const struct order_headers *headers,
                                 struct order *out)
{
    *out = order_none();
    if (is_empty(bytes, len))
        return not_order("empty_body", "the body is empty: WooCommerce could not write this order as JSON (a "
                                       "plugin's broken meta data, often)");
    struct error e = ERROR_NONE;
    out->json = json_decode_exact(bytes, len, &e);
    if (!out->json && strstr(e.text, JSON_NO_MEMORY))
        return out_of_memory();
    if (!out->json) {
        struct order_verdict verdict = {
            .kind = ORDER_BAD_JSON, .reason = strstr(e.text, JSON_TOO_MANY) ? "too_many_values" : "bad_json"};
        (void)text_copy(verdict.advice, sizeof verdict.advice, e.text);
        return verdict;
    }
    struct order_verdict verdict = judge(out, headers);
    if (verdict.kind != ORDER_FULL && verdict.kind != ORDER_DELETED)
        order_free(out);
    return verdict;
}

void order_shrink(struct order *order)
{
    const char *name;
    json_t *value;
    void *next;

    json_object_foreach_safe(order->json, next, name, value)
    {
        if (json_is_array(value) ? strcmp(name, "refunds") != 0 : json_is_object(value))
            json_object_del(order->json, name);
    }
}

void order_free(struct order *order)
{
    json_decref(order->json);
    free(order->site);
    free(order->link_site);
    free(order->admin_url);
    *order = order_none();
}

const json_t *order_meta(const json_t *meta_data, const char *key)
{
    const json_t *found = NULL;
    struct json_walk walk = {.list = meta_data};
    for (const json_t *entry; (entry = json_walk(&walk));) {
        const json_t *name = json_object_get(entry, "key");
        if (json_is_string(name) ? !strcmp(json_string_value(name), key) : walk.key && !strcmp(walk.key, key))
            found = json_is_string(name) ? json_object_get(entry, "value") : entry;
    }
    return found;
}

const char *order_billing(const struct order *order, const char *field)
{
    return json_text(json_object_get(order->json, "billing"), field);
}
