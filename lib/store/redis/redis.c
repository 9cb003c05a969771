#include "store/redis/redis.h"
#include "base/clock.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- life cycle -- */

static char *make_base(const struct config *config)
{
    const char *dry = config->dry_run ? "dry:" : "";
    size_t size = strlen(config->redis_prefix) + strlen(config->ghl_location_id) + sizeof "{:dry:}";
    char *base = malloc(size);

    if (base)
        snprintf(base, size, "{%s:%s%s}", config->redis_prefix, dry, config->ghl_location_id);
    return base;
}

static void *redis_open(const struct config *config, struct log *log, struct error *e)
{
    struct redis_url url;

    if (!redis_url_parse(config->redis_url, &url, e))
        return NULL;
#ifndef HAVE_HIREDIS_SSL
    if (url.tls) {
        redis_url_free(&url);
        error_set(
            e, "REDIS_URL: rediss:// needs a build with hiredis_ssl; use redis:// or unix:// (a stunnel on "
               "this machine can add the TLS)");
        return NULL;
    }
#endif
    struct redis_store *store = calloc(1, sizeof *store);
    if (store)
        store->scripts.base = make_base(config);
    if (!store || !store->scripts.base) {
        error_set(e, "out of memory");
        redis_url_free(&url);
        free(store);
        return NULL;
    }
    if (log)
        log_secret(log, url.password);
    store->config = config;
    store->log = log;
    clock_boot_id(store->boot_id);
    redis_connection_init(&store->connection, &url, config->redis_timeout_ms);
    return store;
}

static void redis_close(void *context)
{
    struct redis_store *store = context;

    redis_connection_free(&store->connection);
    free(store->scripts.base);
    free(store);
}

static const char *redis_trouble(const void *context)
{
    const struct redis_store *store = context;
    return store->connection.trouble.text;
}

static bool redis_lost(void *context, struct error *what)
{
    struct redis_store *store = context;

    if (!store->connection.is_another)
        return false;
    store->connection.is_another = false;
    error_set(what,
              "Redis was restarted, or another server has taken its place: orders that were not on its disk, "
              "or had "
              "not reached it, are lost: `woo_ghl reconcile` reads them from the shop. Cards of before are "
              "looked for in GHL before any is made");
    log_event(store->log, LOG_LEVEL_WARN, "store", NULL, "%s", what->text);
    return true;
}

static enum store_result redis_forgot(void *context, const char *key_id)
{
    struct redis_args args = {0};

    redis_arg_text(&args, key_id);
    return redis_verb(context, SCRIPT_FORGOT, &args, STORE_UNAVAILABLE);
}

static void redis_shift_clock(void *context, int64_t ms, bool wall_alone)
{
    struct redis_store *store = context;
    struct redis_args args = {0};

    redis_arg_number(&args, ms);
    redisReply *reply = redis_ask(store, SCRIPT_SHIFT, &args);
    if (!reply)
        return; /* the trouble tells; the time is not shifted */
    freeReplyObject(reply);
    store->scripts.shift_ms += ms;
    if (!wall_alone)
        store->boot_shift_ms += ms;
}

/* -- what all verbs use -- */

redisReply *redis_ask(struct redis_store *store, enum redis_script which, const struct redis_args *args)
{
    return redis_script(&store->connection, &store->scripts, which, args, NULL);
}

enum store_result redis_verb(struct redis_store *store, enum redis_script which,
                             const struct redis_args *args, enum store_result zero)
{
    redisReply *reply = redis_ask(store, which, args);
    if (!reply)
        return STORE_UNAVAILABLE;
    enum store_result result = redis_reply_number(reply, 0) == 1 ? STORE_OK : zero;
    freeReplyObject(reply);
    return result;
}

bool redis_copy_text(const redisReply *array, size_t i, char *out, size_t size)
{
    const char *text = redis_reply_text(array, i);
    size_t n = strlen(text);

    out[0] = '\0';
    if (n >= size)
        return false;
    memcpy(out, text, n + 1);
    return true;
}

const struct store_backend store_redis = {
    .kind = "redis",
    .open = redis_open,
    .close = redis_close,
    .trouble = redis_trouble,
    .shift_clock = redis_shift_clock,
    .lost = redis_lost,
    .forgot = redis_forgot,
    .claim = redis_claim,
    .progress = redis_progress,
    .renew = redis_renew,
    .finish = redis_finish,
    .retry = redis_retry,
    .park = redis_park,
    .park_bytes = redis_park_bytes,
    .lease_due = redis_lease_due,
    .waiting = redis_waiting,
    .heartbeat = redis_heartbeat,
    .contact_lock = redis_contact_lock,
    .contact_unlock = redis_contact_unlock,
    .card_take = redis_card_take,
    .allow = redis_allow,
    .pace = redis_pace,
    .pace_correct = redis_pace_correct,
    .breaker = redis_breaker,
    .probe = redis_probe,
    .pause = redis_pause,
    .resume = redis_resume,
    .count = redis_count,
    .reconciled = redis_reconciled,
    .put = redis_put,
    .get = redis_get,
    .stats = redis_stats,
    .parked_list = redis_parked_list,
    .parked_get = redis_parked_get,
    .requeue = redis_requeue,
    .drop = redis_drop,
    .expire_parked = redis_expire_parked,
    .look = redis_look,
};
