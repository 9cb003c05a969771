/* The doctor's look at the shop. */
#include "base/clock.h"
#include "cli/check.h"
#include "shop/public_url.h"
#include "shop/webhooks.h"
#include "shop/woo.h"
#include <stdlib.h>
#include <string.h>

/* Is there a shop, and may its orders be read? One is asked for. */
void check_shop(struct app *app, struct findings *f)
{
    struct error e = ERROR_NONE;
    struct woo_page page = {0};
    struct woo_query query = {
        .status = "any", .from_s = clock_wall_ms() / 1000, .per_page = 1, .exclude = ""};

    if (!*app->config.woo_url) {
        findings_add(
            f, FINDING_WARN, "not_set", "Orders whose webhook never came are not found.",
            "Set WOO_URL, WOO_CONSUMER_KEY and WOO_CONSUMER_SECRET, and run woo_ghl reconcile by a timer.",
            "not set (WOO_URL)");
        return;
    }
    http_answer_init(&page.answer);
    struct woo *woo = woo_new(&app->config, app->log, app->stop, &e);
    if (woo && woo_orders(woo, &query, &page, &e) == WOO_OK)
        FINDINGS_OK(f, "shop", "it shows its orders");
    else
        findings_add(f, FINDING_FAIL, "refused", "Orders whose webhook never came are not found.",
                     "Mend what the message names.", "%s", e.text);
    check_clock(f, "the shop's", page.answer.date_s, clock_wall_ms() / 1000);
    woo_page_free(&page);
    woo_free(woo);
}

/* Does the shop still deliver? A webhook that is disabled loses every order. */
void check_webhooks(struct app *app, struct findings *f)
{
    struct error e = ERROR_NONE;
    json_t *list = NULL;

    if (!*app->config.woo_url)
        return;
    struct woo *woo = woo_new(&app->config, app->log, app->stop, &e);
    if (!woo || woo_webhooks(woo, &list, &e) != WOO_OK) {
        findings_add(f, FINDING_WARN, "unknown", "A webhook that WooCommerce disabled is not noticed.",
                     "Give the key's user the rights of a shop manager.", "not known: %s", e.text);
        woo_free(woo);
        return;
    }
    webhooks_look(&app->config, list, f);
    json_decref(list);
    woo_free(woo);
}

/* Does what is delivered there arrive here? */
void check_public_url(struct app *app, struct findings *f)
{
    struct error ignored = ERROR_NONE;
    json_t *list = NULL;
    struct woo *woo = NULL;

    if (!*app->config.public_url && *app->config.woo_url && !check_failed(f, "shop"))
        woo = woo_new(&app->config, app->log, app->stop, &ignored);
    if (woo && woo_webhooks(woo, &list, &ignored) != WOO_OK)
        list = NULL;
    char *url = public_url(&app->config, list);
    if (url && *url)
        public_url_look(&app->config, url, f);
    else if (*app->config.public_url)
        FINDINGS_OK(f, "answers", "not asked (PUBLIC_URL=no)");
    else
        findings_add(f, FINDING_WARN, "not_asked", "A web server that loses the deliveries is not noticed.",
                     "Set PUBLIC_URL to the Delivery URL of the webhooks.", "not asked");
    free(url);
    json_decref(list);
    woo_free(woo);
}
