/*
 * journal: what became of the orders, for the owner's page, `status` and the metrics. No decision is made by it.
 *
 * Three steps, so that a delivery pays for none of them. A process collects (tally.h). After its answer is out, or
 * some ms later, it appends what it has to a file of this machine, DATA_DIR/journal.*: one write, no round trip. The drain, a page that is
 * looked at, or who finds the file large folds it into the store: sums for ever, sums of a day for 9 days, and the last
 * 10,000 events of 30 days at most. A process that dies between the steps loses what it had in hand: counts and lines of
 * history, never an order.
 */
#pragma once

#include "app/app.h"

#define JOURNAL_EVENTS 10000
#define JOURNAL_DAYS 30

/* -- writing -- */

/* Appends what this process has collected to the machine's file. If that fails, it is kept in hand. */
void journal_keep(struct app *app);
/* The same, but events at most every 20 ms, and counts alone at most once a second. 0, or something is left in hand: in how
 * many ms to call again. */
int64_t journal_keep_now_and_then(struct app *app);
/* Moves the machine's file into the store; nothing if another process does it now. app_ready must have said yes. */
void journal_fold(struct app *app);

/* -- reading -- */

/* Since ever. OK, UNAVAILABLE. */
enum store_result journal_sums(struct app *app, struct tally_counts *out) MUST_CHECK;
/* Of the day so many days ago (UTC); 0 = today, 8 = the first that is kept. */
enum store_result journal_day(struct app *app, int days_ago, struct tally_counts *out) MUST_CHECK;

/* Called for each event, the newest first. False = stop. */
typedef bool journal_visit(const struct tally_event *event, void *context);
enum store_result journal_each(struct app *app, journal_visit *take, void *context) MUST_CHECK;
