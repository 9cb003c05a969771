#include "base/clock.h"
#include "lua.h"
#include "store/redis/redis.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define KEEP_MAX ((size_t)256 * 1024) /* bytes of memory that are kept for the next call */
#define HEAD_MAX 256                  /* bytes that a script's command begins with */
#define MARKS 32                      /* bytes around a word, at most */
#define PAUSE_MS 20                   /* before a command is repeated for which the node asks to wait */

static const struct {
    const char *text, *sha1;
} scripts[SCRIPTS] = {
    [SCRIPT_COMMIT] = {LUA_COMMIT, LUA_COMMIT_SHA1}, [SCRIPT_VALUE] = {LUA_VALUE, LUA_VALUE_SHA1}};

/* -- words -- */

/* The digits, backwards from `end`; returns where they begin. */
static char *digits(char *end, uint64_t number)
{
    do
        *--end = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    return end;
}

/* "$3\r\n", "*3\r\n" at `at`; returns its end. */
static char *put_length(char *at, char sign, size_t len)
{
    char text[24], *end = text + sizeof text, *begin = digits(end, len);

    *at++ = sign;
    memcpy(at, begin, (size_t)(end - begin));
    at += end - begin;
    *at++ = '\r';
    *at++ = '\n';
    return at;
}

static void add_length(struct redis_words *words, size_t len)
{
    char text[MARKS];
    buf_add(&words->text, text, (size_t)(put_length(text, '*', len) - text));
}

void redis_word_bytes(struct redis_words *words, const void *bytes, size_t len)
{
    char *room = buf_room(&words->text, len + MARKS), *at = room;

    if (!room)
        return;
    at = put_length(at, '$', len);
    memcpy(at, bytes, len);
    at += len;
    *at++ = '\r';
    *at++ = '\n';
    buf_wrote(&words->text, (size_t)(at - room));
    words->count++;
}

void redis_word(struct redis_words *words, const char *text)
{
    redis_word_bytes(words, text, strlen(text));
}

void redis_word_number(struct redis_words *words, int64_t number)
{
    char text[24], *end = text + sizeof text,
                   *at = digits(end, number < 0 ? -(uint64_t)number : (uint64_t)number);

    if (number < 0)
        *--at = '-';
    redis_word_bytes(words, at, (size_t)(end - at));
}

void redis_word_key(struct redis_words *words, const char *base, const char *kind, const char *name)
{
    const bool named = name && *name;
    const size_t base_len = strlen(base), kind_len = strlen(kind), name_len = named ? strlen(name) : 0,
                 len = base_len + 1 + kind_len + (named ? 1 + name_len : 0);
    char mark[MARKS];

    buf_add(&words->text, mark, (size_t)(put_length(mark, '$', len) - mark));
    buf_add(&words->text, base, base_len);
    buf_addc(&words->text, ':');
    buf_add(&words->text, kind, kind_len);
    if (named)
        buf_addc(&words->text, ':');
    buf_add(&words->text, name, name_len);
    buf_add(&words->text, "\r\n", 2);
    words->count++;
}

void redis_command(struct redis_words *words, const char *base, const char *format, ...)
{
    size_t count = words->count, n = 1;
    va_list args;

    for (const char *p = format; *p; p++)
        n += *p == ' ';
    add_length(words, n);
    va_start(args, format);
    for (const char *p = format; *p; p += n + (p[n] == ' ')) {
        n = strcspn(p, " ");
        if (*p != '%') {
            redis_word_bytes(words, p, n);
        } else if (p[1] == 's') {
            redis_word(words, va_arg(args, const char *));
        } else if (p[1] == 'd') {
            redis_word_number(words, va_arg(args, int64_t));
        } else {
            const char *kind = va_arg(args, const char *), *name = va_arg(args, const char *);
            redis_word_key(words, base, kind, name);
        }
    }
    va_end(args);
    words->count = count + 1;
}

/* -- calls -- */

void redis_begin(struct redis *r)
{
    struct redis_words *const all[] = {&r->out, &r->keys, &r->args, &r->after};

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (all[i]->text.cap > KEEP_MAX)
            buf_free(&all[i]->text);
        buf_reset(&all[i]->text);
        all[i]->count = 0;
    }
    r->script = SCRIPT_NONE;
    r->same_server = r->whole = false;
    r->began_mono_ms = clock_mono_ms();
}

/* How the script's command begins; its keys and arguments follow. */
static void begin_script(const struct redis *r, struct redis_words *out, const char *verb, const char *script)
{
    add_length(out, 3 + r->keys.count + r->args.count);
    redis_word(out, verb);
    redis_word(out, script);
    redis_word_number(out, (int64_t)r->keys.count);
}

void redis_add_script(struct redis *r, enum redis_script which)
{
    r->script = which;
}

/* Behind the command at `at`: "*2\r\n$3\r\nGET\r\n...". */
static const char *skip_command(const char *at)
{
    char *end;

    for (long words = strtol(at + 1, &end, 10); words > 0; words--) {
        long len = strtol(end + 3, &end, 10);
        end += 2 + len;
    }
    return end + 2;
}

