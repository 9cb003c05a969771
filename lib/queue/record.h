/*
 * record: what is kept of one order, and what is kept of one GHL location, as plain values.
 *
 * An order's record is all that the stores know of it: the latest version accepted, at most one current and one
 * waiting body, the lease, a create whose outcome is not known, what GHL holds, and why it is a dead letter. The
 * rules (rules.h) change it; a store only keeps it. Times are ms since 1970 by the store's clock, unless the name
 * says otherwise. Nothing in a record identifies a person: bodies and notes are sealed and lie apart, under an id.
 */
#pragma once

#include "queue/field.h"

#define RECORD_KEY_SIZE 160    /* "shop:1001" */
#define RECORD_ID_SIZE 64      /* an id of GHL's */
#define RECORD_HASH_SIZE 33    /* 128 bits of a keyed hash, in hex */
#define RECORD_SHORT_SIZE 17   /* 64 bits of one */
#define RECORD_TOKEN_SIZE 33   /* a random token, or a blob's id, in hex */
#define RECORD_STATUS_SIZE 32  /* an order's status; a longer one is cut */
#define RECORD_REASON_SIZE 256 /* for people */
#define RECORD_DELETION "--"
#define RECORD_PARTS 4 /* as many as plan.h's parts */

/* A body that waits to reach GHL. */
struct order_body {
    char id[RECORD_TOKEN_SIZE];         /* of its blob; "" = there is none */
    char fingerprint[RECORD_HASH_SIZE]; /* of its version */
    char status[RECORD_STATUS_SIZE];    /* counts instead of the body's own; "" = the body's own */
    bool follows; /* its own status is not mapped, and GHL has the latest one that is: it stays as it is */
    int64_t accepted_ms;
};

enum attempt_kind { ATTEMPT_NONE, ATTEMPT_CONTACT, ATTEMPT_OPPORTUNITY, ATTEMPT_NOTE, ATTEMPT_KINDS };

/* A create that was about to be sent, and whose outcome is not recorded yet. */
struct order_attempt {
    enum attempt_kind kind;
    char blob[RECORD_TOKEN_SIZE]; /* sealed: what to look for */
    int64_t at_ms;
    int64_t window_ms; /* how long after at_ms it may still come true unseen; grows with GHL's trouble */
    bool refused;      /* GHL refused it: one look is enough, it needs no waiting */
    char watch[128];   /* "BOOT=MS ...": when each machine's boot first knew of it, by that boot's clock */
};

/* What GHL holds of the order, as far as known. */
struct order_link {
    char contact[RECORD_ID_SIZE];               /* "" = unknown */
    char former[RECORD_ID_SIZE * 3];            /* contacts that it had before, a space between: a lost
                                                   opportunity may hang on one of them */
    char opportunity[RECORD_ID_SIZE];           /* "" = unknown */
    int64_t gone_ms;                            /* since GHL says that it does not exist; 0 = it does */
    char part[RECORD_PARTS][RECORD_SHORT_SIZE]; /* hash of what GHL holds of each part; "" = unknown */
    char email[RECORD_SHORT_SIZE];              /* hash of the email that the order last had; "" = none */
    bool made;                                  /* the contact was made for this order */
    int64_t
        unsettled_ms; /* until then a write of unknown outcome may be carried out, over a later one; 0 = none */
};

struct order_record {
    int64_t version; /* 0 = the store does not know the order */

    /* which order */
    char order_key[RECORD_SHORT_SIZE]; /* hash of WooCommerce's order_key; "" = no body had one yet */
    char newest[RECORD_SHORT_SIZE]; /* hash of the order_key of a newer order under the same id; "" = none */
    int64_t created_s;              /* date_created_gmt, s since 1970; 0 = unknown */
    bool look;     /* it was unknown and not fresh: look in GHL before creating or ignoring */
    bool sold;     /* a version that creates was accepted */
    bool erased;   /* the shop erased its person: no version that names one counts any more */
    bool restored; /* it came back from the bin: a deletion that comes now may be an old one */

