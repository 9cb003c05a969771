#include "ghl/ghl_work.h"
#include "tap.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct ghl_request read_call = {.kind = GHL_READ, .method = "GET", .wants = "contact"};
static const struct ghl_request write_call = {
    .kind = GHL_WRITE, .method = "POST", .subject = "contact", .wants = "contact", .wants_id = true};
static const struct ghl_request create_call = {
    .kind = GHL_CREATE, .method = "POST", .subject = "contact", .wants = "opportunity", .wants_id = true};
static const struct ghl_request put_call = {.kind = GHL_WRITE, .method = "PUT", .subject = "opportunity"};

static struct ghl_answer judge(const struct ghl_request *request, int status, const char *body, size_t len)
{
    struct http_answer heard;
    struct ghl_answer answer;

    http_answer_init(&heard);
    heard.status = status;
    if (!buf_add(&heard.body, body, len))
        abort();
    ghl_judge(request, HTTP_ANSWERED, &heard, &answer);
    http_answer_free(&heard);
    return answer;
}

static struct ghl_answer judge_text(const struct ghl_request *request, int status, const char *body)
{
    return judge(request, status, body, strlen(body));
}

static void test_ids(void)
{
    char id[GHL_ID_SIZE], longest[GHL_ID_SIZE + 1];

    memset(longest, 'a', sizeof longest);
    longest[GHL_ID_SIZE] = '\0';
    ok(!ghl_take_id(longest, id), "an id of %d characters is none", GHL_ID_SIZE);
    is_str(id, "", "and leaves nothing");
    longest[GHL_ID_SIZE - 1] = '\0';
    ok(ghl_take_id(longest, id), "one less is one");
    is_str(id, longest, "taken whole");
    ok(ghl_take_id("aZ0-_", id), "letters, digits, hyphen, underscore");
    static const char *const bad[] = {"", ".", "..", "a/b", "a b", "a%2F", "a?b", "\xC3\xA9", "a\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ok(!ghl_take_id(bad[i], id), "\"%s\" is none", bad[i]);
}

static void test_messages(void)
{
    static const char *const kept[][2] = {
        {"property firstName should not exist", "property firstName should not exist"},
        {"property Joan should not exist", "property ... should not exist"},
        {"contact WITH id q3Xy not found", "Contact with id ... not found"},
        {"email must be an email", "email must be an email"},
        {"name must be shorter than or equal to 255 characters",
         "name must be shorter than or equal to ... characters"},
        {"customFields.12.field_value must be a number", "customFields.12.field_value must be a number"},
        {"customFields.12.Joan must be a number", "... must be a number"},
        {"Cannot POST /contacts/q3Xy/tags", "Cannot POST ..."},
        {"Too Many Requests", "Too Many Requests"},
    };
    static const char *const unknown[] = {"",
                                          "Joan",
                                          "Contact with id not found",
                                          "Contact with id Joan Example not found",
                                          "Too Many Requests from joan@example.com",
                                          "email must be an email ",
                                          " must be an email",
                                          "phone +15555550101 is invalid"};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        struct buf b;
        buf_init(&b, 200);
        ok(ghl_known_message(kept[i][0], &b), "known: %s", kept[i][0]);
        is_str(b.data, kept[i][1], "what is kept of it");
        buf_free(&b);
    }
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        struct buf b;
        buf_init(&b, 200);
        ok(!ghl_known_message(unknown[i], &b), "unknown: \"%s\"", unknown[i]);
        is_str(b.data, "", "nothing is kept");
        buf_free(&b);
    }
}

