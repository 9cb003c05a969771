/* store/redis: scripts forgotten, a hung server, restarts, refusals, and what a server promises. */
#include "base/clock.h"
#include "store/rig_redis.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define NOTE "c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0"

/* Asks until it is answered again: the wait is 1 s. */
static void comes_back(struct rig *rig, int64_t since_ms)
{
    int64_t deadline = clock_mono_ms() + 120000;
    struct order_record order;

    while (rig_try_read(rig, "shop:1", &order) != STORE_OK && clock_left_ms(deadline) > 0)
        (void)clock_sleep_ms(10, NULL);
    is_result(rig_try_read(rig, "shop:1", &order), STORE_OK, "it is used again");
    int64_t away_ms = clock_mono_ms() - since_ms;
    ok(away_ms >= 950, "after a wait of 1 s (%lld ms)", (long long)away_ms);
    is_str(rig_trouble(rig), "", "and nothing is wrong");
}

/* -- scripts -- */

static void scripts_are_forgotten(struct rig *rig)
{
    char info[4096];

    is_result(rig_put_body(rig, "shop:1", "body", 4), STORE_OK, "given a server that knows the scripts");
    rig_tell(rig, "SCRIPT FLUSH");
    is_result(rig_put_body(rig, "shop:2", "body", 4), STORE_OK, "that it forgot: a commit is done");
    is_result(rig->backend->lock(rig->state, "a", "t", MINUTE_MS), STORE_OK, "a lock is taken");
    is_result(rig->backend->put(rig->state, "v", "1", 0, false, NULL), STORE_OK, "and a value put");
    rig_tell(rig, "CONFIG RESETSTAT");
    is_result(rig_put_body(rig, "shop:3", "body", 4), STORE_OK, "then it knows them again");
    is_result(rig->backend->lock(rig->state, "a", "t", MINUTE_MS), STORE_OK, "that");
    is_result(rig->backend->put(rig->state, "v", "1", 0, false, NULL), STORE_OK, "and that");
    rig_ask(rig, "INFO commandstats", info, sizeof info);
    ok(strstr(info, "cmdstat_evalsha:calls=3,"), "by their hashes");
    ok(!strstr(info, "cmdstat_eval:"), "alone");
}

/* -- a server that is away -- */

static void a_hung_server(struct rig *rig)
{
    struct order_record order;

    is_result(rig_put_body(rig, "shop:1", "body", 4), STORE_OK, "given a server");
    kill(rig->server, SIGSTOP);
    int64_t began_ms = clock_mono_ms();
    is_result(rig_try_read(rig, "shop:1", &order), STORE_UNAVAILABLE, "that hangs");
    int64_t failed_ms = clock_mono_ms(), took_ms = failed_ms - began_ms;
    ok(took_ms >= RIG_TIMEOUT_MS - 10 && took_ms < RIG_LATE_MS, "answered within REDIS_TIMEOUT: %lld ms",
       (long long)took_ms);
    ok(strstr(rig_trouble(rig), "did not answer in time: REDIS_TIMEOUT is 3000 ms"), "and told: %s",
       rig_trouble(rig));
    began_ms = clock_mono_ms();
    is_result(rig_try_read(rig, "shop:1", &order), STORE_UNAVAILABLE, "the next within 1 s");
    ok(clock_mono_ms() - began_ms < RIG_TIMEOUT_MS || began_ms - failed_ms > 900, "does not even try");
    while (clock_mono_ms() - failed_ms < 1010)
        (void)clock_sleep_ms(10, NULL);
    began_ms = clock_mono_ms();
    is_result(rig_try_read(rig, "shop:1", &order), STORE_UNAVAILABLE, "the next after it does");
    took_ms = clock_mono_ms() - began_ms;
    ok(took_ms >= RIG_TIMEOUT_MS - 10 && took_ms < RIG_LATE_MS,
       "also if it has to connect: REDIS_TIMEOUT for all: %lld ms", (long long)took_ms);
    failed_ms = clock_mono_ms();
    kill(rig->server, SIGCONT);
    comes_back(rig, failed_ms);
}

