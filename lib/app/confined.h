/*
 * confined: a worker's sandbox (SANDBOX). It reaches files below DATA_DIR, where the log and the settings are, and what
 * the system needs to look up names and check certificates; nothing else. It runs no program (base/confine.h).
 */
#pragma once

#include "app/app.h"

/* Confines this worker for good, once, if the settings are good and want it. A CGI program may still fork: it drains in a child.
 * What the kernel refuses is logged, and the process goes on without. */
void app_confine(struct app *app);
