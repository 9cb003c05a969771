#include "store/redis/script.h"
#include "base/clock.h"
#include "base/digest.h"
#include "lua.h"
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARTS 4 /* of a script's text: header, prelude, second prelude, its own */

/* What a script needs before its own text. */
enum prelude { ALONE, ORDER, HOLD };

static const struct {
    const char *text;
    enum prelude prelude;
    bool refuse_oom; /* may be refused for memory: it brings new work. What ends work never is. */
} script_table[SCRIPTS] = {
    [SCRIPT_ALLOW] = {LUA_ALLOW, ALONE, true},
    [SCRIPT_BREAKER] = {LUA_BREAKER, HOLD, false},
    [SCRIPT_CARD_TAKE] = {LUA_CARD_TAKE, ALONE, false},
    [SCRIPT_CLAIM] = {LUA_CLAIM, ORDER, true},
    [SCRIPT_CONTACT_LOCK] = {LUA_CONTACT_LOCK, ALONE, false},
    [SCRIPT_CONTACT_UNLOCK] = {LUA_CONTACT_UNLOCK, ALONE, false},
    [SCRIPT_COUNT] = {LUA_COUNT, ALONE, false},
    [SCRIPT_DROP] = {LUA_DROP, ORDER, false},
    [SCRIPT_EXPIRE_PARKED] = {LUA_EXPIRE_PARKED, ORDER, false},
    [SCRIPT_FINISH] = {LUA_FINISH, ORDER, false},
    [SCRIPT_FORGOT] = {LUA_FORGOT, ALONE, false},
    [SCRIPT_GET] = {LUA_GET, ALONE, false},
    [SCRIPT_HEARTBEAT] = {LUA_HEARTBEAT, ALONE, false},
    [SCRIPT_LEASE_DUE] = {LUA_LEASE_DUE, ORDER, false},
    [SCRIPT_LOOK] = {LUA_LOOK, ORDER, false},
    [SCRIPT_MOVED] = {LUA_MOVED, ALONE, false},
    [SCRIPT_PACE] = {LUA_PACE, ALONE, false},
    [SCRIPT_PACE_CORRECT] = {LUA_PACE_CORRECT, ALONE, false},
    [SCRIPT_PARK] = {LUA_PARK, ORDER, false},
    [SCRIPT_PARK_BYTES] = {LUA_PARK_BYTES, ORDER, false},
    [SCRIPT_PARKED_GET] = {LUA_PARKED_GET, ORDER, false},
    [SCRIPT_PARKED_LIST] = {LUA_PARKED_LIST, ORDER, false},
    [SCRIPT_PAUSE] = {LUA_PAUSE, HOLD, false},
    [SCRIPT_PROBE] = {LUA_PROBE, HOLD, false},
    [SCRIPT_PROGRESS] = {LUA_PROGRESS, ORDER, false},
    [SCRIPT_PUT] = {LUA_PUT, ALONE, false},
    [SCRIPT_RECONCILED] = {LUA_RECONCILED, ALONE, false},
    [SCRIPT_REQUEUE] = {LUA_REQUEUE, ORDER, false},
    [SCRIPT_RESUME] = {LUA_RESUME, HOLD, false},
    [SCRIPT_RETRY] = {LUA_RETRY, ORDER, false},
    [SCRIPT_SHIFT] = {LUA_SHIFT, ALONE, false},
    [SCRIPT_STATS] = {LUA_STATS, ORDER, false},
    [SCRIPT_WAITING] = {LUA_WAITING, ORDER, false},
};

/* -- arguments -- */

void redis_arg_bytes(struct redis_args *args, const void *bytes, size_t len)
{
    args->value[args->count] = len > 0 ? bytes : "";
    args->len[args->count++] = len;
}

void redis_arg_text(struct redis_args *args, const char *text)
{
    redis_arg_bytes(args, text, text ? strlen(text) : 0);
}

