/* Judges an answer: every way of saying no becomes one enum, and nothing personal is kept of it. */
#include "ghl/ghl_work.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define WORDS_MAX 2048 /* bytes of an error's words that are looked at */

const char *ghl_result_name(enum ghl_result result)
{
    static const char *const name[] = {
        [GHL_OK] = "ok",
        [GHL_RETRY] = "retry",
        [GHL_LIMITED] = "limited",
        [GHL_UNKNOWN] = "unknown",
        [GHL_TOO_LATE] = "too_late",
        [GHL_LOST] = "lost",
        [GHL_AUTH] = "auth",
        [GHL_CONFIG] = "config",
        [GHL_GONE] = "gone",
        [GHL_DUPLICATE] = "duplicate",
        [GHL_REFUSED] = "refused",
    };
    return name[result];
}

void ghl_answer_free(struct ghl_answer *answer)
{
    json_decref(answer->json);
    answer->json = NULL;
}

/* -- what may be kept -- */

static bool take(const char *text, const char *also, char *out, size_t size)
{
    size_t n = strlen(text);

    out[0] = '\0';
    if (n == 0 || n >= size)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)text[i]) && !strchr(also, text[i]))
            return false;
    memcpy(out, text, n + 1);
    return true;
}

bool ghl_take_id(const char *id, char out[GHL_ID_SIZE])
{
    return take(id, "-_", out, GHL_ID_SIZE);
}

/* What GHL is known to say. "%" stands for one word: a property's name, which is kept, or an id or a value,
 * which is not. */
static const char *const known_form[] = {
    "property % should not exist",
    "% should not be empty",
    "% must not be empty",
    "% is required",
    "% is invalid",
    "% must be a string",
    "% must be a number",
    "% must be a number string",
    "% must be a number conforming to the specified constraints",
    "% must be a boolean",
    "% must be a boolean value",
    "% must be an array",
    "% must be an object",
    "% must be an email",
    "% must be valid",
    "% must be a valid phone number",
    "% must be a valid enum value",
    "% can't be undefined",
    "each value in % must be a string",
    "Invalid country calling code",
    "Contact with id % not found",
    "Contact not found",
    "Opportunity with id % not found",
    "Opportunity not found",
    "Custom field with id % not found",
    "The pipeline id is invalid.",
    "The pipeline stage id is invalid.",
    "Pass at least one of number, email query parameter",
    "Pass at least one of email, phone, firstName, lastName",
    "This location does not allow duplicated contacts.",
    "Can not create duplicate opportunity for the contact.",
    "Invalid JWT",
    "Invalid token",
    "Invalid Private Integration token",
    "The token is not authorized for this scope.",
    "The token does not have access to this location.",
    "version header was not found.",
    "version header is invalid",
    "Cannot GET %",
    "Cannot POST %",
    "Cannot PUT %",
    "Cannot DELETE %",
    "Bad Request",
    "Unauthorized",
    "Forbidden",
    "Forbidden resource",
    "Not Found",
    "Unprocessable Entity",
    "Too Many Requests",
    "Internal server error",
    "Bad Gateway",
    "Service Unavailable",
    "Gateway Timeout",
};

/* The properties that are sent: names, never values. */
static const char *const property[] = {
    "firstName",  "lastName",    "name",          "email",       "phone",
    "address1",   "city",        "state",         "postalCode",  "website",
    "timezone",   "country",     "gender",        "source",      "companyName",
    "assignedTo", "dnd",         "tags",          "pipelineId",  "locationId",
    "contactId",  "dateOfBirth", "status",        "body",        "pipelineStageId",
    "limit",      "query",       "monetaryValue", "location_id", "pipeline_id",
    "userId",     "contact_id",  "model",         "page",        "pageLimit",
    "sort",       "filters",     "lostReasonId",
};

/* Is the word of n bytes a property, or a place below customFields? */
static bool is_property(const char *word, size_t n)
{
    for (size_t i = 0; i < sizeof property / sizeof *property; i++)
        if (strlen(property[i]) == n && strncmp(word, property[i], n) == 0)
            return true;
    if (n < 12 || strncmp(word, "customFields", 12) != 0)
        return false;
    const char *rest = word + 12;
    size_t digits = rest[0] == '.' ? strspn(rest + 1, "0123456789") : 0;
    static const char *const tail[] = {"", ".field_value", ".fieldValue", ".id", ".key", ".value"};
    size_t used = 12 + (rest[0] == '.' ? 1 + digits : 0);
    for (size_t i = 0; i < sizeof tail / sizeof *tail && used <= n; i++)
        if (strlen(tail[i]) == n - used && strncmp(word + used, tail[i], n - used) == 0)
            return true;
    return false;
}

