/* store: what only the embedded store has: its file, its clock, its disk. */
#include "base/clock.h"
#include "base/text.h"
#include "store/rig.h"
#include "store/sqlite/db.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define BODY "b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0"

/* -- another program's hand in the file -- */

static void path_of(const struct rig *rig, const char *name, char out[2 * RIG_PATH_SIZE])
{
    snprintf(out, 2 * (size_t)RIG_PATH_SIZE, "%s/%s", rig->data_dir, name);
}

static sqlite3 *by_hand(const struct rig *rig)
{
    char path[2 * RIG_PATH_SIZE];
    sqlite3 *db = NULL;

    path_of(rig, "store.db", path);
    if (sqlite3_open(path, &db) != SQLITE_OK)
        ok(false, "%s opens by hand", path);
    return db;
}

static void sql(const struct rig *rig, const char *text)
{
    sqlite3 *db = by_hand(rig);
    char *why = NULL;

    if (sqlite3_exec(db, text, NULL, NULL, &why) != SQLITE_OK)
        ok(false, "%s: %s", text, why);
    sqlite3_free(why);
    sqlite3_close(db);
}

/* The first column of the first row as text; "" = no row. */
static const char *sql_text(const struct rig *rig, const char *text, char out[64])
{
    sqlite3 *db = by_hand(rig);
    sqlite3_stmt *row = NULL;

    out[0] = '\0';
    if (sqlite3_prepare_v2(db, text, -1, &row, NULL) != SQLITE_OK)
        ok(false, "%s: %s", text, sqlite3_errmsg(db));
    else if (sqlite3_step(row) == SQLITE_ROW)
        db_text(row, 0, out, 64);
    sqlite3_finalize(row);
    sqlite3_close(db);
    return out;
}

static int64_t sql_number(const struct rig *rig, const char *text)
{
    char out[64];
    return strtoll(sql_text(rig, text, out), NULL, 10);
}

static bool begin(struct rig *rig)
{
    return rig_begin(rig, &rig_sqlite) && rig_reopen(rig);
}

/* An order that waits with a body of this size, and this id. */
static enum store_result put_body(struct rig *rig, const char *key, const char *id, const void *body,
                                  size_t len)
{
    int64_t now = rig_now(rig);
    struct order_record order = rig_queued(now, id);
    struct rig_commit commit;

    rig_commit_init(&commit, key, NULL, &order, now);
    commit.order.blob = (struct store_blob){id, body, len};
    return rig_commit_run(rig, &commit);
}

static enum store_result put_order(struct rig *rig, const char *key, const void *body, size_t len)
{
    char id[RECORD_TOKEN_SIZE];

    snprintf(id, sizeof id, "%08x%.24s", text_hash(key), BODY);
    return put_body(rig, key, id, body, len);
}

/* What opening says that is wrong; "" = nothing. */
static const char *opening(const struct rig *rig, struct error *e)
{
    *e = (struct error)ERROR_NONE;
    void *state = sqlite_open(&rig->config, rig->space, NULL, e);
    if (state)
        sqlite_backend.close(state);
    return e->text;
}

/* -- the clock -- */

static bool is_near(int64_t got_ms, int64_t want_ms)
{
    return llabs(got_ms - want_ms) < 10 * SECOND_MS;
}

static void the_clock_runs_with_the_boots(void)
{
    struct rig rig;
    int64_t wall = clock_wall_ms();

    if (!begin(&rig))
        goto out;
    ok(is_near(rig_now(&rig), wall), "a new store takes its time from the wall clock");
    sql(&rig, "UPDATE clock SET ahead = ahead - 86400000, last = last - 86400000");
    ok(rig_reopen(&rig) && is_near(rig_now(&rig), wall - DAY_MS),
       "if the wall clock was set meanwhile, the time goes on as it was");
    sql(&rig, "UPDATE clock SET boot = 'another'");
    ok(rig_reopen(&rig) && is_near(rig_now(&rig), wall), "a new boot takes it from the wall clock again");
    sql(&rig, "UPDATE clock SET boot = 'another', last = last + 86400000");
    ok(rig_reopen(&rig) && is_near(rig_now(&rig), wall + DAY_MS),
       "but never falls behind what the store knows");
    ok(rig_now(&rig) >= sql_number(&rig, "SELECT last FROM clock"), "not by a ms");
    ok(rig_reopen(&rig) && is_near(rig_now(&rig), wall + DAY_MS), "and stays there");
    sql(&rig, "UPDATE clock SET last = last - 5000");
    ok(rig_reopen(&rig), "opened again");
    is_result(put_order(&rig, "shop:1", "x", 1), STORE_OK, "a commit");
    ok(rig_now(&rig) - sql_number(&rig, "SELECT last FROM clock") < SECOND_MS + 500,
       "leaves the time in the file");
out:
    rig_end(&rig);
}

