/* store: many processes at once, and what lies in the store's files. */
#include "store/store_rig.h"
#include <dirent.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define WORKERS 8
#define ORDERS 1000

/* -- many processes -- */

/* What all of them write into: how often each order was given to a worker. */
struct board {
    _Atomic int go, claimed[ORDERS], duplicate[ORDERS], leased[ORDERS], failed;
};

static struct board *make_board(void)
{
    struct board *board =
        mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return board == MAP_FAILED ? NULL : board;
}

static void key_of(int i, char key[32])
{
    snprintf(key, 32, "shop:%d", i);
}

static void claim_all(struct rig *rig, struct board *board, int worker)
{
    for (int n = 0; n < ORDERS; n++) {
        int i = (n + worker % 2 * 7) % ORDERS;
        char key[32];
        key_of(i, key);
        struct store_claim claim = rig_state(key, "aa", 1);
        switch (rig_claim(rig, &claim, NULL)) {
        case CLAIM_NEW: board->claimed[i]++; break;
        case CLAIM_DUPLICATE: board->duplicate[i]++; break;
        default: board->failed++;
        }
    }
}

static void drain_all(struct rig *rig, struct board *board, int worker)
{
    const struct store_link link = {.opportunity_id = "card"};
    (void)worker;

    for (;;) {
        struct store_entry entry = {0}, next = {0};
        bool has_next;
        enum store_result result = store_lease_due(rig->store, LEASE_MS, NULL, &entry, NULL, NULL);
        if (result == STORE_NONE)
            return;
        long i = entry.key ? strtol(entry.key + strlen("shop:"), NULL, 10) : -1;
        if (result != STORE_OK || i < 0 || i >= ORDERS ||
            store_finish(rig->store, entry.key, entry.token, "aa", &link, 0, &next, &has_next) != STORE_OK) {
            board->failed++;
            return;
        }
        board->leased[i]++;
        store_entry_free(&entry);
    }
}

static void run_workers(struct rig *rig, struct board *board, void (*work)(struct rig *, struct board *, int))
{
    pid_t pid[WORKERS];

    fflush(stdout);
    board->go = 0;
    store_before_fork(rig->store);
    for (int w = 0; w < WORKERS; w++) {
        pid[w] = fork();
        if (pid[w] == 0) {
            while (!board->go)
                usleep(100); /* all begin together */
            work(rig, board, w);
            fflush(stdout);
            _exit(0);
        }
    }
    board->go = 1;
    for (int w = 0; w < WORKERS; w++)
        is_int(pid[w] > 0 ? rig_wait(pid[w]) : -1, 0, "worker %d ended well", w);
}

static void many_processes(struct rig *rig)
{
    struct board *board = make_board();
    int once = 0, seen = 0, leased = 0;

    if (!board) {
        ok(false, "there is memory");
        return;
    }
    run_workers(rig, board, claim_all);
    for (int i = 0; i < ORDERS; i++) {
        once += board->claimed[i] == 1;
        seen += board->duplicate[i] == WORKERS - 1;
    }
    is_int(board->failed, 0, "8 processes claimed the same 1000 orders: none failed");
    is_int(once, ORDERS, "each is new exactly once");
    is_int(seen, ORDERS, "and a duplicate for all the others");
    store_shift_clock(rig->store, LEASE_MS + 20000); /* their workers are gone */
    run_workers(rig, board, drain_all);
    for (int i = 0; i < ORDERS; i++)
        leased += board->leased[i] == 1;
    is_int(board->failed, 0, "8 processes drain: none failed");
    is_int(leased, ORDERS, "each order was leased once");
    is_int(rig_stats(rig).waiting, 0, "nothing is left");
    munmap(board, sizeof *board);
}

/* -- many redeliveries -- */

#define STATES 200
#define REPEATS 100

/* Each delivers every state of one order, oldest first. */
static void deliver_all(struct rig *rig, struct board *board, int worker)
{
    (void)worker;
    for (int i = 0; i < STATES; i++) {
        char fingerprint[16];
        snprintf(fingerprint, sizeof fingerprint, "%04x", (unsigned)i);
        struct store_claim claim = rig_state("shop:1", fingerprint, 1000 + i);
        claim.work = false;
        switch (rig_claim(rig, &claim, NULL)) {
        case CLAIM_DEFERRED: board->claimed[i]++; break;
        case CLAIM_DUPLICATE:
        case CLAIM_STALE: break;
        default: board->failed++;
        }
    }
}

