#include "config/settings.h"
#include <stddef.h>
#include <string.h>

#define AT(field) offsetof(struct config, field)
#define SECOND 1000LL
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define ANY 0, 0

/* clang-format off */
const struct setting settings[] = {
    {"WOO_WEBHOOK_SECRET", SETTING_SECRET, AT(webhook_secret), NULL, ANY, "the secret of the webhook in WooCommerce",
     "The secret of WooCommerce's webhooks. Required; put it in single quotes."},
    {"WOO_WEBHOOK_SECRET_PREVIOUS", SETTING_SECRET, AT(webhook_secret_previous), NULL, ANY, "the old secret",
     "The secret before this one, accepted too while you change it."},
    {"SHOP", SETTING_TEXT, AT(shop), "shop", ANY, NULL,
     "The shop's name in keys, logs and templates. Do not change it later: it is part of each order's key."},
    {"WOO_SHOPS", SETTING_SHOPS, AT(shops), NULL, ANY, "main=shop.example.com,www.shop.example.com b2b=example.org/trade",
     "The shops of this endpoint: name=host[/path],alias ... Anything else (a staging clone) is refused. With more than one, "
     "their names stand in the orders' keys: the shop that was there first keeps the name that SHOP has."},
    {"SALES_SINCE", SETTING_DAY, AT(sales_since_s), NULL, ANY, "2026-11-01",
     "The first day (UTC) whose sales become opportunities: the shop paid or created the order then or later. Without it: the day before the first use."},
    {"SUB_ORDERS", SETTING_CHOICE, AT(sub_orders), "ignore", ANY, "ignore|count",
     "Orders with a parent (a vendor's part, the rest after a deposit): ignore them, because the parent's total has them, or count them as sales. Renewals of subscriptions always count."},
    {"DEFAULT_COUNTRY", SETTING_COUNTRY, AT(default_country), NULL, ANY, "US",
     "The country (two letters) of phones in orders that name no country."},

    {"GHL_API_KEY", SETTING_SECRET, AT(ghl_api_key), NULL, ANY, "pit-00000000-0000-0000-0000-000000000000",
     "The private integration token of the GHL sub-account. Required unless GHL_DRY_RUN=yes."},
    {"GHL_LOCATION_ID", SETTING_TEXT, AT(ghl_location_id), NULL, ANY, "ve9EPM428h8vShlRW1KT",
     "The id of the sub-account (location). Required unless GHL_DRY_RUN=yes."},
    {"GHL_PIPELINE_ID", SETTING_TEXT, AT(ghl_pipeline_id), NULL, ANY, "Shop orders",
     "The pipeline of the opportunities, by id (20 letters or digits) or by name. Without it: the location's first."},
    {"GHL_STAGE_MAP", SETTING_STAGE_MAP, AT(stage_map), NULL, ANY, "processing:Paid,completed:Shipped",
     "The stage for an order status, by id or name. A status that is not named leaves the stage alone."},
    {"GHL_STATUS_MAP", SETTING_STATUS_MAP, AT(status_map),
     "processing:won,completed:won,refunded:lost,cancelled:abandoned,failed:abandoned,trash:abandoned", ANY, NULL,
     "What an order status makes of the opportunity: won, open, lost, abandoned, or - to ignore it, as each one not named here. Lost and abandoned never create one."},
    {"GHL_OPPORTUNITY_NAME", SETTING_TEMPLATE, AT(opportunity_name), "Order #{number}", ANY, NULL,
     "The opportunity's name. It must hold {number} or {id}, unless GHL_ORDER_FIELD marks the order."},
    {"GHL_TAGS", SETTING_TEMPLATE, AT(tags), NULL, ANY, "woocommerce,bought-{line_items.sku}",
     "Tags to add to the contact, separated by commas; one tag for each value."},
    {"GHL_TAGS_REMOVE", SETTING_STATUS_TAGS, AT(tags_remove), NULL, ANY, "refunded:customer",
     "Tags to take off the contact at a status: status:tag,... with templates like those of GHL_TAGS."},
    {"GHL_CONTACT_FIELDS", SETTING_FIELDS, AT(contact_fields), NULL, ANY, "last_order_total={total}",
     "Custom fields of the contact: field id, key or name (woo_ghl fields lists them), =, template; separated by commas, a comma in a template is {,}."},
    {"GHL_OPPORTUNITY_FIELDS", SETTING_FIELDS, AT(opportunity_fields), NULL, ANY, "utm_source={meta._wc_order_attribution_utm_source}",
     "Custom fields of the opportunity, likewise."},
    {"GHL_NOTE", SETTING_TEMPLATE, AT(note), NULL, ANY, "yes", "A note on the contact for each state of an order: a template, or yes for a good default."},
    {"GHL_SOURCE", SETTING_TEMPLATE, AT(source), "{attribution}", ANY, NULL,
     "The source of new opportunities and new contacts, never of those that exist; no = none."},
    {"GHL_ORDER_FIELD", SETTING_TEXT, AT(order_field), NULL, ANY, "woo_order",
     "A custom field of the opportunity (text) that marks it with shop and order id; the surest way to find it again."},
    {"GHL_ON_DUPLICATE", SETTING_CHOICE, AT(on_duplicate), "update", ANY, "update|park",
     "Where the location allows one opportunity per contact: update the existing one to the newest order, or park the order."},
    {"GHL_ON_ERASE", SETTING_CHOICE, AT(on_erase), "keep", ANY, "keep|blank|delete",
     "What becomes of the GHL contact when the shop has erased the customer from all of the contact's orders: keep it, blank its fields, or delete it."},
    {"GHL_DRY_RUN", SETTING_BOOL, AT(dry_run), "no", ANY, NULL, "yes: everything but the calls to GHL; the log shows what would be sent."},
    {"GHL_API_BASE", SETTING_HTTPS_URL, AT(ghl_api_base), "https://services.leadconnectorhq.com", ANY, NULL, "GHL's API."},
    {"GHL_API_VERSION", SETTING_TEXT, AT(ghl_api_version), "2021-07-28", ANY, NULL, "The Version header that GHL demands."},
    {"GHL_RATE", SETTING_RATE, AT(ghl_rate_count), "100/10s", 1, 1000000, NULL, "GHL's limit: calls in a time, for all processes together."},
    {"GHL_RATE_PER_DAY", SETTING_COUNT, AT(ghl_rate_per_day), "200000", 1, 1000000000, NULL, "GHL's limit a day."},
    {"GHL_TIMEOUT", SETTING_DURATION, AT(ghl_timeout_ms), "15s", 100, 5 * MINUTE, NULL, "The longest time for one call to GHL."},

    {"REDIS_URL", SETTING_REDIS_URL, AT(redis_url), NULL, ANY, "redis://user:password@127.0.0.1:6379/0",
     "The store that all processes and machines share: redis://[user:password@]host[:port][/db] or unix:///path[?db=N]. Without it: a file in DATA_DIR."},
    {"REDIS_PREFIX", SETTING_TEXT, AT(redis_prefix), "woo_ghl", ANY, NULL, "What every key begins with."},
    {"REDIS_TIMEOUT", SETTING_DURATION, AT(redis_timeout_ms), "500ms", 10, 10 * SECOND, NULL, "Connect and reply together; then the delivery goes to the spool."},
    {"DATA_DIR", SETTING_PATH, AT(data_dir), NULL, ANY, "/var/lib/woo-ghl",
     "Embedded store, spool, keys; a whole path. Without it: woo_ghl-data beside the settings file. Its parent must exist; never under the document root."},
    {"DATA_KEY", SETTING_SECRET, AT(data_key), NULL, ANY, "a long random text",
     "Wraps the key that encrypts stored orders. Without it: the webhook's secret does."},
    {"DATA_KEY_PREVIOUS", SETTING_SECRET, AT(data_key_previous), NULL, ANY, "the old text",
     "The DATA_KEY before this one, so that what is stored opens while you change it."},
    {"IDEMPOTENCY_TTL", SETTING_DURATION, AT(idempotency_ttl_ms), "24h", MINUTE, 3650 * DAY, NULL, "How long the idempotency key of a finished order stays."},
    {"LINK_TTL", SETTING_DURATION, AT(link_ttl_ms), "400d", HOUR, 3650 * DAY, NULL, "How long an order's GHL ids are remembered after its last change."},
    {"PARKED_TTL", SETTING_DURATION, AT(parked_ttl_ms), "30d", MINUTE, 3650 * DAY, NULL, "How long the content of a parked order is kept."},

    {"RATE_LIMIT_PER_DAY", SETTING_COUNT, AT(rate_limit_per_day), "1000", 0, 1000000000, NULL,
     "Requests a day of one client address; 0 = no limit. Over it unsigned ones get 429, signed ones are queued."},
    {"MAX_BODY", SETTING_SIZE, AT(max_body), "8m", 1024, 48LL * 1024 * 1024, NULL, "The largest body of a delivery."},
    {"SYNC_BUDGET", SETTING_DURATION, AT(sync_budget_ms), "10s", 0, 50 * SECOND, NULL,
     "How long a delivery may be worked on before it is answered; 0 = always queue."},
    {"RETRY_FOR", SETTING_DURATION, AT(retry_for_ms), "3d", MINUTE, 365 * DAY, NULL, "How long a waiting order is tried before it is parked."},
    {"DRAIN_AFTER", SETTING_BOOL, AT(drain_after), "on", ANY, NULL, "Workers drain after an answer when no drain runs."},

    {"LOG", SETTING_LOG, AT(log_to), "stderr", ANY, NULL, "stderr, syslog, or a whole path."},
    {"LOG_LEVEL", SETTING_LOG_LEVEL, AT(log_level), "info", ANY, NULL, "error, warn, info or debug."},
    {"ALERT_COMMAND", SETTING_TEXT, AT(alert_command), NULL, ANY, "mail -s woo_ghl admin@example.com", "Run by the shell with an alert's text on standard input, for 30 s at most."},
    {"ALERT_EVERY", SETTING_DURATION, AT(alert_every_ms), "1h", SECOND, 30 * DAY, NULL, "The same alert at most so often."},
    {"ALERT_SILENCE", SETTING_OFF_DURATION, AT(alert_silence_ms), "off", 0, 365 * DAY, NULL, "Alert when no signed order came for so long; the drain looks."},

    {"WOO_URL", SETTING_HTTPS_URL, AT(woo_url), NULL, ANY, "https://shop.example.com",
     "The shop's address, whose REST API woo_ghl reconcile reads. With it the next two are required."},
    {"WOO_CONSUMER_KEY", SETTING_SECRET, AT(woo_consumer_key), NULL, ANY, "ck_...",
     "A key of that API that may read orders (WooCommerce > Settings > Advanced > REST API, permission Read)."},
    {"WOO_CONSUMER_SECRET", SETTING_SECRET, AT(woo_consumer_secret), NULL, ANY, "cs_...", "Its secret."},
    {"WOO_TIMEOUT", SETTING_DURATION, AT(woo_timeout_ms), "60s", 100, 10 * MINUTE, NULL, "The longest time for one call to the shop."},
    {"PORT", SETTING_COUNT, AT(port), "5000", 1, 65535, NULL, "The port of the web server that make run starts."},
};
/* clang-format on */
const size_t settings_count = sizeof settings / sizeof *settings;

const struct setting *settings_find(const char *name)
{
    for (size_t i = 0; i < settings_count; i++)
        if (!strcmp(settings[i].name, name))
            return &settings[i];
    return NULL;
}

#define NAME_LEN 64

/* How many letters have to change (Levenshtein); names over NAME_LEN are far from everything. */
static size_t distance(const char *a, const char *b)
{
    size_t la = strlen(a), lb = strlen(b), row[NAME_LEN + 1];

    if (la > NAME_LEN || lb > NAME_LEN)
        return NAME_LEN;
    for (size_t j = 0; j <= lb; j++)
        row[j] = j;
    for (size_t i = 1; i <= la; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t change = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;
            if (change < row[j])
                row[j] = change;
        }
    }
    return row[lb];
}

const char *settings_nearest(const char *name)
{
    size_t best = 4; /* three letters off is still a slip of the hand, in a name of nine */
    const char *nearest = NULL;

    for (size_t i = 0; i < settings_count; i++) {
        size_t d = distance(name, settings[i].name);
        if (d < best && d * 3 <= strlen(name)) {
            best = d;
            nearest = settings[i].name;
        }
    }
    return nearest;
}
