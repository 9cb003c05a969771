/*
 * environment: the variables that a web server sets (CGI/1.1, RFC 3875; FastCGI hands over the same) -> struct request.
 */
#pragma once

#include "web/request.h"

#define ENVIRONMENT_PATH_SIZE 64 /* bytes; longer than any route */

/* Fills in all of it but the body. `variables`, "NAME=value" until NULL, and `path`, which is written, are borrowed. A path
 * that does not fit is "", which no route has. */
void environment_read(char *const *variables, struct request *request, char path[ENVIRONMENT_PATH_SIZE]);
