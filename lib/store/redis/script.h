/*
 * store_redis_script: the Lua scripts of lib/lua, run by their SHA-1 in one round trip.
 *
 * A server that does not know a script (NOSCRIPT: restarted, SCRIPT FLUSH) gets its text by EVAL within the
 * same call, and knows it from then on. KEYS[1] is always `{prefix:location}`, ARGV[1] the shift of the
 * clock, ARGV[2] the server's run_id; the verb's own arguments begin at ARGV[3].
 */
#ifndef WOO_GHL_STORE_REDIS_SCRIPT_H
#define WOO_GHL_STORE_REDIS_SCRIPT_H

#include "store/redis/connection.h"

/* One a file of lib/lua. */
enum redis_script {
    SCRIPT_ALLOW,
    SCRIPT_BREAKER,
    SCRIPT_CARD_TAKE,
    SCRIPT_CLAIM,
    SCRIPT_CONTACT_LOCK,
    SCRIPT_CONTACT_UNLOCK,
    SCRIPT_COUNT,
    SCRIPT_DROP,
    SCRIPT_EXPIRE_PARKED,
    SCRIPT_FINISH,
    SCRIPT_FORGOT,
    SCRIPT_GET,
    SCRIPT_HEARTBEAT,
    SCRIPT_LEASE_DUE,
    SCRIPT_LOOK,
    SCRIPT_MOVED,
    SCRIPT_PACE,
    SCRIPT_PACE_CORRECT,
    SCRIPT_PARK,
    SCRIPT_PARK_BYTES,
    SCRIPT_PARKED_GET,
    SCRIPT_PARKED_LIST,
    SCRIPT_PAUSE,
    SCRIPT_PROBE,
    SCRIPT_PROGRESS,
    SCRIPT_PUT,
    SCRIPT_RECONCILED,
    SCRIPT_REQUEUE,
    SCRIPT_RESUME,
    SCRIPT_RETRY,
    SCRIPT_SHIFT,
    SCRIPT_STATS,
    SCRIPT_WAITING,
    SCRIPTS
};

#define SCRIPT_SHA_SIZE 41
#define SCRIPT_ARGS_MAX 24

/* The arguments of one call. Numbers are written into it; texts and bytes are borrowed. */
struct redis_args {
    int count;
    const char *value[SCRIPT_ARGS_MAX];
    size_t len[SCRIPT_ARGS_MAX];
    char number[SCRIPT_ARGS_MAX][24];
};
void redis_arg_text(struct redis_args *args, const char *text); /* NULL counts as "" */
void redis_arg_bytes(struct redis_args *args, const void *bytes, size_t len);
void redis_arg_number(struct redis_args *args, int64_t number); /* bools too: 1 and 0 */

/* What the scripts are run with. */
struct redis_scripts {
    char *base;                         /* owned: "{prefix:location}" */
    int64_t shift_ms;                   /* tests: added to the server's time */
    int sha_major;                      /* the server's version that the hashes below are for */
    char sha[SCRIPTS][SCRIPT_SHA_SIZE]; /* "" = not computed yet */
};

/* The script's reply, always an array, the caller's. NULL with the connection's trouble set: the server could
 * not do it, or it is not known whether it did. *full (may be NULL): it refused for memory, and did nothing.
 */
redisReply *redis_script(struct redis_connection *c, struct redis_scripts *scripts, enum redis_script which,
                         const struct redis_args *args, bool *full) MUST_CHECK;

/* -- reading replies: an element that is missing or of another type counts as 0, "" -- */
int64_t redis_reply_number(const redisReply *array, size_t i);
const char *redis_reply_text(const redisReply *array, size_t i);
/* The element itself when it is an array, else NULL. */
const redisReply *redis_reply_array(const redisReply *array, size_t i);
/* A copy with a NUL after it, owned by the caller; NULL when there is none or no memory. */
char *redis_reply_copy(const redisReply *array, size_t i, size_t *len);

#endif
