/*
 * db: the connection to DATA_DIR/store.db. Opening, transactions, statements.
 *
 * A failure inside a transaction sticks until its end, as in a buf: a call runs its statements and looks once, at
 * db_end, whether all of them worked. A connection is closed after any failure; the next transaction opens a new
 * one, also if the file was replaced. The file is never deleted and never repaired here.
 */
#pragma once

#include "base/clock.h"
#include "config/config.h"
#include "store/sqlite/shared_sync.h"
#include "store/store.h"

#define DB_STATEMENTS 64 /* more than there are */
#define DB_WAIT_MS 3000  /* for other writers */

/* The embedded store's time, ms since 1970. It runs as CLOCK_BOOTTIME does, from an offset that store.db keeps together
 * with the boot's id. The first process of a new boot takes the offset from the wall clock, but never so that the time
 * falls behind the last that store.db knows. So a wall clock that is set changes nothing before the next boot, and
 * nothing ever looks younger than it is. */
#define STORE_CLOCK_NOTE_MS 1000 /* how far what store.db knows may lie behind commits that were not synced */

struct store_clock {
    char boot[CLOCK_BOOT_ID_SIZE]; /* "" = unknown: a time that falls behind tells of a new boot */
    int64_t offset_ms;             /* added to the clock since boot */
    int64_t noted_ms;              /* the last time that store.db is known to know */
    int64_t shift_ms;              /* tests */
};

struct db {
    const char *dir; /* DATA_DIR */
    struct log *log;
    char *path;              /* DIR/store.db */
    char *namespace_name;    /* the namespace */
    int64_t namespace_id;    /* its row */
    struct writer_lock lock; /* held while a transaction writes */
    struct shared_sync sync;
    struct store_clock clock;
    sqlite3 *sqlite;           /* NULL = not open */
    char file[RECORD_ID_SIZE]; /* which file it is: device, inode, birth, and how often it came back older */
    int64_t lost;              /* how often it came back older than it was */
    bool network;              /* on a network file system: no WAL */
    struct {
        const char *sql; /* its address is the key */
        sqlite3_stmt *statement;
    } cache[DB_STATEMENTS];

    /* of the transaction */
    bool writing, durable;
    bool saw;             /* it read what others may be told: an order, a value */
    bool failed, full;    /* full: for want of disk space */
    int64_t now_ms;       /* the store's time, since it began */
    struct error trouble; /* what was last wrong; "" after a transaction that worked */
};

/* -- life cycle -- */

/* Opens the file, and makes directory, file, tables and the namespace's row if they are missing. dir and log
 * must outlive it; namespace_name is copied. False with the error set; nothing is left behind then. */
bool db_open(struct db *db, const char *dir, const char *namespace_name, struct log *log,
             struct error *e) MUST_CHECK;
void db_close(struct db *db);
/* Closes the connection and the locks; the next transaction opens them again. */
void db_disconnect(struct db *db);

/* Connects, unless it is connected to the file that is at its path. False with db->trouble set. */
bool db_ready(struct db *db) MUST_CHECK;

/* -- transactions: begin, statements, end or roll back -- */

enum db_purpose {
    DB_READ,       /* waits for no writer */
    DB_WRITE,      /* on disk when db_end returns */
    DB_WRITE_LAZY, /* not synced: it survives the death of every process, but not surely that of the machine.
                      What was synced before stays. On a network file system as DB_WRITE */
};

#define DB_AT_ONCE (-1)
/* False with db->trouble set: nothing was begun. A writer waits for others until deadline_ms (the store's time;
 * 0 = none, DB_AT_ONCE: not at all), and DB_WAIT_MS at most. */
bool db_begin(struct db *db, enum db_purpose purpose, int64_t deadline_ms) MUST_CHECK;
/* Commits. OK: what was written is on disk, unless it is lazy, and so is what was read if `saw` was set. FULL,
 * UNAVAILABLE: it may or may not have been done. */
enum store_result db_end(struct db *db) MUST_CHECK;
/* Ends it without doing it. OK: the same of what was read. */
enum store_result db_rollback(struct db *db);
/* Why db_begin failed, or the transaction: FULL or UNAVAILABLE. */
enum store_result db_failure(const struct db *db);

/* -- statements; parameters by letters: t const char * (NULL = NULL), i int64_t, n int64_t (0 = NULL),
 *    b const void * and size_t -- */

/* Runs a statement that yields no row; how many rows it changed. */
int64_t db_run(struct db *db, const char *sql, const char *types, ...);
/* The bound statement, for db_next and the sqlite3_column functions; NULL if it failed. */
sqlite3_stmt *db_query(struct db *db, const char *sql, const char *types, ...);
/* The next row; false at the end or if it failed (the statement is reset then). NULL is allowed. */
bool db_next(struct db *db, sqlite3_stmt *statement);
/* Gives a statement back before its end. NULL is allowed. */
void db_done(sqlite3_stmt *statement);
/* The one integer of the one row; `absent` if there is none. */
int64_t db_integer(struct db *db, int64_t absent, const char *sql, const char *types, ...);
/* The column as text, cut at size - 1. */
void db_text(sqlite3_stmt *statement, int column, char *out, size_t size);

/* Marks the transaction as failed: by SQLite's last error, or by this text. */
void db_sqlite_failed(struct db *db);
#define db_fail(db, ...)                                                                                     \
    do {                                                                                                     \
        if (!(db)->failed) {                                                                                 \
            (db)->failed = true;                                                                             \
            error_set(&(db)->trouble, __VA_ARGS__);                                                          \
            error_prefix(&(db)->trouble, "%s", (db)->path);                                                  \
        }                                                                                                    \
    } while (0)

int64_t store_clock_now(const struct store_clock *clock);

/* -- its own files and tests -- */

bool db_connect(struct db *db, struct error *e) MUST_CHECK; /* open.c */
const char *db_advice(int code);         /* what to do about this SQLite error; "" = nothing known */
bool db_is_network(int64_t statfs_type); /* NFS, SMB, FUSE, 9P and the like */
