#include "spool/spool.h"

#include "base/clock.h"
#include "base/files.h"
#include "crypt/shelf.h"
#include "tap.h"
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define SECRET "a webhook secret"
#define BODY "order.created\n{\"email\":\"jane.doe@example.com\"}\0\xff\xfe not JSON"

/* One process of a machine: its vault and its spool. */
struct process {
    struct machine *m;
    struct shelf *store;
    struct vault *vault;
    struct spool *spool;
};

static struct process start(struct machine *m, struct shelf *store)
{
    struct process p = {.m = m, .store = store};
    struct vault_shelf face = shelf_face(store);
    struct error e = ERROR_NONE;

    p.vault = vault_open(&m->config, &face, NULL, &e);
    p.spool = p.vault ? spool_open(&m->config, p.vault, &e) : NULL;
    if (!p.spool) {
        tap_ok(false, __FILE__, __LINE__, "the spool opens: %s", e.text);
        abort();
    }
    return p;
}

static void stop(struct process *p)
{
    spool_close(p->spool);
    vault_free(p->vault);
}

static bool put(struct process *p, const char *key, const char *bytes, int64_t ago_ms)
{
    struct error e = ERROR_NONE;
    const struct spool_delivery delivery = {
        .key = key, .packed = bytes, .packed_len = strlen(bytes), .arrived_ago_ms = ago_ms};
    return ok(spool_put_delivery(p->spool, &delivery, &e), "%s is spooled %s", key, e.text);
}

static bool put_ids(struct process *p, const char *key)
{
    struct error e = ERROR_NONE;
    const struct spool_ids ids = {
        .key = key, .contact_id = "contact1", .opportunity_id = "card1", .clear_attempt = true};
    return ok(spool_put_ids(p->spool, &ids, &e), "ids of %s are spooled %s", key, e.text);
}

static const char *const words[] = {"ok", "none", "busy", "unreadable", "failed"};

/* The next item's key, or in a word why there is none; the item is the caller's to end. */
static const char *next(struct process *p, struct spool_item *item)
{
    struct error e = ERROR_NONE;
    enum spool_result result = spool_next(p->spool, item, &e);
    if (result != SPOOL_OK)
        return words[result];
    return item->kind == SPOOL_IDS ? item->ids.key : item->delivery.key;
}

static void done(struct process *p, struct spool_item *item)
{
    struct error e = ERROR_NONE;
    if (!spool_remove(p->spool, item, &e))
        ok(false, "it is removed: %s", e.text);
}

static struct spool_stats stats(struct process *p)
{
    struct spool_stats s;
    struct error e = ERROR_NONE;
    if (!spool_stats(p->spool, &s, &e))
        ok(false, "the spool is counted: %s", e.text);
    return s;
}

/* Files of the spool's directory whose name contains `part`; the last one's path in `path`. */
static int files(struct machine *m, const char *part, char path[512])
{
    char dir[128];
    int n = 0;
    snprintf(dir, sizeof dir, "%s/spool", m->data_dir);
    DIR *list = opendir(dir);
    const struct dirent *entry;
    while ((entry = readdir(list)))
        if (entry->d_name[0] != '.' && strstr(entry->d_name, part)) {
            snprintf(path, 512, "%s/%s", dir, entry->d_name);
            n++;
        }
    closedir(list);
    return n;
}

/* -- what goes in comes out -- */

static void keeps_a_delivery_as_it_was(void)
{
    struct machine m;
    struct shelf store = {.puts_left = -1};
    struct spool_item item = {0};
    struct error e = ERROR_NONE;
    struct stat st;
    char path[512];

    machine_init(&m, SECRET);
    struct process p = start(&m, &store);
    is_str(next(&p, &item), "none", "a new spool is empty");
    is_int(stats(&p).deliveries + stats(&p).ids + stats(&p).oldest_ms, 0, "and counts nothing");
    const struct spool_delivery delivery = {
        .key = "shop:1001", .packed = BODY, .packed_len = sizeof BODY, .arrived_ago_ms = 90000};
    ok(spool_put_delivery(p.spool, &delivery, &e), "a delivery of any bytes is spooled %s", e.text);
    is_int(stats(&p).deliveries, 1, "it counts");
    ok(stats(&p).oldest_ms >= 90000 && stats(&p).oldest_ms < 100000, "from its arrival");

    is_int(files(&m, "", path), 1, "it is one file");
    ok(stat(path, &st) == 0 && (st.st_mode & 07777) == 0600, "0600");
    struct buf raw;
    buf_init(&raw, 10000);
    int fd = open(path, O_RDONLY);
    ok(files_read_fd(fd, &raw, &e) && raw.len > sizeof BODY, "given its bytes");
    close(fd);
    ok(!memmem(raw.data, raw.len, "jane", 4) && !memmem(raw.data, raw.len, "order", 5) &&
           !memmem(raw.data, raw.len, "1001", 4),
       "nobody can read them");
    ok(!strstr(path, "1001"), "nor the order in the name");
    buf_free(&raw);
    stop(&p);

    p = start(&m, &store);
    is_str(next(&p, &item), "shop:1001", "another process finds it");
    ok(item.kind == SPOOL_DELIVERY && item.delivery.packed_len == sizeof BODY &&
           !memcmp(item.delivery.packed, BODY, sizeof BODY),
       "with every byte");
    ok(item.arrived_ago_ms >= 90000 && item.arrived_ago_ms < 100000 &&
           item.delivery.arrived_ago_ms == item.arrived_ago_ms,
       "and its arrival");
    done(&p, &item);
    is_str(next(&p, &item), "none", "removed, it is gone");
    is_int(files(&m, "", path), 0, "from the disk");
    stop(&p);
    machine_free(&m);
}