static void test_good(void)
{
    struct ghl_answer a =
        judge_text(&write_call, 200, "{\"new\":false,\"contact\":{\"id\":\"c1\"},\"traceId\":\"t-1\"}");
    is_int(a.result, GHL_OK, "an answer with an id");
    is_str(a.id, "c1", "the id");
    is_str(a.trace_id, "t-1", "the traceId");
    ok(!a.created, "not new");
    is_str(json_text(json_object_get(a.json, "contact"), "id"), "c1", "the body");
    ghl_answer_free(&a);
    a = judge_text(&create_call, 201, "{\"opportunity\":{\"id\":\"o1\",\"monetaryValue\":21.76}}");
    is_int(a.result, GHL_OK, "201");
    ok(a.created, "is new");
    is_str(json_text(json_object_get(a.json, "opportunity"), "monetaryValue"), "21.76",
           "numbers keep their digits");
    ghl_answer_free(&a);
    a = judge_text(&put_call, 200, "{\"succeded\":true}");
    is_int(a.result, GHL_OK, "a write that wants nothing of the answer takes any object");
    ok(!a.maybe_done && !a.maybe_later, "it is done");
    ghl_answer_free(&a);
    static const char *const not_done[] = {"",
                                           "<html>Back soon</html>",
                                           "[]",
                                           "{\"succeded\":false}",
                                           "{\"succeeded\":false}",
                                           "{\"success\":false}"};
    for (size_t i = 0; i < sizeof not_done / sizeof *not_done; i++) {
        a = judge_text(&put_call, 200, not_done[i]);
        is_int(a.result, GHL_UNKNOWN, "but with \"%s\" nobody knows", not_done[i]);
        ok(a.maybe_done && !a.maybe_later, "  it may be done, but is not done later");
        ok(!a.json, "  and nothing is taken from it");
        ghl_answer_free(&a);
    }
    a = judge_text(&put_call, 200, "<html>Back soon</html>");
    is_str(a.message, "(22 bytes) without JSON", "the message says what is missing");
    ghl_answer_free(&a);
    a = judge_text(&write_call, 200, "{\"succeded\":false,\"contact\":{\"id\":\"c1\"}}");
    is_int(a.result, GHL_UNKNOWN, "an id does not make up for it");
    is_str(a.message, "(40 bytes) without success", "and the message says so");
    ghl_answer_free(&a);
    a = judge_text(&read_call, 200, "{\"success\":false,\"contact\":{}}");
    is_int(a.result, GHL_RETRY, "a read is asked again");
    ok(!a.maybe_done, "it does nothing");
    ghl_answer_free(&a);
    a = judge_text(&read_call, 200, "{\"contact\":{\"name\":\"\\ud800\"}}");
    is_int(a.result, GHL_OK, "a lone surrogate in a name is no obstacle");
    ghl_answer_free(&a);
}

/* What GHL says when it should say an id, and what that means to a write and to a create. */
static void test_half(void)
{
    static const struct {
        const char *name, *body;
        size_t len;
    } half[] = {
#define HALF(name, body) {(name), (body), sizeof(body) - 1}
        HALF("nothing", ""),
        HALF("HTML", "<html>"),
        HALF("half a body", "{\"opportunity\":{\"id\":\"o"),
        HALF("an array", "[{\"id\":\"o1\"}]"),
        HALF("null", "null"),
        HALF("another member", "{\"contacts\":{\"id\":\"o1\"}}"),
        HALF("no id", "{\"opportunity\":{},\"contact\":{}}"),
        HALF("a list of ids", "{\"opportunity\":{\"id\":[\"o1\"]},\"contact\":{\"id\":[\"o1\"]}}"),
        HALF("an empty id", "{\"opportunity\":{\"id\":\"\"},\"contact\":{\"id\":\"\"}}"),
        HALF("an id that leads elsewhere",
             "{\"opportunity\":{\"id\":\"../o1\"},\"contact\":{\"id\":\"../o1\"}}"),
        HALF("a NUL in the middle", "{\"opportunity\":\0{\"id\":\"o1\"}}"),
    };
    for (size_t i = 0; i < sizeof half / sizeof *half; i++) {
        struct ghl_answer a = judge(&create_call, 201, half[i].body, half[i].len);
        is_int(a.result, GHL_UNKNOWN, "a create answered with %s is unknown", half[i].name);
        ok(!a.json && !a.id[0] && a.message[0], "  with a message only");
        ghl_answer_free(&a);
        a = judge(&write_call, 200, half[i].body, half[i].len);
        is_int(a.result, GHL_UNKNOWN, "so is a write answered with %s", half[i].name);
        ghl_answer_free(&a);
    }
}

static void test_subjects(void)
{
    struct ghl_answer a = judge_text(&put_call, 400, "{\"message\":\"Contact with id c1 not found\"}");
    is_int(a.result, GHL_REFUSED, "a missing contact does not make an opportunity gone");
    ghl_answer_free(&a);
    a = judge_text(&put_call, 404, "{\"message\":\"Pipeline with id p1 not found\"}");
    is_int(a.result, GHL_CONFIG, "nor does a missing pipeline");
    ghl_answer_free(&a);
    a = judge_text(&put_call, 404, "{\"statusCode\":404,\"message\":\"Not Found\"}");
    is_int(a.result, GHL_GONE, "a plain Not Found in GHL's own form does");
    ghl_answer_free(&a);
    a = judge_text(&put_call, 404, "{}");
    is_int(a.result, GHL_CONFIG, "an empty one does not");
    ghl_answer_free(&a);
    a = judge_text(&create_call, 404, "{\"statusCode\":404,\"message\":\"Not Found\"}");
    is_int(a.result, GHL_CONFIG, "a create has no id to be gone");
    ghl_answer_free(&a);
    a = judge_text(&create_call, 400,
                   "{\"code\":\"OPPORTUNITY_NO_DUPLICATE\",\"meta\":{\"existingId\":\"a b\"}}");
    is_int(a.result, GHL_DUPLICATE, "a duplicate is told by its code alone");
    is_str(a.existing_id, "", "an id that is none is not told");
    ghl_answer_free(&a);
}

