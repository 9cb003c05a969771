#include "config/write.h"
#include "base/dotenv.h"
#include "base/files.h"
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (1024L * 1024)

/* Does this line assign one of the values? */
static bool assigns(const char *line, const struct config_value *values, size_t count)
{
    static const char export[] = "export ";

    if (!strncmp(line, export, sizeof export - 1))
        line += sizeof export - 1;
    for (size_t i = 0; i < count; i++) {
        size_t n = strlen(values[i].name);
        if (!strncmp(line, values[i].name, n) && line[n] == '=')
            return true;
    }
    return false;
}

static bool is_whole(const char *line, size_t len)
{
    size_t single = 0, twice = 0;

    for (size_t i = 0; i < len; i++) {
        single += line[i] == '\'';
        twice += line[i] == '"';
    }
    return single % 2 == 0 && twice % 2 == 0;
}

/* The old text without what is written anew. False if a value runs over several lines. */
static bool add_rest(const char *text, const struct config_value *values, size_t count, struct buf *out)
{
    for (const char *line = text; *line;) {
        size_t n = strcspn(line, "\n");
        bool ended = line[n] != '\0', old = assigns(line, values, count);
        if (old && !is_whole(line, n))
            return false;
        if (!old && !(buf_add(out, line, n) && buf_addc(out, '\n')))
            break;
        line += n + ended;
    }
    return true;
}

static bool read_old(int dir, const char *name, struct stat *st, struct buf *text, struct error *e)
{
    int fd = openat(dir, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0) {
        *st = (struct stat){.st_mode = 0600, .st_uid = geteuid(), .st_gid = getegid()};
        if (errno != ENOENT)
            error_set(e, "it cannot be read: %s", strerror(errno));
        return errno == ENOENT;
    }
    bool plain = fstat(fd, st) == 0 && S_ISREG(st->st_mode), good = plain && files_read_fd(fd, text, e);
    close(fd);
    if (!plain)
        error_set(e, "it is no plain file; name one");
    if (good && geteuid() != 0 && (st->st_uid != geteuid() || st->st_gid != getegid())) {
        error_set(e,
                  "it belongs to another user or group, who could not read it afterwards; change it as root");
        return false;
    }
    return good;
}

bool config_write(const char *path, const struct config_value *values, size_t count, struct error *e)
{
    char folder[PATH_MAX], file[PATH_MAX];
    struct buf old, text;
    struct stat st;

    buf_init(&old, FILE_MAX);
    buf_init(&text, FILE_MAX);
    snprintf(folder, sizeof folder, "%s", path);
    snprintf(file, sizeof file, "%s", path);
    const char *name = basename(file);
    int dir = open(dirname(folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = dir >= 0 && read_old(dir, name, &st, &old, e);

    if (dir < 0)
        error_set(e, "its directory cannot be opened: %s", strerror(errno));
    if (good && !add_rest(old.data, values, count, &text)) {
        error_set(e, "a value in it runs over several lines; change it with an editor");
        good = false;
    }
    for (size_t i = 0; good && i < count; i++)
        good = buf_addf(&text, "%s=", values[i].name) && dotenv_quote(values[i].value, &text) &&
               buf_addc(&text, '\n');
    good = good && !text.failed && files_write(dir, name, text.data, text.len, false, e) == FILES_OK;
    if (good && (fchmodat(dir, name, st.st_mode & 0777, 0) != 0 ||
                 fchownat(dir, name, st.st_uid, st.st_gid, 0) != 0)) {
        error_set(e, "its owner and rights cannot be kept: %s", strerror(errno));
        good = false;
    }
    if (!good && !*e->text)
        error_set(e, "out of memory");
    if (!good)
        error_prefix(e, "%s", path);
    if (dir >= 0)
        close(dir);
    buf_wipe(&old);
    buf_wipe(&text);
    return good;
}
