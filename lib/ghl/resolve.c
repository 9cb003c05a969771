#include "ghl/resolve.h"
#include "base/text.h"
#include "ghl/ghl_work.h"
#include <string.h>
#include <strings.h>

#define PIPELINES_TTL_MS (3600 * 1000)
#define PIPELINES_KEY "pipelines"
#define ID_LEN 20

static bool is_id(const char *text)
{
    return strlen(text) == ID_LEN &&
           strspn(text, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") == ID_LEN;
}

const json_t *resolve_find(const json_t *array, const char *wanted)
{
    size_t i;
    const json_t *element;

    if (!*wanted)
        return json_array_get(array, 0);
    json_array_foreach(array, i, element) if (!strcmp(json_text(element, "id"), wanted)) return element;
    json_array_foreach(array, i, element) if (!strcasecmp(json_text(element, "name"), wanted)) return element;
    return NULL;
}

/* The location's pipelines, from the cache or, if they are not there or `anew`, from GHL. */
static json_t *pipelines(struct ghl *ghl, const struct ghl_call *call, const struct ghl_cache *cache,
                         bool anew, struct ghl_answer *answer)
{
    json_t *list = anew ? NULL : ghl_cache_get(cache, PIPELINES_KEY);

    if (list || ghl_pipelines(ghl, call, answer) != GHL_OK)
        return list;
    ghl_cache_put(cache, PIPELINES_KEY, answer->json, PIPELINES_TTL_MS);
    return json_incref(answer->json);
}

static enum ghl_result unknown(struct ghl_answer *answer, const char *setting, const char *name)
{
    answer->result = GHL_CONFIG;
    if (*name)
        (void)text_format(answer->message, sizeof answer->message, "%s: the location has no \"%s\"", setting,
                          name);
    else
        snprintf(answer->message, sizeof answer->message, "%s: the location has none yet; create one in GHL",
                 setting);
    return answer->result;
}

/* The ids of the pipeline and, unless it is NULL, of the stage. */
static enum ghl_result look(const json_t *list, const char *wanted, const char *stage,
                            char pipeline_id[GHL_ID_SIZE], char stage_id[GHL_ID_SIZE],
                            struct ghl_answer *answer)
{
    const json_t *pipeline = resolve_find(list, wanted),
                 *found = stage ? resolve_find(json_object_get(pipeline, "stages"), stage) : NULL;

    if (!pipeline || !ghl_take_id(json_text(pipeline, "id"), pipeline_id))
        return unknown(answer, "GHL_PIPELINE_ID", wanted);
    if (stage && (!found || !ghl_take_id(json_text(found, "id"), stage_id)))
        return unknown(answer, "GHL_STAGE_MAP", stage);
    return GHL_OK;
}

enum ghl_result resolve_pipeline(struct ghl *ghl, const struct ghl_call *call, const struct ghl_cache *cache,
                                 const char *stage, char pipeline_id[GHL_ID_SIZE], char stage_id[GHL_ID_SIZE],
                                 struct ghl_answer *answer)
{
    const char *wanted = ghl->config->ghl_pipeline_id;
    bool want_stage = stage && *stage, known_pipeline = is_id(wanted), known_stage = !want_stage;
    enum ghl_result result = GHL_OK;

    *answer = GHL_ANSWER(GHL_OK);
    stage_id[0] = '\0';
    if (known_pipeline && !ghl_take_id(wanted, pipeline_id))
        return unknown(answer, "GHL_PIPELINE_ID", wanted);
    if (want_stage && is_id(stage))
        known_stage = ghl_take_id(stage, stage_id);
    if (known_pipeline && known_stage)
        return GHL_OK;
    /* A kept list may be older than the name that is asked for. */
    for (int anew = 0; anew <= 1; anew++) {
        ghl_answer_free(answer);
        *answer = GHL_ANSWER(GHL_OK);
        json_t *list = pipelines(ghl, call, cache, anew, answer);
        if (!list)
            return answer->result == GHL_OK ? (answer->result = GHL_RETRY) : answer->result;
        result = look(list, wanted, known_stage ? NULL : stage, pipeline_id, stage_id, answer);
        json_decref(list);
        if (result == GHL_OK)
            break;
    }
    return result;
}

enum ghl_result resolve_check(struct ghl *ghl, const struct ghl_call *call, const struct ghl_cache *cache,
                              const char *stage, struct ghl_answer *answer)
{
    char pipeline_id[GHL_ID_SIZE], stage_id[GHL_ID_SIZE];

    *answer = GHL_ANSWER(GHL_OK);
    json_t *list = pipelines(ghl, call, cache, true, answer);
    if (!list)
        return answer->result == GHL_OK ? (answer->result = GHL_RETRY) : answer->result;
    enum ghl_result result = look(list, ghl->config->ghl_pipeline_id, stage && *stage ? stage : NULL,
                                  pipeline_id, stage_id, answer);
    json_decref(list);
    return result;
}