static void keeps_ids_and_gives_them_first(void)
{
    struct machine m;
    struct shelf store = {.puts_left = -1};
    struct spool_item item = {0};
    struct error e = ERROR_NONE;

    machine_init(&m, SECRET);
    struct process p = start(&m, &store);
    put(&p, "shop:2", "second", 1000);
    put(&p, "shop:1", "first", 2000);
    put(&p, "", "third", 0);
    put_ids(&p, "shop:2");
    is_str(next(&p, &item), "shop:2", "ids come before any delivery");
    is_int(item.kind, SPOOL_IDS, "as ids");
    is_str(item.ids.contact_id, "contact1", "with the contact");
    is_str(item.ids.opportunity_id, "card1", "with the opportunity");
    ok(item.ids.clear_attempt, "and the end of the attempt");
    done(&p, &item);
    is_str(next(&p, &item), "shop:1", "then the oldest delivery");
    done(&p, &item);
    is_str(next(&p, &item), "shop:2", "then the next");
    const struct spool_ids bare = {.key = "shop:3", .contact_id = "contact3"};
    ok(spool_put_ids(p.spool, &bare, &e), "ids that come meanwhile");
    done(&p, &item);
    is_str(next(&p, &item), "shop:3", "come first");
    is_str(item.ids.opportunity_id, "", "what is not known is empty");
    ok(!item.ids.clear_attempt, "and clears no attempt");
    done(&p, &item);
    is_str(next(&p, &item), "", "a delivery of an unknown order is the last");
    done(&p, &item);
    is_str(next(&p, &item), "none", "then there is nothing");

    const struct spool_ids broken = {.key = "shop:4", .contact_id = "a\nb"}, nobody = {.contact_id = "a"};
    ok(!spool_put_ids(p.spool, &broken, &e), "an id with a line break is refused");
    ok(!spool_put_ids(p.spool, &nobody, &e), "and ids without an order");
    stop(&p);
    machine_free(&m);
}

/* A spool of more files than one look takes. */
static void gives_a_long_spool_in_order(void)
{
    enum { FILES = 700 };
    struct machine m;
    struct shelf store = {.puts_left = -1};
    struct spool_item item = {0};
    struct error e = ERROR_NONE;
    int64_t last = INT64_MAX;
    int given = 0, disordered = 0;

    machine_init(&m, SECRET);
    struct process p = start(&m, &store);
    for (int i = 0; i < FILES; i++) { /* arrivals in a shuffled order, 1 s apart */
        const struct spool_delivery delivery = {
            .packed = "x", .packed_len = 1, .arrived_ago_ms = 1000LL * (i * 389 % FILES + 1)};
        if (!spool_put_delivery(p.spool, &delivery, &e))
            ok(false, "%s", e.text);
    }
    is_int(stats(&p).deliveries, FILES, "given a long spool");
    while (spool_next(p.spool, &item, &e) == SPOOL_OK) {
        given++;
        disordered += item.arrived_ago_ms > last;
        last = item.arrived_ago_ms;
        done(&p, &item);
    }
    is_int(given, FILES, "every file is given");
    is_int(disordered, 0, "the oldest first");
    stop(&p);
    machine_free(&m);
}

