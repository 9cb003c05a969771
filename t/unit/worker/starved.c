/*
 * An order's way while the machine has no more to give. In a world of its own, a delivery comes or a drain runs, and the
 * n-th allocation or addition to a buffer fails, or the n-th call of a file, SQLite, Redis or GHL, or only that call's
 * answer is lost; alone, or with all that come after it. The program does not crash and loses no memory; what it
 * answered with 2xx is kept; in the end GHL has one opportunity, and a last version changes it.
 *
 * t/torture.t asks the same of the whole program; this is one process, with GHL in a thread, so that each n can be tried.
 * The scenarios are those of the same names in t/crash-points.t.
 *
 *   STARVED=N           N faults of each kind in each scenario (default: 1; 20 in `make coverage`)
 *   STARVED=all         each fault alone; each call, and each tenth allocation, also with all that come after it
 *   STARVED=memory      those of them; call, lost
 *   STARVED='memory#7'  this one
 *   CASE=TEXT           the scenarios in whose name this is: "sqlite", "redis: a drain"
 */
#include "../../torture/faults.h"
#include "accept/accept.h"
#include "app/ready.h"
#include "base/clock.h"
#include "store/rig_redis.h"
#include "sync/planned.h"
#include "sync/rig_ghl.h"
#include "sync/shifted_clock.h"
#include "tap.h"
#include "web/routes.h"
#include "worker/drain.h"
#include "worker/unspool.h"
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define HANG_S 60
#define LATER_MS (300 * 1000LL) /* leases, an attempt's window, waits are over */
#define DRAINS 5                /* at most, until nothing waits */
#define LOOK_EACH 100           /* faults: then leaks are looked for */
#define EACH_ON 10
#define WRONG_MAX 20
#define LEAKED 3
#define NAME_SIZE 64

#if defined(__SANITIZE_ADDRESS__)
int __lsan_do_recoverable_leak_check(void);
#endif

static const char *const kind_names[FAULT_KINDS] = {"memory", "call", "lost"};
static const char *told, *only;

static const struct scenario {
    const char *name;
    enum { PAID, MORE, DRAIN } dies;
    bool waits; /* the first version is only queued, before */
    bool away;  /* the store cannot be reached by the first version */
    const char *status, *value;
} scenarios[] = {
    {"a new order", PAID, false, false, "won", "10"},
    {"a new version", MORE, false, false, "won", "12.5"},
    {"a drain", DRAIN, true, false, "won", "10"},
    {"the store is away", PAID, false, true, "won", "10"},
    {"a drain that moves the spool", DRAIN, false, true, "won", "10"},
};

struct fault {
    enum fault_kind kind;
    long at; /* 0 = none */
    bool on; /* all that come after it fail, too */
};
static const struct fault no_fault;

/* What a child of the test tells it, however it ends. */
struct progress {
    long all[FAULT_KINDS];
    struct fault fault; /* what is tried now */
    long passed, tried, wrong;
    bool done;
};

struct world {
    const struct scenario *scenario;
    const struct rig *redis; /* NULL = the embedded store */
    struct sandbox sandbox;
    struct ghl_kept ghl;
    int64_t shift_ms;
    bool is_away;
};

/* -- one world -- */

#define ORDER(status, total, hour, name)                                                                     \
    "{\"id\":7,\"number\":\"7\",\"status\":\"" status "\",\"total\":\"" total                                \
    "\",\"date_modified_gmt\":\"2026-03-01T" hour                                                            \
    ":00:00\",\"billing\":{\"first_name\":\"Ann\",\"last_name\":\"" name                                     \
    "\",\"email\":\"ann@example.com\",\"phone\":\"+12025550143\"}}"
static const char paid[] = ORDER("processing", "10.00", "10", "Lee"),
                  more[] = ORDER("completed", "12.50", "11", "Leeson"),
                  last[] = ORDER("cancelled", "7.00", "13", "Lee");

static void set_up(const struct world *world, bool now)
{
    char url[256];
    const char *settings[] = {ghl_base(),
                              "GHL_API_KEY=pit-token",
                              "GHL_DRY_RUN=no",
                              "GHL_PIPELINE_ID=fakePipelineAAAAAAAA",
                              "GHL_TAGS=shop",
                              "SALES_SINCE=2000-01-01",
                              "DRAIN_AFTER=off",
                              "REDIS_TIMEOUT=10s",
                              now ? "SYNC_BUDGET=50s" : "SYNC_BUDGET=0",
                              world->redis ? url : NULL,
                              NULL};

    snprintf(url, sizeof url, "REDIS_URL=%s%s", world->redis ? world->redis->redis_url : "",
             world->is_away ? ".nobody" : "");
    sandbox_settings(&world->sandbox, settings);
}

