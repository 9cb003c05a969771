/* Carries a call out: GHL's limits, the lease, the time left, the tries. */
#include "base/clock.h"
#include "base/crash.h"
#include "ghl/ghl_work.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRIES 4
static const int64_t pause_ms[TRIES - 1] = {1000, 2000, 4000};

static bool is_write(const struct ghl_request *request)
{
    return request->kind != GHL_READ;
}

/* How long a call may still wait before it has to begin. */
static int64_t room_ms(const struct ghl_call *call, const struct ghl_request *request)
{
    int64_t room = clock_left_ms(call->deadline_mono_ms) - request->needs_ms;
    if (is_write(request)) {
        int64_t left = clock_left_ms(call->send_deadline_mono_ms);
        room = left == 0 ? -1 : left < room ? left : room;
    }
    return room;
}

static const struct ghl_terms no_terms;

static const struct ghl_terms *terms_of(const struct ghl_call *call)
{
    return call->terms ? call->terms : &no_terms;
}

static bool wait_ms(const struct ghl_terms *terms, int64_t ms)
{
    if (ms <= 0)
        return true;
    return terms->wait ? terms->wait(terms->context, ms) : clock_sleep_ms(ms, NULL);
}

/* Time, GHL's limits, and the lease, in this order: the lease is looked at last, just before the call. */
static enum ghl_result may_begin(const struct ghl_call *call, const struct ghl_request *request,
                                 struct ghl_answer *answer)
{
    const struct ghl_terms *terms = terms_of(call);
    int64_t room = room_ms(call, request);

    if (room < 0 || (terms->is_awaited && terms->is_awaited(terms->context)))
        return GHL_TOO_LATE;
    if (terms->limit) {
        int64_t delay_ms = terms->limit(terms->context, room);
        if (delay_ms > room) {
            answer->retry_after_ms = delay_ms;
            snprintf(answer->message, sizeof answer->message, "no call to GHL is free for %" PRId64 " s",
                     (delay_ms + 999) / 1000);
            return GHL_LIMITED;
        }
        if (!wait_ms(terms, delay_ms) || room_ms(call, request) < 0)
            return GHL_TOO_LATE;
    }
    if (is_write(request) && terms->may_write && !terms->may_write(terms->context))
        return GHL_LOST;
    return GHL_OK;
}

static void send_once(struct ghl *ghl, const struct ghl_call *call, const struct ghl_request *request,
                      const char *url, const char *body, struct ghl_answer *answer)
{
    const char *const headers[] = {ghl->authorization, ghl->version, "Accept: application/json",
                                   body ? "Content-Type: application/json" : NULL, NULL};
    int64_t left = clock_left_ms(call->deadline_mono_ms), limit = ghl->config->ghl_timeout_ms;
    struct http_request http = {.method = request->method,
                                .url = url,
                                .headers = headers,
                                .body = body,
                                .body_len = body ? strlen(body) : 0,
                                .timeout_ms = left < limit ? left : limit,
                                .fresh_connection = request->kind == GHL_CREATE,
                                .unsent_ms = limit,
                                .send_deadline_mono_ms =
                                    is_write(request) ? call->send_deadline_mono_ms : CLOCK_NEVER};
    const struct ghl_terms *terms = terms_of(call);
    struct http_answer heard;

    http_answer_init(&heard);
    enum http_result sent = CRASH_AROUND(request->method, http_call(ghl->http, &http, &heard));
    ghl_judge(request, sent, &heard, answer);
    if (terms->heard && sent != HTTP_TOO_LATE && sent != HTTP_UNUSABLE)
        terms->heard(terms->context, &heard, !answer->transport_failed);
    http_answer_free(&heard);
}

static void note_try(struct ghl *ghl, const struct ghl_call *call, const struct ghl_request *request,
                     const struct ghl_answer *answer, int64_t began_ms)
{
    struct log_about about = {.order = call->order,
                              .status = answer->status,
                              .trace_id = answer->trace_id,
                              .ghl_id = answer->id,
                              .ms = clock_mono_ms() - began_ms,
                              .has_ms = true};
    int path_len = (int)strcspn(request->path, "?");

    if (answer->result == GHL_OK)
        log_event(ghl->log, LOG_LEVEL_DEBUG, "ghl", &about, "%s %.*s", request->method, path_len,
                  request->path);
    else
        log_event(ghl->log, LOG_LEVEL_INFO, "ghl", &about, "%s %.*s: %s %s (try %d)", request->method,
                  path_len, request->path, ghl_result_name(answer->result), answer->message, answer->tries);
}

