#include "cli/status.h"
#include "app/heartbeat.h"
#include "app/left_behind.h"
#include "app/ready.h"
#include "base/text.h"
#include "shop/reconcile.h"
#include "sync/sync.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define LATE_MAX 1000 /* late orders that are counted */

/* What is known of the store. Zero-initialised; `values` is freed by free_facts. */
struct facts {
    struct store_sizes sizes;
    struct location_record location;
    struct store_about about;
    int64_t held_ms; /* GHL's limits hold all calls so long; 0 = they do not */
    char held_reason[RECORD_REASON_SIZE];
    struct store_entry late[LATE_MAX]; /* waiting for longer than RETRY_FOR */
    size_t late_count;
    struct buf counts, unmapped, drains, gone; /* as store_values says */
    struct buf left;                           /* lines of left_behind */
    int64_t reconciled_s;                      /* -1 = never */
    bool undrained;
};

#define COUNTS "count/"
#define UNMAPPED "unmapped/"
#define NAMED 5 /* orders of a kind that are named */

/* -- reading -- */

static bool read_limits(struct app *app, struct facts *f)
{
    const struct limiter_terms terms = orders_limiter_terms(&app->config);
    struct limiter_record limiter;
    int64_t now_ms;

    if (store_read_limiter(app->store, &limiter, &now_ms) != STORE_OK)
        return false;
    memcpy(f->held_reason, limiter.hold_reason, sizeof f->held_reason);
    f->held_ms =
        *f->held_reason ? limiter_take(&limiter, &terms, -1, now_ms) : 0; /* on a copy: nothing is taken */
    return true;
}

static bool read_late(struct app *app, struct facts *f)
{
    if (store_list(app->store, INDEX_AGE, 0, "", LATE_MAX, f->late, &f->late_count) != STORE_OK)
        return false;
    while (f->late_count && f->late[f->late_count - 1].at_ms >= f->sizes.now_ms - app->config.retry_for_ms)
        f->late_count--;
    return true;
}

static bool read_facts(struct app *app, struct facts *f)
{
    struct store *store = app->store;
    int64_t now_ms;

    buf_init(&f->counts, STORE_BLOB_MAX);
    buf_init(&f->unmapped, STORE_BLOB_MAX);
    buf_init(&f->drains, STORE_BLOB_MAX);
    buf_init(&f->gone, STORE_BLOB_MAX);
    buf_init(&f->left, STORE_BLOB_MAX);
    if (store_sizes(store, &f->sizes) != STORE_OK ||
        store_read_location(store, &f->location, &now_ms) != STORE_OK ||
        store_about(store, &f->about) != STORE_OK || !read_limits(app, f) || !read_late(app, f) ||
        store_values(store, COUNTS, &f->counts) != STORE_OK ||
        store_values(store, UNMAPPED, &f->unmapped) != STORE_OK ||
        store_values(store, SYNC_GONE, &f->gone) != STORE_OK ||
        store_values(store, HEARTBEAT_VALUE, &f->drains) != STORE_OK)
        return false;
    left_behind(app, &f->left);
    f->reconciled_s = reconcile_age_s(app);
    f->undrained = drain_is_overdue(app, &f->sizes);
    return true;
}

static void free_facts(struct facts *f)
{
    buf_free(&f->counts);
    buf_free(&f->unmapped);
    buf_free(&f->drains);
    buf_free(&f->gone);
    buf_free(&f->left);
    free(f);
}

/* The next of the values, and the number that it is. The name is without its prefix. NULL = no more. */
static const char *next_value(const struct buf *values, const char *prefix, size_t *at, int64_t *number)
{
    if (*at >= values->len)
        return NULL;
    const char *name = values->data + *at, *value = name + strlen(name) + 1;
    *at = (size_t)(value - values->data) + strlen(value) + 1;
    *number = text_number(value, NULL);
    return name + strlen(prefix);
}

static int64_t oldest_s(const struct facts *f)
{
    int64_t first_ms = f->sizes.first_ms[INDEX_AGE];
    return first_ms && first_ms < f->sizes.now_ms ? (f->sizes.now_ms - first_ms) / 1000 : 0;
}

static int64_t count_gone(const struct facts *f)
{
    size_t at = 0;
    int64_t n = 0, ignored;

    while (next_value(&f->gone, SYNC_GONE, &at, &ignored))
        n++;
    return n;
}

/* -- in words -- */

static void print_holds(const struct facts *f)
{
    int64_t open_ms = breaker_open_ms(&f->location, f->sizes.now_ms);

    if (open_ms > 0)
        printf("breaker open, next try in %lld s\n", (long long)(open_ms / 1000));
    else
        printf("breaker closed, %lld failures in a row\n", (long long)f->location.failures);
    if (f->location.paused_ms)
        printf("paused for %lld s: %s\n", (long long)((f->sizes.now_ms - f->location.paused_ms) / 1000),
               f->location.pause_reason);
    if (f->held_ms > 0)
        printf("GHL's limits hold all calls for %lld s: %s. `woo_ghl drain --now` tries at once\n",
               (long long)((f->held_ms + 999) / 1000), f->held_reason);
}

