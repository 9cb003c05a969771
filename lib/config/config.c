#include "config/config.h"
#include "order/template.h"
#include <string.h>
#include <strings.h>

static const char *const outcomes[] = {"ignore", "open", "won", "lost", "abandoned"};

const char *outcome_name(enum outcome outcome)
{
    return outcomes[outcome];
}

bool outcome_parse(const char *word, enum outcome *outcome)
{
    *outcome = OUTCOME_IGNORE;
    if (!strcmp(word, "-"))
        return true;
    for (enum outcome o = OUTCOME_OPEN; o <= OUTCOME_ABANDONED; o++)
        if (!strcasecmp(word, outcomes[o])) {
            *outcome = o;
            return true;
        }
    return false;
}

bool outcome_creates(enum outcome outcome)
{
    return outcome == OUTCOME_OPEN || outcome == OUTCOME_WON;
}

const char *config_plain_status(const char *status)
{
    while (!strncmp(status, "wc-", 3)) /* what is printed means the same when it is read again */
        status += 3;
    return status;
}

const char *pair_find(const struct pair_list *list, const char *key)
{
    for (size_t i = 0; i < list->count; i++)
        if (!strcmp(list->item[i].key, key))
            return list->item[i].value;
    return NULL;
}

enum outcome config_outcome(const struct config *config, const char *status)
{
    const char *word = pair_find(&config->status_map, config_plain_status(status));
    enum outcome outcome = OUTCOME_IGNORE;

    return word && outcome_parse(word, &outcome) ? outcome : OUTCOME_IGNORE;
}

bool config_name_is_unique(const struct config *config)
{
    return template_uses(config->opportunity_name, "number") || template_uses(config->opportunity_name, "id");
}

bool config_namespace(const struct config *config, struct buf *out)
{
    return buf_addf(out, "%s:%s%s", config->redis_prefix, config->dry_run ? "dry:" : "",
                    config->ghl_location_id);
}
