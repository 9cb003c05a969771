/* Which node has the location's keys now: of one server, of a Redis Cluster, of a primary that sentinels watch. */
#include "base/clock.h"
#include "store/redis/redis.h"
#include <stdio.h>
#include <string.h>

#define HOPS 4 /* from node to node: more is a circle */

enum redis_remedy redis_remedy(const redisReply *reply)
{
    static const struct {
        const char *begins;
        enum redis_remedy remedy;
    } refusals[] = {{"MOVED ", REMEDY_MOVE},      {"ASK ", REMEDY_ASK},     {"TRYAGAIN", REMEDY_WAIT},
                    {"CLUSTERDOWN", REMEDY_WAIT}, {"LOADING", REMEDY_WAIT}, {"MASTERDOWN", REMEDY_FIND},
                    {"NOSCRIPT", REMEDY_TEXT}};

    if (reply->type != REDIS_REPLY_ERROR)
        return REMEDY_NONE;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        if (!strncmp(reply->str, refusals[i].begins, strlen(refusals[i].begins)))
            return refusals[i].remedy;
    /* Redis 7 says it itself; before it, the script's own error quotes the command's. */
    return strstr(reply->str, "READONLY") ? REMEDY_FIND : REMEDY_NONE;
}

/* False: it is too long. */
static bool set_node(struct redis *r, const char *host, size_t len, const char *port)
{
    if (len >= sizeof r->host || strlen(port) >= sizeof r->port)
        return false;
    if (strncmp(r->host, host, len) != 0 || r->host[len] || strcmp(r->port, port) != 0)
        r->address_count = 0;
    memmove(r->host, host, len);
    r->host[len] = '\0';
    snprintf(r->port, sizeof r->port, "%s", port);
    return true;
}

/* The node that "MOVED 3999 host:port" names; a node that does not know its own host says that it is this one. */
static bool set_named(struct redis *r, const char *text)
{
    const char *host = strchr(text, ' '), *port = strrchr(text, ':');

    host = host ? strchr(host + 1, ' ') : NULL;
    if (!host || !port || port < ++host)
        return redis_fail(r, "names no node: %s", text);
    size_t len = (size_t)(port - host);
    bool same = len == 0 || (len == 1 && *host == '?');
    return set_node(r, same ? r->host : host, same ? strlen(r->host) : len, port + 1) ||
           redis_fail(r, "names a node whose name is too long");
}

/* Connects to the node, then to those that name each other, until one has the keys. */
static bool reach(struct redis *r, int64_t deadline)
{
    for (int hops = 0; hops < HOPS; hops++) {
        if (!redis_connect(r, deadline) || !redis_greet(r, deadline))
            return false;
        if (!*r->moved)
            return true;
        redis_disconnect(r);
        if (!set_named(r, r->moved))
            return false;
    }
    return redis_fail(r, "the nodes name each other in a circle as the one that has the keys");
}

bool redis_follow(struct redis *r, const char *moved, int64_t deadline)
{
    char named[sizeof r->moved];

    snprintf(named, sizeof named, "%s", moved);
    redis_disconnect(r);
    return set_named(r, named) && reach(r, deadline);
}

/* Asks the node, a sentinel, for the primary, which then is the node. */
static bool ask_sentinel(struct redis *r, int64_t deadline)
{
    redisReply *reply[2];
    struct redis_words out = {.count = 0};

    if (!redis_connect(r, deadline))
        return false;
    buf_init(&out.text, 8192);
    redis_add_login(&out, &r->url.sentinel);
    redis_command(&out, "", "SENTINEL get-master-addr-by-name %s", r->url.primary);
    bool good = redis_exchange(r, &out, reply, deadline);
    buf_wipe(&out.text);
    if (!good)
        return false;
    const redisReply *primary = reply[out.count - 1];
    if (primary->type == REDIS_REPLY_ARRAY && primary->elements == 2 &&
        primary->element[0]->type == REDIS_REPLY_STRING && primary->element[1]->type == REDIS_REPLY_STRING)
        good = set_node(r, primary->element[0]->str, primary->element[0]->len, primary->element[1]->str) ||
               redis_fail(r, "the sentinel names a primary whose name is too long");
    else if (primary->type == REDIS_REPLY_ERROR)
        good = redis_refused(r, "the sentinel refuses", primary);
    else
        good = redis_fail(r, "the sentinel watches no primary named '%s'", r->url.primary);
    redis_free(reply, out.count);
    redis_disconnect(r);
    return good;
}

bool redis_find(struct redis *r, int64_t deadline)
{
    const size_t n = r->url.path ? 1 : r->url.host_count;

    for (size_t i = 0; i < n; i++) {
        const size_t at = (r->first + i) % n;
        const struct redis_host *host = &r->url.host[at];
        /* One that hangs leaves time for the others. */
        int64_t until = deadline - clock_left_ms(deadline) * (int64_t)(n - 1 - i) / (int64_t)(n - i);
        if (!r->url.path && !set_node(r, host->name, strlen(host->name), host->port))
            return redis_fail(r, "its name is too long");
        if ((!r->url.primary || ask_sentinel(r, until)) && reach(r, until)) {
            r->first = at;
            r->failed_mono_ms = -1; /* it was another host that failed */
            return true;
        }
    }
    return false;
}

bool redis_ask_named(struct redis *r, const char *ask, const struct redis_words *command, redisReply **reply,
                     int64_t deadline)
{
    char home_host[sizeof r->host], home_port[sizeof r->port], run_id[sizeof r->run_id];
    redisReply *two[2] = {NULL, NULL};
    struct redis_words out = {.count = 0};

    memcpy(home_host, r->host, sizeof home_host);
    memcpy(home_port, r->port, sizeof home_port);
    memcpy(run_id, r->run_id, sizeof run_id);
    buf_init(&out.text, command->text.max + 64);
    redis_command(&out, "", "ASKING");
    buf_add(&out.text, command->text.data, command->text.len);
    out.count = 2;
    r->asking = true;
    bool good = redis_follow(r, ask, deadline) && redis_exchange(r, &out, two, deadline);
    r->asking = false;
    redis_disconnect(r);
    (void)set_node(r, home_host, strlen(home_host), home_port);
    memcpy(r->run_id, run_id, sizeof run_id);
    *reply = two[1];
    two[1] = NULL;
    redis_free(two, 2);
    buf_free(&out.text);
    return good;
}
