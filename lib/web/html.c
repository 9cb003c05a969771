#include "web/html.h"
#include "base/text.h"
#include <string.h>

static void escape(struct buf *out, const char *text)
{
    for (; *text; text++)
        switch (*text) {
        case '&': (void)buf_adds(out, "&amp;"); break;
        case '<': (void)buf_adds(out, "&lt;"); break;
        case '>': (void)buf_adds(out, "&gt;"); break;
        case '"': (void)buf_adds(out, "&quot;"); break;
        case '\'': (void)buf_adds(out, "&#39;"); break;
        default: (void)buf_addc(out, *text);
        }
}

void html(struct buf *out, const char *markup, ...)
{
    va_list args;

    va_start(args, markup);
    for (const char *next; (next = strchr(markup, '%'));) {
        (void)buf_add(out, markup, (size_t)(next - markup));
        if (next[1] == 's') {
            escape(out, va_arg(args, const char *));
            markup = next + 2;
        } else if (!strncmp(next, "%lld", 4)) {
            (void)buf_addf(out, "%lld", va_arg(args, long long));
            markup = next + 4;
        } else if (next[1] == '%') {
            (void)buf_addc(out, '%');
            markup = next + 2;
        } else {
            out->failed = true; /* an unknown place for a value: no page is better than a wrong one */
            break;
        }
    }
    if (!out->failed)
        (void)buf_adds(out, markup);
    va_end(args);
}

/* -- forms -- */

/* Decodes up to the next &. False if it does not fit, is no encoding or holds a control character. */
static bool decode(const char *from, const char *end, char *out, size_t size)
{
    size_t n = 0;

    for (; from < end && *from != '&'; from++) {
        int c = (unsigned char)*from;
        if (c == '+')
            c = ' ';
        if (c == '%') {
            c = end - from > 2 ? text_octet(from + 1) : -1;
            from += c < 0 ? 0 : 2;
        }
        if (c < ' ' || c == 0x7f || n + 1 >= size)
            return false;
        out[n++] = (char)c;
    }
    out[n] = '\0';
    return true;
}

bool form_field(const char *form, size_t len, const char *name, char *out, size_t size)
{
    const char *end = form + len;
    size_t n = strlen(name);

    out[0] = '\0';
    for (const char *at = form; at < end;) {
        const char *next = memchr(at, '&', (size_t)(end - at));
        if ((size_t)(end - at) > n && !memcmp(at, name, n) && at[n] == '=') {
            if (decode(at + n + 1, end, out, size))
                return true;
            out[0] = '\0';
            return false;
        }
        at = next ? next + 1 : end;
    }
    return false;
}