static bool open_app(const struct world *world, struct app *app)
{
    struct error e = ERROR_NONE;
    bool good = app_open(app, NULL);

    app->shift_ms = world->shift_ms;
    return good && app_ready(app, &e);
}

static long read_body(void *context, char *into, size_t n)
{
    const char **at = context;
    size_t left = strlen(*at);

    n = n < left ? n : left;
    memcpy(into, *at, n);
    *at += n;
    return (long)n;
}

/* The status of its answer. The fault is for the program, not for what is set up for it. */
static int deliver(struct world *world, const char *body, bool now, const struct fault *fault)
{
    struct app app;
    struct response response;
    char signature[SIGNATURE_SIZE], length[24];
    const char *left = body;

    set_up(world, now);
    snprintf(length, sizeof length, "%zu", strlen(body));
    bool is_signed = signature_make(SANDBOX_SECRET, body, strlen(body), signature);
    faults_at(fault->kind, fault->at, fault->on);
    (void)open_app(world, &app); /* a store that is away is the spool's business */
    const struct request request = {.method = "POST",
                                    .path = "/woo-order",
                                    .remote_addr = "127.0.0.1",
                                    .content_type = "application/json",
                                    .content_length = length,
                                    .transfer_encoding = "",
                                    .signature = is_signed ? signature : "",
                                    .topic = "order.updated",
                                    .resource = "order",
                                    .source = "",
                                    .query = "",
                                    .cookie = "",
                                    .authorization = "",
                                    .document_root = "",
                                    .read = read_body,
                                    .context = &left,
                                    .arrived_mono_ms = clock_mono_ms()};
    response_init(&response);
    routes_handle(&app, &request, &response);
    int status = is_signed ? response.status : 0;
    response_free(&response);
    app_close(&app);
    return status;
}

static bool is_kept(int status)
{
    return status == 200 || status == 202;
}

/* How many wait; -1 = it failed. */
static long drain(struct world *world, const struct fault *fault)
{
    static const struct drain_options options = {.budget_ms = CLOCK_NEVER, .heartbeat = true};
    struct drain_counts counts = {0};
    struct app app;

    set_up(world, true);
    faults_at(fault->kind, fault->at, fault->on);
    bool good = open_app(world, &app) && drain_run(&app, &options, &counts);
    app_close(&app);
    return good ? counts.left : -1;
}

/* The embedded store: its file is not to be opened. Redis: nobody listens there. */
static bool put_away(struct world *world, bool away)
{
    char file[128], aside[128];

    if (world->is_away == away)
        return true;
    world->is_away = away;
    sandbox_path(&world->sandbox, "data/store.db", file);
    sandbox_path(&world->sandbox, "data/store.db.aside", aside);
    return world->redis || (away ? rename(file, aside) == 0 && mkdir(file, 0700) == 0
                                 : rmdir(file) == 0 && rename(aside, file) == 0);
}

/* Leases and waits are over. A file of the spool waits by the wall's clock. */
static void pass_time(struct world *world)
{
    char path[128], from[400], to[400];
    struct dirent *entry;

    world->shift_ms += LATER_MS;
    if (world->redis)
        rig_redis.shift((struct rig *)(uintptr_t)world->redis, LATER_MS);
    sandbox_path(&world->sandbox, "data/spool", path);
    DIR *dir = opendir(path);
    while (dir && (entry = readdir(dir))) {
        snprintf(from, sizeof from, "%s/%s", path, entry->d_name);
        snprintf(to, sizeof to, "%s", from);
        char *until = strrchr(to, 'u'), *end = strrchr(to, '.');
        if (!until || !end || end - until != 11)
            continue;
        memset(until + 1, '0', 10);
        if (rename(from, to) != 0)
            tap_note("%s stays", from);
    }
    if (dir)
        closedir(dir);
}

