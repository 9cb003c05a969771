/* store: what only the embedded store must bear. Its file, its schema, its locks, a full disk. */
#include "base/clock.h"
#include "store/sqlite/db.h"
#include "store/sqlite/schema.h"
#include "store/store_rig.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* store_open fails, and says so. */
static void is_refused(struct rig *rig, const char *word, const char *what)
{
    struct error e = ERROR_NONE;

    rig->store = store_open(&rig->config, NULL, &e);
    ok(!rig->store, "%s: refused", what);
    ok(strstr(e.text, word) && strstr(e.text, "data"), "it says why, and where: %s", e.text);
}

/* -- as it must be -- */

static void pragmas_are_in_force(void)
{
    struct rig rig;
    struct db db;
    struct error e = ERROR_NONE;

    if (rig_begin_sqlite(&rig) && ok(db_open(&db, &rig.config, NULL, &e), "opened %s", e.text)) {
        is_int(db_integer(&db, -1, "PRAGMA synchronous", ""), db.network ? 3 : 2, "synchronous=FULL");
        is_int(db_integer(&db, -1, "PRAGMA secure_delete", ""), 1, "secure_delete");
        is_int(db_integer(&db, -1, "PRAGMA trusted_schema", ""), 0, "trusted_schema off");
        is_int(db_integer(&db, -1, "PRAGMA temp_store", ""), 2, "temp_store=MEMORY");
        is_int(db_integer(&db, -1, "SELECT count(*) FROM pragma_journal_mode WHERE journal_mode = 'wal'", ""),
               db.network ? 0 : 1, "journal_mode=WAL");
        is_int(db_integer(&db, -1, "PRAGMA application_id", ""), SCHEMA_APPLICATION_ID,
               "it is marked as ours");
        ok(db_is_network(0x6969) && !db_is_network(0xef53), "NFS is a network file system, ext4 is none");
        db_close(&db);
    }
    rig_end_sqlite(&rig);
}

static void only_its_owner_can_read(void)
{
    struct rig rig;
    struct stat st;
    char path[2 * RIG_PATH_SIZE];

    umask(0);
    if (rig_begin_sqlite(&rig) && rig_open(&rig)) {
        is_claim(rig_take(&rig, "shop:1"), CLAIM_NEW, "given a store made with umask 0");
        is_int(stat(rig.config.data_dir, &st) == 0 ? st.st_mode & 0777 : 0, 0700, "the directory is 0700");
        rig_path(&rig, "store.db", path);
        is_int(stat(path, &st) == 0 ? st.st_mode & 0777 : 0, 0600, "the file is 0600");
        rig_path(&rig, "store.db-wal", path);
        is_int(stat(path, &st) == 0 ? st.st_mode & 0777 : 0, 0600, "so is its log");
    }
    umask(022);
    rig_end_sqlite(&rig);
}

static void a_killed_worker_loses_nothing(void)
{
    struct rig rig;

    if (rig_begin_sqlite(&rig)) {
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0) {
            if (rig_open(&rig) && rig_take(&rig, "shop:1") == CLAIM_NEW)
                raise(SIGKILL);
            _exit(1);
        }
        is_int(rig_wait(pid), -1, "given a worker that was killed after its claim");
        if (rig_open(&rig)) {
            ok(rig_look(&rig, "shop:1").waiting, "its order waits");
            is_claim(rig_take(&rig, "shop:1"), CLAIM_DUPLICATE, "and is known");
        }
    }
    rig_end_sqlite(&rig);
}

static void leases_end_with_the_boot(void)
{
    struct rig rig;
    struct store_entry entry = {0};

    if (rig_begin_sqlite(&rig) && rig_open(&rig)) {
        rig_new(&rig, "shop:1", "aa", NULL);
        ok(rig_sql(&rig, "UPDATE orders SET lease_boot = 'another'"), "given a lease of an earlier boot");
        rig_due(&rig, "shop:1", &entry);
        store_entry_free(&entry);
        ok(rig_sql(&rig, "UPDATE orders SET lease_until_ms = lease_until_ms + 864000000"),
           "given an absurd lease");
        rig_due(&rig, "shop:1", &entry);
        store_entry_free(&entry);
    }
    rig_end_sqlite(&rig);
}

/* -- the schema -- */

