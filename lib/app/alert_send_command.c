/* Runs ALERT_COMMAND. */
#include "app/alert_send_work.h"
#include "base/clock.h"
#include "base/text.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define COMMAND_MS 30000
#define LOOK_MS 50
#define SAID_MAX 200 /* bytes of its standard error that are kept: the first */
#define VARIABLES 9
#define VARIABLE_SIZE 300

/* Nothing of ours: it may hold secrets, and what a visitor of a CGI program chose. */
struct environment {
    char text[VARIABLES][VARIABLE_SIZE];
    char *list[VARIABLES + 1];
};

static void fill_environment(struct environment *env, const json_t *alert)
{
    const struct passwd *user = getpwuid(geteuid());
    const struct {
        const char *name, *value;
    } variable[VARIABLES] = {{"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
                             {"LANG", "C.UTF-8"},
                             {"SHELL", "/bin/sh"},
                             {"HOME", user ? user->pw_dir : "/"},
                             {"USER", user ? user->pw_name : ""},
                             {"LOGNAME", user ? user->pw_name : ""},
                             {"WOO_GHL_ALERT", json_text(alert, "kind")},
                             {"WOO_GHL_SHOP", json_text(alert, "shop")},
                             {"WOO_GHL_HOST", json_text(alert, "host")}};

    for (size_t i = 0; i < VARIABLES; i++) {
        (void)text_format(env->text[i], VARIABLE_SIZE, "%s=%s", variable[i].name, variable[i].value);
        env->list[i] = env->text[i];
    }
    env->list[VARIABLES] = NULL;
}

static void be_the_command(const char *command, const struct environment *env, int in, int err)
{
    static const int changed[] = {SIGTERM, SIGUSR1, SIGINT, SIGPIPE, SIGXFSZ};
    int null = open("/dev/null", O_WRONLY);

    for (size_t i = 0; i < sizeof changed / sizeof *changed; i++)
        (void)signal(changed[i], SIG_DFL);
    if (setpgid(0, 0) == 0 && null >= 0 && dup2(in, STDIN_FILENO) >= 0 && dup2(null, STDOUT_FILENO) >= 0 &&
        dup2(err, STDERR_FILENO) >= 0)
        execle("/bin/sh", "sh", "-c", command, (char *)NULL, env->list);
    _exit(127);
}

/* Takes what it says until it ends, or its time is over. False: it was killed. */
static bool watch(pid_t pid, int err, struct buf *said, int *status)
{
    int64_t end_ms = clock_mono_ms() + COMMAND_MS;
    struct pollfd from = {.fd = err, .events = POLLIN};
    char piece[512];

    for (bool ended = false; clock_left_ms(end_ms) > 0;) {
        ended = ended || waitpid(pid, status, WNOHANG) == pid;
        bool more = poll(&from, 1, ended ? 0 : LOOK_MS) > 0;
        ssize_t n = more ? read(err, piece, sizeof piece) : 0;
        if (n > 0)
            (void)buf_add(said, piece, (size_t)n < said->max - said->len ? (size_t)n : said->max - said->len);
        else if (ended)
            return true;
        else if (more) /* it closed it */
            (void)clock_sleep_ms(LOOK_MS, NULL);
    }
    (void)kill(-pid, SIGKILL); /* with all that it began */
    while (waitpid(pid, status, 0) < 0 && errno == EINTR)
        ;
    return false;
}

static bool judge(bool ended, int status, struct buf *said, char *why, size_t size)
{
    while (said->len && strchr(" \t\r\n", said->data[said->len - 1]))
        said->data[--said->len] = '\0';
    const char *colon = said->len ? ": " : "";

    if (!ended)
        (void)text_format(why, size, "it ran longer than %d s and was killed%s%s", COMMAND_MS / 1000, colon,
                          said->data);
    else if (WIFSIGNALED(status))
        (void)text_format(why, size, "it was ended by signal %d%s%s", WTERMSIG(status), colon, said->data);
    else if (WEXITSTATUS(status) != 0)
        (void)text_format(why, size, "it ended with status %d%s%s", WEXITSTATUS(status), colon, said->data);
    else
        return true;
    return false;
}

bool alert_run(const char *command, const json_t *alert, const struct buf *text, char *why, size_t size)
{
    int in[2] = {-1, -1}, err[2] = {-1, -1}, status = 0;
    struct environment env = {.list = {NULL}};
    struct buf said;
    bool good = false;

    buf_init(&said, SAID_MAX);
    fill_environment(&env, alert);
    pid_t pid = pipe2(in, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0 ? fork() : -1;
    if (pid == 0)
        be_the_command(command, &env, in[0], err[1]);
    close(in[0]);
    close(err[1]);
    if (pid > 0) {
        /* Less than a pipe holds: it never waits. That the command reads it is its own affair. */
        (void)(write(in[1], text->data, text->len) == (ssize_t)text->len);
        close(in[1]);
        in[1] = -1;
        bool ended = watch(pid, err[0], &said, &status);
        good = judge(ended, status, &said, why, size);
    } else {
        (void)text_format(why, size, "it cannot be started: %s", strerror(errno));
    }
    close(in[1]);
    close(err[0]);
    buf_free(&said);
    return good;
}
