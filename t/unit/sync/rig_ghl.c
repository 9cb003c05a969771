#include "sync/rig_ghl.h"
#include "accept/accept.h"
#include "base/clock.h"
#include "tap.h"
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WORK_MS (20LL * 60 * 1000) /* time enough for what is done with an order */

static struct {
    int listener;
    pthread_t thread;
    char base[64];
    struct reply *reply;
    bool used[32];
    size_t replies;
    char calls[4096];
    char told[65536]; /* "POST /contacts/upsert {...}\n" ... */
    void (*during)(const struct reply *, void *);
    void *context;
    struct ghl_kept *kept;
} ghl;

/* -- what it answers -- */

static const char *good_answer(const char *call)
{
    static const struct {
        const char *begin, *body;
    } answers[] = {
        {"POST /contacts/upsert", "{\"new\":false,\"contact\":{\"id\":\"contact1\"}}"},
        {"POST /contacts/search", "{\"contacts\":[]}"},
        {"POST /contacts/contact1/notes", "{\"note\":{\"id\":\"note1\"}}"},
        {"POST /contacts/contact2/notes", "{\"note\":{\"id\":\"note2\"}}"},
        {"POST /contacts/ ", "{\"contact\":{\"id\":\"contact1\"}}"},
        {"POST /opportunities/", "{\"opportunity\":{\"id\":\"opportunity1\"}}"},
        {"GET /opportunities/search", "{\"opportunities\":[],\"meta\":{\"total\":0}}"},
        {"GET /contacts/search/duplicate", "{\"contact\":null}"},
    };
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
        if (!strncmp(call, answers[i].begin, strlen(answers[i].begin)))
            return answers[i].body;
    return "{}";
}

static const struct reply *choose(const char *call)
{
    static const struct reply good = {.status = 200};

    for (size_t i = 0; i < ghl.replies; i++) {
        const struct reply *reply = &ghl.reply[i];
        if (ghl.used[i] || (reply->call && strncmp(call, reply->call, strlen(reply->call)) != 0))
            continue;
        ghl.used[i] = !reply->always;
        return reply;
    }
    return &good;
}

/* -- what it was asked -- */

/* What a search asks for. */
static void note_question(const char *query, char out[96])
{
    static const struct {
        const char *name, *said;
        bool value;
    } questions[] = {{"&email=", "?email", false},
                     {"&number=", "?number", false},
                     {"&contact_id=", "?contact=", true},
                     {"&q=", "?q", false}};
    size_t len = strcspn(query, " ");

    out[0] = '\0';
    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
        const char *at = memmem(query, len, questions[i].name, strlen(questions[i].name));
        if (!at)
            continue;
        at += strlen(questions[i].name);
        snprintf(out, 96, "%s%.*s", questions[i].said, questions[i].value ? (int)strcspn(at, "& ") : 0, at);
        return;
    }
}

static void note_call(const char *text)
{
    size_t known = strlen(ghl.calls), told = strlen(ghl.told), method = strcspn(text, " ") + 1;
    int n = (int)(method + strcspn(text + method, "? "));
    const char *body = strstr(text, "\r\n\r\n");
    char question[96];

    note_question(text + n, question);
    snprintf(ghl.calls + known, sizeof ghl.calls - known, "%.*s%s\n", n, text, question);
    snprintf(ghl.told + told, sizeof ghl.told - told, "%.*s %s\n", n, text, body ? body + 4 : "");
}

/* A whole request; false if none comes. */
static bool hear(int fd, char *text, size_t size)
{
    size_t used = 0, whole = 0;

    while (!whole || used < whole) {
        ssize_t n = recv(fd, text + used, size - used - 1, 0);
        if (n <= 0)
            return false;
        used += (size_t)n;
        text[used] = '\0';
        const char *end = strstr(text, "\r\n\r\n"), *length = strstr(text, "Content-Length: ");
        if (end)
            whole = (size_t)(end - text) + 4 + (length ? strtoul(length + 16, NULL, 10) : 0);
    }
    return true;
}

