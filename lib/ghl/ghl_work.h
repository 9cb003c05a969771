/*
 * ghl_work: what the files of this folder share. Nothing else but their tests includes it.
 *
 * ghl.c says what each call is, ghl_try.c carries one out (limits, lease, time, retries), ghl_answer.c judges
 * an answer, ghl_words.c says what of it may be logged, ghl_dry.c answers for a dry run.
 */
#pragma once

#include "ghl/ghl.h"

struct ghl {
    const struct config *config;
    struct log *log;
    struct http *http;
    char *authorization, *version; /* header lines */
    bool next;                     /* GHL_API_KEY_NEXT is used */
    bool camel_case;               /* Version v3 and later: other names for a few parameters */
};

enum ghl_kind {
    GHL_READ,   /* changes nothing */
    GHL_WRITE,  /* may be repeated */
    GHL_CREATE, /* must not be repeated unless it certainly did not happen */
};

struct ghl_request {
    enum ghl_kind kind;
    const char *method;
    const char *path;    /* with its query; ids and constants only */
    const json_t *body;  /* as it is sent; NULL = none */
    const char *subject; /* "contact", "opportunity": whose id a "not found" speaks of; NULL = nobody's */
    const char *wants;   /* the member that a good answer must have; NULL = none */
    bool wants_id;       /* ... and its id */
    int64_t needs_ms;    /* do not begin with less time left */
};

#define GHL_ANSWER(is) ((struct ghl_answer){.result = (is), .field_index = -1, .retry_after_ms = -1})

/* -- ghl.c -- */
/* The decoded value of a name in the cache; NULL = not there. */
json_t *ghl_cache_get(const struct ghl_cache *cache, const char *name);
void ghl_cache_put(const struct ghl_cache *cache, const char *name, const json_t *value, int64_t ttl_ms);

/* -- ghl_try.c -- */
enum ghl_result ghl_run(struct ghl *ghl, const struct ghl_call *call, const struct ghl_request *request,
                        struct ghl_answer *answer);

/* -- ghl_answer.c -- */
/* One try's outcome -> answer (all but `tries`). Pure. */
void ghl_judge(const struct ghl_request *request, enum http_result sent, const struct http_answer *heard,
               struct ghl_answer *answer);

/* -- ghl_words.c -- */
/* GHL's words -> those of them that are safe to log, appended to out; false when the form is not known. */
bool ghl_known_message(const char *message, struct buf *out);

/* -- ghl_dry.c -- */
enum ghl_result ghl_dry_run(struct ghl *ghl, const struct ghl_call *call, const struct ghl_request *request,
                            struct ghl_answer *answer);