static void a_newer_schema(void)
{
    struct rig rig;

    if (rig_begin_sqlite(&rig) && rig_open(&rig)) {
        is_claim(rig_take(&rig, "shop:1"), CLAIM_NEW, "given a store");
        store_close(rig.store);
        ok(rig_sql(&rig, "PRAGMA user_version = 99"), "of a newer program");
        is_refused(&rig, "newer woo_ghl", "a newer schema");
        is_int(rig_sql_number(&rig, "PRAGMA user_version"), 99, "it is left alone");
        is_int(rig_sql_number(&rig, "SELECT count(*) FROM orders"), 1, "with its orders");
    }
    rig_end_sqlite(&rig);
}

static void an_older_schema(void)
{
    static const char *const steps[] = {SCHEMA_STEPS};
    struct rig rig;
    char text[64];

    if (rig_begin_sqlite(&rig) && ok(mkdir(rig.config.data_dir, 0700) == 0, "given a directory") &&
        ok(rig_sql(&rig, steps[0]), "and the first schema")) {
        snprintf(text, sizeof text, "PRAGMA application_id=%d; PRAGMA user_version=1", SCHEMA_APPLICATION_ID);
        ok(rig_sql(&rig, text), "marked as such");
        if (rig_open(&rig)) {
            is_claim(rig_take(&rig, "shop:1"), CLAIM_NEW, "it is used");
            is_int(rig_sql_number(&rig, "PRAGMA user_version"), sizeof steps / sizeof *steps,
                   "as the newest");
        }
    }
    rig_end_sqlite(&rig);
}

/* After a reboot no clock tells the age of an attempt: the wall clock may have been set. It counts from when
 * it was seen. */
static void an_attempt_of_an_earlier_boot(void)
{
    const struct store_progress about = {
        .attempt = STORE_ATTEMPT_OPPORTUNITY, .attempt_note = "{}", .lease_ms = LEASE_MS};
    struct rig rig;
    char token[STORE_TOKEN_SIZE];

    if (rig_begin_sqlite(&rig) && rig_open(&rig)) {
        rig_new(&rig, "shop:1", "aa", token);
        is_result(store_progress(rig.store, "shop:1", token, &about, NULL), STORE_OK, "given an attempt");
        ok(rig_sql(&rig, "UPDATE orders SET attempt_boot = 'another', lease_boot = 'another'"),
           "of another boot");
        rig_watch_attempt(&rig, "shop:1");
    }
    rig_end_sqlite(&rig);
}

static void an_entry_of_an_older_schema(void)
{
    static const char *const steps[] = {SCHEMA_STEPS};
    struct rig rig;
    struct store_parked parked;
    char text[64];

    snprintf(text, sizeof text, "PRAGMA application_id=%d; PRAGMA user_version=2", SCHEMA_APPLICATION_ID);
    if (rig_begin_sqlite(&rig) && ok(mkdir(rig.config.data_dir, 0700) == 0, "given a directory") &&
        ok(rig_sql(&rig, steps[0]) && rig_sql(&rig, steps[1]) && rig_sql(&rig, text),
           "and the second schema") &&
        ok(rig_sql(&rig,
                   "INSERT INTO spaces(id, name, born_ms) VALUES(1, 'woo_ghl:location0', 1);"
                   "INSERT INTO orders VALUES(1, 'shop:9', 0, 'aa', '', 1, 1, 1, 0, '', '', 0, '', '', '', "
                   "'', 0, "
                   "3, 0, '', '', 0, 0, 1, 0, 'no', 1, 0, 1, 1, 0, 'aa', 0, 0, 0, 0, '', 0, 0, 0)"),
           "with a parked order that was deleted in the shop") &&
        rig_open(&rig)) {
        is_result(store_parked_get(rig.store, "shop:9", &parked), STORE_OK, "it is there");
        is_str(parked.status, "trash", "and deleted");
        store_parked_free(&parked, 1, false);
    }
    rig_end_sqlite(&rig);
}

static void another_programs_file(void)
{
    struct rig rig;

    if (rig_begin_sqlite(&rig) && ok(mkdir(rig.config.data_dir, 0700) == 0, "given a directory")) {
        ok(rig_sql(&rig, "CREATE TABLE t(a)"), "with a database of something else");
        is_refused(&rig, "another program", "another program's file");
    }
    rig_end_sqlite(&rig);
}

/* -- the file -- */

static void a_damaged_file(void)
{
    struct rig rig;
    char path[2 * RIG_PATH_SIZE], garbage[4096];

    memset(garbage, 'x', sizeof garbage);
    if (rig_begin_sqlite(&rig) && ok(mkdir(rig.config.data_dir, 0700) == 0, "given a directory")) {
        rig_path(&rig, "store.db", path);
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        ok(fd >= 0 && write(fd, garbage, sizeof garbage) == (ssize_t)sizeof garbage && close(fd) == 0,
           "with garbage in it");
        is_refused(&rig, "damaged", "a damaged file");
        struct stat st;
        is_int(stat(path, &st) == 0 ? st.st_size : -1, sizeof garbage, "it is left alone");
    }
    rig_end_sqlite(&rig);
}

