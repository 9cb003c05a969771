#include "config/config.h"
#include "config/settings.h"
#include "config/unit.h"
#include "tap.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/woo_ghl.config.XXXXXX";
static char env_path[64], other_path[64];

static void write_file(const char *path, const char *text, mode_t mode)
{
    FILE *file = fopen(path, "w");
    if (!ok(file && fputs(text, file) >= 0 && fclose(file) == 0 && chmod(path, mode) == 0, "%s is written",
            path))
        return;
}

/* Loads with this file alone; a NULL-terminated list of NAME, value comes before it. */
static bool load(struct config *config, struct config_report *report, const char *file,
                 const char *const environment[])
{
    clearenv();
    write_file(env_path, file, 0600);
    setenv("WOO_GHL_ENV", env_path, 1);
    for (size_t i = 0; environment && environment[i]; i += 2)
        setenv(environment[i], environment[i + 1], 1);
    return config_load(config, report);
}

static void drop(struct config *config, struct config_report *report)
{
    config_free(config);
    config_report_free(report);
}

static const char *has(char *const *list, size_t n, const char *part)
{
    for (size_t i = 0; i < n; i++)
        if (strstr(list[i], part))
            return list[i];
    return NULL;
}

#define GOOD "WOO_WEBHOOK_SECRET='secret one'\nGHL_API_KEY=' pit-1\r'\nGHL_LOCATION_ID=loc1\n"

static void defaults(void)
{
    struct config c;
    struct config_report r;
    char want[128];

    ok(load(&c, &r, GOOD, NULL), "three settings are enough");
    is_int(r.problem_count, 0, "no problem");
    is_int(r.warning_count, 0, "no warning: %s", r.warning_count ? r.warning[0] : "");
    is_str(c.webhook_secret, "secret one", "the secret");
    is_str(c.ghl_api_key, "pit-1", "a pasted token is trimmed");
    is_str(c.ghl_api_base, "https://services.leadconnectorhq.com", "GHL_API_BASE");
    is_str(c.ghl_api_version, "2021-07-28", "GHL_API_VERSION");
    is_str(c.opportunity_name, "Order #{number}", "GHL_OPPORTUNITY_NAME");
    is_str(c.shop, "shop", "SHOP");
    is_str(c.redis_prefix, "woo_ghl", "REDIS_PREFIX");
    is_int(c.redis_timeout_ms, 500, "REDIS_TIMEOUT");
    is_int(c.ghl_rate.count, 100, "GHL_RATE's calls");
    is_int(c.ghl_rate.window_ms, 10000, "GHL_RATE's time");
    is_int(c.ghl_rate_per_day, 200000, "GHL_RATE_PER_DAY");
    is_int(c.ghl_timeout_ms, 15000, "GHL_TIMEOUT");
    is_int(c.idempotency_ttl_ms, 24 * 3600 * 1000LL, "IDEMPOTENCY_TTL");
    is_int(c.link_ttl_ms, 400 * 24 * 3600 * 1000LL, "LINK_TTL");
    is_int(c.dead_letter_ttl_ms, 30 * 24 * 3600 * 1000LL, "DEAD_LETTER_TTL");
    is_int(c.rate_limit_per_day, 1000, "RATE_LIMIT_PER_DAY");
    is_int(c.max_body, 8 * 1024 * 1024, "MAX_BODY");
    is_int(c.sync_budget_ms, 8000, "SYNC_BUDGET");
    is_int(c.retry_for_ms, 3 * 24 * 3600 * 1000LL, "RETRY_FOR");
    is_int(c.port, 5000, "PORT");
    is_int(c.log_level, LOG_LEVEL_INFO, "LOG_LEVEL");
    is_str(c.log_to, "stderr", "LOG");
    is_int(c.alert_every_ms, 3600 * 1000, "ALERT_EVERY");
    is_int(c.alert_silence_ms, 0, "ALERT_SILENCE");
    ok(c.drain_after && !c.dry_run && c.on_duplicate == ON_DUPLICATE_UPDATE,
       "DRAIN_AFTER, GHL_DRY_RUN, GHL_ON_DUPLICATE");
    is_str(c.redis_url, "", "REDIS_URL");
    snprintf(want, sizeof want, "%s/woo_ghl-data", dir);
    is_str(c.data_dir, want, "DATA_DIR is beside the settings file");
    is_int(config_outcome(&c, "processing"), OUTCOME_WON, "processing");
    is_int(config_outcome(&c, "wc-completed"), OUTCOME_WON, "completed, with its prefix");
    is_int(config_outcome(&c, "refunded"), OUTCOME_LOST, "refunded");
    is_int(config_outcome(&c, "cancelled"), OUTCOME_ABANDONED, "cancelled");
    is_int(config_outcome(&c, "failed"), OUTCOME_ABANDONED, "failed");
    is_int(config_outcome(&c, "trash"), OUTCOME_ABANDONED, "trash");
    is_int(config_outcome(&c, "on-hold"), OUTCOME_IGNORE, "on-hold");
    drop(&c, &r);
}

