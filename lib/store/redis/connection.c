#include "base/clock.h"
#include "base/text.h"
#include "store/redis/redis.h"
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>
#ifdef HAVE_HIREDIS_SSL
#include <arpa/inet.h>
#include <hiredis/hiredis_ssl.h>
#include <openssl/ssl.h>
#endif

#define GREETING 7 /* commands, at most, that a new connection begins with */
#define RESOLVE_AGAIN_MS 60000
#define BYTES_PER_MS 1024              /* of the slowest link that is waited for */
#define SEND_STEP ((size_t)256 * 1024) /* bytes that are handed to hiredis at once */
#define DIGITS_MAX 18
#define FRESH_MS 5     /* a deadline that this little of is gone is as good as the socket's timeout */
#define LIST_MAX 65536 /* elements of a reply */
#define REPLY_MAX (256 * 1024 * 1024) /* bytes; more is no answer to anything that is asked here */

/* -- life cycle -- */

void redis_disconnect(struct redis *r)
{
    if (r->context)
        redisFree(r->context);
    r->context = NULL;
}

bool redis_give_up(struct redis *r)
{
    redis_disconnect(r);
    r->failed_mono_ms = clock_mono_ms();
    if (r->url.path)
        error_prefix(&r->trouble, "Redis at %s", r->url.path);
    else
        error_prefix(&r->trouble, "Redis at %s port %s", r->host, r->port);
    return false;
}

bool redis_refused(struct redis *r, const char *what, const redisReply *reply)
{
    return redis_fail(r, "%s: %.*s", what, (int)strcspn(reply->str, " "), reply->str);
}

int64_t redis_extra_ms(size_t bytes)
{
    return (int64_t)(bytes / BYTES_PER_MS);
}

/* -- connecting -- */

