/* What each command does: its arguments, then the work. */
#include "app/app.h"
#include "app/ready.h"
#include "base/clock.h"
#include "base/version.h"
#include "cli/check.h"
#include "cli/commands_work.h"
#include "cli/connect.h"
#include "cli/failed.h"
#include "cli/install.h"
#include "cli/lookup.h"
#include "cli/rekey.h"
#include "cli/report.h"
#include "cli/since.h"
#include "cli/status.h"
#include "cli/trigger.h"
#include "shop/reconcile.h"
#include "worker/drain.h"
#include "worker/drain_jobs.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

/* Opens the app for a command; says every problem on stderr (the log goes there too unless LOG names another
 * place). */
static bool open_app(struct app *app, volatile int *stop)
{
    if (app_open(app, stop))
        return true;
    if (strcmp(app->config.log_to, "stderr") != 0)
        for (size_t i = 0; i < app->report.problem_count; i++)
            fprintf(stderr, "woo_ghl: %s\n", app->report.problem[i]);
    return false;
}

/* -- check -- */

int run_check(int argc, char **argv, volatile int *stop)
{
    struct app app;
    struct check_options options = {0};

    for (int i = 2; i < argc; i++) {
        if (!strcmp(argv[i], "--json"))
            options.json = true;
        else if (!strcmp(argv[i], "--alert"))
            options.alert = true;
        else
            return commands_usage("check", argv[i]);
    }
    /* Root becomes the owner of DATA_DIR, the web server's user; can that one read the settings? */
    bool root = geteuid() == 0, good = app_open(&app, stop);
    if (good && root && geteuid() != 0) {
        app_close(&app);
        good = app_open(&app, stop);
    }
    int code = check_print(&app, good, &options);
    app_close(&app);
    return code;
}

int run_install(int argc, char **argv, volatile int *stop)
{
    int code = install_main(argc - 1, argv + 1);

    return code == EX_OK ? run_check(2, argv, stop) : code;
}

/* -- drain -- */

/* A whole number from 1 to DRAIN_JOBS_MAX; 0 = it is none. */
static int parse_jobs(const char *text)
{
    char *end = NULL;
    long jobs = text ? strtol(text, &end, 10) : 0;
    return text && *text && !*end && jobs >= 1 && jobs <= DRAIN_JOBS_MAX ? (int)jobs : 0;
}

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
    int jobs = 1;

    for (int i = 2; i < argc; i++) {
        if (!strcmp(argv[i], "--watch")) {
            options.watch = true;
            options.look_after = reconcile_watch;
        } else if (!strcmp(argv[i], "--now")) {
            options.now = true;
        } else if (!strcmp(argv[i], "--jobs")) {
            jobs = parse_jobs(argv[++i]); /* behind the last one argv ends with NULL */
            if (!jobs) {
                fprintf(stderr, "woo_ghl drain: --jobs takes a whole number from 1 to %d\n", DRAIN_JOBS_MAX);
                return EX_USAGE;
            }
        } else {
            return commands_usage("drain", argv[i]);
        }
    }
    /* One that watches begins as soon as the settings are mended. */
    if (!open_app(&app, stop) && !options.watch) {
        app_close(&app);
        return EX_CONFIG;
    }
    if (jobs > 1) { /* each opens its own */
        app_close(&app);
        return end_drain(drain_jobs(jobs, &options, stop, &counts), &counts);
    }
    if (!options.watch && may_draw(&app))
        options.progress = draw_progress;
    bool good = drain_run(&app, &options, &counts);
    app_close(&app);
    return end_drain(good, &counts);
}

/* -- status -- */

int run_status(int argc, char **argv, volatile int *stop)
{
    struct app app;
    bool json = false, watch = false;

    for (int i = 2; i < argc; i++) {
        if (!strcmp(argv[i], "--json"))
            json = true;
        else if (!strcmp(argv[i], "--watch"))
            watch = true;
        else
            return commands_usage("status", argv[i]);
    }
    int code = !open_app(&app, stop) ? EX_CONFIG
               : watch               ? status_watch(&app, json)
                                     : status_print(&app, json);
    app_close(&app);
    return code;
}

/* -- failed -- */

/* A command on what the store holds, once its arguments are good. */
static int run_on_store(const char *name, volatile int *stop, int (*run)(struct app *, const void *),
                        const void *options)
{
    struct app app;
    struct error e = ERROR_NONE;
    int code = EX_TEMPFAIL;

    if (!open_app(&app, stop))
        code = EX_CONFIG;
    else if (!app_ready(&app, &e))
        fprintf(stderr, "woo_ghl %s: %s\n", name, e.text);
    else
        code = run(&app, options);
    app_close(&app);
    return code;
}

