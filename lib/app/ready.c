#include "app/ready.h"
#include "app/memory.h"
#include <string.h>

/* The spool is opened even if the store is not: it is for just that. */
static void open_spool(struct app *app)
{
    struct error e = ERROR_NONE;

    if (app->spool && spool_is_there(app->spool))
        return;
    struct spool *fresh = spool_open(&app->config, app->crypt, &e);
    if (!fresh) { /* who is at work with the old one has it still */
        log_event(app->log, LOG_LEVEL_ERROR, "spool", NULL, "%s", e.text);
        return;
    }
    if (app->spool)
        log_event(app->log, LOG_LEVEL_ERROR, "spool", NULL, "DATA_DIR/spool was deleted while it was in use");
    spool_close(app->spool);
    app->spool = fresh;
}

bool app_open_store(struct app *app, struct error *e)
{
    if (app->store)
        return true;
    app->store = store_open(&app->config, app->crypt, app->log, e);
    if (!app->store)
        return false;
    store_shift_clock(app->store, app->shift_ms);
    orders_init(&app->orders, app->store, &app->config, app->log);
    return true;
}

bool app_ready(struct app *app, struct error *e)
{
    char server[RECORD_ID_SIZE];

    open_spool(app);
    if (!app_open_store(app, e))
        return false;
    if (store_server(app->store, server) != STORE_OK) {
        error_set(e, "%s", store_trouble(app->store));
        return false;
    }
    return (!strcmp(server, app->server) && app->orders.location.version) ||
           memory_is_checked(app, server, e);
}
