#include "store/redis/redis.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- what the server promises -- */

enum { ASK_PERSISTENCE, ASK_MEMORY, ASK_REPLICATION, ASK_FSYNC, ASK_SAVE, ASK_REPLICAS, ASKED };

/* The line "name:value" of an INFO reply; false when it is not told. */
static bool info_line(const redisReply *info, const char *name, char *out, size_t size)
{
    if (info->type != REDIS_REPLY_STRING)
        return false;
    const char *p = strstr(info->str, name);
    if (!p)
        return false;
    p += strlen(name);
    size_t n = strcspn(p, "\r\n");
    if (n >= size)
        return false;
    memcpy(out, p, n);
    out[n] = '\0';
    return true;
}

/* CONFIG GET's answer is name and value; hosted servers refuse CONFIG: NULL. */
static const char *config_value(const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        reply->element[1]->type != REDIS_REPLY_STRING)
        return NULL;
    return reply->element[1]->str;
}

static void tell_durability(redisReply *const *reply, char *out, size_t size)
{
    const char *fsync = config_value(reply[ASK_FSYNC]), *save = config_value(reply[ASK_SAVE]);
    char aof[8];

    if (!info_line(reply[ASK_PERSISTENCE], "\naof_enabled:", aof, sizeof aof))
        snprintf(
            out, size,
            "unknown: INFO is refused, so that neither what a crash loses is known, nor that this Redis was "
            "restarted or replaced by one that lacks the last orders: allow INFO");
    else if (!strcmp(aof, "0") && save && !*save)
        snprintf(
            out, size,
            "none: appendonly is no and save is empty, so a restart of Redis loses every waiting order and "
            "link; set appendonly yes and appendfsync always");
    else if (!strcmp(aof, "0"))
        snprintf(out, size,
                 "weak: appendonly is no, so a crash loses every order accepted since the last snapshot; set "
                 "appendonly yes and appendfsync always");
    else if (!fsync)
        snprintf(out, size,
                 "appendonly is yes; unknown how often it is written (CONFIG is refused): unless "
                 "appendfsync is always, a crash can lose the last accepted orders");
    else if (!strcmp(fsync, "everysec"))
        snprintf(out, size,
                 "appendfsync is everysec: a crash of the machine can lose the orders accepted in the "
                 "last 1 to 2 s; always loses none");
    else if (strcmp(fsync, "always") != 0)
        snprintf(out, size,
                 "appendfsync is %s: a crash of the machine can lose the orders accepted in the last "
                 "30 s or more; always loses none",
                 fsync);
}

/* Replication does not wait: what a replica has not got yet is lost when it takes over. */
static void tell_failover(redisReply *const *reply, char *out, size_t size)
{
    const char *least = config_value(reply[ASK_REPLICAS]);
    char replicas[16];
    size_t n = strnlen(out, size);

    if (!info_line(reply[ASK_REPLICATION], "\nconnected_slaves:", replicas, sizeof replicas) ||
        !strcmp(replicas, "0"))
        return;
    snprintf(out + n, size - n, "%sa failover can lose the orders accepted in the last moments%s",
             n ? "; " : "",
             least && !strcmp(least, "0")
                 ? ", and all that a primary takes while it is cut off: set min-replicas-to-write 1"
                 : "");
}

static void tell_problem(redisReply *const *reply, char *out, size_t size)
{
    char policy[32];

    if (info_line(reply[ASK_MEMORY], "\nmaxmemory_policy:", policy, sizeof policy) &&
        strcmp(policy, "noeviction") != 0)
        snprintf(
            out, size,
            "maxmemory-policy is %s: Redis may delete waiting orders and links when memory is short; set "
            "maxmemory-policy noeviction",
            policy);
}

