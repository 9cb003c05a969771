/* store: another Redis takes the place of the one before. A replica that lags, one that was cut off and comes
 * back, and a name that stands for another address. */
#include "base/clock.h"
#include "store/redis/script.h"
#include "store/store_rig.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* -- what a failover may lose -- */

/* What the replica has not got yet is lost when it takes over. */
static void with_a_replica(struct rig *rig)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    static const char hello[] = "PSYNC ? -1\r\n";
    int64_t deadline = clock_mono_ms() + 5000;

    memcpy(name.sun_path, rig->server.socket, strlen(rig->server.socket) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&name, sizeof name) != 0 ||
        write(fd, hello, sizeof hello - 1) != (ssize_t)sizeof hello - 1)
        ok(false, "given a replica");
    while (!*rig_stats(rig).durability && clock_left_ms(deadline) > 0)
        rig_pass_ms(20);
    ok(strstr(rig_stats(rig).durability, "min-replicas-to-write 1"), "with a replica a failover is told: %s",
       rig_stats(rig).durability);
    rig_tell(rig, "CONFIG SET min-replicas-max-lag 0"); /* this one acknowledges nothing */
    rig_tell(rig, "CONFIG SET min-replicas-to-write 1");
    ok(strstr(rig_stats(rig).durability, "failover") && !strstr(rig_stats(rig).durability, "set min"),
       "also where it is bounded: %s", rig_stats(rig).durability);
    close(fd);
}

static void a_replica(void)
{
    struct rig rig;

    if (rig_begin_redis(&rig)) {
        rig_tell(&rig, "CONFIG SET appendonly yes");
        rig_tell(&rig, "CONFIG SET appendfsync always");
        is_str(rig_stats(&rig).durability, "", "given a server that loses nothing by itself");
        with_a_replica(&rig);
    }
    rig_end_redis(&rig);
}

/* -- a primary that was cut off, and goes on for those beside it -- */

static void two_primaries(void)
{
    struct rig cut, taken, beside;
    struct store_entry entry = {0};
    struct store_claim_reply reply;
    char from[RIG_PATH_SIZE + 16], to[RIG_PATH_SIZE + 16], saved[8];

    bool started = rig_begin_redis(&cut);
    rig_make_place(&taken);
    if (started && ok(vault_settle(cut.vault), "given a primary")) {
        rig_ask(&cut, "SAVE", saved, sizeof saved);
        snprintf(from, sizeof from, "%s/dump.rdb", cut.dir);
        snprintf(to, sizeof to, "%s/dump.rdb", taken.dir);
        ok(rename(from, to) == 0 && rig_server_start(&taken.server, taken.dir, NULL),
           "and a replica that takes over, as it is cut off");
        ok(rig_join(&beside, &cut, NULL), "given a worker that cannot reach the other");
        is_claim(rig_take(&beside, "shop:0"), CLAIM_NEW, "it goes on");
    } else {
        started = false;
    }
    struct store_claim c = rig_state("shop:1", "aa", 1000);
    if (started && rig_config(&taken, rig_hasty) && rig_open(&taken)) {
        is_claim(rig_take(&taken, "shop:5"), CLAIM_NEW, "whoever reaches the other goes on there");
        store_shift_clock(beside.store, 300000);
        store_shift_clock(taken.store, 300000);
        c.created_s = rig_now_s() + 298;
        is_claim(store_claim(beside.store, &c, &reply, &entry), CLAIM_NEW,
                 "minutes later an order comes to the first");
        ok(!entry.look_first, "a new one");
        store_entry_free(&entry);
        rig_server_stop(&cut.server);
        ok(unlink(cut.server.socket) == 0 && symlink(taken.server.socket, cut.server.socket) == 0,
           "when it can be reached again, and that is the replica,");
        c.fingerprint = "bb";
        is_claim(store_claim(beside.store, &c, &reply, &entry), CLAIM_NEW,
                 "the order's next state is a new order");
        ok(entry.look_first, "that is looked for");
        is_about(entry.forgot_age_ms, 0, "with patience");
        store_entry_free(&entry);
        c.key = "shop:2";
        is_claim(store_claim(taken.store, &c, &reply, &entry), CLAIM_NEW,
                 "also by those who were there before");
        ok(entry.look_first, "looked for");
        store_entry_free(&entry);
        rig_close(&beside);
    }
    rig_end_redis(&taken);
    rig_end_redis(&cut);
}

/* -- a failover by DNS, where the server of before goes on as a replica -- */

/* A port of the loopback that is free now. */
static uint16_t free_port(void)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof name;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&name, n) != 0 ||
        getsockname(fd, (struct sockaddr *)&name, &n) != 0)
        name.sin_port = 0;
    if (fd >= 0)
        close(fd);
    return ntohs(name.sin_port);
}

static bool start_on_port(struct rig *rig, char port[REDIS_PORT_SIZE])
{
    const char *const extra[] = {"--port", port, "--bind", "127.0.0.1", NULL};

    rig_make_place(rig);
    snprintf(port, REDIS_PORT_SIZE, "%u", (unsigned)free_port());
    return rig_server_start(&rig->server, rig->dir, extra);
}

static bool beats(struct redis_connection *c, struct redis_scripts *scripts)
{
    redisReply *reply = redis_script(c, scripts, SCRIPT_HEARTBEAT, &(struct redis_args){0}, NULL);

    if (!reply)
        return false;
    freeReplyObject(reply);
    return true;
}

static void another_is_the_primary(void)
{
    struct rig old, now;
    struct redis_connection c;
    struct redis_scripts scripts = {0};
    struct redis_url url;
    struct error e = ERROR_NONE;
    char port[2][REDIS_PORT_SIZE], text[64], base[] = "{x}";

    bool started = start_on_port(&old, port[0]);
    started = start_on_port(&now, port[1]) && started;
    snprintf(text, sizeof text, "redis://127.0.0.1:%s", port[0]);
    if (started && ok(redis_url_parse(text, &url, &e), "given the address of one: %s", e.text)) {
        redis_connection_init(&c, &url, RIG_TIMEOUT_MS);
        scripts.base = base;
        ok(beats(&c, &scripts), "it works");
        rig_tell(&old, "REPLICAOF 127.0.0.1 1");
        ok(!beats(&c, &scripts), "when it is a replica it does not: %s", c.trouble.text);
        memcpy(c.url.port, port[1], sizeof c.url.port); /* what the name stands for from now on */
        c.works_mono_ms -= 40000;
        c.failed_mono_ms -= REDIS_WAIT_MS;
        ok(!beats(&c, &scripts), "the address that is known is kept for a while");
        c.works_mono_ms -= 21000;
        c.failed_mono_ms -= REDIS_WAIT_MS;
        ok(beats(&c, &scripts), "though it answers, the name is asked anew after a minute: %s",
           c.trouble.text);
        redis_connection_free(&c);
    }
    rig_end_redis(&old);
    rig_end_redis(&now);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    a_replica();
    two_primaries();
    another_is_the_primary();
    return tap_done();
}
