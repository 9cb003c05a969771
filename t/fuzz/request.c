/*
 * Fuzzes the whole way: a request's head and body -> its response, in a dry run on the embedded store, which is empty
 * each time.
 *
 * Requests stand one behind the other, divided by a byte 0. A request's first line holds what its head says, divided by
 * spaces: how it is signed ("+" well, "-" not at all, else this), method, path, topic, resource, length ("=" the body's
 * own), type. The rest is the body.
 */
#include "app/ready.h"
#include "base/clock.h"
#include "rig.h"
#include "web/routes.h"
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECRET "my_super_secret_woo_key"
#define WORDS 7
#define REQUESTS_MAX 8

enum { SIGNED, METHOD, PATH, TOPIC, RESOURCE, LENGTH, TYPE };

struct supply {
    const uint8_t *at;
    size_t left;
};

static long read_memory(void *context, char *into, size_t n)
{
    struct supply *from = context;

    if (n > from->left)
        n = from->left;
    memcpy(into, from->at, n);
    from->at += n;
    from->left -= n;
    return (long)n;
}

static struct app *begin(void)
{
    static struct app app;
    static bool begun;
    char text[128];
    struct error e = ERROR_NONE;

    if (begun)
        return &app;
    begun = true;
    snprintf(text, sizeof text, "%s/data", fuzz_directory());
    check(!clearenv() && !setenv("WOO_GHL_ENV", "/dev/null", 1) && !setenv("WOO_WEBHOOK_SECRET", SECRET, 1) &&
          !setenv("GHL_DRY_RUN", "yes", 1) && !setenv("GHL_LOCATION_ID", "location1", 1) &&
          !setenv("LOG", "/dev/null", 1) && !setenv("MAX_BODY", "60k", 1) && !setenv("DATA_DIR", text, 1));
    check(app_open(&app, NULL) && app_ready(&app, &e));
    return &app;
}

static void empty_store(void)
{
    static sqlite3 *db;
    char path[128];

    snprintf(path, sizeof path, "%s/data/store.db", fuzz_directory());
    if (!db)
        check(sqlite3_open(path, &db) == SQLITE_OK);
    check(sqlite3_exec(db, "DELETE FROM orders; DELETE FROM blobs; DELETE FROM vals", NULL, NULL, NULL) ==
          SQLITE_OK);
}

/* A good answer is one of those that the README names; a version that was taken is in the store. */
static void look(struct app *app, const struct response *response)
{
    static const int known[] = {200, 202, 400, 401, 404, 405, 413, 429, 503};
    struct store_sizes sizes;
    json_t *body = json_loads(response->body.data, 0, NULL);
    bool found = false;

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        found = found || known[i] == response->status;
    check(found && json_is_object(body));
    if (!strcmp(json_text(body, "status"), "queued"))
        check(store_sizes(app->store, &sizes) == STORE_OK &&
              sizes.count[INDEX_DUE] + sizes.count[INDEX_DEAD] > 0);
    json_decref(body);
}

static void visit(struct app *app, const uint8_t *bytes, size_t len)
{
    char *word[WORDS], signature[SIGNATURE_SIZE], length[24];
    char *line = fuzz_take(&bytes, &len, '\n');
    const uint8_t *at = (const uint8_t *)line;
    size_t left = strlen(line);
    struct supply from = {bytes, len};
    struct response response;

    for (size_t i = 0; i < WORDS; i++)
        word[i] = fuzz_take(&at, &left, ' ');
    check(signature_make(SECRET, bytes, len, signature));
    snprintf(length, sizeof length, "%zu", len);
    const struct request request = {.method = word[METHOD],
                                    .path = word[PATH],
                                    .remote_addr = "192.0.2.1",
                                    .content_type = word[TYPE],
                                    .content_length = strcmp(word[LENGTH], "=") != 0 ? word[LENGTH] : length,
                                    .transfer_encoding = *word[LENGTH] ? "" : "chunked",
                                    .signature = !strcmp(word[SIGNED], "+")   ? signature
                                                 : !strcmp(word[SIGNED], "-") ? ""
                                                                              : word[SIGNED],
                                    .topic = word[TOPIC],
                                    .resource = word[RESOURCE],
                                    .source = "https://shop.example.com/",
                                    .query = "",
                                    .cookie = "",
                                    .authorization = "",
                                    .document_root = "",
                                    .read = read_memory,
                                    .context = &from,
                                    .arrived_mono_ms = clock_mono_ms()};
    response_init(&response);
    routes_handle(app, &request, &response);
    check(response.status != 200 || strcmp(request.method, "GET") == 0 || !strcmp(word[SIGNED], "+") ||
          strstr(response.body.data, "pong") || !strcmp(word[SIGNED], signature));
    look(app, &response);
    response_free(&response);
    for (size_t i = 0; i < WORDS; i++)
        free(word[i]);
    free(line);
}

void fuzz_request(const uint8_t *bytes, size_t len)
{
    struct app *app = begin();

    empty_store();
    for (size_t i = 0; i < REQUESTS_MAX && len > 0; i++) {
        const uint8_t *end = memchr(bytes, '\0', len);
        size_t n = end ? (size_t)(end - bytes) : len;
        visit(app, bytes, n);
        n += end != NULL;
        bytes += n;
        len -= n;
    }
}
