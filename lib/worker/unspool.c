#include "worker/unspool.h"
#include "accept/accept.h"
#include "app/alert.h"
#include "order/delivery.h"
#include <stdlib.h>

/* Asked after a file was not taken: if the store answers this, it was the file, not the store. */
static bool store_answers(struct app *app)
{
    char *value = NULL;
    enum store_result result = store_get(app->store, "spool", &value);

    free(value);
    return result != STORE_UNAVAILABLE;
}

static bool move_ids(struct app *app, const struct spool_ids *ids)
{
    unsigned others = 0;
    const struct store_progress progress = {.contact_id = ids->contact_id,
                                            .opportunity_id = ids->opportunity_id,
                                            .clear_attempt = ids->clear_attempt};

    /* Without a lease: ids are spooled when the store is away. */
    if (store_progress(app->store, ids->key, "", &progress, &others) == STORE_UNAVAILABLE)
        return false;
    if (others)
        alert_others(app, ids->key, others, ids->contact_id, ids->opportunity_id,
                     ids->clear_attempt && !*ids->opportunity_id);
    return true;
}

/* A form of another version would be refused again and again. */
static bool is_understood(struct spool_item *item)
{
    struct delivery delivery;
    bool good = delivery_unpack(item->delivery.packed, item->delivery.packed_len, &delivery);

    delivery_free(&delivery);
    if (!good)
        error_set(&item->why, "its content is no delivery as this version writes them: a version of woo_ghl "
                              "that knows it can move it, if the file gets its old name");
    return good;
}

static enum spool_fate move_one(struct app *app, struct spool_item *item)
{
    bool moved = false;

    if (item->kind == SPOOL_IDS)
        moved = move_ids(app, &item->ids);
    else if (is_understood(item))
        moved = intake_replay(app, item->delivery.packed, item->delivery.packed_len, item->arrived_ago_ms);
    else
        return SPOOL_DAMAGED;
    if (!moved)
        error_set(&item->why, "%s", store_trouble(app->store));
    return moved ? SPOOL_TAKEN : SPOOL_REFUSED;
}

static void end(struct app *app, struct spool_item *item, enum spool_fate fate)
{
    struct error line = ERROR_NONE;

    spool_end(app->spool, item, fate, &line);
    if (*line.text)
        log_event(app->log, fate == SPOOL_REFUSED ? LOG_LEVEL_WARN : LOG_LEVEL_ERROR, "spool", NULL, "%s",
                  line.text);
    if (*line.text && fate == SPOOL_DAMAGED)
        (void)alert_raise(app, ALERT_SPOOL, "%s", line.text);
}

long unspool(struct app *app)
{
    struct spool_item item = {0};
    struct error e = ERROR_NONE;
    enum spool_result result = SPOOL_NONE;
    bool answers = true;
    long moved = 0;

    if (!app->spool || !app_ready(app, &e))
        return 0;
    result = spool_begin(app->spool, &e);
    /* While the store is away no file is tried: each would count as refused. */
    if (result == SPOOL_OK && !store_answers(app))
        return 0;
    while (answers && result == SPOOL_OK && (result = spool_next(app->spool, &item, &e)) != SPOOL_NONE) {
        enum spool_fate fate = item.unreadable;
        if (result == SPOOL_FAILED)
            break;
        if (result == SPOOL_OK)
            fate = move_one(app, &item);
        /* Even if the store went away just now: another file is the first of the next pass. */
        answers = fate != SPOOL_REFUSED || result == SPOOL_UNREADABLE || store_answers(app);
        moved += fate == SPOOL_TAKEN;
        end(app, &item, fate);
        result = SPOOL_OK;
    }
    if (result == SPOOL_FAILED)
        log_event(app->log, LOG_LEVEL_ERROR, "spool", NULL, "%s", e.text);
    return result == SPOOL_FAILED ? -1 : moved;
}
