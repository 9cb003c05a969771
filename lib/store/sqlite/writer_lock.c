#include "store/sqlite/writer_lock.h"
#include "base/clock.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

#define NUDGE_MS 20 /* how often the wait looks at its deadline */

static int open_file(const char *dir, const char *name, struct error *e)
{
    char path[4096];

    if ((size_t)snprintf(path, sizeof path, "%s/%s", dir, name) >= sizeof path) {
        error_set(e, "DATA_DIR=%s: its name is too long", dir);
        return -1;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        error_set(e, "%s: cannot be opened for writing: %s", path, strerror(errno));
    return fd;
}

bool writer_lock_open(struct writer_lock *lock, const char *dir, struct error *e)
{
    lock->queue_fd = open_file(dir, "store.queue", e);
    if (lock->queue_fd < 0)
        return false;
    lock->lock_fd = open_file(dir, "store.lock", e);
    if (lock->lock_fd >= 0)
        return true;
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

struct nudge {
    timer_t timer;
    struct sigaction before;
    sigset_t mask_before;
};

static bool nudge_begin(struct nudge *nudge)
{
    struct sigaction action = {.sa_handler = wake}; /* without SA_RESTART */
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGALRM};
    const struct itimerspec often = {.it_value = {.tv_nsec = NUDGE_MS * 1000000L},
                                     .it_interval = {.tv_nsec = NUDGE_MS * 1000000L}};
    sigset_t alarm_only;

    sigemptyset(&action.sa_mask);
    sigemptyset(&alarm_only);
    sigaddset(&alarm_only, SIGALRM);
    event.sigev_notify_thread_id = gettid();
    if (timer_create(CLOCK_MONOTONIC, &event, &nudge->timer) != 0)
        return false;
    if (sigaction(SIGALRM, &action, &nudge->before) != 0)
        goto no_action;
    if (pthread_sigmask(SIG_UNBLOCK, &alarm_only, &nudge->mask_before) != 0)
        goto no_mask;
    /* It repeats: a signal that comes just before flock() begins to wait is followed by another. */
    if (timer_settime(nudge->timer, 0, &often, NULL) == 0)
        return true;
    pthread_sigmask(SIG_SETMASK, &nudge->mask_before, NULL);
no_mask:
    sigaction(SIGALRM, &nudge->before, NULL);
no_action:
    timer_delete(nudge->timer);
    return false;
}

static void nudge_end(struct nudge *nudge)
{
    timer_delete(nudge->timer); /* its last signal has been delivered when this returns */
    pthread_sigmask(SIG_SETMASK, &nudge->mask_before, NULL);
    sigaction(SIGALRM, &nudge->before, NULL);
}

static bool wait_for(int fd, int64_t deadline_mono_ms)
{
    while (flock(fd, LOCK_EX) != 0)
        if (errno != EINTR || clock_left_ms(deadline_mono_ms) == 0)
            return false;
    return true;
}

static bool take_both(struct writer_lock *lock, int64_t deadline_mono_ms)
{
    if (!wait_for(lock->queue_fd, deadline_mono_ms))
        return false;
    bool taken = wait_for(lock->lock_fd, deadline_mono_ms);
    int kept = errno;
    flock(lock->queue_fd, LOCK_UN);
    errno = kept;
    return taken;
}

bool writer_lock_take(struct writer_lock *lock, int64_t wait_ms, struct error *e)
{
    struct nudge nudge;

    if (flock(lock->queue_fd, LOCK_EX | LOCK_NB) == 0) {
        bool taken = flock(lock->lock_fd, LOCK_EX | LOCK_NB) == 0;
        flock(lock->queue_fd, LOCK_UN);
        if (taken)
            return true;
    }
    if (!nudge_begin(&nudge)) {
        error_set(e, "store.lock in DATA_DIR: no timer to wait for it: %s", strerror(errno));
        return false;
    }
    bool taken = take_both(lock, clock_mono_ms() + wait_ms);
    int why = errno;
    nudge_end(&nudge);
    if (!taken && why == EINTR)
        error_set(e,
                  "store.lock in DATA_DIR: another process has held it for %lld ms; find a stopped one with "
                  "fuser",
                  (long long)wait_ms);
    else if (!taken)
        error_set(e, "store.lock in DATA_DIR: cannot be taken: %s", strerror(why));
    return taken;
}

void writer_lock_release(struct writer_lock *lock)
{
    flock(lock->lock_fd, LOCK_UN);
}
