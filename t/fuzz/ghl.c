/*
 * Fuzzes GHL's answers: a byte for the call, one for the status, then the body. Whatever GHL says, a create that may
 * have happened is never taken for one that did not, and nothing that it says is kept but words of a known form.
 */
#include "ghl/fields.h"
#include "ghl/ghl_work.h"
#include "rig.h"
#include <stdlib.h>
#include <string.h>

static const int statuses[] = {200, 201, 204, 301, 400, 401, 403, 404, 408,
                               409, 422, 425, 429, 500, 502, 504, 524, 599};
#define STATUSES (sizeof statuses / sizeof *statuses)

static const char sent_body[] =
    "{\"name\":\"Order #7\",\"phone\":\"+12025550143\",\"source\":\"x\",\"customFields\":[{\"id\":\"f1\"}]}";

static void look(const struct ghl_request *request, enum http_result sent, const struct ghl_answer *answer)
{
    char id[GHL_ID_SIZE];

    check(*ghl_result_name(answer->result));
    check(!*answer->id || ghl_take_id(answer->id, id));
    check(!*answer->existing_id || ghl_take_id(answer->existing_id, id));
    check((answer->result == GHL_OK) >= (answer->json != NULL));
    check(answer->result != GHL_OK || sent == HTTP_ANSWERED);
    check(!request->wants_id || answer->result != GHL_OK || *answer->id);
    if (request->kind == GHL_CREATE && sent == HTTP_UNKNOWN)
        check(answer->result == GHL_UNKNOWN && answer->maybe_done);
    if (request->kind == GHL_CREATE && sent == HTTP_ANSWERED && answer->status >= 500)
        check(answer->maybe_done && answer->result != GHL_RETRY);
    for (const char *c = answer->message; *c; c++)
        check((unsigned char)*c >= ' ');
    if (answer->json) {
        const json_t *field = fields_find(answer->json, FIELDS_CONTACT, "contact.utm_source");
        (void)fields_find(json_object_get(answer->json, "customFields"), FIELDS_OPPORTUNITY, "f1");
        (void)(field && fields_can_hold(field));
        (void)fields_value(answer->json, "f1");
    }
}

void fuzz_ghl(const uint8_t *bytes, size_t len)
{
    static const char *const wants[] = {NULL, "contact", "opportunity", "note"};
    struct http_answer heard;
    struct ghl_answer answer = GHL_ANSWER(GHL_RETRY);

    if (len < 2)
        return;
    json_t *body = json_loads(sent_body, 0, NULL);
    const struct ghl_request request = {.kind = (enum ghl_kind)(*bytes % 3),
                                        .method = *bytes % 3 ? "POST" : "GET",
                                        .path = "/contacts/",
                                        .body = *bytes % 3 ? body : NULL,
                                        .subject = *bytes & 4 ? "contact" : NULL,
                                        .wants = wants[*bytes / 8 % 4],
                                        .wants_id = *bytes / 8 % 4 && *bytes & 32};
    enum http_result sent = *bytes & 64 ? (enum http_result)(bytes[1] % 5) : HTTP_ANSWERED;

    http_answer_init(&heard);
    heard.status = sent == HTTP_ANSWERED ? statuses[bytes[1] % STATUSES] : 0;
    check(body && buf_add(&heard.body, bytes + 2, len - 2));
    ghl_judge(&request, sent, &heard, &answer);
    look(&request, sent, &answer);
    ghl_answer_free(&answer);
    http_answer_free(&heard);
    json_decref(body);
}
