#include "accept/accept_log.h"
#include "app/alert.h"
#include "base/clock.h"
#include "base/text.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *accepted_name(enum accepted result)
{
    switch (result) {
    case ACCEPTED_SYNCED: return "synced";
    case ACCEPTED_DUPLICATE: return "duplicate";
    case ACCEPTED_STALE: return "stale";
    case ACCEPTED_IGNORED:
    case ACCEPTED_OTHER: return "ignored";
    case ACCEPTED_FOREIGN: return "foreign";
    case ACCEPTED_QUEUED: return "queued";
    case ACCEPTED_DEAD:
    case ACCEPTED_UNREAD: return "dead_letter";
    case ACCEPTED_BAD_JSON: return "bad_json";
    case ACCEPTED_SPOOLED: return "spooled";
    case ACCEPTED_AWAY:
    case ACCEPTED_REFUSED: break;
    }
    return "unavailable";
}

/* What changes nothing is counted only: redeliveries would push out of the journal what the owner looks for. */
static bool is_noted(const struct accept_delivery *delivery, enum accepted result)
{
    if (result == ACCEPTED_DUPLICATE || result == ACCEPTED_STALE || result == ACCEPTED_OTHER)
        return false;
    return delivery->origin == ORIGIN_WEBHOOK || (result != ACCEPTED_AWAY && result != ACCEPTED_REFUSED);
}

void accept_journal(struct app *app, const struct accept_delivery *delivery, const struct acceptance *a,
                    const char *hash, const char *status, int64_t took_ms)
{
    bool webhook = delivery->origin == ORIGIN_WEBHOOK;

    if (webhook) {
        tally_count(&app->tally, "received", accepted_name(a->result));
        if (*a->key)
            tally_add(&app->tally.counts, TALLY_LAST_ORDER, clock_wall_ms() / 1000);
    }
    if (is_noted(delivery, a->result))
        tally_note(&app->tally, &(struct tally_told){.kind = webhook ? "received" : "read",
                                                     .key = a->key,
                                                     .number = a->number,
                                                     .what = accepted_name(a->result),
                                                     .why = a->reason,
                                                     .id = hash,
                                                     .parts = status,
                                                     .took_ms = took_ms});
}

static struct log_about about_of(const struct acceptance *a)
{
    return (struct log_about){.order = a->key[0] ? a->key : NULL, .reason = a->reason[0] ? a->reason : NULL};
}

/* Most orders that reconcile reads are already known. */
static enum log_level level_of(const struct accept_delivery *delivery, enum log_level level)
{
    return delivery->origin == ORIGIN_FETCHED && level == LOG_LEVEL_INFO ? LOG_LEVEL_DEBUG : level;
}

void accept_about(const struct app *app, const struct accept_delivery *delivery,
                  const struct planned *planned, struct accept_about *about)
{
    (void)app;
    *about = (struct accept_about){.origin = delivery->origin, .outcome = planned->plan.outcome};
    snprintf(about->email, sizeof about->email, "%s", plan_email(&planned->plan));
}

void accept_log_spooled(struct app *app, const struct acceptance *a, bool kept, const char *trouble,
                        const char *spool_trouble)
{
    struct log_about about = about_of(a);

    if (kept)
        log_event(app->log, LOG_LEVEL_WARN, "spooled", &about,
                  "The store cannot take this delivery, the spool has it: %s", trouble);
    else
        log_event(app->log, LOG_LEVEL_ERROR, "spool", &about,
                  "Neither the store nor the spool can take this delivery: %s; %s", trouble, spool_trouble);
    (void)alert_raise(app, ALERT_STORE, "The store cannot take a delivery, the spool %s: %s",
                      kept ? "has it" : "cannot either", trouble);
}

void accept_log_unread(struct app *app, const struct acceptance *a, size_t len)
{
    struct log_about about = about_of(a);
    const char *why = a->result == ACCEPTED_UNREAD ? "holds too many values to be read" : "is not JSON";

    log_event(app->log, LOG_LEVEL_ERROR, a->reason, &about,
              "A signed body of %zu bytes %s; its bytes are kept", len, why);
    (void)alert_raise(app, ALERT_DEAD, "A signed body of %zu bytes %s; its bytes are kept", len, why);
}

void accept_log_ignored(const struct app *app, const struct accept_delivery *delivery,
                        const struct acceptance *a, enum log_level level, const char *advice)
{
    struct log_about about = about_of(a);
    log_event(app->log, level_of(delivery, level), "ignored", &about, "%s", advice);
}

void accept_log_foreign(struct app *app, const struct accept_delivery *delivery, const struct acceptance *a,
                        const char *why)
{
    struct log_about about = about_of(a);

    log_event(app->log, level_of(delivery, LOG_LEVEL_WARN), "foreign", &about, "%s", why);
    (void)alert_raise(app, ALERT_FOREIGN,
                      "Orders of another shop arrive with this shop's secret; they are kept and change "
                      "nothing in GHL (woo_ghl failed): %s",
                      why);
}

void accept_log_claimed(const struct app *app, const struct accept_delivery *delivery,
                        const struct acceptance *a, const struct planned *planned)
{
    struct log_about about = about_of(a);

    switch (a->result) {
    case ACCEPTED_DUPLICATE:
    case ACCEPTED_STALE:
        log_event(app->log, level_of(delivery, LOG_LEVEL_INFO), "skipped", &about, "Skipping %s Order #%s",
                  a->result == ACCEPTED_STALE ? "Stale" : "Duplicate", a->number);
        break;
    case ACCEPTED_QUEUED:
        about.email = plan_email(&planned->plan);
        log_event(app->log, LOG_LEVEL_INFO, "queued", &about, "Order #%s is stored and goes to GHL later",
                  a->number);
        break;
    case ACCEPTED_IGNORED:
        accept_log_ignored(app, delivery, a, LOG_LEVEL_INFO,
                           !strcmp(a->reason, "status_not_mapped")
                               ? "GHL_STATUS_MAP does not name this order status"
                           : !strcmp(a->reason, "sub_order") ? "SUB_ORDERS=ignore: its parent order counts"
                           : !strcmp(a->reason, "before_start")
                               ? "Its sale is from before woo_ghl was installed (SALES_SINCE)"
                               : "This order was never sold, so its end makes no opportunity");
        break;
    default: break;
    }
}

