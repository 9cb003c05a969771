#include "store/redis/call.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 256

const char *const redis_index_kind[INDEXES] = {
    [INDEX_DUE] = "due", [INDEX_DEAD] = "dead", [INDEX_AGE] = "age"};

static bool parse_score(const redisReply *reply, int64_t *ms)
{
    char *end;

    if (reply->type != REDIS_REPLY_STRING || reply->len == 0)
        return false;
    errno = 0;
    long long number = strtoll(reply->str, &end, 10);
    *ms = number;
    return !errno && !*end && number >= 0;
}

/* Reads one page of names and scores; those at from_ms that are not after `after` are left out. */
static enum store_result read_page(struct redis *r, const redisReply *page, int64_t from_ms,
                                   const char *after, size_t max, struct store_entry *list, size_t *n)
{
    enum store_result result = redis_expect(r, page, REDIS_REPLY_ARRAY);

    for (size_t i = 0; result == STORE_OK && i + 1 < page->elements && *n < max; i += 2) {
        const redisReply *key = page->element[i];
        struct store_entry *to = &list[*n];
        if (key->type != REDIS_REPLY_STRING || !parse_score(page->element[i + 1], &to->at_ms))
            return redis_nonsense(r);
        if (key->len >= sizeof to->key || strlen(key->str) != key->len ||
            (to->at_ms == from_ms && *after && strcmp(key->str, after) <= 0))
            continue; /* too long, or with a NUL: not written by this program */
        memcpy(to->key, key->str, key->len + 1);
        ++*n;
    }
    return result;
}

enum store_result redis_list(void *state, enum order_index index, int64_t from_ms, const char *after,
                             size_t max, struct store_entry *list, size_t *n)
{
    struct redis *r = state;
    int64_t offset = 0, page = max < PAGE ? (int64_t)max : PAGE;
    enum store_result result = STORE_OK;
    redisReply *reply;
    bool more = max > 0;

    *n = 0;
    while (result == STORE_OK && more) {
        result = redis_ask(r, &reply, REDIS_REPLY_ARRAY, "ZRANGEBYSCORE %k %d +inf WITHSCORES LIMIT %d %d",
                           redis_index_kind[index], "", from_ms, offset, page);
        if (result == STORE_OK)
            result = read_page(r, reply, from_ms, after, max, list, n);
        more = result == STORE_OK && *n < max && reply->elements == 2 * (size_t)page;
        offset += page;
        page = PAGE;
        redis_free(&reply, 1);
    }
    return result;
}

enum store_result redis_sizes(void *state, struct store_sizes *out)
{
    enum { OF_EACH = 2, N = OF_EACH * INDEXES + 2 };
    struct redis *r = state;
    redisReply *reply[N];

    *out = (struct store_sizes){0};
    redis_begin(r);
    for (int i = 0; i < INDEXES; i++) {
        redis_add(r, "ZCARD %k", redis_index_kind[i], "");
        redis_add(r, "ZRANGE %k 0 0 WITHSCORES", redis_index_kind[i], "");
    }
    redis_add(r, "ZCOUNT %k -inf %d", redis_index_kind[INDEX_DUE], "", redis_now_ms(r));
    redis_add(r, "TIME");
    enum store_result result = redis_run(r, reply, N);
    for (int i = 0; result == STORE_OK && i < INDEXES; i++) {
        struct store_entry first = {.key = ""};
        size_t n = 0;
        result = redis_expect(r, reply[OF_EACH * i], REDIS_REPLY_INTEGER);
        if (result == STORE_OK)
            result = read_page(r, reply[OF_EACH * i + 1], 0, "", 1, &first, &n);
        if (result == STORE_OK) {
            out->count[i] = reply[OF_EACH * i]->integer;
            out->first_ms[i] = first.at_ms;
        }
    }
    if (result == STORE_OK)
        result = redis_expect(r, reply[N - 2], REDIS_REPLY_INTEGER);
    if (result == STORE_OK) {
        out->due = reply[N - 2]->integer;
        result = redis_expect_time(r, reply[N - 1], &out->now_ms);
    }
    redis_free(reply, N);
    return result;
}
