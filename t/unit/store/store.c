/* store: the front: sealing, dropped blobs, trust, time. */
#include "store/store.h"
#include "crypt/crypt.h"
#include "store/rig.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY "b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0"
#define NOTE "c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0"

static char secret[] = "my_super_secret_woo_key", other_secret[] = "another_secret_of_the_shop", none[] = "",
            prefix[] = "woo_ghl", location[] = "ve9EPM428h8vShlRW1KT";

struct front {
    struct rig rig;
    struct crypt *crypt;
    struct store *store;
};

static bool front_open(struct front *f, char *with)
{
    struct error e = ERROR_NONE;
    struct config *c = &f->rig.config;

    c->webhook_secret = with;
    c->webhook_secret_previous = c->data_key = c->data_key_previous = none;
    c->redis_prefix = prefix;
    c->ghl_location_id = location;
    f->crypt = crypt_new(c, &e);
    f->store = f->crypt ? store_open(c, f->crypt, NULL, &e) : NULL;
    return ok(f->store != NULL, "the store opens %s", e.text);
}

static void front_close(struct front *f)
{
    store_close(f->store);
    crypt_free(f->crypt);
    f->store = NULL;
    f->crypt = NULL;
}

static bool trusted(struct front *f)
{
    char server[RECORD_ID_SIZE];

    is_result(store_server(f->store, server), STORE_OK, "its file is known");
    store_trust(f->store, server);
    return true;
}

static enum store_result commit(struct front *f, const struct order_record *before,
                                const struct order_record *after, const char *blob, const char *bytes,
                                struct store_reply *reply)
{
    enum store_result result = STORE_TOO_LATE;

    for (int tries = 0; result == STORE_TOO_LATE && tries < 9; tries++) { /* a slow machine */
        const struct store_commit c = {.key = "shop:1",
                                       .before = before,
                                       .after = after,
                                       .blob = {blob, bytes, bytes ? strlen(bytes) : 0},
                                       .decided_ms = store_now_ms(f->store)};
        result = store_commit(f->store, &c, reply);
    }
    return result;
}

static void commits_need_trust(struct front *f)
{
    struct store_reply reply;
    struct order_record order = rig_queued(store_now_ms(f->store), BODY);

    is_result(commit(f, NULL, &order, BODY, "{}", &reply), STORE_UNAVAILABLE,
              "before its memory was checked");
    ok(*store_trouble(f->store), "and says why: %s", store_trouble(f->store));
    is_result(store_read(f->store, "shop:1", NULL, &reply), STORE_OK, "but it may be read");
    is_str(store_trouble(f->store), "", "which clears the trouble");
    store_trust(f->store, "another");
    is_result(commit(f, NULL, &order, BODY, "{}", &reply), STORE_UNAVAILABLE, "or as another server");
    (void)trusted(f);
    is_result(commit(f, NULL, &order, BODY, "{\"id\":1}", &reply), STORE_OK, "then it is taken");
    is_int(reply.order.version, 1, "and comes back with its version");
    is_str(reply.order.current.id, BODY, "whole");
}

static void blobs_are_sealed(struct front *f)
{
    struct store_reply reply;
    struct buf out;

    buf_init(&out, 1000);
    is_result(store_blob(f->store, "shop:1", BODY, &out), STORE_OK, "a body");
    is_str(out.data, "{\"id\":1}", "is opened");
    buf_reset(&out);
    is_result(store_blob(f->store, "shop:2", BODY, &out), STORE_SEALED, "not as another order's");
    is_int(out.len, 0, "nothing comes out");
    is_result(store_blob(f->store, "shop:1", NOTE, &out), STORE_NONE, "another is not there");
    front_close(f);
    if (!rig_reopen(&f->rig))
        return;
    rig_close(&f->rig);
    if (!front_open(f, other_secret) || !trusted(f))
        return;
    is_result(store_blob(f->store, "shop:1", BODY, &out), STORE_SEALED, "with another secret it is not");
    ok(strstr(store_trouble(f->store), "_PREVIOUS") != NULL, "which names the setting: %s",
       store_trouble(f->store));
    is_result(store_read(f->store, "shop:1", NULL, &reply), STORE_OK, "the record is read");
    is_int(reply.order.version, 1, "without it");
    front_close(f);
    if (!front_open(f, secret) || !trusted(f))
        return;
    buf_free(&out);
}

