/*
 * store_sqlite_wal: SQLite's log beside store.db (store.db-wal), which holds what was stored last.
 *
 * It stays when the last connection closes: SQLite would delete it by its name, which may be another file's
 * by then, and so a missing one tells that somebody took it away, or put a backup of store.db alone in its
 * place. What it held is lost then, and store.db is as it was some time ago. One that is taken away while it
 * is in use is still held open: its content is written into store.db before a new one begins.
 */
#ifndef WOO_GHL_STORE_SQLITE_WAL_H
#define WOO_GHL_STORE_SQLITE_WAL_H

#include "store/sqlite/db.h"

/* Before opening: is there a store.db without its log? */
bool wal_is_missing(const struct db *db);
/* Has another process the database open? To be asked only while this one has it not: it would lose its locks.
 */
bool wal_is_in_use(const struct db *db);
/* The connection's log is to stay. False with the error set. */
bool wal_keep(const struct db *db, struct error *e) MUST_CHECK;
/* The log that this connection uses from now on. */
void wal_note(struct db *db);

enum wal_state {
    WAL_MINE,
    WAL_GONE,    /* taken away; what this connection has of it is in store.db now */
    WAL_ANOTHER, /* another one stands in its place: this connection must go, and write nothing */
};
/* To be called between transactions. */
enum wal_state wal_look(struct db *db);

#endif