/* What a commit that nobody waits for any more must not do. */
static void late_commits_are_not_done(struct rig *rig)
{
    int64_t now = rig_now(rig);
    struct order_record order = rig_queued(now, RIG_BODY), found;
    struct rig_commit commit;
    char value[64];

    rig_commit_init(&commit, "shop:1", NULL, &order, now);
    commit.order.blob = (struct store_blob){RIG_BODY, "body", 4};
    commit.order.value[0] = (struct store_value){"mark", "1", 0};
    kill(rig->server, SIGSTOP);
    is_result(rig_commit_run(rig, &commit), STORE_UNAVAILABLE, "given a commit that a server hangs on");
    int64_t failed_ms = clock_mono_ms();
    (void)clock_sleep_ms(50, NULL); /* by then it is past its deadline */
    kill(rig->server, SIGCONT);
    comes_back(rig, failed_ms);
    is_int(rig_ask_number(rig, "DBSIZE"), 0, "it is not done when the server goes on");
    is_result(rig_try_read(rig, "shop:1", &found), STORE_OK, "the order is read");
    is_int(found.version, 0, "and not there");
    is_str(rig_value(rig, "mark", value), "", "nor the value");
}

static void a_server_that_is_away(struct rig *rig)
{
    struct order_record order;
    struct store_sizes sizes;

    is_result(rig_put_body(rig, "shop:1", "body", 4), STORE_OK, "given a server");
    rig_server_stop(rig);
    int64_t began_ms = clock_mono_ms();
    is_result(rig_try_read(rig, "shop:1", &order), STORE_UNAVAILABLE, "that is gone");
    is_result(rig->backend->sizes(rig->state, &sizes), STORE_UNAVAILABLE, "for every call");
    ok(clock_mono_ms() - began_ms < RIG_TIMEOUT_MS, "at once");
    ok(strstr(rig_trouble(rig), rig->redis_url + strlen("unix://")), "told by name: %s", rig_trouble(rig));
    if (rig_server_start(rig, NULL))
        comes_back(rig, began_ms);
}

static void a_restarted_server(struct rig *rig)
{
    static const char *const append[] = {"--appendonly", "yes", "--appendfsync", "always", NULL};
    char before[RECORD_ID_SIZE], after[RECORD_ID_SIZE];
    struct order_record order = {0}, next;
    int64_t deadline = clock_mono_ms() + 120000;

    rig_server_stop(rig);
    if (!rig_server_start(rig, append) || !rig_reopen(rig))
        return;
    is_result(rig->backend->server(rig->state, before), STORE_OK, "given a server that keeps its data");
    is_int(strlen(before), 40, "by its run_id");
    is_result(rig_put_body(rig, "shop:1", "body", 4), STORE_OK, "and an order");
    rig_server_stop(rig);
    if (!rig_server_start(rig, append))
        return;
    while (rig_try_read(rig, "shop:1", &order) != STORE_OK && clock_left_ms(deadline) > 0)
        (void)clock_sleep_ms(10, NULL); /* it reads its data first */
    is_int(order.version, 1, "when it was restarted, the order is read");
    next = order;
    next.attempts++;
    is_result(rig_put(rig, "shop:1", &order, &next, NULL), STORE_UNAVAILABLE,
              "nothing is committed to a server that was not told about");
    ok(strstr(rig_trouble(rig), "restarted"), "for that reason: %s", rig_trouble(rig));
    is_result(rig->backend->server(rig->state, after), STORE_OK, "told");
    ok(strcmp(before, after) != 0, "it is another");
    is_result(rig_put(rig, "shop:1", &order, &next, NULL), STORE_OK, "then it is committed");
}

static void a_connection_that_the_server_closed(struct rig *rig)
{
    char answer[64];

    is_result(rig_put_body(rig, "shop:1", "body", 4), STORE_OK, "given a connection");
    rig_ask(rig, "CLIENT KILL TYPE normal SKIPME yes", answer, sizeof answer);
    is_str(answer, "1", "that the server closed");
    is_result(rig_put_body(rig, "shop:2", "body", 4), STORE_OK, "it costs no call");
}

/* -- refusals -- */

/* Fills the server up to its limit. */
static void fill(struct rig *rig)
{
    rig_tell(rig, "CONFIG SET maxmemory 1");
}

