/*
 * store_redis_connection: one connection to one Redis server.
 *
 * Every call has one deadline for all of it: connect, AUTH, SELECT and the reply. After any failure the
 * context is finished, and for REDIS_WAIT_MS calls fail at once, so that a dead Redis costs a process one
 * timeout a second and not one a request. The address is resolved once; it is resolved anew only when the
 * known addresses have not worked for a minute (a failover by DNS; who answers there may be a replica by
 * now). A child of fork never uses its parent's connection.
 */
#ifndef WOO_GHL_STORE_REDIS_CONNECTION_H
#define WOO_GHL_STORE_REDIS_CONNECTION_H

#include "base/redis_url.h"
#include <hiredis/hiredis.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#define REDIS_WAIT_MS 1000
#define REDIS_RUN_ID_SIZE 64
#define REDIS_ADDRESSES 8

struct redis_address {
    struct sockaddr_storage address;
    socklen_t len;
};

struct redis_connection {
    struct redis_url url;
    int64_t timeout_ms;
    redisContext *context;                 /* NULL = not connected */
    void *tls;                             /* redisSSLContext; NULL = not used yet */
    pid_t pid;                             /* who connected */
    int64_t failed_mono_ms, works_mono_ms; /* when it last failed, and a script last ran; -1 = never */
    struct redis_address address[REDIS_ADDRESSES];
    size_t address_count;           /* 0 = not resolved */
    char run_id[REDIS_RUN_ID_SIZE]; /* of the server at the other end; "" = it does not tell */
    bool is_another;                /* it was restarted, or is another server: until somebody asks, */
    bool moved;                     /* and until it was told when this process last used the one before */
    int64_t ahead_ms;     /* the server's wall clock less our monotonic one; INT64_MIN = it does not tell */
    int major;            /* its version; 0 = it does not tell */
    struct error trouble; /* "" = the last call worked */
};

struct redis_command {
    int argc;
    const char **argv;
    const size_t *len;
};

/* Takes the url over. Does not connect. */
void redis_connection_init(struct redis_connection *c, struct redis_url *url, int64_t timeout_ms);
void redis_connection_free(struct redis_connection *c);

int64_t redis_deadline(const struct redis_connection *c);
/* Connected, by this process, to a server that still answers as far as can be told without asking it. False
 * with c->trouble set. */
bool redis_ready(struct redis_connection *c, int64_t deadline_mono_ms) MUST_CHECK;
/* A time of clock_mono_ms as the connected server's wall clock shows it; 0 = unknown. May be late by one
 * round trip. */
int64_t redis_server_ms(const struct redis_connection *c, int64_t mono_ms);
/* The reply to one command, the caller's; may be an error reply, whose meaning is up to the caller. NULL = no
 * reply in time, and the connection is gone. Needs redis_ready. */
redisReply *redis_call(struct redis_connection *c, const struct redis_command *command,
                       int64_t deadline_mono_ms) MUST_CHECK;
/* n commands in one round trip; reply[i] as above, or all NULL and false. */
bool redis_pipeline(struct redis_connection *c, const struct redis_command *commands, size_t n,
                    redisReply **reply, int64_t deadline_mono_ms) MUST_CHECK;
/* Ends the connection and begins the wait. */
void redis_fail(struct redis_connection *c, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
