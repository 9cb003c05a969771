/* The settings table as text: .env.sample, the man page, and what `check` shows. */
#include "base/dotenv.h"
#include "config/settings.h"
#include <string.h>

/* A value as the file's syntax wants it: quoted where sh would need it. */
static bool add_quoted(struct buf *out, const char *value)
{
    if (*value && !strpbrk(value, " \t'\"\\$#&;<>|(){}*?`~"))
        return buf_adds(out, value);
    return dotenv_quote(value, out);
}

bool config_print_sample(struct buf *out)
{
    bool good = buf_adds(
        out, "# Settings of woo_ghl: copy this file to ~/woo-ghl/env or /etc/woo-ghl/env, or to .env for a "
             "try, and change what you need.\n"
             "# The environment comes before this file. NAME_FILE=path takes a value from a file.\n"
             "# Inside '...' every byte is itself (a quote is written '\\''); a comment begins a line.\n");
    for (size_t i = 0; i < settings_count && good; i++) {
        const struct setting *s = &settings[i];
        good = buf_addf(out, "\n# %s\n#%s=", s->help, s->name) &&
               add_quoted(out, s->fallback  ? s->fallback
                               : s->example ? s->example
                                            : "") &&
               buf_addc(out, '\n');
    }
    return good;
}

/* Text for man(7): a backslash and a hyphen mean themselves, a line does not begin with a control character.
 */
bool config_add_manual(struct buf *out, const char *text)
{
    for (const char *p = text; *p; p++) {
        bool good = *p == '\\'   ? buf_adds(out, "\\e")
                    : *p == '-'  ? buf_adds(out, "\\-")
                    : *p == '\'' ? buf_adds(out, "\\(aq")
                                 : buf_addc(out, *p);
        if (!good)
            return false;
    }
    return true;
}

bool config_print_manual(struct buf *out)
{
    bool good = buf_adds(
        out,
        ".SH SETTINGS\n"
        "Settings come from the environment first, then from a file in sh's syntax: the one that\n"
        ".B WOO_GHL_ENV\nnames, else\n.I ~/woo-ghl/env\nof the user who owns the program (not root), else\n"
        ".IR /etc/woo-ghl/env ,\nelse\n.I .env\nbeside the program. "
        "A place whose files a web server hands out is refused.\n"
        ".IB NAME _FILE\ntakes the value from a file. Durations are written 500ms, 10s, 5m, 24h, 400d; "
        "sizes 64k, 8m.\n");
    for (size_t i = 0; i < settings_count && good; i++) {
        const struct setting *s = &settings[i];
        good = buf_addf(out, ".TP\n.B %s\n", s->name) && config_add_manual(out, s->help);
        if (good && s->fallback)
            good = buf_adds(out, " Default: ") && config_add_manual(out, s->fallback) && buf_addc(out, '.');
        good = good && buf_addc(out, '\n');
    }
    return good;
}

bool config_print_values(const struct config *config, struct buf *out)
{
    bool good = buf_addf(out, "%-28s %s\n", "settings file", *config->env_file ? config->env_file : "none");
    for (size_t i = 0; i < settings_count && good; i++)
        good = buf_addf(out, "%-28s ", settings[i].name) && settings_print(&settings[i], config, out) &&
               buf_addc(out, '\n');
    return good;
}
