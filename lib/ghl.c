/* What each call is: method, path, body, and what a good answer holds. */
#include "ghl.h"
#include "clock.h"
#include "ghl_work.h"
#include "version.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CREATE_NEEDS_MS 5000 /* with less time left no create begins */
#define PATH_LIMIT 2048
#define PAGES_MAX 50 /* of 100 opportunities of one contact */
#define NEW_VERSION "v3"

/* -- life cycle -- */

struct ghl *ghl_new(const struct config *config, struct log *log, struct error *e)
{
    struct ghl *ghl = calloc(1, sizeof *ghl);

    if (!ghl)
        goto out;
    ghl->config = config;
    ghl->log = log;
    ghl->camel_case = !strcmp(config->ghl_api_version, NEW_VERSION);
    ghl->http = http_new("woo_ghl/" WOO_GHL_VERSION " (WooCommerce order receiver)", e);
    if (asprintf(&ghl->authorization, "Authorization: Bearer %s", config->ghl_api_key) < 0)
        ghl->authorization = NULL;
    if (asprintf(&ghl->version, "Version: %s", config->ghl_api_version) < 0)
        ghl->version = NULL;
    if (ghl->http && ghl->authorization && ghl->version)
        return ghl;
    ghl_free(ghl);
out:
    error_set(e, "Out of memory for the GHL client");
    return NULL;
}

void ghl_free(struct ghl *ghl)
{
    if (!ghl)
        return;
    if (ghl->authorization)
        explicit_bzero(ghl->authorization, strlen(ghl->authorization));
    free(ghl->authorization);
    free(ghl->version);
    http_free(ghl->http);
    free(ghl);
}

void ghl_set_hooks(struct ghl *ghl, const struct ghl_hooks *hooks)
{
    ghl->hooks = hooks ? *hooks : (struct ghl_hooks){0};
}

/* -- building -- */

/* The answer to a call that cannot even be built: nothing went out. */
static enum ghl_result not_built(struct ghl_answer *answer)
{
    *answer = (struct ghl_answer){
        .result = GHL_RETRY, .retry_after_ms = -1, .message = "out of memory, or an id that is none"};
    return answer->result;
}

/* "/contacts/<id><rest>". False when the id is not of a form that may stand in a path. */
static bool id_path(struct buf *path, const char *prefix, const char *id, const char *rest)
{
    char checked[GHL_ID_SIZE];

    buf_init(path, PATH_LIMIT);
    return ghl_take_id(id, checked) && buf_addf(path, "%s%s%s", prefix, checked, rest);
}

/* The body with the location in it; NULL when out of memory. The caller's. */
static json_t *with_location(const struct ghl *ghl, const json_t *body)
{
    json_t *whole = json_copy((json_t *)body); /* shallow: the members are shared, not changed */
    if (whole && json_object_set_new(whole, "locationId", json_string(ghl->config->ghl_location_id)) == 0)
        return whole;
    json_decref(whole);
    return NULL;
}

static enum ghl_result run_with_location(struct ghl *ghl, const struct ghl_call *call,
                                         struct ghl_request *request, const json_t *body,
                                         struct ghl_answer *answer)
{
    json_t *whole = with_location(ghl, body);
    request->body = whole;
    enum ghl_result result = whole ? ghl_run(ghl, call, request, answer) : not_built(answer);
    json_decref(whole);
    return result;
}

/* One call on /<things>/<id>... */
static enum ghl_result run_on_id(struct ghl *ghl, const struct ghl_call *call, struct ghl_request *request,
                                 const char *prefix, const char *id, const char *rest,
                                 struct ghl_answer *answer)
{
    struct buf path;
    enum ghl_result result;

    if (id_path(&path, prefix, id, rest)) {
        request->path = path.data;
        result = ghl_run(ghl, call, request, answer);
    } else {
        result = not_built(answer);
    }
    buf_free(&path);
    return result;
}

/* A GET whose path ends in the location's id, and its `member` as the answer's json. */
static enum ghl_result run_of_location(struct ghl *ghl, const struct ghl_call *call, const char *prefix,
                                       const char *rest, const char *member, struct ghl_answer *answer)
{
    struct ghl_request request = {.kind = GHL_READ, .method = "GET", .wants = member};
    struct buf path;
    enum ghl_result result;

    buf_init(&path, PATH_LIMIT);
    if (buf_adds(&path, prefix) && http_escape(&path, ghl->config->ghl_location_id) &&
        buf_adds(&path, rest)) {
        request.path = path.data;
        result = ghl_run(ghl, call, &request, answer);
    } else {
        result = not_built(answer);
    }
    buf_free(&path);
    if (result == GHL_OK) {
        json_t *wanted = json_incref(json_object_get(answer->json, member));
        json_decref(answer->json);
        answer->json = wanted;
    }
    return result;
}

/* -- contacts -- */

enum ghl_result ghl_contact_upsert(struct ghl *ghl, const struct ghl_call *call, const json_t *contact,
                                   struct ghl_answer *answer)
{
    struct ghl_request request = {.kind = GHL_WRITE,
                                  .method = "POST",
                                  .path = "/contacts/upsert",
                                  .subject = "contact",
                                  .wants = "contact",
                                  .wants_id = true};
    enum ghl_result result = run_with_location(ghl, call, &request, contact, answer);

