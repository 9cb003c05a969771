/*
 * response: what goes back to the client, and the forms that answers have.
 */
#pragma once

#include "base/buf.h"

#define RESPONSE_HEADERS_MAX 10
#define RESPONSE_VALUE_SIZE 256

struct response {
    int status;
    const char *content_type;
    struct {
        const char *name;
        char value[RESPONSE_VALUE_SIZE];
    } header[RESPONSE_HEADERS_MAX]; /* besides Content-Type and Content-Length */
    size_t header_count;
    struct buf body;
    bool deep;         /* customers' data went deep into the stack: a body was parsed, or a page was made */
    bool drain_wanted; /* due work waits and nobody drains: the worker may, after its answer is out */
};

void response_init(struct response *response);
void response_free(struct response *response);

void response_header(struct response *response, const char *name, const char *value);

/* A body of one or two members; the values are words and ids of ours or GHL's. */
void response_json(struct response *response, int status, const char *name, const char *value,
                   const char *name2, const char *value2);
void response_error(struct response *response, int status, const char *error);
void response_unavailable(struct response *response); /* 503 */
