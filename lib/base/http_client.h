/*
 * http: one HTTPS request and its answer, over libcurl.
 *
 * It knows deadlines, connection reuse and how much of a request has gone out; it knows nothing of GHL. It
 * never follows a redirect, never takes a proxy from the environment (HTTP_PROXY is a request header under
 * CGI), never speaks plain http but to a loopback address, and caps what it reads.
 */
#pragma once

#include "base/buf.h"
#include <stdint.h>

struct http; /* one per process: a curl handle with its kept connections */

enum http_result {
    HTTP_ANSWERED, /* a complete answer with a status */
    HTTP_NOT_SENT, /* failed before the first byte of the request could go out: nothing happened there */
    HTTP_UNKNOWN,  /* failed after that: the peer may have acted */
    HTTP_TOO_LATE, /* the send deadline had passed: aborted before the first byte */
    HTTP_UNUSABLE, /* the request itself is impossible (bad URL, plain http to a public address) */
};

struct http_request {
    const char *method; /* "GET", "POST", "PUT", "DELETE" */
    const char *url;
    const char *const *headers; /* NULL-terminated "Name: value" lines */
    const char *body;           /* NULL = none */
    size_t body_len;
    int64_t timeout_ms;    /* for the whole call, connect included */
    bool fresh_connection; /* libcurl resends a request when a kept connection dies: never for a create */
    int64_t unsent_ms; /* > 0: the kernel delivers nothing late. What is unsent when the connection closes is
                          thrown away, and so is what the peer did not acknowledge for so long. Decided when
                          the connection is made */
    int64_t send_deadline_mono_ms; /* CLOCK_NEVER, or: abort just before the first byte when this has passed
                                      (CURLOPT_PREREQFUNCTION) */
    bool plain_anywhere;           /* the owner typed this URL: plain http to another machine is allowed */
    size_t answer_max;             /* bytes of an answer's body; 0 = HTTP_ANSWER_MAX */
    const volatile int *stop;      /* the call ends within about a second once this is set; may be NULL */
};

#define HTTP_ANSWER_MAX 1048576 /* a longer body is HTTP_UNKNOWN */

struct http_answer {
    long status;
    struct buf body;
    /* Headers that callers ask about; -1 = absent or not a number. Times in ms. */
    int64_t retry_after_ms;
    int64_t rate_max, rate_remaining, rate_interval_ms;
    int64_t rate_daily_limit, rate_daily_remaining, rate_daily_reset_ms;
    int64_t wp_total;   /* X-WP-Total */
    int64_t date_s;     /* Date, s since 1970 */
    char sunset[64];    /* Sunset (RFC 8594): when the resource goes away; "" = absent */
    char location[512]; /* "" = absent, or longer */
    bool resent;        /* a kept connection died after the request went out, and it was sent once more */
    bool timed_out;     /* no answer, and that is why: the time was over */
    bool untrusted;     /* no answer, and that is why: no CA that we trust vouches for its certificate */
    bool asks_password; /* WWW-Authenticate: Basic */
    bool too_long;      /* no answer, and that is why: it is longer than its maximum */
    char error[256];    /* why there is no answer, for the log; without URL and headers */
};

/* ca_file: certificates are checked against this file's CAs instead of the system's; NULL or "" = the system's. It is
 * read at each new connection. */
struct http *http_new(const char *user_agent, const char *ca_file, struct error *e);
void http_free(struct http *http);
void http_answer_init(struct http_answer *answer);
void http_answer_free(struct http_answer *answer);

enum http_result http_call(struct http *http, const struct http_request *request,
                           struct http_answer *answer) MUST_CHECK;

/* Is this base URL allowed: https, or plain http to 127.0.0.0/8, ::1 or localhost; no user, no query? */
bool http_check_base(const char *url, struct error *e) MUST_CHECK;

/* Percent-encodes one query value or path segment onto out. */
bool http_escape(struct buf *out, const char *value);
