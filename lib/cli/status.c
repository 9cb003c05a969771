#include "cli/status.h"
#include "shop/reconcile.h"
#include <stdio.h>
#include <sysexits.h>

/* -- the store -- */

static void print_store(const struct store_stats *s)
{
    printf("waiting %lld, due %lld, oldest %lld s, parked %lld\n", (long long)s->waiting, (long long)s->due,
           (long long)s->oldest_s, (long long)s->parked);
    if (s->breaker_open_ms > 0)
        printf("breaker open, next try in %lld s\n", (long long)(s->breaker_open_ms / 1000));
    else
        printf("breaker closed, %lld failures in a row\n", (long long)s->breaker_failures);
    if (s->paused)
        printf("paused for %lld s: %s\n", (long long)s->pause_age_s, s->pause_reason);
    if (s->undrained)
        printf("nothing has drained for 10 minutes: run `woo_ghl drain` from cron or as a service\n");
    if (*s->durability)
        printf("durability: %s\n", s->durability);
    if (*s->problem)
        printf("problem: %s\n", s->problem);
}

static void print_reconcile(const struct app *app, const struct store_stats *s, int64_t age_s)
{
    const char *set = *app->config.woo_url ? "" : " (set WOO_URL first)";

    if (s->reconcile_wanted)
        printf("a reconcile is wanted, because signed bodies came that were no orders, or the store lost "
               "something: "
               "run `woo_ghl reconcile`%s\n",
               set);
    if (age_s >= 0)
        printf("reconciled %lld s ago\n", (long long)age_s);
    else if (!*set)
        printf("never reconciled: run `woo_ghl reconcile` from cron or a timer\n");
}

static void print_counters(const struct store_stats *s)
{
    for (size_t i = 0; i < s->counter_count; i++)
        printf("counted %s: %lld\n", s->counter[i].word, (long long)s->counter[i].count);
}

static json_t *store_json(const struct store_stats *s, int64_t reconciled_s)
{
    json_t *pauses = s->paused ? json_pack("[{so sI}]", "reason", json_from_text(s->pause_reason), "age_s",
                                           (json_int_t)s->pause_age_s)
                               : json_array();

    return json_pack("{sI sI sI sI s{ss sI sI} so so sb sb so}", "waiting", (json_int_t)s->waiting, "due",
                     (json_int_t)s->due, "oldest_s", (json_int_t)s->oldest_s, "parked", (json_int_t)s->parked,
                     "breaker", "state", s->breaker_open_ms > 0 ? "open" : "closed", "open_ms",
                     (json_int_t)s->breaker_open_ms, "failures", (json_int_t)s->breaker_failures, "pauses",
                     pauses, "durability", json_from_text(s->durability), "undrained", s->undrained,
                     "reconcile_wanted", s->reconcile_wanted != 0, "reconciled_s",
                     reconciled_s < 0 ? json_null() : json_integer(reconciled_s));
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

/* -- both -- */

static bool print_json(const struct store_stats *stats, int64_t reconciled_s, const struct spool_stats *spool)
{
    json_t *all = stats ? store_json(stats, reconciled_s) : json_object();
    bool good = all && json_object_set_new(all, "spool", spool_json(spool)) == 0 &&
                json_dumpf(all, stdout, JSON_COMPACT) == 0;

    putchar('\n');
    json_decref(all);
    return good;
}

int status_print(struct app *app, bool json)
{
    struct store_stats stats;
    struct spool_stats spool;
    struct error e = ERROR_NONE;
    bool ready = app_ready(app, &e), known = ready && store_stats(app->store, &stats) == STORE_OK;

    if (!known)
        fprintf(stderr, "woo_ghl status: %s\n", ready ? store_trouble(app->store) : e.text);
    bool spool_known = look_at_spool(app, &spool);
    int64_t reconciled_s = known ? reconcile_age_s(app) : -1;
    if (json) {
        if (!print_json(known ? &stats : NULL, reconciled_s, &spool))
            return EX_IOERR;
    } else {
        if (known) {
            print_store(&stats);
            print_reconcile(app, &stats, reconciled_s);
            print_counters(&stats);
        }
        print_spool(&spool);
    }
    return known && spool_known ? EX_OK : EX_TEMPFAIL;
}
