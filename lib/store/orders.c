#include "store/orders.h"
#include "base/digest.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRIES 64                         /* of one change, if others keep changing the same order */
#define TRIES_AT_ONCE 4                  /* so many without a pause */
#define LOOK_AT 4                        /* due orders that are looked at in one go */
#define OPEN_RETRY_MS (10LL * 60 * 1000) /* a body that no configured key opens */
#define WRITE_WINDOW_MS (2LL * 60 * 1000)
#define BOOT_SHOWN 12 /* characters of a boot id that tell boots apart */

void orders_init(struct orders *orders, struct store *store, const struct config *config, struct log *log)
{
    *orders = (struct orders){.store = store, .config = config, .log = log};
    clock_boot_id(orders->boot);
    orders->boot[BOOT_SHOWN] = '\0';
}

void order_work_free(struct order_work *work)
{
    buf_wipe(&work->body);
    *work = (struct order_work){0};
}

static bool make_token(char out[RECORD_TOKEN_SIZE])
{
    unsigned char random[(RECORD_TOKEN_SIZE - 1) / 2];

    if (!digest_random(random, sizeof random))
        return false;
    digest_hex(random, sizeof random, out);
    return true;
}

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

enum rule {
    RULE_CLAIM,
    RULE_SUPERSEDE,
    RULE_LOOK,
    RULE_KEEP_BYTES,
    RULE_LEASE,
    RULE_RENEW,
    RULE_ATTEMPT,
    RULE_ATTEMPT_ENDS,
    RULE_LEARN,
    RULE_LOSE_CONTACT,
    RULE_FINISH,
    RULE_RETRY,
    RULE_REFUSE,
    RULE_REQUEUE,
    RULE_DROP,
    RULE_DELETE_BODY,
};

/* A rule, what it takes and what it gives, and what is committed beside the record. */
struct change {
    const char *key;
    const struct order_record *known; /* what the store is thought to have; NULL = it is read first */
    enum rule rule;
    const char *token; /* of the lease; NULL = none */
    /* what rules take */
    struct arrival arrival;
    int64_t arrived_ago_ms;
    const char *order_key, *contact, *opportunity, *next, *reason;
    const struct order_link *link;
    enum attempt_kind kind;
    enum attempt_end attempt_end;
    int64_t window_ms, delay_ms, untried_since_ms; /* `early`: not if it was tried since then */
    bool early, counted, hold;
    /* what they give */
    bool held; /* the lease was the token's */
    bool done, took_over;
    enum claim claim;
    enum hold held_by;
    enum end end;
    enum requeue requeue;
    unsigned others;
    /* what else is committed */
    struct store_blob blob;               /* id NULL = none */
    struct store_value value, of_contact; /* name NULL = none */
    const char *client;                   /* counted once; NULL = none */
    int64_t client_count;                 /* out */
};

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
    case RULE_FINISH: c->end = order_finish(r, c->token, c->link, c->next, terms); return true;
    case RULE_RETRY:
        c->end = order_retry(r, c->token, c->link, c->delay_ms, c->counted, c->hold, c->reason, terms);
        return c->end != END_LOST;
    case RULE_REFUSE:
        c->end = order_refuse(r, c->token, c->link, c->reason, terms);
        return c->end != END_LOST;
    case RULE_REQUEUE: return (c->requeue = order_requeue(r, terms)) != REQUEUE_NONE;
    case RULE_DROP: return c->done = order_drop(r, terms);
    case RULE_DELETE_BODY: return c->done = order_delete_body(r);
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

static enum store_result commit_change(struct orders *orders, struct change *change,
                                       const struct order_record *before, const struct order_record *after,
                                       int64_t decided_ms, struct store_reply *reply)
{
    struct store_commit commit = {.key = change->key,
                                  .before = before,
                                  .after = after,
                                  .value = {change->value, change->of_contact},
                                  .count_client = change->client,
                                  .decided_ms = decided_ms};

    if (needs(after, change->blob.id) && !needs(before, change->blob.id))
        commit.blob[0] = change->blob;
    enum store_result result = store_commit(orders->store, &commit, reply);
    if (change->client && (result == STORE_OK || result == STORE_CHANGED || result == STORE_TOO_LATE)) {
        change->client_count = reply->client_count;
        change->client = NULL;
    }
    if (result == STORE_OK || result == STORE_CHANGED)
        note_location(orders, reply);
    return result;
}

