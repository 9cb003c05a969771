#include "ghl/location.h"
#include "base/clock.h"
#include "ghl/ghl_work.h"
#include <stdlib.h>

#define EXPLAINED_TTL_MS (24LL * 3600 * 1000)
#define ASK_MS 2000 /* an order waits */

enum location_says {
    LOCATION_UNKNOWN, /* no answer, or a token without the scope locations.readonly */
    LOCATION_NO,
    LOCATION_YES,
};

static enum location_says ask(struct ghl *ghl, const struct ghl_call *call, struct ghl_answer *answer)
{
    if (ghl_location(ghl, call, answer) != GHL_OK)
        return LOCATION_UNKNOWN;
    const json_t *allowed =
        json_object_get(json_object_get(answer->json, "settings"), "allowDuplicateOpportunity");
    return json_is_true(allowed) ? LOCATION_YES : json_is_false(allowed) ? LOCATION_NO : LOCATION_UNKNOWN;
}

/* -- in words -- */

static const char *setting_in_words(enum location_says says)
{
    switch (says) {
    case LOCATION_NO: return "The location allows one opportunity per contact and pipeline";
    case LOCATION_YES:
        return "GHL refuses a second opportunity of a contact, although the location's setting allows it";
    case LOCATION_UNKNOWN: break;
    }
    return "GHL refuses a second opportunity of a contact, and does not tell the location's setting (the "
           "token's scope locations.readonly)";
}

static const char *policy_in_words(const struct config *config)
{
    return config->on_duplicate == ON_DUPLICATE_DEAD_LETTER
               ? "a repeat buyer's further orders become dead letters (GHL_ON_DUPLICATE=dead_letter)"
               : "a repeat buyer's opportunity goes to the newest order (GHL_ON_DUPLICATE=update)";
}

static const char remedy[] = "For one each, turn on Settings > Objects > Opportunities > \"Allow Multiple "
                             "Opportunities per Contact\" in the sub-account";

/* -- for the log, and for `woo_ghl check` -- */

void location_explain_duplicates(struct ghl *ghl, const struct ghl_call *call, const struct ghl_cache *cache)
{
    struct log_about about = {.order = call->order};
    const char *name = ghl->config->on_duplicate == ON_DUPLICATE_DEAD_LETTER
                           ? "explained_duplicates_dead_letter"
                           : "explained_duplicates_update";
    char *explained = cache->get(cache->context, name);
    struct ghl_call brief = *call;
    struct ghl_answer answer;

    bool known = explained != NULL;
    free(explained);
    if (known)
        return;
    if (clock_left_ms(brief.deadline_mono_ms) > ASK_MS)
        brief.deadline_mono_ms = clock_mono_ms() + ASK_MS;
    enum location_says says = ask(ghl, &brief, &answer);
    /* If GHL may soon say more, it is asked again at the next need. */
    if (answer.result == GHL_OK || answer.result == GHL_AUTH || answer.result == GHL_CONFIG ||
        answer.result == GHL_REFUSED) {
        cache->put(cache->context, name, "1", EXPLAINED_TTL_MS);
        log_event(ghl->log, LOG_LEVEL_WARN, "duplicates", &about, "%s: %s. %s. This is logged once a day",
                  setting_in_words(says), policy_in_words(ghl->config), remedy);
    }
    ghl_answer_free(&answer);
}

void location_check_duplicates(struct ghl *ghl, const struct ghl_call *call, struct findings *findings)
{
    struct ghl_answer answer;
    enum location_says says = ask(ghl, call, &answer);

    if (says == LOCATION_YES)
        FINDINGS_OK(findings, "allowed", "each order of a repeat buyer gets an opportunity of its own");
    else if (says == LOCATION_NO)
        findings_add(findings, FINDING_WARN, "one_per_contact", policy_in_words(ghl->config), remedy, "%s",
                     setting_in_words(says));
    else {
        struct error e = ERROR_NONE;
        ghl_explain(&answer, &e);
        findings_add(findings, FINDING_WARN, "unknown",
                     "Whether a repeat buyer's orders get an opportunity each is not known.",
                     "Give the token the scope locations.readonly.",
                     "GHL does not tell the location's setting: %s", e.text);
    }
    ghl_answer_free(&answer);
}
