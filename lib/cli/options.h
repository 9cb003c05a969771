/*
 * options: a command's arguments, by a table. What is wrong with them goes to standard error.
 */
#pragma once

#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>

/* One of the pointers says what the option takes. */
struct option {
    const char *name;  /* "--json" */
    bool *flag;        /* nothing: becomes true */
    const char **text; /* anything */
    int64_t *time_s;   /* a day, a moment (UTC) or a duration of the past: s since 1970 */
    long *number;      /* a whole number from least to most */
    long least, most;
};

/* Reads all of argv, which is what follows the command's name. A {0} ends the table. `word` gets the one argument that is
 * no option; NULL = none may be. EX_OK or EX_USAGE. */
int options_read(const char *command, int argc, char **argv, const struct option *table, const char **word);

/* What a person types for a time of the past: "2026-11-25", "2026-11-25T08:00:00" or "36h". `option` is what it is given
 * for. False with the error set: what is wrong with it and what would be right. */
bool options_parse_time(const char *option, const char *text, int64_t *out_s, struct error *e) MUST_CHECK;
