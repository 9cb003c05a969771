#include "cli/mapping.h"
#include "ghl/fields.h"
#include "ghl/location.h"
#include "ghl/resolve.h"
#include <string.h>
#include <strings.h>

static bool failed(const char *setting, const char *what, const char *name, const char *command)
{
    printf("mapping    FAILED: %s: the location has no %s \"%s\"; woo_ghl %s lists them\n", setting, what,
           name, command);
    return false;
}

static bool refused(const struct ghl_answer *answer, const char *what)
{
    printf("mapping    FAILED: GHL does not list its %s: it answered %d: %s\n", what, answer->status,
           answer->message);
    return false;
}

/* -- pipeline and stages -- */

static bool check_stages(const struct config *config, const json_t *pipelines)
{
    bool good = true;
    const json_t *pipeline = resolve_find(pipelines, config->ghl_pipeline_id);

    if (!pipeline)
        return failed("GHL_PIPELINE_ID", "pipeline", config->ghl_pipeline_id, "pipelines");
    for (size_t i = 0; i < config->stage_map.count; i++)
        if (!resolve_find(json_object_get(pipeline, "stages"), config->stage_map.item[i].value))
            good = failed("GHL_STAGE_MAP", "stage", config->stage_map.item[i].value, "pipelines");
    return good;
}

/* -- custom fields -- */

static bool check_field(const json_t *fields, enum fields_model model, const char *setting, const char *key)
{
    const json_t *field = fields_find(fields, model, key);
    const char *what = model == FIELDS_CONTACT ? "contact field" : "opportunity field";

    if (!field)
        return failed(setting, what, key, "fields");
    if (fields_can_hold(field))
        return true;
    printf("mapping    FAILED: %s: the field \"%s\" has the type %s, which cannot hold text; choose a "
           "field of another type\n",
           setting, key, json_text(field, "dataType"));
    return false;
}

static bool check_fields(const struct config *config, const json_t *fields)
{
    bool good = true;

    for (size_t i = 0; i < config->contact_fields.count; i++)
        good =
            check_field(fields, FIELDS_CONTACT, "GHL_CONTACT_FIELDS", config->contact_fields.item[i].key) &&
            good;
    for (size_t i = 0; i < config->opportunity_fields.count; i++)
        good = check_field(fields, FIELDS_OPPORTUNITY, "GHL_OPPORTUNITY_FIELDS",
                           config->opportunity_fields.item[i].key) &&
               good;
    if (*config->order_field)
        good = check_field(fields, FIELDS_OPPORTUNITY, "GHL_ORDER_FIELD", config->order_field) && good;
    return good;
}

static bool names_fields(const struct config *config)
{
    return config->contact_fields.count || config->opportunity_fields.count || *config->order_field;
}

bool mapping_check(struct app *app, const struct ghl_call *call)
{
    struct ghl_answer answer = {0};
    bool good = true;

    if (app->config.dry_run)
        return true;
    good = ghl_pipelines(app->ghl, call, &answer) == GHL_OK ? check_stages(&app->config, answer.json)
                                                            : refused(&answer, "pipelines");
    ghl_answer_free(&answer);
    if (names_fields(&app->config)) {
        bool fields = ghl_custom_fields(app->ghl, call, &answer) == GHL_OK
                          ? check_fields(&app->config, answer.json)
                          : refused(&answer, "custom fields");
        ghl_answer_free(&answer);
        good = fields && good;
    }
    if (good)
        printf("mapping    ok\n");
    location_check_duplicates(app->ghl, call);
    return good;
}
