/* What the drain looks for on the alerts' behalf. */
#include "app/alert.h"
#include <stdio.h>
#include <stdlib.h>

#define PAGE 100
#define SPOOL_OLD_MS (15LL * 60 * 1000) /* a file that a drain has not moved by then */
#define EXPIRY_NOTICE_S (3LL * 24 * 3600)

static void look_at_switches(struct app *app, const struct store_stats *stats)
{
    if (stats->paused)
        (void)alert_raise(app, ALERT_PAUSED, "Everything waits for %lld s, no order is lost: %s",
                          (long long)stats->pause_age_s, stats->pause_reason);
}

static void look_for_silence(struct app *app, const struct store_stats *stats)
{
    int64_t since_s = stats->delivery_age_s < 0 ? stats->born_age_s : stats->delivery_age_s;

    if (app->config.alert_silence_ms <= 0 || since_s < app->config.alert_silence_ms / 1000)
        return;
    if (alert_raise(app, ALERT_SILENT,
                    "No signed order has come for %lld s: is the webhook still active in WooCommerce?",
                    (long long)since_s))
        log_event(app->log, LOG_LEVEL_WARN, "silent", NULL,
                  "No signed order has come for %lld s: is the webhook still active in WooCommerce?",
                  (long long)since_s);
}

static void look_at_spool(struct app *app)
{
    struct spool_stats spool;
    struct error e = ERROR_NONE;

    if (!app->spool || !spool_stats(app->spool, &spool, &e))
        return;
    if (spool.locked && alert_raise(app, ALERT_SPOOL, "%ld files of the spool cannot be opened: %s",
                                    spool.locked, spool.needs.text))
        log_event(app->log, LOG_LEVEL_ERROR, "spool", NULL, "%ld files of the spool cannot be opened: %s",
                  spool.locked, spool.needs.text);
    if (spool.damaged || spool.oldest_ms > SPOOL_OLD_MS)
        (void)alert_raise(
            app, ALERT_SPOOL,
            "%ld files of the spool are damaged, %ld wait for the store, the oldest for %lld s: "
            "see `woo_ghl status`",
            spool.damaged, spool.deliveries + spool.ids, (long long)(spool.oldest_ms / 1000));
}

/* Parked orders that lose their content within the notice: in a list from the oldest, those whose content is
 * gone already come first. */
static int64_t count_expiring(struct app *app)
{
    int64_t ttl_s = app->config.dead_letter_ttl_ms / 1000, expiring = 0;
    char after[128] = "";

    for (bool more = true; more;) {
        struct store_parked *list = NULL;
        size_t n = 0;
        if (store_parked_list(app->store, after, PAGE, &list, &n) != STORE_OK)
            return 0;
        more = n == PAGE;
        for (size_t i = 0; i < n; i++) {
            if (list[i].age_s < ttl_s - EXPIRY_NOTICE_S)
                more = false;
            else if (list[i].age_s < ttl_s)
                expiring++;
        }
        if (n > 0 && snprintf(after, sizeof after, "%s", list[n - 1].key) >= (int)sizeof after)
            more = false;
        store_parked_free(list, n, true);
    }
    return expiring;
}

static void look_for_expiry(struct app *app)
{
    int64_t n = app->config.dead_letter_ttl_ms > EXPIRY_NOTICE_S * 1000 ? count_expiring(app) : 0;

    if (n > 0 &&
        alert_raise(app, ALERT_EXPIRING,
                    "%lld parked orders lose their content within 3 days (DEAD_LETTER_TTL): see `woo_ghl "
                    "failed`",
                    (long long)n))
        log_event(
            app->log, LOG_LEVEL_WARN, "expiring", NULL,
            "%lld parked orders lose their content within 3 days (DEAD_LETTER_TTL): see `woo_ghl failed`",
            (long long)n);
}

void alert_look(struct app *app)
{
    struct store_stats stats;

    look_at_spool(app);
    if (store_stats(app->store, &stats) != STORE_OK)
        return;
    look_at_switches(app, &stats);
    look_for_silence(app, &stats);
    if (stats.parked > 0)
        look_for_expiry(app);
}
