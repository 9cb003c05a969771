/* A dry run: no call leaves; each is logged, without what it says of a person, and answered as if GHL had
 * taken it. */
#include "digest.h"
#include "ghl_work.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX 1024

/* Names of what would be sent, and the values that say nothing of a person. */
static bool show(const json_t *body, struct buf *out)
{
    static const char *const plain[] = {"status",          "monetaryValue", "pipelineId",
                                        "pipelineStageId", "contactId",     "name"};
    const char *key;
    json_t *value;
    bool good = true;

    /* A contact's name is a person's; an opportunity's is the template's. */
    bool card = json_object_get((json_t *)body, "status") || json_object_get((json_t *)body, "monetaryValue");
    json_object_foreach((json_t *)body, key, value)
    {
        bool open = false;
        for (size_t i = 0; i < sizeof plain / sizeof *plain && card; i++)
            open = open || !strcmp(plain[i], key);
        char *text =
            open ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
        good = good && buf_addf(out, "%s%s%s%s", out->len ? " " : "", key, text ? "=" : "", text ? text : "");
        free(text);
    }
    return good;
}

/* The same request has the same id, so that a second look at an order finds what the first one made. */
static bool make_id(const struct ghl_call *call, const struct ghl_request *request, char out[GHL_ID_SIZE])
{
    char hex[DIGEST_HEX_SIZE], text[512];
    int n = snprintf(text, sizeof text, "%s %s %s", request->method, request->path, call->order);

    if (n < 0 || !digest_label_hex("dry run", 7, "id", text, strnlen(text, sizeof text), hex))
        return false;
    snprintf(out, GHL_ID_SIZE, "dry-%.16s", hex);
    return true;
}

static json_t *made_up(const struct ghl_request *request, const char *id)
{
    if (!request->wants)
        return json_object();
    if (!strcmp(request->wants, "pipelines"))
        return json_pack("{s[{ssss s[{ssss}]}]}", "pipelines", "id", "DryRunPipeline000000", "name",
                         "Dry run", "stages", "id", "DryRunStage000000000", "name", "Dry run");
    if (request->wants_id)
        return json_pack("{s{ss}}", request->wants, "id", id);
    return json_pack("{so}", request->wants, json_array());
}

enum ghl_result ghl_dry_run(struct ghl *ghl, const struct ghl_call *call, const struct ghl_request *request,
                            struct ghl_answer *answer)
{
    struct buf shown;
    int path_len = (int)strcspn(request->path, "?");
    struct log_about about = {.order = call->order};

    buf_init(&shown, SHOWN_MAX);
    if (request->kind != GHL_READ) {
        (void)show(request->body, &shown); /* a long list is cut, it is for people */
        log_event(ghl->log, LOG_LEVEL_INFO, "dry_run", &about, "would send %s %.*s %s", request->method,
                  path_len, request->path, shown.data);
    }
    buf_free(&shown);
    if (request->wants_id && !make_id(call, request, answer->id))
        return answer->result = GHL_RETRY;
    answer->json = made_up(request, answer->id);
    answer->status = 200;
    answer->tries = 1;
    return answer->result = answer->json ? GHL_OK : GHL_RETRY;
}