    if (result == GHL_DUPLICATE && answer->existing_id[0]) {
        memcpy(answer->id, answer->existing_id, sizeof answer->id);
        result = answer->result = GHL_OK;
    }
    return result;
}

enum ghl_result ghl_contact_create(struct ghl *ghl, const struct ghl_call *call, const json_t *contact,
                                   struct ghl_answer *answer)
{
    struct ghl_request request = {.kind = GHL_CREATE,
                                  .method = "POST",
                                  .path = "/contacts/",
                                  .wants = "contact",
                                  .wants_id = true,
                                  .needs_ms = CREATE_NEEDS_MS};
    enum ghl_result result = run_with_location(ghl, call, &request, contact, answer);

    if (result == GHL_DUPLICATE && answer->existing_id[0]) {
        memcpy(answer->id, answer->existing_id, sizeof answer->id);
        result = answer->result = GHL_OK;
    }
    return result;
}

enum ghl_result ghl_contact_update(struct ghl *ghl, const struct ghl_call *call, const char *id,
                                   const json_t *contact, struct ghl_answer *answer)
{
    struct ghl_request request = {.kind = GHL_WRITE, .method = "PUT", .subject = "contact"};
    json_t *body = json_copy((json_t *)contact);
    enum ghl_result result = GHL_RETRY;

    if (!body)
        return not_built(answer);
    /* The vendor's update takes no companyName; it would be answered with 422. */
    if (json_object_get(body, "companyName"))
        (void)json_object_del(body, "companyName");
    request.body = body;
    result = run_on_id(ghl, call, &request, "/contacts/", id, "", answer);
    json_decref(body);
    return result;
}

enum ghl_result ghl_contact_get(struct ghl *ghl, const struct ghl_call *call, const char *id,
                                struct ghl_answer *answer)
{
    struct ghl_request request = {
        .kind = GHL_READ, .method = "GET", .subject = "contact", .wants = "contact", .wants_id = true};
    return run_on_id(ghl, call, &request, "/contacts/", id, "", answer);
}

enum ghl_result ghl_contact_find(struct ghl *ghl, const struct ghl_call *call, const char *email,
                                 const char *phone, struct ghl_answer *answer)
{
    struct ghl_request request = {.kind = GHL_READ, .method = "GET"};
    struct buf path;
    enum ghl_result result;

    buf_init(&path, PATH_LIMIT);
    if (buf_adds(&path, "/contacts/search/duplicate?locationId=") &&
        http_escape(&path, ghl->config->ghl_location_id) &&
        buf_adds(&path, *email ? "&email=" : "&number=") && http_escape(&path, *email ? email : phone)) {
        request.path = path.data;
        result = ghl_run(ghl, call, &request, answer);
    } else {
        result = not_built(answer);
    }
    buf_free(&path);
    if (result == GHL_OK)
        (void)ghl_take_id(json_text(json_object_get(answer->json, "contact"), "id"), answer->id);
    return result;
}

enum ghl_result ghl_contact_search(struct ghl *ghl, const struct ghl_call *call, const char *name,
                                   struct ghl_answer *answer)
{
    struct ghl_request request = {
        .kind = GHL_READ, .method = "POST", .path = "/contacts/search", .wants = "contacts"};
    json_t *body = json_pack("{ss si s[{ssss}]}", "query", name, "pageLimit", 100, "sort", "field",
                             "dateAdded", "direction", "desc");
    enum ghl_result result = body ? run_with_location(ghl, call, &request, body, answer) : not_built(answer);

    json_decref(body);
    return result;
}

static enum ghl_result change_tags(struct ghl *ghl, const struct ghl_call *call, const char *method,
                                   const char *id, const json_t *tags, struct ghl_answer *answer)
{
    json_t *body = json_pack("{sO}", "tags", tags);
    struct ghl_request request = {.kind = GHL_WRITE, .method = method, .body = body, .subject = "contact"};
    enum ghl_result result =
        body ? run_on_id(ghl, call, &request, "/contacts/", id, "/tags", answer) : not_built(answer);

    json_decref(body);
    return result;
}

enum ghl_result ghl_contact_add_tags(struct ghl *ghl, const struct ghl_call *call, const char *id,
                                     const json_t *tags, struct ghl_answer *answer)
{
    return change_tags(ghl, call, "POST", id, tags, answer);
}

enum ghl_result ghl_contact_remove_tags(struct ghl *ghl, const struct ghl_call *call, const char *id,
                                        const json_t *tags, struct ghl_answer *answer)
{
    return change_tags(ghl, call, "DELETE", id, tags, answer);
}

enum ghl_result ghl_note_create(struct ghl *ghl, const struct ghl_call *call, const char *contact_id,
                                const char *text, struct ghl_answer *answer)
{
    json_t *body = json_pack("{ss}", "body", text);
    struct ghl_request request = {.kind = GHL_CREATE,
                                  .method = "POST",
                                  .body = body,
                                  .subject = "contact",
                                  .wants = "note",
                                  .wants_id = true};
    enum ghl_result result =
        body ? run_on_id(ghl, call, &request, "/contacts/", contact_id, "/notes", answer) : not_built(answer);

    json_decref(body);
    return result;
}

