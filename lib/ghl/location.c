#include "ghl/location.h"
#include "base/clock.h"
#include "ghl/ghl_work.h"
#include <stdlib.h>
#include <string.h>

#define LOCATION_TTL_MS (3600LL * 1000)
#define EXPLAINED_TTL_MS (30LL * 24 * 3600 * 1000)
#define ASK_MS 2000
#define DUPLICATES_KEY "location_duplicates"

enum location_says {
    LOCATION_UNKNOWN, /* GHL does not tell: no answer, or a token without the scope locations.readonly */
    LOCATION_NO,
    LOCATION_YES,
};

static const char *const word[] = {
    [LOCATION_UNKNOWN] = "unknown", [LOCATION_NO] = "no", [LOCATION_YES] = "yes"};

/* An answer that will not soon be another one is kept; if *settled is false, GHL is asked again at the next
 * need. */
static enum location_says ask(struct ghl *ghl, const struct ghl_call *call, const struct ghl_cache *cache,
                              struct ghl_answer *answer, bool *settled)
{
    enum location_says says = LOCATION_UNKNOWN;
    enum ghl_result result = ghl_location(ghl, call, answer);

    if (result == GHL_OK) {
        const json_t *allowed =
            json_object_get(json_object_get(answer->json, "settings"), "allowDuplicateOpportunity");
        if (json_is_boolean(allowed))
            says = json_is_true(allowed) ? LOCATION_YES : LOCATION_NO;
    }
    *settled = result == GHL_OK || result == GHL_AUTH || result == GHL_CONFIG || result == GHL_REFUSED;
    if (*settled)
        cache->put(cache->context, DUPLICATES_KEY, word[says], LOCATION_TTL_MS);
    return says;
}

/* From the cache, else from GHL, which gets little time: an order waits. */
static enum location_says look(struct ghl *ghl, const struct ghl_call *call, const struct ghl_cache *cache,
                               bool *settled)
{
    struct ghl_answer answer;
    struct ghl_call brief = *call;
    char *kept = cache->get(cache->context, DUPLICATES_KEY);
    enum location_says says = LOCATION_UNKNOWN;

    *settled = kept != NULL;
    if (kept) {
        for (enum location_says s = LOCATION_NO; s <= LOCATION_YES; s++)
            if (!strcmp(kept, word[s]))
                says = s;
    } else {
        if (clock_left_ms(brief.deadline_mono_ms) > ASK_MS)
            brief.deadline_mono_ms = clock_mono_ms() + ASK_MS;
        says = ask(ghl, &brief, cache, &answer, settled);
        ghl_answer_free(&answer);
    }
    free(kept);
    return says;
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
           "token's "
           "scope locations.readonly)";
}

static const char *policy_in_words(const struct config *config)
{
    return config->on_duplicate == ON_DUPLICATE_DEAD_LETTER
               ? "a repeat buyer's further orders are parked (GHL_ON_DUPLICATE=dead_letter)"
               : "a repeat buyer's opportunity goes to the newest order (GHL_ON_DUPLICATE=update)";
}

static const char remedy[] =
    "For one each, turn on \"Allow duplicate opportunities\" in the sub-account's settings";

/* Has no process logged it yet? Two that ask at the same moment may both log it. */
static bool is_first(const struct ghl *ghl, const struct ghl_cache *cache, enum location_says says)
{
    char name[64];

    snprintf(name, sizeof name, "explained_duplicates_%s_%s", word[says],
             ghl->config->on_duplicate == ON_DUPLICATE_DEAD_LETTER ? "dead_letter" : "update");
    char *there = cache->get(cache->context, name);
    if (!there)
        cache->put(cache->context, name, "1", EXPLAINED_TTL_MS);
    free(there);
    return !there;
}

void location_explain_duplicates(struct ghl *ghl, const struct ghl_call *call, const struct ghl_cache *cache)
{
    struct log_about about = {.order = call->order};
    bool settled;
    enum location_says says = look(ghl, call, cache, &settled);

    if (settled && is_first(ghl, cache, says))
        log_event(ghl->log, LOG_LEVEL_WARN, "duplicates", &about, "%s: %s. %s. This is logged once",
                  setting_in_words(says), policy_in_words(ghl->config), remedy);
}

void location_check_duplicates(struct ghl *ghl, const struct ghl_call *call, const struct ghl_cache *cache)
{
    struct ghl_answer answer;
    bool settled;
    enum location_says says = ask(ghl, call, cache, &answer, &settled);

    if (says == LOCATION_YES)
        printf("duplicates ok: each order of a repeat buyer gets an opportunity of its own\n");
    else if (says == LOCATION_NO)
        printf("duplicates note: %s: %s. %s\n", setting_in_words(says), policy_in_words(ghl->config), remedy);
    else
        printf("duplicates unknown: GHL does not tell the location's setting: %s, status %d %s; has the "
               "token the "
               "scope locations.readonly?\n",
               ghl_result_name(answer.result), answer.status, answer.message);
    ghl_answer_free(&answer);
}
