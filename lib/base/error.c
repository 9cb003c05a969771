#include "base/error.h"
#include "base/text.h"
#include <stdarg.h>
#include <string.h>

#define CUT "..." /* so that nobody takes half a sentence for the whole one */

void error_set(struct error *e, const char *fmt, ...)
{
    /* Formatted beside the old text: an argument may be that text. */
    struct error next;
    va_list args;

    if (!e)
        return;
    va_start(args, fmt);
    bool whole = text_vformat(next.text, sizeof next.text, fmt, args);
    va_end(args);
    if (!whole) {
        size_t n = text_cut(next.text, strlen(next.text), sizeof next.text - sizeof CUT);
        memcpy(next.text + n, CUT, sizeof CUT);
    }
    text_still(next.text, strlen(next.text));
    *e = next;
}

void error_prefix(struct error *e, const char *fmt, ...)
{
    struct error prefix;
    va_list args;

    if (!e)
        return;
    va_start(args, fmt);
    (void)text_vformat(prefix.text, sizeof prefix.text, fmt, args);
    va_end(args);
    error_set(e, "%s: %s", prefix.text, e->text);
}
