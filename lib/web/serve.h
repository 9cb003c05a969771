/*
 * serve: FastCGI or CGI <-> struct request and struct response. The only file that knows FCGX.
 *
 * A request is read by intake through it; the answer is written with Content-Length, and after a FastCGI
 * answer is out (FCGX_Finish_r) or, under CGI, in a detached child that has closed descriptors 0, 1 and 2,
 * the worker may drain for a while if the response asks for it. A client that goes away, EMFILE at accept, or
 * a signal harm nothing: SIGTERM and SIGUSR1 finish the request in hand and leave.
 */
#pragma once

#include "web/request.h"
#include "web/response.h"

enum serve_role { SERVE_FASTCGI, SERVE_CGI, SERVE_NONE };

/* What descriptor 0 and the environment say this process is (design.md, "Roles of the one binary"). */
enum serve_role serve_role(void);

/* What is done with each request; drain may be NULL. `context` is main's. */
struct serve_handler {
    void *context;
    void (*handle)(void *context, const struct request *, struct response *);
    void (*drain)(void *context); /* called after the answer is out when response.drain_wanted */
    /* FastCGI: called after each answer, and every second; sooner if it returns in how many ms. May be NULL. */
    int64_t (*rest)(void *context);
    /* CGI drains in a child: connections must not be shared with it. A descriptor that only the child keeps, in the place
     * of standard input: a lock; -1: no child is to be made. */
    int (*before_fork)(void *context);
};

/* Serves until a signal says stop (*stop becomes non-zero). The exit code. */
int serve_fastcgi(const struct serve_handler *handler, volatile int *stop);
/* Serves the one request of the environment. The exit code. */
int serve_cgi(const struct serve_handler *handler);
