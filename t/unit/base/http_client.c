#include "base/http_client.h"
#include "base/clock.h"
#include "tap.h"
#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* -- a server that takes one connection at a time and answers each request with the same bytes -- */

struct server {
    int listener;
    char url[64];
    pthread_t thread;
    const char *answer; /* NULL = never */
    size_t padding;     /* bytes after it */
    bool stop;          /* by shutdown of the listener */
    /* what was seen */
    int connections, requests, reset;
    int linger_s, user_timeout_ms; /* of the other end, at the first request; -1 = off */
    size_t bytes;
    char first[2048]; /* the first request */
};

static void send_all(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        bytes += sent;
        n -= (size_t)sent;
    }
}

/* The client is a thread of this process: its socket is the one whose name is our peer's. */
static void look_at_client(struct server *s, int fd)
{
    struct sockaddr_in peer = {0}, name = {0};
    socklen_t peer_len = sizeof peer;

    if (getpeername(fd, (struct sockaddr *)&peer, &peer_len) != 0)
        abort();
    for (int other = 0; other < 256; other++) {
        struct linger linger = {0};
        socklen_t name_len = sizeof name, linger_len = sizeof linger, ms_len = sizeof s->user_timeout_ms;
        if (getsockname(other, (struct sockaddr *)&name, &name_len) != 0 || name_len != peer_len ||
            name.sin_port != peer.sin_port)
            continue;
        if (getsockopt(other, SOL_SOCKET, SO_LINGER, &linger, &linger_len) != 0 ||
            getsockopt(other, IPPROTO_TCP, TCP_USER_TIMEOUT, &s->user_timeout_ms, &ms_len) != 0)
            abort();
        s->linger_s = linger.l_onoff ? linger.l_linger : -1;
    }
}

static void serve_connection(struct server *s, int fd)
{
    char buf[2048];
    size_t used = 0;

    for (;;) {
        ssize_t n = recv(fd, buf + used, sizeof buf - used - 1, 0);
        if (n < 0 && errno == ECONNRESET)
            s->reset++;
        if (n <= 0)
            return;
        s->bytes += (size_t)n;
        used += (size_t)n;
        buf[used] = '\0';
        if (!strstr(buf, "\r\n\r\n"))
            continue;
        if (s->requests++ == 0) {
            memcpy(s->first, buf, used + 1);
            look_at_client(s, fd);
        }
        used = 0;
        if (!s->answer)
            continue;
        send_all(fd, s->answer, strlen(s->answer));
        static const char pad[65536];
        for (size_t left = s->padding; left > 0;) {
            size_t part = left < sizeof pad ? left : sizeof pad;
            send_all(fd, pad, part);
            left -= part;
        }
        if (!strstr(s->answer, "Content-Length")) /* the end of the body is the end of the connection */
            return;
    }
}

static void *serve(void *context)
{
    struct server *s = context;
    for (;;) {
        int fd = accept(s->listener, NULL, NULL);
        if (fd < 0)
            return NULL;
        s->connections++;
        serve_connection(s, fd);
        if (close(fd) != 0)
            return NULL;
    }
}

static bool start(struct server *s, const char *answer, size_t padding)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;

    *s = (struct server){.answer = answer, .padding = padding, .linger_s = -2, .user_timeout_ms = -2};
    s->listener = socket(AF_INET, SOCK_STREAM, 0);
    if (s->listener < 0 || bind(s->listener, (struct sockaddr *)&address, len) != 0 ||
        listen(s->listener, 8) != 0 || getsockname(s->listener, (struct sockaddr *)&address, &len) != 0)
        return false;
    snprintf(s->url, sizeof s->url, "http://127.0.0.1:%d/x", ntohs(address.sin_port));
    return pthread_create(&s->thread, NULL, serve, s) == 0;
}

/* After http_free: no connection is open any more. */
static void finish(struct server *s)
{
    if (shutdown(s->listener, SHUT_RDWR) != 0 || pthread_join(s->thread, NULL) != 0 ||
        close(s->listener) != 0)
        abort();
}

static struct http_request get(const struct server *s)
{
    return (struct http_request){
        .method = "GET", .url = s->url, .timeout_ms = 5000, .send_deadline_mono_ms = CLOCK_NEVER};
}

static struct http *client(void)
{
    struct http *http = http_new("test/1", NULL, NULL);
    if (!http)
        abort();
    return http;
}

/* -- cases -- */

