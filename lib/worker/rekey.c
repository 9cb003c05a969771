#include "worker/rekey.h"

static bool seal_order(struct app *app, const char *key, struct rekey_counts *counts)
{
    switch (orders_seal_anew(&app->orders, key, &counts->blobs)) {
    case STORE_OK: return true;
    case STORE_NONE: counts->in_hand++; return true;
    case STORE_SEALED:
        counts->locked++;
        error_set(&counts->why, "%s: %s", key, store_trouble(app->store));
        return true;
    default: error_set(&counts->why, "%s: %s", key, store_trouble(app->store)); return false;
    }
}

/* What comes meanwhile is sealed with the current key as it comes. */
static bool seal_orders(struct app *app, enum order_index index, struct rekey_counts *counts)
{
    struct store_walk walk;
    const struct store_entry *entry;

    store_walk_begin(&walk, app->store, index, 0);
    while ((entry = store_walk_next(&walk)))
        if ((app->stop && *app->stop) || !seal_order(app, entry->key, counts))
            return false;
    if (walk.result != STORE_OK)
        error_set(&counts->why, "%s", store_trouble(app->store));
    return walk.result == STORE_OK;
}

static enum spool_fate seal_file(const struct app *app, struct spool_item *item)
{
    bool good = item->kind == SPOOL_DELIVERY ? spool_put_delivery(app->spool, &item->delivery, &item->why)
                                             : spool_put_ids(app->spool, &item->ids, &item->why);
    return good ? SPOOL_TAKEN : SPOOL_REFUSED;
}

static bool seal_spool(struct app *app, struct rekey_counts *counts)
{
    struct spool_item item = {0};
    struct spool_stats stats;
    struct error line;
    enum spool_result result = spool_begin(app->spool, true, &counts->why);

    while (result == SPOOL_OK) {
        result = spool_next(app->spool, &item, &counts->why);
        if (result != SPOOL_OK && result != SPOOL_UNREADABLE)
            break;
        enum spool_fate fate = result == SPOOL_OK ? seal_file(app, &item) : item.unreadable;
        counts->files += fate == SPOOL_TAKEN;
        counts->in_hand += fate == SPOOL_REFUSED;
        spool_end(app->spool, &item, fate, &line);
        if (*line.text)
            log_event(app->log, LOG_LEVEL_ERROR, "spool", NULL, "%s", line.text);
        result = SPOOL_OK;
    }
    if (result == SPOOL_FAILED || !spool_stats(app->spool, &stats, &counts->why))
        return false;
    counts->locked += stats.locked;
    if (stats.locked)
        counts->why = stats.needs;
    return true;
}

bool rekey(struct app *app, struct rekey_counts *counts)
{
    *counts = (struct rekey_counts){0};
    return seal_orders(app, INDEX_DUE, counts) && seal_orders(app, INDEX_DEAD, counts) &&
           (!app->spool || seal_spool(app, counts));
}
