/* Where the shop of an order lives, by the links in its body. */
#include "base/ascii.h"
#include "order/order_work.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SITE_MAX 255 /* bytes of host and path: longer ones are none */

/* Where a REST API begins that a plugin gave another name ("/api/wc/v3/orders/43"); `n`: nowhere. */
static size_t renamed_api(const char *path, size_t n)
{
    const char *at = strstr(path, "/wc/v");
    if (!at || (size_t)(at - path) >= n || at[5] < '1' || at[5] > '9')
        return n;
    while (at > path && *--at != '/')
        ;
    return (size_t)(at - path);
}

/* The bytes of a URL's path that belong to the site itself: what comes before the REST API's part, in each of
 * WordPress's forms: /wp-json/..., /index.php/wp-json/..., /?rest_route=/..., /index.php?rest_route=/... */
static size_t site_path_len(const char *path)
{
    static const char *const part[] = {"/wp-json", "/index.php", "/?", "?", "#"};
    size_t n = strlen(path);
    for (size_t i = 0; i < sizeof part / sizeof *part; i++) {
        const char *at = strstr(path, part[i]);
        if (at && (size_t)(at - path) < n)
            n = (size_t)(at - path);
    }
    n = renamed_api(path, n);
    while (n > 0 && path[n - 1] == '/')
        n--;
    return n;
}

char *order_site(const char *url)
{
    bool secure = !strncasecmp(url, "https://", 8);
    if (!secure && strncasecmp(url, "http://", 7) != 0)
        return strdup("");
    const char *host = url + (secure ? 8 : 7);
    size_t host_len = strcspn(host, "/?#");
    const char *path = host + host_len;
    size_t path_len = site_path_len(path);
    for (size_t i = 0; i < host_len + path_len; i++)
        if ((unsigned char)host[i] <= ' ' || host[i] == '@' || host[i] == '\\')
            return strdup("");
    const char *port = secure ? ":443" : ":80";
    size_t port_len = strlen(port);
    if (host_len > port_len && !memcmp(host + host_len - port_len, port, port_len))
        host_len -= port_len;
    if (host_len > 0 && host[host_len - 1] == '.')
        host_len--;
    if (host_len == 0 || host_len + path_len > SITE_MAX)
        return strdup("");

    char *site = malloc(host_len + path_len + 1);
    if (!site)
        return NULL;
    for (size_t i = 0; i < host_len; i++)
        site[i] = to_small(host[i]);
    memcpy(site + host_len, path, path_len);
    site[host_len + path_len] = '\0';
    return site;
}

/* -- one shop, several addresses -- */

static bool is_region_or_script(const char *s, size_t n)
{
    static const char *const script[] = {"hans", "hant", "latn", "cyrl"};
    for (size_t i = 0; n == 4 && i < sizeof script / sizeof *script; i++)
        if (!strncasecmp(s, script[i], n))
            return true;
    return (n == 2 && is_letter(s[0]) && is_letter(s[1])) || (n == 3 && strspn(s, "0123456789") >= n);
}

/* "de", "pt-br", "pt_BR", "zh-hans", "es-419"; not "my-shop" */
static bool is_language(const char *s, size_t n)
{
    if (n < 2 || !is_letter(s[0]) || !is_letter(s[1]) || !strncasecmp(s, "wp", 2))
        return false;
    return n == 2 || ((s[2] == '-' || s[2] == '_') && is_region_or_script(s + 3, n - 3));
}

/* Takes a language's directory out of the path. False: there is none. */
static bool cut_language(char *site)
{
    char *path = strchr(site, '/');
    if (!path)
        return false;
    char *last = strrchr(path, '/');
    const char *second = strchr(path + 1, '/');
    if (is_language(last + 1, strlen(last + 1)))
        *last = '\0';
    else if (second && is_language(path + 1, (size_t)(second - path) - 1))
        memmove(path, second, strlen(second) + 1);
    else
        return false;
    return true;
}

void order_site_normalise(char *site)
{
    (void)cut_language(site);
    size_t n = strlen(site), www = strlen("www.");
    if (n > www && !strncmp(site, "www.", www))
        memmove(site, site + www, n - www + 1);
}

/* -- the order's page in wp-admin -- */

/* Pictures lie below the directory that WordPress itself is in, which need not be the site's: where a picture
 * of the same host lies. NULL = not told. Borrowed; *len is that directory's. */
static const char *picture_path(const struct order *order, size_t *len)
{
    struct json_walk walk = {.list = json_object_get(order->json, "line_items")};
    size_t host_len = strcspn(order->link_site, "/");
    for (const json_t *item; (item = json_walk(&walk));) {
        const char *src = json_text(json_object_get(item, "image"), "src"), *host = strstr(src, "://");
        if (!host || strncasecmp(host + 3, order->link_site, host_len) != 0 || host[3 + host_len] != '/')
            continue;
        const char *path = host + 3 + host_len, *content = strstr(path, "/wp-content/");
        if (!content || strcspn(path, "?#") < (size_t)(content - path))
            continue;
        *len = (size_t)(content - path);
        return path;
    }
    return NULL;
}

/* The path that wp-admin is below: the pictures', else the link's without the language's directory. In a
 * network of sites the pictures of all lie together, and a site's directory may look like a language's. */
static char *admin_site(const struct order *order)
{
    size_t path_len, host_len = strcspn(order->link_site, "/");
    const char *path = picture_path(order, &path_len);
    char *site = NULL;
    if (path && strstr(path + path_len, "/uploads/sites/"))
        return strdup(order->link_site);
    if (path && asprintf(&site, "%.*s%.*s", (int)host_len, order->link_site, (int)path_len, path) < 0)
        return NULL;
    if (!path && (site = strdup(order->link_site)))
        (void)cut_language(site);
    return site;
}

static char *admin_url(const struct order *order, const char *scheme)
{
    if (!*order->link_site)
        return strdup("");
    char *site = admin_site(order), *url = NULL;
    if (site && asprintf(&url, "%s://%s/wp-admin/post.php?post=%s&action=edit", scheme, site, order->id) < 0)
        url = NULL;
    free(site);
    return url;
}

/* The signed links name the shop. Not every version sends them. */
bool order_read_links(struct order *order)
{
    const json_t *links = json_object_get(order->json, "_links");
    struct json_walk walk = {.list = json_object_get(links, "self")};
    const char *href = json_text(json_walk(&walk), "href");
    order->link_site = order_site(href);
    order->api_v1 = strstr(href, "/wc/v1/") != NULL;
    order->site = order->link_site ? strdup(order->link_site) : NULL;
    if (!order->site)
        return false;
    order_site_normalise(order->site);
    order->admin_url = admin_url(order, strncasecmp(href, "https:", 6) ? "http" : "https");
    return order->admin_url != NULL;
}
