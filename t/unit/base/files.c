#include "base/files.h"

#include "tap.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* A temporary directory, and a data directory in it that is still to be made. */
struct machine {
    char dir[64], data_dir[80];
};

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

/* Instead of the C library's: what was synced, and what stood there then. */
static char synced[256];
static const char *awaited;     /* a name in the directory `awaited_in` */
static int awaited_in, failing; /* failing: the so-manieth from now on; 0 = none */

int fsync(int fd)
{
    struct stat st;
    size_t n = strlen(synced);

    if (failing && --failing == 0) {
        errno = EIO;
        return -1;
    }
    if (awaited && fstat(fd, &st) == 0)
        snprintf(synced + n, sizeof synced - n, "%s of %ld, %s; ", S_ISDIR(st.st_mode) ? "directory" : "file",
                 S_ISDIR(st.st_mode) ? 0 : (long)st.st_size,
                 faccessat(awaited_in, awaited, F_OK, 0) == 0 ? "in place" : "not in place");
    return (int)syscall(SYS_fsync, fd);
}

static long entries(int dir)
{
    long n = 0;
    int again = openat(dir, ".", O_RDONLY | O_DIRECTORY);
    DIR *list = fdopendir(again);
    while (readdir(list))
        n++;
    closedir(list);
    return n - 2;
}

static void makes_directories(struct machine *m)
{
    struct error e = ERROR_NONE;
    struct stat st;
    char path[128];

    int dir = files_open_dir(m->data_dir, &e);
    ok(dir >= 0, "a missing directory is made: %s", e.text);
    ok(fstat(dir, &st) == 0 && (st.st_mode & 07777) == 0700, "0700");
    close(dir);
    dir = files_open_dir(m->data_dir, &e);
    ok(dir >= 0, "one that is there is opened");
    close(dir);
    snprintf(path, sizeof path, "%s/no/where", m->dir);
    is_int(files_open_dir(path, &e), -1, "a parent is not made");
    ok(strstr(e.text, path) && strstr(e.text, "parent"), "and the error says so: %s", e.text);
    snprintf(path, sizeof path, "%s/file", m->dir);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    is_int(files_open_dir(path, &e), -1, "a file is no directory");
    ok(strstr(e.text, "must be a directory"), "and the error says so: %s", e.text);
}

static void writes_whole_files(int dir)
{
    struct error e = ERROR_NONE;
    struct buf text;
    struct stat st;

    buf_init(&text, 1000);
    is_int(files_read(dir, "a", &text, &e), FILES_MISSING, "a file that is not there is missing");
    is_int(files_write(dir, "a", "one", 3, true, &e), FILES_OK, "it is written");
    ok(fstatat(dir, "a", &st, 0) == 0 && (st.st_mode & 07777) == 0600 && st.st_nlink == 1, "0600");
    is_int(files_write(dir, "a", "two", 3, true, &e), FILES_EXISTS, "if absent, it is not written again");
    is_int(files_read(dir, "a", &text, &e), FILES_OK, "it is read");
    is_str(text.data, "one", "as the first wrote it");
    is_int(files_write(dir, "a", "two", 3, false, &e), FILES_OK, "it is replaced where that is asked for");
    is_int(files_read(dir, "a", &text, &e), FILES_OK, "it is read again");
    is_str(text.data, "onetwo", "and appended to what the caller has");
    is_int(entries(dir), 1, "no temporary file is left");
    buf_free(&text);
    buf_init(&text, 3);
    is_int(files_read(dir, "a", &text, &e), FILES_FAILED, "a file as large as the maximum is refused");
    ok(strstr(e.text, "a: it has 3 bytes or more"), "and the error says so: %s", e.text);
    buf_free(&text);
    is_int(files_write(dir, "no/where", "x", 1, false, &e), FILES_FAILED, "a name that cannot be");
    is_int(entries(dir), 1, "leaves no temporary file either");
}

static void waits_for(int dir, const char *name)
{
    awaited_in = dir;
    awaited = name;
    synced[0] = '\0';
}

