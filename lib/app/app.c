#include "app/app.h"
#include "app/alert.h"
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void hide_secret(void *log, const char *secret)
{
    log_secret(log, secret);
}

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
    app->ghl = ghl_new(c, app->log, e);
    return app->ghl != NULL;
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

bool app_open(struct app *app, volatile int *stop)
{
    struct error e = ERROR_NONE;

    struct error owner = ERROR_NONE;

    *app = (struct app){.stop = stop};
    app->config_ok = config_load(&app->config, &app->report);
    if (app->config_ok && !become_owner(app->config.data_dir, &owner))
        app->config_ok = false;
    app->log = log_open(app->config.log_to, app->config.log_level, &e);
    if (!app->log) {
        struct error ignored = ERROR_NONE;
        app->log = log_open("stderr", app->config.log_level, &ignored);
        log_event(app->log, LOG_LEVEL_ERROR, "log", NULL, "%s; logging to stderr instead", e.text);
    }
    config_each_secret(&app->config, hide_secret, app->log);
    if (*owner.text)
        log_event(app->log, LOG_LEVEL_ERROR, "start", NULL, "%s", owner.text);
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

/* -- the settings, anew -- */

/* A token of another location would write this location's orders there. */
static bool may_take_over(const struct app *app, const struct config *fresh)
{
    if (!strcmp(app->config.ghl_location_id, fresh->ghl_location_id) && app->config.dry_run == fresh->dry_run)
        return true;
    log_event(app->log, LOG_LEVEL_WARN, "config", NULL,
              "GHL_LOCATION_ID or GHL_DRY_RUN was changed: that takes effect with the next start");
    return false;
}

/* The fresh settings, and what is made from them; the old ones again if there is no memory for that. */
static bool take_over(struct app *app, struct config *fresh)
{
    struct signature_keys keys = {0};

    if (!signature_keys_init(&keys, fresh->webhook_secret, fresh->webhook_secret_previous))
        return false;
    config_each_secret(fresh, hide_secret, app->log);
    config_take(&app->config, fresh);
    if (!ghl_renew(app->ghl)) {
        config_take(&app->config, fresh);
        signature_keys_free(&keys);
        return false;
    }
    signature_keys_free(&app->keys);
    app->keys = keys;
    return true;
}

bool app_reload(struct app *app)
{
    struct config fresh;
    struct config_report report;
    struct buf names;
    bool good = config_load(&fresh, &report), changed = false;

    buf_init(&names, 4096);
    for (size_t i = 0; !good && i < report.problem_count; i++)
        log_event(app->log, LOG_LEVEL_ERROR, "config", NULL, "%s", report.problem[i]);
    if (good && config_differ(&app->config, &fresh, CONFIG_EFFECT_NOW, &names) && may_take_over(app, &fresh))
        changed = take_over(app, &fresh);
    if (changed)
        log_event(app->log, LOG_LEVEL_INFO, "config", NULL, "Settings changed: %s", names.data);
    buf_free(&names);
    config_report_free(&report);
    config_free(&fresh);
    return changed;
}

/* -- the shared state -- */

static enum store_result shelf_get(void *context, const char *name, char **out)
{
    const struct app *app = context;
    return app->store ? store_get(app->store, name, out) : STORE_UNAVAILABLE;
}

static enum store_result shelf_put(void *context, const char *name, const char *value, int64_t ttl_ms,
                                   bool if_absent, char **out)
{
    const struct app *app = context;
    return app->store ? store_put(app->store, name, value, ttl_ms, if_absent, out) : STORE_UNAVAILABLE;
}

static enum store_result shelf_forgot(void *context, const char *key_id)
{
    static const char text[] =
        "The store has lost what it knew, for this machine had settled with it before "
        "(a Redis that came back empty, a "
        "deleted store.db, another store): orders that waited in it are lost. Run `woo_ghl "
        "reconcile`: it reads them from the shop. Cards "
        "that it knew of are looked for in GHL before any is made";
    struct app *app = context;

    if (!app->store || store_forgot(app->store, key_id) != STORE_OK)
        return STORE_UNAVAILABLE;
    log_event(app->log, LOG_LEVEL_ERROR, "store", NULL, "%s", text);
    (void)alert_raise(app, ALERT_STORE, "%s", text);
    return STORE_OK;
}

static bool open_vault(struct app *app, struct error *e)
{
    const struct vault_shelf shelf = {
        .context = app, .get = shelf_get, .put = shelf_put, .forgot = shelf_forgot};

    app->vault = vault_open(&app->config, &shelf, app->log, e);
    if (!app->vault)
        return false;
    if (vault_hash_key(app->vault, "plan", app->hash_key))
        return true;
    error_set(e, "libcrypto: HKDF failed; is OpenSSL 3 with its default provider installed?");
    vault_free(app->vault);
    app->vault = NULL;
    return false;
}

/* The spool is opened even where the store is not: it is for just that. */
static void open_spool(struct app *app)
{
    struct error e = ERROR_NONE;

    if (app->spool && !spool_is_there(app->spool)) {
        log_event(app->log, LOG_LEVEL_ERROR, "spool", NULL, "DATA_DIR/spool was deleted while it was in use");
        spool_close(app->spool);
        app->spool = NULL;
    }
    if (app->spool || !app->crypt)
        return;
    app->spool = spool_open(&app->config, app->crypt, &e);
    if (!app->spool)
        log_event(app->log, LOG_LEVEL_ERROR, "spool", NULL, "%s", e.text);
}

/* What the store has found to be lost is told once. */
static void tell_loss(struct app *app)
{
    struct error lost = ERROR_NONE;

    if (store_lost(app->store, &lost))
        (void)alert_raise(app, ALERT_STORE, "%s", lost.text);
}

bool app_ready(struct app *app, struct error *e)
{
    struct error why_no_vault = ERROR_NONE;

    if (!app->store)
        app->store = store_open(&app->config, app->log, e);
    if (app->store)
        tell_loss(app);
    if (!app->vault && !open_vault(app, &why_no_vault) && app->store)
        *e = why_no_vault; /* without a store the reason is the store's */
    open_spool(app);
    if (!app->store || !app->vault)
        return false;
    if (vault_state(app->vault) != VAULT_SETTLED) {
        if (!vault_settle(app->vault) || !vault_hash_key(app->vault, "plan", app->hash_key)) {
            const char *away = vault_state(app->vault) == VAULT_AWAY ? store_trouble(app->store) : "";
            error_set(e, "%s", *away ? away : vault_trouble(app->vault));
            return false;
        }
    }
    store_use_vault(app->store, app->vault);
    return true;
}

void app_close(struct app *app)
{
    spool_close(app->spool);
    store_close(app->store);
    vault_free(app->vault);
    crypt_free(app->crypt);
    ghl_free(app->ghl);
    signature_keys_free(&app->keys);
    log_close(app->log);
    config_report_free(&app->report);
    config_free(&app->config);
    *app = (struct app){0};
}

static char *cache_get(void *context, const char *name)
{
    struct app *app = context;
    char *value = NULL;
    return app->store && store_get(app->store, name, &value) == STORE_OK ? value : NULL;
}

static void cache_put(void *context, const char *name, const char *value, int64_t ttl_ms)
{
    struct app *app = context;
    if (app->store && store_put(app->store, name, value, ttl_ms, false, NULL) != STORE_OK)
        log_event(app->log, LOG_LEVEL_WARN, "store", NULL, "The store did not keep %s: %s", name,
                  store_trouble(app->store));
}

struct ghl_cache app_cache(struct app *app)
{
    return (struct ghl_cache){.context = app, .get = cache_get, .put = cache_put};
}
