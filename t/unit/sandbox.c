#include "sandbox.h"
#include "app/ready.h"
#include "tap.h"
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOG_MAX (4L * 1024 * 1024)

bool sandbox_begin(struct sandbox *sandbox)
{
    const char *in = getenv("TMPDIR");
    int n = snprintf(sandbox->dir, sizeof sandbox->dir, "%s/woo_ghl.XXXXXX", in ? in : "/tmp");

    if (n < (int)sizeof sandbox->dir && mkdtemp(sandbox->dir))
        return true;
    tap_note("no temporary directory");
    return false;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

void sandbox_end(struct sandbox *sandbox)
{
    if (nftw(sandbox->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
        tap_note("%s stays", sandbox->dir);
}

void sandbox_path(const struct sandbox *sandbox, const char *name, char out[128])
{
    snprintf(out, 128, "%s/%s", sandbox->dir, name);
}

static void set(const char *const settings[])
{
    for (; settings && *settings; settings++) {
        size_t n = strcspn(*settings, "=");
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)n, *settings);
        setenv(name, *settings + n + 1, 1);
    }
}

void sandbox_settings(const struct sandbox *sandbox, const char *const settings[])
{
    char data[128], log[128];

    sandbox_path(sandbox, "data", data);
    sandbox_path(sandbox, "log", log);
    clearenv();
    setenv("WOO_GHL_ENV", "/dev/null", 1); /* not the settings of a program that is installed here */
    setenv("WOO_WEBHOOK_SECRET", SANDBOX_SECRET, 1);
    setenv("GHL_DRY_RUN", "yes", 1);
    setenv("GHL_LOCATION_ID", "location1", 1);
    setenv("DATA_DIR", data, 1);
    setenv("LOG", log, 1);
    set(settings);
}

bool sandbox_open(const struct sandbox *sandbox, const char *const settings[], struct app *app)
{
    sandbox_settings(sandbox, settings);
    return app_open(app, NULL);
}

bool sandbox_app(const struct sandbox *sandbox, const char *const settings[], struct app *app)
{
    struct error e = ERROR_NONE;
    bool good = sandbox_open(sandbox, settings, app) && app_ready(app, &e);

    if (!good)
        tap_note("the app does not open: %s%s", e.text,
                 app->report.problem_count ? app->report.problem[0] : "");
    return good;
}

enum store_result sandbox_lease(struct app *app, const char *key, struct order_work *work)
{
    return orders_lease(&app->orders, key, store_now_ms(app->store) + 1, work);
}

struct order_record sandbox_order(struct app *app, const char *key)
{
    struct store_reply reply;

    if (!app->store || store_read(app->store, key, NULL, &reply) != STORE_OK) {
        ok(false, "the store tells of %s", key);
        return (struct order_record){0};
    }
    return reply.order;
}

struct location_record sandbox_location(struct app *app)
{
    struct location_record location = {0};

    ok(store_read_location(app->store, &location) == STORE_OK, "the store tells of its location");
    return location;
}

struct store_sizes sandbox_sizes(struct app *app)
{
    struct store_sizes sizes = {0};

    ok(store_sizes(app->store, &sizes) == STORE_OK, "the store tells its sizes");
    return sizes;
}

int64_t sandbox_value(struct app *app, const char *name)
{
    char *text = NULL;
    int64_t value = store_get(app->store, name, &text) == STORE_OK ? strtoll(text, NULL, 10) : 0;

    free(text);
    return value;
}

bool sandbox_log_has(const struct sandbox *sandbox, const char *text)
{
    char path[128];
    struct buf all;
    bool found = false;

    sandbox_path(sandbox, "log", path);
    buf_init(&all, 2 * LOG_MAX);
    FILE *file = fopen(path, "r");
    char *into = buf_room(&all, LOG_MAX);
    if (file && into) {
        buf_wrote(&all, fread(into, 1, LOG_MAX, file));
        found = strstr(all.data, text) != NULL;
    }
    if (file && fclose(file) != 0)
        found = false;
    buf_free(&all);
    return found;
}
