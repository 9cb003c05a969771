#include "owner/letter.h"
#include "accept/accept.h"
#include "base/text.h"
#include "shop/reconcile.h"
#include <string.h>

/* -- reading -- */

void letter_free(struct letter *letter)
{
    buf_wipe(&letter->body);
}

enum store_result letter_read(struct app *app, const char *key, struct letter *letter)
{
    const struct order_record *record = &letter->reply.order;

    buf_init(&letter->body, STORE_BLOB_MAX);
    enum store_result result = store_read(app->store, key, NULL, &letter->reply);
    if (result != STORE_OK || !record->dead_ms)
        return result == STORE_OK ? STORE_NONE : result;
    result = *record->current.id ? store_blob(app->store, key, record->current.id, &letter->body) : STORE_OK;
    if (result == STORE_NONE || result == STORE_SEALED) {
        buf_wipe(&letter->body);
        result = STORE_OK;
    }
    return result;
}

bool letters_each(struct app *app, int64_t since_ms, letter_visit *take, void *context)
{
    struct store_walk walk;
    const struct store_entry *entry;
    struct store_sizes sizes;

    if (store_sizes(app->store, &sizes) != STORE_OK)
        return false;
    store_walk_begin(&walk, app->store, INDEX_DEAD, since_ms);
    while (sizes.count[INDEX_DEAD]-- > 0 && (entry = store_walk_next(&walk)) && take(app, entry, context))
        continue;
    return walk.result == STORE_OK;
}

/* -- retry, drop -- */

/* Its content was deleted: the shop still has it. OK, NONE with `why`. */
static enum store_result read_again(struct app *app, struct letter_change *change, const char *key)
{
    if (!*app->config.woo_url) {
        error_set(&change->why, "its content is not kept any more; it is taken anew when the shop sends its "
                                "next version. Set WOO_URL, "
                                "WOO_CONSUMER_KEY and WOO_CONSUMER_SECRET to have it read from the shop now");
        return STORE_NONE;
    }
    if (!change->woo)
        change->woo = woo_new(&app->config, app->log, app->stop, &change->why);
    return change->woo && reconcile_order(app, change->woo, key, &change->why) ? STORE_OK : STORE_NONE;
}

/* True if it is accepted now; otherwise `why` is set. */
static bool is_taken(const struct acceptance *acceptance, struct error *why)
{
    switch (acceptance->result) {
    case ACCEPTED_UNREAD: error_set(why, "it still holds too many values to be read: drop it"); return false;
    case ACCEPTED_BAD_JSON: error_set(why, "its bytes are still no JSON: drop it"); return false;
    case ACCEPTED_FOREIGN:
        error_set(why, "it is still of a shop that WOO_SHOPS does not name: name it, or drop it");
        return false;
    case ACCEPTED_AWAY:
    case ACCEPTED_REFUSED: *why = acceptance->trouble; return false;
    default: return true;
    }
}

/* Bytes that were no order, or no shop's, are delivered again. OK, NONE with `why`, UNAVAILABLE. */
static enum store_result deliver_again(struct app *app, struct letter_change *change, const char *key)
{
    struct letter letter = {0};
    struct acceptance acceptance;
    enum store_result result = letter_read(app, key, &letter);
    const struct order_body *body = &letter.reply.order.current;

    if (result == STORE_NONE)
        error_set(&change->why, "it is no dead letter; see 'woo_ghl failed list'");
    else if (result == STORE_OK &&
             !accept_packed(
                 app, letter.body.data, letter.body.len,
                 (struct accept_delivery){.origin = ORIGIN_SPOOL,
                                          .arrived_ago_ms = letter.reply.now_ms - body->accepted_ms},
                 &acceptance)) {
        error_set(&change->why, "%s",
                  *body->id
                      ? "no configured key opens it: set DATA_KEY_PREVIOUS or WOO_WEBHOOK_SECRET_PREVIOUS"
                      : "its bytes were no order, so it cannot be read from the shop again: drop it");
        result = STORE_NONE;
    } else if (result == STORE_OK) {
        result = is_taken(&acceptance, &change->why) ? orders_drop(&app->orders, key) : STORE_NONE;
    }
    letter_free(&letter);
    return result;
}

/* Its opportunity is looked for, and made again: `status` does not list it any more. */
static enum store_result forget_gone(struct app *app, const char *key)
{
    char name[RECORD_KEY_SIZE + sizeof SYNC_GONE];

    (void)text_format(name, sizeof name, SYNC_GONE "%s", key);
    enum store_result result = store_put(app->store, name, NULL, 0);
    return result == STORE_NONE ? STORE_OK : result;
}

enum store_result letter_retry(struct app *app, struct letter_change *change, const char *key)
{
    enum requeue requeue = REQUEUE_NONE;

    if (!strncmp(key, "bad:", 4) || !strncmp(key, "foreign:", 8))
        return deliver_again(app, change, key);
    enum store_result result = orders_requeue(&app->orders, key, &requeue);
    if (result == STORE_OK && requeue != REQUEUE_NONE)
        result = forget_gone(app, key);
    if (result != STORE_OK)
        return result;
    switch (requeue) {
    case REQUEUE_DUE: return STORE_OK;
    case REQUEUE_NO_BODY: return read_again(app, change, key);
    case REQUEUE_NONE: error_set(&change->why, "it is no dead letter; see 'woo_ghl failed list'"); break;
    }
    return STORE_NONE;
}

enum store_result letter_drop(struct app *app, struct letter_change *change, const char *key)
{
    error_set(&change->why, "it is no dead letter; see 'woo_ghl failed list'");
    return orders_drop(&app->orders, key);
}

void letter_change_free(struct letter_change *change)
{
    woo_free(change->woo);
}
