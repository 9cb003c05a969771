/* store: what the embedded store syncs, and what its work costs in time and on disk. */
#include "store/rig.h"
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BODY "b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0"

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

static void what_is_synced(void)
{
    struct rig rig;
    int64_t count, version, now;
    long n;

    if (!rig_begin(&rig, &rig_sqlite) || !rig_reopen(&rig))
        goto out;
    struct order_record order = rig_queued(rig_now(&rig), BODY), before;
    for (int i = 0; i < 2; i++) {
        char key[32];
        snprintf(key, sizeof key, "shop:%d", i);
        syncs = 0;
        is_result(rig_put(&rig, key, NULL, &order, NULL), STORE_OK, "a new order");
        ok(syncs > 0, "is synced");
        syncs = 0;
        is_result(rig_put(&rig, key, NULL, &order, NULL), STORE_CHANGED, "a duplicate");
        is_int(syncs, 0, "is not");
        struct limiter_record limiter = {0}, next = {.next_us = 1};
        struct backend_commit c = {.type = &limiter_record_type, .before = &limiter, .after = &next};
        limiter.version = i;
        is_result(rig.backend->commit(rig.state, &c, &limiter, &version, NULL, &count, &now), STORE_OK,
                  "a call to GHL");
        is_result(rig.backend->put(rig.state, "v", "1", 0, false, NULL), STORE_OK, "a value");
        is_result(rig.backend->lock(rig.state, "l", "t", MINUTE_MS), STORE_OK, "a lock");
        is_result(rig.backend->count(rig.state, "c"), STORE_OK, "a counter");
        is_result(rig.backend->count_client(rig.state, "c", &count), STORE_OK, "a client");
        is_result(rig.backend->expire(rig.state, 10, &n), STORE_OK, "and expiry");
        is_int(syncs, 0, "are not");
        before = rig_read(&rig, key);
        syncs = 0;
        is_result(rig_put(&rig, key, &before, &order, NULL), STORE_OK, "an update");
        ok(syncs > 0, "is, after them");
    }
out:
    rig_end(&rig);
}

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

/* The life of one order, and a look at what is due. The steps that it took. */
static int64_t work(struct rig *rig, const char *key)
{
    struct store_entry list[4];
    size_t n;
    int64_t now = rig_now(rig);
    struct order_record order = rig_queued(now, BODY), done = rig_done(now);

    steps = 0;
    is_result(rig_put(rig, key, NULL, &order, NULL), STORE_OK, "%s is new", key);
    is_result(rig_put(rig, key, NULL, &order, NULL), STORE_CHANGED, "and a duplicate");
    is_result(rig->backend->list(rig->state, INDEX_DUE, 0, "", 4, list, &n), STORE_OK, "due");
    is_int(n, 1, "it is due");
    order = rig_read(rig, key);
    is_result(rig_put(rig, key, &order, &done, NULL), STORE_OK, "and done");
    return steps;
}

#define MANY 3000

static void remember_many(struct rig *rig)
{
    struct rig_commit commit;
    int64_t now = rig_now(rig);
    struct order_record done = rig_done(now);
    int good = 0;

    for (int i = 0; i < MANY; i++) {
        char key[32];
        snprintf(key, sizeof key, "shop:%d", 100000 + i);
        for (int p = 0; p < RECORD_PARTS; p++)
            snprintf(done.link.part[p], sizeof done.link.part[p], "%08x%08x", (unsigned)i,
                     (unsigned)i * 7919);
        done.expires_ms = now + (i % 10 ? 400 * DAY_MS : DAY_MS);
        bool put = false;
        for (int tries = 0; !put && tries < 5; tries++) { /* a disk that is slow for once makes it too late */
            rig_commit_init(&commit, key, NULL, &done, rig_now(rig));
            commit.c.durable = false;
            put = rig_commit_run(rig, &commit) == STORE_OK;
        }
        good += put;
    }
    is_int(good, MANY, "orders are remembered");
}

static void what_is_remembered_costs_little(void)
{
    struct rig rig;
    struct stat st;
    char path[2 * RIG_PATH_SIZE];
    long n = 0;

    (void)sqlite3_auto_extension((void (*)(void))watch_connection);
    if (!rig_begin(&rig, &rig_sqlite) || !rig_reopen(&rig))
        goto out;
    int64_t few = work(&rig, "shop:1");
    remember_many(&rig);
    rig_close(&rig);
    snprintf(path, sizeof path, "%s/store.db", rig.data_dir);
    is_int(stat(path, &st), 0, "all of it is in the file");
    ok(st.st_size / MANY <= 330, "an order takes %lld bytes", (long long)st.st_size / MANY);
    if (!rig_reopen(&rig))
        goto out;
    int64_t many = work(&rig, "shop:2");
    ok(many < few + 100, "they make no work: %lld steps instead of %lld", (long long)many, (long long)few);
    rig.backend->shift_clock(rig.state, 2 * DAY_MS);
    steps = 0;
    is_result(rig.backend->expire(rig.state, 100, &n), STORE_OK, "some expire");
    is_int(n, 100, "a bounded number at once");
    ok(steps < 100 * 600, "for themselves alone: %lld steps", (long long)steps);
    while (n == 100 && rig.backend->expire(rig.state, 100, &n) == STORE_OK)
        ;
    is_int(rig_read(&rig, "shop:100000").version, 0, "until all are gone");
    is_int(rig_read(&rig, "shop:100001").version, 1, "but for the others");
out:
    rig_end(&rig);
    (void)sqlite3_cancel_auto_extension((void (*)(void))watch_connection);
}

int main(void)
{
    what_is_synced();
    what_is_remembered_costs_little();
    return tap_done();
}
