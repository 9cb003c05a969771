/* drain_round: each order that waits is handed out once, to whichever process asks. */
#include "worker/drain_round.h"
#include "store/store_rig.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ORDERS 500
#define JOBS 4

static void defer(struct rig *rig, int i)
{
    char key[32];

    snprintf(key, sizeof key, "shop:%d", i);
    struct store_claim claim = rig_state(key, "aa", 1000);
    claim.work = false;
    if (rig_claim(rig, &claim, NULL) != CLAIM_DEFERRED)
        ok(false, "%s waits", key);
}

static void each_once(struct rig *rig)
{
    _Atomic int *given =
        mmap(NULL, ORDERS * sizeof *given, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct drain_round *round = drain_round_new();
    pid_t pid[JOBS];
    int once = 0;

    if (given == MAP_FAILED || !round) {
        ok(false, "there is memory");
        return;
    }
    for (int i = 0; i < ORDERS; i++)
        defer(rig, i);
    is_result(drain_round_list(round, rig->store), STORE_OK, "given 500 orders that wait");
    fflush(stdout);
    store_before_fork(rig->store);
    for (int j = 0; j < JOBS; j++) {
        pid[j] = fork();
        if (pid[j] == 0) {
            for (const char *key; (key = drain_round_next(round));)
                given[strtol(key + strlen("shop:"), NULL, 10) % ORDERS]++;
            _exit(0);
        }
    }
    for (int j = 0; j < JOBS; j++)
        is_int(rig_wait(pid[j]), 0, "job %d takes from the list until it is empty", j);
    for (int i = 0; i < ORDERS; i++)
        once += given[i] == 1;
    is_int(once, ORDERS, "each order was handed out once");
    ok(!drain_round_next(round), "none is left");
    munmap((void *)given, ORDERS * sizeof *given);
    drain_round_free(round);
}

static void what_is_new(struct rig *rig)
{
    struct drain_round *round = drain_round_new();

    if (!round) {
        ok(false, "there is memory");
        return;
    }
    ok(!drain_round_next(round), "without a list there is none");
    is_result(drain_round_list(round, rig->store), STORE_NONE, "given that none waits");
    ok(!drain_round_next(round), "there is none");
    defer(rig, 1);
    defer(rig, 2);
    is_result(drain_round_list(round, rig->store), STORE_OK, "given two");
    is_str(drain_round_next(round), "shop:1", "one");
    is_str(drain_round_next(round), "shop:2", "after the other");
    ok(!drain_round_next(round), "and no more");
    is_result(drain_round_list(round, rig->store), STORE_NONE, "they are not listed again");
    defer(rig, 3);
    is_result(drain_round_list(round, rig->store), STORE_OK, "one that came meanwhile is");
    is_str(drain_round_next(round), "shop:3", "it alone");
    ok(!drain_round_next(round), "and no more");
    drain_round_free(round);
}

int main(void)
{
    static const struct rig_case cases[] = {{"each once", each_once}, {"what is new", what_is_new}};
    return rig_main(cases, sizeof cases / sizeof *cases);
}
