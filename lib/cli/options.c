#include "cli/options.h"
#include "cli/commands_work.h"
#include "cli/since.h"
#include "config/unit.h"
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

/* `value` is NULL behind the last argument. */
static bool take_value(const struct option *o, const char *value, struct error *e)
{
    int64_t number;

    if (o->time_s)
        return since_parse(o->name, value ? value : "", o->time_s, e);
    if (o->text) {
        *o->text = value;
        error_set(e, "%s: it needs a value", o->name);
        return value;
    }
    if (!value || !unit_read(value, unit_count, &number) || number < o->least || number > o->most) {
        error_set(e, "%s takes a whole number from %ld to %ld", o->name, o->least, o->most);
        return false;
    }
    *o->number = (long)number;
    return true;
}

int options_read(const char *command, int argc, char **argv, const struct option *table, const char **word)
{
    struct error e = ERROR_NONE;

    for (int i = 0; i < argc; i++) {
        const struct option *o = table;
        while (o->name && strcmp(o->name, argv[i]) != 0)
            o++;
        if (!o->name && word && !*word && argv[i][0] != '-')
            *word = argv[i];
        else if (!o->name)
            return commands_usage(command, argv[i]);
        else if (o->flag)
            *o->flag = true;
        else if (!take_value(o, argv[++i], &e)) {
            fprintf(stderr, "woo_ghl %s: %s\n", command, e.text);
            return EX_USAGE;
        }
    }
    return EX_OK;
}
