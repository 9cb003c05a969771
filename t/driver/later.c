/*
 * Drains the queue once as of another time: leases and waits that take minutes are over then.
 *
 *   later SECONDS [asked]        asked: reads its settings, and waits for the end of standard input
 */
#include "base/clock.h"
#include "app/ready.h"
#include "worker/drain.h"
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    struct app app;
    struct error e = ERROR_NONE;
    struct drain_counts counts = {0};
    const struct drain_options options = {.budget_ms = CLOCK_NEVER, .heartbeat = true};
    long seconds = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
    bool good = app_open(&app, NULL);

    app.shift_ms = seconds * 1000;
    good = good && app_ready(&app, &e);

    if (argc > 2 && puts("open") >= 0 && fflush(stdout) == 0)
        while (getchar() != EOF)
            ;
    if (good)
        good = drain_run(&app, &options, &counts);
    printf("done %ld, left %ld%s\n", counts.done, counts.left, e.text);
    app_close(&app);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
