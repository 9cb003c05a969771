/*
 * stores: both implementations of store.h for a test, each in a temporary directory: the embedded one, and a
 * private redis-server on a unix socket.
 */
#ifndef WOO_GHL_STORES_H
#define WOO_GHL_STORES_H

#include "app.h"

struct stores {
    char dir[64];
    int redis_pid; /* 0 = not started */
};

/* Makes the directory; with redis, starts the server and waits for it. False (and a note) when that fails. */
bool stores_begin(struct stores *stores, bool redis);
void stores_end(struct stores *stores); /* stops the server, removes the directory */

/* An app on it, as the program would open it: settings from the environment. `location` names the namespace.
 */
bool stores_app(const struct stores *stores, const char *location, struct app *app);

#endif
