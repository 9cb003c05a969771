#include "base/digest.h"
#include "base/text.h"
#include "store/orders_work.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_AT 4                        /* due orders that are looked at in one go */
#define OPEN_RETRY_MS (10LL * 60 * 1000) /* a body that no configured key opens */
#define BOOT_SHOWN 12                    /* characters of a boot id that tell boots apart */

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
    return digest_token(out, RECORD_TOKEN_SIZE);
}

/* Its time, ms, in 11 digits (until the year 2527), and random ones (store.h). */
static bool make_blob_id(const struct orders *orders, char out[RECORD_TOKEN_SIZE])
{
    char random[RECORD_TOKEN_SIZE];

    return make_token(random) && text_format(out, RECORD_TOKEN_SIZE, "%011" PRIx64 "%.21s",
                                             (uint64_t)store_now_ms(orders->store), random);
}

/* -- claim -- */

enum store_result orders_known_bytes(struct orders *orders, const char *bytes, char key[RECORD_KEY_SIZE])
{
    char name[ORDERS_IDEM_SIZE], *value = NULL;

    snprintf(name, sizeof name, ORDERS_IDEM "%.16s", bytes);
    enum store_result result = store_get(orders->store, name, &value);
    if (result == STORE_OK && strlen(value) < RECORD_KEY_SIZE)
        memcpy(key, value, strlen(value) + 1);
    else if (result == STORE_OK)
        result = STORE_NONE;
    free(value);
    return result;
}

/* The place in orders->met of this key, and what stands there if it was claimed here before. */
static uint32_t *met(struct orders *orders, const char *key, uint32_t *mark)
{
    *mark = text_hash(key);
    return &orders->met[*mark % ORDERS_MET];
}

/* The order stands under another key: its id was given out twice. */
static enum store_result other_order(struct orders *orders, struct change *change,
                                     struct orders_claimed *claimed)
{
    const char *order_key = *change->arrival.order_key ? change->arrival.order_key : claimed->record.newest;
    struct change base = {
        .key = change->key, .known = &claimed->record, .rule = RULE_SUPERSEDE, .order_key = order_key};

    order_key_of(change->key, order_key, claimed->key);
    enum store_result result = orders_run(orders, &base, NULL);
    if (result != STORE_OK)
        return result;
    change->key = claimed->key;
    change->known = NULL;
    return orders_run(orders, change, &claimed->record);
}

/* Nobody told this process yet that the store forgot something when it decided that the order is fresh. */
static enum store_result look_after_all(struct orders *orders, struct orders_claimed *claimed, int64_t up_ms,
                                        bool was_new)
{
    struct change change = {.key = claimed->key, .known = &claimed->record, .rule = RULE_LOOK};

    if (!was_new || orders->location.up_ms == up_ms || claimed->record.look || !claimed->record.version)
        return STORE_OK;
    return orders_run(orders, &change, &claimed->record);
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
    if (!make_blob_id(orders, body_id) || (claim->work && !make_token(work->token)))
        return STORE_UNAVAILABLE;
    change.arrival.body_id = body_id;
    enum store_result result = STORE_OK;
    if (claim->work && location_hold(&orders->location) != HOLD_NONE) /* another process may have lifted it */
        result = orders_look(orders);
    if (result == STORE_OK)
        result = orders_run(orders, &change, &claimed->record);
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

    return make_blob_id(orders, id) ? orders_run(orders, &change, NULL) : STORE_UNAVAILABLE;
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
    enum store_result result = orders_run(orders, &change, &work->record);
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
    if (result != STORE_OK)
        order_work_free(work); /* its lease runs out */
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
    enum store_result result = orders_run(orders, change, &now);
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

    enum store_result result =
        make_blob_id(orders, id) ? take_step(orders, work, &change) : STORE_UNAVAILABLE;
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
    enum store_result result = orders_run(orders, &change, NULL);

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
    char next[RECORD_TOKEN_SIZE] = "";
    struct change change = {.rule = RULE_FINISH, .link = link};

    if (want_next && make_token(next))
        change.next = next;
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
    enum store_result done = orders_run(orders, &change, NULL);

    *result = change.requeue;
    return done;
}

static enum store_result change_dead(struct orders *orders, const char *key, enum rule rule)
{
    struct change change = {.key = key, .rule = rule};
    enum store_result result = orders_run(orders, &change, NULL);

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

/* -- sealing anew -- */

/* OK, NONE: the order was in hand, or the blob is the order's no more. */
static enum store_result move_blob(struct orders *orders, const char *key, const char *id,
                                   const struct buf *bytes)
{
    char fresh[RECORD_TOKEN_SIZE];
    struct change change = {
        .key = key, .rule = RULE_MOVE_BLOB, .from_blob = id, .blob = {fresh, bytes->data, bytes->len}};
    enum store_result result =
        make_blob_id(orders, fresh) ? orders_run(orders, &change, NULL) : STORE_UNAVAILABLE;

    return result == STORE_OK && !change.done ? STORE_NONE : result;
}

enum store_result orders_seal_anew(struct orders *orders, const char *key, long *sealed)
{
    struct store_reply *reply = malloc(sizeof *reply);
    enum store_result result = reply ? store_read(orders->store, key, NULL, reply) : STORE_UNAVAILABLE;
    const char *ids[RECORD_BLOBS];
    size_t n = result == STORE_OK ? order_blobs(&reply->order, ids) : 0;
    struct buf bytes;

    for (size_t i = 0; i < n && result == STORE_OK; i++) {
        buf_init(&bytes, STORE_BLOB_MAX);
        result = store_old_blob(orders->store, key, ids[i], &bytes);
        if (result == STORE_OK) {
            result = move_blob(orders, key, ids[i], &bytes);
            *sealed += result == STORE_OK;
        } else if (result == STORE_NONE) {
            result = STORE_OK; /* it is gone, or under the key already */
        }
        buf_wipe(&bytes);
    }
    free(reply);
    return result;
}
