/* What comes without a request: from the spool, from a worker that lost it, or read from the shop. */
#include "clock.h"
#include "delivery.h"
#include "intake_work.h"

/* A body that was signed when it came; `lost`: and that a worker had, or NULL. */
static bool replay(struct app *app, const void *packed, size_t len, int64_t arrived_ago_ms,
                   const struct store_entry *lost)
{
    struct delivery delivery;
    struct response response;
    const struct request request = {
        .method = "POST", .path = "/woo-order", .remote_addr = "", .arrived_mono_ms = clock_mono_ms()};
    struct visit v = {.app = app,
                      .request = &request,
                      .response = &response,
                      .ready = true,
                      .replayed = true,
                      .again = lost != NULL,
                      .sold = lost && lost->sold,
                      .arrived_ago_ms = arrived_ago_ms};

    response_init(&response);
    buf_init(&v.body, STORE_BODY_MAX);
    bool good = delivery_unpack(packed, len, &delivery) && buf_add(&v.body, delivery.body, delivery.body_len);
    if (good) {
        v.headers = delivery.headers;
        intake_take_order(&v);
        good = response.status < 500;
    }
    plan_free(&v.plan);
    order_free(&v.order);
    buf_wipe(&v.body);
    response_free(&response);
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
    struct response response;
    const struct request request = {
        .method = "POST", .path = "/woo-order", .remote_addr = "", .arrived_mono_ms = clock_mono_ms()};
    struct visit v = {.app = app,
                      .request = &request,
                      .response = &response,
                      .ready = true,
                      .replayed = true,
                      .fetched = true,
                      .only_key = read->only_key,
                      .headers = {"", "order", read->source},
                      .arrived_ago_ms = read->ago_ms};

    response_init(&response);
    buf_init(&v.body, STORE_BODY_MAX);
    if (buf_add(&v.body, read->bytes, read->len))
        intake_take_order(&v);
    else
        error_set(&v.trouble, "out of memory, or an order of more than %ld bytes", STORE_BODY_MAX);
    if (v.became == FETCHED_FAILED)
        *e = v.trouble;
    plan_free(&v.plan);
    order_free(&v.order);
    buf_wipe(&v.body);
    response_free(&response);
    return v.became;
}