static void damaged_pages(void)
{
    struct rig rig;
    char path[2 * RIG_PATH_SIZE], garbage[4096];

    memset(garbage, 'x', sizeof garbage);
    if (rig_begin_sqlite(&rig) && rig_open(&rig)) {
        is_claim(rig_take(&rig, "shop:1"), CLAIM_NEW, "given a store");
        ok(rig_sql(&rig, "PRAGMA wal_checkpoint(TRUNCATE)"), "whose pages are in the file");
        store_close(rig.store);
        rig_path(&rig, "store.db", path);
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        bool damaged = fd >= 0;
        for (off_t at = 4096; damaged && at < lseek(fd, 0, SEEK_END); at += (off_t)sizeof garbage)
            damaged = pwrite(fd, garbage, sizeof garbage, at) == (ssize_t)sizeof garbage;
        ok(damaged && close(fd) == 0, "and are overwritten");
        is_refused(&rig, "damaged", "a file with damaged pages");
    }
    rig_end_sqlite(&rig);
}

static void a_deleted_file(void)
{
    static const char *const names[] = {"store.db", "store.db-wal", "store.db-shm"};
    struct rig rig;
    char path[2 * RIG_PATH_SIZE];

    if (rig_begin_sqlite(&rig) && rig_open(&rig)) {
        is_claim(rig_take(&rig, "shop:1"), CLAIM_NEW, "given a store");
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            rig_path(&rig, names[i], path);
            unlink(path);
        }
        is_claim(rig_take(&rig, "shop:2"), CLAIM_OTHER_KEY, "whose file was deleted: a new one is made");
        ok(vault_settle(rig.vault), "which gets the data key");
        is_claim(rig_take(&rig, "shop:2"), CLAIM_NEW, "and is used");
        is_int(rig_sql_number(&rig, "SELECT count(*) FROM orders"), 1, "and what is claimed now is in it");
    }
    rig_end_sqlite(&rig);
}

static int open_unwritable(struct rig *rig)
{
    struct error e = ERROR_NONE;

    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
        return 2;
    rig->store = store_open(&rig->config, NULL, &e);
    if (!rig->store && strstr(e.text, rig->config.data_dir))
        return 0;
    tap_note("opened, or not told by name: %s", e.text);
    return 1;
}

static void an_unwritable_directory(void)
{
    struct rig rig;

    if (rig_begin_sqlite(&rig) &&
        ok(mkdir(rig.config.data_dir, 0555) == 0 && chmod(rig.dir, 0755) == 0, "given 0555")) {
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0)
            _exit(open_unwritable(&rig));
        is_int(rig_wait(pid), 0, "a directory that cannot be written to is refused by name");
        chmod(rig.config.data_dir, 0755);
    }
    rig_end_sqlite(&rig);
}

static void no_parent_directory(void)
{
    struct rig rig;

    if (rig_begin_sqlite(&rig)) {
        char *dir = NULL;
        if (asprintf(&dir, "%s/no/data", rig.dir) > 0) {
            free(rig.config.data_dir);
            rig.config.data_dir = dir;
            is_refused(&rig, "parent directory does not exist", "a place without a parent");
        }
    }
    rig_end_sqlite(&rig);
}

/* -- a full disk -- */

static int claim_on_a_full_disk(struct rig *rig)
{
    static char body[1 << 20];
    const struct rlimit limit = {.rlim_cur = 1 << 19, .rlim_max = RLIM_INFINITY};
    struct store_claim c = rig_state("shop:2", "aa", 1000);

    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
        return 2;
    c.body = body;
    c.body_len = sizeof body;
    if (rig_claim(rig, &c, NULL) != CLAIM_FULL)
        return 3;
    if (!strstr(store_trouble(rig->store), "room"))
        return 4;
    c = rig_state("shop:3", "aa", 1000);
    return rig_claim(rig, &c, NULL) == CLAIM_NEW ? 0 : 5;
}

static void a_full_disk(void)
{
    struct rig rig;
    struct store_order order;

    if (rig_begin_sqlite(&rig) && rig_open(&rig)) {
        is_claim(rig_take(&rig, "shop:1"), CLAIM_NEW, "given a store");
        fflush(stdout);
        store_before_fork(rig.store);
        pid_t pid = fork();
        if (pid == 0) {
            int code = claim_on_a_full_disk(&rig);
            fflush(stdout);
            _exit(code);
        }
        is_int(rig_wait(pid), 0, "a body that does not fit is FULL, a small one goes on");
        is_result(store_look(rig.store, "shop:2", &order), STORE_NONE, "nothing of the first is there");
        ok(rig_look(&rig, "shop:3").waiting, "the second is");
    }
    rig_end_sqlite(&rig);
}

