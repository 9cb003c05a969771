#include "shop/webhooks_watch.h"
#include "app/alert.h"
#include "base/text.h"
#include "shop/webhooks.h"
#include <inttypes.h>
#include <string.h>

#define REENABLE_EVERY_MS (24LL * 3600 * 1000)

/* One that is disabled; what a person paused stays so. True if it is active now. */
static bool reenable(struct app *app, struct woo *woo, const json_t *webhook)
{
    json_int_t id = json_integer_value(json_object_get(webhook, "id"));
    const char *topic = json_text(webhook, "topic");
    struct error e = ERROR_NONE;
    char name[64];
    bool turn;

    (void)text_format(name, sizeof name, "reenabled/%" JSON_INTEGER_FORMAT, id);
    if (!app_take_turn(app, name, REENABLE_EVERY_MS, &turn) || !turn)
        return false;
    json_t *active = json_pack("{ss}", "status", "active");
    bool good = active && woo_webhook_write(woo, id, active, &e) == WOO_OK;
    json_decref(active);
    log_event(app->log, good ? LOG_LEVEL_WARN : LOG_LEVEL_ERROR, "webhooks", NULL,
              "The shop's webhook %.64s was disabled after failures: %s%s", topic,
              good ? "it is set active again (WOO_REENABLE), and what it missed is read"
                   : "it cannot be set active: ",
              e.text);
    if (good)
        (void)alert_raise(
            app, ALERT_WEBHOOK,
            "WooCommerce had disabled the webhook %.64s after seven failures in a row. It is active again, "
            "and the orders that it missed are read from the shop. `woo_ghl check` looks for the cause",
            topic);
    return good;
}

/* For the owner's page. */
static void record(struct app *app, const char *trouble)
{
    char value[512];

    (void)text_format(value, sizeof value, "%" PRId64 " %s", store_now_ms(app->store), trouble);
    app_keep(app, WEBHOOKS_SEEN, value, 0);
}

bool webhooks_watch(struct app *app, struct woo *woo)
{
    struct error e = ERROR_NONE;
    json_t *list = NULL, *webhook;
    bool mended = false;
    size_t i;

    if (woo_webhooks(woo, &list, &e) != WOO_OK) {
        log_event(app->log, LOG_LEVEL_INFO, "webhooks", NULL, "The shop's webhooks cannot be read: %s",
                  e.text);
        return false;
    }
    json_array_foreach(list, i, webhook)
    {
        if (!app->config.woo_reenable ||
            !webhooks_is_ours(&app->config, json_text(webhook, "delivery_url")) ||
            strcmp(json_text(webhook, "status"), "disabled") != 0 || !reenable(app, woo, webhook))
            continue;
        mended = !json_object_set_new(webhook, "status", json_string("active")) || mended;
    }
    if (!webhooks_are_well(&app->config, list, &e)) {
        log_event(app->log, LOG_LEVEL_ERROR, "webhooks", NULL, "%s", e.text);
        (void)alert_raise(app, ALERT_WEBHOOK, "%s", e.text);
    } else {
        alert_over(app, ALERT_WEBHOOK);
    }
    record(app, e.text);
    json_decref(list);
    return mended;
}
