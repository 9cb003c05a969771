#include "app/alert.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/text.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COMMAND_MS 30000
#define LOOK_MS 50
#define TEXT_MAX 2048 /* less than a pipe holds: writing it never waits */

static const char *const kind_name[ALERT_KINDS] = {
    [ALERT_PAUSED] = "paused",       [ALERT_BREAKER] = "breaker",     [ALERT_DEAD] = "dead_letter",
    [ALERT_EXPIRING] = "expiring",   [ALERT_UNDRAINED] = "undrained", [ALERT_CONFLICT] = "conflict",
    [ALERT_SPOOL] = "spool",         [ALERT_STORE] = "store",         [ALERT_SILENT] = "silent",
    [ALERT_SHOP] = "shop",           [ALERT_LIMIT] = "limit",         [ALERT_LATE] = "late",
    [ALERT_NOT_ORDER] = "not_order", [ALERT_FOREIGN] = "foreign",     [ALERT_UNMAPPED] = "unmapped",
    [ALERT_ERASED] = "erased",       [ALERT_SUB_ORDER] = "sub_order", [ALERT_LEFT] = "left_behind",
    [ALERT_SEALED] = "sealed",       [ALERT_WEBHOOK] = "webhook",
};

/* -- whose turn -- */

/* Without the store the processes of one machine still share DATA_DIR: the age of a file says when. */
static bool take_turn_by_file(const struct app *app, const char *kind)
{
    struct error e = ERROR_NONE;
    struct stat st;
    struct timespec now;
    char name[64];
    bool mine = false;
    int dir = files_open_dir(app->config.data_dir, &e);

    snprintf(name, sizeof name, "alert.%s", kind);
    int fd = dir < 0 ? -1 : openat(dir, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0 &&
        clock_gettime(CLOCK_REALTIME, &now) == 0) {
        int64_t age_ms = ((int64_t)now.tv_sec - (int64_t)st.st_mtim.tv_sec) * 1000;
        /* The first byte tells a file that was used from one that was just made. */
        mine = st.st_size == 0 || age_ms < 0 || age_ms >= app->config.alert_every_ms;
        if (mine)
            mine = pwrite(fd, "1", 1, 0) == 1 && futimens(fd, NULL) == 0;
    }
    if (fd >= 0)
        close(fd);
    if (dir >= 0)
        close(dir);
    return mine;
}

static bool take_turn(struct app *app, enum alert_kind kind)
{
    char name[64];
    bool turn;

    snprintf(name, sizeof name, "alert/%s", kind_name[kind]);
    if (kind != ALERT_STORE && app_take_turn(app, name, app->config.alert_every_ms, &turn))
        return turn;
    return take_turn_by_file(app, kind_name[kind]);
}

/* -- the command -- */

/* Only what may be called between fork and exec of a program with threads. */
static void be_the_command(const char *command)
{
    const struct sigaction normal = {.sa_handler = SIG_DFL};
    static const int changed[] = {SIGTERM, SIGUSR1, SIGINT, SIGPIPE};
    sigset_t none;

    for (size_t i = 0; i < sizeof changed / sizeof *changed; i++)
        if (sigaction(changed[i], &normal, NULL) != 0)
            _exit(126);
    sigemptyset(&none);
    if (sigprocmask(SIG_SETMASK, &none, NULL) == 0 && setpgid(0, 0) == 0)
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
}

static void watch_over(pid_t pid)
{
    const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
    int status;

    for (int64_t left = COMMAND_MS; left > 0; left -= LOOK_MS) {
        if (waitpid(pid, &status, WNOHANG) != 0)
            return;
        (void)nanosleep(&pause, NULL);
    }
    (void)kill(-pid, SIGKILL); /* with all that it began */
    (void)waitpid(pid, &status, 0);
}

/* All that stand behind this one. */
static void close_behind(unsigned fd)
{
    if (syscall(SYS_close_range, fd + 1, ~0U, 0) != 0) /* Linux before 5.9 */
        while (++fd < 1024)
            (void)close((int)fd);
}

