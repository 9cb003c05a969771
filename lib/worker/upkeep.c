#include "worker/upkeep.h"

#define EXPIRE_MAX 1000 /* records in one go */
#define EMPTY_MAX 1000  /* dead letters */
#define PAGE 50
#define EMPTIED "dead/emptied" /* the age up to which all dead letters lost their content, ms since 1970 */

/* Empties the page's letters that are older than until_ms. */
static enum store_result empty_page(struct app *app, const struct store_entry *list, size_t n,
                                    int64_t until_ms, long *emptied)
{
    for (size_t i = 0; i < n && list[i].at_ms <= until_ms; i++) {
        enum store_result result = orders_delete_body(&app->orders, list[i].key);
        if (result != STORE_OK && result != STORE_NONE)
            return result;
        *emptied += result == STORE_OK;
    }
    return STORE_OK;
}

static enum store_result empty_dead_letters(struct app *app)
{
    struct store_entry list[PAGE], last = {.at_ms = 0};
    int64_t until_ms = store_now_ms(app->store) - app->config.dead_letter_ttl_ms, began_ms;
    size_t n = PAGE;
    long emptied = 0;
    enum store_result result = app_number(app, EMPTIED, &began_ms);

    last.at_ms = began_ms;
    while (result == STORE_OK && n == PAGE && emptied < EMPTY_MAX && last.at_ms <= until_ms) {
        result = store_list(app->store, INDEX_DEAD, last.at_ms, last.key, PAGE, list, &n);
        if (result == STORE_OK)
            result = empty_page(app, list, n, until_ms, &emptied);
        if (n)
            last = list[n - 1];
    }
    if (emptied > 0)
        log_event(
            app->log, LOG_LEVEL_WARN, "expired", NULL,
            "%ld dead letters are older than DEAD_LETTER_TTL: their content was deleted, key and reason stay",
            emptied);
    int64_t reached_ms = last.at_ms < until_ms ? last.at_ms : until_ms;
    if (result == STORE_OK && emptied > 0 && reached_ms > began_ms)
        result = app_put_number(app, EMPTIED, reached_ms, 0);
    return result;
}

bool upkeep(struct app *app)
{
    long expired;

    return store_expire(app->store, EXPIRE_MAX, &expired) == STORE_OK && empty_dead_letters(app) == STORE_OK;
}
