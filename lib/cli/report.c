/* One text for a bug report: version, system, settings, what check and status say, and the end of the log; without secrets
 * and personal data. It goes to a new file (0600), or to standard output. */
#include "base/clock.h"
#include "base/version.h"
#include "cli/check.h"
#include "cli/commands_work.h"
#include "cli/status.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sysexits.h>
#include <unistd.h>

#define LOG_TAIL (64L * 1024)
#define LINE_MAX_BYTES 8192

/* The log's last lines. */
static void print_log(const char *path)
{
    char piece[4096];
    FILE *log = *path == '/' ? fopen(path, "re") : NULL;
    size_t n;

    if (!log) {
        printf("(it goes to %s)\n", path);
        return;
    }
    if (fseek(log, -LOG_TAIL, SEEK_END) != 0)
        rewind(log);
    while ((n = fread(piece, 1, sizeof piece, log)) > 0 && fwrite(piece, 1, n, stdout) == n)
        ;
    (void)fclose(log);
}

static void print_parts(struct app *app, bool good)
{
    const struct check_options options = {.json = false};
    struct utsname system;
    char now[32];

    clock_format_iso(clock_wall_ms(), now);
    printf("woo_ghl %s, %s\n", WOO_GHL_VERSION, now);
    if (uname(&system) == 0)
        printf("%s %s %s\n", system.sysname, system.release, system.machine);
    printf("\n-- check --\n");
    (void)check_print(app, good, &options); /* that something is wrong is why this is read */
    if (good) {
        printf("\n-- status --\n");
        (void)status_print(app, false);
    }
    printf("\n-- the end of the log --\n");
    if (app->config.log_to)
        print_log(app->config.log_to);
}

/* Line by line, without secrets, addresses and phone numbers. */
static bool copy_redacted(const struct app *app, FILE *from, FILE *to)
{
    char shown[LINE_MAX_BYTES], *line = NULL;
    size_t size = 0;
    bool good = fputs("Secrets, email addresses and phone numbers are taken out. Look through it before you "
                      "send it.\n\n",
                      to) >= 0;

    while (good && getline(&line, &size, from) > 0) {
        line[strcspn(line, "\n")] = '\0';
        good = fprintf(to, "%s\n", log_printable(app->log, line, shown, sizeof shown)) >= 0;
    }
    free(line);
    return good && fflush(to) == 0;
}

/* What the parts print goes to a file that nobody sees. False if that cannot be. */
static bool print_into(struct app *app, bool good, FILE *kept)
{
    int own = fflush(stdout) == 0 ? dup(STDOUT_FILENO) : -1;
    bool done = own >= 0 && dup2(fileno(kept), STDOUT_FILENO) >= 0;

    if (done) {
        print_parts(app, good);
        done = fflush(stdout) == 0;
        done = dup2(own, STDOUT_FILENO) >= 0 && done;
    }
    if (own >= 0)
        close(own);
    return done;
}

static int report(struct app *app, bool settings_good, const char *file)
{
    int fd = file ? open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : dup(STDOUT_FILENO);
    FILE *to = fd >= 0 ? fdopen(fd, "w") : NULL, *kept = to ? tmpfile() : NULL;

    if (!kept) {
        fprintf(stderr, "woo_ghl report: %s: %s\n", file ? file : "a temporary file", strerror(errno));
        if (to)
            (void)fclose(to);
        return EX_CANTCREAT;
    }
    bool good =
        print_into(app, settings_good, kept) && fseek(kept, 0, SEEK_SET) == 0 && copy_redacted(app, kept, to);
    good = fclose(to) == 0 && good;
    (void)fclose(kept);
    if (good && file)
        printf("%s is written. Look through it before you send it.\n", file);
    return good ? EX_OK : EX_IOERR;
}

int run_report(int argc, char **argv, volatile int *stop)
{
    struct app app;

    if (argc > 1 || (argc == 1 && argv[0][0] == '-'))
        return commands_usage("report", argv[argc - 1]);
    bool good = app_open(&app, stop);
    int code = report(&app, good, argv[0]); /* behind the last one argv ends with NULL */
    app_close(&app);
    return code;
}