/* Between us and the command: a process that nobody waits for, and that ends what does not end. */
static void be_the_watcher(const char *command, int text)
{
    int null = open("/dev/null", O_RDWR);

    if (setsid() < 0 || null < 0 || dup2(text, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
        dup2(null, STDERR_FILENO) < 0)
        _exit(EXIT_FAILURE);
    close_behind(STDERR_FILENO);
    pid_t pid = fork();
    if (pid == 0)
        be_the_command(command);
    if (pid > 0) {
        (void)close(STDIN_FILENO);
        watch_over(pid);
    }
    _exit(pid > 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

static bool run_command(const char *command, const char *text, size_t len)
{
    int ends[2], status;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    pid_t pid = fork();
    if (pid == 0) {
        pid_t watcher = fork();
        if (watcher == 0)
            be_the_watcher(command, ends[0]);
        _exit(watcher > 0 ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    bool good = pid > 0;
    if (good)
        while (waitpid(pid, &status, 0) < 0)
            if (errno != EINTR) {
                status = -1;
                break;
            }
    good = good && status == 0 && write(ends[1], text, len) == (ssize_t)len;
    close(ends[0]);
    close(ends[1]);
    return good;
}

/* -- the process apart -- */

#define TOLD_MS 5000 /* how long it may take to begin the command */

/* It believes a text, and nothing else. */
static void be_apart(int from)
{
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    char text[2 * TEXT_MAX];
    ssize_t len;
    int null = open("/dev/null", O_RDWR);

    (void)prctl(PR_SET_NAME, "woo_ghl alerts"); /* for ps */
    /* It ends when nobody can tell it anything any more. */
    if (sigaction(SIGTERM, &ignore, NULL) != 0 || sigaction(SIGINT, &ignore, NULL) != 0 ||
        sigaction(SIGUSR1, &ignore, NULL) != 0 || null < 0 || dup2(from, STDERR_FILENO + 1) < 0)
        _exit(EXIT_FAILURE);
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        if (dup2(null, fd) < 0)
            _exit(EXIT_FAILURE);
    close_behind(STDERR_FILENO + 1);
    while ((len = recv(STDERR_FILENO + 1, text, sizeof text, 0)) > 0) {
        struct config config;
        struct config_report report;
        char told = config_load(&config, &report) && *config.alert_command &&
                    run_command(config.alert_command, text, (size_t)len);
        config_report_free(&report);
        config_free(&config);
        if (send(STDERR_FILENO + 1, &told, 1, MSG_NOSIGNAL) != 1)
            break;
    }
    _exit(EXIT_SUCCESS);
}

void alert_begin_apart(struct app *app)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return;
    if (app->store)
        store_before_fork(app->store);
    pid_t pid = fork();
    if (pid == 0)
        be_apart(ends[1]);
    close(ends[1]);
    if (pid > 0)
        app->alerts = ends[0];
    else
        close(ends[0]);
}

static bool tell_apart(int to, const char *text, size_t len)
{
    struct pollfd answer = {.fd = to, .events = POLLIN};
    char told = 0;

    return send(to, text, len, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)len &&
           poll(&answer, 1, TOLD_MS) > 0 && recv(to, &told, 1, MSG_DONTWAIT) == 1 && told;
}

bool alert_raise(struct app *app, enum alert_kind kind, const char *fmt, ...)
{
    char said[TEXT_MAX], shown[TEXT_MAX];
    struct buf text;
    va_list args;

    if (!take_turn(app, kind))
        return false;
    if (!*app->config.alert_command)
        return true;
    va_start(args, fmt);
    (void)text_vformat(said, sizeof said, fmt, args);
    va_end(args);
    buf_init(&text, 2L * TEXT_MAX);
    bool good = buf_addf(&text, "woo_ghl %s: %s\n", kind_name[kind],
                         log_printable(app->log, said, shown, sizeof shown)) &&
                (app->alerts < 0 ? run_command(app->config.alert_command, text.data, text.len)
                                 : tell_apart(app->alerts, text.data, text.len));
    buf_free(&text);
    struct log_about about = {.reason = kind_name[kind]};
    log_event(app->log, good ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, "alert", &about,
              good ? "ALERT_COMMAND was told" : "ALERT_COMMAND could not be started");
    return true;
}

void alert_others(struct app *app, const char *key, unsigned others, const char *contact_id,
                  const char *opportunity_id, bool created)
{
    bool second = others & OTHER_OPPORTUNITY, contact = !second && created && others & OTHER_CONTACT;
    struct log_about about = {.order = key, .ghl_id = second ? opportunity_id : contact_id};

    if (second || contact) {
        const char *what = second ? "opportunity" : "contact";
        log_event(app->log, LOG_LEVEL_ERROR, "conflict", &about,
                  "The store has another %s of this order already: look for a second one in GHL", what);
        (void)alert_raise(app, ALERT_CONFLICT, "Order %s has a second %s: look for %s in GHL", key, what,
                          about.ghl_id ? about.ghl_id : "it");
    } else if (others) {
        log_event(app->log, LOG_LEVEL_INFO, "contact", &about,
                  "The store has another contact of this order: it stays");
    }
}
