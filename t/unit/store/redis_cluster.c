/* store/redis: the nodes of a cluster: keys that move, slots that nobody serves, seeds. */
#include "base/clock.h"
#include "store/rig_redis.h"
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define NOTE "c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0"

/* Two nodes, of which the first has all slots. The store's handle is the first one's. */
struct nodes {
    struct rig *a, b;
    char id[2][64];
    int slot; /* of the namespace */
};

/* Opens the store anew, on this URL. */
__attribute__((format(printf, 2, 3))) static void use(struct rig *rig, const char *format, ...)
{
    char url[sizeof rig->redis_url];
    va_list args;

    va_start(args, format);
    vsnprintf(url, sizeof url, format, args);
    va_end(args);
    rig->config.redis_url = url;
    (void)rig_reopen(rig);
    rig->config.redis_url = rig->redis_url;
}

static bool begin_pair(struct rig *rig, struct nodes *pair)
{
    char command[96];

    *pair = (struct nodes){.a = rig};
    rig_begin(&pair->b, &rig_node);
    if (pair->b.server <= 0)
        return false;
    rig_ask(rig, "CLUSTER MYID", pair->id[0], sizeof pair->id[0]);
    rig_ask(&pair->b, "CLUSTER MYID", pair->id[1], sizeof pair->id[1]);
    snprintf(command, sizeof command, "CLUSTER MEET 127.0.0.1 %u", rig->port);
    rig_tell(&pair->b, command);
    rig_until(rig, "CLUSTER NODES", pair->id[1]);
    rig_until(&pair->b, "CLUSTER INFO", "cluster_state:ok");
    pair->slot = (int)rig_ask_number(rig, "CLUSTER KEYSLOT " RIG_BASE);
    use(rig, "redis://127.0.0.1:%u,127.0.0.1:%u", pair->b.port, rig->port);
    return true;
}

static void tell_slot(const struct rig *rig, const struct nodes *pair, const char *what, int node)
{
    char command[128];

    snprintf(command, sizeof command, "CLUSTER SETSLOT %d %s %s", pair->slot, what,
             node < 0 ? "" : pair->id[node]);
    rig_tell(rig, command);
}

static void begin_move(const struct nodes *pair)
{
    tell_slot(&pair->b, pair, "IMPORTING", 0);
    tell_slot(pair->a, pair, "MIGRATING", 1);
}

static void move_key(const struct nodes *pair, const char *key)
{
    char command[256];

    snprintf(command, sizeof command, "MIGRATE 127.0.0.1 %u " RIG_BASE ":%s 0 5000", pair->b.port, key);
    rig_tell(pair->a, command);
}

static void end_move(const struct nodes *pair)
{
    static const char *const keys[] = {"location",     "limiter",          "order:shop:1",
                                       "order:shop:2", ("blob:" RIG_BODY), "due",
                                       "age",          "val:mark",         "val:other"};

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        char command[256], answer[64];
        snprintf(command, sizeof command, "MIGRATE 127.0.0.1 %u " RIG_BASE ":%s 0 5000", pair->b.port,
                 keys[i]);
        rig_ask(pair->a, command, answer, sizeof answer); /* OK or NOKEY */
    }
    tell_slot(&pair->b, pair, "NODE", 1);
    tell_slot(pair->a, pair, "NODE", 1);
}

static void put_location(struct rig *rig)
{
    struct location_record location = {.store_id = "0123456789abcdef"};
    struct backend_commit c = {.type = &location_record_type, .after = &location};
    struct location_record current;
    int64_t version, count, now_ms;

    is_result(rig->backend->commit(rig->state, &c, &current, &version, NULL, &count, &now_ms), STORE_OK,
              "a location's record");
}

