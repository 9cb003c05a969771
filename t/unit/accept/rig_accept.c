#include "accept/rig_accept.h"
#include "base/clock.h"
#include "tap.h"
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool begin(struct house *house)
{
    *house = (struct house){0};
    return ok(sandbox_begin(&house->sandbox) && sandbox_app(&house->sandbox, NULL, &house->app), "an app");
}

static void end(struct house *house)
{
    app_close(&house->app);
    sandbox_end(&house->sandbox);
}

void accept_case(void (*run)(struct house *house))
{
    struct house house;

    if (begin(&house))
        run(&house);
    end(&house);
}

void reopen(struct house *house, const char *const settings[])
{
    app_close(&house->app);
    ok(sandbox_open(&house->sandbox, settings, &house->app), "opened again");
}

struct acceptance deliver(struct app *app, const char *body, struct sent sent)
{
    const struct accept_delivery delivery = {
        .bytes = body,
        .len = sent.len ? sent.len : strlen(body),
        .headers = {sent.topic ? sent.topic : "order.updated", sent.resource ? sent.resource : "order",
                    sent.source ? sent.source : ""},
        .origin = sent.origin,
        .arrived_ago_ms = sent.ago_ms,
        .only_key = sent.only_key,
        .past_too = sent.past_too,
        .work_until_mono_ms = sent.work ? clock_mono_ms() + MINUTE_MS : 0,
    };
    struct acceptance acceptance;

    accept_delivery(app, &delivery, &acceptance);
    return acceptance;
}

/* -- then -- */

const char *accepted_word(enum accepted result)
{
    static const char *const words[] = {"synced",  "duplicate", "stale",  "ignored",  "foreign",
                                        "other",   "queued",    "dead",   "bad_json", "unread",
                                        "spooled", "away",      "refused"};
    return words[result];
}

void check_becomes(struct app *app, const char *body, enum accepted want, const char *reason,
                   struct sent sent)
{
    const char *what = sent.what;
    struct acceptance got = deliver(app, body, sent);

    is_str(accepted_word(got.result), accepted_word(want), "%s", what);
    is_str(got.reason, reason, "%s: its reason", what);
    ok((*got.trouble.text != '\0') ==
               (want == ACCEPTED_AWAY || want == ACCEPTED_SPOOLED || want == ACCEPTED_REFUSED) ||
           want == ACCEPTED_BAD_JSON,
       "%s: trouble is told if there is any: %s", what, got.trouble.text);
}

bool has_body(struct app *app, const char *key, const char *text)
{
    struct order_record record = sandbox_order(app, key);
    struct delivery delivery = {0};
    struct buf packed;

    buf_init(&packed, 65536);
    bool found = record.current.id[0] &&
                 store_blob(app->store, key, record.current.id, &packed) == STORE_OK &&
                 delivery_unpack(packed.data, packed.len, &delivery) &&
                 memmem(delivery.body, delivery.body_len, text, strlen(text));
    delivery_free(&delivery);
    buf_free(&packed);
    return found;
}

long spooled(struct app *app)
{
    struct spool_stats stats = {0};
    struct error e = ERROR_NONE;

    ok(app->spool && spool_stats(app->spool, &stats, &e), "the spool tells %s", e.text);
    return stats.deliveries;
}

void sql(const struct house *house, const char *text)
{
    char path[128];
    sqlite3 *db = NULL;

    sandbox_path(&house->sandbox, "data/store.db", path);
    ok(sqlite3_open(path, &db) == SQLITE_OK && sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK,
       "%s: %s", text, sqlite3_errmsg(db));
    sqlite3_close(db);
}
