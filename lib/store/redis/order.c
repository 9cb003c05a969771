#include "base/clock.h"
#include "store/redis/redis.h"
#include <stdlib.h>
#include <string.h>

/* -- entries -- */

/* leased_reply of order.lua, element by element. */
enum {
    ENTRY_KEY,
    ENTRY_BODY,
    ENTRY_STATUS,
    ENTRY_SOLD,
    ENTRY_LOOK_FIRST,
    ENTRY_FINGERPRINT,
    ENTRY_ATTEMPTS,
    ENTRY_AGE,
    ENTRY_CONTACT,
    ENTRY_OPPORTUNITY,
    ENTRY_GONE,
    ENTRY_PARTS,
    ENTRY_ATTEMPT = ENTRY_PARTS + STORE_PARTS,
    ENTRY_NOTE,
    ENTRY_ATTEMPT_AGE,
    ENTRY_ATTEMPT_AGO,
    ENTRY_FORGOT_AGE
};

static bool read_link(const redisReply *r, size_t first, struct store_link *out)
{
    bool good = redis_copy_text(r, first, out->contact_id, sizeof out->contact_id) &&
                redis_copy_text(r, first + 1, out->opportunity_id, sizeof out->opportunity_id);
    out->gone = redis_reply_number(r, first + 2) != 0;
    for (size_t i = 0; i < STORE_PARTS; i++)
        good = redis_copy_text(r, first + 3 + i, out->part_hash[i], sizeof out->part_hash[i]) && good;
    return good;
}

/* What an attempt's age is told by: where and when it is asked for. */
static void add_boot(struct redis_args *args, const struct redis_store *store)
{
    redis_arg_text(args, store->boot_id);
    redis_arg_number(args, clock_boot_ms() + store->boot_shift_ms);
}

/* Fills all but the token, which the caller of the verb made. `body` is the claim's own where the reply has
 * none. False when out of memory: the lease runs out by itself. */
static bool read_entry(const redisReply *r, const struct store_claim *claim, struct store_entry *out)
{
    out->key = redis_reply_copy(r, ENTRY_KEY, NULL);
    out->body = redis_reply_copy(r, ENTRY_BODY, &out->body_len);
    if (!out->body && claim) {
        out->body = malloc(claim->body_len + 1);
        if (out->body) {
            if (claim->body_len > 0)
                memcpy(out->body, claim->body, claim->body_len);
            out->body[claim->body_len] = '\0';
            out->body_len = claim->body_len;
        }
    }
    out->sold = redis_reply_number(r, ENTRY_SOLD) != 0;
    out->look_first = redis_reply_number(r, ENTRY_LOOK_FIRST) != 0;
    out->forgot_age_ms = redis_reply_number(r, ENTRY_FORGOT_AGE);
    out->attempts = redis_reply_number(r, ENTRY_ATTEMPTS);
    out->age_ms = redis_reply_number(r, ENTRY_AGE);
    out->attempt = (enum store_attempt)redis_reply_number(r, ENTRY_ATTEMPT);
    out->attempt_age_ms = redis_reply_number(r, ENTRY_ATTEMPT_AGE);
    out->attempt_ago_ms = redis_reply_number(r, ENTRY_ATTEMPT_AGO);
    if (*redis_reply_text(r, ENTRY_NOTE))
        out->attempt_note = redis_reply_copy(r, ENTRY_NOTE, NULL);
    return out->key && out->body && (out->attempt_note || !*redis_reply_text(r, ENTRY_NOTE)) &&
           redis_copy_text(r, ENTRY_FINGERPRINT, out->fingerprint, sizeof out->fingerprint) &&
           redis_copy_text(r, ENTRY_STATUS, out->status, sizeof out->status) &&
           read_link(r, ENTRY_CONTACT, &out->link);
}

/* -- claim -- */

/* The script's words, not the store's: */
#define SCRIPT_OTHER_KEY 99
#define SCRIPT_LATE 100 /* it came to its turn after the caller's deadline */

static void add_claim(struct redis_args *args, const struct redis_store *store,
                      const struct store_claim *claim, const char *token, int64_t expires_ms)
{
    redis_arg_number(args, store->config->link_ttl_ms);
    redis_arg_text(args, claim->key);
    redis_arg_number(args, claim->modified_s);
    redis_arg_number(args, claim->created_s);
    redis_arg_number(args, claim->arrived_ago_ms);
    redis_arg_text(args, claim->fingerprint);
    redis_arg_text(args, claim->hmac);
    redis_arg_bytes(args, claim->body, claim->body_len);
    redis_arg_text(args, claim->status && strlen(claim->status) < STORE_STATUS_SIZE ? claim->status : "");
    redis_arg_number(args, claim->creates);
    redis_arg_number(args, claim->status_only);
    redis_arg_text(args, claim->fetched ? "" : claim->client);
    redis_arg_number(args, claim->client_limit);
    redis_arg_number(args, claim->work);
    redis_arg_number(args, claim->lease_ms);
    redis_arg_text(args, token);
    redis_arg_number(args, expires_ms);
    redis_arg_text(args, claim->key_id);
    redis_arg_number(args, claim->again);
    redis_arg_number(args, claim->fetched);
    add_boot(args, store);
}

