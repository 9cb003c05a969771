/* Where settings come from: the settings file, the environment, and the files that NAME_FILE names. */
#include "base/dotenv.h"
#include "base/files.h"
#include "config/load_work.h"
#include "config/places.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (1024L * 1024)

/* -- files, and whether they changed -- */

/* ctime: it changes with the content, and when a file becomes readable. All zero: the file is not there. */
struct file_state {
    dev_t dev;
    ino_t ino;
    off_t size;
    struct timespec changed;
};

struct config_file {
    char *path;
    struct file_state state;
};

static struct file_state state_of(const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return (struct file_state){0};
    return (struct file_state){.dev = st.st_dev, .ino = st.st_ino, .size = st.st_size, .changed = st.st_ctim};
}

/* To be called before the file is read: a change while it is read is noticed then. */
static void note_file(struct load *l, const char *path)
{
    struct config *c = l->config;
    struct config_file *more = realloc(c->files, (c->file_count + 1) * sizeof *more);

    if (more) {
        c->files = more;
        more[c->file_count] = (struct config_file){.path = strdup(path), .state = state_of(path)};
    }
    if (more && more[c->file_count].path)
        c->file_count++;
    else
        l->out_of_memory = true;
}

bool config_is_stale(const struct config *config)
{
    for (size_t i = 0; i < config->file_count; i++) {
        struct file_state was = config->files[i].state, is = state_of(config->files[i].path);
        if (was.dev != is.dev || was.ino != is.ino || was.size != is.size ||
            was.changed.tv_sec != is.changed.tv_sec || was.changed.tv_nsec != is.changed.tv_nsec)
            return true;
    }
    return false;
}

const char *config_file(const struct config *config, size_t n)
{
    return config->files[n].path;
}

void load_free_files(struct config *config)
{
    for (size_t i = 0; i < config->file_count; i++)
        free(config->files[i].path);
    free(config->files);
}

/* Appends a whole file; 0, or errno. */
static int read_file(struct load *l, const char *path, struct buf *out)
{
    note_file(l, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int wrong = files_read_fd(fd, out, NULL) ? 0 : errno;
    close(fd);
    return wrong;
}

/* Tells why a file was not read, and what would be right. */
static void cannot_read(struct load *l, const char *setting, const char *path, int wrong)
{
    const struct passwd *who = wrong == EACCES ? getpwuid(geteuid()) : NULL;
    char right[128] = "";

    if (wrong == EACCES)
        snprintf(right, sizeof right, "; allow %.64s to read it",
                 who ? who->pw_name : "the user who runs this");
    else if (*path != '/')
        snprintf(right, sizeof right, "; write an absolute path, which begins with /");
    load_problem(l, "%s%s%s cannot be read: %s%s", setting, *setting ? ": " : "", path, strerror(wrong),
                 right);
}

static void take_value(struct load *l, const struct setting *s, const char *value)
{
    struct given *given = &l->given[s - settings];

    free(given->value);
    given->value = strdup(value);
    l->out_of_memory = l->out_of_memory || !given->value;
}

/* The value of NAME_FILE: the file's content without one final newline. */
static void take_value_file(struct load *l, const struct setting *s, const char *path)
{
    struct given *given = &l->given[s - settings];
    struct buf content;
    char name[64];

    buf_init(&content, FILE_MAX);
    int wrong = read_file(l, path, &content);
    given->refused = true;
    if (wrong) {
        snprintf(name, sizeof name, "%s_FILE", s->name);
        cannot_read(l, name, path, wrong);
    } else if (strlen(content.data) != content.len) {
        load_problem(l, "%s_FILE: %s contains a NUL byte; it must be text", s->name, path);
    } else {
        if (content.len > 0 && content.data[content.len - 1] == '\n')
            content.data[content.len - 1] = '\0';
        take_value(l, s, content.data);
        given->refused = false;
    }
    buf_wipe(&content);
}

/* -- the settings file -- */

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

    if (s && file)
        take_value_file(l, s, value);
    else if (s)
        take_value(l, s, value);
    else
        load_warning(l, "%s line %d: unknown setting %s%s%s; 'woo_ghl help settings' lists all settings",
                     l->path, line, name, nearest ? ", did you mean " : "", nearest ? nearest : "");
}

