/*
 * store_sqlite_db: the connection to DATA_DIR/store.db. Opening, the schema, transactions, statements.
 *
 * A failure inside a transaction sticks until its end, as in a buf: a verb runs its statements and looks
 * once, at db_commit, whether all of them worked. A connection is finished after any failure; the next
 * transaction opens a new one, also after a fork and when the file was replaced. The file is never deleted
 * and never repaired here.
 */
#ifndef WOO_GHL_STORE_SQLITE_DB_H
#define WOO_GHL_STORE_SQLITE_DB_H

#include "base/clock.h"
#include "config/config.h"
#include "store/sqlite/writer_lock.h"
#include <sqlite3.h>
#include <sys/types.h>

#define DB_BOOT_SIZE CLOCK_BOOT_ID_SIZE
#define DB_STATEMENTS 128 /* a power of two, about twice as many as there are */

struct db {
    const struct config *config;
    struct log *log;
    char *path;                      /* DATA_DIR/store.db */
    char boot_id[DB_BOOT_SIZE];      /* leases of another boot have run out */
    int64_t shift_ms, boot_shift_ms; /* tests: added to the wall clock, to the clock since boot */
    sqlite3 *sqlite;                 /* NULL = not open */
    bool network;                    /* on a network file system: no WAL */
    bool lazy;                       /* commits are not synced just now */
    pid_t pid;                       /* who opened it */
    struct store_lock lock;          /* held while a transaction writes */
    int64_t space;                   /* the row of this namespace */
    uint64_t wal_number;             /* the inode of its log; 0 = none */
    bool saved;                      /* what the log held is in the file, though the log is missing */
    bool moved;                      /* the file that was in use was deleted or replaced */
    struct error lost;               /* what is lost for certain, for people */
    struct {
        const char *sql; /* the literal at the place of use: its address is the key */
        sqlite3_stmt *statement;
    } cache[DB_STATEMENTS];

    /* of the transaction */
    bool writing;
    bool failed, full;    /* full: for want of disk space */
    int64_t now_ms;       /* wall clock, as of its begin */
    int64_t boot_ms;      /* clock since boot, as of its begin */
    struct error trouble; /* what was last wrong; "" after a transaction that worked */
};

/* -- life cycle -- */

/* Opens the file, and makes directory, file, schema and the namespace's row where they are missing. config
 * and log must outlive it. */
bool db_open(struct db *db, const struct config *config, struct log *log, struct error *e) MUST_CHECK;
void db_close(struct db *db);
/* Closes the connection and the locks; the next transaction opens them again. */
void db_disconnect(struct db *db);

/* -- transactions: begin, statements, commit or roll back -- */

/* False with db->trouble set: nothing was begun. Writers wait at most 3 s for their turn. */
bool db_write(struct db *db) MUST_CHECK;
/* For what may be forgotten: its commit is not synced. It survives the death of every process, but not surely
 * that of the machine; what was synced before stays, and whatever is synced later makes it last, too. On a
 * network file system it is as db_write. */
bool db_write_lazily(struct db *db) MUST_CHECK;
bool db_read(struct db *db) MUST_CHECK;
/* Ends either. False when anything in it failed: then nothing of it was done. */
bool db_commit(struct db *db) MUST_CHECK;
/* Ends it without doing it: the verb decided so. */
void db_rollback(struct db *db);

/* -- statements; parameters by letters: t const char *, i int64_t, b const void * and size_t -- */

/* Runs a statement that yields no row. */
void db_run(struct db *db, const char *sql, const char *types, ...);
/* The bound statement, for db_next and the sqlite3_column functions; NULL when it failed. */
sqlite3_stmt *db_query(struct db *db, const char *sql, const char *types, ...);
/* The next row; false at the end or when it failed (the statement is reset then). NULL is allowed. */
bool db_next(struct db *db, sqlite3_stmt *statement);
/* Gives a statement back before its end. */
void db_done(sqlite3_stmt *statement);
/* The one integer of the one row; `absent` when there is none. */
int64_t db_integer(struct db *db, int64_t absent, const char *sql, const char *types, ...);
int64_t db_changes(const struct db *db); /* rows that the last db_run changed */
/* The column as text, cut at size - 1. */
void db_text(sqlite3_stmt *statement, int column, char *out, size_t size);

/* Marks the transaction as failed: it will be rolled back. */
void db_fail(struct db *db, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* -- rows of many columns, by a table -- */

enum db_type { DB_INTEGER, DB_BOOL, DB_TEXT };

struct db_column {
    const char *name;
    size_t offset; /* in the struct */
    enum db_type type;
    size_t size; /* of a text's array */
};

#define DB_COLUMN_INTEGER(type, field)                                                                       \
    {                                                                                                        \
#field, offsetof(type, field), DB_INTEGER, 0                                                         \
    }

void db_row_read(sqlite3_stmt *statement, int first, const struct db_column *columns, size_t n, void *row);
/* Binds the fields as parameters first, first + 1, ... */
void db_row_bind(struct db *db, sqlite3_stmt *statement, int first, const struct db_column *columns, size_t n,
                 const void *row);

/* -- for its own files, and tests -- */

bool db_is_network(int64_t statfs_type);                    /* NFS, SMB, FUSE, 9P and the like */
bool db_connect(struct db *db, struct error *e) MUST_CHECK; /* store_sqlite_open.c */

#endif
