/*
 * intake_work: what the files of intake share. Only intake*.c include this.
 */
#ifndef WOO_GHL_INTAKE_WORK_H
#define WOO_GHL_INTAKE_WORK_H

#include "accept/accept.h"
#include "base/digest.h"
#include "plan/plan.h"

/* One request on its way down. */
struct visit {
    struct app *app;
    const struct request *request;
    struct response *response;
    struct buf body;
    struct order_headers headers;
    struct order order;
    struct plan plan;
    char client[DIGEST_HEX_SIZE]; /* hash of the address */
    char hmac[DIGEST_HEX_SIZE];   /* of the body */
    const char *key;              /* the order's, for the log; NULL until known */
    bool ready;                   /* the store can be asked */
    struct error not_ready;       /* why not */
    bool other_key;       /* the store's data key is another one: nothing was done, nothing answered */
    bool replayed;        /* no request: from the spool, from a worker that lost it, or read from the shop */
    bool again;           /* from a worker that lost it */
    bool sold;            /* the order is known to be sold, whatever this state is */
    bool fetched;         /* it was read from the shop */
    const char *only_key; /* the order must be this one; NULL = any may come */
    enum intake_fetched became; /* what became of it */
    struct error trouble;       /* why it FAILED */
    int64_t arrived_ago_ms;
};

/* From the order's bytes to the response, and to v->became. v->body and v->headers are set; what was signed.
 */
void intake_take_order(struct visit *v);

#endif
