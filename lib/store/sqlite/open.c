#include "base/files.h"
#include "base/log.h"
#include "store/sqlite/db.h"
#include "store/sqlite/table.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define APPLICATION_ID 0x776f6f67 /* "woog" */
#define SQL_MAX 16384
/* What was written to the log is synced by shared_sync.h, and before each checkpoint by SQLite. */
#define SYNCED_LATER "PRAGMA synchronous=NORMAL"
#define DB_SETTINGS "PRAGMA secure_delete=ON; PRAGMA trusted_schema=OFF; PRAGMA temp_store=MEMORY;"

/* -- the file -- */

/* SQLite gives its other files the mode of this one. By its name only: closing any descriptor of a file that is in
 * use would drop SQLite's locks of this whole process. */
static bool make_file(const struct db *db, int dir, struct error *e)
{
    struct stat st;
    int fd = openat(dir, "store.db", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd >= 0)
        close(fd);
    else if (errno != EEXIST) {
        error_set(e, "%s: cannot be made: %s: DATA_DIR must be writable for the user that runs this program",
                  db->path, strerror(errno));
        return false;
    }
    if (fd < 0 && fstatat(dir, "store.db", &st, 0) == 0 && (st.st_mode & 077) != 0)
        log_event(db->log, LOG_LEVEL_WARN, "store", NULL,
                  "%s can be read by others (mode %04o): it holds customers' data, make it 0600", db->path,
                  (unsigned)(st.st_mode & 07777));
    return true;
}

bool db_is_network(int64_t statfs_type)
{
    /* NFS, SMB, CIFS, SMB2, FUSE (sshfs, s3fs, glusterfs), 9P, AFS, kAFS, Ceph, Coda, Lustre, GPFS, OCFS2, GFS2, the
     * shared folders of VirtualBox and VMware: linux/magic.h, and statfs(2) */
    static const uint32_t types[] = {0x6969,     0x517b,     0xff534d42, 0xfe534d42, 0x65735546, 0x01021997,
                                     0x5346414f, 0x6b414653, 0x00c36400, 0x73757245, 0x0bd00bd0, 0x47504653,
                                     0x7461636f, 0x01161970, 0x786f4256, 0xbacbacbc};

    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if ((uint32_t)statfs_type == types[i])
            return true;
    return false;
}

/* -- what a usable file has: journal, tables, the namespace's row, this boot's clock -- */

/* Does the row of store.db belong to this boot? Then the clock goes by it. */
static bool clock_use(struct store_clock *clock, const char *boot, int64_t offset_ms, int64_t last_ms)
{
    if (strcmp(boot, clock->boot) != 0 || clock_mono_ms() + offset_ms < last_ms)
        return false;
    clock->offset_ms = offset_ms;
    clock->noted_ms = last_ms;
    return true;
}

/* The first of a new boot: an offset of its own. last_ms 0 = store.db is new. */
static void clock_begin(struct store_clock *clock, int64_t last_ms)
{
    int64_t wall_ms = clock_wall_ms(), least_ms = last_ms ? last_ms + STORE_CLOCK_NOTE_MS : 0;

    clock->noted_ms = wall_ms > least_ms ? wall_ms : least_ms;
    clock->offset_ms = clock->noted_ms - clock_mono_ms();
}

static void pragma(struct db *db, const char *sql)
{
    if (!db->failed && sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL) != SQLITE_OK)
        db_sqlite_failed(db);
}

static bool find_namespace(struct db *db)
{
    db->namespace_id = db_integer(db, 0, "SELECT id FROM namespaces WHERE name = ?", "t", db->namespace_name);
    return db->namespace_id != 0;
}

/* What is noted beside store.db is at most what store.db knows, unless that is older than it was: a backup that was
 * copied over it, or a log (-wal) that was deleted. */
static bool find_clock(struct db *db, int64_t *last_ms)
{
    char boot[CLOCK_BOOT_ID_SIZE];
    bool mine = false;
    int64_t noted_ms = writer_lock_noted(&db->lock); /* before the row: a writer changes the row first */
    sqlite3_stmt *row = db_query(db, "SELECT boot, ahead, last, lost FROM clock", "");

    *last_ms = db->lost = 0;
    if (db_next(db, row)) {
        db_text(row, 0, boot, sizeof boot);
        *last_ms = sqlite3_column_int64(row, 2);
        db->lost = sqlite3_column_int64(row, 3);
        mine = clock_use(&db->clock, boot, sqlite3_column_int64(row, 1), *last_ms) && noted_ms <= *last_ms;
        db_done(row);
    }
    if (noted_ms > *last_ms) {
        *last_ms = noted_ms;
        db->lost++;
    }
    return mine;
}

/* Is nothing left to be made? It waits for no writer. */
static bool is_ready(struct db *db)
{
    char journal[16] = "";
    int64_t last_ms;
    sqlite3_stmt *row = db_query(db, "PRAGMA journal_mode", "");

    if (db_next(db, row)) {
        db_text(row, 0, journal, sizeof journal);
        db_done(row);
    }
    return !strcmp(journal, db->network ? "delete" : "wal") &&
           db_integer(db, 0, "PRAGMA user_version", "") == table_version() && find_namespace(db) &&
           find_clock(db, &last_ms);
}

