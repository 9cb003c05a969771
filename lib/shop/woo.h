/*
 * woo: WooCommerce's REST API, WOO_URL/wp-json/wc/v3: reads orders, reads and writes webhooks.
 *
 * It knows nothing of the store or of GHL; it follows no redirect, and says what is to be set right when the shop
 * refuses.
 *
 * Facts, from WooCommerce's own sources and their history (github.com/woocommerce/woocommerce):
 * - Basic auth counts under https only: WC_REST_Authentication::authenticate looks at is_ssl(). The API needs
 *   permalinks other than Plain (developer.woocommerce.com/docs/apis/rest-api/).
 * - modified_after came with version 5.8 (pull request 30585); it is exclusive, to the second, and with
 *   dates_are_gmt (28132) in UTC: WC_REST_CRUD_Controller::prepare_objects_query. Versions before ignore it,
 * and orderby=modified is refused (400 rest_invalid_param) or known, as the version will.
 * - orderby=modified sorts by time, then by id; per_page is 1 to 100; X-WP-Total counts what matches. Orders
 * that the key's user may not read are left out of a page but not of that count: get_items of the same file.
 * - status=any is every status but those kept from searches: the bin is asked for by status=trash (21595).
 *   Moving an order there sets its modified time (OrdersTableDataStore::trash_order, wp_trash_post).
 * - Some changes leave the modified time alone: partial refunds before version 7.6 (28969, 37047), edited
 *   lines (34798). No list by time shows those.
 * - A webhook's secret, API version and count of failures are never told; one that is made gets API version 3, and a
 *   ping (class-wc-rest-webhooks-v1-controller.php). Setting it active leaves its count of failures.
 * - A page's orders are read after the list was made: one that is changed in between shows its later time.
 */
#pragma once

#include "base/http_client.h"
#include "base/json.h"
#include "base/log.h"
#include "config/config.h"

#define WOO_PAGE_MAX 100

struct woo; /* one per process */

enum woo_result {
    WOO_OK,
    WOO_REFUSED, /* a person has to set something right: the key, the address, the shop */
    WOO_AWAY,    /* no answer in time, 5xx, 429: it may be better later */
    WOO_NONE,    /* there is no order of that id */
    WOO_STOPPED, /* *stop was set */
};

/* config, log and stop must outlive it. WOO_URL must be set. NULL with the error set. */
struct woo *woo_new(const struct config *config, struct log *log, const volatile int *stop, struct error *e);
void woo_free(struct woo *woo);

/* One order of a page, as it was sent. */
struct woo_item {
    const char *bytes; /* into the page */
    size_t len;
    char id[24];        /* "" = it has none */
    int64_t modified_s; /* s since 1970; 0 = it has none */
};

/* Zero-initialise; filled anew by each call; woo_page_free after use. */
struct woo_page {
    struct woo_item *item; /* owned */
    size_t count;
    int64_t total;         /* orders that match, those before the offset too; -1 = not told */
    int64_t asked_mono_ms; /* when the shop was asked, */
    int64_t asked_s; /* and by the shop's clock or ours, whichever is behind, s since 1970: either may be set
                        back */
    struct http_answer answer;
};
void woo_page_free(struct woo_page *page);

struct woo_query {
    const char *status; /* "any", or "trash" */
    int64_t from_s;     /* modified then or later */
    size_t per_page;    /* 1 to WOO_PAGE_MAX. Lowered where the shop does not manage so many; stays so */
    size_t offset;
    const char *exclude; /* ids, a comma between them; "" = none */
};

/* The first of those that match, by modified time. Tries again a few times where that may help. All but OK
 * set the error. */
enum woo_result woo_orders(struct woo *woo, struct woo_query *query, struct woo_page *page,
                           struct error *e) MUST_CHECK;
/* The shop's webhooks: a JSON array of objects (id, name, status, topic, delivery_url ...), the caller's. */
enum woo_result woo_webhooks(struct woo *woo, json_t **list, struct error *e) MUST_CHECK;
/* Changes the webhook of this id, or makes one (id 0): `fields` are name, status, topic, delivery_url, secret. Tried
 * once. The key must be one that may write. */
enum woo_result woo_webhook_write(struct woo *woo, json_int_t id, const json_t *fields,
                                  struct error *e) MUST_CHECK;
/* One order, by its decimal digits; also from the bin. */
enum woo_result woo_order(struct woo *woo, const char *id, struct woo_page *page, struct error *e) MUST_CHECK;
