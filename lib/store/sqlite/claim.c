#include "store/sqlite/schema.h"
#include "store/sqlite/sqlite.h"
#include <stdio.h>
#include <string.h>

#define DAY_MS (24 * 3600 * 1000LL)
#define DRAIN_NEEDED_MS 60000
#define UNDRAINED_MS 600000
#define ARRIVAL_SLACK_MS 1000
#define SILENCE_MS (30 * DAY_MS)

/* One claim while it is decided. */
struct work {
    struct db *db;
    const struct store_claim *claim;
    struct store_claim_reply *reply;
    struct store_entry *entry; /* its token is the new lease's */
    struct space space;
    struct record record;
    int64_t arrived_ms, place_s; /* this state's place in time */
    bool over_limit;
    bool sold_late; /* a sale that comes after its end: seen's place and status stay */
};

/* -- 1: the client's day -- */

static void count_client(struct work *w)
{
    const struct store_claim *c = w->claim;

    if (!c->client || !*c->client || c->fetched || c->client_limit <= 0)
        return;
    int64_t day = w->db->now_ms / DAY_MS;
    int64_t count =
        db_integer(w->db, 0,
                   "INSERT INTO clients(space, client, day, count, until_ms) VALUES(?, ?, ?, 1, ?) "
                   "ON CONFLICT DO UPDATE SET count = count + 1 RETURNING count",
                   "itii", w->db->space, c->client, day, (day + 1) * DAY_MS);
    w->over_limit = count > c->client_limit;
}

/* When the shop last delivered, to the second. What was read from it is no delivery. */
static void note_delivery(struct work *w)
{
    const struct store_claim *c = w->claim;
    char text[24];

    if (!c->fetched && ((c->client && *c->client) || c->arrived_ago_ms > 0)) {
        snprintf(text, sizeof text, "%lld",
                 (long long)(w->db->now_ms - (c->arrived_ago_ms > 0 ? c->arrived_ago_ms : 0)));
        db_run(w->db,
               "INSERT INTO things(space, name, value, until_ms) VALUES(?, ?, ?, 0) ON CONFLICT DO UPDATE "
               "SET value = excluded.value "
               "WHERE CAST(value AS INTEGER) + 1000 <= CAST(excluded.value AS INTEGER)",
               "itt", w->db->space, DB_DELIVERED, text);
    }
}

/* A month without a word, or a clock that jumped ahead, or came back: links may have expired before their
 * time. */
static void doubt_memory(struct work *w)
{
    int64_t now_ms = w->db->now_ms,
            last_ms =
                db_integer(w->db, 0, "SELECT CAST(value AS INTEGER) FROM things WHERE space = ? AND name = ?",
                           "it", w->db->space, DB_DELIVERED);

    if ((last_ms <= 0 || now_ms - last_ms <= SILENCE_MS) && w->space.born_ms <= now_ms + DAY_MS)
        return;
    db_run(w->db, SCHEMA_KEEP_FIRST_USED, "i", now_ms);
    w->space.born_ms = now_ms;
    space_save(w->db, &w->space);
}

/* -- a state's place in time -- */

static bool has_seen(const struct record *r)
{
    return r->seen_fingerprint[0] != '\0';
}

static void find_place(struct work *w)
{
    const struct store_claim *c = w->claim;
    const struct record *r = &w->record;

    w->arrived_ms = w->db->now_ms - (c->arrived_ago_ms > 0 ? c->arrived_ago_ms : 0);
    /* What comes now comes after all that was seen, also when the clock was set back meanwhile. */
    if (c->arrived_ago_ms <= 0 && has_seen(r) && w->arrived_ms < r->seen_arrived_ms)
        w->arrived_ms = r->seen_arrived_ms;
    int64_t arrived_s = w->arrived_ms / 1000;
    if (c->modified_s > 0)
        w->place_s = c->modified_s < arrived_s ? c->modified_s : arrived_s;
    else
        w->place_s = has_seen(r) ? r->seen_place_s : arrived_s;
}

static bool is_older(const struct work *w)
{
    const struct record *r = &w->record;

    if (!has_seen(r))
        return false;
    /* Something newer may have overtaken what was read from the shop, or comes from the spool, whose arrival
     * is right to a second. */
    int64_t slack_ms = w->claim->fetched ? 0 : ARRIVAL_SLACK_MS;
    return w->place_s < r->seen_place_s ||
           (w->place_s == r->seen_place_s &&
            (w->claim->again ||
             (w->claim->arrived_ago_ms > 0 && w->arrived_ms + slack_ms < r->seen_arrived_ms)));
}

static bool is_newest(const struct work *w)
{
    const struct record *r = &w->record;
    return !has_seen(r) || w->place_s > r->seen_place_s ||
           (w->place_s == r->seen_place_s && w->arrived_ms >= r->seen_arrived_ms);
}

static void keep_newer_place(struct work *w)
{
    struct record *r = &w->record;

    if (is_newest(w)) {
        r->seen_place_s = w->place_s;
        r->seen_arrived_ms = w->arrived_ms;
    }
}

