/* store: what the embedded store syncs, and what its work costs. */
#include "base/clock.h"
#include "store/store_rig.h"
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Instead of the C library's, for SQLite, too: how often something was synced. */
static int syncs;

int fdatasync(int fd)
{
    syncs++;
    return (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
    syncs++;
    return (int)syscall(SYS_fsync, fd);
}

static enum store_claim_result claim(struct rig *rig, const char *key)
{
    struct store_claim c = rig_state(key, "aa", 1000);
    return rig_claim(rig, &c, NULL);
}

/* -- what is synced -- */

static int synced(struct rig *rig, const char *key, const char *fingerprint, enum store_claim_result want)
{
    struct store_claim c = rig_state(key, fingerprint, 1000);

    syncs = 0;
    is_claim(rig_claim(rig, &c, NULL), want, "%s as %s", key, fingerprint);
    return syncs;
}

static void a_redelivery_is_not_synced(void)
{
    struct rig rig;
    int64_t wait_ms;

    if (rig_begin_sqlite(&rig) && rig_open(&rig)) {
        ok(synced(&rig, "shop:1", "aa", CLAIM_NEW) > 0, "a new order is synced");
        is_int(synced(&rig, "shop:1", "aa", CLAIM_DUPLICATE), 0, "a duplicate is not");
        ok(synced(&rig, "shop:1", "bb", CLAIM_BUSY) > 0, "another state is, after it");
        is_int(synced(&rig, "shop:1", "bb", CLAIM_DUPLICATE), 0, "its duplicate is not");
        ok(synced(&rig, "shop:2", "aa", CLAIM_NEW) > 0, "the next order is");
        syncs = 0;
        is_result(store_pace(rig.store, 0, &wait_ms), STORE_OK, "a call to GHL");
        is_result(store_heartbeat(rig.store), STORE_OK, "a heartbeat");
        is_int(syncs, 0, "are not");
    }
    rig_end_sqlite(&rig);
}

/* A child that opens the store, says so, and redelivers when it is told to. 0 = it waited behind the lease,
 * and was synced. */
static int redeliver(const struct rig *rig, int said, int told)
{
    struct rig other;
    struct store_claim c = rig_state("shop:1", "aa", 1000);
    char byte = 0;

    if (!rig_join(&other, rig, NULL) || write(said, "", 1) != 1 || read(told, &byte, 1) != 1)
        return 1;
    syncs = 0;
    enum store_claim_result result = rig_claim(&other, &c, NULL);
    return result == CLAIM_BUSY && syncs > 0 ? 0 : 2;
}

/* Whoever waits for the turn keeps the queue meanwhile. */
static bool somebody_waits(int queue_fd)
{
    int64_t until_ms = clock_mono_ms() + 2500;

    while (clock_mono_ms() < until_ms) {
        if (flock(queue_fd, LOCK_EX | LOCK_NB) != 0)
            return true;
        flock(queue_fd, LOCK_UN);
        usleep(1000);
    }
    return false;
}

static void a_state_is_taken_before_its_redelivery(void)
{
    struct rig rig;
    char turn[2 * RIG_PATH_SIZE], queue[2 * RIG_PATH_SIZE], byte;
    int said[2], told[2];

    if (rig_begin_sqlite(&rig) && rig_open(&rig) && pipe(said) == 0 && pipe(told) == 0) {
        is_claim(claim(&rig, "shop:1"), CLAIM_NEW, "given an order");
        rig_path(&rig, "store.lock", turn);
        rig_path(&rig, "store.queue", queue);
        fflush(stdout);
        store_before_fork(rig.store);
        pid_t pid = fork();
        if (pid == 0)
            _exit(redeliver(&rig, said[1], told[0]));
        int turn_fd = open(turn, O_RDWR | O_CLOEXEC), queue_fd = open(queue, O_RDWR | O_CLOEXEC);
        ok(read(said[0], &byte, 1) == 1 && flock(turn_fd, LOCK_EX) == 0 && write(told[1], "", 1) == 1,
           "and another's turn of writing while it is redelivered");
        ok(somebody_waits(queue_fd), "which waits for its own");
        ok(rig_sql(&rig, "UPDATE orders SET seen_fingerprint = 'bb'"),
           "when meanwhile another state is taken");
        flock(turn_fd, LOCK_UN);
        is_int(rig_wait(pid), 0, "it is no duplicate any more: it is taken, and synced");
        close(turn_fd);
        close(queue_fd);
    }
    rig_end_sqlite(&rig);
}

/* -- what it costs -- */

#define STEPS_A_CALL 10
static int64_t steps; /* of SQLite's machine, on every connection */

static int count_steps(void *context)
{
    (void)context;
    steps += STEPS_A_CALL;
    return 0;
}

static int watch_connection(sqlite3 *db, char **error, const struct sqlite3_api_routines *api)
{
    (void)error;
    (void)api;
    sqlite3_progress_handler(db, STEPS_A_CALL, count_steps, NULL);
    return SQLITE_OK;
}

/* Each verb that the queue or the memory of orders is looked through for, once. The steps that it took. */
static int64_t work(struct rig *rig, const char *key)
{
    struct store_entry entry = {0};
    char token[STORE_TOKEN_SIZE];
    struct store_claim c = rig_state(key, "aa", 1000);
    struct buf keys;

    steps = 0;
    is_claim(rig_claim(rig, &c, token), CLAIM_NEW, "%s is claimed", key);
    is_claim(rig_claim(rig, &c, NULL), CLAIM_DUPLICATE, "and again");
    is_result(store_lease_due(rig->store, LEASE_MS, NULL, &entry, NULL, NULL), STORE_NONE, "none is due");
    is_result(store_retry(rig->store, key, token, 0, true, false, "why"), STORE_OK, "put off");
    rig_due(rig, key, &entry);
    rig_finish(rig, key, entry.token, "aa", "contact", "card");
    store_entry_free(&entry);
    is_int(rig_stats(rig).waiting, 0, "none waits");
    buf_init(&keys, 4096);
    is_result(store_waiting(rig->store, &keys), STORE_OK, "nor is any listed");
    buf_free(&keys);
    return steps;
}

static int64_t sweep_all(struct rig *rig)
{
    steps = 0;
    for (int i = 0; i < 20; i++) { /* each sweeps one table, which the ms chooses */
        store_shift_clock(rig->store, 1);
        if (store_heartbeat(rig->store) != STORE_OK)
            ok(false, "a heartbeat");
    }
    return steps;
}

static void what_is_remembered_costs_nothing(void)
{
    struct rig rig;

    (void)sqlite3_auto_extension((void (*)(void))watch_connection);
    if (rig_begin_sqlite(&rig) && rig_open(&rig)) {
        int64_t few = work(&rig, "shop:1"), few_swept = sweep_all(&rig);
        ok(rig_sql(
               &rig,
               "CREATE TEMP TABLE old AS WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n "
               "WHERE i < 5000) SELECT n.i AS i, orders.* FROM n, orders; UPDATE old SET key = 'old:' || i;"
               "ALTER TABLE old DROP COLUMN i; INSERT INTO orders SELECT * FROM old"),
           "given 5000 orders more that are done");
        int64_t many = work(&rig, "shop:2");
        ok(many < few + 500, "they cost nothing: %lld steps instead of %lld", (long long)many,
           (long long)few);
        ok(rig_sql(&rig, "UPDATE orders SET until_ms = 1 WHERE key LIKE 'old:100%'"), "some of them expire");
        int64_t swept = sweep_all(&rig);
        is_int(rig_sql_number(&rig, "SELECT count(*) FROM orders WHERE until_ms = 1"), 0, "and are swept");
        ok(swept < few_swept + 5000, "for themselves alone: %lld steps instead of %lld", (long long)swept,
           (long long)few_swept);
    }
    rig_end_sqlite(&rig);
    (void)sqlite3_cancel_auto_extension((void (*)(void))watch_connection);
}

int main(void)
{
    a_redelivery_is_not_synced();
    a_state_is_taken_before_its_redelivery();
    what_is_remembered_costs_nothing();
    return tap_done();
}