static void print_gone(const struct facts *f)
{
    size_t at = 0;
    int64_t n = count_gone(f), ignored;

    if (!n)
        return;
    printf("%lld opportunities are gone in GHL and are not made again; `woo_ghl failed retry KEY` makes one "
           "anew:",
           (long long)n);
    for (int i = 0; i < n && i < NAMED; i++)
        printf(" %s", next_value(&f->gone, SYNC_GONE, &at, &ignored));
    printf("%s\n", n > NAMED ? " ..." : "");
}

static void print_queue(const struct facts *f)
{
    size_t at = 0;
    int64_t ms;
    const char *machine;

    printf("waiting %lld, due %lld, oldest %lld s, dead letters %lld\n", (long long)f->sizes.count[INDEX_DUE],
           (long long)f->sizes.due, (long long)oldest_s(f), (long long)f->sizes.count[INDEX_DEAD]);
    print_holds(f);
    if (f->late_count)
        printf("%zu orders%s wait for longer than RETRY_FOR; they are tried on. The oldest:", f->late_count,
               f->late_count == LATE_MAX ? " or more" : "");
    for (size_t i = 0; i < f->late_count && i < NAMED; i++)
        printf(" %s", f->late[i].key);
    if (f->late_count)
        putchar('\n');
    while ((machine = next_value(&f->drains, HEARTBEAT_VALUE, &at, &ms)))
        printf("drain on %s: %lld s ago\n", machine, (long long)((f->sizes.now_ms - ms) / 1000));
    print_gone(f);
    fputs(f->left.data, stdout);
    if (f->undrained)
        printf("nothing has drained for 10 minutes: run `woo_ghl drain` from cron or as a service\n");
    if (*f->about.durability)
        printf("durability: %s\n", f->about.durability);
    if (*f->about.problem)
        printf("problem: %s\n", f->about.problem);
}

static void print_reconcile(const struct app *app, const struct facts *f)
{
    const char *set = *app->config.woo_url ? "" : " (set WOO_URL first)";

    if (f->location.reconcile_ms)
        printf("a reconcile is wanted, because signed bodies came that were no orders, or the store lost "
               "something: run `woo_ghl reconcile`%s\n",
               set);
    if (f->reconciled_s >= 0)
        printf("reconciled %lld s ago\n", (long long)f->reconciled_s);
    else if (!*set)
        printf("never reconciled: run `woo_ghl reconcile` from cron or a timer\n");
}

static void print_counts(const struct facts *f)
{
    size_t at = 0;
    int64_t n;
    const char *word;

    while ((word = next_value(&f->counts, COUNTS, &at, &n))) {
        if (!strcmp(word, "before_start"))
            printf("before the start: %lld deliveries of orders from before woo_ghl was installed "
                   "(SALES_SINCE); they "
                   "made no opportunity\n",
                   (long long)n);
        else if (!strcmp(word, "erased"))
            printf("erased by the shop: %lld deliveries of orders without personal data; GHL_ON_ERASE says "
                   "what GHL "
                   "keeps\n",
                   (long long)n);
        else
            printf("counted %s: %lld\n", word, (long long)n);
    }
}

/* The next paid status that is not mapped; it may have been when they came. NULL = no more. */
static const char *next_unmapped(const struct app *app, const struct buf *statuses, size_t *at, int64_t *n)
{
    const char *word;

    while ((word = next_value(statuses, UNMAPPED, at, n)))
        if (!pair_find(&app->config.status_map, config_plain_status(word)))
            break;
    return word;
}

static void print_unmapped(const struct app *app, const struct facts *f)
{
    size_t at = 0;
    int64_t n;
    const char *word;

    while ((word = next_unmapped(app, &f->unmapped, &at, &n)))
        printf("not mapped: %lld paid orders with the status \"%s\"; to count them, add %s:won to "
               "GHL_STATUS_MAP\n",
               (long long)n, word, word);
}

void status_unmapped(struct app *app, struct findings *findings)
{
    struct buf statuses;
    size_t at = 0;
    int64_t n;
    const char *word;
    char mend[256];
    bool none = true;

    buf_init(&statuses, STORE_BLOB_MAX);
    bool good = store_values(app->store, UNMAPPED, &statuses) == STORE_OK;
    while (good && (word = next_unmapped(app, &statuses, &at, &n))) {
        (void)text_format(mend, sizeof mend,
                          "To count them, add %s:won to GHL_STATUS_MAP; to ignore them, %s:-", word, word);
        findings_add(findings, FINDING_WARN, "unmapped", "They make no opportunity.", mend,
                     "%lld paid orders had the status \"%s\", which is not mapped", (long long)n, word);
        none = false;
    }
    if (!good)
        findings_add(findings, FINDING_FAIL, "away", "New orders go to this machine's spool.",
                     "Mend what the message names.", "%s", store_trouble(app->store));
    else if (none)
        FINDINGS_OK(findings, "mapped", "all statuses of paid orders are mapped");
    buf_free(&statuses);
}

/* -- as JSON -- */

