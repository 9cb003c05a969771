/* store: one sync for all who write to the embedded store at once, and who waits for it. */
#include "base/clock.h"
#include "store/rig.h"
#include "store/sqlite/shared_sync.h"
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define BODY "b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0"
#define PATIENCE_MS (2 * MINUTE_MS)

/* -- instead of the C library's, for SQLite, too -- */

static struct disk {   /* of all processes */
    _Atomic int syncs; /* of the log, begun */
    _Atomic int held;  /* do they wait? */
    _Atomic int bad;   /* how many of them fail */
    _Atomic int done;  /* orders that were answered */
} * disk;

int fdatasync(int fd)
{
    char link[64], path[4096];

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    path[n > 0 ? n : 0] = '\0';
    if (strstr(path, "store.db-wal")) {
        atomic_fetch_add(&disk->syncs, 1);
        while (atomic_load(&disk->held))
            usleep(1000);
        if (atomic_load(&disk->bad) > 0) {
            atomic_fetch_sub(&disk->bad, 1);
            errno = EIO;
            return -1;
        }
    }
    return (int)syscall(SYS_fdatasync, fd);
}

static bool comes_to(_Atomic int *number, int want)
{
    for (int64_t until = clock_mono_ms() + PATIENCE_MS;
         atomic_load(number) != want && clock_left_ms(until) > 0;)
        usleep(1000);
    return atomic_load(number) == want;
}

/* -- the stage: an order in the store, and a process that keeps its log in use -- */

struct stage {
    struct rig rig;
    struct shared_sync sync;
    pid_t keeper;
};

static enum store_result put(struct rig *rig, const char *key)
{
    struct order_record order = rig_queued(rig_now(rig), BODY);
    return rig_put(rig, key, NULL, &order, NULL);
}

/* A process that puts this order; its exit code is the result, unless it stays. */
static pid_t putter(struct rig *rig, const char *key, bool stays)
{
    rig->backend->before_fork(rig->state);
    fflush(stdout);
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    enum store_result result = put(rig, key);
    atomic_fetch_add(&disk->done, 1);
    if (stays)
        for (;;)
            pause();
    _exit((int)result);
}

static bool begin(struct stage *stage)
{
    struct error e;

    *stage = (struct stage){0};
    *disk = (struct disk){0};
    if (!rig_begin(&stage->rig, &rig_sqlite) || !rig_reopen(&stage->rig))
        return false;
    stage->keeper = putter(&stage->rig, "shop:1", true);
    if (!ok(comes_to(&disk->done, 1), "given an order in the store"))
        return false;
    int dir = open(stage->rig.data_dir, O_RDONLY | O_DIRECTORY);
    bool good = ok(dir >= 0 && shared_sync_open(&stage->sync, dir, &e), "and its counters");
    if (dir >= 0)
        close(dir);
    *disk = (struct disk){0};
    return good;
}

static void end(struct stage *stage)
{
    if (stage->keeper > 0) {
        kill(stage->keeper, SIGKILL);
        is_int(rig_wait(stage->keeper), -1, "it ends");
    }
    shared_sync_close(&stage->sync);
    rig_end(&stage->rig);
}

/* A process that has written this order, and waits for the disk. */
static pid_t waiting(struct stage *stage, const char *key)
{
    int syncs = atomic_load(&disk->syncs);
    atomic_store(&disk->held, 1);
    pid_t pid = putter(&stage->rig, key, false);
    ok(comes_to(&disk->syncs, syncs + 1), "given an order that is being synced");
    return pid;
}

static bool writes_up_to(struct stage *stage, uint64_t number)
{
    for (int64_t until = clock_mono_ms() + PATIENCE_MS; clock_left_ms(until) > 0; usleep(1000))
        if (atomic_load(&stage->sync.counters->written) == number)
            return true;
    return false;
}

/* -- the cases -- */

static void one_sync_is_for_all(void)
{
    static const char *const keys[] = {"shop:3", "shop:4", "shop:5"};
    struct stage stage;
    pid_t pids[3];

    if (!begin(&stage))
        goto out;
    uint64_t before = atomic_load(&stage.sync.counters->written);
    pid_t first = waiting(&stage, "shop:2");
    for (int i = 0; i < 3; i++)
        pids[i] = putter(&stage.rig, keys[i], false);
    ok(writes_up_to(&stage, before + 4), "three others write meanwhile");
    atomic_store(&disk->held, 0);
    is_int(rig_wait(first), STORE_OK, "it is there");
    for (int i = 0; i < 3; i++)
        is_int(rig_wait(pids[i]), STORE_OK, "so is %s", keys[i]);
    is_int(atomic_load(&disk->syncs), 2, "with one sync more");
    is_int(rig_read(&stage.rig, "shop:5").version, 1, "what is there");
    is_int(atomic_load(&disk->syncs), 2, "is read without any");
out:
    end(&stage);
}

