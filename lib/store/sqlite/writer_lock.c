#include "store/sqlite/writer_lock.h"
#include "base/clock.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/time.h>
#include <unistd.h>

#define NUDGE_MS 20 /* how often the wait looks at its deadline */

bool writer_lock_open(struct writer_lock *lock, int dir, struct error *e)
{
    lock->queue_fd = openat(dir, "store.queue", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    lock->lock_fd = openat(dir, "store.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (lock->queue_fd >= 0 && lock->lock_fd >= 0)
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

/* -- a blocking flock with a deadline: the kernel keeps the waiters in order, a timer's signal ends the wait -- */

static void wake(int number)
{
    (void)number; /* only there to interrupt flock() */
}

/* until_ms 0 = without waiting */
static bool lock_file(const struct writer_lock *lock, int fd, int64_t until_ms)
{
    int how = until_ms && !lock->polls ? LOCK_EX : LOCK_EX | LOCK_NB;

    while (flock(fd, how) != 0) {
        if (!until_ms || (errno != EINTR && errno != EWOULDBLOCK) || clock_left_ms(until_ms) == 0)
            return false;
        if (errno == EWOULDBLOCK)
            (void)clock_sleep_ms(NUDGE_MS, NULL);
    }
    return true;
}

static bool pass(struct writer_lock *lock, int64_t until_ms)
{
    if (!lock_file(lock, lock->queue_fd, until_ms))
        return false;
    bool taken = lock_file(lock, lock->lock_fd, until_ms);
    int kept = errno;
    flock(lock->queue_fd, LOCK_UN);
    errno = kept;
    return taken;
}

/* The timer repeats: a signal that comes just before flock() begins to wait is followed by another. */
static bool wait_and_pass(struct writer_lock *lock, int64_t wait_ms)
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
    bool taken = setitimer(ITIMER_REAL, &often, NULL) == 0 && pass(lock, clock_mono_ms() + wait_ms);
    int kept = errno;
    setitimer(ITIMER_REAL, &never, NULL);
    sigprocmask(SIG_SETMASK, &mask_before, NULL);
    sigaction(SIGALRM, &action_before, NULL);
    errno = kept;
    return taken;
}

bool writer_lock_take(struct writer_lock *lock, int64_t wait_ms, struct error *e)
{
    if (pass(lock, 0) || (errno == EWOULDBLOCK && wait_ms > 0 && wait_and_pass(lock, wait_ms)))
        return true;
    if (errno == EINTR || errno == EWOULDBLOCK)
        error_set(e, "store.lock in DATA_DIR: another process has held it for %lld ms; `fuser` names it",
                  (long long)wait_ms);
    else
        error_set(e, "store.lock in DATA_DIR: cannot be taken: %s", strerror(errno));
    return false;
}

void writer_lock_release(struct writer_lock *lock)
{
    flock(lock->lock_fd, LOCK_UN);
}

/* -- the number -- */

int64_t writer_lock_noted(const struct writer_lock *lock)
{
    int64_t number;
    return pread(lock->lock_fd, &number, sizeof number, 0) == sizeof number ? number : 0;
}

void writer_lock_note(const struct writer_lock *lock, int64_t number)
{
    ssize_t written = pwrite(lock->lock_fd, &number, sizeof number, 0);
    (void)written;
}
