/* The settings table as text: .env.sample, the man page, and what `check` shows. */
#include "base/clock.h"
#include "config/settings.h"
#include <inttypes.h>
#include <string.h>

/* A value as the file's syntax wants it: quoted where sh would need it. */
static bool add_quoted(struct buf *out, const char *value)
{
    if (*value && !strpbrk(value, " \t'\"\\$#&;<>|(){}*?`~"))
        return buf_adds(out, value);
    bool good = buf_addc(out, '\'');
    for (const char *p = value; *p && good; p++)
        good = *p == '\'' ? buf_adds(out, "'\\''") : buf_addc(out, *p);
    return good && buf_addc(out, '\'');
}

bool config_print_sample(struct buf *out)
{
    bool good = buf_adds(
        out, "# Settings of woo_ghl: copy this file to .env and change what you need.\n"
             "# The environment comes before this file. NAME_FILE=path takes a value from a file.\n"
             "# Inside '...' every byte is itself (a quote is written '\\''); a comment begins a line.\n");
    for (size_t i = 0; i < settings_count && good; i++) {
        const struct setting *s = &settings[i];
        good = buf_addf(out, "\n# %s\n#%s=", s->help, s->name) &&
               add_quoted(out, s->fallback  ? s->fallback
                               : s->example ? s->example
                                            : "") &&
               buf_addc(out, '\n');
    }
    return good;
}

/* Text for man(7): a backslash and a hyphen mean themselves, a line does not begin with a control character.
 */
static bool add_manual(struct buf *out, const char *text)
{
    for (const char *p = text; *p; p++) {
        bool good = *p == '\\'   ? buf_adds(out, "\\e")
                    : *p == '-'  ? buf_adds(out, "\\-")
                    : *p == '\'' ? buf_adds(out, "\\(aq")
                                 : buf_addc(out, *p);
        if (!good)
            return false;
    }
    return true;
}

bool config_print_manual(struct buf *out)
{
    bool good = true;
    for (size_t i = 0; i < settings_count && good; i++) {
        const struct setting *s = &settings[i];
        good = buf_addf(out, ".TP\n.B %s\n", s->name) && add_manual(out, s->help);
        if (good && s->fallback)
            good = buf_adds(out, " Default: ") && add_manual(out, s->fallback) && buf_addc(out, '.');
        good = good && buf_addc(out, '\n');
    }
    return good;
}

static bool add_duration(struct buf *out, int64_t ms)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}};
    for (size_t i = 0; i < sizeof units / sizeof *units && ms > 0; i++)
        if (ms % units[i].ms == 0)
            return buf_addf(out, "%" PRId64 "%s", ms / units[i].ms, units[i].unit);
    return buf_addf(out, "%" PRId64 "ms", ms);
}

static bool add_size(struct buf *out, int64_t bytes)
{
    if (bytes > 0 && bytes % (1024 * 1024) == 0)
        return buf_addf(out, "%" PRId64 "m", bytes / (1024 * 1024));
    if (bytes > 0 && bytes % 1024 == 0)
        return buf_addf(out, "%" PRId64 "k", bytes / 1024);
    return buf_addf(out, "%" PRId64, bytes);
}

static bool add_pairs(struct buf *out, const struct pair *pairs, size_t n, char separator)
{
    bool good = true;
    for (size_t i = 0; i < n && good; i++)
        good = buf_addf(out, "%s%s%c%s", i ? "," : "", pairs[i].key, separator, pairs[i].value);
    return good;
}

static bool add_shops(struct buf *out, const struct config *c)
{
    bool good = true;
    for (size_t i = 0; i < c->shop_count; i++) {
        good = good && buf_addf(out, "%s%s=", i ? " " : "", c->shops[i].name);
        for (size_t j = 0; j < c->shops[i].alias_count; j++)
            good = good && buf_addf(out, "%s%s", j ? "," : "", c->shops[i].alias[j]);
    }
    return good;
}

