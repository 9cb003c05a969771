#include "accept/accept.h"
#include "app/alert.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/text.h"
#include "order/order.h"
#include "shop/reconcile_work.h"
#include "shop/webhooks.h"
#include "worker/unspool.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LAST "reconcile/last/%s"  /* of the shop's site */
#define OVERLAP_S 600             /* a change may show late, and clocks differ */
#define LOSS_S (30LL * 24 * 3600) /* before a loss */
#define WATCH_EVERY_MS (15LL * 60 * 1000)
#define AWAY_S (24 * 3600) /* a shop that is away for so long is a person's business */

/* -- since when -- */

/* What is kept of the last run: when it began, and which loss it knew of. */
struct last {
    int64_t began_s; /* woo_page's asked_s; 0 = there was none */
    int64_t lost_ms; /* the location's */
};

/* What the store calls it. malloc'ed; NULL when out of memory. */
static char *name_of_last(const struct app *app)
{
    char *site = order_site(app->config.woo_url), *name = NULL;

    if (site && asprintf(&name, LAST, site) < 0)
        name = NULL;
    free(site);
    return name;
}

static bool read_last(struct app *app, struct last *last)
{
    char *text = NULL, *end = NULL, *name = name_of_last(app);
    enum store_result result = name ? store_get(app->store, name, &text) : STORE_UNAVAILABLE;

    *last = (struct last){0};
    free(name);
    if (text) {
        last->began_s = strtoll(text, &end, 10);
        last->lost_ms = strtoll(end, NULL, 10);
    }
    free(text);
    return result == STORE_OK || result == STORE_NONE;
}

static enum store_result write_last(struct app *app, const struct last *last)
{
    char text[64], *name = name_of_last(app);

    snprintf(text, sizeof text, "%" PRId64 " %" PRId64, last->began_s, last->lost_ms);
    enum store_result result = name ? store_put(app->store, name, text, 0) : STORE_UNAVAILABLE;
    free(name);
    return result;
}

/* What this run has to look at: s since 1970. Never what was before the first use: the shop's past is not for GHL. */
static int64_t since(const struct location_record *location, const struct last *last)
{
    int64_t now_s = clock_wall_ms() / 1000, used_s = location->first_use_ms / 1000,
            since_s = (last->began_s > 0 ? last->began_s : used_s) - OVERLAP_S,
            loss_s = location->lost_ms / 1000 - LOSS_S;

    if (since_s > now_s) /* a clock was set back: nobody knows when that was */
        since_s = now_s - LOSS_S;
    if (loss_s < used_s - OVERLAP_S)
        loss_s = used_s - OVERLAP_S;
    if (location->lost_ms != last->lost_ms && (loss_s < since_s || !last->began_s))
        since_s = loss_s; /* the last run was lost, too */
    return since_s > 1 ? since_s : 1;
}

int64_t reconcile_age_s(struct app *app)
{
    struct last last;

    if (!read_last(app, &last) || last.began_s <= 0)
        return -1;
    int64_t age_s = clock_wall_ms() / 1000 - last.began_s;
    return age_s > 0 ? age_s : 0;
}

/* -- one order -- */

static void count(struct reconcile_counts *counts, enum accepted result)
{
    counts->read++;
    switch (result) {
    case ACCEPTED_QUEUED:
    case ACCEPTED_SYNCED:
    case ACCEPTED_DEAD: counts->taken++; break;
    case ACCEPTED_DUPLICATE:
    case ACCEPTED_STALE: counts->known++; break;
    case ACCEPTED_IGNORED:
    case ACCEPTED_BAD_JSON:
    case ACCEPTED_UNREAD: counts->ignored++; break;
    case ACCEPTED_FOREIGN:
    case ACCEPTED_OTHER: counts->foreign++; break;
    case ACCEPTED_SPOOLED:
    case ACCEPTED_REFUSED:
    case ACCEPTED_AWAY: counts->read--; break;
    }
}

/* It goes the way of a signed delivery, and is left to the queue. */
static void deliver(struct app *app, const struct woo_page *page, const struct woo_item *item,
                    const char *only_key, bool past_too, struct acceptance *acceptance)
{
    accept_delivery(app,
                    &(struct accept_delivery){.bytes = item->bytes,
                                              .len = item->len,
                                              .headers = {"", "order", app->config.woo_url},
                                              .origin = ORIGIN_FETCHED,
                                              .arrived_ago_ms = clock_mono_ms() - page->asked_mono_ms,
                                              .only_key = only_key,
                                              .past_too = past_too},
                    acceptance);
}

