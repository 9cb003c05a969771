#include "store/redis/redis.h"
#include <stdlib.h>

/* Runs the script; its first element is the number asked for. */
static enum store_result ask_number(struct redis_store *store, enum redis_script which,
                                    const struct redis_args *args, int64_t *out)
{
    redisReply *reply = redis_ask(store, which, args);
    if (!reply)
        return STORE_UNAVAILABLE;
    if (out)
        *out = redis_reply_number(reply, 0);
    freeReplyObject(reply);
    return STORE_OK;
}

enum store_result redis_heartbeat(void *context)
{
    return redis_verb(context, SCRIPT_HEARTBEAT, &(struct redis_args){0}, STORE_UNAVAILABLE);
}

/* -- contacts and cards -- */

#define HASHES_MAX 2

enum store_result redis_contact_lock(void *context, const char *const hash[], size_t n, const char *token,
                                     int64_t lease_ms, int64_t *newest_s)
{
    struct redis_store *store = context;
    struct redis_args args = {0};

    redis_arg_number(&args, store->config->link_ttl_ms);
    redis_arg_text(&args, token);
    redis_arg_number(&args, lease_ms);
    for (size_t i = 0; i < n && i < HASHES_MAX; i++)
        redis_arg_text(&args, hash[i]);
    redisReply *reply = redis_ask(store, SCRIPT_CONTACT_LOCK, &args);
    if (!reply)
        return STORE_UNAVAILABLE;
    enum store_result result = redis_reply_number(reply, 0) == 1 ? STORE_OK : STORE_NONE;
    if (newest_s)
        *newest_s = redis_reply_number(reply, 1);
    freeReplyObject(reply);
    return result;
}

enum store_result redis_contact_unlock(void *context, const char *const hash[], size_t n, const char *token,
                                       int64_t wrote_s)
{
    struct redis_store *store = context;
    struct redis_args args = {0};

    redis_arg_number(&args, store->config->link_ttl_ms);
    redis_arg_text(&args, token);
    redis_arg_number(&args, wrote_s);
    for (size_t i = 0; i < n && i < HASHES_MAX; i++)
        redis_arg_text(&args, hash[i]);
    return redis_verb(store, SCRIPT_CONTACT_UNLOCK, &args, STORE_LOST);
}

enum store_result redis_card_take(void *context, const char *opportunity_id, const char *key,
                                  int64_t created_s, enum store_card how)
{
    struct redis_store *store = context;
    struct redis_args args = {0};

    redis_arg_number(&args, store->config->link_ttl_ms);
    redis_arg_text(&args, opportunity_id);
    redis_arg_text(&args, key);
    redis_arg_number(&args, created_s);
    redis_arg_number(&args, how);
    return redis_verb(store, SCRIPT_CARD_TAKE, &args, STORE_LOST);
}

/* -- limits -- */

enum store_result redis_allow(void *context, const char *client, int64_t *count)
{
    struct redis_args args = {0};

    redis_arg_text(&args, client);
    return ask_number(context, SCRIPT_ALLOW, &args, count);
}

enum store_result redis_pace(void *context, int64_t max_wait_ms, int64_t *wait_ms)
{
    struct redis_store *store = context;
    struct redis_args args = {0};
    int64_t interval_us, burst;

    store_pace_terms(store->config->ghl_rate.count, store->config->ghl_rate.window_ms, &interval_us, &burst);
    redis_arg_number(&args, max_wait_ms);
    redis_arg_number(&args, interval_us);
    redis_arg_number(&args, burst);
    redis_arg_number(&args, store->config->ghl_rate_per_day);
    return ask_number(store, SCRIPT_PACE, &args, wait_ms);
}

enum store_result redis_pace_correct(void *context, const struct store_limits *limits)
{
    struct redis_args args = {0};

    redis_arg_number(&args, limits->hold_ms);
    redis_arg_number(&args, limits->window_remaining);
    redis_arg_number(&args, limits->window_ms);
    redis_arg_number(&args, limits->shared);
    redis_arg_number(&args, STORE_SHARED_MS);
    redis_arg_number(&args, limits->daily_remaining);
    redis_arg_number(&args, limits->daily_reset_ms);
    return ask_number(context, SCRIPT_PACE_CORRECT, &args, NULL);
}

/* -- switches -- */

enum store_result redis_breaker(void *context, bool success, int64_t *open_ms)
{
    struct redis_args args = {0};

    redis_arg_number(&args, success);
    return ask_number(context, SCRIPT_BREAKER, &args, open_ms);
}

enum store_result redis_probe(void *context, enum store_hold what)
{
    struct redis_args args = {0};

    if (what == STORE_GO)
        return STORE_NONE;
    redis_arg_number(&args, (int64_t)what);
    return redis_verb(context, SCRIPT_PROBE, &args, STORE_NONE);
}

enum store_result redis_pause(void *context, const char *token_hash, const char *why, bool *first)
{
    struct redis_args args = {0};
    int64_t was_first = 0;

    redis_arg_text(&args, token_hash);
    redis_arg_text(&args, why);
    enum store_result result = ask_number(context, SCRIPT_PAUSE, &args, &was_first);
    if (first)
        *first = was_first != 0;
    return result;
}

enum store_result redis_resume(void *context, const char *token_hash)
{
    struct redis_args args = {0};

    redis_arg_number(&args, !token_hash);
    redis_arg_text(&args, token_hash);
    return redis_verb(context, SCRIPT_RESUME, &args, STORE_NONE);
}

/* -- counters and small things -- */

enum store_result redis_count(void *context, const char *word, bool reconcile)
{
    struct redis_args args = {0};

    redis_arg_text(&args, word);
    redis_arg_number(&args, reconcile);
    return redis_verb(context, SCRIPT_COUNT, &args, STORE_UNAVAILABLE);
}

enum store_result redis_reconciled(void *context, int64_t wanted)
{
    struct redis_args args = {0};

    redis_arg_number(&args, wanted);
    return redis_verb(context, SCRIPT_RECONCILED, &args, STORE_NONE);
}

/* The one text of the reply; an absent one is NONE. */
static enum store_result ask_copy(struct redis_store *store, enum redis_script which,
                                  const struct redis_args *args, char **out)
{
    redisReply *reply = redis_ask(store, which, args);
    enum store_result result = STORE_OK;

    if (!reply)
        return STORE_UNAVAILABLE;
    if (reply->elements == 0 || reply->element[0]->type != REDIS_REPLY_STRING) {
        result = STORE_NONE;
    } else if (out) {
        *out = redis_reply_copy(reply, 0, NULL);
        if (!*out) {
            error_set(&store->connection.trouble, "out of memory");
            result = STORE_UNAVAILABLE;
        }
    }
    freeReplyObject(reply);
    return result;
}

enum store_result redis_put(void *context, const char *name, const char *value, int64_t ttl_ms,
                            bool if_absent, char **out)
{
    struct redis_args args = {0};

    if (out)
        *out = NULL;
    redis_arg_text(&args, name);
    redis_arg_text(&args, value);
    redis_arg_number(&args, ttl_ms);
    redis_arg_number(&args, if_absent);
    return ask_copy(context, SCRIPT_PUT, &args, out);
}

enum store_result redis_get(void *context, const char *name, char **out)
{
    struct redis_args args = {0};

    if (out)
        *out = NULL;
    redis_arg_text(&args, name);
    return ask_copy(context, SCRIPT_GET, &args, out);
}