void redis_arg_number(struct redis_args *args, int64_t number)
{
    char *to = args->number[args->count];
    snprintf(to, sizeof args->number[0], "%lld", (long long)number);
    redis_arg_text(args, to);
}

/* -- texts -- */

/* Redis 7 knows flags; before it, and where the server does not tell, scripts ask for effects to be
 * replicated because they read the time (Redis 3.2 to 4; a habit of 5 and later, unless configured
 * otherwise). */
static const char *header(enum redis_script which, int major)
{
    if (major < 7)
        return "if redis.replicate_commands then redis.replicate_commands() end\n";
    return script_table[which].refuse_oom ? "" : "#!lua flags=allow-oom\n";
}

static void text_parts(enum redis_script which, int major, const char *part[PARTS])
{
    static const char *const prelude[] = {[ALONE] = "", [ORDER] = LUA_ORDER, [HOLD] = LUA_HOLD};
    part[0] = header(which, major);
    part[1] = LUA_PRELUDE;
    part[2] = prelude[script_table[which].prelude];
    part[3] = script_table[which].text;
}

static char *whole_text(enum redis_script which, int major)
{
    const char *part[PARTS];
    size_t size = 1;

    text_parts(which, major, part);
    for (size_t i = 0; i < PARTS; i++)
        size += strlen(part[i]);
    char *text = malloc(size);
    if (text)
        snprintf(text, size, "%s%s%s%s", part[0], part[1], part[2], part[3]);
    return text;
}

/* The name by which the server knows the script; computed once a process. */
static const char *sha_of(struct redis_scripts *scripts, enum redis_script which, int major)
{
    const char *part[PARTS];
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    if (scripts->sha_major != major) {
        memset(scripts->sha, 0, sizeof scripts->sha);
        scripts->sha_major = major;
    }
    char *sha = scripts->sha[which];
    if (*sha)
        return sha;
    text_parts(which, major, part);
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    bool good = hash && EVP_DigestInit_ex(hash, EVP_sha1(), NULL) == 1;
    for (size_t i = 0; good && i < PARTS; i++)
        good = EVP_DigestUpdate(hash, part[i], strlen(part[i])) == 1;
    good = good && EVP_DigestFinal_ex(hash, sum, &n) == 1 && n * 2 + 1 == SCRIPT_SHA_SIZE;
    EVP_MD_CTX_free(hash);
    if (!good)
        return NULL;
    digest_hex(sum, n, sha);
    return sha;
}

/* -- calls -- */

static redisReply *run(struct redis_connection *c, const struct redis_scripts *scripts, const char *verb,
                       const char *script, const struct redis_args *args, int64_t deadline)
{
    enum { OWN = 6 };
    const char *argv[OWN + SCRIPT_ARGS_MAX] = {verb, script, "1", scripts->base};
    size_t len[OWN + SCRIPT_ARGS_MAX];
    char shift[24];

    snprintf(shift, sizeof shift, "%lld", (long long)scripts->shift_ms);
    argv[4] = shift;
    argv[5] = c->run_id;
    for (int i = 0; i < OWN; i++)
        len[i] = strlen(argv[i]);
    for (int i = 0; i < args->count; i++) {
        argv[OWN + i] = args->value[i];
        len[OWN + i] = args->len[i];
    }
    return redis_call(c, &(struct redis_command){OWN + args->count, argv, len}, deadline);
}

static bool is_error(const redisReply *reply, const char *code)
{
    return reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, code, strlen(code)) == 0;
}

/* Redis 7 says -OOM itself; before it, the script's own error quotes the command's. */
static bool is_oom(const redisReply *reply)
{
    return is_error(reply, "OOM ") ||
           (reply->type == REDIS_REPLY_ERROR && strstr(reply->str, "-OOM command not allowed") != NULL);
}

