#include "cli/check.h"
#include "app/left_behind.h"
#include "app/ready.h"
#include "base/confine.h"
#include "base/text.h"
#include "cli/commands_work.h"
#include "cli/options.h"
#include "cli/status.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

/* -- settings -- */

#define SECRET_SHORT 16

static void check_secret(const struct config *config, struct findings *f)
{
    size_t n = strlen(config->webhook_secret);

    if (n > 0 && n < SECRET_SHORT)
        findings_add(
            f, FINDING_WARN, "short_secret", "Who guesses it can send orders that were never placed.",
            "Make a random one of 32 characters, set it in each webhook and in WOO_WEBHOOK_SECRET, and keep "
            "the old one in WOO_WEBHOOK_SECRET_PREVIOUS for a day.",
            "WOO_WEBHOOK_SECRET has %zu characters; %d are the least that is hard to guess", n, SECRET_SHORT);
}

/* A status that is nearly WooCommerce's is mistyped; any other may be a plugin's. */
static void check_status(const char *setting, const char *status, struct findings *f)
{
    static const char *const known[] = {"pending",  "processing", "on-hold", "completed", "cancelled",
                                        "refunded", "failed",     "trash",   "draft",     "checkout-draft"};
    struct text_nearest nearest = {.typed = status};
    char mend[160];

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        text_nearest(&nearest, known[i]);
    if (!nearest.word || !strcmp(nearest.word, status))
        return;
    (void)text_format(mend, sizeof mend, "Write %s in %s.", nearest.word, setting);
    findings_add(f, FINDING_WARN, "mistyped_status", "Orders of that status are not treated as you mean.",
                 mend, "%s: WooCommerce has no status \"%s\"; did you mean %s?", setting, status,
                 nearest.word);
}

static void check_statuses(const char *setting, const struct pair_list *list, struct findings *f)
{
    for (size_t i = 0; i < list->count; i++)
        check_status(setting, config_plain_status(list->item[i].key), f);
}

static void check_settings(struct app *app, struct findings *f)
{
    static const char *refused =
        "Every delivery is answered 503, and WooCommerce disables a webhook after a run of failures.";
    char mend[512] = "Mend it in the environment, or in a settings file (woo_ghl help settings).";

    if (app->config.env_file && *app->config.env_file)
        snprintf(mend, sizeof mend, "Mend it in %s, then run woo_ghl check again.", app->config.env_file);
    for (size_t i = 0; i < app->report.problem_count; i++)
        findings_add(f, FINDING_FAIL, "refused", refused, mend, "%s", app->report.problem[i]);
    if (!app->report.problem_count && !app->config_ok)
        findings_add(f, FINDING_FAIL, "start", refused,
                     "Mend what the line on standard error, or in the log, names.",
                     "The program cannot start with these settings");
    for (size_t i = 0; i < app->report.warning_count; i++)
        findings_add(f, FINDING_WARN, "doubtful", "Orders are taken; the setting may not do what you mean.",
                     mend, "%s", app->report.warning[i]);
    if (!app->config.env_file) /* for want of memory */
        return;
    check_secret(&app->config, f);
    check_statuses("GHL_STATUS_MAP", &app->config.status_map, f);
    check_statuses("GHL_STAGE_MAP", &app->config.stage_map, f);
    check_statuses("GHL_TAGS_REMOVE", &app->config.tags_remove, f);
    if (app->config_ok && !app->report.warning_count)
        FINDINGS_OK(f, "settings", "%s", app->config.env_file);
}

/* -- the store -- */

static void tell_left_behind(struct app *app, struct findings *f)
{
    struct buf left;
    char *rest = NULL;

    buf_init(&left, STORE_BLOB_MAX);
    left_behind(app, &left);
    for (char *line = left.len ? strtok_r(left.data, "\n", &rest) : NULL; line;
         line = strtok_r(NULL, "\n", &rest))
        findings_add(f, FINDING_WARN, "left_behind", "These orders wait until the command was run.",
                     "Run the command that the line names.", "%s", line);
    buf_free(&left);
}

