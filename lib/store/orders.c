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

/* Changes the record. False: there is nothing to commit. May run more than once, each time on the store's record. */
typedef bool rule(struct order_record *record, const struct queue_terms *terms, void *context);

struct change {
    const char *key;
    const struct order_record *known; /* what the store is thought to have; NULL = it is read first */
    rule *rule;
    void *context;
    struct store_blob blob;   /* id NULL = none */
    struct store_value value, of_contact; /* name NULL = none */
    const char *client;       /* counted once; NULL = none */
    int64_t client_count;     /* out */
};

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
        bool changed = change->rule(&after, &terms, change->context);
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

struct claiming {
    struct arrival arrival;
    int64_t arrived_ago_ms;
    const struct orders *orders;
    const char *token; /* to be leased to, if nothing holds; NULL = no */
    enum claim claim;
    enum hold hold;
};

static bool claim_rule(struct order_record *record, const struct queue_terms *terms, void *context)
{
    struct claiming *c = context;
    bool changed;

    c->hold = location_hold(&c->orders->location);
    c->arrival.arrived_ms = terms->now_ms - c->arrived_ago_ms;
    c->arrival.up_ms = c->orders->location.up_ms;
    c->arrival.token = c->hold == HOLD_NONE ? c->token : NULL;
    c->claim = order_claim(record, &c->arrival, terms, &changed);
    return changed;
}

struct superseding {
    const char *order_key;
};

static bool supersede_rule(struct order_record *record, const struct queue_terms *terms, void *context)
{
    const struct superseding *s = context;

    (void)terms;
    return order_is_superseded(record, s->order_key);
}

/* The order stands under another key: its id was given out twice. */
static enum store_result other_order(struct orders *orders, struct change *change, struct claiming *c,
                                     struct orders_claimed *claimed)
{
    const char *order_key = *c->arrival.order_key ? c->arrival.order_key : claimed->record.newest;
    struct superseding superseding = {order_key};
    struct change base = {
        .key = change->key, .known = &claimed->record, .rule = supersede_rule, .context = &superseding};
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
static bool look_rule(struct order_record *record, const struct queue_terms *terms, void *context)
{
    (void)terms;
    (void)context;
    if (record->look)
        return false;
    record->look = true;
    return true;
}

static enum store_result look_after_all(struct orders *orders, struct orders_claimed *claimed, int64_t up_ms,
                                        bool was_new)
{
    struct change change = {.key = claimed->key, .known = &claimed->record, .rule = look_rule};

    if (!was_new || orders->location.up_ms == up_ms || claimed->record.look || !claimed->record.version)
        return STORE_OK;
    return run(orders, &change, &claimed->record);
}

enum store_result orders_claim(struct orders *orders, const struct orders_claim *claim,
                               struct orders_claimed *claimed, struct order_work *work)
{
    static const struct order_record unknown;
    char body_id[RECORD_TOKEN_SIZE];
    struct claiming c = {
        .arrival = claim->arrival, .arrived_ago_ms = claim->arrived_ago_ms, .orders = orders};
    struct change change = {.key = claim->key,
                            .known = &unknown,
                            .rule = claim_rule,
                            .context = &c,
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
    c.arrival.body_id = body_id;
    c.token = claim->work ? work->token : NULL;
    enum store_result result = STORE_OK;
    if (c.token && location_hold(&orders->location) != HOLD_NONE) /* another process may have lifted it */
        result = look_at_location(orders);
    if (result == STORE_OK)
        result = run(orders, &change, &claimed->record);
    if (result == STORE_OK && c.claim == CLAIM_OTHER_ORDER)
        result = other_order(orders, &change, &c, claimed);
    if (result == STORE_OK)
        result = look_after_all(orders, claimed, up_ms, claimed->record.version == 1);
    claimed->claim = c.claim;
    /* Leased by what this process knew; the commit's reply says what is true now. */
    claimed->hold = c.claim == CLAIM_LEASED ? location_hold(&orders->location) : c.hold;
    claimed->client_count = change.client_count;
    if (result != STORE_OK || c.claim != CLAIM_LEASED)
        return result;
    snprintf(work->key, sizeof work->key, "%s", claimed->key);
    work->record = claimed->record;
    work->asked_mono_ms = asked;
    work->took_over = false;
    buf_init(&work->body, STORE_BLOB_MAX);
    if (!strcmp(work->record.current.id, body_id))
        return buf_add(&work->body, claim->body, claim->body_len) ? STORE_OK : STORE_UNAVAILABLE;
    return store_blob(orders->store, work->key, work->record.current.id, &work->body);
}

struct keeping {
    const char *body_id, *reason;
};

static bool keep_rule(struct order_record *record, const struct queue_terms *terms, void *context)
{
    const struct keeping *k = context;
    return order_keep_bytes(record, k->body_id, k->reason, terms);
}

enum store_result orders_keep_bytes(struct orders *orders, const char *key, const void *bytes, size_t len,
                                    const char *reason)
{
    char id[RECORD_TOKEN_SIZE];
    struct keeping k = {id, reason};
    struct change change = {.key = key, .rule = keep_rule, .context = &k, .blob = {id, bytes, len}};
    struct order_record ignored;

    return make_token(id) ? run(orders, &change, &ignored) : STORE_UNAVAILABLE;
}

/* -- taking work -- */

struct leasing {
    const struct orders *orders;
    const char *token;
    bool early, took_over;
    int64_t untried_since_ms; /* `early`: not if it was tried since then */
    enum lease lease;
};

static bool lease_rule(struct order_record *record, const struct queue_terms *terms, void *context)
{
    struct leasing *l = context;

    l->took_over = record->lease[0] != '\0';
    l->lease = LEASE_NOT_DUE;
    if (l->early && order_was_leased_since(record, l->untried_since_ms, terms))
        return false;
    l->lease = order_lease(record, l->token, l->early, terms);
    if (l->lease == LEASE_TAKEN)
        (void)order_watch(record, l->orders->boot, store_boot_ms(l->orders->store));
    return l->lease == LEASE_TAKEN;
}

/* A body that no configured key opens stays, and is looked at again later. */
static void give_back(struct orders *orders, struct order_work *work)
{
    const struct log_about about = {.order = work->key};

    error_set(&orders->sealed, "%s", store_trouble(orders->store));
    log_event(orders->log, LOG_LEVEL_ERROR, "sealed", &about, "%s", orders->sealed.text);
    if (orders_retry(orders, work, &work->record.link, OPEN_RETRY_MS, false, true,
                     orders->sealed.text) != STORE_OK)
        order_work_free(work); /* its lease runs out */
}

static enum store_result lease(struct orders *orders, const char *key, bool early, int64_t untried_since_ms,
                               struct order_work *work)
{
    struct leasing l = {.orders = orders, .early = early, .untried_since_ms = untried_since_ms};
    struct change change = {.key = key, .rule = lease_rule, .context = &l};

