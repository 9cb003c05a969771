#include "store/redis/connection.h"
#include "base/clock.h"
#include <errno.h>
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
#include <arpa/inet.h>
#include <hiredis/hiredis_ssl.h>
#include <openssl/ssl.h>
#endif

#define RESOLVE_AGAIN_MS 60000
#define BYTES_PER_MS 1024 /* of the slowest link that is waited for */
#define FRESH_MS 5        /* a deadline that this little of is gone is as good as the socket's timeout */
#define REPLY_MAX (256 * 1024 * 1024) /* bytes; more is no answer to anything that is asked here */

/* -- life cycle -- */

void redis_connection_init(struct redis_connection *c, struct redis_url *url, int64_t timeout_ms)
{
    *c = (struct redis_connection){
        .url = *url, .timeout_ms = timeout_ms, .failed_mono_ms = -1, .works_mono_ms = -1};
    *url = (struct redis_url){.user = "", .password = ""};
    c->ahead_ms = clock_wall_ms() - clock_mono_ms();
}

void redis_disconnect(struct redis_connection *c)
{
    if (c->context)
        redisFree(c->context);
    c->context = NULL;
}

void redis_connection_free(struct redis_connection *c)
{
    redis_disconnect(c);
#ifdef HAVE_HIREDIS_SSL
    SSL_CTX_free(c->tls);
#endif
    redis_url_free(&c->url);
}

void redis_give_up(struct redis_connection *c, const char *fmt, ...)
{
    char text[sizeof c->trouble.text];
    va_list args;

    va_start(args, fmt);
    if (vsnprintf(text, sizeof text, fmt, args) < 0)
        text[0] = '\0';
    va_end(args);
    redis_disconnect(c);
    c->failed_mono_ms = clock_mono_ms();
    if (c->url.path)
        error_set(&c->trouble, "Redis at %s: %s", c->url.path, text);
    else
        error_set(&c->trouble, "Redis at %s port %s: %s", c->url.host, c->url.port, text);
}

int64_t redis_extra_ms(size_t bytes)
{
    return (int64_t)(bytes / BYTES_PER_MS);
}

/* -- connecting -- */

static bool resolve(struct redis_connection *c)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *list;

    if (c->url.path) {
        struct sockaddr_un *name = (struct sockaddr_un *)&c->address[0].address;
        size_t n = strlen(c->url.path);
        if (n >= sizeof name->sun_path)
            return redis_fail(c, "a socket's path has at most %zu characters", sizeof name->sun_path - 1);
        name->sun_family = AF_UNIX;
        memcpy(name->sun_path, c->url.path, n + 1);
        c->address[0].len = sizeof *name;
        c->address_count = 1;
        return true;
    }
    int code = getaddrinfo(c->url.host, c->url.port, &hints, &list);
    if (code != 0)
        return redis_fail(c, "the host's name has no address: %s", gai_strerror(code));
    c->address_count = 0;
    for (const struct addrinfo *a = list; a && c->address_count < REDIS_ADDRESSES; a = a->ai_next) {
        struct redis_address *to = &c->address[c->address_count++];
        memcpy(&to->address, a->ai_addr, a->ai_addrlen);
        to->len = a->ai_addrlen;
    }
    freeaddrinfo(list);
    return true;
}

static bool set_timeout(int fd, int64_t ms)
{
    const struct timeval t = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    return setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t) == 0 &&
           setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t) == 0;
}

/* The connected socket, or -1 with errno set. Its timeout, which also ends connect(2), is what is left
 * until the deadline: connections are made at the beginning of an exchange, so that it is good for the
 * later ones. */
static int open_socket(const struct redis_address *to, int64_t deadline)
{
    const struct sockaddr *address = (const struct sockaddr *)&to->address;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1, error = 0;
    int64_t left = clock_left_ms(deadline);

    if (fd < 0)
        return -1;
    if (!set_timeout(fd, left > 0 ? left : 1) || connect(fd, address, to->len) != 0 ||
        (address->sa_family != AF_UNIX && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0))
        /* EINPROGRESS, and EAGAIN for a unix socket whose backlog is full: not connected in time. */
        error = errno == EINPROGRESS || errno == EAGAIN ? ETIMEDOUT : errno;
    if (!error)
        return fd;
    close(fd);
    errno = error;
    return -1;
}

#ifdef HAVE_HIREDIS_SSL
/* The certificate must be the host's, by a known authority: hiredis itself does not compare the names. */
static SSL *new_tls(struct redis_connection *c)
{
    unsigned char address[sizeof(struct in6_addr)];
    const char *host = c->url.host;

    if (!c->tls) {
        SSL_CTX *fresh = SSL_CTX_new(TLS_client_method());
        if (!fresh || SSL_CTX_set_min_proto_version(fresh, TLS1_2_VERSION) != 1 ||
            SSL_CTX_set_default_verify_paths(fresh) != 1) {
            SSL_CTX_free(fresh);
            return NULL;
        }
        SSL_CTX_set_verify(fresh, SSL_VERIFY_PEER, NULL);
        c->tls = fresh;
    }
    SSL *ssl = SSL_new(c->tls);
    bool is_ip = inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
    if (ssl && (is_ip ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1
                      : SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1))
        return ssl;
    SSL_free(ssl);
    return NULL;
}

