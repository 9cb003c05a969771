#include "shop/woo.h"
#include "base/clock.h"
#include "base/crash.h"
#include "base/json.h"
#include "base/text.h"
#include "base/version.h"
#include "order/order.h"
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define WEBHOOK_PAGES 20
#define TRIES 3
#define ITEMS_MAX 1000 /* orders of a page: WooCommerce gives 100 at most, whatever is asked */
#define ANSWER_MAX (48UL * 1024 * 1024) /* a page of large orders */
#define LONGEST_WAIT_MS 60000
#define API "/wp-json/wc/v3"
#define URL_SIZE 16384

static const int64_t wait_ms[TRIES - 1] = {500, 1500};

struct woo {
    const struct config *config;
    struct log *log;
    const volatile int *stop;
    struct http *http;
    char *api;           /* owned: the address of the API, as the log may show it */
    char *authorization; /* owned: the header */
};

/* -- life cycle -- */

/* However the owner wrote it: the site's address, the API's, an order's. */
static char *api_of(const char *url)
{
    char *site = order_site(url), *api = NULL;

    if (site && *site &&
        asprintf(&api, "%s://%s" API, strncasecmp(url, "https:", 6) ? "http" : "https", site) < 0)
        api = NULL;
    free(site);
    return api;
}

static char *authorization_of(const struct config *config)
{
    static const char name[] = "Authorization: Basic ";
    struct buf plain;
    char *header = NULL;

    buf_init(&plain, 4096);
    if (buf_addf(&plain, "%s:%s", config->woo_consumer_key, config->woo_consumer_secret))
        header = malloc(sizeof name + 4 * (plain.len / 3 + 1));
    if (header) {
        memcpy(header, name, sizeof name);
        EVP_EncodeBlock((unsigned char *)header + sizeof name - 1, (const unsigned char *)plain.data,
                        (int)plain.len);
    }
    buf_wipe(&plain);
    return header;
}

struct woo *woo_new(const struct config *config, struct log *log, const volatile int *stop, struct error *e)
{
    struct woo *woo = calloc(1, sizeof *woo);

    if (woo) {
        *woo = (struct woo){.config = config, .log = log, .stop = stop};
        woo->api = api_of(config->woo_url);
        woo->authorization = authorization_of(config);
        woo->http = http_new("woo_ghl/" WOO_GHL_VERSION " (+reconcile)", config->ca_file, e);
    }
    if (woo && woo->api && woo->authorization && woo->http)
        return woo;
    if (!woo || woo->http) /* else it is explained */
        error_set(e, "WOO_URL, WOO_CONSUMER_KEY or WOO_CONSUMER_SECRET: out of memory, or too long");
    woo_free(woo);
    return NULL;
}

void woo_free(struct woo *woo)
{
    if (!woo)
        return;
    http_free(woo->http);
    free(woo->api);
    text_free_secret(woo->authorization);
    free(woo);
}

void woo_page_free(struct woo_page *page)
{
    free(page->item);
    http_answer_free(&page->answer);
    *page = (struct woo_page){.total = -1};
    http_answer_init(&page->answer);
}

/* -- what the shop answers instead -- */

/* The code of WordPress's error object, of a form that may be shown; "" = none. */
static void error_code(const struct http_answer *answer, char out[72])
{
    json_t *body = json_decode_exact(answer->body.data, answer->body.len, NULL);
    const char *code = json_text(body, "code");
    size_t n = strspn(code, "abcdefghijklmnopqrstuvwxyz0123456789_-");

    out[0] = '\0';
    if (n > 0 && n <= 64 && !code[n])
        snprintf(out, 72, " %s", code);
    json_decref(body);
}

static enum woo_result refuse_key(const struct woo *woo, const struct http_answer *answer, const char *code,
                                  struct error *e)
{
    long status = answer->status;
    bool plain = strncmp(woo->api, "https:", 6) != 0;

    if (!strcmp(code, " woocommerce_rest_authentication_error"))
        error_set(e,
                  "%s knows the key, but refuses it (%ld%s): WOO_CONSUMER_SECRET is not that key's secret, "
                  "or the key lacks the permission to read (connect and WOO_REENABLE: to write). See "
                  "WooCommerce > Settings > Advanced > REST API",
                  woo->api, status, code);
    else if (!*code && answer->asks_password)
        error_set(
            e,
            "%s is kept from us (%ld): the web server asks for a password of its own (HTTP basic auth), "
            "which takes the place of the key. Let /wp-json/wc/ and /woo-order through without it",
            woo->api, status);
    else if (!*code)
        error_set(e,
                  "%s is kept from us (%ld, and no answer of WooCommerce's): a firewall, a security plugin "
                  "or a password before the site must let this machine's requests through to /wp-json/wc/",
                  woo->api, status);
    else if (status == 401)
        error_set(e,
                  "%s does not know the key (%ld%s): WOO_CONSUMER_KEY is wrong or was revoked, or the shop's "
                  "web server drops the Authorization header (Apache: CGIPassAuth On)%s",
                  woo->api, status, code, plain ? "; WooCommerce takes a key over https alone" : "");
    else
        error_set(e,
                  "%s: the key's user may not do that (%ld%s): the key must belong to an administrator or a "
                  "shop manager",
                  woo->api, status, code);
    return WOO_REFUSED;
}