bool reconcile_take(struct run *run, const struct woo_page *page, const struct woo_item *item,
                    const char *only_key, bool *other)
{
    struct acceptance acceptance;

    deliver(run->app, page, item, only_key, run->options->since_s > 0, &acceptance);
    *other = acceptance.result == ACCEPTED_OTHER;
    if (*other)
        return true;
    count(run->counts, acceptance.result);
    if (acceptance.result == ACCEPTED_FOREIGN && item->modified_s > 0 && item->modified_s < run->foreign_s)
        run->foreign_s = item->modified_s;
    if (acceptance.result != ACCEPTED_AWAY && acceptance.result != ACCEPTED_REFUSED)
        return true;
    *run->e = acceptance.trouble;
    return false;
}

/* -- a run -- */

static enum reconcile_result store_failed(const struct run *run)
{
    error_set(run->e, "the store does not answer: %s", store_trouble(run->app->store));
    return RECONCILE_STORE_AWAY;
}

/* Nobody asked again since the run began. */
static bool fulfil_rule(struct location_record *location, int64_t now_ms, void *context)
{
    const int64_t *wanted_ms = context;

    (void)now_ms;
    if (!location->reconcile_ms || location->reconcile_ms != *wanted_ms)
        return false;
    location->reconcile_ms = 0;
    return true;
}

/* It went well. First the time: a wish that outlives it costs one run more. The next run begins with what another shop's
 * orders are: WOO_SHOPS may name that shop by then. */
static enum reconcile_result finish(struct run *run)
{
    const struct last last = {.began_s = run->foreign_s < run->began_s ? run->foreign_s : run->began_s,
                              .lost_ms = run->lost_ms};

    if (write_last(run->app, &last) != STORE_OK ||
        orders_location(&run->app->orders, fulfil_rule, &run->wanted_ms) != STORE_OK)
        return store_failed(run);
    return RECONCILE_DONE;
}

static void log_end(const struct run *run, enum reconcile_result result)
{
    const struct reconcile_counts *c = run->counts;
    char since_text[32];

    clock_format_iso(c->since_s * 1000, since_text);
    since_text[strcspn(since_text, ".")] = '\0';
    log_event(
        run->app->log, result == RECONCILE_DONE ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, "reconciled", NULL,
        "%ld orders read that changed since %sZ: %ld new, %ld known already, %ld ignored, %ld of another "
        "shop%s%s",
        c->read, since_text, c->taken, c->known, c->ignored, c->foreign,
        result == RECONCILE_DONE ? "" : "; not finished: ", result == RECONCILE_DONE ? "" : run->e->text);
}

/* Somebody has to set something right; it runs from a timer, and nobody looks. */
static void alert_end(const struct run *run, enum reconcile_result result, int64_t due_s)
{
    if (result == RECONCILE_DONE)
        alert_over(run->app, ALERT_SHOP);
    if (result == RECONCILE_REFUSED ||
        (result == RECONCILE_SHOP_AWAY && clock_wall_ms() / 1000 - due_s > AWAY_S))
        (void)alert_raise(run->app, ALERT_SHOP,
                          "The shop's orders cannot be read, those whose webhook never came stay unknown: %s",
                          run->e->text);
}

static enum reconcile_result read_shop(struct run *run, int64_t due_s)
{
    enum reconcile_result result;

    run->woo = woo_new(&run->app->config, run->app->log, run->app->stop, run->e);
    if (!run->woo)
        return RECONCILE_REFUSED;
    /* An end that is read must not overtake a sale that lies there. */
    (void)unspool(run->app); /* what does not move now is told where it matters */
    result = reconcile_walk(run, "any");
    if (result == RECONCILE_DONE)
        result = reconcile_walk(run, "trash");
    if (result == RECONCILE_DONE)
        result = reconcile_refunds(run);
    if (result == RECONCILE_DONE && run->counts->since_s <= due_s)
        result = finish(run);
    if (result ==
        RECONCILE_DONE) /* what one missed until it is active again is read: now, or by the next run's overlap */
        (void)webhooks_watch(run->app, run->woo);
    if (result == RECONCILE_STOPPED)
        error_set(run->e, "it was told to stop; the next one begins where this one did");
    log_end(run, result);
    alert_end(run, result, due_s);
    woo_free(run->woo);
    return result;
}

