/*
 * schema: the tables of store.db, as SQL text that is made from the field tables of queue/record.h. Pure.
 *
 * One table a record type, one column a field. Beside the fields a row has its version, `until` (when it expires),
 * and its place in each index (by_due, by_dead, by_age). Location and rate limiter have the same columns, and the
 * key ''. Rows are found by an index of their own (no WITHOUT ROWID): with rows this long that is flatter and smaller.
 */
#ifndef WOO_GHL_STORE_SQLITE_SCHEMA_H
#define WOO_GHL_STORE_SQLITE_SCHEMA_H

#include "base/buf.h"
#include "queue/record.h"

#define SCHEMA_TYPES 3 /* record types */
extern const struct record_type *const schema_type[SCHEMA_TYPES];

/* PRAGMA user_version. It changes with every table and column: this program reads no other form. */
int64_t schema_version(void);
/* What makes all tables in an empty file. False if out of memory. */
bool schema_create(struct buf *sql) MUST_CHECK;

/* The statements on one record. SELECT yields the version, `until`, the indexes' columns and the fields. UPDATE
 * changes the row that has the version before, unless it has expired; INSERT nothing if there is a row. */
enum schema_statement { SCHEMA_SELECT, SCHEMA_INSERT, SCHEMA_UPDATE, SCHEMA_DELETE, SCHEMA_STATEMENTS };
/* Their parameters: these, then one an index, then one a field. */
enum { AT_NAMESPACE = 1, AT_KEY, AT_VERSION, AT_NOW, AT_UNTIL, AT_INDEX, AT_FIELD = AT_INDEX + INDEXES };
bool schema_statement(struct buf *sql, const struct record_type *type,
                      enum schema_statement statement) MUST_CHECK;

#endif
