/*
 * Drives the GHL client for t/ghl.t: reads one JSON object a line, makes the call that it names, writes the
 * answer and what the terms were told as one JSON object a line.
 *
 *   ghl '{"base":"http://127.0.0.1:1", "token":"...", "location":"...", ...}' LOGFILE
 *   {"call":"contact_upsert", "body":{}, "id":"", "text":"", "within_ms":20000, "send_within_ms":5000,
 *    "limit_ms":[0], "may_write":[true]}
 *
 * Waits are noted, not waited for, and the clock of all deadlines stands still: no machine is too slow for one. limit_ms and
 * may_write give the terms' answers in turn, the last one again.
 */
#include "base/clock.h"
#include "ghl/ghl_work.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

/* In the place of the C library's. libcurl goes by CLOCK_MONOTONIC, which goes on. */
int clock_gettime(clockid_t id, struct timespec *now)
{
    static struct timespec stands;

    if (id != CLOCK_BOOTTIME)
        return (int)syscall(SYS_clock_gettime, id, now);
    if (!stands.tv_sec && syscall(SYS_clock_gettime, id, &stands) != 0)
        return -1;
    *now = stands;
    return 0;
}

static int64_t passing_ms(void)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

struct told {
    const json_t *asked;
    size_t limited, wrote;
    json_t *waits, *heard, *rooms;
};

static const json_t *turn(const json_t *list, size_t *at)
{
    size_t n = json_array_size(list), i = *at < n ? *at : n - 1;
    (*at)++;
    return n ? json_array_get(list, i) : NULL;
}

static int64_t limit(void *context, int64_t max_wait_ms)
{
    struct told *told = context;
    const json_t *value = turn(json_object_get(told->asked, "limit_ms"), &told->limited);
    if (json_array_append_new(told->rooms, json_integer(max_wait_ms)) != 0)
        abort();
    return value ? json_integer_value(value) : 0;
}

static bool may_write(void *context)
{
    struct told *told = context;
    const json_t *value = turn(json_object_get(told->asked, "may_write"), &told->wrote);
    return !json_is_false(value);
}

static void heard(void *context, const struct http_answer *answer, bool transport_ok)
{
    struct told *told = context;
    json_t *one = json_pack(
        "{sI sb sI sI sI sI sI sI sI}", "status", (json_int_t)answer->status, "ok", transport_ok,
        "retry_after_ms", (json_int_t)answer->retry_after_ms, "rate_max", (json_int_t)answer->rate_max,
        "rate_remaining", (json_int_t)answer->rate_remaining, "rate_interval_ms",
        (json_int_t)answer->rate_interval_ms, "rate_daily_limit", (json_int_t)answer->rate_daily_limit,
        "rate_daily_remaining", (json_int_t)answer->rate_daily_remaining, "rate_daily_reset_ms",
        (json_int_t)answer->rate_daily_reset_ms);
    if (json_array_append_new(told->heard, one) != 0)
        abort();
}

static bool wait_ms(void *context, int64_t ms)
{
    struct told *told = context;
    if (json_array_append_new(told->waits, json_integer(ms)) != 0)
        abort();
    return !json_is_true(json_object_get(told->asked, "stopped"));
}

static const char *text(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));
    return value ? value : "";
}

/* A read that the program itself has no use for. */
static enum ghl_result ghl_contact_get(struct ghl *ghl, const struct ghl_call *call, const char *id,
                                       struct ghl_answer *answer)
{
    char path[128];
    snprintf(path, sizeof path, "/contacts/%s", id);
    const struct ghl_request request = {.kind = GHL_READ,
                                        .method = "GET",
                                        .path = path,
                                        .subject = "contact",
                                        .wants = "contact",
                                        .wants_id = true,
                                        .needs_ms = 250};
    return ghl_run(ghl, call, &request, answer);
}

