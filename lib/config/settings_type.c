/* The table of types: how a value of each type is parsed, printed, compared and cleared. Lists: settings_list.c. */
#include "base/http_client.h"
#include "base/redis_url.h"
#include "base/text.h"
#include "config/settings.h"
#include "order/phone.h"
#include "order/template.h"
#include <ctype.h>
#include <string.h>
#include <strings.h>

bool settings_out_of_memory(struct error *e)
{
    error_set(e, "out of memory");
    return false;
}

/* -- texts -- */

static bool parse_text(const struct setting *s, const char *text, void *field, struct error *e)
{
    char **to = field;

    if (*text && s->type->check && !s->type->check(text, e))
        return false;
    *to = strdup(text);
    return *to || settings_out_of_memory(e);
}

static bool print_text(const struct setting *s, const void *field, struct buf *out)
{
    const char *text = *(char *const *)field;

    if (!text || !*text)
        return buf_addc(out, '-');
    return s->type->hidden ? buf_addf(out, "set, %zu characters", strlen(text)) : buf_adds(out, text);
}

static void clear_text(const struct setting *s, void *field)
{
    char **text = field;

    (void)s;
    text_free_secret(*text);
    *text = NULL;
}

bool settings_check_template(const char *text, struct error *e)
{
    return template_check(text, e) && template_check_paths(text, e);
}

static bool parse_url(const struct setting *s, const char *text, void *field, struct error *e)
{
    char **url = field;

    if (!parse_text(s, text, field, e))
        return false;
    for (size_t n = strlen(*url); n > 0 && (*url)[n - 1] == '/'; n--)
        (*url)[n - 1] = '\0';
    return true;
}

static bool check_public_url(const char *text, struct error *e)
{
    return !strcmp(text, "no") || http_check_base(text, e);
}

static bool check_country(const char *text, struct error *e)
{
    if (phone_knows_country(text))
        return true;
    error_set(e, "'%s' is not a country; write its two letters, such as US or GB", text);
    return false;
}

static bool parse_country(const struct setting *s, const char *text, void *field, struct error *e)
{
    if (!parse_text(s, text, field, e))
        return false;
    for (char *p = *(char **)field; *p; p++)
        *p = (char)toupper((unsigned char)*p);
    return true;
}

static bool check_redis_url(const char *text, struct error *e)
{
    struct redis_url url;

    if (!redis_url_parse(text, &url, e))
        return false;
    redis_url_free(&url);
    return true;
}

/* A relative path would name another place for each directory that the program is started in. */
static bool check_path(const char *text, struct error *e)
{
    if (*text == '/')
        return true;
    error_set(e, "'%s' is not an absolute path; begin it with /", text);
    return false;
}

static bool check_name(const char *text, struct error *e)
{
    if (!text[strspn(text, SETTINGS_NAME)])
        return true;
    error_set(e, "'%s' is not a name; use only letters, digits, _ . -", text);
    return false;
}

static bool check_log(const char *text, struct error *e)
{
    if (*text == '/' || !strcmp(text, "stderr") || !strcmp(text, "syslog"))
        return true;
    error_set(e, "'%s' is neither stderr, syslog nor an absolute path", text);
    return false;
}

/* -- plain values: bool, word, number -- */

static void clear_bytes(const struct setting *s, void *field)
{
    memset(field, 0, s->type->size);
}

static bool parse_bool(const struct setting *s, const char *text, void *field, struct error *e)
{
    static const char *const yes[] = {"yes", "on", "true", "1"}, *const no[] = {"no", "off", "false", "0"};
    bool *out = field;

    (void)s;
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        if (!strcasecmp(text, yes[i]) || !strcasecmp(text, no[i])) {
            *out = !strcasecmp(text, yes[i]);
            return true;
        }
    error_set(e, "'%s' is neither yes nor no", text);
    return false;
}

static bool print_bool(const struct setting *s, const void *field, struct buf *out)
{
    (void)s;
    return buf_adds(out, *(const bool *)field ? "yes" : "no");
}

static bool parse_word(const struct setting *s, const char *text, void *field, struct error *e)
{
    struct buf all;

    for (unsigned i = 0; s->words[i]; i++)
        if (!strcasecmp(text, s->words[i])) {
            memcpy(field, &i, sizeof i);
            return true;
        }
    buf_init(&all, sizeof e->text);
    for (size_t i = 0; s->words[i]; i++)
        (void)buf_addf(&all, "%s%s", i ? ", " : "", s->words[i]);
    error_set(e, "'%s' is none of %s", text, all.data);
    buf_free(&all);
    return false;
}

