#include "store/sqlite/table.h"
#include "base/text.h"
#include <stdlib.h>
#include <string.h>

#define SQL_MAX 16384

/* The statements on one record. SELECT yields the version, `until`, the indexes' columns and the fields. UPDATE
 * changes the row that has the version before, unless it has expired; INSERT nothing if there is a row. */
enum statement { SELECT, INSERT, UPDATE, DELETE };
/* Their parameters: these, then one an index, then one a field. */
enum { AT_NAMESPACE = 1, AT_KEY, AT_VERSION, AT_NOW, AT_UNTIL, AT_INDEX, AT_FIELD = AT_INDEX + INDEXES };

static const struct record_type *const types[TABLE_TYPES] = {&order_record_type, &location_record_type,
                                                             &limiter_record_type};

static const char *const index_columns[INDEXES] = {
    [INDEX_DUE] = "by_due", [INDEX_DEAD] = "by_dead", [INDEX_AGE] = "by_age"};

/* A blob's number follows from its id. A row with a number keeps its bytes together, and at the end of the table; under
 * the id as a key, each step of a search read all the bytes of the blob that it met.
 * `lost`: how often the file came back older than it was. */
static const char other_tables[] =
    "CREATE TABLE namespaces(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
    "CREATE TABLE clock(id INTEGER PRIMARY KEY, boot TEXT, ahead INTEGER, last INTEGER, lost INTEGER);"
    "CREATE TABLE blobs(number INTEGER PRIMARY KEY, namespace INTEGER, id TEXT, bytes BLOB);"
    "CREATE TABLE vals(namespace INTEGER, name TEXT, value TEXT, until INTEGER, PRIMARY KEY(namespace, name))"
    " WITHOUT ROWID;"
    "CREATE INDEX vals_until ON vals(until) WHERE until IS NOT NULL;";

/* With a row's number, the key would stand in an index of its own: one more page on disk for every new order. */
static const char table_end[] = ", PRIMARY KEY(namespace, key)) WITHOUT ROWID;";

/* What waits is in DUE and in AGE: one index has both, as each costs every new order a page on disk. */
static const char indexes[] =
    "CREATE INDEX orders_due ON orders(namespace, by_due, key, by_age) WHERE by_due IS NOT NULL;"
    "CREATE INDEX orders_dead ON orders(namespace, by_dead, key) WHERE by_dead IS NOT NULL;"
    "CREATE INDEX orders_until ON orders(until) WHERE until IS NOT NULL;";

static void add_hash(uint32_t *hash, const char *text)
{
    do
        *hash = (*hash ^ (unsigned char)*text) * 0x01000193; /* FNV-1a */
    while (*text++);
}

int64_t table_version(void)
{
    uint32_t hash = 0x811c9dc5;

    add_hash(&hash, "hex packed");
    add_hash(&hash, other_tables);
    add_hash(&hash, table_end);
    add_hash(&hash, indexes);
    for (size_t i = 0; i < INDEXES; i++)
        add_hash(&hash, index_columns[i]);
    for (size_t i = 0; i < TABLE_TYPES; i++)
        for (size_t f = 0; f < types[i]->count; f++)
            add_hash(&hash, types[i]->fields[f].name);
    return hash >> 1 | 1; /* never 0, which an empty file has */
}

/* The columns after the version, by name, or as parameters, or as assignments. */
static void add_columns(struct buf *sql, const struct record_type *type, bool names, bool parameters)
{
    for (size_t i = 0; i < 1 + INDEXES + type->count; i++) {
        buf_adds(sql, ", ");
        if (names) {
            buf_addc(sql, '"');
            buf_adds(sql, i == 0         ? "until"
                          : i <= INDEXES ? index_columns[i - 1]
                                         : type->fields[i - 1 - INDEXES].name);
            buf_addc(sql, '"');
        }
        if (parameters)
            buf_addf(sql, "%s?%zu", names ? "=" : "", AT_UNTIL + i);
    }
}

bool table_create(struct buf *sql)
{
    buf_adds(sql, other_tables);
    for (size_t i = 0; i < TABLE_TYPES; i++) {
        buf_addf(sql,
                 "CREATE TABLE %ss(namespace INTEGER NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL",
                 types[i]->name);
        add_columns(sql, types[i], true, false);
        buf_adds(sql, table_end);
    }
    return buf_adds(sql, indexes);
}

