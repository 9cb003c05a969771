#include "plan/shop.h"
#include "tap.h"
#include <string.h>

static char shop[] = "shop", main_name[] = "main", trade_name[] = "trade";
static char host[] = "shop.example.com", www[] = "www.shop.example.com", path[] = "example.org/trade";
static char *main_alias[] = {host, www}, *trade_alias[] = {path};
static struct shop_rule rules[] = {{main_name, main_alias, 2}, {trade_name, trade_alias, 1}};

static void is_shop(size_t first, size_t count, const char *site, const char *source, const char *want)
{
    char copy[100];
    struct config config = {.shop = shop, .shops = {rules + first, count}};
    memcpy(copy, site, strlen(site) + 1);
    struct order order = {.link_site = copy};
    is_str(shop_of(&order, source, &config), want, "%zu shops, links to \"%s\", source \"%s\"", count, site,
           source ? source : "(none)");
}

static void test_none(void)
{
    is_shop(0, 0, "", NULL, "shop");
    is_shop(0, 0, "anything.example.net/x", "https://other.example.com/", "shop");
}

static void test_one(void)
{
    is_shop(0, 1, "shop.example.com", "", "shop");
    is_shop(0, 1, "www.shop.example.com", "", "shop");
    is_shop(0, 1, "shop.example.com/de", "", "shop");
    is_shop(0, 1, "", NULL, "shop");
    is_shop(0, 1, "", "", "shop");
    is_shop(0, 1, "", "https://www.shop.example.com/", "shop");
    is_shop(0, 1, "", "https://staging.example.com/", NULL);
    is_shop(0, 1, "shop.example.com", "https://staging.example.com/", "shop");
    is_shop(0, 1, "staging.shop.example.com", "https://shop.example.com/", NULL);
    is_shop(0, 1, "shop.example.com.evil.example", "", NULL);
    is_shop(0, 1, "shop.example.com:8443", "", NULL);
    is_shop(0, 1, "example.com", "", NULL);
    /* given an entry with a path, then the path counts */
    is_shop(1, 1, "example.org/trade", "", "shop");
    is_shop(1, 1, "example.org", "", NULL);
    is_shop(1, 1, "example.org/staging", "", NULL);
    is_shop(1, 1, "example.org/trade/x", "", NULL);
}

static void test_several(void)
{
    is_shop(0, 2, "shop.example.com", "", "main");
    is_shop(0, 2, "www.shop.example.com", NULL, "main");
    is_shop(0, 2, "example.org/trade", "", "trade");
    is_shop(0, 2, "example.org", "", NULL);
    is_shop(0, 2, "shop.example.com/staging", "", NULL);
    is_shop(0, 2, "staging.example.com", "https://shop.example.com/", NULL);
    is_shop(0, 2, "shop.example.com", "https://example.org/trade/", "main");
    /* given a body without links, then the unsigned header chooses among the known ones */
    is_shop(0, 2, "", "https://shop.example.com/", "main");
    is_shop(0, 2, "", "https://SHOP.Example.com", "main");
    is_shop(0, 2, "", "http://example.org/trade", "trade");
    is_shop(0, 2, "", "https://example.org/", NULL);
    is_shop(0, 2, "", "shop.example.com", NULL);
    is_shop(0, 2, "", "", NULL);
    is_shop(0, 2, "", NULL, NULL);
}

/* One shop's addresses: "www." or not, and the directories of languages. */
static void test_same_shop(void)
{
    is_shop(0, 2, "shop.example.com/de", "", "main");
    is_shop(0, 2, "www.shop.example.com/pt-br", "", "main");
    is_shop(0, 2, "example.org/trade/de", "", "trade");
    is_shop(0, 2, "example.org/de/trade", "", "trade");
    is_shop(0, 2, "www.example.org/trade", "", "trade");
    is_shop(0, 2, "", "https://www.example.org/trade/fr/", "trade");
    is_shop(0, 2, "shop.example.com/shop", "", NULL);
    is_shop(1, 1, "www.example.org/trade/de", "", "shop");
    is_shop(1, 1, "example.org/de", "", NULL);
}

/* An alias comes before what it would be without a language's directory. */
static void test_longest(void)
{
    static char plain[] = "example.com", german[] = "example.com/de";
    static char *plain_alias[] = {plain}, *german_alias[] = {german};
    static struct shop_rule two[] = {{main_name, plain_alias, 1}, {trade_name, german_alias, 1}};
    static struct shop_rule turned[] = {{trade_name, german_alias, 1}, {main_name, plain_alias, 1}};
    const struct {
        const char *site, *want;
    } cases[] = {{"example.com", "main"},         {"example.com/de", "trade"},
                 {"www.example.com/de", "trade"}, {"example.com/fr", "main"},
                 {"example.com/de/fr", "trade"},  {"www.example.com", "main"},
                 {"example.com/staging", NULL},   {"example.net/de", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int t = 0; t < 2; t++) {
            char copy[100];
            struct config config = {.shop = shop, .shops = {t ? turned : two, 2}};
            memcpy(copy, cases[i].site, strlen(cases[i].site) + 1);
            struct order order = {.link_site = copy};
            is_str(shop_of(&order, "", &config), cases[i].want, "%s", cases[i].site);
        }
}

/* Two shops of which one is the other's address with "www.": the very address counts. */
static void test_exact(void)
{
    static char plain[] = "example.com", with_www[] = "www.example.com";
    static char *www_alias[] = {with_www}, *plain_alias[] = {plain};
    static struct shop_rule two[] = {{main_name, www_alias, 1}, {trade_name, plain_alias, 1}};
    const struct config config = {.shop = shop, .shops = {two, 2}};
    is_str(shop_of(&(struct order){.link_site = plain}, "", &config), "trade", "without www.");
    is_str(shop_of(&(struct order){.link_site = with_www}, "", &config), "main", "with www.");
}

int main(void)
{
    test_none();
    test_one();
    test_several();
    test_same_shop();
    test_longest();
    test_exact();
    return tap_done();
}
