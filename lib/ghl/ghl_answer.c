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

/* Does a word of the text begin with this? An address ("user@example.com") is no such word. */
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

static bool names_configuration(const char *text)
{
    static const char *const thing[] = {"pipeline", "stage", "location", "user", "assignedto"};
    for (size_t i = 0; i < sizeof thing / sizeof *thing; i++)
        if (names(text, thing[i]))
            return true;
    return names_custom_field(text);
}

/* The field of the sent body that one message speaks of. */
static bool field_of(const json_t *body, const char *message, char out[32])
{
    static const char *const before[] = {"", "property ", "each value in "};
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
    if (!found && names(text, "country"))
        found = "country";
    if (!found && names(text, "email"))
        found = "email";
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
    if (answer->status == 404) {
        /* Only GHL's own words say that something is gone: a proxy's page, or a wrong path, do not. */
        bool path_is_wrong = strncmp(text, "cannot ", 7) == 0 || !missing || names_configuration(text);
        return request->subject && request->kind != GHL_CREATE && !path_is_wrong ? GHL_GONE : GHL_CONFIG;
    }
    if ((answer->status == 400 || answer->status == 422) && names_configuration(text)) {
        if (names_custom_field(text) && json_object_get(request->body, "customFields"))
            snprintf(answer->field, sizeof answer->field, "customFields");
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
    case 425: return request->kind == GHL_CREATE ? GHL_UNKNOWN : GHL_RETRY;
    default: break;
    }
    if (answer->status >= 500) {
        answer->transport_failed = true;
        return request->kind == GHL_CREATE ? GHL_UNKNOWN : GHL_RETRY;
    }
    if (answer->status < 400) /* a redirect: the base URL is not the API's */
        return GHL_CONFIG;
    return judge_refusal(request, json, words, answer);
}

/* Takes over the reference to json. */
static enum ghl_result judge_success(const struct ghl_request *request, json_t *json, size_t body_len,
                                     struct ghl_answer *answer)
{
    const json_t *wanted = request->wants ? json_object_get(json, request->wants) : NULL;
    const json_t *is_new = json_object_get(json, "new");
    /* A page of some proxy is no answer of GHL's, even where nothing of the answer is needed; and nothing at
     * all answers no question. */
    bool whole = (json || (body_len == 0 && request->kind != GHL_READ)) && (!request->wants || wanted);

    if (request->wants_id && !ghl_take_id(json_text(wanted, "id"), answer->id))
        whole = false;
    if (!whole) {
        json_decref(json);
        snprintf(answer->message, sizeof answer->message, "(%zu bytes) without %s", body_len,
                 request->wants ? request->wants : "JSON");
        return request->kind == GHL_CREATE ? GHL_UNKNOWN : GHL_RETRY;
    }
    answer->created = is_new ? json_is_true(is_new) : answer->status == 201;
    answer->json = json ? json : json_object();
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
    default: answer->transport_failed = true; return request->kind == GHL_CREATE ? GHL_UNKNOWN : GHL_RETRY;
    }
}

void ghl_judge(const struct ghl_request *request, enum http_result sent, const struct http_answer *heard,
               struct ghl_answer *answer)
{
    *answer = (struct ghl_answer){.retry_after_ms = heard->retry_after_ms, .status = (int)heard->status};
    if (sent != HTTP_ANSWERED) {
        answer->result = judge_silence(request, sent, heard, answer);
        return;
    }
    json_t *json = json_decode_exact(heard->body.data, heard->body.len, NULL);
    if (json && !json_is_object(json)) {
        json_decref(json);
        json = NULL;
    }
    (void)take(json_text(json, "traceId"), "-_.:", answer->trace_id, sizeof answer->trace_id);
    if (answer->status >= 200 && answer->status < 300) {
        answer->result = judge_success(request, json, heard->body.len, answer);
    } else {
        answer->result = judge_error(request, json, heard->body.len, answer);
        json_decref(json);
    }
}
