/*
 * redis: the Redis backend, for its own files. One connection to the node that has the location's keys; commands to
 * it, and what it answers.
 *
 * A call is built, run in one round trip, and its replies are read:
 *
 *     redis_begin(r);
 *     redis_add(r, "GET %k", "order", key);
 *     redis_add(r, "TIME");
 *     enum store_result result = redis_run(r, reply, 2);
 *     if (result == STORE_OK)
 *         result = redis_expect(r, reply[0], REDIS_REPLY_STRING);
 *     redis_free(reply, 2);
 *
 * Formats: single spaces separate words; %s = a text, %d = an int64_t, %k = a key (kind and name, two texts; a
 * name of "" or NULL: the kind alone). Keys are `{prefix:location}:KIND:NAME` or `{prefix:location}:KIND`: one hash
 * tag, so that they are on one node of a Redis Cluster.
 *
 * WHICH NODE (node.c): the one host of REDIS_URL; or the one that its cluster names with MOVED; or the one that its
 * sentinels name, if it says itself that it is a primary. A command that a node refuses was not carried out. It is
 * repeated until the exchange's deadline: where MOVED or ASK say, or here, if the node asks to wait. A commit
 * is repeated on the server that was told last alone (ASK's node belongs to it): another one's memory is checked first.
 *
 * Every exchange has one deadline for all of it: connect, AUTH, SELECT and the replies. It grows with the bytes
 * that are sent and received, 1 s for each MB. After any failure the context is finished, and for REDIS_WAIT_MS
 * exchanges fail at once, so that a dead Redis costs a process one timeout a second and not one a request. The
 * address of a node is resolved once; it is resolved anew if the server is a replica now, or if the known addresses have
 * not worked for a minute.
 */
#pragma once

#include "base/redis_url.h"
#include "base/text.h"
#include "store/backend.h"
#include <hiredis/hiredis.h>
#include <sys/socket.h>

#define REDIS_WAIT_MS 1000
#define REDIS_ADDRESSES 8

/* Words of commands, or whole commands, as Redis reads them. */
struct redis_words {
    struct buf text;
    size_t count;
};

enum redis_script { SCRIPT_NONE, SCRIPT_COMMIT, SCRIPT_VALUE, SCRIPTS };

struct redis_address {
    struct sockaddr_storage address;
    socklen_t len;
};

struct redis {
    char *base; /* owned: "{prefix:location}" */

    /* the connection */
    struct redis_url url;
    size_t first;               /* the host of it that is asked first */
    char host[REDIS_HOST_SIZE]; /* the node */
    char port[REDIS_PORT_SIZE];
    char moved[REDIS_HOST_SIZE + 32]; /* what the node answered for the keys: MOVED; "" = they are here */
    bool asking;                      /* another node sends us to this one, for one command */
    int64_t timeout_ms;
    redisContext *context;              /* NULL = not connected */
    redisReplyObjectFunctions *replies; /* hiredis's own */
    redisReplyObjectFunctions bounded_replies;
    void *tls;                             /* SSL_CTX; NULL = not used yet */
    const char *ca_file;                   /* the configuration's */
    int64_t failed_mono_ms, works_mono_ms; /* when it last failed, and last worked; -1 = never */
    struct redis_address address[REDIS_ADDRESSES];
    size_t address_count;        /* 0 = not resolved */
    char run_id[RECORD_ID_SIZE]; /* of the server at the other end; "unknown" = it does not tell */
    char told[RECORD_ID_SIZE];   /* the one that the backend's `server` told last; "" = it was never asked */
    int64_t ahead_ms;            /* the server's clock less our monotonic one, as last told */
    int64_t shift_ms;            /* tests: added to the server's time */
    struct error trouble;        /* "" = the last exchange worked */

    /* the call that is being built */
    struct redis_words out; /* commands, up to the script */
    int64_t began_mono_ms;
    bool same_server; /* it is only for the server that was told last */
    bool whole;       /* ... for a node that has all keys of the location: none is under way to another */
    enum redis_script script;      /* the one in it, if any: */
    struct redis_words keys, args; /* its own */
    struct redis_words after;      /* the commands behind it */
    struct buf record;             /* the record that is committed, as bytes */
};

/* -- connection.c -- */

void redis_disconnect(struct redis *r);
/* How much longer an exchange of so many bytes may take. */
int64_t redis_extra_ms(size_t bytes);
/* Takes over the connected socket. False with the trouble set. */
bool redis_adopt(struct redis *r, int fd) MUST_CHECK;
/* Connected to the node that has the keys, as far as can be told without asking it. False with the trouble set. */
bool redis_ready(struct redis *r, int64_t deadline_mono_ms) MUST_CHECK;
/* Connects to r->host. False with the trouble set. */
bool redis_connect(struct redis *r, int64_t deadline_mono_ms) MUST_CHECK;
/* What a new connection to a server begins with. False with the trouble set; true with r->moved set: it is another. */
bool redis_greet(struct redis *r, int64_t deadline_mono_ms) MUST_CHECK;
/* AUTH, if there is a password. */
void redis_add_login(struct redis_words *out, const struct redis_login *login);
/* The commands in one round trip; reply[i] is the caller's, and may be an error reply. False with the trouble set,
 * the connection gone and every reply NULL: no reply in time. Needs redis_ready. */
