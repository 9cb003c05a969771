/* store: what only Redis can do to it. Scripts forgotten, a hung server, refusals, AUTH, databases, restarts.
 */
#include "base/clock.h"
#include "store/store_rig.h"
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Asks until it is answered again: the back-off is 1 s. */
static void comes_back(struct rig *rig, const char *key, int64_t since_ms)
{
    int64_t deadline = clock_mono_ms() + 10000;
    enum store_claim_result result = CLAIM_UNAVAILABLE;

    while (result == CLAIM_UNAVAILABLE && clock_left_ms(deadline) > 0) {
        rig_pass_ms(20);
        struct store_claim c = rig_state(key, "aa", 1000);
        struct store_claim_reply reply;
        struct store_entry entry = {0};
        result = store_claim(rig->store, &c, &reply, &entry);
        store_entry_free(&entry);
        if (result == CLAIM_OTHER_KEY && ok(vault_settle(rig->vault), "it is empty and gets the data key"))
            result = CLAIM_UNAVAILABLE;
    }
    is_claim(result, CLAIM_NEW, "it is used again");
    int64_t away_ms = clock_mono_ms() - since_ms;
    ok(away_ms >= 950, "after a back-off of 1 s (%lld ms)", (long long)away_ms);
}

static void scripts_are_forgotten(void)
{
    struct rig rig;

    if (rig_begin_redis(&rig)) {
        is_claim(rig_take(&rig, "shop:1"), CLAIM_NEW, "given a server that knows the script");
        rig_tell(&rig, "SCRIPT FLUSH");
        is_claim(rig_take(&rig, "shop:2"), CLAIM_NEW, "that it forgot: the claim goes through");
        is_claim(rig_take(&rig, "shop:1"), CLAIM_DUPLICATE, "and so does the next");
    }
    rig_end_redis(&rig);
}

static void a_hung_server(void)
{
    struct rig rig;

    if (rig_begin_redis(&rig)) {
        is_claim(rig_take(&rig, "shop:1"), CLAIM_NEW, "given a server");
        kill(rig.server.pid, SIGSTOP);
        int64_t began_ms = clock_mono_ms();
        is_claim(rig_take(&rig, "shop:2"), CLAIM_UNAVAILABLE, "that hangs");
        int64_t failed_ms = clock_mono_ms(), took_ms = failed_ms - began_ms;
        ok(took_ms >= RIG_TIMEOUT_MS - 50 && took_ms < RIG_TIMEOUT_MS + 400,
           "answered within REDIS_TIMEOUT: %lld ms", (long long)took_ms);
        ok(strstr(store_trouble(rig.store), "did not answer within 500 ms"), "and told: %s",
           store_trouble(rig.store));
        began_ms = clock_mono_ms();
        is_claim(rig_take(&rig, "shop:3"), CLAIM_UNAVAILABLE, "the next within 1 s");
        ok(clock_mono_ms() - began_ms < 100, "does not even try");
        kill(rig.server.pid, SIGCONT);
        comes_back(&rig, "shop:4", failed_ms);
    }
    rig_end_redis(&rig);
}

static void a_server_that_is_away(void)
{
    struct rig rig;
    struct store_stats stats;

    if (rig_begin_redis(&rig)) {
        is_claim(rig_take(&rig, "shop:1"), CLAIM_NEW, "given a server");
        rig_server_stop(&rig.server);
        int64_t began_ms = clock_mono_ms();
        is_claim(rig_take(&rig, "shop:1"), CLAIM_UNAVAILABLE, "that is gone");
        is_result(store_stats(rig.store, &stats), STORE_UNAVAILABLE, "for every verb");
        ok(clock_mono_ms() - began_ms < RIG_TIMEOUT_MS, "at once");
        ok(strstr(store_trouble(rig.store), rig.server.socket), "told by name: %s", store_trouble(rig.store));
        if (rig_server_start(&rig.server, rig.dir, NULL))
            comes_back(&rig, "shop:1", began_ms);
    }
    rig_end_redis(&rig);
}

