#include "store/sqlite/table.h"
#include <stdlib.h>
#include <string.h>

#define SQL_MAX 16384

static const char *const index_columns[INDEXES] = {
    [INDEX_DUE] = "by_due", [INDEX_DEAD] = "by_dead", [INDEX_AGE] = "by_age"};

/* Rows are found by an index of their own (no WITHOUT ROWID): with rows this long that is flatter and smaller. */

/* Parameters of every statement, then one for each index, then one for each field. */
enum { AT_NAMESPACE = 1, AT_KEY, AT_VERSION, AT_NOW, AT_UNTIL, AT_INDEX, AT_FIELD = AT_INDEX + INDEXES };

/* -- SQL -- */

/* Each column after the version: `each` is printed with its name and its parameter's number. */
static void add_columns(struct buf *sql, const struct record_type *type, const char *before, bool names,
                        bool values)
{
    int at = AT_UNTIL;
    size_t n = 1 + INDEXES + type->count;

    for (size_t i = 0; i < n; i++, at++) {
        const char *name = i == 0         ? "until"
                           : i <= INDEXES ? index_columns[i - 1]
                                          : type->fields[i - 1 - INDEXES].name;
        buf_adds(sql, before);
        if (names)
            buf_addf(sql, "\"%s\"", name);
        if (values)
            buf_addf(sql, "%s?%d", names ? "=" : "", at);
    }
}

static void add_schema(struct buf *sql, const struct record_type *type)
{
    const char *t = type->name;

    buf_addf(sql, "CREATE TABLE %ss(namespace INTEGER NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL",
             t);
    add_columns(sql, type, ", ", true, false);
    buf_adds(sql, ", PRIMARY KEY(namespace, key));");
    if (type != &order_record_type)
        return;
    buf_addf(sql, "CREATE INDEX %ss_until ON %ss(until) WHERE until IS NOT NULL;", t, t);
    for (size_t i = 0; i < INDEXES; i++)
        buf_addf(sql, "CREATE INDEX %ss_%s ON %ss(namespace, %s, key) WHERE %s IS NOT NULL;", t,
                 index_columns[i], t, index_columns[i], index_columns[i]);
}

static char *select_sql(struct buf *sql, const struct record_type *type)
{
    buf_adds(sql, "SELECT version");
    add_columns(sql, type, ", ", true, false);
    buf_addf(sql, " FROM %ss WHERE namespace=?%d AND key=?%d", type->name, AT_NAMESPACE, AT_KEY);
    return buf_steal(sql);
}

static char *insert_sql(struct buf *sql, const struct record_type *type)
{
    buf_addf(sql, "INSERT INTO %ss(namespace, key, version", type->name);
    add_columns(sql, type, ", ", true, false);
    buf_addf(sql, ") VALUES(?%d, ?%d, ?%d", AT_NAMESPACE, AT_KEY, AT_VERSION);
    add_columns(sql, type, ", ", false, true);
    buf_adds(sql, ") ON CONFLICT DO NOTHING");
    return buf_steal(sql);
}

static char *update_sql(struct buf *sql, const struct record_type *type)
{
    buf_addf(sql, "UPDATE %ss SET version=?%d", type->name, AT_VERSION);
    add_columns(sql, type, ", ", true, true);
    buf_addf(sql, " WHERE namespace=?%d AND key=?%d AND version=?%d-1 AND (until IS NULL OR until>?%d)",
             AT_NAMESPACE, AT_KEY, AT_VERSION, AT_NOW);
    return buf_steal(sql);
}

bool tables_init(struct table tables[TABLES], char **schema)
{
    static const struct record_type *const types[TABLES] = {&order_record_type, &location_record_type,
                                                            &limiter_record_type};
    struct buf sql, all;
    bool good = true;

    buf_init(&sql, SQL_MAX);
    buf_init(&all, SQL_MAX);
    buf_adds(
        &all,
        "CREATE TABLE namespaces(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
        "CREATE TABLE clock(id INTEGER PRIMARY KEY, boot TEXT, ahead INTEGER, last INTEGER, lost INTEGER);"
        "CREATE TABLE blobs(namespace INTEGER, id TEXT, bytes BLOB, PRIMARY KEY(namespace, id))"
        " WITHOUT ROWID;"
        "CREATE TABLE vals(namespace INTEGER, name TEXT, value TEXT, until INTEGER,"
        " PRIMARY KEY(namespace, name)) WITHOUT ROWID;"
        "CREATE INDEX vals_until ON vals(until) WHERE until IS NOT NULL;");
    for (size_t i = 0; i < TABLES; i++) {
        struct table *t = &tables[i];
        *t = (struct table){.type = types[i]};
        add_schema(&all, types[i]);
        t->select = select_sql(&sql, types[i]);
        t->insert = insert_sql(&sql, types[i]);
        t->update = update_sql(&sql, types[i]);
        buf_addf(&sql, "DELETE FROM %ss WHERE namespace=?%d AND key=?%d", types[i]->name, AT_NAMESPACE,
                 AT_KEY);
        t->remove = buf_steal(&sql);
        good = good && t->select && t->insert && t->update && t->remove;
    }
    *schema = buf_steal(&all);
    return good && *schema;
}

void tables_free(struct table tables[TABLES])
{
    for (size_t i = 0; i < TABLES; i++) {
        free(tables[i].select);
        free(tables[i].insert);
        free(tables[i].update);
        free(tables[i].remove);
        tables[i] = (struct table){0};
    }
}

const struct table *table_of(const struct table tables[TABLES], const struct record_type *type)
{
    size_t i = 0;

    while (i < TABLES - 1 && tables[i].type != type)
        i++;
    return &tables[i];
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

void table_read(struct db *db, const struct table *table, int64_t namespace_id, const char *key, bool expired,
                void *record)
{
    const struct record_type *type = table->type;
    sqlite3_stmt *row = db_query(db, table->select, "it", namespace_id, key);

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

static bool run_write(struct db *db, const struct table *table, const struct backend_commit *c,
                      int64_t before)
{
    const struct record_type *type = table->type;
    sqlite3_stmt *row = db_query(db, before ? table->update : table->insert, "itiin", db->namespace_id,
                                 c->key ? c->key : "", before + 1, db->now_ms, c->expires_ms);
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

bool table_write(struct db *db, const struct table *table, const struct backend_commit *c)
{
    int64_t before = 0;

    if (c->before)
        memcpy(&before, c->before, sizeof before);
    if (run_write(db, table, c, before))
        return true;
    if (before || db->failed ||
        !db_integer(db, 0, "SELECT 1 FROM orders WHERE namespace=? AND key=? AND until<=?", "iti",
                    db->namespace_id, c->key ? c->key : "", db->now_ms))
        return false;
    table_remove(db, table, db->namespace_id, c->key);
    return run_write(db, table, c, before);
}

void table_remove(struct db *db, const struct table *orders, int64_t namespace_id, const char *key)
{
    struct order_record record;
    const char *blob[RECORD_BLOBS];

    table_read(db, orders, namespace_id, key, true, &record);
    for (size_t n = order_blobs(&record, blob); n > 0; n--)
        db_run(db, "DELETE FROM blobs WHERE namespace=? AND id=?", "it", namespace_id, blob[n - 1]);
    db_run(db, orders->remove, "it", namespace_id, key);
}