bool redis_exchange(struct redis *r, const struct redis_words *commands, redisReply **reply,
                    int64_t deadline_mono_ms) MUST_CHECK;
/* The same of n commands that stand in several texts, one behind the other: a large body is in memory once. */
bool redis_exchange_all(struct redis *r, const struct buf *const *text, size_t texts, redisReply **reply,
                        size_t n, int64_t deadline_mono_ms) MUST_CHECK;
/* Ends the connection and begins the wait; the trouble is the text. False, so that it can be returned. */
#define redis_fail(r, ...) (error_set(&(r)->trouble, __VA_ARGS__), redis_give_up(r))
bool redis_give_up(struct redis *r);
/* The same for a refused greeting: of the reply only its first word, as servers repeat what they were sent: a password. */
bool redis_refused(struct redis *r, const char *what, const redisReply *reply);
/* Sets the trouble; the connection stays. */
#define redis_trouble(r, ...) (error_set(&(r)->trouble, __VA_ARGS__), (enum store_result)STORE_UNAVAILABLE)
/* The reply of TIME, in ms; also remembered. -1 = it is none. */
int64_t redis_learn_time(struct redis *r, const redisReply *time);
/* The whole number that the text is; below 0 = it is none, or too large. */
int64_t redis_number(const redisReply *reply);
/* The value of "name:value\r\n" in INFO's reply, "" = not told. */
void redis_info(const redisReply *info, const char *name, char *out, size_t size);

/* -- node.c: which node -- */

/* Of a key that is never there: another node answers with MOVED, one that gives the keys away with ASK. */
#define REDIS_HERE "GET %k", "none", ""

/* What helps against a refusal. */
enum redis_remedy {
    REMEDY_NONE, /* nothing: it is an answer */
    REMEDY_TEXT, /* the script's text */
    REMEDY_ASK,  /* the named node, for this command */
    REMEDY_WAIT, /* a moment */
    REMEDY_MOVE, /* the named node, from now on */
    REMEDY_FIND, /* another primary */
};
enum redis_remedy redis_remedy(const redisReply *reply);
/* Connects to the node that has the keys. False with the trouble set. */
bool redis_find(struct redis *r, int64_t deadline_mono_ms) MUST_CHECK;
/* The same, from the node on that an answer of MOVED or ASK names. */
bool redis_follow(struct redis *r, const char *named, int64_t deadline_mono_ms) MUST_CHECK;
/* The one command at the node that the answer of ASK names. Ends the connection. False with the trouble set. */
bool redis_ask_named(struct redis *r, const char *ask, const struct redis_words *command, redisReply **reply,
                     int64_t deadline_mono_ms) MUST_CHECK;

/* -- call.c: words -- */

void redis_word(struct redis_words *words, const char *text);
void redis_word_bytes(struct redis_words *words, const void *bytes, size_t len);
void redis_word_number(struct redis_words *words, int64_t number);
void redis_word_key(struct redis_words *words, const char *base, const char *kind, const char *name);
void redis_command(struct redis_words *words, const char *base, const char *format, ...);

/* -- calls -- */

void redis_begin(struct redis *r);
#define redis_add(r, ...) redis_command((r)->script ? &(r)->after : &(r)->out, (r)->base, __VA_ARGS__)
/* Adds the script, at most one in a call, with r->keys and r->args. A server that does not know it gets its text in a
 * second round trip. */
void redis_add_script(struct redis *r, enum redis_script which);
/* Sends them and waits for their replies, as many as were added. OK, or UNAVAILABLE and no replies. */
enum store_result redis_run(struct redis *r, redisReply **reply) MUST_CHECK;
void redis_free(redisReply **reply, size_t n);
/* Runs the one command that was added. OK: *reply, the caller's, is of the type. Otherwise it is NULL: NONE: Redis
 * answers nil; or as redis_run and redis_expect say. */
enum store_result redis_ask(struct redis *r, redisReply **reply, int type) MUST_CHECK;

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

/* -- the calls of the backend, by file; record.c -- */

enum store_result redis_read(void *, const struct record_type *, const char *key, const char *client,
                             void *record, struct location_record *, int64_t *client_count, int64_t *now_ms);
enum store_result redis_commit(void *, const struct backend_commit *, void *current, int64_t *version,
                               struct location_record *, int64_t *client_count, int64_t *now_ms);
enum store_result redis_count_client(void *, const char *client, int64_t *count);
extern const char *const redis_index_kind[INDEXES];
/* value.c */
enum store_result redis_get(void *, const char *name, char **out);
enum store_result redis_blob(void *, const char *id, struct buf *sealed);
enum store_result redis_put(void *, const char *name, const char *value, int64_t ttl_ms, bool absent,
                            char **out);
enum store_result redis_values(void *, const char *prefix, struct buf *out);
enum store_result redis_lock(void *, const char *name, const char *token, int64_t ttl_ms);
enum store_result redis_unlock(void *, const char *name, const char *token);
enum store_result redis_count(void *, const char *name);
/* about.c */
enum store_result redis_about(void *, struct store_about *);
