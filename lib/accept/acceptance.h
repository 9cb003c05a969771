/*
 * acceptance: what came, and what became of it.
 */
#pragma once

#include "sync/sync.h"

/* "refunds/KEY" = "NOTED READ", s since 1970: an order of that key had refunds; since when that is known, and when
 * reconcile last read it for that (0 = never). Deleting a refund fires no webhook and may leave the order's modified
 * date alone, so reconcile reads these orders again, once a day. */
#define ACCEPT_REFUNDS "refunds/"
#define ACCEPT_REFUNDS_TTL_MS (90LL * 24 * 3600 * 1000)

/* What came. All borrowed. */
struct accept_delivery {
    const char *bytes; /* the exact body */
    size_t len;
    const unsigned char
        *hmac;          /* its HMAC under the first key (signature.h), if that is known; NULL = not yet */
    const char *packed; /* the same as delivery_pack makes it; NULL = it is made if it is needed */
    size_t packed_len;
    struct order_headers headers;
    enum origin origin;
    int64_t arrived_ago_ms; /* 0 = now */
    const char *client;     /* hash of the client's address; NULL = do not count */
    const char *only_key;   /* the order must be this one; NULL = any */
    int64_t modified_s;     /* counts instead of the body's own (a deletion has none); 0 = its own */
    const char *status;     /* counts instead of the body's own (order_other_status); NULL = its own */
    bool sold;              /* SPOOL, RECOVERED: the order was sold, whatever this body says */
    bool moved;             /* SPOOL, RECOVERED: it stood under another key, or in another store, before */
    bool past_too;          /* a person asked for orders of before the start, too */
    int64_t work_until_mono_ms; /* work on it now, until then; 0 = only keep it */
};

enum accepted {
    ACCEPTED_SYNCED,    /* GHL holds it */
    ACCEPTED_DUPLICATE, /* the store has this version */
    ACCEPTED_STALE,     /* the store has a newer one */
    ACCEPTED_IGNORED,   /* it needs nothing in GHL; `reason` */
    ACCEPTED_FOREIGN,   /* another shop's; kept as a dead letter */
    ACCEPTED_OTHER,     /* not the order that was asked for: only_key */
    ACCEPTED_QUEUED,    /* stored, GHL later; `reason` */
    ACCEPTED_DEAD,      /* stored, and GHL or the settings refuse it */
    ACCEPTED_BAD_JSON,  /* its bytes are kept as a dead letter */
    ACCEPTED_UNREAD,    /* they hold too many values to be read (json.h), and are kept as a dead letter */
    ACCEPTED_SPOOLED,   /* the store cannot take it, the spool has it */
    ACCEPTED_AWAY, /* neither: the caller has to keep it (a delivery from the spool stays there); `trouble` */
    ACCEPTED_REFUSED, /* the store answers, but does not take this one: too large, no memory for it; `trouble` */
};

/* "queued": what counters and the journal call it. */
const char *accepted_name(enum accepted result);

struct acceptance {
    enum accepted result;
    char reason[64];
    char ghl_id[GHL_ID_SIZE];
    char key[RECORD_KEY_SIZE]; /* the order's; "" = it is not known */
    char number[64];           /* the order's, for people */
    bool read;                 /* it had to be parsed */
    struct error trouble;
};