static void restarted_empty(void)
{
    struct rig rig;
    struct store_entry entry = {0};
    struct store_claim_reply reply;

    if (rig_begin_redis(&rig)) {
        struct store_claim c = rig_state("shop:1", "aa", 1000);
        c.created_s = rig_now_s() + 1;
        is_claim(rig_take(&rig, "shop:0"), CLAIM_NEW, "given a server");
        rig_server_stop(&rig.server);
        rig_pass_ms(2100); /* the order's second must lie before the new server's first */
        if (rig_server_start(&rig.server, rig.dir, NULL)) {
            struct rig other;
            ok(rig_join(&other, &rig, NULL), "it was restarted empty, and the vault is kept in DATA_DIR");
            is_claim(store_claim(other.store, &c, &reply, &entry), CLAIM_NEW, "an order from before");
            ok(entry.look_first, "is looked for first");
            store_entry_free(&entry);
            is_claim(rig_take(&rig, "shop:0"), CLAIM_NEW,
                     "a connection that the server closed costs no call, and nothing is remembered");
            rig_close(&other);
        }
    }
    rig_end_redis(&rig);
}

/* It may lack its last writes: cards that it does not know may have been made just before. */
static void restarted_with_its_data(void)
{
    static const char *const append[] = {"--appendonly", "yes", "--appendfsync", "always", NULL};
    struct rig rig;
    struct error lost = ERROR_NONE;
    struct store_entry entry = {0};
    struct store_claim_reply reply;

    rig_make_place(&rig);
    if (rig_server_start(&rig.server, rig.dir, append) && rig_config(&rig, NULL) && rig_open(&rig)) {
        struct store_claim c = rig_state("shop:2", "aa", 1000);
        c.created_s = rig_now_s() - 5;
        is_claim(rig_take(&rig, "shop:1"), CLAIM_NEW, "given a server that keeps its data");
        is_claim(store_claim(rig.store, &c, &reply, &entry), CLAIM_NEW, "an order from before it was used");
        ok(!store_lost(rig.store, &lost), "nothing is lost");
        ok(entry.look_first && entry.forgot_age_ms == -1, "is looked for, at once");
        store_entry_free(&entry);
        store_shift_clock(rig.store, 30000);
        rig_server_stop(&rig.server);
        if (rig_server_start(&rig.server, rig.dir, append)) {
            struct store_stats stats;
            int64_t deadline = clock_mono_ms() + 10000; /* it reads its data first */
            while (store_stats(rig.store, &stats) != STORE_OK && clock_left_ms(deadline) > 0)
                rig_pass_ms(50);
            c.key = "shop:3";
            is_claim(store_claim(rig.store, &c, &reply, &entry), CLAIM_NEW, "when it was restarted, another");
            ok(entry.look_first, "is looked for, too");
            is_about(entry.forgot_age_ms, 0, "with patience");
            store_entry_free(&entry);
            ok(rig_look(&rig, "shop:1").leased, "what it held is there");
            is_about(rig_stats(&rig).born_age_s * 1000, 0, "it is born anew");
            is_about(rig_stats(&rig).used_age_s * 1000, 30000, "and used since it was first");
            ok(store_lost(rig.store, &lost) && strstr(lost.text, "restarted"), "something may be: %s",
               lost.text);
            ok(!store_lost(rig.store, &lost), "which is told once");
        }
    }
    rig_end_redis(&rig);
}

static void a_password(void)
{
    struct rig rig;
    struct rig other;
    char url[2][RIG_PATH_SIZE + 64];

    rig_make_place(&rig);
    if (rig_server_start(&rig.server, rig.dir, NULL)) {
        rig_tell(&rig, "ACL SETUSER shop on ~* +@all >s3cret:/@");
        rig_tell(&rig, "ACL SETUSER default off");
        snprintf(url[0], sizeof url[0], "REDIS_URL=unix://shop:s3cret%%3A%%2F%%40@%s", rig.server.socket);
        const char *const right[] = {url[0], NULL};
        if (rig_config(&rig, right) && rig_open(&rig)) {
            is_claim(rig_take(&rig, "shop:1"), CLAIM_NEW, "user and password are told");
            rig_close(&rig);
        }
        snprintf(url[1], sizeof url[1], "REDIS_URL=unix://shop:wrong-password@%s", rig.server.socket);
        const char *const bad[] = {url[1], NULL};
        (void)rig_join(&other, &rig, bad);
        is_claim(rig_take(&other, "shop:1"), CLAIM_UNAVAILABLE, "a wrong password");
        ok(strstr(store_trouble(other.store), "AUTH: WRONGPASS"), "is told: %s", store_trouble(other.store));
        ok(!strstr(store_trouble(other.store), "wrong-password"), "without the password");
        rig_close(&other);
        (void)rig_join(&other, &rig, NULL);
        is_claim(rig_take(&other, "shop:1"), CLAIM_UNAVAILABLE, "none");
        ok(strstr(store_trouble(other.store), "NOAUTH"), "is told: %s", store_trouble(other.store));
        rig_close(&other);
    }
    rig_end_redis(&rig);
}

