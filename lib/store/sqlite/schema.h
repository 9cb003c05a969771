/*
 * store_sqlite_schema: the tables of DATA_DIR/store.db, and how a file of an older version becomes one of
 * this.
 *
 * PRAGMA user_version is the number of steps that a file has taken; a new version of the schema appends a
 * step and never changes one. All times are ms of the wall clock, but for leases (lease_until_ms, with
 * lease_boot), which are ms since that boot. Rows with an until_ms go when it has passed; 0 = kept.
 */
#ifndef WOO_GHL_STORE_SQLITE_SCHEMA_H
#define WOO_GHL_STORE_SQLITE_SCHEMA_H

#define SCHEMA_APPLICATION_ID 0x776f6f67 /* "woog" */

/* clang-format off */
#define SCHEMA_STEPS \
    /* 1 */ \
    "CREATE TABLE spaces(" /* one row a namespace: its switches */ \
    " id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, born_ms INTEGER NOT NULL," \
    " heartbeat_ms INTEGER NOT NULL DEFAULT 0, reconcile_wanted INTEGER NOT NULL DEFAULT 0," \
    " paused_ms INTEGER NOT NULL DEFAULT 0, pause_token TEXT NOT NULL DEFAULT ''," \
    " pause_reason TEXT NOT NULL DEFAULT '', pause_probe_ms INTEGER NOT NULL DEFAULT 0," \
    " breaker_failures INTEGER NOT NULL DEFAULT 0, breaker_open_ms INTEGER NOT NULL DEFAULT 0," \
    " breaker_until_ms INTEGER NOT NULL DEFAULT 0, breaker_probe_ms INTEGER NOT NULL DEFAULT 0," \
    " held_ms INTEGER NOT NULL DEFAULT 0, hold_since_ms INTEGER NOT NULL DEFAULT 0," \
    " pace_us INTEGER NOT NULL DEFAULT 0, pace_day_left INTEGER NOT NULL DEFAULT 0," \
    " pace_day_end_ms INTEGER NOT NULL DEFAULT 0);" \
    "CREATE TABLE blobs(id INTEGER PRIMARY KEY, bytes BLOB NOT NULL);" /* bodies and attempt notes */ \
    "CREATE TABLE orders(" /* one row an order: seen, link and entry */ \
    " space INTEGER NOT NULL, key TEXT NOT NULL, until_ms INTEGER NOT NULL," \
    " seen_fingerprint TEXT NOT NULL, seen_hmac TEXT NOT NULL, seen_place_s INTEGER NOT NULL," \
    " seen_arrived_ms INTEGER NOT NULL, seen_until_ms INTEGER NOT NULL, idempotent_until_ms INTEGER NOT NULL," \
    " contact_id TEXT NOT NULL, opportunity_id TEXT NOT NULL, gone INTEGER NOT NULL, part0 TEXT NOT NULL," \
    " part1 TEXT NOT NULL, part2 TEXT NOT NULL, part3 TEXT NOT NULL, link_until_ms INTEGER NOT NULL," \
    " kind INTEGER NOT NULL, due_ms INTEGER NOT NULL, token TEXT NOT NULL, lease_boot TEXT NOT NULL," \
    " lease_until_ms INTEGER NOT NULL, attempts INTEGER NOT NULL, sold INTEGER NOT NULL," \
    " created_s INTEGER NOT NULL, reason TEXT NOT NULL, parked_ms INTEGER NOT NULL," \
    " current_body INTEGER NOT NULL, current_trashed INTEGER NOT NULL, current_accepted_ms INTEGER NOT NULL," \
    " current_held_ms INTEGER NOT NULL, current_fingerprint TEXT NOT NULL," \
    " waiting_body INTEGER NOT NULL, waiting_trashed INTEGER NOT NULL, waiting_accepted_ms INTEGER NOT NULL," \
    " waiting_held_ms INTEGER NOT NULL, waiting_fingerprint TEXT NOT NULL," \
    " attempt INTEGER NOT NULL, attempt_note INTEGER NOT NULL, attempt_ms INTEGER NOT NULL," \
    " PRIMARY KEY(space, key)) WITHOUT ROWID;" \
    "CREATE INDEX orders_due ON orders(space, kind, due_ms) WHERE kind IN (1, 2);" \
    "CREATE INDEX orders_parked ON orders(space, parked_ms, key) WHERE kind = 3;" \
    "CREATE INDEX orders_until ON orders(until_ms) WHERE until_ms > 0;" \
    "CREATE TABLE clients(" /* signed requests of a day */ \
    " space INTEGER NOT NULL, client TEXT NOT NULL, day INTEGER NOT NULL, count INTEGER NOT NULL," \
    " until_ms INTEGER NOT NULL, PRIMARY KEY(space, client, day)) WITHOUT ROWID;" \
    "CREATE INDEX clients_until ON clients(until_ms);" \
    "CREATE TABLE contacts(" /* leases on a customer, and the newest order that wrote the contact */ \
    " space INTEGER NOT NULL, hash TEXT NOT NULL, token TEXT NOT NULL, lease_boot TEXT NOT NULL," \
    " lease_until_ms INTEGER NOT NULL, newest_s INTEGER NOT NULL, until_ms INTEGER NOT NULL," \
    " PRIMARY KEY(space, hash)) WITHOUT ROWID;" \
    "CREATE INDEX contacts_until ON contacts(until_ms);" \
    "CREATE TABLE cards(" /* which order owns an opportunity */ \
    " space INTEGER NOT NULL, opportunity_id TEXT NOT NULL, key TEXT NOT NULL, created_s INTEGER NOT NULL," \
    " until_ms INTEGER NOT NULL, PRIMARY KEY(space, opportunity_id)) WITHOUT ROWID;" \
    "CREATE INDEX cards_until ON cards(until_ms);" \
    "CREATE TABLE counters(" \
    " space INTEGER NOT NULL, word TEXT NOT NULL, count INTEGER NOT NULL," \
    " PRIMARY KEY(space, word)) WITHOUT ROWID;" \
    "CREATE TABLE things(" \
    " space INTEGER NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, until_ms INTEGER NOT NULL," \
    " PRIMARY KEY(space, name)) WITHOUT ROWID;" \
    "CREATE INDEX things_until ON things(until_ms) WHERE until_ms > 0;", \
    /* 2: an attempt of unknown outcome outlives its entry; when its row goes, so does the note */ \
    "CREATE TRIGGER orders_note AFTER DELETE ON orders WHEN old.attempt_note <> 0 " \
    "BEGIN DELETE FROM blobs WHERE id = old.attempt_note; END;", \
    /* 3: a status that counts instead of the body's own is any, not only an order.deleted's */ \
    "ALTER TABLE orders ADD COLUMN seen_ended TEXT NOT NULL DEFAULT '';" \
    "ALTER TABLE orders ADD COLUMN current_status TEXT NOT NULL DEFAULT '';" \
    "ALTER TABLE orders ADD COLUMN waiting_status TEXT NOT NULL DEFAULT '';" \
    "UPDATE orders SET current_status = 'trash' WHERE current_trashed <> 0;" \
    "UPDATE orders SET waiting_status = 'trash' WHERE waiting_trashed <> 0;" \
    "ALTER TABLE orders DROP COLUMN current_trashed;" \
    "ALTER TABLE orders DROP COLUMN waiting_trashed;" \
    /* and the age of an attempt does not depend on the wall clock */ \
    "ALTER TABLE orders ADD COLUMN attempt_boot TEXT NOT NULL DEFAULT '';" \
    "ALTER TABLE orders ADD COLUMN attempt_boot_ms INTEGER NOT NULL DEFAULT 0;" \
    /* when the store lost what it knew; from this version on its log stays, so that a missing one tells */ \
    "ALTER TABLE spaces ADD COLUMN forgot_ms INTEGER NOT NULL DEFAULT 0;" \
    "ALTER TABLE spaces ADD COLUMN forgot_key TEXT NOT NULL DEFAULT '';"
