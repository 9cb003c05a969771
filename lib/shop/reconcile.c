#include "shop/reconcile.h"
#include "accept/accept.h"
#include "app/alert.h"
#include "base/clock.h"
#include "base/files.h"
#include "order/order.h"
#include "worker/unspool.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define LAST "reconcile/last/%s"  /* of the shop's site */
#define OVERLAP_S 600             /* a change may show late, and clocks differ */
#define LOSS_S (30LL * 24 * 3600) /* before a loss */
#define PER_PAGE 50               /* a slow shop needs some 20 s for a hundred */
#define EXCLUDE_MAX 6000          /* bytes: web servers take addresses of 8 KB */
#define UNKNOWN_S INT64_MAX
#define UNMOVED_MAX 10000  /* orders in a row of which none is new: more is no shop's answer */
#define AWAY_S (24 * 3600) /* a shop that is away for so long is a person's business */

/* One that was read and may come again. */
struct seen {
    char id[24];
    int64_t modified_s;
};

/* One run. */
struct run {
    struct app *app;
    const struct reconcile_options *options;
    struct reconcile_counts *counts;
    struct error *e;
    struct woo *woo;
    int64_t began_s; /* woo_page's asked_s; UNKNOWN_S until the shop answered */
};

/* All orders of one kind, by modified time. */
struct walk {
    struct run *run;
    struct woo_query query;
    struct woo_page page;
    struct seen *seen; /* owned: those that were read, modified at query.from_s or later */
    size_t seen_count;
    struct buf exclude;
    size_t excluded;  /* the first of them, as many as an address can name */
    size_t unmoved;   /* how far a page was that brought nothing new */
    size_t step_back; /* so much less far, because the page before does not reach to this one */
};

/* -- since when -- */

/* What is kept of the last run: when it began, and which loss it knew of. */
struct last {
    int64_t began_s;   /* woo_page's asked_s; 0 = there was none */
    int64_t forgot_ms; /* stats' */
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
        last->forgot_ms = strtoll(end, NULL, 10);
    }
    free(text);
    return result == STORE_OK || result == STORE_NONE;
}

static enum store_result write_last(struct app *app, const struct last *last)
{
    char text[64], *name = name_of_last(app);

    snprintf(text, sizeof text, "%" PRId64 " %" PRId64, last->began_s, last->forgot_ms);
    enum store_result result = name ? store_put(app->store, name, text, 0, false, NULL) : STORE_UNAVAILABLE;
    free(name);
    return result;
}

/* What this run has to look at: s since 1970. Never what was before the store was first used: the shop's past
 * is not for GHL. */
