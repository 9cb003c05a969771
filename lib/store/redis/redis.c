#include "base/clock.h"
#include "base/log.h"
#include "store/redis/call.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(REDIS_RUN_ID_SIZE <= RECORD_ID_SIZE, "a record holds a server's id");

void *redis_open(const struct config *config, const char *space, struct log *log, struct error *e)
{
    const size_t size = strlen(space) + sizeof "{}";
    struct redis_url url;

    if (!redis_url_parse(config->redis_url, &url, e)) {
        error_prefix(e, "REDIS_URL");
        return NULL;
    }
#ifndef HAVE_HIREDIS_SSL
    if (url.tls) {
        redis_url_free(&url);
        error_set(
            e, "REDIS_URL: rediss:// needs a build with hiredis_ssl; use redis:// or unix:// (a stunnel on "
               "this machine can add the TLS)");
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
    r->base = base;
    log_secret(log, url.password);
    redis_words_init(&r->out);
    redis_connection_init(&r->connection, &url, config->redis_timeout_ms);
    return r;
}

static void redis_close(void *state)
{
    struct redis *r = state;

    redis_connection_free(&r->connection);
    redis_words_free(&r->out);
    free(r->base);
    free(r);
}

static void redis_before_fork(void *state)
{
    struct redis *r = state;
    redis_disconnect(&r->connection);
}

static void redis_shift_clock(void *state, int64_t ms)
{
    struct redis *r = state;
    r->shift_ms += ms;
}

static const char *redis_trouble_text(const void *state)
{
    const struct redis *r = state;
    return r->connection.trouble.text;
}

static enum store_result redis_server(void *state, char server[RECORD_ID_SIZE])
{
    struct redis *r = state;

    if (!redis_ready(&r->connection, clock_mono_ms() + r->connection.timeout_ms))
        return STORE_UNAVAILABLE;
    memcpy(r->server, r->connection.run_id, sizeof r->server);
    memcpy(server, r->server, sizeof r->server);
    r->told = true;
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
