#include "cli/check.h"
#include "app/left_behind.h"
#include "app/ready.h"
#include "base/clock.h"
#include "cli/mapping.h"
#include "cli/status.h"
#include "ghl/fields.h"
#include "shop/webhooks.h"
#include "shop/woo.h"
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define CHECK_BUDGET_MS 15000

static struct ghl_call ghl_call_now(void)
{
    return (struct ghl_call){.deadline_mono_ms = clock_mono_ms() + CHECK_BUDGET_MS,
                             .order = "",
                             .send_deadline_mono_ms = CLOCK_NEVER};
}

static bool check_store(struct app *app)
{
    struct store_about about;
    struct error e = ERROR_NONE;
    struct buf left;

    if (!app_ready(app, &e)) {
        printf("store      FAILED: %s\n", e.text);
        return false;
    }
    if (store_about(app->store, &about) != STORE_OK) {
        printf("store      FAILED: %s\n", store_trouble(app->store));
        return false;
    }
    printf("store      ok (%s)%s%s\n", store_kind(app->store), *about.durability ? ": " : "",
           about.durability);
    if (*about.problem)
        printf("store      FAILED: %s\n", about.problem);
    buf_init(&left, STORE_BLOB_MAX);
    left_behind(app, &left);
    fputs(left.data, stdout);
    buf_free(&left);
    return status_print_unmapped(app) && !*about.problem;
}

/* What GHL answered, or that it did not, and what there is to do. */
static void print_ghl_trouble(FILE *out, const char *what, const struct ghl_answer *answer)
{
    const char *advice = answer->result == GHL_AUTH
                             ? "are GHL_API_KEY, its scopes and GHL_LOCATION_ID right?"
                             : "orders wait in the queue; there is nothing to do unless this lasts";

    if (answer->status == 0)
        fprintf(out, "%s: it did not answer: %s; %s\n", what, answer->message, advice);
    else
        fprintf(out, "%s: it answered %d: %s; %s\n", what, answer->status, answer->message, advice);
}

static bool check_ghl(struct app *app)
{
    struct ghl_answer answer;
    struct ghl_call call = ghl_call_now();
    enum ghl_result result = ghl_pipelines(app->ghl, &call, &answer);

    if (result == GHL_OK)
        printf("GHL        ok%s\n", app->config.dry_run ? " (dry run, not asked)" : "");
    else
        print_ghl_trouble(stdout, "GHL        FAILED", &answer);
    ghl_answer_free(&answer);
    return result == GHL_OK && mapping_check(app, &call);
}

/* Does the shop still deliver? A webhook that is disabled loses every order. */
static bool check_webhooks(struct woo *woo)
{
    struct error e = ERROR_NONE;
    struct buf trouble;
    json_t *list = NULL;

    if (woo_webhooks(woo, &list, &e) != WOO_OK) {
        printf("webhooks   not known: %s\n", e.text);
        return true;
    }
    buf_init(&trouble, 64L * 1024);
    bool well = webhooks_are_well(list, false, &trouble);
    char *rest = NULL;
    if (!trouble.len)
        printf("webhooks   ok\n");
    for (char *line = trouble.len ? strtok_r(trouble.data, "\n", &rest) : NULL; line;
         line = strtok_r(NULL, "\n", &rest))
        printf("webhooks   %s%s\n", well ? "" : "FAILED: ", line);
    buf_free(&trouble);
    json_decref(list);
    return well;
}

/* Is there a shop, and may its orders be read? One is asked for. */
static bool check_shop(struct app *app)
{
    struct error e = ERROR_NONE;
    struct woo_page page = {0};
    struct woo_query query = {
        .status = "any", .from_s = clock_wall_ms() / 1000, .per_page = 1, .exclude = ""};

    if (!*app->config.woo_url) {
        printf("shop       not set (WOO_URL): orders whose webhook never came are not found\n");
        return true;
    }
    http_answer_init(&page.answer);
    struct woo *woo = woo_new(&app->config, app->log, app->stop, &e);
    bool good = woo && woo_orders(woo, &query, &page, &e) == WOO_OK;
    if (good)
        printf("shop       ok\n");
    else
        printf("shop       FAILED: %s\n", e.text);
    good = good && check_webhooks(woo);
    woo_page_free(&page);
    woo_free(woo);
    return good;
}

static void print_verdict(const struct app *app, bool good)
{
    if (good)
        printf("settings   ok\n");
    else if (app->report.problem_count == 0)
        printf("settings   FAILED, see above\n");
    for (size_t i = 0; i < app->report.problem_count; i++)
        printf("settings   FAILED: %s\n", app->report.problem[i]);
}

bool check_print(struct app *app, bool settings_good)
{
    struct buf values;

    buf_init(&values, 1024L * 1024);
    if (config_print_values(&app->config, &values))
        fputs(values.data, stdout);
    buf_free(&values);
    putchar('\n');
    print_verdict(app, settings_good);
    if (!settings_good)
        return false;
    bool store = check_store(app), ghl = check_ghl(app), shop = check_shop(app);
    return store && ghl && shop;
}

/* -- what the location has -- */

int check_pipelines(struct app *app)
{
    struct ghl_answer answer;
    struct ghl_call call = ghl_call_now();
    const json_t *pipeline, *stage;
    size_t i, j;
    bool good = ghl_pipelines(app->ghl, &call, &answer) == GHL_OK;

    if (!good)
        print_ghl_trouble(stderr, "woo_ghl pipelines: GHL failed", &answer);
    json_array_foreach(good ? answer.json : NULL, i, pipeline)
    {
        printf("%-24s %s\n", json_text(pipeline, "id"), json_text(pipeline, "name"));
        json_array_foreach(json_object_get(pipeline, "stages"), j, stage)
            printf("    %-24s %s\n", json_text(stage, "id"), json_text(stage, "name"));
    }
    ghl_answer_free(&answer);
    return good ? EX_OK : EX_UNAVAILABLE;
}

int check_fields(struct app *app)
{
    struct ghl_answer answer;
    struct ghl_call call = ghl_call_now();
    const json_t *field;
    size_t i;
    bool good = ghl_custom_fields(app->ghl, &call, &answer) == GHL_OK;

    if (!good)
        print_ghl_trouble(stderr, "woo_ghl fields: GHL failed", &answer);
    json_array_foreach(good ? answer.json : NULL, i, field)
        printf("%-24s %-11s %-16s %-32s %s\n", json_text(field, "id"), json_text(field, "model"),
               json_text(field, "dataType"), json_text(field, "fieldKey"), json_text(field, "name"));
    ghl_answer_free(&answer);
    return good ? EX_OK : EX_UNAVAILABLE;
}