static void a_database(void)
{
    struct rig rig;
    struct rig other;
    char url[RIG_PATH_SIZE + 64], answer[64];

    if (rig_begin_redis(&rig)) {
        snprintf(url, sizeof url, "REDIS_URL=unix://%s?db=3", rig.server.socket);
        const char *const third[] = {url, NULL};
        is_claim(rig_take(&rig, "shop:1"), CLAIM_NEW, "given an order in database 0");
        if (rig_join(&other, &rig, third)) {
            is_claim(rig_take(&other, "shop:1"), CLAIM_NEW, "it is new in database 3");
            is_claim(rig_take(&other, "shop:1"), CLAIM_DUPLICATE, "once");
            rig_ask(&rig, "INFO keyspace", answer, sizeof answer);
            ok(strstr(answer, "db0:"), "both hold keys");
        }
        rig_close(&other);
    }
    rig_end_redis(&rig);
}

static void no_memory(void)
{
    struct rig rig;
    char token[STORE_TOKEN_SIZE];

    if (rig_begin_redis(&rig)) {
        rig_new(&rig, "shop:1", "aa", token);
        rig_tell(&rig, "CONFIG SET maxmemory 1");
        is_claim(rig_take(&rig, "shop:2"), CLAIM_FULL, "no memory is left: full");
        is_result(store_renew(rig.store, "shop:1", token, LEASE_MS), STORE_OK, "what ends work may still go");
        rig_finish(&rig, "shop:1", token, "aa", "contact", "card");
        rig_tell(&rig, "CONFIG SET maxmemory 0");
        is_claim(rig_take(&rig, "shop:2"), CLAIM_NEW, "and it goes on at once");
    }
    rig_end_redis(&rig);
}

static void a_policy_that_evicts(void)
{
    struct rig rig;

    if (rig_begin_redis(&rig)) {
        is_str(rig_stats(&rig).problem, "", "noeviction is right");
        ok(strstr(rig_stats(&rig).durability, "appendonly"), "no persistence is told: %s",
           rig_stats(&rig).durability);
        rig_tell(&rig, "CONFIG SET maxmemory-policy allkeys-lru");
        ok(strstr(rig_stats(&rig).problem, "noeviction"), "eviction is a problem: %s",
           rig_stats(&rig).problem);
        rig_tell(&rig, "CONFIG SET appendonly yes");
        rig_tell(&rig, "CONFIG SET appendfsync always");
        is_str(rig_stats(&rig).durability, "", "with appendfsync always nothing is lost");
    }
    rig_end_redis(&rig);
}

static void info_is_refused(void)
{
    const char *const extra[] = {"--rename-command", "INFO", "", NULL};
    struct rig rig;

    rig_make_place(&rig);
    if (ok(rig_server_start(&rig.server, rig.dir, extra), "given a server that does not tell of itself") &&
        rig_config(&rig, rig_hasty) && rig_open(&rig)) {
        is_claim(rig_take(&rig, "shop:1"), CLAIM_NEW, "it takes orders");
        ok(strstr(rig_stats(&rig).durability, "allow INFO"), "what is not known is told: %s",
           rig_stats(&rig).durability);
    }
    rig_end_redis(&rig);
}

/* -- a server that only refuses -- */

/* Every command ends with its last line; INFO and its like are answered empty, scripts with the error. */
static void refuse_one(int fd, const char *error)
{
    char bytes[65536];
    ssize_t n;

    while ((n = read(fd, bytes, sizeof bytes - 1)) > 0) {
        bytes[n] = '\0';
        const char *answer = strstr(bytes, "EVAL") ? error : "*0\r\n$0\r\n\r\n";
        if (write(fd, answer, strlen(answer)) < 0)
            return;
    }
}

static pid_t start_refusing(const char *path, const char *error)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    size_t n = strlen(path);

    if (n >= sizeof name.sun_path)
        return -1;
    memcpy(name.sun_path, path, n + 1);
    unlink(path);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&name, sizeof name) != 0 || listen(fd, 8) != 0)
        return -1;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(20);
        for (;;) {
            int client = accept(fd, NULL, NULL);
            if (client < 0)
                _exit(1);
            refuse_one(client, error);
            close(client);
        }
    }
    close(fd);
    return pid;
}