/* OK: *record is what the store has now. */
static enum store_result run(struct orders *orders, struct change *change, struct order_record *record)
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
        *record = before;
        result = STORE_OK;
        if (changed)
            result = commit_change(orders, change, &before, &after, terms.now_ms, reply);
        else if (asked)
            goto out;
        else /* that nothing is to be done is no answer to a guess */
            result = read_now(orders, change, reply);
        if (changed && result == STORE_OK) {
            *record = reply->order;
            goto out;
        }
        if (result == STORE_OK || result == STORE_CHANGED) {
            before = reply->order;
            asked = true;
        } else if (result != STORE_TOO_LATE) {
            goto out;
        }
        pause_a_little(tries);
    }
    result = STORE_UNAVAILABLE;
out:
    free(reply);
    return result;
}

/* -- claim -- */

static enum store_result look_at_location(struct orders *orders)
{
    struct location_record location;
    int64_t now_ms;
    enum store_result result = store_read_location(orders->store, &location, &now_ms);

    if (result == STORE_OK)
        orders->location = location;
    return result;
}

/* The place in orders->met of this key, and what stands there if it was claimed here before. */
static uint32_t *met(struct orders *orders, const char *key, uint32_t *mark)
{
    *mark = 2166136261u; /* FNV-1a */
    for (; *key; key++)
        *mark = (*mark ^ (unsigned char)*key) * 16777619u;
    return &orders->met[*mark % ORDERS_MET];
}

/* The order stands under another key: its id was given out twice. */
static enum store_result other_order(struct orders *orders, struct change *change,
                                     struct orders_claimed *claimed)
{
    const char *order_key = *change->arrival.order_key ? change->arrival.order_key : claimed->record.newest;
    struct change base = {
        .key = change->key, .known = &claimed->record, .rule = RULE_SUPERSEDE, .order_key = order_key};
    struct order_record ignored;

    order_key_of(change->key, order_key, claimed->key);
    enum store_result result = run(orders, &base, &ignored);
    if (result != STORE_OK)
        return result;
    change->key = claimed->key;
    change->known = NULL;
    return run(orders, change, &claimed->record);
}

/* Nobody told this process yet that the store forgot something when it decided that the order is fresh. */
static enum store_result look_after_all(struct orders *orders, struct orders_claimed *claimed, int64_t up_ms,
                                        bool was_new)
{
    struct change change = {.key = claimed->key, .known = &claimed->record, .rule = RULE_LOOK};

    if (!was_new || orders->location.up_ms == up_ms || claimed->record.look || !claimed->record.version)
        return STORE_OK;
    return run(orders, &change, &claimed->record);
}

/* The body of the work that was just leased. */
static enum store_result open_body(struct orders *orders, struct order_work *work)
{
    buf_wipe(&work->body);
    buf_init(&work->body, STORE_BLOB_MAX);
    return store_blob(orders->store, work->key, work->record.current.id, &work->body);
}

enum store_result orders_claim(struct orders *orders, const struct orders_claim *claim,
                               struct orders_claimed *claimed, struct order_work *work)
{
    static const struct order_record unknown;
    char body_id[RECORD_TOKEN_SIZE];
    struct change change = {.key = claim->key,
                            .known = &unknown,
                            .rule = RULE_CLAIM,
                            .token = claim->work ? work->token : NULL,
                            .arrival = claim->arrival,
                            .arrived_ago_ms = claim->arrived_ago_ms,
                            .blob = {body_id, claim->body, claim->body_len},
                            .client = claim->client};
    int64_t up_ms = orders->location.up_ms, asked = clock_mono_ms();
    uint32_t mark, *known = met(orders, claim->key, &mark);

