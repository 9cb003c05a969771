#include "store/redis/call.h"
#include "base/clock.h"
#include "lua.h"
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX ((size_t)3 * STORE_BLOB_MAX) /* bytes of a call */
#define KEEP_MAX ((size_t)256 * 1024)          /* bytes of memory that are kept for the next call */

static const struct {
    const char *text, *sha1;
} scripts[SCRIPTS] = {[SCRIPT_NONE] = {"", ""},
                      [SCRIPT_COMMIT] = {LUA_COMMIT, LUA_COMMIT_SHA1},
                      [SCRIPT_COUNT] = {LUA_COUNT, LUA_COUNT_SHA1},
                      [SCRIPT_VALUE] = {LUA_VALUE, LUA_VALUE_SHA1}};

/* -- words -- */

void redis_words_init(struct redis_words *words)
{
    buf_init(&words->text, WORDS_MAX);
    words->count = 0;
}

void redis_words_free(struct redis_words *words)
{
    buf_free(&words->text);
}

/* "$3\r\n", "*3\r\n" */
static void add_length(struct buf *out, char sign, size_t len)
{
    char text[24], *p = text + sizeof text;

    *--p = '\n';
    *--p = '\r';
    do
        *--p = (char)('0' + len % 10);
    while ((len /= 10) > 0);
    *--p = sign;
    buf_add(out, p, (size_t)(text + sizeof text - p));
}

void redis_word_bytes(struct redis_words *words, const void *bytes, size_t len)
{
    add_length(&words->text, '$', len);
    buf_add(&words->text, bytes, len);
    buf_add(&words->text, "\r\n", 2);
    words->count++;
}

void redis_word(struct redis_words *words, const char *text)
{
    redis_word_bytes(words, text, strlen(text));
}

void redis_word_number(struct redis_words *words, int64_t number)
{
    char text[24];

    snprintf(text, sizeof text, "%" PRId64, number);
    redis_word(words, text);
}

void redis_word_key(struct redis_words *words, const char *base, const char *kind, const char *name)
{
    add_length(&words->text, '$', strlen(base) + 1 + strlen(kind) + (name && *name ? 1 + strlen(name) : 0));
    buf_adds(&words->text, base);
    buf_addc(&words->text, ':');
    buf_adds(&words->text, kind);
    if (name && *name) {
        buf_addc(&words->text, ':');
        buf_adds(&words->text, name);
    }
    buf_add(&words->text, "\r\n", 2);
    words->count++;
}

void redis_words_append(struct redis_words *words, const struct redis_words *more)
{
    buf_add(&words->text, more->text.data, more->text.len);
    words->text.failed = words->text.failed || more->text.failed;
    words->count += more->count;
}

/* The words of a format; see call.h. */
static void add_words(struct redis_words *words, const char *base, const char *format, va_list args)
{
    for (const char *p = format; *p;) {
        size_t n = strcspn(p, " ");
        if (n == 2 && !memcmp(p, "%s", 2)) {
            redis_word(words, va_arg(args, const char *));
        } else if (n == 2 && !memcmp(p, "%d", 2)) {
            redis_word_number(words, va_arg(args, int64_t));
        } else if (n == 2 && !memcmp(p, "%k", 2)) {
            const char *kind = va_arg(args, const char *), *name = va_arg(args, const char *);
            redis_word_key(words, base, kind, name);
        } else {
            redis_word_bytes(words, p, n);
        }
        p += n + (p[n] == ' ');
    }
}

/* -- building -- */

void redis_begin(struct redis *r)
{
    if (r->out.text.cap > KEEP_MAX)
        buf_free(&r->out.text);
    buf_reset(&r->out.text);
    r->commands = 0;
    r->script = SCRIPT_NONE;
    r->same_server = false;
    r->began_mono_ms = clock_mono_ms();
}

static void add_command(struct redis *r, const char *format, va_list args)
{
    size_t n = 1;

    for (const char *p = format; *p; p++)
        n += *p == ' ';
    add_length(&r->out.text, '*', n);
    add_words(&r->out, r->base, format, args);
    r->commands++;
}

void redis_add(struct redis *r, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add_command(r, format, args);
    va_end(args);
}

static void add_script(struct redis *r, const char *verb, const char *script)
{
    add_length(&r->out.text, '*', 2 + (size_t)r->tail->count);
    redis_word(&r->out, verb);
    redis_word(&r->out, script);
    redis_words_append(&r->out, r->tail);
}

void redis_add_script(struct redis *r, enum redis_script which, const struct redis_words *tail)
{
    r->script = which;
    r->script_at = r->commands++;
    r->tail = tail;
    add_script(r, "EVALSHA", scripts[which].sha1);
}

/* -- running -- */

static bool is_error(const redisReply *reply, const char *code)
{
    return reply->type == REDIS_REPLY_ERROR && !strncmp(reply->str, code, strlen(code));
}

