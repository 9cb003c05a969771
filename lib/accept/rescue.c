/* What was packed is accepted; above all what a worker could not hand back. */
#include "accept/accept.h"
#include <string.h>

/* A store that still has the order knows this version by its arrival. What the spool has of it comes before that, by more
 * than the spool's slack (queue/claim.c): never as news over what came since. */
#define SPOOLED_BEFORE_MS 2000

bool accept_packed(struct app *app, const char *packed, size_t len, struct accept_delivery how,
                   struct acceptance *acceptance)
{
    struct delivery delivery;
    bool good = delivery_unpack(packed, len, &delivery);

    how.bytes = delivery.body;
    how.len = delivery.body_len;
    how.packed = packed;
    how.packed_len = len;
    how.headers = delivery.headers;
    if (good) {
        accept_delivery(app, &how, acceptance);
    } else if (delivery.no_memory) {
        *acceptance = (struct acceptance){.result = ACCEPTED_REFUSED, .reason = "out_of_memory"};
        error_set(&acceptance->trouble, "out of memory");
        good = true;
    }
    delivery_free(&delivery);
    return good;
}

static bool accept_again(struct app *app, struct order_work *work, int64_t ago_ms, bool moved)
{
    struct acceptance acceptance;
    enum end end;

    if (!accept_packed(app, work->body.data, work->body.len,
                       (struct accept_delivery){.origin = ORIGIN_RECOVERED,
                                                .status = order_other_status(&work->record.current),
                                                .sold = work->record.sold,
                                                .moved = moved,
                                                .arrived_ago_ms = ago_ms},
                       &acceptance))
        return false;
    if (acceptance.result == ACCEPTED_AWAY || acceptance.result == ACCEPTED_REFUSED)
        return false;
    /* It stands under its right key now, and is done under the old one; else its lease runs out, and this is done again. */
    if (moved && orders_finish(&app->orders, work, &work->record.link, false, &end) == STORE_UNAVAILABLE)
        log_event(app->log, LOG_LEVEL_WARN, "store", NULL,
                  "The store did not take the end of an order's old key");
    return true;
}

void accept_rescue(struct app *app, struct order_work *work, const char *reason)
{
    struct error e = ERROR_NONE;
    struct log_about about = {.order = work->key};
    int64_t ago_ms = store_now_ms(app->store) - work->record.current.accepted_ms;
    const struct spool_delivery delivery = {.key = work->key,
                                            .packed = work->body.data,
                                            .packed_len = work->body.len,
                                            .arrived_ago_ms = (ago_ms > 0 ? ago_ms : 0) + SPOOLED_BEFORE_MS};

    bool moved = !strcmp(reason, SYNC_OTHER_KEY), answers = strcmp(reason, "store_unavailable") != 0;
    if (!work->body.len || (answers && accept_again(app, work, ago_ms > 0 ? ago_ms : 0, moved)) || moved)
        return;
    if (app->spool && spool_put_delivery(app->spool, &delivery, &e))
        log_event(app->log, LOG_LEVEL_WARN, "spooled", &about,
                  "The store went away while this order was in hand: the spool has it, too");
    else
        log_event(app->log, LOG_LEVEL_ERROR, "spool", &about,
                  "The store went away while this order was in hand, and the spool cannot take it: %s",
                  e.text);
}