static bool add_status_map(struct buf *out, const struct config *c)
{
    bool good = true;
    for (size_t i = 0; i < c->status_map_count && good; i++)
        good = buf_addf(out, "%s%s:%s", i ? "," : "", c->status_map[i].status,
                        c->status_map[i].outcome ? outcome_name(c->status_map[i].outcome) : "-");
    return good;
}

static bool add_choice(struct buf *out, const char *words, int chosen)
{
    for (; chosen > 0 && strchr(words, '|'); chosen--)
        words = strchr(words, '|') + 1;
    return buf_add(out, words, strcspn(words, "|"));
}

static bool add_day(struct buf *out, int64_t day_s)
{
    char text[32];
    clock_format_iso(day_s * 1000, text);
    return day_s ? buf_add(out, text, strlen("2026-11-01")) : buf_addc(out, '-');
}

static bool add_value(struct buf *out, const struct setting *s, const struct config *c)
{
    static const char *const levels[] = {"error", "warn", "info", "debug"};
    const void *field = (const char *)c + s->offset;
    const char *text;

    switch (s->type) {
    case SETTING_SECRET:
    case SETTING_REDIS_URL: /* may hold a password */
        text = *(char *const *)field;
        return text && *text ? buf_addf(out, "set, %zu characters", strlen(text)) : buf_adds(out, "-");
    case SETTING_TEXT:
    case SETTING_COUNTRY:
    case SETTING_TEMPLATE:
    case SETTING_HTTPS_URL:
    case SETTING_PATH:
    case SETTING_LOG: text = *(char *const *)field; return buf_adds(out, text && *text ? text : "-");
    case SETTING_BOOL: return buf_adds(out, *(const bool *)field ? "yes" : "no");
    case SETTING_SIZE: return add_size(out, *(const int64_t *)field);
    case SETTING_COUNT: return buf_addf(out, "%" PRId64, *(const int64_t *)field);
    case SETTING_OFF_DURATION:
        if (*(const int64_t *)field == 0)
            return buf_adds(out, "off");
        /* fall through */
    case SETTING_DURATION: return add_duration(out, *(const int64_t *)field);
    case SETTING_RATE:
        return buf_addf(out, "%" PRId64 "/", c->ghl_rate_count) && add_duration(out, c->ghl_rate_window_ms);
    case SETTING_STATUS_MAP: return add_status_map(out, c);
    case SETTING_STAGE_MAP:
        return c->stage_map_count ? add_pairs(out, c->stage_map, c->stage_map_count, ':')
                                  : buf_addc(out, '-');
    case SETTING_STATUS_TAGS:
        return c->tags_remove_count ? add_pairs(out, c->tags_remove, c->tags_remove_count, ':')
                                    : buf_addc(out, '-');
    case SETTING_FIELDS:
        if (s->offset == offsetof(struct config, contact_fields))
            return c->contact_field_count ? add_pairs(out, c->contact_fields, c->contact_field_count, '=')
                                          : buf_addc(out, '-');
        return c->opportunity_field_count
                   ? add_pairs(out, c->opportunity_fields, c->opportunity_field_count, '=')
                   : buf_addc(out, '-');
    case SETTING_SHOPS: return c->shop_count ? add_shops(out, c) : buf_addc(out, '-');
    case SETTING_CHOICE: return add_choice(out, s->example, *(const int *)field);
    case SETTING_DAY: return add_day(out, *(const int64_t *)field);
    case SETTING_LOG_LEVEL: return buf_adds(out, levels[*(const enum log_level *)field]);
    }
    return false;
}

bool config_print_values(const struct config *config, struct buf *out)
{
    bool good = buf_addf(out, "%-28s %s\n", "settings file", *config->env_file ? config->env_file : "none");
    for (size_t i = 0; i < settings_count && good; i++)
        good = buf_addf(out, "%-28s ", settings[i].name) && add_value(out, &settings[i], config) &&
               buf_addc(out, '\n');
    return good;
}
