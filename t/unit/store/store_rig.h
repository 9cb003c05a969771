/*
 * store_rig: what the tests of lib/store.h stand on. Each case runs against both implementations, in a
 * namespace of its own: the embedded store in a temporary directory, and Redis as a private server on a unix
 * socket there.
 */
#ifndef WOO_GHL_T_STORE_RIG_H
#define WOO_GHL_T_STORE_RIG_H

#include "config/config.h"
#include "crypt/vault.h"
#include "store/store.h"
#include "tap.h"
#include <sys/types.h>

#define MINUTE_MS 60000LL
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)
#define LEASE_MS 60000LL
#define RIG_PATH_SIZE 256

/* A private redis-server. */
struct rig_server {
    pid_t pid;
    char socket[RIG_PATH_SIZE];
};

/* One worker of one namespace. */
struct rig {
    bool redis;
    char dir[RIG_PATH_SIZE];
    struct rig_server server; /* pid 0: the embedded store */
    int location;             /* numbers the namespaces */
    struct config config;
    struct store *store;
    struct vault *vault;
};

struct rig_case {
    const char *name;
    void (*run)(struct rig *);
};

#define RIG_CASE(name)                                                                                       \
    {                                                                                                        \
#name, name                                                                                          \
    }
/* Runs every case against both stores, each in a namespace of its own. The exit code. */
int rig_main(const struct rig_case *cases, size_t n);

/* -- parts of it, for tests of one implementation -- */

/* A temporary directory's path; the program ends when there can be none. */
void rig_make_dir(char dir[RIG_PATH_SIZE]);
void rig_remove_dir(const char *dir);
/* Starts it and waits until it answers; extra (may be NULL) are more arguments. */
bool rig_server_start(struct rig_server *server, const char *dir, const char *const extra[]);
void rig_server_stop(struct rig_server *server);
/* Waits for the child; its exit code, -1 when a signal ended it. */
int rig_wait(pid_t pid);

/* Sets the environment and reads the configuration of the rig; NAME=VALUE strings in extra (may be NULL) come
 * on top. */
bool rig_config(struct rig *rig, const char *const extra[]);
/* Opens store and vault on rig->config; false after a failed test. */
bool rig_open(struct rig *rig);
void rig_close(struct rig *rig); /* store, vault and configuration; the server goes on */
/* Another worker: in the same namespace, or with other settings. */
bool rig_join(struct rig *other, const struct rig *rig, const char *const extra[]);

/* -- what tests of one implementation share -- */

/* A state of the order, of long ago. */
enum store_claim_result rig_take(struct rig *rig, const char *key);
/* Looks again and again at an attempt that another machine or boot recorded just now, while clocks are set.
 */
void rig_watch_attempt(struct rig *rig, const char *key);
void rig_pass_ms(int64_t ms);

/* -- Redis alone -- */

#define RIG_TIMEOUT_MS 500 /* REDIS_TIMEOUT of: */
extern const char *const rig_hasty[];
/* A server of its own, and a store on it. */
bool rig_begin_redis(struct rig *rig);
void rig_end_redis(struct rig *rig);

/* A place for a server and a store of its own; nothing is started yet. */
void rig_make_place(struct rig *rig);
/* One command by another client; its reply as text. */
void rig_ask(const struct rig *rig, const char *command, char *out, size_t size);
void rig_tell(const struct rig *rig, const char *command); /* whose reply must be OK */

/* -- the embedded store alone -- */

/* A place and a configuration; nothing is opened yet. */
bool rig_begin_sqlite(struct rig *rig);
void rig_end_sqlite(struct rig *rig);
/* The path of a file of its data directory. */
void rig_path(const struct rig *rig, const char *name, char path[2 * RIG_PATH_SIZE]);
/* Another program's hand in the file. */
bool rig_sql(const struct rig *rig, const char *text);
int64_t rig_sql_number(const struct rig *rig, const char *text);

/* -- shorthand -- */

/* A claim of a creating state with everything set; cases change what they are about. */
struct store_claim rig_state(const char *key, const char *fingerprint, int64_t modified_s);
/* Of it: one that creates nothing; an order.deleted. */
struct store_claim rig_never_creating(const char *key, const char *fingerprint, int64_t modified_s);
struct store_claim rig_deleted(const char *key, const char *fingerprint);
/* Some time before now, s since 1970. */
int64_t rig_then(void);
/* Claims; the entry is freed, but for its token (token may be NULL). */
enum store_claim_result rig_claim(struct rig *rig, const struct store_claim *claim,
                                  char token[STORE_TOKEN_SIZE]);
/* Claims a new order and asserts NEW; the token is the lease. */
void rig_new(struct rig *rig, const char *key, const char *fingerprint, char token[STORE_TOKEN_SIZE]);
/* Finishes with these ids; asserts OK. */
void rig_finish(struct rig *rig, const char *key, const char *token, const char *fingerprint,
                const char *contact, const char *opportunity);
/* Leases what is due now, and asserts that it is this order (NULL: none). */
void rig_due(struct rig *rig, const char *key, struct store_entry *entry);
struct store_order rig_look(struct rig *rig, const char *key);
struct store_stats rig_stats(struct rig *rig);
int64_t rig_now_s(void);
const char *claim_word(enum store_claim_result result);
const char *result_word(enum store_result result);
#define is_claim(got, want, ...) is_str(claim_word(got), claim_word(want), __VA_ARGS__)
#define is_result(got, want, ...) is_str(result_word(got), result_word(want), __VA_ARGS__)
/* want_ms, or up to 20 s more: real time passes beside the shifted clock. */
#define is_about(got, want_ms, ...) rig_is_about((got), (want_ms), __FILE__, __LINE__, __VA_ARGS__)
void rig_is_about(int64_t got, int64_t want_ms, const char *file, int line, const char *what);
/* want_ms that are left, or up to 20 s less. */
#define is_left(got, want_ms, ...) rig_is_left((got), (want_ms), __FILE__, __LINE__, __VA_ARGS__)
void rig_is_left(int64_t got, int64_t want_ms, const char *file, int line, const char *what);

#endif
