/* What is counted and noted reaches the store once, stays bounded, and is never waited for. */
#include "app/journal.h"
#include "app/place.h"
#include "app/ready.h"
#include "base/clock.h"
#include "sandbox.h"
#include "tap.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

static void note_one(struct app *app, int n, int64_t at_ms)
{
    char key[32];

    snprintf(key, sizeof key, "shop:%d", n);
    tally_note(&app->tally, &(struct tally_told){.at_ms = at_ms,
                                                 .took_ms = n,
                                                 .kind = "received",
                                                 .key = key,
                                                 .what = "queued",
                                                 .why = "a \"word\"\n<of> \xc3\xa4 blanks",
                                                 .id = "0123456789abcdef",
                                                 .parts = "processing"});
}

static void note(struct app *app, int from, int to)
{
    for (int n = from; n < to; n++) {
        note_one(app, n, 0);
        if (n % 100 == 99)
            journal_keep(app);
    }
    journal_keep(app);
    journal_fold(app);
}

struct seen {
    int n, first, last, stop_after;
    struct tally_event event;
};

static bool see(const struct tally_event *event, void *context)
{
    struct seen *seen = context;

    seen->last = (int)strtol(event->key + 5, NULL, 10);
    if (!seen->n++) {
        seen->first = seen->last;
        seen->event = *event;
    }
    return seen->n != seen->stop_after;
}

static struct seen look(struct app *app, int stop_after)
{
    struct seen seen = {.stop_after = stop_after};

    ok(journal_each(app, see, &seen) == STORE_OK, "the journal is read");
    return seen;
}

static int64_t sum(struct app *app, const char *name)
{
    struct tally_counts counts;

    return journal_sums(app, &counts) == STORE_OK ? tally_of(&counts, name) : -1;
}

static int64_t on_day(struct app *app, int days_ago, const char *name)
{
    struct tally_counts counts;

    return journal_day(app, days_ago, &counts) == STORE_OK ? tally_of(&counts, name) : -1;
}

/* -- then -- */

static void counting(struct app *app)
{
    tally_count(&app->tally, "received", "queued");
    tally_count(&app->tally, "received", "queued");
    tally_count(&app->tally, "received", "no such answer");
    tally_took(&app->tally, 5);
    tally_took(&app->tally, 6);
    tally_took(&app->tally, 10001);
    tally_add(&app->tally.counts, TALLY_LAST_ORDER, 200);
    is_int(sum(app, "received/queued"), 0, "nothing is written while a delivery is in hand");
    ok(!tally_is_kept(&app->config), "nor to the file");
    journal_keep(app);
    ok(tally_is_kept(&app->config), "then it is in the file");
    is_int(sum(app, "received/queued"), 0, "and not in the store");
    journal_keep(app);
    journal_fold(app);
    journal_fold(app);
    is_int(sum(app, "received/queued"), 2, "it is folded once");
    is_int(on_day(app, 0, "received/queued"), 2, "of today, too");
    is_int(on_day(app, 1, "received/queued"), 0, "not of yesterday");
    is_int(sum(app, "took/5"), 1, "an answer of 5 ms");
    is_int(sum(app, "took/10"), 1, "of 6 ms");
    is_int(sum(app, "took/+Inf"), 1, "of more than 10 s");
    is_int(sum(app, TALLY_TOOK), 10012, "all of them together");
    tally_count(&app->tally, "received", "queued");
    tally_add(&app->tally.counts, TALLY_LAST_ORDER, 100);
    journal_keep(app);
    journal_fold(app);
    is_int(sum(app, "received/queued"), 3, "sums grow");
    is_int(sum(app, TALLY_LAST_ORDER), 200, "the last order is the latest");
}

static void events(struct app *app)
{
    struct seen seen = look(app, 0);

    is_int(seen.n, 0, "no event yet");
    note(app, 0, 3);
    seen = look(app, 0);
    is_int(seen.n, 3, "three events");
    is_int(seen.first, 2, "the newest first");
    is_int(seen.last, 0, "the oldest last");
    is_str(seen.event.why, "a_\"word\"_<of>____blanks", "a word holds no blank and nothing but ASCII");
    is_str(seen.event.number, "-", "none");
    is_int(look(app, 2).n, 2, "who has enough stops");
    note(app, 3, JOURNAL_EVENTS + 500);
    seen = look(app, 0);
    ok(seen.n <= JOURNAL_EVENTS && seen.n > JOURNAL_EVENTS - 40, "at most 10,000 events are kept: %d",
       seen.n);
    is_int(seen.first, JOURNAL_EVENTS + 499, "the newest of them");
    is_int(seen.last, JOURNAL_EVENTS + 500 - seen.n, "and no gap");

    note_one(app, 1, clock_wall_ms() - (JOURNAL_DAYS * 24LL * 3600 + 1) * 1000);
    journal_keep(app);
    journal_fold(app);
    is_int(look(app, 0).n, 0, "nothing is shown from 30 days ago and before");
}

