#include "app/memory.h"
#include "app/alert.h"
#include "app/place.h"
#include "base/files.h"
#include "base/text.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define COPY_MAX 2048

/* This machine's copy: "ID FIRST_USE_MS", and in two more lines whose it is (left_behind.h): REDIS_PREFIX, and the location. */
struct copy {
    char id[RECORD_TOKEN_SIZE];
    int64_t first_use_ms;
};

static bool read_copy(int dir, const char *name, struct copy *copy, struct error *e)
{
    struct buf text;

    *copy = (struct copy){0};
    buf_init(&text, COPY_MAX);
    enum files_result result = files_read(dir, name, &text, e);
    if (result == FILES_OK && buf_addc(&text, '\0') &&
        strspn(text.data, "0123456789abcdef") == sizeof copy->id - 1) {
        memcpy(copy->id, text.data, sizeof copy->id - 1);
        copy->first_use_ms = text_number(text.data + sizeof copy->id - 1, NULL);
    }
    buf_free(&text);
    return result != FILES_FAILED;
}

static bool write_copy(const struct app *app, int dir, const char *name, struct error *e)
{
    const struct location_record *location = &app->orders.location;
    struct buf text;

    buf_init(&text, COPY_MAX);
    bool good =
        buf_addf(&text, "%s %" PRId64 "\n%s\n%s%s\n", location->store_id, location->first_use_ms,
                 app->config.redis_prefix, app->config.dry_run ? "dry:" : "", app->config.ghl_location_id);
    if (good)
        good = files_write(dir, name, text.data, text.len, false, e) == FILES_OK;
    else
        error_set(e, "REDIS_PREFIX and GHL_LOCATION_ID: together longer than %d characters", COPY_MAX);
    buf_free(&text);
    return good;
}

struct check {
    const struct copy *copy;
    const char *server, *new_id;
    int64_t elsewhere_ms;
    enum memory memory;
};

static bool check_rule(struct location_record *location, int64_t now_ms, void *context)
{
    struct check *c = context;

    c->memory = memory_check(location, c->copy->id, c->copy->first_use_ms, c->server, c->elsewhere_ms,
                             c->new_id, now_ms);
    return c->memory != MEMORY_SAME;
}

static void tell(struct app *app, enum memory memory)
{
    const char *text = NULL;

    if (memory == MEMORY_LOST)
        text = "The store is not the one that this machine knows (a Redis that came back empty, a deleted "
               "store.db, another store): orders that waited in it may be lost. Run `woo_ghl reconcile`: it "
               "reads them from the shop. Opportunities that the store does not know are looked for in GHL "
               "before any is created";
    if (memory == MEMORY_MOVED)
        text =
            "The store is on another server or in another file than before (a restart, a failover, a "
            "restored backup, another REDIS_PREFIX meanwhile): what it took last may be lost. Run `woo_ghl "
            "reconcile`. Opportunities that the store does not know are looked for in GHL before any is "
            "created";
    if (!text)
        return;
    log_event(app->log, memory == MEMORY_LOST ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN, "store", NULL, "%s", text);
    (void)alert_raise(app, ALERT_STORE, "%s", text);
}

static bool is_configured(const struct config *config, const char *shop)
{
    for (size_t i = 0; config->shops.count > 1 && i < config->shops.count; i++)
        if (!strcmp(config->shops.item[i].name, shop))
            return true;
    return config->shops.count <= 1 && !strcmp(config->shop, shop);
}

/* An order's key begins with its shop's name: a name that vanished leaves its orders behind, and what comes under another
 * name looks like a new order. */
static bool shops_are_known(const struct app *app, struct error *e)
{
    char shops[sizeof app->orders.location.shops], *rest = NULL;

    snprintf(shops, sizeof shops, "%s", app->orders.location.shops);
    for (char *shop = strtok_r(shops, " ", &rest); shop; shop = strtok_r(NULL, " ", &rest))
        if (!is_configured(&app->config, shop)) {
            error_set(e,
                      "The store has orders of the shop \"%.64s\", which the settings do not name any more: "
                      "name it again in %s. Until then what comes is kept in the spool",
                      shop, app->config.shops.count > 1 ? "WOO_SHOPS" : "SHOP");
            return false;
        }
    return true;
}

/* -- the prefix in use -- */

/* A file, one for a location, with the REDIS_PREFIX under which this machine worked last. What it sent to GHL under another
 * one, this store does not know. */
struct last {
    char name[PLACE_NAME_SIZE];
    bool known, other;
};

static bool read_last(const struct app *app, int dir, struct last *last, struct error *e)
{
    struct config any = app->config; /* borrows everything */
    char none[1] = "";
    struct buf text;

    any.redis_prefix = none;
    if (!place_name(&any, "store-used", last->name))
        return false;
    buf_init(&text, COPY_MAX);
    enum files_result result = files_read(dir, last->name, &text, e);
    last->known = result == FILES_OK;
    last->other = last->known && strcmp(text.data ? text.data : "", app->config.redis_prefix) != 0;
    buf_free(&text);
    return result != FILES_FAILED;
}

/* Without it the next change of the prefix is not noticed: no reason to take no orders. */
static void write_last(const struct app *app, int dir, const struct last *last)
{
    const char *prefix = app->config.redis_prefix;
    struct error e = ERROR_NONE;

    if ((!last->known || last->other) &&
        files_write(dir, last->name, prefix, strlen(prefix), false, &e) != FILES_OK)
        log_event(app->log, LOG_LEVEL_WARN, "store", NULL, "REDIS_PREFIX is not noted in DATA_DIR: %s",
                  e.text);
}

static bool check(struct app *app, int dir, const char *server, struct error *e)
{
    char name[PLACE_NAME_SIZE], new_id[RECORD_TOKEN_SIZE];
    struct last last;
    struct copy copy;

    if (!place_name(&app->config, MEMORY_FILE, name) || !digest_token(new_id, sizeof new_id)) {
        error_set(e, "Out of memory or random bytes");
        return false;
    }
    if (!read_copy(dir, name, &copy, e) || !read_last(app, dir, &last, e))
        return false;
    struct check c = {.copy = &copy,
                      .server = server,
                      .elsewhere_ms = last.other                         ? store_now_ms(app->store)
                                      : strcmp(server, app->server) != 0 ? app->orders.committed_ms
                                                                         : 0,
                      .new_id = new_id};
    if (orders_location(&app->orders, check_rule, &c) != STORE_OK) {
        error_set(e, "%s", store_trouble(app->store));
        return false;
    }
    tell(app, c.memory); /* now: the next check finds it the same */
    if (!shops_are_known(app, e))
        return false;
    store_trust(app->store, server);
    write_last(app, dir, &last);
    return !strcmp(copy.id, app->orders.location.store_id) || write_copy(app, dir, name, e);
}

bool memory_is_checked(struct app *app, const char *server, struct error *e)
{
    int dir = files_open_dir(app->config.data_dir, e);

    if (dir < 0)
        return false;
    bool good = check(app, dir, server, e);
    close(dir);
    if (good)
        snprintf(app->server, sizeof app->server, "%s", server);
    return good;
}