#define SCHEMA_LOG_STAYS 3

/* born_ms begins anew while the data stays: since when a namespace is used is kept, for what a reconcile has to read.
 * Absent as long as that is born_ms. Takes the time. */
#define SCHEMA_FIRST_USED "first_used"
#define SCHEMA_KEEP_FIRST_USED \
    "INSERT INTO things(space, name, value, until_ms) SELECT id, '" SCHEMA_FIRST_USED "', CAST(born_ms AS TEXT), 0" \
    " FROM spaces WHERE born_ms <= ? ON CONFLICT DO NOTHING"

/* What reconcile_wanted becomes when it is asked for at ?1; space_want_reconcile says the same. */
#define SCHEMA_WANT_RECONCILE "max(abs(reconcile_wanted) + 1, ?1)"

/* Each takes the time and how many rows; those that expire in one ms go together. By the index alone: looked for by
 * its key a row costs a look at all rows of its namespace. */
#define SCHEMA_SWEEP(table, index, expires) \
    "DELETE FROM " table " INDEXED BY " index " WHERE " expires "until_ms <= (SELECT max(until_ms) FROM" \
    " (SELECT until_ms FROM " table " WHERE " expires "until_ms <= ? ORDER BY until_ms LIMIT ?))"
/* clang-format on */

#endif
