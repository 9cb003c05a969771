#include "store/rig.h"
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

/* -- backends -- */

static bool begin_sqlite(struct rig *rig)
{
    (void)rig;
    return true;
}

static void end_sqlite(struct rig *rig)
{
    (void)rig;
}

const struct rig_kind rig_sqlite = {"sqlite", &sqlite_backend, begin_sqlite, end_sqlite, sqlite_open, NULL};
static const struct rig_kind *const rig_kinds[] = {&rig_sqlite, &rig_redis, &rig_cluster};

/* -- life cycle -- */

bool rig_begin(struct rig *rig, const struct rig_kind *kind)
{
    *rig = (struct rig){
        .kind = kind, .backend = kind->backend, .dir = "/tmp/woo_ghl-unit-XXXXXX", .space = "t:0"};
    if (!mkdtemp(rig->dir)) {
        ok(false, "a temporary directory");
        return false;
    }
    snprintf(rig->data_dir, sizeof rig->data_dir, "%.64s/data", rig->dir);
    rig->config =
        (struct config){.data_dir = rig->data_dir, .redis_url = rig->redis_url, .redis_timeout_ms = 2000};
    return ok(kind->begin(rig), "%s begins", kind->name);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

void rig_end(struct rig *rig)
{
    rig_close(rig);
    rig->kind->end(rig);
    if (nftw(rig->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
        tap_note("%s stays", rig->dir);
}

void *rig_open(const struct rig *rig, const char *space)
{
    struct error e = ERROR_NONE;
    void *state = rig->kind->open(&rig->config, space, NULL, &e);

    if (!state)
        ok(false, "%s opens: %s", rig->kind->name, e.text);
    return state;
}

void rig_close(struct rig *rig)
{
    if (rig->state)
        rig->backend->close(rig->state);
    rig->state = NULL;
}

bool rig_reopen(struct rig *rig)
{
    rig_close(rig);
    rig->state = rig_open(rig, rig->space);
    return rig->state != NULL;
}

void rig_shift(struct rig *rig, int64_t ms)
{
    rig->backend->shift_clock(rig->state, ms);
    if (rig->kind->shift)
        rig->kind->shift(rig, ms);
}

int rig_main(const struct rig_case *cases, size_t n)
{
    struct rig rig;

    for (size_t k = 0; k < sizeof rig_kinds / sizeof *rig_kinds; k++) {
        bool begun = rig_begin(&rig, rig_kinds[k]);
        for (size_t i = 0; begun && i < n; i++) {
            snprintf(rig.space, sizeof rig.space, "t:%zu", i);
            tap_note("%s: %s", rig.kind->name, cases[i].name);
            if (rig_reopen(&rig))
                cases[i].run(&rig);
        }
        rig_end(&rig);
    }
    return tap_done();
}

int rig_wait(pid_t pid)
{
    int status = 0;
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* -- shorthand -- */

int64_t rig_now(struct rig *rig)
{
    struct location_record location;
    int64_t now_ms = 0;

    is_result(
        rig->backend->read(rig->state, &location_record_type, NULL, NULL, &location, NULL, NULL, &now_ms),
        STORE_OK, "the store tells its time (%s)", rig->backend->trouble(rig->state));
    return now_ms;
}

struct order_record rig_queued(int64_t now_ms, const char *body)
{
    struct order_record r = {
        .order_key = "00112233445566ff",
        .created_s = now_ms / 1000,
        .modified_s = now_ms / 1000,
        .arrived_ms = now_ms,
        .fingerprint = "0123456789abcdef0123456789abcdef",
        .hash_id = "fedcba9876543210",
        .status = "processing",
        .bytes = "00112233445566778899aabbccddeeff",
        .current = {.fingerprint = "0123456789abcdef0123456789abcdef", .accepted_ms = now_ms},
        .due_ms = now_ms};
    snprintf(r.current.id, sizeof r.current.id, "%s", body);
    return r;
}

struct order_record rig_done(int64_t now_ms)
{
    struct order_record r = rig_queued(now_ms, "");

    r.current = (struct order_body){0};
    r.due_ms = 0;
    r.link = (struct order_link){.contact = "ocQHyuzHvysMo5N5VsXc", .opportunity = "yWQobCRIhRguQtD2llvk"};
    for (int i = 0; i < RECORD_PARTS; i++)
        snprintf(r.link.part[i], sizeof r.link.part[i], "00112233445566%02x", 0xa0 + i);
    r.expires_ms = now_ms + 400 * DAY_MS;
    return r;
}

struct order_record rig_read(struct rig *rig, const char *key)
{
    struct order_record record = {.version = -1};
    int64_t now_ms;

    is_result(rig->backend->read(rig->state, &order_record_type, key, NULL, &record, NULL, NULL, &now_ms),
              STORE_OK, "%s is read (%s)", key, rig->backend->trouble(rig->state));
    return record;
}

void rig_commit_init(struct rig_commit *commit, const char *key, const struct order_record *before,
                     const struct order_record *after, int64_t now_ms)
{
    *commit =
        (struct rig_commit){.order = {.key = key, .before = before, .after = after, .decided_ms = now_ms}};
    commit->c = (struct backend_commit){.type = &order_record_type,
                                        .key = key,
                                        .before = before,
                                        .after = after,
                                        .durable = true,
                                        .expires_ms = after->expires_ms,
                                        .decided_ms = now_ms};
    for (int i = 0; i < INDEXES; i++)
        commit->c.index_ms[i] = order_index_ms(after, (enum order_index)i);
}

enum store_result rig_commit_run(struct rig *rig, struct rig_commit *commit)
{
    commit->c.order = &commit->order;
    return rig->backend->commit(rig->state, &commit->c, &commit->current, &commit->version, &commit->location,
                                &commit->client_count, &commit->now_ms);
}

enum store_result rig_put(struct rig *rig, const char *key, const struct order_record *before,
                          const struct order_record *after, int64_t *version)
{
    struct rig_commit commit;
    enum store_result result = STORE_TOO_LATE;

    for (int tries = 0; result == STORE_TOO_LATE && tries < 9; tries++) { /* a slow machine */
        rig_commit_init(&commit, key, before, after, rig_now(rig));
        result = rig_commit_run(rig, &commit);
    }
    if (version)
        *version = commit.version;
    return result;
}

const char *rig_value(struct rig *rig, const char *name, char out[64])
{
    char *value = NULL;

    enum store_result result = rig->backend->get(rig->state, name, &value);
    if (result != STORE_OK && result != STORE_NONE)
        ok(false, "%s is read: %s", name, rig->backend->trouble(rig->state));
    snprintf(out, 64, "%s", value ? value : "");
    free(value);
    return out;
}

const char *result_word(enum store_result result)
{
    static const char *const words[] = {
        [STORE_OK] = "OK",
        [STORE_NONE] = "NONE",
        [STORE_CHANGED] = "CHANGED",
        [STORE_TOO_LATE] = "TOO_LATE",
        [STORE_FULL] = "FULL",
        [STORE_SEALED] = "SEALED",
        [STORE_UNAVAILABLE] = "UNAVAILABLE",
    };
    return words[result];
}
