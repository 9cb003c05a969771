/* The one table of settings: what it must hold, and what is made from it. */
#include "config/settings.h"
#include "tap.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* What every row has to be, so that .env.sample, `check`, the man page and a reload work. */
static void every_row(void)
{
    for (size_t i = 0; i < settings_count; i++) {
        const struct setting *s = &settings[i];
        struct config config = {0}, again = {0};
        struct error e = ERROR_NONE;
        struct buf shown;
        const char *text = s->fallback ? s->fallback : s->example;

        buf_init(&shown, 4096);
        ok(settings_find(s->name) == s, "%s is there once", s->name);
        ok(s->help && strlen(s->help) > 5 && s->help[strlen(s->help) - 1] == '.',
           "%s: its help is a sentence", s->name);
        ok(s->min <= s->max, "%s: its range", s->name);
        ok(!(s->fallback && s->type->hidden), "%s: no secret has a default", s->name);
        ok(text && settings_parse(s, text, &config, &e), "%s: its default or example is taken: %s", s->name,
           e.text);
        ok(settings_print(s, &config, &shown), "%s is shown", s->name);
        if (s->type->hidden)
            ok(text && !strstr(shown.data, text), "%s: what is shown hides it", s->name);
        else
            text = shown.data;
        ok(text && settings_parse(s, text, &again, &e) && settings_same(s, &config, &again),
           "%s: what is shown means the same: %s %s", s->name, shown.data, e.text);
        settings_clear(s, &again);
        settings_clear(s, &again);
        settings_clear(s, &config);
        buf_free(&shown);
    }
    ok(!settings_find("") && !settings_find("port") && !settings_find("PORTS"), "and nothing else");
}

/* A row's words stand in the order of its enum. */
static void words(void)
{
    struct config config = {0};
    struct error e = ERROR_NONE;
    const struct setting *duplicate = settings_find("GHL_ON_DUPLICATE"), *level = settings_find("LOG_LEVEL");

    ok(settings_parse(duplicate, "Dead_Letter", &config, &e) &&
           config.on_duplicate == ON_DUPLICATE_DEAD_LETTER,
       "GHL_ON_DUPLICATE=dead_letter");
    ok(settings_parse(duplicate, "update", &config, &e) && config.on_duplicate == ON_DUPLICATE_UPDATE,
       "GHL_ON_DUPLICATE=update");
    ok(settings_parse(level, "error", &config, &e) && config.log_level == LOG_LEVEL_ERROR, "LOG_LEVEL=error");
    ok(settings_parse(level, "debug", &config, &e) && config.log_level == LOG_LEVEL_DEBUG, "LOG_LEVEL=debug");
    ok(!settings_parse(duplicate, "park", &config, &e), "another word is refused");
    is_str(e.text, "'park' is none of update, dead_letter", "with those that are right");
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
    every_row();
    nearest();
    refused();
    prints();
    words();
    return tap_done();
}
