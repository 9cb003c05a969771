#include "ghl/ghl.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/version.h"
#include "ghl/ghl_work.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALL_NEEDS_MS 250 /* a call with less time left would only be cut off */
#define PAGE_SIZE 100     /* the vendor's maximum */
#define PAGES_MAX 100
#define PATH_MAX_LEN 2048
#define DAY_S (24LL * 3600)

/* -- life cycle -- */

static char *line(const char *name, const char *value)
{
    struct buf text;
    buf_init(&text, 16384);
    if (buf_adds(&text, name) && buf_adds(&text, value))
        return buf_steal(&text);
    buf_wipe(&text);
    return NULL;
}

bool ghl_renew(struct ghl *ghl)
{
    const struct config *config = ghl->config;
    char *authorization =
        line("Authorization: Bearer ", ghl->next ? config->ghl_api_key_next : config->ghl_api_key);
    char *version = line("Version: ", ghl->config->ghl_api_version);

    if (!authorization || !version) {
        text_free_secret(authorization);
        free(version);
        return false;
    }
    text_free_secret(ghl->authorization);
    free(ghl->version);
    ghl->authorization = authorization;
    ghl->version = version;
    ghl->camel_case = ghl->config->ghl_api_version[0] == 'v';
    return true;
}

bool ghl_uses_next(const struct ghl *ghl)
{
    return ghl->next;
}

int64_t ghl_token_days(const struct config *config)
{
    int64_t since_s = config->ghl_api_key_since_s;
    return since_s ? (clock_wall_ms() / 1000 - since_s) / DAY_S : -1;
}

struct ghl *ghl_new(const struct config *config, struct log *log, struct error *e)
{
    struct ghl *ghl = calloc(1, sizeof *ghl);
    if (!ghl)
        goto no_memory;
    ghl->config = config;
    ghl->log = log;
    if (!ghl_renew(ghl))
        goto no_memory;
    ghl->http = http_new("woo_ghl/" WOO_GHL_VERSION " (+webhook receiver)", NULL, e);
    if (ghl->http)
        return ghl;
    ghl_free(ghl);
    return NULL;
no_memory:
    error_set(e, "Out of memory for the GHL client");
    ghl_free(ghl);
    return NULL;
}

void ghl_free(struct ghl *ghl)
{
    if (!ghl)
        return;
    http_free(ghl->http);
    text_free_secret(ghl->authorization);
    free(ghl->version);
    free(ghl);
}

struct ghl_call ghl_call_within(int64_t ms)
{
    return (struct ghl_call){
        .deadline_mono_ms = clock_mono_ms() + ms, .order = "", .send_deadline_mono_ms = CLOCK_NEVER};
}

/* A dry run may have no location yet. */
static const char *location_of(const struct ghl *ghl)
{
    const char *id = ghl->config->ghl_location_id;
    return !*id && ghl->config->dry_run ? "dry-run" : id;
}

/* -- bodies -- */

static bool is_empty(const json_t *value)
{
    return json_is_null(value) || (json_is_string(value) && json_string_length(value) == 0) ||
           (json_is_array(value) && json_array_size(value) == 0);
}

/* The body's custom fields, [{id, field_value}] -> [{id, fieldValue}], if the version wants it. */
static bool adapt_fields(const struct ghl *ghl, const json_t *body)
{
    size_t i;
    json_t *field;
    json_array_foreach(ghl->camel_case ? json_object_get(body, "customFields") : NULL, i, field)
    {
        json_t *value = json_object_get(field, "field_value");
        if (value && (json_object_set(field, "fieldValue", value) || json_object_del(field, "field_value")))
            return false;
    }
    return true;
}

/* A copy without empty values and without `except` (NULL-terminated), with locationId if wanted. NULL = out
 * of memory. */
static json_t *make_body(const struct ghl *ghl, const json_t *given, const char *const *except, bool location)
{
    json_t *body = json_deep_copy(given), *value;
    const char *key;
    void *next;

    if (!body)
        return NULL;
    json_object_foreach_safe(body, next, key, value)
    {
        bool unwanted = is_empty(value);
        for (size_t i = 0; except && except[i]; i++)
            unwanted = unwanted || strcmp(key, except[i]) == 0;
        if (unwanted && json_object_del(body, key) != 0)
            return json_if(false, body);
    }
    bool placed = !location || json_object_set_new(body, "locationId", json_string(location_of(ghl))) == 0;
    return json_if(placed && adapt_fields(ghl, body), body);
}

/* -- requests -- */

static enum ghl_result no_memory(const struct ghl *ghl, struct ghl_answer *answer)
{
    *answer = GHL_ANSWER(GHL_RETRY);
    log_event(ghl->log, LOG_LEVEL_ERROR, "ghl", NULL, "Out of memory for a request");
    return answer->result;
}

