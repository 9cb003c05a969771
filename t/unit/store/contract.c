/* store: what every backend keeps, whatever it is made of. */
#include "store/rig.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BODY "b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0"
#define OTHER_BODY "c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0"

/* -- versions -- */

static void a_commit_names_the_version_that_it_changes(struct rig *rig)
{
    int64_t now = rig_now(rig), version = 0;
    struct order_record first = rig_queued(now, BODY), second = first;
    struct rig_commit commit;

    is_int(rig_read(rig, "shop:1").version, 0, "an unknown order has version 0");
    is_result(rig_put(rig, "shop:1", NULL, &first, &version), STORE_OK, "it is committed against version 0");
    is_int(version, 1, "and then has version 1");
    snprintf(second.reason, sizeof second.reason, "GHL answered 503");
    second.attempts = 1;
    rig_commit_init(&commit, "shop:1", NULL, &second, rig_now(rig));
    is_result(rig_commit_run(rig, &commit), STORE_CHANGED, "a second commit against version 0 is refused");
    is_int(commit.current.version, 1, "with what is there");
    is_str(commit.current.fingerprint, first.fingerprint, "whole");
    is_int(commit.current.due_ms, first.due_ms, "with numbers");
    first = commit.current;
    is_result(rig_put(rig, "shop:1", &first, &second, &version), STORE_OK, "one against version 1 is done");
    is_int(version, 2, "and makes version 2");
    is_str(rig_read(rig, "shop:1").reason, "GHL answered 503", "with its change");
    is_result(rig_put(rig, "shop:1", &first, &second, &version), STORE_CHANGED, "not twice");
    first.version = 7;
    is_result(rig_put(rig, "shop:2", &first, &second, &version), STORE_CHANGED,
              "a version of an order that is not there is refused");
    is_int(rig_read(rig, "shop:2").version, 0, "and leaves nothing");
    first = rig_read(rig, "shop:1");
    second = rig_done(now);
    is_result(rig_put(rig, "shop:1", &first, &second, &version), STORE_OK, "the order is done");
    first = rig_read(rig, "shop:1");
    is_str(first.reason, "", "a field at its default is gone");
    is_int(first.attempts, 0, "so is a number");
    is_str(first.link.part[3], "00112233445566a3", "and others came");
}

static void a_reply_brings_the_location(struct rig *rig)
{
    struct location_record before = {0}, after = {.store_id = "abc", .up_ms = 7}, read;
    struct backend_commit c = {
        .type = &location_record_type, .before = &before, .after = &after, .durable = true};
    struct order_record order = rig_queued(rig_now(rig), BODY), found;
    struct rig_commit commit;
    int64_t version = 0, now_ms, clients;

    is_result(rig->backend->commit(rig->state, &c, &read, &version, NULL, &clients, &now_ms), STORE_OK,
              "a location is committed");
    is_int(version, 1, "as version 1");
    is_result(rig->backend->commit(rig->state, &c, &read, &version, NULL, &clients, &now_ms), STORE_CHANGED,
              "not twice");
    is_str(read.store_id, "abc", "and what is there comes back");
    rig_commit_init(&commit, "shop:1", NULL, &order, now_ms);
    is_result(rig_commit_run(rig, &commit), STORE_OK, "the reply to a commit");
    is_str(commit.location.store_id, "abc", "brings it");
    rig_commit_init(&commit, "shop:1", NULL, &order, now_ms);
    is_result(rig_commit_run(rig, &commit), STORE_CHANGED, "so does one that is refused");
    is_int(commit.location.up_ms, 7, "in whole");
    is_result(
        rig->backend->read(rig->state, &order_record_type, "shop:1", NULL, &found, &read, NULL, &now_ms),
        STORE_OK, "and reading the order");
    is_int(read.version, 1, "brings its version, too");
}

static void the_limiter_is_a_record(struct rig *rig)
{
    struct limiter_record before = {0}, after = {.next_us = 123456789012345, .hold_reason = "Retry-After"},
                          current;
    struct backend_commit c = {.type = &limiter_record_type, .before = &before, .after = &after};
    int64_t version = 0, now_ms, clients;

    is_result(rig->backend->read(rig->state, &limiter_record_type, NULL, NULL, &current, NULL, NULL, &now_ms),
              STORE_OK, "read");
    is_int(current.version, 0, "it is not there");
    is_result(rig->backend->commit(rig->state, &c, &current, &version, NULL, &clients, &now_ms), STORE_OK,
              "put");
    is_result(rig->backend->read(rig->state, &limiter_record_type, NULL, NULL, &current, NULL, NULL, &now_ms),
              STORE_OK, "read");
    is_int(current.next_us, 123456789012345, "it is kept");
    is_int(current.version, 1, "as version 1");
}

