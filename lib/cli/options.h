/*
 * options: a command's arguments, by a table. What is wrong with them goes to standard error.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* One of the pointers says what the option takes. */
struct option {
    const char *name;  /* "--json" */
    bool *flag;        /* nothing: becomes true */
    const char **text; /* anything */
    int64_t *time_s;   /* a date or a duration of the past (since.h): s since 1970 */
    long *number;      /* a whole number from least to most */
    long least, most;
};

/* Reads all of argv, which is what follows the command's name. A {0} ends the table. `word` gets the one argument that is
 * no option; NULL = none may be. EX_OK or EX_USAGE. */
int options_read(const char *command, int argc, char **argv, const struct option *table, const char **word);
