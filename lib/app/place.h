/*
 * place: this machine's files in DATA_DIR that belong to one namespace (prefix, location, dry run).
 */
#pragma once

#include "config/config.h"

/* "STEM.HASH". False if out of memory. */
#define PLACE_NAME_SIZE 64
bool place_name(const struct config *config, const char *stem, char out[PLACE_NAME_SIZE]) MUST_CHECK;
/* Opens that file; flags as of open(2). -1 with the error set. */
int place_open(const struct config *config, const char *stem, int flags, struct error *e) MUST_CHECK;