static void precedence(void)
{
    struct config c;
    struct config_report r;
    const char *const environment[] = {"SHOP", "fromenvironment", "GHL_API_KEY_FILE", other_path, NULL};

    write_file(other_path, "pit-from-a-file\n", 0600);
    ok(load(&c, &r, GOOD "SHOP=fromfile\nWOO_WEBHOOK_SECRET_PREVIOUS='old'\n", environment),
       "environment and file");
    is_str(c.shop, "fromenvironment", "the environment comes first");
    is_str(c.ghl_api_key, "pit-from-a-file", "a value by a file's content, without its newline");
    is_str(c.webhook_secret_previous, "old", "the file's value where the environment has none");
    drop(&c, &r);

    ok(!load(&c, &r, GOOD "DATA_KEY_FILE=/nonexistent/key\n", NULL), "a value's file that is missing");
    ok(has(r.problem, r.problem_count, "DATA_KEY_FILE: /nonexistent/key cannot be read"), "is named");
    drop(&c, &r);

    clearenv();
    setenv("WOO_GHL_ENV", "/nonexistent/env", 1);
    ok(!config_load(&c, &r), "a settings file that is missing");
    ok(has(r.problem, r.problem_count, "WOO_GHL_ENV: /nonexistent/env cannot be read"), "is named");
    is_int(r.problem_count, 1, "alone: what it says is not known");
    drop(&c, &r);
}

