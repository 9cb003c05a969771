#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Marks a text that did not fit, so that nobody takes half a sentence for the whole one. */
static void mark_cut(struct error *e, int wanted)
{
    if (wanted < 0)
        e->text[0] = '\0';
    else if ((size_t)wanted >= sizeof e->text)
        memcpy(e->text + sizeof e->text - 4, "...", 4);
}

void error_set(struct error *e, const char *fmt, ...)
{
    /* Formatted beside the old text: an argument may be that text. */
    struct error next;
    va_list args;

    if (!e)
        return;
    va_start(args, fmt);
    int wanted = vsnprintf(next.text, sizeof next.text, fmt, args);
    va_end(args);
    mark_cut(&next, wanted);
    *e = next;
}

void error_prefix(struct error *e, const char *fmt, ...)
{
    struct error prefix, next;
    va_list args;

    if (!e)
        return;
    va_start(args, fmt);
    int wanted = vsnprintf(prefix.text, sizeof prefix.text, fmt, args);
    va_end(args);
    mark_cut(&prefix, wanted);

    /* Not by snprintf: gcc warns of a cut that is meant. */
    size_t head = strlen(prefix.text), tail = strlen(e->text), room = sizeof next.text - 1;
    size_t from_head = head < room ? head : room;
    memcpy(next.text, prefix.text, from_head);
    size_t colon = room - from_head < 2 ? room - from_head : 2;
    memcpy(next.text + from_head, ": ", colon);
    size_t used = from_head + colon;
    size_t from_tail = tail < room - used ? tail : room - used;
    memcpy(next.text + used, e->text, from_tail);
    next.text[used + from_tail] = '\0';
    mark_cut(&next, (int)(head + 2 + tail));
    *e = next;
}
