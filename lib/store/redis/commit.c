#include "store/redis/call.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DAY_MS ((int64_t)24 * 60 * 60 * 1000)
#define EVER_MS (1LL << 52) /* as exact in Lua as here */
#define BUCKETS 4096 /* of a day's clients: however many they are, their counters need no more memory */
#define CLIENTS_LIVE_S 172800

/* The commands that lua/commit.lua does, and what it checks first. */
struct commands {
    const struct redis *r;
    struct redis_words keys, args;
};

static void commands_init(struct commands *c, const struct redis *r)
{
    c->r = r;
    redis_words_init(&c->keys);
    redis_words_init(&c->args);
}

static void commands_free(struct commands *c)
{
    redis_words_free(&c->keys);
    redis_words_free(&c->args);
}

/* So many words follow in args. */
static void command(struct commands *c, const char *verb, const char *kind, const char *name, int words)
{
    redis_word_key(&c->keys, c->r->base, kind, name);
    redis_word(&c->args, verb);
    redis_word_number(&c->args, words);
}

static void command_words(struct commands *c, const char *verb, const char *kind, const char *name,
                          const struct redis_words *words)
{
    command(c, verb, kind, name, words->count);
    redis_words_append(&c->args, words);
}

static int64_t version_of(const void *record)
{
    int64_t version = 0;

    if (record)
        memcpy(&version, record, sizeof version);
    return version;
}

/* -- what a commit is made of -- */

static bool has_large_value(const struct record_type *type, const void *record)
{
    char value[FIELD_VALUE_SIZE];

    for (size_t i = 0; i < type->count; i++)
        if (redis_pack(&type->fields[i], record, value) > REDIS_SMALL)
            return true;
    return false;
}

/* HSET and HDEL of the fields that differ. False: none does. A hash that had a large value stays large
 * when that is gone: the record is written as a new one. */
static bool add_fields(struct commands *c, const struct backend_commit *commit, int64_t version)
{
    const struct record_type *type = commit->type;
    struct redis_words set, gone;
    char value[FIELD_VALUE_SIZE];
    bool anew = version > 0 && has_large_value(type, commit->before) && !has_large_value(type, commit->after),
         differs = anew;

    redis_words_init(&set);
    redis_words_init(&gone);
    for (size_t i = 0; i < type->count; i++) {
        const struct field *field = &type->fields[i];
        if (version > 0 && !anew && field_same(field, commit->before, commit->after))
            continue;
        size_t len = redis_pack(field, commit->after, value);
        redis_word(len > 0 ? &set : &gone, field->name);
        if (len > 0)
            redis_word_bytes(&set, value, len);
        differs = differs || len > 0 || version > 0;
    }
    redis_word(&set, "v");
    redis_word_number(&set, version + 1);
    if (anew)
        command(c, "DEL", type->name, commit->key, 0);
    else if (version > 0 && gone.count > 0)
        command_words(c, "HDEL", type->name, commit->key, &gone);
    command_words(c, "HSET", type->name, commit->key, &set);
    redis_words_free(&set);
    redis_words_free(&gone);
    return differs;
}

/* A note on an attempt is none: the work that it belongs to frees memory. */
static bool is_body(const struct backend_commit *commit, const struct store_blob *blob)
{
    const struct order_record *after = commit->after;
    return strcmp(blob->id, after->attempt.blob) != 0;
}

/* The bodies, or the notes. */
static bool add_blobs(struct commands *c, const struct backend_commit *commit, bool bodies)
{
    bool any = false;

    for (size_t i = 0; commit->order && i < STORE_COMMIT_BLOBS; i++) {
        const struct store_blob *blob = &commit->order->blob[i];
        if (!blob->id || is_body(commit, blob) != bodies)
            continue;
        command(c, "SET", "blob", blob->id, 1);
        redis_word_bytes(&c->args, blob->bytes, blob->len);
        any = true;
    }
    return any;
}

/* An order that waits, or is a dead letter, never expires by itself: its body and its place in the indexes
 * would stay. */
static void add_indexes(struct commands *c, const struct backend_commit *commit, int64_t version)
{
    bool queued = false;

    for (int i = 0; commit->order && i < INDEXES; i++) {
        int64_t was = version > 0 ? order_index_ms(commit->before, (enum order_index)i) : -1,
                is = commit->index_ms[i];
        queued = queued || is >= 0;
        if (is == was || (is < 0 && was < 0))
            continue;
        command(c, is < 0 ? "ZREM" : "ZADD", redis_index_kind[i], NULL, is < 0 ? 1 : 2);
        if (is >= 0)
            redis_word_number(&c->args, is);
        redis_word(&c->args, commit->key);
    }
    if (commit->expires_ms > 0 && !queued) {
        command(c, "PEXPIREAT", commit->type->name, commit->key, 1);
        redis_word_number(&c->args, commit->expires_ms - c->r->shift_ms);
    }
}

static bool add_values(struct commands *c, const struct backend_commit *commit)
{
    bool any = false;

    for (size_t i = 0; i < RECORD_BLOBS; i++)
        if (commit->drop_blob[i]) {
            command(c, "DEL", "blob", commit->drop_blob[i], 0);
            any = true;
        }
    for (size_t i = 0; commit->order && i < STORE_COMMIT_VALUES; i++) {
        const struct store_value *v = &commit->order->value[i];
        if (!v->name)
            continue;
        any = true;
        command(c, v->value ? "SET" : "DEL", "val", v->name, !v->value ? 0 : v->ttl_ms > 0 ? 3 : 1);
        if (v->value)
            redis_word(&c->args, v->value);
        if (v->value && v->ttl_ms > 0) {
            redis_word(&c->args, "PX");
            redis_word_number(&c->args, v->ttl_ms);
        }
    }
    return any;
}

