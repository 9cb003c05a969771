/*
 * facts: the state of an installation, as `woo_ghl status` and the owner's page tell it, and one sentence about it.
 */
#pragma once

#include "app/heartbeat.h"

#define FACTS_LATE_MAX 1000 /* late orders that are counted */

/* What the prefixes of the store's values are: deliveries counted by word, and paid orders by a status that is not mapped. */
#define FACTS_COUNTS "count/"
#define FACTS_UNMAPPED "unmapped/"

/* Zero-initialised; facts_free. */
struct facts {
    struct store_sizes sizes;
    struct location_record location;
    struct limiter_record limiter;
    struct store_about about;
    int64_t held_ms; /* GHL's limits hold all calls so long; 0 = they do not */
    char held_reason[RECORD_REASON_SIZE];
    struct store_entry late[FACTS_LATE_MAX]; /* waiting for longer than RETRY_FOR */
    size_t late_count;
    struct buf counts, unmapped, gone; /* as store_values says */
    struct buf machines;               /* for heartbeat_next */
    struct buf left;                   /* lines of left_behind */
    int64_t reconciled_s;              /* -1 = never */
    bool undrained;
};

/* app_ready must have said yes. False: the store failed; what is missing is 0. */
bool facts_read(struct app *app, struct facts *facts) MUST_CHECK;
void facts_free(struct facts *facts);

/* -- what they say -- */

enum facts_state {
    FACTS_WELL,
    FACTS_ATTENTION, /* no order is lost, but a person should look */
    FACTS_RISK,      /* orders may be lost, or get nowhere until a person acts */
};

/* Appends one sentence about the worst of it. */
enum facts_state facts_say(const struct facts *facts, struct buf *out);

/* Appends what a machine told of its drain and its spool, without its name. */
void facts_say_machine(const struct facts *facts, const struct heartbeat *beat, struct buf *out);

/* The next of the values, and the number that it is. The name is without its prefix. NULL = no more. */
const char *facts_next(const struct buf *values, const char *prefix, size_t *at, int64_t *number);

int64_t facts_oldest_s(const struct facts *facts); /* for how long the oldest has waited */
int64_t facts_gone(const struct facts *facts);     /* orders whose opportunity is gone in GHL */