static bool start_tls(struct redis_connection *c)
{
    if (!c->url.tls)
        return true;
    SSL *ssl = new_tls(c);
    if (ssl && redisInitiateSSL(c->context, ssl) == REDIS_OK)
        return true;
    long verified = ssl ? SSL_get_verify_result(ssl) : X509_V_OK;
    SSL_free(ssl);
    if (verified != X509_V_OK)
        return redis_fail(c, "TLS: the certificate is refused: %s", X509_verify_cert_error_string(verified));
    return redis_fail(c, "TLS: %s", c->context->err ? c->context->errstr : "it cannot start");
}
#else
static bool start_tls(struct redis_connection *c)
{
    if (!c->url.tls)
        return true;
    return redis_fail(c,
                      "this program was built without TLS for Redis (hiredis_ssl): use redis:// or unix://");
}
#endif

static bool open_context(struct redis_connection *c, int64_t deadline)
{
    int fd = -1;

    if (!c->url.path && c->failed_mono_ms >= 0 && clock_mono_ms() - c->works_mono_ms > RESOLVE_AGAIN_MS)
        c->address_count = 0;
    if (c->address_count == 0 && !resolve(c))
        return false;
    for (size_t i = 0; i < c->address_count && fd < 0; i++)
        fd = open_socket(&c->address[i], deadline);
    if (fd < 0)
        return redis_fail(c, "cannot connect: %s", strerror(errno));
    c->context = redisConnectFd(fd);
    if (!c->context) {
        close(fd);
        return redis_fail(c, "out of memory");
    }
    if (!start_tls(c))
        return false;
    /* hiredis then returns when the socket's timeout has passed, and does not call it an error. */
    c->context->flags &= ~REDIS_BLOCK;
    return true;
}

/* -- greeting -- */

void redis_info(const redisReply *info, const char *name, char *out, size_t size)
{
    const char *p = info->type == REDIS_REPLY_STRING ? strstr(info->str, name) : NULL;
    size_t n = p ? strcspn(p + strlen(name), "\r\n") : 0;

    if (n >= size)
        n = 0;
    if (p)
        memcpy(out, p + strlen(name), n);
    out[n] = '\0';
}

/* Digits and nothing else; -1 = something else. */
static int64_t parse_number(const redisReply *reply)
{
    char *end;

    if (reply->type != REDIS_REPLY_STRING || reply->len == 0 || reply->len > 18)
        return -1;
    long long number = strtoll(reply->str, &end, 10);
    return *end ? -1 : number;
}

int64_t redis_learn_time(struct redis_connection *c, const redisReply *time)
{
    int64_t s = -1, us = -1;

    if (time->type == REDIS_REPLY_ARRAY && time->elements == 2) {
        s = parse_number(time->element[0]);
        us = parse_number(time->element[1]);
    }
    if (s < 0 || us < 0 || us >= 1000000 || s > INT64_MAX / 2000)
        return -1;
    c->ahead_ms = s * 1000 + us / 1000 - clock_mono_ms();
    return s * 1000 + us / 1000;
}

static void add_command(struct buf *out, size_t *n, const char *const words[])
{
    int count = 0;

    while (words[count])
        count++;
    buf_addf(out, "*%d\r\n", count);
    for (int i = 0; i < count; i++)
        buf_addf(out, "$%zu\r\n%s\r\n", strlen(words[i]), words[i]);
    ++*n;
}

/* Reads the replies of the greeting: AUTH and SELECT, if they were sent, then the three that `greet` ends
 * with. */
static bool read_greeting(struct redis_connection *c, redisReply *const *reply, size_t n)
{
    char role[16];

    for (size_t i = 0; i + 3 < n; i++)
        if (reply[i]->type == REDIS_REPLY_ERROR)
            return redis_fail(c, "it refuses user, password or database: %s", reply[i]->str);
    if (redis_learn_time(c, reply[n - 3]) < 0)
        return redis_fail(c, "cannot be used: %s",
                          reply[n - 3]->type == REDIS_REPLY_ERROR ? reply[n - 3]->str : "TIME tells no time");
    redis_info(reply[n - 2], "\nrun_id:", c->run_id, sizeof c->run_id);
    if (!*c->run_id)
        memcpy(c->run_id, "unknown", sizeof "unknown");
    redis_info(reply[n - 1], "\nrole:", role, sizeof role);
    if (!strcmp(role, "slave")) {
        c->address_count = 0;
        return redis_fail(c, "it is a replica: REDIS_URL must name the primary");
    }
    return true;
}