static void problems(void)
{
    struct config c;
    struct config_report r;
    static const struct {
        const char *line, *says;
    } wrong[] = {
        {"GHL_TIMEOUT=soon", "GHL_TIMEOUT: 'soon' is not a duration"},
        {"GHL_TIMEOUT=1ms", "GHL_TIMEOUT: '1ms' is out of range; allowed is 100ms to 5m"},
        {"MAX_BODY=8x", "MAX_BODY: '8x' is not a size"},
        {"PORT=70000", "PORT: '70000' is out of range; allowed is 1 to 65535"},
        {"PORT=-1", "PORT: '-1' is not a whole number"},
        {"GHL_DRY_RUN=maybe", "GHL_DRY_RUN: 'maybe' is neither yes nor no"},
        {"LOG_LEVEL=loud", "LOG_LEVEL: 'loud' is none of"},
        {"GHL_RATE=fast", "GHL_RATE: 'fast' is not a rate"},
        {"GHL_STATUS_MAP=processing:paid", "GHL_STATUS_MAP: 'paid' is not an outcome"},
        {"GHL_ON_DUPLICATE=merge", "GHL_ON_DUPLICATE: 'merge' is none of update, dead_letter"},
        {"GHL_ON_ERASE=dele", "GHL_ON_ERASE: 'dele' is none of keep, blank, delete"},
        {"SALES_SINCE=2026-02-30", "SALES_SINCE: '2026-02-30' is not a day; write it as 2026-11-01"},
        {"SALES_SINCE=2026-11-01T00:00:00",
         "SALES_SINCE: '2026-11-01T00:00:00' is not a day; write it as 2026-11-01"},
        {"DEFAULT_COUNTRY=UK",
         "DEFAULT_COUNTRY: 'UK' is not a country; write its two letters, such as US or GB"},
        {"GHL_API_BASE=http://example.com", "GHL_API_BASE: plain http"},
        {"GHL_OPPORTUNITY_NAME=Sale", "GHL_OPPORTUNITY_NAME: 'Sale' is the same for every order"},
        {"GHL_OPPORTUNITY_NAME='{number'", "GHL_OPPORTUNITY_NAME: "},
        {"GHL_OPPORTUNITY_NAME='Our most valued customer has ordered something that is very nice indeed, and "
         "that "
         "is why we are as happy as can be today, too, about {number}'",
         "GHL_OPPORTUNITY_NAME: its fixed text has 133 bytes; 127 are allowed"},
        {"GHL_STATUS_MAP=a:won,b:won,wc-a:lost", "GHL_STATUS_MAP: 'a' is named twice"},
        {"GHL_STAGE_MAP=processing:A,processing:B", "GHL_STAGE_MAP: 'processing' is named twice"},
        {"GHL_CONTACT_FIELDS=a={total},a={number}", "GHL_CONTACT_FIELDS: 'a' is named twice"},
        {"GHL_OPPORTUNITY_FIELDS=a={total},a={number}", "GHL_OPPORTUNITY_FIELDS: 'a' is named twice"},
        {"WOO_SHOPS='a=example.com a=example.org'", "WOO_SHOPS: 'a' is named twice"},
        {"WOO_SHOPS='a=example.com,example.net b=example.org,example.net'",
         "WOO_SHOPS: 'example.net' belongs to two shops"},
        {"WOO_SHOPS=main=https://", "WOO_SHOPS: 'main' has an address that is not host[/path]"},
        {"WOO_SHOPS=main=,", "WOO_SHOPS: 'main' has no address; write name=host"},
        {"GHL_STAGE_MAP='on hold:Paid'", "GHL_STAGE_MAP: 'on hold' is not status:stage"},
        {"GHL_STAGE_MAP=wc-:Paid", "GHL_STAGE_MAP: 'wc-' is not status:stage"},
        {"WOO_SHOPS=shop.example.com", "WOO_SHOPS: 'shop.example.com' is not a shop"},
        {"REDIS_URL=http://127.0.0.1", "REDIS_URL: begins with none of redis://"},
        {"GHL_API_KEY=eyJabc", "version 1"},
        {"WOO_WEBHOOK_SECRET=", "WOO_WEBHOOK_SECRET is empty: set it to the secret"},
        {"GHL_LOCATION_ID=", "GHL_LOCATION_ID is empty"},
        {"SHOP='a:b'", "SHOP: 'a:b'"},
        {"REDIS_PREFIX='{x'", "REDIS_PREFIX: '{x' contains braces; leave them out"},
        {"REDIS_PREFIX='x}'", "REDIS_PREFIX: 'x}' contains braces; leave them out"},
        {"A'=1", "line 4: this is no NAME=value line"},
        {"GHL_TIMEOUT = 1s", "line 4: GHL_TIMEOUT: there is a blank before the ="},
        {"DATA_KEY='it's'", "line 4: DATA_KEY: there is text beside the quotes"},
        {"DATA_KEY='open", "line 4: DATA_KEY: the quote is not closed"},
        {"DATA_DIR=data", "DATA_DIR: 'data' is not an absolute path; begin it with /"},
        {"LOG=woo.log", "LOG: 'woo.log' is neither stderr, syslog nor an absolute path"},
        {"DATA_KEY_FILE=key",
         "DATA_KEY_FILE: key cannot be read: No such file or directory; write an absolute path"},
    };
    struct buf all;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char file[512];
        snprintf(file, sizeof file, GOOD "%s\n", wrong[i].line);
        ok(!load(&c, &r, file, NULL), "%s is refused", wrong[i].line);
        const char *said = has(r.problem, r.problem_count, wrong[i].says);
        ok(said != NULL, "and named: %s", wrong[i].says);
        if (!said && r.problem_count)
            tap_note("%s", r.problem[0]);
        drop(&c, &r);
    }
    /* What is known of one line is not told again as if it were another trouble. */
    static const struct {
        const char *file, *says;
    } once[] = {
        {"WOO_WEBHOOK_SECRET='it's'\nGHL_DRY_RUN=yes\n", "line 1: WOO_WEBHOOK_SECRET: there is text"},
        {"WOO_WEBHOOK_SECRET='open\nGHL_DRY_RUN=yes\n", "line 1: WOO_WEBHOOK_SECRET: the quote"},
        {"WOO_WEBHOOK_SECRET = x\nGHL_DRY_RUN=yes\n", "line 1: WOO_WEBHOOK_SECRET: there is a blank"},
        {"WOO_WEBHOOK_SECRET_FILE=/nonexistent\nGHL_DRY_RUN=yes\n", "WOO_WEBHOOK_SECRET_FILE: /nonexistent"},
        {"WOO_WEBHOOK_SECRET=x\nGHL_DRY_RUN=maybe\n", "GHL_DRY_RUN: 'maybe'"},
        {"WOO_WEBHOOK_SECRET=x\nGHL_DRY_RUN = yes\n", "line 2: GHL_DRY_RUN: there is a blank"},
        {"WOO_WEBHOOK_SECRET=x\nGHL_DRY_RUN=yes\nREDIS_URL=x\n", "REDIS_URL: begins with"},
    };
    for (size_t i = 0; i < sizeof once / sizeof *once; i++) {
        ok(!load(&c, &r, once[i].file, NULL), "%s", once[i].says);
        is_int(r.problem_count, 1, "one problem");
        ok(has(r.problem, r.problem_count, once[i].says), "which is told");
        ok(!has(r.problem, r.problem_count, "REDIS_URL: REDIS_URL"), "with its name once");
        drop(&c, &r);
    }
    buf_init(&all, 65536);
    for (size_t i = 0; i < 8; i++)
        (void)buf_addf(&all, "%s\n", wrong[i].line);
    ok(!load(&c, &r, all.data, NULL), "many at once");
    is_int(r.problem_count, 7, "are all told: six settings, and the secret that is not there");
    buf_free(&all);
    drop(&c, &r);

    ok(!load(&c, &r,
             "WOO_WEBHOOK_SECRET='sEcReTsEcReT'\nGHL_API_KEY=eyJsEcReTsEcReT\nREDIS_URL=foo://"
             "u:sEcReTsEcReT@h\n",
             NULL),
       "secrets in wrong places");
    ok(!has(r.problem, r.problem_count, "sEcReT") && !has(r.warning, r.warning_count, "sEcReT"),
       "are not told");
    drop(&c, &r);
}

