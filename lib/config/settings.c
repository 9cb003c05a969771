#include "config/settings.h"
#include "base/text.h"
#include <stddef.h>
#include <string.h>

#define VALUE_MAX (1024L * 1024) /* bytes of one that is printed */

#define SECOND 1000LL
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

/* NOLINTBEGIN(bugprone-macro-parentheses): a type and a field cannot stand in any.
 * A row's type and field. A field of another C type than the setting's does not compile. */
#define AT(field, c_type)                                                                                    \
    offsetof(struct config, field) + 0 * sizeof(_Generic(((struct config *)0)->field, c_type : 0))
#define TEXT(field) .type = &type_text, .offset = AT(field, char *)
#define SECRET(field) .type = &type_secret, .offset = AT(field, char *)
#define TEMPLATE(field) .type = &type_template, .offset = AT(field, char *)
#define URL(field) .type = &type_url, .offset = AT(field, char *)
#define PUBLIC_URL(field) .type = &type_public_url, .offset = AT(field, char *)
#define REDIS_URL(field) .type = &type_redis_url, .offset = AT(field, char *)
#define NAME(field) .type = &type_name, .offset = AT(field, char *)
#define COUNTRY(field) .type = &type_country, .offset = AT(field, char *)
#define PATH(field) .type = &type_path, .offset = AT(field, char *)
#define LOG(field) .type = &type_log, .offset = AT(field, char *)
#define BOOL(field) .type = &type_bool, .offset = AT(field, bool)
#define WORD(field, list) .type = &type_word, .offset = AT(field, unsigned), .words = (list)
#define NUMBER(kind, field, least, most)                                                                     \
    .type = &type_##kind, .offset = AT(field, int64_t), .min = (least), .max = (most)
#define RATE(field, least, most)                                                                             \
    .type = &type_rate, .offset = AT(field, struct rate), .min = (least), .max = (most)
#define PAIRS(kind, field) .type = &type_##kind, .offset = AT(field, struct pair_list)
#define SHOPS(field) .type = &type_shops, .offset = AT(field, struct shop_list)

/* NOLINTEND(bugprone-macro-parentheses) */

/* Each list in the order of its enum. */
static const char *const sub_orders[] = {"ignore", "count", NULL};
static const char *const on_erase[] = {"keep", "blank", "delete", NULL};
static const char *const on_duplicate[] = {"update", "dead_letter", NULL};
static const char *const log_level[] = {"error", "warn", "info", "debug", NULL};

