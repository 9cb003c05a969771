#include "store/sqlite/schema.h"

const struct record_type *const schema_type[SCHEMA_TYPES] = {&order_record_type, &location_record_type,
                                                             &limiter_record_type};

static const char *const index_columns[INDEXES] = {
    [INDEX_DUE] = "by_due", [INDEX_DEAD] = "by_dead", [INDEX_AGE] = "by_age"};

/* `lost`: how often the file came back older than it was. */
static const char other_tables[] =
    "CREATE TABLE namespaces(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
    "CREATE TABLE clock(id INTEGER PRIMARY KEY, boot TEXT, ahead INTEGER, last INTEGER, lost INTEGER);"
    "CREATE TABLE blobs(namespace INTEGER, id TEXT, bytes BLOB, PRIMARY KEY(namespace, id)) WITHOUT ROWID;"
    "CREATE TABLE vals(namespace INTEGER, name TEXT, value TEXT, until INTEGER, PRIMARY KEY(namespace, name))"
    " WITHOUT ROWID;"
    "CREATE INDEX vals_until ON vals(until) WHERE until IS NOT NULL;";

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

int64_t schema_version(void)
{
    uint32_t hash = 0x811c9dc5;

    add_hash(&hash, other_tables);
    add_hash(&hash, indexes);
    for (size_t i = 0; i < INDEXES; i++)
        add_hash(&hash, index_columns[i]);
    for (size_t i = 0; i < SCHEMA_TYPES; i++)
        for (size_t f = 0; f < schema_type[i]->count; f++)
            add_hash(&hash, schema_type[i]->fields[f].name);
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

bool schema_create(struct buf *sql)
{
    buf_adds(sql, other_tables);
    for (size_t i = 0; i < SCHEMA_TYPES; i++) {
        buf_addf(sql,
                 "CREATE TABLE %ss(namespace INTEGER NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL",
                 schema_type[i]->name);
        add_columns(sql, schema_type[i], true, false);
        buf_adds(sql, ", PRIMARY KEY(namespace, key));");
    }
    return buf_adds(sql, indexes);
}

bool schema_statement(struct buf *sql, const struct record_type *type, enum schema_statement statement)
{
    switch (statement) {
    case SCHEMA_SELECT:
        buf_adds(sql, "SELECT version");
        add_columns(sql, type, true, false);
        return buf_addf(sql, " FROM %ss WHERE namespace=?%d AND key=?%d", type->name, AT_NAMESPACE, AT_KEY);
    case SCHEMA_INSERT:
        buf_addf(sql, "INSERT INTO %ss(namespace, key, version", type->name);
        add_columns(sql, type, true, false);
        buf_addf(sql, ") VALUES(?%d, ?%d, ?%d", AT_NAMESPACE, AT_KEY, AT_VERSION);
        add_columns(sql, type, false, true);
        return buf_adds(sql, ") ON CONFLICT DO NOTHING");
    case SCHEMA_UPDATE:
        buf_addf(sql, "UPDATE %ss SET version=?%d", type->name, AT_VERSION);
        add_columns(sql, type, true, true);
        return buf_addf(sql,
                        " WHERE namespace=?%d AND key=?%d AND version=?%d-1 AND (until IS NULL OR until>?%d)",
                        AT_NAMESPACE, AT_KEY, AT_VERSION, AT_NOW);
    case SCHEMA_DELETE:
        return buf_addf(sql, "DELETE FROM %ss WHERE namespace=?%d AND key=?%d", type->name, AT_NAMESPACE,
                        AT_KEY);
    case SCHEMA_STATEMENTS: break;
    }
    return false;
}
