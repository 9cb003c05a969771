/* The arguments of failed. */
#include "cli/failed_work.h"
#include "cli/options.h"
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define COUNT_MAX 999999999

static const char *const action_name[] = {
    [FAILED_LIST] = "list", [FAILED_SHOW] = "show", [FAILED_RETRY] = "retry", [FAILED_DROP] = "drop"};

/* The first word; without one it is a list. */
static bool take_action(struct failed_options *o, const char *word)
{
    for (enum failed_action action = FAILED_LIST; action <= FAILED_DROP; action++)
        if (!strcmp(action_name[action], word)) {
            o->action = action;
            return true;
        }
    return false;
}

static bool go_together(const struct failed_options *o, bool all)
{
    bool filtered = o->since_s || o->until_s || o->reason;

    if (o->action == FAILED_LIST)
        return !all && !o->yes && !o->dry_run;
    if (o->skip || o->limit || o->json || (o->key && (all || filtered)))
        return false;
    return o->key || (o->action != FAILED_SHOW && (all || filtered));
}

int failed_parse(int argc, char **argv, struct failed_options *o)
{
    bool all = false;
    const struct option table[] = {{"--json", .flag = &o->json},
                                   {"--yes", .flag = &o->yes},
                                   {"--dry-run", .flag = &o->dry_run},
                                   {"--all", .flag = &all},
                                   {"--since", .time_s = &o->since_s},
                                   {"--until", .time_s = &o->until_s},
                                   {"--reason", .text = &o->reason},
                                   {"--skip", .number = &o->skip, .most = COUNT_MAX},
                                   {"--limit", .number = &o->limit, .most = COUNT_MAX},
                                   {0}};

    *o = (struct failed_options){.action = FAILED_LIST};
    int words = argc > 0 && take_action(o, argv[0]);
    int code =
        options_read("failed", argc - words, argv + words, table, o->action == FAILED_LIST ? NULL : &o->key);
    if (code == EX_OK && (!go_together(o, all) || (o->reason && !*o->reason))) {
        fprintf(stderr, "woo_ghl failed: %s takes other arguments; see 'woo_ghl failed --help'\n",
                action_name[o->action]);
        code = EX_USAGE;
    }
    return code;
}
