#include "store/redis/redis.h"
#include <stdio.h>
#include <string.h>

enum { ASK_PERSISTENCE, ASK_MEMORY, ASK_REPLICATION, ASK_FSYNC, ASK_SAVE, ASK_REPLICAS, ASKED };

/* CONFIG GET's answer is name and value; hosted servers refuse CONFIG: NULL. */
static const char *config_value(const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        reply->element[1]->type != REDIS_REPLY_STRING)
        return NULL;
    return reply->element[1]->str;
}

/* True if orders that wait can be lost, not only those of the last moments. */
static bool tell_durability(redisReply *const *reply, char *out, size_t size)
{
    const char *fsync = config_value(reply[ASK_FSYNC]), *save = config_value(reply[ASK_SAVE]);
    char aof[8];

    redis_info(reply[ASK_PERSISTENCE], "\naof_enabled:", aof, sizeof aof);
    if (!*aof)
        snprintf(out, size,
                 "unknown: Redis refuses INFO, so woo_ghl learns neither what a crash loses, nor that Redis "
                 "was restarted or replaced by a server that lacks the last orders; allow INFO");
    else if (!strcmp(aof, "0") && save && !*save)
        snprintf(out, size,
                 "none: appendonly is no and save is empty, so a restart of Redis loses every waiting order "
                 "and link; set appendonly yes and appendfsync always");
    else if (!strcmp(aof, "0"))
        snprintf(out, size,
                 "weak: appendonly is no, so a crash loses every order accepted since the last snapshot; set "
                 "appendonly yes and appendfsync always");
    else if (!fsync)
        snprintf(out, size,
                 "appendonly is yes; Redis refuses CONFIG, so woo_ghl does not know how often it is written: "
                 "unless appendfsync is always, a crash can lose the last accepted orders");
    else if (!strcmp(fsync, "everysec"))
        snprintf(out, size,
                 "appendfsync is everysec: a crash of the machine can lose the orders accepted in the last 1 "
                 "to 2 s; always loses none");
    else if (strcmp(fsync, "always") != 0)
        snprintf(out, size,
                 "appendfsync is %s: a crash of the machine can lose the orders accepted in the last 30 s or "
                 "more; always loses none",
                 fsync);
    return !strcmp(aof, "0");
}

/* Replication does not wait: what a replica does not have yet is lost when it takes over. */
static void tell_failover(redisReply *const *reply, char *out, size_t size)
{
    const char *least = config_value(reply[ASK_REPLICAS]);
    char replicas[16];
    size_t n = strnlen(out, size);

    redis_info(reply[ASK_REPLICATION], "\nconnected_slaves:", replicas, sizeof replicas);
    if (!*replicas || !strcmp(replicas, "0"))
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

    redis_info(reply[ASK_MEMORY], "\nmaxmemory_policy:", policy, sizeof policy);
    if (*policy && strcmp(policy, "noeviction") != 0)
        snprintf(out, size,
                 "maxmemory-policy is %s: Redis may delete waiting orders and links when memory is short; "
                 "set maxmemory-policy noeviction",
                 policy);
}

/* INFO and CONFIG are for operators, and may be refused. */
enum store_result redis_about(void *state, struct store_about *out)
{
    struct redis *r = state;
    redisReply *reply[ASKED];

    *out = (struct store_about){.durability = ""};
    redis_begin(r);
    redis_add(r, "INFO persistence");
    redis_add(r, "INFO memory");
    redis_add(r, "INFO replication");
    redis_add(r, "CONFIG GET appendfsync");
    redis_add(r, "CONFIG GET save");
    redis_add(r, "CONFIG GET min-replicas-to-write");
    enum store_result result = redis_run(r, reply);
    if (result != STORE_OK)
        return result;
    out->loses = tell_durability(reply, out->durability, sizeof out->durability);
    tell_failover(reply, out->durability, sizeof out->durability);
    tell_problem(reply, out->problem, sizeof out->problem);
    redis_free(reply, ASKED);
    return STORE_OK;
}
