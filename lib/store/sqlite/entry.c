#include "store/sqlite/sqlite.h"
#include <string.h>

static enum store_result ended(struct db *db, bool mine)
{
    if (!db_commit(db))
        return STORE_UNAVAILABLE;
    return mine ? STORE_OK : STORE_LOST;
}

/* Begins a verb on one order. False: nothing to do but STORE_UNAVAILABLE. */
static bool begin(struct db *db, const char *key, struct space *space, struct record *r)
{
    if (!db_write(db))
        return false;
    space_load(db, space);
    if (record_load(db, key, r))
        return true;
    db_rollback(db);
    return false;
}

/* -- progress -- */

static bool is_set(const char *text)
{
    return text && *text;
}

/* The ids given are in the record now, or were; tells which others stay there. */
static unsigned take_ids(struct record *r, const struct store_progress *p, bool mine)
{
    if (p->replace_contact && mine) {
        /* What the old contact held says nothing of the new one. */
        r->link.contact_id[0] = '\0';
        memset(r->link.part_hash, 0, sizeof r->link.part_hash);
    }
    return (record_take_id(r->link.contact_id, p->contact_id) ? 0 : STORE_OTHER_CONTACT) |
           (record_take_id(r->link.opportunity_id, p->opportunity_id) ? 0 : STORE_OTHER_CARD);
}

/* May this clear the attempt? With the lease always; without it only together with the id that it was for. */
static bool clears(const struct record *r, const struct store_progress *p, bool mine)
{
    if (!p->clear_attempt || r->attempt == STORE_ATTEMPT_NONE)
        return false;
    if (mine)
        return true;
    switch ((enum store_attempt)r->attempt) {
    case STORE_ATTEMPT_CONTACT: return is_set(p->contact_id) && !strcmp(p->contact_id, r->link.contact_id);
    case STORE_ATTEMPT_OPPORTUNITY:
        return is_set(p->opportunity_id) && !strcmp(p->opportunity_id, r->link.opportunity_id);
    case STORE_ATTEMPT_NOTE:
    case STORE_ATTEMPT_NONE: break;
    }
    return false;
}

static void change_attempt(struct db *db, struct record *r, const struct store_progress *p, bool mine)
{
    if (clears(r, p, mine))
        r->attempt = STORE_ATTEMPT_NONE; /* its note goes with record_save */
    if (p->attempt == STORE_ATTEMPT_NONE || !mine)
        return;
    blob_drop(db, &r->attempt_note);
    r->attempt = p->attempt;
    record_begin_attempt(db, r);
    if (p->attempt_note)
        r->attempt_note = blob_put(db, p->attempt_note, strlen(p->attempt_note));
}

enum store_result sqlite_progress(void *self, const char *key, const char *token,
                                  const struct store_progress *p, unsigned *others)
{
    struct db *db = &((struct store_sqlite *)self)->db;
    struct space space;
    struct record r;

    if (others)
        *others = 0;
    if (!begin(db, key, &space, &r))
        return STORE_UNAVAILABLE;
    bool mine = record_is_mine(&r, token);
    unsigned met = take_ids(&r, p, mine);
    change_attempt(db, &r, p, mine);
    if (is_set(p->contact_id) || is_set(p->opportunity_id))
        record_renew(db, &r);
    if (mine)
        record_lease(db, &r, token, p->lease_ms);
    record_save(db, &r);
    enum store_result result = ended(db, mine);
    if (others && result != STORE_UNAVAILABLE)
        *others = met;
    return result;
}

enum store_result sqlite_renew(void *self, const char *key, const char *token, int64_t lease_ms)
{
    struct db *db = &((struct store_sqlite *)self)->db;
    struct space space;
    struct record r;

    if (!begin(db, key, &space, &r))
        return STORE_UNAVAILABLE;
    bool mine = record_is_mine(&r, token);
    if (mine) {
        record_lease(db, &r, token, lease_ms);
        record_save(db, &r);
    }
    return ended(db, mine);
}

/* -- the end of the work -- */

