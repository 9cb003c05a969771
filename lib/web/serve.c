#include "web/serve.h"
#include "base/clock.h"
#include "web/environment.h"
#include <errno.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SWALLOW_MS 2000    /* how long an unread body is read and forgotten */
#define BODY_GRACE_MS 5000 /* how long a body may take to come to a worker, */
#define BODY_PER_S 65536   /* and a second more for so many bytes that did */
#define LIMIT_SLACK_MS 500 /* a read's limit is right to so much */
#define DETACHED_S 60      /* a detached drain ends long before; then it finishes what it has in hand */
#define ACCEPT_PAUSE_MS 50 /* after a failed accept (EMFILE): others may give descriptors back */
#define LOOK_MS 1000       /* who waits for a connection looks for one so often */

static const struct {
    int status;
    const char *phrase;
} phrases[] = {
    {200, "OK"},
    {202, "Accepted"},
    {303, "See Other"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {413, "Payload Too Large"},
    {429, "Too Many Requests"},
    {500, "Internal Server Error"},
    {503, "Service Unavailable"},
};

static const char *phrase_of(int status)
{
    for (size_t i = 0; i < sizeof phrases / sizeof *phrases; i++)
        if (phrases[i].status == status)
            return phrases[i].phrase;
    return "Unknown";
}

static bool is_listening(int fd)
{
    int listening = 0;
    socklen_t size = sizeof listening;
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening;
}

enum serve_role serve_role(void)
{
    if (is_listening(STDIN_FILENO))
        return SERVE_FASTCGI;
    return getenv("GATEWAY_INTERFACE") ? SERVE_CGI : SERVE_NONE;
}

/* -- response -- */

static bool head_of(const struct response *response, struct buf *head)
{
    bool good = buf_addf(
        head, "Status: %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nCache-Control: no-store\r\n",
        response->status, phrase_of(response->status), response->content_type, response->body.len);
    for (size_t i = 0; i < response->header_count; i++)
        good = good && buf_addf(head, "%s: %s\r\n", response->header[i].name, response->header[i].value);
    return good && buf_adds(head, "\r\n");
}

#define HEAD_MAX 4096

/* -- FastCGI -- */

/* A worker's connection to the web server, and whether it hears the stop signals: while it waits for a request, and while
 * it works on one. A read with a limit is not restarted after a signal (signal(7)), so none is let in until the body is
 * there. */
struct fcgi {
    FCGX_Request request;
    sigset_t hearing, deaf;
    int64_t limit_ms; /* of the socket's reads; 0 = none yet */
    int arrivals;     /* epoll of the listening socket */
};

static void hear(const struct fcgi *fcgi, bool signals)
{
    sigprocmask(SIG_SETMASK, signals ? &fcgi->hearing : &fcgi->deaf, NULL);
}

/*
 * The body of the request in hand. A server that hands it over as it comes (mod_proxy_fcgi) lets whoever
 * sends slowly hold a worker from all others, so what has not come by the deadline does not come.
 */
struct fcgi_body {
    struct fcgi *fcgi;
    int64_t deadline_mono_ms;
    int64_t left; /* bytes, as the server told; not told: -1 until its end, then 0 */
    bool cut;     /* it failed, or did not come in time: there will be nothing more */
};

/* Sets how long a read may wait, unless it is about that long already. A wait of zero would be one without end. */
static bool limit_reads(struct fcgi *fcgi, int64_t ms)
{
    const struct timeval wait = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    int64_t off_ms = fcgi->limit_ms - ms;

    if (ms <= 0)
        return false;
    if (fcgi->limit_ms && off_ms <= LIMIT_SLACK_MS && off_ms >= -LIMIT_SLACK_MS)
        return true;
    fcgi->limit_ms = ms;
    return setsockopt(fcgi->request.ipcFd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) == 0;
}

/* Waits for one byte at most, until the deadline, and takes with it what is there. */
static long read_some(struct fcgi_body *body, char *into, size_t n)
{
    FCGX_Stream *in = body->fcgi->request.in;
    bool may_wait = in->rdNext >= in->stop;
    int first = EOF;

    if (!may_wait || limit_reads(body->fcgi, clock_left_ms(body->deadline_mono_ms)))
        first = FCGX_GetChar(in);
    if (first == EOF) {
        body->cut = !FCGX_HasSeenEOF(in) || FCGX_GetError(in);
        return body->cut ? -1 : 0;
    }
    *into = (char)first;
    size_t there = (size_t)(in->stop - in->rdNext);
    long got = 1 + FCGX_GetStr(into + 1, (int)(there < n - 1 ? there : n - 1), in);
    body->deadline_mono_ms += got * 1000 / BODY_PER_S;
    return got;
}

static long read_fcgi(void *context, char *into, size_t n)
{
    struct fcgi_body *body = context;
    long got = n > 0 ? read_some(body, into, n) : 0;

    if (body->left > 0)
        body->left = got > 0 && got < body->left ? body->left - got : 0;
    else if (got <= 0)
        body->left = 0;
    if (!body->left)
        hear(body->fcgi, true);
    return got;
}

/* Its last byte was read: is the end, which comes right behind it, here, too? */
static bool has_ended(struct fcgi_body *body)
{
    char more;

    body->deadline_mono_ms = clock_mono_ms() + BODY_GRACE_MS; /* the work on it may have taken long */
    return !body->left && !body->cut && read_some(body, &more, 1) == 0;
}

/*
 * The server may still be sending a body that was refused before it was read (404, 413), and takes no answer
 * before it is rid of it: what comes is read and forgotten, for a while. Then nothing more is taken, for
 * FCGX_Finish_r would go on reading as long as anything comes.
 */
static void swallow_fcgi(struct fcgi_body *body)
{
    const int64_t deadline = clock_mono_ms() + SWALLOW_MS;
    char waste[16384];

    do
        body->deadline_mono_ms = deadline;
    while (!body->cut && read_some(body, waste, sizeof waste) > 0);
    if (!body->cut)
        return;
    (void)shutdown(body->fcgi->request.ipcFd, SHUT_RD);
    body->fcgi->request.keepConnection = 0;
}

static bool write_fcgi(FCGX_Request *fcgi, const struct buf *bytes)
{
    return FCGX_PutStr(bytes->data, (int)bytes->len, fcgi->out) == (int)bytes->len;
}

static bool is_readable(int fd)
{
    return poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 0) > 0;
}

