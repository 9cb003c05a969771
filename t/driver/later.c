/*
 * The program as of a later time, for t/crash.t and t/crash-points.t: leases and waits that take minutes are
 * over then. Answers one request where the environment is a CGI's, else drains the queue once.
 *
 *   later SECONDS
 */
#include "clock.h"
#include "drain.h"
#include "serve.h"
#include <stdio.h>
#include <stdlib.h>

static void handle(void *context, const struct request *request, struct response *response)
{
    intake_handle(context, request, response);
}

static bool drain(struct app *app)
{
    struct drain_counts counts = {0};
    const struct drain_options options = {.budget_ms = CLOCK_NEVER, .heartbeat = true};
    bool good = drain_run(app, &options, &counts);

    printf("done %ld, left %ld\n", counts.done, counts.left);
    return good;
}

int main(int argc, char **argv)
{
    struct app app;
    struct error e = ERROR_NONE;
    const struct serve_handler handler = {.context = &app, .handle = handle};
    long seconds = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
    bool good = app_open(&app, NULL), ready = good && app_ready(&app, &e);

    if (ready)
        store_shift_clock(app.store, seconds * 1000);
    else
        fprintf(stderr, "later: %s\n", e.text);
    if (serve_role() == SERVE_CGI) /* a store that is away is the spool's business */
        good = good && serve_cgi(&handler) == EXIT_SUCCESS;
    else
        good = ready && drain(&app);
    app_close(&app);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
