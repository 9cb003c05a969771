/*
 * client: who sends the request, as far as that matters.
 */
#pragma once

#include "app/app.h"
#include "web/request.h"

/* A keyed hash of the client whose requests are counted together: an IPv4 address, or an IPv6 address's /64. What is
 * counted under another label is counted apart. False if libcrypto fails. */
bool client_hash(const struct app *app, const char *address, const char *label,
                 char out[RECORD_SHORT_SIZE]) MUST_CHECK;

/* Does it run on this machine? What another server handed on does not count as that. */
bool client_is_local(const struct request *request);