static void what_is_not_needed_goes(struct front *f)
{
    struct store_reply reply, ignored;
    struct buf out;

    buf_init(&out, 1000);
    is_result(store_read(f->store, "shop:1", NULL, &reply), STORE_OK, "given the order");
    struct order_record before = reply.order, after = before;
    after.attempt.kind = ATTEMPT_OPPORTUNITY;
    snprintf(after.attempt.blob, sizeof after.attempt.blob, NOTE);
    is_result(commit(f, &before, &after, NOTE, "look", &reply), STORE_OK, "a note comes");
    is_result(store_blob(f->store, "shop:1", BODY, &out), STORE_OK, "the body stays");
    before = reply.order;
    after = rig_done(reply.now_ms);
    snprintf(after.attempt.blob, sizeof after.attempt.blob, NOTE);
    is_result(commit(f, &before, &after, NULL, NULL, &reply), STORE_OK, "the order is done");
    is_result(store_blob(f->store, "shop:1", BODY, &out), STORE_NONE, "the body goes");
    is_result(store_blob(f->store, "shop:1", NOTE, &out), STORE_OK, "the note stays");
    is_result(commit(f, &before, &after, NULL, NULL, &ignored), STORE_CHANGED, "a commit of before");
    is_int(ignored.order.version, reply.order.version, "brings what is there");
    buf_free(&out);
}

static void time_goes_on(struct front *f)
{
    struct store_reply reply;

    is_result(store_read(f->store, "shop:1", NULL, &reply), STORE_OK, "a reply");
    int64_t now = store_now_ms(f->store);
    ok(now >= reply.now_ms && now < reply.now_ms + 60000, "brings the time");
    store_shift_clock(f->store, HOUR_MS);
    ok(store_now_ms(f->store) >= now + HOUR_MS, "which can be shifted");
    is_result(store_read(f->store, "shop:1", NULL, &reply), STORE_OK, "the next reply");
    ok(reply.now_ms >= now + HOUR_MS && reply.now_ms < now + HOUR_MS + 60000, "as well");
}

static void shared_records_are_committed(struct front *f)
{
    struct location_record here, next, late;
    struct limiter_record limiter, slower;

    is_result(store_read_location(f->store, &here), STORE_OK, "the location");
    is_int(here.version, 0, "is not there");
    next = late = here;
    next.failures = 3;
    is_result(store_commit_shared(f->store, &location_record_type, &here, &next), STORE_OK,
              "it is committed");
    is_int(next.version, 1, "and has its version");
    is_result(store_commit_shared(f->store, &location_record_type, &here, &late), STORE_CHANGED,
              "another one");
    is_int(late.failures, 3, "gets what is there");
    is_int(late.version, 1, "with its version");
    is_result(store_read_limiter(f->store, &limiter), STORE_OK, "the limiter");
    slower = limiter;
    slower.day_left = 5;
    is_result(store_commit_shared(f->store, &limiter_record_type, &limiter, &slower), STORE_OK,
              "is committed, too");
    is_int(slower.version, 1, "with a version");
}

int main(void)
{
    struct front f = {.store = NULL};

    if (rig_begin(&f.rig, &rig_sqlite) && front_open(&f, secret)) {
        commits_need_trust(&f);
        blobs_are_sealed(&f);
        what_is_not_needed_goes(&f);
        time_goes_on(&f);
        shared_records_are_committed(&f);
        is_str(store_kind(f.store), "sqlite", "it is the embedded one");
    }
    front_close(&f);
    rig_end(&f.rig);
    return tap_done();
}
