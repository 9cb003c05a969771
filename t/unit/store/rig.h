/*
 * rig: what the tests of the stores stand on: a backend in a temporary directory, and the records that they commit.
 *
 * rig_main runs each case against each backend of rig_kinds, in a namespace of its own.
 */
#pragma once

#include "store/backend.h"
#include "tap.h"
#include <sys/types.h>

#define RIG_PATH_SIZE 96
#define SECOND_MS 1000LL
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)

struct rig;

/* One backend. begin starts what it needs and fills rig->config; false after a note: the backend's cases fail. */
struct rig_kind {
    const char *name;
    const struct backend *backend;
    bool (*begin)(struct rig *rig);
    void (*end)(struct rig *rig);
    void *(*open)(const struct config *config, const char *space, struct log *log, struct error *e);
    void (*shift)(struct rig *rig, int64_t ms); /* what rig_shift has to do beside; NULL = nothing */
};
extern const struct rig_kind rig_sqlite, rig_redis,
    rig_cluster; /* each in its own file if it needs more than a few lines */

struct rig {
    const struct rig_kind *kind;
    const struct backend *backend; /* of the kind */
    char dir[RIG_PATH_SIZE];       /* temporary */
    char data_dir[RIG_PATH_SIZE];  /* DATA_DIR, in it */
    char redis_url[2 * RIG_PATH_SIZE];
    struct config config;
    pid_t server;  /* of Redis; 0 = none */
    unsigned port; /* of a node of a cluster */
    char space[32];
    void *state; /* the handle of the case; NULL = not open */
};

/* -- life cycle -- */

struct rig_case {
    const char *name;
    void (*run)(struct rig *);
};
#define RIG_CASE(name)                                                                                       \
    {                                                                                                        \
#name, name                                                                                          \
    }
int rig_main(const struct rig_case *cases, size_t n); /* against all backends; the exit code */

bool rig_begin(struct rig *rig, const struct rig_kind *kind); /* nothing is opened yet */
void rig_end(struct rig *rig);
/* Another handle in a namespace; NULL after a failed test. */
void *rig_open(const struct rig *rig, const char *space);
/* Opens, or opens anew, rig->state. */
bool rig_reopen(struct rig *rig);
/* Time passes: shift_clock, and what expires comes nearer. */
void rig_shift(struct rig *rig, int64_t ms);
void rig_close(struct rig *rig);
/* Waits for the child; its exit code, -1 = a signal ended it. */
int rig_wait(pid_t pid);

/* -- shorthand; `state` is a handle of the rig -- */

int64_t rig_now(struct rig *rig);
/* A queued order, accepted now; and one that is done. */
struct order_record rig_queued(int64_t now_ms, const char *body);
struct order_record rig_done(int64_t now_ms);
/* What the store has; version 0 = nothing. */
struct order_record rig_read(struct rig *rig, const char *key);

/* A commit with everything that follows from the records. Change what the case is about, then run it. */
struct rig_commit {
    struct backend_commit c;
    struct store_commit order;
    /* what came back */
    struct order_record current;
    struct location_record location;
    int64_t version, client_count, now_ms;
};
void rig_commit_init(struct rig_commit *commit, const char *key, const struct order_record *before,
                     const struct order_record *after, int64_t now_ms);
enum store_result rig_commit_run(struct rig *rig, struct rig_commit *commit);
/* Both at once, decided now. *version (may be NULL) is the new one. */
enum store_result rig_put(struct rig *rig, const char *key, const struct order_record *before,
                          const struct order_record *after, int64_t *version);
/* The value, "" = none; into a buffer of the caller's. */
const char *rig_value(struct rig *rig, const char *name, char out[64]);

const char *result_word(enum store_result result);
#define is_result(got, want, ...) is_str(result_word(got), result_word(want), __VA_ARGS__)