static void check_store(struct app *app, struct findings *f)
{
    static const char *away =
        "New orders go to this machine's spool; if that cannot be written either, they are answered 503.";
    static const char *mend = "Mend what the message names, then run woo_ghl check again.";
    struct store_about about;
    struct error e = ERROR_NONE;

    bool ready = app_ready(app, &e);
    if (!ready || store_about(app->store, &about) != STORE_OK) {
        findings_add(f, FINDING_FAIL, "away", away, mend, "%s", ready ? store_trouble(app->store) : e.text);
        return;
    }
    FINDINGS_OK(f, "store", "%s", store_kind(app->store));
    if (*about.problem)
        findings_add(f, FINDING_FAIL, "problem", "Accepted orders can be lost.", mend, "%s", about.problem);
    tell_left_behind(app, f);
    f->area = "durability"; /* what it may lose, it can tell all the same */
    if (*about.durability)
        findings_add(f, about.loses ? FINDING_FAIL : FINDING_WARN, "durability",
                     about.loses ? "Accepted orders that wait can be lost."
                                 : "The orders of the last moments can be lost.",
                     "Change what the message names in the store's configuration.", "%s", about.durability);
}

/* -- the sandbox -- */

static void check_sandbox(struct app *app, struct findings *f)
{
    struct error lacks;

    if (!app->config.sandbox)
        FINDINGS_OK(f, "sandbox", "off");
    else if (!confine_lacks(&lacks))
        FINDINGS_OK(f, "sandbox", "workers are confined");
    else
        findings_add(f, FINDING_WARN, "sandbox",
                     "Orders are taken. Whoever takes a worker over can do more than elsewhere.",
                     "Nothing, or use a newer kernel and a build with libseccomp.",
                     "The sandbox is not whole: %s", lacks.text);
}

/* -- the table -- */

static const struct {
    const char *area;
    void (*look)(struct app *app, struct findings *findings);
    const char *needs; /* not looked at if that area failed; NULL = none */
} areas[] = {
    {"settings", check_settings, NULL},        {"files", check_files, "settings"},
    {"store", check_store, "settings"},        {"drain", check_drain, "store"},
    {"statuses", status_unmapped, "store"},    {"GHL", check_ghl, "settings"},
    {"mapping", check_mapping, "GHL"},         {"duplicates", check_duplicates, "GHL"},
    {"shop", check_shop, "settings"},          {"webhooks", check_webhooks, "shop"},
    {"alerts", check_alerts, "settings"},      {"public URL", check_public_url, "settings"},
    {"deliveries", check_deliveries, "store"}, {"sandbox", check_sandbox, "settings"},
};

bool check_failed(const struct findings *findings, const char *area)
{
    for (size_t i = 0; i < findings->count; i++)
        if (findings->item[i].level == FINDING_FAIL && !strcmp(findings->item[i].area, area))
            return true;
    return false;
}

static bool print_text(const struct app *app, const struct findings *findings)
{
    struct buf out;

    buf_init(&out, 1024L * 1024);
    bool good = (!app->config.env_file || config_print_values(&app->config, &out)) && buf_addc(&out, '\n') &&
                findings_print(findings, &out);
    if (good)
        good = fputs(out.data, stdout) >= 0;
    buf_free(&out);
    return good;
}

int check_print(struct app *app, bool settings_good, const struct check_options *options)
{
    struct findings findings = {0};

    for (size_t i = 0; i < sizeof areas / sizeof *areas && !findings.failed; i++) {
        if ((i && !settings_good) || (areas[i].needs && check_failed(&findings, areas[i].needs)))
            continue;
        findings.area = areas[i].area;
        areas[i].look(app, &findings);
    }
    findings.area = "alerts";
    if (settings_good && options->alert && !findings.failed)
        check_test_alert(app, &findings);
    bool good = options->json ? commands_print_json(findings_json(&findings), JSON_INDENT(1))
                              : print_text(app, &findings);
    good = good && !findings.failed && !findings_count(&findings, FINDING_FAIL);
    findings_free(&findings);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

int run_check(int argc, char **argv, volatile int *stop)
{
    struct app app;
    struct check_options options = {0};
    const struct option table[] = {
        {"--json", .flag = &options.json}, {"--alert", .flag = &options.alert}, {0}};
    int code = options_read("check", argc, argv, table, NULL);

    if (code != EX_OK)
        return code;
    /* Root becomes the owner of DATA_DIR, the web server's user; can that one read the settings? */
    bool root = geteuid() == 0, good = app_open(&app, stop);
    if (good && root && geteuid() != 0) {
        app_close(&app);
        good = app_open(&app, stop);
    }
    code = check_print(&app, good, &options);
    app_close(&app);
    return code;
}