static void test_base(void)
{
    static const char *const good[] = {"https://services.leadconnectorhq.com",
                                       "https://example.com:8443/base",
                                       "http://127.0.0.1:3000",
                                       "http://127.9.9.9",
                                       "http://localhost/x",
                                       "http://[::1]:8080",
                                       "HTTPS://example.com"};
    static const char *const bad[] = {"",
                                      "example.com",
                                      "/path",
                                      "http://example.com",
                                      "http://10.0.0.1",
                                      "http://128.0.0.1",
                                      "http://localhost.example.com",
                                      "http://127.0.0.1.example.com",
                                      "http://127.0.0.1@example.com",
                                      "https://user@example.com",
                                      "https://user:word@example.com",
                                      "https://example.com/?a=b",
                                      "https://example.com/#a",
                                      "ftp://example.com",
                                      "file:///etc/passwd",
                                      "https://",
                                      "https://exa mple.com",
                                      "https://example.com:99999"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct error e = ERROR_NONE;
        ok(http_check_base(good[i], &e), "good base %s", good[i]);
        is_str(e.text, "", "  no error");
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct error e = ERROR_NONE;
        ok(!http_check_base(bad[i], &e), "bad base \"%s\"", bad[i]);
        ok(strstr(e.text, "right would be https://"), "  says what is right");
    }
    ok(!http_check_base("http://10.0.0.1", NULL), "an error that nobody wants");
}

static void test_escape(void)
{
    struct buf b;
    buf_init(&b, 64);
    ok(http_escape(&b, "aZ0-._~ a+b@c.d/?&=%\xC3\xA9"), "every kind of byte");
    is_str(b.data, "aZ0-._~%20a%2Bb%40c.d%2F%3F%26%3D%25%C3%A9", "as RFC 3986 wants them");
    buf_reset(&b);
    ok(http_escape(&b, ""), "nothing");
    is_str(b.data, "", "stays nothing");
    ok(!http_escape(&b, "////////////////////////"), "more than fits is an error");
    ok(!http_escape(&b, ""), "which stays");
    buf_free(&b);
}

static void test_answer(void)
{
    struct server s;
    struct http_answer a;
    struct http *http = client();
    const char *const headers[] = {"X-One: 1", "Content-Type: application/json", NULL};

    ok(start(&s,
             "HTTP/1.1 429 Slow Down\r\nContent-Length: 2\r\nRetry-After: 7\r\nX-RateLimit-Max: 100\r\n"
             "X-RateLimit-Remaining: 0\r\nX-RateLimit-Interval-Milliseconds: 10000\r\n"
             "x-ratelimit-limit-daily: 200000\r\nX-RateLimit-Daily-Remaining: 12x\r\n"
             "X-RateLimit-Daily-Reset: 99999999999999999999\r\nX-WP-Total: 31\r\n"
             "Date: Thu, 26 Nov 2026 14:00:00 GMT\r\n\r\nhi",
             0),
       "given a server");
    http_answer_init(&a);
    struct http_request request = get(&s);
    request.method = "PUT";
    request.headers = headers;
    request.body = "{}";
    request.body_len = 2;
    is_int(http_call(http, &request, &a), HTTP_ANSWERED, "an answer");
    is_int(a.status, 429, "its status");
    is_str(a.body.data, "hi", "its body");
    is_int(a.retry_after_ms, 7000, "Retry-After");
    is_int(a.rate_max, 100, "limit");
    is_int(a.rate_remaining, 0, "remaining");
    is_int(a.rate_interval_ms, 10000, "interval");
    is_int(a.rate_daily_limit, 200000, "limit a day, whatever the name's case");
    is_int(a.rate_daily_remaining, -1, "what is no number is absent");
    is_int(a.rate_daily_reset_ms, -1, "and what is too long");
    is_int(a.wp_total, 31, "how many there are in all");
    is_int(a.date_s, 1795701600, "the server's time");
    is_str(a.location, "", "no other place");
    is_int(http_call(http, &request, &a), HTTP_ANSWERED, "again");
    is_str(a.body.data, "hi", "nothing of the first answer is left");
    is_int(s.connections, 1, "on the kept connection");
    http_answer_free(&a);
    http_free(http);
    finish(&s);
    is_int(s.linger_s, -1, "without unsent_ms a call is delivered as any other");
    is_int(s.user_timeout_ms, 0, "for as long as it takes");
    ok(strncmp(s.first, "PUT /x HTTP/1.1\r\n", 17) == 0, "the request line");
    ok(strstr(s.first, "\r\nX-One: 1\r\n") && strstr(s.first, "\r\nUser-Agent: test/1\r\n"), "the headers");
    ok(!strstr(s.first, "Expect:") && !strstr(s.first, "x-www-form"), "and none that nobody asked for");
}

