/*
 * confine: what this process, and what it forks, may not do any more, whoever talks it into something.
 *
 * seccomp (if built with libseccomp) and Landlock (Linux 5.13 and later) together: no program is executed, no process
 * is made, traced or killed, no kernel interface is used that a worker has no use for, and files are reached only
 * where they were allowed. What the kernel has not is left out. It cannot be undone.
 */
#pragma once

#include "base/error.h"
#include <stdbool.h>

enum confine_access { CONFINE_READ, CONFINE_WRITE /* and read, make, remove */ };

struct confine {
    int ruleset; /* -1 = there is no Landlock */
    int version; /* of Landlock */
};

void confine_begin(struct confine *confine);
/* This file, or all below this directory. What is not there is passed over. */
void confine_allow(const struct confine *confine, const char *path, enum confine_access access);
/* Now. may_fork: it may still make processes, which stay confined. False with the error set: the kernel refused. */
bool confine_end(struct confine *confine, bool may_fork, struct error *e) MUST_CHECK;

/* What is missing here, as a sentence for people; false and "" = nothing. */
bool confine_lacks(struct error *what);
