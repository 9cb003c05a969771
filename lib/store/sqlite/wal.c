#include "store/sqlite/wal.h"
#include "base/log.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_WAIT_MS 3000
#define SHM_LOCKS 120 /* "WAL-mode File Format", sqlite.org/walformat.html: locks of the shared memory */
#define SHM_LOCKS_LEN 9

/* 0 = there is none. */
static uint64_t file_number(const struct db *db)
{
    char path[4096];
    struct stat st;
    int n = snprintf(path, sizeof path, "%s-wal", db->path);

    return n > 0 && n < (int)sizeof path && stat(path, &st) == 0 ? (uint64_t)st.st_ino : 0;
}

bool wal_is_missing(const struct db *db)
{
    struct stat st;
    return stat(db->path, &st) == 0 && st.st_size > 0 && file_number(db) == 0;
}

bool wal_is_in_use(const struct db *db)
{
    char path[4096];
    /* Where SQLite's own locks lie: each connection holds one of them. */
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = SHM_LOCKS, .l_len = SHM_LOCKS_LEN};
    int n = snprintf(path, sizeof path, "%s-shm", db->path);
    int fd = n > 0 && n < (int)sizeof path ? open(path, O_RDWR | O_CLOEXEC) : -1;

    if (fd < 0)
        return false;
    bool used = fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    close(fd);
    return used;
}

bool wal_keep(const struct db *db, struct error *e)
{
    int keep = 1;

    if (sqlite3_file_control(db->sqlite, "main", SQLITE_FCNTL_PERSIST_WAL, &keep) == SQLITE_OK)
        return true;
    error_set(e, "%s: SQLite cannot keep its log", db->path);
    return false;
}

void wal_note(struct db *db)
{
    db->wal_number = db->network ? 0 : file_number(db);
}

/* Under the lock nobody begins a new log meanwhile: the two could not be told apart. */
static bool rescue(struct db *db, uint64_t *number)
{
    struct error e = ERROR_NONE;
    int pages = 0, done = 0;
    bool good = false;

    if (!store_lock_take(&db->lock, LOCK_WAIT_MS, &e))
        return false;
    *number = file_number(db);
    if (*number == 0)
        good = sqlite3_wal_checkpoint_v2(db->sqlite, "main", SQLITE_CHECKPOINT_FULL, &pages, &done) ==
                   SQLITE_OK &&
               pages == done;
    store_lock_release(&db->lock);
    return good;
}

enum wal_state wal_look(struct db *db)
{
    uint64_t number = file_number(db);
    int never = 1;

    if (!db->wal_number || number == db->wal_number)
        return WAL_MINE;
    bool saved = number == 0 && rescue(db, &number);
    log_event(db->log, LOG_LEVEL_ERROR, "store", NULL,
              "%s-wal was deleted or replaced while it was in use: %s", db->path,
              saved    ? "what it held is in store.db now"
              : number ? "the new one is used"
                       : "what was stored last may be lost");
    /* Closed as the last one, it would write its pages into a file that is another's by now. */
    if (sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, never, NULL) != SQLITE_OK)
        log_event(db->log, LOG_LEVEL_ERROR, "store", NULL, "%s: SQLite does not take NO_CKPT_ON_CLOSE",
                  db->path);
    return saved ? WAL_GONE : WAL_ANOTHER;
}
