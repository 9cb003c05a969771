#include "store/redis/redis.h"
#include "base/clock.h"
#include "base/log.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef HAVE_HIREDIS_SSL
#include <openssl/ssl.h>
#endif

#define WORDS_MAX ((size_t)3 * STORE_BLOB_MAX) /* bytes of a call */
#define PAGE 256

/* -- life cycle -- */

void *redis_open(const struct config *config, const char *space, struct log *log, struct error *e)
{
    const size_t size = strlen(space) + sizeof "{}";
    struct redis_url url;

    if (*space == '}') {
        error_set(
            e,
            "REDIS_PREFIX begins with a }: then the keys of a location would be on all nodes of a cluster");
        return NULL;
    }
    if (!redis_url_parse(config->redis_url, &url, e)) {
        error_prefix(e, "REDIS_URL");
        return NULL;
    }
#ifndef HAVE_HIREDIS_SSL
    if (url.tls) {
        redis_url_free(&url);
        error_set(e, "REDIS_URL: rediss:// needs a build with hiredis_ssl; use redis:// or unix:// (a "
                     "stunnel on this machine can add the TLS)");
        return NULL;
    }
#endif
    struct redis *r = calloc(1, sizeof *r);
    char *base = malloc(size);
    if (!r || !base) {
        error_set(e, "out of memory");
        redis_url_free(&url);
        free(base);
        free(r);
        return NULL;
    }
    snprintf(base, size, "{%s}", space);
    *r = (struct redis){.base = base,
                        .url = url,
                        .timeout_ms = config->redis_timeout_ms,
                        .ca_file = config->ca_file ? config->ca_file : "",
                        .failed_mono_ms = -1,
                        .works_mono_ms = -1,
                        .ahead_ms = clock_wall_ms() - clock_mono_ms()};
    log_secret(log, url.login.password);
    log_secret(log, url.sentinel.password);
    buf_init(&r->out.text, WORDS_MAX);
    buf_init(&r->keys.text, WORDS_MAX);
    buf_init(&r->args.text, WORDS_MAX);
    buf_init(&r->after.text, WORDS_MAX);
    buf_init(&r->record, WORDS_MAX);
    return r;
}

static void redis_close(void *state)
{
    struct redis *r = state;

    redis_disconnect(r);
#ifdef HAVE_HIREDIS_SSL
    SSL_CTX_free(r->tls);
#endif
    redis_url_free(&r->url);
    buf_free(&r->out.text);
    buf_free(&r->keys.text);
    buf_free(&r->args.text);
    buf_free(&r->after.text);
    buf_free(&r->record);
    free(r->base);
    free(r);
}

static void redis_before_fork(void *state)
{
    redis_disconnect(state);
}

static void redis_shift_clock(void *state, int64_t ms)
{
    ((struct redis *)state)->shift_ms += ms;
}

static const char *redis_trouble_text(const void *state)
{
    return ((const struct redis *)state)->trouble.text;
}

static enum store_result redis_server(void *state, char server[RECORD_ID_SIZE])
{
    struct redis *r = state;

    if (!redis_ready(r, clock_mono_ms() + r->timeout_ms))
        return STORE_UNAVAILABLE;
    memcpy(r->told, r->run_id, sizeof r->told);
    memcpy(server, r->run_id, sizeof r->run_id);
    return STORE_OK;
}

/* Redis does it by itself. */
static enum store_result redis_expire(void *state, long max, long *n)
{
    (void)state;
    (void)max;
    *n = 0;
    return STORE_OK;
}

/* -- indexes -- */

/* Reads one page of names and scores; those at from_ms that are not after `after` are left out. */
static enum store_result read_page(struct redis *r, const redisReply *page, int64_t from_ms,
                                   const char *after, size_t max, struct store_entry *list, size_t *n)
{
    enum store_result result = redis_expect(r, page, REDIS_REPLY_ARRAY);

    for (size_t i = 0; result == STORE_OK && i + 1 < page->elements && *n < max; i += 2) {
        const redisReply *key = page->element[i];
        struct store_entry *to = &list[*n];
        to->at_ms = redis_number(page->element[i + 1]);
        if (key->type != REDIS_REPLY_STRING || to->at_ms < 0)
            return redis_nonsense(r);
        if (key->len >= sizeof to->key || strlen(key->str) != key->len ||
            (to->at_ms == from_ms && *after && strcmp(key->str, after) <= 0))
            continue; /* too long, or with a NUL: not written by this program */
        memcpy(to->key, key->str, key->len + 1);
        ++*n;
    }
    return result;
}

static enum store_result redis_list(void *state, enum order_index index, int64_t from_ms, const char *after,
                                    size_t max, struct store_entry *list, size_t *n)
{
    struct redis *r = state;
    int64_t offset = 0, page = max < PAGE ? (int64_t)max : PAGE;
    enum store_result result = STORE_OK;
    redisReply *reply;
    bool more = max > 0;

    *n = 0;
    while (result == STORE_OK && more) {
        redis_begin(r);
        redis_add(r, "ZRANGEBYSCORE %k %d +inf WITHSCORES LIMIT %d %d", redis_index_kind[index], "", from_ms,
                  offset, page);
        result = redis_ask(r, &reply, REDIS_REPLY_ARRAY);
        if (result == STORE_OK)
            result = read_page(r, reply, from_ms, after, max, list, n);
        more = result == STORE_OK && *n < max && reply->elements == 2 * (size_t)page;
        offset += page;
        page = PAGE;
        redis_free(&reply, 1);
    }
    return result;
}

static enum store_result redis_sizes(void *state, struct store_sizes *out)
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
    enum store_result result = redis_run(r, reply);
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

const struct backend redis_backend = {
    .kind = "redis",
    .close = redis_close,
    .before_fork = redis_before_fork,
    .shift_clock = redis_shift_clock,
    .trouble = redis_trouble_text,
    .server = redis_server,
    .read = redis_read,
    .commit = redis_commit,
    .blob = redis_blob,
    .list = redis_list,
    .sizes = redis_sizes,
    .get = redis_get,
    .put = redis_put,
    .values = redis_values,
    .lock = redis_lock,
    .unlock = redis_unlock,
    .count = redis_count,
    .count_client = redis_count_client,
    .expire = redis_expire,
    .about = redis_about,
};