static void another_node_is_found(struct rig *rig)
{
    struct nodes pair;
    char server[RECORD_ID_SIZE], info[8192];

    if (begin_pair(rig, &pair)) {
        is_result(rig->backend->server(rig->state, server), STORE_OK, "given a seed that has no keys");
        rig_ask(rig, "INFO server", info, sizeof info);
        ok(strstr(info, server), "the node that has them is told");
        is_result(rig_put_body(rig, "shop:1", "body", 4), STORE_OK, "an order is committed");
        is_int(rig_ask_number(rig, "EXISTS " RIG_BASE ":order:shop:1"), 1, "there");
        use(rig, "redis://127.0.0.1:1,127.0.0.1:%u", pair.b.port);
        is_int(rig_read(rig, "shop:1").version, 1, "given a seed that is down, another one is asked");
        use(rig, "redis://127.0.0.1:%u", pair.b.port);
        is_int(rig_read(rig, "shop:1").version, 1, "one seed is enough");
    }
    rig_end(&pair.b);
}

static void a_slot_that_moved(struct rig *rig)
{
    struct order_record order, next;
    char before[RECORD_ID_SIZE] = "", after[RECORD_ID_SIZE] = "", value[64];
    struct nodes pair;

    if (begin_pair(rig, &pair)) {
        is_result(rig->backend->server(rig->state, before), STORE_OK, "given a node");
        is_result(rig_put_body(rig, "shop:1", "body", 4), STORE_OK, "and an order");
        is_result(rig->backend->put(rig->state, "mark", "1", 0, false, NULL), STORE_OK, "and a value");
        order = next = rig_read(rig, "shop:1");
        next.attempts++;
        begin_move(&pair);
        end_move(&pair);
        is_result(rig_put(rig, "shop:1", &order, &next, NULL), STORE_UNAVAILABLE,
                  "nothing is committed to the node that has the slot now, before its memory was looked at");
        ok(strstr(rig_trouble(rig), "another server"), "for that reason: %s", rig_trouble(rig));
        is_int(rig_read(rig, "shop:1").version, 1, "it is read there");
        is_str(rig_value(rig, "mark", value), "1", "a value, too");
        is_result(rig->backend->put(rig->state, "other", "1", 0, false, NULL), STORE_OK,
                  "a script runs there");
        is_result(rig->backend->server(rig->state, after), STORE_OK, "it is told");
        ok(*after && strcmp(before, after) != 0, "as another server");
        is_result(rig_put(rig, "shop:1", &order, &next, NULL), STORE_OK, "then the commit is done");
        is_int(rig_ask_number(&pair.b, "EXISTS " RIG_BASE ":order:shop:1"), 1, "there");
    }
    rig_end(&pair.b);
}

/* Redis says TRYAGAIN to a command of which some keys are here and some are not. */
static void a_slot_under_way(struct rig *rig)
{
    struct order_record order, next;
    struct location_record location;
    struct buf out;
    char server[RECORD_ID_SIZE], info[8192];
    int64_t count = 0, now_ms;
    struct nodes pair;

    buf_init(&out, 4096);
    if (begin_pair(rig, &pair)) {
        is_result(rig->backend->server(rig->state, server), STORE_OK, "given a node");
        put_location(rig);
        order = rig_done(rig_now(rig));
        is_result(rig_put(rig, "shop:2", NULL, &order, NULL), STORE_OK, "and an order that is done");
        is_result(rig->backend->put(rig->state, "mark", "1", 0, false, NULL), STORE_OK, "and a value");
        begin_move(&pair);
        move_key(&pair, "order:shop:2");
        is_result(rig->backend->read(rig->state, &order_record_type, "shop:2", "client", &order, &location,
                                     &count, &now_ms),
                  STORE_OK, "given a slot under way, the order is read");
        is_int(order.version, 1, "where it is");
        is_int(location.version, 1, "the location where that is");
        is_int(count, 1, "the client is counted once");
        next = order;
        next.attempts++;
        is_result(rig_put(rig, "shop:2", &order, &next, NULL), STORE_OK,
                  "a commit is done where the order is");
        is_int(rig_ask_number(rig, "EXISTS " RIG_BASE ":order:shop:2"), 0, "not here");
        is_result(rig->backend->lock(rig->state, "a", "t", MINUTE_MS), STORE_OK, "a lock is taken");
        is_result(rig->backend->lock(rig->state, "a", "u", MINUTE_MS), STORE_NONE, "once");
        int64_t began_ms = clock_mono_ms();
        is_result(rig->backend->values(rig->state, "", &out), STORE_UNAVAILABLE, "no half of a list is told");
        int64_t took_ms = clock_mono_ms() - began_ms;
        ok(took_ms > RIG_TIMEOUT_MS - 50 && took_ms < RIG_LATE_MS, "within REDIS_TIMEOUT: %lld ms",
           (long long)took_ms);
        rig_ask(rig, "INFO server", info, sizeof info);
        for (int i = 0; i < 500 && rig->backend->server(rig->state, server) != STORE_OK; i++)
            (void)clock_sleep_ms(10, NULL);
        ok(strstr(info, server), "it is the same server all the time");
        end_move(&pair);
        is_int(rig_read(rig, "shop:2").version, 2, "when it has arrived, the order is there");
        is_result(rig->backend->values(rig->state, "m", &out), STORE_OK, "and the list");
        is_int(out.len, sizeof "mark" + sizeof "1", "whole");
    }
    rig_end(&pair.b);
    buf_free(&out);
}