static bool match_form(const char *form, const char *message, struct buf *out)
{
    while (*form) {
        if (*form == '%') {
            size_t n = strcspn(message, " ");
            if (n == 0)
                return false;
            bool added = is_property(message, n) ? buf_add(out, message, n) : buf_adds(out, "...");
            if (!added)
                return false;
            message += n;
        } else {
            if (tolower((unsigned char)*form) != tolower((unsigned char)*message) || !buf_addc(out, *form))
                return false;
            message++;
        }
        form++;
    }
    return *message == '\0';
}

bool ghl_known_message(const char *message, struct buf *out)
{
    struct buf text;
    bool known = false;

    buf_init(&text, 512);
    for (size_t i = 0; i < sizeof known_form / sizeof *known_form && !known; i++) {
        buf_reset(&text);
        known = match_form(known_form[i], message, &text);
    }
    if (known)
        known = buf_adds(out, text.data);
    buf_free(&text);
    return known;
}

/* -- the words of an error -- */

/* `message` is a string or an array of strings; some errors have only `error` or `name`. */
static const json_t *error_words(const json_t *json)
{
    static const char *const place[] = {"message", "msg", "error", "name"};
    for (size_t i = 0; i < sizeof place / sizeof *place; i++) {
        const json_t *words = json_object_get(json, place[i]);
        if (json_is_string(words) || json_array_size(words) > 0)
            return words;
    }
    return NULL;
}

static size_t word_count(const json_t *words)
{
    return json_is_array(words) ? json_array_size(words) : words != NULL;
}

static const char *word_at(const json_t *words, size_t i)
{
    const char *text = json_string_value(json_is_array(words) ? json_array_get(words, i) : words);
    return text ? text : "";
}

static void keep_message(const json_t *words, size_t body_len, struct ghl_answer *answer)
{
    struct buf text;
    bool known = word_count(words) > 0;

    buf_init(&text, sizeof answer->message - 1);
    for (size_t i = 0; known && i < word_count(words); i++)
        known = (i == 0 || buf_adds(&text, "; ")) && ghl_known_message(word_at(words, i), &text);
    if (known)
        memcpy(answer->message, text.data, text.len + 1);
    else
        snprintf(answer->message, sizeof answer->message, "(%zu bytes)", body_len);
    buf_free(&text);
}

/* One line of it, lower-case, into out from `used` on, as far as there is room; what is used then. */
static size_t lower_text(const char *text, char out[WORDS_MAX], size_t used)
{
    for (; *text && used < WORDS_MAX - 2; text++)
        out[used++] = (char)tolower((unsigned char)*text);
    out[used++] = '\n';
    out[used] = '\0';
    return used < WORDS_MAX - 2 ? used : WORDS_MAX - 2;
}

static void lower_words(const json_t *words, char out[WORDS_MAX])
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < word_count(words); i++)
        used = lower_text(word_at(words, i), out, used);
}

/* Does a word of the text begin with this (in small letters)? An address ("user@example.com") is no such
 * word. */
static bool names(const char *text, const char *begin)
{
    static const char between[] = " \n\"',:;()";
    size_t n = strlen(begin);

    for (text += strspn(text, between); *text; text += strspn(text, between)) {
        size_t len = strcspn(text, between);
        if (len >= n && strncmp(text, begin, n) == 0 && !memchr(text, '@', len))
            return true;
        text += len;
    }
    return false;
}

static bool names_custom_field(const char *text)
{
    return names(text, "customfield") || strstr(text, "custom field");
}

static bool names_user(const char *text)
{
    return names(text, "user") || names(text, "assigned");
}

static bool names_configuration(const char *text)
{
    return names(text, "pipeline") || names(text, "stage") || names(text, "location") || names_user(text) ||
           names_custom_field(text);
}

/* Which of the customFields that were sent do the words speak of, by its place or its id? -1 = not told. */
static int custom_field_index(const json_t *sent, const json_t *words)
{
    static const char place[] = "customFields.";

    for (size_t w = 0; w < word_count(words); w++) {
        const char *text = word_at(words, w), *at = strstr(text, place);
        const json_t *field;
        size_t i;
        json_array_foreach(sent, i, field)
        {
            char number[24];
            int n = snprintf(number, sizeof number, "%zu", i);
            const char *digits = at ? at + sizeof place - 1 : "", *id = json_text(field, "id");
            if ((strspn(digits, "0123456789") == (size_t)n && !strncmp(digits, number, (size_t)n)) ||
                (*id && strstr(text, id)))
                return (int)i;
        }
    }
    return -1;
}

/* The optional part of the sent body that a fault of the configuration lies in: without it GHL may take the
 * rest. */
