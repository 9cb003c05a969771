#include "store/redis/connection.h"
#include "base/clock.h"
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>
#ifdef HAVE_HIREDIS_SSL
#include <hiredis/hiredis_ssl.h>
#endif

#define RESOLVE_AGAIN_MS 60000

/* -- life cycle -- */

void redis_connection_init(struct redis_connection *c, struct redis_url *url, int64_t timeout_ms)
{
    *c = (struct redis_connection){
        .url = *url, .timeout_ms = timeout_ms, .failed_mono_ms = -1, .works_mono_ms = -1};
    *url = (struct redis_url){.user = "", .password = ""};
}

static void disconnect(struct redis_connection *c)
{
    if (c->context)
        redisFree(c->context);
    c->context = NULL;
}

void redis_connection_free(struct redis_connection *c)
{
    disconnect(c);
#ifdef HAVE_HIREDIS_SSL
    if (c->tls)
        redisFreeSSLContext(c->tls);
#endif
    redis_url_free(&c->url);
}

int64_t redis_deadline(const struct redis_connection *c)
{
    return clock_mono_ms() + c->timeout_ms;
}

void redis_fail(struct redis_connection *c, const char *fmt, ...)
{
    char text[sizeof c->trouble.text];
    va_list args;

    va_start(args, fmt);
    if (vsnprintf(text, sizeof text, fmt, args) < 0)
        text[0] = '\0';
    va_end(args);
    disconnect(c);
    c->failed_mono_ms = clock_mono_ms();
    if (c->url.path)
        error_set(&c->trouble, "Redis at %s: %s", c->url.path, text);
    else
        error_set(&c->trouble, "Redis at %s port %s: %s", c->url.host, c->url.port, text);
}

/* -- waiting -- */

/* False when nothing came of it before the deadline. */
static bool wait_for(int fd, short events, int64_t deadline)
{
    struct pollfd p = {.fd = fd, .events = events};
    for (;;) {
        int64_t left = clock_left_ms(deadline);
        int n = poll(&p, 1, left > INT32_MAX ? INT32_MAX : (int)left);
        if (n > 0)
            return true;
        if (n == 0 && clock_left_ms(deadline) > 0)
            continue;
        if (n == 0 || errno != EINTR)
            return false;
    }
}

/* -- connecting -- */

static bool resolve(struct redis_connection *c)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV}, *list;

    if (c->url.path) {
        struct sockaddr_un *name = (struct sockaddr_un *)&c->address[0].address;
        size_t n = strlen(c->url.path);
        if (n >= sizeof name->sun_path) {
            redis_fail(c, "a socket's path has at most %zu characters", sizeof name->sun_path - 1);
            return false;
        }
        name->sun_family = AF_UNIX;
        memcpy(name->sun_path, c->url.path, n + 1);
        c->address[0].len = sizeof *name;
        c->address_count = 1;
        return true;
    }
    int code = getaddrinfo(c->url.host, c->url.port, &hints, &list);
    if (code == EAI_NONAME || code == EAI_ADDRFAMILY) {
        /* A machine with the loopback interface alone has no configured address. */
        hints.ai_flags = AI_NUMERICSERV;
        code = getaddrinfo(c->url.host, c->url.port, &hints, &list);
    }
    if (code != 0) {
        redis_fail(c, "the host's name has no address: %s", gai_strerror(code));
        return false;
    }
    c->address_count = 0;
    for (const struct addrinfo *a = list; a && c->address_count < REDIS_ADDRESSES; a = a->ai_next) {
        struct redis_address *to = &c->address[c->address_count++];
        memcpy(&to->address, a->ai_addr, a->ai_addrlen);
        to->len = a->ai_addrlen;
    }
    freeaddrinfo(list);
    return true;
}

/* The connected, non-blocking socket, or -1 with errno set. */
static int open_socket(const struct redis_address *to, int64_t deadline)
{
    const struct sockaddr *address = (const struct sockaddr *)&to->address;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), error = 0, one = 1;
    socklen_t n = sizeof error;

    if (fd < 0)
        return -1;
    if (connect(fd, address, to->len) != 0) {
        error = errno;
        /* EAGAIN: a unix socket whose backlog is full; its owner does not accept. */
        if (error == EINPROGRESS) {
            error = ETIMEDOUT;
            if (wait_for(fd, POLLOUT, deadline) && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0)
                error = errno;
        }
    }
    if (!error && address->sa_family != AF_UNIX &&
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0)
        error = errno;
    if (!error)
        return fd;
    close(fd);
    errno = error;
    return -1;
}

