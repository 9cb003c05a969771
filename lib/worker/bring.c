#include "worker/bring.h"
#include "accept/accept.h"
#include "app/left_behind.h"
#include <string.h>

#define WHENEVER (INT64_MAX / 2) /* when it was tried last says nothing */

/* The other store. */
struct other {
    struct app *app;
    struct orders orders;
    long moved;
};

/* This store, or the spool, has it. */
static bool is_kept(const struct acceptance *acceptance)
{
    return acceptance->result != ACCEPTED_AWAY && acceptance->result != ACCEPTED_REFUSED;
}

/* As it waited there. */
static bool deliver_kept(struct other *o, const struct buf *packed, const struct order_record *record)
{
    struct acceptance acceptance;
    int64_t ago_ms = store_now_ms(o->orders.store) - record->current.accepted_ms;

    return accept_packed(o->app, packed->data, packed->len,
                         (struct accept_delivery){.origin = ORIGIN_SPOOL,
                                                  .arrived_ago_ms = ago_ms > 0 ? ago_ms : 0,
                                                  .modified_s = record->modified_s,
                                                  .status = order_other_status(&record->current),
                                                  .sold = record->sold,
                                                  .moved = true},
                         &acceptance) &&
           is_kept(&acceptance);
}

/* What the old store knows of GHL. An order whose id was given out again is looked for instead. */
static bool bring_ids(struct other *o, const struct order_work *work)
{
    const struct order_link *link = &work->record.link;
    unsigned others = 0;

    if ((!link->contact[0] && !link->opportunity[0]) || link->gone_ms || strchr(work->key, '/'))
        return true;
    return orders_learn_late(&o->app->orders, work->key, link->contact, link->opportunity, &others) ==
           STORE_OK;
}

/* A create may still come true: only the store that recorded it can wait for it. */
static bool is_under_way(const struct other *o, const struct order_work *work)
{
    const struct order_attempt *attempt = &work->record.attempt;

    return attempt->kind != ATTEMPT_NONE && !attempt->refused &&
           orders_attempt_age_ms(&o->orders, work) < attempt->window_ms;
}

/* The order, with what waits behind it. False: this store does not take it now. */
static bool bring_waiting(struct other *o, const char *key)
{
    struct order_work work = {0};
    struct order_link link;
    enum end end = END_NEXT;
    bool good = true;

    if (orders_lease(&o->orders, key, WHENEVER, &work) != STORE_OK) /* a worker has it, or no key opens it */
        return true;
    while (good && end == END_NEXT) {
        link = work.record.link;
        link.unsettled_ms = 0; /* this store knows of no part what GHL holds */
        bool waits = is_under_way(o, &work);
        good = !waits && bring_ids(o, &work) && deliver_kept(o, &work.body, &work.record);
        if (good) {
            good = orders_finish(&o->orders, &work, &link, true, &end) == STORE_OK;
            o->moved += good;
        } else if (orders_retry(&o->orders, &work, &work.record.link, 0, false, false,
                                "left behind, and not brought yet") == STORE_OK &&
                   waits) {
            order_work_free(&work);
            return true;
        }
    }
    order_work_free(&work);
    return good;
}

static bool bring_dead(struct other *o, const char *key)
{
    struct store_reply reply;
    struct buf body;
    bool good = true;

    buf_init(&body, STORE_BLOB_MAX);
    if (store_read(o->orders.store, key, NULL, &reply) == STORE_OK && reply.order.current.id[0] &&
        store_blob(o->orders.store, key, reply.order.current.id, &body) == STORE_OK) {
        good = deliver_kept(o, &body, &reply.order) && orders_drop(&o->orders, key) == STORE_OK;
        o->moved += good;
    }
    buf_wipe(&body);
    return good;
}

/* Each once: what has to wait there stands further behind then. */
static void bring_all(struct other *o, enum order_index index, bool (*bring)(struct other *, const char *key))
{
    struct store_walk walk;
    const struct store_entry *entry;
    struct store_sizes sizes;

    if (store_sizes(o->orders.store, &sizes) != STORE_OK)
        return;
    store_walk_begin(&walk, o->orders.store, index, 0);
    while (sizes.count[index]-- > 0 && (entry = store_walk_next(&walk)))
        if ((o->app->stop && *o->app->stop) || !bring(o, entry->key))
            return;
}

static void bring_from(const struct app *app, const struct config *there, void *context)
{
    struct other o = {.app = context};
    struct error e = ERROR_NONE;
    char server[RECORD_ID_SIZE];

    if (!left_behind_is_ours(app, there))
        return;
    struct store *store = store_open(there, o.app->crypt, o.app->log, &e);
    if (store && store_server(store, server) == STORE_OK) {
        store_shift_clock(store, o.app->shift_ms);
        store_trust(store, server); /* nothing is decided by what it knows */
        orders_init(&o.orders, store, there, o.app->log);
        o.orders.leaves = true;
        bring_all(&o, INDEX_DUE, bring_waiting);
        bring_all(&o, INDEX_DEAD, bring_dead);
    }
    store_close(store);
    if (o.moved)
        log_event(o.app->log, LOG_LEVEL_WARN, "brought", NULL,
                  "%ld orders and dead letters that waited in %s with REDIS_PREFIX=%s are in this store now",
                  o.moved, *there->redis_url ? "Redis" : "the embedded store", there->redis_prefix);
}

void bring_left_behind(struct app *app)
{
    left_behind_each(app, bring_from, app);
}
