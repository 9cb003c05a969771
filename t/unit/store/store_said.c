#include "store/store_said.h"
#include "store/store_rig.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOLERANCE_MS 3000

static const char *const things[] = {SAID_COUNTERS};

bool said_agree(const struct said *one, const struct said *two)
{
    bool same = !strcmp(one->text, two->text) && one->count == two->count;

    for (size_t i = 0; same && i < one->count; i++)
        same = llabs(one->number[i] - two->number[i]) <= TOLERANCE_MS;
    return same;
}

void say(struct said *said, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    int n = vsnprintf(said->text + said->len, SAID_SIZE - said->len, fmt, args);
    va_end(args);
    if (n > 0)
        said->len += (size_t)n < SAID_SIZE - said->len ? (size_t)n : SAID_SIZE - said->len - 1;
}

void say_ms(struct said *said, int64_t ms)
{
    if (said->count < SAID_NUMBERS)
        said->number[said->count++] = ms;
}

static void say_link(struct said *said, const struct store_link *link)
{
    say(said, " link %s/%s%s parts", link->contact_id, link->opportunity_id, link->gone ? " gone" : "");
    for (size_t i = 0; i < STORE_PARTS; i++)
        say(said, " %s", link->part_hash[i]);
}

void say_entry(struct said *said, const struct store_entry *e)
{
    if (!e->key)
        return;
    say(said, " entry %s body %.*s status %s%s%s print %s attempts %" PRId64 " attempt %d note %s", e->key,
        (int)e->body_len, e->body, e->status, e->sold ? " sold" : "", e->look_first ? " look" : "",
        e->fingerprint, e->attempts, (int)e->attempt, e->attempt_note ? e->attempt_note : "-");
    say_link(said, &e->link);
    say_ms(said, e->age_ms);
    say_ms(said, said->set_back ? 0 : e->attempt_age_ms);
    say_ms(said, said->set_back ? 0 : e->attempt_ago_ms);
    say_ms(said, e->forgot_age_ms);
}

void say_order(struct said *said, struct store *store, const char *key)
{
    struct store_order o;
    enum store_result result = store_look(store, key, &o);

    say(said, "\n%s: %s", key, result_word(result));
    if (result != STORE_OK)
        return;
    say(said, "%s%s%s%s%s print %s why %s", o.waiting ? " waiting" : "", o.leased ? " leased" : "",
        o.parked ? " parked" : "", o.has_waiting_body ? " and a body" : "", o.idempotency_key ? " key" : "",
        o.fingerprint, o.reason);
    say_link(said, &o.link);
    say_ms(said, o.due_in_ms);
}

void say_stats(struct said *said, struct store *store)
{
    struct store_stats t;

    say(said, "\nstats: %s", result_word(store_stats(store, &t)));
    say(said, " waiting %" PRId64 " due %" PRId64 " parked %" PRId64 " failures %" PRId64 "%s %s%s%s",
        t.waiting, t.due, t.parked, t.breaker_failures, t.paused ? " paused" : "", t.pause_reason,
        t.undrained ? " undrained" : "", t.reconcile_wanted != 0 ? " reconcile" : "");
    for (size_t i = 0; i < sizeof things / sizeof *things; i++)
        for (size_t j = 0; j < t.counter_count; j++)
            if (!strcmp(t.counter[j].word, things[i]))
                say(said, " %s=%" PRId64, t.counter[j].word, t.counter[j].count);
    const int64_t seconds[] = {t.oldest_s, t.pause_age_s, t.drain_age_s, t.born_age_s, t.delivery_age_s};
    for (size_t i = 0; i < sizeof seconds / sizeof *seconds; i++)
        say_ms(said, seconds[i] * 1000);
    say_ms(said, t.breaker_open_ms);
}

void say_parked(struct said *said, struct store *store)
{
    struct store_parked *list = NULL;
    size_t n = 0;

    say(said, "\nparked: %s", result_word(store_parked_list(store, "", 10, &list, &n)));
    for (size_t i = 0; i < n; i++) {
        struct store_parked one;
        say(said, " %s (%s) %s attempts %" PRId64, list[i].key, list[i].why, list[i].status,
            list[i].attempts);
        say_ms(said, list[i].age_s * 1000);
        enum store_result result = store_parked_get(store, list[i].key, &one);
        say(said, " %s %.*s", result_word(result), one.body ? (int)one.body_len : 0,
            one.body ? one.body : "");
        if (result == STORE_OK)
            store_parked_free(&one, 1, false);
    }
    store_parked_free(list, n, true);
}
