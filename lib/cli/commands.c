#include "cli/commands.h"
#include "app/app.h"
#include "base/clock.h"
#include "base/version.h"
#include "cli/failed.h"
#include "cli/mapping.h"
#include "cli/since.h"
#include "cli/status.h"
#include "cli/trigger.h"
#include "ghl/fields.h"
#include "shop/reconcile.h"
#include "worker/drain.h"
#include "worker/drain_jobs.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define CHECK_BUDGET_MS 15000

struct command {
    const char *name, *arguments, *help;
    int (*run)(int argc, char **argv, volatile int *stop);
    bool finishes; /* a signal to stop lets it finish what it has in hand; the others it ends at once */
};

static int usage(const char *command, const char *wrong)
{
    fprintf(stderr, "woo_ghl %s: unknown argument '%s'; see 'woo_ghl help'\n", command, wrong);
    return EX_USAGE;
}

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

static bool check_store(struct app *app)
{
    struct store_stats stats;
    struct error e = ERROR_NONE;

    if (!app_ready(app, &e)) {
        printf("store      FAILED: %s\n", e.text);
        return false;
    }
    if (store_stats(app->store, &stats) != STORE_OK) {
        printf("store      FAILED: %s\n", store_trouble(app->store));
        return false;
    }
    printf("store      ok (%s)%s%s\n", store_kind(app->store), *stats.durability ? ": " : "",
           stats.durability);
    if (*stats.problem)
        printf("store      FAILED: %s\n", stats.problem);
    return !*stats.problem;
}

/* What GHL answered, or that it did not, and where to look. */
static void print_ghl_trouble(FILE *out, const char *what, const struct ghl_answer *answer)
{
    if (answer->status == 0)
        fprintf(out, "%s: no answer: %s\n", what, answer->message);
    else
        fprintf(out, "%s: %s, status %d %s%s\n", what, ghl_result_name(answer->result), answer->status,
                answer->message,
                answer->result == GHL_AUTH ? "; are GHL_API_KEY, its scopes and GHL_LOCATION_ID right?" : "");
}

static bool check_ghl(struct app *app)
{
    struct ghl_answer answer;
    struct ghl_call call = {.deadline_mono_ms = clock_mono_ms() + CHECK_BUDGET_MS,
                            .order = "",
                            .send_deadline_mono_ms = CLOCK_NEVER};
    enum ghl_result result = ghl_pipelines(app->ghl, &call, &answer);

    if (result == GHL_OK)
        printf("GHL        ok%s\n", app->config.dry_run ? " (dry run, not asked)" : "");
    else
        print_ghl_trouble(stdout, "GHL        FAILED", &answer);
    ghl_answer_free(&answer);
    return result == GHL_OK && mapping_check(app, &call);
}

/* Is there a shop, and may its orders be read? One is asked for. */
static bool check_shop(struct app *app)
{
    struct error e = ERROR_NONE;
    struct woo_page page = {0};
    struct woo_query query = {
        .status = "any", .from_s = clock_wall_ms() / 1000, .per_page = 1, .exclude = ""};

    if (!*app->config.woo_url) {
        printf("shop       not set (WOO_URL): orders whose webhook never comes are not looked for\n");
        return true;
    }
    http_answer_init(&page.answer);
    struct woo *woo = woo_new(&app->config, app->log, app->stop, &e);
    bool good = woo && woo_orders(woo, &query, &page, &e) == WOO_OK;
    if (good)
        printf("shop       ok\n");
    else
        printf("shop       FAILED: %s\n", e.text);
    woo_page_free(&page);
    woo_free(woo);
    return good;
}

static void print_verdict(const struct app *app, bool good)
{
    if (good)
        printf("settings   ok\n");
    else if (app->report.problem_count == 0)
        printf("settings   FAILED, see above\n");
    for (size_t i = 0; i < app->report.problem_count; i++)
        printf("settings   FAILED: %s\n", app->report.problem[i]);
}

