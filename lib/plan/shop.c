#include "plan/shop.h"
#include <stdlib.h>
#include <string.h>

/* -- one address -- */

static const char *bare(const char *site)
{
    return strncmp(site, "www.", 4) ? site : site + 4;
}

/* An address of an order, as it is and normalised. */
struct address {
    const char *as_sent;
    char *normal; /* owned */
};

/* Does it lie at the alias, but for "www." and a language's directory? */
static bool is_at(const char *alias, const struct address *address)
{
    return !strcmp(bare(alias), bare(address->as_sent)) || !strcmp(bare(alias), address->normal);
}

/* The same; of an alias without a path the host alone counts. */
static bool is_on(const char *alias, const struct address *address)
{
    const char *site = bare(address->as_sent);
    size_t n = strlen(bare(alias));
    if (strchr(alias, '/'))
        return is_at(alias, address);
    return !strncmp(site, bare(alias), n) && (site[n] == '/' || !site[n]);
}

/* -- of several shops -- */

/* The alias that is the very address is longer than any that is it without a directory. */
static const char *find(const struct config *config, const struct address *address)
{
    const char *name = NULL;
    size_t longest = 0;
    for (size_t i = 0; *address->as_sent && i < config->shops.count; i++)
        for (size_t j = 0; j < config->shops.item[i].alias_count; j++) {
            const char *alias = config->shops.item[i].alias[j];
            if (!strcmp(alias, address->as_sent))
                return config->shops.item[i].name;
            if (strlen(alias) > longest && is_at(alias, address)) {
                longest = strlen(alias);
                name = config->shops.item[i].name;
            }
        }
    return name;
}

/* -- the one shop -- */

/* The links are signed; the header is not, so it may only refuse. */
static const char *find_only(const struct config *config, const struct address *address)
{
    const struct shop_rule *shop = &config->shops.item[0];
    if (!*address->as_sent)
        return config->shop;
    for (size_t i = 0; i < shop->alias_count; i++)
        if (is_on(shop->alias[i], address))
            return config->shop;
    return NULL;
}

const char *shop_of(const struct order *order, const char *source, const struct config *config)
{
    if (config->shops.count == 0)
        return config->shop;
    char *of_source = order_site(source ? source : "");
    struct address address = {*order->link_site ? order->link_site : of_source, NULL};
    const char *name = NULL;
    if (address.as_sent && (address.normal = strdup(address.as_sent))) {
        order_site_normalise(address.normal);
        name = config->shops.count > 1 ? find(config, &address) : find_only(config, &address);
    }
    free(address.normal);
    free(of_source);
    return name;
}

char *shop_site(const struct order *order, const char *source)
{
    char *site = *order->site || !source ? strdup(order->site) : order_site(source);
    if (site)
        order_site_normalise(site);
    return site;
}
