/*
 * connection: one connection to one Redis server.
 *
 * Every exchange has one deadline for all of it: connect, AUTH, SELECT and the replies. It grows with the bytes
 * that are sent and received, 1 s for each MB. After any failure the context is finished, and for REDIS_WAIT_MS
 * exchanges fail at once, so that a dead Redis costs a process one timeout a second and not one a request. The
 * address is resolved once; it is resolved anew if the server is a replica now, or if the known addresses have not
 * worked for a minute.
 */
#ifndef WOO_GHL_STORE_REDIS_CONNECTION_H
#define WOO_GHL_STORE_REDIS_CONNECTION_H

#include "base/buf.h"
#include "base/redis_url.h"
#include <hiredis/hiredis.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define REDIS_WAIT_MS 1000
#define REDIS_RUN_ID_SIZE 64
#define REDIS_ADDRESSES 8
#define REDIS_GREETING 5 /* commands, at most, that a new connection begins with */

struct redis_address {
    struct sockaddr_storage address;
    socklen_t len;
};

struct redis_connection {
    struct redis_url url;
    int64_t timeout_ms;
    redisContext *context;                 /* NULL = not connected */
    void *tls;                             /* SSL_CTX; NULL = not used yet */
    int64_t failed_mono_ms, works_mono_ms; /* when it last failed, and last worked; -1 = never */
    struct redis_address address[REDIS_ADDRESSES];
    size_t address_count;           /* 0 = not resolved */
    char run_id[REDIS_RUN_ID_SIZE]; /* of the server at the other end; "unknown" = it does not tell */
    int64_t ahead_ms;               /* the server's clock less our monotonic one, as last told */
    struct error trouble;           /* "" = the last exchange worked */
};

/* Takes the url over. Does not connect. */
void redis_connection_init(struct redis_connection *c, struct redis_url *url, int64_t timeout_ms);
void redis_connection_free(struct redis_connection *c);
void redis_disconnect(struct redis_connection *c);

/* How much longer an exchange of so many bytes may take. */
int64_t redis_extra_ms(size_t bytes);
/* Connected to a primary that still answers, as far as can be told without asking it. False with c->trouble
 * set. */
bool redis_ready(struct redis_connection *c, int64_t deadline_mono_ms) MUST_CHECK;
/* n commands in one round trip; reply[i] is the caller's, and may be an error reply. False with c->trouble
 * set, the connection gone and every reply NULL: no reply in time. Needs redis_ready. */
bool redis_exchange(struct redis_connection *c, const struct buf *commands, size_t n, redisReply **reply,
                    int64_t deadline_mono_ms) MUST_CHECK;
/* Ends the connection and begins the wait. The macro is false, so that it can be returned. */
void redis_give_up(struct redis_connection *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
#define redis_fail(c, ...) (redis_give_up((c), __VA_ARGS__), false)
/* The reply of TIME, in ms; also remembered. -1 = it is none. */
int64_t redis_learn_time(struct redis_connection *c, const redisReply *time);
/* The value of "name:value\r\n" in INFO's reply, "" = not told. */
void redis_info(const redisReply *info, const char *name, char *out, size_t size);

#endif
