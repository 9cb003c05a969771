/*
 * trigger: sends what WooCommerce would send, and shows what comes back.
 *
 * A delivery of a made-up order (or of a file's bytes), signed with the configured secret and with all of
 * WooCommerce's headers. It goes through the web server like a real one: what it says of an order happens in
 * GHL, too. Nothing is read from or written to the store.
 */
#ifndef WOO_GHL_TRIGGER_H
#define WOO_GHL_TRIGGER_H

#include "config/config.h"

/* argv[0] is "trigger". EX_OK when every answer was as expected, EX_PROTOCOL when one was not, EX_UNAVAILABLE
 * when none came, EX_NOINPUT when the file cannot be read, EX_USAGE for a wrong argument. */
int trigger_main(const struct config *config, int argc, char **argv);

#endif
