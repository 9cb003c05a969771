/* The doctor's look at GHL. */
#include "base/clock.h"
#include "cli/check.h"
#include "ghl/location.h"

#define CHECK_BUDGET_MS 15000

struct ghl_call check_call(void)
{
    return (struct ghl_call){.deadline_mono_ms = clock_mono_ms() + CHECK_BUDGET_MS,
                             .order = "",
                             .send_deadline_mono_ms = CLOCK_NEVER};
}

void check_describe(const struct ghl_answer *answer, struct error *out)
{
    if (answer->status == 0)
        error_set(out, "it did not answer: %s", answer->message);
    else
        error_set(out, "it answered %d: %s", answer->status, answer->message);
}

void check_ghl(struct app *app, struct findings *f)
{
    struct ghl_answer answer;
    struct ghl_call call = check_call();
    struct error e = ERROR_NONE;

    enum ghl_result result = ghl_pipelines(app->ghl, &call, &answer);
    check_describe(&answer, &e);
    if (app->config.dry_run)
        FINDINGS_OK(f, "dry_run", "dry run, not asked");
    else if (result == GHL_OK)
        FINDINGS_OK(f, "ghl", "it answers");
    else if (result == GHL_AUTH)
        findings_add(
            f, FINDING_FAIL, "token", "All orders wait; none is lost.",
            "Are GHL_API_KEY, its scopes and GHL_LOCATION_ID right? See the sub-account's Settings > Private "
            "Integrations.",
            "%s", e.text);
    else
        findings_add(f, FINDING_FAIL, "away", "Orders wait in the queue; none is lost.",
                     "There is nothing to do unless this lasts.", "%s", e.text);
    ghl_answer_free(&answer);
}

void check_duplicates(struct app *app, struct findings *f)
{
    struct ghl_call call = check_call();

    if (!app->config.dry_run)
        location_check_duplicates(app->ghl, &call, f);
}
