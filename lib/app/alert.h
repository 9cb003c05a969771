/*
 * alert: tells a person, by ALERT_COMMAND and ALERT_URL (alert_send.h), of what happened, since when, what it costs and
 * what there is to do; and of the end of what lasts.
 *
 * The same kind of alert is told at most once in ALERT_EVERY by all processes of the store together. Nobody waits for it.
 * The text never reaches the shell as code, and holds nothing personal.
 */
#pragma once

#include "app/app.h"

enum alert_kind {
    ALERT_PAUSED,    /* a refused token or a wrong configuration: everything waits */
    ALERT_BREAKER,   /* GHL has not answered for minutes */
    ALERT_DEAD,      /* an order that GHL will not take */
    ALERT_EXPIRING,  /* dead letters that lose their content within 3 days */
    ALERT_UNDRAINED, /* orders wait and nothing drains */
    ALERT_CONFLICT,  /* a second opportunity or contact of one order */
    ALERT_LIMIT,     /* GHL takes no calls for long */
    ALERT_LATE,      /* an order waits longer than RETRY_FOR */
    ALERT_SPOOL,     /* files of the spool that cannot be opened */
    ALERT_SEALED,    /* bodies that wait and no configured key opens */
    ALERT_STORE,     /* the store is away */
    ALERT_SILENT,    /* no signed order for ALERT_SILENCE */
    ALERT_SHOP,      /* a reconcile cannot read the shop's orders */
    ALERT_WEBHOOK,   /* WooCommerce disabled a webhook, or somebody paused it */
    ALERT_NOT_ORDER, /* the webhook delivers what is no order */
    ALERT_FOREIGN,   /* another shop's orders arrive */
    ALERT_UNMAPPED,  /* paid orders have a status that is not mapped */
    ALERT_ERASED,    /* the shop erased orders' personal data */
    ALERT_SUB_ORDER, /* sub-orders are left out */
    ALERT_LEFT,      /* orders wait in a location or a store that the settings name no more */
    ALERT_KINDS
};

/* From now on another process sends alerts for this one, which may start none itself any more (confined.h). It ends when
 * this one does. */
void alert_begin_apart(struct app *app);

/* True when this kind was due: it was told, if the settings say how. Each subject has its own turn; that is for what does
 * not last. Never waits. */
bool alert_raise_of(struct app *app, enum alert_kind kind, const char *subject, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
#define alert_raise(app, kind, ...) alert_raise_of(app, kind, "", __VA_ARGS__)
/* Raises it, and says it in the log, too, as often as it is told. */
void alert_tell(struct app *app, enum alert_kind kind, enum log_level level, const char *event,
                const char *text);
/* It is not there now. If it was told, and stays away for 5 minutes, an all-clear follows, once. For what lasts. */
void alert_over(struct app *app, enum alert_kind kind);

/* What could not be sent before is tried again, if it is time. */
void alert_again(struct app *app);

/* One that tries the way (`check --alert`); the caller's; NULL when out of memory. */
json_t *alert_test(struct app *app);

/* Ids that a worker brought and that were not kept, because the store has others of this order (OTHER_..., rules.h). A
 * second opportunity is an alert, and so is a second contact if it was `created`: one without email and phone. Another
 * contact alone may be the same customer, merged or renamed in GHL. */
void alert_others(struct app *app, const char *key, unsigned others, const char *contact_id,
                  const char *opportunity_id, bool created);

/* A signed delivery came: it is not silent. */
void alert_not_silent(struct app *app);

/* What no event tells: silence, dead letters that are about to lose their content, and trouble that lasts. The drain
 * looks now and then. */
void alert_look(struct app *app);
