/*
 * buf: a growing byte buffer that is born with a maximum.
 *
 * Invariants: data is never NULL after buf_init (it points to a shared empty string until something is
 * added) and data[len] is always NUL, so that a buffer without embedded NULs is a C string. A buffer that
 * ran over its maximum or out of memory is `failed`: it keeps what it had, takes nothing more, and says so
 * at every call, so that a chain of additions needs one check at its end.
 */
#pragma once

#include "base/error.h"
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct buf {
    char *data;
    size_t len;
    size_t cap; /* 0 = data is the shared empty string, nothing to free */
    size_t max; /* bytes that it may hold, without the final NUL */
    bool failed;
};

/* -- life cycle -- */
void buf_init(struct buf *b, size_t max);
void buf_free(struct buf *b);   /* usable again afterwards, empty, same maximum */
void buf_wipe(struct buf *b);   /* the same, but overwrites the bytes first (secrets, personal data) */
void buf_reset(struct buf *b);  /* empty and not failed; keeps the memory */
char *buf_steal(struct buf *b); /* the malloc'ed bytes, NUL-terminated, now the caller's; NULL when failed */

/* -- content; each returns false when the buffer is (now) failed -- */
bool buf_add(struct buf *b, const void *bytes, size_t n);
bool buf_adds(struct buf *b, const char *s);
bool buf_addc(struct buf *b, char c);
bool buf_addf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Room for n more bytes to be written at data + len by the caller, who then adds to len and terminates with
 * buf_wrote(b, n). NULL when the maximum would be passed. */
char *buf_room(struct buf *b, size_t n);
void buf_wrote(struct buf *b, size_t n);
/* Shortens it to len bytes. */
void buf_cut(struct buf *b, size_t len);
