#include "store/sqlite/db.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/sqlite/schema.h"
#include "store/sqlite/wal.h"
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOCK_WAIT_MS 3000
#define BUSY_WAIT_MS 3000 /* others than this program's writers: a backup, a reader without WAL */
#define SWEEP_ROWS 8      /* expired rows that one transaction takes away, of one table */

/* -- failures -- */

/* Disk full in all its forms: SQLite knows ENOSPC of a write, the rest shows in the system's error. Where
 * SQLite has not kept that (the log of WAL), errno still holds it: it was 0 before the step. */
static bool is_full(const struct db *db)
{
    if (sqlite3_errcode(db->sqlite) == SQLITE_FULL)
        return true;
    int kept = sqlite3_system_errno(db->sqlite), code = kept ? kept : errno;
    return (sqlite3_errcode(db->sqlite) & 0xff) == SQLITE_IOERR &&
           (code == ENOSPC || code == EDQUOT || code == EFBIG);
}

static const char *advice(int code)
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
static void sqlite_failed(struct db *db)
{
    if (db->failed)
        return;
    int code = sqlite3_extended_errcode(db->sqlite);
    db->failed = true;
    db->full = is_full(db);
    error_set(&db->trouble, "%s: %s (SQLite %d)%s%s", db->path, sqlite3_errmsg(db->sqlite), code,
              advice(code), db->full ? ": make room on its disk" : "");
}

void db_fail(struct db *db, const char *fmt, ...)
{
    char text[sizeof db->trouble.text];
    va_list args;

    if (db->failed)
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    db->failed = true;
    error_set(&db->trouble, "%s: %s", db->path, text);
}

/* -- statements -- */

static sqlite3_stmt *prepared(struct db *db, const char *sql)
{
    size_t slot = ((uintptr_t)sql >> 3) % DB_STATEMENTS, tried = 0;

    while (db->cache[slot].sql && db->cache[slot].sql != sql && ++tried < DB_STATEMENTS)
        slot = (slot + 1) % DB_STATEMENTS;
    if (db->cache[slot].sql == sql)
        return db->cache[slot].statement;
    if (db->cache[slot].sql) {
        db_fail(db, "more than %d prepared statements: raise DB_STATEMENTS", DB_STATEMENTS);
        return NULL;
    }
    if (sqlite3_prepare_v3(db->sqlite, sql, -1, SQLITE_PREPARE_PERSISTENT, &db->cache[slot].statement,
                           NULL) != SQLITE_OK) {
        sqlite_failed(db);
        return NULL;
    }
    db->cache[slot].sql = sql;
    return db->cache[slot].statement;
}