static void copy_hex(char out[DIGEST_HEX_SIZE], const char *hex)
{
    size_t n = hex ? strnlen(hex, DIGEST_HEX_SIZE - 1) : 0;
    if (n)
        memcpy(out, hex, n);
    out[n] = '\0';
}

static void copy_status(char out[STORE_STATUS_SIZE], const char *status)
{
    size_t n = status ? strnlen(status, STORE_STATUS_SIZE) : 0;
    if (n >= STORE_STATUS_SIZE)
        n = 0;
    if (n)
        memcpy(out, status, n);
    out[n] = '\0';
}

static void see(struct work *w)
{
    struct record *r = &w->record;

    keep_newer_place(w);
    if (strcmp(r->seen_fingerprint, w->claim->fingerprint) != 0)
        r->idempotent_until_ms = 0;
    copy_hex(r->seen_fingerprint, w->claim->fingerprint);
    copy_hex(r->seen_hmac, w->claim->hmac);
    copy_status(r->seen_ended, w->claim->creates ? "" : w->claim->status);
    record_renew(w->db, r);
}

/* -- 5: the state is accepted -- */

/* `kept`: the body that a status-only state changes; any other state brings its own. */
static void fill_state(struct work *w, struct record_state *state, int64_t kept)
{
    const struct store_claim *c = w->claim;

    if (state->body != kept)
        blob_drop(w->db, &state->body);
    state->body = kept ? kept : blob_put(w->db, c->body, c->body_len);
    copy_status(state->status, kept ? c->status : w->sold_late ? w->record.seen_ended : "");
    state->accepted_ms = w->db->now_ms;
    state->held_ms = space_held_ms(&w->space, w->db->now_ms);
    copy_hex(state->fingerprint, w->sold_late ? w->record.seen_fingerprint : c->fingerprint);
}

static void wait_behind_lease(struct work *w)
{
    struct record *r = &w->record;
    int64_t kept = 0;

    if (w->claim->status_only)
        kept = r->waiting.body ? r->waiting.body : blob_copy(w->db, r->current.body);
    fill_state(w, &r->waiting, kept);
}

static void become_current(struct work *w)
{
    struct record *r = &w->record;

    if (w->claim->status_only && r->waiting.body)
        record_promote(w->db, r, 0);
    blob_drop(w->db, &r->waiting.body);
    r->waiting = (struct record_state){0};
    fill_state(w, &r->current, w->claim->status_only ? r->current.body : 0);
    r->attempts = 0;
    r->reason[0] = '\0';
    record_due(w->db, r, 0);
}

/* As far as it is known; otherwise now, but for a store that forgot: then nobody knows. */
static int64_t created_s(const struct work *w)
{
    if (w->claim->created_s > 0)
        return w->claim->created_s;
    if (w->record.created_s > 0)
        return w->record.created_s;
    return w->space.forgot_ms ? 0 : w->db->now_ms / 1000;
}

static enum store_claim_result accept(struct work *w)
{
    const struct store_claim *c = w->claim;
    struct record *r = &w->record;

    if (w->sold_late) {
        /* No state's: the end is known no more. When it comes again it brings what the sale lacks. */
        r->seen_fingerprint[0] = 'x';
        r->seen_hmac[0] = '\0';
    } else {
        see(w);
    }
    r->idempotent_until_ms = 0;
    r->sold |= c->creates;
    r->created_s = created_s(w);
    if (record_lease_holds(w->db, r)) {
        wait_behind_lease(w);
        return CLAIM_BUSY;
    }
    become_current(w);
    enum store_hold hold = space_hold(&w->space);
    if (w->over_limit || hold != STORE_GO || !c->work) {
        w->reply->over_limit = w->over_limit;
        w->reply->hold = hold;
        return CLAIM_DEFERRED;
    }
    record_lease(w->db, r, w->entry->token, c->lease_ms);
    record_give(w->db, &w->space, r, w->entry);
    return CLAIM_NEW;
}

/* -- 2 to 4 -- */

static bool is_unknown(const struct record *r)
{
    return !record_has_link(r) && r->attempt == STORE_ATTEMPT_NONE && !r->current.body && !r->waiting.body &&
           !r->sold;
}

/* It was sold after all: the newer state that waits, whatever it is, must reach GHL. Whoever has it does not
 * know: then it is looked at once more. */
static void sell_what_waits(struct work *w)
{
    struct record *r = &w->record;

    r->sold = true;
    if (r->kind == RECORD_LEASED && !r->waiting.body) {
        r->waiting = r->current;
        r->waiting.body = blob_copy(w->db, r->current.body);
    }
    record_save(w->db, r);
}

/* A sale after its end, which needed nothing in GHL and is not kept. */
static bool is_sold_late(const struct work *w)
{
    const struct record *r = &w->record;
    return w->claim->creates && r->seen_ended[0] && !r->current.body && r->attempt == STORE_ATTEMPT_NONE &&
           !r->link.opportunity_id[0] && !r->link.gone;
}

