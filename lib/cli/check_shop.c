/* The doctor's look at the shop. */
#include "app/journal.h"
#include "base/clock.h"
#include "base/clock_date.h"
#include "cli/check.h"
#include "shop/public_url.h"
#include "shop/webhooks.h"
#include "shop/woo.h"
#include <stdlib.h>
#include <string.h>

#define DAY_MS (24LL * 3600 * 1000)

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

/* The shop's webhooks, the caller's; NULL with the error set. */
static json_t *read_webhooks(struct app *app, struct error *e)
{
    json_t *list = NULL;
    struct woo *woo = woo_new(&app->config, app->log, app->stop, e);

    if (woo && woo_webhooks(woo, &list, e) != WOO_OK)
        list = NULL;
    woo_free(woo);
    return list;
}

/* Does the shop still deliver? A webhook that is disabled loses every order. */
void check_webhooks(struct app *app, struct findings *f)
{
    struct error e = ERROR_NONE;
    json_t *list = *app->config.woo_url ? read_webhooks(app, &e) : NULL;

    if (list)
        webhooks_look(&app->config, list, f);
    else if (*app->config.woo_url)
        findings_add(f, FINDING_WARN, "unknown", "A webhook that WooCommerce disabled is not noticed.",
                     "Give the key's user the rights of a shop manager.", "not known: %s", e.text);
    json_decref(list);
}

/* Does what is delivered there arrive here? */
void check_public_url(struct app *app, struct findings *f)
{
    bool ask = !*app->config.public_url && *app->config.woo_url && !check_failed(f, "shop");
    json_t *list = ask ? read_webhooks(app, NULL) : NULL;
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
}

/* The newest delivery in which WordPress sent an error in an order's place; at_ms 0 = there was none. */
struct rest_error {
    int64_t at_ms;
    bool owner; /* the webhook's owner may not read orders */
};

static bool find_rest_error(const struct tally_event *event, void *context)
{
    struct rest_error *error = context;

    if (strcmp(event->why, "rest_error") != 0 ||
        !strcmp(event->parts, "invalid_id")) /* an order that is deleted: nothing is wrong */
        return true;
    error->at_ms = event->at_ms;
    error->owner = !strncmp(event->parts, "cannot_", 7);
    return false;
}

/*
 * WooCommerce's API does not tell a webhook's owner, but what the webhook delivers does. Each has its own, so another's
 * orders prove nothing for a day. To save it gives it an owner only if it has none (WC_Admin_Webhooks::save).
 */
static bool check_owner(const struct rest_error *error, bool orders_since, struct findings *f)
{
    int64_t ago_ms = clock_wall_ms() - error->at_ms;
    char ago[CLOCK_WORDS_SIZE];

    if (!error->owner || (orders_since && ago_ms > DAY_MS))
        return false;
    findings_add(f, orders_since ? FINDING_WARN : FINDING_FAIL, "webhook_owner",
                 orders_since ? "Orders of that webhook do not arrive, if it was not mended since."
                              : "Orders do not arrive.",
                 "Open each webhook in WooCommerce > Settings > Advanced > Webhooks as an administrator and "
                 "save it again. If its owner's account is still there, give it the right to read orders "
                 "back, or delete the webhook and run woo_ghl connect. Then run woo_ghl reconcile.",
                 "the shop delivered \"cannot view\" in an order's place %s ago%s: the webhook's owner lost "
                 "the right to read orders, or was deleted",
                 clock_in_words(ago_ms, ago), orders_since ? "" : ", and no order since");
    return true;
}

/* Do orders come, and are they orders? */
void check_deliveries(struct app *app, struct findings *f)
{
    struct tally_counts sums = {0};
    struct rest_error error = {0};
    char ago[CLOCK_WORDS_SIZE];

    journal_fold(app);
    if (journal_sums(app, &sums) != STORE_OK || journal_each(app, find_rest_error, &error) != STORE_OK)
        return; /* the store's area says why */
    int64_t last_ms = tally_of(&sums, TALLY_LAST_ORDER) * 1000;
    bool since = error.at_ms <= last_ms + 1000;
    if (check_owner(&error, since, f))
        return;
    if (!since)
        findings_add(f, FINDING_WARN, "rest_error", "Orders do not arrive if it lasts.",
                     "See what the log says of it, and save the webhook in WooCommerce again as an "
                     "administrator. Then run woo_ghl reconcile.",
                     "the shop delivered an error in an order's place %s ago, and no order since",
                     clock_in_words(clock_wall_ms() - error.at_ms, ago));
    else if (last_ms)
        FINDINGS_OK(f, "last", "the last order came %s ago", clock_in_words(clock_wall_ms() - last_ms, ago));
    else
        FINDINGS_OK(f, "last", "no order has come yet");
}
