#include "store/rig_redis.h"
#include "base/clock.h"
#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_MS 20000

static const char *socket_of(const struct rig *rig)
{
    return rig->redis_url + strlen("unix://");
}

static void become_server(const struct rig *rig, const char *const extra[])
{
    const char *argv[40] = {"redis-server", "--port",     "0",      "--unixsocket", socket_of(rig),
                            "--save",       "",           "--dir",  rig->dir,       "--appendonly",
                            "no",           "--loglevel", "warning"};
    size_t n = 13;
    int null = open("/dev/null", O_RDWR);

    for (size_t i = 0; extra && extra[i] && n + 1 < sizeof argv / sizeof *argv; i++)
        argv[n++] = extra[i];
    argv[n] = NULL;
    if (null >= 0) {
        dup2(null, 0);
        dup2(null, 1);
        dup2(null, 2);
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execvp(argv[0], (char *const *)(void *)argv);
    _exit(127);
}

/* The reply to a command that is a format of hiredis; NULL = none. */
static redisReply *ask(const struct rig *rig, const char *command)
{
    redisContext *c = redisConnectUnix(socket_of(rig));
    redisReply *reply = c && !c->err ? redisCommand(c, command) : NULL;

    if (c)
        redisFree(c);
    return reply;
}

bool rig_server_start(struct rig *rig, const char *const extra[])
{
    int64_t deadline = clock_mono_ms() + START_MS;

    unlink(socket_of(rig));
    fflush(stdout);
    rig->server = fork();
    if (rig->server == 0)
        become_server(rig, extra);
    while (rig->server > 0 && clock_left_ms(deadline) > 0) {
        redisReply *reply = ask(rig, "PING");
        if (reply) {
            freeReplyObject(reply);
            return true;
        }
        if (waitpid(rig->server, NULL, WNOHANG) == rig->server)
            break;
        (void)clock_sleep_ms(5, NULL);
    }
    return ok(false, "redis-server answers on %s: is it installed?", socket_of(rig));
}

void rig_server_stop(struct rig *rig)
{
    if (rig->server <= 0)
        return;
    kill(rig->server, SIGCONT);
    kill(rig->server, SIGKILL);
    (void)rig_wait(rig->server);
    rig->server = 0;
}

void rig_ask(const struct rig *rig, const char *command, char *out, size_t size)
{
    redisReply *reply = ask(rig, command);

    out[0] = '\0';
    if (reply && reply->type == REDIS_REPLY_INTEGER)
        snprintf(out, size, "%lld", reply->integer);
    else if (reply && reply->str)
        snprintf(out, size, "%s", reply->str);
    if (reply)
        freeReplyObject(reply);
}

long long rig_ask_number(const struct rig *rig, const char *command)
{
    char answer[32];

    rig_ask(rig, command, answer, sizeof answer);
    return strtoll(answer, NULL, 10);
}

void rig_tell(const struct rig *rig, const char *command)
{
    char answer[256];

    rig_ask(rig, command, answer, sizeof answer);
    is_str(answer, "OK", "given %s", command);
}

/* -- as a kind of rig -- */

static bool begin_redis(struct rig *rig)
{
    signal(SIGPIPE, SIG_IGN); /* as the program does */
    snprintf(rig->redis_url, sizeof rig->redis_url, "unix://%s/redis.sock", rig->dir);
    return rig_server_start(rig, NULL);
}

/* The server's own clock cannot be shifted: all that expires does so by ms earlier. */
static void shift_redis(struct rig *rig, int64_t ms)
{
    redisContext *c = redisConnectUnix(socket_of(rig));
    redisReply *keys = c && !c->err ? redisCommand(c, "KEYS *") : NULL;

    for (size_t i = 0; keys && i < keys->elements; i++) {
        const redisReply *key = keys->element[i];
        redisReply *left = redisCommand(c, "PTTL %b", key->str, (size_t)key->len);
        if (left && left->integer >= 0)
            freeReplyObject(redisCommand(c, "PEXPIRE %b %lld", key->str, (size_t)key->len,
                                         left->integer - (long long)ms));
        freeReplyObject(left);
    }
    freeReplyObject(keys);
    if (c)
        redisFree(c);
}

const struct rig_kind rig_redis = {"redis",         &redis_backend, begin_redis,
                                   rig_server_stop, redis_open,     shift_redis};

/* -- shorthand -- */

int rig_redis_main(const struct rig_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct rig rig;
        tap_note("%s", cases[i].name);
        bool begun = rig_begin(&rig, &rig_redis);
        rig.config.redis_timeout_ms = RIG_TIMEOUT_MS;
        if (begun && rig_reopen(&rig))
            cases[i].run(&rig);
        rig_end(&rig);
    }
    return tap_done();
}

const char *rig_trouble(const struct rig *rig)
{
    return rig->backend->trouble(rig->state);
}

enum store_result rig_try_read(struct rig *rig, const char *key, struct order_record *order)
{
    int64_t now_ms;
    return rig->backend->read(rig->state, &order_record_type, key, NULL, order, NULL, NULL, &now_ms);
}

enum store_result rig_put_body(struct rig *rig, const char *key, const void *bytes, size_t len)
{
    int64_t now = rig_now(rig);
    struct order_record order = rig_queued(now, RIG_BODY);
    struct rig_commit commit;

    rig_commit_init(&commit, key, NULL, &order, now);
    commit.order.blob[0] = (struct store_blob){RIG_BODY, bytes, len};
    return rig_commit_run(rig, &commit);
}
