/*
 * table: records as rows. One table a record type, one column a field; a field at its default is NULL, which takes
 * one byte.
 *
 * Beside the fields a row has its version, `until` (when it expires), and its place in each index (by_due, by_dead,
 * by_age). Location and rate limiter have the same columns, and the key ''.
 */
#ifndef WOO_GHL_STORE_SQLITE_TABLE_H
#define WOO_GHL_STORE_SQLITE_TABLE_H

#include "store/backend.h"
#include "store/sqlite/db.h"

#define TABLES 3

/* The SQL of one record type. */
struct table {
    const struct record_type *type;
    char *select, *insert, *update, *remove;
};

/* -- life cycle -- */

/* Writes the SQL of all tables, and *schema (owned by the caller): what makes them in an empty file. False if out
 * of memory. */
bool tables_init(struct table tables[TABLES], char **schema) MUST_CHECK;
void tables_free(struct table tables[TABLES]);
const struct table *table_of(const struct table tables[TABLES], const struct record_type *type);

/* -- rows, inside a transaction; failures as in db.h -- */

/* The record, whole; version 0 if there is none, or it has expired and `expired` is false. */
void table_read(struct db *db, const struct table *table, int64_t namespace_id, const char *key, bool expired,
                void *record);
/* Writes after with the version before + 1, if what is there has before's version. False: it has not. */
bool table_write(struct db *db, const struct table *table, const struct backend_commit *commit) MUST_CHECK;
/* Removes an order with its blobs, whatever its version. */
void table_remove(struct db *db, const struct table *orders, int64_t namespace_id, const char *key);

#endif
