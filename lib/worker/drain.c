#include "worker/drain.h"
#include "accept/accept.h"
#include "app/alert.h"
#include "app/heartbeat.h"
#include "app/hold.h"
#include "app/journal.h"
#include "app/ready.h"
#include "base/clock.h"
#include "base/notify.h"
#include "sync/sync.h"
#include "worker/bring.h"
#include "worker/unspool.h"
#include "worker/upkeep.h"
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ORDER_BUDGET_MS 45000 /* less than a lease, so that most work needs no renewal */
#define SHORT_BUDGET_MS                                                                                      \
    8000            /* of an order that a worker has in hand after an answer: a create begins with 5 s left */
#define POLL_MS 500 /* a drain that watches looks for new work so often */
#define SPOOL_MS 1000 /* and at the spool's directory */
#define HEARTBEAT_MS 20000
#define UPKEEP_MS 60000
#define JOURNAL_MS 10000
#define PAGE 64 /* orders that `now` lists in one go */

struct drain {
    struct app *app;
    const struct drain_options *options;
    struct drain_counts *counts;
    long waited; /* at the start */
    int64_t end_mono_ms, spool_mono_ms, heartbeat_mono_ms, upkeep_mono_ms,
        journal_mono_ms; /* when the next is due */
    bool told_manager, told_good;
    bool complained; /* that the store does not answer */

    /* `now`: orders are still taken before their time */
    bool early, released, took_one; /* the limits were released; this pass over the list took an order */
    int64_t began_boot_ms;
    struct store_entry page[PAGE];
    size_t next, listed;
};

static bool is_stopped(const struct drain *d)
{
    return (d->app->stop && *d->app->stop) || clock_left_ms(d->end_mono_ms) == 0 || app_is_awaited(d->app);
}

/* -- one order -- */

static void count(struct drain *d, enum sync_result result)
{
    struct drain_counts *c = d->counts;

    switch (result) {
    case SYNC_DONE: c->done++; break;
    case SYNC_NOTHING: c->nothing++; break;
    case SYNC_QUEUED: c->queued++; break;
    case SYNC_DEAD: c->dead++; break;
    }
    if (d->options->progress)
        d->options->progress(c->done + c->nothing + c->queued + c->dead, d->waited);
}

static void work_on(struct drain *d, struct order_work *work)
{
    int64_t began = clock_mono_ms();
    struct log_about about = {.has_ms = true};
    char key[RECORD_KEY_SIZE];

    /* A drain's budget ends the taking, not the work: cut to it, no create would ever find time enough. */
    int64_t budget_ms = d->end_mono_ms == CLOCK_NEVER ? ORDER_BUDGET_MS : SHORT_BUDGET_MS;
    memcpy(key, work->key, sizeof key);
    struct sync_outcome outcome = sync_order(d->app, work, NULL, began + budget_ms);
    if (outcome.left)
        accept_rescue(d->app, work, outcome.reason);
    order_work_free(work);
    about.order = key;
    about.reason = outcome.reason;
    about.ghl_id = outcome.ghl_id;
    about.ms = clock_mono_ms() - began;
    log_event(d->app->log, LOG_LEVEL_INFO, outcome.result == SYNC_DONE ? "synced" : "drained", &about,
              outcome.result == SYNC_DONE ? "A waiting order is in GHL" : "A waiting order was looked at");
    count(d, outcome.result);
}

/* -- before their time -- */

/* What holds all orders is tried at once, too: a person asked for it. */
static enum store_result release(struct drain *d)
{
    struct orders *orders = &d->app->orders;
    enum store_result result = orders_limiter_release(orders);

    if (result == STORE_OK)
        result = orders_look(orders);
    if (result == STORE_OK)
        (void)hold_lift(d->app, location_hold(&orders->location),
                        true); /* the orders are tried in any case */
    d->released = result == STORE_OK;
    return result;
}

/* The next page of those that wait. NONE: a whole pass over them took none. */
static enum store_result list(struct drain *d)
{
    bool first = d->listed < PAGE;
    const struct store_entry last = first ? (struct store_entry){.at_ms = 0} : d->page[PAGE - 1];

    if (first && !d->took_one)
        return STORE_NONE;
    if (first)
        d->took_one = false;
    d->next = d->listed = 0;
    return store_list(d->app->store, INDEX_DUE, last.at_ms, last.key, PAGE, d->page, &d->listed);
}

/* OK: an order was worked on. NONE: each was tried since the run began, by this drain or another. */
static enum store_result take_early(struct drain *d)
{
    struct order_work work = {0};
    enum store_result result = d->released ? STORE_OK : release(d);

    while (result == STORE_OK || result == STORE_NONE) {
        if (is_stopped(d))
            return STORE_NONE;
        if (d->next == d->listed && (result = list(d)) != STORE_OK)
            return result;
        if (d->next == d->listed)
            continue;
        int64_t began_ms = store_now_ms(d->app->store) - (clock_mono_ms() - d->began_boot_ms);
        result = orders_lease(&d->app->orders, d->page[d->next].key, began_ms, &work);
        d->next += result == STORE_OK || result == STORE_NONE; /* otherwise it comes again */
        if (result == STORE_OK) {
            d->took_one = true;
            work_on(d, &work);
            return STORE_OK;
        }
    }
    return result;
}

