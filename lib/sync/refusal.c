#include "sync/refusal.h"
#include <stdlib.h>
#include <string.h>

#define IN_A_ROW 3
#define TRIES 3
#define NAME "refusal"
#define ROW_TTL_MS (24LL * 3600 * 1000)

static bool keep(struct app *app, const char *name, const char *value, int64_t ttl_ms)
{
    if (store_put(app->store, name, value, ttl_ms, false, NULL) == STORE_OK)
        return true;
    log_event(app->log, LOG_LEVEL_WARN, "store", NULL, "A refusal could not be remembered: %s",
              store_trouble(app->store));
    return false;
}

/* The orders that were refused with these words, in a row until now. Owned by the caller; NULL = no memory.
 */
static json_t *row_of(struct app *app, const char *words)
{
    char *kept = NULL;
    json_t *row = NULL;

    if (store_get(app->store, NAME, &kept) == STORE_OK)
        row = json_loads(kept, 0, NULL);
    free(kept);
    if (row && !strcmp(json_text(row, "words"), words) && json_is_array(json_object_get(row, "orders")))
        return row;
    json_decref(row);
    return json_pack("{sss[]}", "words", words, "orders");
}

static bool holds(const json_t *orders, const char *key)
{
    size_t i;
    const json_t *order;

    json_array_foreach(orders, i, order)
    {
        if (json_is_string(order) && !strcmp(json_string_value(order), key))
            return true;
    }
    return false;
}

/* Those that were parked before it was clear that they are not at fault. */
static void put_back(struct app *app, const json_t *orders)
{
    size_t i;
    const json_t *order;

    json_array_foreach(orders, i, order)
    {
        const char *key = json_string_value(order);
        if (key && store_requeue(app->store, key) == STORE_UNAVAILABLE) {
            struct log_about about = {.order = key};
            log_event(app->log, LOG_LEVEL_WARN, "store", &about,
                      "It stays parked, see `woo_ghl failed retry`: %s", store_trouble(app->store));
        }
    }
}

bool refusal_is_configuration(struct app *app, const char *key, const struct ghl_answer *answer)
{
    char words[DIGEST_HEX_SIZE];

    if (answer->status != 400 && answer->status != 404 && answer->status != 422)
        return false;
    if (!digest_label_hex(app->hash_key, DIGEST_LEN, "ghl refusal", answer->words, sizeof answer->words,
                          words))
        return false;
    json_t *row = row_of(app, words), *orders = json_object_get(row, "orders");
    bool full = json_array_size(orders) >= IN_A_ROW, is_new = orders && !holds(orders, key);
    if (is_new && !full) {
        if (json_array_append_new(orders, json_string(key)) != 0)
            goto out;
        char *text = json_dumps(row, JSON_COMPACT);
        bool kept = text && keep(app, NAME, text, ROW_TTL_MS);
        free(text);
        if (!kept)
            goto out;
        if (json_array_size(orders) >= IN_A_ROW) {
            full = true;
            put_back(app, orders);
        }
    }
out:
    json_decref(row);
    return full;
}

void refusal_forget(struct app *app)
{
    char *kept = NULL;

    /* Looking costs no write; there is seldom anything to forget. */
    if (store_get(app->store, NAME, &kept) == STORE_OK && *kept)
        (void)keep(app, NAME, "", 1);
    free(kept);
}

bool refusal_is_final(struct app *app, const struct store_entry *entry)
{
    char name[160], count[2] = "1", *kept = NULL;

    if (snprintf(name, sizeof name, "refused:%s", entry->key) >= (int)sizeof name)
        return false;
    if (entry->attempts > 0 && store_get(app->store, name, &kept) == STORE_OK && *kept >= '1' &&
        *kept < '0' + TRIES)
        count[0] = (char)(*kept + 1);
    free(kept);
    (void)keep(app, name, count, app->config.retry_for_ms + ROW_TTL_MS);
    return count[0] >= '0' + TRIES;
}
