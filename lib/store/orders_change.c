#include "base/digest.h"
#include "store/orders_work.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRIES 64        /* of one change, if others keep changing the same record */
#define TRIES_AT_ONCE 4 /* so many without a pause */
#define WRITE_WINDOW_MS (2LL * 60 * 1000)

static struct queue_terms terms_of(const struct orders *orders)
{
    return (struct queue_terms){.link_ttl_ms = orders->config->link_ttl_ms,
                                .lease_ms = ORDERS_LEASE_MS,
                                .write_window_ms = WRITE_WINDOW_MS + orders->config->ghl_timeout_ms,
                                .now_ms = store_now_ms(orders->store),
                                .up_ms = orders->location.up_ms};
}

/* A location's record is made before all others: without it the store was emptied, and forgot everything just now. */
static void note_location(struct orders *orders, const struct store_reply *reply)
{
    if (reply->location.version)
        orders->location = reply->location;
    else if (orders->location.version)
        orders->location = (struct location_record){.up_ms = store_now_ms(orders->store)};
}

/* -- one change of one order -- */

static bool claim(const struct orders *orders, struct change *c, struct order_record *r,
                  const struct queue_terms *terms)
{
    bool changed;

    c->held_by = location_hold(&orders->location);
    c->arrival.arrived_ms = terms->now_ms - c->arrived_ago_ms;
    c->arrival.up_ms = orders->location.up_ms;
    c->arrival.token = c->held_by == HOLD_NONE ? c->token : NULL;
    c->claim = order_claim(r, &c->arrival, terms, &changed);
    return changed;
}

static bool lease_to(const struct orders *orders, struct change *c, struct order_record *r,
                     const struct queue_terms *terms)
{
    c->took_over = r->lease[0] != '\0';
    c->done = !(c->early && order_was_leased_since(r, c->untried_since_ms, terms)) &&
              order_lease(r, c->token, c->early, terms) == LEASE_TAKEN;
    if (c->done)
        (void)order_watch(r, orders->boot, store_boot_ms(orders->store));
    return c->done;
}

static bool learn(struct change *c, struct order_record *r, const struct queue_terms *terms)
{
    const struct order_record was = *r;

    c->others = order_learn(r, c->token, c->contact, c->opportunity, terms);
    if (c->held)
        return order_renew(r, c->token, terms);
    return strcmp(was.link.contact, r->link.contact) != 0 ||
           strcmp(was.link.opportunity, r->link.opportunity) != 0 || was.attempt.kind != r->attempt.kind;
}

/* Changes the record. False: there is nothing to commit. May run more than once, each time on the store's record. */
static bool apply(const struct orders *orders, struct change *c, struct order_record *r,
                  const struct queue_terms *terms)
{
    c->held = c->token && *c->token && !strcmp(r->lease, c->token);
    switch (c->rule) {
    case RULE_CLAIM: return claim(orders, c, r, terms);
    case RULE_SUPERSEDE: return order_is_superseded(r, c->order_key);
    case RULE_LOOK: return !r->look && (r->look = true);
    case RULE_KEEP_BYTES: return order_keep_bytes(r, c->blob.id, c->reason, terms);
    case RULE_LEASE: return lease_to(orders, c, r, terms);
    case RULE_RENEW: return order_renew(r, c->token, terms);
    case RULE_ATTEMPT:
        return order_attempt(r, c->token, c->kind, c->blob.id, c->window_ms, orders->boot,
                             store_boot_ms(orders->store), terms);
    case RULE_ATTEMPT_ENDS: return order_attempt_ends(r, c->token, c->attempt_end, c->window_ms);
    case RULE_LEARN: return learn(c, r, terms);
    case RULE_LOSE_CONTACT: return order_lose_contact(r, c->token);
    case RULE_FINISH:
        c->end = order_finish(r, c->token, c->link, c->next, terms);
        if (orders->leaves && c->end != END_LOST)
            order_left(r);
        return true;
    case RULE_RETRY:
        c->end = order_retry(r, c->token, c->link, c->delay_ms, c->counted, c->hold, c->reason, terms);
        return c->end != END_LOST;
    case RULE_REFUSE:
        c->end = order_refuse(r, c->token, c->link, c->reason, terms);
        return c->end != END_LOST;
    case RULE_REQUEUE: return (c->requeue = order_requeue(r, terms)) != REQUEUE_NONE;
    case RULE_DROP:
        c->done = order_drop(r, terms);
        if (orders->leaves && c->done)
            order_left(r);
        return c->done;
    case RULE_DELETE_BODY: return c->done = order_delete_body(r);
    case RULE_MOVE_BLOB: return c->done = order_move_blob(r, c->from_blob, c->blob.id, terms);
    }
    return false;
}

