#include "base/redis_url.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_PORT "6379"
#define DATABASE_MAX 1000000

static bool parse_number(const char *text, long max, long *out)
{
    *out = 0;
    if (!*text)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        *out = *out * 10 + (*text - '0');
        if (*out > max)
            return false;
    }
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes in place. False for a broken escape, and for %00, which no C string holds. */
static bool decode(char *text)
{
    char *to = text;
    for (const char *p = text; *p; p++) {
        int c = (unsigned char)*p;
        if (c == '%') {
            int high = hex_digit(p[1]), low = high < 0 ? -1 : hex_digit(p[2]);
            if (low < 0)
                return false;
            c = high * 16 + low;
            p += 2;
        }
        if (!c)
            return false;
        *to++ = (char)c;
    }
    *to = '\0';
    return true;
}

/* "user:password" -> both, decoded. A lone word is the password, as older clients write it. */
static bool split_credentials(char *text, struct redis_url *out)
{
    char *colon = strchr(text, ':');
    out->password = colon ? colon + 1 : text;
    if (colon) {
        *colon = '\0';
        out->user = text;
        if (!decode(text))
            return false;
    }
    return decode(colon ? colon + 1 : text);
}

static bool split_host(char *text, struct redis_url *out, struct error *e)
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
    if (!*text) {
        error_set(e, "the host is missing; right is redis://HOST:PORT/DATABASE");
        return false;
    }
    out->host = text;
    if (port && (!parse_number(port, 65535, &number) || number == 0 || strlen(port) >= REDIS_PORT_SIZE)) {
        error_set(e, "the port is no number from 1 to 65535");
        return false;
    }
    memcpy(out->port, port ? port : DEFAULT_PORT, strlen(port ? port : DEFAULT_PORT) + 1);
    return true;
}

static bool set_database(const char *text, struct redis_url *out, struct error *e)
{
    if (!*text || parse_number(text, DATABASE_MAX, &out->database))
        return true;
    error_set(e, "the database is no number; right is redis://HOST:PORT/0 or unix://PATH?db=0");
    return false;
}

/* What follows the scheme. */
static bool split(char *rest, bool is_unix, struct redis_url *out, struct error *e)
{
    char *query = strchr(rest, '?');
    if (query) {
        *query++ = '\0';
        if (strncmp(query, "db=", 3) != 0) {
            error_set(e, "after the ? only db=NUMBER is known");
            return false;
        }
    }
    char *path = strchr(rest, '/'), *at = NULL;
    size_t authority = path ? (size_t)(path - rest) : strlen(rest);
    for (size_t i = 0; i < authority; i++)
        if (rest[i] == '@')
            at = rest + i;
    if (at) {
        *at = '\0';
        if (!split_credentials(rest, out)) {
            error_set(e, "a %% in user or password begins no escape such as %%2F; a %% itself is %%25");
            return false;
        }
    }
    if (is_unix) {
        if (!path || !path[1] || (at ? at + 1 : rest) != path) {
            error_set(e, "the socket's path is missing; right is unix:///run/redis/redis.sock?db=0");
            return false;
        }
        out->path = path;
        return !query || set_database(query + 3, out, e);
    }
    if (path)
        *path++ = '\0';
    return split_host(at ? at + 1 : rest, out, e) && (!path || set_database(path, out, e)) &&
           (!query || set_database(query + 3, out, e));
}

bool redis_url_parse(const char *text, struct redis_url *out, struct error *e)
{
    static const struct {
        const char *scheme;
        bool tls, is_unix;
    } schemes[] = {{"redis://", false, false}, {"rediss://", true, false}, {"unix://", false, true}};

    *out = (struct redis_url){.user = "", .password = ""};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t n = strlen(schemes[i].scheme);
        if (strncmp(text, schemes[i].scheme, n) != 0)
            continue;
        out->tls = schemes[i].tls;
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
    error_set(e, "begins with none of redis://, rediss://, unix://");
    return false;
}

void redis_url_free(struct redis_url *url)
{
    /* The text was cut into pieces: its length is known no more, each piece is wiped by its own. */
    if (url->password && *url->password)
        explicit_bzero((char *)(uintptr_t)url->password, strlen(url->password));
    free(url->text);
    *url = (struct redis_url){.user = "", .password = ""};
}