/* clang-format off */
const struct setting settings[] = {
    {"WOO_WEBHOOK_SECRET", SECRET(webhook_secret), .example = "the secret of the webhook in WooCommerce",
     .help = "The secret of WooCommerce's webhooks. Required. Put it in single quotes."},
    {"WOO_WEBHOOK_SECRET_PREVIOUS", SECRET(webhook_secret_previous), .example = "the old secret",
     .help = "The secret before this one. It is accepted as well, so that you can change the secret without losing an order."},
    {"SHOP", NAME(shop), .fallback = "shop",
     .help = "The shop's name in keys, logs and templates. Do not change it later: it is part of each order's key."},
    {"WOO_SHOPS", SHOPS(shops), .example = "main=shop.example.com,www.shop.example.com b2b=example.org/trade",
     .help = "The shops that use this endpoint: name=host[/path],alias ... Orders of any other shop (a staging clone) are refused. "
     "With more than one shop, each name is part of its orders' keys; give the first shop the name that SHOP has."},

    {"SALES_SINCE", NUMBER(day, sales_since_s, 1, INT64_MAX), .example = "2026-11-01",
     .help = "The first day (UTC) whose sales become opportunities. An order counts if it was paid or created on that day or later. "
     "If it is not set: the day before the first use."},
    {"SUB_ORDERS", WORD(sub_orders, sub_orders), .fallback = "ignore",
     .help = "Orders that have a parent order (a vendor's part, the rest after a deposit): ignore them, because the parent's total includes them, "
     "or count them as sales. Renewals of subscriptions always count."},
    {"DEFAULT_COUNTRY", COUNTRY(default_country), .example = "US",
     .help = "The country (two letters) of phone numbers in orders that name no country."},

    {"GHL_API_KEY", SECRET(ghl_api_key), .example = "pit-00000000-0000-0000-0000-000000000000", .trim = true,
     .help = "The private integration token of the GHL sub-account. Required unless GHL_DRY_RUN=yes."},
    {"GHL_API_KEY_SINCE", NUMBER(day, ghl_api_key_since_s, 1, INT64_MAX), .example = "2026-11-01",
     .help = "The day when GHL_API_KEY was made. GHL advises a new token every 90 days; woo_ghl check reminds you after 80."},
    {"GHL_API_KEY_NEXT", SECRET(ghl_api_key_next), .example = "pit-11111111-1111-1111-1111-111111111111", .trim = true,
     .help = "The token that replaces GHL_API_KEY: it is used as soon as GHL refuses that one, so that a rotation costs no order a wait."},
    {"GHL_LOCATION_ID", TEXT(ghl_location_id), .example = "ve9EPM428h8vShlRW1KT", .trim = true,
     .help = "The id of the sub-account (location). Required unless GHL_DRY_RUN=yes."},
    {"GHL_PIPELINE_ID", TEXT(ghl_pipeline_id), .example = "Shop orders",
     .help = "The pipeline of the opportunities: its id (20 letters or digits) or its name. If it is not set, the location's first pipeline is used."},
    {"GHL_STAGE_MAP", PAIRS(stage_map, stage_map), .example = "processing:Paid,completed:Shipped",
     .help = "The pipeline stage for each order status, by id or name. A status that is not listed leaves the stage as it is."},
    {"GHL_STATUS_MAP", PAIRS(status_map, status_map),
     .fallback = "processing:won,completed:won,refunded:lost,cancelled:abandoned,failed:abandoned,trash:abandoned",
     .help = "The opportunity's status for each order status: won, open, lost, abandoned, or - to ignore it. A status that is not listed is ignored. "
     "Only won and open create an opportunity."},
    {"GHL_OPPORTUNITY_NAME", TEMPLATE(opportunity_name), .fallback = "Order #{number}",
     .help = "The opportunity's name. It must contain {number} or {id}, unless GHL_ORDER_FIELD marks the order."},
    {"GHL_TAGS", TEMPLATE(tags), .example = "woocommerce,bought-{line_items.sku}",
     .help = "Tags to add to the contact, separated by commas. A template with several values adds one tag for each."},
    {"GHL_TAGS_REMOVE", PAIRS(status_tags, tags_remove), .example = "refunded:customer",
     .help = "Tags to remove from the contact when the order reaches a status: status:tag,... Templates work as in GHL_TAGS."},
    {"GHL_CONTACT_FIELDS", PAIRS(fields, contact_fields), .example = "last_order_total={total}",
     .help = "Custom fields of the contact: field={template},... A field is given by id, key or name (woo_ghl fields lists them). "
     "Write a comma inside a template as {,}."},
    {"GHL_OPPORTUNITY_FIELDS", PAIRS(fields, opportunity_fields), .example = "utm_source={meta._wc_order_attribution_utm_source}",
     .help = "Custom fields of the opportunity, written as in GHL_CONTACT_FIELDS."},
    {"GHL_NOTE", TEMPLATE(note), .example = "yes",
     .help = "A note on the contact for each state of an order: a template, or yes for a good default."},
    {"GHL_SOURCE", TEMPLATE(source), .fallback = "{attribution}",
     .help = "The source of new opportunities and new contacts. Existing ones keep theirs. no = set no source."},
    {"GHL_ORDER_FIELD", TEXT(order_field), .example = "woo_order",
     .help = "A custom text field of the opportunity that holds the shop and the order's id. It is the surest way to find an order's opportunity again."},
    {"GHL_ON_DUPLICATE", WORD(on_duplicate, on_duplicate), .fallback = "update",
     .help = "What happens to a repeat buyer's order if the location allows one opportunity per contact: "
     "update gives the existing opportunity to the newest order, dead_letter keeps the order for you to decide (woo_ghl failed)."},
    {"GHL_ON_ERASE", WORD(on_erase, on_erase), .fallback = "keep",
     .help = "What happens to a GHL contact after the shop has erased the customer from all of the contact's orders: keep it, blank its fields, or delete it. "
     "blank leaves the email and the country, which GHL does not take empty, and the company, the notes and the tags."},
    {"GHL_DRY_RUN", BOOL(dry_run), .fallback = "no",
     .help = "yes: do everything but call GHL. The log shows what would be sent."},
    {"GHL_API_BASE", URL(ghl_api_base), .fallback = "https://services.leadconnectorhq.com", .help = "The address of GHL's API."},
    {"GHL_API_VERSION", TEXT(ghl_api_version), .fallback = "2021-07-28", .help = "The Version header that GHL requires."},
    {"GHL_RATE", RATE(ghl_rate, 1, 1000000), .fallback = "100/10s",
     .help = "GHL's rate limit: calls per time. All processes share it."},
    {"GHL_RATE_PER_DAY", NUMBER(count, ghl_rate_per_day, 1, 1000000000), .fallback = "200000", .help = "GHL's daily limit of calls."},
    {"GHL_TIMEOUT", NUMBER(duration, ghl_timeout_ms, 100, 5 * MINUTE), .fallback = "15s", .help = "The longest time that one call to GHL may take."},

    {"REDIS_URL", REDIS_URL(redis_url), .example = "redis://user:password@127.0.0.1:6379/0",
     .help = "The Redis that all processes and machines share: redis://[user:password@]host[:port][/db] or unix:///path[?db=N]; with several hosts, a comma between, "
     "nodes of a Redis Cluster; redis+sentinel://[user:password@]host[:port],.../name[/db][?sentinel=password] asks sentinels for the primary. rediss:// and "
     "rediss+sentinel:// use TLS. If it is not set, a SQLite file in DATA_DIR is used."},
    {"REDIS_PREFIX", TEXT(redis_prefix), .fallback = "woo_ghl", .help = "The text that every key in Redis begins with."},
    {"REDIS_TIMEOUT", NUMBER(duration, redis_timeout_ms, 10, 10 * SECOND), .fallback = "500ms",
     .help = "The longest time that Redis may take to connect and reply. After it, the delivery goes to the spool."},
    {"DATA_DIR", PATH(data_dir), .example = "/var/lib/woo-ghl",
     .help = "The directory of the embedded store, the spool and the keys, as an absolute path. Its parent must exist. Never put it under the document root. "
     "If it is not set: woo_ghl-data beside the settings file."},
    {"DATA_KEY", SECRET(data_key), .example = "a long random text",
     .help = "The secret that protects stored orders: their encryption key is derived from it. If it is not set, the webhook secret is used."},
    {"DATA_KEY_PREVIOUS", SECRET(data_key_previous), .example = "the old text",
     .help = "The DATA_KEY before this one. It opens what was stored under it, so that you can change the key."},
    {"IDEMPOTENCY_TTL", NUMBER(duration, idempotency_ttl_ms, MINUTE, 3650 * DAY), .fallback = "24h",
     .help = "How long the bytes of an order's latest version are known without reading them."},
    {"LINK_TTL", NUMBER(duration, link_ttl_ms, HOUR, 3650 * DAY), .fallback = "400d",
     .help = "How long an order's GHL ids are remembered after its last change."},
    {"DEAD_LETTER_TTL", NUMBER(duration, dead_letter_ttl_ms, MINUTE, 3650 * DAY), .fallback = "30d",
     .help = "How long the content of a dead letter is kept."},

    {"RATE_LIMIT_PER_DAY", NUMBER(count, rate_limit_per_day, 0, 1000000000), .fallback = "1000",
     .help = "The requests that one client address may send in a day; 0 = no limit. Over the limit, unsigned requests get 429 and signed ones are queued. A redelivery of an order's latest version does not count."},
    {"MAX_BODY", NUMBER(size, max_body, 1024, 48LL * 1024 * 1024), .fallback = "8m", .help = "The largest body of a delivery."},
    {"SYNC_BUDGET", NUMBER(duration, sync_budget_ms, 0, 50 * SECOND), .fallback = "8s",
     .help = "How long a delivery may be worked on before it is answered; 0 = always queue."},
    {"RETRY_FOR", NUMBER(duration, retry_for_ms, MINUTE, 365 * DAY), .fallback = "3d",
     .help = "The age from which woo_ghl status and an alert name an order that still waits. It is retried until it succeeds, however old it is."},
    {"DRAIN_AFTER", BOOL(drain_after), .fallback = "on", .help = "A worker drains the queue after an answer if no drain runs."},

    {"SANDBOX", BOOL(sandbox), .fallback = "on",
     .help = "Workers run no program, make no process and reach no files but those of DATA_DIR, LOG, the settings and the system, as far as the kernel can "
     "do that. off: they may. It counts from a worker's start."},
    {"LOG", LOG(log_to), .fallback = "stderr", .help = "Where the log goes: stderr, syslog or an absolute path. If it is not set: woo_ghl.log beside ~/woo-ghl/env, stderr with settings elsewhere."},
    {"LOG_MAX", NUMBER(size, log_max, 0, 1LL << 40), .fallback = "10m",
     .help = "A log file of this size is renamed to NAME.old, in place of the last one, and a new one begins: on disk are two such files at most. 0: never."},
    {"LOG_LEVEL", WORD(log_level, log_level), .fallback = "info", .help = "error, warn, info or debug."},
    {"ALERT_COMMAND", TEXT(alert_command), .example = "mail -s woo_ghl admin@example.com",
     .help = "A shell command that gets each alert's text on standard input, in a clean environment. It may run for 30 s. One that fails is tried again."},
    {"ALERT_URL", SECRET(alert_url), .example = "https://hooks.slack.com/services/...", .trim = true,
     .help = "A webhook that gets each alert as JSON by POST: Slack, Discord, Teams, healthchecks or any other. One that fails is tried again."},
    {"ALERT_BODY", TEXT(alert_body), .example = "{\"text\":\"{text}\"}",
     .help = "The JSON that ALERT_URL gets, with {text} (all of the alert) or {kind}, {shop}, {host}, {what}, {since}, {costs} and {mend} inside its strings. "
     "If it is not set: what Slack takes, or Discord if the address is Discord's. doc/operations.md has what Teams takes."},
    {"ALERT_EVERY", NUMBER(duration, alert_every_ms, SECOND, 30 * DAY), .fallback = "1h", .help = "The shortest time between two alerts of the same kind."},
    {"ALERT_SILENCE", NUMBER(off_duration, alert_silence_ms, 0, 365 * DAY), .fallback = "off",
     .help = "Alert if no signed order came for this long. The drain checks it."},

    {"ADMIN_PASSWORD", SECRET(admin_password), .example = "a long password", .min = 12, .max = INT64_MAX,
     .help = "The password of the owner's page, /woo-order/admin, of at least 12 characters. If it is not set, there is no page. "
     "The page needs https, or a browser on the same machine."},
    {"METRICS_TOKEN", SECRET(metrics_token), .example = "a long random text", .min = 16, .max = INT64_MAX,
     .help = "The bearer token, of at least 16 characters, with which another machine may read /woo-order/metrics and /woo-order/ready. "
     "This machine needs none."},

    {"WOO_URL", URL(woo_url), .example = "https://shop.example.com",
     .help = "The shop's address. woo_ghl reconcile reads orders from its REST API. It requires WOO_CONSUMER_KEY and WOO_CONSUMER_SECRET."},
    {"WOO_CONSUMER_KEY", SECRET(woo_consumer_key), .example = "ck_...", .trim = true,
     .help = "A key of the shop's REST API with read permission (WooCommerce > Settings > Advanced > REST API)."},
    {"WOO_CONSUMER_SECRET", SECRET(woo_consumer_secret), .example = "cs_...", .trim = true, .help = "The secret of WOO_CONSUMER_KEY."},
    {"WOO_TIMEOUT", NUMBER(duration, woo_timeout_ms, 100, 10 * MINUTE), .fallback = "60s", .help = "The longest time that one call to the shop may take."},
    {"WOO_REENABLE", BOOL(woo_reenable), .fallback = "no",
     .help = "yes: reconcile and drain --watch set a webhook active again that WooCommerce disabled after failures, at most once a day, and read "
     "the orders that it missed. WOO_CONSUMER_KEY needs the permission Read/Write for it."},
    {"PUBLIC_URL", PUBLIC_URL(public_url), .example = "https://shop.example.com/woo-order",
     .help = "The delivery URL as the shop calls it. woo_ghl check sends a ping and a signed question through it. If it is not set: "
     "the URL of the shop's webhooks, else WOO_URL/woo-order. no = do not ask (this machine cannot reach its own public address)."},
    {"CA_FILE", PATH(ca_file), .example = "/etc/ssl/private-ca.pem",
     .help = "A file of CA certificates (PEM) that the shop's, PUBLIC_URL's and Redis's (rediss://) certificates are checked against, instead of the system's. "
     "It does not count for GHL."},
    {"PORT", NUMBER(count, port, 1, 65535), .fallback = "5000", .help = "The port of the web server that make run starts."},
};
/* clang-format on */
const size_t settings_count = sizeof settings / sizeof *settings;