static void pause_a_little(int tries)
{
    unsigned char noise = 0;

    if (tries >= TRIES_AT_ONCE && digest_random(&noise, 1))
        (void)clock_sleep_ms(noise % 8, NULL);
}

/* Does record's blob list name it? A body that the rule did not take must not be stored. */
static bool needs(const struct order_record *record, const char *id)
{
    const char *ids[RECORD_BLOBS];
    size_t n = order_blobs(record, ids);

    for (size_t i = 0; id && i < n; i++)
        if (!strcmp(ids[i], id))
            return true;
    return false;
}

static enum store_result read_now(struct orders *orders, struct change *change, struct store_reply *reply)
{
    enum store_result result = store_read(orders->store, change->key, change->client, reply);

    if (result != STORE_OK)
        return result;
    note_location(orders, reply);
    if (change->client)
        change->client_count = reply->client_count;
    change->client = NULL;
    return result;
}

/* The idempotency key follows from the record, and is committed with it. */
static void set_key(const struct orders *orders, const struct order_record *before,
                    const struct order_record *after, struct store_commit *commit,
                    char name[2][ORDERS_IDEM_SIZE])
{
    const char *was = order_known_bytes(before), *is = order_known_bytes(after);

    if (!strcmp(was, is))
        return;
    snprintf(name[0], ORDERS_IDEM_SIZE, ORDERS_IDEM "%.16s", is);
    snprintf(name[1], ORDERS_IDEM_SIZE, ORDERS_IDEM "%.16s", was);
    if (*is)
        commit->value[1] = (struct store_value){name[0], commit->key, orders->config->idempotency_ttl_ms};
    if (*was)
        commit->value[2] = (struct store_value){name[1], NULL, 0};
}

static enum store_result commit_change(struct orders *orders, struct change *change,
                                       const struct order_record *before, const struct order_record *after,
                                       int64_t decided_ms, struct store_reply *reply)
{
    struct store_commit commit = {.key = change->key,
                                  .before = before,
                                  .after = after,
                                  .value = {change->of_contact},
                                  .count_client = change->client,
                                  .decided_ms = decided_ms};

    char name[2][ORDERS_IDEM_SIZE];

    set_key(orders, before, after, &commit, name);
    if (needs(after, change->blob.id) && !needs(before, change->blob.id))
        commit.blob = change->blob;
    enum store_result result = store_commit(orders->store, &commit, reply);
    if (change->client && (result == STORE_OK || result == STORE_CHANGED || result == STORE_TOO_LATE)) {
        change->client_count = reply->client_count;
        change->client = NULL;
    }
    if (result == STORE_OK || result == STORE_CHANGED)
        note_location(orders, reply);
    if (result == STORE_OK)
        orders->committed_ms = reply->now_ms;
    return result;
}

enum store_result orders_run(struct orders *orders, struct change *change, struct order_record *record)
{
    struct store_reply *reply = calloc(1, sizeof *reply);
    bool asked = !change->known; /* is `before` what the store has, or a guess? */
    struct order_record before;
    enum store_result result = STORE_UNAVAILABLE;

    if (!reply)
        return STORE_UNAVAILABLE;
    if (asked && (result = read_now(orders, change, reply)) != STORE_OK)
        goto out;
    before = asked ? reply->order : *change->known;
    for (int tries = 0; tries < TRIES; tries++) {
        const struct queue_terms terms = terms_of(orders);
        struct order_record after = before;
        bool changed = apply(orders, change, &after, &terms);
        result = STORE_OK;
        if (changed)
            result = commit_change(orders, change, &before, &after, terms.now_ms, reply);
        else if (asked)
            goto out;
        else /* that nothing is to be done is no answer to a guess */
            result = read_now(orders, change, reply);
        if (result == STORE_OK || result == STORE_CHANGED) {
            before = reply->order;
            asked = true;
        } else if (result != STORE_TOO_LATE) {
            goto out;
        }
        if (changed && result == STORE_OK)
            goto out;
        pause_a_little(tries);
    }
    result = STORE_UNAVAILABLE;
out:
    if (result == STORE_OK && record)
        *record = before;
    free(reply);
    return result;
}

