#include "sync/planned.h"
#include <stdio.h>
#include <string.h>

enum planned_result planned_make(const struct app *app, const char *bytes, size_t len,
                                 const struct order_headers *headers, const char *status, struct planned *out,
                                 struct order_verdict *verdict, struct error *e)
{
    *out = (struct planned){.headers = *headers};
    *verdict = order_parse(bytes, len, headers, &out->order);
    if (verdict->kind == ORDER_BAD_JSON)
        return !strcmp(verdict->reason, "out_of_memory") ? PLANNED_NO_MEMORY : PLANNED_BAD_JSON;
    if (verdict->kind == ORDER_NOT_ORDER)
        return PLANNED_NOT_ORDER;
    if (status && *status)
        out->order.status = status;
    switch (plan_make(&out->order, headers->source, &app->config, app->hash_key, &out->plan, e)) {
    case PLAN_OK: break;
    case PLAN_FOREIGN_SHOP: return PLANNED_FOREIGN;
    case PLAN_FAILED: return PLANNED_FAILED;
    }
    order_shrink(&out->order);
    snprintf(out->fingerprint, sizeof out->fingerprint, "%.32s", out->plan.fingerprint);
    return PLANNED_OK;
}

enum planned_result planned_unpack(const struct app *app, const struct buf *packed, const char *status,
                                   struct planned *out, struct order_verdict *verdict, struct error *e)
{
    struct delivery delivery;

    *out = (struct planned){0};
    *verdict = (struct order_verdict){.kind = ORDER_NOT_ORDER, .reason = "unreadable_body"};
    if (!delivery_unpack(packed->data, packed->len, &delivery)) {
        bool no_memory = delivery.no_memory;
        delivery_free(&delivery);
        return no_memory ? PLANNED_NO_MEMORY : PLANNED_NOT_ORDER;
    }
    enum planned_result result =
        planned_make(app, delivery.body, delivery.body_len, &delivery.headers, status, out, verdict, e);
    out->delivery = delivery;
    return result;
}

void planned_free(struct planned *planned)
{
    plan_free(&planned->plan);
    order_free(&planned->order);
    delivery_free(&planned->delivery);
}

void planned_part(const struct planned *planned, enum plan_part part, char out[RECORD_SHORT_SIZE])
{
    const char *hash = planned->plan.part_hash[part];

    out[0] = '\0';
    if (!*hash)
        return;
    if (part == PLAN_TAGS)
        snprintf(out, RECORD_SHORT_SIZE, "%.8s%.8s", hash, hash + PLAN_TAGS_HALF);
    else
        snprintf(out, RECORD_SHORT_SIZE, "%.16s", hash);
}
