/*
 * ghl: the few calls of the GoHighLevel API that an order needs, with typed answers.
 *
 * It builds requests (never an undeclared or empty field: GHL's validation is whitelist-strict), retries what
 * may be repeated inside the caller's deadline, and turns every way of saying no into one enum. It keeps no
 * state between calls but connections. Facts from the vendor's OpenAPI files and from integrators' reports,
 * November 2026.
 */
#pragma once

#include "base/digest.h"
#include "base/http_client.h"
#include "base/json.h"
#include "config/config.h"

#define GHL_ID_SIZE 64
#define GHL_CREATE_NEEDS_MS                                                                                  \
    4000 /* with less time left no create begins: one that is cut off costs a search and minutes */

enum ghl_result {
    GHL_OK,
    GHL_RETRY,   /* a read without a good answer, or a write that surely was not sent: no network, 5xx ... */
    GHL_LIMITED, /* not done: 429, or (status 0) the limiter has no slot before the deadline; retry_after_ms */
    GHL_UNKNOWN,  /* a write that may have happened: no answer, 408, 425, 5xx, or a 2xx that does not say so.
                     A create must not be repeated blindly */
    GHL_TOO_LATE, /* not begun: no time left, or the send deadline had passed */
    GHL_LOST,     /* may_write said no, the lease is gone: not done */
    GHL_AUTH,     /* 401, 403: token, scope, version, location, or the CDN's block */
    GHL_CONFIG,   /* 404 "Cannot POST", or a 400/404/422 that names pipeline, stage, location, user or custom
                     field */
    GHL_GONE, /* this answer says that the id does not exist: "Contact with id ... not found" (400 or 404),
                 opportunity not found. One such answer is no proof: the caller asks again */
    GHL_DUPLICATE, /* no duplicates allowed: existing_id is the one that is there ("" = not told) */
    GHL_REFUSED,   /* 400, 422 and other 4xx: this order's data */
};
const char *ghl_result_name(enum ghl_result result);

/* An id of a form that may be kept: 1 to 63 letters, digits, '-', '_'. Copies it; false, and "", when not. */
bool ghl_take_id(const char *id, char out[GHL_ID_SIZE]);

struct ghl_answer {
    enum ghl_result result;
    int status; /* HTTP status of the last try; 0 = none */
    int tries;
    json_t *json; /* owned; the decoded body of an OK (numbers as strings, json_decode_exact), else NULL */
    char id[GHL_ID_SIZE]; /* of the contact, opportunity or note that the call wrote */
    char existing_id[GHL_ID_SIZE];
    bool created; /* upsert: GHL says that the contact is new */
    /* Of a write that is not OK, whatever its result: one of its tries may have been carried out. So may a create
     * that GHL refused with a 4xx, or redirected. */
    bool maybe_done;
    /* Of a write, also of one that is OK: one of its tries may be carried out yet, after this answer. Nobody
     * answered that try, or somebody between GHL and us gave up waiting (408, 502, 504, 52x). */
    bool maybe_later;
    /* REFUSED: the field of the sent body that the message speaks of ("phone", "source", "monetaryValue",
     * "tags"); CONFIG: "customFields" or "assignedTo"; else "". */
    char field[32];
    int field_index;   /* "customFields": which of those that were sent; -1 = not told */
    char message[200]; /* of GHL's own words only those of a known form, else "(N bytes)"; safe to log */
    char code[64];     /* "OPPORTUNITY_NO_DUPLICATE" */
    char trace_id[80];
    int64_t retry_after_ms;          /* as GHL says it, however long; -1 = not told */
    bool transport_failed;           /* network, timeout or 5xx: what the breaker counts */
    bool says_why;                   /* an error with more words than the status's own */
    bool is_read;                    /* of a call that writes nothing */
    bool names_access;               /* AUTH: its words speak of token, scope, version or location */
    unsigned char words[DIGEST_LEN]; /* of an error: a hash of status, code and GHL's words as they came */
};
void ghl_answer_free(struct ghl_answer *answer);
/* What it says, in an owner's words: "GHL refuses GHL_API_KEY (401 Invalid JWT)". Safe to log. */
void ghl_explain(const struct ghl_answer *answer, struct error *out);

/* What a call asks its caller, and tells it, around every single try; any of them may be NULL. */
struct ghl_terms {
    void *context;
    /* The rate limiter: how many ms to wait before this try. If that is at most max_wait_ms, the try's slot is
     * reserved. -1 = no limit is known. */
    int64_t (*limit)(void *context, int64_t max_wait_ms);
    /* Asked last before every write: is the lease still held? False = the write is not sent. */
    bool (*may_write)(void *context);
    /* Gets the answer's headers (limits, Retry-After), and whether the transport worked. */
    void (*heard)(void *context, const struct http_answer *answer, bool transport_ok);
    /* Asked first: does somebody wait for this process? True = no further try begins. */
    bool (*is_awaited)(void *context);
    /* Waits for the limiter and between tries; false = stop, no further try. NULL = a plain sleep. */
    bool (*wait)(void *context, int64_t ms);
};

/* What every call takes. */
struct ghl_call {
    const struct ghl_terms *terms; /* borrowed; NULL = none */
    int64_t deadline_mono_ms;      /* the end of all its tries */
    const char *order;             /* for the log */
    int64_t send_deadline_mono_ms; /* no byte of a write leaves after this; CLOCK_NEVER = no such limit */
};

/* A call that no order asks for: it may take so long from now, and writes whenever it comes to that. */
struct ghl_call ghl_call_within(int64_t ms);

