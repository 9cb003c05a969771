#include "owner/facts.h"
#include "app/left_behind.h"
#include "base/clock.h"
#include "base/text.h"
#include "shop/reconcile.h"
#include "sync/sync.h"
#include <string.h>

/* -- reading -- */

static bool read_limits(struct app *app, struct facts *f)
{
    const struct limiter_terms terms = orders_limiter_terms(&app->config);

    if (store_read_limiter(app->store, &f->limiter) != STORE_OK)
        return false;
    struct limiter_record copy = f->limiter; /* nothing is taken */
    memcpy(f->held_reason, f->limiter.hold_reason, sizeof f->held_reason);
    f->held_ms = *f->held_reason ? limiter_take(&copy, &terms, -1, store_now_ms(app->store)) : 0;
    return true;
}

static bool read_late(struct app *app, struct facts *f)
{
    if (store_list(app->store, INDEX_AGE, 0, "", FACTS_LATE_MAX, f->late, &f->late_count) != STORE_OK)
        return false;
    while (f->late_count && f->late[f->late_count - 1].at_ms >= f->sizes.now_ms - app->config.retry_for_ms)
        f->late_count--;
    return true;
}

/* What the store says goes to a terminal, and the store may be another's. */
static void still(struct facts *f)
{
    text_still(f->location.pause_reason, strlen(f->location.pause_reason));
    text_still(f->held_reason, strlen(f->held_reason));
    for (size_t i = 0; i < f->late_count; i++)
        text_still(f->late[i].key, strlen(f->late[i].key));
}

bool facts_read(struct app *app, struct facts *f)
{
    struct store *store = app->store;

    buf_init(&f->counts, STORE_BLOB_MAX);
    buf_init(&f->unmapped, STORE_BLOB_MAX);
    buf_init(&f->machines, STORE_BLOB_MAX);
    buf_init(&f->gone, STORE_BLOB_MAX);
    buf_init(&f->left, STORE_BLOB_MAX);
    if (store_sizes(store, &f->sizes) != STORE_OK || store_read_location(store, &f->location) != STORE_OK ||
        store_about(store, &f->about) != STORE_OK || !read_limits(app, f) || !read_late(app, f) ||
        store_values(store, FACTS_COUNTS, &f->counts) != STORE_OK ||
        store_values(store, FACTS_UNMAPPED, &f->unmapped) != STORE_OK ||
        store_values(store, SYNC_GONE, &f->gone) != STORE_OK || heartbeat_read(app, &f->machines) != STORE_OK)
        return false;
    still(f);
    left_behind(app, &f->left);
    f->reconciled_s = reconcile_age_s(app);
    f->undrained = drain_is_overdue(app, &f->sizes);
    return true;
}

void facts_free(struct facts *f)
{
    buf_free(&f->counts);
    buf_free(&f->unmapped);
    buf_free(&f->machines);
    buf_free(&f->gone);
    buf_free(&f->left);
}

/* -- what they say -- */

const char *facts_next(const struct buf *values, const char *prefix, size_t *at, int64_t *number)
{
    const char *value, *name = store_next_value(values, at, &value);

    *number = name ? text_number(value, NULL) : 0;
    return name ? name + strlen(prefix) : NULL;
}

int64_t facts_oldest_s(const struct facts *f)
{
    int64_t first_ms = f->sizes.first_ms[INDEX_AGE];
    return first_ms && first_ms < f->sizes.now_ms ? (f->sizes.now_ms - first_ms) / 1000 : 0;
}

int64_t facts_gone(const struct facts *f)
{
    size_t at = 0;
    int64_t n = 0, ignored;

    while (facts_next(&f->gone, SYNC_GONE, &at, &ignored))
        n++;
    return n;
}

