/*
 * woo_ghl: WooCommerce's order webhooks -> GoHighLevel. One binary, three roles (design: serve.h,
 * commands.h).
 */
#include "app/confined.h"
#include "app/journal.h"
#include "base/files.h"
#include "base/secrecy.h"
#include "cli/commands.h"
#include "web/routes.h"
#include "web/serve.h"
#include "worker/drain.h"
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define DRAIN_AFTER_MS 5000

static volatile int stop; /* set by a signal, looked at everywhere; nothing else is global */

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

static void install_signals(void)
{
    /* SA_RESTART: a read of the request in hand must go on, libfcgi takes EINTR for its end. Waits (ppoll,
     * nanosleep) are interrupted all the same. */
    struct sigaction leave = {.sa_handler = on_signal, .sa_flags = SA_RESTART},
                     ignore = {.sa_handler = SIG_IGN};

    sigemptyset(&leave.sa_mask);
    sigemptyset(&ignore.sa_mask);
    sigaction(SIGTERM, &leave, NULL);
    sigaction(SIGUSR1, &leave, NULL);
    sigaction(SIGINT, &leave, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
    sigaction(SIGXFSZ, &ignore, NULL); /* a limit of files' sizes is a full disk, and answered as one */
}

static void handle(void *context, const struct request *request, struct response *response)
{
    app_confine(context); /* settings that were refused at the start may be mended now */
    routes_handle(context, request, response);
    secrecy_end(response->deep, strlen(request->content_length) > 5 || *request->transfer_encoding);
}

static void drain_after(void *context)
{
    const struct drain_options options = {.budget_ms = DRAIN_AFTER_MS};
    struct drain_counts counts;
    (void)drain_run(context, &options,
                    &counts); /* what went wrong is in the log; the next worker tries again */
}

static int64_t rest(void *context)
{
    return journal_keep_now_and_then(context);
}

/* One of this machine works on at a time, however many requests come; the child holds the lock until it ends. */
static int before_fork(void *context)
{
    struct app *app = context;
    int lock;

    journal_keep(app); /* the child must not write it down again */
    if (!files_lock(app->config.data_dir, "drain-after.lock", &lock) || lock < 0)
        return -1;
    if (app->store)
        store_before_fork(app->store);
    return lock;
}

int main(int argc, char **argv)
{
    enum serve_role role = serve_role();
    struct app app;
    int code;

    install_signals();
    secrecy_begin();
    if (role == SERVE_NONE)
        return commands_main(argc, argv, &stop);

    (void)app_open(&app, &stop); /* a refused configuration is answered 503, with every reason in the log */
    if (role == SERVE_FASTCGI)
        app.listener = STDIN_FILENO;
    app_confine(&app);
    const struct serve_handler handler = {
        .context = &app, .handle = handle, .rest = rest, .drain = drain_after, .before_fork = before_fork};
    code = role == SERVE_FASTCGI ? serve_fastcgi(&handler, &stop) : serve_cgi(&handler);
    app_close(&app);
    return code;
}
