#include "worker/drain.h"
#include "accept/accept.h"
#include "app/alert.h"
#include "app/hold.h"
#include "base/clock.h"
#include "sync/sync.h"
#include "worker/unspool.h"
#include <string.h>

#define ENTRY_BUDGET_MS 45000 /* less than a lease, so that most work needs no renewal */
#define SHORT_BUDGET_MS                                                                                      \
    10000           /* of an entry that a drain with a budget has in hand: a create begins with 5 s left */
#define POLL_MS 500 /* a watching drain looks for new work so often */
#define HEARTBEAT_MS 20000
#define EXPIRE_MS (3600 * 1000)
#define ALERT_MS 60000 /* what lasts is looked for so often */
#define SPOOL_MS 1000  /* the spool's directory is looked at so often */

struct drain {
    struct app *app;
    const struct drain_options *options;
    struct drain_counts *counts;
    long waited; /* at the start */
    int64_t end_mono_ms, heartbeat_mono_ms, expire_mono_ms, spool_mono_ms,
        alert_mono_ms;         /* when the next is due */
    struct drain_round *round; /* NULL = nothing is taken before its time, or nothing more */
    bool listed;               /* it has had a list */
    const char *early;         /* its order that comes next; NULL = not asked for */
};

static bool stopped(const struct drain *d)
{
    return (d->app->stop && *d->app->stop) || clock_left_ms(d->end_mono_ms) == 0;
}

static void count(struct drain *d, enum sync_result result)
{
    switch (result) {
    case SYNC_DONE: d->counts->done++; break;
    case SYNC_NOTHING: d->counts->nothing++; break;
    case SYNC_QUEUED: d->counts->queued++; break;
    case SYNC_PARKED: d->counts->parked++; break;
    }
}

static void work(struct drain *d, struct store_entry *entry)
{
    int64_t deadline = clock_mono_ms() + ENTRY_BUDGET_MS, began = clock_mono_ms();
    struct log_about about = {.order = entry->key, .has_ms = true};
    char key[128];

    /* The drain's budget ends the taking, never the work: cut to it, no create would ever find time enough.
     */
    if (d->end_mono_ms != CLOCK_NEVER)
        deadline = clock_mono_ms() + SHORT_BUDGET_MS;
    snprintf(key, sizeof key, "%s", entry->key);
    about.order = key;
    struct sync_outcome outcome = sync_entry(d->app, entry, deadline);
    if (outcome.left)
        intake_keep(d->app, entry, strcmp(outcome.reason, "store_unavailable") != 0);
    about.reason = outcome.reason;
    about.ghl_id = outcome.ghl_id;
    about.ms = clock_mono_ms() - began;
    log_event(d->app->log, LOG_LEVEL_INFO, outcome.result == SYNC_DONE ? "synced" : "drained", &about,
              outcome.result == SYNC_DONE ? "A waiting order is in GHL" : "A waiting order was looked at");
    count(d, outcome.result);
    if (d->options->progress)
        d->options->progress(d->counts->done + d->counts->nothing + d->counts->queued + d->counts->parked,
                             d->waited);
}

static void move_spool(struct app *app)
{
    long moved = unspool(app);
    if (moved > 0)
        log_event(app->log, LOG_LEVEL_INFO, "unspooled", NULL, "%ld files of the spool are in the store",
                  moved);
}

/* What is to be done now and then; false when the store does not answer. */
static bool chores(struct drain *d)
{
    int64_t now = clock_mono_ms(), expired = 0;

    if (now >= d->spool_mono_ms) {
        move_spool(d->app);
        d->spool_mono_ms = clock_mono_ms() + SPOOL_MS;
    }
    if (d->options->heartbeat && now >= d->heartbeat_mono_ms) {
        if (store_heartbeat(d->app->store) != STORE_OK)
            return false;
        d->heartbeat_mono_ms = now + HEARTBEAT_MS;
    }
    if (d->options->heartbeat && now >= d->expire_mono_ms) {
        if (store_expire_parked(d->app->store, &expired) != STORE_OK)
            return false;
        if (expired > 0)
            log_event(d->app->log, LOG_LEVEL_WARN, "expired", NULL,
                      "%lld parked orders are older than DEAD_LETTER_TTL: their content was deleted, key and "
                      "reason stay",
                      (long long)expired);
        d->expire_mono_ms = now + EXPIRE_MS;
    }
    if (d->options->heartbeat && now >= d->alert_mono_ms) {
        alert_look(d->app);
        d->alert_mono_ms = now + ALERT_MS;
    }
    return true;
}

/* Nothing is leased: waits or ends. False = end. */
static bool rest(const struct drain *d, int64_t next_due_ms)
{
    if (!d->options->watch)
        return false;
    int64_t wait = next_due_ms >= 0 && next_due_ms < POLL_MS ? next_due_ms : POLL_MS;
    return clock_sleep_ms(wait > 10 ? wait : 10, d->app->stop);
}

enum store_result drain_list(struct app *app, struct drain_round *round)
{
    struct store_stats stats;
    struct error e = ERROR_NONE;

    if (!app_ready(app, &e))
        return STORE_UNAVAILABLE;
    move_spool(app);
    if (store_stats(app->store, &stats) != STORE_OK)
        return STORE_UNAVAILABLE;
    /* What goes well past a pause must not leave it behind. */
    if (stats.paused)
        (void)gate_probe(app, STORE_HOLD_PAUSED, true);
    return drain_round_list(round, app->store);
}

