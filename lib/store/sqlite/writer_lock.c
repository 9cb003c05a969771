#include "store/sqlite/writer_lock.h"
#include "base/clock.h"
#include "base/files.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/time.h>
#include <unistd.h>

#define NUDGE_MS 20 /* how often the wait looks at its deadline */

bool writer_lock_open(struct writer_lock *lock, const char *path, int dir, struct error *e)
{
    lock->path = path;
    lock->queue_fd = openat(dir, "store.queue", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    lock->lock_fd = openat(dir, "store.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (lock->queue_fd >= 0 && lock->lock_fd >= 0 && fstat(dir, &lock->dir) == 0)
        return true;
    error_set(e, "store.lock and store.queue in DATA_DIR: cannot be opened for writing: %s", strerror(errno));
    writer_lock_close(lock);
    return false;
}

void writer_lock_close(struct writer_lock *lock)
{
    if (lock->queue_fd >= 0)
        close(lock->queue_fd);
    if (lock->lock_fd >= 0)
        close(lock->lock_fd);
    lock->queue_fd = lock->lock_fd = -1;
}

/* -- a blocking lock with a deadline: the kernel keeps the waiters in order, a timer's signal ends the wait -- */

static void wake(int number)
{
    (void)number; /* only there to interrupt the wait */
}

static int flock_file(int fd, bool wait)
{
    return flock(fd, wait ? LOCK_EX : LOCK_EX | LOCK_NB);
}

static int lock_bytes(int fd, bool wait)
{
    return fcntl(fd, wait ? F_SETLKW : F_SETLK, &(struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET});
}

/* until_ms 0 = without waiting */
static bool lock_by(int (*how)(int fd, bool wait), const struct writer_lock *lock, int fd, int64_t until_ms)
{
    while (how(fd, until_ms && !lock->polls) != 0) {
        if (!until_ms || (errno != EINTR && errno != EWOULDBLOCK) || clock_left_ms(until_ms) == 0)
            return false;
        if (errno == EWOULDBLOCK)
            (void)clock_sleep_ms(NUDGE_MS, NULL);
    }
    return true;
}

static bool pass(const struct writer_lock *lock, int64_t until_ms)
{
    if (!lock_by(flock_file, lock, lock->queue_fd, until_ms))
        return false;
    bool taken = lock_by(flock_file, lock, lock->lock_fd, until_ms);
    int kept = errno;
    flock(lock->queue_fd, LOCK_UN);
    errno = kept;
    return taken;
}

static bool pass_to_sync(const struct writer_lock *lock, int64_t until_ms)
{
    return lock_by(lock_bytes, lock, lock->lock_fd, until_ms);
}

/* The timer repeats: a signal that comes just before the wait begins is followed by another. */
static bool wait_for(bool (*pass_one)(const struct writer_lock *, int64_t until_ms),
                     const struct writer_lock *lock, int64_t wait_ms)
{
    const struct itimerval often = {{0, NUDGE_MS * 1000}, {0, NUDGE_MS * 1000}}, never = {0};
    struct sigaction action = {.sa_handler = wake}, action_before; /* without SA_RESTART */
    sigset_t alarm_only, mask_before;

    sigemptyset(&action.sa_mask);
    sigemptyset(&alarm_only);
    sigaddset(&alarm_only, SIGALRM);
    if (sigaction(SIGALRM, &action, &action_before) != 0 ||
        sigprocmask(SIG_UNBLOCK, &alarm_only, &mask_before) != 0)
        return false;
    bool taken = setitimer(ITIMER_REAL, &often, NULL) == 0 && pass_one(lock, clock_mono_ms() + wait_ms);
    int kept = errno;
    setitimer(ITIMER_REAL, &never, NULL);
    sigprocmask(SIG_SETMASK, &mask_before, NULL);
    sigaction(SIGALRM, &action_before, NULL);
    errno = kept;
    return taken;
}

static bool take(bool (*pass_one)(const struct writer_lock *, int64_t until_ms),
                 const struct writer_lock *lock, int64_t wait_ms, struct error *e)
{
    if (pass_one(lock, 0) || (errno == EWOULDBLOCK && wait_ms > 0 && wait_for(pass_one, lock, wait_ms)))
        return true;
    if (errno == EINTR || errno == EWOULDBLOCK)
        error_set(e, "store.lock in DATA_DIR: another process has held it for %lld ms; `fuser` names it",
                  (long long)wait_ms);
    else
        error_set(e, "store.lock in DATA_DIR: cannot be taken: %s", strerror(errno));
    return false;
}

bool writer_lock_take(struct writer_lock *lock, int64_t wait_ms, struct error *e)
{
    return take(pass, lock, wait_ms, e);
}

void writer_lock_release(struct writer_lock *lock)
{
    flock(lock->lock_fd, LOCK_UN);
}

bool writer_lock_take_sync(struct writer_lock *lock, int64_t wait_ms, struct error *e)
{
    return take(pass_to_sync, lock, wait_ms, e);
}

void writer_lock_release_sync(struct writer_lock *lock)
{
    (void)fcntl(lock->lock_fd, F_SETLK, &(struct flock){.l_type = F_UNLCK, .l_whence = SEEK_SET});
}

/* -- the number -- */

#define WRITTEN "store.written-"
#define WRITTEN_SIZE (sizeof WRITTEN + 20)

static const char *name_of(int64_t number, char name[WRITTEN_SIZE])
{
    snprintf(name, WRITTEN_SIZE, WRITTEN "%" PRId64, number);
    return name;
}

static int64_t number_in_lock(const struct writer_lock *lock)
{
    int64_t number;
    return pread(lock->lock_fd, &number, sizeof number, 0) == sizeof number ? number : 0;
}

/* -1 = it is another file's name */
static int64_t number_of(const char *name)
{
    return strncmp(name, WRITTEN, sizeof WRITTEN - 1) ? -1 : strtoll(name + sizeof WRITTEN - 1, NULL, 10);
}

static void take_greatest(void *context, int dir, const char *name)
{
    int64_t *greatest = context;

    (void)dir;
    if (number_of(name) > *greatest)
        *greatest = number_of(name);
}

static void remove_smaller(void *context, int dir, const char *name)
{
    const int64_t *least = context;

    if (number_of(name) >= 0 && number_of(name) < *least)
        unlinkat(dir, name, 0);
}

/* Opened each time: a host may allow 12 descriptors. -1: it cannot be opened, or another took its place. */
static int open_dir(const struct writer_lock *lock)
{
    struct stat st;
    int dir = open(lock->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (dir >= 0 && fstat(dir, &st) == 0 && st.st_dev == lock->dir.st_dev && st.st_ino == lock->dir.st_ino)
        return dir;
    if (dir >= 0)
        close(dir);
    return -1;
}

int64_t writer_lock_noted(const struct writer_lock *lock)
{
    int64_t greatest = number_in_lock(lock);
    int dir = open_dir(lock);

    if (dir >= 0) {
        (void)files_each(dir, take_greatest, &greatest); /* unreadable: what store.lock says */
        close(dir);
    }
    return greatest;
}

/* The first time, and after a process was killed half way. */
static void make_name(int dir, const char *name, int64_t number)
{
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return;
    close(fd);
    (void)files_each(dir, remove_smaller, &number); /* what is left now goes the next time */
}

void writer_lock_note(const struct writer_lock *lock, int64_t number)
{
    char before[WRITTEN_SIZE], now[WRITTEN_SIZE];
    int64_t noted = number_in_lock(lock);

    if (number <= noted)
        return;
    int dir = open_dir(lock);
    name_of(noted, before);
    name_of(number, now);
    if (dir >= 0 && renameat(dir, before, dir, now) != 0)
        make_name(dir, now, number);
    if (dir >= 0)
        close(dir);
    ssize_t written = pwrite(lock->lock_fd, &number, sizeof number, 0);
    (void)written;
}
