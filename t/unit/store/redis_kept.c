/* store/redis: what it keeps under which keys, for how long, and how much memory that needs. */
#include "store/rig_redis.h"
#include <stdio.h>
#include <string.h>

/* -- what is kept, and how -- */

static void a_waiting_order_never_expires(struct rig *rig)
{
    struct order_record order = rig_queued(rig_now(rig), RIG_BODY), done;

    order.expires_ms = rig_now(rig) + HOUR_MS;
    is_result(rig_put(rig, "shop:1", NULL, &order, NULL), STORE_OK, "given an order that waits");
    is_int(rig_ask_number(rig, "PTTL " RIG_BASE ":order:shop:1"), -1, "it does not expire");
    order = rig_read(rig, "shop:1");
    done = rig_done(rig_now(rig));
    is_result(rig_put(rig, "shop:1", &order, &done, NULL), STORE_OK, "when it is done");
    ok(rig_ask_number(rig, "PTTL " RIG_BASE ":order:shop:1") > 399 * DAY_MS, "it does");
    done = rig_read(rig, "shop:1");
    order = rig_queued(rig_now(rig), RIG_BODY);
    is_result(rig_put(rig, "shop:1", &done, &order, NULL), STORE_OK, "when it waits again");
    is_int(rig_ask_number(rig, "PTTL " RIG_BASE ":order:shop:1"), -1, "it does not");
}

static void what_changes_nothing_writes_nothing(struct rig *rig)
{
    struct order_record none = {0}, order = rig_done(rig_now(rig));
    struct rig_commit commit;

    is_result(rig_put(rig, "shop:1", NULL, &order, NULL), STORE_OK, "given an order");
    order = rig_read(rig, "shop:1");
    rig_commit_init(&commit, "shop:1", &order, &order, rig_now(rig));
    commit.order.count_client = "client";
    is_result(rig_commit_run(rig, &commit), STORE_OK, "a commit that changes nothing");
    is_int(commit.version, 1, "makes no version");
    is_int(rig_read(rig, "shop:1").version, 1, "of any kind");
    is_int(commit.client_count, 1, "but counts the client");
    is_result(rig_put(rig, "shop:2", NULL, &none, NULL), STORE_OK, "one of nothing");
    is_int(rig_ask_number(rig, "EXISTS " RIG_BASE ":order:shop:2"), 0, "makes no record");
}

static void a_large_text_costs_nothing_once_it_is_gone(struct rig *rig)
{
    static const char *const usage = "MEMORY USAGE " RIG_BASE ":order:shop:1";
    struct order_record before = rig_queued(rig_now(rig), RIG_BODY), after = before;

    memset(before.reason, 'x', sizeof before.reason - 1);
    is_result(rig_put(rig, "shop:1", NULL, &before, NULL), STORE_OK, "given a record with a large text");
    long long large = rig_ask_number(rig, usage);
    before = rig_read(rig, "shop:1");
    is_result(rig_put(rig, "shop:1", &before, &after, NULL), STORE_OK, "when the text is gone");
    long long small = rig_ask_number(rig, usage);
    ok(small > 0 && small <= large - 200, "so is its memory: %lld bytes of %lld", small, large);
    before = rig_read(rig, "shop:1");
    is_int(before.version, 2, "it is the second version");
    for (size_t i = 0; i < order_record_type.count; i++)
        ok(field_same(&order_record_type.fields[i], &before, &after), "the field %s is there",
           order_record_type.fields[i].name);
}

static void a_record_of_another_version(struct rig *rig)
{
    struct order_record order;

    is_int(rig_ask_number(rig, "HSET " RIG_BASE ":order:shop:1 v 1"), 1, "given a record of another form");
    is_result(rig_try_read(rig, "shop:1", &order), STORE_UNAVAILABLE, "it is not read");
    ok(strstr(rig_trouble(rig), "another version of woo_ghl"), "it is told: %s", rig_trouble(rig));
    if (!ok(rig_reopen(rig), "opened anew"))
        return;
    order = rig_done(rig_now(rig));
    is_result(rig_put(rig, "shop:1", NULL, &order, NULL), STORE_UNAVAILABLE, "nor is it written over");
    ok(strstr(rig_trouble(rig), "another version of woo_ghl"), "it is told: %s", rig_trouble(rig));
}

static void texts_of_odd_bytes(struct rig *rig)
{
    static const char *const texts[] = {
        "\1", "\2", "\1\1", "\2\1x", "\1xyz", "0123456789abcdef", "0123456789abcdef0", "\x7f\xff"};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct order_record order = {.version = 0};
        char key[16];
        snprintf(key, sizeof key, "shop:%zu", i);
        snprintf(order.reason, sizeof order.reason, "%s", texts[i]);
        is_result(rig_put(rig, key, NULL, &order, NULL), STORE_OK, "given a text of odd bytes");
        is_str(rig_read(rig, key).reason, texts[i], "it is read as it was");
    }
}

