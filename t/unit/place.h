/*
 * place: a temporary directory in which a test opens the whole app, as the program would, on the embedded
 * store.
 */
#ifndef WOO_GHL_PLACE_H
#define WOO_GHL_PLACE_H

#include "app/app.h"

struct place {
    char dir[64];
};

/* Makes the directory. False (and a note) when that fails. */
bool place_begin(struct place *place);
void place_end(struct place *place); /* removes it */

/* An app in it: settings from the environment, which is replaced. `location` names the namespace. */
bool place_app(const struct place *place, const char *location, struct app *app);
/* The same with more settings, or others: "NAME=value", a NULL after the last. */
bool place_app_with(const struct place *place, const char *location, const char *const settings[],
                    struct app *app);

#endif