/* -- which file -- */

static const char *server(struct rig *rig, char out[RECORD_ID_SIZE])
{
    out[0] = '\0';
    is_result(sqlite_backend.server(rig->state, out), STORE_OK, "the file tells which it is");
    return out;
}

static void remove_file(const struct rig *rig, const char *name)
{
    char path[2 * RIG_PATH_SIZE];

    path_of(rig, name, path);
    is_int(unlink(path), 0, "%s is deleted", name);
}

static void a_file_that_is_replaced_is_noticed(void)
{
    struct rig rig;
    char first[RECORD_ID_SIZE], second[RECORD_ID_SIZE];

    if (!begin(&rig))
        goto out;
    server(&rig, first);
    is_result(put_order(&rig, "shop:1", "x", 1), STORE_OK, "given an order");
    remove_file(&rig, "store.db");
    is_result(put_order(&rig, "shop:2", "x", 1), STORE_UNAVAILABLE,
              "if store.db is deleted, nothing is committed");
    is_int(rig_read(&rig, "shop:1").version, 0, "what it held is gone");
    is_result(put_order(&rig, "shop:2", "x", 1), STORE_UNAVAILABLE,
              "nothing is, before its user has been told");
    ok(strcmp(server(&rig, second), first) != 0, "it is another file");
    is_result(put_order(&rig, "shop:2", "x", 1), STORE_OK, "from then on it takes orders");
    ok(rig_reopen(&rig), "and after it was closed");
    is_int(rig_read(&rig, "shop:2").version, 1, "they are there");
    char again[RECORD_ID_SIZE];
    is_str(server(&rig, again), second, "in the same file");
out:
    rig_end(&rig);
}

static void shell(const struct rig *rig, const char *command)
{
    char line[8 * RIG_PATH_SIZE];

    snprintf(line, sizeof line, "cd %s && %s", rig->data_dir, command);
    is_int(system(line), 0, "%s", command);
}

/* What `back_up` copied in DATA_DIR, `put_back` copies over the files that are there: their inodes stay. */
static void a_backup_is_another_file(const char *back_up, const char *put_back)
{
    struct rig rig;
    char first[RECORD_ID_SIZE], second[RECORD_ID_SIZE], third[RECORD_ID_SIZE];

    if (!begin(&rig))
        goto out;
    is_result(put_order(&rig, "shop:1", "x", 1), STORE_OK, "given an order");
    server(&rig, first);
    rig_close(&rig);
    shell(&rig, back_up);
    ok(rig_reopen(&rig), "opened again");
    is_str(server(&rig, second), first, "it is the same file");
    is_result(put_order(&rig, "shop:2", "x", 1), STORE_OK, "and another order");
    rig_close(&rig);
    shell(&rig, put_back);
    ok(rig_reopen(&rig), "a backup that is copied over it");
    is_int(rig_read(&rig, "shop:2").version, 0, "lacks that order");
    ok(strcmp(server(&rig, second), first) != 0, "and is another file, though its inode is the same: %s",
       second);
    ok(rig_reopen(&rig), "opened again");
    is_str(server(&rig, third), second, "it stays that one");
    is_result(put_order(&rig, "shop:2", "x", 1), STORE_OK, "also after");
    ok(rig_reopen(&rig), "another order");
    is_str(server(&rig, third), second, "it is that one");
out:
    rig_end(&rig);
}

/* Between the file's new name and what store.lock says of it. */
static void a_killed_writer_leaves_one_name(void)
{
    struct rig rig;

    if (!begin(&rig))
        goto out;
    is_result(put_order(&rig, "shop:1", "x", 1), STORE_OK, "given an order");
    shell(&rig, "mv store.written-* store.written-1");
    is_result(put_order(&rig, "shop:2", "x", 1), STORE_OK, "and another");
    shell(&rig, "test $(ls store.written-* | wc -l) = 1 && ! test -e store.written-1");
out:
    rig_end(&rig);
}