    order_work_free(work);
    if (!make_token(work->token))
        return STORE_UNAVAILABLE;
    l.token = work->token;
    work->asked_mono_ms = clock_mono_ms();
    enum store_result result = run(orders, &change, &work->record);
    if (result != STORE_OK)
        return result;
    if (l.lease != LEASE_TAKEN)
        return STORE_NONE;
    snprintf(work->key, sizeof work->key, "%s", key);
    work->took_over = l.took_over;
    buf_init(&work->body, STORE_BLOB_MAX);
    result = store_blob(orders->store, key, work->record.current.id, &work->body);
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

/* What a step with the lease does to the record. */
struct step {
    const struct orders *orders;
    const char *token;
    bool (*apply)(struct order_record *, const struct queue_terms *, struct step *);
    bool held; /* out: the lease was the token's */
    /* what the step takes and gives, by kind */
    enum attempt_kind kind;
    enum attempt_end attempt_end;
    const char *blob, *contact, *opportunity, *next, *reason;
    const struct order_link *link;
    int64_t window_ms, delay_ms;
    bool counted, hold;
    unsigned others;
    enum end end;
};

static bool step_rule(struct order_record *record, const struct queue_terms *terms, void *context)
{
    struct step *step = context;

    step->held = step->token && *step->token && !strcmp(record->lease, step->token);
    return step->apply(record, terms, step);
}

static enum store_result take_step(struct orders *orders, struct order_work *work, struct step *step,
                                   struct change *change)
{
    char of_contact[sizeof ORDERS_OF_CONTACT + RECORD_ID_SIZE + RECORD_KEY_SIZE];
    int64_t asked = clock_mono_ms();

