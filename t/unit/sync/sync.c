/*
 * sync: the lease during long work, and what counts as an attempt. GHL is a thread here, and what would take
 * minutes only moves this process's clock.
 */
#include "sync/sync.h"
#include "accept/accept.h"
#include "app/hold.h"
#include "base/clock.h"
#include "order/delivery.h"
#include "place.h"
#include "tap.h"
#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MINUTE_MS (60 * 1000LL)
#define WORK_MS (20 * MINUTE_MS) /* time enough for what is done with an order */

/* -- the clock -- */

static _Atomic int64_t shift_ms;

/* Instead of the C library's. libcurl goes by CLOCK_MONOTONIC, which nobody moves. */
int clock_gettime(clockid_t id, struct timespec *now)
{
    int64_t shift = atomic_load(&shift_ms);

    if (syscall(SYS_clock_gettime, id, now) != 0)
        return -1;
    if (id == CLOCK_BOOTTIME || id == CLOCK_REALTIME)
        now->tv_sec += shift / 1000; /* whole seconds alone are moved by */
    return 0;
}

int nanosleep(const struct timespec *wanted, struct timespec *left)
{
    (void)left;
    atomic_fetch_add(&shift_ms, wanted->tv_sec * 1000 + (wanted->tv_nsec > 0 ? 1000 : 0));
    return 0;
}

static _Atomic int64_t disk_ms; /* of the next sync */