static bool print_word(const struct setting *s, const void *field, struct buf *out)
{
    unsigned i;

    memcpy(&i, field, sizeof i);
    return buf_adds(out, s->words[i]);
}

static bool read_number(const struct setting_type *type, const char *text, int64_t *n)
{
    *n = 0;
    return (type->off && !strcasecmp(text, "off")) ||
           (type->units ? unit_read(text, type->units, n) : unit_read_day(text, n));
}

static bool write_number(const struct setting_type *type, int64_t n, struct buf *out)
{
    if (type->off && !n)
        return buf_adds(out, "off");
    return type->units ? unit_write(n, type->units, out) : unit_write_day(n, out);
}

static bool check_range(const struct setting *s, const char *text, int64_t n, struct error *e)
{
    struct buf range;

    if (n >= s->min && n <= s->max)
        return true;
    buf_init(&range, sizeof e->text);
    bool good = write_number(s->type, s->min, &range) && buf_adds(&range, " to ") &&
                write_number(s->type, s->max, &range);
    error_set(e, "'%s' is out of range%s%s", text, good ? "; allowed is " : "", good ? range.data : "");
    buf_free(&range);
    return false;
}

static bool parse_number(const struct setting *s, const char *text, void *field, struct error *e)
{
    int64_t n;

    if (!*text && !s->fallback)
        return true; /* not set: 0 */
    if (!read_number(s->type, text, &n)) {
        error_set(e, "'%s' is not %s", text, s->type->form);
        return false;
    }
    if (!check_range(s, text, n, e))
        return false;
    *(int64_t *)field = n;
    return true;
}

static bool print_number(const struct setting *s, const void *field, struct buf *out)
{
    return write_number(s->type, *(const int64_t *)field, out);
}

static bool parse_rate(const struct setting *s, const char *text, void *field, struct error *e)
{
    const char *rest = text;
    struct rate rate;

    if (!unit_take_number(&rest, &rate.count) || *rest != '/' ||
        !unit_read(rest + 1, unit_duration, &rate.window_ms) || rate.window_ms < 100) {
        error_set(e, "'%s' is not a rate; write calls per time, for example 100/10s", text);
        return false;
    }
    if (!check_range(s, text, rate.count, e))
        return false;
    *(struct rate *)field = rate;
    return true;
}

static bool print_rate(const struct setting *s, const void *field, struct buf *out)
{
    const struct rate *rate = field;

    (void)s;
    return unit_write(rate->count, unit_count, out) && buf_addc(out, '/') &&
           unit_write(rate->window_ms, unit_duration, out);
}

/* -- the table -- */

#define TEXT_TYPE(parser) .size = sizeof(char *), .parse = (parser), .print = print_text, .clear = clear_text
#define PLAIN_TYPE(c_type) .size = sizeof(c_type), .clear = clear_bytes
#define NUMBER_TYPE PLAIN_TYPE(int64_t), .parse = parse_number, .print = print_number
#define DURATION_FORM "a duration such as 10s, 5m, 24h, 400d or 500ms"

/* clang-format off */
const struct setting_type
    type_text = {TEXT_TYPE(parse_text)},
    type_secret = {TEXT_TYPE(parse_text), .hidden = true},
    type_template = {TEXT_TYPE(parse_text), .check = settings_check_template},
    type_url = {TEXT_TYPE(parse_url), .check = http_check_base},
    type_public_url = {TEXT_TYPE(parse_url), .check = check_public_url},
    type_redis_url = {TEXT_TYPE(parse_text), .check = check_redis_url, .hidden = true},
    type_name = {TEXT_TYPE(parse_text), .check = check_name},
    type_country = {TEXT_TYPE(parse_country), .check = check_country},
    type_path = {TEXT_TYPE(parse_text), .check = check_path},
    type_log = {TEXT_TYPE(parse_text), .check = check_log},
    type_bool = {PLAIN_TYPE(bool), .parse = parse_bool, .print = print_bool},
    type_word = {PLAIN_TYPE(unsigned), .parse = parse_word, .print = print_word},
    type_count = {NUMBER_TYPE, .units = unit_count, .form = "a whole number"},
    type_duration = {NUMBER_TYPE, .units = unit_duration, .form = DURATION_FORM},
    type_off_duration = {NUMBER_TYPE, .units = unit_duration, .off = true, .form = DURATION_FORM ", or off"},
    type_size = {NUMBER_TYPE, .units = unit_size, .form = "a size such as 64k or 8m"},
    type_day = {NUMBER_TYPE, .form = "a day; write it as 2026-11-01"},
    type_rate = {PLAIN_TYPE(struct rate), .parse = parse_rate, .print = print_rate, .units = unit_count};
/* clang-format on */
