/*
 * write: puts values into a settings file. The rest of the file stays as it is, its owner and its rights, too; a file
 * that is made is 0600.
 */
#pragma once

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>

struct config_value {
    const char *name, *value;
};

/* Whole or not at all. The directory must exist. False with the error set. */
bool config_write(const char *path, const struct config_value *values, size_t count,
                  struct error *e) MUST_CHECK;