static void test_huge(void)
{
    struct buf b;
    struct ghl_answer a;

    buf_init(&b, HTTP_ANSWER_MAX);
    bool good = buf_adds(&b, "{\"message\":[");
    for (int i = 0; i < 20000; i++)
        good = good && buf_adds(&b, "\"email must be an email\",");
    good = good && buf_adds(&b, "\"x\"]}");
    ok(good, "given an error of 20001 messages");
    a = judge(&write_call, 422, b.data, b.len);
    is_int(a.result, GHL_REFUSED, "it is refused");
    ok(strncmp(a.message, "(", 1) == 0 && strstr(a.message, "bytes)"), "and only its size is kept: %s",
       a.message);
    ghl_answer_free(&a);
    buf_free(&b);
}

static void test_silence(void)
{
    static const struct {
        enum http_result sent;
        enum ghl_result of_write, of_create;
        bool failed;
    } silence[] = {{HTTP_NOT_SENT, GHL_RETRY, GHL_RETRY, true},
                   {HTTP_UNKNOWN, GHL_UNKNOWN, GHL_UNKNOWN, true},
                   {HTTP_TOO_LATE, GHL_TOO_LATE, GHL_TOO_LATE, false},
                   {HTTP_UNUSABLE, GHL_CONFIG, GHL_CONFIG, false}};
    for (size_t i = 0; i < sizeof silence / sizeof *silence; i++) {
        struct http_answer heard;
        struct ghl_answer a;
        http_answer_init(&heard);
        memset(heard.error, 'e', sizeof heard.error - 1);
        ghl_judge(&write_call, silence[i].sent, &heard, &a);
        is_int(a.result, silence[i].of_write, "silence %zu of a write", i);
        is_int(a.transport_failed, silence[i].failed, "  counted by the breaker or not");
        is_int(strlen(a.message), sizeof a.message - 1, "  a long reason is cut");
        is_int(a.maybe_done, silence[i].sent == HTTP_UNKNOWN, "  it may be done");
        is_int(a.maybe_later, silence[i].sent == HTTP_UNKNOWN, "  also later");
        ghl_judge(&create_call, silence[i].sent, &heard, &a);
        is_int(a.result, silence[i].of_create, "silence %zu of a create", i);
        http_answer_free(&heard);
    }
}

/* What an answer says of a write's effect. */
static void test_effects(void)
{
    static const struct {
        int status;
        bool resent;
        const char *body;
        bool write_done, create_done, later;
    } effect[] = {{200, false, "{\"contact\":{\"id\":\"c1\"}}", false, false, false},
                  {200, true, "{\"contact\":{\"id\":\"c1\"}}", false, false, true},
                  {302, false, "", true, true, false},
                  {400, false, "{\"message\":\"Bad Request\"}", false, true, false},
                  {400, false, "{\"message\":\"The pipeline id is invalid.\"}", false, true, false},
                  {400, false, "{\"message\":\"Contact with id c1 not found\"}", false, false, false},
                  {400, false, "{\"message\":\"Can not create duplicate opportunity\"}", false, false, false},
                  {401, false, "{\"message\":\"Invalid JWT\"}", false, false, false},
                  {404, false, "{\"message\":\"Cannot POST /x\"}", false, false, false},
                  {408, false, "", true, true, true},
                  {422, false, "{\"message\":[\"x must be valid\"]}", false, true, false},
                  {422, true, "{\"message\":[\"x must be valid\"]}", true, true, true},
                  {429, false, "", false, false, false},
                  {500, false, "", true, true, false},
                  {502, false, "", true, true, true},
                  {503, false, "", true, true, false},
                  {504, false, "", true, true, true},
                  {520, false, "", true, true, true},
                  {524, false, "", true, true, true},
                  {530, false, "", true, true, false}};
    static const struct ghl_request create = {
        .kind = GHL_CREATE, .method = "POST", .subject = "contact", .wants = "contact"};

    for (size_t i = 0; i < sizeof effect / sizeof *effect; i++) {
        const struct ghl_request *const request[] = {&read_call, &write_call, &create};
        for (size_t k = 0; k < 3; k++) {
            struct http_answer heard;
            struct ghl_answer a;
            bool done = k == 1 ? effect[i].write_done : k == 2 && effect[i].create_done;
            http_answer_init(&heard);
            heard.status = effect[i].status;
            heard.resent = effect[i].resent;
            ok(buf_adds(&heard.body, effect[i].body), "%d to a %s", effect[i].status,
               k == 0   ? "read"
               : k == 1 ? "write"
                        : "create");
            ghl_judge(request[k], HTTP_ANSWERED, &heard, &a);
            is_int(a.maybe_done, done, "  done?");
            is_int(a.maybe_later, k > 0 && effect[i].later, "  later?");
            ghl_answer_free(&a);
            http_answer_free(&heard);
        }
    }
}

