/* Orders that had refunds: whoever deletes one tells nobody. */
#include "accept/acceptance.h"
#include "shop/reconcile_work.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVERY_S (23 * 3600) /* a daily timer finds it due */
#define MAX 100             /* in one run */

/* It is kept when the order was read; one that the shop has no more is forgotten. */
static bool note_read(struct run *run, const char *name, int64_t noted_s, bool there)
{
    int64_t now_s = store_now_ms(run->app->store) / 1000,
            ttl_ms = ACCEPT_REFUNDS_TTL_MS - (now_s - noted_s) * 1000;
    char value[48];

    snprintf(value, sizeof value, "%" PRId64 " %" PRId64, noted_s, now_s);
    return store_put(run->app->store, name, there && ttl_ms > 0 ? value : NULL, ttl_ms) == STORE_OK;
}

/* Of several shops each is asked for its own: the others' orders are left to their runs. */
static enum reconcile_result read_one(struct run *run, const char *name, int64_t noted_s)
{
    struct woo_page page = {0};
    const char *key = name + strlen(ACCEPT_REFUNDS), *colon = strrchr(key, ':'),
               *id = colon ? colon + 1 : key;
    struct log_about about = {.order = key};
    bool other = false;

    http_answer_init(&page.answer);
    enum woo_result got = woo_order(run->woo, id, &page, run->e);
    enum reconcile_result result = got == WOO_NONE ? RECONCILE_DONE : reconcile_result_of(got);
    if (got == WOO_NONE && run->app->config.shops.count > 1)
        other = true;
    else if (got == WOO_NONE)
        log_event(run->app->log, LOG_LEVEL_WARN, "refunds", &about,
                  "The shop has no such order any more: it was deleted for good, which no webhook tells. GHL "
                  "keeps what it has");
    if (got == WOO_OK && !reconcile_take(run, &page, &page.item[0], key, &other))
        result = RECONCILE_STORE_AWAY;
    if (result == RECONCILE_DONE && !other && !note_read(run, name, noted_s, got == WOO_OK)) {
        error_set(run->e, "the store does not answer: %s", store_trouble(run->app->store));
        result = RECONCILE_STORE_AWAY;
    }
    woo_page_free(&page);
    return result;
}

static enum reconcile_result read_due(struct run *run, const struct buf *values)
{
    enum reconcile_result result = RECONCILE_DONE;
    int64_t now_s = store_now_ms(run->app->store) / 1000;
    const char *name, *value;
    size_t at = 0;
    int read = 0;

    while (result == RECONCILE_DONE && read < MAX && (name = store_next_value(values, &at, &value))) {
        char *rest;
        int64_t noted_s = strtoll(value, &rest, 10), read_s = strtoll(rest, NULL, 10);
        if (run->app->stop && *run->app->stop)
            return RECONCILE_STOPPED;
        if (now_s - (read_s ? read_s : noted_s) < EVERY_S)
            continue;
        result = read_one(run, name, noted_s);
        read++;
    }
    return result;
}

enum reconcile_result reconcile_refunds(struct run *run)
{
    enum reconcile_result result = RECONCILE_STORE_AWAY;
    struct buf values;

    buf_init(&values, STORE_BLOB_MAX);
    if (store_values(run->app->store, ACCEPT_REFUNDS, &values) == STORE_OK)
        result = read_due(run, &values);
    else
        error_set(run->e, "the store does not answer: %s", store_trouble(run->app->store));
    buf_free(&values);
    return result;
}