/* Redis refuses the first write of a script if that may need memory and there is none, and no later one.
 * So a commit that brings a body begins with SET, which may be refused, and any other one with PERSIST,
 * which never is: what ends work, and frees memory, goes on. False: nothing is to be done. */
static bool add_commands(struct commands *c, const struct backend_commit *commit, int64_t version)
{
    bool blobs = add_blobs(c, commit, true);

    command(c, "PERSIST", commit->type->name, commit->key, 0);
    blobs = add_blobs(c, commit, false) || blobs;
    bool fields = add_fields(c, commit, version);
    add_indexes(c, commit, version);
    return add_values(c, commit) || fields || blobs;
}

/* The version, and the times between which the commit may be done, by the server's clock. */
static void add_terms(struct commands *c, const struct backend_commit *commit)
{
    int64_t earliest = 0, latest = EVER_MS, extra = 0;

    for (size_t i = 0; commit->order && i < STORE_COMMIT_BLOBS; i++)
        extra += commit->order->blob[i].id ? redis_extra_ms(commit->order->blob[i].len) : 0;
    if (commit->decided_ms > 0) {
        int64_t wait = commit->deadline_ms > 0 ? STORE_CLOCK_SLACK_MS : c->r->connection.timeout_ms;
        earliest = commit->decided_ms - STORE_CLOCK_SLACK_MS - c->r->shift_ms;
        latest = commit->decided_ms - c->r->shift_ms + extra +
                 (wait < STORE_CLOCK_SLACK_MS ? wait : STORE_CLOCK_SLACK_MS);
    }
    if (commit->deadline_ms > 0 && commit->deadline_ms - c->r->shift_ms < latest)
        latest = commit->deadline_ms - c->r->shift_ms;
    redis_word_key(&c->keys, c->r->base, commit->type->name, commit->key);
    redis_word_number(&c->args, version_of(commit->before));
    redis_word_number(&c->args, earliest);
    redis_word_number(&c->args, latest);
}

/* The script's tail. Returns the version that the record has after it. */
static int64_t build(const struct redis *r, const struct backend_commit *commit, struct redis_words *tail)
{
    int64_t version = version_of(commit->before);
    struct commands c;

    commands_init(&c, r);
    add_terms(&c, commit);
    if (add_commands(&c, commit, version)) {
        version++;
    } else {
        commands_free(&c);
        commands_init(&c, r);
        add_terms(&c, commit);
    }
    redis_word_number(tail, c.keys.count);
    redis_words_append(tail, &c.keys);
    redis_words_append(tail, &c.args);
    commands_free(&c);
    return version;
}

/* -- clients -- */

static const char *bucket_of(const char *client, char out[8])
{
    uint32_t hash = 2166136261u; /* FNV-1a; who the client is was hashed with a key before */

    for (; *client; client++)
        hash = (hash ^ (unsigned char)*client) * 16777619u;
    snprintf(out, 8, "%" PRIu32, hash % BUCKETS);
    return out;
}

/* Two commands; the first one's reply is the count. */
static void add_client(struct redis *r, const char *client, int64_t now_ms)
{
    char bucket[8], day[24];

    snprintf(day, sizeof day, "%" PRId64, now_ms / DAY_MS);
    redis_add(r, "HINCRBY %k %s 1", "clients", day, bucket_of(client, bucket));
    redis_add(r, "EXPIRE %k %d", "clients", day, (int64_t)CLIENTS_LIVE_S);
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
    add_client(r, client, redis_now_ms(r));
    enum store_result result = redis_run(r, reply, 2);
    if (result == STORE_OK)
        result = read_client(r, reply[0], count);
    redis_free(reply, 2);
    return result;
}

/* -- commit -- */

/* The script's reply: a word, the time, and with CHANGED the record. */
static enum store_result read_result(struct redis *r, const struct backend_commit *commit,
                                     const redisReply *reply, void *current, int64_t *now_ms)
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
    result = redis_read_record(r, commit->type, reply->element[2], current);
    return result == STORE_OK ? STORE_CHANGED : result;
}

enum store_result redis_commit(void *state, const struct backend_commit *commit, void *current,
                               int64_t *version, struct location_record *location, int64_t *client_count,
                               int64_t *now_ms)
{
    struct redis *r = state;
    const char *client = commit->order ? commit->order->count_client : NULL;
    const size_t at = client ? 2 : 0, n = at + 1 + (location ? 1 : 0);
    enum store_result told, result;
    redisReply *reply[4];
    struct redis_words tail;

    redis_words_init(&tail);
    int64_t after = build(r, commit, &tail);
    redis_begin(r);
    r->same_server = true;
    if (client)
        add_client(r, client, redis_now_ms(r));
    redis_add_script(r, SCRIPT_COMMIT, &tail);
    if (location)
        redis_add(r, "HGETALL %k", location_record_type.name, "");
    result = redis_run(r, reply, n);
    redis_words_free(&tail);
    if (result != STORE_OK)
        return result;
    result = read_result(r, commit, reply[at], current, now_ms);
    if (location && result != STORE_UNAVAILABLE) {
        told = redis_read_record(r, &location_record_type, reply[at + 1], location);
        result = told == STORE_OK ? result : told;
    }
    if (client && result != STORE_UNAVAILABLE) {
        told = read_client(r, reply[0], client_count);
        result = told == STORE_OK || told == STORE_FULL ? result : told;
    }
    if (result == STORE_OK)
        *version = after;
    redis_free(reply, n);
    return result;
}
