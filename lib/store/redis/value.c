#include "base/clock.h"
#include "store/redis/call.h"
#include <stdlib.h>
#include <string.h>

#define VALUES_MAX 1000
#define SCAN_STEP 2000
#define SCAN_MS 10000 /* for all of a list of values */

/* *out (may be NULL) is the reply's text, owned by the caller. */
static enum store_result copy_text(struct redis *r, const redisReply *reply, char **out)
{
    enum store_result result = redis_expect(r, reply, REDIS_REPLY_STRING);

    if (result != STORE_OK || !out)
        return result;
    *out = strdup(reply->str);
    return *out ? STORE_OK
                : redis_trouble(r, "Redis: no memory for a value of %zu bytes", (size_t)reply->len);
}

enum store_result redis_get(void *state, const char *name, char **out)
{
    struct redis *r = state;
    redisReply *reply;

    *out = NULL;
    redis_begin(r);
    redis_add(r, "GET %k", "val", name);
    enum store_result result = redis_run(r, &reply, 1);
    if (result != STORE_OK)
        return result;
    result = reply->type == REDIS_REPLY_NIL ? STORE_NONE : copy_text(r, reply, out);
    redis_free(&reply, 1);
    return result;
}

/* Runs lua/value.lua. *done: the key has the value, or went, as wanted. *out (may be NULL): what the key has then;
 * NULL = nothing. ttl_ms -1: it goes. */
static enum store_result run_value(struct redis *r, const char *kind, const char *name, const char *when,
                                   const char *value, int64_t ttl_ms, bool *done, char **out)
{
    struct redis_words keys, args;
    redisReply *reply;

    redis_words_init(&keys);
    redis_words_init(&args);
    redis_word_key(&keys, r->base, kind, name);
    redis_word(&args, when);
    redis_word(&args, value);
    redis_word_number(&args, ttl_ms);
    redis_begin(r);
    redis_add_script(r, SCRIPT_VALUE, &keys, &args);
    enum store_result result = redis_run(r, &reply, 1);
    redis_words_free(&keys);
    redis_words_free(&args);
    if (result != STORE_OK)
        return result;
    result = redis_expect(r, reply, REDIS_REPLY_ARRAY);
    if (result == STORE_OK && (reply->elements != 2 || reply->element[0]->type != REDIS_REPLY_INTEGER)) {
        redis_fail(&r->connection, "the values' script answers what it cannot");
        result = STORE_UNAVAILABLE;
    }
    if (result == STORE_OK) {
        *done = reply->element[0]->integer == 1;
        if (reply->element[1]->type != REDIS_REPLY_NIL)
            result = copy_text(r, reply->element[1], out);
    }
    redis_free(&reply, 1);
    return result;
}

enum store_result redis_put(void *state, const char *name, const char *value, int64_t ttl_ms, bool absent,
                            char **out)
{
    bool done;

    if (out)
        *out = NULL;
    return run_value(state, "val", name, absent ? "absent" : "always", value ? value : "",
                     !value       ? -1
                     : ttl_ms > 0 ? ttl_ms
                                  : 0,
                     &done, out);
}

enum store_result redis_lock(void *state, const char *name, const char *token, int64_t ttl_ms)
{
    bool done = false;
    enum store_result result =
        run_value(state, "lock", name, "mine", token, ttl_ms > 0 ? ttl_ms : 1, &done, NULL);

    return result == STORE_OK && !done ? STORE_NONE : result;
}

enum store_result redis_unlock(void *state, const char *name, const char *token)
{
    bool done = false;
    enum store_result result = run_value(state, "lock", name, "mine", token, -1, &done, NULL);

    return result == STORE_OK && !done ? STORE_NONE : result;
}

enum store_result redis_count(void *state, const char *name, int64_t ttl_ms, int64_t *count)
{
    struct redis *r = state;
    struct redis_words keys, args;
    redisReply *reply;

    redis_words_init(&keys);
    redis_words_init(&args);
    redis_word_key(&keys, r->base, "val", name);
    redis_word_number(&args, ttl_ms > 0 ? ttl_ms : 0);
    redis_begin(r);
    redis_add_script(r, SCRIPT_COUNT, &keys, &args);
    enum store_result result = redis_run(r, &reply, 1);
    redis_words_free(&keys);
    redis_words_free(&args);
    if (result != STORE_OK)
        return result;
    result = redis_expect(r, reply, REDIS_REPLY_INTEGER);
    if (result == STORE_OK && count)
        *count = reply->integer;
    redis_free(&reply, 1);
    return result;
}