/* -- one order, many processes -- */

#define PROCESSES 25
#define COMMITS 4

static int add_attempts(const struct rig *parent)
{
    struct rig child = *parent, *rig = &child;
    int left = COMMITS;

    rig->state = rig_open(rig, rig->space);
    if (!rig->state)
        return 1;
    for (int tries = 0; left > 0 && tries < 5000; tries++) {
        struct order_record before, after;
        struct rig_commit commit;
        int64_t now_ms;
        if (rig->backend->read(rig->state, &order_record_type, "shop:1", NULL, &before, NULL, NULL,
                               &now_ms) != STORE_OK)
            return 2;
        after = before;
        after.attempts++;
        rig_commit_init(&commit, "shop:1", &before, &after, now_ms);
        enum store_result result = rig_commit_run(rig, &commit);
        if (result == STORE_OK)
            left--;
        else if (result != STORE_CHANGED && result != STORE_TOO_LATE)
            return 3;
    }
    rig_close(rig);
    return left ? 4 : 0;
}

static void no_update_is_lost(struct rig *rig)
{
    struct order_record order = rig_queued(rig_now(rig), BODY);
    pid_t pids[PROCESSES];
    int good = 0;

    is_result(rig_put(rig, "shop:1", NULL, &order, NULL), STORE_OK, "given an order");
    fflush(stdout);
    rig->backend->before_fork(rig->state);
    for (int i = 0; i < PROCESSES; i++)
        if ((pids[i] = fork()) == 0)
            _exit(add_attempts(rig));
    for (int i = 0; i < PROCESSES; i++)
        good += rig_wait(pids[i]) == 0;
    is_int(good, PROCESSES, "and many processes that change it at once");
    order = rig_read(rig, "shop:1");
    is_int(order.attempts, PROCESSES * COMMITS, "all of their changes are in it");
    is_int(order.version, 1 + PROCESSES * COMMITS, "each made a version");
}

static int use_parents_handle(struct rig *rig)
{
    struct order_record before = rig_read(rig, "shop:1"), after = before;

    after.attempts = 9;
    return rig_put(rig, "shop:1", &before, &after, NULL) == STORE_OK ? 0 : 1;
}

static void a_handle_goes_on_after_a_fork(struct rig *rig)
{
    struct order_record order = rig_queued(rig_now(rig), BODY);

    is_result(rig_put(rig, "shop:1", NULL, &order, NULL), STORE_OK, "given an order");
    fflush(stdout);
    rig->backend->before_fork(rig->state);
    pid_t pid = fork();
    if (pid == 0) {
        if (!freopen("/dev/null", "w", stdout))
            _exit(9);
        _exit(use_parents_handle(rig));
    }
    is_int(rig_wait(pid), 0, "a child uses its parent's handle");
    is_int(rig_read(rig, "shop:1").attempts, 9, "and so does the parent");
}

/* -- time -- */