static bool start_tls(struct redis_connection *c)
{
    if (!c->url.tls)
        return true;
#ifdef HAVE_HIREDIS_SSL
    redisSSLContextError code = REDIS_SSL_CTX_NONE;
    if (!c->tls) {
        redisInitOpenSSL();
        c->tls = redisCreateSSLContext(NULL, "/etc/ssl/certs", NULL, NULL, c->url.host, &code);
    }
    if (!c->tls) {
        redis_fail(c, "TLS cannot start: %s", redisSSLContextGetError(code));
        return false;
    }
    if (redisInitiateSSLWithContext(c->context, c->tls) == REDIS_OK)
        return true;
    redis_fail(c, "TLS: %s", c->context->errstr);
    return false;
#else
    redis_fail(c, "this program was built without TLS for Redis (hiredis_ssl); use redis:// or unix://");
    return false;
#endif
}

static bool open_context(struct redis_connection *c, int64_t deadline)
{
    int fd = -1;

    if (c->address_count > 0 && c->failed_mono_ms >= 0 &&
        clock_mono_ms() - (c->works_mono_ms > 0 ? c->works_mono_ms : 0) > RESOLVE_AGAIN_MS && !c->url.path)
        c->address_count = 0;
    if (c->address_count == 0 && !resolve(c))
        return false;
    for (size_t i = 0; i < c->address_count && fd < 0; i++)
        fd = open_socket(&c->address[i], deadline);
    if (fd < 0) {
        redis_fail(c, "cannot connect: %s", strerror(errno));
        return false;
    }
    c->context = redisConnectFd(fd);
    if (!c->context) {
        close(fd);
        redis_fail(c, "out of memory");
        return false;
    }
    /* hiredis then returns at EAGAIN, and the waiting, with its deadline, is done here. */
    c->context->flags &= ~REDIS_BLOCK;
    c->pid = getpid();
    return start_tls(c);
}

/* The value of "name:value\r\n" in INFO's text. */
static void info_value(const redisReply *info, const char *name, char *out, size_t size)
{
    const char *p = info->type == REDIS_REPLY_STRING ? strstr(info->str, name) : NULL;
    size_t n = p ? strcspn(p + strlen(name), "\r\n") : 0;

    if (n >= size)
        n = 0;
    if (p)
        memcpy(out, p + strlen(name), n);
    out[n] = '\0';
}

static void learn_server(struct redis_connection *c, const redisReply *info)
{
    char version[32], before[REDIS_RUN_ID_SIZE];

    memcpy(before, c->run_id, sizeof before);
    info_value(info, "\nredis_version:", version, sizeof version);
    info_value(info, "\nrun_id:", c->run_id, sizeof c->run_id);
    if (*before && *c->run_id && strcmp(before, c->run_id) != 0)
        c->is_another = c->moved = true;
    c->major = 0;
    for (const char *p = version; *p >= '0' && *p <= '9' && c->major < 1000; p++)
        c->major = c->major * 10 + (*p - '0');
}

/* TIME answers seconds and microseconds. */
static void learn_clock(struct redis_connection *c, const redisReply *time, int64_t asked_mono_ms)
{
    c->ahead_ms = INT64_MIN;
    if (time->type != REDIS_REPLY_ARRAY || time->elements != 2 ||
        time->element[0]->type != REDIS_REPLY_STRING || time->element[1]->type != REDIS_REPLY_STRING)
        return;
    c->ahead_ms = strtoll(time->element[0]->str, NULL, 10) * 1000 +
                  strtoll(time->element[1]->str, NULL, 10) / 1000 - asked_mono_ms;
}

int64_t redis_server_ms(const struct redis_connection *c, int64_t mono_ms)
{
    return c->ahead_ms == INT64_MIN ? 0 : mono_ms + c->ahead_ms;
}

