/* The doctor's look at this machine: files that the workers must be able to use, and what drains the queue. */
#include "app/heartbeat.h"
#include "app/ready.h"
#include "base/text.h"
#include "cli/check.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define MB (1024ULL * 1024)
#define SPACE_LOW (256 * MB)
#define SPACE_NONE (16 * MB)

/* -- files -- */

#define USER_SIZE 64

static const char *user_name(uid_t uid, char out[USER_SIZE])
{
    const struct passwd *user = getpwuid(uid);

    if (user)
        (void)text_copy(out, USER_SIZE, user->pw_name);
    else
        (void)text_format(out, USER_SIZE, "%ld", (long)uid);
    return out;
}

/* May this process write it? If not, a finding says who may. */
static bool is_writable(const char *path, const char *what, struct findings *f)
{
    struct stat st;
    char mend[PATH_MAX + 128], self[USER_SIZE], owner[USER_SIZE];

    if (stat(path, &st) != 0 || faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0)
        return true; /* what is not there is made */
    int wrong = errno;
    (void)text_format(mend, sizeof mend, "chown %s %s", user_name(geteuid(), self), path);
    findings_add(f, FINDING_FAIL, "not_writable",
                 "What cannot be written is lost: orders are answered 503, or the log says nothing.", mend,
                 "%s: %s cannot write %s, which belongs to %s: %s", what, user_name(geteuid(), self), path,
                 user_name(st.st_uid, owner), strerror(wrong));
    return false;
}

/* Files that root made by a command cannot be used by the workers. */
static bool check_owners(const char *dir, struct findings *f)
{
    struct dirent *entry;
    char path[PATH_MAX];
    bool good = true;
    DIR *stream = opendir(dir);

    while (good && stream && (entry = readdir(stream)))
        if (strcmp(entry->d_name, "..") != 0 && text_format(path, sizeof path, "%s/%s", dir, entry->d_name))
            good = is_writable(path, "DATA_DIR", f);
    if (stream)
        closedir(stream);
    return good;
}

static bool check_space(const char *dir, struct findings *f)
{
    struct statvfs fs;

    if (statvfs(dir, &fs) != 0)
        return true;
    unsigned long long left = (unsigned long long)fs.f_bavail * fs.f_frsize;
    if (left >= SPACE_LOW)
        return true;
    findings_add(f, left < SPACE_NONE ? FINDING_FAIL : FINDING_WARN, "space",
                 "When it is full, neither store nor spool takes an order: deliveries are answered 503.",
                 "Free space, or move DATA_DIR to another disk.",
                 "DATA_DIR: %llu MB are left on the disk of %s", left / MB, dir);
    return false;
}

static bool check_settings_file(const char *path, struct findings *f)
{
    struct stat st;
    char mend[PATH_MAX + 32];

    if (!*path || stat(path, &st) != 0 || !(st.st_mode & (S_IWGRP | S_IWOTH)))
        return true;
    (void)text_format(mend, sizeof mend, "chmod go-w %s", path);
    findings_add(f, FINDING_WARN, "settings_writable",
                 "Who can write it decides where orders go, and which command alerts run.", mend,
                 "Others than the owner of %s can write it", path);
    return false;
}

static bool check_user(const char *data_dir, struct findings *f)
{
    if (geteuid() != 0)
        return true;
    findings_add(f, FINDING_WARN, "root", "Files that root makes cannot be written by the web server's user.",
                 "Run it as the web server's user, or give DATA_DIR to that user: chown -R USER DATA_DIR",
                 "check runs as root, and %s is root's", data_dir);
    return false;
}