/* Runs `request` with the path before + id + after; id == NULL: none. The body is used up; NULL = out of
 * memory, but for a GET, which has none. What is no id never becomes a part of a path. */
static enum ghl_result run(struct ghl *ghl, const struct ghl_call *call, struct ghl_request request,
                           const char *before, const char *id, const char *after, json_t *body,
                           struct ghl_answer *answer)
{
    char checked[GHL_ID_SIZE] = "";
    struct buf path;

    buf_init(&path, PATH_MAX_LEN);
    if (id && !ghl_take_id(id, checked)) {
        *answer = GHL_ANSWER(GHL_CONFIG);
        snprintf(answer->message, sizeof answer->message, "%.40s...: not an id of GHL's (letters and digits)",
                 before);
    } else if ((body || !strcmp(request.method, "GET")) && buf_adds(&path, before) &&
               buf_adds(&path, checked) && buf_adds(&path, after)) {
        request.path = path.data;
        request.body = body;
        if (request.needs_ms == 0)
            request.needs_ms = CALL_NEEDS_MS;
        if (ghl_run(ghl, call, &request, answer) == GHL_OK && id && !answer->id[0] &&
            request.kind != GHL_READ)
            memcpy(answer->id, checked, sizeof checked);
    } else {
        (void)no_memory(ghl, answer);
    }
    json_decref(body);
    buf_free(&path);
    return answer->result;
}

/* A good answer's member becomes the answer. */
static enum ghl_result unwrap(struct ghl_answer *answer, const char *member)
{
    json_t *inner = json_incref(json_object_get(answer->json, member));
    json_decref(answer->json);
    answer->json = inner;
    return answer->result;
}

/* -- the cache -- */

json_t *ghl_cache_get(const struct ghl_cache *cache, const char *name)
{
    char *text = cache->get(cache->context, name);
    json_t *value = text ? json_loads(text, 0, NULL) : NULL;
    free(text);
    return value;
}

void ghl_cache_put(const struct ghl_cache *cache, const char *name, const json_t *value, int64_t ttl_ms)
{
    char *text = json_written(value, JSON_COMPACT);
    if (text)
        cache->put(cache->context, name, text, ttl_ms);
    free(text);
}

/* -- contacts -- */

/* "This location does not allow duplicated contacts": the one that is there is the one that was meant. */
static enum ghl_result adopt(const struct ghl *ghl, struct ghl_answer *answer)
{
    if (answer->result != GHL_DUPLICATE || !answer->existing_id[0])
        return answer->result;
    answer->json = json_pack("{s{ss}}", "contact", "id", answer->existing_id);
    if (!answer->json)
        return no_memory(ghl, answer);
    memcpy(answer->id, answer->existing_id, sizeof answer->id);
    answer->maybe_done = false;
    return answer->result = GHL_OK;
}

enum ghl_result ghl_contact_upsert(struct ghl *ghl, const struct ghl_call *call, const json_t *contact,
                                   struct ghl_answer *answer)
{
    struct ghl_request request = {
        .kind = GHL_WRITE, .method = "POST", .subject = "contact", .wants = "contact", .wants_id = true};
    run(ghl, call, request, "/contacts/upsert", NULL, "", make_body(ghl, contact, NULL, true), answer);
    return adopt(ghl, answer);
}
enum ghl_result ghl_contact_create(struct ghl *ghl, const struct ghl_call *call, const json_t *contact,
                                   struct ghl_answer *answer)
{
    struct ghl_request request = {.kind = GHL_CREATE,
                                  .method = "POST",
                                  .wants = "contact",
                                  .wants_id = true,
                                  .needs_ms = GHL_CREATE_NEEDS_MS};
    run(ghl, call, request, "/contacts/", NULL, "", make_body(ghl, contact, NULL, true), answer);
    return adopt(ghl, answer);
}

enum ghl_result ghl_contact_update(struct ghl *ghl, const struct ghl_call *call, const char *id,
                                   const json_t *contact, struct ghl_answer *answer)
{
    static const char *const undeclared[] = {"locationId", "companyName", "gender", NULL};
    struct ghl_request request = {.kind = GHL_WRITE, .method = "PUT", .subject = "contact"};
    return run(ghl, call, request, "/contacts/", id, "", make_body(ghl, contact, undeclared, false), answer);
}

enum ghl_result ghl_contact_empty(struct ghl *ghl, const struct ghl_call *call, const char *id,
                                  const json_t *fields, struct ghl_answer *answer)
{
    struct ghl_request request = {.kind = GHL_WRITE, .method = "PUT", .subject = "contact"};
    json_t *body = json_deep_copy(fields);

    return run(ghl, call, request, "/contacts/", id, "", json_if(adapt_fields(ghl, body), body), answer);
}

