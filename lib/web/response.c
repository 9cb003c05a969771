#include "web/response.h"
#include "base/text.h"
#include <jansson.h>
#include <stdlib.h>

#define RETRY_AFTER_UNAVAILABLE "60"

void response_init(struct response *response)
{
    *response = (struct response){.content_type = "application/json"};
    buf_init(&response->body, 64L * 1024);
}

void response_free(struct response *response)
{
    buf_free(&response->body);
}

void response_header(struct response *response, const char *name, const char *value)
{
    if (response->header_count == RESPONSE_HEADERS_MAX)
        return;
    size_t n = response->header_count++;
    response->header[n].name = name;
    text_copy(response->header[n].value, sizeof response->header[n].value, value);
}

void response_json(struct response *response, int status, const char *name, const char *value,
                   const char *name2, const char *value2)
{
    response->status = status;
    buf_reset(&response->body);
    json_t *body = name2 ? json_pack("{ssss}", name, value, name2, value2) : json_pack("{ss}", name, value);
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    if (!text || !buf_adds(&response->body, text))
        response->status = 500;
    free(text);
    json_decref(body);
}

void response_error(struct response *response, int status, const char *error)
{
    response_json(response, status, "error", error, NULL, NULL);
}

void response_unavailable(struct response *response)
{
    response_error(response, 503, "Unavailable");
    response_header(response, "Retry-After", RETRY_AFTER_UNAVAILABLE);
}