static int bind_one(sqlite3_stmt *statement, int index, char type, va_list *args)
{
    const void *bytes;

    switch (type) {
    case 't': return sqlite3_bind_text(statement, index, va_arg(*args, const char *), -1, SQLITE_STATIC);
    case 'i': return sqlite3_bind_int64(statement, index, va_arg(*args, int64_t));
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
            sqlite_failed(db);
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
        sqlite_failed(db);
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

void db_run(struct db *db, const char *sql, const char *types, ...)
{
    va_list args;
    va_start(args, types);
    sqlite3_stmt *statement = bound(db, sql, types, &args);
    va_end(args);
    while (db_next(db, statement))
        ;
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

int64_t db_changes(const struct db *db)
{
    return db->failed ? 0 : sqlite3_changes64(db->sqlite);
}

void db_text(sqlite3_stmt *statement, int column, char *out, size_t size)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);
    size_t n = text ? strnlen(text, size - 1) : 0;

    if (n)
        memcpy(out, text, n);
    out[n] = '\0';
}

/* -- rows by a table -- */

void db_row_read(sqlite3_stmt *statement, int first, const struct db_column *columns, size_t n, void *row)
{
    for (size_t i = 0; i < n; i++) {
        char *field = (char *)row + columns[i].offset;
        int column = first + (int)i;
        switch (columns[i].type) {
        case DB_INTEGER: *(int64_t *)(void *)field = sqlite3_column_int64(statement, column); break;
        case DB_BOOL: *(bool *)(void *)field = sqlite3_column_int64(statement, column) != 0; break;
        case DB_TEXT: db_text(statement, column, field, columns[i].size); break;
        }
    }
}

void db_row_bind(struct db *db, sqlite3_stmt *statement, int first, const struct db_column *columns, size_t n,
                 const void *row)
{
    for (size_t i = 0; statement && i < n; i++) {
        const char *field = (const char *)row + columns[i].offset;
        int index = first + (int)i, code = SQLITE_MISUSE;
        switch (columns[i].type) {
        case DB_INTEGER:
            code = sqlite3_bind_int64(statement, index, *(const int64_t *)(const void *)field);
            break;
        case DB_BOOL: code = sqlite3_bind_int64(statement, index, *(const bool *)(const void *)field); break;
        case DB_TEXT: code = sqlite3_bind_text(statement, index, field, -1, SQLITE_STATIC); break;
        }
        if (code != SQLITE_OK)
            sqlite_failed(db);
    }
}

/* -- transactions -- */

/* A deleted or replaced file would take orders that nobody ever reads again. */
static void look_at_file(struct db *db)
{
    int moved = 0;

    if (!db->sqlite)
        return;
    if (db->pid != getpid()) {
        db_disconnect(db);
        return;
    }
    if (sqlite3_file_control(db->sqlite, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK && moved) {
        log_event(db->log, LOG_LEVEL_ERROR, "store", NULL,
                  "%s was deleted or replaced while it was in use: what it held is not seen any more",
                  db->path);
        db->moved = true;
        db_disconnect(db);
        return;
    }
    enum wal_state wal = wal_look(db);
    if (wal == WAL_MINE)
        return;
    db->saved = wal == WAL_GONE;
    db_disconnect(db);
}

/* Only between transactions. With NORMAL the log of WAL is written at a commit, but synced at a checkpoint
 * only; it is read up to its last whole commit, so that none is lost before one that was synced. */
static void sync_as(struct db *db, bool lazy)
{
    if (db->network || db->lazy == lazy)
        return;
    if (sqlite3_exec(db->sqlite, lazy ? "PRAGMA synchronous=NORMAL" : "PRAGMA synchronous=FULL", NULL, NULL,
                     NULL) == SQLITE_OK)
        db->lazy = lazy;
    else
        sqlite_failed(db);
}

enum purpose { READ, WRITE, WRITE_LAZILY };

static bool begin(struct db *db, enum purpose purpose)
{
    bool writing = purpose != READ;

    db->writing = db->failed = db->full = false;
    look_at_file(db);
    if (!db->sqlite && !db_connect(db, &db->trouble))
        return false;
    if (writing && !store_lock_take(&db->lock, LOCK_WAIT_MS, &db->trouble))
        return false;
    db->writing = writing;
    db->now_ms = clock_wall_ms() + db->shift_ms;
    db->boot_ms = clock_boot_ms() + db->boot_shift_ms;
    sqlite3_busy_timeout(db->sqlite, BUSY_WAIT_MS);
    if (writing)
        sync_as(db, purpose == WRITE_LAZILY);
    if (writing)
        db_run(db, "BEGIN IMMEDIATE", "");
    else
        db_run(db, "BEGIN", "");
    if (!db->failed)
        return true;
    db_rollback(db);
    return false;
}

bool db_write(struct db *db)
{
    return begin(db, WRITE);
}

bool db_write_lazily(struct db *db)
{
    return begin(db, WRITE_LAZILY);
}

bool db_read(struct db *db)
{
    return begin(db, READ);
}

void db_rollback(struct db *db)
{
    if (!sqlite3_get_autocommit(db->sqlite) &&
        sqlite3_exec(db->sqlite, "ROLLBACK", NULL, NULL, NULL) != SQLITE_OK)
        sqlite_failed(db); /* the connection goes, and the transaction with it */
    if (db->failed)
        db_disconnect(db);
    else if (db->writing)
        store_lock_release(&db->lock);
}

/* Which table is swept follows the clock, so that a process of one transaction sweeps all of them in turn. */
static void sweep(struct db *db)
{
    static const char *const sql[] = {
        SCHEMA_SWEEP("orders", "orders_until", "until_ms > 0 AND "),
        SCHEMA_SWEEP("clients", "clients_until", ""),
        SCHEMA_SWEEP("contacts", "contacts_until", ""),
        SCHEMA_SWEEP("cards", "cards_until", ""),
        SCHEMA_SWEEP("things", "things_until", "until_ms > 0 AND "),
    };
    db_run(db, sql[(uint64_t)db->now_ms % (sizeof sql / sizeof *sql)], "ii", db->now_ms, (int64_t)SWEEP_ROWS);
}

bool db_commit(struct db *db)
{
    if (db->writing)
        sweep(db);
    db_run(db, "COMMIT", "");
    if (db->failed) {
        db_rollback(db);
        return false;
    }
    if (db->writing)
        store_lock_release(&db->lock);
    db->trouble.text[0] = '\0';
    return true;
}
