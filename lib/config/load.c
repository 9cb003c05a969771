/* Loading, freeing and comparing the settings, by the table. */
#include "base/text.h"
#include "config/load_work.h"
#include "config/places.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- the report -- */

static void add_line(struct load *l, char ***list, size_t *n, const char *fmt, va_list args)
    PRINTF_LIKE(4, 0);
static void add_line(struct load *l, char ***list, size_t *n, const char *fmt, va_list args)
{
    char **more = realloc(*list, (*n + 1) * sizeof **list);

    if (more)
        *list = more;
    if (more && vasprintf(&more[*n], fmt, args) >= 0)
        (*n)++;
    else
        l->out_of_memory = true;
}

void load_problem(struct load *l, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    add_line(l, &l->report->problem, &l->report->problem_count, fmt, args);
    va_end(args);
}

void load_warning(struct load *l, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    add_line(l, &l->report->warning, &l->report->warning_count, fmt, args);
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

/* -- loading -- */

/* A pasted token brings blanks and line ends along, which GHL answers with 401. */
static void trim(char *text)
{
    size_t n = strlen(text), begin = strspn(text, " \t\r\n");
    while (n > begin && strchr(" \t\r\n", text[n - 1]))
        n--;
    memmove(text, text + begin, n - begin);
    text[n - begin] = '\0';
}

static void parse_all(struct load *l)
{
    for (size_t i = 0; i < settings_count; i++) {
        const struct setting *s = &settings[i];
        struct error e = ERROR_NONE;
        char *given = l->given ? l->given[i].value : NULL;
        /* If there is a default, an empty value means it, as an empty line in .env.sample would. */
        bool use = given && (*given || s->fallback == NULL);

        if (given && s->trim)
            trim(given);
        if (use && !settings_parse(s, given, l->config, &e)) {
            load_problem(l, "%s: %s", s->name, e.text);
            l->given[i].refused = true;
            use = false;
        }
        /* That is right for each, if there is memory. */
        if (!use && !settings_parse(s, s->fallback ? s->fallback : "", l->config, &e))
            l->out_of_memory = true;
    }
}

void load_replace(struct load *l, char **field, const char *value)
{
    free(*field);
    *field = strdup(value);
    l->out_of_memory = l->out_of_memory || !*field;
}

/* Where data and log go unless the settings say so: see places.h. */
static void default_places(struct load *l)
{
    struct config *c = l->config;
    const struct given *log = &l->given[settings_find("LOG") - settings];
    char path[PATH_MAX], root[PATH_MAX];

    if (!*c->data_dir) {
        bool known = *c->env_file ? places_beside(c->env_file, PLACES_DATA, path)
                                  : places_beside_program(PLACES_DATA, path);
        if (!known || (!*c->env_file && places_is_served(path, NULL, root)))
            known = places_settings(root) && places_beside(root, PLACES_DATA, path);
        load_replace(l, &c->data_dir, known ? path : "");
    }
    places_set_certificates(c->env_file);
    /* An account's own log: its web server's is often out of reach. */
    if ((!log->value || !*log->value) && !log->refused && places_is_home_file(c->env_file) &&
        places_beside(c->env_file, PLACES_LOG, path))
        load_replace(l, &c->log_to, path);
}

bool config_load(struct config *config, struct config_report *report)
{
    struct load l = {
        .config = config, .report = report, .given = calloc(settings_count, sizeof(struct given))};

    *config = (struct config){0};
    *report = (struct config_report){0};
    l.out_of_memory = !l.given;
    if (l.given)
        load_read(&l);
    parse_all(&l);
    if (!l.out_of_memory)
        default_places(&l);
    if (!l.out_of_memory)
        load_check(&l);
    for (size_t i = 0; l.given && i < settings_count; i++)
        text_free_secret(l.given[i].value);
    free(l.given);
    if (l.out_of_memory) {
        config_free(config);
        load_problem(&l, "out of memory while the settings were read");
    }
    return report->problem_count == 0 && !l.out_of_memory;
}

void config_free(struct config *config)
{
    for (size_t i = 0; i < settings_count; i++)
        settings_clear(&settings[i], config);
    load_free_files(config);
    free(config->env_file);
    *config = (struct config){0};
}

/* -- changes while a process runs -- */

bool config_differ(const struct config *a, const struct config *b, struct buf *names)
{
    bool differ = false;

    for (size_t i = 0; i < settings_count; i++) {
        const struct setting *s = &settings[i];
        if (settings_same(s, a, b))
            continue;
        if (names)
            (void)buf_addf(names, "%s%s", names->len ? ", " : "", s->name);
        differ = true;
    }
    return differ;
}

void config_refuse(struct config *running, struct config *fresh)
{
    const struct config was = *running;

    running->env_file = fresh->env_file;
    running->files = fresh->files;
    running->file_count = fresh->file_count;
    fresh->env_file = was.env_file;
    fresh->files = was.files;
    fresh->file_count = was.file_count;
}

/* -- secrets -- */

void config_hide_secrets(const struct config *config, struct log *log)
{
    for (const struct setting *s = settings; s < settings + settings_count; s++)
        if (s->type == &type_secret)
            log_secret(log, *(char *const *)(const void *)((const char *)config + s->offset));
}