int fdatasync(int fd)
{
    atomic_fetch_add(&shift_ms, atomic_exchange(&disk_ms, 0));
    return (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
    return fdatasync(fd);
}

/* -- GHL -- */

struct turn {
    int status;       /* 0 = the connection ends without an answer */
    int64_t took_ms;  /* how long the call seems to take */
    int64_t jump_ms;  /* and how far the store's clock jumps meanwhile, that alone */
    int64_t disk_ms;  /* how long the store's next write seems to take */
    bool day_over;    /* GHL says that this was the last call of its day */
    const char *body; /* NULL = what fits */
};

static struct {
    int listener;
    pthread_t thread;
    char base[64];
    const struct turn *turn; /* of the next calls, in this order; then all goes well */
    size_t turns;
    const char *unwell; /* calls that begin so are answered 503, whatever the turn; NULL = none */
    char calls[1024];   /* "POST /contacts/upsert\n"... */
    struct app *app;
    const struct place *place; /* the app's */
    bool taken;                /* another worker could take the order while a call was under way */
} ghl;

static const char *good_answer(const char *call)
{
    static const struct {
        const char *begin, *body;
    } answers[] = {
        {"POST /contacts/upsert", "{\"new\":false,\"contact\":{\"id\":\"contact1\"}}"},
        {"POST /contacts/contact1/notes", "{\"note\":{\"id\":\"note1\"}}"},
        {"POST /opportunities/", "{\"opportunity\":{\"id\":\"card1\"}}"},
        {"GET /opportunities/search", "{\"opportunities\":[],\"meta\":{\"total\":0}}"},
    };
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
        if (!strncmp(call, answers[i].begin, strlen(answers[i].begin)))
            return answers[i].body;
    return "{}";
}

/* Whoever else looks at the queue while this call is under way: is the order to be had? */
static void another_looks(void)
{
    struct store_entry entry = {0};

    if (store_lease_due(ghl.app->store, SYNC_LEASE_MS, "shop:1", &entry, NULL, NULL) == STORE_OK)
        ghl.taken = true;
    store_entry_free(&entry);
}

/* Method and path. */
static void note_call(const char *text)
{
    size_t known = strlen(ghl.calls), method = strcspn(text, " ") + 1;
    int n = (int)(method + strcspn(text + method, "? "));

    snprintf(ghl.calls + known, sizeof ghl.calls - known, "%.*s\n", n, text);
}

/* A whole request; false when none comes. */
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

static void answer(int fd)
{
    char text[8192], reply[512];
    const struct turn good = {.status = 200}, unwell = {.status = 503}, *turn = &good;

    if (!hear(fd, text, sizeof text))
        return;
    if (ghl.unwell && !strncmp(text, ghl.unwell, strlen(ghl.unwell))) {
        turn = &unwell;
    } else if (ghl.turns) {
        turn = ghl.turn++;
        ghl.turns--;
    }
    note_call(text);
    atomic_fetch_add(&shift_ms, turn->took_ms);
    store_shift_clock(ghl.app->store, turn->jump_ms);
    atomic_store(&disk_ms, turn->disk_ms);
    if (turn->took_ms)
        another_looks();
    if (!turn->status)
        return;
    const char *body = turn->body            ? turn->body
                       : turn->status < 300  ? good_answer(text)
                       : turn->status == 422 ? "{\"statusCode\":422,\"message\":[\"amiss\"]}"
                                             : "{}";
    int len = snprintf(
        reply, sizeof reply,
        "HTTP/1.1 %d X\r\nConnection: close\r\nContent-Type: application/json\r\n"
        "Content-Length: %zu\r\n%s\r\n%s",
        turn->status, strlen(body),
        turn->day_over ? "X-RateLimit-Daily-Remaining: 0\r\nX-RateLimit-Daily-Reset: 7200000\r\n" : "", body);
    if (send(fd, reply, (size_t)len, MSG_NOSIGNAL) != len)
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

static bool ghl_begin(void)
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

static void ghl_end(void)
{
    if (shutdown(ghl.listener, SHUT_RDWR) != 0 || pthread_join(ghl.thread, NULL) != 0)
        abort();
}

static void ghl_does(const struct turn *turn, size_t n)
{
    ghl.turn = turn;
    ghl.turns = n;
    ghl.calls[0] = '\0';
    ghl.taken = false;
}
#define GHL_DOES(...)                                                                                        \
    const struct turn turns[] = {__VA_ARGS__};                                                               \
    ghl_does(turns, sizeof turns / sizeof *turns)

#define UPSERT "POST /contacts/upsert\n"
#define TAGS "POST /contacts/contact1/tags\n"
#define CREATE "POST /opportunities/\n"
#define NOTE "POST /contacts/contact1/notes\n"

/* -- a world -- */

static bool opened(const struct place *place, const char *token, struct app *app)
{
    const char *const settings[] = {
        ghl.base,          token, "GHL_DRY_RUN=no", "GHL_PIPELINE_ID=fakePipelineAAAAAAAA", "GHL_TAGS=shop",
        "GHL_NOTE=Thanks", NULL};
    *app = (struct app){0};
    return ok(place_app_with(place, "location1", settings, app), "given an app with %s", token);
}

static bool begin(struct place *place, struct app *app)
{
    ghl.app = app;
    ghl.unwell = NULL;
    ghl.place = place;
    *app = (struct app){0};
    return place_begin(place) && opened(place, "GHL_API_KEY=pit-token", app);
}

static void end(struct place *place, struct app *app)
{
    app_close(app);
    place_end(place);
}

/* An order comes and waits. `more` stands behind the customer's email. */
static void order_with(struct app *app, int id, const char *more)
{
    const struct order_headers headers = {.topic = "order.updated", .resource = "order", .source = ""};
    char body[256];
    struct buf packed;

    snprintf(body, sizeof body,
             "{\"id\":%d,\"status\":\"processing\",\"total\":\"1\","
             "\"billing\":{\"email\":\"a%d@example.com\"%s}}",
             id, id, more);
    buf_init(&packed, 65536);
    ok(delivery_pack(&headers, body, strlen(body), &packed) && intake_replay(app, packed.data, packed.len, 0),
       "given order %d", id);
    buf_free(&packed);
}

static void order(struct app *app, int id)
{
    order_with(app, id, "");
}

/* The next worker takes it, as far as it gets; tells how it found it. */
struct found {
    int64_t attempts, age_ms;
};
static struct sync_outcome work(struct app *app, int id, struct found *found)
{
    struct sync_outcome outcome = {.reason = "not to be had"};
    struct store_entry entry = {0};
    char key[32];

    snprintf(key, sizeof key, "shop:%d", id);
    if (store_lease_due(app->store, SYNC_LEASE_MS, key, &entry, NULL, NULL) != STORE_OK)
        return outcome;
    if (found)
        *found = (struct found){.attempts = entry.attempts, .age_ms = entry.age_ms};
    outcome = sync_entry(app, &entry, clock_mono_ms() + WORK_MS);
    if (outcome.left)
        store_entry_free(&entry);
    return outcome;
}

static struct store_order look(struct app *app, const char *key)
{
    struct store_order order = {0};
    ok(store_look(app->store, key, &order) == STORE_OK, "%s is known", key);
    return order;
}

/* -- cases -- */

static void a_lease_is_renewed_during_long_work(struct app *app)
{
    GHL_DOES({.status = 503, .took_ms = 40000}, {.status = 200, .took_ms = 40000});
    order(app, 1);
    struct sync_outcome outcome = work(app, 1, NULL);
    is_int(outcome.result, SYNC_DONE, "two calls of 40 s each, under a lease of 60 s: %s", outcome.reason);
    ok(!ghl.taken, "nobody else could take it");
    is_str(ghl.calls, UPSERT UPSERT TAGS CREATE NOTE, "each went out");
}

static void no_write_begins_when_the_lease_may_run_out(struct app *app)
{
    GHL_DOES({.status = 503, .took_ms = 56000});
    order(app, 1);
    struct sync_outcome outcome = work(app, 1, NULL);
    is_str(outcome.reason, "ghl_unavailable", "given a call that fails 4 s before the end of its lease");
    is_str(ghl.calls, UPSERT, "there is no other");
}

static void a_write_begins_well_before_that(struct app *app)
{
    GHL_DOES({.status = 503, .took_ms = 50000});
    order(app, 1);
    is_int(work(app, 1, NULL).result, SYNC_DONE, "given a call that fails 10 s before the end of its lease");
    is_str(ghl.calls, UPSERT UPSERT TAGS CREATE NOTE, "it is sent again");
}

static void a_lease_that_ended_early(struct app *app)
{
    GHL_DOES({.status = 200, .took_ms = 6000, .jump_ms = 60000});
    order(app, 1);
    struct sync_outcome outcome = work(app, 1, NULL);
    ok(ghl.taken, "given a store's clock that jumps, and another worker");
    is_str(outcome.reason, "lease_lost", "the first knows it after its call");
    is_str(ghl.calls, UPSERT, "and sends no other");
}

static void a_worker_that_slept(struct app *app)
{
    struct store_entry entry = {0};

    GHL_DOES({.status = 200});
    order(app, 1);
    ok(store_lease_due(app->store, SYNC_LEASE_MS, "shop:1", &entry, NULL, NULL) == STORE_OK,
       "given a worker that has an order");
    atomic_fetch_add(&shift_ms, SYNC_LEASE_MS + 1000);
    another_looks();
    ok(ghl.taken, "and sleeps until another has it");
    struct sync_outcome outcome = sync_entry(app, &entry, clock_mono_ms() + WORK_MS);
    is_int(outcome.result, SYNC_QUEUED, "it can do nothing when it wakes: %s", outcome.reason);
    is_str(ghl.calls, "", "not even a call");
    if (outcome.left)
        store_entry_free(&entry);
}

static void a_create_is_not_sent_late(struct app *app)
{
    GHL_DOES({.status = 200}, {.status = 200}, {.status = 429}, {.status = 429}, {.status = 429},
             {.status = 200});
    order(app, 1);
    is_str(work(app, 1, NULL).reason, "ghl_limit", "given a create that GHL has no time for");
    is_str(ghl.calls, UPSERT TAGS CREATE CREATE CREATE,
           "it is sent again for 5 s, which whoever takes over reckons with");
    is_int(look(app, "shop:1").leased, false, "then it waits");
}

/* The attempt's record comes out so late that whoever takes over may think the create done. */
static void a_create_whose_record_takes_long(struct app *app)
{
    GHL_DOES({.status = 200}, {.status = 200, .disk_ms = 6000});
    order(app, 1);
    is_str(work(app, 1, NULL).reason, "no_time", "given a disk that hangs for 6 s");
    is_str(ghl.calls, UPSERT TAGS, "the create is not sent");
    ghl_does(NULL, 0);
    is_int(work(app, 1, NULL).result, SYNC_DONE, "it is the next time");
    is_str(ghl.calls, UPSERT TAGS CREATE NOTE, "without a look, as it did not happen");
}

/* The lease counts from when the store was asked. */
static void a_disk_that_hangs_for_a_lease(struct app *app)
{
    GHL_DOES({.status = 200}, {.status = 200}, {.status = 200, .disk_ms = SYNC_LEASE_MS});
    order(app, 1);
    is_int(work(app, 1, NULL).result, SYNC_QUEUED, "given a disk that hangs while the card's id is written");
    is_str(ghl.calls, UPSERT TAGS CREATE, "nothing more is sent");
}

static void ghls_day_is_over(struct app *app)
{
    GHL_DOES({.status = 200, .day_over = true});
    order(app, 1);
    is_str(work(app, 1, NULL).reason, "ghl_limit", "given the last call of the day");
    is_str(ghl.calls, UPSERT, "there is no other");
    struct store_order waits = look(app, "shop:1");
    ok(waits.due_in_ms > 7100000 && waits.due_in_ms <= 7200000, "until GHL's next day: %lld ms",
       (long long)waits.due_in_ms);
}

/* A salesperson's card that is closed is left alone; this one is the order's own, which nobody remembers. */
static void its_own_card_is_in_the_way(struct app *app)
{
    GHL_DOES({.status = 200}, {.status = 200},
             {.status = 400,
              .body = "{\"code\":\"OPPORTUNITY_NO_DUPLICATE\",\"meta\":{\"existingId\":\"card7\"}}"},
             {.status = 200,
              .body = "{\"opportunity\":{\"id\":\"card7\",\"name\":\"Order #1\",\"status\":\"won\"}}"});
    order(app, 1);
    struct sync_outcome outcome = work(app, 1, NULL);
    is_int(outcome.result, SYNC_DONE, "given a closed card of this order's name: %s", outcome.reason);
    is_str(outcome.ghl_id, "card7", "it is the order's");
    is_str(ghl.calls,
           UPSERT TAGS CREATE "GET /opportunities/card7\n"
                              "PUT /opportunities/card7\n" NOTE,
           "and is brought up to date");
}

/* Two orders of one customer, be it that they share the email or the phone alone. */
static void a_customer_in_anothers_hands(struct app *app)
{
    static const struct {
        const char *label, *value;
    } shared[] = {{"contact email", "a1@example.com"}, {"contact phone", "+12025550123"}};

    order_with(app, 1, ",\"phone\":\"+1 202 555 0123\"");
    for (size_t i = 0; i < sizeof shared / sizeof *shared; i++) {
        char hex[DIGEST_HEX_SIZE];
        const char *hash[] = {hex};
        int64_t newest_s;
        ghl_does(NULL, 0);
        ok(digest_label_hex(app->hash_key, DIGEST_LEN, shared[i].label, shared[i].value,
                            strlen(shared[i].value), hex) &&
               store_contact_lock(app->store, hash, 1, "another", MINUTE_MS, &newest_s) == STORE_OK,
           "given that another order writes this %s", shared[i].label);
        is_str(work(app, 1, NULL).reason, "contact_busy", "the customer is left alone");
        is_str(ghl.calls, "", "nothing is sent");
        ok(store_contact_unlock(app->store, hash, 1, "another", 0) == STORE_OK, "when that is over");
    }
    is_int(work(app, 1, NULL).result, SYNC_DONE, "it is written");
}

static void a_look_for_a_lost_answer_is_no_attempt(struct app *app)
{
    struct found found = {0};
    int looks = 0;

    GHL_DOES({.status = 200}, {.status = 200}, {.status = 0});
    order(app, 1);
    is_str(work(app, 1, NULL).reason, "in_flight", "given a create without an answer");
    for (struct sync_outcome outcome; looks < 20; looks++) {
        struct store_order waits = look(app, "shop:1");
        atomic_fetch_add(&shift_ms, waits.due_in_ms + 1000);
        outcome = work(app, 1, &found);
        is_int(found.attempts, 1, "that was the one attempt");
        if (outcome.result == SYNC_DONE)
            break;
        is_str(outcome.reason, "in_flight", "it is looked for");
    }
    ok(looks >= 4 && looks < 20, "for as long as it may still come: %d times", looks);
    ok(found.age_ms < 30000, "none of which counts for RETRY_FOR: %lld ms", (long long)found.age_ms);
}

static void three_refusals_of_one_kind(struct app *app)
{
    struct store_entry entry = {0};

    GHL_DOES({.status = 200}, {.status = 200}, {.status = 422}, {.status = 200}, {.status = 200},
             {.status = 422}, {.status = 200}, {.status = 200}, {.status = 422});
    for (int id = 1; id <= 3; id++) {
        order(app, id);
        is_str(work(app, id, NULL).reason, id < 3 ? "parked" : "paused", "order %d is refused", id);
    }
    struct store_order third = look(app, "shop:3");
    ok(third.due_in_ms > 4 * MINUTE_MS && third.due_in_ms <= 5 * MINUTE_MS, "the third waits 5 min: %lld ms",
       (long long)third.due_in_ms);
    is_int(look(app, "shop:1").due_in_ms, 0, "the first does not");
    ok(store_resume(app->store, NULL) == STORE_OK, "when it goes on");
    ok(store_lease_due(app->store, SYNC_LEASE_MS, NULL, &entry, NULL, NULL) == STORE_OK, "the next");
    is_str(entry.key, "shop:1", "is one of the others");
    store_entry_free(&entry);
}

/* Does a process with that token go on, before the pause may be probed? No call of it leaves. */
static bool goes_on_with(const char *token)
{
    struct app other;
    bool goes_on = opened(ghl.place, token, &other) && gate_probe(&other, STORE_HOLD_PAUSED, false);

    is_str(ghl.calls, "", "it asks nobody");
    app_close(&other);
    return goes_on;
}

static void a_refused_token(struct app *app)
{
    GHL_DOES({.status = 401}, {.status = 401});
    order(app, 1);
    is_str(work(app, 1, NULL).reason, "paused", "given a token that GHL refuses");
    ghl_does(NULL, 0);
    ok(!goes_on_with("GHL_API_KEY=pit-token"), "the same token waits for the probe");
    ok(goes_on_with("GHL_API_KEY=pit-other"), "another does not");
}

static void a_wrong_pipeline(struct app *app)
{
    GHL_DOES({.status = 200}, {.status = 200},
             {.status = 422, .body = "{\"statusCode\":422,\"message\":[\"The pipelineId is invalid\"]}"});
    order(app, 1);
    is_str(work(app, 1, NULL).reason, "paused", "given a pipeline that GHL does not know");
    ghl_does(NULL, 0);
    ok(!goes_on_with("GHL_API_KEY=pit-other"), "another token mends nothing");
}

static void a_refusal_while_ghl_is_not_well(struct app *app)
{
    order(app, 1);
    ghl.unwell = "GET /opportunities/pipelines";
    for (int i = 0; i < 5; i++) {
        GHL_DOES({.status = 403});
        is_str(work(app, 1, NULL).reason, "ghl_refused",
               "given a 403 when nobody can tell whose fault it is");
        ok(store_breaker(app->store, true, NULL) == STORE_OK, "an answer to somebody else");
        ok(!look(app, "shop:1").parked, "the order is not blamed");
    }
}

static int64_t failures(struct app *app)
{
    struct store_stats stats = {0};
    ok(store_stats(app->store, &stats) == STORE_OK, "the store tells");
    return stats.breaker_failures;
}

static void the_breaker_hears(struct app *app)
{
    GHL_DOES({.status = 503}, {.status = 503}, {.status = 503}, {.status = 503}, {.status = 429},
             {.status = 429}, {.status = 429}, {.status = 429}, {.status = 404});
    order(app, 1);
    is_str(work(app, 1, NULL).reason, "ghl_unavailable", "given an order that GHL does not answer");
    is_int(failures(app), 4, "four times");
    order(app, 2);
    is_str(work(app, 2, NULL).reason, "ghl_limit", "one that it has no time for");
    is_int(failures(app), 4, "says nothing of its health");
    order(app, 3);
    ok(work(app, 3, NULL).result != SYNC_DONE, "one that it refuses");
    is_int(failures(app), 0, "says that it is well");
}

int main(void)
{
    static const struct {
        const char *name;
        void (*run)(struct app *app);
    } cases[] = {
        {"a lease is renewed during long work", a_lease_is_renewed_during_long_work},
        {"no write begins when the lease may run out", no_write_begins_when_the_lease_may_run_out},
        {"a write begins well before that", a_write_begins_well_before_that},
        {"a lease that ended early", a_lease_that_ended_early},
        {"a worker that slept", a_worker_that_slept},
        {"a create is not sent late", a_create_is_not_sent_late},
        {"a create whose record takes long", a_create_whose_record_takes_long},
        {"a disk that hangs for a lease", a_disk_that_hangs_for_a_lease},
        {"GHL's day is over", ghls_day_is_over},
        {"its own card is in the way", its_own_card_is_in_the_way},
        {"a customer in another's hands", a_customer_in_anothers_hands},
        {"a look for a lost answer is no attempt", a_look_for_a_lost_answer_is_no_attempt},
        {"three refusals of one kind", three_refusals_of_one_kind},
        {"a refused token", a_refused_token},
        {"a wrong pipeline", a_wrong_pipeline},
        {"a refusal while GHL is not well", a_refusal_while_ghl_is_not_well},
        {"the breaker hears", the_breaker_hears},
    };
    if (!ok(ghl_begin(), "a GHL"))
        return tap_done();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct place place;
        struct app app;
        tap_note("%s", cases[i].name);
        if (begin(&place, &app))
            cases[i].run(&app);
        end(&place, &app);
    }
    ghl_end();
    return tap_done();
}
