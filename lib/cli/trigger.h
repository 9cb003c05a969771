/*
 * trigger: sends what WooCommerce would send, and shows what comes back.
 *
 * A delivery of a made-up order (or of a file's bytes), signed with the configured secret and with all of
 * WooCommerce's headers. It goes through the web server like a real one: what it says of an order happens in
 * GHL, too. So unless it is a dry run, it asks for --live, and without an order it only asks whether this program answers.
 */
#ifndef WOO_GHL_TRIGGER_H
#define WOO_GHL_TRIGGER_H

#include "config/config.h"

/* argv[0] is "trigger". EX_OK when every answer was as expected, EX_PROTOCOL when one was not, EX_UNAVAILABLE
 * when none came, EX_NOINPUT when the file cannot be read, EX_USAGE for a wrong argument. */
/* Only the arguments: EX_OK, or EX_USAGE with what is wrong on standard error. */
int trigger_check(int argc, char **argv);
int trigger_main(const struct config *config, int argc, char **argv);

#endif
