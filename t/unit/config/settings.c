/* The one table of settings: what it must hold, and what is made from it. */
#include "config/settings.h"
#include "tap.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Every setting that the documentation promises, with its default; NULL = none. */
static const struct {
    const char *name, *fallback;
} promised[] = {
    {"WOO_WEBHOOK_SECRET", NULL},
    {"WOO_WEBHOOK_SECRET_PREVIOUS", NULL},
    {"SHOP", "shop"},
    {"WOO_SHOPS", NULL},
    {"SALES_SINCE", NULL},
    {"SUB_ORDERS", "ignore"},
    {"DEFAULT_COUNTRY", NULL},
    {"GHL_API_KEY", NULL},
    {"GHL_LOCATION_ID", NULL},
    {"GHL_PIPELINE_ID", NULL},
    {"GHL_STAGE_MAP", NULL},
    {"GHL_STATUS_MAP", "processing:won,completed:won,refunded:lost,cancelled:abandoned,failed:abandoned,"
                       "trash:abandoned"},
    {"GHL_OPPORTUNITY_NAME", "Order #{number}"},
    {"GHL_TAGS", NULL},
    {"GHL_TAGS_REMOVE", NULL},
    {"GHL_CONTACT_FIELDS", NULL},
    {"GHL_OPPORTUNITY_FIELDS", NULL},
    {"GHL_NOTE", NULL},
    {"GHL_SOURCE", "{attribution}"},
    {"GHL_ORDER_FIELD", NULL},
    {"GHL_ON_DUPLICATE", "update"},
    {"GHL_ON_ERASE", "keep"},
    {"GHL_DRY_RUN", "no"},
    {"GHL_API_BASE", "https://services.leadconnectorhq.com"},
    {"GHL_API_VERSION", "2021-07-28"},
    {"GHL_RATE", "100/10s"},
    {"GHL_RATE_PER_DAY", "200000"},
    {"GHL_TIMEOUT", "15s"},
    {"REDIS_URL", NULL},
    {"REDIS_PREFIX", "woo_ghl"},
    {"REDIS_TIMEOUT", "500ms"},
    {"DATA_DIR", NULL},
    {"DATA_KEY", NULL},
    {"DATA_KEY_PREVIOUS", NULL},
    {"IDEMPOTENCY_TTL", "24h"},
    {"LINK_TTL", "400d"},
    {"PARKED_TTL", "30d"},
    {"RATE_LIMIT_PER_DAY", "1000"},
    {"MAX_BODY", "8m"},
    {"SYNC_BUDGET", "10s"},
    {"RETRY_FOR", "3d"},
    {"DRAIN_AFTER", "on"},
    {"LOG", "stderr"},
    {"LOG_LEVEL", "info"},
    {"ALERT_COMMAND", NULL},
    {"ALERT_EVERY", "1h"},
    {"ALERT_SILENCE", "off"},
    {"WOO_URL", NULL},
    {"WOO_CONSUMER_KEY", NULL},
    {"WOO_CONSUMER_SECRET", NULL},
    {"WOO_TIMEOUT", "60s"},
    {"PORT", "5000"},
};

static void the_table(void)
{
    is_int(settings_count, sizeof promised / sizeof *promised, "no setting more, none less");
    for (size_t i = 0; i < sizeof promised / sizeof *promised; i++) {
        const struct setting *s = settings_find(promised[i].name);
        ok(s != NULL, "%s is there", promised[i].name);
        if (s)
            is_str(s->fallback ? s->fallback : "(none)",
                   promised[i].fallback ? promised[i].fallback : "(none)", "%s: its default", s->name);
    }
    ok(!settings_find("") && !settings_find("port") && !settings_find("PORTS"), "and nothing else");
}