/* Is there a further try, and after which pause? */
static bool again(const struct ghl_call *call, const struct ghl_request *request,
                  const struct ghl_answer *answer, int64_t *pause)
{
    bool repeatable = answer->result == GHL_RETRY ||
                      (answer->result == GHL_LIMITED && answer->status == 429) ||
                      (answer->result == GHL_UNKNOWN && request->kind == GHL_WRITE);

    if (!repeatable || answer->tries >= TRIES)
        return false;
    *pause = pause_ms[answer->tries - 1];
    if (answer->retry_after_ms > *pause)
        *pause = answer->retry_after_ms;
    return *pause < room_ms(call, request);
}

/* What an earlier try may have done, or may yet do, the later ones do not undo. */
static void remember(struct ghl_answer *next, const struct ghl_answer *earlier)
{
    next->maybe_done = next->result != GHL_OK && (next->maybe_done || earlier->maybe_done);
    next->maybe_later = next->maybe_later || earlier->maybe_later;
}

/* GHL refuses the token: is there another one, which was not tried in this call? It is used from now on. */
static bool other_token(struct ghl *ghl, const struct ghl_answer *answer, bool *tried)
{
    if (answer->status != 401 || *tried || !*ghl->config->ghl_api_key_next)
        return false;
    *tried = true;
    ghl->next = !ghl->next;
    if (!ghl_renew(ghl)) {
        ghl->next = !ghl->next;
        return false;
    }
    log_event(ghl->log, LOG_LEVEL_WARN, "token", NULL, "GHL refuses %s (%s): %s is used from now on",
              ghl->next ? "GHL_API_KEY" : "GHL_API_KEY_NEXT", answer->message,
              ghl->next ? "GHL_API_KEY_NEXT" : "GHL_API_KEY");
    return true;
}

static void run(struct ghl *ghl, const struct ghl_call *call, const struct ghl_request *request,
                const char *url, const char *body, struct ghl_answer *answer)
{
    bool other = false;

    for (int tries = 0;;) {
        struct ghl_answer next = GHL_ANSWER(GHL_RETRY);
        int64_t pause = 0, began_ms = clock_mono_ms();

        next.result = may_begin(call, request, &next);
        if (next.result == GHL_OK) {
            tries++;
            send_once(ghl, call, request, url, body, &next);
            next.tries = tries;
            note_try(ghl, call, request, &next, began_ms);
        } else {
            /* If there is no time for another try, the previous try's error is reported. */
            if (next.result == GHL_TOO_LATE && tries > 0)
                return;
            next.tries = tries;
            next.status = answer->status;
        }
        remember(&next, answer);
        ghl_answer_free(answer);
        *answer = next;
        if (other_token(ghl, answer, &other)) {
            if (request->kind != GHL_CREATE)
                continue;
            answer->result =
                GHL_UNKNOWN; /* a create is looked for before another is sent, whatever was answered */
            return;
        }
        if (!again(call, request, answer, &pause) || !wait_ms(terms_of(call), pause))
            return;
    }
}

enum ghl_result ghl_run(struct ghl *ghl, const struct ghl_call *call, const struct ghl_request *request,
                        struct ghl_answer *answer)
{
    struct buf url;
    char *body = NULL;

    *answer = GHL_ANSWER(GHL_RETRY);
    if (ghl->config->dry_run)
        return ghl_dry_run(ghl, call, request, answer);

    buf_init(&url, 4096);
    /* 15 digits: the shortest text of an amount, not the nearest double's 17 (json_decimal). */
    if (request->body)
        body = json_written(request->body, JSON_COMPACT | JSON_REAL_PRECISION(15));
    if (buf_adds(&url, ghl->config->ghl_api_base) && buf_adds(&url, request->path) &&
        (body || !request->body))
        run(ghl, call, request, url.data, body, answer);
    else
        log_event(ghl->log, LOG_LEVEL_ERROR, "ghl", NULL, "Out of memory for a request");
    free(body);
    buf_free(&url);
    return answer->result;
}
