/*
 * store_redis_url: REDIS_URL taken apart.
 *
 *   redis://[user[:password]@]host[:port][/database]     rediss:// the same over TLS
 *   unix://[user[:password]@]/path/to/socket[?db=database]
 *
 * User and password may be percent-encoded, and must be where they contain / @ : ? # or %.
 * "redis://:password@" is the default user. An IPv6 address stands in brackets.
 */
#ifndef WOO_GHL_STORE_REDIS_URL_H
#define WOO_GHL_STORE_REDIS_URL_H

#include "base/error.h"
#include <stdbool.h>

#define REDIS_PORT_SIZE 6

struct redis_url {
    bool tls;
    char *text;                 /* owned, as the rest: the decoded parts lie in it */
    const char *path;           /* of the unix socket; NULL = TCP */
    const char *host;           /* NULL = unix socket */
    char port[REDIS_PORT_SIZE]; /* decimal */
    const char *user;           /* "" = the default user */
    const char *password;       /* "" = no AUTH */
    long database;
};

/* False with the error set, which never holds the URL: it may hold the password. */
bool redis_url_parse(const char *text, struct redis_url *out, struct error *e) MUST_CHECK;
void redis_url_free(struct redis_url *url); /* wipes the password */

#endif
