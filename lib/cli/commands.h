/*
 * commands: what the program does when a person calls it. One table: name, what it is for, function.
 */
#pragma once

/* Runs argv[1]; exit codes from sysexits.h. `stop` is set by a signal. */
int commands_main(int argc, char **argv, volatile int *stop);
