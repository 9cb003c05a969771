/* Which of GHL's words may be logged: forms that are known to hold nothing personal. And what they mean to an owner. */
#include "ghl/ghl_work.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* What GHL is known to say. "%" stands for one word: a property's name, which is kept, or an id or a value,
 * which is not. */
static const char *const known_form[] = {"property % should not exist",
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
                                         "% must be shorter than or equal to % characters",
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
                                         "Gateway Timeout"};

/* The properties that are sent: names, never values. */
static const char *const property[] = {
    "firstName",  "lastName",    "name",          "email",       "phone",
    "address1",   "city",        "state",         "postalCode",  "website",
    "timezone",   "country",     "gender",        "source",      "companyName",
    "assignedTo", "dnd",         "tags",          "pipelineId",  "locationId",
    "contactId",  "dateOfBirth", "status",        "body",        "pipelineStageId",
    "limit",      "query",       "monetaryValue", "location_id", "pipeline_id",
    "userId",     "contact_id",  "model",         "page",        "pageLimit",
    "sort",       "filters",     "lostReasonId"};

/* Is the word of n bytes a property, or a member of customFields? */
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

/* -- for people -- */

/* What GHL says of access, by a part of its words. */
static const struct {
    const char *part, *meaning;
} access_words[] = {
    {"scope", "GHL says that GHL_API_KEY lacks a scope"},
    {"access to this location", "GHL says that GHL_API_KEY is not a token of GHL_LOCATION_ID"},
    {"version", "GHL refuses GHL_API_VERSION"},
    {"jwt", "GHL refuses GHL_API_KEY"},
    {"token", "GHL refuses GHL_API_KEY"},
};

static const char *explain_access(const struct ghl_answer *answer)
{
    for (size_t i = 0; i < sizeof access_words / sizeof *access_words; i++)
        if (strcasestr(answer->message, access_words[i].part))
            return access_words[i].meaning;
    return "GHL refuses the call";
}

static const char *status_words(const struct ghl_answer *answer)
{
    static const struct {
        int status;
        const char *words;
    } known[] = {{408, "Request Timeout"}, {429, "Too Many Requests"},   {500, "Internal Server Error"},
                 {502, "Bad Gateway"},     {503, "Service Unavailable"}, {504, "Gateway Timeout"}};

    if (*answer->message && *answer->message != '(') /* "(56 bytes)" tells an owner nothing */
        return answer->message;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].status == answer->status)
            return known[i].words;
    return "";
}

static const char *meaning_of(const struct ghl_answer *answer)
{
    switch (answer->result) {
    case GHL_OK: return "GHL answered well";
    case GHL_RETRY:
    case GHL_UNKNOWN:
        return answer->transport_failed && !answer->status ? "GHL does not answer" : "GHL has trouble";
    case GHL_LIMITED: return "GHL's rate limit is reached";
    case GHL_TOO_LATE: return "no time was left for a call to GHL";
    case GHL_LOST: return "another worker has the order";
    case GHL_AUTH: return explain_access(answer);
    case GHL_CONFIG: return "GHL does not know what the settings name";
    case GHL_GONE: return "GHL does not have it any more";
    case GHL_DUPLICATE: return "GHL has one already";
    case GHL_REFUSED: return "GHL refuses this order's data";
    }
    return "?";
}

void ghl_explain(const struct ghl_answer *answer, struct error *out)
{
    const char *words = status_words(answer);
    char status[16] = "";

    if (answer->result == GHL_CONFIG &&
        answer->status < 300) { /* our own look found it, and says which setting */
        error_set(out, "%s", answer->message);
        return;
    }
    if (answer->status)
        snprintf(status, sizeof status, "%d%s", answer->status, *words ? " " : "");
    if (*status || *words)
        error_set(out, "%s (%s%s)", meaning_of(answer), status, words);
    else
        error_set(out, "%s", meaning_of(answer));
}
