/* What the location has, for people who write settings. */
#include "base/text.h"
#include "cli/check.h"
#include "cli/commands_work.h"
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

static void print_pipelines(const json_t *list)
{
    const json_t *pipeline, *stage;
    size_t i, j;

    json_array_foreach(list, i, pipeline)
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
}

static void print_fields(const json_t *list)
{
    const json_t *field;
    size_t i;

    json_array_foreach(list, i, field)
    {
        print_name(24, field, "id", " ");
        print_name(11, field, "model", " ");
        print_name(16, field, "dataType", " ");
        print_name(32, field, "fieldKey", " ");
        print_name(0, field, "name", "\n");
    }
}

struct lookup {
    const char *command;
    enum ghl_result (*ask)(struct ghl *ghl, const struct ghl_call *call, struct ghl_answer *answer);
    void (*print)(const json_t *list);
};

static int look_up(struct app *app, void *context)
{
    const struct lookup *lookup = context;
    struct ghl_call call = ghl_call_within(CHECK_CALL_MS);
    struct ghl_answer answer;
    bool good = lookup->ask(app->ghl, &call, &answer) == GHL_OK;

    if (good)
        lookup->print(answer.json);
    else
        tell_trouble(lookup->command, &answer);
    ghl_answer_free(&answer);
    return good ? EX_OK : EX_UNAVAILABLE;
}

int run_pipelines(int argc, char **argv, volatile int *stop)
{
    (void)argc, (void)argv;
    return commands_in_app(stop, look_up, &(struct lookup){"pipelines", ghl_pipelines, print_pipelines});
}

int run_fields(int argc, char **argv, volatile int *stop)
{
    (void)argc, (void)argv;
    return commands_in_app(stop, look_up, &(struct lookup){"fields", ghl_custom_fields, print_fields});
}