static const char *drain_all(struct world *world)
{
    if (!put_away(world, false))
        return "the store does not come back";
    for (int i = 0; i < DRAINS; i++) {
        pass_time(world);
        long left = drain(world, &no_fault);
        if (left < 0)
            return "a drain failed";
        if (left == 0)
            return NULL;
    }
    return "something waits after all drains";
}

static const char *look(const struct world *world, const char *status, const char *value)
{
    static char wrong[256];
    const struct ghl_kept *ghl = &world->ghl;

    if (ghl->creates == 1 && !strcmp(ghl->name, "Order #7") && !strcmp(ghl->status, status) &&
        strtod(ghl->value, NULL) == strtod(value, NULL))
        return NULL;
    snprintf(wrong, sizeof wrong, "%d opportunities, the last %s is %s %s, not %s %s", ghl->creates,
             ghl->name, ghl->status, ghl->value, status, value);
    return wrong;
}

/* What comes before, then what meets the fault; its answer's status, of a drain 202. */
static int begin(struct world *world, const struct fault *fault, long counts[FAULT_KINDS], const char **wrong)
{
    const struct scenario *scenario = world->scenario;
    int status = 202;

    *wrong =
        scenario->away && (drain(world, &no_fault) != 0 || !put_away(world, true)) ? "the first drain" : NULL;
    if (scenario->dies != PAID && !is_kept(deliver(world, paid, !scenario->waits, &no_fault)))
        *wrong = "the first delivery";
    if (scenario->dies == DRAIN) {
        if (!put_away(world, false))
            *wrong = "the store's return";
        pass_time(world);
    }
    if (*wrong)
        return 0;
    if (scenario->dies == DRAIN)
        (void)drain(world, fault);
    else
        status = deliver(world, scenario->dies == PAID ? paid : more, true, fault);
    for (int i = 0; i < FAULT_KINDS; i++)
        counts[i] = faults_stop((enum fault_kind)i);
    return status;
}

/* What is wrong in the end, or NULL. */
static const char *live(struct world *world, const struct fault *fault, long counts[FAULT_KINDS])
{
    const struct scenario *scenario = world->scenario;
    const char *wrong;
    int status = begin(world, fault, counts, &wrong);

    if (wrong)
        return wrong;
    if (!is_kept(status)) {
        if (status && status < 500)
            return "it was refused";
        pass_time(world);
        if (!put_away(world, false) ||
            !is_kept(deliver(world, scenario->dies == MORE ? more : paid, true, &no_fault)))
            return "sent again, it was not taken";
    }
    wrong = drain_all(world);
    if (!wrong)
        wrong = look(world, scenario->status, scenario->value);
    if (wrong)
        return wrong;
    pass_time(world);
    status = deliver(world, last, true, &no_fault);
    wrong = !is_kept(status) ? "the last version was not taken" : status == 202 ? drain_all(world) : NULL;
    return wrong ? wrong : look(world, "abandoned", "7");
}

/* -- many of them -- */

static void name_fault(const struct progress *progress, char out[32])
{
    snprintf(out, 32, "%s#%ld%s", kind_names[progress->fault.kind], progress->fault.at,
             progress->fault.on ? "+" : "");
}

static void try_one(const struct scenario *scenario, const struct rig *redis, struct progress *progress,
                    long counts[FAULT_KINDS])
{
    struct world world = {.scenario = scenario, .redis = redis};
    char name[32], answer[16];

    (void)alarm(HANG_S); /* what waits for ever ends by a signal */
    if (!sandbox_begin(&world.sandbox))
        _exit(EXIT_FAILURE);
    if (redis)
        rig_ask(redis, "FLUSHALL", answer, sizeof answer);
    ghl_does(NULL, 0);
    ghl_keeps(&world.ghl);
    const char *wrong = live(&world, &progress->fault, counts);
    ghl_keeps(NULL);
    if (wrong) {
        name_fault(progress, name);
        tap_note("%s: %s: %s", scenario->name, name, wrong);
        progress->wrong++;
    }
    sandbox_end(&world.sandbox);
}