/* A process that is stopped has the lock: the others go on, and what they have stays in hand. */
static void locked(struct app *app)
{
    struct error e = ERROR_NONE;
    int64_t before = sum(app, "received/ping"), began = clock_mono_ms();

    tally_count(&app->tally, "received", "ping");
    journal_keep(app); /* the file is there */
    int fd = place_open(&app->config, "journal", O_RDONLY, &e);
    ok(fd >= 0 && flock(fd, LOCK_EX) == 0, "another process has the lock");
    tally_count(&app->tally, "received", "ping");
    journal_keep(app);
    ok(journal_keep_now_and_then(app), "what could not be written stays in hand");
    journal_fold(app);
    ok(clock_mono_ms() - began < 60000, "nobody waits");
    is_int(sum(app, "received/ping"), before, "nothing is folded");
    close(fd);
    journal_keep(app);
    ok(!journal_keep_now_and_then(app), "then nothing is in hand");
    journal_fold(app);
    is_int(sum(app, "received/ping"), before + 2, "and nothing is lost");
}

/* Events that follow each other closely share a write; what waits says for how long. */
static void burst(struct app *app)
{
    int writes = 0, most = 0;

    for (int i = 0; i < 200; i++) {
        note_one(app, i, 0);
        int64_t left_ms = journal_keep_now_and_then(app);
        writes += !left_ms;
        most = left_ms > most ? (int)left_ms : most;
    }
    ok(writes < 100, "200 events at once take %d writes", writes);
    ok(writes == 200 || (most > 0 && most <= 20), "what is left is called for in %d ms", most);
    journal_keep(app);
    ok(!app->tally.events.len, "and kept then");
    journal_fold(app);
}

/* Nothing folds: the file grows to its end, and no further. */
static void full(struct app *app)
{
    struct store *store = app->store;
    int64_t size = 0, most = 0;

    app->store = NULL;
    for (int i = 0; i < 20000; i++) {
        note_one(app, i, 0);
        if (i % 100 == 99 && (size = tally_keep(&app->tally, &app->config)) > most)
            most = size;
    }
    app->store = store;
    ok(most > 1024L * 1024 && most < TALLY_KEPT_MAX, "the file has a largest size: %lld", (long long)most);
    journal_fold(app);
    ok(!tally_is_kept(&app->config), "and is folded whole");
    ok(look(app, 0).n > 1000, "its events are there");
}

#define WORKERS 4
#define EACH 50

/* A worker's life: each answer is counted, noted, written down and folded at once. */
static void work(const struct sandbox *sandbox)
{
    struct app app;

    if (!sandbox_open(sandbox, NULL, &app))
        _exit(1);
    struct error e = ERROR_NONE;
    bool good = app_ready(&app, &e);
    for (int i = 0; good && i < EACH; i++) {
        note_one(&app, i, 0);
        tally_count(&app.tally, "received", "foreign");
        journal_keep(&app);
        journal_fold(&app);
    }
    for (int tries = 0; journal_keep_now_and_then(&app) && tries < 1000; tries++)
        (void)clock_sleep_ms(1, NULL);
    app_close(&app);
    _exit(good ? 0 : 1);
}

/* Nothing is lost or counted twice if many processes fold at once. */
static void together(const struct sandbox *sandbox, struct app *app)
{
    int64_t before = sum(app, "received/foreign");
    pid_t pid[WORKERS];

    fflush(stdout);
    for (int i = 0; i < WORKERS; i++)
        if ((pid[i] = fork()) == 0)
            work(sandbox);
    for (int i = 0; i < WORKERS; i++) {
        int status = -1;
        ok(pid[i] > 0 && waitpid(pid[i], &status, 0) == pid[i] && status == 0, "worker %d", i);
    }
    journal_fold(app);
    is_int(sum(app, "received/foreign"), before + WORKERS * EACH, "each is counted once");
    is_int(look(app, WORKERS * EACH).n, WORKERS * EACH, "and noted");
}

int main(void)
{
    struct sandbox sandbox;
    struct app app;

    if (!ok(sandbox_begin(&sandbox), "a directory") || !ok(sandbox_app(&sandbox, NULL, &app), "an app"))
        return tap_done();
    counting(&app);
    events(&app);
    locked(&app);
    together(&sandbox, &app);
    burst(&app);
    full(&app);
    app_close(&app);
    sandbox_end(&sandbox);
    return tap_done();
}
