/* store: what every backend keeps of values, locks and counters, and between namespaces. */
#include "store/rig.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY "b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0"

/* -- values, locks, counters -- */

static void values_are_put_and_listed(struct rig *rig)
{
    static const char listed[] = "owner:a\0"
                                 "1\0"
                                 "owner:b\0"
                                 "x y";
    char value[64], *there = NULL;
    struct buf out;

    buf_init(&out, 4096);
    is_str(rig_value(rig, "owner:a", value), "", "there is none");
    is_result(rig->backend->put(rig->state, "owner:a", "1", 0, false, NULL), STORE_OK, "it is put");
    is_result(rig->backend->put(rig->state, "owner:a", "2", 0, true, &there), STORE_OK, "not over another");
    is_str(there, "1", "which comes back");
    free(there);
    is_result(rig->backend->put(rig->state, "owner:b", "x y", HOUR_MS, true, &there), STORE_OK, "another");
    is_str(there, "x y", "is put");
    free(there);
    is_result(rig->backend->put(rig->state, "ownes", "no", 0, false, NULL), STORE_OK, "a third");
    is_result(rig->backend->values(rig->state, "owner:", &out), STORE_OK, "those of a prefix");
    ok(out.len == sizeof listed && !memcmp(out.data, listed, sizeof listed), "are listed: %zu", out.len);
    is_result(rig->backend->put(rig->state, "owner:a", "3", 0, false, NULL), STORE_OK, "a value is replaced");
    is_str(rig_value(rig, "owner:a", value), "3", "by another");
    is_result(rig->backend->put(rig->state, "owner:a", NULL, 0, false, NULL), STORE_OK, "and removed");
    is_str(rig_value(rig, "owner:a", value), "", "then");
    is_result(rig->backend->put(rig->state, "owner:b", "short", MINUTE_MS, false, NULL), STORE_OK,
              "a shorter time");
    rig_shift(rig, 2 * MINUTE_MS);
    is_result(rig->backend->put(rig->state, "owner:b", "new", 0, true, &there), STORE_OK, "an expired one");
    is_str(there, "new", "is absent");
    free(there);
    buf_free(&out);
}

static void a_commit_brings_values(struct rig *rig)
{
    int64_t now = rig_now(rig);
    struct order_record order = rig_done(now);
    struct rig_commit commit;
    char value[64];

    is_result(rig->backend->put(rig->state, "old", "1", 0, false, NULL), STORE_OK, "given a value");
    rig_commit_init(&commit, "shop:1", NULL, &order, now);
    commit.order.value[0] = (struct store_value){"old", NULL, 0};
    commit.order.value[1] = (struct store_value){"new", "2", MINUTE_MS};
    is_result(rig_commit_run(rig, &commit), STORE_OK, "a commit");
    is_str(rig_value(rig, "old", value), "", "takes it");
    is_str(rig_value(rig, "new", value), "2", "and brings another");
    rig_commit_init(&commit, "shop:1", NULL, &order, now);
    commit.order.value[0] = (struct store_value){"new", NULL, 0};
    is_result(rig_commit_run(rig, &commit), STORE_CHANGED, "one that is refused");
    is_str(rig_value(rig, "new", value), "2", "does not");
    rig_shift(rig, 2 * MINUTE_MS);
    is_str(rig_value(rig, "new", value), "", "it stays as long as it was to");
}

static void a_lock_is_the_holders(struct rig *rig)
{
    is_result(rig->backend->lock(rig->state, "contact", "mine", MINUTE_MS), STORE_OK, "a lock is taken");
    is_result(rig->backend->lock(rig->state, "contact", "other", MINUTE_MS), STORE_NONE,
              "another has to wait");
    is_result(rig->backend->lock(rig->state, "contact", "mine", 5 * MINUTE_MS), STORE_OK,
              "its holder renews it");
    is_result(rig->backend->lock(rig->state, "contact2", "other", MINUTE_MS), STORE_OK, "others are free");
    rig_shift(rig, 2 * MINUTE_MS);
    is_result(rig->backend->lock(rig->state, "contact", "other", MINUTE_MS), STORE_NONE,
              "for as long as it said");
    is_result(rig->backend->unlock(rig->state, "contact", "other"), STORE_NONE, "nobody else gives it back");
    is_result(rig->backend->unlock(rig->state, "contact", "mine"), STORE_OK, "its holder does");
    is_result(rig->backend->unlock(rig->state, "contact", "mine"), STORE_NONE, "once");
    is_result(rig->backend->lock(rig->state, "contact", "other", MINUTE_MS), STORE_OK, "then it is free");
    rig_shift(rig, 2 * MINUTE_MS);
    is_result(rig->backend->unlock(rig->state, "contact", "other"), STORE_NONE, "a lock runs out");
    is_result(rig->backend->lock(rig->state, "contact", "mine", MINUTE_MS), STORE_OK, "and is free");
}