static void arrival_is_never_in_the_future(void)
{
    struct machine m;
    struct shelf store = {.puts_left = -1};
    struct spool_item item = {0};

    machine_init(&m, SECRET);
    struct process p = start(&m, &store);
    put(&p, "shop:1", "from the future", -3600000);
    is_int(stats(&p).oldest_ms, 0, "its age is 0");
    is_str(next(&p, &item), "shop:1", "a clock that was set back");
    is_int(item.arrived_ago_ms, 0, "it counts as arrived now");
    done(&p, &item);
    stop(&p);
    machine_free(&m);
}

/* -- several movers -- */

static void two_movers_share(void)
{
    struct machine m;
    struct shelf store = {.puts_left = -1};
    struct spool_item a = {0}, b = {0};

    machine_init(&m, SECRET);
    struct process one = start(&m, &store), two = start(&m, &store);
    put(&one, "shop:1", "1", 2000);
    put(&one, "shop:2", "2", 1000);
    is_str(next(&one, &a), "shop:1", "one mover has the first");
    is_str(next(&two, &b), "shop:2", "another gets the second meanwhile");
    done(&two, &b);
    is_str(next(&two, &b), "none", "and no more");
    spool_release(one.spool, &a);
    is_str(next(&two, &b), "shop:1", "a released one is had by the other");
    spool_release(two.spool, &b);
    is_str(next(&two, &b), "none", "in one pass it does not come again");
    is_str(next(&two, &b), "shop:1", "but in the next");
    done(&two, &b);
    is_str(next(&one, &a), "none", "and a removed one is had by nobody");

    put(&one, "shop:3", "3", 0);
    put_ids(&one, "shop:3");
    spool_begin(one.spool);
    spool_begin(two.spool);
    is_str(next(&one, &a), "shop:3", "ids that one mover has");
    is_int(a.kind, SPOOL_IDS, "(they are ids)");
    is_str(next(&two, &b), "busy", "keep the others from any delivery");
    spool_release(one.spool, &a);
    is_str(next(&one, &a), "busy", "and itself, where it could not move them");
    is_str(next(&one, &a), "shop:3", "they come again in the next pass");
    is_int(a.kind, SPOOL_IDS, "before the delivery");
    done(&one, &a);
    is_str(next(&two, &b), "shop:3", "then the delivery goes");
    is_int(b.kind, SPOOL_DELIVERY, "(it is the delivery)");
    done(&two, &b);
    stop(&one);
    stop(&two);
    machine_free(&m);
}

