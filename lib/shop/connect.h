/*
 * connect: what shop and GHL must have so that orders flow, as a plan of steps and their execution.
 *
 * The shop needs four webhooks (made, set active, or given the right URL); GHL needs the custom fields that the settings
 * name. What is right gets no step. A webhook's secret cannot be read: it is written with each change, and to all if it
 * is wished.
 */
#pragma once

#include "app/app.h"
#include "shop/woo.h"

struct connect_step {
    char *text;         /* owned: what is done, for people: "set the webhook ... active" */
    json_t *body;       /* owned: of the webhook or field */
    json_int_t webhook; /* the id of the webhook that is changed; 0 = one is made */
    bool field;         /* a custom field of GHL's is made */
};

/* Zero-initialise; connect_free. */
struct connect_plan {
    struct connect_step *step;
    size_t count;
};
void connect_free(struct connect_plan *plan);

struct connect_wishes {
    const char *url; /* the delivery URL */
    bool secret;     /* write the secret to every webhook */
    bool watch;      /* a fifth webhook, which tells that WooCommerce disabled another */
};

/* Each adds its steps. `webhooks` as of woo_webhooks, `fields` as of ghl_custom_fields. False when out of memory. */
bool connect_plan_webhooks(const struct config *config, const json_t *webhooks,
                           const struct connect_wishes *wishes, struct connect_plan *plan) MUST_CHECK;
bool connect_plan_fields(const struct config *config, const json_t *fields,
                         struct connect_plan *plan) MUST_CHECK;

/* Does one step. False with the error set. */
bool connect_do(struct app *app, struct woo *woo, const struct connect_step *step,
                struct error *e) MUST_CHECK;
