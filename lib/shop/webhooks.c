#include "shop/webhooks.h"
#include "app/alert.h"
#include "base/text.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct {
    const char *topic;
    bool needed; /* without it orders are missed; without the others only their end is */
} topics[] = {
    {"order.created", true}, {"order.updated", true}, {"order.deleted", false}, {"order.restored", false}};
#define TOPICS (sizeof topics / sizeof *topics)

const char *webhooks_topic(size_t n, bool watch)
{
    return n < TOPICS ? topics[n].topic : n == TOPICS && watch ? WEBHOOKS_WATCH : NULL;
}

bool webhooks_same_url(const char *a, const char *b)
{
    size_t la = strlen(a), lb = strlen(b);

    while (la && a[la - 1] == '/')
        la--;
    while (lb && b[lb - 1] == '/')
        lb--;
    return la == lb && !strncasecmp(a, b, la);
}

bool webhooks_is_ours(const struct config *config, const char *url)
{
    static const char path[] = "/woo-order";
    size_t len = strcspn(url, "?#");

    if (*config->public_url && webhooks_same_url(url, config->public_url))
        return true;
    while (len && url[len - 1] == '/')
        len--;
    return len >= sizeof path - 1 && !strncmp(url + len - (sizeof path - 1), path, sizeof path - 1);
}

/* The webhook of the topic that delivers to us: an active one, else any; NULL = there is none. */
static const json_t *find(const struct config *config, const json_t *list, const char *topic)
{
    const json_t *webhook, *found = NULL;
    size_t i;

    json_array_foreach(list, i, webhook)
    {
        if (strcmp(json_text(webhook, "topic"), topic) != 0 ||
            !webhooks_is_ours(config, json_text(webhook, "delivery_url")))
            continue;
        if (!found || !strcmp(json_text(webhook, "status"), "active"))
            found = webhook;
    }
    return found;
}

const char *webhooks_url(const struct config *config, const json_t *list)
{
    const json_t *updated = find(config, list, "order.updated");

    return json_text(updated ? updated : find(config, list, "order.created"), "delivery_url");
}

bool webhooks_are_well(const struct config *config, const json_t *list, struct error *e)
{
    for (size_t i = 0; i < TOPICS; i++) {
        const json_t *webhook = find(config, list, topics[i].topic);
        const char *status = json_text(webhook, "status");
        if (!webhook || !strcmp(status, "active"))
            continue;
        error_set(e,
                  "The shop's webhook \"%.64s\" (%s) is %.32s: what it should deliver is missed. Set it to "
                  "Active in WooCommerce > Settings > Advanced > Webhooks, then run `woo_ghl reconcile`",
                  json_text(webhook, "name"), topics[i].topic, status);
        return false;
    }
    return true;
}

/* -- the doctor's look -- */

/* A number of the shop's, which may write it as a text; 0 = not told. */
static json_int_t number(const json_t *webhook, const char *key)
{
    const json_t *value = json_object_get(webhook, key);
    return json_is_string(value) ? strtoll(json_string_value(value), NULL, 10) : json_integer_value(value);
}

static void look_at(const struct config *config, const json_t *webhook, const char *topic, struct findings *f)
{
    const char *status = json_text(webhook, "status"), *to = json_text(webhook, "delivery_url"),
               *version = json_text(webhook, "api_version"), *name = json_text(webhook, "name");
    json_int_t failures = number(webhook, "failure_count");
    bool elsewhere = *config->public_url && strcmp(config->public_url, "no") != 0 &&
                     !webhooks_same_url(to, config->public_url);

    if (strcmp(status, "active") != 0)
        findings_add(f, FINDING_FAIL, "inactive", "Orders do not arrive.",
                     "woo_ghl connect sets it active (or WooCommerce > Settings > Advanced > Webhooks); then "
                     "run woo_ghl reconcile.",
                     "the shop's webhook \"%.64s\" (%s) is %.32s", name, topic, status);
    if (elsewhere)
        findings_add(f, FINDING_WARN, "url", "Orders arrive there, if at all.",
                     "woo_ghl connect gives it the right one; or correct PUBLIC_URL.",
                     "the shop's webhook \"%.64s\" (%s) delivers to %.200s, not to PUBLIC_URL", name, topic,
                     to);
    if (*version && strcmp(version, "wp_api_v3") != 0)
        findings_add(f, FINDING_WARN, "version",
                     "Older versions tell less of an order, the legacy one nothing.",
                     "Choose WP REST API Integration v3 in the webhook (woo_ghl connect makes a new one).",
                     "the shop's webhook \"%.64s\" (%s) has the API version %.20s", name, topic, version);
    if (failures > 0)
        findings_add(f, FINDING_WARN, "failures",
                     "After the seventh failure in a row WooCommerce disables it.",
                     "See what the public URL answers, below, and WooCommerce > Status > Logs.",
                     "the last %lld deliveries of the shop's webhook \"%.64s\" (%s) failed",
                     (long long)failures, name, topic);
}

void webhooks_look(const struct config *config, const json_t *list, struct findings *f)
{
    size_t before = f->count;

    for (size_t i = 0; i < TOPICS; i++) {
        const json_t *webhook = find(config, list, topics[i].topic);
        if (webhook)
            look_at(config, webhook, topics[i].topic, f);
        else
            findings_add(
                f, topics[i].needed ? FINDING_FAIL : FINDING_WARN, "missing",
                topics[i].needed ? "Orders do not arrive."
                                 : "Orders arrive, but not that they went to the bin, or came back from it.",
                "woo_ghl connect makes it (or WooCommerce > Settings > Advanced > Webhooks).",
                "the shop has no webhook of topic %s whose delivery URL ends in /woo-order", topics[i].topic);
    }
    if (f->count == before)
        FINDINGS_OK(f, "webhooks", "all four are active");
}

/* -- the drain's look: one that is disabled is told, and mended -- */

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