enum ghl_result ghl_note_list(struct ghl *ghl, const struct ghl_call *call, const char *contact_id,
                              struct ghl_answer *answer)
{
    struct ghl_request request = {.kind = GHL_READ, .method = "GET", .subject = "contact", .wants = "notes"};
    return run_on_id(ghl, call, &request, "/contacts/", contact_id, "/notes", answer);
}

/* -- opportunities -- */

enum ghl_result ghl_opportunity_create(struct ghl *ghl, const struct ghl_call *call,
                                       const json_t *opportunity, struct ghl_answer *answer)
{
    struct ghl_request request = {.kind = GHL_CREATE,
                                  .method = "POST",
                                  .path = "/opportunities/",
                                  .subject = "contact", /* the one that may be missing is the contact */
                                  .wants = "opportunity",
                                  .wants_id = true,
                                  .needs_ms = CREATE_NEEDS_MS};
    return run_with_location(ghl, call, &request, opportunity, answer);
}

enum ghl_result ghl_opportunity_update(struct ghl *ghl, const struct ghl_call *call, const char *id,
                                       const json_t *fields, struct ghl_answer *answer)
{
    struct ghl_request request = {
        .kind = GHL_WRITE, .method = "PUT", .body = fields, .subject = "opportunity"};
    return run_on_id(ghl, call, &request, "/opportunities/", id, "", answer);
}

enum ghl_result ghl_opportunity_get(struct ghl *ghl, const struct ghl_call *call, const char *id,
                                    struct ghl_answer *answer)
{
    struct ghl_request request = {.kind = GHL_READ,
                                  .method = "GET",
                                  .subject = "opportunity",
                                  .wants = "opportunity",
                                  .wants_id = true};
    return run_on_id(ghl, call, &request, "/opportunities/", id, "", answer);
}

static bool search_path(const struct ghl *ghl, const char *contact_id, const char *pipeline_id, int page,
                        struct buf *path)
{
    const char *location = ghl->camel_case ? "locationId" : "location_id",
               *contact = ghl->camel_case ? "contactId" : "contact_id",
               *pipeline = ghl->camel_case ? "pipelineId" : "pipeline_id";

    return buf_addf(path, "/opportunities/search?%s=", location) &&
           http_escape(path, ghl->config->ghl_location_id) && buf_addf(path, "&%s=", contact) &&
           http_escape(path, contact_id) && buf_addf(path, "&%s=", pipeline) &&
           http_escape(path, pipeline_id) && buf_addf(path, "&limit=100&page=%d", page);
}

enum ghl_result ghl_opportunity_search(struct ghl *ghl, const struct ghl_call *call, const char *contact_id,
                                       const char *pipeline_id, struct ghl_answer *answer)
{
    json_t *all = json_array();
    enum ghl_result result = GHL_OK;

    if (!all)
        return not_built(answer);
    for (int page = 1; page <= PAGES_MAX; page++) {
        struct ghl_request request = {.kind = GHL_READ, .method = "GET", .wants = "opportunities"};
        struct buf path;

        buf_init(&path, PATH_LIMIT);
        bool built = search_path(ghl, contact_id, pipeline_id, page, &path);
        request.path = path.data;
        result = built ? ghl_run(ghl, call, &request, answer) : not_built(answer);
        buf_free(&path);
        if (result != GHL_OK)
            break;
        const json_t *found = json_object_get(answer->json, "opportunities");
        const char *next = json_text(json_object_get(answer->json, "meta"), "nextPage");
        bool more = *next && json_array_size(found) > 0;
        if (json_array_extend(all, (json_t *)found) != 0) {
            ghl_answer_free(answer);
            result = not_built(answer);
            break;
        }
        if (!more) {
            json_decref(answer->json);
            answer->json = all;
            return GHL_OK;
        }
        ghl_answer_free(answer);
    }
    json_decref(all);
    if (result == GHL_OK) { /* more pages than anybody has: what was not looked at may be the card */
        result = not_built(answer);
        snprintf(answer->message, sizeof answer->message,
                 "more than %d pages of opportunities of one contact", PAGES_MAX);
    }
    return result;
}

/* -- the location -- */

enum ghl_result ghl_pipelines(struct ghl *ghl, const struct ghl_call *call, struct ghl_answer *answer)
{
    return run_of_location(ghl, call, "/opportunities/pipelines?locationId=", "", "pipelines", answer);
}

enum ghl_result ghl_location(struct ghl *ghl, const struct ghl_call *call, struct ghl_answer *answer)
{
    return run_of_location(ghl, call, "/locations/", "", "location", answer);
}

enum ghl_result ghl_custom_fields(struct ghl *ghl, const struct ghl_call *call, struct ghl_answer *answer)
{
    return run_of_location(ghl, call, "/locations/", "/customFields?model=all", "customFields", answer);
}
