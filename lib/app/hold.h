/*
 * hold: may work go on? The pause, the circuit breaker and the rate limiter, between the GHL client and the store.
 *
 * A refused token or a wrong configuration pauses the whole location: no order becomes a dead letter for it, one alert is
 * sent, and a probe lifts the pause when GHL answers well again. Failures of the transport open the breaker; a probe, or
 * any answer, closes it.
 */
#pragma once

#include "app/app.h"

/* No order waits longer than this for a Retry-After. */
#define HOLD_RETRY_AFTER_MAX_MS (5LL * 60 * 1000)

/* The terms of one piece of work's calls to GHL. Not to be copied: the terms point back at it. */
struct work_terms {
    struct ghl_terms terms;
    struct app *app;
    bool (*may_write)(void *context); /* NULL: work without writes */
    void *context;
};
void work_terms_begin(struct work_terms *terms, struct app *app, bool (*may_write)(void *), void *context);

/* Whose fault is a 401 or 403: the token's (scope, version, location) or this order's alone? Asks GHL one neutral
 * question if the answer does not say so itself. */
enum fault { FAULT_TOKEN, FAULT_ORDER, FAULT_UNKNOWN };
enum fault hold_whose_fault(struct work_terms *terms, const struct ghl_answer *answer);

/* Pauses everything, for this answer. */
void hold_pause(struct app *app, const struct ghl_answer *answer, const char *why);

/* Something holds: if a probe is due (or `now`), GHL is asked one neutral question; lifts the pause or closes the
 * breaker if GHL answers well. True if work may go on. */
bool hold_lift(struct app *app, enum hold hold, bool now);
