#include "base/text.h"
#include "sync/sync_work.h"
#include <stdlib.h>
#include <string.h>

/* -- which of them GHL has to be told -- */

/* `wanted` is in small letters, as GHL keeps its own; what people put there may be otherwise. */
static bool has_tag(const json_t *tags, const char *wanted)
{
    bool found = false;
    size_t i;
    const json_t *tag;
    json_array_foreach(tags, i, tag)
    {
        char *small = json_is_string(tag) ? strdup(json_string_value(tag)) : NULL;
        if (small)
            text_lower(small);
        found = found || (small && !strcmp(small, wanted));
        free(small);
    }
    return found;
}

/* What is to be taken off is not added. NULL when out of memory. */
static json_t *tags_to_add(const struct plan *plan)
{
    json_t *tags = json_array(), *tag;
    size_t i;
    json_array_foreach(plan->tags, i, tag)
    {
        if (!has_tag(plan->tags_remove, json_string_value(tag)) && json_array_append(tags, tag) != 0)
            return json_if(false, tags);
    }
    return tags;
}

/* The halves of a hash of tags: those to add, those to remove. Unknown ("") differs from every other. */
static bool half_differs(const struct sync_work *w, size_t half)
{
    const char *held = w->link.part[PLAN_TAGS];
    char wanted[RECORD_SHORT_SIZE];

    planned_part(w->planned, PLAN_TAGS, wanted);
    return !*held || strncmp(held + half * PLANNED_TAGS_HALF, wanted + half * PLANNED_TAGS_HALF,
                             PLANNED_TAGS_HALF) != 0;
}

/* An earlier state took tags off: they may be among those that belong there again. */
static bool took_some_off(const struct sync_work *w)
{
    const char *held = w->link.part[PLAN_TAGS];
    return *held && strspn(held + PLANNED_TAGS_HALF, "0") != PLANNED_TAGS_HALF && half_differs(w, 1);
}

void sync_tags_seen(struct sync_work *w, const json_t *contact)
{
    const json_t *have = json_object_get(contact, "tags");
    size_t i;
    const json_t *tag;

    if (!json_is_array(have) || !w->plan->part_hash[PLAN_TAGS][0])
        return;
    bool all = true, none = true;
    json_array_foreach(w->plan->tags, i, tag) all =
        all &&
        (has_tag(have, json_string_value(tag)) || has_tag(w->plan->tags_remove, json_string_value(tag)));
    json_array_foreach(w->plan->tags_remove, i, tag) none = none && !has_tag(have, json_string_value(tag));
    w->tags_added = all;
    w->tags_removed = none;
}

/* -- telling it -- */

typedef enum ghl_result change_tags(struct ghl *, const struct ghl_call *, const char *id, const json_t *tags,
                                    struct ghl_answer *);

static enum step tell(struct sync_work *w, change_tags *change, json_t *tags)
{
    struct log_about about = {.order = w->work->key};
    struct ghl_answer answer;
    struct ghl_call call = sync_call(w);
    enum step step = STEP_NEXT;

    switch (change(w->app->ghl, &call, w->link.contact, tags, &answer)) {
    case GHL_OK: break;
    case GHL_GONE: step = STEP_CONTACT_GONE; break;
    case GHL_REFUSED: /* a tag is no reason to hold up the order */
        about.status = answer.status;
        about.trace_id = answer.trace_id;
        log_event(w->app->log, LOG_LEVEL_WARN, "degraded", &about, "GHL does not take this order's tags: %s",
                  answer.message);
        break;
    default: step = sync_stop_answer(w, "tags", &answer); break;
    }
    if (answer.maybe_later)
        sync_wrote(w, PLAN_TAGS, &(struct ghl_answer){.result = GHL_RETRY, .maybe_later = true});
    ghl_answer_free(&answer);
    return step;
}

/* A version without any tags takes none off: what GHL was told before still holds, but for what the next version is
 * compared with. */
enum step sync_tags(struct sync_work *w)
{
    json_t *remove = w->plan->tags_remove;
    enum step step = STEP_NEXT;

    if (!sync_differs(w, PLAN_TAGS) || !w->link.contact[0])
        return STEP_NEXT;
    json_t *add = tags_to_add(w->plan);
    if (!add)
        return sync_stop_memory(w);
    bool adds = !w->tags_added && json_array_size(add) && (half_differs(w, 0) || took_some_off(w)),
         removes = !w->tags_removed && remove && half_differs(w, 1);
    if (adds || removes)
        sync_writes(w, PLAN_TAGS);
    if (adds)
        step = tell(w, ghl_contact_add_tags, add);
    if (removes && step == STEP_NEXT)
        step = tell(w, ghl_contact_remove_tags, remove);
    if (step == STEP_NEXT)
        sync_holds(w, PLAN_TAGS);
    json_decref(add);
    return step;
}
