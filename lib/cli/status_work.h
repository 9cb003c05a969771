/* status_work: what the files of status share. Nobody else includes it. */
#pragma once

#include "app/journal.h"
#include "owner/facts.h"

#define STATUS_REASONS 8 /* reasons that are told apart */

/* Orders that wait for one reason. */
struct status_waiting {
    char reason[RECORD_REASON_SIZE]; /* "" = they are on their way */
    int64_t count, next_ms;          /* when the first of them is tried, ms from now */
};

struct status {
    struct facts *facts; /* NULL: the store is away */
    struct spool_stats spool;
    bool spool_known;
    struct tally_counts today;
    int64_t synced_s; /* how long ago an order was last brought to GHL; -1 = not known */
    struct status_waiting waiting[STATUS_REASONS];
    size_t waiting_count;
    int64_t looked_at; /* of those that wait */
    enum facts_state state;
    struct buf sentence;
};

const char *status_state_name(enum facts_state state); /* "well", "attention", "risk" */
/* status_json.c. NULL when out of memory. */
json_t *status_json(const struct status *status);
