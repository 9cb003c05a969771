/*
 * store_redis_url: REDIS_URL taken apart.
 *
 *   redis://[user[:password]@]host[:port][,host[:port]...][/database]     several hosts: nodes of one Redis Cluster
 *   redis+sentinel://[user[:password]@]host[:port][,...]/name[/database][?sentinel=[user:]password]
 *                                      the hosts are sentinels that watch the primary `name`; user and password are
 *                                      the primary's, `sentinel` has theirs
 *   rediss://, rediss+sentinel://      the same over TLS
 *   unix://[user[:password]@]/path/to/socket[?db=database]
 *
 * Users, passwords and the name may be percent-encoded, and must be where they contain / @ : ? # & or %.
 * "redis://:password@" is the default user. An IPv6 address stands in brackets.
 */
#pragma once

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>

#define REDIS_PORT_SIZE 6
#define REDIS_HOSTS 16
#define REDIS_HOST_SIZE 256

struct redis_host {
    const char *name;
    char port[REDIS_PORT_SIZE]; /* decimal */
};

struct redis_login {
    const char *user;     /* "" = the default user */
    const char *password; /* "" = no AUTH */
};

struct redis_url {
    bool tls;
    char *text;                          /* owned, as the rest: the decoded parts lie in it */
    const char *path;                    /* of the unix socket; NULL = TCP */
    struct redis_host host[REDIS_HOSTS]; /* names shorter than REDIS_HOST_SIZE */
    size_t host_count;                   /* 0 = unix socket */
    const char *primary;                 /* as the sentinels call it; NULL = the hosts are no sentinels */
    struct redis_login login, sentinel;
    long database;
};

/* False with the error set, which never holds the URL: it may hold the password. */
bool redis_url_parse(const char *text, struct redis_url *out, struct error *e) MUST_CHECK;
void redis_url_free(struct redis_url *url); /* wipes the passwords */
