#include "config/config.h"
#include "base/dotenv.h"
#include "config/settings.h"
#include "order/template.h"
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (1024L * 1024)
#define SETTINGS_MAX 64
#define SYSTEM_FILE "/etc/woo-ghl/env"
#define FALLBACK_DIR "woo_ghl-data"

/* One load on its way. Values are collected first, each from where it ranks highest, and parsed afterwards.
 */
struct load {
    struct config *config;
    struct config_report *report;
    const char *path;           /* of the file that is parsed */
    char *value[SETTINGS_MAX];  /* owned; NULL = not given */
    bool refused[SETTINGS_MAX]; /* given, but not in a way that can be used */
    bool unread;                /* there is a file, and what it says is not known */
    bool out_of_memory;
};

/* -- the report -- */

static void say(char ***list, size_t *n, const char *fmt, va_list args) PRINTF_LIKE(3, 0);
static void say(char ***list, size_t *n, const char *fmt, va_list args)
{
    char text[1024];
    char **more = realloc(*list, (*n + 1) * sizeof **list);

    if (!more)
        return;
    *list = more;
    vsnprintf(text, sizeof text, fmt, args);
    more[*n] = strdup(text);
    if (more[*n])
        (*n)++;
}

static void problem(struct load *l, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void problem(struct load *l, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say(&l->report->problem, &l->report->problem_count, fmt, args);
    va_end(args);
}

static void warning(struct load *l, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void warning(struct load *l, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say(&l->report->warning, &l->report->warning_count, fmt, args);
    va_end(args);
}

void config_report_free(struct config_report *report)
{
    for (size_t i = 0; i < report->problem_count; i++)
        free(report->problem[i]);
    for (size_t i = 0; i < report->warning_count; i++)
        free(report->warning[i]);
    free(report->problem);
    free(report->warning);
    *report = (struct config_report){0};
}

/* -- files -- */

/* Appends a whole file; 0, or errno. */
static int read_file(const char *path, struct buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int wrong = 0;
    for (;;) {
        char *room = buf_room(out, 4096);
        if (!room) {
            wrong = EFBIG;
            break;
        }
        ssize_t n = read(fd, room, 4096);
        if (n <= 0) {
            wrong = n < 0 ? errno : 0;
            break;
        }
        buf_wrote(out, (size_t)n);
    }
    close(fd);
    return wrong;
}

/* Tells why a file was not read, and what would be right. */
static void cannot_read(struct load *l, const char *setting, const char *path, int wrong)
{
    const struct passwd *who = wrong == EACCES ? getpwuid(geteuid()) : NULL;
    char right[128] = "";

    if (wrong == EACCES)
        snprintf(right, sizeof right, "; %s, who runs this, must be allowed to",
                 who ? who->pw_name : "the user");
    else if (*path != '/')
        snprintf(right, sizeof right, "; write the whole path, which begins with /");
    problem(l, "%s%s%s cannot be read: %s%s", setting, *setting ? ": " : "", path, strerror(wrong), right);
}

/* The value of NAME_FILE: the file's content without one final newline. */
static void take_value_file(struct load *l, const struct setting *s, const char *path, char **value)
{
    struct buf content;
    char name[64];

    buf_init(&content, FILE_MAX);
    int wrong = read_file(path, &content);
    l->refused[s - settings] = true;
    if (wrong) {
        snprintf(name, sizeof name, "%s_FILE", s->name);
        cannot_read(l, name, path, wrong);
    } else if (strlen(content.data) != content.len) {
        problem(l, "%s_FILE: %s holds a NUL byte; it must be text", s->name, path);
    } else {
        if (content.len > 0 && content.data[content.len - 1] == '\n')
            content.data[content.len - 1] = '\0';
        free(*value);
        *value = strdup(content.data);
        l->refused[s - settings] = false;
    }
    buf_wipe(&content);
}

/* NAME or NAME_FILE? `file` tells. */
static const struct setting *setting_of(const char *name, bool *file)
{
    const struct setting *s = settings_find(name);
    char plain[64];
    size_t n = strlen(name);

    *file = false;
    if (s || n < 6 || n >= sizeof plain || strcmp(name + n - 5, "_FILE") != 0)
        return s;
    memcpy(plain, name, n - 5);
    plain[n - 5] = '\0';
    *file = true;
    return settings_find(plain);
}

static void take_line(void *context, const char *name, const char *value, int line)
{
    struct load *l = context;
    bool file;
    const struct setting *s = setting_of(name, &file);
    const char *nearest = s ? NULL : settings_nearest(name);

    if (!s) {
        warning(l, "%s line %d: there is no setting %s%s%s; see 'woo_ghl help settings'", l->path, line, name,
                nearest ? ", did you mean " : "", nearest ? nearest : "");
        return;
    }
    char **slot = &l->value[s - settings];
    if (file) {
        take_value_file(l, s, value, slot);
        return;
    }
    free(*slot);
    *slot = strdup(value);
    l->out_of_memory = l->out_of_memory || !*slot;
}

static void take_wrong_line(void *context, const char *name, int line, const char *what)
{
    struct load *l = context;
    bool file;
    const struct setting *s = setting_of(name, &file);

    if (s)
        l->refused[s - settings] = true;
    problem(l, "%s line %d: %s%s%s", l->path, line, s ? name : "", s ? ": " : "", what);
}

/* The .env beside the program, into out; false when the program's place cannot be told. */
static bool beside_program(const char *name, char out[PATH_MAX])
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

    if (n <= 0)
        return false;
    self[n] = '\0';
    return snprintf(out, PATH_MAX, "%s/%s", dirname(self), name) < PATH_MAX;
}

/* The file to read: what WOO_GHL_ENV names, else .env beside the program, else the system's; "" = none. */
static void choose_file(struct load *l, char out[PATH_MAX])
{
    const char *named = getenv("WOO_GHL_ENV");

    out[0] = '\0';
    if (named && *named) {
        if (!realpath(named, out)) {
            cannot_read(l, "WOO_GHL_ENV", named, errno);
            l->unread = true;
            out[0] = '\0';
        }
        return;
    }
    if (beside_program(".env", out) && access(out, F_OK) == 0)
        return;
    if (access(SYSTEM_FILE, F_OK) == 0)
        snprintf(out, PATH_MAX, "%s", SYSTEM_FILE);
    else
        out[0] = '\0';
}

/* Readable by others, or served by the web server: the secrets in it would be everybody's. */
static void look_at_place(struct load *l, const char *setting, const char *path)
{
    struct stat st;
    const char *root = getenv("DOCUMENT_ROOT");
    char real_root[PATH_MAX], real[PATH_MAX];

    if (stat(path, &st) == 0 && (st.st_mode & 07) != 0)
        warning(l, "%s: %s can be read by every user of this machine; chmod o= it", setting, path);
    if (!root || !*root || !realpath(root, real_root) || !realpath(path, real))
        return;
    size_t n = strlen(real_root);
    if (n > 1 && !strncmp(real, real_root, n) && (real[n] == '/' || !real[n]))
        warning(l, "%s: %s lies under the document root %s; move it out, or the web server may hand it out",
                setting, path, real_root);
}

static void read_settings_file(struct load *l, const char *path)
{
    struct buf text;

    buf_init(&text, FILE_MAX);
    int wrong = read_file(path, &text);
    l->path = path;
    l->unread = wrong || strlen(text.data) != text.len;
    if (wrong)
        cannot_read(l, "", path, wrong);
    else if (strlen(text.data) != text.len)
        problem(l, "%s holds a NUL byte; it must be text", path);
    else if (!dotenv_parse(text.data, take_line, take_wrong_line, l))
        l->out_of_memory = true;
    buf_wipe(&text);
    look_at_place(l, "settings file", path);
}

static void read_environment(struct load *l)
{
    for (size_t i = 0; i < settings_count; i++) {
        char name[64];
        const char *value = getenv(settings[i].name);

        snprintf(name, sizeof name, "%s_FILE", settings[i].name);
        const char *file = getenv(name);
        if (value) {
            free(l->value[i]);
            l->value[i] = strdup(value);
            l->out_of_memory = l->out_of_memory || !l->value[i];
        } else if (file) {
            take_value_file(l, &settings[i], file, &l->value[i]);
        }
    }
}

/* -- values -- */

/* A pasted token brings blanks and line ends along, which GHL answers with 401. */
static void trim(char *text)
{
    size_t n = strlen(text), begin = strspn(text, " \t\r\n");
    while (n > begin && strchr(" \t\r\n", text[n - 1]))
        n--;
    memmove(text, text + begin, n - begin);
    text[n - begin] = '\0';
}

static bool is_pasted(const char *name)
{
    static const char *const names[] = {"GHL_API_KEY", "GHL_LOCATION_ID", "WOO_CONSUMER_KEY",
                                        "WOO_CONSUMER_SECRET"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(names[i], name))
            return true;
    return false;
}

static void parse_all(struct load *l)
{
    for (size_t i = 0; i < settings_count; i++) {
        const struct setting *s = &settings[i];
        struct error e = ERROR_NONE;
        char *given = l->value[i];
        /* In these an empty value means "the default", as an empty line in .env.sample would. */
        bool use = given && (*given || s->fallback == NULL);

        if (given && is_pasted(s->name))
            trim(given);
        if (use && !settings_parse(s, given, l->config, &e)) {
            problem(l, "%s: %s", s->name, e.text);
            l->refused[i] = true;
            use = false;
        }
        if (!use && !settings_parse(s, s->fallback ? s->fallback : "", l->config, &e) && s->fallback)
            problem(l, "%s: its default is refused: %s", s->name, e.text);
    }
}

static void default_data_dir(struct load *l)
{
    char path[PATH_MAX], base[PATH_MAX];

    if (*l->config->data_dir)
        return;
    if (*l->config->env_file) {
        snprintf(base, sizeof base, "%s", l->config->env_file);
        if (snprintf(path, sizeof path, "%s/%s", dirname(base), FALLBACK_DIR) >= (int)sizeof path)
            path[0] = '\0';
    } else if (!beside_program(FALLBACK_DIR, path)) {
        path[0] = '\0';
    }
    free(l->config->data_dir);
    l->config->data_dir = strdup(path);
    l->out_of_memory = l->out_of_memory || !l->config->data_dir;
}

bool config_name_is_unique(const struct config *config)
{
    return template_uses(config->opportunity_name, "number") || template_uses(config->opportunity_name, "id");
}

/* Whether it is known that this setting was left out: of one that was given wrongly the reason is told
 * already. */
static bool left_out(const struct load *l, const char *name, const char *value)
{
    return !*value && !l->unread && !l->refused[settings_find(name) - settings];
}

/* Of two rules for one thing the second has no effect: which of them is meant? */
static void check_pairs(struct load *l, const char *setting, const struct pair *pair, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++)
            if (!strcmp(pair[i].key, pair[j].key))
                problem(l, "%s: '%s' is named twice; name it once", setting, pair[i].key);
}

