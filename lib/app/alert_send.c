#include "app/alert_send.h"
#include "app/alert_send_work.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/http_client.h"
#include "base/text.h"
#include "base/version.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#define URL_MS 15000
#define MINUTE_MS 60000LL
#define PAUSE_MAX_MS (60 * MINUTE_MS)
#define KEEP_MS (24 * 60 * MINUTE_MS)
#define BODY_MAX (64L * 1024)
#define CHAT_MAX 1900 /* bytes of {text}: Discord refuses a content of more than 2,000 characters */
#define LAST "last"
#define SUFFIX ".alert"

/* -- the process is started -- */

#define PROGRAM "/proc/self/exe"
#define ENVIRONMENT_MAX 1024

/* Our environment, which may hold settings, without what makes this program a CGI program and what the client sent. */
static char **make_environment(void)
{
    static const char cgi[] = "GATEWAY_INTERFACE=";
    char **list = calloc(ENVIRONMENT_MAX + 1, sizeof *list);
    size_t n = 0;

    for (char **from = environ; list && *from && n < ENVIRONMENT_MAX; from++)
        if (strncmp(*from, cgi, sizeof cgi - 1) != 0 && strncmp(*from, "HTTP_", 5) != 0)
            list[n++] = *from;
    return list;
}

/* All that stand behind this one. */
static void close_behind(unsigned fd)
{
    if (syscall(SYS_close_range, fd + 1, ~0U, 0) != 0) /* Linux before 5.9 */
        while (++fd < 1024)
            (void)close((int)fd);
}

/* Only what may be called between fork and exec of a program with threads. The log goes on to standard error, but not
 * under CGI: the web server waits until nobody holds it. */
static void be_the_sender(int text, char **environment, bool quiet)
{
    static char program[] = "woo_ghl", word[] = ALERT_SENDER;
    char *arguments[] = {program, word, NULL};
    const char *file = (const char *)getauxval(AT_EXECFN); /* without /proc, as in an empty chroot */
    int null = open("/dev/null", O_RDWR);

    if (setsid() < 0 || null < 0 || dup2(text, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
        (quiet && dup2(null, STDERR_FILENO) < 0))
        _exit(EXIT_FAILURE);
    close_behind(STDERR_FILENO);
    (void)execve(PROGRAM, arguments, environment);
    if (file)
        (void)execve(file, arguments, environment);
    _exit(EXIT_FAILURE);
}

bool alert_send(const char *text, size_t len)
{
    int ends[2], status;
    char **environment = make_environment();
    bool quiet = getenv("GATEWAY_INTERFACE") != NULL, good = environment && pipe2(ends, O_CLOEXEC) == 0;

    if (good) {
        pid_t pid = fork();
        if (pid == 0) {
            pid_t sender = fork(); /* nobody's child: nobody waits for it */
            if (sender == 0)
                be_the_sender(ends[0], environment, quiet);
            _exit(sender > 0 ? EXIT_SUCCESS : EXIT_FAILURE);
        }
        good = pid > 0;
        while (good && waitpid(pid, &status, 0) < 0)
            good = errno == EINTR;
        good = good && status == 0 && write(ends[1], text, len) == (ssize_t)len; /* less than a pipe holds */
        close(ends[0]);
        close(ends[1]);
    }
    free(environment);
    return good;
}

/* -- the process apart -- */

#define TOLD_MS 5000 /* how long it may take to start the sender */
#define APART (STDERR_FILENO + 1)

/* It believes a text, and nothing else. */
static void be_apart(int from)
{
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    static char text[BODY_MAX];
    ssize_t len;
    int null = open("/dev/null", O_RDWR);

    (void)prctl(PR_SET_NAME, "woo_ghl alerts"); /* for ps */
    /* It ends when nobody can tell it anything any more. */
    if (sigaction(SIGTERM, &ignore, NULL) != 0 || sigaction(SIGINT, &ignore, NULL) != 0 ||
        sigaction(SIGUSR1, &ignore, NULL) != 0 || null < 0 || dup2(from, APART) < 0)
        _exit(EXIT_FAILURE);
    for (int fd = 0; fd < STDERR_FILENO; fd++)
        if (dup2(null, fd) < 0)
            _exit(EXIT_FAILURE);
    if (getenv("GATEWAY_INTERFACE") && dup2(null, STDERR_FILENO) < 0)
        _exit(EXIT_FAILURE);
    close_behind(APART);
    while ((len = recv(APART, text, sizeof text, 0)) > 0) {
        char told = alert_send(text, (size_t)len);
        if (send(APART, &told, 1, MSG_NOSIGNAL) != 1)
            break;
    }
    _exit(EXIT_SUCCESS);
}

int alert_apart(void)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0)
        be_apart(ends[1]);
    close(ends[1]);
    if (pid > 0)
        return ends[0];
    close(ends[0]);
    return -1;
}