/* Where the lookups (fields, pipelines, the duplicates setting) keep what GHL answered, for a while. */
struct ghl_cache {
    void *context;
    char *(*get)(void *context, const char *name); /* owned by the caller; NULL = not there */
    void (*put)(void *context, const char *name, const char *value, int64_t ttl_ms);
};

struct ghl; /* one per process */

/* config and log must outlive it. In a dry run no call leaves: each is logged, masked, and answered with an
 * id "dry-...". */
struct ghl *ghl_new(const struct config *config, struct log *log, struct error *e);
void ghl_free(struct ghl *ghl);
/* The token and the version of its config are others now. False, and all as it was, when out of memory. */
bool ghl_renew(struct ghl *ghl) MUST_CHECK;
/* Did GHL refuse GHL_API_KEY, so that GHL_API_KEY_NEXT is used? */
bool ghl_uses_next(const struct ghl *ghl);
/* How many days old the token is; -1: GHL_API_KEY_SINCE is not set. GHL advises a new one every 90 days. */
#define GHL_TOKEN_OLD_DAYS 80
int64_t ghl_token_days(const struct config *config);

/* Each fills *answer (freed by the caller in every case) and returns its result. Bodies are borrowed, without
 * locationId: it is added. */

/* -- contacts -- */
/* Needs email or phone. Repeatable. id, created, and json["contact"]["tags"] if told. A CONTACT duplicate is
 * adopted: OK with its id, also as existing_id, and nothing of the contact was written; `field` is what it was found by,
 * "" = not told. */
enum ghl_result ghl_contact_upsert(struct ghl *, const struct ghl_call *, const json_t *contact,
                                   struct ghl_answer *);
/* For a contact with neither. Never repeated blindly: UNKNOWN when it may have happened. Fresh connection. */
enum ghl_result ghl_contact_create(struct ghl *, const struct ghl_call *, const json_t *contact,
                                   struct ghl_answer *);
enum ghl_result ghl_contact_update(struct ghl *, const struct ghl_call *, const char *id,
                                   const json_t *contact, struct ghl_answer *);
/* PUT of fields that may be "": they are emptied, as far as GHL takes that. */
enum ghl_result ghl_contact_empty(struct ghl *, const struct ghl_call *, const char *id, const json_t *fields,
                                  struct ghl_answer *);
enum ghl_result ghl_contact_delete(struct ghl *, const struct ghl_call *, const char *id,
                                   struct ghl_answer *);
/* GET /contacts/search/duplicate: the contact with this email or, if that is "", with this phone. One question
 * asks for one of them. id is "" if there is none. */
enum ghl_result ghl_contact_find(struct ghl *, const struct ghl_call *, const char *email, const char *phone,
                                 struct ghl_answer *);
/* POST /contacts/search by name, newest first, one page: json["contacts"]. For a nameless create whose
 * outcome is unknown. */
enum ghl_result ghl_contact_search(struct ghl *, const struct ghl_call *, const char *name,
                                   struct ghl_answer *);
/* Additive. Repeatable. */
enum ghl_result ghl_contact_add_tags(struct ghl *, const struct ghl_call *, const char *id,
                                     const json_t *tags, struct ghl_answer *);
enum ghl_result ghl_contact_remove_tags(struct ghl *, const struct ghl_call *, const char *id,
                                        const json_t *tags, struct ghl_answer *);
enum ghl_result ghl_note_create(struct ghl *, const struct ghl_call *, const char *contact_id,
                                const char *body, struct ghl_answer *);
enum ghl_result ghl_note_list(struct ghl *, const struct ghl_call *, const char *contact_id,
                              struct ghl_answer *);

/* -- opportunities -- */
/* Body: pipelineId, name, status, contactId, and optional fields. Never repeated blindly; fresh connection;
 * send deadline. */
enum ghl_result ghl_opportunity_create(struct ghl *, const struct ghl_call *, const json_t *opportunity,
                                       struct ghl_answer *);
enum ghl_result ghl_opportunity_update(struct ghl *, const struct ghl_call *, const char *id,
                                       const json_t *fields, struct ghl_answer *);
/* json["opportunity"]. GONE when there is none. */
enum ghl_result ghl_opportunity_get(struct ghl *, const struct ghl_call *, const char *id,
                                    struct ghl_answer *);
/* Those of a contact, or those of the whole location that GHL finds by a text (a name), in every pipeline; ""
 * = any. All pages, at most 10,000: json is an array of opportunities (id, name, status, pipelineId, contactId,
 * createdAt, customFields...). Lags behind writes, by minutes at worst; GHL finds by parts of a text, so that
 * the caller compares. */
enum ghl_result ghl_opportunity_search(struct ghl *, const struct ghl_call *, const char *contact_id,
                                       const char *text, struct ghl_answer *);

/* -- the location -- */
enum ghl_result ghl_pipelines(struct ghl *, const struct ghl_call *, struct ghl_answer *); /* json: array */
enum ghl_result ghl_location(struct ghl *, const struct ghl_call *,
                             struct ghl_answer *); /* json: the location */
enum ghl_result ghl_custom_fields(struct ghl *, const struct ghl_call *,
                                  struct ghl_answer *); /* json: array, both models */
/* Makes one of name, dataType and model: json is the field. Needs the scope locations/customFields.write. */
enum ghl_result ghl_custom_field_create(struct ghl *, const struct ghl_call *, const json_t *field,
                                        struct ghl_answer *);
