/* Text -> value, for each type of the settings table. */
#include "base/clock.h"
#include "base/http_client.h"
#include "base/redis_url.h"
#include "config/settings.h"
#include "order/phone.h"
#include "order/template.h"
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* -- words -- */

const char *outcome_name(enum outcome outcome)
{
    static const char *const names[] = {"ignore", "open", "won", "lost", "abandoned"};
    return names[outcome];
}

bool outcome_creates(enum outcome outcome)
{
    return outcome == OUTCOME_OPEN || outcome == OUTCOME_WON;
}

static bool parse_outcome(const char *word, enum outcome *out)
{
    if (!strcmp(word, "-")) {
        *out = OUTCOME_IGNORE;
        return true;
    }
    for (enum outcome o = OUTCOME_OPEN; o <= OUTCOME_ABANDONED; o++)
        if (!strcasecmp(word, outcome_name(o))) {
            *out = o;
            return true;
        }
    return false;
}

static bool parse_bool(const char *text, bool *out)
{
    static const char *const yes[] = {"yes", "on", "true", "1"}, *const no[] = {"no", "off", "false", "0"};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        if (!strcasecmp(text, yes[i])) {
            *out = true;
            return true;
        }
        if (!strcasecmp(text, no[i])) {
            *out = false;
            return true;
        }
    }
    return false;
}

/* -- numbers -- */

/* Digits at *text, which moves behind them; false without digits or over what fits. */
static bool take_number(const char **text, int64_t *out)
{
    const char *p = *text;
    int64_t n = 0;

    if (*p < '0' || *p > '9')
        return false;
    for (; *p >= '0' && *p <= '9'; p++) {
        if (n > (INT64_MAX - 9) / 10)
            return false;
        n = n * 10 + (*p - '0');
    }
    *text = p;
    *out = n;
    return true;
}

struct unit {
    const char *name;
    int64_t factor;
};

static bool with_unit(const char *text, const struct unit *units, int64_t *out)
{
    int64_t n;

    if (!take_number(&text, &n))
        return false;
    for (; units->name; units++)
        if (!strcasecmp(text, units->name) && n <= INT64_MAX / units->factor) {
            *out = n * units->factor;
            return true;
        }
    return false;
}

bool config_parse_duration(const char *text, int64_t *out_ms)
{
    static const struct unit units[] = {{"ms", 1},      {"s", 1000},     {"", 1000}, {"m", 60000},
                                        {"h", 3600000}, {"d", 86400000}, {NULL, 0}};
    return with_unit(text, units, out_ms);
}

bool config_parse_size(const char *text, int64_t *out_bytes)
{
    static const struct unit units[] = {
        {"", 1}, {"k", 1024}, {"m", 1024 * 1024}, {"g", 1024 * 1024 * 1024}, {NULL, 0}};
    return with_unit(text, units, out_bytes);
}

bool config_parse_day(const char *text, int64_t *out_s)
{
    char midnight[sizeof "2026-11-01T00:00:00"];
    int n = snprintf(midnight, sizeof midnight, "%sT00:00:00", text);
    return n == sizeof midnight - 1 && clock_parse_iso(midnight, out_s) && *out_s > 0;
}

static bool parse_rate(const char *text, struct config *config)
{
    int64_t count, window;
    return take_number(&text, &count) && *text == '/' && config_parse_duration(text + 1, &window) &&
           count > 0 && window >= 100 && count <= 1000000 &&
           ((config->ghl_rate_count = count), (config->ghl_rate_window_ms = window), true);
}

/* -- lists -- */

/* The trimmed piece up to one of the separators outside {braces}; *text moves behind the separator. NULL at
 * the end. malloc'ed. */
static char *next_piece(const char **text, const char *separators)
{
    const char *p = *text;
    int depth = 0;

    while (*p && (isspace((unsigned char)*p) || strchr(separators, *p)))
        p++;
    if (!*p)
        return NULL;
    const char *begin = p;
    for (; *p && (depth > 0 || !strchr(separators, *p)); p++)
        depth += *p == '{' ? 1 : *p == '}' && depth > 0 ? -1 : 0;
    const char *end = p;
    while (end > begin && isspace((unsigned char)end[-1]))
        end--;
    *text = *p ? p + 1 : p;
    return strndup(begin, (size_t)(end - begin));
}

