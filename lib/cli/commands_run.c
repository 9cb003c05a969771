/* What the shorter commands do, and how each gets its application. */
#include "app/app.h"
#include "app/ready.h"
#include "base/clock.h"
#include "base/version.h"
#include "cli/commands_work.h"
#include "cli/options.h"
#include "shop/reconcile.h"
#include "worker/drain.h"
#include "worker/rekey.h"
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

/* Says every problem on stderr (the log goes there too unless LOG names another place). */
static bool open_app(struct app *app, volatile int *stop)
{
    if (app_open(app, stop))
        return true;
    if (app->config.log_to && strcmp(app->config.log_to, "stderr") != 0)
        for (size_t i = 0; i < app->report.problem_count; i++)
            fprintf(stderr, "woo_ghl: %s\n", app->report.problem[i]);
    return false;
}

int commands_in_app(volatile int *stop, command_work *work, void *context)
{
    struct app app;
    int code = open_app(&app, stop) ? work(&app, context) : EX_CONFIG;

    app_close(&app);
    return code;
}

bool commands_ready(struct app *app, const char *command)
{
    struct error e = ERROR_NONE;
    bool ready = app_ready(app, &e);

    if (!ready)
        fprintf(stderr, "woo_ghl %s: %s\n", command, e.text);
    return ready;
}

bool commands_print_json(json_t *value, size_t flags)
{
    bool good = value && json_dumpf(value, stdout, flags) == 0 && putchar('\n') != EOF;

    json_decref(value);
    return good;
}

/* -- drain -- */

#define BAR_WIDTH 40
/* A bar on the terminal, which its end wipes away. */
static void draw_progress(long looked_at, long waited)
{
    long all = waited > looked_at ? waited : looked_at;
    int filled = all > 0 ? (int)(looked_at * BAR_WIDTH / all) : 0;

    fprintf(stderr, "\r[%.*s%*s] %ld of %ld", filled, "########################################",
            BAR_WIDTH - filled, "", looked_at, all);
    if (looked_at == all)
        fprintf(stderr, "\r\033[K");
}

/* Not between the lines of a log. */
static bool may_draw(const struct app *app)
{
    return isatty(STDERR_FILENO) && strcmp(app->config.log_to, "stderr") != 0;
}

static int end_drain(bool good, const struct drain_counts *counts)
{
    if (good)
        printf("drained: %ld synced, %ld needed nothing, %ld wait on, %ld dead letters; %ld in the queue\n",
               counts->done, counts->nothing, counts->queued, counts->dead, counts->left);
    else
        fprintf(stderr, "woo_ghl drain: the store cannot be used; see the log\n");
    return good ? EX_OK : EX_TEMPFAIL;
}

int run_drain(int argc, char **argv, volatile int *stop)
{
    struct app app;
    struct drain_counts counts;
    struct drain_options options = {.budget_ms = CLOCK_NEVER, .heartbeat = true};
    long jobs = 1;
    const struct option table[] = {{"--watch", .flag = &options.watch},
                                   {"--now", .flag = &options.now},
                                   {"--jobs", .number = &jobs, .least = 1, .most = DRAIN_JOBS_MAX},
                                   {0}};
    int code = options_read("drain", argc, argv, table, NULL);

    if (code != EX_OK)
        return code;
    options.look_after = options.watch ? reconcile_watch : NULL;
    /* One that watches begins as soon as the settings are mended. */
    if (!open_app(&app, stop) && !options.watch) {
        app_close(&app);
        return EX_CONFIG;
    }
    if (jobs > 1) { /* each opens its own */
        app_close(&app);
        return end_drain(drain_jobs((int)jobs, &options, stop, &counts), &counts);
    }
    if (!options.watch && may_draw(&app))
        options.progress = draw_progress;
    bool good = drain_run(&app, &options, &counts);
    app_close(&app);
    return end_drain(good, &counts);
}

/* -- reconcile -- */

static int end_reconcile(enum reconcile_result result, const struct reconcile_counts *counts,
                         const struct error *e)
{
    char since[32];

    clock_format_iso(counts->since_s * 1000, since);
    since[strcspn(since, ".")] = '\0';
    switch (result) {
    case RECONCILE_DONE:
        printf("reconciled: %ld orders read that changed since %sZ: %ld new, %ld known already, %ld ignored",
               counts->read, since, counts->taken, counts->known, counts->ignored);
        if (counts->foreign)
            printf(", %ld of a shop that WOO_SHOPS does not name", counts->foreign);
        putchar('\n');
        return EX_OK;
    case RECONCILE_NOT_WANTED: printf("no reconcile is wanted\n"); return EX_OK;
    case RECONCILE_UNDER_WAY: printf("another reconcile is under way\n"); return EX_OK;
    case RECONCILE_REFUSED:
    case RECONCILE_SHOP_AWAY:
    case RECONCILE_STORE_AWAY:
    case RECONCILE_STOPPED: break;
    }
    fprintf(stderr, "woo_ghl reconcile: %s; %ld orders were read until then, %ld of them new\n", e->text,
            counts->read, counts->taken);
    return result == RECONCILE_REFUSED ? EX_UNAVAILABLE : EX_TEMPFAIL;
}

static int reconcile(struct app *app, void *context)
{
    struct reconcile_options *options = context;
    struct reconcile_counts counts;
    struct error e = ERROR_NONE;

    if (!*app->config.woo_url) {
        fprintf(stderr, "woo_ghl reconcile: WOO_URL, WOO_CONSUMER_KEY and WOO_CONSUMER_SECRET are not set: "
                        "they say where the shop's orders are read\n");
        return EX_CONFIG;
    }
    if (!commands_ready(app, "reconcile"))
        return EX_TEMPFAIL;
    options->progress = may_draw(app) ? draw_progress : NULL;
    enum reconcile_result result = reconcile_run(app, options, &counts, &e);
    return end_reconcile(result, &counts, &e);
}

int run_reconcile(int argc, char **argv, volatile int *stop)
{
    struct reconcile_options options = {0};
    const struct option table[] = {
        {"--if-wanted", .flag = &options.if_wanted}, {"--since", .time_s = &options.since_s}, {0}};
    int code = options_read("reconcile", argc, argv, table, NULL);

    return code == EX_OK ? commands_in_app(stop, reconcile, &options) : code;
}

/* -- rekey -- */

static int seal(struct app *app, void *context)
{
    struct rekey_counts counts;

    (void)context;
    if (!commands_ready(app, "rekey"))
        return EX_TEMPFAIL;
    bool good = rekey(app, &counts);

    printf("sealed anew: %ld bodies and notes, %ld files of the spool\n", counts.blobs, counts.files);
    if (!good || counts.locked)
        fprintf(stderr, "woo_ghl rekey: %ld could not be opened; %s\n", counts.locked, counts.why.text);
    if (counts.in_hand)
        fprintf(stderr, "woo_ghl rekey: %ld are in hand just now; run it again in a minute\n",
                counts.in_hand);
    if (!good || counts.locked || counts.in_hand)
        return EX_TEMPFAIL;
    printf("Nothing here needs DATA_KEY_PREVIOUS or WOO_WEBHOOK_SECRET_PREVIOUS any more.\n");
    return EX_OK;
}

int run_rekey(int argc, char **argv, volatile int *stop)
{
    (void)argc, (void)argv;
    return commands_in_app(stop, seal, NULL);
}

/* -- version -- */

int run_version(int argc, char **argv, volatile int *stop)
{
    (void)argc, (void)argv, (void)stop;
    printf("woo_ghl %s\n", WOO_GHL_VERSION);
    return EX_OK;
}
