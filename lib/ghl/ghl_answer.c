/* Judges an answer: every way of saying no becomes one enum, and nothing personal is kept of it. */
#include "base/text.h"
#include "ghl/ghl_work.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
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

/* -- the words of an error -- */

/* `message` is a string or an array of strings; some errors have only `error` or `name`. */
static const json_t *error_words(const json_t *json)
{
    static const char *const member[] = {"message", "msg", "error", "name"};
    for (size_t i = 0; i < sizeof member / sizeof *member; i++) {
        const json_t *words = json_object_get(json, member[i]);
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

/* Does a word of the text begin with this, or is it this (`whole`)? The text is in small letters. An address
 * ("user@example.com") is no such word. */
static bool names_word(const char *text, const char *wanted, bool whole)
{
    static const char between[] = " \n\"',:;()";
    size_t n = strlen(wanted);

    for (text += strspn(text, between); *text; text += strspn(text, between)) {
        size_t len = strcspn(text, between);
        if (len >= n && strncasecmp(text, wanted, n) == 0 && !memchr(text, '@', len) && (!whole || len == n))
            return true;
        text += len;
    }
    return false;
}

static bool names(const char *text, const char *begin)
{
    return names_word(text, begin, false);
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

/* Which of the customFields that were sent do the words speak of, by its index or its id? -1 = not told. */
static int custom_field_index(const json_t *sent, const json_t *words)
{
    static const char list[] = "customFields.";

    for (size_t w = 0; w < word_count(words); w++) {
        const char *text = word_at(words, w), *at = strstr(text, list);
        size_t digits = at ? strspn(at + sizeof list - 1, "0123456789") : 0, i;
        long told = digits > 0 && digits < 6 ? strtol(at + sizeof list - 1, NULL, 10) : -1;
        const json_t *field;
        json_array_foreach(sent, i, field)
        {
            const char *id = json_text(field, "id");
            if (told == (long)i || (*id && strstr(text, id)))
                return (int)i;
        }
    }
    return -1;
}

static void keep_field(const char *name, const json_t *body, struct ghl_answer *answer)
{
    if (json_object_get(body, name))
        snprintf(answer->field, sizeof answer->field, "%s", name);
}

/* The optional field of the sent body that a fault of the configuration lies in: without it GHL may take the
 * rest. */
static void find_optional_field(const json_t *body, const json_t *words, const char *text,
                                struct ghl_answer *answer)
{
    if (names_custom_field(text)) {
        keep_field("customFields", body, answer);
        answer->field_index = custom_field_index(json_object_get(body, "customFields"), words);
    } else if (names_user(text)) {
        keep_field("assignedTo", body, answer);
    }
}

/* The field of the sent body that the first message which speaks of one speaks of. */
static void find_field(const json_t *body, const json_t *words, struct ghl_answer *answer)
{
    char text[WORDS_MAX];
    const char *key;
    json_t *value;

    for (size_t i = 0; i < word_count(words) && !answer->field[0]; i++) {
        lower_text(word_at(words, i), text, 0);
        if (strncmp(text, "pass at least", 13) == 0)
            continue;
        if (strstr(text, "phone") || strstr(text, "calling code")) {
            keep_field("phone", body, answer);
            continue;
        }
        if (names(text, "tag"))
            keep_field("tags", body, answer);
        json_object_foreach((json_t *)body, key, value)
        {
            if (!answer->field[0] && names_word(text, key, true))
                keep_field(key, body, answer);
        }
    }
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
        keep_field(json_text(meta, "matchingField"), request->body, answer);
        return GHL_DUPLICATE;
    }
    if (request->subject && missing && names(text, request->subject))
        return GHL_GONE;
    if (answer->status == 404 && !(names(text, "tag") && json_object_get(request->body, "tags"))) {
        /* Only GHL's own words say that something is gone: a proxy's page, or a wrong path, do not. */
        bool path_is_wrong = strncmp(text, "cannot ", 7) == 0 || !missing || names_configuration(text);
        return request->subject && request->kind != GHL_CREATE && !path_is_wrong ? GHL_GONE : GHL_CONFIG;
    }
    if ((answer->status == 400 || answer->status == 422) && names_configuration(text)) {
        find_optional_field(request->body, words, text, answer);
        return GHL_CONFIG;
    }
    find_field(request->body, words, answer);
    return GHL_REFUSED;
}

static void keep_words(const json_t *words, struct ghl_answer *answer)
{
    static const char *const access[] = {"token", "jwt", "scope", "version", "location"},
                             *const only_status[] = {"", "bad request\n", "unprocessable entity\n", NULL};
    char text[WORDS_MAX], key[128];

    lower_words(words, text);
    answer->says_why = !text_is_one_of(text, only_status);
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
    (void)text_copy(answer->message, sizeof answer->message, heard->error);
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
    bool gave_up = status == 408 || status == 502 || status == 504 || (status >= 520 && status <= 529);
    /* GHL is known to answer 422 to a create that it carried out. */
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
    answer->is_read = request->kind == GHL_READ;
    if (sent == HTTP_ANSWERED)
        answer->result = judge_answer(request, heard, answer);
    else
        answer->result = judge_silence(request, sent, heard, answer);
    judge_effect(request, sent, heard, answer);
}