void accept_log_deleted_again(const struct app *app, const struct acceptance *a)
{
    struct log_about about = about_of(a);

    log_event(app->log, LOG_LEVEL_WARN, "deleted_again", &about,
              "A deletion came after this order was restored. If the order is not in the shop's bin, it is "
              "an old deletion that came late: `woo_ghl reconcile --since` a day before the order's last "
              "change corrects it");
}

void accept_log_worked(const struct app *app, const struct acceptance *a, const struct accept_about *of)
{
    struct log_about about = about_of(a);

    about.email = of->email;
    about.ghl_id = a->ghl_id;
    switch (a->result) {
    case ACCEPTED_SYNCED:
        about.reason = NULL;
        log_event(app->log, LOG_LEVEL_INFO, "synced", &about, "Order #%s is %s in GHL", a->number,
                  of->outcome == OUTCOME_IGNORE ? "up to date, its status as before,"
                                                : outcome_name(of->outcome));
        break;
    case ACCEPTED_IGNORED:
        about.email = NULL;
        log_event(app->log, LOG_LEVEL_INFO, "ignored", &about,
                  "Nothing to do in GHL for this version of the order");
        break;
    case ACCEPTED_QUEUED:
        log_event(app->log, LOG_LEVEL_INFO, "queued", &about, "Order #%s is stored and goes to GHL later",
                  a->number);
        break;
    default: break; /* a dead letter is told where it becomes one */
    }
}

/* Whoever deletes a refund tells nobody: reconcile reads the order again. */
static void note_refunds(struct app *app, const struct planned *planned)
{
    struct log_about about = {.order = planned->plan.key};
    struct json_walk walk = {.list = json_object_get(planned->order.json, "refunds")};
    char name[RECORD_KEY_SIZE + sizeof ACCEPT_REFUNDS], value[48], *kept = NULL;

    snprintf(value, sizeof value, "%" PRId64 " 0", store_now_ms(app->store) / 1000);
    if (json_walk(&walk) && text_format(name, sizeof name, ACCEPT_REFUNDS "%s", planned->plan.key) &&
        store_put_absent(app->store, name, value, ACCEPT_REFUNDS_TTL_MS, &kept) != STORE_OK)
        log_event(app->log, LOG_LEVEL_WARN, "store", &about,
                  "The store did not keep that this order has refunds; a deleted one is not noticed: %s",
                  store_trouble(app->store));
    free(kept);
}

void accept_note_plan(struct app *app, const struct planned *planned)
{
    const struct plan *plan = &planned->plan;
    struct log_about about = {.order = plan->key};

    note_refunds(app, planned);
    if (*plan->amount_note)
        log_event(app->log, LOG_LEVEL_WARN, "amount", &about, "%s", plan->amount_note);
    if (plan->erased) {
        app_count(app, "count/erased");
        log_event(app->log, LOG_LEVEL_WARN, "erased", &about,
                  "The shop erased this order's personal data: GHL gets none of the values that replaced it");
        (void)alert_raise(app, ALERT_ERASED,
                          "The shop erased the personal data of orders; GHL_ON_ERASE=%s says what becomes of "
                          "their contacts in GHL. See `woo_ghl status` for how many",
                          app->config.on_erase == ON_ERASE_KEEP    ? "keep"
                          : app->config.on_erase == ON_ERASE_BLANK ? "blank"
                                                                   : "delete");
    }
}

void accept_alert_unmapped(struct app *app, const struct planned *planned)
{
    struct log_about about = {.order = planned->plan.key};
    char name[80];
    snprintf(name, sizeof name, "unmapped/%.32s", planned->order.status);
    app_count(app, name);
    log_event(app->log, LOG_LEVEL_WARN, "unmapped", &about,
              "A paid order has the status \"%.32s\", which GHL_STATUS_MAP does not name: it makes no "
              "opportunity. To count it, add %.32s:won to GHL_STATUS_MAP",
              planned->order.status, planned->order.status);
    (void)alert_raise_of(app, ALERT_UNMAPPED, planned->order.status,
                         "Paid orders have the status \"%.32s\", which GHL_STATUS_MAP does not name: they "
                         "make no opportunity. To count them, add %.32s:won to GHL_STATUS_MAP",
                         planned->order.status, planned->order.status);
}

void accept_alert_not_order(struct app *app, const struct order_verdict *verdict)
{
    (void)alert_raise_of(
        app, ALERT_NOT_ORDER, verdict->reason,
        "The webhook delivers something that is no order, so orders may be lost until somebody acts: %s",
        verdict->advice);
}

void accept_alert_sub_order(struct app *app)
{
    (void)alert_raise(app, ALERT_SUB_ORDER,
                      "The shop has sub-orders (parts of a parent order). They are left out, as their parent "
                      "counts; to count them, set SUB_ORDERS=count");
}

void accept_alert_api_v1(struct app *app)
{
    alert_tell(app, ALERT_WEBHOOK, LOG_LEVEL_WARN, "webhooks",
               "The webhook has the API version 1: its orders tell no times in UTC, so which of two versions "
               "is newer is a guess. Choose WP REST API Integration v3 in WooCommerce > Settings > Advanced "
               "> Webhooks");
}