static void strange_files_are_refused(void)
{
    struct rig rig;
    struct error e;
    char path[2 * RIG_PATH_SIZE];

    if (!begin(&rig))
        goto out;
    rig_close(&rig);
    sql(&rig, "PRAGMA user_version = 3");
    ok(strstr(opening(&rig, &e), "store.db: another version of woo_ghl made it") != NULL, "an old schema: %s",
       e.text);
    sql(&rig, "PRAGMA application_id = 1");
    ok(strstr(opening(&rig, &e), "database of another program") != NULL, "another program's: %s", e.text);
    remove_file(&rig, "store.db");
    sql(&rig, "CREATE TABLE notes(text)");
    ok(strstr(opening(&rig, &e), "database of another program") != NULL, "any other: %s", e.text);
    path_of(&rig, "store.db", path);
    FILE *file = fopen(path, "w");
    for (int i = 0; file && i < 1000; i++)
        fprintf(file, "This is no database.\n");
    ok(file && fclose(file) == 0 && strstr(opening(&rig, &e), "damaged") != NULL, "no database: %s", e.text);
    rig.data_dir[strlen(rig.data_dir) - 4] = '\0';
    strncat(rig.data_dir, "no/data", 8);
    ok(strstr(opening(&rig, &e), "parent directory") != NULL, "no parent: %s", e.text);
out:
    rig_end(&rig);
}

static void damage_is_told(void)
{
    struct rig rig;
    struct error e;
    char path[2 * RIG_PATH_SIZE], page[4096];

    if (!begin(&rig))
        goto out;
    is_result(put_order(&rig, "shop:1", "x", 1), STORE_OK, "given an order");
    rig_close(&rig);
    path_of(&rig, "store.db", path);
    memset(page, 0xa5, sizeof page);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    for (off_t at = 4096; fd >= 0 && at < 15 * 4096; at += 4096)
        ok(pwrite(fd, page, sizeof page, at) == (ssize_t)sizeof page, "a page is damaged");
    close(fd);
    ok(strstr(opening(&rig, &e), "damaged") != NULL, "its owner is told: %s", e.text);
out:
    rig_end(&rig);
}

/* -- disk -- */

static int fill(struct rig *rig)
{
    struct rlimit limit;
    char *body = calloc(1, 1 << 20);
    struct stat st;
    char path[2 * RIG_PATH_SIZE];

    path_of(rig, "store.db-wal", path);
    signal(SIGXFSZ, SIG_IGN);
    if (!body || !freopen("/dev/null", "w", stdout) || put_order(rig, "shop:1", "x", 1) != STORE_OK ||
        stat(path, &st) != 0 || getrlimit(RLIMIT_FSIZE, &limit) != 0)
        return 1;
    limit.rlim_cur = (rlim_t)st.st_size + 100000;
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0 || put_order(rig, "shop:2", body, 1 << 20) != STORE_FULL)
        return 2;
    if (!strstr(sqlite_backend.trouble(rig->state), "make room on its disk"))
        return 3;
    if (rig_read(rig, "shop:1").version != 1 || rig_read(rig, "shop:2").version != 0)
        return 4;
    limit.rlim_cur = RLIM_INFINITY;
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0 || put_order(rig, "shop:2", body, 1 << 20) != STORE_OK)
        return 5;
    free(body);
    rig_close(rig);
    return 0;
}

static void a_full_disk_loses_nothing(void)
{
    struct rig rig;

    if (begin(&rig)) {
        sqlite_backend.before_fork(rig.state);
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0)
            _exit(fill(&rig));
        is_int(rig_wait(pid), 0, "on a full disk nothing is done, and afterwards all is");
        is_int(rig_read(&rig, "shop:2").version, 1, "it is there");
    }
    rig_end(&rig);
}

static void what_is_removed_is_gone_from_the_disk(void)
{
    struct rig rig;
    char command[4 * RIG_PATH_SIZE];

    if (!begin(&rig))
        goto out;
    is_result(put_order(&rig, "shop:1", "a body that nobody may find", 27), STORE_OK, "given an order");
    rig_close(&rig);
    snprintf(command, sizeof command, "grep -q 'nobody may find' %s/store.db*", rig.data_dir);
    is_int(system(command), 0, "its body is in the file");
    ok(rig_reopen(&rig), "when it is done");
    struct order_record before = rig_read(&rig, "shop:1"), after = rig_done(rig_now(&rig));
    struct rig_commit commit;
    rig_commit_init(&commit, "shop:1", &before, &after, rig_now(&rig));
    commit.c.drop_blob[0] = before.current.id;
    is_result(rig_commit_run(&rig, &commit), STORE_OK, "and its body goes");
    rig_close(&rig);
    ok(system(command) != 0, "nothing of it is left");
out:
    rig_end(&rig);
}