bool alert_send_apart(int apart, const char *text, size_t len)
{
    struct pollfd answer = {.fd = apart, .events = POLLIN};
    char told = 0;

    return send(apart, text, len, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)len &&
           poll(&answer, 1, TOLD_MS) > 0 && recv(apart, &told, 1, MSG_DONTWAIT) == 1 && told;
}

/* -- as text -- */

/* The alert as text for people: its first line says kind and what. */
static bool add_text(const json_t *alert, struct buf *out)
{
    static const struct {
        const char *member, *title;
    } line[] = {{"shop", "shop:  "},
                {"host", "host:  "},
                {"since", "since: "},
                {"costs", "costs: "},
                {"mend", "to do: "}};
    bool good = buf_addf(out, "woo_ghl %s: %s\n", json_text(alert, "kind"), json_text(alert, "what"));

    for (size_t i = 0; i < sizeof line / sizeof *line && good; i++)
        if (*json_text(alert, line[i].member))
            good = buf_addf(out, "%s%s\n", line[i].title, json_text(alert, line[i].member));
    return good;
}

/* -- ALERT_URL -- */

static const char *body_form(const struct config *config)
{
    if (*config->alert_body)
        return config->alert_body;
    /* Whatever the text holds, nobody there is called by "@everyone". */
    return strstr(config->alert_url, "discord")
               ? "{\"content\":\"{text}\",\"allowed_mentions\":{\"parse\":[]}}"
               : "{\"text\":\"{text}\"}";
}

static bool make_body(const struct config *config, const json_t *alert, const char *text, struct buf *body)
{
    char shown[CHAT_MAX];
    json_t *values = json_copy((json_t *)alert); /* it is only read */

    (void)text_copy(shown, sizeof shown, text);
    bool good = values && json_object_set_new(values, "text", json_from_text(shown)) == 0 &&
                json_fill(body_form(config), values, body);

    json_decref(values);
    return good;
}

static void post(const struct config *config, const struct buf *body, char *why, size_t size)
{
    static const char *const headers[] = {"Content-Type: application/json", NULL};
    struct http_request request = {.method = "POST",
                                   .url = config->alert_url,
                                   .headers = headers,
                                   .body = body->data,
                                   .body_len = body->len,
                                   .timeout_ms = URL_MS,
                                   .unsent_ms = URL_MS,
                                   .send_deadline_mono_ms = CLOCK_NEVER};
    struct http_answer answer;
    struct error e = ERROR_NONE;
    struct http *http = http_new("woo_ghl/" WOO_GHL_VERSION " (+alert)", config->ca_file, &e);

    http_answer_init(&answer);
    if (!http)
        (void)text_copy(why, size, e.text);
    else if (http_call(http, &request, &answer) != HTTP_ANSWERED)
        (void)text_format(why, size, "there was no answer: %s", answer.error);
    else if (answer.status < 200 || answer.status > 299)
        (void)text_format(why, size, "it answered %ld; does it take %s?", answer.status, body_form(config));
    http_answer_free(&answer);
    http_free(http);
}

/* -- one alert -- */

/* What was done of one that is tried again. */
#define DONE_COMMAND "command_done"
#define DONE_URL "url_done"

static bool is_to_do(const char *setting, const json_t *alert, const char *done)
{
    return *setting && !json_is_true(json_object_get(alert, done));
}

