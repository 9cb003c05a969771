/*
 * faults: what a program asks the machine for fails, when a test wants it to. Linked into the test build alone
 * (make CRASH=1), by ld's --wrap for this project's objects, and by the libraries' own hooks for theirs.
 *
 *   WOO_GHL_FAIL_AT=memory#12     the 12th allocation, or addition to a buffer, since faults_begin fails; memory#12+: and all that come after it
 *   WOO_GHL_FAIL_AT=call#7        the 7th call of a file, socket, SQLite, Redis or HTTP fails, and nothing was done
 *   WOO_GHL_FAIL_AT=lost#7        ... it is done, and reported as failed
 *   WOO_GHL_FAIL_COUNT=FILE       how many of each kind there were: lines "memory 4711"
 */
#pragma once

#include <stdbool.h>

enum fault_kind { FAULT_MEMORY, FAULT_CALL, FAULT_LOST, FAULT_KINDS };

/* Before any library is used. */
void faults_install(void);
/* From here on it counts. */
void faults_begin(void);
/* Until here. If it counted and the sanitizer knows of a leak, it exits with FAULTS_LEAK. */
void faults_end(void);

#define FAULTS_LEAK 98

/* For a program that tries many: from here on the n-th of this kind fails, and, if it goes on, all that come after; 0 = none does. */
void faults_at(enum fault_kind kind, long n, bool on);
/* Until here; how many of this kind there were. */
long faults_stop(enum fault_kind kind);