/* Its process never answers; the next delivery of that order does, and must not rely on what only the memory has. */
static void nothing_is_told_that_is_not_on_disk(void)
{
    struct stage stage;

    if (!begin(&stage))
        goto out;
    for (int i = 0; i < 2; i++) {
        const char *key = i ? "shop:3" : "shop:2";
        pid_t pid = waiting(&stage, key);
        kill(pid, SIGKILL);
        is_int(rig_wait(pid), -1, "whose process is killed");
        atomic_store(&disk->held, 0);
        atomic_store(&disk->syncs, 0);
        if (i)
            is_int(rig_read(&stage.rig, key).version, 1, "when it is read");
        else
            is_result(put(&stage.rig, key), STORE_CHANGED, "when it comes again");
        is_int(atomic_load(&disk->syncs), 1, "then it is synced");
        is_int(rig_read(&stage.rig, key).version, 1, "and once");
        is_int(atomic_load(&disk->syncs), 1, "is enough");
    }
    atomic_store(&disk->bad, 1);
    pid_t pid = waiting(&stage, "shop:4");
    kill(pid, SIGKILL);
    is_int(rig_wait(pid), -1, "whose process is killed");
    atomic_store(&disk->held, 0);
    is_result(put(&stage.rig, "shop:4"), STORE_UNAVAILABLE, "if it cannot be synced, it is not there");
    ok(strstr(stage.rig.backend->trouble(stage.rig.state), "store.db-wal in DATA_DIR: cannot be synced: ") !=
           NULL,
       "and why: %s", stage.rig.backend->trouble(stage.rig.state));
    is_result(put(&stage.rig, "shop:4"), STORE_CHANGED, "until it can");
out:
    end(&stage);
}

/* A second sync of the same bytes may tell of no failure, though the kernel has given them up. */
static void a_failed_sync_empties_the_log(void)
{
    struct stage stage;
    char log[2 * RIG_PATH_SIZE];
    struct stat st;

    if (!begin(&stage))
        goto out;
    snprintf(log, sizeof log, "%s/store.db-wal", stage.rig.data_dir);
    uint64_t before = atomic_load(&stage.sync.counters->written);
    pid_t first = waiting(&stage, "shop:2"), second = putter(&stage.rig, "shop:3", false);
    ok(writes_up_to(&stage, before + 2), "another writes meanwhile");
    atomic_store(&disk->bad, 2);
    atomic_store(&disk->held, 0);
    is_int(rig_wait(first), STORE_UNAVAILABLE, "if the sync fails, it may not be there");
    is_int(rig_wait(second), STORE_UNAVAILABLE, "nor may what follows it in the log");
    ok(stat(log, &st) == 0 && st.st_size > 0, "given its log");
    is_int(rig_read(&stage.rig, "shop:3").version, 1, "when a sync works again");
    ok(stat(log, &st) == 0 && st.st_size == 0, "then all of the log is in store.db");
    is_result(put(&stage.rig, "shop:2"), STORE_CHANGED, "both are there");
    is_result(put(&stage.rig, "shop:4"), STORE_OK, "and so is the next");
    ok(stat(log, &st) == 0 && st.st_size > 0, "by its log");
out:
    end(&stage);
}

static void noted(const struct stage *stage, char name[3 * RIG_PATH_SIZE])
{
    char pattern[2 * RIG_PATH_SIZE];
    glob_t found = {0};

    snprintf(pattern, sizeof pattern, "%s/store.written-*", stage->rig.data_dir);
    bool one = glob(pattern, 0, NULL, &found) == 0 && found.gl_pathc == 1;
    snprintf(name, 3 * (size_t)RIG_PATH_SIZE, "%s", one ? found.gl_pathv[0] : "none, or several");
    globfree(&found);
}

static void counters_of_different_moments(void)
{
    struct stage stage;
    char before[3 * RIG_PATH_SIZE], after[3 * RIG_PATH_SIZE];

    if (!begin(&stage))
        goto out;
    int64_t written_ms = atomic_load(&stage.sync.counters->written_ms);
    ok(written_ms > 0, "given a time");
    shared_sync_begin(&stage.sync);
    shared_sync_written(&stage.sync, 0);
    is_int(atomic_load(&stage.sync.counters->written_ms), written_ms,
           "a commit that failed changes nothing of it");
    for (int i = 0; i < 2; i++) {
        char key[24];
        atomic_store(&stage.sync.counters->begun, 5);
        atomic_store(&stage.sync.counters->written, i ? 5 : 90);
        atomic_store(&stage.sync.counters->synced, i ? 90 : 5);
        atomic_store(&disk->syncs, 0);
        snprintf(key, sizeof key, "shop:%d", 2 + i);
        is_result(put(&stage.rig, key), STORE_OK, "an order after a crash of the machine");
        is_int(atomic_load(&disk->syncs), 1, "is synced");
        is_int(atomic_load(&stage.sync.counters->synced), 91, "by its number");
    }
    noted(&stage, before);
    atomic_store(&stage.sync.counters->begun, 92);
    atomic_store(&stage.sync.counters->written_ms, 0);
    is_int(rig_read(&stage.rig, "shop:2").version, 1, "if the time was never there, and an order is read");
    noted(&stage, after);
    is_str(after, before, "what is noted stays");
out:
    end(&stage);
}

int main(void)
{
    disk = mmap(NULL, sizeof *disk, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (disk == MAP_FAILED)
        return 1;
    one_sync_is_for_all();
    nothing_is_told_that_is_not_on_disk();
    a_failed_sync_empties_the_log();
    counters_of_different_moments();
    return tap_done();
}
