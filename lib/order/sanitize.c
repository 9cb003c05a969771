/* After WordPress 6.9 (wp-includes/formatting.php) and PHP 8 (strip_tags). The secret that goes through it is
 * random, so its tags are no HTML but whatever stands between "<" and ">". */
#include "order/sanitize.h"
#include "base/ascii.h"
#include "base/buf.h"
#include "base/text.h"
#include <string.h>

#define LONGEST_ENTITY 6 /* "&quot;" for one byte */

/* -- a "<" without a ">" before the next "<" or the end becomes text: esc_html -- */

/* One that is there already is not escaped again. */
static bool is_entity(const char *s)
{
    size_t n = strspn(s + 1, "#abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
    return n > 0 && s[1 + n] == ';';
}

static bool add_escaped(struct buf *out, const char *s, size_t n)
{
    bool good = true;
    for (size_t i = 0; good && i < n; i++)
        good = s[i] == '<'                        ? buf_adds(out, "&lt;")
               : s[i] == '"'                      ? buf_adds(out, "&quot;")
               : s[i] == '\''                     ? buf_adds(out, "&#039;")
               : s[i] == '&' && !is_entity(s + i) ? buf_adds(out, "&amp;")
                                                  : buf_addc(out, s[i]);
    return good;
}

static bool escape_lone(const char *text, struct buf *out)
{
    bool good = true;
    while (good && *text) {
        size_t n = *text == '<' ? 1 + strcspn(text + 1, "<>") : strcspn(text, "<");
        bool lone = *text == '<' && text[n] != '>';
        good = lone ? add_escaped(out, text, n) : buf_add(out, text, n);
        text += n;
    }
    return good;
}

/* -- strip_tags -- */

/* The byte behind the tag that begins at s. Quotes hide ">", tags may stand in tags, and one that does not
 * end goes up to the text's end. "<!" and "<?" are no different for what a password generator makes. */
static const char *behind_tag(const char *s)
{
    char quote = '\0';
    size_t depth = 0;
    for (s++; *s; s++) {
        if (*s == '"' || *s == '\'')
            quote = !quote ? *s : quote == *s ? '\0' : quote;
        else if (*s == '<' && !quote && !is_space(s[1]))
            depth++;
        else if (*s == '>' && depth > 0)
            depth--;
        else if (*s == '>' && !quote)
            return s + 1;
    }
    return s;
}

static void strip_tags(char *text)
{
    char *out = text;
    const char *s = text;
    while (*s) {
        if (*s == '<' && !is_space(s[1]))
            s = behind_tag(s);
        else
            *out++ = *s++;
    }
    *out = '\0';
}

/* -- white space and octets -- */

/* Runs of these become one space, and those at the edges nothing. */
static void collapse(char *text, const char *blanks)
{
    char *out = text;
    bool gap = false;
    for (const char *s = text; *s; s++) {
        if (strchr(blanks, *s)) {
            gap = out > text;
            continue;
        }
        if (gap)
            *out++ = ' ';
        gap = false;
        *out++ = *s;
    }
    *out = '\0';
}

static const char *find_octet(const char *text)
{
    for (; (text = strchr(text, '%')); text++)
        if (text_octet(text + 1) >= 0)
            return text;
    return NULL;
}

/* The first octet goes wherever it stands, and so on, until there is none: what falls together may be one. */
static bool remove_octets(char *text)
{
    const char *found;
    bool any = false;
    while ((found = find_octet(text))) {
        char octet[] = {found[0], found[1], found[2], '\0'};
        char *out = text;
        for (const char *s = text; *s;) {
            if (!strncmp(s, octet, 3))
                s += 3;
            else
                *out++ = *s++;
        }
        *out = '\0';
        any = true;
    }
    return any;
}

char *sanitize_text_field(const char *text)
{
    struct buf out;
    buf_init(&out, strlen(text) * LONGEST_ENTITY + 1);
    if (!escape_lone(text, &out) || !buf_adds(&out, " ")) { /* also of "" there is something to steal */
        buf_wipe(&out);
        return NULL;
    }
    char *clean = buf_steal(&out);
    if (!clean)
        return NULL;
    strip_tags(clean);
    collapse(clean, " \t\r\n");
    if (remove_octets(clean))
        collapse(clean, " ");
    return clean;
}