static void keep_id(char id[STORE_ID_SIZE], const char given[STORE_ID_SIZE])
{
    if (given[0])
        memcpy(id, given, STORE_ID_SIZE);
}

/* An empty id says nothing: one that another worker learned meanwhile stays. */
static void keep_link(struct record *r, const struct store_link *link, bool mine)
{
    if (!mine) {
        (void)record_take_id(r->link.contact_id, link->contact_id);
        (void)record_take_id(r->link.opportunity_id, link->opportunity_id);
        return;
    }
    keep_id(r->link.contact_id, link->contact_id);
    keep_id(r->link.opportunity_id, link->opportunity_id);
    r->link.gone = link->gone;
    memcpy(r->link.part_hash, link->part_hash, sizeof r->link.part_hash);
}

/* The link tells how the attempt ended. Otherwise it stays, as long as a link would: the next state of this
 * order must not create a second card. */
static void end_attempt(struct record *r)
{
    if (r->link.gone || r->link.opportunity_id[0] ||
        (r->attempt == STORE_ATTEMPT_CONTACT && r->link.contact_id[0]))
        r->attempt = STORE_ATTEMPT_NONE;
}

enum store_result sqlite_finish(void *self, const char *key, const char *token, const char *fingerprint,
                                const struct store_link *link, int64_t next_lease_ms,
                                struct store_entry *next, bool *has_next)
{
    struct db *db = &((struct store_sqlite *)self)->db;
    struct space space;
    struct record r;
    bool gives = false;

    if (has_next)
        *has_next = false;
    if (!begin(db, key, &space, &r))
        return STORE_UNAVAILABLE;
    bool mine = record_is_mine(&r, token);
    keep_link(&r, link, mine);
    if (mine || link->contact_id[0] || link->opportunity_id[0])
        record_renew(db, &r);
    if (mine) {
        if (r.seen_fingerprint[0] && !strcmp(fingerprint, r.seen_fingerprint))
            r.idempotent_until_ms = db->now_ms + db->config->idempotency_ttl_ms;
        end_attempt(&r);
        gives = r.waiting.body && next && has_next && next_lease_ms > 0;
        if (r.waiting.body)
            record_promote(db, &r, 0);
        else
            record_end(db, &r);
        if (gives) {
            record_lease(db, &r, next->token, next_lease_ms);
            record_give(db, &space, &r, next);
        }
    }
    record_save(db, &r);
    enum store_result result = ended(db, mine);
    if (has_next)
        *has_next = result == STORE_OK && gives;
    return result;
}

enum store_result sqlite_retry(void *self, const char *key, const char *token, int64_t delay_ms, bool counted,
                               bool hold, const char *why)
{
    struct db *db = &((struct store_sqlite *)self)->db;
    struct space space;
    struct record r;

    if (delay_ms < 0)
        delay_ms = 0;
    if (!begin(db, key, &space, &r))
        return STORE_UNAVAILABLE;
    bool mine = record_is_mine(&r, token);
    if (mine && r.waiting.body) {
        record_promote(db, &r, hold ? delay_ms : 0);
    } else if (mine) {
        if (counted)
            r.attempts++;
        else
            r.current.held_ms -= delay_ms;
        record_due(db, &r, delay_ms);
        record_reason(&r, why);
    }
    if (mine)
        record_save(db, &r);
    return ended(db, mine);
}

enum store_result sqlite_park(void *self, const char *key, const char *token, const char *why, bool *parked)
{
    struct db *db = &((struct store_sqlite *)self)->db;
    struct space space;
    struct record r;
    bool parks = false;

    if (parked)
        *parked = false;
    if (!begin(db, key, &space, &r))
        return STORE_UNAVAILABLE;
    bool mine = record_is_mine(&r, token);
    if (mine && r.waiting.body)
        record_promote(db, &r, 0);
    else if (mine) {
        parks = true;
        record_due(db, &r, 0);
        r.kind = RECORD_PARKED;
        r.parked_ms = db->now_ms;
        record_reason(&r, why);
    }
    if (mine)
        record_save(db, &r);
    enum store_result result = ended(db, mine);
    if (parked)
        *parked = result == STORE_OK && parks;
    return result;
}
