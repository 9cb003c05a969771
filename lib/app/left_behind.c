#include "app/left_behind.h"
#include "app/memory.h"
#include "base/files.h"
#include "base/text.h"
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_MAX 2048

/* The settings that differ, as a shell takes them. */
static bool add_settings(const struct config *now, const struct config *there, struct buf *out)
{
    bool good = true;

    if (strcmp(there->ghl_location_id, now->ghl_location_id) != 0)
        good = buf_addf(out, "GHL_LOCATION_ID=%s GHL_API_KEY=... ", there->ghl_location_id);
    if (strcmp(there->redis_prefix, now->redis_prefix) != 0)
        good = good && buf_addf(out, "REDIS_PREFIX=%s ", there->redis_prefix);
    if (strcmp(there->redis_url, now->redis_url) != 0)
        good = good && buf_adds(out, "REDIS_URL= ");
    if (now->dry_run)
        good = good && buf_adds(out, "GHL_DRY_RUN=no ");
    return good;
}

bool left_behind_is_ours(const struct app *app, const struct config *there)
{
    return !app->config.dry_run && !strcmp(there->ghl_location_id, app->config.ghl_location_id);
}

/* Says what waits under these settings, which are the app's but for where they look. */
static void look_there(const struct app *app, const struct config *there, void *context)
{
    struct buf *out = context;
    struct error e = ERROR_NONE;
    struct store_sizes sizes;
    struct store *store = store_open(there, app->crypt, app->log, &e);

    if (store && store_sizes(store, &sizes) == STORE_OK &&
        sizes.count[INDEX_DUE] + sizes.count[INDEX_DEAD] > 0 &&
        buf_addf(out,
                 "%lld orders and %lld dead letters are left behind in %s, REDIS_PREFIX=%s, location %s. To "
                 "bring them to GHL, run `",
                 (long long)sizes.count[INDEX_DUE], (long long)sizes.count[INDEX_DEAD],
                 *there->redis_url ? "Redis" : "the embedded store", there->redis_prefix,
                 there->ghl_location_id)) {
        bool brings = left_behind_is_ours(app, there);
        if (brings || add_settings(&app->config, there, out))
            (void)buf_adds(out, brings ? "woo_ghl drain`\n"
                                       : "woo_ghl drain --now`\n"); /* a cut text tells enough */
    }
    store_close(store);
}

struct walk {
    const struct app *app;
    void (*call)(const struct app *app, const struct config *there, void *context);
    void *context;
};

/* In this namespace: in the store that the settings name, unless that is where the app is; and in the embedded store if the
 * settings name a Redis. */
static void look_in(const struct walk *walk, char *prefix, char *location)
{
    const struct app *app = walk->app;
    struct config there = app->config; /* borrows everything */
    bool own = !app->config.dry_run && !strcmp(prefix, app->config.redis_prefix) &&
               !strcmp(location, app->config.ghl_location_id);
    char embedded[1] = "", path[4096];
    struct stat st;

    there.redis_prefix = prefix;
    there.ghl_location_id = location;
    there.dry_run = false;
    if (!own)
        walk->call(app, &there, walk->context);
    if (!*app->config.redis_url || !text_format(path, sizeof path, "%s/store.db", app->config.data_dir) ||
        stat(path, &st) != 0)
        return;
    there.redis_url = embedded;
    walk->call(app, &there, walk->context);
}

static void read_copy(void *context, int dir, const char *name)
{
    const struct walk *walk = context;
    struct buf text;

    buf_init(&text, COPY_MAX);
    if (!strncmp(name, MEMORY_FILE ".", strlen(MEMORY_FILE ".")) &&
        files_read(dir, name, &text, NULL) == FILES_OK) {
        char *rest = text.data + strcspn(text.data, "\n"), *prefix = *rest ? rest + 1 : rest,
             *location = prefix + strcspn(prefix, "\n");
        if (*location) {
            *location++ = '\0';
            location[strcspn(location, "\n")] = '\0';
            if (*location && strncmp(location, "dry:", 4) != 0) /* what a dry run left needs nobody */
                look_in(walk, prefix, location);
        }
    }
    buf_free(&text);
}

void left_behind_each(const struct app *app,
                      void (*call)(const struct app *app, const struct config *there, void *context),
                      void *context)
{
    struct walk walk = {app, call, context};
    int dir = files_open_dir(app->config.data_dir, NULL);

    if (dir < 0)
        return;
    (void)files_each(dir, read_copy, &walk); /* what cannot be read is not there */
    close(dir);
}

void left_behind(const struct app *app, struct buf *out)
{
    left_behind_each(app, look_there, out);
}