static bool write_statement(struct buf *sql, const struct record_type *type, enum statement statement)
{
    switch (statement) {
    case SELECT:
        buf_adds(sql, "SELECT version");
        add_columns(sql, type, true, false);
        return buf_addf(sql, " FROM %ss WHERE namespace=?%d AND key=?%d", type->name, AT_NAMESPACE, AT_KEY);
    case INSERT:
        buf_addf(sql, "INSERT INTO %ss(namespace, key, version", type->name);
        add_columns(sql, type, true, false);
        buf_addf(sql, ") VALUES(?%d, ?%d, ?%d", AT_NAMESPACE, AT_KEY, AT_VERSION);
        add_columns(sql, type, false, true);
        return buf_adds(sql, ") ON CONFLICT DO NOTHING");
    case UPDATE:
        buf_addf(sql, "UPDATE %ss SET version=?%d", type->name, AT_VERSION);
        add_columns(sql, type, true, true);
        return buf_addf(sql,
                        " WHERE namespace=?%d AND key=?%d AND version=?%d-1 AND (until IS NULL OR until>?%d)",
                        AT_NAMESPACE, AT_KEY, AT_VERSION, AT_NOW);
    case DELETE:
        return buf_addf(sql, "DELETE FROM %ss WHERE namespace=?%d AND key=?%d", type->name, AT_NAMESPACE,
                        AT_KEY);
    }
    return false;
}

/* -- statements -- */

void tables_free(struct tables *tables)
{
    for (size_t i = 0; i < TABLE_TYPES; i++)
        for (size_t j = 0; j < TABLE_STATEMENTS; j++)
            free(tables->sql[i][j]);
    *tables = (struct tables){0};
}

/* Written at its first use, as each costs some time and few processes need all. NULL with the transaction failed. */
static const char *sql_of(struct db *db, struct tables *tables, const struct record_type *type,
                          enum statement statement)
{
    size_t i = 0;
    struct buf sql;

    while (i < TABLE_TYPES - 1 && types[i] != type)
        i++;
    if (tables->sql[i][statement])
        return tables->sql[i][statement];
    buf_init(&sql, SQL_MAX);
    if (write_statement(&sql, type, statement))
        tables->sql[i][statement] = buf_steal(&sql);
    else
        db_fail(db, "out of memory");
    buf_free(&sql);
    return tables->sql[i][statement];
}

/* -- rows -- */

static int bind_field(sqlite3_stmt *row, int at, const struct field *field, const void *record)
{
    char text[FIELD_VALUE_SIZE];
    int64_t number = field_number(field, record);
    size_t len = field->type == FIELD_TEXT ? field_pack(field, record, text) : 0;

    if (len > 0)
        return *text == FIELD_PACKED ? sqlite3_bind_blob(row, at, text, (int)len, SQLITE_TRANSIENT)
                                     : sqlite3_bind_text(row, at, text, (int)len, SQLITE_TRANSIENT);
    return number ? sqlite3_bind_int64(row, at, number) : sqlite3_bind_null(row, at);
}

static bool read_field(sqlite3_stmt *row, int column, const struct field *field, void *record)
{
    if (sqlite3_column_type(row, column) == SQLITE_NULL)
        return true; /* at its default */
    if (field->type != FIELD_TEXT)
        return field_set_number(field, record, sqlite3_column_int64(row, column));
    const char *bytes = sqlite3_column_blob(row, column);
    return bytes && field_unpack(field, record, bytes, (size_t)sqlite3_column_bytes(row, column));
}

void table_read(struct db *db, struct tables *tables, const struct record_type *type, int64_t namespace_id,
                const char *key, bool expired, void *record)
{
    sqlite3_stmt *row = db_query(db, sql_of(db, tables, type, SELECT), "it", namespace_id, key);

    memset(record, 0, type->size);
    if (!db_next(db, row))
        return;
    int64_t version = sqlite3_column_int64(row, 0), until = sqlite3_column_int64(row, 1);
    if (!until || until > db->now_ms || expired) {
        memcpy(record, &version, sizeof version);
        db->saw = db->saw || type == &order_record_type;
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
        db_query(db, sql_of(db, tables, type, before ? UPDATE : INSERT), "itiin", db->namespace_id,
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
        table_drop_blob(db, namespace_id, blob[n - 1]);
    db_run(db, sql_of(db, tables, &order_record_type, DELETE), "it", namespace_id, key);
}

int64_t table_blob_number(const char *id)
{
    char digits[17];

    (void)text_copy(digits, sizeof digits, id);
    return (int64_t)(strtoull(digits, NULL, 16) >> 1);
}

void table_drop_blob(struct db *db, int64_t namespace_id, const char *id)
{
    db_run(db, "DELETE FROM blobs WHERE number=? AND namespace=? AND id=?", "iit", table_blob_number(id),
           namespace_id, id);
}
