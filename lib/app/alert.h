/*
 * alert: tells a person. Runs ALERT_COMMAND with the alert's text on standard input.
 *
 * The same kind of alert is told at most once in ALERT_EVERY by all processes of the store together. The
 * command runs apart, in a session of its own: nobody waits for it, it holds none of our descriptors, and it
 * is killed after 30 s. The text never reaches the shell as code, and holds nothing personal.
 */
#ifndef WOO_GHL_ALERT_H
#define WOO_GHL_ALERT_H

#include "app/app.h"

enum alert_kind {
    ALERT_PAUSED,    /* a refused token or a wrong configuration: everything waits */
    ALERT_BREAKER,   /* GHL has not answered for minutes */
    ALERT_PARKED,    /* an order that GHL will not take */
    ALERT_EXPIRING,  /* parked orders that lose their content within 3 days */
    ALERT_UNDRAINED, /* orders wait and nothing drains */
    ALERT_CONFLICT,  /* a second card or contact of one order */
    ALERT_SPOOL,     /* files of the spool that cannot be opened */
    ALERT_STORE,     /* the store is away */
    ALERT_SILENT,    /* no signed order for ALERT_SILENCE */
    ALERT_SHOP,      /* a reconcile cannot read the shop's orders */
    ALERT_KINDS
};

/* True when this kind was due: it was told, if there is an ALERT_COMMAND. Never waits for the command. */
bool alert_raise(struct app *app, enum alert_kind kind, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Ids that a worker brought and that were not kept, because the store has others of this order
 * (STORE_OTHER_...). A second card is alerted, and a second contact where `created`: one without email and
 * phone. Another contact alone may be the same customer, merged or renamed in GHL. */
void alert_others(struct app *app, const char *key, unsigned others, const char *contact_id,
                  const char *card_id, bool created);

/* What no event tells: silence, parked orders that are about to lose their content, and trouble that lasts.
 * The drain looks now and then. */
void alert_look(struct app *app);

#endif