/* Where to instead, as WOO_URL wants it; "" = not told. */
static enum woo_result refuse_redirect(const struct woo *woo, const struct http_answer *answer,
                                       struct error *e)
{
    char *site = order_site(answer->location), *ours = order_site(woo->api);
    bool secure = !strncasecmp(answer->location, "https:", 6);

    /* To itself: nginx makes it of a directory that is asked for without its slash, because no rule of WordPress's takes
     * the address. */
    if (site && ours && *site && !strcmp(site, ours) && secure == !strncmp(woo->api, "https:", 6))
        error_set(
            e,
            "%s leads to itself (%ld): the shop's permalinks are Plain, or the web server does not hand its "
            "addresses to WordPress. Choose any other kind in WordPress > Settings > Permalinks",
            woo->api, answer->status);
    else if (site && *site)
        error_set(e, "%s leads elsewhere (%ld): WOO_URL must be the site's address as it answers: %s://%s",
                  woo->api, answer->status, secure ? "https" : "http", site);
    else
        error_set(e, "%s leads elsewhere (%ld): WOO_URL must be the site's address as it answers", woo->api,
                  answer->status);
    free(site);
    free(ours);
    return WOO_REFUSED;
}

/* Any status that is no success. */
static enum woo_result refuse(const struct woo *woo, const struct http_answer *answer, struct error *e)
{
    long status = answer->status;
    char code[72];

    error_code(answer, code);
    if (status == 429 || status >= 500) {
        error_set(e, "%s answers %ld%s: the shop cannot do it now", woo->api, status, code);
        return WOO_AWAY;
    }
    if (status >= 300 && status < 400)
        return refuse_redirect(woo, answer, e);
    if (status == 404 && strstr(code, "_invalid_id")) {
        error_set(e, "the shop has no such order any more (404%s)", code);
        return WOO_NONE;
    }
    if (status == 401 || status == 403)
        return refuse_key(woo, answer, code, e);
    if (status == 404)
        error_set(e, "%s is not there (404%s): %s", woo->api, code,
                  *code ? "WordPress answers, but WooCommerce is not active there: is the shop in a "
                          "subdirectory? Then WOO_URL names it, too: https://shop.example.com/shop"
                        : "WOO_URL must be the shop's address, with its subdirectory if it has one, and its "
                          "permalinks must not be Plain (WordPress > Settings > Permalinks)");
    else if (status == 400 && strstr(code, "_invalid_delivery_url"))
        error_set(e,
                  "%s does not take the webhook's delivery URL (400%s): it must be a public https:// address",
                  woo->api, code);
    else if (status == 400)
        error_set(e, "%s does not understand the question (400%s): WooCommerce 5.8 or newer is needed",
                  woo->api, code);
    else
        error_set(e, "%s answers %ld%s: is WOO_URL the shop's address?", woo->api, status, code);
    return WOO_REFUSED;
}

static enum woo_result refuse_content(const struct woo *woo, const struct http_answer *answer,
                                      struct error *e)
{
    const char *text = answer->body.data;
    char code[72];

    error_code(answer, code);
    text += strspn(text, " \t\r\n");
    if (*code)
        error_set(e, "%s answers an error instead of orders (%s)", woo->api, code + 1);
    else if (*text == '<')
        error_set(e,
                  "%s answers a web page, not JSON: a login, maintenance or firewall page, or a message that "
                  "a plugin prints before the orders; open that address in a browser, and mend what it shows",
                  woo->api);
    else
        error_set(e,
                  "%s answers %zu bytes that are no list of orders: is WOO_URL the shop's address, and is "
                  "nothing printed before or after the JSON?",
                  woo->api, answer->body.len);
    return WOO_REFUSED;
}