static void name_part(const json_t *body, const json_t *words, const char *text, struct ghl_answer *answer)
{
    const json_t *fields = json_object_get(body, "customFields");

    if (fields && names_custom_field(text)) {
        snprintf(answer->field, sizeof answer->field, "customFields");
        answer->field_index = custom_field_index(fields, words);
    } else if (json_object_get(body, "assignedTo") && names_user(text)) {
        snprintf(answer->field, sizeof answer->field, "assignedTo");
    }
}

/* The field of the sent body that one message speaks of. */
static bool field_of(const json_t *body, const char *message, char out[32])
{
    static const char *const before[] = {"", "property ", "each value in "};
    static const char *const loosely[][2] = {{"country", "country"},
                                             {"email", "email"},
                                             {"tag", "tags"},
                                             {"monetary", "monetaryValue"},
                                             {"source", "source"}};
    char text[WORDS_MAX];
    const char *found = NULL;

    lower_text(message, text, 0);
    if (strncmp(text, "pass at least", 13) == 0)
        return false;
    if (strstr(text, "phone") || strstr(text, "calling code"))
        found = "phone";
    for (size_t i = 0; !found && i < sizeof property / sizeof *property; i++) {
        size_t n = strlen(property[i]);
        for (size_t b = 0; !found && b < sizeof before / sizeof *before; b++) {
            size_t skip = strlen(before[b]);
            if (strncasecmp(message, before[b], skip) == 0 && strncmp(message + skip, property[i], n) == 0 &&
                message[skip + n] == ' ')
                found = property[i];
        }
    }
    for (size_t i = 0; !found && i < sizeof loosely / sizeof *loosely; i++)
        if (names(text, loosely[i][0]))
            found = loosely[i][1];
    if (!found || !json_object_get(body, found))
        return false;
    snprintf(out, 32, "%s", found);
    return true;
}

static enum ghl_result judge_refusal(const struct ghl_request *request, const json_t *json,
                                     const json_t *words, struct ghl_answer *answer)
{
    char text[WORDS_MAX];
    const json_t *meta = json_object_get(json, "meta");
    bool missing;

    lower_words(words, text);
    missing = strstr(text, "not found") || strstr(text, "does not exist") || strstr(text, "doesn't exist");
    if (strcmp(answer->code, "OPPORTUNITY_NO_DUPLICATE") == 0 || strstr(text, "duplicate opportunity")) {
        (void)ghl_take_id(json_text(meta, "existingId"), answer->existing_id);
        return GHL_DUPLICATE;
    }
    if (strstr(text, "duplicated contact") || strstr(text, "duplicate contact")) {
        (void)ghl_take_id(json_text(meta, "contactId"), answer->existing_id);
        return GHL_DUPLICATE;
    }
    if (request->subject && missing && names(text, request->subject))
        return GHL_GONE;
    if (missing && names(text, "tag") && json_object_get(request->body, "tags")) {
        snprintf(answer->field, sizeof answer->field, "tags");
        return GHL_REFUSED;
    }
    if (answer->status == 404) {
        /* Only GHL's own words say that something is gone: a proxy's page, or a wrong path, do not. */
        bool path_is_wrong = strncmp(text, "cannot ", 7) == 0 || !missing || names_configuration(text);
        return request->subject && request->kind != GHL_CREATE && !path_is_wrong ? GHL_GONE : GHL_CONFIG;
    }
    if ((answer->status == 400 || answer->status == 422) && names_configuration(text)) {
        name_part(request->body, words, text, answer);
        return GHL_CONFIG;
    }
    for (size_t i = 0; i < word_count(words); i++)
        if (field_of(request->body, word_at(words, i), answer->field))
            break;
    return GHL_REFUSED;
}

static void keep_words(const json_t *words, struct ghl_answer *answer)
{
    static const char *const access[] = {"token", "jwt", "scope", "version", "location"};
    char text[WORDS_MAX], key[128];

    lower_words(words, text);
    for (size_t i = 0; i < sizeof access / sizeof *access; i++)
        answer->names_access = answer->names_access || strstr(text, access[i]);
    int n = snprintf(key, sizeof key, "%d %s", answer->status, answer->code);
    if (!digest_hmac(key, (size_t)n, text, strlen(text), answer->words))
        memset(answer->words, 0, sizeof answer->words);
}

/* Neither a good answer nor a clear no: what that means for a call. */
static enum ghl_result unclear(const struct ghl_request *request)
{
    return request->kind == GHL_READ ? GHL_RETRY : GHL_UNKNOWN;
}

static enum ghl_result judge_error(const struct ghl_request *request, const json_t *json, size_t body_len,
                                   struct ghl_answer *answer)
{
    const json_t *words = error_words(json);