enum reconcile_result reconcile_run(struct app *app, const struct reconcile_options *options,
                                    struct reconcile_counts *counts, struct error *e)
{
    struct location_record location;
    struct last last;
    int lock;
    struct run run = {.app = app,
                      .options = options,
                      .counts = counts,
                      .e = e,
                      .began_s = UNKNOWN_S,
                      .foreign_s = UNKNOWN_S};

    *counts = (struct reconcile_counts){0};
    if (store_read_location(app->store, &location) != STORE_OK || !read_last(app, &last))
        return store_failed(&run);
    if (options->if_wanted && !location.reconcile_ms)
        return RECONCILE_NOT_WANTED;
    run.wanted_ms = location.reconcile_ms;
    run.lost_ms = location.lost_ms;
    int64_t due_s = since(&location, &last);
    counts->since_s = options->since_s > 0 ? options->since_s : due_s;
    /* Two at once do no harm, but those that a timer starts must not pile up at a slow shop. */
    bool mine = files_lock(app->config.data_dir, "reconcile.lock", &lock);
    enum reconcile_result result = mine || !options->if_wanted ? read_shop(&run, due_s) : RECONCILE_UNDER_WAY;
    if (lock >= 0)
        close(lock);
    return result;
}

void reconcile_watch(struct app *app)
{
    const struct reconcile_options options = {0};
    struct reconcile_counts counts;
    struct error e = ERROR_NONE;
    bool turn;

    if (!*app->config.woo_url || !app_take_turn(app, "webhooks/looked", WATCH_EVERY_MS, &turn) || !turn)
        return;
    struct woo *woo = woo_new(&app->config, app->log, app->stop, &e);
    bool mended = woo && webhooks_watch(app, woo);
    woo_free(woo);
    if (mended && reconcile_run(app, &options, &counts, &e) != RECONCILE_DONE)
        log_event(app->log, LOG_LEVEL_ERROR, "reconcile", NULL, "What the webhook missed is not read yet: %s",
                  e.text);
}

/* -- one order -- */

static bool explain(const struct acceptance *acceptance, struct error *e)
{
    switch (acceptance->result) {
    case ACCEPTED_QUEUED:
    case ACCEPTED_SYNCED:
    case ACCEPTED_DEAD: return true;
    case ACCEPTED_DUPLICATE:
    case ACCEPTED_STALE:
        error_set(e, "the store knows a newer state of it than the shop has: has the shop been set back?");
        break;
    case ACCEPTED_IGNORED:
    case ACCEPTED_BAD_JSON:
    case ACCEPTED_UNREAD:
        error_set(e, "what the shop holds of it now needs nothing in GHL (its status is not mapped, or it "
                     "was never sold): drop it");
        break;
    case ACCEPTED_FOREIGN:
    case ACCEPTED_OTHER:
        error_set(e, "it is of another shop than WOO_URL's: set WOO_URL to that shop for this command");
        break;
    case ACCEPTED_SPOOLED:
    case ACCEPTED_AWAY:
    case ACCEPTED_REFUSED: *e = acceptance->trouble; break;
    }
    return false;
}

bool reconcile_order(struct app *app, struct woo *woo, const char *key, struct error *e)
{
    char plain[RECORD_KEY_SIZE]; /* without what tells orders of one id apart */
    struct woo_page page = {0};
    struct acceptance acceptance;

    (void)text_format(plain, sizeof plain, "%.*s", (int)strcspn(key, "/"), key);
    const char *colon = strrchr(plain, ':'), *id = colon ? colon + 1 : "";
    if (!*id || id[strspn(id, "0123456789")]) {
        error_set(e, "its key names no order that could be read from the shop: drop it");
        return false;
    }
    http_answer_init(&page.answer);
    enum woo_result result = woo_order(woo, id, &page, e);
    bool good = result == WOO_OK;
    if (result == WOO_NONE)
        error_set(e, "the shop has no such order any more: drop it");
    if (good) {
        deliver(app, &page, &page.item[0], plain, true, &acceptance);
        good = explain(&acceptance, e);
    }
    woo_page_free(&page);
    return good;
}