/* By its hash, and by its text where the server does not know it. */
static redisReply *ask(struct redis_connection *c, struct redis_scripts *scripts, enum redis_script which,
                       const struct redis_args *args, int64_t deadline)
{
    const char *sha = sha_of(scripts, which, c->major);
    if (!sha) {
        error_set(&c->trouble, "libcrypto has no SHA-1, by which Redis names scripts");
        return NULL;
    }
    redisReply *reply = run(c, scripts, "EVALSHA", sha, args, deadline);
    if (!reply || !is_error(reply, "NOSCRIPT"))
        return reply;
    freeReplyObject(reply);
    char *text = whole_text(which, c->major);
    if (!text) {
        error_set(&c->trouble, "out of memory");
        return NULL;
    }
    reply = run(c, scripts, "EVAL", text, args, deadline);
    free(text);
    return reply;
}

/* Reads the reply: NULL when it is not what a script answers. */
static redisReply *judge(struct redis_connection *c, redisReply *reply, bool *full)
{
    if (!reply)
        return NULL;
    /* Not by any other answer: a server that became a replica, while its name moved on, still greets. */
    bool is_full = is_oom(reply);
    if (reply->type == REDIS_REPLY_ARRAY || is_full)
        c->works_mono_ms = clock_mono_ms();
    if (reply->type == REDIS_REPLY_ARRAY)
        return reply;
    if (is_full) {
        if (full)
            *full = true;
        /* The connection is fine, and what ends work may still go. */
        error_set(&c->trouble, "Redis has no memory left (maxmemory): %s", reply->str);
    } else {
        redis_fail(c, "%s", reply->type == REDIS_REPLY_ERROR ? reply->str : "a script answered no array");
    }
    freeReplyObject(reply);
    return NULL;
}

/* Before anything else: the server may lack what this process did at the one before. */
static bool tell_moved(struct redis_connection *c, struct redis_scripts *scripts, int64_t deadline)
{
    struct redis_args args = {0};

    redis_arg_number(&args, clock_mono_ms() - c->works_mono_ms);
    redisReply *reply = judge(c, ask(c, scripts, SCRIPT_MOVED, &args, deadline), NULL);
    if (!reply)
        return false;
    freeReplyObject(reply);
    c->moved = false;
    return true;
}

redisReply *redis_script(struct redis_connection *c, struct redis_scripts *scripts, enum redis_script which,
                         const struct redis_args *args, bool *full)
{
    int64_t deadline = redis_deadline(c);

    if (full)
        *full = false;
    if (!redis_ready(c, deadline) || (c->moved && !tell_moved(c, scripts, deadline)))
        return NULL;
    return judge(c, ask(c, scripts, which, args, deadline), full);
}

/* -- replies -- */

static const redisReply *element(const redisReply *array, size_t i)
{
    return array && array->type == REDIS_REPLY_ARRAY && i < array->elements ? array->element[i] : NULL;
}

int64_t redis_reply_number(const redisReply *array, size_t i)
{
    const redisReply *e = element(array, i);

    if (e && e->type == REDIS_REPLY_INTEGER)
        return e->integer;
    if (!e || e->type != REDIS_REPLY_STRING)
        return 0;
    char *end;
    errno = 0;
    long long number = strtoll(e->str, &end, 10);
    return *end || errno ? 0 : number;
}

const char *redis_reply_text(const redisReply *array, size_t i)
{
    const redisReply *e = element(array, i);
    return e && e->type == REDIS_REPLY_STRING ? e->str : "";
}

const redisReply *redis_reply_array(const redisReply *array, size_t i)
{
    const redisReply *e = element(array, i);
    return e && e->type == REDIS_REPLY_ARRAY ? e : NULL;
}

char *redis_reply_copy(const redisReply *array, size_t i, size_t *len)
{
    const redisReply *e = element(array, i);

    if (!e || e->type != REDIS_REPLY_STRING)
        return NULL;
    char *copy = malloc(e->len + 1);
    if (!copy)
        return NULL;
    memcpy(copy, e->str, e->len);
    copy[e->len] = '\0';
    if (len)
        *len = e->len;
    return copy;
}
