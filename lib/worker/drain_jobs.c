#include "worker/drain_jobs.h"
#include "base/clock.h"
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_MS 200 /* how often a stop is looked for */
#define AWAY_MS 500 /* how often a store that is away */

/* The child's whole life. It says its counts when it could drain, nothing otherwise. */
static void job(const struct drain_options *options, volatile int *stop, int say)
{
    struct app app;
    struct drain_counts counts;
    bool good = app_open(&app, stop) && drain_run(&app, options, &counts) &&
                write(say, &counts, sizeof counts) == (ssize_t)sizeof counts;

    app_close(&app);
    _exit(good ? EXIT_SUCCESS : EXIT_FAILURE);
}

static void add(struct drain_counts *sum, const struct drain_counts *one)
{
    sum->done += one->done;
    sum->nothing += one->nothing;
    sum->queued += one->queued;
    sum->parked += one->parked;
    sum->left = one->left; /* the queue is one: who ended last knows best */
}

/* Reads what the jobs say until all of them have left. */
static void listen_to(int from, const pid_t pid[], int n, volatile const int *stop, struct drain_counts *sum)
{
    struct pollfd end = {.fd = from, .events = POLLIN};
    struct drain_counts one;
    bool told = false;

    for (;;) {
        if (stop && *stop && !told) {
            for (int i = 0; i < n; i++)
                if (pid[i] > 0)
                    (void)kill(pid[i], SIGTERM); /* one that has left already needs none */
            told = true;
        }
        if (poll(&end, 1, LOOK_MS) <= 0)
            continue;
        if (read(from, &one, sizeof one) != (ssize_t)sizeof one)
            return;
        add(sum, &one);
    }
}

static bool run_jobs(int jobs, const struct drain_options *options, volatile int *stop,
                     struct drain_counts *counts)
{
    pid_t pid[DRAIN_JOBS_MAX];
    int ends[2];
    bool good = true;

    if (pipe(ends) != 0)
        return false;
    fflush(NULL);
    for (int i = 0; i < jobs; i++) {
        pid[i] = fork();
        if (pid[i] == 0) {
            close(ends[0]);
            job(options, stop, ends[1]);
        }
        good = good && pid[i] > 0;
    }
    close(ends[1]);
    listen_to(ends[0], pid, jobs, stop, counts);
    close(ends[0]);
    for (int i = 0; i < jobs; i++) {
        int status = 0;
        if (pid[i] > 0 && (waitpid(pid[i], &status, 0) != pid[i] || status != 0))
            good = false;
    }
    return good;
}

/* What waits, by an app of its own: it is closed again before a job begins. One that watches waits for a
 * store that is away. */
static enum store_result list(struct drain_round *round, bool watch, volatile int *stop)
{
    struct app app;
    enum store_result result = STORE_UNAVAILABLE;
    bool complained = false;

    if (app_open(&app, stop))
        while ((result = drain_list(&app, round)) == STORE_UNAVAILABLE) {
            if (!complained)
                drain_complain(&app);
            complained = true;
            if (!watch || !clock_sleep_ms(AWAY_MS, stop))
                break;
        }
    app_close(&app);
    return result;
}

/* Jobs take what was listed; then what came meanwhile is listed, until there is nothing new. */
static bool run_rounds(int jobs, struct drain_options *options, volatile int *stop,
                       struct drain_counts *counts)
{
    enum store_result listed = list(options->round, options->watch, stop);

    if (listed == STORE_UNAVAILABLE)
        return stop && *stop;
    do {
        if (!run_jobs(jobs, options, stop, counts))
            return false;
        if (options->watch || (stop && *stop))
            return true;
        listed = list(options->round, false, stop);
    } while (listed == STORE_OK);
    return listed == STORE_NONE;
}

bool drain_jobs(int jobs, const struct drain_options *options, volatile int *stop,
                struct drain_counts *counts)
{
    struct drain_options each = *options;

    *counts = (struct drain_counts){.left = -1};
    if (!options->now)
        return run_jobs(jobs, options, stop, counts);
    each.round = drain_round_new();
    bool good = each.round && run_rounds(jobs, &each, stop, counts);
    drain_round_free(each.round);
    return good;
}
