/* What comes without a request: from the spool, from a worker that lost it, or read from the shop. */
#include "accept/accept_work.h"
#include "base/clock.h"
#include "order/delivery.h"

/* There is none that asks, or that hears the answer. */
struct unasked {
    struct request request;
    struct response response;
    struct visit visit;
};

static void begin(struct unasked *u, struct app *app, int64_t arrived_ago_ms)
{
    *u = (struct unasked){
        .request = {.method = "POST",
                    .path = "/woo-order",
                    .remote_addr = "",
                    .arrived_mono_ms = clock_mono_ms()},
        .visit = {.app = app, .ready = true, .replayed = true, .arrived_ago_ms = arrived_ago_ms}};
    u->visit.request = &u->request;
    u->visit.response = &u->response;
    response_init(&u->response);
    buf_init(&u->visit.body, STORE_BODY_MAX);
}

static void end(struct unasked *u)
{
    plan_free(&u->visit.plan);
    order_free(&u->visit.order);
    buf_wipe(&u->visit.body);
    response_free(&u->response);
}

/* A body that was signed when it came; `lost`: and that a worker had, or NULL. */
static bool replay(struct app *app, const void *packed, size_t len, int64_t arrived_ago_ms,
                   const struct store_entry *lost)
{
    struct delivery delivery;
    struct unasked u;

    begin(&u, app, arrived_ago_ms);
    u.visit.again = lost != NULL;
    u.visit.sold = lost && lost->sold;
    bool good =
        delivery_unpack(packed, len, &delivery) && buf_add(&u.visit.body, delivery.body, delivery.body_len);
    if (good) {
        u.visit.headers = delivery.headers;
        intake_take_order(&u.visit);
        good = u.response.status < 500;
    }
    end(&u);
    delivery_free(&delivery);
    return good;
}

bool intake_replay(struct app *app, const void *packed, size_t len, int64_t arrived_ago_ms)
{
    return replay(app, packed, len, arrived_ago_ms, NULL);
}

void intake_keep(struct app *app, const struct store_entry *entry, bool store_answers)
{
    struct error e = ERROR_NONE;
    struct log_about about = {.order = entry->key};
    const struct spool_delivery delivery = {.key = entry->key,
                                            .packed = entry->body,
                                            .packed_len = entry->body_len,
                                            .arrived_ago_ms =
                                                entry->age_ms + clock_mono_ms() - entry->asked_mono_ms};

    if (!entry->body ||
        (store_answers && replay(app, entry->body, entry->body_len, delivery.arrived_ago_ms, entry)))
        return;
    if (app->spool && spool_put_delivery(app->spool, &delivery, &e))
        log_event(app->log, LOG_LEVEL_WARN, "spooled", &about,
                  "The store went away while this order was in hand: the spool has it, too");
    else
        log_event(app->log, LOG_LEVEL_ERROR, "spool", &about,
                  "The store went away while this order was in hand, and the spool cannot take it: %s",
                  e.text);
}

enum intake_fetched intake_fetch(struct app *app, const struct intake_read *read, struct error *e)
{
    struct unasked u;

    begin(&u, app, read->ago_ms);
    u.visit.fetched = true;
    u.visit.only_key = read->only_key;
    u.visit.headers = (struct order_headers){"", "order", read->source};
    if (buf_add(&u.visit.body, read->bytes, read->len))
        intake_take_order(&u.visit);
    else
        error_set(&u.visit.trouble, "out of memory, or an order of more than %ld bytes", STORE_BODY_MAX);
    if (u.visit.became == FETCHED_FAILED)
        *e = u.visit.trouble;
    end(&u);
    return u.visit.became;
}
