#include "cli/commands.h"
#include "app/alert_send.h"
#include "app/app.h"
#include "app/ready.h"
#include "base/clock.h"
#include "base/version.h"
#include "cli/check.h"
#include "cli/connect.h"
#include "cli/failed.h"
#include "cli/install.h"
#include "cli/lookup.h"
#include "cli/rekey.h"
#include "cli/since.h"
#include "cli/status.h"
#include "cli/trigger.h"
#include "shop/reconcile.h"
#include "worker/drain.h"
#include "worker/drain_jobs.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

/* The texts are also the man page's: `make docs`. */
struct command {
    const char *name, *arguments;
    const char *help; /* a sentence: what it does */
    const char *more; /* its arguments explained; NULL = nothing to explain */
    int (*run)(int argc, char **argv, volatile int *stop);
    bool finishes; /* a signal to stop lets it finish what it has in hand; the others it ends at once */
};

static int usage(const char *command, const char *wrong)
{
    fprintf(stderr, "woo_ghl %s: unknown argument '%s'; see 'woo_ghl %s --help'\n", command, wrong, command);
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

static int run_check(int argc, char **argv, volatile int *stop)
{
    struct app app;
    struct check_options options = {0};

    for (int i = 2; i < argc; i++) {
        if (!strcmp(argv[i], "--json"))
            options.json = true;
        else if (!strcmp(argv[i], "--alert"))
            options.alert = true;
        else
            return usage("check", argv[i]);
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

static int run_install(int argc, char **argv, volatile int *stop)
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

static int end_drain(bool good, const struct drain_counts *counts)
{
    if (good)
        printf("drained: %ld synced, %ld needed nothing, %ld wait on, %ld dead letters; %ld in the queue\n",
               counts->done, counts->nothing, counts->queued, counts->dead, counts->left);
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
            return usage("drain", argv[i]);
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

/* A command on what the store holds. */
static int run_on_store(int argc, char **argv, volatile int *stop, int (*run)(struct app *, int, char **))
{
    struct app app;
    struct error e = ERROR_NONE;
    int code = EX_TEMPFAIL;

    if (!open_app(&app, stop))
        code = EX_CONFIG;
    else if (!app_ready(&app, &e))
        fprintf(stderr, "woo_ghl %s: %s\n", argv[1], e.text);
    else
        code = run(&app, argc - 1, argv + 1);
    app_close(&app);
    return code;
}

static int run_failed(int argc, char **argv, volatile int *stop)
{
    return run_on_store(argc, argv, stop, failed_main);
}

/* -- rekey -- */

static int run_rekey(int argc, char **argv, volatile int *stop)
{
    return argc > 2 ? usage("rekey", argv[2]) : run_on_store(argc, argv, stop, rekey_main);
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

static int run_connect(int argc, char **argv, volatile int *stop)
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
        return usage(argv[1], argv[2]);
    int code = open_app(&app, stop) ? print(&app) : EX_CONFIG;
    app_close(&app);
    return code;
}

static int run_pipelines(int argc, char **argv, volatile int *stop)
{
    return run_lookup(argc, argv, stop, lookup_pipelines);
}

static int run_fields(int argc, char **argv, volatile int *stop)
{
    return run_lookup(argc, argv, stop, lookup_fields);
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

/* clang-format off */
static const struct command commands[] = {
    {.name = "check", .arguments = "[--json] [--alert]", .run = run_check,
     .help = "The doctor: shows the settings in force, tries the store, GHL and the shop, and says what is to be mended.",
     .more = "Each finding is ok, warn or FAIL. It exits with 0 if nothing FAILed, else with 1. --alert sends a test by ALERT_COMMAND and ALERT_URL."},
    {.name = "drain", .arguments = "[--watch] [--now] [--jobs N]", .run = run_drain, .finishes = true,
     .help = "Sends waiting orders to GHL: once, for cron, or with --watch until it is stopped.",
     .more = "With --now it takes each order that waits, or that arrives meanwhile, exactly once, and waits for no due time, pause or "
             "open circuit breaker. With --jobs it works in N processes."},
    {.name = "status", .arguments = "[--json]", .run = run_status,
     .help = "Shows what waits and why: the queue, dead letters, the circuit breaker, pauses and the spool."},
    {.name = "failed", .arguments = "[list] | show KEY | retry KEY|--all|--since DATE|DURATION | drop KEY|--all", .run = run_failed,
     .help = "Lists, shows, retries or drops dead letters: orders that GHL or the settings refuse.",
     .more = "The list masks personal data; show prints an order with its content. retry puts orders back into the queue; content that was "
             "deleted after DEAD_LETTER_TTL is read from the shop. drop deletes them for good. DATE is a day or a moment in UTC, "
             "such as 2026-11-25 or 2026-11-25T08:00:00; DURATION is how long ago, such as 36h."},
    {.name = "rekey", .arguments = "", .run = run_rekey, .finishes = true,
     .help = "Encrypts anew what is stored under an older DATA_KEY or WOO_WEBHOOK_SECRET: then the older one opens nothing.",
     .more = "It covers waiting orders, dead letters, notes on unanswered creates, and the spool of this machine, all under this "
             "REDIS_PREFIX and location. Change the secret, put the older value into its PREVIOUS setting, run this (on each "
             "machine, for its spool), then remove the PREVIOUS setting."},
    {.name = "reconcile", .arguments = "[--if-wanted] [--since DATE|DURATION]", .run = run_reconcile, .finishes = true,
     .help = "Reads from the shop the orders that changed since the last run, for webhooks that never came.",
     .more = "Orders that are new or have changed go to the queue. A run starts where the last successful one began, less ten minutes; "
             "the first run starts when the store was first used, and a run after the store lost data a month before that. "
             "--since sets another start, as in failed. With --if-wanted it runs only if it was asked for (by signed deliveries that were not "
             "orders, or by a store that lost data) and no other reconcile runs on this machine."},
    {.name = "trigger", .arguments = "[--url URL] [--scenarios | --order FILE] [--id N] [--status S] [--total T] [--topic RESOURCE.EVENT]",
     .run = run_trigger,
     .help = "Sends simulated, signed deliveries and prints the requests and the answers.",
     .more = "It sends an order with the given id, status and total, or a file's bytes, or four scenarios. They go through the web server "
             "like real ones, so GHL gets what they say."},
    {.name = "install", .arguments = "[--url URL] [--location ID] [--dry-run] [--no-questions] [--no-cron]", .run = run_install,
     .help = "For an account on shared hosting: makes the settings file, the data directory and the cron line, and ends with check.",
     .more = "The settings go to the file that WOO_GHL_ENV names, else to woo-ghl/env in the home of the program's owner. What is not set there, in "
             "the environment or by an option is asked for: the webhooks' secret (or a fresh one is made), GHL's token (without one it is a dry run) and "
             "location, the Delivery URL. Run again, it asks only for what is missing. If crontab may not be used, it prints the line for the panel."},
    {.name = "connect", .arguments = "[--dry-run] [--yes] [--url URL] [--shop URL] [--ask] [--keep] [--secret]", .run = run_connect,
     .help = "Makes or mends the shop's webhooks and makes GHL's custom fields that the settings name: prints a plan, asks, and does it.",
     .more = "It needs a key of the shop with the permission Read/Write: that of the settings, or (without one, or with --ask) one that it asks "
             "for, uses once, and forgets; --keep writes it into the settings file. --url is the delivery URL (else PUBLIC_URL, else the "
             "webhooks' own, else WOO_URL/woo-order). What is right stays as it is; a webhook's secret cannot be read, so --secret writes it to all. "
             "If no key is kept, a fifth webhook tells when WooCommerce disables another. With --dry-run it only prints the plan; --yes does not ask."},
    {.name = "pipelines", .arguments = "", .run = run_pipelines, .help = "Lists the location's pipelines and stages with their ids."},
    {.name = "fields", .arguments = "", .run = run_fields, .help = "Lists the location's custom fields: id, model, type, key, name."},
    {.name = "help", .arguments = "[settings|man]", .run = run_help,
     .help = "Prints this text, every setting as in .env.sample, or what the man page says of commands and settings."},
    {.name = "version", .arguments = "", .run = run_version, .help = "Prints the version."},
};
/* clang-format on */
#define COMMANDS (sizeof commands / sizeof *commands)

#define INDENT "          "
#define WIDTH 100

/* Indented lines of whole words. */
static bool add_wrapped(struct buf *out, const char *text)
{
    bool good = true;

    while (good && *text) {
        size_t n = strlen(text), room = WIDTH - strlen(INDENT);
        for (size_t i = n = n > room ? room : n; text[n] && i > 0; i--)
            if (text[i] == ' ') {
                n = i;
                break;
            }
        good = buf_addf(out, "%s%.*s\n", INDENT, (int)n, text);
        text += n + (text[n] == ' ');
    }
    return good;
}

static bool add_usage(struct buf *out, const struct command *command)
{
    return buf_addf(out, "  woo_ghl %s%s%s\n", command->name, *command->arguments ? " " : "",
                    command->arguments) &&
           add_wrapped(out, command->help);
}

/* `woo_ghl drain --help` */
static bool add_help_on(struct buf *out, const struct command *command)
{
    return add_usage(out, command) && (!command->more || add_wrapped(out, command->more));
}

static bool add_overview(struct buf *out)
{
    bool good = buf_adds(out, "woo_ghl takes WooCommerce's order webhooks at /woo-order to GoHighLevel.\n"
                              "A web server runs it as FastCGI or CGI; a person runs:\n\n");
    for (size_t i = 0; i < COMMANDS; i++)
        good = good && add_usage(out, &commands[i]);
    return good &&
           buf_adds(out, "\n'woo_ghl COMMAND --help' says more. Settings come from the environment and "
                         "from a file: the one\nthat WOO_GHL_ENV names, else ~/woo-ghl/env of the program's "
                         "owner (not root), else\n/etc/woo-ghl/env, else .env beside the program.\n");
}

static bool add_manual(struct buf *out)
{
    bool good = buf_adds(out, ".SH COMMANDS\n");

    for (const struct command *c = commands; c < commands + COMMANDS && good; c++)
        good = buf_addf(out, ".TP\n.BR %s \"%s", c->name, *c->arguments ? " " : "") &&
               config_add_manual(out, c->arguments) && buf_adds(out, "\"\n") &&
               config_add_manual(out, c->help) &&
               (!c->more || (buf_addc(out, ' ') && config_add_manual(out, c->more))) && buf_addc(out, '\n');
    return good && config_print_manual(out);
}

/* Prints what was put together, unless something failed. */
static int print_help(struct buf *out, bool good)
{
    if (good)
        fputs(out->data, stdout);
    buf_free(out);
    return good ? EX_OK : EX_OSERR;
}

static int run_help(int argc, char **argv, volatile int *stop)
{
    const char *topic = argc > 2 ? argv[2] : "";
    struct buf out;

    (void)stop;
    buf_init(&out, 1024L * 1024);
    if (argc > 3)
        return usage("help", argv[3]);
    if (!*topic)
        return print_help(&out, add_overview(&out));
    if (!strcmp(topic, "settings"))
        return print_help(&out, config_print_sample(&out));
    if (!strcmp(topic, "man"))
        return print_help(&out, add_manual(&out));
    return usage("help", topic);
}

static bool is_help(const char *argument)
{
    return !strcmp(argument, "--help") || !strcmp(argument, "-h");
}

static int run_command(const struct command *command, int argc, char **argv, volatile int *stop)
{
    static const int stops[] = {SIGINT, SIGTERM, SIGUSR1};

    struct buf help;

    buf_init(&help, 4096);
    if (is_help(argc > 2 ? argv[2] : ""))
        return print_help(&help, add_help_on(&help, command));
    for (size_t i = 0; i < sizeof stops / sizeof *stops && !command->finishes; i++)
        (void)signal(stops[i], SIG_DFL);
    return command->run(argc, argv, stop);
}

int commands_main(int argc, char **argv, volatile int *stop)
{
    const char *name = argc > 1 ? argv[1] : "help";

    if (!strcmp(name, ALERT_SENDER)) /* not a person's */
        return alert_sender();

    if (is_help(name))
        name = "help";
    if (!strcmp(name, "--version"))
        name = "version";
    for (size_t i = 0; i < COMMANDS; i++)
        if (!strcmp(commands[i].name, name))
            return run_command(&commands[i], argc, argv, stop);
    fprintf(stderr, "woo_ghl: unknown command '%s'; see 'woo_ghl help'\n", name);
    return EX_USAGE;
}
