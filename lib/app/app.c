#include "app/app.h"
#include "base/files.h"
#include "base/text.h"
#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOK_MS 1000 /* the settings' file is looked at so often */
#define HOUR_MS (3600 * 1000LL)

/* -- the parts -- */

static bool open_parts(struct app *app, struct error *e)
{
    const struct config *c = &app->config;

    if (!signature_keys_init(&app->keys, c->webhook_secret, c->webhook_secret_previous)) {
        error_set(e, "Out of memory");
        return false;
    }
    app->crypt = crypt_new(c, e);
    if (!app->crypt)
        return false;
    if (!crypt_hash_key(app->crypt, "plan", app->hash_key)) {
        error_set(e, "libcrypto: HKDF failed; is OpenSSL 3 with its default provider installed?");
        return false;
    }
    snprintf(app->hash_id, sizeof app->hash_id, "%.16s",
             crypt_key_id(app->crypt) + 1); /* digits alone pack well */
    app->ghl = ghl_new(c, app->log, e);
    return app->ghl != NULL;
}

static void close_parts(struct app *app)
{
    spool_close(app->spool);
    store_close(app->store);
    ghl_free(app->ghl);
    crypt_free(app->crypt);
    signature_keys_free(&app->keys);
    app->spool = NULL;
    app->store = NULL;
    app->ghl = NULL;
    app->crypt = NULL;
    app->server[0] = '\0';
    free(app->site);
    app->site = NULL;
}

/*
 * Root who runs a command must not leave files behind that the workers cannot read: root becomes the owner of
 * DATA_DIR, for good. False with the error set; a directory of root's own, or none yet, changes nothing.
 */
static bool become_owner(const char *data_dir, struct error *e)
{
    struct stat st;

    if (geteuid() != 0 || stat(data_dir, &st) != 0 || st.st_uid == 0)
        return true;
    const struct passwd *owner = getpwuid(st.st_uid);
    bool good = owner ? initgroups(owner->pw_name, st.st_gid) == 0 : setgroups(1, &st.st_gid) == 0;
    if (good && setgid(st.st_gid) == 0 && setuid(st.st_uid) == 0)
        return true;
    error_set(e, "DATA_DIR: root cannot become its owner (user %ld): %s; run this as that user",
              (long)st.st_uid, strerror(errno));
    return false;
}

static void log_report(const struct app *app, const struct config_report *report)
{
    for (size_t i = 0; i < report->problem_count; i++)
        log_event(app->log, LOG_LEVEL_ERROR, "config", NULL, "%s", report->problem[i]);
    for (size_t i = 0; i < report->warning_count; i++)
        log_event(app->log, LOG_LEVEL_WARN, "config", NULL, "%s", report->warning[i]);
}

/* NULL = there is none. */
static const char *first_problem(const struct config_report *report)
{
    return report->problem_count ? report->problem[0] : report->warning_count ? report->warning[0] : NULL;
}

/* -- life cycle -- */

bool app_open(struct app *app, volatile int *stop)
{
    int64_t count;
    struct error e = ERROR_NONE, owner = ERROR_NONE;

    *app = (struct app){.stop = stop, .alerts = -1, .listener = -1};
    tally_init(&app->tally);
    app->config_ok = config_load(&app->config, &app->report);
    if (app->config_ok && !become_owner(app->config.data_dir, &owner))
        app->config_ok = false;
    app->log = log_open(app->config.log_to, app->config.log_level, app->config.log_max, &e);
    if (!app->log) {
        app->log = log_open("stderr", app->config.log_level, 0, NULL);
        log_event(app->log, LOG_LEVEL_ERROR, "log", NULL, "%s; logging to stderr instead", e.text);
    }
    config_hide_secrets(&app->config, app->log);
    if (*owner.text)
        log_event(app->log, LOG_LEVEL_ERROR, "start", NULL, "%s", owner.text);
    /* A CGI program opens with each request: a flood of them fills no disk. */
    if (!getenv("GATEWAY_INTERFACE") || !first_problem(&app->report) ||
        app_tells(app, first_problem(&app->report), &count))
        log_report(app, &app->report);
    if (app->config_ok && !open_parts(app, &e)) {
        log_event(app->log, LOG_LEVEL_ERROR, "start", NULL, "%s", e.text);
        app->config_ok = false;
    }
    return app->config_ok;
}