    /* the latest version that was accepted */
    int64_t
        modified_s; /* as WooCommerce says, also if that is ahead of the store's clock; 0 = it did not say */
    int64_t arrived_ms;
    char fingerprint[RECORD_HASH_SIZE]; /* "" = known to be none: whatever comes is news */
    char hash_id[RECORD_SHORT_SIZE];    /* of the key that fingerprint and part hashes were made with */
    char status[RECORD_STATUS_SIZE];    /* the latest status that is mapped */
    bool ended;                         /* that status creates nothing */
    char bytes[RECORD_HASH_SIZE *
               8]; /* hashes of the bodies accepted of that second, a space between; the latest
                                           stands last; RECORD_DELETION for an order.deleted */

    /* the queue */
    struct order_body current, waiting;
    int64_t attempts, due_ms;
    char reason[RECORD_REASON_SIZE]; /* why it waits, or is a dead letter */
    char lease[RECORD_TOKEN_SIZE];   /* token; "" = nobody works on it */
    int64_t lease_ms;                /* until then; without a token: when the last one would have ended */
    int64_t dead_ms;                 /* a dead letter since; 0 = it is none */

    struct order_attempt attempt;
    struct order_link link;
    int64_t expires_ms; /* 0 = never */
};

/* What all workers of a location share. */
struct location_record {
    int64_t version;

    /* the store's memory */
    char store_id[RECORD_TOKEN_SIZE]; /* random, made once; DATA_DIR keeps a copy */
    char server[RECORD_ID_SIZE]; /* which server, or file, it was last; another one may have lost something */
    int64_t first_use_ms;        /* the installation */
    int64_t up_ms;               /* since then it forgot nothing; 0 = since ever */
    int64_t lost_ms;             /* when it last was found to have lost its memory; 0 = never */
    char shops[RECORD_REASON_SIZE]; /* names under which orders were accepted, a space between */
    char site[RECORD_REASON_SIZE];  /* without WOO_SHOPS: the one site whose orders are accepted */
    int64_t reconcile_ms;           /* a reconcile is wanted since; 0 = nobody asked */

    /* the circuit breaker */
    int64_t failures; /* of the transport, in a row */
    int64_t opened;   /* how often in a row it opened; 0 = closed */
    int64_t open_until_ms, probe_until_ms;

    /* the pause */
    int64_t paused_ms; /* since; 0 = not paused */
    int64_t pause_probe_ms;
    char pause_token[RECORD_SHORT_SIZE]; /* hash of the refused GHL token; "" = not about a token */
    char pause_reason[RECORD_REASON_SIZE];
};

/* GHL's rate limits, as used by all workers. */
struct limiter_record {
    int64_t version;
    int64_t next_us;                /* GCRA: the theoretical arrival time of the next call */
    int64_t last_ms;                /* the last call */
    int64_t day_left, day_until_ms; /* calls left of GHL's day, until its end */
    int64_t hold_until_ms;          /* GHL asked for that */
    char hold_reason[RECORD_REASON_SIZE];
    int64_t shared_until_ms; /* others use the limit, too */
};

extern const struct record_type order_record_type, location_record_type, limiter_record_type;

/* The indexes that an order stands in. They follow from the record alone. */
enum order_index { INDEX_DUE, INDEX_DEAD, INDEX_AGE, INDEXES };

/* Its place in the index: ms; -1 = it is not in it. DUE: when it is to be worked on (a leased one: when the lease
 * ends). DEAD: since when it is a dead letter. AGE: when what waits was accepted. */
int64_t order_index_ms(const struct order_record *record, enum order_index index);

/* The status that counts instead of the body's own, wherever the body goes; NULL = the body's own. */
const char *order_other_status(const struct order_body *body);

/* Nothing of it is in GHL, and nothing waits to get there. */
bool order_needs_nothing(const struct order_record *record);

/* Which bytes, delivered once more, are a duplicate that changes nothing, whatever the settings are by then: the hash of
 * those of the latest version, once GHL has it. "" = none. The store keeps it as the idempotency key; while the order waits
 * its record says as much, and no key has to be written twice. */
const char *order_known_bytes(const struct order_record *record);

/* The ids of the blobs that the record needs, at most 3; returns how many. */
#define RECORD_BLOBS 3
size_t order_blobs(const struct order_record *record, const char *id[RECORD_BLOBS]);