/* -- locks -- */

static void is_busy_for_3_s(struct rig *rig, const char *word)
{
    int64_t began_ms = clock_mono_ms();

    is_claim(rig_take(rig, "shop:2"), CLAIM_UNAVAILABLE, "the claim gives up");
    int64_t took_ms = clock_mono_ms() - began_ms;
    ok(took_ms >= 2900 && took_ms < 4500, "after 3 s (%lld ms)", (long long)took_ms);
    ok(strstr(store_trouble(rig->store), word), "it says why: %s", store_trouble(rig->store));
}

static void another_process_keeps_the_lock(void)
{
    struct rig rig;
    char path[2 * RIG_PATH_SIZE];

    if (rig_begin_sqlite(&rig) && rig_open(&rig)) {
        is_claim(rig_take(&rig, "shop:1"), CLAIM_NEW, "given a store");
        rig_path(&rig, "store.lock", path);
        int fd = open(path, O_RDWR | O_CLOEXEC);
        ok(fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0,
           "whose lock is kept: it was free between two claims");
        is_busy_for_3_s(&rig, "store.lock");
        close(fd);
        is_claim(rig_take(&rig, "shop:2"), CLAIM_NEW, "when it is free, all goes on");
    }
    rig_end_sqlite(&rig);
}

static void another_program_keeps_the_database(void)
{
    struct rig rig;
    char path[2 * RIG_PATH_SIZE];
    sqlite3 *other = NULL;

    if (rig_begin_sqlite(&rig) && rig_open(&rig)) {
        is_claim(rig_take(&rig, "shop:1"), CLAIM_NEW, "given a store");
        rig_path(&rig, "store.db", path);
        ok(sqlite3_open(path, &other) == SQLITE_OK &&
               sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK,
           "that another program writes to");
        ok(rig_look(&rig, "shop:1").waiting, "it can be read");
        is_busy_for_3_s(&rig, "another program holds it");
        sqlite3_close(other);
        is_claim(rig_take(&rig, "shop:2"), CLAIM_NEW, "when it is free, all goes on");
    }
    rig_end_sqlite(&rig);
}

/* -- what has expired goes -- */

static void expired_rows_are_swept(void)
{
    struct rig rig;
    char token[STORE_TOKEN_SIZE];
    const struct store_progress attempt = {
        .attempt = STORE_ATTEMPT_OPPORTUNITY, .attempt_note = "{}", .lease_ms = LEASE_MS};

    if (rig_begin_sqlite(&rig) && rig_open(&rig)) {
        rig_new(&rig, "shop:1", "aa", token);
        is_result(store_progress(rig.store, "shop:1", token, &attempt, NULL), STORE_OK, "given an attempt");
        is_result(store_park(rig.store, "shop:1", token, "why", NULL), STORE_OK, "parked");
        is_result(store_drop(rig.store, "shop:1"), STORE_OK, "and dropped");
        is_int(rig_sql_number(&rig, "SELECT count(*) FROM blobs"), 1, "only its note is kept");
        store_shift_clock(rig.store, 401 * DAY_MS);
        for (int i = 0; i < 500 && rig_sql_number(&rig, "SELECT count(*) FROM orders") != 0; i++) {
            store_shift_clock(rig.store, 1);
            if (store_heartbeat(rig.store) != STORE_OK)
                ok(false, "a heartbeat sweeps");
        }
        is_int(rig_sql_number(&rig, "SELECT count(*) FROM orders"), 0, "a LINK_TTL later the order goes");
        is_int(rig_sql_number(&rig, "SELECT count(*) FROM blobs"), 0, "and the note with it");
    }
    rig_end_sqlite(&rig);
}

int main(void)
{
    pragmas_are_in_force();
    only_its_owner_can_read();
    a_killed_worker_loses_nothing();
    leases_end_with_the_boot();
    a_newer_schema();
    an_older_schema();
    an_entry_of_an_older_schema();
    an_attempt_of_an_earlier_boot();
    another_programs_file();
    a_damaged_file();
    damaged_pages();
    a_deleted_file();
    an_unwritable_directory();
    no_parent_directory();
    a_full_disk();
    another_process_keeps_the_lock();
    another_program_keeps_the_database();
    expired_rows_are_swept();
    return tap_done();
}