/* No answer at all. */
static enum woo_result no_answer(const struct woo *woo, enum http_result result,
                                 const struct http_answer *answer, struct error *e)
{
    if (woo->stop && *woo->stop) {
        error_set(e, "it was told to stop");
        return WOO_STOPPED;
    }
    if (answer->untrusted)
        error_set(e,
                  "%s: its certificate is not trusted (%s): let the web server send the whole chain, or name "
                  "the file of a private CA in CA_FILE",
                  woo->api, answer->error);
    else if (answer->timed_out)
        error_set(e, "%s does not answer within %" PRId64 " ms (WOO_TIMEOUT)", woo->api,
                  woo->config->woo_timeout_ms);
    else
        error_set(e, "%s does not answer: %s", woo->api, answer->error);
    return result == HTTP_UNUSABLE || answer->untrusted ? WOO_REFUSED : WOO_AWAY;
}

/* -- one call -- */

/* The path, which is formatted, follows the API's address. A body is sent by POST or PUT. */
static enum woo_result call(struct woo *woo, const char *method, const char *body, struct woo_page *page,
                            struct error *e, const char *path, ...) PRINTF_LIKE(6, 7);
static enum woo_result call(struct woo *woo, const char *method, const char *body, struct woo_page *page,
                            struct error *e, const char *path, ...)
{
    char url[URL_SIZE];
    size_t used = strlen(woo->api);
    va_list args;

    va_start(args, path);
    bool fits =
        text_copy(url, sizeof url, woo->api) && text_vformat(url + used, sizeof url - used, path, args);
    va_end(args);
    if (!fits) {
        error_set(e, "WOO_URL: out of memory, or the address is too long");
        return WOO_REFUSED;
    }
    const char *const headers[] = {woo->authorization, "Accept: application/json", "Cache-Control: no-cache",
                                   body ? "Content-Type: application/json" : NULL, NULL};
    const struct http_request request = {.method = method,
                                         .url = url,
                                         .headers = headers,
                                         .body = body,
                                         .body_len = body ? strlen(body) : 0,
                                         .fresh_connection = body != NULL,
                                         .timeout_ms = woo->config->woo_timeout_ms,
                                         .send_deadline_mono_ms = CLOCK_NEVER,
                                         .answer_max = ANSWER_MAX,
                                         .stop = woo->stop};
    int64_t asked_s = clock_wall_ms() / 1000;

    woo_page_free(page);
    page->asked_mono_ms = clock_mono_ms();
    enum http_result result = CRASH_AROUND("WOO", http_call(woo->http, &request, &page->answer));
    if (result != HTTP_ANSWERED)
        return no_answer(woo, result, &page->answer, e);
    int64_t date_s = page->answer.date_s, took_ms = clock_mono_ms() - page->asked_mono_ms;
    if (date_s > 0 && date_s - took_ms / 1000 - 1 < asked_s)
        asked_s = date_s - took_ms / 1000 - 1;
    page->asked_s = asked_s;
    page->total = page->answer.wp_total;
    return page->answer.status == 200 || (body && page->answer.status == 201) ? WOO_OK
                                                                              : refuse(woo, &page->answer, e);
}

/* A smaller page may be what the shop can do. True: once more. */
static bool try_again(const struct woo *woo, int tried, size_t *per_page, const struct http_answer *answer)
{
    int64_t wait = tried < TRIES - 1 ? wait_ms[tried] : 0;

    if (tried >= TRIES - 1 || answer->retry_after_ms > LONGEST_WAIT_MS)
        return false;
    if ((answer->too_long || answer->timed_out || answer->status >= 500) && *per_page > 1)
        *per_page = (*per_page + 3) / 4;
    if (answer->retry_after_ms > wait)
        wait = answer->retry_after_ms;
    return clock_sleep_ms(wait, woo->stop);
}

/* -- the page's orders -- */

static bool add_item(struct woo_page *page, const char *bytes, size_t len)
{
    struct woo_item *more = realloc(page->item, (page->count + 1) * sizeof *more);
    json_t *order = json_decode_exact(bytes, len, NULL);

    if (more)
        page->item = more;
    if (more && order) {
        struct woo_item *item = &page->item[page->count++];
        const char *id = json_text(order, "id");
        size_t n = strspn(id, "0123456789");
        *item = (struct woo_item){.bytes = bytes, .len = len};
        if (!id[n] && n < sizeof item->id)
            memcpy(item->id, id, n + 1);
        if (!clock_parse_iso(json_text(order, "date_modified_gmt"), &item->modified_s))
            item->modified_s = 0;
    }
    json_decref(order);
    return more && order;
}

static bool slice(struct woo_page *page)
{
    struct json_slices slices = {.text = page->answer.body.data, .len = page->answer.body.len};
    enum json_slice result;

    while ((result = json_slice(&slices)) == JSON_SLICE_ONE)
        if (page->count == ITEMS_MAX || !add_item(page, slices.element, slices.element_len))
            return false;
    return result == JSON_SLICE_END;
}