/* Of the three settings of the shop's REST API each is useless alone. */
static void the_shop(void)
{
    static const char *const part[] = {"WOO_URL", "WOO_CONSUMER_KEY", "WOO_CONSUMER_SECRET"};
    static const char *const line[] = {"WOO_URL=https://shop.example.com/\n", "WOO_CONSUMER_KEY=' ck_1 '\n",
                                       "WOO_CONSUMER_SECRET=cs_1\n"};
    struct config c;
    struct config_report r;
    char text[512], want[128];

    snprintf(text, sizeof text, "%s%s%s%s", GOOD, line[0], line[1], line[2]);
    ok(load(&c, &r, text, NULL), "all three of the shop");
    is_int(r.warning_count, 0, "nothing to warn of");
    is_str(c.woo_url, "https://shop.example.com", "without the final slash");
    is_str(c.woo_consumer_key, "ck_1", "the pasted key is trimmed");
    is_int(c.woo_timeout_ms, 60000, "a minute for a call");
    drop(&c, &r);
    for (size_t i = 0; i < 3; i++) {
        snprintf(text, sizeof text, "%s%s", GOOD, line[i]);
        ok(!load(&c, &r, text, NULL), "%s alone", part[i]);
        is_int(r.problem_count, 2, "the other two are missing");
        for (size_t j = 0; j < 3; j++) {
            snprintf(want, sizeof want, "%s is empty, but %s is set: set it to ", part[j], part[i]);
            ok((has(r.problem, r.problem_count, want) != NULL) == (j != i), "%s is named or not", part[j]);
        }
        drop(&c, &r);
    }
    snprintf(text, sizeof text, "%sWOO_URL=http://shop.example.com\n%s%s", GOOD, line[1], line[2]);
    ok(!load(&c, &r, text, NULL), "plain http to another machine");
    is_int(r.problem_count, 1, "one problem");
    ok(has(r.problem, r.problem_count, "WOO_URL: plain http goes to this machine only"), "is that");
    drop(&c, &r);
}

