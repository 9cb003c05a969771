#include "cli/status.h"
#include "app/heartbeat.h"
#include "app/ready.h"
#include "base/text.h"
#include "owner/facts.h"
#include "sync/sync.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define NAMED 5 /* orders of a kind that are named */

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
    int64_t n = facts_gone(f), ignored;

    if (!n)
        return;
    printf("%lld opportunities are gone in GHL and are not made again; `woo_ghl failed retry KEY` makes one "
           "anew:",
           (long long)n);
    for (int i = 0; i < n && i < NAMED; i++)
        printf(" %s", facts_next(&f->gone, SYNC_GONE, &at, &ignored));
    printf("%s\n", n > NAMED ? " ..." : "");
}

static void print_queue(const struct facts *f)
{
    size_t at = 0;
    int64_t ms;
    const char *machine;

    printf("waiting %lld, due %lld, oldest %lld s, dead letters %lld\n", (long long)f->sizes.count[INDEX_DUE],
           (long long)f->sizes.due, (long long)facts_oldest_s(f), (long long)f->sizes.count[INDEX_DEAD]);
    print_holds(f);
    if (f->late_count)
        printf("%zu orders%s wait for longer than RETRY_FOR; they are tried on. The oldest:", f->late_count,
               f->late_count == FACTS_LATE_MAX ? " or more" : "");
    for (size_t i = 0; i < f->late_count && i < NAMED; i++)
        printf(" %s", f->late[i].key);
    if (f->late_count)
        putchar('\n');
    while ((machine = facts_next(&f->drains, HEARTBEAT_VALUE, &at, &ms)))
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

    while ((word = facts_next(&f->counts, FACTS_COUNTS, &at, &n))) {
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

    while ((word = facts_next(statuses, FACTS_UNMAPPED, at, n)))
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
    bool good = store_values(app->store, FACTS_UNMAPPED, &statuses) == STORE_OK;
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

    while ((name = facts_next(values, prefix, &at, &n)))
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

    return json_pack(
        "{sI sI sI sI sI s{ss sI sI} so s{sI ss} ss sb sb so so so so sI ss}", "waiting",
        (json_int_t)f->sizes.count[INDEX_DUE], "due", (json_int_t)f->sizes.due, "oldest_s",
        (json_int_t)facts_oldest_s(f), "dead_letters", (json_int_t)f->sizes.count[INDEX_DEAD], "late",
        (json_int_t)f->late_count, "breaker", "state", open_ms > 0 ? "open" : "closed", "open_ms",
        (json_int_t)open_ms, "failures", (json_int_t)f->location.failures, "pauses", pauses, "limits",
        "held_ms", (json_int_t)f->held_ms, "reason", f->held_ms > 0 ? f->held_reason : "", "durability",
        f->about.durability, "undrained", f->undrained, "reconcile_wanted", f->location.reconcile_ms != 0,
        "reconciled_s", f->reconciled_s < 0 ? json_null() : json_integer(f->reconciled_s), "counts",
        values_json(&f->counts, FACTS_COUNTS, 0), "unmapped", values_json(&f->unmapped, FACTS_UNMAPPED, 0),
        "drains", values_json(&f->drains, HEARTBEAT_VALUE, now_ms), "gone", (json_int_t)facts_gone(f),
        "left_behind", f->left.data);
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
    bool ready = app_ready(app, &e), known = ready && facts_read(app, facts);
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
    facts_free(facts);
    free(facts);
    return code;
}
