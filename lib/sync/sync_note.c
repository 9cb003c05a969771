#include "base/clock.h"
#include "sync/sync_work.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MARK_SIZE 128
#define MARK_HASH 12 /* hex digits */
/* The link knows the last note alone. Two states of one second may come in turns, each redelivered. */
#define WRITTEN_TTL_MS (24LL * 3600 * 1000)
#define WRITTEN_SIZE (GHL_ID_SIZE + MARK_SIZE + 8)

/* "[shop:1001 3f2a9c51b07e]": the order, and the state that the note is of. It needs no key: it stands beside
 * the text that it is made of. */
static bool make_mark(const struct sync_work *w, char out[MARK_SIZE])
{
    char hash[DIGEST_HEX_SIZE], label[32];

    snprintf(label, sizeof label, "note %lld", (long long)w->plan->modified_s);
    if (!digest_label_hex(w->work->key, strlen(w->work->key), label, w->plan->note, strlen(w->plan->note),
                          hash))
        return false;
    int n = snprintf(out, MARK_SIZE, "[%.100s %.*s]", w->work->key, MARK_HASH, hash);
    return n > 0 && n < MARK_SIZE;
}

/* -- those that were written lately -- */

/* Each contact has its own: an order's customer may change. */
static void written_name(const struct sync_work *w, const char *mark, char out[WRITTEN_SIZE])
{
    snprintf(out, WRITTEN_SIZE, "note/%s/%s", w->link.contact, mark);
}

static bool is_written(const struct sync_work *w, const char *mark)
{
    char name[WRITTEN_SIZE], *kept = NULL;

    written_name(w, mark, name);
    bool written = store_get(w->app->store, name, &kept) == STORE_OK;
    free(kept);
    return written;
}

static void written(struct sync_work *w, const char *mark)
{
    char name[WRITTEN_SIZE];

    written_name(w, mark, name);
    sync_holds(w, PLAN_NOTE);
    app_keep(w->app, name, "1", WRITTEN_TTL_MS);
}

/* -- the note -- */

/* An earlier attempt may have reached GHL: is its note there? */
static enum step look(struct sync_work *w, const char *mark, bool *there)
{
    struct ghl_answer answer;
    struct ghl_call call = sync_call(w);
    enum step step = STEP_NEXT;
    int64_t left_ms = sync_in_flight_ms(w); /* it may be carried out late */
    const json_t *note;
    size_t i;

    *there = false;
    if (ghl_note_list(w->app->ghl, &call, w->link.contact, &answer) == GHL_OK) {
        json_array_foreach(json_object_get(answer.json, "notes"), i, note) *there =
            *there || strstr(json_text(note, "body"), mark) != NULL;
        if (!*there && left_ms > 0)
            step = sync_stop_in_flight(w, left_ms);
    } else if (answer.result != GHL_GONE) {
        step = sync_stop_answer(w, "notes", &answer);
    }
    ghl_answer_free(&answer);
    return step;
}

/* A note that GHL does not take holds up nothing: contact and opportunity are there. */
static void leave_out(struct sync_work *w, const struct ghl_answer *answer)
{
    struct log_about about = {.order = w->work->key, .trace_id = answer->trace_id, .status = answer->status};
    struct error words = ERROR_NONE;

    ghl_explain(answer, &words);
    log_event(w->app->log, LOG_LEVEL_WARN, "degraded", &about, "The contact is without this order's note: %s",
              words.text);
    sync_holds(w, PLAN_NOTE);
}

static enum step create(struct sync_work *w, const char *mark)
{
    struct ghl_answer answer;
    struct buf text;
    struct ghl_call call = sync_call(w);
    int64_t until = clock_mono_ms() + WRITE_SEND_MS; /* from before it is recorded */
    json_t *recorded = json_object();

    buf_init(&text, strlen(w->plan->note) + MARK_SIZE + 8);
    enum step step = buf_addf(&text, "%s\n%s", w->plan->note, mark) ? sync_attempt(w, ATTEMPT_NOTE, recorded)
                                                                    : sync_stop_memory(w);
    json_decref(recorded);
    if (step == STEP_STOP)
        goto out;
    if (until < call.send_deadline_mono_ms)
        call.send_deadline_mono_ms = until;
    switch (ghl_note_create(w->app->ghl, &call, w->link.contact, text.data, &answer)) {
    case GHL_OK: written(w, mark); break;
    case GHL_REFUSED:
    case GHL_DUPLICATE:
    case GHL_GONE: leave_out(w, &answer); break;
    default: step = sync_stop_answer(w, "note", &answer); break;
    }
    ghl_answer_free(&answer);
out:
    buf_wipe(&text);
    return step;
}

enum step sync_note(struct sync_work *w)
{
    char mark[MARK_SIZE];
    bool there = false;

    if (!w->plan->note || !sync_differs(w, PLAN_NOTE) || !w->link.contact[0])
        return STEP_NEXT;
    if (!make_mark(w, mark))
        return sync_stop_memory(w);
    if (w->work->record.attempt.kind == ATTEMPT_NOTE && look(w, mark, &there) == STEP_STOP)
        return STEP_STOP;
    if (there)
        written(w, mark);
    else if (is_written(w, mark))
        sync_holds(w, PLAN_NOTE);
    else
        return create(w, mark);
    return STEP_NEXT;
}