/* Is it one of those that STARVED names? */
static bool is_chosen(const struct progress *progress)
{
    long all = progress->all[progress->fault.kind], tries = strtol(told, NULL, 10);
    char name[32];

    if (!strcmp(told, "all") || !strcmp(told, kind_names[progress->fault.kind]))
        return !progress->fault.on || progress->fault.kind != FAULT_MEMORY ||
               progress->fault.at % EACH_ON == 0;
    if (strchr(told, '#')) {
        name_fault(progress, name);
        return !strcmp(told, name);
    }
    long step = all > tries && tries > 0 ? all / tries : 1;
    return tries > 0 && progress->fault.at % step == step / 2 &&
           progress->fault.on == (progress->fault.at / step + progress->fault.kind) % 2;
}

/* Of the last ones. */
static void look_for_leaks(struct progress *progress)
{
    bool leak = false;
#if defined(__SANITIZE_ADDRESS__)
    leak = __lsan_do_recoverable_leak_check() != 0;
#endif
    if (!leak)
        return;
    char name[32];
    name_fault(progress, name);
    tap_note("a leak, at %s or in the %d before", name, LOOK_EACH);
    progress->wrong++;
    (void)fflush(stdout);
    _exit(LEAKED);
}

/* All from behind `passed` on; then done is set. */
static void try_all(const struct scenario *scenario, const struct rig *redis, struct progress *progress)
{
    long counts[FAULT_KINDS], passed = progress->passed, i = 0;

    if (!ghl_begin())
        _exit(EXIT_FAILURE);
    *progress = (struct progress){.passed = passed, .tried = progress->tried, .wrong = progress->wrong};
    for (int warm = 0; warm < 2; warm++) /* what libraries keep is there then */
        try_one(scenario, redis, progress, counts);
    memcpy(progress->all, counts, sizeof counts);
    for (int n = 0; n < 2 * FAULT_KINDS; n++) {
        struct fault *fault = &progress->fault;
        *fault = (struct fault){.kind = (enum fault_kind)(n / 2), .on = n % 2};
        while (++fault->at <= progress->all[fault->kind]) {
            if (!is_chosen(progress) || ++i <= passed)
                continue;
            progress->passed = i;
            progress->tried++;
            try_one(scenario, redis, progress, counts);
            if (progress->tried % LOOK_EACH == 0)
                look_for_leaks(progress);
        }
    }
    look_for_leaks(progress);
    progress->done = true;
}

static void starve(const struct scenario *scenario, const struct rig *redis, const char *name)
{
    struct progress *progress =
        mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status = 0;
    char fault[32];

    if (progress == MAP_FAILED) {
        ok(false, "memory that is shared");
        return;
    }
    while (!progress->done && progress->wrong < WRONG_MAX) {
        (void)fflush(stdout);
        pid_t pid = fork();
        if (pid == 0) {
            try_all(scenario, redis, progress);
            (void)fflush(stdout);
            _exit(EXIT_SUCCESS);
        }
        if (pid < 0 || waitpid(pid, &status, 0) != pid)
            break;
        if (progress->done || (WIFEXITED(status) && WEXITSTATUS(status) == LEAKED))
            continue;
        name_fault(progress, fault);
        tap_note("%s: %s: it ended with %x", name, fault, (unsigned)status);
        progress->wrong++;
    }
    ok(progress->done && progress->tried > 0 && !progress->wrong,
       "%s: %ld faults of %ld allocations, %ld calls, %ld lost", name, progress->tried,
       progress->all[FAULT_MEMORY], progress->all[FAULT_CALL], progress->all[FAULT_LOST]);
    (void)munmap(progress, sizeof *progress);
}

static void starve_each(const struct rig *redis)
{
    char name[NAME_SIZE];

    for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
        snprintf(name, sizeof name, "%s: %s", redis ? "redis" : "sqlite", scenarios[i].name);
        if (strstr(name, only))
            starve(&scenarios[i], redis, name);
    }
}

/* What cannot be verified is not refused. */
static void verify_starved(void)
{
    struct signature_keys keys;
    char good[SIGNATURE_SIZE];
    bool made =
        signature_keys_init(&keys, SANDBOX_SECRET, NULL) && signature_make(SANDBOX_SECRET, "{}", 2, good);

    faults_at(FAULT_MEMORY, 1, true);
    enum signature_form form = made ? signature_verify(&keys, good, "{}", 2, NULL) : SIGNATURE_NONE;
    (void)faults_stop(FAULT_MEMORY);
    is_int(form, SIGNATURE_UNKNOWN, "without memory nobody knows whose signature it is");
    signature_keys_free(&keys);
}