/* -- what it keeps -- */

/* The member's value in the call's body, if it is there; a number as it stands. */
static void take_member(const char *text, const char *member, char *out, size_t size)
{
    const char *at = strstr(text, member);

    if (!at)
        return;
    at += strlen(member);
    at += strspn(at, ": \"");
    snprintf(out, size, "%.*s", (int)strcspn(at, "\",}"), at);
}

static const char *tell_opportunity(const char *call, char *out, size_t size)
{
    const struct ghl_kept *kept = ghl.kept;
    bool search = !strncmp(call, "GET /opportunities/search", 25);
    char one[256];

    if (!strncmp(call, "GET /opportunities/pipelines", 28))
        return "{\"pipelines\":[{\"id\":\"fakePipelineAAAAAAAA\",\"name\":\"Sales\","
               "\"stages\":[{\"id\":\"stage1\",\"name\":\"New\"}]}]}";
    snprintf(one, sizeof one,
             "{\"id\":\"opportunity1\",\"name\":\"%s\",\"status\":\"%s\",\"monetaryValue\":%s,"
             "\"contactId\":\"contact1\",\"pipelineId\":\"fakePipelineAAAAAAAA\"}",
             kept->name, kept->status, kept->value);
    snprintf(out, size, search ? "{\"opportunities\":[%s],\"meta\":{\"total\":%d}}" : "{\"opportunity\":%s}",
             !search || kept->creates ? one : "", kept->creates ? 1 : 0);
    return out;
}

/* The answer to a call of an opportunity; NULL = it is none. */
static const char *keep(const char *call, char *out, size_t size)
{
    const char *of = strstr(call, " /opportunities/");
    struct ghl_kept *kept = ghl.kept;

    if (!kept || !of || of > call + 6)
        return NULL;
    if (*call == 'P') {
        kept->creates += call[1] == 'O';
        take_member(call, "\"name\"", kept->name, sizeof kept->name);
        take_member(call, "\"status\"", kept->status, sizeof kept->status);
        take_member(call, "\"monetaryValue\"", kept->value, sizeof kept->value);
    }
    return tell_opportunity(call, out, size);
}

void ghl_keeps(struct ghl_kept *kept)
{
    ghl.kept = kept;
}

const char *ghl_base(void)
{
    return ghl.base;
}

static void answer(int fd)
{
    char text[16384], sent[4096], kept[512];

    if (!hear(fd, text, sizeof text))
        return;
    const struct reply *reply = choose(text);
    note_call(text);
    if (ghl.during)
        ghl.during(reply, ghl.context);
    if (!reply->status)
        return;
    const char *told = reply->status < 300 ? keep(text, kept, sizeof kept) : NULL;
    const char *body = reply->body            ? reply->body
                       : told                 ? told
                       : reply->status < 300  ? good_answer(text)
                       : reply->status == 422 ? "{\"statusCode\":422,\"message\":[\"amiss\"]}"
                                              : "{}";
    int len = snprintf(
        sent, sizeof sent,
        "HTTP/1.1 %d X\r\nConnection: close\r\nContent-Type: application/json\r\n"
        "Content-Length: %zu\r\n%s\r\n%s",
        reply->status, strlen(body),
        reply->day_over ? "X-RateLimit-Daily-Remaining: 0\r\nX-RateLimit-Daily-Reset: 7200000\r\n" : "",
        body);
    if (len >= (int)sizeof sent || send(fd, sent, (size_t)len, MSG_NOSIGNAL) != len)
        abort();
}

static void *serve(void *unused)
{
    for (;;) {
        int fd = accept(ghl.listener, NULL, NULL);
        if (fd < 0)
            return unused;
        answer(fd);
        if (close(fd) != 0)
            return unused;
    }
}

bool ghl_begin(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;

    ghl.listener = socket(AF_INET, SOCK_STREAM, 0);
    if (ghl.listener < 0 || bind(ghl.listener, (struct sockaddr *)&address, len) != 0 ||
        listen(ghl.listener, 8) != 0 || getsockname(ghl.listener, (struct sockaddr *)&address, &len) != 0)
        return false;
    snprintf(ghl.base, sizeof ghl.base, "GHL_API_BASE=http://127.0.0.1:%d", ntohs(address.sin_port));
    return pthread_create(&ghl.thread, NULL, serve, NULL) == 0;
}

