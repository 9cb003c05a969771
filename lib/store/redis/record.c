#include "base/digest.h"
#include "store/redis/call.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HEX_MIN 16 /* digits that are worth packing */

/* -- fields -- */

static unsigned digit(char c)
{
    return c >= '0' && c <= '9' ? (unsigned)(c - '0') : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 16;
}

static bool is_hex(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (digit(text[i]) > 15)
            return false;
    return len >= HEX_MIN && len % 2 == 0;
}

size_t redis_pack(const struct field *field, const void *record, char out[FIELD_VALUE_SIZE])
{
    field_get(field, record, out);
    size_t len = strlen(out);
    if (field->type == FIELD_TEXT && is_hex(out, len)) {
        for (size_t i = 0; i < len / 2; i++)
            out[i] = (char)(digit(out[2 * i]) << 4 | digit(out[2 * i + 1]));
        len /= 2;
        memmove(out + 1, out, len);
        out[0] = REDIS_PACKED;
        return len + 1;
    }
    if ((out[0] == REDIS_PACKED || out[0] == REDIS_PLAIN) && len + 1 < FIELD_VALUE_SIZE) {
        memmove(out + 1, out, len + 1);
        out[0] = REDIS_PLAIN;
        return len + 1;
    }
    return len;
}

static bool unpack(const struct field *field, void *record, const redisReply *value)
{
    char text[FIELD_VALUE_SIZE];

    if (value->len > 0 && value->str[0] == REDIS_PACKED) {
        if (2 * (value->len - 1) >= sizeof text)
            return false;
        digest_hex((const unsigned char *)value->str + 1, value->len - 1, text);
        return field_set(field, record, text);
    }
    if (strlen(value->str) != value->len)
        return false;
    return field_set(field, record, value->str + (value->str[0] == REDIS_PLAIN));
}

static const struct field *find_field(const struct record_type *type, const char *name, size_t *hint)
{
    /* Redis lists the fields of a small hash in the order in which they were set first. */
    for (size_t i = 0; i < type->count; i++) {
        size_t at = (*hint + i) % type->count;
        if (!strcmp(type->fields[at].name, name)) {
            *hint = at + 1;
            return &type->fields[at];
        }
    }
    return NULL;
}

static bool set_version(void *record, const char *text)
{
    char *end;

    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (errno || *end || number <= 0)
        return false;
    memcpy(record, &(int64_t){number}, sizeof(int64_t));
    return true;
}

/* -- records -- */

enum store_result redis_read_record(struct redis *r, const struct record_type *type, const redisReply *reply,
                                    void *record)
{
    enum store_result result = redis_expect(r, reply, REDIS_REPLY_ARRAY);
    size_t hint = 0;
    int64_t version = 0;

    memset(record, 0, type->size);
    for (size_t i = 0; result == STORE_OK && i + 1 < reply->elements; i += 2) {
        const redisReply *name = reply->element[i], *value = reply->element[i + 1];
        if (name->type != REDIS_REPLY_STRING || value->type != REDIS_REPLY_STRING)
            return redis_nonsense(r);
        const struct field *field = find_field(type, name->str, &hint);
        bool good = true;
        if (field)
            good = unpack(field, record, value);
        else if (!strcmp(name->str, "v"))
            good = set_version(record, value->str);
        if (!good)
            result = redis_trouble(r, "Redis: the record '%s' is damaged: its field %s holds no value of it",
                                   type->name, name->str);
    }
    memcpy(&version, record, sizeof version);
    if (result == STORE_OK && reply->elements > 0 && version == 0)
        result = redis_trouble(r, "Redis: the record '%s' is damaged: it has no version", type->name);
    return result;
}

enum store_result redis_read(void *state, const struct record_type *type, const char *key, void *record,
                             struct location_record *location, int64_t *now_ms)
{
    struct redis *r = state;
    const size_t n = location ? 3 : 2;
    redisReply *reply[3];

    redis_begin(r);
    redis_add(r, "HGETALL %k", type->name, key ? key : "");
    redis_add(r, "TIME");
    if (location)
        redis_add(r, "HGETALL %k", location_record_type.name, "");
    enum store_result result = redis_run(r, reply, n);
    if (result == STORE_OK)
        result = redis_expect_time(r, reply[1], now_ms);
    if (result == STORE_OK)
        result = redis_read_record(r, type, reply[0], record);
    if (result == STORE_OK && location)
        result = redis_read_record(r, &location_record_type, reply[2], location);
    redis_free(reply, n);
    return result;
}

enum store_result redis_blob(void *state, const char *id, struct buf *sealed)
{
    struct redis *r = state;
    redisReply *reply;
    enum store_result result = redis_ask(r, &reply, REDIS_REPLY_STRING, "GET %k", "blob", id);

    if (result == STORE_OK && !buf_add(sealed, reply->str, reply->len))
        result = redis_trouble(r, "Redis: no memory for a body of %zu bytes", (size_t)reply->len);
    redis_free(&reply, 1);
    return result;
}