/* Beside the verb, because INFO and CONFIG are for operators only, and may be refused. */
static bool ask_server(struct redis_store *store, struct store_stats *out)
{
    static const char *const persistence[] = {"INFO", "persistence"}, *const memory[] = {"INFO", "memory"},
                             *const replication[] = {"INFO", "replication"},
                             *const fsync[] = {"CONFIG", "GET", "appendfsync"},
                             *const save[] = {"CONFIG", "GET", "save"},
                             *const replicas[] = {"CONFIG", "GET", "min-replicas-to-write"};
    static const size_t persistence_len[] = {4, 11}, memory_len[] = {4, 6}, replication_len[] = {4, 11},
                        fsync_len[] = {6, 3, 11}, save_len[] = {6, 3, 4}, replicas_len[] = {6, 3, 21};
    const struct redis_command command[ASKED] = {
        [ASK_PERSISTENCE] = {2, (const char **)persistence, persistence_len},
        [ASK_MEMORY] = {2, (const char **)memory, memory_len},
        [ASK_REPLICATION] = {2, (const char **)replication, replication_len},
        [ASK_FSYNC] = {3, (const char **)fsync, fsync_len},
        [ASK_SAVE] = {3, (const char **)save, save_len},
        [ASK_REPLICAS] = {3, (const char **)replicas, replicas_len}};
    redisReply *reply[ASKED] = {NULL};

    if (!redis_pipeline(&store->connection, command, ASKED, reply, redis_deadline(&store->connection)))
        return false;
    tell_durability(reply, out->durability, sizeof out->durability);
    tell_failover(reply, out->durability, sizeof out->durability);
    tell_problem(reply, out->problem, sizeof out->problem);
    for (size_t i = 0; i < ASKED; i++)
        freeReplyObject(reply[i]);
    return true;
}

/* -- stats -- */

static void read_counters(const redisReply *list, struct store_stats *out)
{
    const size_t room = sizeof out->counter / sizeof *out->counter;

    for (size_t i = 0; list && i + 1 < list->elements && out->counter_count < room; i += 2) {
        struct store_counter *to = &out->counter[out->counter_count];
        if (!redis_copy_text(list, i, to->word, sizeof to->word))
            continue; /* none of ours: they are shorter */
        to->count = redis_reply_number(list, i + 1);
        out->counter_count++;
    }
}

static void read_stats(const redisReply *r, struct store_stats *out)
{
    out->waiting = redis_reply_number(r, 0);
    out->due = redis_reply_number(r, 1);
    out->oldest_s = redis_reply_number(r, 2) / 1000;
    out->parked = redis_reply_number(r, 3);
    out->breaker_open_ms = redis_reply_number(r, 4);
    out->breaker_failures = redis_reply_number(r, 5);
    out->paused = redis_reply_number(r, 6) != 0;
    snprintf(out->pause_reason, sizeof out->pause_reason, "%s", redis_reply_text(r, 7));
    out->pause_age_s = redis_reply_number(r, 8) / 1000;
    int64_t drain_age_ms = redis_reply_number(r, 9);
    out->drain_age_s = drain_age_ms < 0 ? -1 : drain_age_ms / 1000;
    out->undrained = redis_reply_number(r, 10) != 0;
    out->reconcile_wanted = redis_reply_number(r, 11);
    out->born_age_s = redis_reply_number(r, 12) / 1000;
    read_counters(redis_reply_array(r, 13), out);
    int64_t delivery_age_ms = redis_reply_number(r, 14);
    out->delivery_age_s = delivery_age_ms < 0 ? -1 : delivery_age_ms / 1000;
    out->forgot_ms = redis_reply_number(r, 15);
    out->used_age_s = redis_reply_number(r, 16) / 1000;
}

enum store_result redis_stats(void *context, struct store_stats *out)
{
    struct redis_store *store = context;

    *out = (struct store_stats){0};
    redisReply *reply = redis_ask(store, SCRIPT_STATS, &(struct redis_args){0});
    if (!reply)
        return STORE_UNAVAILABLE;
    read_stats(reply, out);
    freeReplyObject(reply);
    return ask_server(store, out) ? STORE_OK : STORE_UNAVAILABLE;
}

/* -- parked orders -- */

/* An element of parked_list's and parked_get's reply. */
static bool read_parked(const redisReply *r, struct store_parked *out)
{
    *out = (struct store_parked){.key = redis_reply_copy(r, 0, NULL),
                                 .why = redis_reply_copy(r, 1, NULL),
                                 .age_s = redis_reply_number(r, 3) / 1000,
                                 .attempts = redis_reply_number(r, 4)};
    snprintf(out->status, sizeof out->status, "%s", redis_reply_text(r, 2));
    bool has_body = r && r->elements > 5 && r->element[5]->type == REDIS_REPLY_STRING;
    if (has_body)
        out->body = redis_reply_copy(r, 5, &out->body_len);
    return out->key && out->why && (out->body || !has_body);
}

static enum store_result out_of_memory(struct redis_store *store)
{
    error_set(&store->connection.trouble, "out of memory");
    return STORE_UNAVAILABLE;
}

