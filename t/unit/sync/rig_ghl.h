/*
 * rig_ghl: a GHL in a thread of the test. It answers what the test says, and notes what it was asked.
 *
 * And what the tests of sync need around it: an app that calls this GHL, an order that waits, a worker that takes it.
 */
#pragma once

#include "sandbox.h"
#include "sync/sync.h"

/* An answer to the next call that begins so. What no reply is for goes well. */
struct reply {
    const char *call; /* "GET /opportunities/search"; NULL = whatever call comes next */
    int status;       /* 0 = the connection ends without an answer */
    const char *body; /* NULL = what fits */
    bool always;      /* also to all later ones */
    bool day_over;    /* GHL says that this was the last call of its day */
    /* what `during` makes of it */
    int64_t took_ms; /* how long the call seems to take */
    int64_t jump_ms; /* how far the store's clock jumps meanwhile, that alone */
    int64_t disk_ms; /* how long the store's next write seems to take */
};

bool ghl_begin(void);
void ghl_end(void);

/* From now on it answers so; what it was asked is forgotten. The replies are borrowed: those of
 * GHL_DOES live as long as its block. */
void ghl_does(struct reply *reply, size_t n);
#define GHL_DOES(...)                                                                                        \
    ghl_does((struct reply[]){__VA_ARGS__}, sizeof((struct reply[]){__VA_ARGS__}) / sizeof(struct reply))
/* Called in its thread before each answer; NULL = nobody. */
void ghl_during(void (*during)(const struct reply *reply, void *context), void *context);

/* A GHL that keeps the opportunity it was told of, and tells it; kept is the caller's, NULL = it keeps none. */
struct ghl_kept {
    int creates;
    char name[64], status[16], value[16]; /* as sent last */
};
void ghl_keeps(struct ghl_kept *kept);
/* "GHL_API_BASE=http://127.0.0.1:4711" */
const char *ghl_base(void);

/* Method and path of each call, and the question of a search: "GET /contacts/search/duplicate?number\n". */
const char *ghl_calls(void);
/* How many calls began so. */
int ghl_count(const char *call);
/* Did the body of a call that began so hold the text? */
bool ghl_was_told(const char *call, const char *text);

#define FIND_PHONE "GET /contacts/search/duplicate?number\n"
#define FIND_EMAIL "GET /contacts/search/duplicate?email\n"
#define UPSERT "POST /contacts/upsert\n"
#define TAGS "POST /contacts/contact1/tags\n"
#define SEARCH "GET /opportunities/search?q\n"
#define SEARCH_OF(contact) "GET /opportunities/search?contact=" contact "\n"
#define CREATE "POST /opportunities/\n"
#define NOTE "POST /contacts/contact1/notes\n"

/* -- an app that calls it -- */

#define GHL_SETTINGS_MAX 8
/* A tag "shop", a note "Thanks", a pipeline that needs no look-up; more settings as sandbox_open has them. */
bool ghl_app(const struct sandbox *sandbox, const char *const more[], struct app *app);

/* A delivery came and waits; `body` is JSON. What accept made of it is tested. */
void order_waits(struct app *app, const char *body);
/* An order of a1@example.com, for id 1; `more` stands behind the customer's email. */
void order_with(struct app *app, int id, const char *more);
void order(struct app *app, int id);

/* The next worker takes the order, as far as it gets. */
struct sync_outcome work_on(struct app *app, const char *key, int64_t within_ms);
struct sync_outcome work(struct app *app, int id);