/* In a child, after a while. */
static pid_t later(const struct rig *rig, const char *command)
{
    fflush(stdout);
    pid_t pid = fork();

    if (pid == 0) {
        char answer[64];
        (void)clock_sleep_ms(100, NULL);
        rig_ask(rig, command, answer, sizeof answer);
        _exit(strcmp(answer, "OK") != 0);
    }
    return pid;
}

static void a_commit_that_is_to_wait(struct rig *rig)
{
    char command[96];
    struct nodes pair;

    if (begin_pair(rig, &pair)) {
        put_location(rig);
        is_result(rig_put_body(rig, "shop:1", "body", 4), STORE_OK, "given an order");
        begin_move(&pair);
        int64_t began_ms = clock_mono_ms();
        is_result(rig_put_body(rig, "shop:2", "body", 4), STORE_UNAVAILABLE,
                  "a new one while its slot moves is refused");
        ok(clock_mono_ms() - began_ms < RIG_LATE_MS, "within REDIS_TIMEOUT");
        /* On a busy machine the time may end while the last try waits for its answer. Then Redis is left alone for
         * a while: by a handle that is opened anew it is not. */
        for (int i = 0; i < 10 && !strstr(rig_trouble(rig), "TRYAGAIN"); i++) {
            use(rig, "redis://127.0.0.1:%u,127.0.0.1:%u", pair.b.port, rig->port);
            (void)rig_put_body(rig, "shop:2", "body", 4);
        }
        ok(strstr(rig_trouble(rig), "TRYAGAIN"), "told: %s", rig_trouble(rig));
        (void)rig_reopen(rig);
        use(rig, "redis://127.0.0.1:%u", rig->port);
        snprintf(command, sizeof command, "CLUSTER SETSLOT %d STABLE", pair.slot);
        pid_t pid = later(rig, command);
        is_result(rig_put_body(rig, "shop:2", "body", 4), STORE_OK,
                  "it is repeated until the slot is at rest");
        is_int(rig_wait(pid), 0, "which it was");
        is_int(rig_read(rig, "shop:2").version, 1, "and done once");

        snprintf(command, sizeof command, "CLUSTER DELSLOTS %d", pair.slot);
        rig_tell(rig, command);
        snprintf(command, sizeof command, "CLUSTER ADDSLOTS %d", pair.slot);
        pid = later(rig, command);
        is_int(rig_read(rig, "shop:2").version, 1, "one that nobody serves is waited for, too");
        is_int(rig_wait(pid), 0, "until it is served");
    }
    rig_end(&pair.b);
}