static int commit_until_killed(struct rig *rig, int told)
{
    for (int64_t i = 1;; i++) {
        struct order_record before = rig_read(rig, "shop:1"), after = before;
        after.attempts = i;
        if (rig_put(rig, "shop:1", &before, &after, NULL) != STORE_OK ||
            write(told, &i, sizeof i) != sizeof i)
            return 1;
    }
}

static void a_killed_process_leaves_a_whole_file(void)
{
    struct rig rig;
    int pipe_fd[2];
    char check[64];

    if (!begin(&rig) || put_order(&rig, "shop:1", "x", 1) != STORE_OK)
        goto out;
    for (int round = 0; round < 5; round++) {
        int64_t last = 0, got;
        sqlite_backend.before_fork(rig.state);
        fflush(stdout);
        if (pipe(pipe_fd) != 0)
            goto out;
        pid_t pid = fork();
        if (pid == 0) {
            if (freopen("/dev/null", "w", stdout))
                _exit(commit_until_killed(&rig, pipe_fd[1]));
            _exit(1);
        }
        close(pipe_fd[1]);
        while (read(pipe_fd[0], &got, sizeof got) == sizeof got) {
            last = got;
            if (got == 20 + round)
                kill(pid, SIGKILL);
        }
        close(pipe_fd[0]);
        is_int(rig_wait(pid), -1, "a process is killed while it commits");
        ok(last >= 20 && rig_read(&rig, "shop:1").attempts >= last, "what it had committed is there");
        is_str(sql_text(&rig, "PRAGMA integrity_check", check), "ok", "the file is whole");
    }
out:
    rig_end(&rig);
}

/* -- waiting for other writers -- */

/* A child that holds the writers' lock until a writer has waited for_ms; -1 = until it is killed. */
static pid_t hold_lock(const struct rig *rig, int64_t for_ms)
{
    char lock[2 * RIG_PATH_SIZE], queue[2 * RIG_PATH_SIZE], byte;
    int ready[2];

    path_of(rig, "store.lock", lock);
    path_of(rig, "store.queue", queue);
    sqlite_backend.before_fork(rig->state);
    fflush(stdout);
    is_int(pipe(ready), 0, "given a pipe");
    pid_t pid = fork();
    if (pid == 0) {
        int lock_fd = open(lock, O_RDWR | O_CLOEXEC), queue_fd = open(queue, O_RDWR | O_CLOEXEC);
        if (flock(lock_fd, LOCK_EX) != 0 || write(ready[1], "", 1) != 1)
            _exit(1);
        if (for_ms < 0)
            for (;;)
                pause();
        while (flock(queue_fd, LOCK_EX | LOCK_NB) == 0) { /* nobody waits yet */
            flock(queue_fd, LOCK_UN);
            usleep(1000);
        }
        (void)clock_sleep_ms(for_ms, NULL);
        _exit(0);
    }
    close(ready[1]);
    ok(read(ready[0], &byte, 1) == 1, "another process writes");
    close(ready[0]);
    return pid;
}

static void a_commit_waits_as_long_as_it_may(void)
{
    struct rig rig;
    struct rig_commit commit;

    if (!begin(&rig))
        goto out;
    is_result(put_order(&rig, "shop:1", "x", 1), STORE_OK, "given an order");
    struct order_record before = rig_read(&rig, "shop:1"), after = before;
    after.attempts = 1;

    pid_t pid = hold_lock(&rig, -1);
    int64_t now = rig_now(&rig);
    rig_commit_init(&commit, "shop:1", &before, &after, now);
    commit.c.deadline_ms = now + 100;
    is_result(rig_commit_run(&rig, &commit), STORE_UNAVAILABLE, "a commit waits until its deadline");
    ok(strstr(sqlite_backend.trouble(rig.state), "another process has held it") != NULL, "and says why: %s",
       sqlite_backend.trouble(rig.state));
    rig_commit_init(&commit, "shop:1", NULL, &after, rig_now(&rig));
    is_result(rig_commit_run(&rig, &commit), STORE_CHANGED, "a duplicate does not wait");
    kill(pid, SIGKILL);
    is_int(rig_wait(pid), -1, "then the other is killed");
    pid = hold_lock(&rig, 200);
    rig_commit_init(&commit, "shop:1", &before, &after, rig_now(&rig) - 900);
    is_result(rig_commit_run(&rig, &commit), STORE_TOO_LATE,
              "one that was decided long ago by then is refused");
    is_int(rig_wait(pid), 0, "the other is done");
    is_int(rig_read(&rig, "shop:1").version, 1, "neither was done");

    pid = hold_lock(&rig, 50);
    rig_commit_init(&commit, "shop:1", &before, &after, rig_now(&rig));
    is_result(rig_commit_run(&rig, &commit), STORE_OK, "any other is done when it can be");
    is_int(rig_wait(pid), 0, "the other is done");
out:
    rig_end(&rig);
}

