#include "cli/options.h"
#include "base/clock.h"
#include "cli/commands_work.h"
#include "config/unit.h"
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define EXAMPLES "2026-11-25, 2026-11-25T08:00:00 (UTC) or 36h"

/* A number without a unit is a mistyped date. */
static bool parse_ago(const char *text, int64_t now_s, int64_t *out_s)
{
    int64_t ago_ms;

    if (!text[strspn(text, "0123456789")] || !unit_read(text, unit_duration, &ago_ms))
        return false;
    *out_s = now_s - ago_ms / 1000;
    return true;
}

bool options_parse_time(const char *option, const char *text, int64_t *out_s, struct error *e)
{
    int64_t now_s = clock_wall_ms() / 1000, time_s;

    if ((clock_parse_iso(text, &time_s) || unit_read_day(text, &time_s) || parse_ago(text, now_s, &time_s)) &&
        time_s > 0 && time_s <= now_s) {
        *out_s = time_s;
        return true;
    }
    if (!*text)
        error_set(e, "%s needs a value; write for example " EXAMPLES, option);
    else
        error_set(e, "%s: '%s' is not a date in the past; write for example " EXAMPLES, option, text);
    return false;
}

/* `value` is NULL behind the last argument. */
static bool take_value(const struct option *o, const char *value, struct error *e)
{
    int64_t number;

    if (o->time_s)
        return options_parse_time(o->name, value ? value : "", o->time_s, e);
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
