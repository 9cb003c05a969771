/*
 * accept_log: what the log and the owner are told about a delivery. Only lib/accept includes this.
 */
#pragma once

#include "accept/acceptance.h"

/* What stays true of an order while its plan is used up. */
struct accept_about {
    enum origin origin;
    enum outcome outcome;
    char email[320];
};
void accept_about(const struct app *app, const struct accept_delivery *delivery,
                  const struct planned *planned, struct accept_about *about);

void accept_log_spooled(struct app *app, const struct acceptance *a, bool kept, const char *trouble,
                        const char *spool_trouble);
void accept_log_unread(struct app *app, const struct acceptance *a, size_t len);
void accept_log_ignored(const struct app *app, const struct accept_delivery *delivery,
                        const struct acceptance *a, enum log_level level, const char *advice);
void accept_log_foreign(struct app *app, const struct accept_delivery *delivery, const struct acceptance *a,
                        const char *why);
/* Duplicate, stale, queued, ignored: what the claim said. */
void accept_log_claimed(const struct app *app, const struct accept_delivery *delivery,
                        const struct acceptance *a, const struct planned *planned);
/* A deletion came, which has no date, after the order was restored. */
void accept_log_deleted_again(const struct app *app, const struct acceptance *a);
/* What the work brought. */
void accept_log_worked(const struct app *app, const struct acceptance *a, const struct accept_about *about);
/* What the plan could not read, what the shop erased, and that the order has refunds (ACCEPT_REFUNDS). */
void accept_note_plan(struct app *app, const struct planned *planned);

/* Counts it, and notes what the owner should find in the journal. hash: of the body. */
void accept_journal(struct app *app, const struct accept_delivery *delivery, const struct acceptance *a,
                    const char *hash, const char *status, int64_t took_ms);

/* A paid order makes no opportunity, because its status is not mapped. */
void accept_alert_unmapped(struct app *app, const struct planned *planned);
void accept_alert_not_order(struct app *app, const struct order_verdict *verdict);
void accept_alert_sub_order(struct app *app);
void accept_alert_api_v1(struct app *app); /* logs it as well, as often */
