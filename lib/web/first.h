/*
 * first: the page that the program shows while there is no settings file: what to write, and where. It takes nothing
 * over the web, and tells no path that names an account.
 */
#pragma once

#include "app/app.h"
#include "web/request.h"
#include "web/response.h"

/* Is this somebody's look at the program before it was set up? */
bool first_is_wanted(const struct app *app, const struct request *request);
void first_answer(struct response *response);