void facts_say_machine(const struct facts *f, const struct heartbeat *beat, struct buf *out)
{
    char words[CLOCK_WORDS_SIZE];
    int64_t now_ms = f->sizes.now_ms;
    bool silent = now_ms - beat->told_ms > HEARTBEAT_OVERDUE_MS;

    if (silent)
        (void)buf_addf(out, "silent for %s", clock_in_words(now_ms - beat->told_ms, words));
    else if (beat->drained_ms)
        (void)buf_addf(out, "a drain ran %s ago", clock_in_words(now_ms - beat->drained_ms, words));
    else
        (void)buf_adds(out, "no drain has run");
    if (!beat->files)
        (void)buf_addf(out, "; its spool %s empty", silent ? "was" : "is");
    else
        (void)buf_addf(out, "; its spool %s %lld file%s", silent ? "held" : "holds", (long long)beat->files,
                       beat->files == 1 ? "" : "s");
    if (beat->files && beat->oldest_ms)
        (void)buf_addf(out, ", the oldest of %s ago", clock_in_words(now_ms - beat->oldest_ms, words));
}

/* Some machine's spool is not moved. */
static bool say_spool(const struct facts *f, struct buf *out)
{
    struct heartbeat beat;
    size_t at = 0;

    while (heartbeat_next(&f->machines, &at, &beat))
        if (beat.files && beat.oldest_ms && f->sizes.now_ms - beat.oldest_ms > HEARTBEAT_OVERDUE_MS)
            return buf_addf(out, "Deliveries wait in the spool of %s: run `woo_ghl drain` there.",
                            beat.machine);
    return false;
}

/* "1 order", "2 orders". */
#define ORDERS(n) (long long)(n), (n) == 1 ? "" : "s"

static bool say_hold(const struct facts *f, struct buf *out)
{
    if (f->location.paused_ms)
        return buf_addf(out, "All orders wait until this is mended; none is lost: %s",
                        f->location.pause_reason);
    if (breaker_open_ms(&f->location, f->sizes.now_ms) > 0)
        return buf_adds(out,
                        "GoHighLevel does not answer: orders wait and go on when it does; none is lost.");
    if (f->held_ms > 0)
        return buf_addf(out,
                        "GoHighLevel takes no calls for now: orders wait and go on later; none is lost. %s",
                        f->held_reason);
    return false;
}

enum facts_state facts_say(const struct facts *f, struct buf *out)
{
    int64_t dead = f->sizes.count[INDEX_DEAD], waiting = f->sizes.count[INDEX_DUE];

    if (*f->about.problem)
        (void)buf_addf(out, "Orders can be lost: %s", f->about.problem);
    else if (f->undrained)
        (void)buf_adds(
            out, "Orders wait and nothing takes them to GoHighLevel: run `woo_ghl drain` from cron or as a "
                 "service.");
    if (out->len)
        return FACTS_RISK;
    if (say_hold(f, out))
        return FACTS_ATTENTION;
    if (dead)
        (void)buf_addf(
            out,
            "%lld order%s cannot go to GoHighLevel as they are: they wait for you to retry or drop "
            "them.",
            ORDERS(dead));
    else if (f->late_count)
        (void)buf_addf(out, "%lld order%s have waited for very long; they are tried on.",
                       ORDERS(f->late_count));
    else if (facts_gone(f))
        (void)buf_addf(out,
                       "The opportunities of %lld order%s are gone in GoHighLevel and are not made again.",
                       ORDERS(facts_gone(f)));
    else if (say_spool(f, out))
        return FACTS_ATTENTION;
    else if (f->left.len)
        (void)buf_adds(out, "Orders wait in a place that the settings do not name any more.");
    else if (f->location.reconcile_ms)
        (void)buf_adds(out, "Orders may be missing: run `woo_ghl reconcile`.");
    if (out->len)
        return FACTS_ATTENTION;
    if (waiting)
        (void)buf_addf(out, "All is well: %lld order%s on the way to GoHighLevel.", ORDERS(waiting));
    else
        (void)buf_adds(out, "All is well: nothing waits.");
    return FACTS_WELL;
}
