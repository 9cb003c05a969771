/*
 * body: the body of a request, whole or not at all.
 *
 * It takes the length as the web server told it, strictly, and never reads past it; what the bytes mean is
 * for others.
 */
#pragma once

#include "web/request.h"

enum body_result {
    BODY_WHOLE,
    BODY_BAD_LENGTH, /* the length is no number */
    BODY_TOO_LARGE,  /* over max, as announced or as it came */
    BODY_INCOMPLETE, /* it ended, failed or stalled before its end */
    BODY_NO_MEMORY,
};

/* Appends the body, of max bytes at most, which must fit the buffer's own maximum. Without a length the body
 * is empty (RFC 3875, 4.1.2), but where the server has put it together from chunks it lasts until its end. */
enum body_result body_read(const struct request *request, int64_t max, struct buf *into) MUST_CHECK;
