/*
 * table: records as rows of their tables (schema.h). A field at its default is NULL, which takes one byte.
 */
#ifndef WOO_GHL_STORE_SQLITE_TABLE_H
#define WOO_GHL_STORE_SQLITE_TABLE_H

#include "store/backend.h"
#include "store/sqlite/db.h"
#include "store/sqlite/schema.h"

/* The SQL of all statements on records. Zero-initialise. It must outlive the connection. */
struct tables {
    char *sql[SCHEMA_TYPES][SCHEMA_STATEMENTS]; /* NULL = not used yet */
};
void tables_free(struct tables *tables);

/* -- rows, inside a transaction; failures as in db.h -- */

/* The record, whole; version 0 if there is none, or it has expired and `expired` is false. */
void table_read(struct db *db, struct tables *tables, const struct record_type *type, int64_t namespace_id,
                const char *key, bool expired, void *record);
/* Writes after with the version before + 1, if what is there has before's version. False: it has not. */
bool table_write(struct db *db, struct tables *tables, const struct backend_commit *commit) MUST_CHECK;
/* Removes an order with its blobs, whatever its version. */
void table_remove(struct db *db, struct tables *tables, int64_t namespace_id, const char *key);

#endif
