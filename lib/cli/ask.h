/*
 * ask: questions to the person at the terminal. Without one the answers are read from standard input, a line each.
 */
#pragma once

#include "base/buf.h"

/* Prints the question, reads one line, without blanks around it. `hidden`: a terminal does not show what is typed. False
 * at the end of the input. */
bool ask_line(const char *question, bool hidden, struct buf *answer) MUST_CHECK;

/* Is there somebody who can say yes, and does? */
bool ask_yes(const char *question) MUST_CHECK;
