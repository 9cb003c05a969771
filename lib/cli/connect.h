/*
 * connect: the command that makes shop and GHL fit for orders (shop/connect.h): says its plan, then does it.
 */
#ifndef WOO_GHL_CLI_CONNECT_H
#define WOO_GHL_CLI_CONNECT_H

#include "app/app.h"

/* argv[0] is the command's name. An exit code from sysexits.h. */
int connect_main(struct app *app, int argc, char **argv);

#endif