/* One more element of size bytes behind *list; NULL when out of memory. */
static void *grow(void *list, size_t *n, size_t size)
{
    void **array = list;
    char *more = realloc(*array, (*n + 1) * size);
    if (!more)
        return NULL;
    *array = more;
    memset(more + *n * size, 0, size);
    return more + (*n)++ * size;
}

/* Cuts "key<separator>value" in two trimmed halves, in place. */
static char *split(char *piece, char separator)
{
    char *at = strchr(piece, separator);
    if (!at || at == piece)
        return NULL;
    char *value = at + 1;
    do
        *at-- = '\0';
    while (at > piece && isspace((unsigned char)*at));
    while (isspace((unsigned char)*value))
        value++;
    return *value ? value : NULL;
}

static const char *plain_status(const char *status)
{
    return strncmp(status, "wc-", 3) ? status : status + 3;
}

static bool parse_status_map(const char *text, struct config *config, struct error *e)
{
    char *piece;
    while ((piece = next_piece(&text, ","))) {
        char *word = split(piece, ':');
        enum outcome outcome;
        if (!word || !parse_outcome(word, &outcome)) {
            error_set(e,
                      "'%s' is no status:outcome; write for example processing:won, with won, open, lost, "
                      "abandoned or -",
                      piece);
            free(piece);
            return false;
        }
        struct status_rule *rule = grow(&config->status_map, &config->status_map_count, sizeof *rule);
        if (rule) {
            rule->outcome = outcome;
            rule->status = strdup(plain_status(piece));
        }
        free(piece);
        if (!rule || !rule->status) {
            error_set(e, "out of memory");
            return false;
        }
    }
    return true;
}

static bool check_template(const char *text, struct error *e)
{
    return template_check(text, e) && template_check_paths(text, e);
}

static bool parse_pairs(const char *text, char separator, const char *form, struct pair **list, size_t *n,
                        bool templates, struct error *e)
{
    char *piece;
    while ((piece = next_piece(&text, ","))) {
        char *value = split(piece, separator);
        if (!value) {
            error_set(e, "'%s' is no %s", piece, form);
            free(piece);
            return false;
        }
        if (templates && !check_template(value, e)) {
            free(piece);
            return false;
        }
        struct pair *pair = grow(list, n, sizeof *pair);
        if (pair) {
            pair->key = strdup(separator == ':' ? plain_status(piece) : piece);
            pair->value = strdup(value);
        }
        free(piece);
        if (!pair || !pair->key || !pair->value) {
            error_set(e, "out of memory");
            return false;
        }
    }
    return true;
}

/* "https://Shop.Example.com/sub/" -> "shop.example.com/sub" */
static char *plain_site(const char *site)
{
    const char *scheme = strstr(site, "://");
    char *plain = strdup(scheme ? scheme + 3 : site);
    if (!plain)
        return NULL;
    for (char *p = plain; *p && *p != '/'; p++)
        *p = (char)tolower((unsigned char)*p);
    for (size_t n = strlen(plain); n > 0 && plain[n - 1] == '/'; n--)
        plain[n - 1] = '\0';
    return plain;
}

