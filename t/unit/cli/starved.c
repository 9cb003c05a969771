/*
 * The commands while the machine has no more to give: the n-th allocation or addition to a buffer fails, or the n-th call
 * of a file or a socket, alone or with all that come after it. No command crashes or hangs, and one that says that all
 * went well has written what it writes otherwise.
 *
 * STARVED=N: N faults of each kind for each command, and both ways (default: 2; 25 in `make coverage`).
 */
#include "../../torture/faults.h"
#include "accept/rig_accept.h"
#include "cli/commands.h"
#include "tap.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define HANG_S 20
#define ARGUMENTS_MAX 8
#define OUTPUT_MAX (1024L * 1024)

static long tries;

static const struct {
    const char *words[ARGUMENTS_MAX];
    bool same; /* it writes the same each time */
} commands_of_people[] = {
    {{"status"}, false},
    {{"status", "--json"}, false},
    {{"failed"}, false},
    {{"failed", "--json"}, false},
    {{"failed", "show", "shop:9"}, false},
    {{"failed", "list", "--reason", "json", "--since", "1h"}, false},
    {{"failed", "retry", "--all", "--dry-run"}, false},
    {{"check"}, false},
    {{"check", "--json"}, false},
    {{"report"}, false},
    {{"help"}, true},
    {{"help", "settings"}, true},
    {{"help", "man"}, true},
    {{"help", "bash"}, true},
    {{"help", "zsh"}, true},
    {{"failed", "--help"}, true},
    {{"trigger", "--url", "http://127.0.0.1:1/woo-order"}, false},
    {{"connect", "--dry-run", "--url", "https://shop.example.com/woo-order", "--shop", "http://127.0.0.1:1"},
     false},
    {{"install", "--dry-run", "--no-questions", "--no-cron"}, false},
    {{"rekey"}, false},
    {{"reconcile", "--since", "1h"}, false},
    {{"drain", "--now"}, false},
};

static void child(const struct house *house, size_t which, enum fault_kind kind, long at, bool on)
{
    char out[128], name[] = "woo_ghl", *words[ARGUMENTS_MAX + 2] = {name};
    int n = 1;

    sandbox_path(&house->sandbox, "out", out);
    for (; commands_of_people[which].words[n - 1]; n++)
        words[n] = strdup(commands_of_people[which].words[n - 1]);
    int fd = open(out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
        _exit(EXIT_FAILURE);
    (void)alarm(HANG_S);
    faults_at(kind, at, on);
    int code = commands_main(n, words, NULL);
    long all = faults_stop(kind);
    code = fflush(stdout) == 0 ? code : EXIT_FAILURE;
    sandbox_path(&house->sandbox, "all", out);
    FILE *file = at == 0 ? fopen(out, "w") : NULL;
    if (file && (fprintf(file, "%ld\n", all) < 0 || fclose(file) != 0))
        _exit(EXIT_FAILURE);
    for (int i = 1; i < n; i++)
        free(words[i]);
    _exit(code);
}

/* How it ended; what it wrote is in `wrote`. */
static int run(const struct house *house, size_t which, enum fault_kind kind, long at, bool on,
               struct buf *wrote)
{
    char path[128];
    int status = 0;

    (void)fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        child(house, which, kind, at, on);
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return -1;
    buf_reset(wrote);
    sandbox_path(&house->sandbox, "out", path);
    FILE *file = fopen(path, "r");
    char *room = buf_room(wrote, OUTPUT_MAX);
    if (file && room)
        buf_wrote(wrote, fread(room, 1, OUTPUT_MAX, file));
    if (file)
        fclose(file);
    return status;
}

static long count_of(const struct house *house)
{
    char path[128], line[32];

    sandbox_path(&house->sandbox, "all", path);
    FILE *file = fopen(path, "r");
    long all = file && fgets(line, sizeof line, file) ? strtol(line, NULL, 10) : 0;
    if (file)
        fclose(file);
    return all;
}

static bool good_end(int status, size_t which, const struct buf *wrote, const struct buf *usual)
{
    if (!WIFEXITED(status) || WEXITSTATUS(status) >= FAULTS_LEAK)
        return false;
    return !commands_of_people[which].same || WEXITSTATUS(status) != EXIT_SUCCESS ||
           !strcmp(wrote->data, usual->data);
}

static void starve(const struct house *house, size_t which)
{
    static const char *const kinds[] = {"memory", "call"};
    struct buf usual, wrote;
    long tried = 0;
    bool good = true;

    buf_init(&usual, 2 * OUTPUT_MAX);
    buf_init(&wrote, 2 * OUTPUT_MAX);
    for (int kind = FAULT_MEMORY; kind <= FAULT_CALL; kind++) {
        good = WIFEXITED(run(house, which, (enum fault_kind)kind, 0, false, &usual)) && good;
        long all = count_of(house), step = all > tries ? all / tries : 1;
        for (long at = 1; at <= all; at += step)
            for (int on = 0; on < 2; on++, tried++) {
                int status = run(house, which, (enum fault_kind)kind, at, on, &wrote);
                if (good_end(status, which, &wrote, &usual))
                    continue;
                good = false;
                tap_note("%s#%ld%s: status %x, %zu bytes instead of %zu: %.200s", kinds[kind], at,
                         on ? "+" : "", (unsigned)status, wrote.len, usual.len, wrote.data);
            }
    }
    const char *const *words = commands_of_people[which].words;
    ok(good && tried > 0, "%s %s: %ld faults", words[0], words[1] ? words[1] : "", tried);
    buf_free(&usual);
    buf_free(&wrote);
}

static void starve_all(struct house *house)
{
    char file[128];
    sandbox_path(&house->sandbox, "env", file);
    FILE *settings = fopen(file, "w");
    ok(settings && fclose(settings) == 0, "settings that install may write");
    becomes(&house->app, SALE("7"), ACCEPTED_QUEUED, "later", "an order waits");
    becomes(&house->app, "{\"id\":9,", ACCEPTED_BAD_JSON, "bad_json", "another is none");
    app_close(&house->app);
    (void)setenv("WOO_GHL_ENV", file, 1);
    for (size_t i = 0; i < sizeof commands_of_people / sizeof *commands_of_people; i++)
        starve(house, i);
    reopen(house, NULL);
}

int main(void)
{
    const char *told = getenv("STARVED"); /* a sandbox clears the environment */

    tries = told ? strtol(told, NULL, 10) : getenv("COVERAGE") ? 25 : 2;
    tries = tries > 0 ? tries : 1;
    faults_install();
    accept_case(starve_all);
    return tap_done();
}
