/*
 * bring: orders and dead letters of this location that wait in another store or under another prefix (left_behind.h) are
 * accepted anew by the store that the settings name, and end there. Nothing is worked on in the old one: this store may
 * know newer versions, and opportunities.
 */
#pragma once

#include "app/app.h"

/* Brings what it can, and logs how many. The rest stays, and is named. */
void bring_left_behind(struct app *app);
