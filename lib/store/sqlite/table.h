/*
 * table: the tables of store.db, made from the field tables of queue/record.h, and records as their rows. A field at
 * its default is NULL, which takes one byte; hex digits are packed (field.h).
 *
 * One table a record type, one column a field. Beside the fields a row has its version, `until` (when it expires),
 * and its place in each index (by_due, by_dead, by_age). Location and rate limiter have the same columns, and the
 * key ''. Rows are found by an index of their own (no WITHOUT ROWID): with rows this long that is flatter and smaller.
 */
#pragma once

#include "store/backend.h"
#include "store/sqlite/db.h"

/* PRAGMA user_version. It changes with every table and column: this program reads no other form. */
int64_t table_version(void);
/* What makes all tables in an empty file. False if out of memory. */
bool table_create(struct buf *sql) MUST_CHECK;

#define TABLE_TYPES 3      /* record types */
#define TABLE_STATEMENTS 4 /* on each */
/* The SQL of all statements on records. Zero-initialise. It must outlive the connection. */
struct tables {
    char *sql[TABLE_TYPES][TABLE_STATEMENTS]; /* NULL = not used yet */
};
void tables_free(struct tables *tables);

/* -- rows, inside a transaction; failures as in db.h -- */

/* The record, whole; version 0 if there is none, or it has expired and `expired` is false. */
void table_read(struct db *db, struct tables *tables, const struct record_type *type, int64_t namespace_id,
                const char *key, bool expired, void *record);
/* Writes after with the version before + 1, if what is there has before's version. False: it has not. */
bool table_write(struct db *db, struct tables *tables, const struct backend_commit *commit) MUST_CHECK;
/* What a blob is found by: its id's first 63 bits, so its time and some random ones. Two blobs of one ms have the same once in
 * half a million times; the second is refused then (a primary key), and spooled. */
int64_t table_blob_number(const char *id);
void table_drop_blob(struct db *db, int64_t namespace_id, const char *id);
/* Removes an order with its blobs, whatever its version. */
void table_remove(struct db *db, struct tables *tables, int64_t namespace_id, const char *key);