enum store_result redis_run(struct redis *r, redisReply **reply, size_t n)
{
    struct redis_connection *c = &r->connection;
    redisReply *again = NULL;

    for (size_t i = 0; i < n; i++)
        reply[i] = NULL;
    r->deadline_mono_ms = r->began_mono_ms + c->timeout_ms + redis_extra_ms(r->out.text.len);
    if (!redis_ready(c, r->deadline_mono_ms))
        return STORE_UNAVAILABLE;
    if (r->same_server && r->told && strcmp(r->server, c->run_id) != 0) {
        (void)redis_trouble(r, "Redis was restarted, or another server has taken its place");
        return STORE_UNAVAILABLE;
    }
    if (!redis_exchange(c, &r->out.text, r->commands, reply, r->deadline_mono_ms))
        return STORE_UNAVAILABLE;
    if (r->script == SCRIPT_NONE || !is_error(reply[r->script_at], "NOSCRIPT"))
        return STORE_OK;
    /* The server was restarted, or was told to forget its scripts. */
    buf_reset(&r->out.text);
    add_script(r, "EVAL", scripts[r->script].text);
    if (!redis_exchange(c, &r->out.text, 1, &again, r->deadline_mono_ms)) {
        redis_free(reply, n);
        return STORE_UNAVAILABLE;
    }
    freeReplyObject(reply[r->script_at]);
    reply[r->script_at] = again;
    return STORE_OK;
}

void redis_free(redisReply **reply, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (reply[i])
            freeReplyObject(reply[i]);
        reply[i] = NULL;
    }
}

/* -- replies -- */

/* Redis 7 says -OOM itself; before it, the script's own error quotes the command's. */
static bool is_full(const redisReply *reply)
{
    return is_error(reply, "OOM ") || strstr(reply->str, "-OOM command not allowed") != NULL;
}

enum store_result redis_nonsense(struct redis *r)
{
    redis_give_up(&r->connection, "answers what no Redis does");
    return STORE_UNAVAILABLE;
}

enum store_result redis_expect(struct redis *r, const redisReply *reply, int type)
{
    if (reply->type == type)
        return STORE_OK;
    if (reply->type != REDIS_REPLY_ERROR)
        return redis_nonsense(r);
    if (is_full(reply)) {
        (void)redis_trouble(r, "Redis has no memory left (maxmemory): %s", reply->str);
        return STORE_FULL;
    }
    if (strstr(reply->str, "READONLY"))
        r->connection.address_count = 0; /* its name may lead to the new primary by now */
    redis_give_up(&r->connection, "%s", reply->str);
    return STORE_UNAVAILABLE;
}

enum store_result redis_expect_list(struct redis *r, const redisReply *reply, size_t n)
{
    enum store_result result = redis_expect(r, reply, REDIS_REPLY_ARRAY);
    return result == STORE_OK && reply->elements != n ? redis_nonsense(r) : result;
}

enum store_result redis_expect_time(struct redis *r, const redisReply *reply, int64_t *now_ms)
{
    enum store_result result = redis_expect_list(r, reply, 2);
    int64_t ms = result == STORE_OK ? redis_learn_time(&r->connection, reply) : 0;

    if (ms < 0)
        return redis_nonsense(r);
    *now_ms = result == STORE_OK ? ms + r->shift_ms : *now_ms;
    return result;
}

int64_t redis_now_ms(const struct redis *r)
{
    return clock_mono_ms() + r->connection.ahead_ms + r->shift_ms;
}

enum store_result redis_trouble(struct redis *r, const char *fmt, ...)
{
    char text[sizeof r->connection.trouble.text];
    va_list args;

    va_start(args, fmt);
    if (vsnprintf(text, sizeof text, fmt, args) < 0)
        text[0] = '\0';
    va_end(args);
    error_set(&r->connection.trouble, "%s", text);
    return STORE_UNAVAILABLE;
}

/* -- calls of one command -- */

static enum store_result ask(struct redis *r, redisReply **reply, int type)
{
    enum store_result result = redis_run(r, reply, 1);

    if (result == STORE_OK)
        result = (*reply)->type == REDIS_REPLY_NIL ? STORE_NONE : redis_expect(r, *reply, type);
    if (result != STORE_OK)
        redis_free(reply, 1);
    return result;
}

enum store_result redis_ask(struct redis *r, redisReply **reply, int type, const char *format, ...)
{
    va_list args;

    redis_begin(r);
    va_start(args, format);
    add_command(r, format, args);
    va_end(args);
    return ask(r, reply, type);
}

enum store_result redis_ask_script(struct redis *r, redisReply **reply, int type, enum redis_script which,
                                   const char *format, ...)
{
    struct redis_words tail;
    va_list args;

    redis_words_init(&tail);
    va_start(args, format);
    add_words(&tail, r->base, format, args);
    va_end(args);
    redis_begin(r);
    redis_add_script(r, which, &tail);
    enum store_result result = ask(r, reply, type);
    redis_words_free(&tail);
    return result;
}