/* What every row has to be, so that .env.sample and the man page read well. */
static void every_row(void)
{
    for (size_t i = 0; i < settings_count; i++) {
        const struct setting *s = &settings[i];
        struct config config = {0};
        struct error e = ERROR_NONE;
        const char *text = s->fallback ? s->fallback : s->example;

        ok(text != NULL, "%s has a default or an example", s->name);
        ok(s->help && strlen(s->help) > 5 && s->help[strlen(s->help) - 1] == '.',
           "%s: its help is a sentence", s->name);
        ok(s->min <= s->max, "%s: its range", s->name);
        ok(!(s->fallback && s->type == SETTING_SECRET), "%s: no secret has a default", s->name);
        ok(text && settings_parse(s, text, &config, &e), "%s: its default or example is taken: %s", s->name,
           e.text);
        ok(text && settings_parse(s, text, &config, &e), "%s: a second time too", s->name);
        settings_clear(s, &config);
        settings_clear(s, &config);
        for (size_t j = 0; j < i; j++)
            if (!strcmp(settings[j].name, s->name))
                ok(false, "%s is there twice", s->name);
    }
}

static void nearest(void)
{
    static const struct {
        const char *misspelt, *meant;
    } cases[] = {
        {"GHL_TIMEUOT", "GHL_TIMEOUT"},
        {"WOO_WEBHOOK_SECRETS", "WOO_WEBHOOK_SECRET"},
        {"REDIS_UR", "REDIS_URL"},
        {"GHL_APIKEY", "GHL_API_KEY"},
        {"RATE_LIMIT_DAY", "(none)"},
        {"HOME", "(none)"},
        {"", "(none)"},
        {"X", "(none)"},
        {"GHL_LOCATIONID", "GHL_LOCATION_ID"},
    };
    char endless[4096];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *found = settings_nearest(cases[i].misspelt);
        is_str(found ? found : "(none)", cases[i].meant, "nearest to '%s'", cases[i].misspelt);
    }
    memset(endless, 'A', sizeof endless - 1);
    endless[sizeof endless - 1] = '\0';
    ok(!settings_nearest(endless), "an endless name is near to none");
}

/* The message of a refused value never holds what may be a secret. */
static void refused(void)
{
    static const struct {
        const char *name, *value;
    } cases[] = {
        {"REDIS_URL", "http://user:s3cr3t@127.0.0.1"},   {"REDIS_URL", "redis://user:s3cr3t@"},
        {"REDIS_URL", "redis://u:s3cr3t@h:99999"},       {"REDIS_URL", "redis://u:s3cr3t@h/x"},
        {"GHL_API_BASE", "http://u:s3cr3t@example.com"}, {"WOO_URL", "ftp://u:s3cr3t@example.com"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct config config = {0};
        struct error e = ERROR_NONE;
        const struct setting *s = settings_find(cases[i].name);
        ok(s && !settings_parse(s, cases[i].value, &config, &e), "%s=%s is refused", cases[i].name,
           cases[i].value);
        ok(e.text[0] && !strstr(e.text, "s3cr3t"), "and its secret not told: %s", e.text);
        if (s)
            settings_clear(s, &config);
    }
}

static void prints(void)
{
    struct buf sample, man;

    buf_init(&sample, 1024L * 1024);
    buf_init(&man, 1024L * 1024);
    ok(config_print_sample(&sample) && config_print_manual(&man), "sample and man page");
    for (size_t i = 0; i < settings_count; i++) {
        char line[80];
        snprintf(line, sizeof line, "\n#%s=", settings[i].name);
        const char *at = strstr(sample.data, line);
        ok(at && !strstr(at + 1, line), "the sample has %s once, commented out", settings[i].name);
        snprintf(line, sizeof line, ".B %s\n", settings[i].name);
        ok(strstr(man.data, line) != NULL, "the man page has it");
    }
    for (const char *p = sample.data; *p; p++)
        if (!isprint((unsigned char)*p) && *p != '\n') {
            ok(false, "the sample holds the byte %d", *p);
            break;
        }
    buf_free(&sample);
    buf_free(&man);
}

int main(void)
{
    the_table();
    every_row();
    nearest();
    refused();
    prints();
    return tap_done();
}
