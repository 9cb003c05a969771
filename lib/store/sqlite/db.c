#include "store/sqlite/db.h"
#include "base/log.h"
#include <errno.h>
#include <stdarg.h>
#include <string.h>

/* -- failures -- */

static bool means_full(int code)
{
    return code == ENOSPC || code == EDQUOT || code == EFBIG;
}

/* Disk full in all its forms: SQLite knows ENOSPC of a write, the rest shows in the system's error. If SQLite has
 * not kept that (the log of WAL), errno still holds it: it was 0 before the step. */
static bool is_full(const struct db *db)
{
    if (sqlite3_errcode(db->sqlite) == SQLITE_FULL)
        return true;
    int kept = sqlite3_system_errno(db->sqlite);
    return (sqlite3_errcode(db->sqlite) & 0xff) == SQLITE_IOERR && means_full(kept ? kept : errno);
}

const char *db_advice(int code)
{
    switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return ": it is damaged or no database of this program; stop everything, keep a copy, then put a "
               "backup in "
               "its place or move it away to begin anew";
    case SQLITE_BUSY: return ": another program holds it";
    case SQLITE_READONLY: return ": make it writable for the user that runs this program";
    default: return "";
    }
}

/* The first failure is the cause; what follows from it is not told. */
void db_sqlite_failed(struct db *db)
{
    if (db->failed)
        return;
    int code = sqlite3_extended_errcode(db->sqlite);
    db->failed = true;
    db->full = is_full(db);
    error_set(&db->trouble, "%s: %s (SQLite %d)%s%s", db->path, sqlite3_errmsg(db->sqlite), code,
              db_advice(code), db->full ? ": make room on its disk" : "");
}

enum store_result db_failure(const struct db *db)
{
    return db->full ? STORE_FULL : STORE_UNAVAILABLE;
}

/* -- statements -- */

static sqlite3_stmt *prepared(struct db *db, const char *sql)
{
    size_t i = 0;

    while (i < DB_STATEMENTS && db->cache[i].sql && db->cache[i].sql != sql)
        i++;
    if (i == DB_STATEMENTS) {
        db_fail(db, "more than %d prepared statements: raise DB_STATEMENTS", DB_STATEMENTS);
        return NULL;
    }
    if (!db->cache[i].sql && sqlite3_prepare_v3(db->sqlite, sql, -1, SQLITE_PREPARE_PERSISTENT,
                                                &db->cache[i].statement, NULL) != SQLITE_OK) {
        db_sqlite_failed(db);
        return NULL;
    }
    db->cache[i].sql = sql;
    return db->cache[i].statement;
}

static int bind_one(sqlite3_stmt *statement, int index, char type, va_list *args)
{
    const void *bytes;
    int64_t number;

    switch (type) {
    case 't': return sqlite3_bind_text(statement, index, va_arg(*args, const char *), -1, SQLITE_STATIC);
    case 'i': return sqlite3_bind_int64(statement, index, va_arg(*args, int64_t));
    case 'n':
        number = va_arg(*args, int64_t);
        return number ? sqlite3_bind_int64(statement, index, number) : sqlite3_bind_null(statement, index);
    case 'b':
        bytes = va_arg(*args, const void *);
        return sqlite3_bind_blob64(statement, index, bytes, va_arg(*args, size_t), SQLITE_STATIC);
    default: return SQLITE_MISUSE;
    }
}

static sqlite3_stmt *bound(struct db *db, const char *sql, const char *types, va_list *args)
{
    if (db->failed)
        return NULL;
    sqlite3_stmt *statement = prepared(db, sql);
    for (int i = 0; statement && types[i]; i++)
        if (bind_one(statement, i + 1, types[i], args) != SQLITE_OK) {
            db_sqlite_failed(db);
            return NULL;
        }
    return statement;
}

sqlite3_stmt *db_query(struct db *db, const char *sql, const char *types, ...)
{
    va_list args;
    va_start(args, types);
    sqlite3_stmt *statement = bound(db, sql, types, &args);
    va_end(args);
    return statement;
}

bool db_next(struct db *db, sqlite3_stmt *statement)
{
    if (!statement)
        return false;
    errno = 0;
    int code = db->failed ? SQLITE_DONE : sqlite3_step(statement);
    if (code == SQLITE_ROW)
        return true;
    if (code != SQLITE_DONE)
        db_sqlite_failed(db);
    db_done(statement);
    return false;
}

void db_done(sqlite3_stmt *statement)
{
    if (!statement)
        return;
    sqlite3_reset(statement); /* tells the step's failure again, which is known */
    sqlite3_clear_bindings(statement);
}

int64_t db_run(struct db *db, const char *sql, const char *types, ...)
{
    va_list args;
    va_start(args, types);
    sqlite3_stmt *statement = bound(db, sql, types, &args);
    va_end(args);
    while (db_next(db, statement))
        ;
    return db->failed ? 0 : sqlite3_changes64(db->sqlite);
}