    keep_message(words, body_len, answer);
    (void)take(json_text(json, "code"), "_", answer->code, sizeof answer->code);
    keep_words(words, answer);
    switch (answer->status) {
    case 401:
    case 403: return GHL_AUTH;
    case 429: return GHL_LIMITED;
    case 408:
    case 425: return unclear(request);
    default: break;
    }
    if (answer->status >= 500) {
        answer->transport_failed = true;
        return unclear(request);
    }
    if (answer->status < 400) /* a redirect: the base URL is not the API's */
        return GHL_CONFIG;
    return judge_refusal(request, json, words, answer);
}

/* GHL spells it in several ways: {"succeded": false} with status 200. */
static bool says_failed(const json_t *json)
{
    return json_is_false(json_object_get(json, "succeded")) ||
           json_is_false(json_object_get(json, "succeeded")) ||
           json_is_false(json_object_get(json, "success"));
}

/* Takes over the reference to json. */
static enum ghl_result judge_success(const struct ghl_request *request, json_t *json, size_t body_len,
                                     struct ghl_answer *answer)
{
    const json_t *wanted = request->wants ? json_object_get(json, request->wants) : NULL;
    const json_t *is_new = json_object_get(json, "new");
    /* An empty body or some proxy's page is no answer of GHL's, even if nothing of the answer is needed. */
    bool done = json && !says_failed(json), whole = done && (!request->wants || wanted);

    if (request->wants_id && !ghl_take_id(json_text(wanted, "id"), answer->id))
        whole = false;
    if (!whole) {
        snprintf(answer->message, sizeof answer->message, "(%zu bytes) without %s", body_len,
                 !done && json    ? "success"
                 : request->wants ? request->wants
                                  : "JSON");
        json_decref(json);
        return unclear(request);
    }
    answer->created = is_new ? json_is_true(is_new) : answer->status == 201;
    answer->json = json;
    return GHL_OK;
}

static enum ghl_result judge_silence(const struct ghl_request *request, enum http_result sent,
                                     const struct http_answer *heard, struct ghl_answer *answer)
{
    snprintf(answer->message, sizeof answer->message, "%.199s", heard->error);
    switch (sent) {
    case HTTP_TOO_LATE: return GHL_TOO_LATE;
    case HTTP_UNUSABLE: return GHL_CONFIG;
    case HTTP_NOT_SENT: answer->transport_failed = true; return GHL_RETRY;
    default: answer->transport_failed = true; return unclear(request);
    }
}

/* Was the write carried out although the answer does not say so? Can it be, after the answer? */
static void judge_effect(const struct ghl_request *request, enum http_result sent,
                         const struct http_answer *heard, struct ghl_answer *answer)
{
    int status = answer->status;
    bool unheard = sent == HTTP_UNKNOWN || (sent == HTTP_ANSWERED && heard->resent);
    /* Someone between GHL and us gave up waiting. */
    bool gave_up = status == 408 || status == 504 || (status >= 520 && status <= 529);
    /* GHL was seen to answer 422 to a create that it carried out. */
    bool refused_create = request->kind == GHL_CREATE && status >= 400 && status < 500 &&
                          (answer->result == GHL_REFUSED || answer->result == GHL_CONFIG) && status != 404;

    if (request->kind == GHL_READ)
        return;
    answer->maybe_later = unheard || gave_up;
    answer->maybe_done = answer->result != GHL_OK && (answer->result == GHL_UNKNOWN || unheard ||
                                                      (status >= 300 && status < 400) || refused_create);
}

static enum ghl_result judge_answer(const struct ghl_request *request, const struct http_answer *heard,
                                    struct ghl_answer *answer)
{
    json_t *json = json_decode_exact(heard->body.data, heard->body.len, NULL);
    if (json && !json_is_object(json)) {
        json_decref(json);
        json = NULL;
    }
    (void)take(json_text(json, "traceId"), "-_.:", answer->trace_id, sizeof answer->trace_id);
    if (answer->status >= 200 && answer->status < 300)
        return judge_success(request, json, heard->body.len, answer);
    enum ghl_result result = judge_error(request, json, heard->body.len, answer);
    json_decref(json);
    return result;
}

void ghl_judge(const struct ghl_request *request, enum http_result sent, const struct http_answer *heard,
               struct ghl_answer *answer)
{
    *answer = GHL_ANSWER(GHL_RETRY);
    answer->retry_after_ms = heard->retry_after_ms;
    answer->status = (int)heard->status;
    if (sent == HTTP_ANSWERED)
        answer->result = judge_answer(request, heard, answer);
    else
        answer->result = judge_silence(request, sent, heard, answer);
    judge_effect(request, sent, heard, answer);
}
