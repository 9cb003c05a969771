/* What is put into the spool comes out once, whatever happens to its neighbours. */
#include "spool/spool.h"
#include "base/clock.h"
#include "base/files.h"
#include "tap.h"
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECRET "a webhook secret"
#define BODY "order.created\n{\"email\":\"jane.doe@example.com\"}\0\xff\xfe not JSON"

/* One machine: a configuration whose DATA_DIR is data/ in a temporary directory of its own. */
struct machine {
    char dir[64], data_dir[80], secret[64], previous[64];
    struct config config;
};

static void machine_init(struct machine *m, const char *secret)
{
    static char prefix[] = "woo_ghl", location[] = "ve9EPM428h8vShlRW1KT";
    const char *tmp = getenv("TMPDIR");

    *m = (struct machine){0};
    snprintf(m->dir, sizeof m->dir, "%s/woo_ghl-unit-XXXXXX", tmp && strlen(tmp) < 32 ? tmp : "/tmp");
    if (!mkdtemp(m->dir))
        abort();
    snprintf(m->data_dir, sizeof m->data_dir, "%s/data", m->dir);
    snprintf(m->secret, sizeof m->secret, "%s", secret);
    m->config = (struct config){.webhook_secret = m->secret,
                                .webhook_secret_previous = m->previous,
                                .redis_prefix = prefix,
                                .ghl_location_id = location,
                                .data_dir = m->data_dir};
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void machine_free(struct machine *m)
{
    if (nftw(m->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
        tap_note("%s could not be removed", m->dir);
}

/* One process of a machine. */
struct process {
    struct crypt *crypt;
    struct spool *spool;
    bool passing; /* a pass has begun */
};

static struct process start(struct machine *m)
{
    struct process p = {0};
    struct error e = ERROR_NONE;

    p.crypt = crypt_new(&m->config, &e);
    p.spool = p.crypt ? spool_open(&m->config, p.crypt, &e) : NULL;
    if (!p.spool) {
        tap_ok(false, __FILE__, __LINE__, "the spool opens: %s", e.text);
        abort();
    }
    return p;
}

static void stop(struct process *p)
{
    spool_close(p->spool);
    crypt_free(p->crypt);
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

static const char *const words[] = {"ok", "none", "unreadable", "failed"};

static enum spool_result next_of(struct process *p, struct spool_item *item, struct error *e)
{
    enum spool_result result = SPOOL_OK;

    if (!p->passing)
        result = spool_begin(p->spool, false, e);
    if (result == SPOOL_OK)
        result = spool_next(p->spool, item, e);
    p->passing = result == SPOOL_OK || result == SPOOL_UNREADABLE;
    return result;
}

/* The next item's key, or in a word why there is none; the item is the caller's to end. */
static const char *next(struct process *p, struct spool_item *item)
{
    struct error e = ERROR_NONE;
    enum spool_result result = next_of(p, item, &e);

    if (result != SPOOL_OK)
        return words[result];
    return item->kind == SPOOL_IDS ? item->ids.key : item->delivery.key;
}

static void done(struct process *p, struct spool_item *item)
{
    struct error line = ERROR_NONE;

    spool_end(p->spool, item, SPOOL_TAKEN, &line);
    if (*line.text)
        ok(false, "it is removed: %s", line.text);
}

/* What the log is to say. */
static struct error ended(struct process *p, struct spool_item *item, enum spool_fate fate)
{
    struct error line = ERROR_NONE;

    spool_end(p->spool, item, fate, &line);
    return line;
}

static void drop(struct spool_item *item)
{
    buf_free(&item->content);
    close(item->fd);
    *item = (struct spool_item){.fd = -1};
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

/* Files of any name. */
static int entries(struct machine *m)
{
    char dir[128];
    int n = 0;

    snprintf(dir, sizeof dir, "%s/spool", m->data_dir);
    DIR *list = opendir(dir);
    for (const struct dirent *entry; (entry = readdir(list));)
        n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(list);
    return n;
}

/* -- what goes in comes out -- */

static void keeps_a_delivery_as_it_was(void)
{
    struct machine m;
    struct spool_item item = {0};
    struct error e = ERROR_NONE;
    struct stat st;
    char path[512];

    machine_init(&m, SECRET);
    struct process p = start(&m);
    is_str(next(&p, &item), "none", "a new spool is empty");
    is_int(stats(&p).deliveries + stats(&p).ids + stats(&p).oldest_ms, 0, "and counts nothing");
    const struct spool_delivery delivery = {
        .key = "shop:1001", .packed = BODY, .packed_len = sizeof BODY, .arrived_ago_ms = 90000};
    ok(spool_put_delivery(p.spool, &delivery, &e), "a delivery of any bytes is spooled %s", e.text);
    is_int(stats(&p).deliveries, 1, "it counts");
    ok(stats(&p).oldest_ms >= 90000 && stats(&p).oldest_ms < 200000, "from its arrival");

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

    p = start(&m);
    is_str(next(&p, &item), "shop:1001", "another process finds it");
    ok(item.kind == SPOOL_DELIVERY && item.delivery.packed_len == sizeof BODY &&
           !memcmp(item.delivery.packed, BODY, sizeof BODY),
       "with every byte");
    ok(item.arrived_ago_ms >= 90000 && item.arrived_ago_ms < 200000 &&
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
    struct spool_item item = {0};
    struct error e = ERROR_NONE;

    machine_init(&m, SECRET);
    struct process p = start(&m);
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
    p.passing = false;
    is_str(next(&p, &item), "shop:3", "come first in the next pass");
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
    struct spool_item item = {0};
    struct error e = ERROR_NONE;
    int64_t last = INT64_MAX;
    int given = 0, disordered = 0;

    machine_init(&m, SECRET);
    struct process p = start(&m);
    for (int i = 0; i < FILES; i++) { /* arrivals in a shuffled order, 1 s apart */
        const struct spool_delivery delivery = {
            .packed = "x", .packed_len = 1, .arrived_ago_ms = 1000LL * (i * 389 % FILES + 1)};
        if (!spool_put_delivery(p.spool, &delivery, &e))
            ok(false, "%s", e.text);
    }
    is_int(stats(&p).deliveries, FILES, "given a long spool");
    while (next_of(&p, &item, &e) == SPOOL_OK) {
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
    struct spool_item item = {0};

    machine_init(&m, SECRET);
    struct process p = start(&m);
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
    struct spool_item a = {0}, b = {0};

    machine_init(&m, SECRET);
    struct process one = start(&m), two = start(&m);
    put(&one, "shop:1", "1", 2000);
    put(&one, "shop:2", "2", 1000);
    is_str(next(&one, &a), "shop:1", "one mover has the first");
    is_str(next(&two, &b), "shop:2", "another gets the second meanwhile");
    done(&two, &b);
    is_str(next(&two, &b), "none", "and no more");
    drop(&a);
    is_str(next(&two, &b), "shop:1", "what it drops is had by the other in its next pass");
    is_str(ended(&two, &b, SPOOL_REFUSED).text[0] ? "told" : "", "told", "the store refuses it");
    is_str(next(&one, &a), "none", "then it waits for all");
    stop(&one);
    stop(&two);
    machine_free(&m);
}

static void a_mover_that_dies_loses_nothing(void)
{
    struct machine m;
    struct spool_item item = {0};
    int held[2];
    char word;

    machine_init(&m, SECRET);
    struct process p = start(&m);
    put(&p, "shop:1", "1", 0);
    stop(&p);
    fflush(stdout);
    if (pipe(held) != 0)
        abort();
    pid_t child = fork();
    if (child == 0) {
        struct error e = ERROR_NONE;
        p = start(&m);
        const char *got = next_of(&p, &item, &e) == SPOOL_OK ? "y" : "n";
        if (write(held[1], got, 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    ok(read(held[0], &word, 1) == 1 && word == 'y', "given a mover that has the file");
    p = start(&m);
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
    int moved[2], seen[FILES] = {0}, total = 0, twice = 0;
    struct error e = ERROR_NONE;

    machine_init(&m, SECRET);
    struct process p = start(&m);
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
            p = start(&m);
            while (next_of(&p, &item, &e) == SPOOL_OK) {
                struct error line = ERROR_NONE;
                if (write(moved[1], item.delivery.packed, sizeof(int)) != sizeof(int))
                    _exit(1);
                spool_end(p.spool, &item, SPOOL_TAKEN, &line);
                if (*line.text)
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
    struct spool_item item = {0};
    char path[512];

    machine_init(&m, SECRET);
    struct process p = start(&m);
    put(&p, "shop:1", "a delivery", 1000);
    is_int(files(&m, "", path), 1, "given its file");
    put(&p, "shop:2", "another", 0);
    ok(truncate(path, 60) == 0, "and that it is cut");
    is_str(next(&p, &item), "unreadable", "it cannot be read");
    is_int(item.unreadable, SPOOL_DAMAGED, "as damaged");
    struct error line = ended(&p, &item, item.unreadable);
    ok(strstr(line.text, path) && strstr(line.text, "delivery is kept as .damaged"), "the log names it: %s",
       line.text);
    is_str(next(&p, &item), "shop:2", "it does not keep the others back");
    done(&p, &item);
    is_str(next(&p, &item), "none", "it comes no more");
    is_int(files(&m, ".delivery.damaged", path), 1, "but it is kept");
    is_int(stats(&p).damaged, 1, "and counted");
    is_int(stats(&p).deliveries, 0, "as nothing else");

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
    struct spool_item item = {0};
    char path[512], ids[512];

    machine_init(&m, SECRET);
    struct process p = start(&m);
    put(&p, "shop:1", "contact\ncard\nclear\n", 0);
    is_int(files(&m, "", path), 1, "given a delivery's file");
    snprintf(ids, sizeof ids, "%.*s.ids", (int)(strlen(path) - strlen(".delivery")), path);
    ok(rename(path, ids) == 0, "that is renamed to be ids");
    is_str(next(&p, &item), "unreadable", "it is not taken for them");
    is_int(item.unreadable, SPOOL_DAMAGED, "(it is bound to its kind)");
    drop(&item);
    stop(&p);
    machine_free(&m);
}

static void keeps_what_needs_a_key_until_it_is_there(void)
{
    struct machine m;
    struct spool_item item = {0};

    machine_init(&m, SECRET);
    struct process p = start(&m);
    put(&p, "shop:1", "a delivery", 0);
    stop(&p);
    snprintf(m.secret, sizeof m.secret, "another secret");
    p = start(&m);
    put(&p, "shop:2", "a later one", 0);
    is_str(next(&p, &item), "shop:2", "given another secret, what it sealed is moved");
    done(&p, &item);
    is_str(next(&p, &item), "none", "and what the old one sealed is not");
    is_int(stats(&p).locked, 1, "it is counted as locked");
    is_int(stats(&p).deliveries, 0, "as nothing else");
    ok(strstr(stats(&p).needs.text, "set WOO_WEBHOOK_SECRET_PREVIOUS"), "with what it needs: %s",
       stats(&p).needs.text);
    ok(!spool_holds(p.spool, "shop:1"), "nobody can know whose it is");
    stop(&p);

    snprintf(m.previous, sizeof m.previous, SECRET);
    p = start(&m);
    ok(spool_holds(p.spool, "shop:1"), "with the secret as the previous one it is known");
    is_int(stats(&p).locked, 0, "it is not locked");
    is_str(next(&p, &item), "shop:1", "and moved");
    done(&p, &item);
    stop(&p);
    machine_free(&m);
}

static void namespaces_are_apart(void)
{
    struct machine m;
    struct spool_item item = {0};

    machine_init(&m, SECRET);
    struct process live = start(&m);
    put(&live, "shop:1", "a delivery", 0);
    stop(&live);
    m.config.dry_run = true;
    struct process p = start(&m);
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
    struct rlimit old, small = {.rlim_cur = 4096};
    struct error e = ERROR_NONE;
    struct spool_item item = {0};
    char path[512];

    machine_init(&m, SECRET);
    struct process p = start(&m);
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
    is_int(entries(&m), 0, "and nothing is left, not even a temporary file");
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
    p.crypt = crypt_new(&m.config, &e);
    ok(!spool_open(&m.config, p.crypt, &e) && strstr(e.text, path), "it is refused by name: %s", e.text);
    crypt_free(p.crypt);
    machine_free(&m);
}

/* -- each file for itself -- */

/* Puts so many that come before anything that arrives now. */
static void put_many(struct process *p, int n, const char *key)
{
    struct error e = ERROR_NONE;

    for (int i = 0; i < n; i++) {
        const struct spool_delivery delivery = {
            .key = key, .packed = "x", .packed_len = 1, .arrived_ago_ms = 60000 + i};
        if (!spool_put_delivery(p->spool, &delivery, &e))
            ok(false, "%s", e.text);
    }
}

/* More files that the store refuses, or that cannot be opened, than one look takes. */
static void hides_nothing_behind_others(void)
{
    enum { FILES = 257 };
    static const enum spool_fate fates[] = {SPOOL_REFUSED, SPOOL_DAMAGED};

    for (size_t i = 0; i < sizeof fates / sizeof *fates; i++) {
        struct machine m;
        struct spool_item item = {0};
        int given = 0, told = 0;

        machine_init(&m, SECRET);
        struct process p = start(&m);
        put_many(&p, FILES, "shop:1");
        put(&p, "shop:2", "the next one", 0);
        while (!strcmp(next(&p, &item), "shop:1")) {
            given++;
            told += *ended(&p, &item, fates[i]).text != '\0';
        }
        is_int(given, FILES, "given %d files that are not moved", FILES);
        is_int(told, FILES, "each is told");
        is_str(item.delivery.key, "shop:2", "the next one comes in the same pass");
        done(&p, &item);
        bool refused = fates[i] == SPOOL_REFUSED;
        is_int(refused ? stats(&p).refused : stats(&p).damaged, FILES, "and the others are counted");
        stop(&p);
        machine_free(&m);
    }
}

static void locked_ones_hide_nothing(void)
{
    struct machine m;
    struct spool_item item = {0};

    machine_init(&m, SECRET);
    struct process p = start(&m);
    put_many(&p, 257, "shop:1");
    stop(&p);
    snprintf(m.secret, sizeof m.secret, "another secret");
    p = start(&m);
    put(&p, "shop:2", "the next one", 0);
    is_str(next(&p, &item), "shop:2", "what opens comes before 257 that are locked");
    done(&p, &item);
    is_int(stats(&p).locked, 257, "they stay");
    stop(&p);
    machine_free(&m);
}

/* Each look of the second mover finds those of the first one again. */
static void busy_ones_hide_nothing(void)
{
    enum { FILES = 257 };
    static struct spool_item held[FILES];
    struct machine m;
    struct spool_item item = {0};
    int got = 0;

    machine_init(&m, SECRET);
    struct process one = start(&m), two = start(&m);
    put_many(&one, FILES, "shop:1");
    put(&one, "shop:2", "the next one", 0);
    for (int i = 0; i < FILES; i++)
        got += !strcmp(next(&one, &held[i]), "shop:1");
    is_int(got, FILES, "given a mover that has %d files in hand", FILES);
    is_str(next(&two, &item), "shop:2", "another one gets the next");
    done(&two, &item);
    for (int i = 0; i < FILES; i++)
        drop(&held[i]);
    stop(&one);
    stop(&two);
    machine_free(&m);
}

static void waits_longer_each_time(void)
{
    struct machine m;
    struct spool_item item = {0};
    struct spool_name name;
    char path[512];

    machine_init(&m, SECRET);
    struct process p = start(&m);
    put(&p, "shop:1", "refused", 1000);
    is_str(next(&p, &item), "shop:1", "given a file");
    error_set(&item.why, "it is too large");
    struct error line = ended(&p, &item, SPOOL_REFUSED);
    ok(strstr(line.text, "it is too large"), "that the store refuses: %s", line.text);
    is_int(stats(&p).refused, 1, "it is counted as refused");
    is_int(stats(&p).deliveries, 1, "and as one that is to be moved");
    ok(stats(&p).oldest_ms >= 1000, "as old as it is");
    is_int(files(&m, ".delivery", path), 1, "its name says how it is");
    ok(spool_name_parse(strrchr(path, '/') + 1, &name) && name.failures == 1 &&
           name.due_s >= clock_wall_ms() / 1000,
       "one failure, and when it is due");
    is_str(next(&p, &item), "none", "it is not tried before");
    for (int64_t until = clock_mono_ms() + 1100; clock_mono_ms() < until;)
        usleep(20000);
    p.passing = false;
    is_str(next(&p, &item), "shop:1", "a second later it is");
    is_int(item.arrived_ago_ms >= 1000 && item.delivery.packed_len == 7, 1, "as it was");
    done(&p, &item);
    stop(&p);
    machine_free(&m);
}

static void what_cannot_be_opened_holds_up_nothing(void)
{
    struct machine m;
    struct spool_item item = {0};
    char path[512];

    machine_init(&m, SECRET);
    struct process p = start(&m);
    put(&p, "shop:1", "a file", 1000);
    is_int(files(&m, "", path), 1, "given a file");
    ok(unlink(path) == 0 && symlink("/dev/null", path) == 0, "that is a link to somewhere else");
    put(&p, "shop:2", "another", 0);
    is_str(next(&p, &item), "unreadable", "it is not opened");
    is_int(item.unreadable, SPOOL_REFUSED, "but may be later");
    ok(strstr(ended(&p, &item, item.unreadable).text, "cannot be opened"), "the log says why");
    is_str(next(&p, &item), "shop:2", "the next one comes");
    done(&p, &item);
    stop(&p);
    machine_free(&m);
}

static void knows_whose_deliveries_it_holds(void)
{
    struct machine m;
    struct spool_item item = {0};

    machine_init(&m, SECRET);
    struct process p = start(&m);
    put_ids(&p, "shop:9");
    put(&p, "", "of an order that is not known", 3000);
    ok(!spool_holds(p.spool, "shop:9") && !spool_holds(p.spool, ""),
       "ids hold no state, nor does what is unknown");
    put(&p, "shop:1", "a state", 2000);
    put(&p, "shop:2", "a state", 1000);
    ok(spool_holds(p.spool, "shop:1") && spool_holds(p.spool, "shop:2"), "it holds states of these");
    ok(!spool_holds(p.spool, "shop:12") && !spool_holds(p.spool, "shop:3"), "and of no other");
    next(&p, &item);
    done(&p, &item);
    is_str(next(&p, &item), "", "the oldest comes first");
    done(&p, &item);
    is_str(next(&p, &item), "shop:1", "then the first order's");
    ended(&p, &item, SPOOL_REFUSED);
    ok(spool_holds(p.spool, "shop:1"), "a refused one is still held");
    is_str(next(&p, &item), "shop:2", "the other's");
    ended(&p, &item, SPOOL_DAMAGED);
    ok(!spool_holds(p.spool, "shop:2"), "a damaged one is waited for by nobody");
    m.config.dry_run = true;
    struct process dry = start(&m);
    ok(!spool_holds(dry.spool, "shop:1"), "nor one of another namespace");
    stop(&dry);
    stop(&p);
    machine_free(&m);
}

/* A directory that takes no change: nothing is moved again and again. */
static void a_fault_of_the_directory_ends_the_pass(void)
{
    struct machine m;
    struct spool_item item = {0};
    char path[512];

    machine_init(&m, SECRET);
    struct process p = start(&m);
    put(&p, "shop:1", "a file", 1000);
    put(&p, "shop:2", "another", 0);
    is_str(next(&p, &item), "shop:1", "given a file that the store has");
    snprintf(path, sizeof path, "%s/spool/%s", m.data_dir, item.name.text);
    ok(unlink(path) == 0 && mkdir(path, 0700) == 0, "whose name cannot be removed");
    struct error line = ended(&p, &item, SPOOL_TAKEN);
    ok(strstr(line.text, "the store has its content, but it cannot be removed"), "the log says so: %s",
       line.text);
    is_str(next(&p, &item), "none", "the pass is over");
    is_str(next(&p, &item), "none", "and the next begins later");
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
    keeps_what_needs_a_key_until_it_is_there();
    namespaces_are_apart();
    a_full_disk_leaves_nothing();
    hides_nothing_behind_others();
    locked_ones_hide_nothing();
    busy_ones_hide_nothing();
    waits_longer_each_time();
    what_cannot_be_opened_holds_up_nothing();
    knows_whose_deliveries_it_holds();
    a_fault_of_the_directory_ends_the_pass();
    return tap_done();
}