static json_t *values_json(const struct buf *values, const char *prefix, int64_t age_of_ms)
{
    json_t *all = json_object();
    size_t at = 0;
    int64_t n;
    const char *name;

    while ((name = next_value(values, prefix, &at, &n)))
        if (json_object_set_new(all, name, json_integer(age_of_ms ? (age_of_ms - n) / 1000 : n)) != 0)
            break;
    return all;
}

static json_t *store_json(const struct facts *f)
{
    int64_t now_ms = f->sizes.now_ms, open_ms = breaker_open_ms(&f->location, now_ms);
    json_t *pauses = f->location.paused_ms
                         ? json_pack("[{ss sI}]", "reason", f->location.pause_reason, "age_s",
                                     (json_int_t)((now_ms - f->location.paused_ms) / 1000))
                         : json_array();

    return json_pack("{sI sI sI sI sI s{ss sI sI} so s{sI ss} ss sb sb so so so so sI ss}", "waiting",
                     (json_int_t)f->sizes.count[INDEX_DUE], "due", (json_int_t)f->sizes.due, "oldest_s",
                     (json_int_t)oldest_s(f), "dead_letters", (json_int_t)f->sizes.count[INDEX_DEAD], "late",
                     (json_int_t)f->late_count, "breaker", "state", open_ms > 0 ? "open" : "closed",
                     "open_ms", (json_int_t)open_ms, "failures", (json_int_t)f->location.failures, "pauses",
                     pauses, "limits", "held_ms", (json_int_t)f->held_ms, "reason",
                     f->held_ms > 0 ? f->held_reason : "", "durability", f->about.durability, "undrained",
                     f->undrained, "reconcile_wanted", f->location.reconcile_ms != 0, "reconciled_s",
                     f->reconciled_s < 0 ? json_null() : json_integer(f->reconciled_s), "counts",
                     values_json(&f->counts, COUNTS, 0), "unmapped", values_json(&f->unmapped, UNMAPPED, 0),
                     "drains", values_json(&f->drains, HEARTBEAT_VALUE, now_ms), "gone",
                     (json_int_t)count_gone(f), "left_behind", f->left.data);
}

/* -- the spool -- */

static bool look_at_spool(const struct app *app, struct spool_stats *spool)
{
    struct error e = ERROR_NONE;

    *spool = (struct spool_stats){0};
    if (app->spool && spool_stats(app->spool, spool, &e))
        return true;
    fprintf(stderr, "woo_ghl status: the spool cannot be looked at: %s\n",
            *e.text ? e.text : "it is not open");
    return false;
}

static void print_spool(const struct spool_stats *s)
{
    if (s->deliveries || s->ids)
        printf("spool: %ld deliveries and %ld sets of ids to be moved to the store, oldest %lld s\n",
               s->deliveries, s->ids, (long long)(s->oldest_ms / 1000));
    if (s->refused)
        printf("spool: %ld of them could not be moved yet and are tried again\n", s->refused);
    if (s->locked)
        printf("spool: %ld files cannot be opened: %s\n", s->locked, s->needs.text);
    if (s->damaged)
        printf("spool: %ld files are damaged and were set aside\n", s->damaged);
    if (s->foreign)
        printf("spool: %ld files belong to another GHL_LOCATION_ID\n", s->foreign);
}

static json_t *spool_json(const struct spool_stats *s)
{
    return json_pack("{sI sI sI sI sI sI sI}", "deliveries", (json_int_t)s->deliveries, "ids",
                     (json_int_t)s->ids, "oldest_s", (json_int_t)(s->oldest_ms / 1000), "locked",
                     (json_int_t)s->locked, "damaged", (json_int_t)s->damaged, "foreign",
                     (json_int_t)s->foreign, "refused", (json_int_t)s->refused);
}

/* -- all -- */

static bool print_json(const struct facts *facts, const struct spool_stats *spool)
{
    json_t *all = facts ? store_json(facts) : json_object();
    bool good = all && json_object_set_new(all, "spool", spool_json(spool)) == 0 &&
                json_dumpf(all, stdout, JSON_COMPACT) == 0;

    putchar('\n');
    json_decref(all);
    return good;
}

int status_print(struct app *app, bool json)
{
    struct facts *facts = calloc(1, sizeof *facts);
    struct spool_stats spool;
    struct error e = ERROR_NONE;
    int code = EX_OSERR;

    if (!facts)
        return code;
    bool ready = app_ready(app, &e), known = ready && read_facts(app, facts);
    if (!known)
        fprintf(stderr, "woo_ghl status: %s\n", ready ? store_trouble(app->store) : e.text);
    bool spool_known = look_at_spool(app, &spool);
    code = known && spool_known ? EX_OK : EX_TEMPFAIL;
    if (json) {
        if (!print_json(known ? facts : NULL, &spool))
            code = EX_IOERR;
    } else {
        if (known) {
            print_queue(facts);
            print_reconcile(app, facts);
            print_counts(facts);
            print_unmapped(app, facts);
        }
        print_spool(&spool);
    }
    free_facts(facts);
    return code;
}