static void take_wrong_line(void *context, const char *name, int line, const char *what)
{
    struct load *l = context;
    bool file;
    const struct setting *s = setting_of(name, &file);

    if (s)
        l->given[s - settings].refused = true;
    load_problem(l, "%s line %d: %s%s%s", l->path, line, s ? name : "", s ? ": " : "", what);
}

/* A file that may appear later; errno says why not. */
static bool is_there(struct load *l, const char *path)
{
    if (access(path, F_OK) == 0)
        return true;
    int why = errno;
    note_file(l, path);
    errno = why;
    return false;
}

/* The file to read, see places.h; "" = none. */
static void choose_file(struct load *l, char out[PATH_MAX])
{
    const char *named = places_env("WOO_GHL_ENV");
    char denied[PATH_MAX] = "";

    out[0] = '\0';
    if (named && *named) {
        note_file(l, named); /* it may be a symbolic link that is set to another file */
        if (!realpath(named, out)) {
            cannot_read(l, "WOO_GHL_ENV", named, errno);
            l->unread = true;
            out[0] = '\0';
        }
        return;
    }
    for (unsigned n = 0; places_candidate(n, out); n++) {
        if (*out && is_there(l, out))
            return;
        if (*out && errno == EACCES && !*denied)
            snprintf(denied, sizeof denied, "%s", out);
    }
    snprintf(out, PATH_MAX, "%s", denied); /* it may be there: say so, instead of that nothing is set */
}

void load_look_at_mode(struct load *l, const char *setting, const char *path)
{
    struct stat st;

    if (stat(path, &st) == 0 && (st.st_mode & 07) != 0 && !S_ISCHR(st.st_mode)) /* not /dev/null */
        load_warning(l, "%s: every user of this machine can read %s; run chmod o= on it", setting, path);
}

void load_look_at_owner(struct load *l, const char *setting, const char *path)
{
    struct stat st;
    uid_t user = geteuid(); /* root becomes the owner */

    if (stat(path, &st) != 0)
        return;
    if (st.st_mode & 02)
        load_problem(l,
                     "%s: every user of this machine can write to %s, and so change what is kept there; run "
                     "chmod 0700 on it",
                     setting, path);
    else if (user != 0 && st.st_uid != user && st.st_uid != 0)
        load_problem(l,
                     "%s: %s belongs to the user %ld, this program runs as %ld; make it the directory of the "
                     "user that runs woo_ghl",
                     setting, path, (long)st.st_uid, (long)user);
}

static void read_settings_file(struct load *l, const char *path)
{
    struct buf text;

    buf_init(&text, FILE_MAX);
    int wrong = read_file(l, path, &text);
    l->path = path;
    l->unread = wrong || strlen(text.data) != text.len;
    if (wrong)
        cannot_read(l, "", path, wrong);
    else if (strlen(text.data) != text.len)
        load_problem(l, "%s contains a NUL byte; it must be text", path);
    else if (!dotenv_parse(text.data, take_line, take_wrong_line, l))
        l->out_of_memory = true;
    buf_wipe(&text);
    load_look_at_mode(l, "settings file", path);
}

void load_read(struct load *l)
{
    char path[PATH_MAX];

    choose_file(l, path);
    l->config->env_file = strdup(path);
    l->out_of_memory = l->out_of_memory || !l->config->env_file;
    if (*path)
        read_settings_file(l, path);
    for (const struct setting *s = settings; s < settings + settings_count; s++) {
        char name[64];

        snprintf(name, sizeof name, "%s_FILE", s->name);
        const char *value = places_env(s->name), *file = places_env(name);
        if (value)
            take_value(l, s, value);
        else if (file)
            take_value_file(l, s, file);
    }
}