static bool parse_shop(char *piece, struct config *config, struct error *e)
{
    const char *aliases = split(piece, '=');
    char *alias;

    if (!aliases ||
        strspn(piece, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") != strlen(piece)) {
        error_set(e, "'%s' is no shop; write name=host[/path],alias with a name of letters, digits, _ . -",
                  piece);
        return false;
    }
    struct shop_rule *shop = grow(&config->shops, &config->shop_count, sizeof *shop);
    if (!shop || !(shop->name = strdup(piece))) {
        error_set(e, "out of memory");
        return false;
    }
    while ((alias = next_piece(&aliases, ","))) {
        char **place = grow(&shop->alias, &shop->alias_count, sizeof *place);
        if (place)
            *place = plain_site(alias);
        free(alias);
        if (!place || !*place) {
            error_set(e, "out of memory");
            return false;
        }
    }
    return true;
}

static bool parse_shops(const char *text, struct config *config, struct error *e)
{
    char *piece;
    while ((piece = next_piece(&text, " \t\n"))) {
        bool good = parse_shop(piece, config, e);
        free(piece);
        if (!good)
            return false;
    }
    return true;
}

/* -- one setting -- */

static bool set_text(char **field, const char *text, struct error *e)
{
    char *copy = strdup(text);
    if (!copy) {
        error_set(e, "out of memory");
        return false;
    }
    if (*field)
        OPENSSL_cleanse(*field, strlen(*field));
    free(*field);
    *field = copy;
    return true;
}

static bool set_url(char **field, const char *text, struct error *e)
{
    if (*text && !http_check_base(text, e))
        return false;
    if (!set_text(field, text, e))
        return false;
    for (size_t n = strlen(*field); n > 0 && (*field)[n - 1] == '/'; n--)
        (*field)[n - 1] = '\0';
    return true;
}

static bool set_redis_url(char **field, const char *text, struct error *e)
{
    struct redis_url url;
    if (*text && !redis_url_parse(text, &url, e))
        return false;
    if (*text)
        redis_url_free(&url);
    return set_text(field, text, e);
}

/* A relative path would be another place for each who runs the program. */
static bool set_path(char **field, const char *text, struct error *e)
{
    if (!*text || *text == '/')
        return set_text(field, text, e);
    error_set(e, "'%s' is no whole path; write one that begins with /", text);
    return false;
}

static bool set_log(char **field, const char *text, struct error *e)
{
    if (*text == '/' || !strcmp(text, "stderr") || !strcmp(text, "syslog"))
        return set_text(field, text, e);
    error_set(e, "'%s' is neither stderr, syslog, nor a whole path that begins with /", text);
    return false;
}

static bool set_number(const struct setting *s, const char *text, int64_t *field, struct error *e)
{
    int64_t n = 0;
    const char *rest = text, *form = "a whole number";
    bool good = false;

    switch (s->type) {
    case SETTING_OFF_DURATION:
        if (!strcasecmp(text, "off")) {
            *field = 0;
            return true;
        }
        /* fall through */
    case SETTING_DURATION:
        form = "a duration such as 10s, 5m, 24h, 400d or 500ms";
        good = config_parse_duration(text, &n);
        break;
    case SETTING_SIZE:
        form = "a size such as 64k or 8m";
        good = config_parse_size(text, &n);
        break;
    default: good = take_number(&rest, &n) && !*rest; break;
    }
    if (!good) {
        error_set(e, "'%s' is not %s", text, form);
        return false;
    }
    if (n < s->min || n > s->max) {
        const char *unit = s->type == SETTING_DURATION || s->type == SETTING_OFF_DURATION ? " ms"
                           : s->type == SETTING_SIZE                                      ? " bytes"
                                                                                          : "";
        error_set(e, "'%s' is out of range; it goes from %" PRId64 " to %" PRId64 "%s", text, s->min, s->max,
                  unit);
        return false;
    }
    *field = n;
    return true;
}

/* Which of the words, divided by "|"; the error lists them. */
static bool set_choice(const char *words, int *field, const char *text, struct error *e)
{
    struct buf known;
    size_t n;

    *field = 0;
    for (const char *word = words; *word; word += n + (word[n] == '|'), (*field)++) {
        n = strcspn(word, "|");
        if (strlen(text) == n && !strncasecmp(word, text, n))
            return true;
    }
    buf_init(&known, 256);
    for (; *words && buf_addc(&known, *words); words++)
        if (*words == '|')
            known.data[known.len - 1] = ' ';
    error_set(e, "'%s' is none of: %s", text, known.data);
    buf_free(&known);
    *field = 0;
    return false;
}

static bool set_day(int64_t *field, const char *text, struct error *e)
{
    *field = 0;
    if (!*text || config_parse_day(text, field))
        return true;
    error_set(e, "'%s' is no day; write it as 2026-11-01", text);
    return false;
}

static bool set_country(char **field, const char *text, struct error *e)
{
    if (*text && !phone_knows_country(text)) {
        error_set(e, "'%s' is no country; write its two letters, such as US or GB", text);
        return false;
    }
    if (!set_text(field, text, e))
        return false;
    for (char *p = *field; *p; p++)
        *p = (char)toupper((unsigned char)*p);
    return true;
}

bool settings_parse(const struct setting *s, const char *text, struct config *config, struct error *e)
{
    void *field = (char *)config + s->offset;

    switch (s->type) {
    case SETTING_TEXT:
    case SETTING_SECRET: return set_text(field, text, e);
    case SETTING_TEMPLATE: return check_template(text, e) && set_text(field, text, e);
    case SETTING_HTTPS_URL: return set_url(field, text, e);
    case SETTING_PATH: return set_path(field, text, e);
    case SETTING_LOG: return set_log(field, text, e);
    case SETTING_REDIS_URL: return set_redis_url(field, text, e);
    case SETTING_COUNT:
    case SETTING_SIZE:
    case SETTING_DURATION:
    case SETTING_OFF_DURATION: return set_number(s, text, field, e);
    case SETTING_BOOL:
        if (parse_bool(text, field))
            return true;
        error_set(e, "'%s' is neither yes nor no", text);
        return false;
    case SETTING_RATE:
        if (parse_rate(text, config))
            return true;
        error_set(e, "'%s' is no rate; write for example 100/10s", text);
        return false;
    case SETTING_LOG_LEVEL:
        if (log_level_parse(text, field))
            return true;
        error_set(e, "'%s' is none of error, warn, info, debug", text);
        return false;
    case SETTING_CHOICE: return set_choice(s->example, field, text, e);
    case SETTING_DAY: return set_day(field, text, e);
    case SETTING_COUNTRY: return set_country(field, text, e);
    case SETTING_STATUS_MAP: settings_clear(s, config); return parse_status_map(text, config, e);
    case SETTING_SHOPS: settings_clear(s, config); return parse_shops(text, config, e);
    case SETTING_STAGE_MAP:
        settings_clear(s, config);
        return parse_pairs(text, ':', "status:stage", &config->stage_map, &config->stage_map_count, false, e);
    case SETTING_STATUS_TAGS:
        settings_clear(s, config);
        return parse_pairs(text, ':', "status:tag", &config->tags_remove, &config->tags_remove_count, true,
                           e);
    case SETTING_FIELDS: {
        bool contact = s->offset == offsetof(struct config, contact_fields);
        settings_clear(s, config);
        return parse_pairs(
            text, '=', "field={template}", contact ? &config->contact_fields : &config->opportunity_fields,
            contact ? &config->contact_field_count : &config->opportunity_field_count, true, e);
    }
    }
    return false;
}

/* -- end of life -- */

static void clear_pairs(struct pair **list, size_t *n)
{
    for (size_t i = 0; i < *n; i++) {
        free((*list)[i].key);
        free((*list)[i].value);
    }
    free(*list);
    *list = NULL;
    *n = 0;
}

static void clear_shops(struct config *config)
{
    for (size_t i = 0; i < config->shop_count; i++) {
        for (size_t j = 0; j < config->shops[i].alias_count; j++)
            free(config->shops[i].alias[j]);
        free(config->shops[i].alias);
        free(config->shops[i].name);
    }
    free(config->shops);
    config->shops = NULL;
    config->shop_count = 0;
}

static void clear_status_map(struct config *config)
{
    for (size_t i = 0; i < config->status_map_count; i++)
        free(config->status_map[i].status);
    free(config->status_map);
    config->status_map = NULL;
    config->status_map_count = 0;
}

void settings_clear(const struct setting *s, struct config *config)
{
    char **text = (char **)(void *)((char *)config + s->offset);

    switch (s->type) {
    case SETTING_STATUS_MAP: clear_status_map(config); break;
    case SETTING_STAGE_MAP: clear_pairs(&config->stage_map, &config->stage_map_count); break;
    case SETTING_STATUS_TAGS: clear_pairs(&config->tags_remove, &config->tags_remove_count); break;
    case SETTING_SHOPS: clear_shops(config); break;
    case SETTING_FIELDS:
        if (s->offset == offsetof(struct config, contact_fields))
            clear_pairs(&config->contact_fields, &config->contact_field_count);
        else
            clear_pairs(&config->opportunity_fields, &config->opportunity_field_count);
        break;
    case SETTING_TEXT:
    case SETTING_COUNTRY:
    case SETTING_SECRET:
    case SETTING_TEMPLATE:
    case SETTING_HTTPS_URL:
    case SETTING_REDIS_URL:
    case SETTING_PATH:
    case SETTING_LOG:
        if (*text)
            OPENSSL_cleanse(*text, strlen(*text));
        free(*text);
        *text = NULL;
        break;
    case SETTING_BOOL:
    case SETTING_COUNT:
    case SETTING_DURATION:
    case SETTING_OFF_DURATION:
    case SETTING_SIZE:
    case SETTING_RATE:
    case SETTING_CHOICE:
    case SETTING_DAY:
    case SETTING_LOG_LEVEL: break;
    }
}
