#include "cli/commands.h"
#include "app/alert_send.h"
#include "base/text.h"
#include "cli/commands_work.h"
#include "config/config.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

/* The words are gone when the call is over. */
struct commands_nearest {
    struct text_nearest nearest;
    char word[64];
};

static void offer_copy(void *context, const char *word)
{
    struct commands_nearest *n = context;
    const char *before = n->nearest.word;

    text_nearest(&n->nearest, word);
    if (n->nearest.word != before) {
        (void)text_copy(n->word, sizeof n->word, word);
        n->nearest.word = n->word;
    }
}

/* NULL = there is none. */
static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < commands_count; i++)
        if (!strcmp(commands[i].name, name))
            return &commands[i];
    return NULL;
}

int commands_usage(const char *command, const char *wrong)
{
    const struct command *known = find_command(command);
    struct commands_nearest nearest = {.nearest = {.typed = wrong}};

    if (known)
        commands_words(known, offer_copy, &nearest);
    fprintf(stderr, "woo_ghl %s: unknown argument '%s'%s%s; see 'woo_ghl %s --help'\n", command, wrong,
            *nearest.word ? ", did you mean " : "", nearest.word, command);
    return EX_USAGE;
}

static int run_help(int argc, char **argv, volatile int *stop);

/* clang-format off */
const struct command commands[] = {
    {.name = "check", .arguments = "[--json] [--alert]", .run = run_check,
     .help = "The doctor: shows the settings in force, tries the store, GHL and the shop, and says what is to be mended.",
     .more = "Each finding is ok, warn or FAIL. It exits with 0 if nothing FAILed, else with 1. --alert sends a test by ALERT_COMMAND and ALERT_URL."},
    {.name = "drain", .arguments = "[--watch] [--now] [--jobs N]", .run = run_drain, .finishes = true,
     .help = "Sends waiting orders to GHL: once, for cron, or with --watch until it is stopped.",
     .more = "With --now it takes each order that waits, or that arrives meanwhile, exactly once, and waits for no due time, pause or "
             "open circuit breaker. With --jobs it works in N processes."},
    {.name = "status", .arguments = "[--json] [--watch]", .run = run_status,
     .help = "Says in one sentence whether all is well, then what waits and why: the queue, dead letters, pauses, the spool, today's orders.",
     .more = "It exits with 0 if all is well, 1 if somebody should look, and 2 if orders are at risk. With --watch it looks again every two seconds."},
    {.name = "failed", .arguments = "[list] [FILTER] [--json] [--skip N] [--limit N] | show ORDER | retry ORDER|--all|FILTER [--dry-run] [--yes] | drop ORDER|--all|FILTER [--yes]",
     .run = run_failed,
     .help = "Lists, shows, retries or drops dead letters: orders that GHL or the settings refuse.",
     .more = "ORDER is a key of the list, or an order's number. FILTER is any of --reason TEXT, --since DATE|DURATION and --until DATE|DURATION. "
             "The list masks personal data; show prints an order with its content. retry puts orders back into the queue; content that was "
             "deleted after DEAD_LETTER_TTL is read from the shop. drop deletes them for good. For several orders a plan is shown first; on a "
             "terminal it asks, elsewhere drop needs --yes. DATE is a day or a moment in UTC, "
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
    {.name = "trigger", .arguments = "[--live] [--url URL] [--scenarios | --order FILE] [--id N] [--status S] [--total T] [--topic RESOURCE.EVENT]",
     .run = run_trigger,
     .help = "Sends simulated, signed deliveries and prints the requests and the answers.",
     .more = "It sends an order with the given id, status and total, or a file's bytes, or four scenarios. They go through the web server "
             "like real ones, so GHL gets what they say: unless GHL_DRY_RUN=yes it needs --live. Without --live and without an order it only "
             "asks whether this program answers at the URL, and makes nothing."},
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
    {.name = "report", .arguments = "[FILE]", .run = run_report,
     .help = "Writes one text for a bug report: version, settings, check, status and the end of the log, without secrets and personal data."},
    {.name = "help", .arguments = "[COMMAND|settings|man|bash|zsh]", .run = run_help,
     .help = "Prints this text, what a command does, every setting as in .env.sample, what the man page says, or completions for bash or zsh."},
    {.name = "version", .arguments = "", .run = run_version, .help = "Prints the version."},
};
/* clang-format on */
const size_t commands_count = sizeof commands / sizeof *commands;

static int print_help(struct buf *out, bool good)
{
    if (good)
        fputs(out->data, stdout);
    buf_free(out);
    return good ? EX_OK : EX_OSERR;
}

static const struct {
    const char *name;
    bool (*add)(struct buf *out);
} topics[] = {{"settings", config_print_sample},
              {"man", commands_manual},
              {"bash", commands_bash},
              {"zsh", commands_zsh}};

static int run_help(int argc, char **argv, volatile int *stop)
{
    const char *topic = argc > 0 ? argv[0] : "";
    struct buf out;

    (void)stop;
    buf_init(&out, 1024L * 1024);
    if (argc > 1)
        return commands_usage("help", argv[1]);
    if (!*topic)
        return print_help(&out, commands_overview(&out));
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++)
        if (!strcmp(topic, topics[i].name))
            return print_help(&out, topics[i].add(&out));
    const struct command *command = find_command(topic);
    return command ? print_help(&out, commands_help_on(&out, command)) : commands_usage("help", topic);
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
    if (is_help(argc > 0 ? argv[0] : ""))
        return print_help(&help, commands_help_on(&help, command));
    if (argc > 0 && !*command->arguments)
        return commands_usage(command->name, argv[0]);
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
    const struct command *command = find_command(name);
    if (command)
        return run_command(command, argc > 2 ? argc - 2 : 0, argv + 2, stop);
    struct text_nearest nearest = {.typed = name};
    for (size_t i = 0; i < commands_count; i++)
        text_nearest(&nearest, commands[i].name);
    fprintf(stderr, "woo_ghl: unknown command '%s'%s%s; see 'woo_ghl help'\n", name,
            nearest.word ? ", did you mean " : "", nearest.word ? nearest.word : "");
    return EX_USAGE;
}