/* This state is seen's already: nothing can come of it but a later place in time and a later expiry. */
static bool is_repeated(const struct work *w)
{
    const struct record *r = &w->record;
    return has_seen(r) && !strcmp(r->seen_fingerprint, w->claim->fingerprint) &&
           (r->kind != RECORD_PARKED || is_older(w));
}

/* After a loss an unknown order may be one that had a card: a reconcile finds it with its content. */
static void look_in_the_bin(struct work *w)
{
    const struct db *db = w->db;

    if (!w->space.forgot_ms || db->now_ms - w->space.forgot_ms >= db->config->link_ttl_ms)
        return;
    space_want_reconcile(&w->space, db->now_ms);
    space_save(w->db, &w->space);
}

static enum store_claim_result decide(struct work *w)
{
    const struct store_claim *c = w->claim;
    struct record *r = &w->record;
    bool older = is_older(w);

    bool unknown = !c->creates && is_unknown(r);

    /* A deletion names nothing that a card could be found by. */
    if (unknown && c->status_only && !has_seen(r)) {
        look_in_the_bin(w);
        return CLAIM_IGNORED;
    }
    if (unknown && !record_is_older(w->db, &w->space, created_s(w))) {
        /* One without a time (a deletion has none) says nothing of a sale that comes after it. */
        if (c->modified_s <= 0 && !has_seen(r))
            return CLAIM_IGNORED;
        if (is_newest(w))
            see(w);
        record_renew(w->db, r);
        record_save(w->db, r);
        return CLAIM_IGNORED;
    }
    if (is_repeated(w)) {
        keep_newer_place(w);
        record_renew(w->db, r);
        record_save(w->db, r);
        return CLAIM_DUPLICATE;
    }
    w->sold_late = older && is_sold_late(w);
    if (older && !w->sold_late) {
        if (c->creates && r->current.body && !r->sold)
            sell_what_waits(w);
        return CLAIM_STALE;
    }
    enum store_claim_result result = accept(w);
    record_save(w->db, r);
    return result;
}

static void reply_queue(struct work *w)
{
    char key[RECORD_KEY_SIZE];
    int64_t undrained_ms = space_undrained_ms(&w->space, w->db->now_ms);

    w->reply->breaker_failures = w->space.breaker_failures;
    w->reply->drain_needed =
        (!w->space.heartbeat_ms || undrained_ms > DRAIN_NEEDED_MS) && queue_first(w->db, false, key);
    w->reply->undrained = undrained_ms > UNDRAINED_MS && queue_first(w->db, true, key);
}

/* The body is sealed under the data key in use. */
static bool has_key(const struct work *w)
{
    return shared_has_key(w->db, w->claim->key_id);
}

/* What is known of the order, and where this state stands. */
static bool look(struct work *w)
{
    space_load(w->db, &w->space);
    if (!record_load(w->db, w->claim->key, &w->record))
        return false;
    find_place(w);
    return true;
}

static enum store_claim_result failure(const struct db *db)
{
    return db->full ? CLAIM_FULL : CLAIM_UNAVAILABLE;
}

/* Ends the transaction; `known`: look() went well. */
static enum store_claim_result carry_out(struct work *w, bool known)
{
    enum store_claim_result result = CLAIM_UNAVAILABLE;

    if (known) {
        count_client(w);
        doubt_memory(w);
        note_delivery(w);
        result = decide(w);
        reply_queue(w);
    }
    return db_commit(w->db) ? result : failure(w->db);
}

/* Every checkout makes redeliveries, and none of them needs a sync of its own: what they repeat was synced
 * before anybody could see it. Whether it is one is looked at before the turn of writing, and again in it:
 * meanwhile another state may have been taken. False: it is none, and nothing was done. */
static bool claim_repeated(struct work *w, enum store_claim_result *result)
{
    struct db *db = w->db;
    bool begun = db_read(db), repeated = begun && has_key(w) && look(w) && is_repeated(w),
         good = begun && db_commit(db);

    if (good && !repeated)
        return false;
    if (!good || !db_write_lazily(db)) {
        *result = failure(db);
        return true;
    }
    repeated = has_key(w) && look(w) && is_repeated(w);
    if (!repeated && !db->failed) {
        db_rollback(db);
        return false;
    }
    *result = carry_out(w, repeated);
    return true;
}

enum store_claim_result sqlite_claim(void *self, const struct store_claim *claim,
                                     struct store_claim_reply *reply, struct store_entry *entry)
{
    struct db *db = &((struct store_sqlite *)self)->db;
    struct work w = {.db = db, .claim = claim, .reply = reply, .entry = entry};
    enum store_claim_result result = CLAIM_UNAVAILABLE;

    *reply = (struct store_claim_reply){0};
    if (claim_repeated(&w, &result))
        return result;
    if (!db_write(db))
        return failure(db);
    if (!has_key(&w) && !db->failed) {
        db_rollback(db);
        return CLAIM_OTHER_KEY;
    }
    return carry_out(&w, look(&w));
}
