/*
 * Runs the program again and again for t/crash-points.t, each time in a child of its own that may die:
 * forking costs a tenth of what starting anew does. As of so many seconds later it answers one request where
 * its environment is a CGI's, reads the shop where RECONCILE is in it, else it drains the queue once.
 *
 * Standard input: one run a line, its fields ended by tabs: SECONDS, file for its standard input, file for
 * its standard output, then NAME=VALUE of its environment. Standard output: each run's exit status, one a
 * line.
 */
#include "app/ready.h"
#include "base/clock.h"
#include "base/digest.h"
#include "shop/reconcile.h"
#include "web/routes.h"
#include "web/serve.h"
#include "worker/drain.h"
#ifdef WOO_GHL_CRASH
#include "../torture/faults.h"
#endif
#include <curl/curl.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIGNAL_STATUS 128

static void handle(void *context, const struct request *request, struct response *response)
{
    routes_handle(context, request, response);
}

static bool drain(struct app *app)
{
    struct drain_counts counts = {0};
    const struct drain_options options = {.budget_ms = CLOCK_NEVER, .heartbeat = true};
    bool good = drain_run(app, &options, &counts);

    printf("left %ld\n", counts.left);
    return good;
}

/* All that the shop ever had. */
static bool reconcile(struct app *app)
{
    const struct reconcile_options options = {.since_s = 1};
    struct reconcile_counts counts;
    struct error e = ERROR_NONE;
    bool good = reconcile_run(app, &options, &counts, &e) == RECONCILE_DONE;

    printf("read %ld %s\n", counts.read, e.text);
    return good;
}

static int serve(long seconds)
{
    struct app app;
    struct error e = ERROR_NONE;
    const struct serve_handler handler = {.context = &app, .handle = handle};
    bool good = app_open(&app, NULL);

    app.shift_ms = seconds * 1000;
    bool ready = good && app_ready(&app, &e);

    if (serve_role() == SERVE_CGI) /* a store that is away is the spool's business */
        good = good && serve_cgi(&handler) == EXIT_SUCCESS;
    else if (getenv("RECONCILE"))
        good = ready && reconcile(&app);
    else
        good = ready && drain(&app);
    app_close(&app);
    return good && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* The next field, ended in place; "" when there is none. */
static char *field(char **line)
{
    char *start = *line, *end = strchr(start, '\t');

    if (!end)
        return start + strlen(start);
    *end = '\0';
    *line = end + 1;
    return start;
}

static bool redirect(int fd, const char *path, int flags)
{
    int from = open(path, flags | O_CLOEXEC, 0600);
    bool good = from >= 0 && dup2(from, fd) == fd;

    if (from >= 0)
        close(from);
    return good;
}

static int child(char *line)
{
    long seconds = strtol(field(&line), NULL, 10);
    const char *in = field(&line), *out = field(&line);
    char *variable;

    if (!redirect(STDIN_FILENO, in, O_RDONLY) || !redirect(STDOUT_FILENO, out, O_WRONLY | O_CREAT | O_TRUNC))
        return EXIT_FAILURE;
    while (*(variable = field(&line)))
        if (putenv(variable) != 0)
            return EXIT_FAILURE;
#ifdef WOO_GHL_CRASH
    faults_begin();
    int code = serve(seconds);
    faults_end();
    return code;
#else
    return serve(seconds);
#endif
}

int main(void)
{
    char *line = NULL;
    size_t size = 0;
    int status = 0;
    unsigned char warm[DIGEST_LEN] = {0};

#ifdef WOO_GHL_CRASH
    faults_install();
#endif
    /* Loaded once, for all children. */
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !digest_hmac(warm, sizeof warm, "", 0, warm))
        return EXIT_FAILURE;
    while (getline(&line, &size, stdin) > 0) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(child(line));
        if (pid < 0 || waitpid(pid, &status, 0) != pid)
            return EXIT_FAILURE;
        printf("%d\n", WIFEXITED(status) ? WEXITSTATUS(status) : SIGNAL_STATUS + WTERMSIG(status));
        fflush(stdout);
    }
    free(line);
    return EXIT_SUCCESS;
}