/* Passes the greeting and one exchange on, but the second answer not back: its server did what was asked. */
static void swallow_answer(int listener, unsigned port)
{
    struct sockaddr_in name = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int here = accept(listener, NULL, NULL), there = socket(AF_INET, SOCK_STREAM, 0);
    char bytes[16384];

    if (here < 0 || there < 0 || connect(there, (const struct sockaddr *)&name, sizeof name) != 0)
        _exit(1);
    for (int i = 0; i < 2; i++) {
        ssize_t n = read(here, bytes, sizeof bytes);
        if (n <= 0 || write(there, bytes, (size_t)n) != n || (n = read(there, bytes, sizeof bytes)) <= 0 ||
            (i == 0 && write(here, bytes, (size_t)n) != n))
            _exit(1);
    }
    _exit(0);
}

static void a_commit_whose_answer_is_lost(struct rig *rig)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof name;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct rig_commit commit;

    is_result(rig_put_body(rig, "shop:2", "body", 4), STORE_OK, "given a server that knows the script");
    int64_t now = rig_now(rig);
    struct order_record order = rig_queued(now, RIG_BODY);
    if (!ok(bind(listener, (struct sockaddr *)&name, len) == 0 && listen(listener, 8) == 0 &&
                getsockname(listener, (struct sockaddr *)&name, &len) == 0,
            "given a link"))
        return;
    use(rig, "redis://127.0.0.1:%u", ntohs(name.sin_port));
    rig_commit_init(&commit, "shop:1", NULL, &order, now);
    commit.order.blob = (struct store_blob){RIG_BODY, "body", 4};
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        swallow_answer(listener, rig->port);
    is_result(rig_commit_run(rig, &commit), STORE_UNAVAILABLE, "that breaks before the answer to a commit");
    is_int(rig_wait(pid), 0, "which the server has done");
    close(listener);
    use(rig, "redis://127.0.0.1:%u", rig->port);
    is_result(rig_commit_run(rig, &commit), STORE_CHANGED, "repeated, it is not done again");
    is_str(commit.current.current.id, RIG_BODY, "the order is the one that was committed");
    is_int(commit.current.version, 1, "once");
    is_int(rig_ask_number(rig, "ZCARD " RIG_BASE ":due"), 2, "and due once");
}

static void seeds_of_no_cluster(struct rig *rig)
{
    struct rig other;
    struct order_record order;
    static const char *const extra[] = {"--cluster-enabled", "no", NULL};

    (void)rig;
    rig_begin(&other, &rig_node);
    rig_server_stop(&other);
    char port[8];
    snprintf(port, sizeof port, "%u", other.port);
    const char *const alone[] = {"--port", port, extra[0], extra[1], NULL};
    other.config.redis_timeout_ms = RIG_TIMEOUT_MS;
    if (rig_server_start(&other, alone)) {
        use(&other, "redis://127.0.0.1:%u,127.0.0.1:%u", other.port, other.port);
        is_result(rig_try_read(&other, "shop:1", &order), STORE_UNAVAILABLE, "given hosts that are no nodes");
        ok(strstr(rig_trouble(&other), "no node of a Redis Cluster"), "told: %s", rig_trouble(&other));
        use(&other, "redis://127.0.0.1:%u", other.port);
        is_result(rig_try_read(&other, "shop:1", &order), STORE_OK, "one of them alone is used");
        use(&other, "redis+sentinel://127.0.0.1:%u/shop", other.port);
        is_result(rig_try_read(&other, "shop:1", &order), STORE_UNAVAILABLE,
                  "given a server that is no sentinel");
        ok(strstr(rig_trouble(&other), "the sentinel refuses"), "told: %s", rig_trouble(&other));
    }
    rig_end(&other);
}

int main(void)
{
    static const struct rig_case cases[] = {
        RIG_CASE(another_node_is_found),
        RIG_CASE(a_slot_that_moved),
        RIG_CASE(a_slot_under_way),
        RIG_CASE(a_commit_that_is_to_wait),
        RIG_CASE(a_commit_whose_answer_is_lost),
        RIG_CASE(seeds_of_no_cluster),
    };
    return rig_redis_main(&rig_cluster, cases, sizeof cases / sizeof *cases);
}