    if (*known == mark) /* it is read before anything is sealed and sent: it may be a duplicate */
        change.known = NULL;
    *known = mark;
    *claimed = (struct orders_claimed){0};
    snprintf(claimed->key, sizeof claimed->key, "%s", claim->key);
    if (!make_token(body_id) || !make_token(work->token))
        return STORE_UNAVAILABLE;
    change.arrival.body_id = body_id;
    enum store_result result = STORE_OK;
    if (change.token &&
        location_hold(&orders->location) != HOLD_NONE) /* another process may have lifted it */
        result = look_at_location(orders);
    if (result == STORE_OK)
        result = run(orders, &change, &claimed->record);
    if (result == STORE_OK && change.claim == CLAIM_OTHER_ORDER)
        result = other_order(orders, &change, claimed);
    if (result == STORE_OK)
        result = look_after_all(orders, claimed, up_ms, claimed->record.version == 1);
    claimed->claim = change.claim;
    /* Leased by what this process knew; the commit's reply says what is true now. */
    claimed->hold = change.claim == CLAIM_LEASED ? location_hold(&orders->location) : change.held_by;
    claimed->client_count = change.client_count;
    if (result != STORE_OK || change.claim != CLAIM_LEASED)
        return result;
    snprintf(work->key, sizeof work->key, "%s", claimed->key);
    work->record = claimed->record;
    work->asked_mono_ms = asked;
    work->took_over = false;
    if (strcmp(work->record.current.id, body_id) != 0)
        return open_body(orders, work);
    buf_init(&work->body, STORE_BLOB_MAX);
    return buf_add(&work->body, claim->body, claim->body_len) ? STORE_OK : STORE_UNAVAILABLE;
}

enum store_result orders_keep_bytes(struct orders *orders, const char *key, const void *bytes, size_t len,
                                    const char *reason)
{
    char id[RECORD_TOKEN_SIZE];
    struct change change = {.key = key, .rule = RULE_KEEP_BYTES, .reason = reason, .blob = {id, bytes, len}};
    struct order_record ignored;

    return make_token(id) ? run(orders, &change, &ignored) : STORE_UNAVAILABLE;
}

/* -- taking work -- */

/* A body that no configured key opens stays, and is looked at again later. */
static void give_back(struct orders *orders, struct order_work *work)
{
    const struct log_about about = {.order = work->key};

    error_set(&orders->sealed, "%s", store_trouble(orders->store));
    log_event(orders->log, LOG_LEVEL_ERROR, "sealed", &about, "%s", orders->sealed.text);
    if (orders_retry(orders, work, &work->record.link, OPEN_RETRY_MS, false, true, orders->sealed.text) !=
        STORE_OK)
        order_work_free(work); /* its lease runs out */
}

static enum store_result lease(struct orders *orders, const char *key, bool early, int64_t untried_since_ms,
                               struct order_work *work)
{
    struct change change = {.key = key,
                            .rule = RULE_LEASE,
                            .token = work->token,
                            .early = early,
                            .untried_since_ms = untried_since_ms};

    order_work_free(work);
    if (!make_token(work->token))
        return STORE_UNAVAILABLE;
    work->asked_mono_ms = clock_mono_ms();
    enum store_result result = run(orders, &change, &work->record);
    if (result != STORE_OK)
        return result;
    if (!change.done)
        return STORE_NONE;
    snprintf(work->key, sizeof work->key, "%s", key);
    work->took_over = change.took_over;
    result = open_body(orders, work);
    if (result != STORE_OK && result != STORE_UNAVAILABLE) { /* SEALED; or NONE: the store lost it */
        give_back(orders, work);
        return STORE_NONE;
    }
    return result;
}

enum store_result orders_lease(struct orders *orders, const char *key, int64_t untried_since_ms,
                               struct order_work *work)
{
    return lease(orders, key, true, untried_since_ms, work);
}

enum store_result orders_lease_due(struct orders *orders, struct order_work *work, struct orders_wait *wait)
{
    struct store_entry due[LOOK_AT];
    int64_t from_ms = 0;
    char after[RECORD_KEY_SIZE] = "";
    size_t n;

    *wait = (struct orders_wait){.next_due_ms = -1};
    for (;;) {
        enum store_result result = store_list(orders->store, INDEX_DUE, from_ms, after, LOOK_AT, due, &n);
        if (result != STORE_OK)
            return result;
        int64_t now_ms = store_now_ms(orders->store);
        for (size_t i = 0; i < n; i++) {
            if (due[i].at_ms > now_ms) {
                wait->next_due_ms = due[i].at_ms - now_ms;
                return STORE_NONE;
            }
            wait->hold = location_hold(&orders->location);
            if (wait->hold != HOLD_NONE)
                return STORE_NONE;
            result = lease(orders, due[i].key, false, 0, work);
            if (result != STORE_NONE)
                return result;
        }
        if (n < LOOK_AT)
            return STORE_NONE;
        from_ms = due[n - 1].at_ms; /* others were quicker with all of these */
        memcpy(after, due[n - 1].key, sizeof after);
    }
}