void app_close(struct app *app)
{
    if (app->config_ok)
        tally_keep(&app->tally, &app->config);
    if (app->alerts >= 0)
        close(app->alerts);
    close_parts(app);
    clients_close(&app->told);
    log_close(app->log);
    config_report_free(&app->report);
    config_free(&app->config);
    tally_free(&app->tally);
    *app = (struct app){0};
}

/* -- the settings, anew -- */

/* It keeps the secrets of before: a message may still name one. */
static void move_log(struct app *app, const struct config *fresh)
{
    struct error e = ERROR_NONE;
    struct log *log = log_open(fresh->log_to, fresh->log_level, fresh->log_max, &e);

    if (!log) {
        log_event(app->log, LOG_LEVEL_ERROR, "log", NULL, "%s; logging goes on where it was%s", e.text,
                  app->confined
                      ? ", for the sandbox keeps a worker out of other directories: start the workers anew"
                      : "");
        return;
    }
    config_hide_secrets(&app->config, log);
    log_close(app->log);
    app->log = log;
}

/* Everything that was made from the old settings is made again from the new ones. */
static void take_over(struct app *app, struct config *fresh, struct config_report *report)
{
    struct error e = ERROR_NONE;
    struct buf names;

    buf_init(&names, 4096);
    if (config_differ(&app->config, fresh, &names))
        log_event(app->log, LOG_LEVEL_INFO, "config", NULL,
                  "The settings were changed and count from now on: %s", names.data);
    buf_free(&names);
    close_parts(app);
    if (!app->config.log_to || strcmp(app->config.log_to, fresh->log_to) != 0 ||
        app->config.log_level != fresh->log_level || app->config.log_max != fresh->log_max)
        move_log(app, fresh);
    config_report_free(&app->report);
    config_free(&app->config);
    app->config = *fresh;
    app->report = *report;
    config_hide_secrets(&app->config, app->log);
    app->config_ok = open_parts(app, &e);
    if (!app->config_ok)
        log_event(app->log, LOG_LEVEL_ERROR, "start", NULL, "%s", e.text);
}

bool app_refresh(struct app *app)
{
    struct config fresh;
    struct config_report report;

    if (clock_mono_ms() - app->looked_mono_ms < LOOK_MS)
        return false;
    app->looked_mono_ms = clock_mono_ms();
    if (app->config_ok && !config_is_stale(&app->config))
        return false;
    bool good = config_load(&fresh, &report);
    if (good && app->confined && strcmp(fresh.data_dir, app->config.data_dir) != 0) {
        log_event(app->log, LOG_LEVEL_ERROR, "config", NULL,
                  "DATA_DIR: the sandbox keeps a worker in the directory that it began with; start the "
                  "workers anew");
        good = false;
    }
    if (good) { /* also if they are as before: meanwhile they may have named another store, that others worked with */
        take_over(app, &fresh, &report);
        log_report(app, &app->report);
        return true;
    }
    if (!good && app->config_ok) {
        log_report(app, &report);
        log_event(app->log, LOG_LEVEL_ERROR, "config", NULL,
                  "The settings' file was changed and is refused: the last good settings go on to count");
    }
    if (fresh.env_file)
        config_refuse(&app->config, &fresh);
    config_report_free(&report);
    config_free(&fresh);
    return false;
}

bool app_refresh_now(struct app *app)
{
    app->looked_mono_ms = clock_mono_ms() - LOOK_MS;
    return app_refresh(app);
}