static void test_not_followed(void)
{
    struct server s;
    struct http_answer a;
    struct http *http = client();

    ok(start(&s, "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: http://127.0.0.1:9/\r\n\r\n", 0),
       "given a redirect");
    http_answer_init(&a);
    struct http_request request = get(&s);
    is_int(http_call(http, &request, &a), HTTP_ANSWERED, "it is an answer");
    is_int(a.status, 302, "and not followed");
    is_str(a.location, "http://127.0.0.1:9/", "its place is told");
    is_int(a.wp_total, -1, "no total");
    is_int(a.date_s, -1, "no time");
    http_answer_free(&a);
    http_free(http);
    finish(&s);
}

static void test_size(void)
{
    struct server s;
    struct http_answer a;
    struct http *http = client();

    ok(start(&s, "HTTP/1.1 200 OK\r\n\r\n", HTTP_ANSWER_MAX), "given an answer of just the maximum");
    http_answer_init(&a);
    struct http_request request = get(&s);
    is_int(http_call(http, &request, &a), HTTP_ANSWERED, "it is taken");
    is_int(a.body.len, HTTP_ANSWER_MAX, "whole");
    finish(&s);
    ok(start(&s, "HTTP/1.1 200 OK\r\n\r\n", HTTP_ANSWER_MAX + 1), "given one byte more");
    request.url = s.url;
    is_int(http_call(http, &request, &a), HTTP_UNKNOWN, "it is not an answer");
    is_str(a.error, "the answer is longer than 1048576 bytes", "and why");
    ok(a.too_long && !a.timed_out, "in a word");
    request.answer_max = HTTP_ANSWER_MAX + 1;
    is_int(http_call(http, &request, &a), HTTP_ANSWERED, "who asks for more gets it");
    is_int(a.body.len, HTTP_ANSWER_MAX + 1, "whole");
    request.answer_max = 0;
    is_int(http_call(http, &request, &a), HTTP_UNKNOWN, "once");
    http_answer_free(&a);
    http_free(http);
    finish(&s);
}

static void test_nonsense(void)
{
    static const char *const answer[] = {
        "", "hello\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "HTTP/1.1 20"};
    for (size_t i = 0; i < sizeof answer / sizeof *answer; i++) {
        struct server s;
        struct http_answer a;
        struct http *http = client();
        ok(start(&s, answer[i], 0), "given a server that says \"%.10s\"", answer[i]);
        http_answer_init(&a);
        struct http_request request = get(&s);
        is_int(http_call(http, &request, &a), HTTP_UNKNOWN, "nobody knows what it did");
        ok(strstr(a.error, "after the request went out"), "and the error says so");
        ok(!strstr(a.error, "127.0.0.1"), "without the address");
        http_answer_free(&a);
        http_free(http);
        finish(&s);
    }
}

static void test_deadlines(void)
{
    struct server s;
    struct http_answer a;
    struct http *http = client();

    ok(start(&s, NULL, 0), "given a server that never answers");
    http_answer_init(&a);
    struct http_request request = get(&s);
    request.method = "PUT";
    request.unsent_ms = 300;
    request.send_deadline_mono_ms = clock_mono_ms() - 1;
    is_int(http_call(http, &request, &a), HTTP_TOO_LATE, "after the send deadline nothing is sent");

    request.send_deadline_mono_ms = clock_mono_ms() + 60000;
    request.timeout_ms = 1500;
    int64_t began = clock_mono_ms();
    is_int(http_call(http, &request, &a), HTTP_UNKNOWN, "a timeout after it was sent");
    int64_t took = clock_mono_ms() - began;
    ok(took >= 1450 && took < 15000, "after its time (%lld ms)", (long long)took);
    http_answer_free(&a);
    http_free(http);
    finish(&s);
    is_int(s.requests, 1, "the server saw one request of the two calls");
    is_int(s.connections, 2, "on two connections");
    is_int(s.reset, 2, "both torn down, with nothing left to be delivered");
    is_int(s.linger_s, 0, "the kernel keeps nothing of them when they are closed");
    is_int(s.user_timeout_ms, 300, "nor tries for longer than it was told");
}

static void test_nobody(void)
{
    struct server s;
    struct http_answer a;
    struct http *http = client();

    ok(start(&s, "", 0), "given a port on which nobody listens");
    finish(&s);
    http_answer_init(&a);
    struct http_request request = get(&s);
    is_int(http_call(http, &request, &a), HTTP_NOT_SENT, "nothing was sent");
    ok(strstr(a.error, "Connection refused, before anything was sent"), "and the error says so");
    http_answer_free(&a);
    http_free(http);
}

/* Instead of libcurl's: NULL if there is no memory. */
static bool out_of_memory;

struct curl_slist *curl_slist_append(struct curl_slist *list, const char *text)
{
    struct curl_slist *last = list, *item = out_of_memory ? NULL : malloc(sizeof *item);

    if (!item)
        return NULL;
    *item = (struct curl_slist){.data = strdup(text)};
    while (last && last->next)
        last = last->next;
    if (last)
        last->next = item;
    return list ? list : item;
}

static void test_unusable(void)
{
    static const char *const urls[] = {"http://192.0.2.1/", "ftp://127.0.0.1/", "", "no url"};
    static const char *const split[] = {"X-One: 1\r\nX-Two: 2", NULL};
    struct server s;
    struct http_answer a;
    struct http *http = client();

    ok(start(&s, "HTTP/1.1 200 OK\r\n\r\n", 0), "given a server");
    http_answer_init(&a);
    struct http_request request = get(&s);
    request.headers = split;
    is_int(http_call(http, &request, &a), HTTP_UNUSABLE, "a header with a line break");
    request.headers = NULL;
    out_of_memory = true;
    is_int(http_call(http, &request, &a), HTTP_NOT_SENT, "without memory it is no fault of the request");
    is_str(a.error, "Out of memory", "and says so");
    out_of_memory = false;
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        request.url = urls[i];
        is_int(http_call(http, &request, &a), HTTP_UNUSABLE, "the URL \"%s\"", urls[i]);
    }
    http_answer_free(&a);
    http_free(http);
    finish(&s);
    is_int(s.connections, 0, "nobody was called");
}

