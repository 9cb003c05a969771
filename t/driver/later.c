/*
 * Drains the queue once as of another time: leases and waits that take minutes are over then.
 *
 *   later SECONDS [asked|wanted|status]
 *
 *   asked: reads its settings, and waits for the end of standard input. wanted: says only whether a web worker would
 *   drain then. status: says only what `woo_ghl status` would.
 */
#include "app/alert_send.h"
#include "app/heartbeat.h"
#include "app/ready.h"
#include "base/clock.h"
#include "cli/status.h"
#include "worker/drain.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    struct app app;
    struct error e = ERROR_NONE;
    struct drain_counts counts = {0};
    const struct drain_options options = {.budget_ms = CLOCK_NEVER, .heartbeat = true};
    const char *what = argc > 2 ? argv[2] : "";
    if (argc > 1 && !strcmp(argv[1], ALERT_SENDER)) /* as woo_ghl: alerts come from this program, too */
        return alert_sender();
    long seconds = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
    bool good = app_open(&app, NULL);

    app.shift_ms = seconds * 1000;
    good = good && app_ready(&app, &e);

    if (!strcmp(what, "asked") && puts("open") >= 0 && fflush(stdout) == 0)
        while (getchar() != EOF)
            ;
    if (good && !strcmp(what, "wanted")) {
        puts(drain_is_wanted(&app) ? "wanted" : "not wanted");
    } else if (good && !strcmp(what, "status")) {
        good = status_print(&app, false) <= 2;
    } else {
        good = good && drain_run(&app, &options, &counts);
        printf("done %ld, left %ld%s\n", counts.done, counts.left, e.text);
    }
    app_close(&app);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