void alert_deliver(const struct config *config, const json_t *alert, struct alert_result *result)
{
    static const char no_memory[] = "out of memory";
    struct buf text, body;

    *result = (struct alert_result){.command = ""};
    buf_init(&text, BODY_MAX);
    buf_init(&body, BODY_MAX);
    bool good = add_text(alert, &text);
    if (is_to_do(config->alert_command, alert, DONE_COMMAND)) {
        if (!good)
            (void)text_copy(result->command, sizeof result->command, no_memory);
        else if (alert_run(config->alert_command, alert, &text, result->command, sizeof result->command))
            result->command[0] = '\0';
    }
    if (is_to_do(config->alert_url, alert, DONE_URL)) {
        if (good && make_body(config, alert, text.data, &body))
            post(config, &body, result->url, sizeof result->url);
        else
            (void)text_copy(result->url, sizeof result->url, no_memory);
    }
    buf_free(&text);
    buf_free(&body);
}

/* -- what is kept: DATA_DIR/alerts -- */

static int open_dir(const struct config *config)
{
    char path[4096];

    return text_format(path, sizeof path, "%s/alerts", config->data_dir) ? files_open_dir(path, NULL) : -1;
}

static json_t *read_file(int dir, const char *name)
{
    struct buf text;
    json_t *value = NULL;

    buf_init(&text, BODY_MAX);
    if (files_read(dir, name, &text, NULL) == FILES_OK)
        value = json_decode_exact(text.data, text.len, NULL);
    buf_free(&text);
    return value;
}

static bool write_file(int dir, const char *name, const json_t *value)
{
    char *text = json_written(value, JSON_COMPACT);
    bool good = text && files_write(dir, name, text, strlen(text), false, NULL) == FILES_OK;

    free(text);
    return good;
}

json_t *alert_last(const struct config *config)
{
    int dir = open_dir(config);
    json_t *last = dir >= 0 ? read_file(dir, LAST) : NULL;

    if (dir >= 0)
        close(dir);
    return last;
}

/* When one that failed so often may be tried again. */
static int64_t pause_ms(int64_t tries)
{
    int64_t ms = MINUTE_MS;

    while (--tries > 0 && ms < PAUSE_MAX_MS)
        ms *= 2;
    return ms < PAUSE_MAX_MS ? ms : PAUSE_MAX_MS;
}

static bool waits(const char *name)
{
    size_t len = strlen(name);

    return len > strlen(SUFFIX) && !strcmp(name + len - strlen(SUFFIX), SUFFIX);
}

static bool is_due(const json_t *alert)
{
    return clock_wall_ms() >= text_number(json_text(alert, "tried_ms"), NULL) +
                                  pause_ms((int64_t)text_number(json_text(alert, "tries"), NULL));
}

struct waiting {
    long n;
    bool due;
};

static void count_waiting(void *context, int dir, const char *name)
{
    struct waiting *w = context;

    if (!waits(name))
        return;
    json_t *alert = read_file(dir, name);
    w->n++;
    w->due = w->due || !alert || is_due(alert);
    json_decref(alert);
}

long alert_waiting(const struct config *config, bool *due)
{
    struct waiting w = {0};
    int dir = open_dir(config);

    if (dir >= 0) {
        (void)files_each(dir, count_waiting, &w);
        close(dir);
    }
    *due = w.due;
    return w.n;
}

/* -- the process -- */

struct sender {
    struct config config;
    struct log *log;
    int dir; /* -1: DATA_DIR cannot be used */
};

static void tell(const struct sender *s, const json_t *alert, const char *way, const char *why,
                 const char *next)
{
    struct log_about about = {.reason = json_text(alert, "kind")};

    if (*why)
        log_event(s->log, LOG_LEVEL_ERROR, "alert", &about, "%s was not told: %s%s", way, why, next);
    else
        log_event(s->log, LOG_LEVEL_INFO, "alert", &about, "%s was told", way);
}

static void note_last(const struct sender *s, const json_t *alert, const struct alert_result *result)
{
    json_t *last =
        json_pack("{sI ss so so}", "at", (json_int_t)clock_wall_ms(), "kind", json_text(alert, "kind"),
                  "command", json_from_text(result->command), "url", json_from_text(result->url));

    if (s->dir >= 0 && last)
        (void)write_file(s->dir, LAST, last); /* only `check` and `status` miss it */
    json_decref(last);
}

