/*
 * location_rules: the decisions that all workers of a GHL location share: circuit breaker, pause, rate limiter, and
 * what the store remembers. Pure functions over their records; times in ms by the store's clock.
 */
#pragma once

#include "queue/record.h"

/* Why no work may begin now. */
enum hold { HOLD_NONE, HOLD_PAUSED, HOLD_BREAKER };
enum hold location_hold(const struct location_record *location);

/* -- the circuit breaker -- */

/* A result of the transport. Five failures in a row open the breaker for 30 s, doubling to 5 min; a success closes it.
 * True if the record changed. */
bool breaker_heard(struct location_record *location, bool success, int64_t now_ms);
/* How long it stays open; 0 = it is closed, or a probe may go. */
int64_t breaker_open_ms(const struct location_record *location, int64_t now_ms);

/* -- the pause -- */

/* Stops all work. token: hash of the refused GHL token, "" = it is not about a token. *first: it was not paused. */
void pause_begin(struct location_record *location, const char *token, const char *reason, int64_t now_ms,
                 bool *first);
/* Lifts it; with a token only a pause that is about another one. False: there is none of that kind. */
bool pause_end(struct location_record *location, const char *token);

/* May one probe go? It is the caller's for half a minute (breaker), or until the next minute (pause). */
bool hold_probe(struct location_record *location, enum hold hold, int64_t now_ms);

/* -- the store's memory -- */

enum memory {
    MEMORY_SAME,  /* nothing changed */
    MEMORY_FIRST, /* a first installation: the store is new, and this machine never saw another */
    MEMORY_LOST,  /* the store is new, older, or another one than this machine knows: it may have forgotten */
    MEMORY_MOVED, /* the same store on another server or file: a failover, or a restored backup */
};
/* Compares the store with what this machine remembers (known_id: its copy of the store's id, "" = none; its
 * first_use_ms, 0 = unknown) and what was done elsewhere (elsewhere_ms: when an order was last changed on another server or
 * under another prefix, 0 = never: one that was cut off takes orders for a while after its replica took over). Changes the record for all but
 * SAME; new_id is taken if the store has none. */
enum memory memory_check(struct location_record *location, const char *known_id, int64_t known_first_use_ms,
                         const char *server, int64_t elsewhere_ms, const char *new_id, int64_t now_ms);

/* An order of this shop (its name in keys), from this site ("" = it does not say), was accepted. True if that is news. */
bool location_saw_shop(struct location_record *location, const char *shop, const char *site);
/* Was an order ever accepted under this name? */
bool location_has_shop(const struct location_record *location, const char *shop);
/* A reconcile is wanted: of two wishes in one ms the later one counts. */
void location_want_reconcile(struct location_record *location, int64_t now_ms);

/* -- the rate limiter -- */

struct limiter_terms {
    int64_t count, window_ms; /* GHL_RATE */
    int64_t per_day;          /* GHL_RATE_PER_DAY */
};

/* How long until a call may go; if that is max_wait_ms or less, it is the caller's. GCRA at 99 % of the rate with a
 * burst of two: no window of GHL's ever holds more calls than it allows. */
int64_t limiter_take(struct limiter_record *limiter, const struct limiter_terms *terms, int64_t max_wait_ms,
                     int64_t now_ms);
/* The most calls that the limiter lets go in any window_ms. */
int64_t limiter_most(const struct limiter_terms *terms, int64_t window_ms);

/* What GHL said of its limits. */
struct limiter_heard {
    int64_t hold_ms;          /* Retry-After; 0 = it did not say */
    int64_t window_remaining; /* calls left of its window; -1 = it did not say */
    int64_t window_ms;
    bool shared;             /* less is left than our own calls can have used, or GHL refused one */
    int64_t daily_remaining; /* calls left of its day; -1 = it did not say */
    int64_t daily_reset_ms;  /* until the next day; 0 = it did not say */
};
/* Lowers the rate to it. What is left of the window slows nobody down until nothing is; but for a minute after
 * `shared` the rest is spread. No answer stops all calls for longer than LIMITER_HOLD_MAX_MS: then one call asks. */
#define LIMITER_HOLD_MAX_MS (5LL * 60 * 1000)
void limiter_hear(struct limiter_record *limiter, const struct limiter_terms *terms,
                  const struct limiter_heard *heard, int64_t now_ms);
/* A person asks for a try now. True if something held the calls. */
bool limiter_release(struct limiter_record *limiter, int64_t now_ms);