void check_files(struct app *app, struct findings *f)
{
    const struct config *config = &app->config;
    char spool[PATH_MAX], log_dir[PATH_MAX], self[USER_SIZE];
    bool good = check_user(config->data_dir, f);

    good = check_owners(config->data_dir, f) && good;
    if (text_format(spool, sizeof spool, "%s/spool", config->data_dir))
        good = check_owners(spool, f) && good;
    good = check_space(config->data_dir, f) && good;
    good = check_settings_file(config->env_file, f) && good;
    if (config->log_to[0] == '/' && text_copy(log_dir, sizeof log_dir, config->log_to)) {
        good = is_writable(access(config->log_to, F_OK) == 0 ? config->log_to : dirname(log_dir), "LOG", f) &&
               good;
    }
    if (good)
        FINDINGS_OK(f, "files", "%s can write %s", user_name(geteuid(), self), config->data_dir);
}

/* -- the drain -- */

#define DRAIN_MEND                                                                                           \
    "Start woo_ghl-drain.service, or put this line into cron (deploy/cron): * * * * * woo_ghl drain "        \
    ">/dev/null"

static void check_other(const struct heartbeat *other, int64_t now_ms, struct findings *f)
{
    int64_t drained_ms = now_ms - other->drained_ms, oldest_ms = now_ms - other->oldest_ms;

    if (other->files && other->oldest_ms && oldest_ms > HEARTBEAT_OVERDUE_MS)
        findings_add(f, FINDING_WARN, "spool", "These deliveries do not reach GHL.",
                     "Start the drain there, or run woo_ghl status there: it says why they cannot be moved.",
                     "%s: its spool holds %lld file%s, the oldest of %lld minutes ago", other->machine,
                     (long long)other->files, other->files == 1 ? "" : "s", (long long)(oldest_ms / 60000));
    if (!other->drained_ms)
        findings_add(f, FINDING_WARN, "machine", "What lies in that machine's spool waits.",
                     "Start the drain there.", "%s: no drain ever ran", other->machine);
    else if (drained_ms < HEARTBEAT_OVERDUE_MS)
        FINDINGS_OK(f, "machine", "%s: a drain ran %lld s ago", other->machine,
                    (long long)(drained_ms / 1000));
    else
        findings_add(f, FINDING_WARN, "machine", "What lies in that machine's spool waits.",
                     "Start the drain there. A machine that is gone for good is forgotten after 7 days.",
                     "%s: no drain ran for %lld minutes", other->machine, (long long)(drained_ms / 60000));
}

/* Other machines, as the store knows them. */
static void check_others(struct app *app, struct findings *f)
{
    char self[HEARTBEAT_NAME_SIZE];
    struct heartbeat beat;
    struct buf all;
    size_t at = 0;

    heartbeat_machine(self);
    buf_init(&all, STORE_BLOB_MAX);
    if (heartbeat_read(app, &all) != STORE_OK)
        buf_reset(&all);
    while (heartbeat_next(&all, &at, &beat))
        if (strcmp(beat.machine, self) != 0)
            check_other(&beat, store_now_ms(app->store), f);
    buf_free(&all);
}

void check_drain(struct app *app, struct findings *f)
{
    int64_t age_ms = heartbeat_age_ms(app);
    struct store_sizes sizes;

    if (store_sizes(app->store, &sizes) == STORE_OK && drain_is_overdue(app, &sizes))
        findings_add(f, FINDING_FAIL, "overdue", "These orders do not reach GHL.", DRAIN_MEND,
                     "Orders wait for more than 10 minutes, and nothing drains");
    else if (age_ms >= 0 && age_ms < HEARTBEAT_OVERDUE_MS)
        FINDINGS_OK(f, "drain", "a drain ran %lld s ago", (long long)(age_ms / 1000));
    else
        findings_add(f, app->config.drain_after ? FINDING_WARN : FINDING_FAIL, "drain",
                     app->config.drain_after ? "Orders that wait go on only when the next delivery comes."
                                             : "Orders that wait do not reach GHL (DRAIN_AFTER is off).",
                     DRAIN_MEND, "%s",
                     age_ms < 0 ? "No drain ever ran on this machine"
                                : "No drain ran on this machine for 10 minutes");
    check_others(app, f);
}