int64_t db_integer(struct db *db, int64_t absent, const char *sql, const char *types, ...)
{
    int64_t value = absent;
    va_list args;

    va_start(args, types);
    sqlite3_stmt *statement = bound(db, sql, types, &args);
    va_end(args);
    if (db_next(db, statement)) {
        if (sqlite3_column_type(statement, 0) != SQLITE_NULL)
            value = sqlite3_column_int64(statement, 0);
        db_done(statement);
    }
    return value;
}

void db_text(sqlite3_stmt *statement, int column, char *out, size_t size)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);
    size_t n = text ? strnlen(text, size - 1) : 0;

    if (n)
        memcpy(out, text, n);
    out[n] = '\0';
}

/* -- transactions -- */

int64_t store_clock_now(const struct store_clock *clock)
{
    return clock_mono_ms() + clock->offset_ms + clock->shift_ms;
}

/* A deleted or replaced file would take orders that nobody ever reads again. */
static void look_at_file(struct db *db)
{
    int moved = 0;

    if (!db->sqlite ||
        sqlite3_file_control(db->sqlite, "main", SQLITE_FCNTL_HAS_MOVED, &moved) != SQLITE_OK || !moved)
        return;
    log_event(db->log, LOG_LEVEL_ERROR, "store", NULL,
              "%s was deleted or replaced while it was in use: what it held is not seen any more", db->path);
    /* Closed as the last connection, it would write its pages into a log that is the new file's by now. */
    if (sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL) != SQLITE_OK)
        log_event(db->log, LOG_LEVEL_ERROR, "store", NULL, "%s: SQLite does not take NO_CKPT_ON_CLOSE",
                  db->path);
    db_disconnect(db);
}

static int64_t wait_ms(const struct db *db, int64_t deadline_ms)
{
    int64_t left = deadline_ms ? deadline_ms - store_clock_now(&db->clock) : DB_WAIT_MS;

    return left < 0 ? 0 : left < DB_WAIT_MS ? left : DB_WAIT_MS;
}

bool db_ready(struct db *db)
{
    db->writing = db->saw = db->failed = db->full = false;
    look_at_file(db);
    return db->sqlite || db_connect(db, &db->trouble);
}

bool db_begin(struct db *db, enum db_purpose purpose, int64_t deadline_ms)
{
    bool writing = purpose != DB_READ;

    if (!db_ready(db))
        return false;
    if (writing && !writer_lock_take(&db->lock, wait_ms(db, deadline_ms), &db->trouble))
        return false;
    db->writing = writing;
    db->durable = purpose == DB_WRITE || (writing && db->network);
    if (writing)
        db_run(db, "BEGIN IMMEDIATE", "");
    else
        db_run(db, "BEGIN", "");
    db->now_ms = store_clock_now(&db->clock);
    return !db->failed || db_rollback(db) == STORE_OK;
}

/* So that no later boot takes an earlier time, and a backup that lacks any commit that was synced is known for one. */
static void note_time(struct db *db)
{
    int64_t now_ms = db->now_ms - db->clock.shift_ms;

    if (now_ms - db->clock.noted_ms < (db->durable ? 1 : STORE_CLOCK_NOTE_MS))
        return;
    db_run(db, "UPDATE clock SET last = ?1 WHERE last < ?1", "i", now_ms);
    db->clock.noted_ms = now_ms;
}

/* After COMMIT or ROLLBACK: the writers' lock is free before the wait for the disk. A connection that failed is closed. */
static enum store_result finish(struct db *db, bool mine)
{
    uint64_t number = shared_sync_seen(&db->sync);

    if (db->writing && !db->failed)
        writer_lock_release(&db->lock);
    if (!db->failed && (mine || db->saw) &&
        !shared_sync_until(&db->sync, &db->lock, number, db->sqlite, &db->trouble)) {
        db->failed = true;
        db->full = means_full(errno);
    }
    if (!db->failed)
        return STORE_OK;
    db_disconnect(db); /* and its locks */
    return db_failure(db);
}

enum store_result db_end(struct db *db)
{
    bool mine = db->writing && db->durable;

    if (db->writing)
        note_time(db);
    if (mine)
        shared_sync_begin(&db->sync);
    db_run(db, "COMMIT", "");
    if (mine)
        shared_sync_written(&db->sync, db->failed ? 0 : db->clock.noted_ms);
    if (db->failed)
        return db_rollback(db);
    if (mine && db->network)
        writer_lock_note(&db->lock, db->clock.noted_ms);
    enum store_result result = finish(db, mine);
    if (result == STORE_OK)
        db->trouble.text[0] = '\0';
    return result;
}

enum store_result db_rollback(struct db *db)
{
    if (!sqlite3_get_autocommit(db->sqlite) &&
        sqlite3_exec(db->sqlite, "ROLLBACK", NULL, NULL, NULL) != SQLITE_OK)
        db_sqlite_failed(db); /* the connection goes, and the transaction with it */
    return finish(db, false);
}
