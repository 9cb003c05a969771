#include "order/order.h"
#include "base/clock.h"
#include "base/text.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ID_DIGITS_MAX 19
#define NUMBER_MAX 255 /* bytes of a number that are looked at, to know whether there is one */

/* -- why a body is no order -- */

static struct order_verdict not_order(const char *reason, const char *advice)
{
    struct order_verdict verdict = {ORDER_NOT_ORDER, reason, ""};
    (void)text_copy(verdict.advice, sizeof verdict.advice, advice);
    return verdict;
}

static struct order_verdict out_of_memory(void)
{
    return (struct order_verdict){ORDER_BAD_JSON, "out_of_memory", "out of memory while reading an order"};
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
    static const struct {
        const char *part, *advice;
    } known[] = {
        {"cannot_view",
         "the webhook's owner may not read orders (deleted, or lost rights): open the webhook in "
         "WooCommerce as an administrator and save it again"},
        {"invalid_id", "the order was deleted before its webhook ran: nothing is to be done"},
        {"rest_no_route",
         "the shop built the webhook inside another request, before its REST API was loaded: "
         "deliver webhooks from the queue (WooCommerce's default)"},
        {"authentication",
         "the shop's REST API refuses its own webhook: open the webhook in WooCommerce as an "
         "administrator and save it again"},
    };
    const char *advice = "save the webhook again in WooCommerce as an administrator";
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strstr(code, known[i].part)) {
            advice = known[i].advice;
            break;
        }
    struct order_verdict verdict = {ORDER_NOT_ORDER, "rest_error", ""};
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

/* Does a header say that this is something else than an order? */
static bool names_other(const struct order_headers *headers, struct order_verdict *verdict)
{
    if (!headers)
        return false;
    bool other_topic = present(headers->topic) && strncasecmp(headers->topic, "order.", 6) != 0;
    bool other_resource = present(headers->resource) && strcasecmp(headers->resource, "order") != 0;
    if (!other_topic && !other_resource)
        return false;
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
            return not_order("action",
                             "the webhook's topic is an action: choose \"Order created\" or \"Order "
                             "updated\" in WooCommerce");
        if (json_is_object(json_object_get(body, "order")))
            return not_order("legacy_api",
                             "the webhook speaks the legacy API: choose \"WP REST API Integration "
                             "v3\" as its API version in WooCommerce");
        return not_order("no_id", "the body has no id: it is no order of WooCommerce's REST API");
    }
    if (json_object_size(body) == 1)
        return not_order("other_resource", "a body of an id alone counts only with the topic order.deleted");
    return not_order("other_resource",
                     "the body has an id but is no order (an order has a status and a total): "
                     "choose \"Order created\" or \"Order updated\" in WooCommerce");
}

/* -- reading an order -- */

/* A whole number above 0; leading zeros (a string's only) are cut. Digits alone: "1e3" and "54.0" are no ids.
 */