static void a_full_server(struct rig *rig)
{
    struct order_record order, next;
    struct rig_commit commit;
    char *there = NULL;

    is_result(rig_put_body(rig, "shop:1", "body", 4), STORE_OK, "given an order");
    fill(rig);
    is_result(rig_put_body(rig, "shop:2", "body", 4), STORE_FULL, "and no memory, a new body is refused");
    ok(strstr(rig_trouble(rig), "maxmemory"), "for that reason: %s", rig_trouble(rig));
    is_int(rig_read(rig, "shop:2").version, 0, "nothing of it is there");
    is_int(rig_ask_number(rig, "ZCARD " RIG_BASE ":due"), 1, "not in an index either");

    order = next = rig_read(rig, "shop:1");
    snprintf(next.lease, sizeof next.lease, "token");
    next.lease_ms = order.due_ms + MINUTE_MS;
    is_result(rig_put(rig, "shop:1", &order, &next, NULL), STORE_OK, "but the order is leased");
    order = next = rig_read(rig, "shop:1");
    next.attempt.kind = ATTEMPT_OPPORTUNITY;
    snprintf(next.attempt.blob, sizeof next.attempt.blob, "%s", NOTE);
    rig_commit_init(&commit, "shop:1", &order, &next, rig_now(rig));
    commit.order.blob = (struct store_blob){NOTE, "note", 4};
    is_result(rig_commit_run(rig, &commit), STORE_OK, "an attempt is recorded, with its note");
    is_result(rig->backend->lock(rig->state, "contact", "t", MINUTE_MS), STORE_OK, "a lock is taken");
    is_result(rig->backend->put(rig->state, "owner", "shop:1", 0, true, &there), STORE_OK, "a value put");
    free(there);
    order = rig_read(rig, "shop:1");
    next = rig_done(rig_now(rig));
    rig_commit_init(&commit, "shop:1", &order, &next, rig_now(rig));
    commit.c.drop_blob[0] = RIG_BODY;
    commit.c.drop_blob[1] = NOTE;
    commit.order.value[0] = (struct store_value){"idem", "1", MINUTE_MS};
    commit.order.count_client = "client";
    is_result(rig_commit_run(rig, &commit), STORE_OK, "and the order is finished");
    is_result(rig->backend->unlock(rig->state, "contact", "t"), STORE_OK, "the lock is given back");
    is_int(rig_ask_number(rig, "EXISTS " RIG_BASE ":blob:" RIG_BODY " " RIG_BASE ":blob:" NOTE), 0,
           "the bodies are gone");
    is_result(rig->backend->count(rig->state, "counter"), STORE_FULL, "a counter does not count");
    rig_tell(rig, "CONFIG SET maxmemory 0");
    is_result(rig_put_body(rig, "shop:2", "body", 4), STORE_OK, "with memory again, the body is taken");
}

static void a_replica(struct rig *rig)
{
    int64_t began_ms;

    is_result(rig_put_body(rig, "shop:1", "body", 4), STORE_OK, "given a server");
    rig_tell(rig, "REPLICAOF 127.0.0.1 1");
    is_result(rig_put_body(rig, "shop:2", "body", 4), STORE_UNAVAILABLE, "that became a replica");
    began_ms = clock_mono_ms();
    ok(strstr(rig_trouble(rig), "READONLY"), "told: %s", rig_trouble(rig));
    if (rig_reopen(rig)) {
        struct order_record order;
        is_result(rig_try_read(rig, "shop:1", &order), STORE_UNAVAILABLE, "nor is it read from then");
        ok(strstr(rig_trouble(rig), "it is a replica"), "told: %s", rig_trouble(rig));
    }
    rig_tell(rig, "REPLICAOF NO ONE");
    comes_back(rig, began_ms);
    is_int(rig_read(rig, "shop:2").version, 0, "nothing was done");
}

/* While its disk fails, Redis refuses writes. */
static void a_server_that_cannot_save(struct rig *rig)
{
    static const char *const save[] = {"--save", "3600 1", "--dbfilename", "nothing.rdb", NULL};
    char answer[256], path[RIG_PATH_SIZE + 16];
    int64_t deadline = clock_mono_ms() + 120000;

    rig_server_stop(rig);
    if (!rig_server_start(rig, save) || !rig_reopen(rig))
        return;
    is_result(rig_put_body(rig, "shop:1", "body", 4), STORE_OK, "given a server");
    snprintf(path, sizeof path, "%s/nothing.rdb", rig->dir); /* a directory cannot be replaced by a file */
    is_int(mkdir(path, 0700), 0, "that cannot write");
    rig_ask(rig, "BGSAVE", answer, sizeof answer);
    do {
        (void)clock_sleep_ms(10, NULL);
        rig_ask(rig, "SET x 1", answer, sizeof answer);
    } while (strncmp(answer, "MISCONF", 7) != 0 && clock_left_ms(deadline) > 0);
    is_result(rig_put_body(rig, "shop:2", "body", 4), STORE_UNAVAILABLE, "whose disk fails");
    ok(strstr(rig_trouble(rig), "MISCONF"), "told: %s", rig_trouble(rig));
}