static void make_tables(struct db *db)
{
    struct buf sql;
    int64_t version = db_integer(db, 0, "PRAGMA user_version", "");

    if (version == table_version() || db->failed)
        return;
    if (version && db_integer(db, 0, "PRAGMA application_id", "") == APPLICATION_ID)
        db_fail(
            db,
            "another version of woo_ghl made it: let that one work off its orders, then move the file away");
    else if (version || db_integer(db, 0, "SELECT count(*) FROM sqlite_schema", ""))
        db_fail(db, "is a database of another program: name another DATA_DIR");
    buf_init(&sql, SQL_MAX);
    if (!table_create(&sql) || !buf_addf(&sql, "PRAGMA application_id=%d; PRAGMA user_version=%lld",
                                         APPLICATION_ID, (long long)table_version()))
        db_fail(db, "out of memory");
    if (!db->failed && sqlite3_exec(db->sqlite, sql.data, NULL, NULL, NULL) != SQLITE_OK)
        db_sqlite_failed(db);
    buf_free(&sql);
}

/* Under the writers' lock. */
static void make(struct db *db)
{
    int64_t last_ms = 0;

    pragma(db,
           db->network ? "PRAGMA journal_mode=DELETE" : "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL");
    db_run(db, "BEGIN IMMEDIATE", "");
    make_tables(db);
    if (!db->failed && !find_namespace(db)) {
        db_run(db, "INSERT INTO namespaces(name) VALUES(?)", "t", db->namespace_name);
        db->namespace_id = sqlite3_last_insert_rowid(db->sqlite);
    }
    if (!db->failed && !find_clock(db, &last_ms)) {
        clock_begin(&db->clock, last_ms);
        db_run(db, "INSERT OR REPLACE INTO clock(id, boot, ahead, last, lost) VALUES(1, ?, ?, ?, ?)", "tiii",
               db->clock.boot, db->clock.offset_ms, db->clock.noted_ms, db->lost);
    }
    db_run(db, "COMMIT", "");
    pragma(db, db->network ? "" : SYNCED_LATER);
}

/* -- opening -- */

static bool open_sqlite(struct db *db, int dir)
{
    struct statfs fs;

    db->network = db->lock.polls = fstatfs(dir, &fs) == 0 && db_is_network((int64_t)fs.f_type);
    if (sqlite3_open_v2(db->path, &db->sqlite, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
        SQLITE_OK) {
        db_sqlite_failed(db);
        return false;
    }
    sqlite3_extended_result_codes(db->sqlite, 1);
    sqlite3_busy_timeout(db->sqlite, DB_WAIT_MS); /* others than this program's writers, such as a backup */
    /* Without a log the directory must be synced, too, when the journal goes, which only EXTRA does. */
    pragma(db, db->network ? DB_SETTINGS "PRAGMA synchronous=EXTRA" : DB_SETTINGS SYNCED_LATER);
    return !db->failed;
}

/* A file that was put back from a backup is another one. */
static void name_file(struct db *db, int dir)
{
    struct files_identity id;

    if (!files_identify(dir, "store.db", &id)) {
        db_fail(db, "cannot be looked at: %s", strerror(errno));
        return;
    }
    snprintf(db->file, sizeof db->file, "%x.%x-%llx-%llx.%x-%lld", id.dev_major, id.dev_minor,
             (unsigned long long)id.inode, (unsigned long long)id.birth_s, id.birth_ns, (long long)db->lost);
}

static bool connect_in(struct db *db, int dir, struct error *e)
{
    if (!writer_lock_open(&db->lock, db->dir, dir, e) || !make_file(db, dir, e))
        return false;
    if (!open_sqlite(db, dir) || (!db->network && !shared_sync_open(&db->sync, dir, &db->trouble)))
        db->failed = true;
    if (!db->failed && !is_ready(db) && !db->failed) {
        if (!writer_lock_take(&db->lock, DB_WAIT_MS, e))
            return false;
        make(db);
        writer_lock_release(&db->lock);
    }
    if (!db->failed)
        name_file(db, dir);
    if (db->failed && e != &db->trouble)
        *e = db->trouble;
    return !db->failed;
}

bool db_connect(struct db *db, struct error *e)
{
    int dir = files_open_dir(db->dir, e);

    db->failed = db->full = false;
    if (dir < 0) {
        error_prefix(e, "DATA_DIR");
        return false;
    }
    bool good = connect_in(db, dir, e);
    close(dir);
    if (!good)
        db_disconnect(db);
    return good;
}

void db_disconnect(struct db *db)
{
    for (size_t i = 0; i < DB_STATEMENTS; i++)
        sqlite3_finalize(db->cache[i].statement);
    memset(db->cache, 0, sizeof db->cache);
    if (sqlite3_close(db->sqlite) != SQLITE_OK)
        log_event(db->log, LOG_LEVEL_ERROR, "store", NULL, "%s: cannot be closed: %s", db->path,
                  sqlite3_errmsg(db->sqlite));
    db->sqlite = NULL;
    shared_sync_close(&db->sync);
    writer_lock_close(&db->lock);
}

bool db_open(struct db *db, const char *dir, const char *namespace_name, struct log *log, struct error *e)
{
    size_t size = strlen(dir) + sizeof "/store.db";

    *db = (struct db){.dir = dir, .log = log, .lock = WRITER_LOCK_CLOSED};
    clock_boot_id(db->clock.boot);
    db->path = malloc(size);
    db->namespace_name = strdup(namespace_name);
    if (!db->path || !db->namespace_name) {
        error_set(e, "Out of memory");
        db_close(db);
        return false;
    }
    snprintf(db->path, size, "%s/store.db", dir);
    if (db_connect(db, e))
        return true;
    db_close(db);
    return false;
}

void db_close(struct db *db)
{
    db_disconnect(db);
    free(db->path);
    free(db->namespace_name);
    db->path = db->namespace_name = NULL;
}
