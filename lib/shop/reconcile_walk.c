#include "shop/reconcile_work.h"
#include <stdlib.h>
#include <string.h>

#define PER_PAGE 50       /* a slow shop needs some 20 s for a hundred */
#define EXCLUDE_MAX 6000  /* bytes: web servers take addresses of 8 KB */
#define UNMOVED_MAX 10000 /* orders in a row of which none is new: more is no shop's answer */

/* One that was read and may come again. */
struct listed {
    char id[24];
    int64_t modified_s;
};

/* All orders of one kind, by modified time. */
struct walk {
    struct run *run;
    struct woo_query query;
    struct woo_page page;
    struct listed *listed; /* owned: those that were read, modified at query.from_s or later */
    size_t listed_count;
    struct buf exclude;
    size_t excluded;  /* the first of them, as many as an address can name */
    size_t unmoved;   /* how far a page was that brought nothing new */
    size_t step_back; /* so much less far, because the page before does not reach to this one */
};

static bool is_stopped(const struct run *run)
{
    return run->app->stop && *run->app->stop;
}

static struct listed *find(struct walk *walk, const char *id)
{
    for (size_t i = 0; i < walk->listed_count; i++)
        if (!strcmp(walk->listed[i].id, id))
            return &walk->listed[i];
    return NULL;
}

static bool remember(struct walk *walk, const struct woo_item *item)
{
    struct listed *known = find(walk, item->id);

    if (!known) {
        struct listed *more = realloc(walk->listed, (walk->listed_count + 1) * sizeof *more);
        if (!more) {
            error_set(walk->run->e, "out of memory");
            return false;
        }
        walk->listed = more;
        known = &more[walk->listed_count++];
        memcpy(known->id, item->id, sizeof known->id);
    }
    known->modified_s = item->modified_s;
    return true;
}

/* From this second on. Those of before do not come again, unless they change, and then they shall. */
static void go_on_from(struct walk *walk, int64_t from_s)
{
    size_t kept = 0;

    for (size_t i = 0; i < walk->listed_count; i++)
        if (walk->listed[i].modified_s >= from_s)
            walk->listed[kept++] = walk->listed[i];
    walk->listed_count = kept;
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
    for (; walk->excluded < walk->listed_count && walk->exclude.len < EXCLUDE_MAX; walk->excluded++)
        if (!buf_addf(&walk->exclude, "%s%s", walk->excluded ? "," : "", walk->listed[walk->excluded].id)) {
            error_set(walk->run->e, "out of memory");
            return false;
        }
    size_t rest = walk->listed_count - walk->excluded, back = half + walk->step_back;
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

    if (walk->listed_count <= walk->excluded || walk->query.offset <= walk->unmoved)
        return false;
    const struct listed *known = walk->page.count > 0 ? find(walk, first->id) : NULL;
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
    bool other;

    *fresh = 0;
    for (size_t i = 0; i < walk->page.count; i++) {
        const struct woo_item *item = &walk->page.item[i];
        const struct listed *known = find(walk, item->id);
        if (is_stopped(run))
            return RECONCILE_STOPPED;
        if (known && known->modified_s == item->modified_s)
            continue;
        if (!reconcile_take(run, &walk->page, item, NULL, &other))
            return RECONCILE_STORE_AWAY;
        if (!*item->id)
            continue; /* nothing can leave it out */
        if (!remember(walk, item))
            return RECONCILE_STORE_AWAY;
        (*fresh)++;
    }
    return RECONCILE_DONE;
}

enum reconcile_result reconcile_result_of(enum woo_result result)
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
    enum reconcile_result result =
        reconcile_result_of(woo_orders(run->woo, &walk->query, &walk->page, run->e));
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

enum reconcile_result reconcile_walk(struct run *run, const char *status)
{
    struct walk walk = {.run = run,
                        .query = {.status = status, .from_s = run->counts->since_s, .per_page = PER_PAGE}};
    enum reconcile_result result = RECONCILE_DONE;

    buf_init(&walk.exclude, EXCLUDE_MAX + sizeof walk.listed->id + 1);
    http_answer_init(&walk.page.answer);
    for (bool more = true; more && result == RECONCILE_DONE;)
        result = step(&walk, &more);
    woo_page_free(&walk.page);
    buf_free(&walk.exclude);
    free(walk.listed);
    return result;
}
