#include "base/redis_url.h"
#include "tap.h"
#include <stdio.h>
#include <string.h>

/* All parts as one text. */
static void tell(const struct redis_url *url, char *out, size_t size)
{
    int n = snprintf(out, size, "%s", url->tls ? "tls " : "");

    if (url->path)
        n += snprintf(out + n, size - (size_t)n, "path %s", url->path);
    for (size_t i = 0; i < url->host_count; i++)
        n += snprintf(out + n, size - (size_t)n, "%s%s|%s", i ? "," : "", url->host[i].name,
                      url->host[i].port);
    if (url->primary)
        n += snprintf(out + n, size - (size_t)n, " primary %s", url->primary);
    if (*url->login.user || *url->login.password)
        n += snprintf(out + n, size - (size_t)n, " as %s|%s", url->login.user, url->login.password);
    if (*url->sentinel.user || *url->sentinel.password)
        n += snprintf(out + n, size - (size_t)n, " sentinel %s|%s", url->sentinel.user,
                      url->sentinel.password);
    snprintf(out + n, size - (size_t)n, " db %ld", url->database);
}

static void test_parse(void)
{
    static const struct {
        const char *url, *want;
    } cases[] = {
        {"redis://h", "h|6379 db 0"},
        {"redis://h:7000/3", "h|7000 db 3"},
        {"rediss://u:p%40%2f@h?db=4", "tls h|6379 as u|p@/ db 4"},
        {"redis://p@h", "h|6379 as |p db 0"},
        {"redis://:p@[::1]:7000,[::2]", "::1|7000,::2|6379 as |p db 0"},
        {"redis://a,b:7001,c/0", "a|6379,b|7001,c|6379 db 0"},
        {"unix://u:p@/run/r.sock?db=2", "path /run/r.sock as u|p db 2"},
        {"redis+sentinel://a,b:26380/shop", "a|26379,b|26380 primary shop db 0"},
        {"rediss+sentinel://u:p@a/my%20shop/2", "tls a|26379 primary my shop as u|p db 2"},
        {"redis+sentinel://:p@a/shop?sentinel=s%26%3a&db=3", "a|26379 primary shop as |p sentinel |s&: db 3"},
        {"redis+sentinel://a/shop?db=3&sentinel=u:s", "a|26379 primary shop sentinel u|s db 3"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct redis_url url;
        struct error e = ERROR_NONE;
        char got[512] = "";
        if (redis_url_parse(cases[i].url, &url, &e))
            tell(&url, got, sizeof got);
        is_str(got, cases[i].want, "%s (%s)", cases[i].url, e.text);
        redis_url_free(&url);
    }
}

static void test_refusals(void)
{
    static const struct {
        const char *url, *why;
    } cases[] = {
        {"http://h", "begins with none of"},
        {"redis://", "a host is missing"},
        {"redis://a,", "a host is missing"},
        {"redis://a,,b", "a host is missing"},
        {"redis://a:0", "the port"},
        {"redis://a,b:99999", "the port"},
        {"redis://[::1", "not closed"},
        {"redis://a,b/1", "no database but 0"},
        {"redis://a/x", "the database"},
        {"redis://a?db=x", "the database"},
        {"redis://a?sentinel=p", "only db=NUMBER is known"},
        {"redis://p%zz@a", "begins no escape"},
        {"redis://a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q", "more than 16 hosts"},
        {"redis+sentinel://a", "the primary's name is missing"},
        {"redis+sentinel://a/", "the primary's name is missing"},
        {"redis+sentinel://a/shop/x", "the database"},
        {"redis+sentinel://a/shop?password=p", "sentinel=PASSWORD"},
        {"redis+sentinel://a/shop?sentinel=%", "begins no escape"},
        {"unix://h/path", "the socket's path"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct redis_url url;
        struct error e = ERROR_NONE;
        ok(!redis_url_parse(cases[i].url, &url, &e), "%s is refused", cases[i].url);
        ok(strstr(e.text, cases[i].why), "for that reason: %s", e.text);
    }
}

int main(void)
{
    test_parse();
    test_refusals();
    return tap_done();
}