/* A spool that cannot be looked at is not closed under the hands of who moves it. */
static void move_starved(void)
{
    struct sandbox sandbox;
    struct app app;
    struct error e = ERROR_NONE;
    bool good = sandbox_begin(&sandbox) && sandbox_app(&sandbox, NULL, &app);

    faults_at(FAULT_CALL, 1, true);
    (void)app_ready(&app, &e);
    long moved = unspool(&app);
    (void)faults_stop(FAULT_CALL);
    ok(good && app.spool && moved <= 0, "if no call works, nothing is moved");
    app_close(&app);
    sandbox_end(&sandbox);
}

/* What cannot be read waits, and is not taken for something else. */
static void unpack_starved(void)
{
    static const char packed[] = "woo_ghl delivery 1\norder.updated\norder\n\n{}";
    struct buf bytes;
    struct planned planned;
    struct order_verdict verdict;
    struct acceptance acceptance = {.result = ACCEPTED_QUEUED};
    struct app none = {0};
    struct error e = ERROR_NONE;

    buf_init(&bytes, sizeof packed);
    bool made = buf_adds(&bytes, packed);
    faults_at(FAULT_MEMORY, 1, true);
    enum planned_result result = planned_unpack(&none, &bytes, "", &planned, &verdict, &e);
    bool good = accept_packed(&none, packed, sizeof packed - 1, (struct accept_delivery){0}, &acceptance);
    (void)faults_stop(FAULT_MEMORY);
    ok(made && result == PLANNED_NO_MEMORY, "without memory a kept delivery stays one");
    ok(good && acceptance.result == ACCEPTED_REFUSED, "also in the spool: %s", acceptance.trouble.text);
    planned_free(&planned);
    buf_free(&bytes);
}

/* Settings that are not whole are refused. */
static void load_starved(void)
{
    static const char *const settings[] = {"GHL_STATUS_MAP=processing:won,completed:won,cancelled:lost",
                                           "GHL_TAGS_REMOVE=refunded:customer,failed:customer",
                                           "WOO_SHOPS=one=one.example.com,1.example.com two=two.example.com",
                                           NULL};
    const struct sandbox nowhere = {"/tmp"};
    struct config whole, part;
    struct config_report report;
    long n = 0, all = 1, wrong = 0;

    sandbox_settings(&nowhere, settings);
    for (bool good = false; n <= all; n++) {
        faults_at(FAULT_MEMORY, n, false);
        good = config_load(n ? &part : &whole, &report);
        long made = faults_stop(FAULT_MEMORY);
        all = n ? all : made;
        if (n ? good && config_differ(&whole, &part, NULL) : !good) {
            tap_note("memory#%ld: %s", n, n ? "what it loaded is not whole" : report.problem[0]);
            wrong++;
        }
        config_report_free(&report);
        if (n)
            config_free(&part);
    }
    config_free(&whole);
    ok(all > 100 && wrong == 0, "settings are loaded whole or refused, whichever of %ld allocations fails",
       all);
}

/* As the environment has it, which a sandbox clears. */
static const char *keep_variable(const char *name, const char *otherwise, char copy[NAME_SIZE])
{
    const char *value = getenv(name);

    snprintf(copy, NAME_SIZE, "%s", value ? value : otherwise);
    return copy;
}

int main(void)
{
    static char copies[2][NAME_SIZE];
    struct rig redis;
    struct app none = {0};
    int64_t count;

    told = keep_variable("STARVED", getenv("COVERAGE") ? "20" : "1", copies[0]);
    only = keep_variable("CASE", "", copies[1]);
    (void)setvbuf(stdout, NULL, _IOLBF, 0); /* a child that dies has told what it found */
    faults_install();
    signal(SIGPIPE, SIG_IGN); /* as the program does */
#if !defined(__SANITIZE_ADDRESS__)
    if (!freopen("/dev/null", "w", stderr)) /* a log that cannot be opened is written there */
        return EXIT_FAILURE;
#endif
    verify_starved();
    unpack_starved();
    move_starved();
    load_starved();
    ok(app_tells(&none, "an event", &count) && count == 1,
       "without memory for the settings each event is told");
    starve_each(NULL);
    really_sleeps = true;
    bool begun = rig_begin(&redis, &rig_redis);
    really_sleeps = false;
    if (begun)
        starve_each(&redis);
    rig_end(&redis);
    return tap_done();
}
