/*
 * dotenv: a file of NAME=value lines, in sh's syntax, byte-exact inside single quotes.
 *
 *   '...'   every byte is itself; a quote is written '\''
 *   "..."   \" \\ \$ \` lose the backslash; nothing is expanded
 *   bare    runs to the end of the line, trimmed
 * `#` begins a comment only at a line's start; `export ` before a name is taken.
 */
#pragma once

#include "base/buf.h"

/* Called for each assignment, in order; value is valid during the call only. */
typedef void dotenv_take(void *context, const char *name, const char *value, int line);
/* Called for each line that is none: the name it begins with ("" = none), what is wrong, and what would be
 * right. */
typedef void dotenv_complain(void *context, const char *name, int line, const char *what);

/* Appends the value in single quotes. */
bool dotenv_quote(const char *value, struct buf *out);

/* Parses the text; a wrong line is reported and passed over. False when out of memory. */
bool dotenv_parse(const char *text, dotenv_take *take, dotenv_complain *complain, void *context) MUST_CHECK;