/* -- the worker's steps -- */

static enum store_result take_step(struct orders *orders, struct order_work *work, struct change *change)
{
    char of_contact[sizeof ORDERS_OF_CONTACT + RECORD_ID_SIZE + RECORD_KEY_SIZE];
    int64_t asked = clock_mono_ms();

    if (change->link && change->link->contact[0]) {
        snprintf(of_contact, sizeof of_contact, ORDERS_OF_CONTACT "%s/%s", change->link->contact, work->key);
        change->of_contact = (struct store_value){
            of_contact, work->record.erased ? ORDERS_ERASED : ORDERS_SOLD, orders->config->link_ttl_ms};
    }
    change->key = work->key;
    change->token = work->token;
    change->known = &work->record;
    struct order_record now;
    enum store_result result = run(orders, change, &now);
    if (result != STORE_OK)
        return result;
    work->record = now;
    if (!change->held)
        return STORE_NONE;
    work->asked_mono_ms = asked;
    return STORE_OK;
}

enum store_result orders_renew(struct orders *orders, struct order_work *work)
{
    return take_step(orders, work, &(struct change){.rule = RULE_RENEW});
}

enum store_result orders_attempt(struct orders *orders, struct order_work *work, enum attempt_kind kind,
                                 const char *note, int64_t window_ms)
{
    char id[RECORD_TOKEN_SIZE];
    struct change change = {
        .rule = RULE_ATTEMPT, .kind = kind, .window_ms = window_ms, .blob = {id, note, strlen(note)}};

    enum store_result result = make_token(id) ? take_step(orders, work, &change) : STORE_UNAVAILABLE;
    return result == STORE_OK && strcmp(work->record.attempt.blob, id) != 0 ? STORE_NONE : result;
}

enum store_result orders_attempt_ends(struct orders *orders, struct order_work *work, enum attempt_end end,
                                      int64_t window_ms)
{
    return take_step(orders, work,
                     &(struct change){.rule = RULE_ATTEMPT_ENDS, .attempt_end = end, .window_ms = window_ms});
}

enum store_result orders_attempt_note(struct orders *orders, const struct order_work *work, char **note)
{
    struct buf text;

    buf_init(&text, STORE_BLOB_MAX);
    enum store_result result = store_blob(orders->store, work->key, work->record.attempt.blob, &text);
    *note = result == STORE_OK ? buf_steal(&text) : NULL;
    buf_wipe(&text);
    return result == STORE_OK && !*note ? STORE_UNAVAILABLE : result;
}

int64_t orders_attempt_age_ms(const struct orders *orders, const struct order_work *work)
{
    return order_attempt_age_ms(&work->record, orders->boot, store_boot_ms(orders->store));
}

enum store_result orders_learn(struct orders *orders, struct order_work *work, const char *contact,
                               const char *opportunity, unsigned *others)
{
    struct change change = {.rule = RULE_LEARN, .contact = contact, .opportunity = opportunity};
    enum store_result result = take_step(orders, work, &change);

    *others = change.others;
    return result;
}

enum store_result orders_learn_late(struct orders *orders, const char *key, const char *contact,
                                    const char *opportunity, unsigned *others)
{
    struct change change = {.key = key, .rule = RULE_LEARN, .contact = contact, .opportunity = opportunity};
    struct order_record ignored;
    enum store_result result = run(orders, &change, &ignored);

    *others = change.others;
    return result;
}

enum store_result orders_lose_contact(struct orders *orders, struct order_work *work)
{
    return take_step(orders, work, &(struct change){.rule = RULE_LOSE_CONTACT});
}

/* -- how the work ends -- */

enum store_result orders_finish(struct orders *orders, struct order_work *work, const struct order_link *link,
                                bool want_next, enum end *end)
{
    char next[RECORD_TOKEN_SIZE] = "", name[RECORD_KEY_SIZE + 8];
    struct change change = {.rule = RULE_FINISH, .link = link};

    if (want_next && make_token(next))
        change.next = next;
    if (!strcmp(work->record.fingerprint, work->record.current.fingerprint)) {
        snprintf(name, sizeof name, "idem/%s", work->key);
        change.value =
            (struct store_value){name, work->record.fingerprint, orders->config->idempotency_ttl_ms};
    }
    enum store_result result = take_step(orders, work, &change);
    *end = change.end;
    if (result != STORE_OK || change.end != END_NEXT)
        return result;
    snprintf(work->token, sizeof work->token, "%s", next);
    work->took_over = false;
    result = open_body(orders, work);
    if (result == STORE_OK)
        return result;
    if (result != STORE_UNAVAILABLE)
        give_back(orders, work);
    *end = END_QUEUED; /* the finished version is told; this one is due again when its lease runs out */
    return STORE_OK;
}

