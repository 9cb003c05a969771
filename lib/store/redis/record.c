#include "base/text.h"
#include "store/redis/redis.h"
#include <stdio.h>
#include <string.h>

#define DAY_MS ((int64_t)24 * 60 * 60 * 1000)
#define EVER_MS (1LL << 52) /* as exact in Lua as here */
#define BUCKETS 4096 /* of a day's clients: however many they are, their counters need no more memory */
#define CLIENTS_LIVE_S 172800

const char *const redis_index_kind[INDEXES] = {
    [INDEX_DUE] = "due", [INDEX_DEAD] = "dead", [INDEX_AGE] = "age"};

/* -- records -- */

/* The record of GET's reply. OK, UNAVAILABLE. */
static enum store_result read_record(struct redis *r, const struct record_type *type, const redisReply *reply,
                                     void *record)
{
    const char *wrong;

    memset(record, 0, type->size);
    if (reply->type == REDIS_REPLY_NIL)
        return STORE_OK;
    enum store_result result = redis_expect(r, reply, REDIS_REPLY_STRING);
    if (result != STORE_OK || record_unpack(type, record, reply->str, reply->len, &wrong))
        return result;
    memset(record, 0, type->size);
    return redis_trouble(r, "Redis: the record '%s' is damaged: %s cannot be read", type->name,
                         *wrong ? wrong : "it");
}

/* Two commands; the first one's reply is the count. client NULL: none. Returns how many. Clients whose requests are signed,
 * and logins, have buckets of their own: no flood of unsigned requests uses up what is theirs. */
static size_t add_client(struct redis *r, const char *client)
{
    char day[24], bucket[16];

    if (!client)
        return 0;
    snprintf(day, sizeof day, "%lld", (long long)(redis_now_ms(r) / DAY_MS));
    snprintf(bucket, sizeof bucket, "%.1s%u", strchr("0123456789abcdef", *client) ? "" : client,
             (unsigned)(text_hash(client) % BUCKETS));
    redis_add(r, "HINCRBY %k %s 1", "clients", day, bucket);
    redis_add(r, "EXPIRE %k %d", "clients", day, (int64_t)CLIENTS_LIVE_S);
    return 2;
}

static enum store_result read_client(struct redis *r, const redisReply *reply, int64_t *count)
{
    enum store_result result = redis_expect(r, reply, REDIS_REPLY_INTEGER);

    *count = result == STORE_OK ? reply->integer : 0;
    return result;
}

enum store_result redis_count_client(void *state, const char *client, int64_t *count)
{
    struct redis *r = state;
    redisReply *reply[2];

    redis_begin(r);
    size_t n = add_client(r, client);
    enum store_result result = redis_run(r, reply);
    if (result == STORE_OK)
        result = read_client(r, reply[0], count);
    redis_free(reply, n);
    return result;
}

/* What a read, or a commit, brings beside the record: the location, the client's count. A limit that cannot be
 * counted for want of memory stops no order. */
static enum store_result read_others(struct redis *r, redisReply *const *reply, size_t at, size_t n,
                                     struct location_record *location, int64_t *client_count)
{
    enum store_result result = at ? read_client(r, reply[0], client_count) : STORE_OK;

    if (result == STORE_UNAVAILABLE || !location)
        return result == STORE_FULL ? STORE_OK : result;
    return read_record(r, &location_record_type, reply[n - 1], location);
}

enum store_result redis_read(void *state, const struct record_type *type, const char *key, const char *client,
                             void *record, struct location_record *location, int64_t *client_count,
                             int64_t *now_ms)
{
    struct redis *r = state;
    redisReply *reply[5];

    redis_begin(r);
    size_t at = add_client(r, client), n = at + 2 + (location != NULL);
    redis_add(r, "GET %k", type->name, key);
    redis_add(r, "TIME");
    if (location)
        redis_add(r, "GET %k", location_record_type.name, "");
    enum store_result result = redis_run(r, reply);
    if (result == STORE_OK)
        result = redis_expect_time(r, reply[at + 1], now_ms);
    if (result == STORE_OK)
        result = read_record(r, type, reply[at], record);
    if (result == STORE_OK)
        result = read_others(r, reply, at, n, location, client_count);
    redis_free(reply, n);
    return result;
}

/* -- what a commit is made of -- */

static bool differs(const struct field *field, const struct backend_commit *c)
{
    return field_version(c->before) ? !field_same(field, c->before, c->after)
                                    : !field_is_default(field, c->after);
}

/* Is there anything to be done? The indexes follow from the record. */
static bool has_work(const struct backend_commit *c)
{
    for (size_t i = 0; i < c->type->count; i++)
        if (differs(&c->type->fields[i], c))
            return true;
    for (size_t i = 0; c->order && i < STORE_COMMIT_VALUES; i++)
        if (c->order->value[i].name)
            return true;
    return c->order && (c->order->blob.id || c->drop_blob[0]);
}

/* A command that lua/commit.lua does. So many words follow in r->args. */
static void command(struct redis *r, const char *verb, const char *kind, const char *name, size_t words)
{
    redis_word_key(&r->keys, r->base, kind, name);
    redis_word(&r->args, verb);
    redis_word_number(&r->args, (int64_t)words);
}

static void add_record(struct redis *r, const struct backend_commit *c)
{
    buf_reset(&r->record);
    command(r, "SET", c->type->name, c->key, 1);
    if (record_pack(c->type, c->after, field_version(c->before) + 1, &r->record))
        redis_word_bytes(&r->args, r->record.data, r->record.len);
    else
        r->args.text.failed = true;
}

static void add_blob(struct redis *r, const struct store_blob *blob)
{
    command(r, "SET", "blob", blob->id, 1);
    redis_word_bytes(&r->args, blob->bytes, blob->len);
}

