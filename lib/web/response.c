#include "web/response.h"
#include "base/text.h"

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

/* A JSON string. By hand: Jansson takes a tenth of the time that a redelivery costs. */
static void add_string(struct buf *out, const char *text)
{
    (void)buf_addc(out, '"');
    for (; *text; text++) {
        if ((unsigned char)*text < 0x20)
            (void)buf_addf(out, "\\u%04x", (unsigned)*text);
        else if (*text == '"' || *text == '\\')
            (void)buf_addf(out, "\\%c", *text);
        else
            (void)buf_addc(out, *text);
    }
    (void)buf_addc(out, '"');
}

static void add_member(struct buf *out, char before, const char *name, const char *value)
{
    (void)buf_addc(out, before);
    add_string(out, name);
    (void)buf_addc(out, ':');
    add_string(out, value);
}

void response_json(struct response *response, int status, const char *name, const char *value,
                   const char *name2, const char *value2)
{
    response->status = status;
    buf_reset(&response->body);
    add_member(&response->body, '{', name, value);
    if (name2)
        add_member(&response->body, ',', name2, value2);
    if (!buf_addc(&response->body, '}'))
        response->status = 500;
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
