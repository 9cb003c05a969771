/* store: what the embedded store has told survives a power cut: the disk has then no more of a file than its last sync. */
#include "base/clock.h"
#include "store/rig.h"
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BODY "b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0"
#define PATIENCE_MS (2 * MINUTE_MS)
#define ORDERS 400
#define WRITERS 4
#define CUTS 20

/* -- the disk, which all processes share: a copy of each file of DATA_DIR as of the begin of its last sync -- */

static struct {
    char data_dir[RIG_PATH_SIZE], disk_dir[RIG_PATH_SIZE + 8];
    struct disk {
        atomic_flag lock;
        _Atomic int64_t syncs, files[2]; /* the number of the sync that each file is of */
        _Atomic int orders;              /* how many were begun */
        _Atomic bool told[ORDERS];       /* of which ones a process has heard that the store has them */
    } * shared;
} world;

static void lock(void)
{
    while (atomic_flag_test_and_set(&world.shared->lock))
        usleep(100);
}

static void unlock(void)
{
    atomic_flag_clear(&world.shared->lock);
}

static bool copy(int from, const char *to)
{
    char block[65536];
    ssize_t n = 0;
    int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    for (off_t at = 0; out >= 0 && (n = pread(from, block, sizeof block, at)) > 0; at += n)
        if (write(out, block, (size_t)n) != n)
            break;
    return out >= 0 && n == 0 && close(out) == 0;
}

/* By the file's own descriptor: to close another one of store.db would drop SQLite's locks. */
static int sync_file(int fd, int number)
{
    static const char *const names[] = {"store.db", "store.db-wal"};
    char link[64], path[2 * RIG_PATH_SIZE] = "", part[sizeof path], to[sizeof path];
    size_t dir = strlen(world.data_dir), i = 0;

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if (readlink(link, path, sizeof path - 1) < 0 || !dir || strncmp(path, world.data_dir, dir) != 0)
        return (int)syscall(number, fd);
    while (i < 2 && (path[dir] != '/' || strcmp(path + dir + 1, names[i]) != 0))
        i++;
    if (i == 2)
        return (int)syscall(number, fd);
    int64_t sync = atomic_fetch_add(&world.shared->syncs, 1) + 1;
    snprintf(part, sizeof part, "%s/%s.%d", world.disk_dir, names[i], (int)getpid());
    snprintf(to, sizeof to, "%s/%s", world.disk_dir, names[i]);
    if (!copy(fd, part))
        return -1;
    usleep(2000);
    lock();
    if (sync > atomic_load(&world.shared->files[i]) && rename(part, to) == 0)
        atomic_store(&world.shared->files[i], sync);
    unlock();
    return 0;
}

/* Instead of the C library's, for SQLite, too. */
int fdatasync(int fd)
{
    return sync_file(fd, SYS_fdatasync);
}

int fsync(int fd)
{
    return sync_file(fd, SYS_fsync);
}

/* -- writers: new orders, and deliveries of those that others have just begun -- */

static void key_of(int order, char key[24])
{
    snprintf(key, 24, "shop:%d", order + 1);
}

static int work(struct rig *rig)
{
    char key[24];

    for (;;) {
        int order = atomic_load(&world.shared->orders);
        if (rand() % 2 || !order)
            order = atomic_fetch_add(&world.shared->orders, 1);
        else
            order -= 1 + rand() % (order < WRITERS ? order : WRITERS);
        if (order >= ORDERS)
            return 0;
        key_of(order, key);
        struct order_record record = rig_queued(rig_now(rig), BODY);
        enum store_result result = rig_put(rig, key, NULL, &record, NULL);
        if (result == STORE_OK || result == STORE_CHANGED || rig_read(rig, key).version > 0)
            atomic_store(&world.shared->told[order], true);
        else
            return 1;
    }
}

static pid_t writer(struct rig *rig, unsigned seed)
{
    rig->backend->before_fork(rig->state);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        srand(seed);
        _exit(freopen("/dev/null", "w", stdout) ? work(rig) : 1);
    }
    return pid;
}

/* -- a power cut: what the disk has, opened in another place -- */

static bool take_disk(const char *dir)
{
    char command[16 * RIG_PATH_SIZE];

    snprintf(command, sizeof command,
             "rm -rf %s && mkdir %s && cp %s/store.db %s && { test ! -e %s/store.db-wal || cp "
             "%s/store.db-wal %s; }",
             dir, dir, world.disk_dir, dir, world.disk_dir, world.disk_dir, dir);
    lock();
    bool taken = system(command) == 0;
    unlock();
    return taken;
}

static bool has(sqlite3 *db, const char *sql, const char *want)
{
    sqlite3_stmt *row = NULL;
    bool found = sqlite3_prepare_v2(db, sql, -1, &row, NULL) == SQLITE_OK &&
                 sqlite3_step(row) == SQLITE_ROW && !strcmp((const char *)sqlite3_column_text(row, 0), want);

    sqlite3_finalize(row);
    return found;
}

/* How many orders were told before, and how many of them are lost. */
static void cut(const struct rig *rig, int *told, int *lost)
{
    bool before[ORDERS];
    char dir[2 * RIG_PATH_SIZE], path[3 * RIG_PATH_SIZE], sql[128], key[24];
    sqlite3 *db = NULL;

    *told = *lost = 0;
    for (int i = 0; i < ORDERS; i++)
        before[i] = atomic_load(&world.shared->told[i]);
    snprintf(dir, sizeof dir, "%s/cut", rig->dir);
    snprintf(path, sizeof path, "%s/store.db", dir);
    bool open = take_disk(dir) && sqlite3_open(path, &db) == SQLITE_OK;
    if (!open || !has(db, "PRAGMA integrity_check", "ok"))
        *lost = ORDERS;
    for (int i = 0; open && i < ORDERS; i++) {
        key_of(i, key);
        snprintf(sql, sizeof sql, "SELECT key FROM orders WHERE key = '%s'", key);
        *told += before[i];
        *lost += before[i] && !has(db, sql, key);
    }
    sqlite3_close(db);
}

static void what_was_told_survives(void)
{
    struct rig rig;
    pid_t pids[WRITERS];
    int told = 0, lost = 0, lost_in_all = 0, cuts = 0;

    if (!rig_begin(&rig, &rig_sqlite))
        goto out;
    snprintf(world.data_dir, sizeof world.data_dir, "%s", rig.data_dir);
    snprintf(world.disk_dir, sizeof world.disk_dir, "%s/disk", rig.dir);
    if (mkdir(world.disk_dir, 0700) != 0 || !rig_reopen(&rig))
        goto out;
    for (unsigned i = 0; i < WRITERS; i++)
        pids[i] = writer(&rig, i + 1);
    for (int64_t until = clock_mono_ms() + PATIENCE_MS; told < ORDERS && clock_left_ms(until) > 0; cuts++) {
        cut(&rig, &told, &lost);
        lost_in_all += lost;
    }
    for (int i = 0; i < WRITERS; i++)
        is_int(rig_wait(pids[i]), 0, "a writer is done");
    is_int(told, ORDERS, "all orders were told");
    ok(cuts >= CUTS, "in %d power cuts", cuts);
    is_int(lost_in_all, 0, "none of them was lost");
out:
    world.data_dir[0] = '\0';
    rig_end(&rig);
}

int main(void)
{
    world.shared =
        mmap(NULL, sizeof *world.shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (world.shared == MAP_FAILED)
        return 1;
    what_was_told_survives();
    return tap_done();
}