/* -- by name -- */

const struct setting *settings_find(const char *name)
{
    for (size_t i = 0; i < settings_count; i++)
        if (!strcmp(settings[i].name, name))
            return &settings[i];
    return NULL;
}

const char *settings_nearest(const char *name)
{
    struct text_nearest nearest = {.typed = name};

    for (size_t i = 0; i < settings_count; i++)
        text_nearest(&nearest, settings[i].name);
    return nearest.word;
}

/* -- one setting of a configuration -- */

static void *field_of(const struct setting *s, const struct config *config)
{
    return (char *)config + s->offset;
}

bool settings_parse(const struct setting *s, const char *text, struct config *config, struct error *e)
{
    settings_clear(s, config);
    return s->type->parse(s, text, field_of(s, config), e);
}

bool settings_print(const struct setting *s, const struct config *config, struct buf *out)
{
    return s->type->print(s, field_of(s, config), out);
}

bool settings_same(const struct setting *s, const struct config *a, const struct config *b)
{
    struct buf first, second;

    if (s->type->hidden) { /* what is printed does not tell */
        const char *one = *(char **)field_of(s, a), *other = *(char **)field_of(s, b);
        return !strcmp(one ? one : "", other ? other : "");
    }
    buf_init(&first, VALUE_MAX);
    buf_init(&second, VALUE_MAX);
    bool same =
        settings_print(s, a, &first) && settings_print(s, b, &second) && !strcmp(first.data, second.data);
    buf_free(&first);
    buf_free(&second);
    return same;
}

void settings_clear(const struct setting *s, struct config *config)
{
    s->type->clear(s, field_of(s, config));
}
