/* The doctor's look at alerts: does anybody hear them? */
#include "app/alert.h"
#include "app/alert_send.h"
#include "base/clock.h"
#include "base/text.h"
#include "cli/check.h"

#define UNHEARD "Trouble goes unnoticed until somebody looks."

static void tell_way(const char *way, const char *when, const char *why, struct findings *f)
{
    if (*why)
        findings_add(f, FINDING_FAIL, "failed", UNHEARD, "Mend it, then run woo_ghl check --alert.",
                     "%s failed%s: %s", way, when, why);
    else
        FINDINGS_OK(f, "told", "%s was told%s", way, when);
}

static void tell_last(const struct config *config, struct findings *f)
{
    json_t *last = alert_last(config);
    char age[CLOCK_WORDS_SIZE], when[CLOCK_WORDS_SIZE + 8] = "";

    if (!last) {
        FINDINGS_OK(f, "set", "none was sent yet; woo_ghl check --alert sends a test");
        return;
    }
    (void)text_format(when, sizeof when, " %s ago",
                      clock_in_words(clock_wall_ms() - text_number(json_text(last, "at"), NULL), age));
    if (*config->alert_command)
        tell_way("ALERT_COMMAND", when, json_text(last, "command"), f);
    if (*config->alert_url)
        tell_way("ALERT_URL", when, json_text(last, "url"), f);
    json_decref(last);
}

void check_alerts(struct app *app, struct findings *f)
{
    const struct config *config = &app->config;
    bool due;

    if (!*config->alert_command && !*config->alert_url) {
        findings_add(f, FINDING_WARN, "not_set", UNHEARD,
                     "Set ALERT_URL or ALERT_COMMAND, then run woo_ghl check --alert.",
                     "Nobody is told of trouble");
        return;
    }
    tell_last(config, f);
    long waiting = alert_waiting(config, &due);
    if (waiting)
        findings_add(f, FINDING_WARN, "waiting", UNHEARD,
                     "Mend what the log says of alerts; the drain tries them again.",
                     "%ld alerts wait to be sent again", waiting);
}

void check_test_alert(struct app *app, struct findings *f)
{
    const struct config *config = &app->config;
    struct alert_result result;
    json_t *alert = alert_test(app);

    alert_deliver(config, alert, &result);
    json_decref(alert);
    if (*config->alert_command)
        tell_way("ALERT_COMMAND", "", result.command, f);
    if (*config->alert_url)
        tell_way("ALERT_URL", "", result.url, f);
}
