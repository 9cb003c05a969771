#include "plan/shop.h"
#include <stdlib.h>
#include <string.h>

static bool is_alias(const char *alias, const char *site, bool any_path)
{
    size_t n = strlen(alias);
    if (any_path && !strchr(alias, '/'))
        return !strncmp(site, alias, n) && (site[n] == '/' || !site[n]);
    return !strcmp(site, alias);
}

static bool is_shop(const struct shop_rule *shop, const char *site, bool any_path)
{
    for (size_t i = 0; i < shop->alias_count; i++)
        if (is_alias(shop->alias[i], site, any_path))
            return true;
    return false;
}

static const char *find(const struct config *config, const char *site)
{
    for (size_t i = 0; *site && i < config->shops.count; i++)
        if (is_shop(&config->shops.item[i], site, false))
            return config->shops.item[i].name;
    return NULL;
}

/* May this body be the one shop's? The links are signed; the header is not, so it may only refuse. */
static bool may_be_the_shop(const struct config *config, const char *links, const char *source)
{
    const char *site = *links ? links : source;
    return !*site || is_shop(&config->shops.item[0], site, true);
}

const char *shop_of(const struct order *order, const char *source, const struct config *config)
{
    if (config->shops.count == 0)
        return config->shop;
    if (config->shops.count > 1 && *order->site)
        return find(config, order->site);
    char *site = order_site(source ? source : "");
    const char *name = NULL;
    if (site && config->shops.count > 1)
        name = find(config, site);
    else if (site && may_be_the_shop(config, order->site, site))
        name = config->shop;
    free(site);
    return name;
}
