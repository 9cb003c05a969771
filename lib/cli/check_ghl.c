/* The doctor's look at GHL: the token, what it may do, how old it is, and whether clock and version fit. */
#include "base/clock.h"
#include "base/text.h"
#include "cli/check.h"
#include "ghl/location.h"
#include <stdlib.h>

#define CLOCK_OFF_S 30
#define TOKEN_PAGE "the sub-account's Settings > Private Integrations"
#define WAIT "All orders wait; none is lost."

/* -- what an answer's headers say -- */

struct heard {
    struct ghl_terms terms;
    int64_t date_s, at_s; /* the answer's Date, and our time then; date_s -1 = it has none */
    char sunset[64];
};

static void hear(void *context, const struct http_answer *answer, bool transport_ok)
{
    struct heard *heard = context;

    (void)transport_ok;
    heard->date_s = answer->date_s;
    heard->at_s = clock_wall_ms() / 1000;
    (void)text_copy(heard->sunset, sizeof heard->sunset, answer->sunset);
}

void check_clock(struct findings *f, const char *whose, int64_t date_s, int64_t at_s)
{
    int64_t off_s = at_s - date_s;

    if (date_s < 0 || llabs(off_s) <= CLOCK_OFF_S)
        return;
    findings_add(f, FINDING_WARN, "clock",
                 "Orders are taken, but new ones may be held for old ones (more calls to GHL), and dates in "
                 "the log are "
                 "wrong.",
                 "Set this machine's clock by NTP: timedatectl set-ntp true",
                 "This machine's clock is %lld s %s %s", (long long)llabs(off_s),
                 off_s > 0 ? "ahead of" : "behind", whose);
}

static void check_version(const struct config *config, const struct heard *heard, struct findings *f)
{
    if (*heard->sunset)
        findings_add(f, FINDING_WARN, "sunset", "After that day GHL may refuse all calls; orders would wait.",
                     "Set GHL_API_VERSION=v3 (or what GHL's developer pages name as its successor).",
                     "GHL ends API version %s: %s", config->ghl_api_version, heard->sunset);
}

/* -- the token -- */

static void tell_refused(const struct ghl_answer *answer, struct findings *f)
{
    struct error e = ERROR_NONE;

    ghl_explain(answer, &e);
    if (answer->result != GHL_AUTH)
        findings_add(f, FINDING_FAIL, "away", "Orders wait in the queue; none is lost.",
                     "There is nothing to do unless this lasts.", "%s", e.text);
    else
        findings_add(f, FINDING_FAIL, "token", WAIT,
                     "Are GHL_API_KEY, its scopes and GHL_LOCATION_ID right? See " TOKEN_PAGE ".", "%s",
                     e.text);
}

static void check_age(const struct config *config, struct findings *f)
{
    int64_t days = ghl_token_days(config);

    if (days < 0)
        FINDINGS_OK(f, "token_age", "how old the token is is not known: set GHL_API_KEY_SINCE");
    else if (days <= GHL_TOKEN_OLD_DAYS)
        FINDINGS_OK(f, "token_age", "the token is %lld days old", (long long)days);
    else
        findings_add(
            f, FINDING_WARN, "token_age", "GHL advises a new token every 90 days; a leaked one stays good.",
            "Rotate it in " TOKEN_PAGE " (\"rotate and expire later\"), set GHL_API_KEY_NEXT to the new one "
            "now, and GHL_API_KEY and GHL_API_KEY_SINCE before the old one expires.",
            "The token is %lld days old", (long long)days);
}