/* The call's command number i, by itself. A script is sent with its text: another node may not know it. */
static void pick_command(struct redis *r, size_t i, struct redis_words *out)
{
    const char *at = r->out.text.data;

    out->count = 1;
    if (r->script != SCRIPT_NONE && i == r->out.count) {
        begin_script(r, out, "EVAL", scripts[r->script].text);
        buf_add(&out->text, r->keys.text.data, r->keys.text.len);
        buf_add(&out->text, r->args.text.data, r->args.text.len);
        out->count = 1;
        return;
    }
    if (i > r->out.count) {
        at = r->after.text.data;
        i -= r->out.count + 1;
    }
    while (i-- > 0)
        at = skip_command(at);
    buf_add(&out->text, at, (size_t)(skip_command(at) - at));
}

/* Sends the command once more, which was refused, as the remedy says. False with the trouble set. */
static bool repeat(struct redis *r, size_t i, enum redis_remedy remedy, redisReply **reply, int64_t deadline)
{
    struct redis_words one = {.count = 0};
    redisReply *again = NULL;
    bool good;

    buf_init(&one.text, r->args.text.max);
    pick_command(r, i, &one);
    if (remedy == REMEDY_ASK && !r->whole) {
        good = redis_ask_named(r, (*reply)->str, &one, &again, deadline);
    } else {
        good = redis_ready(r, deadline) && redis_exchange(r, &one, &again, deadline);
    }
    buf_free(&one.text);
    freeReplyObject(*reply);
    *reply = again;
    return good;
}

/* How many commands the call has. */
static size_t call_length(const struct redis *r)
{
    return r->out.count + (r->script != SCRIPT_NONE) + r->after.count;
}

/* All commands, to the node that has the keys. */
static enum store_result run_all(struct redis *r, redisReply **reply, int64_t deadline)
{
    if (!redis_ready(r, deadline))
        return STORE_UNAVAILABLE;
    if (r->same_server && *r->told && strcmp(r->told, r->run_id) != 0)
        return redis_trouble(r, "Redis was restarted, or another server has taken its place");
    if (r->script == SCRIPT_NONE)
        return redis_exchange(r, &r->out, reply, deadline) ? STORE_OK : STORE_UNAVAILABLE;
    struct redis_words head = {.count = 0};
    buf_init(&head.text, HEAD_MAX);
    begin_script(r, &head, "EVALSHA", scripts[r->script].sha1);
    const struct buf *const text[] = {&r->out.text, &head.text, &r->keys.text, &r->args.text, &r->after.text};
    bool good = redis_exchange_all(r, text, sizeof text / sizeof *text, reply, call_length(r), deadline);
    buf_free(&head.text);
    return good ? STORE_OK : STORE_UNAVAILABLE;
}

enum store_result redis_run(struct redis *r, redisReply **reply)
{
    int64_t deadline = r->began_mono_ms + r->timeout_ms + redis_extra_ms(r->out.text.len + r->args.text.len);
    size_t n = call_length(r);

    memset(reply, 0, n * sizeof *reply);
    enum store_result result = run_all(r, reply, deadline);
    for (size_t i = 0; result == STORE_OK && i < n;) {
        enum redis_remedy remedy = redis_remedy(reply[i]);
        if (remedy == REMEDY_NONE || clock_left_ms(deadline) <= PAUSE_MS) {
            i++; /* an error that lasts is the caller's */
            continue;
        }
        if (remedy >= REMEDY_WAIT)
            (void)clock_sleep_ms(PAUSE_MS, NULL);
        if (remedy <= REMEDY_WAIT) {
            result = repeat(r, i, remedy, &reply[i], deadline) ? STORE_OK : STORE_UNAVAILABLE;
            continue;
        }
        /* From the first one on: what was answered before is of another node and clock. */
        bool good = remedy == REMEDY_FIND || redis_follow(r, reply[i]->str, deadline);
        if (remedy == REMEDY_FIND)
            redis_disconnect(r);
        redis_free(reply, n);
        i = 0;
        result = good ? run_all(r, reply, deadline) : STORE_UNAVAILABLE;
    }
    if (result != STORE_OK)
        redis_free(reply, n);
    return result;
}

void redis_free(redisReply **reply, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (reply[i])
            freeReplyObject(reply[i]);
        reply[i] = NULL;
    }
}

enum store_result redis_ask(struct redis *r, redisReply **reply, int type)
{
    enum store_result result = redis_run(r, reply);

    if (result == STORE_OK)
        result = (*reply)->type == REDIS_REPLY_NIL ? STORE_NONE : redis_expect(r, *reply, type);
    if (result != STORE_OK)
        redis_free(reply, 1);
    return result;
}

/* -- replies -- */

/* Redis 7 says -OOM itself; before it, the script's own error quotes the command's. */
static bool is_full(const redisReply *reply)
{
    return !strncmp(reply->str, "OOM ", 4) || strstr(reply->str, "-OOM command not allowed") != NULL;
}

enum store_result redis_nonsense(struct redis *r)
{
    (void)redis_fail(r, "answers what no Redis does");
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
    if (strstr(reply->str, "WRONGTYPE"))
        (void)redis_fail(
            r,
            "another version of woo_ghl wrote there: let that one work off its orders, then name another "
            "REDIS_PREFIX: %s",
            reply->str);
    else
        (void)redis_fail(r, "%s", reply->str);
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
    int64_t ms = result == STORE_OK ? redis_learn_time(r, reply) : 0;

    if (ms < 0)
        return redis_nonsense(r);
    *now_ms = result == STORE_OK ? ms + r->shift_ms : *now_ms;
    return result;
}

int64_t redis_now_ms(const struct redis *r)
{
    return clock_mono_ms() + r->ahead_ms + r->shift_ms;
}
