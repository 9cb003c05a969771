/* The settings file, the data directory and the cron line of an account without a shell habit: asks for what is missing, and
 * makes it. */
#include "base/digest.h"
#include "base/files.h"
#include "cli/ask.h"
#include "cli/commands_work.h"
#include "cli/options.h"
#include "config/places.h"
#include "config/write.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#define SECRET_SIZE 41
#define CRONTAB_MAX (256L * 1024)

/* One value of the settings file: given by an option, by the environment, by the file that is there, or asked for. */
struct answer {
    const char *name, *question;
    bool hidden;
    const char *option; /* NULL = not given */
    const char *known;  /* of the environment or the file; "" = not known */
    struct buf text;    /* what is written; empty = nothing */
};

enum { SECRET, KEY, LOCATION, URL, ANSWERS };

struct install {
    struct config config;
    struct answer answer[ANSWERS];
    char file[PATH_MAX], program[PATH_MAX];
    bool quiet, no_cron, dry_run;
};

static int wrong(const char *what, const char *value)
{
    fprintf(stderr, "woo_ghl install: %s%s\n", what, value);
    return EX_USAGE;
}

/* -- where -- */

static int find_places(struct install *in)
{
    const char *named = places_env("WOO_GHL_ENV");
    char root[PATH_MAX];
    struct stat st;
    ssize_t n = readlink("/proc/self/exe", in->program, sizeof in->program - 1);

    in->program[n > 0 ? n : 0] = '\0';
    if (named && *named)
        snprintf(in->file, sizeof in->file, "%s", named);
    else if (!places_settings(in->file))
        return wrong("it is not known where the settings belong: set WOO_GHL_ENV to an absolute path", "");
    if (in->file[0] != '/')
        return wrong("WOO_GHL_ENV must be an absolute path, not ", in->file);
    if (places_is_served(in->file, NULL, root))
        return wrong("the web server would hand out the settings there: set WOO_GHL_ENV to a file outside ",
                     root);
    if (geteuid() == 0 && !named && stat(in->program, &st) == 0 && st.st_uid == 0)
        return wrong(
            "this is for an account on shared hosting; as root use `make install`, or set WOO_GHL_ENV", "");
    if (geteuid() == 0 && stat(in->program, &st) == 0 && st.st_uid != 0)
        return wrong("run it as the user who owns the program, not as root: ", in->program);
    return EX_OK;
}

/* -- the values -- */

/* False if the person went away. */
static bool ask(struct install *in, struct answer *a)
{
    const char *given = getenv(a->name);

    if (a->text.len)
        return true;
    if (given && *given)
        return buf_adds(&a->text, given);
    return *a->known || in->quiet || ask_line(a->question, a->hidden, &a->text);
}

static int ask_all(struct install *in)
{
    struct answer *a = in->answer;
    char secret[SECRET_SIZE];
    bool good = ask(in, &a[SECRET]);

    if (good && !a[SECRET].text.len && !*a[SECRET].known) {
        good = digest_token(secret, sizeof secret) && buf_adds(&a[SECRET].text, secret);
        printf("made: a fresh webhook secret\n");
    }
    if (good && !in->dry_run)
        good = ask(in, &a[KEY]) && ((!a[KEY].text.len && !*a[KEY].known) || ask(in, &a[LOCATION]));
    in->dry_run = in->dry_run || (!a[KEY].text.len && !*a[KEY].known);
    good = good && ask(in, &a[URL]);
    return good ? EX_OK : wrong("an answer is missing; nothing was made", "");
}

/* The directory may be there; its parent must. */
static bool make_directory(const char *file, char directory[PATH_MAX], struct error *e)
{
    if (!places_beside(file, "", directory))
        return false;
    directory[strlen(directory) - 1] = '\0'; /* the slash */
    if (mkdir(directory, 0700) == 0)
        printf("made: %s\n", directory);
    else if (errno != EEXIST)
        error_set(e, "%s cannot be made: %s", directory, strerror(errno));
    return !*e->text;
}

static int write_settings(struct install *in)
{
    struct config_value values[ANSWERS + 1];
    char directory[PATH_MAX], data[PATH_MAX];
    struct error e = ERROR_NONE;
    size_t count = 0;

    for (size_t i = 0; i < ANSWERS; i++)
        if (in->answer[i].text.len)
            values[count++] = (struct config_value){in->answer[i].name, in->answer[i].text.data};
    if (in->dry_run != in->config.dry_run)
        values[count++] = (struct config_value){"GHL_DRY_RUN", in->dry_run ? "yes" : "no"};
    bool good =
        make_directory(in->file, directory, &e) && (!count || config_write(in->file, values, count, &e));
    if (good && count)
        printf("made: %s\n", in->file);
    if (good && !getenv("DATA_DIR") && places_beside(in->file, PLACES_DATA, data) &&
        (!*in->config.env_file || !strcmp(in->config.data_dir, data))) {
        int fd = files_open_dir(data, &e);
        good = fd >= 0 && close(fd) == 0;
    }
    if (!good)
        fprintf(stderr, "woo_ghl install: %s\n", e.text);
    return good ? EX_OK : EX_CANTCREAT;
}

