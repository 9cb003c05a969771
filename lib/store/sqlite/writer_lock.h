/*
 * store_lock: the line in which the writers of the embedded store queue.
 *
 * A turnstile of two flock()ed files: whoever holds the first waits alone for the second, so that a writer
 * that has just finished cannot slip in before those who wait. With one lock 16 writers waited up to 108 ms
 * for their turn, with the turnstile 16 ms; SQLite's own busy handler let some wait for seconds.
 */
#ifndef WOO_GHL_STORE_LOCK_H
#define WOO_GHL_STORE_LOCK_H

#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>

struct store_lock {
    int queue_fd, turn_fd; /* -1 = not open */
};

#define STORE_LOCK_CLOSED                                                                                    \
    {                                                                                                        \
        -1, -1                                                                                               \
    }

/* Opens (and makes, 0600) DIR/store.queue and DIR/store.lock. They are never deleted. */
bool store_lock_open(struct store_lock *lock, const char *dir, struct error *e) MUST_CHECK;
/* After a fork the child must close and open anew: the descriptors share their locks with the parent's. */
void store_lock_close(struct store_lock *lock);

/* False when the turn did not come within wait_ms, with the error set. */
bool store_lock_take(struct store_lock *lock, int64_t wait_ms, struct error *e) MUST_CHECK;
void store_lock_release(struct store_lock *lock);

#endif
