#include "store/rig_redis.h"
#include "base/clock.h"
#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_MS 120000

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

static bool start(struct rig *rig, const char *const extra[])
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
    return false;
}

bool rig_server_start(struct rig *rig, const char *const extra[])
{
    return start(rig, extra) || ok(false, "redis-server answers on %s: is it installed?", socket_of(rig));
}

/* Can this port be listened at? */
static bool is_free(unsigned port)
{
    struct sockaddr_in name = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool free = fd >= 0 && bind(fd, (const struct sockaddr *)&name, sizeof name) == 0;

    if (fd >= 0)
        close(fd);
    return free;
}

bool rig_node_start(struct rig *rig)
{
    char port[8];
    const char *const extra[] = {
        "--port", port, "--bind", "127.0.0.1", "--cluster-enabled", "yes", "--cluster-node-timeout",
        "5000",   NULL};

    snprintf(rig->redis_url, sizeof rig->redis_url, "unix://%s/redis.sock", rig->dir);
    for (unsigned try = 0; try < 50; try++) {
        /* The bus is at the port plus 10,000, below those that connections get. */
        rig->port = 10000 + ((unsigned)getpid() * 31 + try * 997) % 12000;
        snprintf(port, sizeof port, "%u", rig->port);
        if (is_free(rig->port) && is_free(rig->port + 10000) && start(rig, extra))
            return true;
    }
    return ok(false, "redis-server runs as a node of a cluster");
}

void rig_add_slots(const struct rig *rig)
{
    char *command = malloc(7 * RIG_SLOTS + 32), *end = command + sprintf(command, "CLUSTER ADDSLOTS");

    for (int i = 0; i < RIG_SLOTS; i++)
        end += sprintf(end, " %d", i);
    rig_tell(rig, command);
    free(command);
    rig_until(rig, "CLUSTER INFO", "cluster_state:ok");
}

void rig_until(const struct rig *rig, const char *command, const char *want)
{
    int64_t deadline = clock_mono_ms() + START_MS;
    char answer[4096];

    do {
        rig_ask(rig, command, answer, sizeof answer);
        if (strstr(answer, want))
            return;
        (void)clock_sleep_ms(10, NULL);
    } while (clock_left_ms(deadline) > 0);
    ok(false, "%s tells '%s': %s", command, want, answer);
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

static bool begin_node(struct rig *rig)
{
    signal(SIGPIPE, SIG_IGN);
    return rig_node_start(rig);
}

const struct rig_kind rig_node = {"node", &redis_backend, begin_node, rig_server_stop, redis_open, NULL};

/* -- a cluster of one node: it refuses a command or a script whose keys are not in one slot -- */

static bool begin_cluster(struct rig *rig)
{
    if (!begin_node(rig))
        return false;
    rig_add_slots(rig);
    return true;
}

/* And all keys of a namespace are in one. */
static void end_cluster(struct rig *rig)
{
    redisReply *keys = ask(rig, "KEYS *");
    long long others = 0;

    for (size_t i = 0; keys && i < keys->elements; i++) {
        char command[512];
        int tag = (int)strcspn(keys->element[i]->str, "}") + 1;
        snprintf(command, sizeof command, "CLUSTER KEYSLOT %s", keys->element[i]->str);
        long long slot = rig_ask_number(rig, command);
        snprintf(command, sizeof command, "CLUSTER KEYSLOT %.*s", tag, keys->element[i]->str);
        others += slot != rig_ask_number(rig, command) || strncmp(keys->element[i]->str, "{t:", 3) != 0;
    }
    if (rig->server > 0)
        ok(keys && others == 0, "all of %zu keys have the namespace's tag", keys ? keys->elements : 0);
    freeReplyObject(keys);
    rig_server_stop(rig);
}

const struct rig_kind rig_cluster = {"cluster",   &redis_backend, begin_cluster,
                                     end_cluster, redis_open,     shift_redis};

/* -- shorthand -- */

int rig_redis_main(const struct rig_kind *kind, const struct rig_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct rig rig;
        tap_note("%s", cases[i].name);
        bool begun = rig_begin(&rig, kind);
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
    commit.order.blob = (struct store_blob){RIG_BODY, bytes, len};
    return rig_commit_run(rig, &commit);
}
