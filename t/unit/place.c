#include "place.h"
#include "tap.h"
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool place_begin(struct place *place)
{
    *place = (struct place){.dir = "/tmp/woo_ghl.XXXXXX"};
    if (mkdtemp(place->dir))
        return true;
    tap_note("no temporary directory");
    return false;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

void place_end(struct place *place)
{
    if (nftw(place->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
        tap_note("%s stays", place->dir);
}

static void set(const char *const settings[])
{
    for (; *settings; settings++) {
        size_t n = strcspn(*settings, "=");
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)n, *settings);
        setenv(name, *settings + n + 1, 1);
    }
}

bool place_app(const struct place *place, const char *location, struct app *app)
{
    static const char *const none[] = {NULL};
    return place_app_with(place, location, none, app);
}

bool place_app_with(const struct place *place, const char *location, const char *const settings[],
                    struct app *app)
{
    char data[96], log[96];
    struct error e = ERROR_NONE;

    snprintf(data, sizeof data, "%s/data", place->dir);
    snprintf(log, sizeof log, "%s/log", place->dir);
    clearenv();
    setenv("WOO_GHL_ENV", "/dev/null", 1); /* not the settings of a program that is installed here */
    setenv("WOO_WEBHOOK_SECRET", "my_super_secret_woo_key", 1);
    setenv("GHL_DRY_RUN", "yes", 1);
    setenv("GHL_LOCATION_ID", location, 1);
    setenv("DATA_DIR", data, 1);
    setenv("LOG", log, 1);
    set(settings);
    bool good = app_open(app, NULL) && app_ready(app, &e);
    if (!good)
        tap_note("the app does not open: %s%s", e.text,
                 app->report.problem_count ? app->report.problem[0] : "");
    return good;
}