enum store_result orders_retry(struct orders *orders, struct order_work *work, const struct order_link *link,
                               int64_t delay_ms, bool counted, bool hold, const char *reason)
{
    return take_step(orders, work,
                     &(struct change){.rule = RULE_RETRY,
                                      .link = link,
                                      .delay_ms = delay_ms,
                                      .counted = counted,
                                      .hold = hold,
                                      .reason = reason});
}

enum store_result orders_refuse(struct orders *orders, struct order_work *work, const struct order_link *link,
                                const char *reason, enum end *end)
{
    struct change change = {.rule = RULE_REFUSE, .link = link, .reason = reason};
    enum store_result result = take_step(orders, work, &change);

    *end = change.end;
    return result;
}

/* -- dead letters -- */

enum store_result orders_requeue(struct orders *orders, const char *key, enum requeue *result)
{
    struct change change = {.key = key, .rule = RULE_REQUEUE};
    struct order_record ignored;
    enum store_result done = run(orders, &change, &ignored);

    *result = change.requeue;
    return done;
}

static enum store_result change_dead(struct orders *orders, const char *key, enum rule rule)
{
    struct change change = {.key = key, .rule = rule};
    struct order_record ignored;
    enum store_result result = run(orders, &change, &ignored);

    return result == STORE_OK && !change.done ? STORE_NONE : result;
}

enum store_result orders_drop(struct orders *orders, const char *key)
{
    return change_dead(orders, key, RULE_DROP);
}

enum store_result orders_delete_body(struct orders *orders, const char *key)
{
    return change_dead(orders, key, RULE_DELETE_BODY);
}

/* -- the location -- */

enum store_result orders_location(struct orders *orders, orders_rule *change, void *context)
{
    struct location_record before, after;
    int64_t now_ms;
    enum store_result result = store_read_location(orders->store, &before, &now_ms);

    for (int tries = 0; result == STORE_OK && tries < TRIES; tries++) {
        after = orders->location = before;
        if (!change(&after, store_now_ms(orders->store), context))
            return STORE_OK;
        result = store_commit_location(orders->store, &before, &after);
        if (result != STORE_OK && result != STORE_CHANGED)
            return result;
        orders->location = before = after;
        if (result == STORE_OK)
            return STORE_OK;
        result = STORE_OK;
        pause_a_little(tries);
    }
    return result == STORE_OK ? STORE_UNAVAILABLE : result;
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

/* False: nothing is to be committed. */
static bool change_limiter(struct limiter_record *limiter, struct limiting *l, int64_t now_ms)
{
    if (l->release)
        return limiter_release(limiter, now_ms);
    if (l->heard) {
        limiter_hear(limiter, &l->terms, l->heard, now_ms);
        return true;
    }
    l->wait_ms = limiter_take(limiter, &l->terms, l->max_wait_ms, now_ms);
    return l->wait_ms <= l->max_wait_ms;
}

/* Runs the change on the limiter's record until it is committed. */
static enum store_result on_limiter(struct orders *orders, struct limiting *l)
{
    struct limiter_record before, after;
    int64_t now_ms;
    enum store_result result = store_read_limiter(orders->store, &before, &now_ms);

    l->terms = orders_limiter_terms(orders->config);
    for (int tries = 0; result == STORE_OK && tries < TRIES; tries++) {
        after = orders->limiter = before;
        if (!change_limiter(&after, l, store_now_ms(orders->store)))
            return STORE_OK;
        result = store_commit_limiter(orders->store, &before, &after);
        if (result == STORE_OK)
            orders->limiter = after;
        if (result != STORE_CHANGED)
            return result;
        before = after;
        result = STORE_OK;
        pause_a_little(tries);
    }
    return result == STORE_OK ? STORE_UNAVAILABLE : result;
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