/* -- the loop -- */

static void move_spool(struct app *app)
{
    long moved = unspool(app);

    if (moved <= 0)
        return;
    log_event(app->log, LOG_LEVEL_INFO, "unspooled", NULL, "%ld files of the spool are in the store", moved);
    heartbeat_tell_spool(app, true);
}

/* What is to be done now and then. False if the store does not answer. */
static bool do_chores(struct drain *d)
{
    int64_t now = clock_mono_ms();

    if (now >= d->spool_mono_ms) {
        move_spool(d->app);
        d->spool_mono_ms = clock_mono_ms() + SPOOL_MS;
    }
    if (!d->options->heartbeat)
        return true;
    if (now >= d->heartbeat_mono_ms) {
        if (!heartbeat_beat(d->app))
            return false;
        d->heartbeat_mono_ms = now + HEARTBEAT_MS;
    }
    if (now >= d->journal_mono_ms) {
        journal_keep(d->app);
        journal_fold(d->app);
        d->journal_mono_ms = now + JOURNAL_MS;
    }
    if (now >= d->upkeep_mono_ms) {
        if (!upkeep(d->app))
            return false;
        bring_left_behind(d->app);
        if (d->options->look_after)
            d->options->look_after(d->app);
        alert_look(d->app);
        d->upkeep_mono_ms = now + UPKEEP_MS;
    }
    return true;
}

/* No configured key opens a body that waits. */
static void tell_sealed(struct app *app)
{
    struct error *why = &app->orders.sealed;

    if (*why->text)
        (void)alert_raise(app, ALERT_SEALED, "Orders that wait cannot be opened, and stay: %s", why->text);
    *why = (struct error)ERROR_NONE;
}

/* OK: go on at once. NONE: nothing is to be done now. Anything else: the store cannot be used, for `e`. */
static enum store_result look(struct drain *d, struct orders_wait *wait, struct error *e)
{
    struct app *app = d->app;
    struct order_work work = {0};
    enum store_result result;

    (void)app_refresh(app);
    if (!app->config_ok) {
        error_set(e, "the settings are refused");
        return STORE_UNAVAILABLE;
    }
    if (!app_ready(app, e))
        return STORE_UNAVAILABLE;
    result = do_chores(d) ? STORE_NONE : STORE_UNAVAILABLE;
    if (result == STORE_NONE && d->early) {
        result = take_early(d);
        d->early = result != STORE_NONE;
        if (result == STORE_NONE && !d->options->watch)
            return result;
    }
    if (result != STORE_NONE)
        return result;
    result = orders_lease_due(&app->orders, &work, wait);
    if (result == STORE_OK)
        work_on(d, &work);
    tell_sealed(app);
    if (result == STORE_NONE && wait->hold != HOLD_NONE && hold_lift(app, wait->hold, false))
        result = STORE_OK;
    return result;
}

static void complain(struct drain *d, const struct error *e)
{
    struct app *app = d->app;
    const char *trouble = *e->text || !app->store ? e->text : store_trouble(app->store);

    if (!d->complained) {
        log_event(app->log, LOG_LEVEL_ERROR, "store", NULL, "The drain cannot read the queue: %s", trouble);
        (void)alert_raise(app, ALERT_STORE, "The drain cannot read the queue: %s", trouble);
    }
    d->complained = true;
}

/* Those who do not ask `check` or `status` find it in the log. */
static void tell_durability(struct app *app)
{
    struct store_about about;
    struct error e = ERROR_NONE;

    if (app->config_ok && app_ready(app, &e) && store_about(app->store, &about) == STORE_OK &&
        *about.durability)
        log_event(app->log, LOG_LEVEL_WARN, "store", NULL, "What the store may lose: %s", about.durability);
}

/* How many wait; -1 = nobody knows. */
static long count_waiting(struct app *app)
{
    struct store_sizes sizes;

    return app->store && store_sizes(app->store, &sizes) == STORE_OK ? (long)sizes.count[INDEX_DUE] : -1;
}

/* A drain that watches waits for the next order, or for a store that is away. False = it ends. */
static bool rest(const struct drain *d, const struct orders_wait *wait)
{
    int64_t ms = wait->hold == HOLD_NONE && wait->next_due_ms >= 0 && wait->next_due_ms < POLL_MS
                     ? wait->next_due_ms
                     : POLL_MS;
    return d->options->watch && clock_sleep_ms(ms > 10 ? ms : 10, d->app->stop);
}

/* Once, and whenever it changes: does it read the queue? */
static void tell_manager(struct drain *d, bool good)
{
    if (!d->options->watch || (d->told_manager && d->told_good == good))
        return;
    notify_manager(good ? "READY=1\nSTATUS=Brings waiting orders to GHL"
                        : "READY=1\nSTATUS=The queue cannot be read: see the log, or woo_ghl check");
    d->told_manager = true;
    d->told_good = good;
}

