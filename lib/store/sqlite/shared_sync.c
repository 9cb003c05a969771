#include "store/sqlite/shared_sync.h"
#include "base/files.h"
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define SIZE 4096    /* a page */
#define WAIT_MS 3000 /* for the process that syncs */

bool shared_sync_open(struct shared_sync *sync, int dir, struct error *e)
{
    sync->counters = files_map(dir, "store.sync", SIZE);
    if (!sync->counters)
        error_set(e, "store.sync in DATA_DIR: cannot be mapped: %s", strerror(errno));
    return sync->counters != NULL;
}

void shared_sync_close(struct shared_sync *sync)
{
    if (sync->counters)
        munmap(sync->counters, SIZE);
    sync->counters = NULL;
}

/* -- counting; each counter is changed under one lock only -- */

static void raise_to(_Atomic uint64_t *counter, uint64_t number)
{
    if (atomic_load(counter) < number)
        atomic_store(counter, number);
}

void shared_sync_begin(struct shared_sync *sync)
{
    struct shared_sync_counters *c = sync->counters;

    if (!c)
        return;
    raise_to(&c->begun, atomic_load(&c->written));
    raise_to(&c->begun, atomic_load(&c->synced));
    atomic_fetch_add(&c->begun, 1);
}

void shared_sync_written(struct shared_sync *sync, int64_t noted_ms)
{
    struct shared_sync_counters *c = sync->counters;

    if (!c)
        return;
    if (noted_ms)
        atomic_store(&c->written_ms, noted_ms);
    atomic_store(&c->written, atomic_load(&c->begun));
}

uint64_t shared_sync_seen(const struct shared_sync *sync)
{
    return sync->counters ? atomic_load(&sync->counters->begun) : 0;
}

/* -- syncing -- */

/* By SQLite's own method, which also syncs the directory if the log is new. */
static bool sync_log(sqlite3 *sqlite)
{
    sqlite3_file *log = NULL;

    return sqlite3_file_control(sqlite, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) == SQLITE_OK && log &&
           log->pMethods && log->pMethods->xSync(log, SQLITE_SYNC_NORMAL) == SQLITE_OK;
}

static bool empty_log(sqlite3 *sqlite)
{
    return sqlite3_wal_checkpoint_v2(sqlite, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) == SQLITE_OK &&
           sync_log(sqlite);
}

/* Under the lock of those who sync. A commit that was begun and is not written, because its process was killed, is
 * no commit: who has seen its number needs just this sync. */
static bool sync_for_all(struct shared_sync_counters *c, const struct writer_lock *lock, sqlite3 *sqlite)
{
    uint64_t written = atomic_load(&c->written);
    int64_t written_ms = atomic_load(&c->written_ms);

    errno = 0;
    if (!(atomic_load(&c->broken) ? empty_log(sqlite) : sync_log(sqlite))) {
        atomic_store(&c->broken, true);
        return false;
    }
    atomic_store(&c->broken, false);
    raise_to(&c->synced, written);
    writer_lock_note(lock, written_ms);
    return true;
}

bool shared_sync_until(struct shared_sync *sync, struct writer_lock *lock, uint64_t number, sqlite3 *sqlite,
                       struct error *e)
{
    struct shared_sync_counters *c = sync->counters;

    if (!c || atomic_load(&c->synced) >= number)
        return true;
    if (!writer_lock_take_sync(lock, WAIT_MS, e))
        return false;
    bool good = atomic_load(&c->synced) >= number || sync_for_all(c, lock, sqlite);
    int why = errno;
    writer_lock_release_sync(lock);
    if (!good)
        error_set(e, "store.db-wal in DATA_DIR: cannot be synced: %s", why ? strerror(why) : "it is in use");
    errno = why;
    return good;
}