enum ghl_result ghl_contact_delete(struct ghl *ghl, const struct ghl_call *call, const char *id,
                                   struct ghl_answer *answer)
{
    struct ghl_request request = {.kind = GHL_WRITE, .method = "DELETE", .subject = "contact"};
    /* Some servers take no write without a body of JSON. */
    return run(ghl, call, request, "/contacts/", id, "", json_object(), answer);
}

enum ghl_result ghl_contact_find(struct ghl *ghl, const struct ghl_call *call, const char *email,
                                 const char *phone, struct ghl_answer *answer)
{
    struct ghl_request request = {.kind = GHL_READ, .method = "GET"};
    struct buf path;

    buf_init(&path, PATH_MAX_LEN);
    if (buf_adds(&path, "/contacts/search/duplicate?locationId=") && http_escape(&path, location_of(ghl)) &&
        buf_adds(&path, *email ? "&email=" : "&number=") && http_escape(&path, *email ? email : phone))
        run(ghl, call, request, path.data, NULL, "", NULL, answer);
    else
        (void)no_memory(ghl, answer);
    buf_free(&path);
    if (answer->result == GHL_OK)
        (void)ghl_take_id(json_text(json_object_get(answer->json, "contact"), "id"), answer->id);
    return answer->result;
}

enum ghl_result ghl_contact_search(struct ghl *ghl, const struct ghl_call *call, const char *name,
                                   struct ghl_answer *answer)
{
    struct ghl_request request = {.kind = GHL_READ, .method = "POST", .wants = "contacts"};
    json_t *body =
        json_pack("{ss si si s[{ss ss}] ss}", "query", name, "page", 1, "pageLimit", PAGE_SIZE, "sort",
                  "field", "dateAdded", "direction", "desc", "locationId", location_of(ghl));
    return run(ghl, call, request, "/contacts/search", NULL, "", body, answer);
}

static enum ghl_result change_tags(struct ghl *ghl, const struct ghl_call *call, const char *method,
                                   const char *id, const json_t *tags, struct ghl_answer *answer)
{
    struct ghl_request request = {.kind = GHL_WRITE, .method = method, .subject = "contact"};
    json_t *body = json_pack("{so}", "tags", json_deep_copy(tags));
    return run(ghl, call, request, "/contacts/", id, "/tags", body, answer);
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
                                const char *body, struct ghl_answer *answer)
{
    struct ghl_request request = {
        .kind = GHL_CREATE, .method = "POST", .subject = "contact", .wants = "note", .wants_id = true};
    return run(ghl, call, request, "/contacts/", contact_id, "/notes", json_pack("{ss}", "body", body),
               answer);
}

enum ghl_result ghl_note_list(struct ghl *ghl, const struct ghl_call *call, const char *contact_id,
                              struct ghl_answer *answer)
{
    struct ghl_request request = {.kind = GHL_READ, .method = "GET", .subject = "contact", .wants = "notes"};
    return run(ghl, call, request, "/contacts/", contact_id, "/notes", NULL, answer);
}

/* -- opportunities -- */

enum ghl_result ghl_opportunity_create(struct ghl *ghl, const struct ghl_call *call,
                                       const json_t *opportunity, struct ghl_answer *answer)
{
    struct ghl_request request = {.kind = GHL_CREATE,
                                  .method = "POST",
                                  .subject = "contact",
                                  .wants = "opportunity",
                                  .wants_id = true,
                                  .needs_ms = GHL_CREATE_NEEDS_MS};
    return run(ghl, call, request, "/opportunities/", NULL, "", make_body(ghl, opportunity, NULL, true),
               answer);
}

enum ghl_result ghl_opportunity_update(struct ghl *ghl, const struct ghl_call *call, const char *id,
                                       const json_t *fields, struct ghl_answer *answer)
{
    static const char *const undeclared[] = {"locationId", "contactId", NULL};
    struct ghl_request request = {.kind = GHL_WRITE, .method = "PUT", .subject = "opportunity"};
    return run(ghl, call, request, "/opportunities/", id, "", make_body(ghl, fields, undeclared, false),
               answer);
}

enum ghl_result ghl_opportunity_get(struct ghl *ghl, const struct ghl_call *call, const char *id,
                                    struct ghl_answer *answer)
{
    struct ghl_request request = {.kind = GHL_READ,
                                  .method = "GET",
                                  .subject = "opportunity",
                                  .wants = "opportunity",
                                  .wants_id = true};
    return run(ghl, call, request, "/opportunities/", id, "", NULL, answer);
}

struct search {
    const char *contact_id, *text;
    char after[32], after_id[GHL_ID_SIZE]; /* where the next page begins; "" = the first page */
};

