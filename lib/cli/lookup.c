#include "cli/lookup.h"
#include "base/text.h"
#include "cli/check.h"
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#define NAME_MAX_BYTES 500

static void tell_trouble(const char *command, const struct ghl_answer *answer)
{
    struct error e = ERROR_NONE;

    ghl_explain(answer, &e);
    fprintf(stderr, "woo_ghl %s: GHL failed: %s; %s\n", command, e.text,
            answer->result == GHL_AUTH ? "are GHL_API_KEY, its scopes and GHL_LOCATION_ID right?"
                                       : "try again later, woo_ghl check says more");
}

/* A name may be anything: no control character reaches the terminal. */
static void print_name(int width, const json_t *object, const char *member, const char *after)
{
    char *name = text_tidy(json_text(object, member), NAME_MAX_BYTES);

    printf("%-*s%s", width, name ? name : "?", after);
    free(name);
}

int lookup_pipelines(struct app *app)
{
    struct ghl_answer answer;
    struct ghl_call call = check_call();
    const json_t *pipeline, *stage;
    size_t i, j;
    bool good = ghl_pipelines(app->ghl, &call, &answer) == GHL_OK;

    if (!good)
        tell_trouble("pipelines", &answer);
    json_array_foreach(good ? answer.json : NULL, i, pipeline)
    {
        print_name(24, pipeline, "id", " ");
        print_name(0, pipeline, "name", "\n");
        json_array_foreach(json_object_get(pipeline, "stages"), j, stage)
        {
            fputs("    ", stdout);
            print_name(24, stage, "id", " ");
            print_name(0, stage, "name", "\n");
        }
    }
    ghl_answer_free(&answer);
    return good ? EX_OK : EX_UNAVAILABLE;
}

int lookup_fields(struct app *app)
{
    struct ghl_answer answer;
    struct ghl_call call = check_call();
    const json_t *field;
    size_t i;
    bool good = ghl_custom_fields(app->ghl, &call, &answer) == GHL_OK;

    if (!good)
        tell_trouble("fields", &answer);
    json_array_foreach(good ? answer.json : NULL, i, field)
    {
        print_name(24, field, "id", " ");
        print_name(11, field, "model", " ");
        print_name(16, field, "dataType", " ");
        print_name(32, field, "fieldKey", " ");
        print_name(0, field, "name", "\n");
    }
    ghl_answer_free(&answer);
    return good ? EX_OK : EX_UNAVAILABLE;
}
