#include "worker/upkeep.h"

#define EXPIRE_MAX 1000        /* records in one go */
#define EMPTY_MAX 1000         /* dead letters */
#define EMPTIED "dead/emptied" /* the age up to which all dead letters lost their content, ms since 1970 */

static enum store_result empty_dead_letters(struct app *app)
{
    struct store_walk walk;
    const struct store_entry *entry;
    int64_t until_ms = store_now_ms(app->store) - app->config.dead_letter_ttl_ms, began_ms, reached_ms = 0;
    long emptied = 0;
    enum store_result result = app_number(app, EMPTIED, &began_ms);

    store_walk_begin(&walk, app->store, INDEX_DEAD, began_ms);
    while (result == STORE_OK && emptied < EMPTY_MAX && (entry = store_walk_next(&walk)) &&
           entry->at_ms <= until_ms) {
        result = orders_delete_body(&app->orders, entry->key);
        emptied += result == STORE_OK;
        if (result == STORE_NONE)
            result = STORE_OK;
        reached_ms = entry->at_ms;
    }
    if (result == STORE_OK)
        result = walk.result;
    if (emptied > 0)
        log_event(
            app->log, LOG_LEVEL_WARN, "expired", NULL,
            "%ld dead letters are older than DEAD_LETTER_TTL: their content was deleted, key and reason stay",
            emptied);
    if (result == STORE_OK && emptied > 0 && reached_ms > began_ms)
        result = app_put_number(app, EMPTIED, reached_ms, 0);
    return result;
}

bool upkeep(struct app *app)
{
    long expired;

    return store_expire(app->store, EXPIRE_MAX, &expired) == STORE_OK && empty_dead_letters(app) == STORE_OK;
}