static int64_t since(const struct store_stats *stats, const struct last *last)
{
    int64_t now_s = clock_wall_ms() / 1000, used_s = now_s - stats->used_age_s,
            since_s = (last->began_s > 0 ? last->began_s : used_s) - OVERLAP_S,
            loss_s = stats->forgot_ms / 1000 - LOSS_S;

    if (since_s > now_s) /* a clock was set back: nobody knows when that was */
        since_s = now_s - LOSS_S;
    if (loss_s < used_s - OVERLAP_S)
        loss_s = used_s - OVERLAP_S;
    if (stats->forgot_ms != last->forgot_ms && loss_s < since_s)
        since_s = loss_s;
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

static bool is_stopped(const struct run *run)
{
    return run->app->stop && *run->app->stop;
}

static void count(struct reconcile_counts *counts, enum intake_fetched became)
{
    counts->read++;
    switch (became) {
    case FETCHED_FAILED: counts->read--; break;
    case FETCHED_TAKEN: counts->taken++; break;
    case FETCHED_KNOWN: counts->known++; break;
    case FETCHED_IGNORED: counts->ignored++; break;
    case FETCHED_FOREIGN: counts->foreign++; break;
    }
}

static bool take(struct run *run, const struct woo_page *page, const struct woo_item *item)
{
    const struct intake_read read = {.bytes = item->bytes,
                                     .len = item->len,
                                     .source = run->app->config.woo_url,
                                     .ago_ms = clock_mono_ms() - page->asked_mono_ms};
    enum intake_fetched became = intake_fetch(run->app, &read, run->e);

    count(run->counts, became);
    return became != FETCHED_FAILED;
}

/* -- the walk -- */

static struct seen *find(struct walk *walk, const char *id)
{
    for (size_t i = 0; i < walk->seen_count; i++)
        if (!strcmp(walk->seen[i].id, id))
            return &walk->seen[i];
    return NULL;
}

static bool remember(struct walk *walk, const struct woo_item *item)
{
    struct seen *known = find(walk, item->id);

    if (!known) {
        struct seen *more = realloc(walk->seen, (walk->seen_count + 1) * sizeof *more);
        if (!more) {
            error_set(walk->run->e, "out of memory");
            return false;
        }
        walk->seen = more;
        known = &more[walk->seen_count++];
        memcpy(known->id, item->id, sizeof known->id);
    }
    known->modified_s = item->modified_s;
    return true;
}

/* From this second on. Those of before do not come again, unless they change, and then they shall. */
static void go_on_from(struct walk *walk, int64_t from_s)
{
    size_t kept = 0;

    for (size_t i = 0; i < walk->seen_count; i++)
        if (walk->seen[i].modified_s >= from_s)
            walk->seen[kept++] = walk->seen[i];
    walk->seen_count = kept;
    walk->query.from_s = from_s;
    walk->unmoved = walk->step_back = 0;
}

/* Those that were read are left out; of more than an address can name the rest is stepped over, to half a
 * page before its end. */
static bool prepare(struct walk *walk)
{
    size_t half = walk->query.per_page / 2;

    buf_reset(&walk->exclude);
    walk->excluded = 0;
    for (; walk->excluded < walk->seen_count && walk->exclude.len < EXCLUDE_MAX; walk->excluded++)
        if (!buf_addf(&walk->exclude, "%s%s", walk->excluded ? "," : "", walk->seen[walk->excluded].id)) {
            error_set(walk->run->e, "out of memory");
            return false;
        }
    size_t rest = walk->seen_count - walk->excluded, back = half + walk->step_back;
    walk->query.exclude = walk->exclude.data;
    walk->query.offset = walk->unmoved + (rest > back ? rest - back : 0);
    return true;
}

/* The newest time of the page by which the walk can go on. What was changed after the run began may have been
 * changed after its place in the list was found: its time says nothing of those behind it. */
static int64_t reached(const struct walk *walk)
{
    int64_t reached_s = walk->query.from_s;

    for (size_t i = 0; i < walk->page.count; i++) {
        int64_t modified_s = walk->page.item[i].modified_s;
        if (modified_s > reached_s && modified_s < walk->run->began_s)
            reached_s = modified_s;
    }
    return reached_s;
}

/* May there be an order between this page and what was read before? There is none if the page begins with one
 * of those, unchanged: whatever changes moves to the end. */
static bool has_gap(struct walk *walk)
{
    const struct woo_item *first = walk->page.item;

    if (walk->seen_count <= walk->excluded || walk->query.offset <= walk->unmoved)
        return false;
    const struct seen *known = walk->page.count > 0 ? find(walk, first->id) : NULL;
    return !known || known->modified_s != first->modified_s;
}

static void show_progress(const struct walk *walk)
{
    const struct run *run = walk->run;
    long left = walk->page.total > (int64_t)walk->query.offset
                    ? (long)(walk->page.total - (int64_t)walk->query.offset - (int64_t)walk->page.count)
                    : 0;

    if (run->options->progress)
        run->options->progress(run->counts->read, run->counts->read + (left > 0 ? left : 0));
}

/* *fresh = how many will not come again. */
static enum reconcile_result take_page(struct walk *walk, size_t *fresh)
{
    struct run *run = walk->run;

    *fresh = 0;
    for (size_t i = 0; i < walk->page.count; i++) {
        const struct woo_item *item = &walk->page.item[i];
        const struct seen *known = find(walk, item->id);
        if (is_stopped(run))
            return RECONCILE_STOPPED;
        if (known && known->modified_s == item->modified_s)
            continue;
        if (!take(run, &walk->page, item))
            return RECONCILE_STORE_AWAY;
        if (!*item->id)
            continue; /* nothing can leave it out */
        if (!remember(walk, item))
            return RECONCILE_STORE_AWAY;
        (*fresh)++;
    }
    return RECONCILE_DONE;
}

static enum reconcile_result result_of(enum woo_result result)
{
    switch (result) {
    case WOO_OK: return RECONCILE_DONE;
    case WOO_AWAY: return RECONCILE_SHOP_AWAY;
    case WOO_STOPPED: return RECONCILE_STOPPED;
    case WOO_NONE:
    case WOO_REFUSED: break;
    }
    return RECONCILE_REFUSED;
}

/* Nothing new came: on behind it, as far as a shop can mean it. */
static enum reconcile_result step_over(struct walk *walk)
{
    walk->unmoved += walk->query.per_page;
    if (walk->unmoved < UNMOVED_MAX)
        return RECONCILE_DONE;
    error_set(walk->run->e,
              "%s shows nothing new any more, but does not end: no cache may answer in the shop's place, and "
              "the key's user must be an administrator or shop manager, who sees every order",
              walk->run->app->config.woo_url);
    return RECONCILE_REFUSED;
}

/* One page. *more = there may be others. */
static enum reconcile_result step(struct walk *walk, bool *more)
{
    struct run *run = walk->run;
    size_t fresh;

    if (is_stopped(run))
        return RECONCILE_STOPPED;
    if (!prepare(walk))
        return RECONCILE_STORE_AWAY;
    enum reconcile_result result = result_of(woo_orders(run->woo, &walk->query, &walk->page, run->e));
    if (result != RECONCILE_DONE)
        return result;
    if (run->began_s == UNKNOWN_S)
        run->began_s = walk->page.asked_s;
    if (has_gap(walk)) {
        walk->step_back += walk->query.per_page / 2 + 1;
        return RECONCILE_DONE;
    }
    result = take_page(walk, &fresh);
    if (result != RECONCILE_DONE)
        return result;
    show_progress(walk);
    int64_t told = (int64_t)(walk->query.offset + walk->query.per_page);
    *more = walk->page.total < 0 ? walk->page.count > 0 : told < walk->page.total;
    int64_t from_s = reached(walk);
    if (from_s > walk->query.from_s)
        go_on_from(walk, from_s);
    else if (fresh == 0 && *more)
        return step_over(walk);
    return RECONCILE_DONE;
}

static enum reconcile_result read_all(struct run *run, const char *status)
{
    struct walk walk = {.run = run,
                        .query = {.status = status, .from_s = run->counts->since_s, .per_page = PER_PAGE}};
    enum reconcile_result result = RECONCILE_DONE;

    buf_init(&walk.exclude, EXCLUDE_MAX + sizeof walk.seen->id + 1);
    http_answer_init(&walk.page.answer);
    for (bool more = true; more && result == RECONCILE_DONE;)
        result = step(&walk, &more);
    woo_page_free(&walk.page);
    buf_free(&walk.exclude);
    free(walk.seen);
    return result;
}

/* -- a run -- */

static enum reconcile_result store_failed(const struct run *run)
{
    error_set(run->e, "the store does not answer: %s", store_trouble(run->app->store));
    return RECONCILE_STORE_AWAY;
}

/* It went well. First the time: a wish that outlives it costs one run more. */
static enum reconcile_result finish(struct run *run, const struct store_stats *stats)
{
    const struct last last = {.began_s = run->began_s, .forgot_ms = stats->forgot_ms};

    if (write_last(run->app, &last) != STORE_OK ||
        store_reconciled(run->app->store, stats->reconcile_wanted) == STORE_UNAVAILABLE)
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
    if (result == RECONCILE_REFUSED ||
        (result == RECONCILE_SHOP_AWAY && clock_wall_ms() / 1000 - due_s > AWAY_S))
        (void)alert_raise(run->app, ALERT_SHOP,
                          "The shop's orders cannot be read, those whose webhook never came stay unknown: %s",
                          run->e->text);
}

/* Two at once do no harm, but those that a timer starts must not pile up at a slow shop. *fd is for end_turn.
 * False: another runs on this machine. */
static bool take_turn(const struct app *app, int *fd)
{
    struct error e = ERROR_NONE;
    int dir = files_open_dir(app->config.data_dir, &e);

    *fd = dir < 0 ? -1 : openat(dir, "reconcile.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (dir >= 0)
        close(dir);
    return *fd < 0 || flock(*fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
}

static void end_turn(int fd)
{
    if (fd >= 0)
        close(fd);
}

static enum reconcile_result read_shop(struct run *run, const struct store_stats *stats, int64_t due_s)
{
    enum reconcile_result result;

    run->woo = woo_new(&run->app->config, run->app->log, run->app->stop, run->e);
    if (!run->woo)
        return RECONCILE_REFUSED;
    /* An end that is read must not overtake a sale that lies there. */
    (void)unspool(run->app); /* what does not move now is told where it matters */
    result = read_all(run, "any");
    if (result == RECONCILE_DONE)
        result = read_all(run, "trash");
    if (result == RECONCILE_DONE && run->counts->since_s <= due_s)
        result = finish(run, stats);
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
    struct run run = {.app = app, .options = options, .counts = counts, .e = e, .began_s = UNKNOWN_S};
    struct store_stats stats;
    struct last last;
    int turn;

    *counts = (struct reconcile_counts){0};
    if (store_stats(app->store, &stats) != STORE_OK || !read_last(app, &last))
        return store_failed(&run);
    if (options->if_wanted && !stats.reconcile_wanted)
        return RECONCILE_NOT_WANTED;
    int64_t due_s = since(&stats, &last);
    counts->since_s = options->since_s > 0 ? options->since_s : due_s;
    bool mine = take_turn(app, &turn);
    enum reconcile_result result =
        mine || !options->if_wanted ? read_shop(&run, &stats, due_s) : RECONCILE_UNDER_WAY;
    end_turn(turn);
    return result;
}

/* -- one order -- */

static bool explain(enum intake_fetched became, struct error *e)
{
    switch (became) {
    case FETCHED_TAKEN: return true;
    case FETCHED_FAILED: break; /* it is explained */
    case FETCHED_KNOWN:
        error_set(e, "the store knows a newer state of it than the shop has: has the shop been set back?");
        break;
    case FETCHED_IGNORED:
        error_set(
            e,
            "what the shop holds of it now needs nothing in GHL (its status is not mapped, or it was never "
            "sold): drop it");
        break;
    case FETCHED_FOREIGN:
        error_set(e, "it is of another shop than WOO_URL's: set WOO_URL to that shop for this command");
        break;
    }
    return false;
}

bool reconcile_order(struct app *app, struct woo *woo, const char *key, struct error *e)
{
    const char *colon = strrchr(key, ':'), *id = colon ? colon + 1 : "";
    struct woo_page page = {0};

    if (!*id || id[strspn(id, "0123456789")]) {
        error_set(e, "its bytes were no order, so it cannot be read from the shop again: drop it");
        return false;
    }
    http_answer_init(&page.answer);
    enum woo_result result = woo_order(woo, id, &page, e);
    bool good = result == WOO_OK;
    if (result == WOO_NONE)
        error_set(e, "the shop has no such order any more: drop it");
    if (good) {
        const struct intake_read read = {.bytes = page.item[0].bytes,
                                         .len = page.item[0].len,
                                         .source = app->config.woo_url,
                                         .ago_ms = clock_mono_ms() - page.asked_mono_ms,
                                         .only_key = key};
        good = explain(intake_fetch(app, &read, e), e);
    }
    woo_page_free(&page);
    return good;
}