enum store_claim_result redis_claim(void *context, const struct store_claim *claim,
                                    struct store_claim_reply *out, struct store_entry *entry)
{
    struct redis_store *store = context;
    struct redis_args args = {0};
    int64_t asked = clock_mono_ms();
    bool full;

    *out = (struct store_claim_reply){0};
    int64_t deadline = redis_deadline(&store->connection);
    if (!redis_ready(&store->connection, deadline))
        return CLAIM_UNAVAILABLE;
    add_claim(&args, store, claim, entry->token, redis_server_ms(&store->connection, deadline));
    redisReply *reply = redis_script(&store->connection, &store->scripts, SCRIPT_CLAIM, &args, &full);
    if (!reply)
        return full ? CLAIM_FULL : CLAIM_UNAVAILABLE;
    if (redis_reply_number(reply, 0) == SCRIPT_OTHER_KEY) {
        freeReplyObject(reply);
        return CLAIM_OTHER_KEY;
    }
    if (redis_reply_number(reply, 0) == SCRIPT_LATE) {
        freeReplyObject(reply);
        redis_fail(&store->connection,
                   "its clock jumped: it held a delivery for one that is given up already");
        return CLAIM_UNAVAILABLE;
    }
    enum store_claim_result result = (enum store_claim_result)redis_reply_number(reply, 0);
    if (result == CLAIM_DEFERRED) {
        out->over_limit = redis_reply_number(reply, 1) != 0;
        out->hold = (enum store_hold)redis_reply_number(reply, 2);
    }
    out->undrained = redis_reply_number(reply, 3) != 0;
    out->drain_needed = redis_reply_number(reply, 4) != 0;
    out->breaker_failures = redis_reply_number(reply, 5);
    if (result == CLAIM_NEW) {
        entry->asked_mono_ms = asked;
        if (!read_entry(redis_reply_array(reply, 6), claim, entry)) {
            error_set(&store->connection.trouble, "out of memory, or an id that is too long, for %s",
                      claim->key);
            result = CLAIM_UNAVAILABLE;
        }
    }
    freeReplyObject(reply);
    return result;
}

/* -- the leased entry -- */

enum store_result redis_progress(void *context, const char *key, const char *token,
                                 const struct store_progress *progress, unsigned *others)
{
    struct redis_store *store = context;
    struct redis_args args = {0};

    redis_arg_number(&args, store->config->link_ttl_ms);
    redis_arg_text(&args, key);
    redis_arg_text(&args, token);
    redis_arg_text(&args, progress->contact_id);
    redis_arg_text(&args, progress->opportunity_id);
    redis_arg_number(&args, progress->replace_contact);
    redis_arg_number(&args, (int64_t)progress->attempt);
    redis_arg_text(&args, progress->attempt_note);
    redis_arg_number(&args, progress->clear_attempt);
    redis_arg_number(&args, progress->lease_ms);
    add_boot(&args, store);
    redisReply *reply = redis_ask(store, SCRIPT_PROGRESS, &args);
    if (!reply)
        return STORE_UNAVAILABLE;
    enum store_result result = redis_reply_number(reply, 0) ? STORE_OK : STORE_LOST;
    if (others)
        *others = (unsigned)redis_reply_number(reply, 1);
    freeReplyObject(reply);
    return result;
}

enum store_result redis_renew(void *context, const char *key, const char *token, int64_t lease_ms)
{
    const struct store_progress nothing_new = {.lease_ms = lease_ms};
    return redis_progress(context, key, token, &nothing_new, NULL);
}

