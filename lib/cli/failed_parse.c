/* The arguments of failed. */
#include "cli/failed.h"
#include "cli/since.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static const char *const action_name[] = {
    [FAILED_LIST] = "list", [FAILED_SHOW] = "show", [FAILED_RETRY] = "retry", [FAILED_DROP] = "drop"};

static int wrong(const char *what, const char *word)
{
    fprintf(stderr, "woo_ghl failed: %s%s; see 'woo_ghl failed --help'\n", what, word);
    return EX_USAGE;
}

static bool parse_count(const char *text, long *out)
{
    char *end = NULL;

    *out = text && *text >= '0' && *text <= '9' ? strtol(text, &end, 10) : -1;
    return *out >= 0 && end && !*end && *out < 1000000000;
}

static bool parse_time(const char *option, const char *text, int64_t *out_s)
{
    struct error e = ERROR_NONE;
    bool good = since_parse(option, text ? text : "", out_s, &e);

    if (!good)
        fprintf(stderr, "woo_ghl failed: %s\n", e.text);
    return good;
}

/* One that takes a value, or none. 0 = it is no option; -1 = its value is wrong, and that was said. */
static int take_option(struct failed_options *o, const char *option, const char *value, bool *all)
{
    if (!strcmp(option, "--json"))
        return o->json = true, 1;
    if (!strcmp(option, "--yes"))
        return o->yes = true, 1;
    if (!strcmp(option, "--dry-run"))
        return o->dry_run = true, 1;
    if (!strcmp(option, "--all"))
        return *all = true, 1;
    if (!strcmp(option, "--since"))
        return parse_time(option, value, &o->since_s) ? 2 : -1;
    if (!strcmp(option, "--until"))
        return parse_time(option, value, &o->until_s) ? 2 : -1;
    if (!strcmp(option, "--reason") && value && *value)
        return o->reason = value, 2;
    if ((!strcmp(option, "--skip") && parse_count(value, &o->skip)) ||
        (!strcmp(option, "--limit") && parse_count(value, &o->limit)))
        return 2;
    return 0;
}

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

static int check(const struct failed_options *o, bool all)
{
    bool filtered = o->since_s || o->until_s || o->reason,
         many = o->action == FAILED_RETRY || o->action == FAILED_DROP;

    if (o->action == FAILED_LIST ? o->key || all || o->yes || o->dry_run : o->skip || o->limit || o->json)
        return wrong(action_name[o->action], " takes other arguments");
    if (o->key ? all || filtered : many && !all && !filtered)
        return wrong(action_name[o->action], " takes other arguments");
    if (o->action == FAILED_SHOW && !o->key)
        return wrong(action_name[o->action], " takes other arguments");
    return EX_OK;
}

int failed_parse(int argc, char **argv, struct failed_options *o)
{
    bool all = false;
    int i = 1;

    *o = (struct failed_options){.action = FAILED_LIST};
    if (argc > 1 && take_action(o, argv[1]))
        i = 2;
    while (i < argc) {
        int taken = take_option(o, argv[i], argv[i + 1], &all); /* behind the last one argv ends with NULL */
        if (taken < 0)
            return EX_USAGE;
        if (!taken && (argv[i][0] == '-' || o->key || o->action == FAILED_LIST)) {
            fprintf(stderr, "woo_ghl failed: unknown argument '%s'; see 'woo_ghl failed --help'\n", argv[i]);
            return EX_USAGE;
        }
        if (!taken)
            o->key = argv[i];
        i += taken ? taken : 1;
    }
    return check(o, all);
}