/* The bytes before the name, the name before OK. */
static void syncs_what_it_writes(struct machine *m, int dir)
{
    struct error e = ERROR_NONE;

    waits_for(dir, "s");
    is_int(files_write(dir, "s", "one", 3, true, &e), FILES_OK, "a file is written");
    is_str(synced, "file of 3, not in place; directory of 0, in place; ", "and its name");
    waits_for(dir, "s");
    is_int(files_write(dir, "s", "two", 3, true, &e), FILES_EXISTS, "one that is there");
    is_str(synced, "file of 3, in place; directory of 0, in place; ", "is as durable, whoever wrote it");
    unlinkat(dir, "s", 0);
    waits_for(dir, "s");
    is_int(files_write(dir, "s", "four", 4, false, &e), FILES_OK, "where it may replace");
    is_str(synced, "file of 4, not in place; directory of 0, in place; ", "it is the same");
    unlinkat(dir, "s", 0);
    failing = 1;
    is_int(files_write(dir, "s", "one", 3, false, &e), FILES_FAILED, "bytes that cannot be synced");
    is_int(faccessat(dir, "s", F_OK, 0), -1, "get no name");
    failing = 2;
    is_int(files_write(dir, "s", "one", 3, false, &e), FILES_FAILED,
           "a name that cannot be synced is a failure");
    unlinkat(dir, "s", 0);

    char path[128];
    snprintf(path, sizeof path, "%s/new", m->dir);
    waits_for(AT_FDCWD, path);
    close(files_open_dir(path, &e));
    is_str(synced, "directory of 0, in place; ", "a new directory's name is synced");
    synced[0] = '\0';
    close(files_open_dir(path, &e));
    is_str(synced, "", "once");
    awaited = NULL;
}

static void fails_cleanly_when_there_is_no_room(int dir)
{
    struct rlimit old, small = {.rlim_cur = 4096};
    struct error e = ERROR_NONE;
    struct buf text;
    static char big[64 * 1024];

    signal(SIGXFSZ, SIG_IGN);
    if (getrlimit(RLIMIT_FSIZE, &old) != 0)
        abort();
    small.rlim_max = old.rlim_max;
    long before = entries(dir);
    if (setrlimit(RLIMIT_FSIZE, &small) != 0)
        abort();
    enum files_result result = files_write(dir, "a", big, sizeof big, false, &e);
    if (setrlimit(RLIMIT_FSIZE, &old) != 0)
        abort();
    is_int(result, FILES_FAILED, "a write that finds no room fails");
    ok(strstr(e.text, "a: cannot be written") && strstr(e.text, "limit"), "the error says why: %s", e.text);
    is_int(entries(dir), before, "half a file is not left behind");
    buf_init(&text, 1000);
    ok(files_read(dir, "a", &text, &e) == FILES_OK && !strcmp(text.data, "two"),
       "and the one that was there is whole");
    buf_free(&text);
}

static void cleans_what_a_crash_left(int dir)
{
    const struct timespec old[2] = {{.tv_sec = time(NULL) - 3700}, {.tv_sec = time(NULL) - 3700}};

    close(openat(dir, FILES_TEMP "old", O_CREAT | O_WRONLY, 0600));
    close(openat(dir, FILES_TEMP "new", O_CREAT | O_WRONLY, 0600));
    close(openat(dir, "old", O_CREAT | O_WRONLY, 0600));
    ok(utimensat(dir, FILES_TEMP "old", old, 0) == 0 && utimensat(dir, "old", old, 0) == 0,
       "given old files");
    is_int(files_clean(dir), 1, "the old temporary one is removed");
    is_int(faccessat(dir, FILES_TEMP "new", F_OK, 0), 0, "not the one that may be in work");
    is_int(faccessat(dir, "old", F_OK, 0), 0, "nor any other");
}

int main(void)
{
    struct machine m = {.dir = "/tmp/woo_ghl-unit-XXXXXX"};
    struct error e = ERROR_NONE;

    if (!mkdtemp(m.dir))
        return 1;
    snprintf(m.data_dir, sizeof m.data_dir, "%s/data", m.dir);
    makes_directories(&m);
    int dir = files_open_dir(m.data_dir, &e);
    writes_whole_files(dir);
    syncs_what_it_writes(&m, dir);
    fails_cleanly_when_there_is_no_room(dir);
    cleans_what_a_crash_left(dir);
    close(dir);
    ok(nftw(m.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0, "the directory is removed");
    return tap_done();
}