static void a_late_commit_does_nothing(struct rig *rig)
{
    static const struct {
        int64_t decided_ms, deadline_ms; /* from now; deadline 0 = none */
        enum store_result want;
        const char *what;
    } cases[] = {
        {-1500, 0, STORE_TOO_LATE, "decided long ago"},
        {1500, 0, STORE_TOO_LATE, "decided by a clock that is ahead"},
        {-100, -1, STORE_TOO_LATE, "after its deadline"},
        {-300, 5000, STORE_OK, "in time"},
        {300, 0, STORE_OK, "by a clock that is a little ahead"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char key[32];
        struct rig_commit commit;
        int64_t now = rig_now(rig);
        struct order_record order = rig_queued(now, BODY);
        snprintf(key, sizeof key, "shop:%zu", i);
        rig_commit_init(&commit, key, NULL, &order, now + cases[i].decided_ms);
        commit.c.deadline_ms = cases[i].deadline_ms ? now + cases[i].deadline_ms : 0;
        commit.order.value[0] = (struct store_value){key, "1", 0};
        is_result(rig_commit_run(rig, &commit), cases[i].want, "a commit %s", cases[i].what);
        ok(commit.now_ms >= now && commit.now_ms < now + 60000, "brings the time");
        char value[64];
        is_int(rig_read(rig, key).version, cases[i].want == STORE_OK, "and is done, or not");
        is_str(rig_value(rig, key, value), cases[i].want == STORE_OK ? "1" : "", "with its value");
    }
}

static void what_expired_is_not_there(struct rig *rig)
{
    int64_t now = rig_now(rig), version = 0;
    struct order_record order = rig_done(now), again;
    char value[64];

    order.expires_ms = now + MINUTE_MS;
    is_result(rig_put(rig, "shop:1", NULL, &order, NULL), STORE_OK, "given an order that expires");
    is_result(rig->backend->put(rig->state, "mark", "1", MINUTE_MS, false, NULL), STORE_OK, "and a value");
    is_result(rig->backend->put(rig->state, "stays", "2", 0, false, NULL), STORE_OK, "and one that stays");
    order = rig_read(rig, "shop:1");
    is_int(order.version, 1, "it is there before");
    is_str(rig_value(rig, "mark", value), "1", "the value, too");
    rig_shift(rig, MINUTE_MS + SECOND_MS);
    is_str(rig_value(rig, "mark", value), "", "and then gone");
    is_str(rig_value(rig, "stays", value), "2", "but for what stays");
    again = rig_queued(rig_now(rig), BODY);
    is_int(rig_read(rig, "shop:1").version, 0, "the order is unknown");
    is_result(rig_put(rig, "shop:1", &order, &again, &version), STORE_CHANGED, "its version, too");
    is_result(rig_put(rig, "shop:1", NULL, &again, &version), STORE_OK, "and it may come anew");
    is_int(version, 1, "as the first version");
    is_str(rig_read(rig, "shop:1").link.contact, "", "with nothing of the old one");
}

static void expiry_is_bounded(struct rig *rig)
{
    int64_t now = rig_now(rig);
    struct order_record order = rig_done(now);
    char key[32];
    long n = 0, removed = 0;

    order.expires_ms = now + MINUTE_MS;
    for (int i = 0; i < 5; i++) {
        snprintf(key, sizeof key, "shop:%d", i);
        is_result(rig_put(rig, key, NULL, &order, NULL), STORE_OK, "given %s that expires", key);
    }
    rig_shift(rig, 2 * MINUTE_MS);
    for (int i = 0; i < 4; i++) {
        is_result(rig->backend->expire(rig->state, 2, &n), STORE_OK, "expiry");
        ok(n <= 2, "removes 2 at once, or leaves it to the server: %ld", n);
        removed += n;
    }
    ok(removed >= 5 || removed == 0, "until all are gone: %ld", removed);
    is_int(rig_read(rig, "shop:3").version, 0, "none is there");
}

/* -- blobs -- */

static const char *blob(struct rig *rig, const char *id, struct buf *out)
{
    buf_reset(out);
    enum store_result result = rig->backend->blob(rig->state, id, out);
    return result == STORE_OK ? out->data : result_word(result);
}

static void blobs_come_and_go_with_their_record(struct rig *rig)
{
    int64_t now = rig_now(rig);
    struct order_record order = rig_queued(now, BODY), next = order;
    struct rig_commit commit;
    struct buf out;

    buf_init(&out, 1 << 20);
    rig_commit_init(&commit, "shop:1", NULL, &order, now);
    commit.order.blob = (struct store_blob){BODY, "sealed\0body", 12};
    is_result(rig_commit_run(rig, &commit), STORE_OK, "given an order with a body");
    is_str(blob(rig, BODY, &out), "sealed", "it is there");
    is_int(out.len, 12, "with all its bytes");
    rig_commit_init(&commit, "shop:1", NULL, &next, now);
    commit.order.blob = (struct store_blob){OTHER_BODY, "other", 5};
    commit.c.drop_blob[0] = BODY;
    is_result(rig_commit_run(rig, &commit), STORE_CHANGED, "a commit that is refused");
    is_str(blob(rig, OTHER_BODY, &out), "NONE", "brings none");
    is_str(blob(rig, BODY, &out), "sealed", "and takes none");
    order = rig_read(rig, "shop:1");
    snprintf(next.current.id, sizeof next.current.id, "%s", OTHER_BODY);
    rig_commit_init(&commit, "shop:1", &order, &next, rig_now(rig));
    commit.order.blob = (struct store_blob){OTHER_BODY, "other", 5};
    commit.c.drop_blob[2] = BODY;
    is_result(rig_commit_run(rig, &commit), STORE_OK, "one that is done");
    is_str(blob(rig, OTHER_BODY, &out), "other", "brings the new one");
    is_str(blob(rig, BODY, &out), "NONE", "and takes the old one");
    buf_free(&out);
}

static void a_large_blob_is_kept(struct rig *rig)
{
    size_t len = 6 << 20;
    char *bytes = malloc(len);
    struct order_record order = rig_queued(rig_now(rig), BODY);
    struct rig_commit commit;
    struct buf out;

    buf_init(&out, STORE_BLOB_MAX);
    for (size_t i = 0; bytes && i < len; i++)
        bytes[i] = (char)(i * 2654435761U >> 24);
    rig_commit_init(&commit, "shop:1", NULL, &order, rig_now(rig));
    commit.order.blob = (struct store_blob){BODY, bytes, len};
    is_result(rig_commit_run(rig, &commit), STORE_OK, "given 6 MB (%s)", rig->backend->trouble(rig->state));
    is_result(rig->backend->blob(rig->state, BODY, &out), STORE_OK, "they come back");
    ok(bytes && out.len == len && !memcmp(out.data, bytes, len), "as they were");
    buf_free(&out);
    free(bytes);
}

/* -- indexes -- */

static void indexes_follow_the_record(struct rig *rig)
{
    int64_t now = rig_now(rig);
    struct order_record order = rig_queued(now, BODY), before;
    struct store_entry list[4];
    struct store_sizes sizes;
    size_t n;

    order.due_ms = now + HOUR_MS;
    order.current.accepted_ms = now - DAY_MS;
    is_result(rig_put(rig, "shop:1", NULL, &order, NULL), STORE_OK, "given an order that is due in an hour");
    is_result(rig->backend->list(rig->state, INDEX_DUE, 0, "", 4, list, &n), STORE_OK, "due");
    is_int(n, 1, "one is queued");
    is_str(list[0].key, "shop:1", "it");
    is_int(list[0].at_ms, now + HOUR_MS, "then");
    is_result(rig->backend->list(rig->state, INDEX_AGE, 0, "", 4, list, &n), STORE_OK, "by age");
    is_int(list[0].at_ms, now - DAY_MS, "it is a day old");
    is_result(rig->backend->sizes(rig->state, &sizes), STORE_OK, "sizes");
    is_int(sizes.count[INDEX_DUE], 1, "one is queued");
    is_int(sizes.due, 0, "none is due");
    is_int(sizes.first_ms[INDEX_DUE], now + HOUR_MS, "before that");
    is_int(sizes.first_ms[INDEX_AGE], now - DAY_MS, "the oldest");
    is_int(sizes.first_ms[INDEX_DEAD], 0, "no dead letter");
    ok(sizes.now_ms >= now, "and the time");
    before = rig_read(rig, "shop:1");
    order.dead_ms = now + 5;
    is_result(rig_put(rig, "shop:1", &before, &order, NULL), STORE_OK, "if it becomes a dead letter");
    is_result(rig->backend->sizes(rig->state, &sizes), STORE_OK, "sizes");
    is_int(sizes.count[INDEX_DUE] + sizes.count[INDEX_AGE], 0, "it is not queued");
    is_int(sizes.count[INDEX_DEAD], 1, "but listed");
    is_int(sizes.first_ms[INDEX_DEAD], now + 5, "since then");
    before = rig_read(rig, "shop:1");
    order = rig_done(now);
    is_result(rig_put(rig, "shop:1", &before, &order, NULL), STORE_OK, "if it is done");
    is_result(rig->backend->sizes(rig->state, &sizes), STORE_OK, "sizes");
    is_int(sizes.count[INDEX_DUE] + sizes.count[INDEX_DEAD] + sizes.count[INDEX_AGE], 0, "it is in no list");
}

static void lists_are_read_by_pages(struct rig *rig)
{
    /* in the order that they are listed in; three are due in one ms */
    static const struct {
        const char *key;
        int64_t due_ms;
    } orders[] = {{"shop:9", 1}, {"shop:1", 5}, {"shop:10", 5}, {"shop:2", 5}, {"shop:3", 6}};
    struct order_record order = rig_queued(rig_now(rig), BODY);
    struct store_entry list[2] = {{"", 0}};
    struct store_sizes sizes;
    size_t n = 2, seen = 0;

    for (size_t i = 5; i-- > 0;) {
        order.due_ms = orders[i].due_ms;
        is_result(rig_put(rig, orders[i].key, NULL, &order, NULL), STORE_OK, "given %s", orders[i].key);
    }
    while (n == 2) {
        struct store_entry last = seen ? list[1] : (struct store_entry){"", 0};
        is_result(rig->backend->list(rig->state, INDEX_DUE, last.at_ms, last.key, 2, list, &n), STORE_OK,
                  "a page");
        for (size_t i = 0; i < n && seen < 5; i++, seen++) {
            is_str(list[i].key, orders[seen].key, "its entry");
            is_int(list[i].at_ms, orders[seen].due_ms, "and when");
        }
    }
    is_int(seen, 5, "all were listed");
    is_result(rig->backend->sizes(rig->state, &sizes), STORE_OK, "sizes");
    is_int(sizes.due, 5, "all are due");
    is_result(rig->backend->list(rig->state, INDEX_DUE, 6, "", 2, list, &n), STORE_OK, "from a time on");
    is_int(n, 1, "one is left");
    is_str(list[0].key, "shop:3", "the last");
}

/* -- fields -- */

static const char *const odd_texts[] = {
    "0",
    "00",
    "1234567890123456",
    "0123456789abcdef",
    "0123456789ABCDEF",
    "0123456789abcde",
    "-1",
    "0123456789abcdeg",
    "it's \"quoted\"",
    "zwei\nZeilen",
    "\xc3\xa4\xe2\x82\xac",
    " ",
    "NULL",
    "%s%n",
    "a:b{c}",
};

/* The field at its i-th value worth a look; false = it has no more. */
static bool set_odd(const struct field *field, void *record, size_t i)
{
    const int64_t numbers[] = {1, INT64_MAX, INT64_MIN, -1};
    char text[FIELD_VALUE_SIZE] = "";

    if (field->type != FIELD_TEXT)
        return i < 4 && field_set_number(field, record, field->type == FIELD_INT ? numbers[i] : i == 0);
    if (i == 0) {
        memset(text, 'a', field->size - 1);
        return field_set(field, record, text);
    }
    if (i == 1) {
        memset(text, '~', field->size - 1);
        return field_set(field, record, text);
    }
    return i < 2 + sizeof odd_texts / sizeof *odd_texts &&
           (field_set(field, record, odd_texts[i - 2]) || field_set(field, record, "cut"));
}

static void every_field_is_kept(struct rig *rig)
{
    const struct record_type *type = &order_record_type;
    int64_t version = 0;
    struct order_record before = {0}, after, read;

    for (size_t i = 0; i < 2 + sizeof odd_texts / sizeof *odd_texts; i++) {
        int different = 0;
        memset(&after, 0, sizeof after);
        for (size_t f = 0; f < type->count; f++)
            (void)set_odd(&type->fields[f], &after, i);
        after.expires_ms = 0;
        is_result(rig_put(rig, "shop:1", &before, &after, &version), STORE_OK, "values of kind %zu", i);
        read = rig_read(rig, "shop:1");
        for (size_t f = 0; f < type->count; f++)
            if (!field_same(&type->fields[f], &after, &read)) {
                different++;
                tap_note("%s differs", type->fields[f].name);
            }
        is_int(different, 0, "come back");
        before = read;
    }
    char key[RECORD_KEY_SIZE] = "";
    memset(key, 'k', sizeof key - 1);
    after = rig_done(rig_now(rig));
    is_result(rig_put(rig, key, NULL, &after, &version), STORE_OK, "the longest key");
    is_int(rig_read(rig, key).version, 1, "is kept");
}

int main(void)
{
    static const struct rig_case cases[] = {
        RIG_CASE(a_commit_names_the_version_that_it_changes),
        RIG_CASE(a_reply_brings_the_location),
        RIG_CASE(the_limiter_is_a_record),
        RIG_CASE(no_update_is_lost),
        RIG_CASE(a_handle_goes_on_after_a_fork),
        RIG_CASE(a_late_commit_does_nothing),
        RIG_CASE(what_expired_is_not_there),
        RIG_CASE(expiry_is_bounded),
        RIG_CASE(blobs_come_and_go_with_their_record),
        RIG_CASE(a_large_blob_is_kept),
        RIG_CASE(indexes_follow_the_record),
        RIG_CASE(lists_are_read_by_pages),
        RIG_CASE(every_field_is_kept),
    };
    return rig_main(cases, sizeof cases / sizeof *cases);
}