static int run_check(int argc, char **argv, volatile int *stop)
{
    struct app app;
    struct buf values;

    if (argc > 2)
        return usage("check", argv[2]);
    bool good = open_app(&app, stop);
    buf_init(&values, 1024L * 1024);
    if (config_print_values(&app.config, &values))
        fputs(values.data, stdout);
    buf_free(&values);
    putchar('\n');
    print_verdict(&app, good);
    if (good) {
        good = check_store(&app);
        good = check_ghl(&app) && good;
        good = check_shop(&app) && good;
    }
    app_close(&app);
    return good ? EX_OK : EX_CONFIG;
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

static int end_drain(bool good, const struct drain_counts *counts)
{
    if (good)
        printf("drained: %ld synced, %ld needed nothing, %ld wait on, %ld parked; %ld in the queue\n",
               counts->done, counts->nothing, counts->queued, counts->parked, counts->left);
    else
        fprintf(stderr, "woo_ghl drain: the store cannot be used; see the log\n");
    return good ? EX_OK : EX_TEMPFAIL;
}

static int run_drain(int argc, char **argv, volatile int *stop)
{
    struct app app;
    struct drain_counts counts;
    struct drain_options options = {.budget_ms = CLOCK_NEVER, .heartbeat = true};
    int jobs = 1;

    for (int i = 2; i < argc; i++) {
        if (!strcmp(argv[i], "--watch")) {
            options.watch = true;
        } else if (!strcmp(argv[i], "--now")) {
            options.now = true;
        } else if (!strcmp(argv[i], "--jobs")) {
            jobs = parse_jobs(argv[++i]); /* behind the last one argv ends with NULL */
            if (!jobs) {
                fprintf(stderr, "woo_ghl drain: --jobs takes a whole number from 1 to %d\n", DRAIN_JOBS_MAX);
                return EX_USAGE;
            }
        } else {
            return usage("drain", argv[i]);
        }
    }
    if (!open_app(&app, stop)) {
        app_close(&app);
        return EX_CONFIG;
    }
    if (jobs > 1) { /* each opens its own */
        app_close(&app);
        return end_drain(drain_jobs(jobs, &options, stop, &counts), &counts);
    }
    if (!options.watch && isatty(STDERR_FILENO))
        options.progress = draw_progress;
    bool good = drain_run(&app, &options, &counts);
    app_close(&app);
    return end_drain(good, &counts);
}

/* -- status -- */

static int run_status(int argc, char **argv, volatile int *stop)
{
    struct app app;
    bool json = argc > 2 && !strcmp(argv[2], "--json");

    if (argc > 3 || (argc == 3 && !json))
        return usage("status", argv[argc - 1]);
    int code = open_app(&app, stop) ? status_print(&app, json) : EX_CONFIG;
    app_close(&app);
    return code;
}

/* -- failed -- */

static int run_failed(int argc, char **argv, volatile int *stop)
{
    struct app app;
    struct error e = ERROR_NONE;
    int code = EX_TEMPFAIL;

    if (!open_app(&app, stop))
        code = EX_CONFIG;
    else if (!app_ready(&app, &e))
        fprintf(stderr, "woo_ghl failed: %s\n", e.text);
    else
        code = failed_main(&app, argc - 1, argv + 1);
    app_close(&app);
    return code;
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

static int run_reconcile(int argc, char **argv, volatile int *stop)
{
    struct app app;
    struct error e = ERROR_NONE;
    struct reconcile_options options = {.progress = isatty(STDERR_FILENO) ? draw_progress : NULL};

    for (int i = 2; i < argc; i++) {
        if (!strcmp(argv[i], "--if-wanted")) {
            options.if_wanted = true;
        } else if (!strcmp(argv[i], "--since")) {
            const char *since = argv[++i]; /* behind the last one argv ends with NULL */
            if (!since_parse(since ? since : "", &options.since_s, &e)) {
                fprintf(stderr, "woo_ghl reconcile: %s\n", e.text);
                return EX_USAGE;
            }
        } else {
            return usage("reconcile", argv[i]);
        }
    }
    int code = open_app(&app, stop) ? reconcile(&app, &options) : EX_CONFIG;
    app_close(&app);
    return code;
}

/* -- trigger, pipelines, help, version -- */

static int run_trigger(int argc, char **argv, volatile int *stop)
{
    struct app app;
    int code = EX_CONFIG;

    if (open_app(&app, stop))
        code = trigger_main(&app.config, argc - 1, argv + 1);
    app_close(&app);
    return code;
}

static int run_pipelines(int argc, char **argv, volatile int *stop)
{
    struct app app;
    struct ghl_answer answer = {0};
    int code = EX_CONFIG;
    size_t i, j;
    const json_t *pipeline, *stage;

    if (argc > 2)
        return usage("pipelines", argv[2]);
    if (!open_app(&app, stop))
        goto out;
    struct ghl_call call = {.deadline_mono_ms = clock_mono_ms() + CHECK_BUDGET_MS,
                            .order = "",
                            .send_deadline_mono_ms = CLOCK_NEVER};
    if (ghl_pipelines(app.ghl, &call, &answer) != GHL_OK) {
        print_ghl_trouble(stderr, "woo_ghl pipelines", &answer);
        code = EX_UNAVAILABLE;
        goto out;
    }
    json_array_foreach(answer.json, i, pipeline)
    {
        printf("%-24s %s\n", json_text(pipeline, "id"), json_text(pipeline, "name"));
        json_array_foreach(json_object_get(pipeline, "stages"), j, stage)
            printf("    %-24s %s\n", json_text(stage, "id"), json_text(stage, "name"));
    }
    code = EX_OK;
out:
    ghl_answer_free(&answer);
    app_close(&app);
    return code;
}

static int run_fields(int argc, char **argv, volatile int *stop)
{
    struct app app;
    struct ghl_answer answer = {0};
    int code = EX_CONFIG;
    size_t i;
    const json_t *field;

    if (argc > 2)
        return usage("fields", argv[2]);
    if (!open_app(&app, stop))
        goto out;
    struct ghl_call call = {.deadline_mono_ms = clock_mono_ms() + CHECK_BUDGET_MS,
                            .order = "",
                            .send_deadline_mono_ms = CLOCK_NEVER};
    if (ghl_custom_fields(app.ghl, &call, &answer) != GHL_OK) {
        print_ghl_trouble(stderr, "woo_ghl fields", &answer);
        code = EX_UNAVAILABLE;
        goto out;
    }
    json_array_foreach(answer.json, i, field)
        printf("%-24s %-11s %-16s %-32s %s\n", json_text(field, "id"), json_text(field, "model"),
               json_text(field, "dataType"), json_text(field, "fieldKey"), json_text(field, "name"));
    code = EX_OK;
out:
    ghl_answer_free(&answer);
    app_close(&app);
    return code;
}

static int run_version(int argc, char **argv, volatile int *stop)
{
    (void)stop;
    if (argc > 2)
        return usage("version", argv[2]);
    printf("woo_ghl %s\n", WOO_GHL_VERSION);
    return EX_OK;
}

static int run_help(int argc, char **argv, volatile int *stop);

static const struct command commands[] = {
    {"check", "", "show the settings, try the store, GHL and the shop", run_check, false},
    {"drain", "[--watch] [--now] [--jobs N]", "bring waiting orders to GHL: once (cron), or until stopped",
     run_drain, true},
    {"status", "[--json]", "what waits, what is parked, breaker and pauses", run_status, false},
    {"failed", "[list] | show KEY | retry KEY|--all|--since DATE|DURATION | drop KEY|--all",
     "the parked orders: look at them, try them again, drop them", run_failed, false},
    {"reconcile", "[--if-wanted] [--since DATE|DURATION]",
     "read from the shop what changed since the last time, for webhooks that never came", run_reconcile,
     true},
    {"trigger",
     "[--url URL] [--scenarios | --order FILE] [--id N] [--status S] [--total T] [--topic RESOURCE.EVENT]",
     "send simulated, signed deliveries and print the answers", run_trigger, false},
    {"pipelines", "", "the location's pipelines and stages with their ids", run_pipelines, false},
    {"fields", "", "the location's custom fields: id, model, type, key, name", run_fields, false},
    {"help", "[settings|man]", "this text; every setting as .env.sample; the settings for the man page",
     run_help, false},
    {"version", "", "the version", run_version, false},
};
#define COMMANDS (sizeof commands / sizeof *commands)

static bool add_command(struct buf *out, const struct command *command)
{
    return buf_addf(out, "  woo_ghl %s%s%s\n          %s\n", command->name, *command->arguments ? " " : "",
                    command->arguments, command->help);
}

/* `woo_ghl drain --help` */
static int help_on(const struct command *command)
{
    struct buf out;

    buf_init(&out, 4096);
    bool good = add_command(&out, command);
    if (good)
        fputs(out.data, stdout);
    buf_free(&out);
    return good ? EX_OK : EX_OSERR;
}

static int run_help(int argc, char **argv, volatile int *stop)
{
    struct buf out;
    bool good = true;

    (void)stop;
    if (argc > 3)
        return usage("help", argv[3]);
    buf_init(&out, 1024L * 1024);
    if (argc > 2 && !strcmp(argv[2], "settings")) {
        good = config_print_sample(&out);
    } else if (argc > 2 && !strcmp(argv[2], "man")) {
        good = config_print_manual(&out);
    } else if (argc > 2) {
        buf_free(&out);
        return usage("help", argv[2]);
    } else {
        good = buf_adds(&out, "woo_ghl takes WooCommerce's order webhooks at /woo-order to GoHighLevel.\n"
                              "A web server runs it as FastCGI or CGI; a person runs:\n\n");
        for (size_t i = 0; i < COMMANDS; i++)
            good = good && add_command(&out, &commands[i]);
        good =
            good &&
            buf_adds(
                &out,
                "\nSettings come from the environment and from the file that WOO_GHL_ENV names, .env beside\n"
                "the program, or /etc/woo-ghl/env.\n");
    }
    if (good)
        fputs(out.data, stdout);
    buf_free(&out);
    return good ? EX_OK : EX_OSERR;
}

static bool is_help(const char *argument)
{
    return !strcmp(argument, "--help") || !strcmp(argument, "-h");
}

static int run_command(const struct command *command, int argc, char **argv, volatile int *stop)
{
    static const int stops[] = {SIGINT, SIGTERM, SIGUSR1};

    if (is_help(argc > 2 ? argv[2] : ""))
        return help_on(command);
    for (size_t i = 0; i < sizeof stops / sizeof *stops && !command->finishes; i++)
        (void)signal(stops[i], SIG_DFL);
    return command->run(argc, argv, stop);
}

int commands_main(int argc, char **argv, volatile int *stop)
{
    const char *name = argc > 1 ? argv[1] : "help";

    if (is_help(name))
        name = "help";
    if (!strcmp(name, "--version"))
        name = "version";
    for (size_t i = 0; i < COMMANDS; i++)
        if (!strcmp(commands[i].name, name))
            return run_command(&commands[i], argc, argv, stop);
    fprintf(stderr, "woo_ghl: there is no command '%s'; see 'woo_ghl help'\n", name);
    return EX_USAGE;
}
