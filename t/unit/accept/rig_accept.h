/*
 * rig_accept: deliveries from memory, each of one origin, and what became of them.
 */
#pragma once

#include "accept/accept.h"
#include "sandbox.h"

#define MINUTE_MS (60 * 1000LL)
#define AT(time) ",\"date_modified_gmt\":\"2026-01-02T" time "\""
#define VERSION(id, status, total, rest)                                                                     \
    "{\"id\":" id ",\"status\":\"" status "\",\"total\":\"" total "\"" rest "}"
#define SALE(id) VERSION(id, "processing", "10.00", "")
#define OF_SITE(id, site)                                                                                    \
    VERSION(id, "processing", "10.00",                                                                       \
            ",\"_links\":{\"self\":[{\"href\":\"https://" site "/wp-json/wc/v3/orders/" id "\"}]}")

struct house {
    struct sandbox sandbox;
    struct app app;
};

/* Runs the case in a house of its own, in a dry run. */
void accept_case(void (*run)(struct house *house));
/* Opens the app again, with other settings (sandbox_open). */
void reopen(struct house *house, const char *const settings[]);

/* What differs from a webhook's delivery that is only kept. */
struct sent {
    const char *what;  /* the test's name */
    size_t len;        /* 0 = strlen */
    const char *topic; /* NULL = "order.updated" */
    const char *resource, *source, *only_key;
    enum origin origin;
    int64_t ago_ms;
    bool work, past_too;
};
#define FETCHED .origin = ORIGIN_FETCHED, .ago_ms = 10

struct acceptance deliver(struct app *app, const char *body, struct sent sent);
/* Tests result and reason: becomes(app, body, ACCEPTED_QUEUED, "later", "its name", .topic = "order.deleted") */
#define becomes(app, body, want, reason, ...)                                                                \
    check_becomes((app), (body), (want), (reason), (struct sent){.what = __VA_ARGS__})
void check_becomes(struct app *app, const char *body, enum accepted want, const char *reason,
                   struct sent sent);
const char *accepted_word(enum accepted result);

/* Has the order a body that holds the text? */
bool has_body(struct app *app, const char *key, const char *text);
/* Deliveries in the spool. */
long spooled(struct app *app);
/* Does something to the store behind its back. */
void sql(const struct house *house, const char *text);