static void repeat_all(struct rig *rig, struct board *board, int worker)
{
    (void)worker;
    struct store_claim claim = rig_state("shop:2", "aa", 1000);
    claim.client = "client";
    claim.client_limit = 1000000;
    for (int i = 0; i < REPEATS; i++)
        board->failed += rig_claim(rig, &claim, NULL) != CLAIM_DUPLICATE;
}

static void many_redeliveries(struct rig *rig)
{
    struct board *board = make_board();
    struct store_claim_reply reply;
    struct store_entry entry = {0};
    int once = 0;

    if (!board) {
        ok(false, "there is memory");
        return;
    }
    run_workers(rig, board, deliver_all);
    for (int i = 0; i < STATES; i++)
        once += board->claimed[i] == 1;
    is_int(board->failed, 0, "8 processes delivered 200 states of one order, in order: none failed");
    is_int(once, STATES, "each state was taken exactly once");
    is_str(rig_look(rig, "shop:1").fingerprint, "00c7", "the last one is seen");

    rig_new(rig, "shop:2", "aa", NULL);
    run_workers(rig, board, repeat_all);
    is_int(board->failed, 0, "8 processes redelivered one state 100 times each: all duplicates");
    struct store_claim claim = rig_state("shop:3", "aa", 1000);
    claim.client = "client";
    claim.client_limit = 1LL * WORKERS * REPEATS;
    is_claim(store_claim(rig->store, &claim, &reply, &entry), CLAIM_DEFERRED, "then the client's next order");
    ok(reply.over_limit, "is over a limit of 800: all of them were counted");
    claim.key = "shop:4";
    claim.client_limit += 2;
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_NEW,
             "and its next is within one of 802: each was counted once");
    munmap(board, sizeof *board);
}

/* The parent's handle goes on beside its child's. */
static void parent_and_child(struct rig *rig)
{
    struct store_order order;

    rig_new(rig, "shop:parent", "aa", NULL);
    fflush(stdout);
    store_before_fork(rig->store);
    pid_t pid = fork();
    if (pid == 0) {
        struct store_claim claim = rig_state("shop:child", "aa", 1);
        _exit(rig_claim(rig, &claim, NULL) == CLAIM_NEW &&
                      store_look(rig->store, "shop:parent", &order) == STORE_OK
                  ? 0
                  : 1);
    }
    is_int(rig_wait(pid), 0, "a child uses the store, too");
    ok(rig_look(rig, "shop:child").waiting, "the parent sees what it did");
    rig_new(rig, "shop:after", "aa", NULL);
}

/* -- sealed -- */

#define PLAIN "Jane-PLAINTEXT-Roe"
#define SHOWN "c0ffee0fingerprint0shown0on0purpose"

static bool holds(const char *bytes, size_t len, const char *text)
{
    return memmem(bytes, len, text, strlen(text)) != NULL;
}

struct found {
    bool plain, shown;
};

static void search(const char *bytes, size_t len, struct found *found)
{
    found->plain |= holds(bytes, len, PLAIN);
    found->shown |= holds(bytes, len, SHOWN);
}

static void search_file(const char *dir, const char *name, struct found *found)
{
    char path[2 * RIG_PATH_SIZE];
    struct stat st;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0) {
        char *bytes = malloc((size_t)st.st_size);
        ssize_t n = bytes ? read(fd, bytes, (size_t)st.st_size) : -1;
        if (n > 0)
            search(bytes, (size_t)n, found);
        free(bytes);
    }
    if (fd >= 0)
        close(fd);
}

static void search_files(const struct rig *rig, struct found *found)
{
    DIR *dir = opendir(rig->config.data_dir);
    for (const struct dirent *d = dir ? readdir(dir) : NULL; d; d = readdir(dir))
        search_file(rig->config.data_dir, d->d_name, found);
    if (dir)
        closedir(dir);
}

static void search_reply(const redisReply *reply, struct found *found)
{
    if (!reply)
        return;
    if (reply->type == REDIS_REPLY_STRING)
        search(reply->str, reply->len, found);
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++)
        search_reply(reply->element[i], found);
}