static void warnings(void)
{
    struct config c;
    struct config_report r;

    ok(load(&c, &r, GOOD "GHL_TIMEUOT=1s\nZZZ=1\n", NULL), "misspelt settings are no problem");
    ok(has(r.warning, r.warning_count, "unknown setting GHL_TIMEUOT, did you mean GHL_TIMEOUT"),
       "but warned of, with the nearest");
    ok(has(r.warning, r.warning_count, "unknown setting ZZZ;"), "or without one");
    drop(&c, &r);
    ok(load(&c, &r, GOOD "GHL_STAGE_MAP=pending:New,processing:Paid\nGHL_TAGS_REMOVE=on-hold:x\n", NULL),
       "rules for a status that is ignored");
    ok(has(r.warning, r.warning_count, "GHL_STAGE_MAP: 'pending' has no effect"), "a stage is told");
    ok(has(r.warning, r.warning_count, "GHL_TAGS_REMOVE: 'on-hold' has no effect"), "and a tag");
    is_int(r.warning_count, 2, "and nothing else");
    drop(&c, &r);
    ok(load(&c, &r, GOOD "WOO_SHOPS='a=example.com b=example.org'\n", NULL), "two shops, one kind of name");
    ok(has(r.warning, r.warning_count, "GHL_OPPORTUNITY_NAME: 'Order #{number}' is the same"), "is told");
    drop(&c, &r);
    ok(load(&c, &r, GOOD "WOO_SHOPS='a=example.com b=example.org'\nGHL_OPPORTUNITY_NAME={shop}-{number}\n",
            NULL),
       "two shops, a name that tells");
    is_int(r.warning_count, 0, "is not");
    drop(&c, &r);

    const char *const document_root[] = {"DOCUMENT_ROOT", dir, NULL};
    ok(!load(&c, &r, GOOD, document_root), "settings under the document root");
    const char *says = has(r.problem, r.problem_count, "settings file: ");
    ok(says && strstr(says, "whose files the web server hands out; move it to /"), "are refused");
    is_int(r.problem_count, 1, "in one line, though data would lie there, too");
    drop(&c, &r);
    const char *const redirected[] = {"REDIRECT_DOCUMENT_ROOT", dir, NULL};
    ok(!load(&c, &r, GOOD, redirected), "the same after an internal redirect");
    drop(&c, &r);
    char served[80];
    const char *const elsewhere[] = {"DOCUMENT_ROOT", served, "LOG", served, "DATA_DIR", served, NULL};
    snprintf(served, sizeof served, "%s/public_html", dir);
    ok(!load(&c, &r, GOOD, elsewhere + 2), "data and log in a directory that only web servers use");
    ok(has(r.problem, r.problem_count, "DATA_DIR: "),
       "data are refused, though the directory is not there yet");
    is_str(c.log_to, "stderr", "and is not written there");
    drop(&c, &r);
    ok(!load(&c, &r, GOOD, (const char *const[]){"LOG", served, NULL}), "the log alone");
    ok(has(r.problem, r.problem_count, "LOG: "), "is refused");
    drop(&c, &r);
    ok(load(&c, &r, GOOD, (const char *const[]){"DOCUMENT_ROOT", served, NULL}),
       "settings beside a document root that does not exist");
    drop(&c, &r);
    ok(chmod(env_path, 0644) == 0, "a file that all may read");
    clearenv();
    setenv("WOO_GHL_ENV", env_path, 1);
    ok(config_load(&c, &r), "is read");
    ok(has(r.warning, r.warning_count, "every user of this machine can read"), "and warned of");
    drop(&c, &r);
}

static void lists(void)
{
    struct config c;
    struct config_report r;

    bool good =
        load(&c, &r,
             GOOD "GHL_STATUS_MAP='wc-shipped:won, on-hold:open,draft:-'\nGHL_STAGE_MAP='processing:Paid "
                  "up,completed:abc'\n"
                  "WOO_SHOPS='main=https://Shop.Example.com/,www.shop.example.com b2b=example.org/Trade/'\n"
                  "GHL_CONTACT_FIELDS='a={x|1,2},b={total}'\n",
             NULL);
    ok(good, "lists: %s", r.problem_count ? r.problem[0] : "");
    is_int(config_outcome(&c, "shipped"), OUTCOME_WON, "a plugin's status");
    is_int(config_outcome(&c, "on-hold"), OUTCOME_OPEN, "open");
    is_int(config_outcome(&c, "draft"), OUTCOME_IGNORE, "ignored");
    is_int(config_outcome(&c, "processing"), OUTCOME_IGNORE, "the map replaces the default");
    is_int(c.stage_map.count, 2, "two stages");
    is_str(c.stage_map.item[0].value, "Paid up", "a name of two words");
    is_int(c.shops.count, 2, "two shops");
    is_str(c.shops.item[0].alias[0], "shop.example.com", "host in small letters, without scheme and slash");
    is_str(c.shops.item[0].alias[1], "www.shop.example.com", "an alias");
    is_str(c.shops.item[1].alias[0], "example.org/Trade", "a path as it is");
    is_int(c.contact_fields.count, 2, "two fields");
    is_str(c.contact_fields.item[0].value, "{x|1,2}", "a comma in braces");
    drop(&c, &r);
}

