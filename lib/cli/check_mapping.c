#include "base/text.h"
#include "cli/check.h"
#include "ghl/fields.h"
#include "ghl/resolve.h"

#define WAITS "Orders that need it wait; none is lost."

static void missing(struct findings *f, const char *setting, const char *what, const char *name,
                    const char *command)
{
    char mend[160];

    (void)text_format(mend, sizeof mend, "woo_ghl %s lists what there is: correct %s, or make it in GHL.",
                      command, setting);
    findings_add(f, FINDING_FAIL, "missing", WAITS, mend, "%s: the location has no %s \"%s\"", setting, what,
                 name);
}

static void refused(struct findings *f, const struct ghl_answer *answer, const char *what)
{
    struct error e = ERROR_NONE;

    ghl_explain(answer, &e);
    findings_add(f, FINDING_FAIL, "refused", WAITS, "Has the token the scope for it?",
                 "GHL does not list its %s: %s", what, e.text);
}

/* -- pipeline and stages -- */

static void check_stages(const struct config *config, const json_t *pipelines, struct findings *f)
{
    const json_t *pipeline = resolve_find(pipelines, config->ghl_pipeline_id);

    if (!pipeline)
        missing(f, "GHL_PIPELINE_ID", "pipeline", config->ghl_pipeline_id, "pipelines");
    for (size_t i = 0; pipeline && i < config->stage_map.count; i++)
        if (!resolve_find(json_object_get(pipeline, "stages"), config->stage_map.item[i].value))
            missing(f, "GHL_STAGE_MAP", "stage", config->stage_map.item[i].value, "pipelines");
}

/* -- custom fields -- */

static void check_field(const json_t *fields, enum fields_model model, const char *setting, const char *key,
                        struct findings *f)
{
    const json_t *field = fields_find(fields, model, key);

    if (!field)
        missing(f, setting, model == FIELDS_CONTACT ? "contact field" : "opportunity field", key, "fields");
    else if (!fields_can_hold(field))
        findings_add(f, FINDING_FAIL, "type", "The field stays empty.", "Choose a field of another type.",
                     "%s: the field \"%s\" has the type %s, which cannot hold text", setting, key,
                     json_text(field, "dataType"));
}

static void check_fields(const struct config *config, const json_t *fields, struct findings *f)
{
    for (size_t i = 0; i < config->contact_fields.count; i++)
        check_field(fields, FIELDS_CONTACT, "GHL_CONTACT_FIELDS", config->contact_fields.item[i].key, f);
    for (size_t i = 0; i < config->opportunity_fields.count; i++)
        check_field(fields, FIELDS_OPPORTUNITY, "GHL_OPPORTUNITY_FIELDS",
                    config->opportunity_fields.item[i].key, f);
    if (*config->order_field)
        check_field(fields, FIELDS_OPPORTUNITY, "GHL_ORDER_FIELD", config->order_field, f);
}

static bool names_fields(const struct config *config)
{
    return config->contact_fields.count || config->opportunity_fields.count || *config->order_field;
}

void check_mapping(struct app *app, struct findings *f)
{
    struct ghl_call call = ghl_call_within(CHECK_CALL_MS);
    struct ghl_answer answer = {0};

    if (app->config.dry_run)
        return;
    if (ghl_pipelines(app->ghl, &call, &answer) == GHL_OK)
        check_stages(&app->config, answer.json, f);
    else
        refused(f, &answer, "pipelines");
    ghl_answer_free(&answer);
    if (names_fields(&app->config)) {
        if (ghl_custom_fields(app->ghl, &call, &answer) == GHL_OK)
            check_fields(&app->config, answer.json, f);
        else
            refused(f, &answer, "custom fields");
        ghl_answer_free(&answer);
    }
    if (!check_failed(f, f->area))
        FINDINGS_OK(f, "mapping", "the location has what the settings name");
}
