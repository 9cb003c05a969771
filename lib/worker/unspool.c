#include "worker/unspool.h"
#include "accept/accept.h"
#include "app/alert.h"
#include "order/delivery.h"

#define REFUSED_MAX 3 /* files in a row that could not be moved: the store is away, not they */

static bool move_ids(struct app *app, const struct spool_ids *ids)
{
    unsigned others = 0;
    const struct store_progress progress = {.contact_id = ids->contact_id,
                                            .opportunity_id = ids->opportunity_id,
                                            .clear_attempt = ids->clear_attempt};

    /* Without a lease: ids are kept where there are none. */
    if (store_progress(app->store, ids->key, "", &progress, &others) == STORE_UNAVAILABLE)
        return false;
    if (others)
        alert_others(app, ids->key, others, ids->contact_id, ids->opportunity_id,
                     ids->clear_attempt && !*ids->opportunity_id);
    return true;
}

static bool move_one(struct app *app, const struct spool_item *item)
{
    if (item->kind == SPOOL_IDS)
        return move_ids(app, &item->ids);
    return intake_replay(app, item->delivery.packed, item->delivery.packed_len, item->arrived_ago_ms);
}

/* A form of another version would be refused again and again, and hold up all that came later. */
static bool is_understood(struct spool_item *item)
{
    struct delivery delivery;

    if (item->kind == SPOOL_IDS)
        return true;
    bool good = delivery_unpack(item->delivery.packed, item->delivery.packed_len, &delivery);
    delivery_free(&delivery);
    if (!good) {
        item->unreadable = VAULT_DAMAGED;
        error_set(&item->why, "its content is no delivery as this version writes them: a version of woo_ghl "
                              "that knows it can move it, when the file has its old name");
    }
    return good;
}

static void set_aside(struct app *app, struct spool_item *item)
{
    struct error alert = ERROR_NONE;

    (void)spool_quarantine(app->spool, item, &alert); /* false = it comes again, and is said again */
    log_event(app->log, LOG_LEVEL_ERROR, "spool", NULL, "%s", alert.text);
    (void)alert_raise(app, ALERT_SPOOL, "%s", alert.text);
}

long unspool(struct app *app)
{
    struct spool_item item = {0};
    struct error e = ERROR_NONE;
    long moved = 0;
    int refused = 0;

    if (!app->spool || !app_ready(app, &e))
        return 0;
    spool_begin(app->spool);
    for (;;) {
        switch (spool_next(app->spool, &item, &e)) {
        case SPOOL_NONE:
        case SPOOL_BUSY: return moved;
        case SPOOL_FAILED: log_event(app->log, LOG_LEVEL_ERROR, "spool", NULL, "%s", e.text); return -1;
        case SPOOL_UNREADABLE: set_aside(app, &item); continue;
        case SPOOL_OK: break;
        }
        if (!is_understood(&item)) {
            set_aside(app, &item);
            continue;
        }
        if (!move_one(app, &item)) {
            /* One that the store never takes must not hold up all that came after it. */
            spool_release(app->spool, &item);
            if (++refused == REFUSED_MAX)
                return moved;
            continue;
        }
        refused = 0;
        if (!spool_remove(app->spool, &item, &e))
            log_event(app->log, LOG_LEVEL_ERROR, "spool", NULL, "%s", e.text);
        moved++;
    }
}