static int do_failed(struct app *app, const void *options)
{
    return failed_run(app, options);
}

int run_failed(int argc, char **argv, volatile int *stop)
{
    struct failed_options options;
    int code = failed_parse(argc - 1, argv + 1, &options);

    return code == EX_OK ? run_on_store("failed", stop, do_failed, &options) : code;
}

/* -- rekey -- */

static int do_rekey(struct app *app, const void *options)
{
    (void)options;
    return rekey_run(app);
}

int run_rekey(int argc, char **argv, volatile int *stop)
{
    return argc > 2 ? commands_usage("rekey", argv[2]) : run_on_store("rekey", stop, do_rekey, NULL);
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

static int reconcile(struct app *app, const struct reconcile_options *options)
{
    struct reconcile_counts counts;
    struct error e = ERROR_NONE;

    if (!*app->config.woo_url) {
        fprintf(stderr,
                "woo_ghl reconcile: WOO_URL, WOO_CONSUMER_KEY and WOO_CONSUMER_SECRET are not set: they "
                "say where the shop's orders are read\n");
        return EX_CONFIG;
    }
    if (!app_ready(app, &e)) {
        fprintf(stderr, "woo_ghl reconcile: %s\n", e.text);
        return EX_TEMPFAIL;
    }
    enum reconcile_result result = reconcile_run(app, options, &counts, &e);
    return end_reconcile(result, &counts, &e);
}

int run_reconcile(int argc, char **argv, volatile int *stop)
{
    struct app app;
    struct error e = ERROR_NONE;
    struct reconcile_options options = {0};

    for (int i = 2; i < argc; i++) {
        if (!strcmp(argv[i], "--if-wanted")) {
            options.if_wanted = true;
        } else if (!strcmp(argv[i], "--since")) {
            const char *since = argv[++i]; /* behind the last one argv ends with NULL */
            if (!since_parse("--since", since ? since : "", &options.since_s, &e)) {
                fprintf(stderr, "woo_ghl reconcile: %s\n", e.text);
                return EX_USAGE;
            }
        } else {
            return commands_usage("reconcile", argv[i]);
        }
    }
    int code = EX_CONFIG;
    if (open_app(&app, stop)) {
        options.progress = may_draw(&app) ? draw_progress : NULL;
        code = reconcile(&app, &options);
    }
    app_close(&app);
    return code;
}

/* -- report -- */

int run_report(int argc, char **argv, volatile int *stop)
{
    struct app app;

    if (argc > 3 || (argc == 3 && argv[2][0] == '-'))
        return commands_usage("report", argv[argc - 1]);
    bool good = app_open(&app, stop);
    int code = report_print(&app, good, argv[2]); /* behind the last one argv ends with NULL */
    app_close(&app);
    return code;
}

/* -- trigger, pipelines, help, version -- */

int run_trigger(int argc, char **argv, volatile int *stop)
{
    struct app app;
    int code = trigger_check(argc - 1, argv + 1);

    if (code != EX_OK)
        return code;
    code = EX_CONFIG;
    if (open_app(&app, stop))
        code = trigger_main(&app.config, argc - 1, argv + 1);
    app_close(&app);
    return code;
}

int run_connect(int argc, char **argv, volatile int *stop)
{
    struct app app;
    int code = open_app(&app, stop) ? connect_main(&app, argc - 1, argv + 1) : EX_CONFIG;

    app_close(&app);
    return code;
}

/* `print` shows what the location has. */
static int run_lookup(int argc, char **argv, volatile int *stop, int (*print)(struct app *app))
{
    struct app app;

    if (argc > 2)
        return commands_usage(argv[1], argv[2]);
    int code = open_app(&app, stop) ? print(&app) : EX_CONFIG;
    app_close(&app);
    return code;
}

int run_pipelines(int argc, char **argv, volatile int *stop)
{
    return run_lookup(argc, argv, stop, lookup_pipelines);
}

int run_fields(int argc, char **argv, volatile int *stop)
{
    return run_lookup(argc, argv, stop, lookup_fields);
}

int run_version(int argc, char **argv, volatile int *stop)
{
    (void)stop;
    if (argc > 2)
        return commands_usage("version", argv[2]);
    printf("woo_ghl %s\n", WOO_GHL_VERSION);
    return EX_OK;
}
