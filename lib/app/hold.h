/*
 * gate: may work go on? The pause, the breaker and GHL's pace, between the GHL client and the store.
 *
 * A refused token or a wrong configuration pauses the whole namespace: nothing is parked for it, one alert is
 * logged, and a probe lifts the pause when the token works again. The breaker opens by failures of the
 * transport and is closed by a probe or any answer.
 */
#ifndef WOO_GHL_GATE_H
#define WOO_GHL_GATE_H

#include "app/app.h"

/* What a Retry-After counts for at most, for its order and for all. */
#define GATE_RETRY_AFTER_MAX_MS (4LL * 3600 * 1000)

/* The terms of one piece of work's calls to GHL. Not copied: the terms point back at it. */
struct gate_watch {
    struct ghl_terms terms;
    struct app *app;
    bool (*may_write)(void *context);
    void *context;
    bool took; /* GHL answered a call well */
};
/* may_write may be NULL: work without writes. */
void gate_watch_begin(struct gate_watch *watch, struct app *app, bool (*may_write)(void *), void *context);

/* Whose fault is a 401 or 403: the token's (scope, version, location) or this order's alone? Asks GHL one
 * neutral question if the answer does not say so itself. */
enum gate_fault { GATE_TOKEN, GATE_ORDER, GATE_UNKNOWN };
enum gate_fault gate_whose_fault(struct gate_watch *watch, const struct ghl_answer *answer);

/* Pauses everything, for this answer. */
void gate_pause(struct app *app, const struct ghl_answer *answer, const char *why);

/* Something holds: if a probe is due (or `now`), the settings are read anew (of a pause) and GHL is asked one
 * neutral GET; lifts the pause or closes the breaker when
 * GHL answers well. True when work may go on. */
bool gate_probe(struct app *app, enum store_hold hold, bool now);

#endif
