#include "cli/status_work.h"

static json_t *values_json(const struct buf *values, const char *prefix)
{
    json_t *all = json_object();
    size_t at = 0;
    int64_t n;
    const char *name;

    while ((name = facts_next(values, prefix, &at, &n)))
        if (json_object_set_new(all, name, json_integer(n)) != 0)
            break;
    return all;
}

/* How long ago, s; null = never. */
static json_t *age_json(int64_t at_ms, int64_t now_ms)
{
    return at_ms ? json_integer((now_ms - at_ms) / 1000) : json_null();
}

/* Each machine's drain and spool; `drains`: how long ago a drain ran there, of those where one did. */
static json_t *machines_json(const struct facts *f, json_t *drains)
{
    int64_t now_ms = f->sizes.now_ms;
    json_t *all = json_object();
    struct heartbeat beat;
    size_t at = 0;

    while (heartbeat_next(&f->machines, &at, &beat)) {
        json_t *one = json_pack("{so so sI so}", "drained_s", age_json(beat.drained_ms, now_ms), "told_s",
                                age_json(beat.told_ms, now_ms), "spool", (json_int_t)beat.files, "oldest_s",
                                age_json(beat.oldest_ms, now_ms));
        if (json_object_set_new(all, beat.machine, one) != 0 ||
            (beat.drained_ms &&
             json_object_set_new(drains, beat.machine, age_json(beat.drained_ms, now_ms)) != 0))
            break;
    }
    return all;
}

static json_t *store_json(const struct facts *f)
{
    int64_t now_ms = f->sizes.now_ms, open_ms = breaker_open_ms(&f->location, now_ms);
    json_t *pauses = f->location.paused_ms
                         ? json_pack("[{ss sI}]", "reason", f->location.pause_reason, "age_s",
                                     (json_int_t)((now_ms - f->location.paused_ms) / 1000))
                         : json_array(),
           *drains = json_object(), *machines = machines_json(f, drains);

    return json_pack("{sI sI sI sI sI s{ss sI sI} so s{sI ss} ss sb sb so so so so so sI ss}", "waiting",
                     (json_int_t)f->sizes.count[INDEX_DUE], "due", (json_int_t)f->sizes.due, "oldest_s",
                     (json_int_t)facts_oldest_s(f), "dead_letters", (json_int_t)f->sizes.count[INDEX_DEAD],
                     "late", (json_int_t)f->late_count, "breaker", "state", open_ms > 0 ? "open" : "closed",
                     "open_ms", (json_int_t)open_ms, "failures", (json_int_t)f->location.failures, "pauses",
                     pauses, "limits", "held_ms", (json_int_t)f->held_ms, "reason",
                     f->held_ms > 0 ? f->held_reason : "", "durability", f->about.durability, "undrained",
                     f->undrained, "reconcile_wanted", f->location.reconcile_ms != 0, "reconciled_s",
                     f->reconciled_s < 0 ? json_null() : json_integer(f->reconciled_s), "counts",
                     values_json(&f->counts, FACTS_COUNTS), "unmapped",
                     values_json(&f->unmapped, FACTS_UNMAPPED), "drains", drains, "machines", machines,
                     "gone", (json_int_t)facts_gone(f), "left_behind", f->left.data);
}

static json_t *spool_json(const struct spool_stats *s)
{
    return json_pack("{sI sI sI sI sI sI sI}", "deliveries", (json_int_t)s->deliveries, "ids",
                     (json_int_t)s->ids, "oldest_s", (json_int_t)(s->oldest_ms / 1000), "locked",
                     (json_int_t)s->locked, "damaged", (json_int_t)s->damaged, "foreign",
                     (json_int_t)s->foreign, "refused", (json_int_t)s->refused);
}

static const char *const today_names[] = {"received/synced", "received/duplicate", "received/queued",
                                          "done/synced",     "done/nothing",       "done/dead_letter"};

static json_t *today_json(const struct status *s)
{
    json_t *all = json_object();

    for (size_t i = 0; all && i < sizeof today_names / sizeof *today_names; i++)
        if (json_object_set_new(all, today_names[i], json_integer(tally_of(&s->today, today_names[i]))) != 0)
            break;
    return all;
}

static json_t *waiting_json(const struct status *s)
{
    json_t *all = json_array();

    for (size_t i = 0; all && i < s->waiting_count; i++)
        if (json_array_append_new(all, json_pack("{so sI sI}", "reason", json_from_text(s->waiting[i].reason),
                                                 "orders", (json_int_t)s->waiting[i].count, "next_s",
                                                 (json_int_t)(s->waiting[i].next_ms / 1000))) != 0)
            break;
    return all;
}

json_t *status_json(const struct status *s)
{
    json_t *all = s->facts ? store_json(s->facts) : json_object();
    bool good = all && json_object_set_new(all, "state", json_string(status_state_name(s->state))) == 0 &&
                json_object_set_new(all, "says", json_from_text(s->sentence.data)) == 0 &&
                json_object_set_new(all, "spool", spool_json(&s->spool)) == 0;

    if (good && s->facts)
        good = json_object_set_new(all, "reasons", waiting_json(s)) == 0 &&
               json_object_set_new(all, "today", today_json(s)) == 0 &&
               json_object_set_new(all, "synced_s",
                                   s->synced_s < 0 ? json_null() : json_integer(s->synced_s)) == 0;
    return json_if(good, all);
}
