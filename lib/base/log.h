/*
 * log: one line an event, logfmt: time, level, event, order, client, ms, further fields, msg.
 *
 * The one way out for words about what happened. Every value and every message passes mask_text on the way,
 * so that a careless caller cannot print an email or a phone number; secrets given to log_secret are replaced
 * by
 * "[secret]" wherever they appear. Names and street addresses must not be passed at all.
 */
#pragma once

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

struct log; /* opaque: where the lines go, the level, the secrets to hide */

/* What an event is about; NULL and 0 mean "not said". ms is -1 or unset (0 with has_ms false) when there is
 * none. */
struct log_about {
    const char *order; /* the order's key, "shop:1001" */
    const char
        *client;       /* REMOTE_ADDR, printed as it is for a unix of the shop's server; IPs are not masked */
    const char *email; /* printed through mask_email, whatever it holds */
    const char *phone; /* printed through mask_phone */
    const char *reason;   /* a word: "duplicate", "rate_limited" */
    const char *trace_id; /* GHL's traceId */
    const char *ghl_id;
    int status; /* HTTP status; 0 = none */
    int64_t ms;
    bool has_ms;
};

#define LOG_OLD ".old"

/* `to`: "stderr" (or NULL), "syslog", or a path (opened for append, 0600, reopened when it was renamed away). A file that has max
 * bytes is renamed to PATH.old first, by one of all that write to it; 0 = never. Returns NULL with the error set. */
struct log *log_open(const char *to, enum log_level level, int64_t max, struct error *e);
void log_close(struct log *log);

/* The value never appears in a line from now on. Values under 6 bytes are ignored (they would hide words). */
void log_secret(struct log *log, const char *value);

/* The text as it may leave the program, in whatever way: secrets are hidden, emails and phones masked, control characters
 * (so that no terminal obeys it) are spaces, and it is cut to size. Returns out; "..." if memory is short, or there is no log. */
const char *log_printable(const struct log *log, const char *text, char *out, size_t size);

/* Writes the line with one write(2), at most 4096 bytes. `event` is a word ("synced"). `about` may be NULL.
 * A log that cannot be written loses the line, never the caller. log == NULL writes nothing. */
void log_event(struct log *log, enum log_level level, const char *event, const struct log_about *about,
               const char *fmt, ...) PRINTF_LIKE(5, 6);