/* AUTH, SELECT, TIME and INFO in one round trip. Only INFO may be refused: hosted servers do. */
static bool greet(struct redis_connection *c, int64_t deadline)
{
    redisReply *reply[REDIS_GREETING] = {NULL};
    char database[24];
    struct buf out;
    size_t n = 0;

    buf_init(&out, 8192);
    if (*c->url.password && *c->url.user)
        add_command(&out, &n, (const char *const[]){"AUTH", c->url.user, c->url.password, NULL});
    else if (*c->url.password)
        add_command(&out, &n, (const char *const[]){"AUTH", c->url.password, NULL});
    if (c->url.database > 0) {
        snprintf(database, sizeof database, "%ld", c->url.database);
        add_command(&out, &n, (const char *const[]){"SELECT", database, NULL});
    }
    add_command(&out, &n, (const char *const[]){"TIME", NULL});
    add_command(&out, &n, (const char *const[]){"INFO", "server", NULL});
    add_command(&out, &n, (const char *const[]){"INFO", "replication", NULL});
    bool good = redis_exchange(c, &out, n, reply, deadline) && read_greeting(c, reply, n);
    buf_wipe(&out);
    for (size_t i = 0; i < n; i++)
        freeReplyObject(reply[i]);
    return good && (set_timeout(c->context->fd, c->timeout_ms) || redis_fail(c, "%s", strerror(errno)));
}

bool redis_ready(struct redis_connection *c, int64_t deadline_mono_ms)
{
    /* A server that was restarted has closed its end: known before anything is sent, it costs a new
     * connection and not the exchange. */
    if (c->context && poll(&(struct pollfd){.fd = c->context->fd, .events = POLLIN}, 1, 0) == 0)
        return true;
    redis_disconnect(c);
    if (c->failed_mono_ms >= 0 && clock_mono_ms() - c->failed_mono_ms < REDIS_WAIT_MS)
        return false;
    return open_context(c, deadline_mono_ms) && greet(c, deadline_mono_ms);
}

/* -- exchanges -- */

/* False if the deadline passes first. */
static bool wait_for(int fd, short events, int64_t deadline)
{
    struct pollfd p = {.fd = fd, .events = events};

    for (;;) {
        int64_t left = clock_left_ms(deadline);
        int n = poll(&p, 1, left > INT32_MAX ? INT32_MAX : (int)left);
        if (n > 0)
            return true;
        if ((n < 0 && errno != EINTR) || clock_left_ms(deadline) == 0)
            return false;
    }
}

static bool flush(struct redis_connection *c, int64_t deadline)
{
    for (int done = 0;;) {
        if (redisBufferWrite(c->context, &done) != REDIS_OK)
            return redis_fail(c, "cannot send: %s", c->context->errstr);
        if (done)
            return true;
        if (!wait_for(c->context->fd, POLLOUT, deadline))
            return redis_fail(c, "took no command in time: REDIS_TIMEOUT is %lld ms",
                              (long long)c->timeout_ms);
    }
}

/* Waits for more bytes, and reads them. A read without a poll(2) before it waits as long as the socket's
 * timeout says. */
static bool read_more(struct redis_connection *c, int64_t deadline)
{
    size_t len = c->context->reader->len;
    bool fresh = clock_left_ms(deadline) + FRESH_MS >= c->timeout_ms;

    if (len > REPLY_MAX)
        return redis_fail(c, "answers more than %d bytes", REPLY_MAX);
    if (!fresh && !wait_for(c->context->fd, POLLIN, deadline + redis_extra_ms(len)))
        return redis_fail(c, "did not answer in time: REDIS_TIMEOUT is %lld ms", (long long)c->timeout_ms);
    return redisBufferRead(c->context) == REDIS_OK || redis_fail(c, "went away: %s", c->context->errstr);
}

static redisReply *receive(struct redis_connection *c, int64_t deadline)
{
    void *reply = NULL;

    do
        if (redisGetReplyFromReader(c->context, &reply) != REDIS_OK) {
            redis_give_up(c, "cannot be understood: %s", c->context->errstr);
            return NULL;
        }
    while (!reply && read_more(c, deadline));
    return reply;
}

bool redis_exchange(struct redis_connection *c, const struct buf *commands, size_t n, redisReply **reply,
                    int64_t deadline_mono_ms)
{
    size_t got = 0;

    if (commands->failed ||
        redisAppendFormattedCommand(c->context, commands->data, commands->len) != REDIS_OK)
        return redis_fail(c, "no memory for %zu bytes of commands", commands->len);
    if (!flush(c, deadline_mono_ms))
        return false;
    while (got < n && (reply[got] = receive(c, deadline_mono_ms)) != NULL)
        got++;
    if (got == n) {
        c->works_mono_ms = clock_mono_ms();
        c->trouble.text[0] = '\0';
        return true;
    }
    while (got > 0) {
        freeReplyObject(reply[--got]);
        reply[got] = NULL;
    }
    return false;
}