/* AUTH, SELECT, TIME and INFO in one round trip. Only the last two may be refused: hosted servers do. */
static bool greet(struct redis_connection *c, int64_t deadline)
{
    const char *auth[3], *select[2] = {"SELECT"}, *clock[1] = {"TIME"}, *info[2] = {"INFO", "server"};
    size_t auth_len[3], select_len[2], clock_len[1] = {4}, info_len[2] = {4, 6};
    struct redis_command command[4];
    redisReply *reply[4] = {NULL};
    int64_t asked = clock_mono_ms();
    char database[24];
    int words = 0;
    size_t n = 0;
    bool good = false;

    if (*c->url.password) {
        auth[words++] = "AUTH";
        if (*c->url.user)
            auth[words++] = c->url.user;
        auth[words++] = c->url.password;
        for (int i = 0; i < words; i++)
            auth_len[i] = strlen(auth[i]);
        command[n++] = (struct redis_command){words, auth, auth_len};
    }
    if (c->url.database > 0) {
        snprintf(database, sizeof database, "%ld", c->url.database);
        select[1] = database;
        for (int i = 0; i < 2; i++)
            select_len[i] = strlen(select[i]);
        command[n++] = (struct redis_command){2, select, select_len};
    }
    command[n++] = (struct redis_command){1, clock, clock_len};
    command[n++] = (struct redis_command){2, info, info_len};
    if (!redis_pipeline(c, command, n, reply, deadline))
        return false;
    for (size_t i = 0; i + 2 < n; i++)
        if (reply[i]->type == REDIS_REPLY_ERROR) {
            redis_fail(c, "%s: %s", command[i].argv[0], reply[i]->str);
            goto out;
        }
    learn_clock(c, reply[n - 2], asked);
    learn_server(c, reply[n - 1]);
    good = true;
out:
    for (size_t i = 0; i < n; i++)
        freeReplyObject(reply[i]);
    return good;
}

/* A server that was restarted has closed its end: known before anything is sent, it costs a new connection
 * and not the call. */
static bool still_open(const struct redis_connection *c)
{
    struct pollfd p = {.fd = c->context->fd, .events = POLLIN};
    return c->pid == getpid() && poll(&p, 1, 0) == 0;
}

bool redis_ready(struct redis_connection *c, int64_t deadline_mono_ms)
{
    if (c->context && still_open(c))
        return true;
    disconnect(c);
    if (c->failed_mono_ms >= 0 && clock_mono_ms() - c->failed_mono_ms < REDIS_WAIT_MS)
        return false;
    return open_context(c, deadline_mono_ms) && greet(c, deadline_mono_ms);
}

/* -- calling -- */

static bool flush(struct redis_connection *c, int64_t deadline)
{
    for (int done = 0; !done;) {
        if (redisBufferWrite(c->context, &done) != REDIS_OK) {
            redis_fail(c, "cannot send: %s", c->context->errstr);
            return false;
        }
        if (!done && !wait_for(c->context->fd, POLLOUT, deadline)) {
            redis_fail(c, "took no command within %lld ms", (long long)c->timeout_ms);
            return false;
        }
    }
    return true;
}

static redisReply *receive(struct redis_connection *c, int64_t deadline)
{
    void *reply = NULL;

    for (;;) {
        if (redisGetReplyFromReader(c->context, &reply) != REDIS_OK) {
            redis_fail(c, "cannot be understood: %s", c->context->errstr);
            return NULL;
        }
        if (reply)
            return reply;
        if (!wait_for(c->context->fd, POLLIN, deadline)) {
            redis_fail(c, "did not answer within %lld ms", (long long)c->timeout_ms);
            return NULL;
        }
        if (redisBufferRead(c->context) != REDIS_OK) {
            redis_fail(c, "went away: %s", c->context->errstr);
            return NULL;
        }
    }
}

bool redis_pipeline(struct redis_connection *c, const struct redis_command *commands, size_t n,
                    redisReply **reply, int64_t deadline_mono_ms)
{
    size_t got = 0;

    for (size_t i = 0; i < n; i++) {
        const struct redis_command *one = &commands[i];
        if (redisAppendCommandArgv(c->context, one->argc, one->argv, one->len) != REDIS_OK) {
            redis_fail(c, "a command cannot be built: %s", c->context->errstr);
            return false;
        }
    }
    if (!flush(c, deadline_mono_ms))
        return false;
    for (; got < n; got++) {
        reply[got] = receive(c, deadline_mono_ms);
        if (!reply[got])
            break;
    }
    if (got == n) {
        c->trouble.text[0] = '\0';
        return true;
    }
    while (got > 0) {
        freeReplyObject(reply[--got]);
        reply[got] = NULL;
    }
    return false;
}

redisReply *redis_call(struct redis_connection *c, const struct redis_command *command,
                       int64_t deadline_mono_ms)
{
    redisReply *reply = NULL;
    return redis_pipeline(c, command, 1, &reply, deadline_mono_ms) ? reply : NULL;
}