/* -- cron -- */

/* An account without a crontab has an empty one. False if crontab is not to be used. */
static bool read_crontab(struct buf *out)
{
    FILE *from = popen("crontab -l 2>&1", "r");
    bool whole = from && files_read_fd(fileno(from), out, NULL), good = from && pclose(from) == 0 && whole;

    if (!good && strstr(out->data, "no crontab for")) {
        buf_reset(out);
        good = true;
    }
    return good;
}

static bool write_crontab(const struct buf *text)
{
    FILE *to = popen("crontab - 2>/dev/null", "w");

    bool good = to && fwrite(text->data, 1, text->len, to) == text->len;
    return to && pclose(to) == 0 && good;
}

static void add_cron_line(const struct install *in, const char *when, const char *command)
{
    const char *named = places_env("WOO_GHL_ENV");
    struct buf line, table;

    buf_init(&line, 3L * PATH_MAX);
    buf_init(&table, CRONTAB_MAX);
    bool odd = strpbrk(in->file, "'%\n") || strpbrk(in->program, "'%\n");
    bool good = buf_addf(&line, "%s ", when) && (!named || buf_addf(&line, "WOO_GHL_ENV='%s' ", in->file)) &&
                buf_addf(&line, "'%s' %s >/dev/null 2>&1", in->program, command);
    good = good && !odd && !in->no_cron && read_crontab(&table);
    bool there = good && strstr(table.data, line.data),
         ended = !table.len || table.data[table.len - 1] == '\n';
    good =
        there || (good && buf_addf(&table, "%s%s\n", ended ? "" : "\n", line.data) && write_crontab(&table));
    if (good)
        printf("%s: the cron line that runs %s\n", there ? "there" : "made", command);
    else
        printf("to do: put this line into the panel's cron jobs (%s)%s\n  %s\n", when,
               strcmp(command, "drain") ? "" : "; without it the web requests do the work", line.data);
    buf_free(&line);
    buf_free(&table);
}

static int install(struct install *in)
{
    for (size_t i = 0; i < ANSWERS; i++)
        if (in->answer[i].option && !buf_adds(&in->answer[i].text, in->answer[i].option))
            return wrong("too long: ", in->answer[i].option);
    int code = find_places(in);
    if (code == EX_OK)
        code = ask_all(in);
    if (code == EX_OK)
        code = write_settings(in);
    if (code == EX_OK)
        add_cron_line(in, "* * * * *", "drain");
    if (code == EX_OK && *in->config.woo_consumer_key)
        add_cron_line(in, "*/15 * * * *", "reconcile");
    return code;
}

int run_install(int argc, char **argv, volatile int *stop)
{
    struct install in = {
        .answer = {[SECRET] = {.name = "WOO_WEBHOOK_SECRET",
                               .question = "The webhooks' secret in WooCommerce (empty: a fresh one)",
                               .hidden = true},
                   [KEY] = {.name = "GHL_API_KEY",
                            .question = "GHL's private integration token, pit-... (empty: a dry run)",
                            .hidden = true},
                   [LOCATION] = {.name = "GHL_LOCATION_ID", .question = "The id of the GHL sub-account"},
                   [URL] = {.name = "PUBLIC_URL",
                            .question = "The Delivery URL, such as https://shop.example.com/woo-order"}}};
    const struct option table[] = {
        {"--no-questions", .flag = &in.quiet},     {"--no-cron", .flag = &in.no_cron},
        {"--dry-run", .flag = &in.dry_run},        {"--location", .text = &in.answer[LOCATION].option},
        {"--url", .text = &in.answer[URL].option}, {0}};
    struct config_report report;

    (void)!config_load(&in.config, &report); /* what is missing is asked for */
    if (!in.config.env_file) {
        config_report_free(&report);
        return wrong("out of memory", "");
    }
    in.answer[SECRET].known = in.config.webhook_secret;
    in.answer[KEY].known = in.config.ghl_api_key;
    in.answer[LOCATION].known = in.config.ghl_location_id;
    in.answer[URL].known = in.config.public_url;
    for (size_t i = 0; i < ANSWERS; i++)
        buf_init(&in.answer[i].text, 4096);
    int code = options_read("install", argc, argv, table, NULL);
    if (code == EX_OK)
        code = install(&in);
    for (size_t i = 0; i < ANSWERS; i++)
        buf_wipe(&in.answer[i].text);
    config_report_free(&report);
    config_free(&in.config);
    return code == EX_OK ? run_check(0, argv, stop) : code;
}
