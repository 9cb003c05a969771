#include "store/sqlite/table.h"
#include <stdlib.h>
#include <string.h>

#define SQL_MAX 16384

/* -- statements -- */

void tables_free(struct tables *tables)
{
    for (size_t i = 0; i < SCHEMA_TYPES; i++)
        for (size_t j = 0; j < SCHEMA_STATEMENTS; j++)
            free(tables->sql[i][j]);
    *tables = (struct tables){0};
}

/* Written at its first use, as each costs some time and few processes need all. NULL with the transaction failed. */
static const char *sql_of(struct db *db, struct tables *tables, const struct record_type *type,
                          enum schema_statement statement)
{
    size_t i = 0;
    struct buf sql;

    while (i < SCHEMA_TYPES - 1 && schema_type[i] != type)
        i++;
    if (tables->sql[i][statement])
        return tables->sql[i][statement];
    buf_init(&sql, SQL_MAX);
    if (schema_statement(&sql, type, statement))
        tables->sql[i][statement] = buf_steal(&sql);
    else
        db_fail(db, "out of memory");
    buf_free(&sql);
    return tables->sql[i][statement];
}

/* -- rows -- */

static int bind_field(sqlite3_stmt *row, int at, const struct field *field, const void *record)
{
    const char *text = (const char *)record + field->offset;
    int64_t number = field_number(field, record);

    if (field->type == FIELD_TEXT && *text)
        return sqlite3_bind_text(row, at, text, -1, SQLITE_STATIC);
    return number ? sqlite3_bind_int64(row, at, number) : sqlite3_bind_null(row, at);
}

static bool read_field(sqlite3_stmt *row, int column, const struct field *field, void *record)
{
    if (sqlite3_column_type(row, column) == SQLITE_NULL)
        return true; /* at its default */
    const char *text = (const char *)sqlite3_column_text(row, column);
    return field->type == FIELD_TEXT ? text && field_set(field, record, text)
                                     : field_set_number(field, record, sqlite3_column_int64(row, column));
}

void table_read(struct db *db, struct tables *tables, const struct record_type *type, int64_t namespace_id,
                const char *key, bool expired, void *record)
{
    sqlite3_stmt *row = db_query(db, sql_of(db, tables, type, SCHEMA_SELECT), "it", namespace_id, key);

    memset(record, 0, type->size);
    if (!db_next(db, row))
        return;
    int64_t version = sqlite3_column_int64(row, 0), until = sqlite3_column_int64(row, 1);
    if (!until || until > db->now_ms || expired) {
        memcpy(record, &version, sizeof version);
        for (size_t i = 0; i < type->count; i++)
            if (!read_field(row, 2 + INDEXES + (int)i, &type->fields[i], record))
                db_fail(db, "the %s \"%s\" is damaged: its %s is no value of it", type->name, key,
                        type->fields[i].name);
    }
    db_done(row);
}

static bool run_write(struct db *db, struct tables *tables, const struct backend_commit *c, int64_t before)
{
    const struct record_type *type = c->type;
    sqlite3_stmt *row =
        db_query(db, sql_of(db, tables, type, before ? SCHEMA_UPDATE : SCHEMA_INSERT), "itiin",
                 db->namespace_id, c->key ? c->key : "", before + 1, db->now_ms, c->expires_ms);
    int code = SQLITE_OK;

    for (int i = 0; row && code == SQLITE_OK && i < INDEXES; i++)
        if (c->key && c->index_ms[i] >= 0)
            code = sqlite3_bind_int64(row, AT_INDEX + i, c->index_ms[i]);
    for (size_t i = 0; row && code == SQLITE_OK && i < type->count; i++)
        code = bind_field(row, AT_FIELD + (int)i, &type->fields[i], c->after);
    if (code != SQLITE_OK)
        db_sqlite_failed(db);
    while (db_next(db, row))
        ;
    return !db->failed && sqlite3_changes64(db->sqlite) == 1;
}

bool table_write(struct db *db, struct tables *tables, const struct backend_commit *c)
{
    int64_t before = 0;

    if (c->before)
        memcpy(&before, c->before, sizeof before);
    if (run_write(db, tables, c, before))
        return true;
    if (before || db->failed ||
        !db_integer(db, 0, "SELECT 1 FROM orders WHERE namespace=? AND key=? AND until<=?", "iti",
                    db->namespace_id, c->key ? c->key : "", db->now_ms))
        return false;
    table_remove(db, tables, db->namespace_id, c->key);
    return run_write(db, tables, c, before);
}

void table_remove(struct db *db, struct tables *tables, int64_t namespace_id, const char *key)
{
    struct order_record record;
    const char *blob[RECORD_BLOBS];

    table_read(db, tables, &order_record_type, namespace_id, key, true, &record);
    for (size_t n = order_blobs(&record, blob); n > 0; n--)
        db_run(db, "DELETE FROM blobs WHERE namespace=? AND id=?", "it", namespace_id, blob[n - 1]);
    db_run(db, sql_of(db, tables, &order_record_type, SCHEMA_DELETE), "it", namespace_id, key);
}