/* -- what others need of it -- */

bool app_is_awaited(const struct app *app)
{
    struct pollfd listener = {.fd = app->listener, .events = POLLIN};

    return app->listener >= 0 && poll(&listener, 1, 0) > 0;
}

bool app_hash(const struct app *app, const char *label, const char *text, char out[RECORD_SHORT_SIZE])
{
    char hex[DIGEST_HEX_SIZE];

    out[0] = '\0';
    if (!*text)
        return true;
    if (!digest_label_hex(app->hash_key, DIGEST_LEN, label, text, strlen(text), hex))
        return false;
    memcpy(out, hex, RECORD_SHORT_SIZE - 1);
    out[RECORD_SHORT_SIZE - 1] = '\0';
    return true;
}

bool app_tells(struct app *app, const char *event, int64_t *count)
{
    const char *data_dir =
        app->config.data_dir ? app->config.data_dir : ""; /* NULL: no memory for settings */
    int dir = *data_dir && !app->told.words ? files_open_dir(data_dir, NULL) : -1;

    if (dir >= 0)
        close(dir); /* it is there now */
    *count = 1;
    /* Without DATA_DIR each is told: that there is none is worse. */
    if (!*data_dir ||
        !clients_count(&app->told, data_dir, "told.map", event, clock_wall_ms() / HOUR_MS, count, NULL))
        return true;
    int64_t round = 1;
    while (round < *count)
        round *= 10;
    return round == *count;
}

bool app_take_turn(struct app *app, const char *name, int64_t ttl_ms, bool *turn)
{
    char mine[17], *kept = NULL;

    *turn = false;
    if (!app->store || !digest_token(mine, sizeof mine))
        return false;
    enum store_result result = store_put_absent(app->store, name, mine, ttl_ms, &kept);
    *turn = result == STORE_OK && kept && !strcmp(kept, mine);
    free(kept);
    return result == STORE_OK;
}

enum store_result app_number(struct app *app, const char *name, int64_t *number)
{
    char *text = NULL;
    enum store_result result = store_get(app->store, name, &text);

    *number = text ? text_number(text, NULL) : 0;
    free(text);
    return result == STORE_NONE ? STORE_OK : result;
}

enum store_result app_put_number(struct app *app, const char *name, int64_t number, int64_t ttl_ms)
{
    char text[24];

    snprintf(text, sizeof text, "%" PRId64, number);
    return store_put(app->store, name, text, ttl_ms);
}

void app_lost(const struct app *app, const char *what)
{
    log_event(app->log, LOG_LEVEL_WARN, "store", NULL, "The store did not keep %s: %s", what,
              store_trouble(app->store));
}

void app_keep(struct app *app, const char *name, const char *value, int64_t ttl_ms)
{
    if (app->store && store_put(app->store, name, value, ttl_ms) != STORE_OK)
        app_lost(app, name);
}

void app_count(struct app *app, const char *name)
{
    if (store_count(app->store, name) != STORE_OK)
        app_lost(app, name);
}

void app_unlock(struct app *app, const char *name, const char *token)
{
    if (store_unlock(app->store, name, token) == STORE_UNAVAILABLE)
        log_event(app->log, LOG_LEVEL_WARN, "store", NULL,
                  "The store did not take back the lock %s, which ends by itself: %s", name,
                  store_trouble(app->store));
}

static char *cache_get(void *context, const char *name)
{
    struct app *app = context;
    char *value = NULL;
    return app->store && store_get(app->store, name, &value) == STORE_OK ? value : NULL;
}

static void cache_put(void *context, const char *name, const char *value, int64_t ttl_ms)
{
    app_keep(context, name, value, ttl_ms);
}

struct ghl_cache app_cache(struct app *app)
{
    return (struct ghl_cache){.context = app, .get = cache_get, .put = cache_put};
}
