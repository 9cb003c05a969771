#include "web/body.h"

/* Digits only; false for anything else and for what does not fit. */
static bool parse_length(const char *text, int64_t *out)
{
    *out = 0;
    for (const char *p = text; *p; p++) {
        if (*p < '0' || *p > '9' || *out > (INT64_MAX - 9) / 10)
            return false;
        *out = *out * 10 + (*p - '0');
    }
    return true;
}

static enum body_result read_to_end(const struct request *request, int64_t max, struct buf *into)
{
    char piece[16384];
    long n;

    while ((n = request->read(request->context, piece, sizeof piece)) > 0) {
        if ((max -= n) < 0)
            return BODY_TOO_LARGE;
        if (!buf_add(into, piece, (size_t)n))
            return BODY_NO_MEMORY;
    }
    return n < 0 ? BODY_INCOMPLETE : BODY_WHOLE;
}

enum body_result body_read(const struct request *request, int64_t max, struct buf *into)
{
    int64_t length;

    if (!*request->content_length && *request->transfer_encoding)
        return read_to_end(request, max, into);
    if (!parse_length(request->content_length, &length))
        return BODY_BAD_LENGTH;
    if (length > max)
        return BODY_TOO_LARGE;
    char *room = buf_room(into, (size_t)length);
    if (!room)
        return BODY_NO_MEMORY;
    size_t got = 0;
    while (got < (size_t)length) {
        long n = request->read(request->context, room + got, (size_t)length - got);
        if (n <= 0)
            break;
        got += (size_t)n;
    }
    buf_wrote(into, got);
    return got < (size_t)length ? BODY_INCOMPLETE : BODY_WHOLE;
}
