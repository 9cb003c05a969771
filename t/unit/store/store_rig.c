#include "store/store_rig.h"
#include "base/clock.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define START_MS 10000

/* -- directories and servers -- */

void rig_make_dir(char dir[RIG_PATH_SIZE])
{
    const char *tmp = getenv("TMPDIR");

    snprintf(dir, RIG_PATH_SIZE, "%s/woo_ghl-store-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(dir)) {
        printf("Bail out! %s: %s\n", dir, strerror(errno));
        exit(1);
    }
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

void rig_remove_dir(const char *dir)
{
    if (nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
        tap_note("%s: cannot be removed: %s", dir, strerror(errno));
}

static void become_server(const struct rig_server *server, const char *dir, const char *const extra[])
{
    const char *argv[32] = {
        "redis-server", "--port", "0",          "--unixsocket", server->socket, "--save", "", "--dir", dir,
        "--appendonly", "no",     "--loglevel", "warning"};
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

static bool answers(const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    size_t n = strlen(path);
    bool fits = n < sizeof name.sun_path;
    if (fits)
        memcpy(name.sun_path, path, n + 1);
    bool good = fits && fd >= 0 && connect(fd, (const struct sockaddr *)&name, sizeof name) == 0;
    if (fd >= 0)
        close(fd);
    return good;
}

bool rig_server_start(struct rig_server *server, const char *dir, const char *const extra[])
{
    int64_t deadline = clock_mono_ms() + START_MS;

    if ((size_t)snprintf(server->socket, sizeof server->socket, "%s/redis.sock", dir) >=
        sizeof server->socket)
        return false;
    unlink(server->socket);
    fflush(stdout);
    server->pid = fork();
    if (server->pid == 0)
        become_server(server, dir, extra);
    while (server->pid > 0 && clock_left_ms(deadline) > 0) {
        if (answers(server->socket))
            return ok(true, "redis-server answers");
        if (waitpid(server->pid, NULL, WNOHANG) == server->pid)
            break;
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    return ok(false, "redis-server answers on %s: is it installed?", server->socket);
}

void rig_server_stop(struct rig_server *server)
{
    if (server->pid <= 0)
        return;
    kill(server->pid, SIGCONT);
    kill(server->pid, SIGKILL);
    rig_wait(server->pid);
    server->pid = 0;
}

/* A directory, and a settings file in it that says nothing. */
static void make_dir(struct rig *rig)
{
    char path[RIG_PATH_SIZE + 8];

    rig_make_dir(rig->dir);
    snprintf(path, sizeof path, "%s/env", rig->dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
}

void rig_make_place(struct rig *rig)
{
    *rig = (struct rig){.redis = true};
    make_dir(rig);
}

const char *const rig_hasty[] = {"REDIS_TIMEOUT=500ms", NULL};

bool rig_begin_redis(struct rig *rig)
{
    rig_make_place(rig);
    return rig_server_start(&rig->server, rig->dir, NULL) && rig_config(rig, rig_hasty) && rig_open(rig);
}

void rig_end_redis(struct rig *rig)
{
    rig_close(rig);
    rig_server_stop(&rig->server);
    rig_remove_dir(rig->dir);
}

void rig_ask(const struct rig *rig, const char *command, char *out, size_t size)
{
    redisContext *c = redisConnectUnix(rig->server.socket);
    redisReply *reply = c && !c->err ? redisCommand(c, command) : NULL;

    out[0] = '\0';
    if (reply && reply->type == REDIS_REPLY_INTEGER)
        snprintf(out, size, "%lld", reply->integer);
    else if (reply && reply->str)
        snprintf(out, size, "%s", reply->str);
    if (reply)
        freeReplyObject(reply);
    if (c)
        redisFree(c);
}

void rig_tell(const struct rig *rig, const char *command)
{
    char answer[256];
    rig_ask(rig, command, answer, sizeof answer);
    is_str(answer, "OK", "given %s", command);
}

int rig_wait(pid_t pid)
{
    int status = 0;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* -- one worker -- */

/* NAME = before, value and after, one after the other. */
static void set(const char *name, const char *before, const char *value, const char *after)
{
    char text[2 * RIG_PATH_SIZE];

    snprintf(text, sizeof text, "%s%s%s", before, value, after);
    if (setenv(name, text, 1) != 0)
        abort();
}

static void set_pair(const char *pair)
{
    char name[64];
    size_t n = strcspn(pair, "=");

    snprintf(name, sizeof name, "%.*s", (int)n, pair);
    set(name, "", pair + n + 1, "");
}

bool rig_config(struct rig *rig, const char *const extra[])
{
    struct config_report report = {0};
    char location[32];

    clearenv();
    snprintf(location, sizeof location, "location%d", rig->location);
    set("PATH", "", "/usr/local/bin:/usr/bin:/bin:/usr/sbin", "");
    set("WOO_GHL_ENV", "", rig->dir, "/env");
    set("WOO_WEBHOOK_SECRET", "", "a secret of the tests, long enough", "");
    set("GHL_API_KEY", "", "pit-00000000-0000-0000-0000-000000000000", "");
    set("GHL_LOCATION_ID", "", location, "");
    set("GHL_PIPELINE_ID", "", "pipeline", "");
    set("DATA_DIR", "", rig->dir, "/data");
    if (rig->redis)
        set("REDIS_URL", "unix://", rig->server.socket, "");
    set("REDIS_TIMEOUT", "", "5s", ""); /* for a busy machine */
    for (size_t i = 0; extra && extra[i]; i++)
        set_pair(extra[i]);
    bool good = config_load(&rig->config, &report);
    for (size_t i = 0; i < report.problem_count; i++)
        tap_note("%s", report.problem[i]);
    config_report_free(&report);
    return good || ok(false, "the configuration is taken");
}

static enum store_result shelf_get(void *context, const char *name, char **out)
{
    return store_get(context, name, out);
}

static enum store_result shelf_put(void *context, const char *name, const char *value, int64_t ttl_ms,
                                   bool if_absent, char **out)
{
    return store_put(context, name, value, ttl_ms, if_absent, out);
}

bool rig_open(struct rig *rig)
{
    struct error e = ERROR_NONE;

    rig->vault = NULL;
    rig->store = store_open(&rig->config, NULL, &e);
    if (!rig->store)
        return ok(false, "the store opens: %s", e.text);
    const struct vault_shelf shelf = {.context = rig->store, .get = shelf_get, .put = shelf_put};
    rig->vault = vault_open(&rig->config, &shelf, NULL, &e);
    if (!rig->vault)
        return ok(false, "the vault opens: %s", e.text);
    store_use_vault(rig->store, rig->vault);
    return true;
}

void rig_close(struct rig *rig)
{
    store_close(rig->store);
    vault_free(rig->vault);
    config_free(&rig->config);
    rig->store = NULL;
    rig->vault = NULL;
}

bool rig_join(struct rig *other, const struct rig *rig, const char *const extra[])
{
    *other = (struct rig){.redis = rig->redis, .server = rig->server, .location = rig->location};
    memcpy(other->dir, rig->dir, sizeof other->dir);
    return rig_config(other, extra) && rig_open(other);
}

/* -- all cases -- */

static void run_all(struct rig *rig, const struct rig_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        tap_note("%s: %s", rig->redis ? "redis" : "sqlite", cases[i].name);
        rig->location++;
        if (rig_config(rig, NULL) && rig_open(rig))
            cases[i].run(rig);
        rig_close(rig);
    }
}

static bool make_env(const char *dir)
{
    char path[RIG_PATH_SIZE + 8];

    snprintf(path, sizeof path, "%s/env", dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    return fd >= 0 && close(fd) == 0;
}

int rig_main(const struct rig_case *cases, size_t n)
{
    for (int redis = 0; redis < 2; redis++) {
        struct rig rig = {.redis = redis};
        rig_make_dir(rig.dir);
        if (!make_env(rig.dir))
            ok(false, "%s can be written", rig.dir);
        else if (!redis || rig_server_start(&rig.server, rig.dir, NULL))
            run_all(&rig, cases, n);
        rig_server_stop(&rig.server);
        rig_remove_dir(rig.dir);
    }
    return tap_done();
}

/* -- both -- */

enum store_claim_result rig_take(struct rig *rig, const char *key)
{
    struct store_claim c = rig_state(key, "aa", 1000);
    return rig_claim(rig, &c, NULL);
}

void rig_watch_attempt(struct rig *rig, const char *key)
{
    static const struct {
        const char *what;
        int64_t set_ms, later_ms, age_ms, ago_ms;
    } looks[] = {
        {"an hour later", 0, HOUR_MS, 0, HOUR_MS},
        {"when the clock jumped ahead", HOUR_MS, 30000, 30000, 2 * HOUR_MS + 30000},
        {"when it was set back", -DAY_MS, 30000, MINUTE_MS, MINUTE_MS},
        {"two minutes later", 0, 2 * MINUTE_MS, 3 * MINUTE_MS, 3 * MINUTE_MS},
    };
    struct store_entry entry = {0};

    for (size_t i = 0; i < sizeof looks / sizeof *looks; i++) {
        store_set_clock(rig->store, looks[i].set_ms);
        store_shift_clock(rig->store, looks[i].later_ms);
        is_result(store_lease_due(rig->store, LEASE_MS, key, &entry, NULL, NULL), STORE_OK, "looked at %s",
                  looks[i].what);
        is_about(entry.attempt_age_ms, looks[i].age_ms, "so old it is at least");
        is_about(entry.attempt_ago_ms, looks[i].ago_ms, "and so old by the store's time");
        is_result(store_retry(rig->store, key, entry.token, 0, true, false, "why"), STORE_OK,
                  "given a retry");
        store_entry_free(&entry);
    }
}

void rig_pass_ms(int64_t ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* -- the embedded store alone -- */

void rig_path(const struct rig *rig, const char *name, char path[2 * RIG_PATH_SIZE])
{
    snprintf(path, 2 * RIG_PATH_SIZE, "%s/data/%s", rig->dir, name);
}

bool rig_begin_sqlite(struct rig *rig)
{
    *rig = (struct rig){.redis = false};
    make_dir(rig);
    return rig_config(rig, NULL);
}

void rig_end_sqlite(struct rig *rig)
{
    rig_close(rig);
    rig_remove_dir(rig->dir);
}

bool rig_sql(const struct rig *rig, const char *text)
{
    char path[2 * RIG_PATH_SIZE];
    sqlite3 *db = NULL;

    rig_path(rig, "store.db", path);
    bool good = sqlite3_open(path, &db) == SQLITE_OK && sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK;
    if (!good)
        tap_note("%s: %s", text, sqlite3_errmsg(db));
    sqlite3_close(db);
    return good;
}

int64_t rig_sql_number(const struct rig *rig, const char *text)
{
    char path[2 * RIG_PATH_SIZE];
    sqlite3 *db = NULL;
    sqlite3_stmt *row = NULL;
    int64_t number = -1;

    rig_path(rig, "store.db", path);
    if (sqlite3_open(path, &db) == SQLITE_OK && sqlite3_prepare_v2(db, text, -1, &row, NULL) == SQLITE_OK &&
        sqlite3_step(row) == SQLITE_ROW)
        number = sqlite3_column_int64(row, 0);
    sqlite3_finalize(row);
    sqlite3_close(db);
    return number;
}

/* -- shorthand -- */

int64_t rig_now_s(void)
{
    return clock_wall_ms() / 1000;
}

struct store_claim rig_state(const char *key, const char *fingerprint, int64_t modified_s)
{
    return (struct store_claim){.key = key,
                                .modified_s = modified_s,
                                .created_s = rig_now_s() + 60,
                                .fingerprint = fingerprint,
                                .hmac = "",
                                .body = fingerprint, /* so that it can be told which one is there */
                                .body_len = strlen(fingerprint),
                                .creates = true,
                                .client = "",
                                .work = true,
                                .lease_ms = LEASE_MS};
}

struct store_claim rig_never_creating(const char *key, const char *fingerprint, int64_t modified_s)
{
    struct store_claim claim = rig_state(key, fingerprint, modified_s);
    claim.creates = false;
    return claim;
}

struct store_claim rig_deleted(const char *key, const char *fingerprint)
{
    struct store_claim claim = rig_never_creating(key, fingerprint, 0);
    claim.status_only = true;
    claim.status = "trash";
    return claim;
}

int64_t rig_then(void)
{
    return rig_now_s() - 1000;
}

enum store_claim_result rig_claim(struct rig *rig, const struct store_claim *claim,
                                  char token[STORE_TOKEN_SIZE])
{
    struct store_claim_reply reply;
    struct store_entry entry = {0};
    enum store_claim_result result = store_claim(rig->store, claim, &reply, &entry);

    if (token)
        memcpy(token, entry.token, STORE_TOKEN_SIZE);
    if (result == CLAIM_UNAVAILABLE)
        tap_note("%s", store_trouble(rig->store));
    store_entry_free(&entry);
    return result;
}

void rig_new(struct rig *rig, const char *key, const char *fingerprint, char token[STORE_TOKEN_SIZE])
{
    struct store_claim claim = rig_state(key, fingerprint, rig_now_s() - 1000);
    is_claim(rig_claim(rig, &claim, token), CLAIM_NEW, "given %s, claimed as %s", key, fingerprint);
}

void rig_finish(struct rig *rig, const char *key, const char *token, const char *fingerprint,
                const char *contact, const char *opportunity)
{
    struct store_link link = {0};
    struct store_entry next = {0};
    bool has_next = true;

    snprintf(link.contact_id, sizeof link.contact_id, "%s", contact);
    snprintf(link.opportunity_id, sizeof link.opportunity_id, "%s", opportunity);
    is_result(store_finish(rig->store, key, token, fingerprint, &link, 0, &next, &has_next), STORE_OK,
              "given %s, finished", key);
    store_entry_free(&next);
}

void rig_due(struct rig *rig, const char *key, struct store_entry *entry)
{
    int64_t next_ms = 0;
    enum store_hold hold = STORE_GO;

    is_result(store_lease_due(rig->store, LEASE_MS, NULL, entry, &next_ms, &hold),
              key ? STORE_OK : STORE_NONE, "due now: %s", key ? key : "nothing");
    is_str(entry->key, key, "it is %s", key ? key : "none");
}

struct store_order rig_look(struct rig *rig, const char *key)
{
    struct store_order order = {0};
    is_result(store_look(rig->store, key, &order), STORE_OK, "%s is known", key);
    return order;
}

struct store_stats rig_stats(struct rig *rig)
{
    struct store_stats stats = {0};
    is_result(store_stats(rig->store, &stats), STORE_OK, "there are stats");
    return stats;
}

void rig_is_about(int64_t got, int64_t want_ms, const char *file, int line, const char *what)
{
    if (!tap_ok(got >= want_ms - 1000 && got <= want_ms + 20000, file, line, "%s", what))
        tap_note("  got %lld ms, want about %lld", (long long)got, (long long)want_ms);
}

void rig_is_left(int64_t got, int64_t want_ms, const char *file, int line, const char *what)
{
    if (!tap_ok(got > 0 && got >= want_ms - 20000 && got <= want_ms, file, line, "%s", what))
        tap_note("  got %lld ms, want %lld or a little less", (long long)got, (long long)want_ms);
}

const char *claim_word(enum store_claim_result result)
{
    static const char *const word[] = {
        [CLAIM_NEW] = "new",   [CLAIM_DUPLICATE] = "duplicate",     [CLAIM_STALE] = "stale",
        [CLAIM_BUSY] = "busy", [CLAIM_DEFERRED] = "deferred",       [CLAIM_IGNORED] = "ignored",
        [CLAIM_FULL] = "full", [CLAIM_UNAVAILABLE] = "unavailable", [CLAIM_OTHER_KEY] = "other key"};
    return word[result];
}

const char *result_word(enum store_result result)
{
    static const char *const word[] = {[STORE_OK] = "ok",
                                       [STORE_LOST] = "lost",
                                       [STORE_NONE] = "none",
                                       [STORE_OTHER_KEY] = "other key",
                                       [STORE_UNAVAILABLE] = "unavailable"};
    return word[result];
}