static void check_statuses(struct load *l)
{
    const struct config *c = l->config;

    for (size_t i = 0; i < c->status_map_count; i++)
        for (size_t j = 0; j < i; j++)
            if (!strcmp(c->status_map[i].status, c->status_map[j].status))
                problem(l, "GHL_STATUS_MAP: '%s' is named twice; name it once", c->status_map[i].status);
    for (size_t i = 0; i < c->stage_map_count; i++)
        if (config_outcome(c, c->stage_map[i].key) == OUTCOME_IGNORE)
            warning(l, "GHL_STAGE_MAP: '%s' has no effect, GHL_STATUS_MAP ignores that status",
                    c->stage_map[i].key);
    for (size_t i = 0; i < c->tags_remove_count; i++)
        if (config_outcome(c, c->tags_remove[i].key) == OUTCOME_IGNORE)
            warning(l, "GHL_TAGS_REMOVE: '%s' has no effect, GHL_STATUS_MAP ignores that status",
                    c->tags_remove[i].key);
}

static bool has_alias(const struct shop_rule *shop, const char *alias)
{
    for (size_t i = 0; i < shop->alias_count; i++)
        if (!strcmp(shop->alias[i], alias))
            return true;
    return false;
}

static void check_shops(struct load *l)
{
    const struct config *c = l->config;

    for (size_t i = 0; i < c->shop_count; i++)
        for (size_t j = 0; j < i; j++) {
            if (!strcmp(c->shops[i].name, c->shops[j].name))
                problem(l, "WOO_SHOPS: '%s' is named twice; name each shop once", c->shops[i].name);
            for (size_t a = 0; a < c->shops[i].alias_count; a++)
                if (has_alias(&c->shops[j], c->shops[i].alias[a]))
                    problem(l, "WOO_SHOPS: '%s' belongs to two shops; give it to one", c->shops[i].alias[a]);
        }
    if (c->shop_count > 1 && !*c->order_field && !template_uses(c->opportunity_name, "shop"))
        warning(l,
                "GHL_OPPORTUNITY_NAME: '%s' is the same for two shops' orders of one number; put {shop} into "
                "it, or let GHL_ORDER_FIELD name a field that marks the order",
                c->opportunity_name);
}

