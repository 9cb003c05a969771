#include "base/clock.h"
#include "base/log.h"
#include "store/sqlite/db.h"
#include "store/sqlite/schema.h"
#include "store/sqlite/wal.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define LOCK_WAIT_MS 3000
#define VERSION ((int64_t)(sizeof steps / sizeof *steps))

static const char *const steps[] = {SCHEMA_STEPS};

/* -- directory and file -- */

static bool make_directory(const char *dir, struct error *e)
{
    struct stat st;

    if (mkdir(dir, 0700) != 0 && errno != EEXIST) {
        if (errno == ENOENT)
            error_set(e, "DATA_DIR=%s: its parent directory does not exist: create it, or name another place",
                      dir);
        else
            error_set(e, "DATA_DIR=%s: cannot be made: %s: make it, owned by the user that runs this program",
                      dir, strerror(errno));
        return false;
    }
    if (stat(dir, &st) != 0 || !S_ISDIR(st.st_mode)) {
        error_set(e, "DATA_DIR=%s: is no directory: name a directory of this program's own", dir);
        return false;
    }
    return true;
}

/* SQLite gives its other files the mode of this one. */
static bool make_file(const struct db *db, struct error *e)
{
    struct stat st;
    int fd = open(db->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd >= 0)
        close(fd);
    else if (errno != EEXIST) {
        error_set(e, "%s: cannot be made: %s: DATA_DIR must be writable for the user that runs this program",
                  db->path, strerror(errno));
        return false;
    }
    /* By name only: closing any descriptor of the file would drop SQLite's locks of this whole process. */
    if (stat(db->path, &st) == 0 && (st.st_mode & 077) != 0)
        log_event(db->log, LOG_LEVEL_WARN, "store", NULL,
                  "%s can be read by others (mode %04o): it holds customers' data, make it 0600", db->path,
                  (unsigned)(st.st_mode & 07777));
    return true;
}

/* -- what kind of file system -- */