static enum ghl_result call_named(struct ghl *ghl, const struct ghl_call *call, const json_t *asked,
                                  struct ghl_answer *answer)
{
    const char *name = text(asked, "call"), *id = text(asked, "id"), *words = text(asked, "text");
    const json_t *body = json_object_get(asked, "body");

#define CASE(want, ...)                                                                                      \
    if (strcmp(name, #want) == 0)                                                                            \
    return ghl_##want(ghl, call, __VA_ARGS__, answer)
#define CASE_BARE(want)                                                                                      \
    if (strcmp(name, #want) == 0)                                                                            \
    return ghl_##want(ghl, call, answer)

    CASE(contact_upsert, body);
    CASE(contact_create, body);
    CASE(contact_update, id, body);
    CASE(contact_get, id);
    CASE(contact_find, words, text(asked, "phone"));
    CASE(contact_search, words);
    CASE(contact_add_tags, id, body);
    CASE(contact_remove_tags, id, body);
    CASE(note_create, id, words);
    CASE(note_list, id);
    CASE(opportunity_create, body);
    CASE(opportunity_update, id, body);
    CASE(opportunity_get, id);
    CASE(opportunity_search, id, words);
    CASE_BARE(pipelines);
    CASE_BARE(location);
    CASE_BARE(custom_fields);
    fprintf(stderr, "no such call: %s\n", name);
    exit(2);
}

static json_t *show(const struct ghl_answer *a, struct told *told, int64_t ms)
{
    return json_pack("{ss si si ss ss sb sb sb ss si ss ss ss sI sb sO? sI so so so}", "result",
                     ghl_result_name(a->result), "status", a->status, "tries", a->tries, "id", a->id,
                     "existing_id", a->existing_id, "created", a->created, "maybe_done", a->maybe_done,
                     "maybe_later", a->maybe_later, "field", a->field, "field_index", a->field_index,
                     "message", a->message, "code", a->code, "trace_id", a->trace_id, "retry_after_ms",
                     (json_int_t)a->retry_after_ms, "transport_failed", a->transport_failed, "json", a->json,
                     "ms", (json_int_t)ms, "waits", told->waits, "heard", told->heard, "rooms", told->rooms);
}

static int64_t within(const json_t *asked, const char *key, int64_t otherwise)
{
    const json_t *value = json_object_get(asked, key);
    return value ? clock_mono_ms() + json_integer_value(value) : otherwise;
}

static void one_call(struct ghl *ghl, const json_t *asked)
{
    struct told told = {.asked = asked, .waits = json_array(), .heard = json_array(), .rooms = json_array()};
    struct ghl_terms terms = {
        .context = &told, .limit = limit, .may_write = may_write, .heard = heard, .wait = wait_ms};
    struct ghl_call call = {.terms = &terms,
                            .deadline_mono_ms = within(asked, "within_ms", clock_mono_ms() + 20000),
                            .order = "shop:1001",
                            .send_deadline_mono_ms = within(asked, "send_within_ms", CLOCK_NEVER)};
    struct ghl_answer answer;
    int64_t began = passing_ms();

    enum ghl_result result = call_named(ghl, &call, asked, &answer);
    if (result != answer.result)
        abort();
    json_t *shown = show(&answer, &told, passing_ms() - began);
    if (!shown || json_dumpf(shown, stdout, JSON_COMPACT) != 0)
        abort();
    putchar('\n');
    fflush(stdout);
    json_decref(shown);
    ghl_answer_free(&answer);
}

int main(int argc, char **argv)
{
    struct error e = ERROR_NONE;
    json_t *given = argc == 3 ? json_loads(argv[1], 0, NULL) : NULL;
    struct log *log = given ? log_open(argv[2], LOG_LEVEL_DEBUG, 0, &e) : NULL;
    struct config config = {0};
    struct pair stage = {.key = (char *)"completed", .value = (char *)"Paid"};

    if (!log)
        return 2;
    config.ghl_api_base = (char *)text(given, "base");
    config.ghl_api_key = (char *)text(given, "token");
    config.ghl_api_key_next = (char *)"";
    config.ghl_location_id = (char *)text(given, "location");
    config.ghl_api_version = (char *)text(given, "version");
    config.ghl_pipeline_id = (char *)text(given, "pipeline");
    config.webhook_secret = (char *)"a webhook secret";
    config.ghl_timeout_ms = json_integer_value(json_object_get(given, "timeout_ms"));
    config.dry_run = json_is_true(json_object_get(given, "dry_run"));
    config.stage_map = (struct pair_list){&stage, 1};

    struct ghl *ghl = ghl_new(&config, log, &e);
    char *line = NULL;
    size_t size = 0;
    if (!ghl)
        return 2;
    while (getline(&line, &size, stdin) > 0) {
        json_t *asked = json_loads(line, 0, NULL);
        if (!asked)
            return 2;
        one_call(ghl, asked);
        json_decref(asked);
    }
    free(line);
    ghl_free(ghl);
    log_close(log);
    json_decref(given);
    return 0;
}