static void a_mover_that_dies_loses_nothing(void)
{
    struct machine m;
    struct shelf store = {.puts_left = -1};
    struct spool_item item = {0};
    int held[2];
    char word;

    machine_init(&m, SECRET);
    struct process p = start(&m, &store);
    put(&p, "shop:1", "1", 0);
    stop(&p);
    fflush(stdout);
    if (pipe(held) != 0)
        abort();
    pid_t child = fork();
    if (child == 0) {
        struct error e = ERROR_NONE;
        p = start(&m, &store);
        const char *got = spool_next(p.spool, &item, &e) == SPOOL_OK ? "y" : "n";
        if (write(held[1], got, 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    ok(read(held[0], &word, 1) == 1 && word == 'y', "given a mover that has the file");
    p = start(&m, &store);
    is_str(next(&p, &item), "none", "nobody else has it");
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    is_str(next(&p, &item), "shop:1", "it is killed: the file is there again");
    done(&p, &item);
    stop(&p);
    close(held[0]);
    close(held[1]);
    machine_free(&m);
}

/* Four processes move 80 files at once: each is moved by exactly one while all live. */
static void many_movers_move_each_once(void)
{
    enum { MOVERS = 4, FILES = 80 };
    struct machine m;
    struct shelf store = {.puts_left = -1};
    int moved[2], seen[FILES] = {0}, total = 0, twice = 0;
    struct error e = ERROR_NONE;

    machine_init(&m, SECRET);
    struct process p = start(&m, &store);
    for (int i = 0; i < FILES; i++) {
        const struct spool_delivery delivery = {.packed = &i, .packed_len = sizeof i};
        if (!spool_put_delivery(p.spool, &delivery, &e))
            ok(false, "%s", e.text);
    }
    stop(&p);
    fflush(stdout);
    if (pipe(moved) != 0)
        abort();
    for (int i = 0; i < MOVERS; i++)
        if (fork() == 0) {
            struct spool_item item = {0};
            p = start(&m, &store);
            while (spool_next(p.spool, &item, &e) == SPOOL_OK) {
                if (write(moved[1], item.delivery.packed, sizeof(int)) != sizeof(int) ||
                    !spool_remove(p.spool, &item, &e))
                    _exit(1);
            }
            stop(&p);
            _exit(0);
        }
    close(moved[1]);
    for (int i; read(moved[0], &i, sizeof i) == (ssize_t)sizeof i; total++)
        if (i >= 0 && i < FILES)
            twice += seen[i]++ > 0;
    close(moved[0]);
    int status, bad = 0;
    while (wait(&status) > 0)
        bad += status != 0;
    is_int(bad, 0, "all movers end well");
    is_int(total, FILES, "every file is moved");
    is_int(twice, 0, "and none twice");
    machine_free(&m);
}

/* -- what cannot be opened -- */

static void sets_aside_what_is_damaged(void)
{
    struct machine m;
    struct shelf store = {.puts_left = -1};
    struct spool_item item = {0};
    struct error alert = ERROR_NONE, e = ERROR_NONE;
    char path[512];

    machine_init(&m, SECRET);
    struct process p = start(&m, &store);
    put(&p, "shop:1", "a delivery", 1000);
    is_int(files(&m, "", path), 1, "given its file");
    put(&p, "shop:2", "another", 0);
    ok(truncate(path, 60) == 0, "and that it is cut");
    is_str(next(&p, &item), "unreadable", "it cannot be read");
    is_int(item.unreadable, VAULT_DAMAGED, "as damaged");
    spool_release(p.spool, &item);
    is_str(next(&p, &item), "shop:2", "it does not keep the others back");
    done(&p, &item);
    is_str(next(&p, &item), "none", "(the pass ends)");
    is_str(next(&p, &item), "unreadable", "released, it comes again");
    ok(spool_quarantine(p.spool, &item, &alert), "it is set aside");
    ok(strstr(alert.text, "delivery is kept as .damaged"), "the alert names it: %s", alert.text);
    is_str(next(&p, &item), "none", "it comes no more");
    is_int(files(&m, ".delivery.damaged", path), 1, "but it is kept");
    is_int(stats(&p).damaged, 1, "and counted");
    is_int(stats(&p).deliveries, 0, "as nothing else");
    is_int(spool_retry_locked(p.spool, &e), 0, "another key would not help it");

    snprintf(path, sizeof path, "%s/spool/%s", m.data_dir, FILES_TEMP "0123456789abcdef");
    close(open(path, O_CREAT | O_WRONLY, 0600));
    snprintf(path, sizeof path, "%s/spool/README", m.data_dir);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    is_str(next(&p, &item), "none", "files of other forms are none of the spool's");
    stop(&p);
    machine_free(&m);
}

static void a_file_of_another_kind_does_not_pass(void)
{
    struct machine m;
    struct shelf store = {.puts_left = -1};
    struct spool_item item = {0};
    char path[512], ids[512];

    machine_init(&m, SECRET);
    struct process p = start(&m, &store);
    put(&p, "shop:1", "contact\ncard\nclear\n", 0);
    is_int(files(&m, "", path), 1, "given a delivery's file");
    snprintf(ids, sizeof ids, "%.*s.ids", (int)(strlen(path) - strlen(".delivery")), path);
    ok(rename(path, ids) == 0, "that is renamed to be ids");
    is_str(next(&p, &item), "unreadable", "it is not taken for them");
    is_int(item.unreadable, VAULT_DAMAGED, "(it is bound to its kind)");
    spool_release(p.spool, &item);
    stop(&p);
    machine_free(&m);
}

static void sets_aside_what_needs_a_key_until_it_is_there(void)
{
    struct machine m;
    struct shelf store = {.puts_left = -1}, other = {.puts_left = -1};
    struct spool_item item = {0};
    struct error alert = ERROR_NONE, e = ERROR_NONE;
    char path[512];

    machine_init(&m, SECRET);
    struct process p = start(&m, &store);
    put(&p, "shop:1", "a delivery", 0);
    stop(&p);
    snprintf(m.secret, sizeof m.secret, "another secret");
    p = start(&m, &other);
    is_str(next(&p, &item), "unreadable", "given another secret and store, it cannot be read");
    is_int(item.unreadable, VAULT_UNKNOWN_KEY, "for lack of a key");
    ok(spool_quarantine(p.spool, &item, &alert), "it is set aside");
    ok(strstr(alert.text, "WOO_WEBHOOK_SECRET_PREVIOUS"), "the alert says what it needs: %s", alert.text);
    is_int(files(&m, ".delivery.locked", path), 1, "it is kept");
    is_int(stats(&p).locked, 1, "and counted");
    stop(&p);

    snprintf(m.previous, sizeof m.previous, SECRET);
    p = start(&m, &other);
    is_str(next(&p, &item), "none", "with the secret as the previous one it does not come by itself");
    is_int(spool_retry_locked(p.spool, &e), 1, "but when it is asked for");
    is_str(next(&p, &item), "shop:1", "and then it opens");
    done(&p, &item);
    stop(&p);
    machine_free(&m);
}

static void namespaces_are_apart(void)
{
    struct machine m;
    struct shelf store = {.puts_left = -1}, dry = {.puts_left = -1};
    struct spool_item item = {0};

    machine_init(&m, SECRET);
    struct process live = start(&m, &store);
    put(&live, "shop:1", "a delivery", 0);
    stop(&live);
    m.config.dry_run = true;
    struct process p = start(&m, &dry);
    is_str(next(&p, &item), "none", "a dry run does not move a live file");
    is_int(stats(&p).deliveries, 0, "nor count it as its own");
    is_int(stats(&p).foreign, 1, "but as another's");
    stop(&p);
    machine_free(&m);
}

/* -- faults -- */

static void a_full_disk_leaves_nothing(void)
{
    static char big[64 * 1024];
    struct machine m;
    struct shelf store = {.puts_left = -1};
    struct rlimit old, small = {.rlim_cur = 4096};
    struct error e = ERROR_NONE;
    struct spool_item item = {0};
    char path[512];

    machine_init(&m, SECRET);
    struct process p = start(&m, &store);
    const struct spool_delivery delivery = {.key = "shop:1", .packed = big, .packed_len = sizeof big};
    signal(SIGXFSZ, SIG_IGN);
    if (getrlimit(RLIMIT_FSIZE, &old) != 0)
        abort();
    small.rlim_max = old.rlim_max;
    if (setrlimit(RLIMIT_FSIZE, &small) != 0)
        abort();
    bool kept = spool_put_delivery(p.spool, &delivery, &e);
    if (setrlimit(RLIMIT_FSIZE, &old) != 0)
        abort();
    ok(!kept, "what finds no room is not kept");
    ok(strstr(e.text, "/data/spool: ") && strstr(e.text, "cannot be written"), "the error says where: %s",
       e.text);
    is_int(files(&m, "", path), 0, "and nothing is left");
    ok(spool_put_delivery(p.spool, &delivery, &e), "later there is room");
    is_str(next(&p, &item), "shop:1", "and it is kept");
    is_int(item.delivery.packed_len, sizeof big, "whole");
    done(&p, &item);

    const struct spool_delivery huge = {.packed = big, .packed_len = SPOOL_CONTENT_MAX};
    ok(!spool_put_delivery(p.spool, &huge, &e), "what is too large is refused");
    ok(strstr(e.text, "bytes"), "by an error that says so: %s", e.text);
    stop(&p);

    snprintf(path, sizeof path, "%s/spool", m.data_dir);
    ok(rmdir(path) == 0, "given that the spool's directory cannot be had");
    close(open(path, O_CREAT | O_WRONLY, 0600));
    struct vault_shelf face = shelf_face(&store);
    p.vault = vault_open(&m.config, &face, NULL, &e);
    ok(!spool_open(&m.config, p.vault, &e) && strstr(e.text, path), "it is refused by name: %s", e.text);
    vault_free(p.vault);
    machine_free(&m);
}

/* The key could not be kept when the process began; the store, which has it, is away and then comes back
 * empty. */
static void keeps_the_key_with_the_files(void)
{
    struct machine m;
    struct shelf store = {.puts_left = -1}, empty = {.puts_left = -1};
    struct spool_item item = {0};
    char path[128];

    machine_init(&m, SECRET);
    snprintf(path, sizeof path, "%s/vault", m.data_dir);
    int fd = mkdir(m.data_dir, 0700) == 0 ? open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) : -1;
    ok(fd >= 0 && close(fd) == 0, "given a file where the keys' directory should be");
    struct process p = start(&m, &store);
    ok(unlink(path) == 0, "which is mended while the process runs");
    put(&p, "shop:1", BODY, 0);
    stop(&p);
    p = start(&m, &empty);
    is_str(next(&p, &item), "shop:1", "what was spooled then opens without the store");
    done(&p, &item);
    stop(&p);
    machine_free(&m);
}

int main(void)
{
    keeps_a_delivery_as_it_was();
    keeps_ids_and_gives_them_first();
    gives_a_long_spool_in_order();
    arrival_is_never_in_the_future();
    two_movers_share();
    a_mover_that_dies_loses_nothing();
    many_movers_move_each_once();
    sets_aside_what_is_damaged();
    a_file_of_another_kind_does_not_pass();
    sets_aside_what_needs_a_key_until_it_is_there();
    namespaces_are_apart();
    a_full_disk_leaves_nothing();
    keeps_the_key_with_the_files();
    return tap_done();
}
