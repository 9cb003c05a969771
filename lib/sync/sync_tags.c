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
        if (!has_tag(plan->tags_remove, json_string_value(tag)) && json_array_append(tags, tag) != 0) {
            json_decref(tags);
            return NULL;
        }
    }
    return tags;
}

/* The halves of a hash of tags: those to add, those to remove. Unknown ("") differs from every other. */
static bool half_differs(const struct sync_work *w, size_t half)
{
    const char *held = w->link.part_hash[PLAN_TAGS], *wanted = w->plan.part_hash[PLAN_TAGS];
    return !*held ||
           strncmp(held + half * PLAN_TAGS_HALF, wanted + half * PLAN_TAGS_HALF, PLAN_TAGS_HALF) != 0;
}

/* An earlier state took tags off: they may be among those that belong there again. */
static bool took_some_off(const struct sync_work *w)
{
    const char *held = w->link.part_hash[PLAN_TAGS];
    return *held && strspn(held + PLAN_TAGS_HALF, "0") != PLAN_TAGS_HALF && half_differs(w, 1);
}

void sync_tags_seen(struct sync_work *w, const json_t *contact)
{
    const json_t *have = json_object_get(contact, "tags");
    size_t i;
    const json_t *tag;

    if (!json_is_array(have) || !w->plan.part_hash[PLAN_TAGS][0])
        return;
    bool all = true, none = true;
    json_array_foreach(w->plan.tags, i, tag) all =
        all &&
        (has_tag(have, json_string_value(tag)) || has_tag(w->plan.tags_remove, json_string_value(tag)));
    json_array_foreach(w->plan.tags_remove, i, tag) none = none && !has_tag(have, json_string_value(tag));
    w->tags_added = all;
    w->tags_removed = none;
}

/* -- telling it -- */

typedef enum ghl_result change_tags(struct ghl *, const struct ghl_call *, const char *id, const json_t *tags,
                                    struct ghl_answer *);

/* *gone: the contact is not there any more. */
static enum step tell(struct sync_work *w, change_tags *change, const json_t *tags, bool *gone)
{
    struct ghl_answer answer;
    struct ghl_call call = sync_call(w);
    enum step step = STEP_NEXT;
    enum ghl_result result = change(w->app->ghl, &call, w->link.contact_id, tags, &answer);

    *gone = result == GHL_GONE;
    if (result != GHL_OK)
        step = sync_stop_answer(w, "tags", &answer);
    ghl_answer_free(&answer);
    return step;
}

static enum step tell_both(struct sync_work *w, const json_t *add, bool *gone)
{
    const json_t *remove = w->plan.tags_remove;

    *gone = false;
    if (!w->tags_added && json_array_size(add) && (half_differs(w, 0) || took_some_off(w))) {
        if (tell(w, ghl_contact_add_tags, add, gone) == STEP_STOP)
            return STEP_STOP;
        w->tags_added = true;
    }
    if (!w->tags_removed && remove && half_differs(w, 1)) {
        if (tell(w, ghl_contact_remove_tags, remove, gone) == STEP_STOP)
            return STEP_STOP;
        w->tags_removed = true;
    }
    return STEP_NEXT;
}

/* A state without any tags takes none off: what GHL was told before still holds, but for what the next state
 * is compared with. */
enum step sync_tags(struct sync_work *w)
{
    bool gone;

    if (!sync_differs(w, PLAN_TAGS) || !w->link.contact_id[0] || sync_only_looks(w))
        return STEP_NEXT;
    json_t *add = tags_to_add(&w->plan);
    if (!add)
        return sync_stop_retry(w, 1000, true, "out_of_memory");
    enum step step = tell_both(w, add, &gone);
    if (step == STEP_STOP &&
        gone) { /* once: a contact made anew that is gone again is a trouble of its own */
        step = sync_contact_again(w);
        if (step == STEP_NEXT)
            step = tell_both(w, add, &gone);
    }
    if (step == STEP_NEXT)
        sync_holds(w, PLAN_TAGS);
    json_decref(add);
    return step;
}