void ghl_end(void)
{
    if (shutdown(ghl.listener, SHUT_RDWR) != 0 || pthread_join(ghl.thread, NULL) != 0)
        abort();
}

/* No call is under way here or in the next ones. */

void ghl_does(struct reply *reply, size_t n)
{
    if (n > sizeof ghl.used)
        abort();
    ghl.reply = reply;
    ghl.replies = n;
    memset(ghl.used, 0, sizeof ghl.used);
    ghl.calls[0] = ghl.told[0] = '\0';
}

void ghl_during(void (*during)(const struct reply *reply, void *context), void *context)
{
    ghl.during = during;
    ghl.context = context;
}

const char *ghl_calls(void)
{
    return ghl.calls;
}

/* The lines that begin so, one after the other. */
static const char *next_line(const char *at, const char *begin)
{
    while (at && *at && strncmp(at, begin, strlen(begin)) != 0) {
        at = strchr(at, '\n');
        at = at ? at + 1 : NULL;
    }
    return at && *at ? at : NULL;
}

int ghl_count(const char *call)
{
    int n = 0;

    for (const char *at = ghl.calls; (at = next_line(at, call)); at += strcspn(at, "\n") + 1)
        n++;
    return n;
}

bool ghl_was_told(const char *call, const char *text)
{
    for (const char *at = ghl.told; (at = next_line(at, call)); at += strcspn(at, "\n") + 1)
        if (memmem(at, strcspn(at, "\n"), text, strlen(text)))
            return true;
    return false;
}

/* -- an app that calls it -- */

bool ghl_app(const struct sandbox *sandbox, const char *const more[], struct app *app)
{
    const char *settings[6 + GHL_SETTINGS_MAX + 1] = {
        ghl.base,        "GHL_API_KEY=pit-token", "GHL_DRY_RUN=no", "GHL_PIPELINE_ID=fakePipelineAAAAAAAA",
        "GHL_TAGS=shop", "GHL_NOTE=Thanks"};

    for (size_t i = 0; more && more[i] && i < GHL_SETTINGS_MAX; i++)
        settings[6 + i] = more[i];
    *app = (struct app){0};
    return ok(sandbox_app(sandbox, settings, app), "given an app");
}

void order_waits(struct app *app, const char *body)
{
    const struct accept_delivery delivery = {
        .bytes = body,
        .len = strlen(body),
        .headers = {.topic = "order.updated", .resource = "order", .source = ""},
        .origin = ORIGIN_WEBHOOK};
    struct acceptance acceptance;

    accept_delivery(app, &delivery, &acceptance);
    ok(acceptance.result == ACCEPTED_QUEUED, "given an order that waits: %s %s", acceptance.reason,
       acceptance.trouble.text);
}

void order_with(struct app *app, int id, const char *more)
{
    char body[512];

    snprintf(body, sizeof body,
             "{\"id\":%d,\"status\":\"processing\",\"total\":\"1\","
             "\"billing\":{\"email\":\"a%d@example.com\"%s}}",
             id, id, more);
    order_waits(app, body);
}

void order(struct app *app, int id)
{
    order_with(app, id, "");
}

struct sync_outcome work_on(struct app *app, const char *key, int64_t within_ms)
{
    struct sync_outcome outcome = {.reason = "not to be had"};
    struct order_work work = {0};

    if (sandbox_lease(app, key, &work) != STORE_OK)
        return outcome;
    outcome = sync_order(app, &work, NULL, clock_mono_ms() + within_ms);
    if (outcome.left)
        order_work_free(&work);
    return outcome;
}

struct sync_outcome work(struct app *app, int id)
{
    char key[32];

    snprintf(key, sizeof key, "shop:%d", id);
    return work_on(app, key, WORK_MS);
}
