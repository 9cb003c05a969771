#include "app.h"
#include <string.h>

static void keep_secrets_out_of_the_log(struct app *app)
{
    const struct config *c = &app->config;
    const char *const secrets[] = {c->webhook_secret, c->webhook_secret_previous, c->ghl_api_key,
                                   c->data_key,       c->woo_consumer_key,        c->woo_consumer_secret};
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++)
        log_secret(app->log, secrets[i]);
}

static bool open_parts(struct app *app, struct error *e)
{
    const struct config *c = &app->config;

    if (!signature_keys_init(&app->keys, c->webhook_secret, c->webhook_secret_previous)) {
        error_set(e, "Out of memory");
        return false;
    }
    if (!digest_hmac(c->webhook_secret, strlen(c->webhook_secret), "woo_ghl hash key", 16, app->hash_key)) {
        error_set(e, "libcrypto: HMAC-SHA256 failed; is OpenSSL 3 with its default provider installed?");
        return false;
    }
    app->ghl = ghl_new(c, app->log, e);
    return app->ghl != NULL;
}

bool app_open(struct app *app, volatile int *stop)
{
    struct error e = ERROR_NONE;

    *app = (struct app){.stop = stop};
    app->config_ok = config_load(&app->config, &app->report);
    app->log = log_open(app->config.log_to, app->config.log_level, &e);
    if (!app->log) {
        struct error ignored = ERROR_NONE;
        app->log = log_open("stderr", app->config.log_level, &ignored);
        log_event(app->log, LOG_LEVEL_ERROR, "log", NULL, "%s; logging to stderr instead", e.text);
    }
    keep_secrets_out_of_the_log(app);
    for (size_t i = 0; i < app->report.problem_count; i++)
        log_event(app->log, LOG_LEVEL_ERROR, "config", NULL, "%s", app->report.problem[i]);
    for (size_t i = 0; i < app->report.warning_count; i++)
        log_event(app->log, LOG_LEVEL_WARN, "config", NULL, "%s", app->report.warning[i]);
    if (app->config_ok && !open_parts(app, &e)) {
        log_event(app->log, LOG_LEVEL_ERROR, "start", NULL, "%s", e.text);
        app->config_ok = false;
    }
    return app->config_ok;
}

bool app_store(struct app *app, struct error *e)
{
    if (!app->store)
        app->store = store_open(&app->config, app->log, e);
    return app->store != NULL;
}

void app_close(struct app *app)
{
    store_close(app->store);
    ghl_free(app->ghl);
    signature_keys_free(&app->keys);
    log_close(app->log);
    config_report_free(&app->report);
    config_free(&app->config);
    *app = (struct app){0};
}