static bool search_path(const struct ghl *ghl, const struct search *search, struct buf *out)
{
    bool camel = ghl->camel_case;
    const char *const query[][2] = {
        {camel ? "locationId" : "location_id", location_of(ghl)},
        {camel ? "contactId" : "contact_id", search->contact_id},
        {"q", search->text},
        {"startAfter", search->after},
        {"startAfterId", search->after_id},
    };
    bool good = buf_addf(out, "/opportunities/search?limit=%d", PAGE_SIZE);
    for (size_t i = 0; good && i < sizeof query / sizeof *query; i++)
        if (query[i][1] && *query[i][1])
            good = buf_addf(out, "&%s=", query[i][0]) && http_escape(out, query[i][1]);
    return good;
}

/* Adds the page's opportunities to found. True if there may be a further page; *search then says where it
 * begins. A page may hold fewer than were asked for. A full one that does not say where the next begins is
 * `failed`: a part must not pass for the whole. */
static bool take_page(const json_t *page, struct search *search, json_t *found, bool *failed)
{
    json_t *part = json_object_get(page, "opportunities");
    const json_t *meta = json_object_get(page, "meta");
    const char *total = json_text(meta, "total"), *after = json_text(meta, "startAfter");
    char next[GHL_ID_SIZE];

    *failed = json_array_extend(found, part) != 0;
    if (*failed || json_array_size(part) == 0)
        return false;
    if (*total && strlen(total) < 10 && json_array_size(found) >= strtoul(total, NULL, 10))
        return false;
    if (!ghl_take_id(json_text(meta, "startAfterId"), next) || strcmp(next, search->after_id) == 0 ||
        !*after || strlen(after) >= sizeof search->after) {
        *failed = json_array_size(part) >= PAGE_SIZE;
        return false;
    }
    memcpy(search->after_id, next, sizeof next);
    memcpy(search->after, after, strlen(after) + 1);
    return true;
}

enum ghl_result ghl_opportunity_search(struct ghl *ghl, const struct ghl_call *call, const char *contact_id,
                                       const char *text, struct ghl_answer *answer)
{
    struct ghl_request request = {.kind = GHL_READ, .method = "GET", .wants = "opportunities"};
    struct search search = {.contact_id = contact_id, .text = text};
    json_t *found = json_array();
    bool more = true, failed = !found;
    int pages = 0;

    *answer = GHL_ANSWER(GHL_OK);
    while (!failed && more && answer->result == GHL_OK && pages++ < PAGES_MAX) {
        struct buf path;
        buf_init(&path, PATH_MAX_LEN);
        ghl_answer_free(answer);
        if (search_path(ghl, &search, &path)) {
            run(ghl, call, request, path.data, NULL, "", NULL, answer);
            more = answer->result == GHL_OK && take_page(answer->json, &search, found, &failed);
        } else {
            failed = true;
        }
        buf_free(&path);
    }
    if (failed || more) { /* `more`: too many pages */
        ghl_answer_free(answer);
        json_decref(found);
        *answer = GHL_ANSWER(GHL_RETRY);
        snprintf(answer->message, sizeof answer->message, "the search's answer is not whole");
        return answer->result;
    }
    if (answer->result != GHL_OK) {
        json_decref(found);
        return answer->result;
    }
    json_decref(answer->json);
    answer->json = found;
    return GHL_OK;
}

/* -- the location -- */

enum ghl_result ghl_pipelines(struct ghl *ghl, const struct ghl_call *call, struct ghl_answer *answer)
{
    struct ghl_request request = {.kind = GHL_READ, .method = "GET", .wants = "pipelines"};
    run(ghl, call, request, "/opportunities/pipelines?locationId=", location_of(ghl), "", NULL, answer);
    return unwrap(answer, "pipelines");
}

enum ghl_result ghl_location(struct ghl *ghl, const struct ghl_call *call, struct ghl_answer *answer)
{
    struct ghl_request request = {.kind = GHL_READ, .method = "GET", .wants = "location"};
    run(ghl, call, request, "/locations/", location_of(ghl), "", NULL, answer);
    return unwrap(answer, "location");
}

enum ghl_result ghl_custom_fields(struct ghl *ghl, const struct ghl_call *call, struct ghl_answer *answer)
{
    struct ghl_request request = {.kind = GHL_READ, .method = "GET", .wants = "customFields"};
    run(ghl, call, request, "/locations/", location_of(ghl), "/customFields?model=all", NULL, answer);
    return unwrap(answer, "customFields");
}

enum ghl_result ghl_custom_field_create(struct ghl *ghl, const struct ghl_call *call, const json_t *field,
                                        struct ghl_answer *answer)
{
    struct ghl_request request = {.kind = GHL_CREATE, .method = "POST", .wants = "customField"};
    run(ghl, call, request, "/locations/", location_of(ghl), "/customFields", json_deep_copy(field), answer);
    return unwrap(answer, "customField");
}
