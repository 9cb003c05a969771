/*
 * failed_work: what the files of failed share. Nobody else includes it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum failed_action { FAILED_LIST, FAILED_SHOW, FAILED_RETRY, FAILED_DROP };

struct failed_options {
    enum failed_action action;
    const char *key;          /* an order's key or number; NULL = all that the filters below leave */
    const char *reason;       /* a part of it, in any case; NULL = any */
    int64_t since_s, until_s; /* became a dead letter then; 0 = no limit */
    long skip, limit;         /* of a list; limit 0 = none */
    bool json, yes, dry_run;
};

/* argv is what follows "failed". EX_OK, or EX_USAGE with what is wrong on standard error. */
int failed_parse(int argc, char **argv, struct failed_options *options);