/* Tries it; true if nothing is left to do. What was done is noted in it. */
static bool send_one(const struct sender *s, json_t *alert, bool last_time)
{
    struct alert_result result;
    const char *next = last_time ? "; it is given up" : "; it is tried again";
    bool command = is_to_do(s->config.alert_command, alert, DONE_COMMAND),
         url = is_to_do(s->config.alert_url, alert, DONE_URL);
    char number[24];

    alert_deliver(&s->config, alert, &result);
    if (command)
        tell(s, alert, "ALERT_COMMAND", result.command, next);
    if (url)
        tell(s, alert, "ALERT_URL", result.url, next);
    note_last(s, alert, &result);
    int64_t tries = text_number(json_text(alert, "tries"), NULL) + 1;
    (void)text_format(number, sizeof number, "%" PRId64, tries);
    bool noted = json_object_set_new(alert, "tries", json_string(number)) == 0;
    (void)text_format(number, sizeof number, "%" PRId64, clock_wall_ms());
    noted = json_object_set_new(alert, "tried_ms", json_string(number)) == 0 && noted;
    noted = json_object_set_new(alert, DONE_COMMAND, json_boolean(!*result.command)) == 0 && noted;
    noted = json_object_set_new(alert, DONE_URL, json_boolean(!*result.url)) == 0 && noted;
    return !noted || (!*result.command && !*result.url);
}

static void send_again(void *context, int dir, const char *name)
{
    const struct sender *s = context;
    struct stat st;

    if (!waits(name))
        return;
    json_t *alert = read_file(dir, name);
    int64_t first_ms = text_number(name, NULL); /* the name begins with it */
    bool last_time = clock_wall_ms() - first_ms > KEEP_MS;

    if (!alert || (is_due(alert) && (send_one(s, alert, last_time) || last_time))) {
        if (unlinkat(dir, name, 0) != 0 && fstatat(dir, name, &st, 0) == 0)
            log_event(s->log, LOG_LEVEL_ERROR, "alert", NULL, "DATA_DIR/alerts/%s cannot be removed", name);
    } else if (!write_file(dir, name, alert)) {
        log_event(s->log, LOG_LEVEL_ERROR, "alert", NULL, "DATA_DIR/alerts/%s cannot be written", name);
    }
    json_decref(alert);
}

static void keep(const struct sender *s, const json_t *alert)
{
    char name[64];

    (void)text_format(name, sizeof name, "%" PRId64 "-%ld" SUFFIX, clock_wall_ms(), (long)getpid());
    if (s->dir < 0 || !write_file(s->dir, name, alert))
        log_event(s->log, LOG_LEVEL_ERROR, "alert", NULL,
                  "DATA_DIR/alerts cannot be written: this alert is not tried again");
}

static json_t *read_alert(void)
{
    struct buf text;
    json_t *alert = NULL;

    buf_init(&text, BODY_MAX);
    if (files_read_fd(STDIN_FILENO, &text, NULL))
        alert = json_decode_exact(text.data, text.len, NULL);
    buf_free(&text);
    return alert;
}

int alert_sender(void)
{
    struct sender s = {.dir = -1};
    struct config_report report;
    json_t *alert = read_alert();

    bool good = config_load(&s.config, &report);
    s.log = log_open(s.config.log_to, s.config.log_level, s.config.log_max, NULL);
    config_hide_secrets(&s.config, s.log);
    if (good) {
        s.dir = open_dir(&s.config);
        if (alert && !send_one(&s, alert, false))
            keep(&s, alert);
        if (s.dir >= 0 && flock(s.dir, LOCK_EX | LOCK_NB) == 0) /* one of them at a time */
            (void)files_each(s.dir, send_again, &s);
        if (s.dir >= 0)
            close(s.dir);
    }
    json_decref(alert);
    log_close(s.log);
    config_report_free(&report);
    config_free(&s.config);
    return good ? EX_OK : EX_CONFIG;
}
