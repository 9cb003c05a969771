/*
 * call: commands to Redis, and what it answers, for the files of the Redis backend.
 *
 * A call is built, run in one round trip, and its replies are read:
 *
 *     redis_begin(r);
 *     redis_add(r, "HGETALL %k", "order", key);
 *     redis_add(r, "TIME");
 *     enum store_result result = redis_run(r, reply, 2);
 *     if (result == STORE_OK)
 *         result = redis_expect(r, reply[0], REDIS_REPLY_ARRAY);
 *     redis_free(reply, 2);
 *
 * Formats: single spaces separate words; %s = a text, %d = an int64_t, %k = a key (kind and name, two texts; a
 * name of "": the kind alone). Keys are `{prefix:location}:KIND:NAME` or `{prefix:location}:KIND`: one hash tag,
 * so that they are on one server.
 */
#ifndef WOO_GHL_STORE_REDIS_CALL_H
#define WOO_GHL_STORE_REDIS_CALL_H

#include "store/backend.h"
#include "store/redis/connection.h"

/* -- words of commands, as Redis reads them -- */

struct redis_words {
    struct buf text;
    int count;
};

void redis_words_init(struct redis_words *words);
void redis_words_free(struct redis_words *words);
void redis_word(struct redis_words *words, const char *text);
void redis_word_bytes(struct redis_words *words, const void *bytes, size_t len);
void redis_word_number(struct redis_words *words, int64_t number);
void redis_word_key(struct redis_words *words, const char *base, const char *kind, const char *name);
void redis_words_append(struct redis_words *words, const struct redis_words *more);

/* -- the backend's state -- */

enum redis_script { SCRIPT_NONE, SCRIPT_COMMIT, SCRIPT_COUNT, SCRIPT_VALUE, SCRIPTS };

struct redis {
    struct redis_connection connection;
    char *base;                     /* owned: "{prefix:location}" */
    int64_t shift_ms;               /* tests: added to the server's time */
    char server[REDIS_RUN_ID_SIZE]; /* that redis_server told last */
    bool told;                      /* it did */

    /* the call that is being built */
    struct redis_words out;
    size_t commands;
    int64_t began_mono_ms, deadline_mono_ms;
    bool same_server;         /* it is only for the server that redis_server told last */
    enum redis_script script; /* the one in it, if any: */
    size_t script_at;         /* which of the commands it is */
    const struct redis_words *tail;
};

/* -- calls -- */

void redis_begin(struct redis *r);
void redis_add(struct redis *r, const char *format, ...);
/* Adds the script, at most one in a call. The tail, which must live until it was run, is the number of its
 * keys, the keys, the arguments. A server that does not know the script gets its text in a second round
 * trip. */
void redis_add_script(struct redis *r, enum redis_script which, const struct redis_words *tail);
/* Sends them and waits for n replies, as many as were added. OK, or UNAVAILABLE and no replies. */
enum store_result redis_run(struct redis *r, redisReply **reply, size_t n) MUST_CHECK;
void redis_free(redisReply **reply, size_t n);

/* A call of one command, or script, whose format is that of its tail. OK: *reply, the caller's, is of the
 * type. Otherwise it is NULL: NONE: Redis answers nil; or as redis_run and redis_expect say. */
enum store_result redis_ask(struct redis *r, redisReply **reply, int type, const char *format,
                            ...) MUST_CHECK;
enum store_result redis_ask_script(struct redis *r, redisReply **reply, int type, enum redis_script which,
                                   const char *format, ...) MUST_CHECK;

/* OK: the reply is of the type (REDIS_REPLY_...). FULL: Redis has no memory for it. Otherwise UNAVAILABLE,
 * and the connection is given up: a server that answers so is not fit for use. */
enum store_result redis_expect(struct redis *r, const redisReply *reply, int type) MUST_CHECK;
/* The same of a list of n elements. */
enum store_result redis_expect_list(struct redis *r, const redisReply *reply, size_t n) MUST_CHECK;
/* The reply is none that Redis gives: UNAVAILABLE, and the connection is given up. */
enum store_result redis_nonsense(struct redis *r) MUST_CHECK;
/* The reply of TIME as the store's time. OK, UNAVAILABLE. */
enum store_result redis_expect_time(struct redis *r, const redisReply *reply, int64_t *now_ms) MUST_CHECK;
/* The store's time as far as is known without asking. */
int64_t redis_now_ms(const struct redis *r);
/* Sets the trouble; the connection stays. */
enum store_result redis_trouble(struct redis *r, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* -- the calls of the backend, by file -- */

/* record.c */

/* A field's value as Redis keeps it: hex digits, which hashes and ids are, as half as many bytes after a
 * REDIS_PACKED; another text that begins with such a byte, after a REDIS_PLAIN. */
#define REDIS_PACKED '\1'
#define REDIS_PLAIN '\2'
#define REDIS_SMALL                                                                                          \
    64 /* bytes: a hash none of whose values is longer needs little memory (hash-max-listpack-value) */
/* Returns its length; 0 = the field is at its default. */
size_t redis_pack(const struct field *, const void *record, char out[FIELD_VALUE_SIZE]);
enum store_result redis_read(void *, const struct record_type *, const char *key, void *record,
                             struct location_record *, int64_t *now_ms);
enum store_result redis_blob(void *, const char *id, struct buf *sealed);
/* The record of HGETALL's reply. OK, UNAVAILABLE. */
enum store_result redis_read_record(struct redis *, const struct record_type *, const redisReply *,
                                    void *record) MUST_CHECK;
/* commit.c */
enum store_result redis_commit(void *, const struct backend_commit *, void *current, int64_t *version,
                               struct location_record *, int64_t *client_count, int64_t *now_ms);
enum store_result redis_count_client(void *, const char *client, int64_t *count);
/* index.c */
enum store_result redis_list(void *, enum order_index, int64_t from_ms, const char *after, size_t max,
                             struct store_entry *, size_t *n);
enum store_result redis_sizes(void *, struct store_sizes *);
extern const char *const redis_index_kind[INDEXES];
/* value.c */
enum store_result redis_get(void *, const char *name, char **out);
enum store_result redis_put(void *, const char *name, const char *value, int64_t ttl_ms, bool absent,
                            char **out);
enum store_result redis_values(void *, const char *prefix, struct buf *out);
enum store_result redis_lock(void *, const char *name, const char *token, int64_t ttl_ms);
enum store_result redis_unlock(void *, const char *name, const char *token);
enum store_result redis_count(void *, const char *name, int64_t ttl_ms, int64_t *count);
/* about.c */
enum store_result redis_about(void *, struct store_about *);

#endif
