/*
 * planned: a delivery as it is worked on: its headers and body, the order in it, and the plan for that order under
 * today's settings. accept makes one of what came; the drain makes one of what was stored.
 */
#pragma once

#include "app/app.h"
#include "order/delivery.h"
#include "plan/plan.h"

struct planned {
    struct order_headers headers; /* borrowed */
    struct order order;
    struct plan plan;
    struct delivery delivery;           /* only of a stored body: what headers and body point into */
    char fingerprint[RECORD_HASH_SIZE]; /* the plan's, as records keep it */
};

enum planned_result {
    PLANNED_OK,
    PLANNED_NO_MEMORY, /* nothing is known about the bytes */
    PLANNED_BAD_JSON,
    PLANNED_NOT_ORDER, /* verdict says what it is */
    PLANNED_FOREIGN,   /* another shop's: `e` names it */
    PLANNED_FAILED,    /* no plan can be made: `e` says why */
};

/* Parses and plans. `status` counts instead of the body's own; "" or NULL = the body's own. The bytes and headers must outlive
 * it. planned_free in every case. */
enum planned_result planned_make(const struct app *app, const char *bytes, size_t len,
                                 const struct order_headers *headers, const char *status, struct planned *out,
                                 struct order_verdict *verdict, struct error *e) MUST_CHECK;
/* The same of a stored body (delivery_pack'ed), which must outlive it. */
enum planned_result planned_unpack(const struct app *app, const struct buf *packed, const char *status,
                                   struct planned *out, struct order_verdict *verdict,
                                   struct error *e) MUST_CHECK;
void planned_free(struct planned *planned);

/* The hash of a part, as records keep it; "" = the plan has none. Of tags, one half is of those to add. */
void planned_part(const struct planned *planned, enum plan_part part, char out[RECORD_SHORT_SIZE]);
#define PLANNED_TAGS_HALF ((RECORD_SHORT_SIZE - 1) / 2)