/* Which order is taken before its time? OK: d->early. NONE: no more. One that is put off again would come
 * back at once, for ever: each is taken once. */
static enum store_result next_early(struct drain *d)
{
    while (!d->early) {
        d->early = drain_round_next(d->round);
        if (d->early)
            break;
        if (d->options->round || (d->listed && d->options->watch))
            return STORE_NONE;
        enum store_result result = drain_list(d->app, d->round);
        if (result != STORE_OK)
            return result;
        d->listed = true;
    }
    return STORE_OK;
}

/* A store that came back empty, or as another one, has its key settled first. */
static enum store_result lease_due(struct drain *d, struct store_entry *entry, int64_t *next_due_ms,
                                   enum store_hold *hold)
{
    struct error e = ERROR_NONE;
    enum store_result result = STORE_OTHER_KEY;

    for (int i = 0; result == STORE_OTHER_KEY && i < 2 && app_ready(d->app, &e); i++)
        result = store_lease_due(d->app->store, SYNC_LEASE_MS, d->early, entry, next_due_ms, hold);
    if (result == STORE_OK || result == STORE_NONE)
        d->early = NULL; /* otherwise it comes again */
    return result;
}

/* One look at the queue. False = end. */
static bool turn(struct drain *d, bool *reachable)
{
    struct store_entry entry = {0};
    enum store_hold hold = STORE_GO;
    int64_t next_due_ms = -1;
    struct error e = ERROR_NONE;
    enum store_result result = STORE_UNAVAILABLE, early = STORE_NONE;

    *reachable = app_ready(d->app, &e) && chores(d);
    if (*reachable && d->round) {
        early = next_early(d);
        if (early == STORE_NONE) {
            d->round = NULL;
            return d->options->watch;
        }
    }
    if (*reachable && (!d->round || early == STORE_OK))
        result = lease_due(d, &entry, &next_due_ms, &hold);
    switch (result) {
    case STORE_OK:
        work(d, &entry);
        store_entry_free(&entry);
        return true;
    case STORE_NONE:
        if (early == STORE_OK || (hold != STORE_GO && gate_probe(d->app, hold, false)))
            return true;
        return rest(d, hold == STORE_GO ? next_due_ms : -1);
    case STORE_LOST:
    case STORE_OTHER_KEY:
    case STORE_UNAVAILABLE: break;
    }
    *reachable = false;
    return rest(d, -1);
}

void drain_complain(struct app *app)
{
    const char *trouble = app->store ? store_trouble(app->store) : "it cannot be opened";

    log_event(app->log, LOG_LEVEL_ERROR, "store", NULL, "The queue cannot be read: %s", trouble);
    (void)alert_raise(app, ALERT_STORE, "The queue cannot be read: %s", trouble);
}

/* Beside `check` and `status`: who never asks finds it in the log. */
static void tell_durability(struct app *app)
{
    struct store_stats stats;

    if (store_stats(app->store, &stats) == STORE_OK && *stats.durability)
        log_event(app->log, LOG_LEVEL_WARN, "store", NULL, "What the store may lose: %s", stats.durability);
}

static bool run(struct drain *d)
{
    struct app *app = d->app;
    struct store_stats stats;
    struct error e = ERROR_NONE;
    bool reachable = true, complained = false;

    /* One that watches waits for a store that is away at its start as it does later. */
    if (!app_ready(app, &e)) {
        log_event(app->log, LOG_LEVEL_ERROR, "store", NULL, "%s", e.text);
        (void)alert_raise(app, ALERT_STORE, "%s", e.text);
        if (!d->options->watch)
            return false;
        reachable = false;
        complained = true;
    }
    if (d->options->watch && reachable)
        tell_durability(app);
    if (d->options->heartbeat)
        if (d->options->progress && app->store && store_stats(app->store, &stats) == STORE_OK)
        d->waited = (long)stats.waiting;
    bool go_on = true;
    while (go_on && !stopped(d)) {
        go_on = turn(d, &reachable);
        if (!reachable && !complained)
            drain_complain(app);
        complained = !reachable;
    }
    if (app->store && store_stats(app->store, &stats) == STORE_OK)
        d->counts->left = (long)stats.waiting;
    /* One that watches did what it was told, whatever it met last. */
    return reachable || (d->options->watch && app->stop && *app->stop);
}

bool drain_run(struct app *app, const struct drain_options *options, struct drain_counts *counts)
{
    struct drain_round *own = options->now && !options->round ? drain_round_new() : NULL;
    struct drain d = {.app = app,
                      .options = options,
                      .counts = counts,
                      .end_mono_ms = CLOCK_NEVER,
                      .round = options->round ? options->round : own};

    *counts = (struct drain_counts){.left = -1};
    if (options->now && !d.round) {
        log_event(app->log, LOG_LEVEL_ERROR, "drain", NULL, "Out of memory");
        return false;
    }
    if (options->budget_ms != CLOCK_NEVER)
        d.end_mono_ms = clock_mono_ms() + options->budget_ms;
    bool good = run(&d);
    drain_round_free(own);
    return good;
}
