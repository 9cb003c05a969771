/*
 * install: the settings file, the data directory and the cron line of an account without a shell habit.
 */
#ifndef WOO_GHL_CLI_INSTALL_H
#define WOO_GHL_CLI_INSTALL_H

/* Asks for what is missing, and makes it. argv[0] is the command's name. An exit code from sysexits.h. */
int install_main(int argc, char **argv);

#endif