static void keys_have_one_hash_tag(struct rig *rig)
{
    struct location_record none = {0}, location = {.failures = 1};
    struct limiter_record nothing = {0}, limiter = {.next_us = 1};
    struct backend_commit c = {.type = &location_record_type, .before = &none, .after = &location};
    int64_t version, clients, now_ms, count;
    int ours = 0, all;

    is_result(rig_put_body(rig, "shop:1", "body", 4), STORE_OK, "given an order");
    is_result(rig->backend->commit(rig->state, &c, &none, &version, NULL, &clients, &now_ms), STORE_OK,
              "a location");
    c = (struct backend_commit){.type = &limiter_record_type, .before = &nothing, .after = &limiter};
    is_result(rig->backend->commit(rig->state, &c, &nothing, &version, NULL, &clients, &now_ms), STORE_OK,
              "a limiter");
    is_result(rig->backend->put(rig->state, "v", "1", 0, false, NULL), STORE_OK, "a value");
    is_result(rig->backend->lock(rig->state, "l", "t", MINUTE_MS), STORE_OK, "a lock");
    is_result(rig->backend->count_client(rig->state, "client", &count), STORE_OK, "and a client");
    static const char *const keys[] = {"order:shop:1", "location", "limiter",
                                       "due",          "age",      "blob:b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0",
                                       "val:v",        "lock:l"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        char command[128];
        snprintf(command, sizeof command, "EXISTS " RIG_BASE ":%s", keys[i]);
        ours += rig_ask_number(rig, command) == 1;
    }
    all = (int)rig_ask_number(rig, "DBSIZE");
    is_int(ours, 8, "each is under its key, with the one hash tag");
    is_int(all, ours + 1, "the other one is of the clients");
}

/* However many there are. */
static void clients_need_little_memory(struct rig *rig)
{
    char client[32], day[64];
    int64_t count, most = 0;

    for (int i = 0; i < 10000; i++) {
        snprintf(client, sizeof client, "%x client", i);
        if (rig->backend->count_client(rig->state, client, &count) != STORE_OK)
            ok(false, "%s is counted", client);
        most = count > most ? count : most;
    }
    snprintf(day, sizeof day, "HLEN " RIG_BASE ":clients:%lld", (long long)(rig_now(rig) / DAY_MS));
    long long buckets = rig_ask_number(rig, day);
    ok(buckets > 3000 && buckets <= 4096, "10,000 clients need %lld counters", buckets);
    ok(most < 20, "each of few: %lld", (long long)most);
    for (int i = 0; i < 100; i++) {
        int64_t known;
        snprintf(client, sizeof client, "%c%d", i % 2 ? STORE_CLIENT_SIGNED : STORE_CLIENT_LOGIN, i);
        if (rig->backend->count_client(rig->state, client, &known) != STORE_OK || known > 2)
            ok(false, "%s counts apart from them: %lld", client, (long long)known);
    }
    memcpy(day, "PTTL", 4);
    ok(rig_ask_number(rig, day) > DAY_MS, "which expire");
}

static void a_list_of_values_is_bounded(struct rig *rig)
{
    struct buf out;
    char name[32];
    int listed = 0;

    buf_init(&out, 1 << 20);
    for (int i = 0; i < 1100; i++) {
        snprintf(name, sizeof name, "beat/%d", i);
        if (rig->backend->put(rig->state, name, "1", 0, false, NULL) != STORE_OK)
            ok(false, "%s is put", name);
    }
    is_result(rig->backend->values(rig->state, "beat/", &out), STORE_OK, "given 1,100 values");
    for (size_t i = 0; i < out.len; i++)
        listed += out.data[i] == '\0';
    is_int(listed, 2000, "1,000 are listed");
    buf_free(&out);
}

static void what_an_order_costs(struct rig *rig)
{
    static const char location[] = "woo_ghl:ve9EPM428h8vShlRW1KT";
    struct order_record order = rig_done(rig_now(rig));

    snprintf(rig->space, sizeof rig->space, "%s", location);
    if (!rig_reopen(rig))
        return;
    for (int i = 0; i < 100; i++) {
        char key[32];
        snprintf(key, sizeof key, "shop:%d", 100000 + i);
        enum store_result result = rig_put(rig, key, NULL, &order, NULL);
        if (result != STORE_OK)
            is_result(result, STORE_OK, "an order is put");
    }
    long long bytes = rig_ask_number(rig, "MEMORY USAGE {woo_ghl:ve9EPM428h8vShlRW1KT}:order:shop:100050");
    ok(bytes > 0 && bytes <= 330, "a remembered order needs %lld bytes", bytes);
}

int main(void)
{
    static const struct rig_case cases[] = {
        RIG_CASE(a_waiting_order_never_expires),
        RIG_CASE(what_changes_nothing_writes_nothing),
        RIG_CASE(a_large_text_costs_nothing_once_it_is_gone),
        RIG_CASE(a_record_of_another_version),
        RIG_CASE(texts_of_odd_bytes),
        RIG_CASE(keys_have_one_hash_tag),
        RIG_CASE(clients_need_little_memory),
        RIG_CASE(a_list_of_values_is_bounded),
        RIG_CASE(what_an_order_costs),
    };
    return rig_redis_main(&rig_redis, cases, sizeof cases / sizeof *cases);
}
