/*
 * since: what a person types after --since: a day or a moment (UTC), or how long ago.
 */
#pragma once

#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>

/* `option` is what it is given for, as "--since". "2026-11-25", "2026-11-25T08:00:00", "36h" -> s since 1970, of the past. False with the error set: what is
 * wrong with it and what would be right. */
bool since_parse(const char *option, const char *text, int64_t *out_s, struct error *e) MUST_CHECK;
