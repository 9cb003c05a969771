/*
 * upkeep: what a drain does to the store now and then, so that it does not grow for ever: records and values that
 * expired go, and dead letters older than DEAD_LETTER_TTL lose their content. Their key and reason stay.
 */
#pragma once

#include "app/app.h"

/* A bounded piece of it. False if the store does not answer. */
bool upkeep(struct app *app);
