/* memory: a store that forgot something is found out, at the next start and under a running process. */
#include "app/ready.h"
#include "base/clock.h"
#include "sandbox.h"
#include "tap.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char lost[] = "The store is not the one that this machine knows",
                  moved[] = "The store is on another server";

static void opens(const struct sandbox *sandbox, const char *const settings[], struct app *app,
                  const char *what)
{
    struct error e = ERROR_NONE;

    *app = (struct app){0};
    ok(sandbox_open(sandbox, settings, app) && app_ready(app, &e), "%s %s", what, e.text);
}

/* What is in DATA_DIR under names that begin so; *path is the last one's. */
static int files_named(const struct sandbox *sandbox, const char *stem, char path[256])
{
    char data[128];
    int n = 0;

    sandbox_path(sandbox, "data", data);
    DIR *dir = opendir(data);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        if (!strncmp(entry->d_name, stem, strlen(stem))) {
            snprintf(path, 256, "%s/%.100s", data, entry->d_name);
            n++;
        }
    if (dir)
        closedir(dir);
    return n;
}

static void delete_store(const struct sandbox *sandbox)
{
    char path[256];

    while (files_named(sandbox, "store.db", path) > 0)
        if (unlink(path) != 0)
            abort();
}

/* As a restored backup: the same content in another file. */
static void copy_store(const struct sandbox *sandbox)
{
    char command[400], path[128];

    sandbox_path(sandbox, "data", path);
    snprintf(command, sizeof command,
             "cd %s && cp store.db other && mv other store.db && rm -f store.db-wal store.db-shm", path);
    ok(system(command) == 0, "the store is another file with the same content");
}

static void the_first_time(const struct sandbox *sandbox)
{
    struct app app;
    char path[256];

    opens(sandbox, NULL, &app, "given an installation");
    struct location_record location = sandbox_location(&app);
    ok(strlen(location.store_id) == 32, "the store gets an id");
    ok(location.first_use_ms > clock_wall_ms() - 60000, "its first use is now");
    is_int(location.up_ms, 0, "it forgot nothing, ever");
    is_int(files_named(sandbox, "store-id.", path), 1, "this machine has a copy");
    ok(!sandbox_log_has(sandbox, lost) && !sandbox_log_has(sandbox, moved), "nothing is told");
    app_close(&app);

    opens(sandbox, NULL, &app, "at the next start");
    struct location_record again = sandbox_location(&app);
    is_int(again.version, location.version, "nothing changes");
    app_close(&app);
}

static void a_store_that_was_deleted(const struct sandbox *sandbox)
{
    struct app app;

    opens(sandbox, NULL, &app, "given a store");
    struct location_record before = sandbox_location(&app);
    app_close(&app);
    delete_store(sandbox);
    opens(sandbox, NULL, &app, "that is deleted");
    struct location_record after = sandbox_location(&app);
    ok(strcmp(after.store_id, before.store_id) != 0, "it is another one");
    ok(after.up_ms > 0 && after.lost_ms == after.up_ms, "that counts as new");
    ok(after.reconcile_ms > 0, "a reconcile is wanted");
    is_int(after.first_use_ms, before.first_use_ms, "the installation is as old as it was");
    ok(sandbox_log_has(sandbox, lost), "the owner is told");
    app_close(&app);

    opens(sandbox, NULL, &app, "at the next start");
    is_int(sandbox_location(&app).version, after.version, "it is known");
    app_close(&app);
}

static void a_store_that_was_restored(const struct sandbox *sandbox)
{
    struct app app;

    opens(sandbox, NULL, &app, "given a store");
    struct location_record before = sandbox_location(&app);
    app_close(&app);
    copy_store(sandbox);
    opens(sandbox, NULL, &app, "at the next start");
    struct location_record after = sandbox_location(&app);
    is_str(after.store_id, before.store_id, "it has the same id");
    ok(after.up_ms > 0 && strcmp(after.server, before.server) != 0, "but may have forgotten something");
    ok(sandbox_log_has(sandbox, moved) && !sandbox_log_has(sandbox, lost), "the owner is told");
    app_close(&app);
}