/* A version that does not know modified_after gives all there is. One order may be older than asked for: the
 * shop's object cache may lag behind its database. */
static bool knows_modified_after(const struct woo_page *page, int64_t from_s)
{
    for (size_t i = 0; i < page->count; i++)
        if (page->item[i].modified_s >= from_s)
            return true;
    return page->count == 0;
}

static enum woo_result ask_orders(struct woo *woo, const struct woo_query *query, struct woo_page *page,
                                  struct error *e)
{
    char after[32], offset[32] = "";

    clock_format_iso((query->from_s - 1) * 1000, after); /* exclusive */
    after[strcspn(after, ".")] = '\0';
    if (query->offset)
        snprintf(offset, sizeof offset, "&offset=%zu", query->offset);
    return call(woo, "GET", NULL, page, e,
                "/orders?status=%s&orderby=modified&order=asc&dates_are_gmt=true&modified_after=%s&per_page=%"
                "zu%s%s%s",
                query->status, after, query->per_page, offset, *query->exclude ? "&exclude=" : "",
                query->exclude);
}

enum woo_result woo_orders(struct woo *woo, struct woo_query *query, struct woo_page *page, struct error *e)
{
    enum woo_result result = ask_orders(woo, query, page, e);

    for (int tried = 0; result == WOO_AWAY && try_again(woo, tried, &query->per_page, &page->answer);
         tried++) {
        log_event(woo->log, LOG_LEVEL_WARN, "shop", NULL, "%s; once more, %zu orders at a time", e->text,
                  query->per_page);
        result = ask_orders(woo, query, page, e);
    }
    if (woo->stop && *woo->stop && result != WOO_OK)
        result = WOO_STOPPED;
    if (result == WOO_OK && !slice(page))
        result = refuse_content(woo, &page->answer, e);
    if (result == WOO_OK && !knows_modified_after(page, query->from_s)) {
        error_set(e,
                  "%s gives orders that nobody asked for: WooCommerce 5.8 or newer is needed, which knows "
                  "modified_after",
                  woo->api);
        result = WOO_REFUSED;
    }
    return result;
}

enum woo_result woo_order(struct woo *woo, const char *id, struct woo_page *page, struct error *e)
{
    enum woo_result result = call(woo, "GET", NULL, page, e, "/orders/%s", id);

    if (result == WOO_OK && !add_item(page, page->answer.body.data, page->answer.body.len))
        result = refuse_content(woo, &page->answer, e);
    return result;
}

/* One page of the webhooks, added to the list. *more: there may be others. */
static enum woo_result webhooks_page(struct woo *woo, int number, json_t *list, bool *more, struct error *e)
{
    struct woo_page page = {0};

    *more = false;
    http_answer_init(&page.answer);
    enum woo_result result =
        call(woo, "GET", NULL, &page, e, "/webhooks?per_page=%d&page=%d", WOO_PAGE_MAX, number);
    if (result == WOO_OK) {
        json_t *some =
            json_loadb(page.answer.body.data ? page.answer.body.data : "", page.answer.body.len, 0, NULL);
        if (!json_is_array(some) || json_array_extend(list, some) != 0)
            result = refuse_content(woo, &page.answer, e);
        *more = json_array_size(some) > 0;
        json_decref(some);
    }
    woo_page_free(&page);
    return result;
}

enum woo_result woo_webhooks(struct woo *woo, json_t **list, struct error *e)
{
    enum woo_result result = WOO_OK;
    bool more = true;

    *list = json_array();
    /* A shop may give fewer than it was asked for: only an empty page is the last. */
    for (int number = 1; result == WOO_OK && more && number <= WEBHOOK_PAGES; number++)
        result = webhooks_page(woo, number, *list, &more, e);
    if (result == WOO_OK)
        return result;
    json_decref(*list);
    *list = NULL;
    return result;
}

enum woo_result woo_webhook_write(struct woo *woo, json_int_t id, const json_t *fields, struct error *e)
{
    struct woo_page page = {0};
    enum woo_result result = WOO_REFUSED;
    char number[24] = "", *body = json_written(fields, JSON_COMPACT);

    http_answer_init(&page.answer);
    if (id)
        snprintf(number, sizeof number, "/%" JSON_INTEGER_FORMAT, id);
    if (body)
        result = call(woo, id ? "PUT" : "POST", body, &page, e, "/webhooks%s", number);
    else
        error_set(e, "out of memory");
    text_free_secret(body); /* it may hold that of the webhook */
    woo_page_free(&page);
    return result;
}
