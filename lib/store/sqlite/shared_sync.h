/*
 * shared_sync: one sync of the embedded store's log for all that committed meanwhile.
 *
 * A commit is written to the log (store.db-wal) under the writers' lock, and synced when that lock is free again: the
 * next writer writes while the disk works, and one sync is for all who wrote before it began. So a transaction may read
 * what is not on disk yet. If others may be told what it read, it ends with shared_sync_until, too.
 *
 * All processes map the counters, DATA_DIR/store.sync. A crash of the machine may leave them of different moments: the
 * next commit's number is greater than all of them.
 *
 * After a failed sync the kernel may have given up what was written, and tells of it once. All that follows in the log
 * is worth nothing without it. So SQLite then copies the log into store.db, as long as the pages are still in memory, and
 * empties it, before anything counts as synced again.
 */
#pragma once

#include "store/sqlite/writer_lock.h"
#include <sqlite3.h>
#include <stdatomic.h>

struct shared_sync {
    struct shared_sync_counters {
        _Atomic uint64_t begun;   /* the last commit that others may see: counted before it is made */
        _Atomic uint64_t written; /* the last one that is whole in the log */
        _Atomic uint64_t synced;  /* all up to this one are on disk */
        _Atomic bool broken;      /* a sync failed */
        _Atomic int64_t
            written_ms; /* the time that the last one noted in store.db, which is on disk with it */
    } * counters;       /* NULL = not mapped: SQLite itself syncs each commit */
};

/* Maps store.sync in this directory; it is made if it is missing, and never deleted. */
bool shared_sync_open(struct shared_sync *sync, int dir, struct error *e) MUST_CHECK;
void shared_sync_close(struct shared_sync *sync);

/* Before and after a commit, under the writers' lock. noted_ms: the time that it noted; 0 = it failed. */
void shared_sync_begin(struct shared_sync *sync);
void shared_sync_written(struct shared_sync *sync, int64_t noted_ms);

/* The number of the last commit that a transaction may have seen, asked at its end; its own while it has the lock. */
uint64_t shared_sync_seen(const struct shared_sync *sync);

/* Returns when all up to this commit are on disk: syncs for everyone, unless another process just did, and notes when
 * the last one was made (writer_lock_note). Not within a transaction. False with error and errno set. */
bool shared_sync_until(struct shared_sync *sync, struct writer_lock *lock, uint64_t number, sqlite3 *sqlite,
                       struct error *e) MUST_CHECK;
