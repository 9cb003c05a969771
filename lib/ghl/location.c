#include "ghl/location.h"
#include "base/clock.h"
#include "base/digest.h"
#include <stdlib.h>
#include <string.h>

#define LOCATION_TTL_MS (3600LL * 1000)
#define EXPLAINED_TTL_MS (30LL * 24 * 3600 * 1000)
#define ASK_MS 2000
#define DUPLICATES_KEY "location_duplicates"
#define TICKET_BYTES 8

enum location_says {
    LOCATION_UNKNOWN, /* GHL does not tell: no answer, or a token without the scope locations.readonly */
    LOCATION_NO,
    LOCATION_YES,
};

static const char *const word[] = {
    [LOCATION_UNKNOWN] = "unknown", [LOCATION_NO] = "no", [LOCATION_YES] = "yes"};

static void keep(struct app *app, enum location_says says)
{
    if (app->store &&
        store_put(app->store, DUPLICATES_KEY, word[says], LOCATION_TTL_MS, false, NULL) != STORE_OK)
        log_event(app->log, LOG_LEVEL_WARN, "store", NULL, "The location's setting could not be kept: %s",
                  store_trouble(app->store));
}

/* What will not be another answer soon is kept; what may be (*settled is false) is asked for again at the
 * next need. */
static enum location_says ask(struct app *app, const struct ghl_call *call, struct ghl_answer *answer,
                              bool *settled)
{
    enum location_says says = LOCATION_UNKNOWN;
    enum ghl_result result = ghl_location(app->ghl, call, answer);

    if (result == GHL_OK) {
        const json_t *allowed =
            json_object_get(json_object_get(answer->json, "settings"), "allowDuplicateOpportunity");
        if (json_is_boolean(allowed))
            says = json_is_true(allowed) ? LOCATION_YES : LOCATION_NO;
    }
    *settled = result == GHL_OK || result == GHL_AUTH || result == GHL_CONFIG || result == GHL_REFUSED;
    if (*settled)
        keep(app, says);
    return says;
}

/* From the store, else from GHL, which gets little time: an order waits. */
static enum location_says look(struct app *app, const struct ghl_call *call, bool *settled)
{
    struct ghl_answer answer;
    struct ghl_call brief = *call;
    char *kept = NULL;
    enum location_says says = LOCATION_UNKNOWN;

    *settled = store_get(app->store, DUPLICATES_KEY, &kept) == STORE_OK;
    if (*settled) {
        for (enum location_says s = LOCATION_NO; s <= LOCATION_YES; s++)
            if (!strcmp(kept, word[s]))
                says = s;
    } else {
        if (clock_left_ms(brief.deadline_mono_ms) > ASK_MS)
            brief.deadline_mono_ms = clock_mono_ms() + ASK_MS;
        says = ask(app, &brief, &answer, settled);
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
    return config->on_duplicate == ON_DUPLICATE_PARK
               ? "a repeat buyer's further orders are parked (GHL_ON_DUPLICATE=park)"
               : "a repeat buyer's opportunity goes to the newest order (GHL_ON_DUPLICATE=update)";
}

static const char remedy[] =
    "For one each, turn on \"Allow duplicate opportunities\" in the sub-account's settings";

/* Is this process the first one that says it? The ticket that is in the store then is its own. */
static bool is_first(struct app *app, enum location_says says)
{
    unsigned char noise[TICKET_BYTES];
    char name[64], ticket[2 * TICKET_BYTES + 1], *there = NULL;

    if (!digest_random(noise, sizeof noise))
        return true;
    digest_hex(noise, sizeof noise, ticket);
    snprintf(name, sizeof name, "explained_duplicates_%s_%s", word[says],
             app->config.on_duplicate == ON_DUPLICATE_PARK ? "park" : "update");
    bool first = store_put(app->store, name, ticket, EXPLAINED_TTL_MS, true, &there) == STORE_OK && there &&
                 !strcmp(there, ticket);
    free(there);
    return first;
}

void location_explain_duplicates(struct app *app, const struct ghl_call *call)
{
    struct log_about about = {.order = call->order};
    bool settled;
    enum location_says says = look(app, call, &settled);

    if (settled && is_first(app, says))
        log_event(app->log, LOG_LEVEL_WARN, "duplicates", &about, "%s: %s. %s. This is said once",
                  setting_in_words(says), policy_in_words(&app->config), remedy);
}

void location_check_duplicates(struct app *app, const struct ghl_call *call)
{
    struct ghl_answer answer;
    bool settled;
    enum location_says says = ask(app, call, &answer, &settled);

    if (says == LOCATION_YES)
        printf("duplicates ok: each order of a repeat buyer gets an opportunity of its own\n");
    else if (says == LOCATION_NO)
        printf("duplicates note: %s: %s. %s\n", setting_in_words(says), policy_in_words(&app->config),
               remedy);
    else
        printf("duplicates unknown: GHL does not tell the location's setting: %s, status %d %s; has the "
               "token the "
               "scope locations.readonly?\n",
               ghl_result_name(answer.result), answer.status, answer.message);
    ghl_answer_free(&answer);
}