static void a_password(struct rig *rig)
{
    static const char *const locked[] = {"--requirepass", "p@ss", NULL};
    static const struct {
        const char *credentials, *trouble;
    } cases[] = {
        {"", "NOAUTH"},     {":wrong@", "WRONGPASS"},  {"nobody:p%40ss@", "WRONGPASS"},
        {":p%40ss@", NULL}, {"default:p%40ss@", NULL},
    };
    char plain[sizeof rig->redis_url];

    rig_server_stop(rig);
    if (!rig_server_start(rig, locked))
        return;
    memcpy(plain, rig->redis_url, sizeof plain);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct order_record order;
        snprintf(rig->redis_url, sizeof rig->redis_url, "unix://%s%.128s?db=3", cases[i].credentials,
                 plain + strlen("unix://"));
        if (!rig_reopen(rig))
            continue;
        is_result(rig_try_read(rig, "shop:1", &order), cases[i].trouble ? STORE_UNAVAILABLE : STORE_OK,
                  "given the credentials '%s'", cases[i].credentials);
        if (cases[i].trouble)
            ok(strstr(rig_trouble(rig), cases[i].trouble), "told: %s", rig_trouble(rig));
        ok(!strstr(rig_trouble(rig), "p@ss") && !strstr(rig_trouble(rig), "wrong@"), "without the password");
    }
    is_result(rig_put_body(rig, "shop:1", "body", 4), STORE_OK, "an order is committed");
    memcpy(rig->redis_url, plain, sizeof plain);
}

/* A hosted server tells little of itself. */
static void a_server_that_tells_little(struct rig *rig)
{
    static const char *const acl[] = {"--user", "default", "on",      "nopass", "~*",
                                      "+@all",  "-info",   "-config", NULL};
    struct store_about about;
    char server[RECORD_ID_SIZE];

    rig_server_stop(rig);
    if (!rig_server_start(rig, acl) || !rig_reopen(rig))
        return;
    is_result(rig->backend->server(rig->state, server), STORE_OK, "given a server that refuses INFO");
    is_str(server, "unknown", "its name is unknown");
    is_result(rig_put_body(rig, "shop:1", "body", 4), STORE_OK, "an order is committed");
    is_result(rig->backend->about(rig->state, &about), STORE_OK, "what it promises");
    ok(!strncmp(about.durability, "unknown", 7), "is unknown: %s", about.durability);
}

static void is_promised(struct rig *rig, const char *want, const char *what)
{
    struct store_about about;

    is_result(rig->backend->about(rig->state, &about), STORE_OK, "given %s", what);
    ok(!strncmp(about.durability, want, strlen(want)) && !*want == !*about.durability, "it is told: %s",
       about.durability);
    is_str(about.problem, "", "there is no problem");
}

static void what_a_server_promises(struct rig *rig)
{
    static const char *const snapshots[] = {"--save", "3600 1", NULL};
    struct store_about about;

    is_promised(rig, "none: ", "no file at all");
    rig_server_stop(rig);
    if (!rig_server_start(rig, snapshots) || !rig_reopen(rig))
        return;
    is_promised(rig, "weak: ", "snapshots");
    rig_tell(rig, "CONFIG SET appendonly yes");
    is_promised(rig, "appendfsync is everysec", "a log");
    rig_tell(rig, "CONFIG SET appendfsync no");
    is_promised(rig, "appendfsync is no", "one that the system writes");
    rig_tell(rig, "CONFIG SET appendfsync always");
    is_promised(rig, "", "one that is written at once");
    rig_tell(rig, "CONFIG SET maxmemory-policy allkeys-lru");
    is_result(rig->backend->about(rig->state, &about), STORE_OK, "given a policy that evicts");
    ok(strstr(about.problem, "maxmemory-policy is allkeys-lru"), "it is a problem: %s", about.problem);
}

int main(void)
{
    static const struct rig_case cases[] = {
        RIG_CASE(scripts_are_forgotten),
        RIG_CASE(a_hung_server),
        RIG_CASE(late_commits_are_not_done),
        RIG_CASE(a_server_that_is_away),
        RIG_CASE(a_restarted_server),
        RIG_CASE(a_connection_that_the_server_closed),
        RIG_CASE(a_full_server),
        RIG_CASE(a_replica),
        RIG_CASE(a_server_that_cannot_save),
        RIG_CASE(a_password),
        RIG_CASE(a_server_that_tells_little),
        RIG_CASE(what_a_server_promises),
    };
    return rig_redis_main(&rig_redis, cases, sizeof cases / sizeof *cases);
}
