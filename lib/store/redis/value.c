#include "base/clock.h"
#include "store/redis/redis.h"
#include <stdlib.h>
#include <string.h>

#define VALUES_MAX 1000
#define SCAN_STEP 2000
#define NO_MEMORY "Redis: no memory for a list of values"
#define SCAN_MS 10000 /* for all of a list of values */

/* *out (may be NULL) is the reply's text, owned by the caller. */
static enum store_result copy_text(struct redis *r, const redisReply *reply, char **out)
{
    if (out && (*out = strdup(reply->str)) == NULL)
        return redis_trouble(r, "Redis: no memory for a value of %zu bytes", (size_t)reply->len);
    return STORE_OK;
}

/* *reply is the caller's. */
static enum store_result get(struct redis *r, const char *kind, const char *name, redisReply **reply)
{
    redis_begin(r);
    redis_add(r, "GET %k", kind, name);
    return redis_ask(r, reply, REDIS_REPLY_STRING);
}

enum store_result redis_get(void *state, const char *name, char **out)
{
    redisReply *reply;
    enum store_result result = get(state, "val", name, &reply);

    if (result == STORE_OK)
        result = copy_text(state, reply, out);
    redis_free(&reply, 1);
    return result;
}

enum store_result redis_blob(void *state, const char *id, struct buf *sealed)
{
    struct redis *r = state;
    redisReply *reply;
    enum store_result result = get(r, "blob", id, &reply);

    if (result == STORE_OK && !buf_add(sealed, reply->str, reply->len))
        result = redis_trouble(r, "Redis: no memory for a body of %zu bytes", (size_t)reply->len);
    redis_free(&reply, 1);
    return result;
}

/* Runs lua/value.lua. OK, NONE: the key has the value, or went, as wanted; or not. *out (may be NULL):
 * what the key has then; NULL = nothing. ttl_ms -1: it goes. */
static enum store_result run_value(struct redis *r, const char *kind, const char *name, const char *when,
                                   const char *value, int64_t ttl_ms, char **out)
{
    redisReply *reply;

    redis_begin(r);
    redis_word_key(&r->keys, r->base, kind, name);
    redis_word(&r->args, when);
    redis_word(&r->args, value);
    redis_word_number(&r->args, ttl_ms);
    redis_add_script(r, SCRIPT_VALUE);
    enum store_result result = redis_ask(r, &reply, REDIS_REPLY_ARRAY);
    if (result == STORE_OK)
        result = redis_expect_list(r, reply, 2);
    if (result == STORE_OK)
        result = redis_expect(r, reply->element[0], REDIS_REPLY_INTEGER);
    if (result == STORE_OK && reply->element[1]->type == REDIS_REPLY_STRING)
        result = copy_text(r, reply->element[1], out);
    if (result == STORE_OK && reply->element[0]->integer != 1)
        result = STORE_NONE;
    redis_free(&reply, 1);
    return result;
}

enum store_result redis_put(void *state, const char *name, const char *value, int64_t ttl_ms, bool absent,
                            char **out)
{
    if (out)
        *out = NULL;
    if (value && ttl_ms < 0)
        ttl_ms = 0;
    enum store_result result = run_value(state, "val", name, absent ? "absent" : "always", value ? value : "",
                                         value ? ttl_ms : -1, out);
    return result == STORE_NONE ? STORE_OK : result;
}

enum store_result redis_lock(void *state, const char *name, const char *token, int64_t ttl_ms)
{
    return run_value(state, "lock", name, "mine", token, ttl_ms > 0 ? ttl_ms : 1, NULL);
}

enum store_result redis_unlock(void *state, const char *name, const char *token)
{
    return run_value(state, "lock", name, "mine", token, -1, NULL);
}

enum store_result redis_count(void *state, const char *name)
{
    struct redis *r = state;
    redisReply *reply;

    redis_begin(r);
    redis_add(r, "INCR %k", "val", name);
    enum store_result result = redis_ask(r, &reply, REDIS_REPLY_INTEGER);
    redis_free(&reply, 1);
    return result;
}

/* -- lists of values -- */

/* Keys that SCAN found, some of them twice. */
struct found {
    char *name[VALUES_MAX]; /* owned: without the namespace */
    size_t count;
};

static bool keep_name(struct found *found, const char *name)
{
    if (found->count == VALUES_MAX)
        return true;
    found->name[found->count] = strdup(name);
    return found->name[found->count] && ++found->count > 0;
}