/* Each of the three is useless alone. */
static void check_woo(struct load *l)
{
    const struct config *c = l->config;
    const struct {
        const char *name, *value, *right;
    } part[] = {
        {"WOO_URL", c->woo_url, "the shop's address, https://shop.example.com"},
        {"WOO_CONSUMER_KEY", c->woo_consumer_key, "the key (ck_...) of a REST API key that may read orders"},
        {"WOO_CONSUMER_SECRET", c->woo_consumer_secret, "that key's secret (cs_...)"}};
    const char *given = NULL;

    for (size_t i = 0; i < sizeof part / sizeof *part; i++)
        if (*part[i].value)
            given = part[i].name;
    for (size_t i = 0; given && i < sizeof part / sizeof *part; i++)
        if (left_out(l, part[i].name, part[i].value))
            problem(l, "%s is empty, and %s is set: put in %s, or leave out all three", part[i].name, given,
                    part[i].right);
}

/* What one setting alone cannot tell. */
static void check_together(struct load *l)
{
    const struct config *c = l->config;
    bool real = !c->dry_run && !l->refused[settings_find("GHL_DRY_RUN") - settings];

    if (left_out(l, "WOO_WEBHOOK_SECRET", c->webhook_secret))
        problem(l, "WOO_WEBHOOK_SECRET is empty: there is no open mode; put in the secret of the webhook in "
                   "WooCommerce");
    if (real && left_out(l, "GHL_API_KEY", c->ghl_api_key))
        problem(l, "GHL_API_KEY is empty: put in the private integration token of the sub-account (pit-...), "
                   "or set GHL_DRY_RUN=yes");
    if (real && left_out(l, "GHL_LOCATION_ID", c->ghl_location_id))
        problem(l, "GHL_LOCATION_ID is empty: put in the sub-account's id, or set GHL_DRY_RUN=yes");
    if (!strncmp(c->ghl_api_key, "eyJ", 3))
        problem(l, "GHL_API_KEY is a key of the API's version 1 (eyJ...), whose support has ended: make a "
                   "private integration token (pit-...)");
    if (strpbrk(c->ghl_location_id, "{} \t"))
        problem(l, "GHL_LOCATION_ID: '%s' is no id; copy it from the sub-account's business profile",
                c->ghl_location_id);
    if (strpbrk(c->redis_prefix, "{}"))
        problem(l, "REDIS_PREFIX: '%s' must not hold braces", c->redis_prefix);
    if (template_literal_len(c->opportunity_name) > CONFIG_NAME_MAX / 2)
        problem(l,
                "GHL_OPPORTUNITY_NAME: it says %zu characters itself; let it be %d at most, so that there is "
                "room "
                "for the order's number",
                template_literal_len(c->opportunity_name), CONFIG_NAME_MAX / 2);
    if (!config_name_is_unique(c) && !*c->order_field)
        problem(l,
                "GHL_OPPORTUNITY_NAME: '%s' names no order; put {number} or {id} into it, or let "
                "GHL_ORDER_FIELD name a field that marks the order",
                c->opportunity_name);
    check_statuses(l);
    check_shops(l);
    check_woo(l);
    check_pairs(l, "GHL_STAGE_MAP", c->stage_map, c->stage_map_count);
    check_pairs(l, "GHL_CONTACT_FIELDS", c->contact_fields, c->contact_field_count);
    check_pairs(l, "GHL_OPPORTUNITY_FIELDS", c->opportunity_fields, c->opportunity_field_count);
    if (strspn(c->shop, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") !=
        strlen(c->shop))
        problem(l, "SHOP: '%s' holds more than letters, digits, _ . -", c->shop);
    if (*c->data_dir)
        look_at_place(l, "DATA_DIR", c->data_dir);
    else
        problem(l, "DATA_DIR: no place for it is known; set an absolute path");
}

bool config_load(struct config *config, struct config_report *report)
{
    struct load l = {.config = config, .report = report};
    char path[PATH_MAX];

    _Static_assert(SETTINGS_MAX >= 48, "room for every setting");
    *config = (struct config){0};
    *report = (struct config_report){0};
    choose_file(&l, path);
    config->env_file = strdup(path);
    if (*path)
        read_settings_file(&l, path);
    read_environment(&l);
    parse_all(&l);
    default_data_dir(&l);
    if (l.out_of_memory || !config->env_file)
        problem(&l, "out of memory while the settings were read");
    else
        check_together(&l);
    for (size_t i = 0; i < settings_count; i++) {
        if (l.value[i])
            explicit_bzero(l.value[i], strlen(l.value[i]));
        free(l.value[i]);
    }
    return report->problem_count == 0;
}

void config_free(struct config *config)
{
    for (size_t i = 0; i < settings_count; i++)
        settings_clear(&settings[i], config);
    free(config->env_file);
    *config = (struct config){0};
}

enum outcome config_outcome(const struct config *config, const char *status)
{
    const char *plain = strncmp(status, "wc-", 3) ? status : status + 3;

    for (size_t i = 0; i < config->status_map_count; i++)
        if (!strcmp(config->status_map[i].status, plain))
            return config->status_map[i].outcome;
    return OUTCOME_IGNORE;
}
