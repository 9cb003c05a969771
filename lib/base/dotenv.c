#include "base/dotenv.h"
#include "base/ascii.h"
#include <string.h>

#define VALUE_MAX (256L * 1024)
#define OPEN_QUOTE "the quote is not closed; a quote inside '...' is written '\\''"

struct parser {
    const char *p;
    int line;
};

static bool is_name_byte(char c, bool first)
{
    return is_letter(c) || c == '_' || (!first && is_digit(c));
}

static void to_line_end(struct parser *s)
{
    while (*s->p && *s->p != '\n')
        s->p++;
}

/* A run in quotes, from behind the opening one; false when it is not closed. */
static bool quoted(struct parser *s, char quote, struct buf *value)
{
    for (; *s->p && *s->p != quote; s->p++) {
        if (quote == '"' && *s->p == '\\' && s->p[1] && strchr("\"\\$`", s->p[1]))
            s->p++;
        if (*s->p == '\n')
            s->line++;
        if (!buf_addc(value, *s->p))
            return false;
    }
    if (*s->p != quote)
        return false;
    s->p++;
    return true;
}

/* Runs side by side, as sh joins them: 'it'\''s'. */
static const char *quoted_word(struct parser *s, struct buf *value)
{
    while (*s->p && !strchr(" \t\r\n", *s->p)) {
        char c = *s->p++;
        if (c == '\'' || c == '"') {
            if (!quoted(s, c, value))
                return OPEN_QUOTE;
        } else if (c == '\\' && *s->p && *s->p != '\n') {
            if (!buf_addc(value, *s->p++))
                return "the value is too long";
        } else {
            return "there is text beside the quotes; put the whole value inside them";
        }
    }
    while (*s->p == ' ' || *s->p == '\t' || *s->p == '\r')
        s->p++;
    if (*s->p && *s->p != '\n')
        return "there is text behind the closing quote; put the whole value inside the quotes";
    return NULL;
}

static const char *bare(struct parser *s, struct buf *value)
{
    const char *begin = s->p;

    to_line_end(s);
    const char *end = s->p;
    while (end > begin && strchr(" \t\r", end[-1]))
        end--;
    return buf_add(value, begin, (size_t)(end - begin)) ? NULL : "the value is too long";
}

static const char *assignment(struct parser *s, struct buf *name, struct buf *value)
{
    if (!strncmp(s->p, "export ", 7))
        s->p += 7;
    while (is_name_byte(*s->p, name->len == 0))
        if (!buf_addc(name, *s->p++))
            return "the name is too long";
    const char *end = s->p + strspn(s->p, " \t");
    if (name->len > 0 && end > s->p && *end == '=')
        return "there is a blank before the =; write NAME=value";
    if (name->len == 0 || *s->p != '=')
        return "this is no NAME=value line; a comment begins with #";
    s->p++;
    while (*s->p == ' ' || *s->p == '\t')
        s->p++;
    return *s->p == '\'' || *s->p == '"' ? quoted_word(s, value) : bare(s, value);
}

bool dotenv_quote(const char *value, struct buf *out)
{
    bool good = buf_addc(out, '\'');

    for (const char *p = value; *p && good; p++)
        good = *p == '\'' ? buf_adds(out, "'\\''") : buf_addc(out, *p);
    return good && buf_addc(out, '\'');
}

bool dotenv_parse(const char *text, dotenv_take *take, dotenv_complain *complain, void *context)
{
    struct parser s = {.p = text, .line = 1};
    struct buf name, value;
    bool good = true;

    if (!strncmp(s.p, "\xef\xbb\xbf", 3)) /* an editor's byte order mark */
        s.p += 3;
    buf_init(&name, 256);
    buf_init(&value, VALUE_MAX);
    while (*s.p && good) {
        while (*s.p == ' ' || *s.p == '\t' || *s.p == '\r')
            s.p++;
        if (*s.p && *s.p != '#' && *s.p != '\n') {
            const struct parser begin = s;
            buf_reset(&name);
            buf_reset(&value);
            const char *wrong = assignment(&s, &name, &value);
            if (!wrong) {
                take(context, name.data, value.data, begin.line);
            } else {
                /* A quote that ran into the lines below was meant to end on its own: they are lines again. */
                complain(context, name.data, begin.line, s.line > begin.line ? OPEN_QUOTE : wrong);
                s = begin;
            }
        }
        to_line_end(&s);
        if (*s.p == '\n') {
            s.p++;
            s.line++;
        }
    }
    buf_free(&name);
    buf_wipe(&value);
    return good;
}