/* "BASE:val:PREFIX*" as a pattern of SCAN. */
static void make_pattern(const struct redis *r, const char *prefix, struct buf *out)
{
    const char *const part[] = {r->base, ":val:", prefix};

    for (size_t i = 0; i < 3; i++)
        for (const char *p = part[i]; *p; p++) {
            if (strchr("[]*?\\", *p))
                buf_addc(out, '\\');
            buf_addc(out, *p);
        }
    buf_addc(out, '*');
}

/* One step of SCAN, from the cursor on, which it moves. SCAN names no key: the node is asked whether it has them all. */
static enum store_result scan(struct redis *r, const char *pattern, char cursor[24], struct found *found)
{
    const size_t skip = strlen(r->base) + strlen(":val:");
    redisReply *reply[2];

    redis_begin(r);
    r->whole = true;
    redis_add(r, REDIS_HERE);
    redis_add(r, "SCAN %s MATCH %s COUNT %d", cursor, pattern, (int64_t)SCAN_STEP);
    enum store_result result = redis_run(r, reply);
    if (result == STORE_OK)
        result = redis_expect(r, reply[0], REDIS_REPLY_NIL);
    if (result == STORE_OK)
        result = redis_expect_list(r, reply[1], 2);
    if (result == STORE_OK)
        result = redis_expect(r, reply[1]->element[1], REDIS_REPLY_ARRAY);
    if (result == STORE_OK &&
        (reply[1]->element[0]->type != REDIS_REPLY_STRING || reply[1]->element[0]->len >= 24))
        result = redis_nonsense(r);
    if (result == STORE_OK)
        memcpy(cursor, reply[1]->element[0]->str, reply[1]->element[0]->len + 1);
    for (size_t i = 0; result == STORE_OK && i < reply[1]->element[1]->elements; i++) {
        const redisReply *key = reply[1]->element[1]->element[i];
        if (key->type == REDIS_REPLY_STRING && key->len > skip && !keep_name(found, key->str + skip))
            result = redis_trouble(r, NO_MEMORY);
    }
    redis_free(reply, 2);
    return result;
}

static enum store_result scan_all(struct redis *r, const char *pattern, struct found *found)
{
    int64_t deadline = clock_mono_ms() + SCAN_MS;
    enum store_result result;
    char cursor[24] = "0";

    do
        result = clock_left_ms(deadline) > 0 ? scan(r, pattern, cursor, found)
                                             : redis_trouble(r, "Redis: too many keys for a list of values");
    while (result == STORE_OK && strcmp(cursor, "0") != 0 && found->count < VALUES_MAX);
    return result;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Reads what they hold, all in one round trip; one that expired meanwhile is left out. */
static enum store_result read_values(struct redis *r, struct found *found, struct buf *out)
{
    redisReply **reply = calloc(found->count + 1, sizeof(redisReply *));

    if (!reply)
        return redis_trouble(r, NO_MEMORY);
    qsort(found->name, found->count, sizeof(char *), by_name);
    redis_begin(r);
    for (size_t i = 0; i < found->count; i++)
        redis_add(r, "GET %k", "val", found->name[i]);
    enum store_result result = redis_run(r, reply);
    for (size_t i = 0; result == STORE_OK && i < found->count; i++) {
        bool twice = i > 0 && !strcmp(found->name[i], found->name[i - 1]);
        if (twice || reply[i]->type == REDIS_REPLY_NIL)
            continue;
        result = redis_expect(r, reply[i], REDIS_REPLY_STRING);
        if (result == STORE_OK) {
            buf_add(out, found->name[i], strlen(found->name[i]) + 1);
            buf_add(out, reply[i]->str, strlen(reply[i]->str) + 1);
        }
    }
    if (result == STORE_OK && out->failed)
        result = redis_trouble(r, NO_MEMORY);
    redis_free(reply, found->count);
    free(reply);
    return result;
}

enum store_result redis_values(void *state, const char *prefix, struct buf *out)
{
    struct redis *r = state;
    struct found *found = calloc(1, sizeof *found);
    struct buf pattern;
    enum store_result result = STORE_UNAVAILABLE;

    if (!found)
        return redis_trouble(r, NO_MEMORY);
    buf_init(&pattern, 8192);
    make_pattern(r, prefix, &pattern);
    if (pattern.failed)
        (void)redis_trouble(r, "Redis: a value's name is too long");
    else
        result = scan_all(r, pattern.data, found);
    if (result == STORE_OK && found->count > 0)
        result = read_values(r, found, out);
    for (size_t i = 0; i < found->count; i++)
        free(found->name[i]);
    free(found);
    buf_free(&pattern);
    return result;
}