static bool run(struct drain *d)
{
    struct app *app = d->app;
    enum store_result result = STORE_NONE;
    struct orders_wait wait;

    if (d->options->watch)
        tell_durability(app);
    do {
        struct error e = ERROR_NONE;
        if (is_stopped(d))
            break;
        wait = (struct orders_wait){.next_due_ms = -1};
        result = look(d, &wait, &e);
        tell_manager(d, result == STORE_OK || result == STORE_NONE);
        if (result == STORE_OK || result == STORE_NONE)
            d->complained = false;
        else
            complain(d, &e);
    } while (result == STORE_OK || rest(d, &wait));
    d->counts->left_mono_ms = clock_mono_ms();
    d->counts->left = count_waiting(app);
    journal_keep(app);
    if (d->options->heartbeat && app->store)
        journal_fold(app);
    return result == STORE_OK || result == STORE_NONE || (d->options->watch && app->stop && *app->stop);
}

bool drain_run(struct app *app, const struct drain_options *options, struct drain_counts *counts)
{
    struct error e = ERROR_NONE;
    struct drain d = {.app = app,
                      .options = options,
                      .counts = counts,
                      .end_mono_ms = CLOCK_NEVER,
                      .journal_mono_ms = clock_mono_ms() + JOURNAL_MS,
                      .early = options->now,
                      .took_one = true,
                      .began_boot_ms = options->began_boot_ms ? options->began_boot_ms : clock_mono_ms()};

    *counts = (struct drain_counts){.left = -1};
    if (options->budget_ms != CLOCK_NEVER)
        d.end_mono_ms = clock_mono_ms() + options->budget_ms;
    if (options->progress && app->config_ok && app_ready(app, &e))
        d.waited = count_waiting(app);
    return run(&d);
}

/* -- several at once -- */

#define LOOK_MS 200 /* how often a stop is looked for */

/* The child's whole life. It tells its counts if it could drain, nothing otherwise. */
static void job(const struct drain_options *options, volatile int *stop, int say)
{
    struct app app;
    struct drain_counts counts;
    bool good = (app_open(&app, stop) || options->watch) && drain_run(&app, options, &counts) &&
                write(say, &counts, sizeof counts) == (ssize_t)sizeof counts;

    app_close(&app);
    _exit(good ? EXIT_SUCCESS : EXIT_FAILURE);
}

static void add(struct drain_counts *sum, const struct drain_counts *one)
{
    sum->done += one->done;
    sum->nothing += one->nothing;
    sum->queued += one->queued;
    sum->dead += one->dead;
    /* The queue is one: who asked last knows best, whoever told it first. */
    if (one->left_mono_ms > sum->left_mono_ms ||
        (one->left_mono_ms == sum->left_mono_ms && one->left < sum->left)) {
        sum->left = one->left;
        sum->left_mono_ms = one->left_mono_ms;
    }
}

/* Reads what the jobs tell until all of them have left. */
static void listen_to(int from, const pid_t pid[], int n, volatile const int *stop, struct drain_counts *sum)
{
    struct pollfd end = {.fd = from, .events = POLLIN};
    struct drain_counts one;
    bool told = false;

    for (;;) {
        if (stop && *stop && !told) {
            for (int i = 0; i < n; i++)
                if (pid[i] > 0)
                    (void)kill(pid[i], SIGTERM); /* one that has left already needs none */
            told = true;
        }
        if (poll(&end, 1, LOOK_MS) <= 0)
            continue;
        if (read(from, &one, sizeof one) != (ssize_t)sizeof one)
            return;
        add(sum, &one);
    }
}

bool drain_jobs(int jobs, const struct drain_options *options, volatile int *stop,
                struct drain_counts *counts)
{
    struct drain_options each = *options;
    pid_t pid[DRAIN_JOBS_MAX];
    int ends[2];
    bool good = true;

    *counts = (struct drain_counts){.left = -1};
    each.began_boot_ms = clock_mono_ms(); /* for all of them: none tries again what another one tried */
    if (pipe(ends) != 0)
        return false;
    fflush(NULL);
    for (int i = 0; i < jobs; i++) {
        pid[i] = fork();
        if (pid[i] == 0) {
            close(ends[0]);
            job(&each, stop, ends[1]);
        }
        good = good && pid[i] > 0;
    }
    close(ends[1]);
    if (options->watch) /* systemd hears the main process alone */
        notify_manager("READY=1\nSTATUS=Brings waiting orders to GHL, in several processes");
    listen_to(ends[0], pid, jobs, stop, counts);
    close(ends[0]);
    for (int i = 0; i < jobs; i++) {
        int status = 0;
        if (pid[i] > 0 && (waitpid(pid[i], &status, 0) != pid[i] || status != 0))
            good = false;
    }
    return good;
}