/* Which part of an opportunity, or of a change of tags, GHL refuses. */
static void test_parts(void)
{
    static const struct {
        int status;
        const char *message;
        enum ghl_result result;
        const char *field;
        int index;
    } part[] = {
        {422, "property source should not exist", GHL_REFUSED, "source", -1},
        {400, "The source is unknown", GHL_REFUSED, "source", -1},
        {422, "monetaryValue must be a number", GHL_REFUSED, "monetaryValue", -1},
        {400, "Invalid monetaryValue", GHL_REFUSED, "monetaryValue", -1},
        {422, "assignedTo must be valid", GHL_CONFIG, "assignedTo", -1},
        {400, "User with id q3Xy not found", GHL_CONFIG, "assignedTo", -1},
        {400, "The pipeline id is invalid.", GHL_CONFIG, "", -1},
        {422, "customFields must be an array", GHL_CONFIG, "customFields", -1},
        {422, "customFields.1.field_value must be a number", GHL_CONFIG, "customFields", 1},
        {422, "customFields.10.field_value must be a number", GHL_CONFIG, "customFields", -1},
        {400, "Custom field with id fieldB not found", GHL_CONFIG, "customFields", 1},
        {400, "Custom field with id fieldC not found", GHL_CONFIG, "customFields", -1},
        {400, "Tag not found", GHL_REFUSED, "tags", -1},
        {404, "Tag not found", GHL_REFUSED, "tags", -1},
        {404, "Opportunity not found", GHL_GONE, "", -1},
    };
    json_t *body =
        json_pack("{ss sf ss s[{ss}{ss}] s[s]}", "source", "Shop", "monetaryValue", 1.5, "assignedTo", "q3Xy",
                  "customFields", "id", "fieldA", "id", "fieldB", "tags", "woo");
    struct ghl_request call = {.kind = GHL_WRITE, .method = "PUT", .subject = "opportunity", .body = body};
    for (size_t i = 0; i < sizeof part / sizeof *part; i++) {
        char text[256];
        snprintf(text, sizeof text, "{\"message\":[\"%s\"]}", part[i].message);
        struct ghl_answer a = judge_text(&call, part[i].status, text);
        is_int(a.result, part[i].result, "%d %s", part[i].status, part[i].message);
        is_str(a.field, part[i].field, "  the field");
        is_int(a.field_index, part[i].index, "  which of them");
        ghl_answer_free(&a);
    }
    json_decref(body);
}

static void test_custom_fields(void)
{
    json_t *with = json_pack("{s[{ss}]}", "customFields", "id", "x"),
           *without = json_pack("{ss}", "name", "x");
    struct ghl_request call = {.kind = GHL_WRITE, .method = "PUT", .subject = "opportunity", .body = with};
    static const char text[] =
        "{\"statusCode\":422,\"message\":[\"customFields.0.field_value must be a number\"]}";
    struct ghl_answer answer = judge_text(&call, 422, text);
    is_int(answer.result, GHL_CONFIG, "a custom field's trouble is one of the configuration");
    is_str(answer.field, "customFields", "and told, so that they can be left out");
    ghl_answer_free(&answer);
    call.body = without;
    answer = judge_text(&call, 422, text);
    is_str(answer.field, "", "but not if none were sent");
    ghl_answer_free(&answer);
    json_decref(with);
    json_decref(without);
}

int main(void)
{
    test_ids();
    test_messages();
    test_good();
    test_half();
    test_subjects();
    test_effects();
    test_parts();
    test_custom_fields();
    test_huge();
    test_silence();
    return tap_done();
}