static void choices(void)
{
    struct config c;
    struct config_report r;
    struct buf shown;

    buf_init(&shown, 65536);
    ok(load(&c, &r,
            GOOD "SALES_SINCE=2026-11-01\nSUB_ORDERS=Count\nDEFAULT_COUNTRY=gb\nGHL_ON_ERASE=delete\n", NULL),
       "a day, choices, a country");
    is_int(c.sales_since_s, 1793491200, "SALES_SINCE is the day's first second");
    ok(c.sub_orders == SUB_ORDERS_COUNT && c.on_erase == ON_ERASE_DELETE, "SUB_ORDERS, GHL_ON_ERASE");
    is_str(c.default_country, "GB", "DEFAULT_COUNTRY");
    ok(config_print_values(&c, &shown) && strstr(shown.data, " 2026-11-01\n") &&
           strstr(shown.data, " count\n") && strstr(shown.data, " delete\n"),
       "all of them are shown");
    buf_free(&shown);
    drop(&c, &r);
    ok(load(&c, &r, GOOD, NULL) && c.sales_since_s == 0 && c.sub_orders == SUB_ORDERS_IGNORE &&
           c.on_erase == ON_ERASE_KEEP && !*c.default_country,
       "their defaults");
    drop(&c, &r);
}

static void values(void)
{
    int64_t n = 0;

    ok(unit_read("500ms", unit_duration, &n) && n == 500, "500ms");
    ok(unit_read("10s", unit_duration, &n) && n == 10000, "10s");
    ok(unit_read("7", unit_duration, &n) && n == 7000, "a bare number is seconds");
    ok(unit_read("400d", unit_duration, &n) && n == 400LL * 86400000, "400d");
    ok(!unit_read("", unit_duration, &n) && !unit_read("s", unit_duration, &n) &&
           !unit_read("1 s", unit_duration, &n) && !unit_read("1.5s", unit_duration, &n) &&
           !unit_read("99999999999999999999d", unit_duration, &n) &&
           !unit_read("9999999999999999d", unit_duration, &n),
       "no durations");
    ok(unit_read("64k", unit_size, &n) && n == 65536, "64k");
    ok(unit_read("8M", unit_size, &n) && n == 8 * 1024 * 1024, "8M");
    ok(!unit_read("8mb", unit_size, &n) && !unit_read("-1", unit_size, &n), "no sizes");
}

static void sample(void)
{
    struct config c;
    struct config_report r;
    struct buf text, active;

    buf_init(&text, 1024L * 1024);
    buf_init(&active, 1024L * 1024);
    ok(config_print_sample(&text), "the sample");
    /* Every default, made active: the file is taken, and changes nothing. */
    for (char *line = text.data, *next; line && *line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        char name[64] = "";
        const struct setting *s = sscanf(line, "#%63[A-Z_]=", name) == 1 ? settings_find(name) : NULL;
        if (s && s->fallback)
            (void)buf_addf(&active, "%s\n", line + 1);
    }
    (void)buf_adds(&active, GOOD);
    bool good = load(&c, &r, active.data, NULL);
    ok(good, "parses: %s", r.problem_count ? r.problem[0] : "");
    is_int(c.link_ttl_ms, 400 * 24 * 3600 * 1000LL, "LINK_TTL is its default");
    is_str(c.opportunity_name, "Order #{number}", "GHL_OPPORTUNITY_NAME too");
    is_int(config_outcome(&c, "refunded"), OUTCOME_LOST, "and GHL_STATUS_MAP");
    drop(&c, &r);

    struct buf shown;
    buf_init(&shown, 1024L * 1024);
    ok(load(&c, &r, GOOD, NULL) && config_print_values(&c, &shown), "the values in force");
    ok(strstr(shown.data, "set, 10 characters") && !strstr(shown.data, "secret one"),
       "show of a secret only that it is there");
    ok(strstr(shown.data, "GHL_RATE                     100/10s") &&
           strstr(shown.data, "MAX_BODY                     8m\n"),
       "and the rest as it is written");
    drop(&c, &r);
    buf_free(&shown);
    buf_free(&text);
    buf_free(&active);
}

