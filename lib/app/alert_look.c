/* What the drain looks for on the alerts' behalf. */
#include "app/alert.h"
#include "app/left_behind.h"
#include "base/clock.h"

#define NAMED 5                         /* late orders that an alert names */
#define SPOOL_OLD_MS (15LL * 60 * 1000) /* a drain should have moved a file by then */
#define DELIVERED                                                                                            \
    "delivered" /* the store's value: when a signed delivery came last, ms since 1970 by its clock */
#define DELIVERED_EVERY_MS 60000
#define EXPIRY_NOTICE_MS (3LL * 24 * 3600 * 1000)

static void look_at_pause(struct app *app, const struct location_record *location, int64_t now_ms)
{
    char age[CLOCK_WORDS_SIZE];

    if (location->paused_ms)
        (void)alert_raise(app, ALERT_PAUSED, "Everything waits for %s, no order is lost: %s",
                          clock_in_words(now_ms - location->paused_ms, age), location->pause_reason);
    else
        alert_over(app, ALERT_PAUSED);
    if (!location->opened)
        alert_over(app, ALERT_BREAKER);
}

void alert_not_silent(struct app *app)
{
    int64_t now = clock_mono_ms(), every_ms = app->config.alert_silence_ms / 10;

    if (every_ms > DELIVERED_EVERY_MS)
        every_ms = DELIVERED_EVERY_MS;
    if (app->config.alert_silence_ms <= 0 || !app->store ||
        (app->delivered_mono_ms && now - app->delivered_mono_ms < every_ms))
        return;
    if (app_put_number(app, DELIVERED, store_now_ms(app->store), 0) == STORE_OK)
        app->delivered_mono_ms = now;
}

static void look_for_silence(struct app *app, const struct location_record *location, int64_t now_ms)
{
    char age[CLOCK_WORDS_SIZE];
    int64_t since_ms;
    struct error text;

    if (app->config.alert_silence_ms <= 0 || app_number(app, DELIVERED, &since_ms) != STORE_OK)
        return;
    if (!since_ms)
        since_ms = location->first_use_ms;
    if (!since_ms || now_ms - since_ms < app->config.alert_silence_ms) {
        alert_over(app, ALERT_SILENT);
        return;
    }
    error_set(&text, "No signed order has come for %s: is the webhook still active in WooCommerce?",
              clock_in_words(now_ms - since_ms, age));
    alert_tell(app, ALERT_SILENT, LOG_LEVEL_WARN, "silent", text.text);
}

static void look_at_spool(struct app *app)
{
    struct spool_stats spool;
    struct error text;

    if (!app->spool || !spool_stats(app->spool, &spool, NULL))
        return;
    error_set(&text, "%ld files of the spool cannot be opened: %s", spool.locked, spool.needs.text);
    if (spool.locked)
        alert_tell(app, ALERT_SPOOL, LOG_LEVEL_ERROR, "spool", text.text);
    char age[CLOCK_WORDS_SIZE];
    bool late = spool.damaged || spool.oldest_ms > SPOOL_OLD_MS;
    if (!late && !spool.locked)
        alert_over(app, ALERT_SPOOL);
    if (late)
        (void)alert_raise(app, ALERT_SPOOL,
                          "%ld files of the spool are damaged, %ld wait for the store, the oldest for %s: "
                          "see `woo_ghl status`",
                          spool.damaged, spool.deliveries + spool.ids, clock_in_words(spool.oldest_ms, age));
}

/* Dead letters whose content goes within the notice. */
static void look_for_expiry(struct app *app, int64_t now_ms)
{
    int64_t before_ms = now_ms - app->config.dead_letter_ttl_ms, expiring = 0;
    struct store_walk walk;
    const struct store_entry *entry;
    struct error text;

    if (app->config.dead_letter_ttl_ms <= EXPIRY_NOTICE_MS)
        return;
    store_walk_begin(&walk, app->store, INDEX_DEAD, before_ms + 1);
    while ((entry = store_walk_next(&walk)) && entry->at_ms <= before_ms + EXPIRY_NOTICE_MS)
        expiring++;
    error_set(&text,
              "%lld dead letters lose their content within 3 days (DEAD_LETTER_TTL): see `woo_ghl failed`",
              (long long)expiring);
    if (expiring > 0 && walk.result == STORE_OK)
        alert_tell(app, ALERT_EXPIRING, LOG_LEVEL_WARN, "expiring", text.text);
}

static void look_for_late(struct app *app, const struct store_sizes *sizes)
{
    struct store_entry list[NAMED];
    char age[CLOCK_WORDS_SIZE];
    struct buf names;
    struct error text;
    size_t n = 0, late = 0;
    int64_t first_ms = sizes->first_ms[INDEX_AGE], before_ms = sizes->now_ms - app->config.retry_for_ms;

    if (!first_ms || first_ms >= before_ms) {
        alert_over(app, ALERT_LATE);
        return;
    }
    if (store_list(app->store, INDEX_AGE, 0, "", NAMED, list, &n) != STORE_OK)
        return;
    buf_init(&names, sizeof list);
    for (; late < n && list[late].at_ms < before_ms; late++)
        if (!buf_addf(&names, "%s%s", late ? ", " : "", list[late].key))
            break;
    error_set(
        &text,
        "Orders wait for longer than RETRY_FOR, the oldest for %s; they are tried on. The oldest are %s",
        clock_in_words(sizes->now_ms - first_ms, age), names.data);
    buf_free(&names);
    if (late)
        alert_tell(app, ALERT_LATE, LOG_LEVEL_WARN, "late", text.text);
}

static void look_left_behind(struct app *app)
{
    struct buf text;

    buf_init(&text, 4096);
    left_behind(app, &text);
    if (!text.len)
        alert_over(app, ALERT_LEFT);
    else
        alert_tell(app, ALERT_LEFT, LOG_LEVEL_WARN, "left_behind", text.data);
    buf_free(&text);
}

/* GHL takes calls again. */
static void look_at_limits(struct app *app)
{
    struct limiter_record limiter;

    if (store_read_limiter(app->store, &limiter) != STORE_OK)
        return;
    int64_t now_ms = store_now_ms(app->store);
    if (limiter.hold_until_ms <= now_ms && !(limiter.day_until_ms > now_ms && limiter.day_left <= 0))
        alert_over(app, ALERT_LIMIT);
}

void alert_look(struct app *app)
{
    struct store_sizes sizes;
    struct location_record location;

    alert_again(app);
    alert_over(app, ALERT_STORE);     /* it answered the drain, */
    alert_over(app, ALERT_UNDRAINED); /* which runs */
    look_at_spool(app);
    look_left_behind(app);
    look_at_limits(app);
    if (store_read_location(app->store, &location) != STORE_OK || store_sizes(app->store, &sizes) != STORE_OK)
        return;
    int64_t now_ms = sizes.now_ms;
    look_at_pause(app, &location, now_ms);
    look_for_silence(app, &location, now_ms);
    if (sizes.count[INDEX_DEAD] > 0)
        look_for_expiry(app, now_ms);
    look_for_late(app, &sizes);
}
