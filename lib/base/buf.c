#include "base/buf.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SMALLEST 256 /* bytes of the first allocation */

/* What an empty buffer points to. Never written: cap is 0 as long as data is this. */
static char empty[1];

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.data = empty, .max = max < SIZE_MAX ? max : SIZE_MAX - 1};
}

void buf_free(struct buf *b)
{
    if (b->cap)
        free(b->data);
    buf_init(b, b->max);
}

void buf_wipe(struct buf *b)
{
    if (b->cap)
        explicit_bzero(b->data, b->cap);
    buf_free(b);
}

void buf_cut(struct buf *b, size_t len)
{
    b->len = len;
    if (b->cap)
        b->data[len] = '\0';
}

void buf_reset(struct buf *b)
{
    buf_cut(b, 0);
    b->failed = false;
}

char *buf_steal(struct buf *b)
{
    char *bytes = NULL;
    if (!b->failed && buf_room(b, 0)) {
        bytes = b->data;
        buf_init(b, b->max);
    }
    return bytes;
}

char *buf_room(struct buf *b, size_t n)
{
    if (b->failed || n > b->max - b->len) {
        b->failed = true;
        return NULL;
    }
    size_t need = b->len + n + 1;
    if (need <= b->cap)
        return b->data + b->len;

    size_t cap = b->cap > SIZE_MAX / 2 ? SIZE_MAX : b->cap * 2;
    if (cap < need)
        cap = need;
    if (cap < SMALLEST)
        cap = SMALLEST;
    if (cap > b->max + 1)
        cap = b->max + 1;

    /* Not realloc: what it leaves behind could not be wiped. */
    char *bigger = malloc(cap);
    if (!bigger) {
        b->failed = true;
        return NULL;
    }
    memcpy(bigger, b->data, b->len + 1);
    if (b->cap) {
        explicit_bzero(b->data, b->len);
        free(b->data);
    }
    b->data = bigger;
    b->cap = cap;
    return b->data + b->len;
}

void buf_wrote(struct buf *b, size_t n)
{
    b->len += n;
    if (b->cap)
        b->data[b->len] = '\0';
}

bool buf_add(struct buf *b, const void *bytes, size_t n)
{
    if (n == 0)
        return !b->failed;
    char *at = buf_room(b, n);
    if (!at)
        return false;
    memcpy(at, bytes, n);
    buf_wrote(b, n);
    return true;
}

bool buf_adds(struct buf *b, const char *s)
{
    return buf_add(b, s, strlen(s));
}

bool buf_addc(struct buf *b, char c)
{
    return buf_add(b, &c, 1);
}

bool buf_addf(struct buf *b, const char *fmt, ...)
{
    va_list args, again;

    if (!buf_room(b, 0))
        return false;
    va_start(args, fmt);
    va_copy(again, args);
    size_t room = b->cap - b->len;
    int n = vsnprintf(b->data + b->len, room, fmt, args);
    if (n >= 0 && (size_t)n >= room) { /* it did not fit: what was written counts for nothing */
        b->data[b->len] = '\0';
        n = buf_room(b, (size_t)n) ? vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again) : -1;
    }
    if (n >= 0)
        buf_wrote(b, (size_t)n);
    else
        b->failed = true;
    va_end(again);
    va_end(args);
    return !b->failed;
}