/* -- what all orders share: the location and the rate limiter -- */

/* Changes the record; false: there is nothing to commit. May run more than once. */
typedef bool change_shared(void *record, int64_t now_ms, void *context);

/* Runs the change until it is committed; *known, of that type, becomes what the store has. */
static enum store_result run_shared(struct orders *orders, const struct record_type *type, void *known,
                                    change_shared *change, void *context)
{
    union {
        struct location_record location;
        struct limiter_record limiter;
    } before, after;
    enum store_result result = store_read_shared(orders->store, type, &before);

    for (int tries = 0; result == STORE_OK && tries < TRIES; tries++) {
        after = before;
        memcpy(known, &before, type->size);
        if (!change(&after, store_now_ms(orders->store), context))
            return STORE_OK;
        result = store_commit_shared(orders->store, type, &before, &after);
        if (result == STORE_OK || result == STORE_CHANGED)
            memcpy(known, &after, type->size);
        if (result != STORE_CHANGED)
            return result;
        before = after;
        result = STORE_OK;
        pause_a_little(tries);
    }
    return result == STORE_OK ? STORE_UNAVAILABLE : result;
}

enum store_result orders_look(struct orders *orders)
{
    struct location_record location;
    enum store_result result = store_read_location(orders->store, &location);

    if (result == STORE_OK)
        orders->location = location;
    return result;
}

struct ruling {
    orders_rule *rule;
    void *context;
};

static bool change_location(void *record, int64_t now_ms, void *context)
{
    const struct ruling *r = context;
    return r->rule(record, now_ms, r->context);
}

enum store_result orders_location(struct orders *orders, orders_rule *rule, void *context)
{
    return run_shared(orders, &location_record_type, &orders->location, change_location,
                      &(struct ruling){rule, context});
}

static bool want_reconcile(struct location_record *location, int64_t now_ms, void *context)
{
    (void)context;
    location_want_reconcile(location, now_ms);
    return true;
}

enum store_result orders_want_reconcile(struct orders *orders)
{
    return orders_location(orders, want_reconcile, NULL);
}

struct limiter_terms orders_limiter_terms(const struct config *config)
{
    return (struct limiter_terms){.count = config->ghl_rate.count,
                                  .window_ms = config->ghl_rate.window_ms,
                                  .per_day = config->ghl_rate_per_day};
}

struct limiting {
    struct limiter_terms terms;
    int64_t max_wait_ms, wait_ms;
    const struct limiter_heard *heard; /* NULL = a slot is wanted, or release */
    bool release;
};

static bool change_limiter(void *record, int64_t now_ms, void *context)
{
    struct limiter_record *limiter = record;
    struct limiting *l = context;

    if (l->release)
        return limiter_release(limiter, now_ms);
    if (l->heard) {
        limiter_hear(limiter, &l->terms, l->heard, now_ms);
        return true;
    }
    l->wait_ms = limiter_take(limiter, &l->terms, l->max_wait_ms, now_ms);
    return l->wait_ms <= l->max_wait_ms;
}

static enum store_result on_limiter(struct orders *orders, struct limiting *l)
{
    l->terms = orders_limiter_terms(orders->config);
    return run_shared(orders, &limiter_record_type, &orders->limiter, change_limiter, l);
}

enum store_result orders_limit(struct orders *orders, int64_t max_wait_ms, int64_t *wait_ms)
{
    struct limiting l = {.max_wait_ms = max_wait_ms};
    enum store_result result = on_limiter(orders, &l);

    *wait_ms = l.wait_ms;
    return result;
}

enum store_result orders_limits_heard(struct orders *orders, const struct limiter_heard *heard)
{
    return on_limiter(orders, &(struct limiting){.heard = heard});
}

enum store_result orders_limiter_release(struct orders *orders)
{
    return on_limiter(orders, &(struct limiting){.release = true});
}