enum store_result redis_parked_list(void *context, const char *after, size_t max, struct store_parked **list,
                                    size_t *n)
{
    struct redis_store *store = context;
    struct redis_args args = {0};
    enum store_result result = STORE_OK;

    *list = NULL;
    *n = 0;
    redis_arg_text(&args, after);
    redis_arg_number(&args, max < INT32_MAX ? (int64_t)max : INT32_MAX);
    redisReply *reply = redis_ask(store, SCRIPT_PARKED_LIST, &args);
    if (!reply)
        return STORE_UNAVAILABLE;
    struct store_parked *out = calloc(reply->elements + 1, sizeof *out);
    if (!out)
        result = out_of_memory(store);
    for (size_t i = 0; result == STORE_OK && i < reply->elements; i++)
        if (!read_parked(redis_reply_array(reply, i), &out[i]))
            result = out_of_memory(store);
    if (result == STORE_OK) {
        *list = out;
        *n = reply->elements;
    } else if (out) {
        store_parked_free(out, reply->elements, true);
    }
    freeReplyObject(reply);
    return result;
}

enum store_result redis_parked_get(void *context, const char *key, struct store_parked *out)
{
    struct redis_store *store = context;
    struct redis_args args = {0};
    enum store_result result = STORE_NONE;

    *out = (struct store_parked){0};
    redis_arg_text(&args, key);
    redisReply *reply = redis_ask(store, SCRIPT_PARKED_GET, &args);
    if (!reply)
        return STORE_UNAVAILABLE;
    if (reply->elements == 1) {
        result = STORE_OK;
        if (!read_parked(redis_reply_array(reply, 0), out)) {
            store_parked_free(out, 1, false);
            *out = (struct store_parked){0};
            result = out_of_memory(store);
        }
    }
    freeReplyObject(reply);
    return result;
}

enum store_result redis_requeue(void *context, const char *key)
{
    struct redis_args args = {0};

    redis_arg_text(&args, key);
    return redis_verb(context, SCRIPT_REQUEUE, &args, STORE_NONE);
}

enum store_result redis_drop(void *context, const char *key)
{
    struct redis_store *store = context;
    struct redis_args args = {0};

    redis_arg_number(&args, store->config->link_ttl_ms);
    redis_arg_text(&args, key);
    return redis_verb(store, SCRIPT_DROP, &args, STORE_NONE);
}

enum store_result redis_expire_parked(void *context, int64_t *n)
{
    struct redis_store *store = context;
    struct redis_args args = {0};

    redis_arg_number(&args, store->config->dead_letter_ttl_ms);
    redisReply *reply = redis_ask(store, SCRIPT_EXPIRE_PARKED, &args);
    if (!reply)
        return STORE_UNAVAILABLE;
    if (n)
        *n = redis_reply_number(reply, 0);
    freeReplyObject(reply);
    return STORE_OK;
}

/* -- one order -- */

enum store_result redis_look(void *context, const char *key, struct store_order *out)
{
    struct redis_store *store = context;
    struct redis_args args = {0};
    bool good = true;

    *out = (struct store_order){0};
    redis_arg_text(&args, key);
    redisReply *r = redis_ask(store, SCRIPT_LOOK, &args);
    if (!r)
        return STORE_UNAVAILABLE;
    if (r->elements == 0) {
        freeReplyObject(r);
        return STORE_NONE;
    }
    good = redis_copy_text(r, 0, out->link.contact_id, sizeof out->link.contact_id) &&
           redis_copy_text(r, 1, out->link.opportunity_id, sizeof out->link.opportunity_id);
    out->link.gone = redis_reply_number(r, 2) != 0;
    for (size_t i = 0; i < STORE_PARTS; i++)
        good = redis_copy_text(r, 3 + i, out->link.part_hash[i], sizeof out->link.part_hash[i]) && good;
    out->waiting = redis_reply_number(r, 7) != 0;
    out->leased = redis_reply_number(r, 8) != 0;
    out->parked = redis_reply_number(r, 9) != 0;
    out->has_waiting_body = redis_reply_number(r, 10) != 0;
    out->idempotency_key = redis_reply_number(r, 11) != 0;
    good = redis_copy_text(r, 12, out->fingerprint, sizeof out->fingerprint) && good;
    snprintf(out->reason, sizeof out->reason, "%s", redis_reply_text(r, 13));
    out->due_in_ms = redis_reply_number(r, 14);
    freeReplyObject(r);
    if (!good) {
        error_set(&store->connection.trouble, "%s: an id or hash is longer than this program writes them",
                  key);
        return STORE_UNAVAILABLE;
    }
    return STORE_OK;
}
