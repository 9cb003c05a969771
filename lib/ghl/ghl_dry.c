/* Answers for a dry run: no call leaves, the log says what would be sent, without anything personal. */
#include "base/digest.h"
#include "ghl/ghl_work.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHORT_HASH 12 /* hex digits */

/* The same order gets the same ids every time. Keyed: without an order it is made over the body. */
static bool dry_id(const struct ghl *ghl, const struct ghl_call *call, const struct ghl_request *request,
                   char out[GHL_ID_SIZE])
{
    char hash[DIGEST_HEX_SIZE];
    const char *key = ghl->config->webhook_secret, *order = call->order ? call->order : "";
    char *body = *order ? NULL : json_written(request->body, JSON_COMPACT | JSON_SORT_KEYS);
    const char *over = *order ? order : body ? body : "";
    bool good = digest_label_hex(key, strlen(key), request->path, over, strlen(over), hash);

    free(body);
    out[0] = '\0';
    if (good)
        snprintf(out, GHL_ID_SIZE, "dry-%.*s", SHORT_HASH, hash);
    return good;
}

/* The configured pipeline and stages are all there are. */
static json_t *dry_pipelines(const struct config *config)
{
    const char *name = *config->ghl_pipeline_id ? config->ghl_pipeline_id : "dry run";
    json_t *stages = json_array();

    for (size_t i = 0; stages && i < config->stage_map.count; i++)
        if (json_array_append_new(stages,
                                  json_pack("{ss++ ss}", "id", "dry-stage-", config->stage_map.item[i].key,
                                            "", "name", config->stage_map.item[i].value)) != 0) {
            json_decref(stages);
            stages = NULL;
        }
    return json_pack("{s[{ss ss so}]}", "pipelines", "id", "dry-pipeline", "name", name, "stages", stages);
}

static bool add_fields(json_t *list, const struct pair_list *pairs, const char *model)
{
    for (size_t i = 0; i < pairs->count; i++) {
        const char *key = pairs->item[i].key;
        if (json_array_append_new(list, json_pack("{ss ss ss ss ss}", "id", key, "name", key, "fieldKey", key,
                                                  "dataType", "TEXT", "model", model)) != 0)
            return false;
    }
    return true;
}

static json_t *dry_custom_fields(const struct config *config)
{
    json_t *list = json_array();
    bool good = list && add_fields(list, &config->contact_fields, "contact") &&
                add_fields(list, &config->opportunity_fields, "opportunity");

    return json_pack("{so}", "customFields", json_if(good, list));
}

static json_t *dry_body(const struct ghl *ghl, const struct ghl_request *request, const char *id)
{
    const char *wants = request->wants ? request->wants : "";

    if (strcmp(wants, "pipelines") == 0)
        return dry_pipelines(ghl->config);
    if (strcmp(wants, "customFields") == 0)
        return dry_custom_fields(ghl->config);
    if (strcmp(wants, "location") == 0)
        return json_pack("{s{ss ss s{sb sb}}}", "location", "id", ghl->config->ghl_location_id, "name",
                         "dry run", "settings", "allowDuplicateContact", 0, "allowDuplicateOpportunity", 1);
    if (strcmp(wants, "opportunities") == 0 || strcmp(wants, "contacts") == 0 || strcmp(wants, "notes") == 0)
        return json_pack("{s[]}", wants);
    if (*wants)
        return json_pack("{s{ss}}", wants, "id", id);
    return json_object();
}

/* "email, firstName, phone; status won, monetaryValue 21.76": names, and the values that are nobody's. */
static bool describe(const json_t *body, struct buf *out)
{
    static const char *const shown[] = {"status", "monetaryValue"};
    const char *key;
    json_t *value;
    bool good = true, first = true;

    json_object_foreach((json_t *)body, key, value)
    {
        good = good && (first || buf_adds(out, ", ")) && buf_adds(out, key);
        first = false;
    }
    for (size_t i = 0; good && i < sizeof shown / sizeof *shown; i++) {
        value = json_object_get(body, shown[i]);
        char *text = value ? json_written(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15)) : NULL;
        if (text)
            good = buf_addf(out, "; %s %s", shown[i], text);
        free(text);
    }
    return good;
}

enum ghl_result ghl_dry_run(struct ghl *ghl, const struct ghl_call *call, const struct ghl_request *request,
                            struct ghl_answer *answer)
{
    struct log_about about = {.order = call->order};
    struct buf text;
    char id[GHL_ID_SIZE] = "";

    buf_init(&text, 2048);
    if (dry_id(ghl, call, request, id))
        answer->json = dry_body(ghl, request, id);
    if (!answer->json || !describe(request->body, &text)) {
        log_event(ghl->log, LOG_LEVEL_ERROR, "dry_run", &about, "Out of memory");
        ghl_answer_free(answer);
        answer->result = GHL_RETRY;
        goto out;
    }
    answer->result = GHL_OK;
    answer->status = request->kind == GHL_CREATE ? 201 : 200;
    answer->created = request->wants_id;
    answer->tries = 1;
    if (request->wants_id)
        memcpy(answer->id, id, sizeof answer->id);
    if (request->kind != GHL_READ)
        log_event(ghl->log, LOG_LEVEL_INFO, "dry_run", &about, "Would send %s %s%s%s", request->method,
                  request->path, text.len ? " with " : "", text.data);
out:
    buf_free(&text);
    return answer->result;
}