static bool read_id(const json_t *body, char out[24])
{
    const char *text = json_text(body, "id");
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

/* What people see as the number; the id where nothing of it can be seen: a name must tell orders apart. */
static bool read_number(struct order *order)
{
    char *seen = text_clean(json_text(order->json, "number"), NUMBER_MAX);
    bool good = seen && (*seen || !json_object_set_new(order->json, "number", json_string(order->id)));
    free(seen);
    order->number = json_text(order->json, "number");
    return good;
}

/* WooCommerce writes a refund as "-5.00"; whatever the sign, a refund takes away. */
static struct decimal sum_refunds(const json_t *refunds)
{
    struct decimal sum = {0}, total;
    struct json_walk walk = {.list = refunds};
    for (const json_t *refund; (refund = json_walk(&walk));) {
        if (!decimal_parse(json_text(refund, "total"), &total))
            continue;
        if (total.units > 0)
            total = decimal_negate(total);
        if (!decimal_add(sum, total, &sum))
            break;
    }
    return sum;
}

static int64_t read_time(const json_t *body, const char *key)
{
    int64_t seconds;
    return clock_parse_iso(json_text(body, key), &seconds) && seconds > 0 ? seconds : 0;
}

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

/* The bytes of a URL's path that belong to the site itself: what comes before the REST API's part, in each of
 * WordPress's forms: /wp-json/..., /index.php/wp-json/..., /?rest_route=/..., /index.php?rest_route=/... */
static size_t site_path_len(const char *path)
{
    static const char *const part[] = {"/wp-json", "/index.php", "/?", "?", "#"};
    size_t n = strlen(path);
    for (size_t i = 0; i < sizeof part / sizeof *part; i++) {
        const char *at = strstr(path, part[i]);
        if (at && (size_t)(at - path) < n)
            n = (size_t)(at - path);
    }
    while (n > 0 && path[n - 1] == '/')
        n--;
    return n;
}

char *order_site(const char *url)
{
    bool secure = !strncasecmp(url, "https://", 8);
    if (!secure && strncasecmp(url, "http://", 7) != 0)
        return strdup("");
    const char *host = url + (secure ? 8 : 7);
    size_t host_len = strcspn(host, "/?#");
    const char *path = host + host_len;
    size_t path_len = site_path_len(path);
    for (size_t i = 0; i < host_len + path_len; i++)
        if ((unsigned char)host[i] <= ' ' || host[i] == '@' || host[i] == '\\')
            return strdup("");
    const char *port = secure ? ":443" : ":80";
    size_t port_len = strlen(port);
    if (host_len > port_len && !memcmp(host + host_len - port_len, port, port_len))
        host_len -= port_len;
    if (host_len > 0 && host[host_len - 1] == '.')
        host_len--;
    if (host_len == 0)
        return strdup("");

    char *site = malloc(host_len + path_len + 1);
    if (!site)
        return NULL;
    for (size_t i = 0; i < host_len; i++)
        site[i] = lower(host[i]);
    memcpy(site + host_len, path, path_len);
    site[host_len + path_len] = '\0';
    return site;
}

/* The signed links name the shop. Not every version sends them. */
static bool read_links(struct order *order)
{
    const json_t *links = json_object_get(order->json, "_links");
    struct json_walk walk = {.list = json_object_get(links, "self")};
    const char *href = json_text(json_walk(&walk), "href");
    order->site = order_site(href);
    if (!order->site)
        return false;
    if (!*order->site) {
        order->admin_url = strdup("");
        return order->admin_url != NULL;
    }
    const char *scheme = strncasecmp(href, "https:", 6) ? "http" : "https";
    if (asprintf(&order->admin_url, "%s://%s/wp-admin/post.php?post=%s&action=edit", scheme, order->site,
                 order->id) < 0) {
        order->admin_url = NULL;
        return false;
    }
    return true;
}

static bool read_order(struct order *order)
{
    json_t *body = order->json;
    if (!read_number(order))
        return false;
    order->status = json_text(body, "status");
    if (!strncmp(order->status, "wc-", 3))
        order->status += 3;
    order->currency = json_text(body, "currency");
    order->has_total = decimal_parse(json_text(body, "total"), &order->total);
    order->refunds = sum_refunds(json_object_get(body, "refunds"));
    order->created_s = read_time(body, "date_created_gmt");
    order->modified_s = read_time(body, "date_modified_gmt");
    return read_links(order);
}

static struct order_verdict judge(struct order *order, const struct order_headers *headers)
{
    struct order_verdict verdict = {ORDER_FULL, "", ""};
    const json_t *body = order->json;
    bool deleted = headers && present(headers->topic) && !strcasecmp(headers->topic, "order.deleted") &&
                   json_object_size(body) == 1 && has(body, "id");

    if (!json_is_object(body))
        return not_order("not_an_object",
                         "the body is JSON, but not an object: it is no order of WooCommerce's "
                         "REST API");
    if (names_other(headers, &verdict))
        return verdict;
    if (!deleted && !looks_like_order(body))
        return other_body(body);
    if (!read_id(body, order->id))
        return not_order("no_id",
                         "the body's id is no order number: it should be a whole number above 0, of up "
                         "to 19 digits");
    if (!read_order(order))
        return out_of_memory();
    if (deleted) {
        verdict.kind = ORDER_DELETED;
        order->status = "trash";
    }
    return verdict;
}

struct order_verdict order_parse(const char *bytes, size_t len, const struct order_headers *headers,
                                 struct order *out)
{
    *out = (struct order){.number = "", .status = "", .currency = ""};
    if (is_empty(bytes, len))
        return not_order("empty_body", "the body is empty: WooCommerce could not write this order as JSON (a "
                                       "plugin's broken meta data, often)");
    struct error e = ERROR_NONE;
    out->json = json_decode_exact(bytes, len, &e);
    if (!out->json) {
        struct order_verdict verdict = {ORDER_BAD_JSON, "bad_json", ""};
        (void)text_copy(verdict.advice, sizeof verdict.advice, e.text);
        return verdict;
    }
    struct order_verdict verdict = judge(out, headers);
    if (verdict.kind != ORDER_FULL && verdict.kind != ORDER_DELETED)
        order_free(out);
    return verdict;
}

void order_free(struct order *order)
{
    json_decref(order->json);
    free(order->site);
    free(order->admin_url);
    *order = (struct order){.number = "", .status = "", .currency = ""};
}

const char *order_billing(const struct order *order, const char *field)
{
    return json_text(json_object_get(order->json, "billing"), field);
}