/* A connection wakes one of the workers that wait here (EPOLLEXCLUSIVE, Linux 4.5; before it all of them). */
static bool watch_arrivals(struct fcgi *fcgi)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE};

    fcgi->arrivals = epoll_create1(EPOLL_CLOEXEC);
    if (fcgi->arrivals < 0 || epoll_ctl(fcgi->arrivals, EPOLL_CTL_ADD, STDIN_FILENO, &event) == 0)
        return fcgi->arrivals >= 0;
    event.events = EPOLLIN;
    return epoll_ctl(fcgi->arrivals, EPOLL_CTL_ADD, STDIN_FILENO, &event) == 0;
}

/* True if a connection may be there. So it may if nobody was woken for it: who was may have been killed before it accepted. */
static bool wait_for_arrival(struct fcgi *fcgi, int64_t ms)
{
    struct epoll_event event;

    return epoll_pwait(fcgi->arrivals, &event, 1, (int)ms, &fcgi->hearing) >= 0;
}

/* True if a request is there, on the kept connection or on another. The kept one goes if only another one has something:
 * who comes new never waits for an idle one. */
static bool wait_on_kept(struct fcgi *fcgi, int64_t ms)
{
    const struct timespec wait = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    struct pollfd from[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                            {.fd = fcgi->request.ipcFd, .events = POLLIN}};

    if (ppoll(from, 2, &wait, &fcgi->hearing) <= 0)
        return false;
    if (!from[1].revents)
        FCGX_Free(&fcgi->request, 1);
    return true;
}

/*
 * Waits for a request. The stop signals are let in only while it waits, so that none is missed between the look at the flag
 * and the wait. False when it is time to leave.
 */
static bool wait_for_request(const struct serve_handler *handler, struct fcgi *fcgi, volatile const int *stop)
{
    bool there = false;

    while (!there && !*stop) {
        int64_t ms = handler->rest ? handler->rest(handler->context) : 0;
        if (ms <= 0 || ms > LOOK_MS)
            ms = LOOK_MS;
        there = fcgi->request.ipcFd < 0 ? wait_for_arrival(fcgi, ms) : wait_on_kept(fcgi, ms);
    }
    if (fcgi->request.ipcFd < 0)
        fcgi->limit_ms = 0;
    return there;
}

static void serve_one(const struct serve_handler *handler, struct fcgi *fcgi)
{
    FCGX_Request *asked = &fcgi->request;
    struct fcgi_body body = {.fcgi = fcgi, .deadline_mono_ms = clock_mono_ms() + BODY_GRACE_MS};
    struct request request = {.read = read_fcgi, .context = &body};
    struct response response;
    struct buf head;
    char path[ENVIRONMENT_PATH_SIZE];

    response_init(&response);
    buf_init(&head, HEAD_MAX);
    environment_read(asked->envp, &request, path);
    body.left = *request.content_length || !*request.transfer_encoding
                    ? strtoll(request.content_length, NULL, 10)
                    : -1;
    handler->handle(handler->context, &request, &response);
    hear(fcgi, false);
    /* A client that went away loses its answer; what was stored stays stored. */
    if (head_of(&response, &head) && write_fcgi(asked, &head) && write_fcgi(asked, &response.body)) {
        asked->detached = has_ended(&body); /* then FCGX_Finish_r closes without waiting for more */
        if (!asked->detached && FCGX_FFlush(asked->out) == 0)
            swallow_fcgi(&body);
    }
    if (asked->keepConnection && is_readable(STDIN_FILENO)) /* others wait: they have their turn */
        asked->keepConnection = 0;
    FCGX_Finish_r(asked);
    if (response.drain_wanted && handler->drain) {
        FCGX_Free(asked, 1);
        hear(fcgi, true);
        handler->drain(handler->context);
        hear(fcgi, false);
    }
    buf_free(&head);
    response_free(&response);
}

