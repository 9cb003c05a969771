#include "worker/drain_jobs.h"
#include "base/clock.h"
#include "base/notify.h"
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_MS 200 /* how often a stop is looked for */

/* The child's whole life. It tells its counts if it could drain, nothing otherwise. */
static void job(const struct drain_options *options, volatile int *stop, int say)
{
    struct app app;
    struct drain_counts counts;
    bool good = (app_open(&app, stop) || options->watch) && drain_run(&app, options, &counts) &&
                write(say, &counts, sizeof counts) == (ssize_t)sizeof counts;

    app_close(&app);
    _exit(good ? EXIT_SUCCESS : EXIT_FAILURE);
}

static void add(struct drain_counts *sum, const struct drain_counts *one)
{
    sum->done += one->done;
    sum->nothing += one->nothing;
    sum->queued += one->queued;
    sum->dead += one->dead;
    /* The queue is one: who asked last knows best, whoever told it first. */
    if (one->left_mono_ms > sum->left_mono_ms ||
        (one->left_mono_ms == sum->left_mono_ms && one->left < sum->left)) {
        sum->left = one->left;
        sum->left_mono_ms = one->left_mono_ms;
    }
}

/* Reads what the jobs tell until all of them have left. */
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

bool drain_jobs(int jobs, const struct drain_options *options, volatile int *stop,
                struct drain_counts *counts)
{
    struct drain_options each = *options;
    pid_t pid[DRAIN_JOBS_MAX];
    int ends[2];
    bool good = true;

    *counts = (struct drain_counts){.left = -1};
    each.began_boot_ms = clock_mono_ms(); /* for all of them: none tries again what another one tried */
    if (pipe(ends) != 0)
        return false;
    fflush(NULL);
    for (int i = 0; i < jobs; i++) {
        pid[i] = fork();
        if (pid[i] == 0) {
            close(ends[0]);
            job(&each, stop, ends[1]);
        }
        good = good && pid[i] > 0;
    }
    close(ends[1]);
    if (options->watch) /* systemd hears the main process alone */
        notify_manager("READY=1\nSTATUS=Brings waiting orders to GHL, in several processes");
    listen_to(ends[0], pid, jobs, stop, counts);
    close(ends[0]);
    for (int i = 0; i < jobs; i++) {
        int status = 0;
        if (pid[i] > 0 && (waitpid(pid[i], &status, 0) != pid[i] || status != 0))
            good = false;
    }
    return good;
}
