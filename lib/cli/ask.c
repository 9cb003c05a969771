#include "cli/ask.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <termios.h>
#include <unistd.h>

/* Byte by byte: what follows the line is for who asks next. */
static bool read_line(struct buf *answer)
{
    char c;
    ssize_t n;

    buf_reset(answer);
    while ((n = read(STDIN_FILENO, &c, 1)) == 1 && c != '\n')
        if ((answer->len || !strchr(" \t\r", c)) && !buf_addc(answer, c))
            return false;
    while (answer->len && strchr(" \t\r", answer->data[answer->len - 1]))
        answer->data[--answer->len] = '\0';
    return n == 1 || answer->len > 0;
}

bool ask_line(const char *question, bool hidden, struct buf *answer)
{
    struct termios shown, silent;
    bool quiet = hidden && tcgetattr(STDIN_FILENO, &shown) == 0;

    fprintf(stderr, "%s: ", question);
    if (quiet) {
        silent = shown;
        silent.c_lflag &= ~(tcflag_t)ECHO;
        quiet = tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) == 0;
    }
    bool good = read_line(answer);
    if (quiet && tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown) != 0)
        good = false;
    if (quiet || !isatty(STDIN_FILENO))
        fputc('\n', stderr);
    return good;
}

bool ask_yes(const char *question)
{
    struct buf answer;

    if (!isatty(STDIN_FILENO))
        return false;
    buf_init(&answer, 64);
    bool yes = ask_line(question, false, &answer) && !strncasecmp(answer.data, "y", 1);
    buf_free(&answer);
    return yes;
}
