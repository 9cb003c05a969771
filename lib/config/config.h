/*
 * config: the settings of one process.
 *
 * The environment comes first, then one file in sh's syntax (places.h says which). NAME_FILE takes the value from a file
 * (one final newline is cut).
 * One table (settings.c) holds name, type, default and help of every setting. config_load reports every
 * problem, not only the first. A running process loads again if it is stale.
 */
#pragma once

#include "base/buf.h"
#include "base/log.h"
#include <stdint.h>

#define CONFIG_NAME_MAX 255 /* bytes of an opportunity's name and of a source */

/* What GHL holds as the opportunity's status. IGNORE: the order's status changes no opportunity. */
enum outcome { OUTCOME_IGNORE, OUTCOME_OPEN, OUTCOME_WON, OUTCOME_LOST, OUTCOME_ABANDONED };
const char *outcome_name(enum outcome outcome);                         /* "won"; "ignore" for IGNORE */
bool outcome_parse(const char *word, enum outcome *outcome) MUST_CHECK; /* "won"; "-" is IGNORE */
/* Open and won create an opportunity; lost and abandoned only change the one an order already has. */
bool outcome_creates(enum outcome outcome);

struct pair {
    char *key, *value;
};
struct pair_list { /* in the order given */
    struct pair *item;
    size_t count;
};

struct shop_rule {
    char *name;   /* in keys, logs and templates */
    char **alias; /* "host" or "host/path", lower-case host, no final slash; the first is the shop's own */
    size_t alias_count;
};
struct shop_list {
    struct shop_rule *item;
    size_t count;
};

struct rate {
    int64_t count, window_ms;
};

/* Choices, each in the order of its words in the table. */
enum on_duplicate { ON_DUPLICATE_UPDATE, ON_DUPLICATE_DEAD_LETTER };
enum on_erase { ON_ERASE_KEEP, ON_ERASE_BLANK, ON_ERASE_DELETE };
enum sub_orders { SUB_ORDERS_IGNORE, SUB_ORDERS_COUNT };

struct config_file; /* a file that config_load looked at, as it was then */

/* Every string is owned by the struct and never NULL ("" = not set), unless said otherwise. Times in ms. */
struct config {
    char *env_file;            /* the settings file; "" = none */
    struct config_file *files; /* every file that the settings may come from, there or not */
    size_t file_count;

    char *webhook_secret, *webhook_secret_previous;
    char *shop;
    struct shop_list shops;
    int64_t sales_since_s; /* the day's first second, UTC; 0 = the installation's day */
    enum sub_orders sub_orders;
    char *default_country; /* two capital letters, or "" */

    char *ghl_api_key, *ghl_api_key_next, *ghl_location_id, *ghl_pipeline_id;
    int64_t ghl_api_key_since_s; /* the day's first second, UTC; 0 = unknown */
    struct pair_list stage_map;  /* status -> stage id or name */
    struct pair_list status_map; /* status -> outcome's name; see config_outcome */
    char *opportunity_name, *tags, *note, *source, *order_field;
    struct pair_list tags_remove; /* status -> tag's template; a status may come several times */
    struct pair_list contact_fields, opportunity_fields; /* field id, key or name -> template */
    enum on_duplicate on_duplicate;
    enum on_erase on_erase;
    bool dry_run;
    char *ghl_api_base, *ghl_api_version; /* no final slash */
    struct rate ghl_rate;
    int64_t ghl_rate_per_day;
    int64_t ghl_timeout_ms;

    char *redis_url; /* "" = the embedded store */
    char *redis_prefix;
    int64_t redis_timeout_ms;
    char *data_dir;                     /* absolute */
    char *data_key, *data_key_previous; /* the previous one only opens */
    int64_t idempotency_ttl_ms, link_ttl_ms, dead_letter_ttl_ms;

    int64_t rate_limit_per_day; /* 0 = off */
    int64_t max_body;           /* bytes */
    int64_t sync_budget_ms;     /* 0 = always queue */
    int64_t retry_for_ms;

    char *log_to;
    enum log_level log_level;
    int64_t log_max; /* bytes; 0 = for ever */

    char *woo_url, *woo_consumer_key, *woo_consumer_secret; /* all of them, or none */
    int64_t woo_timeout_ms;
    bool woo_reenable;
    char *public_url; /* no final slash; "no" = not to be asked */
    char *ca_file;
    char *alert_command, *alert_url, *alert_body;
    int64_t alert_every_ms, alert_silence_ms; /* 0 = off */
    bool drain_after;
    char *admin_password, *metrics_token; /* "" = off: not set, or too short */
    int64_t port;
    bool sandbox;
};

/* What was found wrong, and what deserves a warning: lists of whole sentences, each naming its setting. */
struct config_report {
    char **problem;
    size_t problem_count;
    char **warning;
    size_t warning_count;
};

/* Do settings, data or log lie where a web server hands them out (places.h)? That refuses the settings; but a FastCGI
 * worker learns of a document root only with a request. True with the error set: which, and its right place. */
bool config_is_served(const struct config *config, const char *document_root, struct error *e) MUST_CHECK;

/* Fills *config from the environment and the file. True if there is no problem; on false the config is
 * still safe to use for logging and to free; if memory ran out it holds nothing, and all texts are NULL. Never prints. */
bool config_load(struct config *config, struct config_report *report) MUST_CHECK;
void config_free(struct config *config); /* wipes the secrets */
void config_report_free(struct config_report *report);

/* -- changes while a process runs -- */

/* Has a file changed, come or gone since this config was loaded? A few calls of stat. */
bool config_is_stale(const struct config *config);

/* The path of the n-th file that the settings may come from, there or not; n is below file_count. */
const char *config_file(const struct config *config, size_t n);

/* Do settings differ? Their names are added to `names` (may be NULL), separated by ", ". */
bool config_differ(const struct config *a, const struct config *b, struct buf *names);

/* The fresh config is not taken: the running one stays as it is, but is not stale any more. */
void config_refuse(struct config *running, struct config *fresh);

/* The namespace of everything that is kept for this location: "prefix:location", "dry:" before the location of a dry
 * run. False if out of memory. */
bool config_namespace(const struct config *config, struct buf *out) MUST_CHECK;

/* -- what is in it -- */

/* The outcome for an order status ("processing"; "wc-processing" is taken too); IGNORE if it is not mapped. */
enum outcome config_outcome(const struct config *config, const char *status);
const char *config_plain_status(const char *status); /* without "wc-" */

/* The value of the first pair with this key; NULL if there is none. */
const char *pair_find(const struct pair_list *list, const char *key);

/* No secret that is set appears in the log from now on. */
void config_hide_secrets(const struct config *config, struct log *log);

/* Does the opportunity's name tell one order from another? */
bool config_name_is_unique(const struct config *config);

/* -- made from the same table -- */
bool config_print_sample(struct buf *out); /* the text of .env.sample */
bool config_print_manual(struct buf *out); /* the man page's section on settings, in man(7) markup */
bool config_add_manual(struct buf *out, const char *text); /* plain text in man(7) markup */
/* One line a setting: name and value (secrets as "set, N characters"). */
bool config_print_values(const struct config *config, struct buf *out);