int serve_fastcgi(const struct serve_handler *handler, volatile int *stop)
{
    struct fcgi fcgi = {.limit_ms = 0};

    unsetenv("HTTP_PROXY");
    /* The other workers share this socket: one of them may take the connection between poll and accept, and
     * an accept that blocks then would be deaf to signals. */
    int flags = fcntl(STDIN_FILENO, F_GETFL);
    if (FCGX_Init() != 0 || FCGX_InitRequest(&fcgi.request, STDIN_FILENO, FCGI_FAIL_ACCEPT_ON_INTR) != 0 ||
        flags < 0 || fcntl(STDIN_FILENO, F_SETFL, flags | O_NONBLOCK) != 0 || !watch_arrivals(&fcgi)) {
        fprintf(stderr, "woo_ghl: the FastCGI socket on descriptor 0 cannot be used: %s\n", strerror(errno));
        return EXIT_FAILURE;
    }
    sigprocmask(SIG_SETMASK, NULL, &fcgi.hearing);
    fcgi.deaf = fcgi.hearing;
    sigaddset(&fcgi.deaf, SIGTERM);
    sigaddset(&fcgi.deaf, SIGUSR1);
    sigaddset(&fcgi.deaf, SIGINT);
    hear(&fcgi, false);
    while (wait_for_request(handler, &fcgi, stop)) {
        if (FCGX_Accept_r(&fcgi.request) == 0)
            serve_one(handler, &fcgi);
        else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
            (void)clock_sleep_ms(ACCEPT_PAUSE_MS, NULL);
    }
    FCGX_Free(&fcgi.request, 1);
    return EXIT_SUCCESS;
}

/* -- CGI -- */

/* Who sends slowly would hold a process for as long as the web server lets him: the same rule as for FastCGI. */
static long read_stdin(void *context, char *into, size_t n)
{
    int64_t *deadline_mono_ms = context, left_ms;
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    ssize_t got = -1;

    do {
        left_ms = clock_left_ms(*deadline_mono_ms);
        int ready = left_ms > 0 ? poll(&in, 1, (int)left_ms) : 0;
        if (ready == 0)
            return -1;
        got = ready > 0 ? read(STDIN_FILENO, into, n) : -1;
    } while (got < 0 && errno == EINTR);
    if (got > 0)
        *deadline_mono_ms += got * 1000 / BODY_PER_S;
    return got;
}

static bool write_all(int fd, const struct buf *bytes)
{
    for (size_t done = 0; done < bytes->len;) {
        ssize_t n = write(fd, bytes->data + done, bytes->len - done);
        if (n < 0 && errno != EINTR)
            return false;
        done += n > 0 ? (size_t)n : 0;
    }
    return true;
}

/*
 * A body that was refused before it was read (503, 404, 413) lies in the socket that mod_cgid gave us as
 * descriptor 0: closing it so resets the connection, and the answer is lost on its way. So the rest is read
 * and forgotten, for a while.
 */
static void swallow_rest(void)
{
    char waste[16384];
    int64_t deadline = clock_mono_ms() + SWALLOW_MS;
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};

    for (int64_t left = SWALLOW_MS; left > 0; left = clock_left_ms(deadline))
        if (poll(&in, 1, (int)left) <= 0 || read(STDIN_FILENO, waste, sizeof waste) <= 0)
            return;
}

/* A child that nobody waits for: the web server sees the answer's end when descriptors 0, 1 and 2 are closed.
 */
static void drain_detached(const struct serve_handler *handler)
{
    struct sigevent end = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGTERM};
    const struct itimerspec in = {.it_value.tv_sec = DETACHED_S};
    timer_t timer;
    int keep = handler->before_fork(handler->context);

    if (keep < 0 || fork() != 0)
        return; /* the web server ends what it started; another request's child does it */
    (void)setsid();
    int null = open("/dev/null", O_RDWR);
    if (null < 0 || dup2(keep, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
        dup2(null, STDERR_FILENO) < 0)
        _exit(EXIT_FAILURE);
    close(keep);
    close(null);
    if (timer_create(CLOCK_MONOTONIC, &end, &timer) == 0) /* without one its own budgets end it */
        (void)timer_settime(timer, 0, &in, NULL);
    handler->drain(handler->context);
    _exit(EXIT_SUCCESS);
}

int serve_cgi(const struct serve_handler *handler)
{
    int64_t deadline_mono_ms = clock_mono_ms() + BODY_GRACE_MS;
    struct request request = {.read = read_stdin, .context = &deadline_mono_ms};
    struct response response;
    struct buf head;
    char path[ENVIRONMENT_PATH_SIZE];

    unsetenv("HTTP_PROXY");
    response_init(&response);
    buf_init(&head, HEAD_MAX);
    environment_read(environ, &request, path);
    handler->handle(handler->context, &request, &response);
    bool good = head_of(&response, &head) && write_all(STDOUT_FILENO, &head) &&
                write_all(STDOUT_FILENO, &response.body);
    swallow_rest();
    if (response.drain_wanted && handler->drain)
        drain_detached(handler);
    buf_free(&head);
    response_free(&response);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