/* What a child of a fork does with its parent's connections: nothing. */
static void test_fork(void)
{
    struct server s;
    struct http_answer a;
    struct http *http = client();

    ok(start(&s, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 0), "given a kept connection");
    http_answer_init(&a);
    struct http_request request = get(&s);
    is_int(http_call(http, &request, &a), HTTP_ANSWERED, "of the parent");
    int fds[2];
    if (pipe(fds) != 0)
        abort();
    pid_t pid = fork();
    if (pid == 0) {
        /* The server has one thread, busy with the parent's connection: a new one is not answered. */
        request.timeout_ms = 200;
        char result = (char)('0' + http_call(http, &request, &a));
        _exit(write(fds[1], &result, 1) == 1 ? 0 : 1);
    }
    char result = 0;
    ok(read(fds[0], &result, 1) == 1, "and a child");
    is_int(result - '0', HTTP_UNKNOWN, "it makes its own");
    is_int(http_call(http, &request, &a), HTTP_ANSWERED, "the parent's still works");
    is_int(s.connections, 1, "it is the same");
    if (close(fds[0]) != 0 || close(fds[1]) != 0)
        abort();
    http_answer_free(&a);
    http_free(http);
    finish(&s);
}

static void test_stop(void)
{
    struct server s;
    struct http_answer a;
    struct http *http = client();
    volatile int stop = 1;

    ok(start(&s, NULL, 0), "given a server that never answers");
    http_answer_init(&a);
    struct http_request request = get(&s);
    request.timeout_ms = 20000;
    request.stop = &stop;
    int64_t began = clock_mono_ms();
    ok(http_call(http, &request, &a) != HTTP_ANSWERED, "whoever is told to stop does not wait");
    ok(clock_mono_ms() - began < 15000, "for long");
    ok(!a.timed_out, "the time was not over");
    request.stop = NULL;
    request.timeout_ms = 100;
    ok(http_call(http, &request, &a) != HTTP_ANSWERED && a.timed_out, "here it was");
    http_answer_free(&a);
    http_free(http);
    finish(&s);
}

int main(void)
{
    /* Under CGI HTTP_PROXY is a request header. A proxy that nobody listens on would make every call fail. */
    if (setenv("HTTP_PROXY", "http://127.0.0.1:9", 1) != 0 ||
        setenv("http_proxy", "http://127.0.0.1:9", 1) != 0 ||
        setenv("ALL_PROXY", "http://127.0.0.1:9", 1) != 0)
        return 1;
    test_base();
    test_escape();
    test_answer();
    test_not_followed();
    test_size();
    test_nonsense();
    test_deadlines();
    test_nobody();
    test_unusable();
    test_fork();
    test_stop();
    return tap_done();
}
