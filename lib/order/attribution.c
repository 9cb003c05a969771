#include "order/attribution.h"
#include <stdlib.h>
#include <string.h>

/* WooCommerce writes "(direct)" and "(none)" where there is nothing to tell. */
static char *read_meta(const struct template_scope *scope, const char *template)
{
    struct buf text;
    buf_init(&text, TEMPLATE_VALUE_MAX);
    char *value = NULL;
    if (template_render(template, scope, TEMPLATE_VALUE_MAX, &text))
        value = strdup(*text.data == '(' ? "" : text.data);
    buf_wipe(&text);
    return value;
}

/* "https://www.example.org/news?a=1" -> "www.example.org"; "" where the shop itself is the referrer. */
static char *referrer_host(const struct template_scope *scope)
{
    char *url = read_meta(scope, "{meta._wc_order_attribution_referrer}");
    char *site = url ? order_site(url) : NULL;
    free(url);
    if (!site)
        return NULL;
    site[strcspn(site, "/")] = '\0';
    const char *own = scope->order->site, *bare = strncmp(site, "www.", 4) ? site : site + 4;
    size_t n = strlen(bare);
    if (!strncmp(own, bare, n) && (own[n] == '/' || !own[n]))
        *site = '\0';
    return site;
}

char *attribution_of(const struct template_scope *scope)
{
    char *source = read_meta(scope, "{meta._wc_order_attribution_utm_source}");
    char *medium = read_meta(scope, "{meta._wc_order_attribution_utm_medium}");
    char *from = NULL;
    const char *between = medium && *medium ? " / " : "";
    if (source && !*source)
        from = referrer_host(scope);
    else if (source && medium && asprintf(&from, "%s%s%s", source, between, medium) < 0)
        from = NULL;
    free(source);
    free(medium);
    return from;
}
