/* What the program says of its commands: help and the man page. */
#include "cli/commands_work.h"
#include "config/config.h"
#include <string.h>

#define INDENT "          "
#define WIDTH 100

/* Indented lines of whole words. */
static bool add_wrapped(struct buf *out, const char *text)
{
    bool good = true;

    while (good && *text) {
        size_t n = strlen(text), room = WIDTH - strlen(INDENT);
        for (size_t i = n = n > room ? room : n; text[n] && i > 0; i--)
            if (text[i] == ' ') {
                n = i;
                break;
            }
        good = buf_addf(out, "%s%.*s\n", INDENT, (int)n, text);
        text += n + (text[n] == ' ');
    }
    return good;
}

static bool add_usage(struct buf *out, const struct command *command)
{
    return buf_addf(out, "  woo_ghl %s%s%s\n", command->name, *command->arguments ? " " : "",
                    command->arguments) &&
           add_wrapped(out, command->help);
}

/* `woo_ghl drain --help` */
bool commands_help_on(struct buf *out, const struct command *command)
{
    return add_usage(out, command) && (!command->more || add_wrapped(out, command->more));
}

bool commands_overview(struct buf *out)
{
    bool good = buf_adds(out, "woo_ghl takes WooCommerce's order webhooks at /woo-order to GoHighLevel.\n"
                              "A web server runs it as FastCGI or CGI; a person runs:\n\n");
    for (size_t i = 0; i < commands_count; i++)
        good = good && add_usage(out, &commands[i]);
    return good &&
           buf_adds(out, "\n'woo_ghl COMMAND --help' says more. Settings come from the environment and "
                         "from a file: the one\nthat WOO_GHL_ENV names, else ~/woo-ghl/env of the program's "
                         "owner (not root), else\n/etc/woo-ghl/env, else .env beside the program.\n");
}

bool commands_manual(struct buf *out)
{
    bool good = buf_adds(out, ".SH COMMANDS\n");

    for (const struct command *c = commands; c < commands + commands_count && good; c++)
        good = buf_addf(out, ".TP\n.BR %s \"%s", c->name, *c->arguments ? " " : "") &&
               config_add_manual(out, c->arguments) && buf_adds(out, "\"\n") &&
               config_add_manual(out, c->help) &&
               (!c->more || (buf_addc(out, ' ') && config_add_manual(out, c->more))) && buf_addc(out, '\n');
    return good && config_print_manual(out);
}

/* -- completions -- */

#define WORD_LETTERS "abcdefghijklmnopqrstuvwxyz-"

void commands_words(const struct command *command, void (*call)(void *context, const char *word),
                    void *context)
{
    char word[64];

    for (const char *at = command->arguments; *at;) {
        size_t n = strspn(at, WORD_LETTERS);
        /* What goes on in capitals stands for a value. */
        bool is_word = n > 1 && n < sizeof word && !(at[n] >= 'A' && at[n] <= 'Z');
        if (is_word) {
            memcpy(word, at, n);
            word[n] = '\0';
            call(context, word);
        }
        at += n ? n : 1;
        if (at[-1] >= 'A' && at[-1] <= 'Z')
            at += strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZ.");
    }
}

static void add_word(void *context, const char *word)
{
    (void)(buf_addc(context, ' ') && buf_adds(context, word)); /* a failed buffer says so at its end */
}

/* A shell's case statement: after which command which words may stand. */
static bool add_cases(struct buf *out, const char *before, const char *after)
{
    bool good = true;

    for (size_t i = 0; i < commands_count && good; i++) {
        good = buf_addf(out, "        %s) %s --help", commands[i].name, before);
        commands_words(&commands[i], add_word, out);
        good = good && buf_addf(out, "%s ;;\n", after);
    }
    return good;
}

static bool add_names(struct buf *out)
{
    for (size_t i = 0; i < commands_count; i++)
        add_word(out, commands[i].name);
    return !out->failed;
}

bool commands_bash(struct buf *out)
{
    return buf_adds(out,
                    "# bash completion for woo_ghl: made by `woo_ghl help bash`\n"
                    "_woo_ghl()\n{\n    local words\n    if ((COMP_CWORD == 1)); then\n        words='") &&
           add_names(out) && buf_adds(out, "'\n    else\n        case ${COMP_WORDS[1]} in\n") &&
           add_cases(out, "words='", "'") &&
           buf_adds(
               out,
               "        esac\n    fi\n"
               "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\")\n}\n"
               "complete -o default -F _woo_ghl woo_ghl\n");
}

bool commands_zsh(struct buf *out)
{
    return buf_adds(out, "#compdef woo_ghl\n# zsh completion for woo_ghl: made by `woo_ghl help zsh`\n"
                         "if ((CURRENT == 2)); then\n    compadd --") &&
           add_names(out) && buf_adds(out, "\nelse\n    case $words[2] in\n") &&
           add_cases(out, "compadd --", "") && buf_adds(out, "    esac\n    _files\nfi\n");
}