bool db_is_network(int64_t statfs_type)
{
    static const uint32_t types[] = {
        0x6969,     /* NFS */
        0x517b,     /* SMB */
        0xff534d42, /* CIFS */
        0xfe534d42, /* SMB2 */
        0x65735546, /* FUSE: sshfs, s3fs, glusterfs */
        0x01021997, /* 9P */
        0x5346414f, /* AFS */
        0x6b414653, /* kAFS */
        0x00c36400, /* Ceph */
        0x73757245, /* Coda */
        0x0bd00bd0, /* Lustre */
        0x47504653, /* GPFS */
        0x7461636f, /* OCFS2 */
        0x01161970, /* GFS2 */
        0x786f4256, /* VirtualBox's shared folders */
        0xbacbacbc, /* VMware's */
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if ((uint32_t)statfs_type == types[i])
            return true;
    return false;
}

static void look_at_file_system(struct db *db)
{
    struct statfs fs;

    db->network = statfs(db->config->data_dir, &fs) == 0 && db_is_network((int64_t)fs.f_type);
    if (db->network)
        log_event(
            db->log, LOG_LEVEL_WARN, "store", NULL,
            "DATA_DIR=%s is on a network file system: slow, and only as safe as its locks and its server; "
            "use a local disk or Redis",
            db->config->data_dir);
}

/* -- settings of the connection, each looked at afterwards: SQLite ignores what it cannot do -- */

static bool pragma(struct db *db, struct error *e, const char *set, const char *get, const char *want)
{
    sqlite3_stmt *statement = NULL;
    char got[32] = "";

    int code = sqlite3_exec(db->sqlite, set, NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_prepare_v2(db->sqlite, get, -1, &statement, NULL);
    if (code == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW)
        db_text(statement, 0, got, sizeof got);
    sqlite3_finalize(statement);
    if (!strcmp(got, want))
        return true;
    if (code != SQLITE_OK)
        error_set(
            e, "%s: %s: %s%s", db->path, set, sqlite3_errmsg(db->sqlite),
            (code & 0xff) == SQLITE_NOTADB || (code & 0xff) == SQLITE_CORRUPT
                ? ": it is damaged or no database; keep a copy, then put a backup in its place or move it "
                  "away to begin anew"
                : "");
    else
        error_set(e, "%s: %s: SQLite answers \"%s\" instead of \"%s\"", db->path, set, got, want);
    return false;
}

static bool set_up(struct db *db, struct error *e)
{
    sqlite3_busy_timeout(db->sqlite, LOCK_WAIT_MS);
    /* Without WAL the directory must be synced too when the journal goes, which only EXTRA does. */
    return (db->network
                ? pragma(db, e, "PRAGMA journal_mode=DELETE", "PRAGMA journal_mode", "delete") &&
                      pragma(db, e, "PRAGMA synchronous=EXTRA", "PRAGMA synchronous", "3")
                : wal_keep(db, e) && pragma(db, e, "PRAGMA journal_mode=WAL", "PRAGMA journal_mode", "wal") &&
                      pragma(db, e, "PRAGMA synchronous=FULL", "PRAGMA synchronous", "2") &&
                      /* As it stays, it is cut instead. */
                      pragma(db, e, "PRAGMA journal_size_limit=0", "PRAGMA journal_size_limit", "0")) &&
           pragma(db, e, "PRAGMA secure_delete=ON", "PRAGMA secure_delete", "1") &&
           pragma(db, e, "PRAGMA trusted_schema=OFF", "PRAGMA trusted_schema", "0") &&
           pragma(db, e, "PRAGMA temp_store=MEMORY", "PRAGMA temp_store", "2");
}

/* -- schema -- */

static bool check_version(const struct db *db, int64_t version, int64_t tables, int64_t application,
                          struct error *e)
{
    if (version > VERSION) {
        error_set(
            e,
            "%s: has schema version %lld, this program knows up to %lld: run the newer woo_ghl that wrote it",
            db->path, (long long)version, (long long)VERSION);
        return false;
    }
    if ((version == 0 && tables > 0) || (version > 0 && application != SCHEMA_APPLICATION_ID)) {
        error_set(e, "%s: is a database of another program: name another DATA_DIR", db->path);
        return false;
    }
    return true;
}

static bool migrate(struct db *db, struct error *e)
{
    char sql[96];
    int64_t version = db_integer(db, 0, "PRAGMA user_version", ""),
            tables = db_integer(db, 0, "SELECT count(*) FROM sqlite_master", ""),
            application = db_integer(db, 0, "PRAGMA application_id", "");

    if (!db->failed && !check_version(db, version, tables, application, e))
        return false;
    for (int64_t i = version; !db->failed && i < VERSION; i++) {
        snprintf(sql, sizeof sql, "PRAGMA application_id=%d; PRAGMA user_version=%lld", SCHEMA_APPLICATION_ID,
                 (long long)i + 1);
        if (sqlite3_exec(db->sqlite, steps[i], NULL, NULL, NULL) != SQLITE_OK ||
            sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL) != SQLITE_OK)
            db_fail(db, "schema step %lld: %s", (long long)i + 1, sqlite3_errmsg(db->sqlite));
    }
    if (db->failed)
        *e = db->trouble;
    return !db->failed;
}

/* The row of this namespace; born when it is made. */
static bool find_space(struct db *db, struct error *e)
{
    const struct config *config = db->config;
    char *name = sqlite3_mprintf("%s:%s%s", config->redis_prefix, config->dry_run ? "dry:" : "",
                                 config->ghl_location_id);

    if (!name) {
        error_set(e, "Out of memory");
        return false;
    }
    db->space = db_integer(db, 0, "SELECT id FROM spaces WHERE name = ?", "t", name);
    if (!db->space && !db->failed) {
        db_run(db, "INSERT INTO spaces(name, born_ms) VALUES(?, ?)", "ti", name,
               clock_wall_ms() + db->shift_ms);
        db->space = sqlite3_last_insert_rowid(db->sqlite);
    }
    sqlite3_free(name);
    if (db->failed)
        *e = db->trouble;
    return !db->failed;
}

/* Every namespace in the file may lack links to cards that GHL holds: it is born anew. */
static void forget(struct db *db, const char *what)
{
    int64_t now_ms = clock_wall_ms() + db->shift_ms;

    db_run(db, SCHEMA_KEEP_FIRST_USED, "i", now_ms);
    db_run(db, "UPDATE spaces SET born_ms = ?1, forgot_ms = ?1, reconcile_wanted = " SCHEMA_WANT_RECONCILE,
           "i", now_ms);
    error_set(
        &db->lost,
        "%s%s: it may hold less than was stored. Orders accepted since may be lost: run `woo_ghl reconcile`, "
        "which reads them from the shop. Cards of that time are looked for in GHL before any is made",
        db->path, what);
    log_event(db->log, LOG_LEVEL_ERROR, "store", NULL, "%s", db->lost.text);
}

/* -- opening -- */

static bool open_sqlite(struct db *db, struct error *e)
{
    int code = sqlite3_open_v2(db->path, &db->sqlite, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);

    if (code != SQLITE_OK) {
        error_set(e, "%s: cannot be opened: %s", db->path,
                  db->sqlite ? sqlite3_errmsg(db->sqlite) : "out of memory");
        return false;
    }
    sqlite3_extended_result_codes(db->sqlite, 1);
    return true;
}

static bool prepare(struct db *db, struct error *e)
{
    bool missing = !db->saved && wal_is_missing(db);

    /* A new log beside the deleted one, which others still use, would destroy the file. */
    if (missing && wal_is_in_use(db)) {
        error_set(e,
                  "%s-wal was deleted while other processes use it: they write it into store.db at the next "
                  "order, or when "
                  "they are stopped",
                  db->path);
        return false;
    }
    if (!set_up(db, e))
        return false;
    missing = missing && !db->network && db_integer(db, 0, "PRAGMA user_version", "") >= SCHEMA_LOG_STAYS;
    db_run(db, "BEGIN IMMEDIATE", "");
    if (!db->failed && (!migrate(db, e) || !find_space(db, e)))
        return false;
    if (missing)
        forget(db, "-wal is missing, so that store.db is as it was some time ago (a backup, or the log was "
                   "deleted)");
    else if (db->moved)
        forget(db, " was deleted or replaced while it was in use");
    db_run(db, "COMMIT", "");
    wal_note(db);
    if (!db->failed)
        db->saved = db->moved = false;
    if (db->failed)
        *e = db->trouble;
    return !db->failed;
}

bool db_connect(struct db *db, struct error *e)
{
    bool good = false;

    db->failed = db->lazy = false;
    db->pid = getpid();
    if (!make_directory(db->config->data_dir, e) || !store_lock_open(&db->lock, db->config->data_dir, e))
        return false;
    if (!store_lock_take(&db->lock, LOCK_WAIT_MS, e))
        goto out;
    look_at_file_system(db);
    good = make_file(db, e) && open_sqlite(db, e) && prepare(db, e);
    store_lock_release(&db->lock);
out:
    if (!good)
        db_disconnect(db);
    return good;
}

void db_disconnect(struct db *db)
{
    for (size_t i = 0; i < DB_STATEMENTS; i++)
        sqlite3_finalize(db->cache[i].statement);
    memset(db->cache, 0, sizeof db->cache);
    /* In a child this closes the parent's connection, which is idle: its locks are per process and stay, and
     * the child gets none that the parent holds. Left open, SQLite would take the parent's locks for the
     * child's. */
    if (sqlite3_close(db->sqlite) != SQLITE_OK)
        log_event(db->log, LOG_LEVEL_ERROR, "store", NULL, "%s: cannot be closed: %s", db->path,
                  sqlite3_errmsg(db->sqlite));
    db->sqlite = NULL;
    store_lock_close(&db->lock);
}

bool db_open(struct db *db, const struct config *config, struct log *log, struct error *e)
{
    *db = (struct db){.config = config, .log = log, .lock = STORE_LOCK_CLOSED};
    size_t size = strlen(config->data_dir) + sizeof "/store.db";

    db->path = malloc(size);
    if (!db->path) {
        error_set(e, "Out of memory");
        return false;
    }
    snprintf(db->path, size, "%s/store.db", config->data_dir);
    /* Without it leases of an earlier boot are known by their length only. */
    clock_boot_id(db->boot_id);
    if (db_connect(db, e))
        return true;
    free(db->path);
    db->path = NULL;
    return false;
}

void db_close(struct db *db)
{
    if (!db)
        return;
    db_disconnect(db);
    free(db->path);
    db->path = NULL;
}
