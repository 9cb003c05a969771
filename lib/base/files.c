#include "base/files.h"
#include "base/digest.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#define OLD_S 3600      /* a writer that is alive is done long before */
#define READ_FIRST 4096 /* bytes; then as many again as there are */

/* -- directories -- */

/* fsync of a directory; file systems that know no such thing say EINVAL and need none. */
static bool sync_dir(int dir)
{
    return fsync(dir) == 0 || errno == EINVAL;
}

/* A directory that was just made is itself an entry that a crash could lose. */
static bool sync_parent(const char *path)
{
    char parent[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 0;

    if (n >= sizeof parent) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(parent, n ? path : (slash ? "/" : "."), n ? n : 1);
    parent[n ? n : 1] = '\0';
    int dir = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return errno == EACCES; /* a parent that may be passed but not read: nothing more can be done */
    bool good = sync_dir(dir);
    close(dir);
    return good;
}

int files_open_dir(const char *path, struct error *e)
{
    if (mkdir(path, 0700) == 0) {
        if (!sync_parent(path)) {
            error_set(e, "%s: its directory entry cannot be written to disk: %s", path, strerror(errno));
            return -1;
        }
    } else if (errno == ENOENT) {
        error_set(e, "%s: cannot be made, its parent directory does not exist; make that first", path);
        return -1;
    } else if (errno != EEXIST) {
        error_set(e, "%s: cannot be made: %s; make it, 0700, owned by the user that runs woo_ghl", path,
                  strerror(errno));
        return -1;
    }
    int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        error_set(e, "%s: cannot be opened: %s; it must be a directory of the user that runs woo_ghl", path,
                  strerror(errno));
    return dir;
}

/* -- writing -- */

static bool write_all(int fd, const char *bytes, size_t len)
{
    while (len) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

static bool write_temp(int dir, const char *temp, const void *bytes, size_t len)
{
    int fd = openat(dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return false;
    bool good = write_all(fd, bytes, len) && fsync(fd) == 0;
    int why = errno;
    if (close(fd) != 0 && good) {
        why = errno;
        good = false;
    }
    errno = why;
    return good;
}

static const char *advice(int why)
{
    switch (why) {
    case ENOSPC:
    case EDQUOT: return "; free some space there";
    case EFBIG: return "; raise the limit on file sizes (ulimit -f)";
    case EROFS: return "; DATA_DIR must be writable";
    case EACCES:
    case EPERM: return "; DATA_DIR must belong to the user that runs woo_ghl";
    default: return "";
    }
}

enum files_result files_write(int dir, const char *name, const void *bytes, size_t len, bool if_absent,
                              struct error *e)
{
    char temp[sizeof FILES_TEMP + 16] = FILES_TEMP;
    enum files_result result = FILES_FAILED;

    if (!digest_token(temp + strlen(temp), sizeof temp - strlen(temp))) {
        error_set(e, "%s: the system gives no random bytes for a temporary name", name);
        return FILES_FAILED;
    }
    bool good = write_temp(dir, temp, bytes, len);
    /* link, because unlike rename it never replaces */
    if (good && (if_absent ? linkat(dir, temp, dir, name, 0) : renameat(dir, temp, dir, name)) == 0)
        result = FILES_OK;
    else if (good && if_absent && errno == EEXIST)
        result = FILES_EXISTS;
    int why = errno;
    if (result != FILES_OK || if_absent)
        (void)unlinkat(dir, temp, 0); /* what cannot be removed now is files_clean's */
    /* Also where it exists: its writer may have died before this. */
    if (result != FILES_FAILED && !sync_dir(dir)) {
        why = errno;
        result = FILES_FAILED;
    }
    if (result == FILES_FAILED)
        error_set(e, "%s: cannot be written: %s%s", name, strerror(why), advice(why));
    return result;
}

/* -- reading -- */

bool files_read_fd(int fd, struct buf *out, struct error *e)
{
    for (off_t at = 0;;) {
        size_t left = out->max - out->len, step = out->len + READ_FIRST < left ? out->len + READ_FIRST : left;
        char *room = buf_room(out, step);
        if (!room) {
            error_set(e, "out of memory");
            errno = ENOMEM;
            return false;
        }
        if (step == 0) {
            error_set(e, "it has %zu bytes or more, so it is none of ours", out->max);
            errno = EFBIG;
            return false;
        }
        ssize_t n = pread(fd, room, step, at);
        if (n < 0 && errno == ESPIPE)
            n = read(fd, room, step);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            int why = errno;
            error_set(e, "cannot be read: %s", strerror(why));
            errno = why;
            return false;
        }
        buf_wrote(out, (size_t)n);
        if (n == 0)
            return true;
        at += n;
    }
}

enum files_result files_read(int dir, const char *name, struct buf *out, struct error *e)
{
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT)
        return FILES_MISSING;
    if (fd < 0) {
        error_set(e, "%s: cannot be opened: %s", name, strerror(errno));
        return FILES_FAILED;
    }
    bool good = files_read_fd(fd, out, e);
    close(fd);
    if (!good)
        error_prefix(e, "%s", name);
    return good ? FILES_OK : FILES_FAILED;
}

/* -- which file -- */

/* What statx(2) fills: not every C library has it, and no kernel before 4.11. */
struct kernel_statx {
    uint32_t mask, blksize;
    uint64_t attributes;
    uint32_t nlink, uid, gid;
    uint16_t mode, spare;
    uint64_t ino, size, blocks, attributes_mask;
    struct {
        int64_t s;
        uint32_t ns;
        int32_t spare;
    } accessed, born, changed, modified;
    uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
    uint64_t more[14];
};
#define WANT_INODE 0x100U
#define WANT_BIRTH 0x800U

bool files_identify(int dir, const char *name, struct files_identity *out)
{
    struct kernel_statx x = {0};
    struct stat st;

    if (syscall(SYS_statx, dir, name, 0, WANT_INODE | WANT_BIRTH, &x) == 0) {
        bool known = x.mask & WANT_BIRTH;
        *out = (struct files_identity){.dev_major = x.dev_major,
                                       .dev_minor = x.dev_minor,
                                       .inode = x.ino,
                                       .birth_s = known ? x.born.s : 0,
                                       .birth_ns = known ? x.born.ns : 0};
        return true;
    }
    if ((errno != ENOSYS && errno != EPERM) || fstatat(dir, name, &st, 0) != 0)
        return false;
    *out = (struct files_identity){
        .dev_major = major(st.st_dev), .dev_minor = minor(st.st_dev), .inode = st.st_ino};
    return true;
}

/* -- several -- */

bool files_lock(const char *directory, const char *name, int *fd)
{
    int dir = files_open_dir(directory, NULL);

    *fd = dir < 0 ? -1 : openat(dir, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (dir >= 0)
        close(dir);
    if (*fd < 0 || flock(*fd, LOCK_EX | LOCK_NB) == 0)
        return true;
    bool taken = errno == EWOULDBLOCK;
    close(*fd);
    *fd = -1;
    return !taken;
}

/* Gives the file all of its blocks now: a write into a hole of a full disk is a fatal signal. An error number, or 0. */
static int fill(int fd, off_t have, off_t size)
{
    static const char zeros[4096];
    int error = have < size ? posix_fallocate(fd, 0, size) : 0;

    if (error != EOPNOTSUPP)
        return error;
    /* NFS before 4.2, and musl, which does not stand in for it. */
    for (; have < size; have += (off_t)sizeof zeros)
        if (pwrite(fd, zeros, sizeof zeros, have) != (ssize_t)sizeof zeros)
            return ENOSPC;
    return 0;
}

void *files_map(int dir, const char *name, size_t size)
{
    struct stat st;
    void *mapped = MAP_FAILED;
    int fd = openat(dir, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600), kept;

    if (fd < 0)
        return NULL;
    if (fstat(fd, &st) == 0 && (errno = fill(fd, st.st_size, (off_t)size)) == 0)
        mapped = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    kept = errno;
    close(fd);
    errno = kept;
    return mapped == MAP_FAILED ? NULL : mapped;
}

bool files_each(int dir, void (*visit)(void *context, int dir, const char *name), void *context)
{
    int again = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* its own position in the list */
    DIR *list = again < 0 ? NULL : fdopendir(again);
    const struct dirent *entry;
    int why = errno;

    if (!list && again >= 0)
        close(again);
    while (list && (errno = 0, entry = readdir(list)))
        visit(context, dir, entry->d_name);
    if (list) {
        why = errno;
        closedir(list);
    }
    errno = why;
    return list && !why;
}

static void clean_one(void *context, int dir, const char *name)
{
    long *cleaned = context;
    struct stat st;

    *cleaned += !strncmp(name, FILES_TEMP, sizeof FILES_TEMP - 1) &&
                fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_mtime < time(NULL) - OLD_S &&
                unlinkat(dir, name, 0) == 0;
}

long files_clean(int dir)
{
    long cleaned = 0;

    (void)files_each(dir, clean_one, &cleaned); /* what is left now is the next one's */
    return cleaned;
}
