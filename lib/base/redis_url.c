#include "base/redis_url.h"
#include "base/text.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_PORT "6379"
#define SENTINEL_PORT "26379"
#define DATABASE_MAX 1000000
#define DIGITS_MAX 7
#define EMPTY ((struct redis_url){.login = {"", ""}, .sentinel = {"", ""}})

static bool parse_number(const char *text, long max, long *out)
{
    const char *end;

    *out = (long)text_number(text, &end);
    return *text >= '0' && *text <= '9' && !*end && strlen(text) <= DIGITS_MAX && *out <= max;
}

/* Decodes in place. False for a broken escape, and for %00, which no C string holds. */
static bool decode(char *text)
{
    char *to = text;
    for (const char *p = text; *p; p++) {
        int c = (unsigned char)*p;
        if (c == '%') {
            c = text_octet(p + 1);
            p += 2;
        }
        if (c <= 0)
            return false;
        *to++ = (char)c;
    }
    *to = '\0';
    return true;
}

/* "user:password" -> both, decoded. A lone word is the password, as older clients write it. */
static bool split_login(char *text, struct redis_login *out, struct error *e)
{
    char *colon = strchr(text, ':');

    out->password = colon ? colon + 1 : text;
    if (colon) {
        *colon = '\0';
        out->user = text;
    }
    if ((!colon || decode(text)) && decode(colon ? colon + 1 : text))
        return true;
    error_set(e, "a %% in user or password begins no escape such as %%2F; a %% itself is %%25");
    return false;
}

static bool split_host(char *text, const char *default_port, struct redis_host *out, struct error *e)
{
    char *port = NULL;
    long number;

    if (*text == '[') {
        char *end = strchr(text, ']');
        if (!end || (end[1] && end[1] != ':')) {
            error_set(e, "the address in brackets is not closed; right is redis://[::1]:6379");
            return false;
        }
        port = end[1] ? end + 2 : NULL;
        *end = '\0';
        text++;
    } else if ((port = strchr(text, ':')) != NULL) {
        *port++ = '\0';
    }
    if (!*text || strlen(text) >= REDIS_HOST_SIZE) {
        error_set(e, "a host is missing or too long; right is redis://HOST:PORT/DATABASE");
        return false;
    }
    out->name = text;
    if (port && (!parse_number(port, 65535, &number) || number == 0 || strlen(port) >= REDIS_PORT_SIZE)) {
        error_set(e, "the port is no number from 1 to 65535");
        return false;
    }
    memcpy(out->port, port ? port : default_port, strlen(port ? port : default_port) + 1);
    return true;
}

static bool split_hosts(char *text, struct redis_url *out, struct error *e)
{
    for (char *next = text; next; text = next) {
        if ((next = strchr(text, ',')) != NULL)
            *next++ = '\0';
        if (out->host_count == REDIS_HOSTS) {
            error_set(e, "more than %d hosts; some of them are enough", REDIS_HOSTS);
            return false;
        }
        if (!split_host(text, out->primary ? SENTINEL_PORT : DEFAULT_PORT, &out->host[out->host_count++], e))
            return false;
    }
    return true;
}

static bool set_database(const char *text, struct redis_url *out, struct error *e)
{
    if (!*text || parse_number(text, DATABASE_MAX, &out->database))
        return true;
    error_set(e, "the database is no number; right is redis://HOST:PORT/0 or unix://PATH?db=0");
    return false;
}

/* What follows the ?. */
static bool split_query(char *text, struct redis_url *out, struct error *e)
{
    for (char *next = text; next; text = next) {
        if ((next = strchr(text, '&')) != NULL)
            *next++ = '\0';
        if (!strncmp(text, "db=", 3)) {
            if (!set_database(text + 3, out, e))
                return false;
        } else if (out->primary && !strncmp(text, "sentinel=", 9)) {
            if (!split_login(text + 9, &out->sentinel, e))
                return false;
        } else {
            error_set(e, "after the ? only db=NUMBER is known%s",
                      out->primary ? ", and sentinel=PASSWORD" : "");
            return false;
        }
    }
    return true;
}

/* What follows the hosts: "database", of sentinels "name/database". */
static bool split_path(char *path, struct redis_url *out, struct error *e)
{
    if (out->primary) {
        char *name = path;
        if (path && (path = strchr(path, '/')) != NULL)
            *path++ = '\0';
        if (!name || !*name || !decode(name)) {
            error_set(e, "the primary's name is missing; right is redis+sentinel://HOST,HOST/NAME");
            return false;
        }
        out->primary = name;
    }
    return !path || set_database(path, out, e);
}

/* What follows the scheme. */
static bool split(char *rest, bool is_unix, struct redis_url *out, struct error *e)
{
    char *query = strchr(rest, '?');
    if (query)
        *query++ = '\0';
    char *path = strchr(rest, '/'), *at = NULL;
    size_t authority = path ? (size_t)(path - rest) : strlen(rest);
    for (size_t i = 0; i < authority; i++)
        if (rest[i] == '@')
            at = rest + i;
    if (at) {
        *at = '\0';
        if (!split_login(rest, &out->login, e))
            return false;
    }
    char *hosts = at ? at + 1 : rest;
    if (is_unix) {
        if (!path || !path[1] || hosts != path) {
            error_set(e, "the socket's path is missing; right is unix:///run/redis/redis.sock?db=0");
            return false;
        }
        out->path = path;
        return !query || split_query(query, out, e);
    }
    if (path)
        *path++ = '\0';
    if (!split_hosts(hosts, out, e) || !split_path(path, out, e) || (query && !split_query(query, out, e)))
        return false;
    if (out->host_count > 1 && !out->primary && out->database > 0) {
        error_set(e, "a Redis Cluster, of which several hosts are nodes, has no database but 0");
        return false;
    }
    return true;
}

bool redis_url_parse(const char *text, struct redis_url *out, struct error *e)
{
    static const struct {
        const char *scheme;
        bool tls, sentinel, is_unix;
    } schemes[] = {{"redis://", false, false, false},
                   {"rediss://", true, false, false},
                   {"redis+sentinel://", false, true, false},
                   {"rediss+sentinel://", true, true, false},
                   {"unix://", false, false, true}};

    *out = EMPTY;
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t n = strlen(schemes[i].scheme);
        if (strncmp(text, schemes[i].scheme, n) != 0)
            continue;
        out->tls = schemes[i].tls;
        out->primary = schemes[i].sentinel ? "" : NULL;
        out->text = strdup(text + n);
        if (!out->text) {
            error_set(e, "out of memory");
            return false;
        }
        if (split(out->text, schemes[i].is_unix, out, e))
            return true;
        redis_url_free(out);
        return false;
    }
    error_set(e, "begins with none of redis://, rediss://, redis+sentinel://, rediss+sentinel://, unix://");
    return false;
}

void redis_url_free(struct redis_url *url)
{
    const char *const secret[] = {url->login.password, url->sentinel.password};

    /* The text was cut into pieces: its length is known no more, each piece is wiped by its own. */
    for (size_t i = 0; i < sizeof secret / sizeof *secret; i++)
        if (secret[i] && *secret[i])
            explicit_bzero((char *)(uintptr_t)secret[i], strlen(secret[i]));
    free(url->text);
    *url = EMPTY;
}