static void is_differ(const struct config *a, const struct config *b, const char *want)
{
    struct buf names;

    buf_init(&names, 1024);
    ok(config_differ(a, b, &names) == (*want != '\0'), "settings differ, or not");
    is_str(names.data, want, "those that do");
    ok(config_differ(a, b, NULL) == (*want != '\0'), "without a list too");
    buf_free(&names);
}

/* A running process reads the settings again: what differs. */
static void changes(void)
{
    struct config running, fresh;
    struct config_report r;

    ok(load(&running, &r, GOOD "GHL_NOTE=yes\nGHL_TIMEOUT=15\n", NULL), "the settings at the start");
    config_report_free(&r);
    ok(load(&fresh, &r, GOOD "GHL_NOTE='yes'\n", NULL), "the same, written in another way");
    is_differ(&running, &fresh, "");
    drop(&fresh, &r);

    ok(load(&fresh, &r,
            GOOD "SHOP=other\nWOO_SHOPS=other=example.com\nGHL_STAGE_MAP=processing:Paid\nGHL_DRY_RUN=yes\n"
                 "GHL_RATE=100/20s\nGHL_ON_DUPLICATE=dead_letter\nMAX_BODY=1m\nREDIS_PREFIX=other\nPORT=81\n",
            NULL),
       "others");
    is_differ(
        &running, &fresh,
        "SHOP, WOO_SHOPS, GHL_STAGE_MAP, GHL_NOTE, GHL_ON_DUPLICATE, GHL_DRY_RUN, GHL_RATE, REDIS_PREFIX, "
        "MAX_BODY, PORT");
    drop(&fresh, &r);
    config_free(&running);
}

/* Whoever holds a config learns that one of its files changed, came or went. */
static void staleness(void)
{
    struct config c, fresh;
    struct config_report r;

    write_file(other_path, "pit-1", 0600);
    const char *const environment[] = {"GHL_API_KEY_FILE", other_path, NULL};
    ok(load(&c, &r, "WOO_WEBHOOK_SECRET=s\nGHL_LOCATION_ID=l\n", environment), "two files");
    ok(!config_is_stale(&c), "nothing changed");
    write_file(other_path, "pit-22", 0600);
    ok(config_is_stale(&c), "a value's file changed");
    ok(unlink(other_path) == 0 && config_is_stale(&c), "it is gone");
    config_report_free(&r);
    ok(!config_load(&fresh, &r), "what is read then is no good");
    config_refuse(&c, &fresh);
    ok(!config_is_stale(&c), "that is not read again and again");
    is_str(c.ghl_api_key, "pit-1", "the old value stays");
    config_free(&fresh);
    write_file(other_path, "pit-1", 0600);
    ok(config_is_stale(&c), "but when the file is back");
    drop(&c, &r);

    clearenv();
    setenv("WOO_GHL_ENV", env_path, 1);
    ok(unlink(env_path) == 0 && !config_load(&c, &r), "no settings file");
    ok(!config_is_stale(&c), "nothing changed");
    write_file(env_path, GOOD, 0600);
    ok(config_is_stale(&c), "the settings file came");
    drop(&c, &r);
}

int main(void)
{
    if (!ok(mkdtemp(dir) != NULL, "a directory"))
        return tap_done();
    snprintf(env_path, sizeof env_path, "%s/env", dir);
    snprintf(other_path, sizeof other_path, "%s/other", dir);
    defaults();
    precedence();
    problems();
    warnings();
    the_shop();
    lists();
    choices();
    values();
    sample();
    changes();
    staleness();
    ok(unlink(env_path) == 0 && unlink(other_path) == 0 && rmdir(dir) == 0, "nothing stays");
    return tap_done();
}