/* Another process has met the new server before this one, which changed an order on the old one since. */
static void a_server_that_was_cut_off(const struct sandbox *sandbox)
{
    struct app app;
    struct error e = ERROR_NONE;
    struct order_work work = {0};
    struct orders_claimed claimed;
    const struct orders_claim claim = {.key = "shop:1",
                                       .arrival = {.kind = ARRIVAL_SELLS,
                                                   .order_key = "",
                                                   .fingerprint = "f1",
                                                   .hash_id = "h1",
                                                   .bytes = "b1",
                                                   .status = "processing"},
                                       .body = "{}",
                                       .body_len = 2};

    opens(sandbox, NULL, &app, "given a process");
    ok(orders_claim(&app.orders, &claim, &claimed, &work) == STORE_OK, "that took an order");
    order_work_free(&work);
    snprintf(app.server, sizeof app.server, "the one that was cut off");
    ok(app_ready(&app, &e), "on another server than it meets now %s", e.text);
    ok(sandbox_location(&app).up_ms > 0, "what it took may be lost");
    ok(sandbox_log_has(sandbox, moved), "the owner is told");
    int64_t up_ms = sandbox_location(&app).up_ms;
    snprintf(app.server, sizeof app.server, "the one that was cut off");
    ok(app_ready(&app, &e), "once more, without an order since %s", e.text);
    is_int(sandbox_location(&app).up_ms, up_ms, "nothing is");
    app_close(&app);
}

static void a_store_that_is_emptied_meanwhile(const struct sandbox *sandbox)
{
    struct app app;
    struct error e = ERROR_NONE;

    opens(sandbox, NULL, &app, "given a process that runs");
    struct location_record before = sandbox_location(&app);
    delete_store(sandbox);
    ok(app_ready(&app, &e), "and a store that is deleted under it %s", e.text);
    struct location_record after = sandbox_location(&app);
    ok(after.up_ms > 0 && strcmp(after.store_id, before.store_id) != 0, "it is found out");
    ok(sandbox_log_has(sandbox, lost), "and told");
    app_close(&app);
}

static void a_machine_without_a_copy(const struct sandbox *sandbox)
{
    struct app app;
    char path[256];

    opens(sandbox, NULL, &app, "given a store");
    struct location_record before = sandbox_location(&app);
    app_close(&app);
    ok(files_named(sandbox, "store-id.", path) == 1 && unlink(path) == 0,
       "and a machine that does not know it");
    opens(sandbox, NULL, &app, "it");
    is_int(sandbox_location(&app).version, before.version, "believes what it finds");
    is_int(files_named(sandbox, "store-id.", path), 1, "and keeps a copy");
    app_close(&app);
}

static void each_namespace_has_its_own(const struct sandbox *sandbox)
{
    static const char *const other[] = {"GHL_LOCATION_ID=location2", NULL};
    struct app app;
    char path[256];

    opens(sandbox, NULL, &app, "given one location");
    struct location_record one = sandbox_location(&app);
    app_close(&app);
    opens(sandbox, other, &app, "and another");
    ok(strcmp(sandbox_location(&app).store_id, one.store_id) != 0, "each has its id");
    is_int(files_named(sandbox, "store-id.", path), 2, "and its copy");
    ok(!sandbox_log_has(sandbox, lost), "neither is taken for the other");
    app_close(&app);
}

static bool takes_an_order_of_shop(struct location_record *location, int64_t now_ms, void *context)
{
    (void)now_ms;
    return location_saw_shop(location, context, "");
}

static void a_shop_that_vanished(const struct sandbox *sandbox)
{
    static const char *const other[] = {"SHOP=other", NULL};
    static char shop[] = "shop";
    struct app app;
    struct error e = ERROR_NONE;
    struct store_reply reply;
    const struct order_record order = {.status = "processing"};

    opens(sandbox, NULL, &app, "given a store");
    ok(orders_location(&app.orders, takes_an_order_of_shop, shop) == STORE_OK,
       "with orders of the shop \"shop\"");
    app_close(&app);
    copy_store(sandbox);
    ok(sandbox_open(sandbox, other, &app) && !app_ready(&app, &e), "under another name it is not used");
    ok(strstr(e.text, "\"shop\""), "the old one is asked for: %s", e.text);
    ok(sandbox_log_has(sandbox, moved), "that it is another file is told all the same");
    ok(store_commit(
           app.store,
           &(struct store_commit){.key = "other:1", .after = &order, .decided_ms = store_now_ms(app.store)},
           &reply) == STORE_UNAVAILABLE,
       "it takes no order");
    app_close(&app);
    opens(sandbox, NULL, &app, "under the old one it is");
    app_close(&app);
}

int main(void)
{
    static void (*const cases[])(const struct sandbox *) = {
        the_first_time,
        a_store_that_was_deleted,
        a_store_that_was_restored,
        a_server_that_was_cut_off,
        a_store_that_is_emptied_meanwhile,
        a_machine_without_a_copy,
        each_namespace_has_its_own,
        a_shop_that_vanished,
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sandbox sandbox;
        if (!ok(sandbox_begin(&sandbox), "a directory"))
            continue;
        cases[i](&sandbox);
        sandbox_end(&sandbox);
    }
    return tap_done();
}
