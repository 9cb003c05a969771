/* Makes shop and GHL fit for orders (shop/connect.h): says its plan, then does it. */
#include "shop/connect.h"
#include "base/http_client.h"
#include "cli/ask.h"
#include "cli/check.h"
#include "cli/commands_work.h"
#include "cli/options.h"
#include "config/write.h"
#include "shop/public_url.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

struct connect {
    struct app *app;
    struct config once; /* the app's, with the key that is used this time; borrows all it has */
    const char *url, *shop;
    bool dry, yes, ask, keep, secret;
    struct buf key, key_secret; /* typed */
    struct connect_plan plan;
};

static int wrong(const char *what, const char *value)
{
    fprintf(stderr, "woo_ghl connect: %s%s; see 'woo_ghl connect --help'\n", what, value);
    return EX_USAGE;
}

/* The key: the settings' one, or one that is typed. */
static int get_key(struct connect *c)
{
    const struct config *config = &c->app->config;
    struct error e = ERROR_NONE;

    if (c->url && !http_check_base(c->url, &e)) {
        error_prefix(&e, "--url");
        return wrong(e.text, "");
    }
    c->once = *config;
    if (c->shop)
        c->once.woo_url = (char *)(uintptr_t)c->shop;
    if (!*c->once.woo_url)
        return wrong("which shop? Set WOO_URL, or give --shop https://shop.example.com", "");
    if (*config->woo_consumer_key && !c->ask)
        return EX_OK;
    if (!ask_line("Consumer key that may write (ck_..., WooCommerce > Settings > Advanced > REST API)", true,
                  &c->key) ||
        !ask_line("Its consumer secret (cs_...)", true, &c->key_secret))
        return wrong("it needs a key of the shop with the permission Read/Write, as two lines", "");
    c->once.woo_consumer_key = c->key.data;
    c->once.woo_consumer_secret = c->key_secret.data;
    log_secret(c->app->log, c->key.data);
    log_secret(c->app->log, c->key_secret.data);
    return EX_OK;
}

/* -- the plan -- */

static bool plan_shop(struct connect *c, struct woo *woo, struct error *e)
{
    json_t *list = NULL;
    const struct config *config = &c->app->config;

    if (woo_webhooks(woo, &list, e) != WOO_OK)
        return false;
    if (!strcmp(c->once.public_url, "no")) /* nobody asks there, but the shop delivers */
        c->once.public_url = (char *)(uintptr_t) "";
    char *known = c->url ? strdup(c->url) : public_url(&c->once, list);
    const struct connect_wishes wishes = {
        .url = known, .secret = c->secret, .watch = !*config->woo_consumer_key && !c->keep};
    bool good = known && connect_plan_webhooks(config, list, &wishes, &c->plan);
    if (!good)
        error_set(e, "out of memory");
    free(known);
    json_decref(list);
    return good;
}

static bool plan_fields(struct connect *c, struct error *e)
{
    const struct config *config = &c->app->config;
    struct ghl_call call = ghl_call_within(CHECK_CALL_MS);
    struct ghl_answer answer;

    if (config->dry_run ||
        !(config->contact_fields.count || config->opportunity_fields.count || *config->order_field))
        return true;
    bool good = ghl_custom_fields(c->app->ghl, &call, &answer) == GHL_OK;
    if (!good)
        ghl_explain(&answer, e);
    else if (!connect_plan_fields(config, answer.json, &c->plan)) {
        error_set(e, "out of memory");
        good = false;
    }
    ghl_answer_free(&answer);
    return good;
}

static bool do_plan(struct connect *c, struct woo *woo, struct error *e)
{
    for (size_t i = 0; i < c->plan.count; i++) {
        if (!connect_do(c->app, woo, &c->plan.step[i], e)) {
            error_prefix(e, "cannot %s", c->plan.step[i].text);
            return false;
        }
        printf("done: %s\n", c->plan.step[i].text);
    }
    return true;
}

static bool keep_key(const struct connect *c, struct error *e)
{
    const struct config_value values[] = {{"WOO_URL", c->once.woo_url},
                                          {"WOO_CONSUMER_KEY", c->once.woo_consumer_key},
                                          {"WOO_CONSUMER_SECRET", c->once.woo_consumer_secret}};

    if (!c->keep || !c->key.len)
        return true;
    if (!*c->app->config.env_file) {
        error_set(e, "there is no settings file to keep the key in");
        return false;
    }
    if (!config_write(c->app->config.env_file, values, sizeof values / sizeof *values, e))
        return false;
    printf("done: keep the key in %s\n", c->app->config.env_file);
    return true;
}

static int run(struct connect *c, struct woo *woo)
{
    struct error e = ERROR_NONE;
    bool good = plan_shop(c, woo, &e) && plan_fields(c, &e);

    for (size_t i = 0; good && i < c->plan.count; i++)
        printf("plan: %s\n", c->plan.step[i].text);
    if (good && !c->plan.count)
        printf("The shop's webhooks and GHL's fields are right: nothing to do.\n");
    if (good && c->dry)
        return EX_OK;
    if (good && c->plan.count && !c->yes && !ask_yes("Do this? (y/n)")) {
        fprintf(stderr, "woo_ghl connect: nothing was changed; --yes does it without a question\n");
        return EX_USAGE;
    }
    good = good && do_plan(c, woo, &e) && keep_key(c, &e);
    if (!good)
        fprintf(stderr, "woo_ghl connect: %s\n", e.text);
    return good ? EX_OK : EX_UNAVAILABLE;
}

static int connect_app(struct app *app, void *context)
{
    struct connect *c = context;
    struct error e = ERROR_NONE;
    struct woo *woo = NULL;

    c->app = app;
    int code = get_key(c);
    if (code == EX_OK && !(woo = woo_new(&c->once, app->log, app->stop, &e))) {
        fprintf(stderr, "woo_ghl connect: %s\n", e.text);
        code = EX_OSERR;
    }
    if (code == EX_OK)
        code = run(c, woo);
    woo_free(woo);
    connect_free(&c->plan);
    return code;
}

int run_connect(int argc, char **argv, volatile int *stop)
{
    struct connect c = {.app = NULL};
    const struct option table[] = {{"--dry-run", .flag = &c.dry},   {"--yes", .flag = &c.yes},
                                   {"--ask", .flag = &c.ask},       {"--keep", .flag = &c.keep},
                                   {"--secret", .flag = &c.secret}, {"--url", .text = &c.url},
                                   {"--shop", .text = &c.shop},     {0}};

    buf_init(&c.key, 256);
    buf_init(&c.key_secret, 256);
    int code = options_read("connect", argc, argv, table, NULL);
    if (code == EX_OK)
        code = commands_in_app(stop, connect_app, &c);
    buf_wipe(&c.key);
    buf_wipe(&c.key_secret);
    return code;
}