/* -- lists of values -- */

/* Keys that SCAN found; it may find one twice. */
struct found {
    char *name[VALUES_MAX]; /* owned: without the namespace */
    size_t count;
};

static bool keep_name(struct found *found, const char *name)
{
    for (size_t i = 0; i < found->count; i++)
        if (!strcmp(found->name[i], name))
            return true;
    if (found->count < VALUES_MAX) {
        found->name[found->count] = strdup(name);
        if (!found->name[found->count])
            return false;
        found->count++;
    }
    return true;
}

/* "BASE:val:PREFIX*" as a pattern of SCAN. */
static void make_pattern(const struct redis *r, const char *prefix, struct buf *out)
{
    struct buf plain;

    buf_init(&plain, 4096);
    buf_addf(&plain, "%s:val:%s", r->base, prefix);
    for (const char *p = plain.data; *p; p++) {
        if (strchr("[]*?\\", *p))
            buf_addc(out, '\\');
        buf_addc(out, *p);
    }
    buf_addc(out, '*');
    out->failed = out->failed || plain.failed;
    buf_free(&plain);
}

static enum store_result scan(struct redis *r, const char *pattern, struct found *found)
{
    const size_t skip = strlen(r->base) + strlen(":val:");
    int64_t deadline = clock_mono_ms() + SCAN_MS;
    enum store_result result = STORE_OK;
    char cursor[24] = "0";
    redisReply *reply;

    do {
        if (clock_left_ms(deadline) == 0)
            return redis_trouble(r, "Redis: it has too many keys for a list of values");
        redis_begin(r);
        redis_add(r, "SCAN %s MATCH %s COUNT %d", cursor, pattern, (int64_t)SCAN_STEP);
        result = redis_run(r, &reply, 1);
        if (result != STORE_OK)
            return result;
        result = redis_expect(r, reply, REDIS_REPLY_ARRAY);
        if (result == STORE_OK &&
            (reply->elements != 2 || reply->element[0]->type != REDIS_REPLY_STRING ||
             reply->element[0]->len >= sizeof cursor || reply->element[1]->type != REDIS_REPLY_ARRAY)) {
            redis_fail(&r->connection, "SCAN answers what it cannot");
            result = STORE_UNAVAILABLE;
        }
        if (result == STORE_OK)
            memcpy(cursor, reply->element[0]->str, reply->element[0]->len + 1);
        for (size_t i = 0; result == STORE_OK && i < reply->element[1]->elements; i++) {
            const redisReply *key = reply->element[1]->element[i];
            if (key->type == REDIS_REPLY_STRING && key->len > skip && !keep_name(found, key->str + skip))
                result = redis_trouble(r, "Redis: no memory for a list of values");
        }
        redis_free(&reply, 1);
    } while (result == STORE_OK && strcmp(cursor, "0") != 0 && found->count < VALUES_MAX);
    return result;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Reads what they hold, all in one round trip; one that expired meanwhile is left out. */
static enum store_result read_values(struct redis *r, struct found *found, struct buf *out)
{
    redisReply **reply = calloc(found->count + 1, sizeof *reply);

    if (!reply)
        return redis_trouble(r, "Redis: no memory for a list of values");
    qsort(found->name, found->count, sizeof *found->name, by_name);
    redis_begin(r);
    for (size_t i = 0; i < found->count; i++)
        redis_add(r, "GET %k", "val", found->name[i]);
    enum store_result result = redis_run(r, reply, found->count);
    for (size_t i = 0; result == STORE_OK && i < found->count; i++) {
        if (reply[i]->type == REDIS_REPLY_NIL)
            continue;
        result = redis_expect(r, reply[i], REDIS_REPLY_STRING);
        if (result != STORE_OK)
            break;
        buf_add(out, found->name[i], strlen(found->name[i]) + 1);
        buf_add(out, reply[i]->str, strlen(reply[i]->str) + 1);
    }
    if (result == STORE_OK && out->failed)
        result = redis_trouble(r, "Redis: no memory for a list of values");
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
        return redis_trouble(r, "Redis: no memory for a list of values");
    buf_init(&pattern, 8192);
    make_pattern(r, prefix, &pattern);
    if (pattern.failed)
        (void)redis_trouble(r, "Redis: a value's name is too long");
    else
        result = scan(r, pattern.data, found);
    if (result == STORE_OK && found->count > 0)
        result = read_values(r, found, out);
    for (size_t i = 0; i < found->count; i++)
        free(found->name[i]);
    free(found);
    buf_free(&pattern);
    return result;
}