/* An order that waits, or is a dead letter, never expires by itself: its body and its place in the indexes
 * would stay. */
static void add_indexes(struct redis *r, const struct backend_commit *c)
{
    bool queued = false;

    for (int i = 0; i < INDEXES; i++) {
        int64_t was = field_version(c->before) ? order_index_ms(c->before, (enum order_index)i) : -1,
                is = c->index_ms[i];
        queued = queued || is >= 0;
        if (is == was)
            continue;
        command(r, is < 0 ? "ZREM" : "ZADD", redis_index_kind[i], NULL, is < 0 ? 1 : 2);
        if (is >= 0)
            redis_word_number(&r->args, is);
        redis_word(&r->args, c->key);
    }
    if (c->expires_ms > 0 && !queued) {
        command(r, "PEXPIREAT", c->type->name, c->key, 1);
        redis_word_number(&r->args, c->expires_ms - r->shift_ms);
    }
}

static void add_values(struct redis *r, const struct backend_commit *c)
{
    for (size_t i = 0; i < RECORD_BLOBS; i++)
        if (c->drop_blob[i])
            command(r, "DEL", "blob", c->drop_blob[i], 0);
    for (size_t i = 0; i < STORE_COMMIT_VALUES; i++) {
        const struct store_value *v = &c->order->value[i];
        if (!v->name)
            continue;
        command(r, v->value ? "SET" : "DEL", "val", v->name, !v->value ? 0 : v->ttl_ms > 0 ? 3 : 1);
        if (v->value)
            redis_word(&r->args, v->value);
        if (v->value && v->ttl_ms > 0) {
            redis_word(&r->args, "PX");
            redis_word_number(&r->args, v->ttl_ms);
        }
    }
}

/* The version, and the times between which the commit may be done, by the server's clock. */
static void add_terms(struct redis *r, const struct backend_commit *c)
{
    int64_t earliest = 0, latest = EVER_MS, extra = 0;

    if (c->order && c->order->blob.id)
        extra = redis_extra_ms(c->order->blob.len);
    if (c->decided_ms > 0) {
        int64_t wait = c->deadline_ms > 0 ? STORE_CLOCK_SLACK_MS : r->timeout_ms;
        earliest = c->decided_ms - STORE_CLOCK_SLACK_MS - r->shift_ms;
        latest =
            c->decided_ms - r->shift_ms + extra + (wait < STORE_CLOCK_SLACK_MS ? wait : STORE_CLOCK_SLACK_MS);
    }
    if (c->deadline_ms > 0 && c->deadline_ms - r->shift_ms < latest)
        latest = c->deadline_ms - r->shift_ms;
    redis_word_key(&r->keys, r->base, c->type->name, c->key);
    redis_word_number(&r->args, field_version(c->before));
    redis_word_number(&r->args, earliest);
    redis_word_number(&r->args, latest);
}

/* Redis refuses the first write of a script if that may need memory and there is none, and no later one.
 * So a commit that brings a body begins with SET, which may be refused, and any other one with PERSIST,
 * which never is: what ends work, and frees memory, goes on. */
static void add_commands(struct redis *r, const struct backend_commit *c)
{
    const struct store_blob *blob = c->order && c->order->blob.id ? &c->order->blob : NULL;
    bool is_body =
        blob && strcmp(blob->id, c->order->after->attempt.blob) != 0; /* not a note on an attempt */

    if (is_body)
        add_blob(r, blob);
    if (!is_body || field_version(c->before)) /* what is not there never expires */
        command(r, "PERSIST", c->type->name, c->key, 0);
    if (blob && !is_body)
        add_blob(r, blob);
    add_record(r, c);
    if (c->order) {
        add_indexes(r, c);
        add_values(r, c);
    }
}

/* The script's reply: a word, the time, and with CHANGED the record. */
static enum store_result read_result(struct redis *r, const struct backend_commit *c, const redisReply *reply,
                                     void *current, int64_t *now_ms)
{
    enum store_result result = redis_expect_list(r, reply, 3);

    if (result == STORE_OK)
        result = redis_expect(r, reply->element[0], REDIS_REPLY_STRING);
    if (result == STORE_OK)
        result = redis_expect_time(r, reply->element[1], now_ms);
    const char *word = result == STORE_OK ? reply->element[0]->str : "OK";
    if (!strcmp(word, "OK"))
        return result;
    if (!strcmp(word, "TOO_LATE"))
        return STORE_TOO_LATE;
    if (strcmp(word, "CHANGED") != 0)
        return redis_nonsense(r);
    result = read_record(r, c->type, reply->element[2], current);
    return result == STORE_OK ? STORE_CHANGED : result;
}

enum store_result redis_commit(void *state, const struct backend_commit *c, void *current, int64_t *version,
                               struct location_record *location, int64_t *client_count, int64_t *now_ms)
{
    struct redis *r = state;
    bool work = has_work(c);
    redisReply *reply[4];

    redis_begin(r);
    r->same_server = true;
    size_t at = add_client(r, c->order ? c->order->count_client : NULL), n = at + 1 + (location != NULL);
    add_terms(r, c);
    if (work)
        add_commands(r, c);
    redis_add_script(r, SCRIPT_COMMIT);
    if (location)
        redis_add(r, "GET %k", location_record_type.name, "");
    enum store_result result = redis_run(r, reply);
    if (result != STORE_OK)
        return result;
    result = read_result(r, c, reply[at], current, now_ms);
    enum store_result others =
        result == STORE_UNAVAILABLE ? result : read_others(r, reply, at, n, location, client_count);
    if (result == STORE_OK)
        *version = field_version(c->before) + work;
    redis_free(reply, n);
    return others == STORE_OK ? result : others;
}