static void search_redis(const struct rig *rig, struct found *found)
{
    static const char *const read[] = {"GET %b", "HGETALL %b", "ZRANGE %b 0 -1", "DUMP %b"};
    redisContext *c = redisConnectUnix(rig->server.socket);
    redisReply *keys = c && !c->err ? redisCommand(c, "KEYS *") : NULL;

    search_reply(keys, found);
    for (size_t i = 0; keys && i < keys->elements; i++)
        for (size_t r = 0; r < sizeof read / sizeof *read; r++) {
            redisReply *reply = redisCommand(c, read[r], keys->element[i]->str, keys->element[i]->len);
            search_reply(reply, found); /* an error where the type is another */
            freeReplyObject(reply);
        }
    if (keys)
        freeReplyObject(keys);
    if (c)
        redisFree(c);
}

static void sealed(struct rig *rig)
{
    char token[STORE_TOKEN_SIZE];
    struct store_entry entry = {0};
    struct found found = {false, false};
    const char note[] = "{\"name\":\"" PLAIN "\"}", body[] = "{\"first_name\":\"" PLAIN "\"}";
    const struct store_progress attempt = {
        .attempt = STORE_ATTEMPT_OPPORTUNITY, .attempt_note = note, .lease_ms = LEASE_MS};

    struct store_claim claim = rig_state("shop:1", SHOWN, 1000);
    claim.body = body;
    claim.body_len = strlen(body);
    is_claim(rig_claim(rig, &claim, token), CLAIM_NEW, "given an order");
    is_result(store_progress(rig->store, "shop:1", token, &attempt, NULL), STORE_OK, "an attempt");
    claim.fingerprint = "other";
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_BUSY, "a body that waits");
    claim.fingerprint = SHOWN;
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_BUSY, "another");
    is_result(store_park_bytes(rig->store, "bad:1", body, strlen(body), "no JSON"), STORE_OK,
              "and parked bytes");
    if (rig->redis)
        search_redis(rig, &found);
    search_files(rig, &found);
    ok(found.shown, "what may be seen is found: the search sees everything");
    ok(!found.plain, "no plain text of body or note is in the store");
    store_shift_clock(rig->store, LEASE_MS + 1000);
    rig_due(rig, "shop:1", &entry);
    is_str(entry.body, body, "the body can be opened");
    is_str(entry.attempt_note, note, "so can the note");
    store_entry_free(&entry);
}

static void without_a_vault(struct rig *rig)
{
    struct store_entry entry = {0};
    char token[STORE_TOKEN_SIZE];
    const struct store_progress noted = {.attempt = STORE_ATTEMPT_CONTACT,
                                         .attempt_note = "{}",
                                         .lease_ms = LEASE_MS},
                                plain = {.contact_id = "contact", .lease_ms = LEASE_MS};

    rig_new(rig, "shop:1", "aa", token);
    store_use_vault(rig->store, NULL);
    struct store_claim claim = rig_state("shop:2", "aa", 1000);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_UNAVAILABLE, "no claim");
    ok(*store_trouble(rig->store), "and it says why: %s", store_trouble(rig->store));
    is_result(store_progress(rig->store, "shop:1", token, &noted, NULL), STORE_UNAVAILABLE, "no note");
    is_result(store_progress(rig->store, "shop:1", token, &plain, NULL), STORE_OK, "but ids");
    is_result(store_park_bytes(rig->store, "bad:1", "x", 1, "why"), STORE_UNAVAILABLE, "no parked bytes");
    store_shift_clock(rig->store, LEASE_MS + 1000);
    is_result(store_lease_due(rig->store, LEASE_MS, NULL, &entry, NULL, NULL), STORE_UNAVAILABLE, "no lease");
    store_use_vault(rig->store, rig->vault);
    is_claim(rig_claim(rig, &claim, NULL), CLAIM_NEW, "with the vault all goes on");
    store_shift_clock(rig->store, HOUR_MS);
    rig_due(rig, "shop:1", &entry);
    is_str(entry.body, "aa", "and nothing is lost");
    store_entry_free(&entry);
}

int main(void)
{
    static const struct rig_case cases[] = {
        RIG_CASE(many_processes), RIG_CASE(many_redeliveries), RIG_CASE(parent_and_child),
        RIG_CASE(sealed),         RIG_CASE(without_a_vault),
    };
    return rig_main(cases, sizeof cases / sizeof *cases);
}
