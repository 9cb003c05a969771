/* alert_send_work: what the files of alert_send share. Nobody else includes it. */
#pragma once

#include "base/json.h"
#include <stdbool.h>
#include <stddef.h>

/* alert_send_command.c: runs the shell command with the text on standard input, in a clean environment, for 30 s at most.
 * False, with why: how it ended, and the end of what it said on standard error. */
bool alert_run(const char *command, const json_t *alert, const struct buf *text, char *why, size_t size);