static void counters_count(struct rig *rig)
{
    char value[64];

    for (int i = 1; i <= 3; i++)
        is_result(rig->backend->count(rig->state, "calls"), STORE_OK, "counted");
    is_str(rig_value(rig, "calls", value), "3", "it is a value: how often");
    rig_shift(rig, 400 * DAY_MS);
    is_result(rig->backend->count(rig->state, "calls"), STORE_OK, "later");
    is_str(rig_value(rig, "calls", value), "4", "it goes on for ever");
}

static void clients_are_counted_each_day(struct rig *rig)
{
    int64_t now = rig_now(rig), count = 0;
    struct order_record order = rig_done(now);
    struct rig_commit commit;

    is_result(rig->backend->count_client(rig->state, "aa", &count), STORE_OK, "a client");
    is_int(count, 1, "is counted");
    is_result(rig->backend->count_client(rig->state, "bb", &count), STORE_OK, "another");
    is_int(count, 1, "by itself");
    rig_commit_init(&commit, "shop:1", NULL, &order, now);
    commit.order.count_client = "aa";
    is_result(rig_commit_run(rig, &commit), STORE_OK, "a commit");
    is_int(commit.client_count, 2, "counts, too");
    rig_commit_init(&commit, "shop:1", NULL, &order, now);
    commit.order.count_client = "aa";
    is_result(rig_commit_run(rig, &commit), STORE_CHANGED, "whatever becomes of it");
    is_int(commit.client_count, 3, "of this one, too");
    rig_shift(rig, DAY_MS);
    is_result(rig->backend->count_client(rig->state, "aa", &count), STORE_OK, "the next day");
    is_int(count, 1, "begins anew");
}

/* -- namespaces -- */

static void namespaces_are_apart(struct rig *rig)
{
    struct rig other = *rig;
    struct order_record order = rig_queued(rig_now(rig), BODY);
    struct store_sizes sizes;
    char value[64];
    struct rig_commit commit;
    struct buf out;
    int64_t count;

    buf_init(&out, 100);
    snprintf(other.space, sizeof other.space, "%.24s:dry", rig->space);
    other.state = rig_open(rig, other.space);
    if (!other.state)
        return;
    rig_commit_init(&commit, "shop:1", NULL, &order, rig_now(rig));
    commit.order.blob = (struct store_blob){BODY, "mine", 4};
    is_result(rig_commit_run(rig, &commit), STORE_OK, "given an order in one");
    is_result(rig->backend->put(rig->state, "v", "1", 0, false, NULL), STORE_OK, "and a value");
    is_result(rig->backend->lock(rig->state, "l", "mine", HOUR_MS), STORE_OK, "and a lock");
    is_int(rig_read(&other, "shop:1").version, 0, "the other does not have it");
    is_result(rig->backend->blob(other.state, BODY, &out), STORE_NONE, "nor its body");
    is_str(rig_value(&other, "v", value), "", "nor the value");
    is_result(rig->backend->lock(other.state, "l", "other", HOUR_MS), STORE_OK, "nor the lock");
    is_result(rig->backend->sizes(other.state, &sizes), STORE_OK, "sizes");
    is_int(sizes.count[INDEX_DUE], 0, "nothing waits there");
    is_result(rig->backend->count_client(rig->state, "aa", &count), STORE_OK, "clients");
    is_result(rig->backend->count_client(other.state, "aa", &count), STORE_OK, "are counted");
    is_int(count, 1, "apart");
    rig_close(&other);
    buf_free(&out);
}

static void two_handles_are_one_store(struct rig *rig)
{
    struct rig other = *rig;
    struct order_record order = rig_queued(rig_now(rig), BODY);
    char mine[RECORD_ID_SIZE] = "", its[RECORD_ID_SIZE] = "";

    other.state = rig_open(rig, rig->space);
    if (!other.state)
        return;
    is_result(rig_put(rig, "shop:1", NULL, &order, NULL), STORE_OK, "given an order");
    is_int(rig_read(&other, "shop:1").version, 1, "another handle reads it");
    is_result(rig->backend->server(rig->state, mine), STORE_OK, "which server it is");
    is_result(rig->backend->server(other.state, its), STORE_OK, "asked twice");
    is_str(mine, its, "is one");
    ok(*mine, "and has a name");
    ok(llabs(rig_now(rig) - rig_now(&other)) < SECOND_MS, "they tell one time");
    rig_close(&other);
}

int main(void)
{
    static const struct rig_case cases[] = {
        RIG_CASE(values_are_put_and_listed),    RIG_CASE(a_commit_brings_values),
        RIG_CASE(a_lock_is_the_holders),        RIG_CASE(counters_count),
        RIG_CASE(clients_are_counted_each_day), RIG_CASE(namespaces_are_apart),
        RIG_CASE(two_handles_are_one_store),
    };
    return rig_main(cases, sizeof cases / sizeof *cases);
}