/* The token that is to come is tried before it is needed. */
static void check_next(struct app *app, struct findings *f)
{
    static const char replace[] =
        "Put its value into GHL_API_KEY, and the day into GHL_API_KEY_SINCE; empty GHL_API_KEY_NEXT.";
    struct config config = app->config; /* borrows everything */
    char none[1] = "";
    struct ghl_answer answer;
    struct ghl_call call = ghl_call_within(CHECK_CALL_MS);
    struct error e = ERROR_NONE;

    if (ghl_uses_next(app->ghl)) {
        findings_add(f, FINDING_WARN, "token_next",
                     "Orders go on; each process asks GHL once in vain before it takes the next token.",
                     replace, "GHL refuses GHL_API_KEY; GHL_API_KEY_NEXT is used");
        return;
    }
    config.ghl_api_key = app->config.ghl_api_key_next;
    config.ghl_api_key_next = none;
    struct ghl *ghl = *config.ghl_api_key ? ghl_new(&config, app->log, &e) : NULL;
    if (!ghl)
        return;
    enum ghl_result result = ghl_pipelines(ghl, &call, &answer);
    ghl_explain(&answer, &e);
    if (result == GHL_OK)
        FINDINGS_OK(f, "token_next", "GHL_API_KEY_NEXT is ready");
    else
        findings_add(f, FINDING_WARN, "token_next", "When GHL refuses GHL_API_KEY, all orders wait.",
                     "Copy the new token from " TOKEN_PAGE ".", "GHL_API_KEY_NEXT does not work: %s", e.text);
    ghl_answer_free(&answer);
    ghl_free(ghl);
}

/* -- what the token may do -- */

#define NOBODY "wooGhlCheckNobody000" /* an id that nothing has: a write to it changes nothing */

static enum ghl_result read_contacts(struct ghl *ghl, const struct ghl_call *call, const char *id,
                                     const json_t *nothing, struct ghl_answer *answer)
{
    (void)id, (void)nothing;
    return ghl_contact_find(ghl, call, "woo_ghl.check@example.com", "", answer);
}

/* opportunities.readonly is what the first look needs; locations' are looked at with what needs them. */
static const struct {
    const char *scope;
    enum ghl_result (*attempt)(struct ghl *ghl, const struct ghl_call *call, const char *id,
                               const json_t *nothing, struct ghl_answer *answer);
} scopes[] = {
    {"contacts.readonly", read_contacts},
    {"contacts.write", ghl_contact_update},
    {"opportunities.write", ghl_opportunity_update},
};

static void check_scopes(struct app *app, struct findings *f)
{
    struct ghl_answer answer;
    struct error e = ERROR_NONE;
    json_t *nothing = json_object();
    char mend[256];
    bool good = true;

    for (size_t i = 0; i < sizeof scopes / sizeof *scopes; i++) {
        struct ghl_call call = ghl_call_within(CHECK_CALL_MS);
        enum ghl_result result = scopes[i].attempt(app->ghl, &call, NOBODY, nothing, &answer);
        bool missing = result == GHL_AUTH,
             unknown = result == GHL_RETRY || result == GHL_LIMITED || result == GHL_UNKNOWN;

        ghl_explain(&answer, &e);
        (void)text_format(mend, sizeof mend, "Add %s in " TOKEN_PAGE "; the token stays the same.",
                          scopes[i].scope);
        if (missing || unknown)
            findings_add(f, missing ? FINDING_FAIL : FINDING_WARN, "scope", WAIT,
                         missing ? mend : "Run woo_ghl check again later.", "%s the scope %s: %s",
                         missing ? "The token lacks" : "It is not known whether the token has",
                         scopes[i].scope, e.text);
        good = good && !missing && !unknown;
        ghl_answer_free(&answer);
    }
    json_decref(nothing);
    if (good)
        FINDINGS_OK(f, "scopes", "the token may read and write contacts and opportunities");
}

/* -- all -- */

void check_ghl(struct app *app, struct findings *f)
{
    struct ghl_answer answer;
    struct ghl_call call = ghl_call_within(CHECK_CALL_MS);
    struct heard heard = {.date_s = -1};

    if (app->config.dry_run) {
        FINDINGS_OK(f, "dry_run", "dry run, not asked");
        return;
    }
    heard.terms = (struct ghl_terms){.context = &heard, .heard = hear};
    call.terms = &heard.terms;
    bool good = ghl_pipelines(app->ghl, &call, &answer) == GHL_OK;
    if (good)
        FINDINGS_OK(f, "ghl", "it answers");
    else
        tell_refused(&answer, f);
    ghl_answer_free(&answer);
    check_clock(f, "GHL's", heard.date_s, heard.at_s);
    if (!good)
        return;
    check_version(&app->config, &heard, f);
    check_next(app, f);
    check_age(&app->config, f);
    check_scopes(app, f);
}

void check_duplicates(struct app *app, struct findings *f)
{
    struct ghl_call call = ghl_call_within(CHECK_CALL_MS);

    if (!app->config.dry_run)
        location_check_duplicates(app->ghl, &call, f);
}
