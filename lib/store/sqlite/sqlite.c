#include "store/sqlite/sqlite.h"
#include "base/clock.h"
#include "store/sqlite/schema.h"
#include <stdio.h>
#include <stdlib.h>

#define DAY_MS (24 * 3600 * 1000LL)
#define MONTH_MS (30 * DAY_MS)

static void *sqlite_open(const struct config *config, struct log *log, struct error *e)
{
    struct store_sqlite *self = calloc(1, sizeof *self);

    if (!self || !store_clients_init(&self->clients, config->data_dir)) {
        error_set(e, "Out of memory");
        free(self);
        return NULL;
    }
    if (db_open(&self->db, config, log, e))
        return self;
    store_clients_close(&self->clients);
    free(self);
    return NULL;
}

static void sqlite_close(void *state)
{
    struct store_sqlite *self = state;

    db_close(&self->db);
    store_clients_close(&self->clients);
    free(self);
}

static void sqlite_before_fork(void *self)
{
    db_disconnect(&((struct store_sqlite *)self)->db);
}

static const char *sqlite_trouble(const void *self)
{
    return ((const struct store_sqlite *)self)->db.trouble.text;
}

static void sqlite_shift_clock(void *self, int64_t ms, bool wall_alone)
{
    struct db *db = &((struct store_sqlite *)self)->db;

    db->shift_ms += ms;
    if (!wall_alone)
        db->boot_shift_ms += ms;
}

static bool sqlite_lost(void *self, struct error *what)
{
    struct error *lost = &((struct store_sqlite *)self)->db.lost;
    bool is = lost->text[0] != '\0';

    if (is)
        *what = *lost;
    lost->text[0] = '\0';
    return is;
}

static enum store_result sqlite_forgot(void *self, const char *key_id)
{
    struct db *db = &((struct store_sqlite *)self)->db;

    if (!db_write(db))
        return STORE_UNAVAILABLE;
    db_run(db,
           "UPDATE spaces SET born_ms = ?1, forgot_ms = ?1, forgot_key = ?2, reconcile_wanted "
           "= " SCHEMA_WANT_RECONCILE " WHERE id = ?3 AND forgot_key <> ?2",
           "iti", db->now_ms, key_id, db->space);
    /* Since when it was used is lost, too: a month has to do. */
    if (db_changes(db))
        db_run(db,
               "INSERT OR REPLACE INTO things(space, name, value, until_ms) VALUES(?, ?, CAST(? AS TEXT), 0)",
               "iti", db->space, SCHEMA_FIRST_USED, db->now_ms - MONTH_MS);
    return db_commit(db) ? STORE_OK : STORE_UNAVAILABLE;
}

static enum store_result sqlite_allow(void *state, const char *client, int64_t *count)
{
    struct store_sqlite *self = state;
    struct error e = ERROR_NONE;
    char name[256];

    snprintf(name, sizeof name, "%lld:%s", (long long)self->db.space, client);
    if (store_clients_count(&self->clients, name, (clock_wall_ms() + self->db.shift_ms) / DAY_MS, count, &e))
        return STORE_OK;
    self->db.trouble = e;
    return STORE_UNAVAILABLE;
}

const struct store_backend store_sqlite = {
    .kind = "sqlite",
    .open = sqlite_open,
    .close = sqlite_close,
    .before_fork = sqlite_before_fork,
    .trouble = sqlite_trouble,
    .shift_clock = sqlite_shift_clock,
    .lost = sqlite_lost,
    .forgot = sqlite_forgot,
    .claim = sqlite_claim,
    .progress = sqlite_progress,
    .renew = sqlite_renew,
    .finish = sqlite_finish,
    .retry = sqlite_retry,
    .park = sqlite_park,
    .park_bytes = sqlite_park_bytes,
    .lease_due = sqlite_lease_due,
    .waiting = sqlite_waiting,
    .heartbeat = sqlite_heartbeat,
    .contact_lock = sqlite_contact_lock,
    .contact_unlock = sqlite_contact_unlock,
    .card_take = sqlite_card_take,
    .allow = sqlite_allow,
    .pace = sqlite_pace,
    .pace_correct = sqlite_pace_correct,
    .breaker = sqlite_breaker,
    .probe = sqlite_probe,
    .pause = sqlite_pause,
    .resume = sqlite_resume,
    .count = sqlite_count,
    .reconciled = sqlite_reconciled,
    .put = sqlite_put,
    .get = sqlite_get,
    .stats = sqlite_stats,
    .parked_list = sqlite_parked_list,
    .parked_get = sqlite_parked_get,
    .requeue = sqlite_requeue,
    .drop = sqlite_drop,
    .expire_parked = sqlite_expire_parked,
    .look = sqlite_look,
};
