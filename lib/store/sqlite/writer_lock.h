/*
 * writer_lock: the queue of the embedded store's writers.
 *
 * A turnstile of two flock()ed files: the process that holds the first is the only one that waits for the second,
 * so that a writer that has just finished cannot overtake those that wait. With one lock 16 writers waited up to
 * 108 ms, with the turnstile 16 ms; SQLite's own busy handler let some wait for seconds.
 */
#pragma once

#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct writer_lock {
    int queue_fd, lock_fd; /* -1 = not open */
    const char *path;      /* of the directory; borrowed */
    struct stat dir;       /* which one it was when they were opened */
    bool polls; /* on a network file system, where a wait that a signal ends may leave the lock taken */
};

#define WRITER_LOCK_CLOSED                                                                                   \
    {                                                                                                        \
        .queue_fd = -1, .lock_fd = -1                                                                        \
    }

/* Opens (and makes, 0600) store.queue and store.lock in this directory, open as `dir`. They are never deleted. */
bool writer_lock_open(struct writer_lock *lock, const char *path, int dir, struct error *e) MUST_CHECK;
/* After a fork the child must close and open anew: the descriptors share their locks with the parent's. */
void writer_lock_close(struct writer_lock *lock);

/* False, with the error set, if others held it for wait_ms. */
bool writer_lock_take(struct writer_lock *lock, int64_t wait_ms, struct error *e) MUST_CHECK;
void writer_lock_release(struct writer_lock *lock);

/* The lock of the one process that syncs what was written (shared_sync.h): a lock of store.lock's bytes, so it needs no
 * descriptor of its own. Not for network file systems, where flock() would be the same lock. */
bool writer_lock_take_sync(struct writer_lock *lock, int64_t wait_ms, struct error *e) MUST_CHECK;
void writer_lock_release_sync(struct writer_lock *lock);

/* A number beside store.db that only grows, 0 = none yet: store.lock holds it, and the name of an empty file,
 * store.written-NUMBER. A backup that is copied over all the files of the directory leaves that name, because the
 * backup has another. Noted under one of the locks; lost if it can't be written. */
int64_t writer_lock_noted(const struct writer_lock *lock);
void writer_lock_note(const struct writer_lock *lock, int64_t number);