enum store_result redis_finish(void *context, const char *key, const char *token, const char *fingerprint,
                               const struct store_link *link, int64_t next_lease_ms, struct store_entry *next,
                               bool *has_next)
{
    struct redis_store *store = context;
    struct redis_args args = {0};
    int64_t asked = clock_mono_ms();

    *has_next = false;
    redis_arg_number(&args, store->config->link_ttl_ms);
    redis_arg_text(&args, key);
    redis_arg_text(&args, token);
    redis_arg_text(&args, fingerprint);
    redis_arg_text(&args, link->contact_id);
    redis_arg_text(&args, link->opportunity_id);
    redis_arg_number(&args, link->gone);
    for (size_t i = 0; i < STORE_PARTS; i++)
        redis_arg_text(&args, link->part_hash[i]);
    redis_arg_number(&args, store->config->idempotency_ttl_ms);
    redis_arg_number(&args, next_lease_ms);
    redis_arg_text(&args, next_lease_ms > 0 ? next->token : "");
    add_boot(&args, store);
    redisReply *reply = redis_ask(store, SCRIPT_FINISH, &args);
    if (!reply)
        return STORE_UNAVAILABLE;
    int64_t done = redis_reply_number(reply, 0);
    if (done == 2) {
        next->asked_mono_ms = asked;
        /* Otherwise its lease runs out and another worker gets it. */
        *has_next = read_entry(redis_reply_array(reply, 1), NULL, next);
    }
    freeReplyObject(reply);
    return done == 0 ? STORE_LOST : STORE_OK;
}

enum store_result redis_retry(void *context, const char *key, const char *token, int64_t delay_ms,
                              bool counted, bool hold, const char *why)
{
    struct redis_args args = {0};

    redis_arg_text(&args, key);
    redis_arg_text(&args, token);
    redis_arg_number(&args, delay_ms);
    redis_arg_number(&args, counted);
    redis_arg_number(&args, hold);
    redis_arg_text(&args, why);
    return redis_verb(context, SCRIPT_RETRY, &args, STORE_LOST);
}

enum store_result redis_park(void *context, const char *key, const char *token, const char *why, bool *parked)
{
    struct redis_args args = {0};

    redis_arg_text(&args, key);
    redis_arg_text(&args, token);
    redis_arg_text(&args, why);
    redisReply *reply = redis_ask(context, SCRIPT_PARK, &args);
    if (!reply)
        return STORE_UNAVAILABLE;
    enum store_result result = redis_reply_number(reply, 0) ? STORE_OK : STORE_LOST;
    if (parked)
        *parked = redis_reply_number(reply, 1) != 0;
    freeReplyObject(reply);
    return result;
}

enum store_result redis_park_bytes(void *context, const char *key, const void *bytes, size_t len,
                                   const char *why, const char *key_id)
{
    struct redis_args args = {0};

    redis_arg_text(&args, key);
    redis_arg_bytes(&args, bytes, len);
    redis_arg_text(&args, why);
    redis_arg_text(&args, key_id);
    redisReply *reply = redis_ask(context, SCRIPT_PARK_BYTES, &args);
    if (!reply)
        return STORE_UNAVAILABLE;
    enum store_result result = redis_reply_number(reply, 0) == 2 ? STORE_OTHER_KEY : STORE_OK;
    freeReplyObject(reply);
    return result;
}

/* -- the queue -- */

enum store_result redis_lease_due(void *context, int64_t lease_ms, const char *only, const char *key_id,
                                  struct store_entry *entry, int64_t *next_due_ms, enum store_hold *hold)
{
    struct redis_store *store = context;
    struct redis_args args = {0};
    int64_t asked = clock_mono_ms();
    enum store_result result = STORE_NONE;

    redis_arg_number(&args, store->config->link_ttl_ms);
    redis_arg_number(&args, lease_ms);
    redis_arg_text(&args, only);
    redis_arg_text(&args, entry->token);
    redis_arg_text(&args, key_id);
    add_boot(&args, store);
    redisReply *reply = redis_ask(store, SCRIPT_LEASE_DUE, &args);
    if (!reply)
        return STORE_UNAVAILABLE;
    if (redis_reply_number(reply, 0) == 2) {
        result = STORE_OTHER_KEY;
    } else if (redis_reply_number(reply, 0) == 1) {
        entry->asked_mono_ms = asked;
        result = STORE_OK;
        if (!read_entry(redis_reply_array(reply, 1), NULL, entry)) {
            error_set(&store->connection.trouble, "out of memory, or an id that is too long, for %s",
                      redis_reply_text(redis_reply_array(reply, 1), ENTRY_KEY));
            result = STORE_UNAVAILABLE;
        }
    } else {
        if (next_due_ms)
            *next_due_ms = redis_reply_number(reply, 1);
        if (hold)
            *hold = (enum store_hold)redis_reply_number(reply, 2);
    }
    freeReplyObject(reply);
    return result;
}

enum store_result redis_waiting(void *context, struct buf *keys)
{
    redisReply *reply = redis_ask(context, SCRIPT_WAITING, &(struct redis_args){0});

    if (!reply)
        return STORE_UNAVAILABLE;
    for (size_t i = 0; i < reply->elements; i++) {
        const char *key = redis_reply_text(reply, i);
        (void)buf_add(keys, key, strlen(key) + 1); /* a failure sticks */
    }
    freeReplyObject(reply);
    return STORE_OK;
}