    if (step->link && step->link->contact[0]) {
        snprintf(of_contact, sizeof of_contact, ORDERS_OF_CONTACT "%s/%s", step->link->contact, work->key);
        change->of_contact = (struct store_value){
            of_contact, work->record.erased ? ORDERS_ERASED : ORDERS_SOLD, orders->config->link_ttl_ms};
    }
    step->orders = orders;
    step->token = work->token;
    change->key = work->key;
    change->known = &work->record;
    change->rule = step_rule;
    change->context = step;
    struct order_record now;
    enum store_result result = run(orders, change, &now);
    if (result != STORE_OK)
        return result;
    work->record = now;
    if (!step->held)
        return STORE_NONE;
    work->asked_mono_ms = asked;
    return STORE_OK;
}

static bool apply_renew(struct order_record *r, const struct queue_terms *terms, struct step *s)
{
    return order_renew(r, s->token, terms);
}

enum store_result orders_renew(struct orders *orders, struct order_work *work)
{
    struct step step = {.apply = apply_renew};
    return take_step(orders, work, &step, &(struct change){0});
}

static bool apply_attempt(struct order_record *r, const struct queue_terms *terms, struct step *s)
{
    return order_attempt(r, s->token, s->kind, s->blob, s->window_ms, s->orders->boot,
                         store_boot_ms(s->orders->store), terms);
}

enum store_result orders_attempt(struct orders *orders, struct order_work *work, enum attempt_kind kind,
                                 const char *note, int64_t window_ms)
{
    char id[RECORD_TOKEN_SIZE];
    struct step step = {.apply = apply_attempt, .kind = kind, .blob = id, .window_ms = window_ms};
    struct change change = {.blob = {id, note, strlen(note)}};

    enum store_result result = make_token(id) ? take_step(orders, work, &step, &change) : STORE_UNAVAILABLE;
    return result == STORE_OK && strcmp(work->record.attempt.blob, id) != 0 ? STORE_NONE : result;
}

static bool apply_attempt_end(struct order_record *r, const struct queue_terms *terms, struct step *s)
{
    (void)terms;
    return order_attempt_ends(r, s->token, s->attempt_end, s->window_ms);
}

enum store_result orders_attempt_ends(struct orders *orders, struct order_work *work, enum attempt_end end,
                                      int64_t window_ms)
{
    struct step step = {.apply = apply_attempt_end, .attempt_end = end, .window_ms = window_ms};
    return take_step(orders, work, &step, &(struct change){0});
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

static bool apply_learn(struct order_record *r, const struct queue_terms *terms, struct step *s)
{
    const struct order_record was = *r;

    s->others = order_learn(r, s->token, s->contact, s->opportunity, terms);
    if (s->held)
        return order_renew(r, s->token, terms);
    return strcmp(was.link.contact, r->link.contact) != 0 ||
           strcmp(was.link.opportunity, r->link.opportunity) != 0 || was.attempt.kind != r->attempt.kind;
}

enum store_result orders_learn(struct orders *orders, struct order_work *work, const char *contact,
                               const char *opportunity, unsigned *others)
{
    struct step step = {.apply = apply_learn, .contact = contact, .opportunity = opportunity};
    enum store_result result = take_step(orders, work, &step, &(struct change){0});

    *others = step.others;
    return result;
}

enum store_result orders_learn_late(struct orders *orders, const char *key, const char *contact,
                                    const char *opportunity, unsigned *others)
{
    struct step step = {
        .apply = apply_learn, .orders = orders, .contact = contact, .opportunity = opportunity};
    struct change change = {.key = key, .rule = step_rule, .context = &step};
    struct order_record ignored;
    enum store_result result = run(orders, &change, &ignored);

    *others = step.others;
    return result;
}

static bool apply_lose_contact(struct order_record *r, const struct queue_terms *terms, struct step *s)
{
    (void)terms;
    return order_lose_contact(r, s->token);
}

enum store_result orders_lose_contact(struct orders *orders, struct order_work *work)
{
    struct step step = {.apply = apply_lose_contact};
    return take_step(orders, work, &step, &(struct change){0});
}

/* -- how the work ends -- */

static bool apply_finish(struct order_record *r, const struct queue_terms *terms, struct step *s)
{
    s->end = order_finish(r, s->token, s->link, s->next, terms);
    return true;
}

/* The next body of the same order. */
static enum store_result take_next(struct orders *orders, struct order_work *work, const char *token)
{
    snprintf(work->token, sizeof work->token, "%s", token);
    work->took_over = false;
    buf_wipe(&work->body);
    buf_init(&work->body, STORE_BLOB_MAX);
    return store_blob(orders->store, work->key, work->record.current.id, &work->body);
}

enum store_result orders_finish(struct orders *orders, struct order_work *work, const struct order_link *link,
                                bool want_next, enum end *end)
{
    char next[RECORD_TOKEN_SIZE] = "", name[RECORD_KEY_SIZE + 8];
    struct step step = {.apply = apply_finish, .link = link, .next = NULL};
    struct change change = {0};

    if (want_next && make_token(next))
        step.next = next;
    if (!strcmp(work->record.fingerprint, work->record.current.fingerprint)) {
        snprintf(name, sizeof name, "idem/%s", work->key);
        change.value =
            (struct store_value){name, work->record.fingerprint, orders->config->idempotency_ttl_ms};
    }
    enum store_result result = take_step(orders, work, &step, &change);
    *end = step.end;
    if (result != STORE_OK || step.end != END_NEXT)
        return result;
    result = take_next(orders, work, next);
    if (result == STORE_OK)
        return result;
    if (result != STORE_UNAVAILABLE)
        give_back(orders, work);
    *end = END_QUEUED; /* the finished version is told; this one is due again when its lease runs out */
    return STORE_OK;
}

static bool apply_retry(struct order_record *r, const struct queue_terms *terms, struct step *s)
{
    s->end = order_retry(r, s->token, s->link, s->delay_ms, s->counted, s->hold, s->reason, terms);
    return s->end != END_LOST;
}

enum store_result orders_retry(struct orders *orders, struct order_work *work, const struct order_link *link,
                               int64_t delay_ms, bool counted, bool hold, const char *reason)
{
    struct step step = {.apply = apply_retry,
                        .link = link,
                        .delay_ms = delay_ms,
                        .counted = counted,
                        .hold = hold,
                        .reason = reason};
    return take_step(orders, work, &step, &(struct change){0});
}

static bool apply_refuse(struct order_record *r, const struct queue_terms *terms, struct step *s)
{
    s->end = order_refuse(r, s->token, s->link, s->reason, terms);
    return s->end != END_LOST;
}

enum store_result orders_refuse(struct orders *orders, struct order_work *work, const struct order_link *link,
                                const char *reason, enum end *end)
{
    struct step step = {.apply = apply_refuse, .link = link, .reason = reason};
    enum store_result result = take_step(orders, work, &step, &(struct change){0});

    *end = step.end;
    return result;
}

/* -- dead letters -- */

static bool requeue_rule(struct order_record *record, const struct queue_terms *terms, void *context)
{
    enum requeue *result = context;
    return (*result = order_requeue(record, terms)) != REQUEUE_NONE;
}

enum store_result orders_requeue(struct orders *orders, const char *key, enum requeue *result)
{
    struct order_record ignored;
    return run(orders, &(struct change){.key = key, .rule = requeue_rule, .context = result}, &ignored);
}

static bool drop_rule(struct order_record *record, const struct queue_terms *terms, void *context)
{
    bool *done = context;
    return *done = order_drop(record, terms);
}

static bool delete_rule(struct order_record *record, const struct queue_terms *terms, void *context)
{
    bool *done = context;

    (void)terms;
    return *done = order_delete_body(record);
}

static enum store_result change_dead(struct orders *orders, const char *key, rule *change)
{
    struct order_record ignored;
    bool done = false;
    enum store_result result =
        run(orders, &(struct change){.key = key, .rule = change, .context = &done}, &ignored);

    return result == STORE_OK && !done ? STORE_NONE : result;
}

enum store_result orders_drop(struct orders *orders, const char *key)
{
    return change_dead(orders, key, drop_rule);
}

enum store_result orders_delete_body(struct orders *orders, const char *key)
{
    return change_dead(orders, key, delete_rule);
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

/* Runs the change on the limiter's record until it is committed; `change` returns false if nothing is to be. */
static enum store_result on_limiter(struct orders *orders,
                                    bool (*change)(struct limiter_record *, int64_t, void *), void *context)
{
    struct limiter_record before, after;
    int64_t now_ms;
    enum store_result result = store_read_limiter(orders->store, &before, &now_ms);

    for (int tries = 0; result == STORE_OK && tries < TRIES; tries++) {
        after = orders->limiter = before;
        if (!change(&after, store_now_ms(orders->store), context))
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

struct limiting {
    struct limiter_terms terms;
    int64_t max_wait_ms, wait_ms;
    const struct limiter_heard *heard;
};

static bool take_slot(struct limiter_record *limiter, int64_t now_ms, void *context)
{
    struct limiting *l = context;

    l->wait_ms = limiter_take(limiter, &l->terms, l->max_wait_ms, now_ms);
    return l->wait_ms <= l->max_wait_ms;
}

enum store_result orders_limit(struct orders *orders, int64_t max_wait_ms, int64_t *wait_ms)
{
    struct limiting l = {.terms = orders_limiter_terms(orders->config), .max_wait_ms = max_wait_ms};
    enum store_result result = on_limiter(orders, take_slot, &l);

    *wait_ms = l.wait_ms;
    return result;
}

static bool hear(struct limiter_record *limiter, int64_t now_ms, void *context)
{
    struct limiting *l = context;

    limiter_hear(limiter, &l->terms, l->heard, now_ms);
    return true;
}

enum store_result orders_limits_heard(struct orders *orders, const struct limiter_heard *heard)
{
    struct limiting l = {.terms = orders_limiter_terms(orders->config), .heard = heard};
    return on_limiter(orders, hear, &l);
}

static bool release(struct limiter_record *limiter, int64_t now_ms, void *context)
{
    (void)context;
    return limiter_release(limiter, now_ms);
}

enum store_result orders_limiter_release(struct orders *orders)
{
    return on_limiter(orders, release, NULL);
}