static bool resolve(struct redis *r)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *list;

    if (r->url.path) {
        struct sockaddr_un *name = (struct sockaddr_un *)&r->address[0].address;
        size_t n = strlen(r->url.path);
        if (n >= sizeof name->sun_path)
            return redis_fail(r, "a socket's path has at most %zu characters", sizeof name->sun_path - 1);
        name->sun_family = AF_UNIX;
        memcpy(name->sun_path, r->url.path, n + 1);
        r->address[0].len = sizeof *name;
        r->address_count = 1;
        return true;
    }
    int code = getaddrinfo(r->host, r->port, &hints, &list);
    if (code != 0)
        return redis_fail(r, "the host's name has no address: %s", gai_strerror(code));
    r->address_count = 0;
    for (const struct addrinfo *a = list; a && r->address_count < REDIS_ADDRESSES; a = a->ai_next) {
        struct redis_address *to = &r->address[r->address_count++];
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
static SSL *new_tls(struct redis *r)
{
    unsigned char address[sizeof(struct in6_addr)];
    const char *host = r->host;

    if (!r->tls) {
        SSL_CTX *fresh = SSL_CTX_new(TLS_client_method());
        if (!fresh || SSL_CTX_set_min_proto_version(fresh, TLS1_2_VERSION) != 1 ||
            (*r->ca_file ? SSL_CTX_load_verify_locations(fresh, r->ca_file, NULL)
                         : SSL_CTX_set_default_verify_paths(fresh)) != 1) {
            SSL_CTX_free(fresh);
            return NULL;
        }
        SSL_CTX_set_verify(fresh, SSL_VERIFY_PEER, NULL);
        r->tls = fresh;
    }
    SSL *ssl = SSL_new(r->tls);
    bool is_ip = inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
    if (ssl && (is_ip ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1
                      : SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1))
        return ssl;
    SSL_free(ssl);
    return NULL;
}

static bool start_tls(struct redis *r)
{
    if (!r->url.tls)
        return true;
    SSL *ssl = new_tls(r);
    if (ssl && redisInitiateSSL(r->context, ssl) == REDIS_OK)
        return true;
    long verified = ssl ? SSL_get_verify_result(ssl) : X509_V_OK;
    SSL_free(ssl);
    if (verified != X509_V_OK)
        return redis_fail(r, "TLS: the certificate is refused: %s", X509_verify_cert_error_string(verified));
    return redis_fail(r, "TLS: %s", r->context->err ? r->context->errstr : "it cannot start");
}
#else
static bool start_tls(struct redis *r)
{
    if (!r->url.tls)
        return true;
    return redis_fail(r,
                      "this program was built without TLS for Redis (hiredis_ssl): use redis:// or unix://");
}
#endif

#if HIREDIS_MAJOR < 1
typedef int list_length;
#else
typedef size_t list_length;
#endif

/* hiredis makes room for as many elements as are announced. */
static void *make_list(const redisReadTask *task, list_length n)
{
    const struct redis *r = task->privdata;

    return n > LIST_MAX ? NULL : r->replies->createArray(task, n);
}

bool redis_adopt(struct redis *r, int fd)
{
    r->context = redisConnectFd(fd);
    if (!r->context) {
        close(fd);
        return redis_fail(r, "out of memory");
    }
    r->replies = r->context->reader->fn;
    r->bounded_replies = *r->replies;
    r->bounded_replies.createArray = make_list;
    r->context->reader->fn = &r->bounded_replies;
    r->context->reader->privdata = r;
    return true;
}

bool redis_connect(struct redis *r, int64_t deadline)
{
    int fd = -1;

    if (!r->url.path && r->failed_mono_ms >= 0 && clock_mono_ms() - r->works_mono_ms > RESOLVE_AGAIN_MS)
        r->address_count = 0;
    if (r->address_count == 0 && !resolve(r))
        return false;
    for (size_t i = 0; i < r->address_count && fd < 0; i++)
        fd = open_socket(&r->address[i], deadline);
    if (fd < 0)
        return redis_fail(r, "cannot connect: %s", strerror(errno));
    if (!redis_adopt(r, fd) || !start_tls(r))
        return false;
    /* hiredis then returns when the socket's timeout has passed, and does not call it an error. */
    r->context->flags &= ~REDIS_BLOCK;
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

int64_t redis_number(const redisReply *reply)
{
    char *end;

    if (reply->type != REDIS_REPLY_STRING || reply->len == 0 || reply->len > DIGITS_MAX)
        return -1;
    long long number = strtoll(reply->str, &end, 10);
    return *end || number > TEXT_NUMBER_MAX ? -1 : number;
}

int64_t redis_learn_time(struct redis *r, const redisReply *time)
{
    int64_t s = -1, us = -1;

    if (time->type == REDIS_REPLY_ARRAY && time->elements == 2) {
        s = redis_number(time->element[0]);
        us = redis_number(time->element[1]);
    }
    if (s < 0 || us < 0 || us >= 1000000 || s > TEXT_NUMBER_MAX / 1000)
        return -1;
    r->ahead_ms = s * 1000 + us / 1000 - clock_mono_ms();
    return s * 1000 + us / 1000;
}

void redis_add_login(struct redis_words *out, const struct redis_login *login)
{
    if (*login->password && *login->user)
        redis_command(out, "", "AUTH %s %s", login->user, login->password);
    else if (*login->password)
        redis_command(out, "", "AUTH %s", login->password);
}

/* Is a server of this mode and role what REDIS_URL says? */
static bool is_fit(struct redis *r, const char *mode, const redisReply *replication)
{
    char role[16];

    redis_info(replication, "\nrole:", role, sizeof role);
    if (!strcmp(mode, "standalone") && r->url.host_count > 1 && !r->url.primary)
        return redis_fail(r, "it is no node of a Redis Cluster: REDIS_URL must name one host, or be "
                             "redis+sentinel://HOST,HOST/NAME");
    if (strcmp(role, "slave") != 0)
        return true;
    r->address_count = 0;
    return redis_fail(r, "it is a replica (READONLY): REDIS_URL must name the primary%s",
                      r->url.primary ? "; the sentinels name this one still" : "");
}

/* Reads the replies of the greeting: AUTH, SELECT and ASKING, if they were sent, then the four that it ends with. */
static bool read_greeting(struct redis *r, redisReply *const *reply, size_t n)
{
    char mode[16];

    for (size_t i = 0; i + 4 < n; i++)
        if (reply[i]->type == REDIS_REPLY_ERROR)
            return redis_refused(r, "it refuses user, password or database", reply[i]);
    redis_info(reply[n - 2], "\nredis_mode:", mode, sizeof mode);
    if (!strcmp(mode, "sentinel"))
        return redis_fail(r, "it is a sentinel: REDIS_URL must be redis+sentinel://HOST,HOST/NAME");
    if (redis_learn_time(r, reply[n - 3]) < 0)
        return redis_fail(r, "cannot be used: %s",
                          reply[n - 3]->type == REDIS_REPLY_ERROR ? reply[n - 3]->str : "TIME tells no time");
    redis_info(reply[n - 2], "\nrun_id:", r->run_id, sizeof r->run_id);
    if (!*r->run_id)
        memcpy(r->run_id, "unknown", sizeof "unknown");
    switch (redis_remedy(reply[n - 4])) {
    case REMEDY_NONE:
    case REMEDY_ASK: return is_fit(r, mode, reply[n - 1]);
    case REMEDY_MOVE: return text_format(r->moved, sizeof r->moved, "%s", reply[n - 4]->str);
    default: return redis_fail(r, "cannot be used: %s", reply[n - 4]->str);
    }
}

/* AUTH, SELECT, whether the keys are here, TIME and INFO in one round trip. Only INFO may be refused: hosted servers
 * do. */
bool redis_greet(struct redis *r, int64_t deadline)
{
    redisReply *reply[GREETING];
    struct redis_words out = {.count = 0};

    r->moved[0] = '\0';
    buf_init(&out.text, 8192);
    redis_add_login(&out, &r->url.login);
    if (r->url.database > 0)
        redis_command(&out, "", "SELECT %d", (int64_t)r->url.database);
    if (r->asking)
        redis_command(&out, "", "ASKING");
    redis_command(&out, r->base, REDIS_HERE);
    redis_command(&out, "", "TIME");
    redis_command(&out, "", "INFO server");
    redis_command(&out, "", "INFO replication");
    bool good = redis_exchange(r, &out, reply, deadline);
    buf_wipe(&out.text);
    if (!good)
        return false;
    good = read_greeting(r, reply, out.count);
    redis_free(reply, out.count);
    return good && (set_timeout(r->context->fd, r->timeout_ms) || redis_fail(r, "%s", strerror(errno)));
}

bool redis_ready(struct redis *r, int64_t deadline_mono_ms)
{
    /* A server that was restarted has closed its end: known before anything is sent, it costs a new
     * connection and not the exchange. */
    if (r->context && poll(&(struct pollfd){.fd = r->context->fd, .events = POLLIN}, 1, 0) == 0)
        return true;
    redis_disconnect(r);
    if (r->failed_mono_ms >= 0 && clock_mono_ms() - r->failed_mono_ms < REDIS_WAIT_MS)
        return false;
    return redis_find(r, deadline_mono_ms);
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

static bool flush(struct redis *r, int64_t deadline)
{
    for (int done = 0;;) {
        if (redisBufferWrite(r->context, &done) != REDIS_OK)
            return redis_fail(r, "cannot send: %s", r->context->errstr);
        if (done)
            return true;
        if (!wait_for(r->context->fd, POLLOUT, deadline))
            return redis_fail(r, "took no command in time: REDIS_TIMEOUT is %lld ms",
                              (long long)r->timeout_ms);
    }
}

/* Waits for more bytes, and reads them. A read without a poll(2) before it waits as long as the socket's
 * timeout says. */
static bool read_more(struct redis *r, int64_t deadline)
{
    size_t len = r->context->reader->len;
    bool fresh = clock_left_ms(deadline) + FRESH_MS >= r->timeout_ms;

    if (len > REPLY_MAX)
        return redis_fail(r, "answers more than %d bytes", REPLY_MAX);
    if (!fresh && !wait_for(r->context->fd, POLLIN, deadline + redis_extra_ms(len)))
        return redis_fail(r, "did not answer in time: REDIS_TIMEOUT is %lld ms", (long long)r->timeout_ms);
    return redisBufferRead(r->context) == REDIS_OK || redis_fail(r, "went away: %s", r->context->errstr);
}

static redisReply *receive(struct redis *r, int64_t deadline)
{
    void *reply = NULL;

    do
        if (redisGetReplyFromReader(r->context, &reply) != REDIS_OK) {
            (void)redis_fail(r, "cannot be understood: %s", r->context->errstr);
            return NULL;
        }
    while (!reply && read_more(r, deadline));
    return reply;
}

/* Step by step: hiredis copies what it is given. */
static bool send_text(struct redis *r, const struct buf *text, int64_t deadline)
{
    for (size_t at = 0, step; at < text->len; at += step) {
        step = text->len - at < SEND_STEP ? text->len - at : SEND_STEP;
        if (redisAppendFormattedCommand(r->context, text->data + at, step) != REDIS_OK)
            return redis_fail(r, "no memory for %zu bytes of commands", text->len);
        if (step == SEND_STEP && !flush(r, deadline))
            return false;
    }
    return true;
}

bool redis_exchange(struct redis *r, const struct redis_words *commands, redisReply **reply,
                    int64_t deadline_mono_ms)
{
    const struct buf *const text = &commands->text;
    return redis_exchange_all(r, &text, 1, reply, commands->count, deadline_mono_ms);
}

bool redis_exchange_all(struct redis *r, const struct buf *const *text, size_t texts, redisReply **reply,
                        size_t n, int64_t deadline_mono_ms)
{
    size_t got = 0;

    memset(reply, 0, n * sizeof *reply);
    for (size_t i = 0; i < texts; i++)
        if (text[i]->failed) /* half a command must not be sent */
            return redis_fail(r, "no memory for the commands");
    for (size_t i = 0; i < texts; i++)
        if (!send_text(r, text[i], deadline_mono_ms))
            return false;
    if (!flush(r, deadline_mono_ms))
        return false;
    while (got < n && (reply[got] = receive(r, deadline_mono_ms)) != NULL)
        got++;
    if (got < n) {
        redis_free(reply, n);
        return false;
    }
    r->works_mono_ms = clock_mono_ms();
    r->trouble.text[0] = '\0';
    return true;
}
