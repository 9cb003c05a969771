#include "worker/unspool.h"
#include "accept/accept.h"
#include "app/alert.h"
#include "app/ready.h"

/* Asked after a file was not taken: if the store answers this, it was the file, not the store. */
static bool store_answers(struct app *app)
{
    return orders_look(&app->orders) == STORE_OK;
}

static bool move_ids(struct app *app, const struct spool_ids *ids)
{
    unsigned others = 0;
    enum store_result result =
        orders_learn_late(&app->orders, ids->key, ids->contact_id, ids->opportunity_id, &others);

    if (result != STORE_OK && result != STORE_NONE)
        return false;
    if (others)
        alert_others(app, ids->key, others, ids->contact_id, ids->opportunity_id,
                     ids->clear_attempt && !*ids->opportunity_id);
    return true;
}

static enum spool_fate move_delivery(struct app *app, struct spool_item *item)
{
    struct acceptance acceptance;

    if (!accept_packed(
            app, item->delivery.packed, item->delivery.packed_len,
            (struct accept_delivery){.origin = ORIGIN_SPOOL, .arrived_ago_ms = item->arrived_ago_ms},
            &acceptance)) {
        /* a form of another version would be refused again and again */
        error_set(&item->why, "its content is no delivery as this version writes them: a version of woo_ghl "
                              "that knows it can move it, if the file gets its old name");
        return SPOOL_DAMAGED;
    }
    item->why = acceptance.trouble;
    return acceptance.result == ACCEPTED_AWAY || acceptance.result == ACCEPTED_REFUSED ? SPOOL_REFUSED
                                                                                       : SPOOL_TAKEN;
}

static enum spool_fate move_one(struct app *app, struct spool_item *item)
{
    if (item->kind == SPOOL_DELIVERY)
        return move_delivery(app, item);
    if (move_ids(app, &item->ids))
        return SPOOL_TAKEN;
    error_set(&item->why, "%s", store_trouble(app->store));
    return SPOOL_REFUSED;
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
    result = spool_begin(app->spool, false, &e);
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
