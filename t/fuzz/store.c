/*
 * Fuzzes what a store answers: a byte for the call, then the bytes of Redis's replies. And the fields of a record, as
 * any store may hold them: what is taken reads back the same.
 */
#include "rig.h"
#include "store/redis/redis.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LIST_MAX 8

static char url[] = "redis://127.0.0.1:1", none[] = "";
static const struct config config = {.redis_url = url, .redis_prefix = none, .redis_timeout_ms = 1};

/* -- records -- */

static void fields(const struct record_type *type, const char *text)
{
    union {
        struct order_record order;
        struct location_record location;
        struct limiter_record limiter;
    } record = {0}, again = {0};
    char shown[FIELD_VALUE_SIZE];

    for (size_t i = 0; i < type->count; i++) {
        const struct field *field = &type->fields[i];
        if (field_set(field, &record, text)) {
            field_get(field, &record, shown);
            check(field_set(field, &again, shown) && field_same(field, &record, &again));
        }
        if (field->type != FIELD_TEXT)
            check(field_set_number(field, &record, field_number(field, &record)));
    }
    const char *id[RECORD_BLOBS];
    if (type == &order_record_type)
        check(order_blobs(&record.order, id) <= RECORD_BLOBS &&
              order_index_ms(&record.order, INDEX_DUE) >= -1);
}

/* -- replies -- */

/* A connection that has said all that it will ever say, and takes what it is told. */
static int connect_to(struct redis *r, const uint8_t *bytes, size_t len)
{
    int ends[2];

    check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    check(fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0);
    check(redis_adopt(r, ends[0]) &&
          redisReaderFeed(r->context->reader, (const char *)bytes, len) == REDIS_OK);
    memcpy(r->run_id, "server1", 8);
    memcpy(r->told, "server1", 8);
    r->failed_mono_ms = -1;
    return ends[1];
}

static void ask(struct redis *r, unsigned call)
{
    const struct order_record after = {.version = 1, .order_key = "0123456789abcdef", .due_ms = 5};
    const struct store_commit commit = {.key = "shop:1", .after = &after};
    struct backend_commit of = {
        .type = &order_record_type, .key = "shop:1", .after = &after, .durable = true, .order = &commit};
    struct order_record order;
    struct location_record place;
    struct limiter_record limiter;
    struct store_entry list[LIST_MAX];
    struct store_sizes sizes;
    struct store_about about = {.problem = ""};
    int64_t number = 0, version = 0, now_ms = 0;
    char *text = NULL;
    size_t n = 0;
    struct buf out;

    buf_init(&out, 65536);
    switch (call) {
    case 0: (void)redis_read(r, &order_record_type, "shop:1", "c1", &order, &place, &number, &now_ms); break;
    case 1: (void)redis_read(r, &location_record_type, NULL, NULL, &place, NULL, NULL, &now_ms); break;
    case 2: (void)redis_read(r, &limiter_record_type, NULL, NULL, &limiter, NULL, NULL, &now_ms); break;
    case 3: (void)redis_commit(r, &of, &order, &version, &place, &number, &now_ms); break;
    case 4:
        if (redis_backend.list(r, INDEX_DUE, 3, "shop:1", LIST_MAX, list, &n) == STORE_OK)
            check(n <= LIST_MAX);
        break;
    case 5: (void)redis_backend.sizes(r, &sizes); break;
    case 6: (void)redis_get(r, "name", &text); break;
    case 7: (void)redis_put(r, "name", "value", 5, true, &text); break;
    case 8: (void)redis_values(r, "alert/", &out); break;
    case 9: (void)redis_lock(r, "name", "token", 5); break;
    case 10: (void)redis_count(r, "name"); break;
    case 11: (void)redis_count_client(r, "c1", &number); break;
    case 12: (void)redis_about(r, &about); break;
    default: (void)redis_blob(r, "0123456789abcdef", &out);
    }
    check(!text || strlen(text) < 1024L * 1024);
    free(text);
    buf_free(&out);
}

void fuzz_store(const uint8_t *bytes, size_t len)
{
    static struct redis *r;
    struct error e = ERROR_NONE;

    if (len == 0)
        return;
    if (!r)
        check((r = redis_open(&config, "woo:location1", NULL, &e)) != NULL);
    if (*bytes % 16 < 14) {
        int other_end = connect_to(r, bytes + 1, len - 1);
        ask(r, *bytes % 16);
        redis_disconnect(r);
        close(other_end);
        return;
    }
    char *text = fuzz_text(bytes + 1, len - 1);
    fields(&order_record_type, text);
    fields(&location_record_type, text);
    fields(&limiter_record_type, text);
    free(text);
}
