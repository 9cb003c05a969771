/*
 * config: the settings, read once at start.
 *
 * The environment comes first, then one file in sh's syntax: the one that WOO_GHL_ENV names, else `.env`
 * beside the program, else /etc/woo-ghl/env. NAME_FILE gives a value by a file's content (one final newline
 * is cut). One table (settings.c) holds name, type, default and help of every setting; parsing,
 * `.env.sample`, `check` and the man page are made from it. Every problem is reported, not only the first.
 */
#ifndef WOO_GHL_CONFIG_H
#define WOO_GHL_CONFIG_H

#include "base/buf.h"
#include "base/log.h"
#include <stdint.h>

#define CONFIG_NAME_MAX 255 /* bytes of an opportunity's name and of a source */

/* What GHL holds as the opportunity's status. IGNORE: no card is wanted for this order status. */
enum outcome { OUTCOME_IGNORE, OUTCOME_OPEN, OUTCOME_WON, OUTCOME_LOST, OUTCOME_ABANDONED };
const char *outcome_name(enum outcome outcome); /* "won"; "ignore" for IGNORE */
/* Open and won create an opportunity; lost and abandoned only change the one an order already has. */
bool outcome_creates(enum outcome outcome);

struct status_rule {
    char *status; /* WooCommerce's, without "wc-" */
    enum outcome outcome;
};

struct pair { /* key=value or key:value lists, in the order given */
    char *key, *value;
};

struct shop_rule {
    char *name;   /* in keys, logs and templates */
    char **alias; /* "host" or "host/path", lower-case host, no final slash; the first is the shop's own */
    size_t alias_count;
};

/* Choices, each in the order of its words in the table. */
enum on_duplicate { ON_DUPLICATE_UPDATE, ON_DUPLICATE_PARK };
enum on_erase { ON_ERASE_KEEP, ON_ERASE_BLANK, ON_ERASE_DELETE };
enum sub_orders { SUB_ORDERS_IGNORE, SUB_ORDERS_COUNT };

/* Every string is owned by the struct and never NULL ("" = not set), unless said otherwise. Times in ms. */
struct config {
    char *env_file; /* the file that was read; "" = none */
    char *webhook_secret, *webhook_secret_previous;
    char *shop;
    struct shop_rule *shops;
    size_t shop_count;
    int64_t sales_since_s; /* the day's first second, UTC; 0 = the installation's day */
    enum sub_orders sub_orders;
    char *default_country; /* two capital letters, or "" */

    char *ghl_api_key, *ghl_location_id, *ghl_pipeline_id;
    struct pair *stage_map; /* status -> stage id or name */
    size_t stage_map_count;
    struct status_rule *status_map;
    size_t status_map_count;
    char *opportunity_name, *tags, *note, *source, *order_field;
    struct pair *tags_remove; /* status -> templates of tags, in the order given; a status may come twice */
    size_t tags_remove_count;
    struct pair *contact_fields, *opportunity_fields; /* field id or key -> template */
    size_t contact_field_count, opportunity_field_count;
    enum on_duplicate on_duplicate;
    enum on_erase on_erase;
    bool dry_run;
    char *ghl_api_base, *ghl_api_version;       /* no final slash */
    int64_t ghl_rate_count, ghl_rate_window_ms; /* GHL_RATE=100/10s */
    int64_t ghl_rate_per_day;
    int64_t ghl_timeout_ms;

    char *redis_url; /* "" = the embedded store */
    char *redis_prefix;
    int64_t redis_timeout_ms;
    char *data_dir;                     /* absolute */
    char *data_key, *data_key_previous; /* the previous one opens, and no longer wraps */
    int64_t idempotency_ttl_ms, link_ttl_ms, parked_ttl_ms;

    int64_t rate_limit_per_day; /* 0 = off */
    int64_t max_body;           /* bytes */
    int64_t sync_budget_ms;     /* 0 = always queue */
    int64_t retry_for_ms;

    char *log_to;
    enum log_level log_level;

    char *woo_url, *woo_consumer_key, *woo_consumer_secret; /* all of them, or none */
    int64_t woo_timeout_ms;
    char *alert_command;
    int64_t alert_every_ms, alert_silence_ms; /* 0 = off */
    bool drain_after;
    int64_t port;
};

/* What was found wrong, and what deserves a warning: lists of whole sentences, each naming its setting. */
struct config_report {
    char **problem;
    size_t problem_count;
    char **warning;
    size_t warning_count;
};

/* Fills *config from the environment and the file. True when there is no problem; on false the config is
 * still safe to use for logging and to free. Never prints. */
bool config_load(struct config *config, struct config_report *report) MUST_CHECK;
void config_free(struct config *config); /* wipes the secrets */
void config_report_free(struct config_report *report);

/* The outcome for an order status ("processing"; "wc-processing" is taken too); IGNORE when it is not mapped.
 */
enum outcome config_outcome(const struct config *config, const char *status);

/* Does the opportunity's name tell one order from another? */
bool config_name_is_unique(const struct config *config);

/* -- made from the same table -- */
bool config_print_sample(struct buf *out); /* the text of .env.sample */
bool config_print_manual(struct buf *out); /* the settings in man(7) markup, for doc/woo_ghl.1 */
/* One line a setting: name and value (secrets as "set, N characters"). */
bool config_print_values(const struct config *config, struct buf *out);

/* -- value syntax, for tests and other readers -- */
bool config_parse_duration(const char *text,
                           int64_t *out_ms); /* 10s 5m 24h 400d 500ms; a bare number is seconds */
bool config_parse_size(const char *text, int64_t *out_bytes); /* 64k 8m, a bare number is bytes */
bool config_parse_day(const char *text, int64_t *out_s);      /* 2026-11-01: its first second, UTC */

#endif