/* -- network file systems -- */

static int64_t file_system; /* what statfs answers; 0 = the truth */

int fstatfs(int fd, struct statfs *out)
{
    char link[64];

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    int code = statfs(link, out);
    if (file_system)
        out->f_type = (__typeof__(out->f_type))file_system;
    return code;
}

static void no_log_on_a_network(void)
{
    struct rig rig;
    struct store_about about;
    char journal[64];

    if (!begin(&rig))
        goto out;
    is_str(sql_text(&rig, "PRAGMA journal_mode", journal), "wal", "on a local disk a log is used");
    is_result(sqlite_backend.about(rig.state, &about), STORE_OK, "and");
    is_str(about.durability, "", "nothing can be lost");
    file_system = 0x6969;
    ok(rig_reopen(&rig), "on NFS");
    is_str(sql_text(&rig, "PRAGMA journal_mode", journal), "delete", "none is");
    is_result(sqlite_backend.about(rig.state, &about), STORE_OK, "and");
    ok(strstr(about.durability, "network file system") != NULL, "that is told: %s", about.durability);
    is_result(put_order(&rig, "shop:1", "x", 1), STORE_OK, "it takes orders");
    is_int(rig_read(&rig, "shop:1").version, 1, "and has them");
    file_system = 0;
    ok(db_is_network(0x65735546) && !db_is_network(0xef53), "sshfs is one, ext4 is not");
out:
    rig_end(&rig);
}

/* Blobs are found by a part of their ids: of two that have it in common the second is refused, and takes nothing away. */
static void ids_that_are_half_the_same(void)
{
    struct rig rig;
    struct buf out;

    buf_init(&out, 1000);
    if (!begin(&rig))
        goto out;
    is_result(put_body(&rig, "shop:1", "0a0b0c0d0e0f0a0b0000000000000001", "mine", 4), STORE_OK,
              "given a body");
    is_result(put_body(&rig, "shop:2", "0a0b0c0d0e0f0a0b0000000000000002", "other", 5), STORE_UNAVAILABLE,
              "when the half of another's id is the same, then it is refused");
    is_int(rig_read(&rig, "shop:2").version, 0, "with its order");
    is_result(rig.backend->blob(rig.state, "0a0b0c0d0e0f0a0b0000000000000001", &out), STORE_OK,
              "the first one stays");
    is_str(out.data, "mine", "as it was");
    is_result(rig.backend->blob(rig.state, "0a0b0c0d0e0f0a0b0000000000000002", &out), STORE_NONE,
              "and is not the other");
    is_result(put_order(&rig, "shop:2", "other", 5), STORE_OK, "under another id it is taken");
out:
    buf_free(&out);
    rig_end(&rig);
}

int main(void)
{
    the_clock_runs_with_the_boots();
    a_file_that_is_replaced_is_noticed();
    a_backup_is_another_file("cp store.db backup", "cp backup store.db");
    a_backup_is_another_file("mkdir backup && cp -a store.* backup", "cp -a backup/. .");
    a_backup_is_another_file("mkdir backup && cp store.* backup", "cp backup/* .");
    a_killed_writer_leaves_one_name();
    strange_files_are_refused();
    damage_is_told();
    a_full_disk_loses_nothing();
    what_is_removed_is_gone_from_the_disk();
    a_killed_process_leaves_a_whole_file();
    a_commit_waits_as_long_as_it_may();
    no_log_on_a_network();
    ids_that_are_half_the_same();
    return tap_done();
}
