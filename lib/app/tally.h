/*
 * tally: what a process counts and notes of orders, until it writes that down (journal.h).
 *
 * It holds ids, times, outcomes and hashes, never a person's data. The counters are a fixed list, so that they stay
 * bounded whatever comes.
 */
#pragma once

#include "config/config.h"

/* -- counters -- */

#define TALLY_COUNTERS 43
#define TALLY_LAST_ORDER "last_order_s" /* s since 1970: the one that is no sum, but the largest */
#define TALLY_TOOK "answer_ms"          /* ms that all answers took together */

/* "received/queued": a family, what is counted of it. */
extern const char *const tally_names[TALLY_COUNTERS];

struct tally_counts {
    int64_t n[TALLY_COUNTERS];
};

/* A name that is not in the list counts nothing. */
void tally_add(struct tally_counts *counts, const char *name, int64_t n);
int64_t tally_of(const struct tally_counts *counts, const char *name);
void tally_add_all(struct tally_counts *counts, const struct tally_counts *more);

/* One line for each that is not 0: "received/queued 3". */
bool tally_print(const struct tally_counts *counts, const char *mark, struct buf *out);
/* Adds what such a line says; false if it is none. */
bool tally_parse(struct tally_counts *counts, const char *line);

/* -- events -- */

struct tally_event {
    int64_t at_ms, took_ms; /* since 1970; how long it took */
    char kind[12];          /* "received", "read" (from the spool or the shop), "sent", "owner" */
    char key[160];          /* the order's; "-" in any of the words = none */
    char number[40];        /* the order's, for people */
    char what[24];          /* "synced", "queued", "retry" */
    char why[40];           /* a word: "paused" */
    char id[64];            /* received: a hash of the body. sent: GHL's id of the opportunity */
    /* received: the order's status, or which REST error came in its place. sent: what GHL was told of:
     * "contact,opportunity" */
    char parts[64];
};

/* The text as a word of an event; what no word may hold becomes "_", and "" becomes "-". */
void tally_word(char *out, size_t size, const char *text);

/* The event whose line begins at `line`; false if it is none. */
bool tally_parse_event(const char *line, struct tally_event *event);

/* -- what a process has not written down yet -- */

struct tally {
    struct tally_counts counts;
    bool counted;
    struct buf events; /* whole lines */
    int64_t kept_mono_ms;
};
void tally_init(struct tally *tally);
void tally_free(struct tally *tally);

void tally_count(struct tally *tally, const char *family, const char *name);
/* An answer took so long. */
void tally_took(struct tally *tally, int64_t ms);
/* An event as it is told: texts may be anything, and NULL = none. */
struct tally_told {
    const char *kind, *key, *number, *what, *why, *id, *parts;
    int64_t at_ms, took_ms; /* at_ms 0 = now */
};
/* What does not fit any more is lost. */
void tally_note(struct tally *tally, const struct tally_told *event);

/* -- the file of this machine, DATA_DIR/journal.*: what its processes wrote down, and nobody folded yet -- */

#define TALLY_KEPT_MAX (2L * 1024 * 1024) /* bytes that it has at most */

/* Appends what is in hand with one write, so that lines of two processes never mix. The file's size then; 0 = nothing was
 * in hand; -1 = it could not be written, and stays in hand. */
int64_t tally_keep(struct tally *tally, const struct config *config);
/* Is anything in it? */
bool tally_is_kept(const struct config *config);
/* Takes the lines out of it: those of tally_print with "+", and of events. False if there are none. */
bool tally_take(const struct config *config, struct buf *lines);