static void refusals(void)
{
    static const struct {
        const char *error, *word;
        enum store_claim_result want;
    } refusal[] = {
        {"-LOADING Redis is loading the dataset in memory\r\n", "LOADING", CLAIM_UNAVAILABLE},
        {"-READONLY You can't write against a read only replica.\r\n", "READONLY", CLAIM_UNAVAILABLE},
        {"-MISCONF Redis is configured to save RDB snapshots\r\n", "MISCONF", CLAIM_UNAVAILABLE},
        {"-NOREPLICAS Not enough good replicas to write.\r\n", "NOREPLICAS", CLAIM_UNAVAILABLE},
        {"-OOM command not allowed when used memory > 'maxmemory'.\r\n", "maxmemory", CLAIM_FULL},
        {"-ERR Error running script: -OOM command not allowed when\r\n", "maxmemory", CLAIM_FULL},
        {"+OK\r\n", "no array", CLAIM_UNAVAILABLE},
        {"$-1\r\n", "no array", CLAIM_UNAVAILABLE},
        {"nonsense\r\n", "understood", CLAIM_UNAVAILABLE},
        {"*1\r\n:", "answer within", CLAIM_UNAVAILABLE},
    };
    struct rig rig;
    char url[RIG_PATH_SIZE + 64];

    if (rig_begin_redis(&rig))
        for (size_t i = 0; i < sizeof refusal / sizeof *refusal; i++) {
            char path[RIG_PATH_SIZE + 16];
            struct error e = ERROR_NONE;
            struct rig other = {.redis = true, .server = rig.server};
            memcpy(other.dir, rig.dir, sizeof other.dir);
            snprintf(path, sizeof path, "%s/fake.sock", rig.dir);
            snprintf(url, sizeof url, "REDIS_URL=unix://%s", path);
            const char *const settings[] = {url, rig_hasty[0], NULL};
            pid_t pid = start_refusing(path, refusal[i].error);
            if (ok(pid > 0 && rig_config(&other, settings), "given %.20s", refusal[i].word)) {
                other.store = store_open(&other.config, NULL, &e);
                store_use_vault(other.store, rig.vault);
                int64_t began_ms = clock_mono_ms();
                is_claim(rig_take(&other, "shop:1"), refusal[i].want, "refused with %s", refusal[i].word);
                ok(clock_mono_ms() - began_ms < RIG_TIMEOUT_MS + 400, "within REDIS_TIMEOUT");
                ok(strstr(store_trouble(other.store), refusal[i].word), "told: %s",
                   store_trouble(other.store));
            }
            rig_close(&other);
            if (pid > 0) {
                kill(pid, SIGKILL);
                rig_wait(pid);
            }
        }
    rig_end_redis(&rig);
}

/* An attempt that was recorded just now, and that this command makes one of elsewhere. */
static void attempted_elsewhere(struct rig *rig, const char *command, const char *reply)
{
    const struct store_progress about = {
        .attempt = STORE_ATTEMPT_OPPORTUNITY, .attempt_note = "{}", .lease_ms = LEASE_MS};
    char token[STORE_TOKEN_SIZE], answer[64];

    rig_new(rig, "shop:1", "aa", token);
    is_result(store_progress(rig->store, "shop:1", token, &about, NULL), STORE_OK, "given an attempt");
    rig_ask(rig, command, answer, sizeof answer);
    is_str(answer, reply, "%s", command);
}

/* Between machines no clock tells the age of an attempt: the server's may be set. It counts from when it was
 * seen. */
static void an_attempt_of_another_machine(void)
{
    struct rig rig;
    char answer[64];

    if (rig_begin_redis(&rig)) {
        attempted_elsewhere(&rig, "HSET {woo_ghl:location0}:entry:shop:1 attempt_watch another=5", "0");
        rig_watch_attempt(&rig, "shop:1");
        rig_ask(&rig, "HGET {woo_ghl:location0}:entry:shop:1 attempt_watch", answer, sizeof answer);
        ok(!strncmp(answer, "another=5 ", 10), "what the other machine saw stays its own");
    }
    rig_end_redis(&rig);
}

/* The version before kept one machine's clock in two fields of other names. */
static void an_attempt_of_the_version_before(void)
{
    struct rig rig;

    if (rig_begin_redis(&rig)) {
        attempted_elsewhere(&rig, "HDEL {woo_ghl:location0}:entry:shop:1 attempt_watch", "1");
        rig_watch_attempt(&rig, "shop:1");
    }
    rig_end_redis(&rig);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    scripts_are_forgotten();
    a_hung_server();
    a_server_that_is_away();
    restarted_empty();
    restarted_with_its_data();
    a_password();
    a_database();
    no_memory();
    a_policy_that_evicts();
    info_is_refused();
    refusals();
    an_attempt_of_another_machine();
    an_attempt_of_the_version_before();
    return tap_done();
}
