/*
 * spool: the last resort. Sealed files of this machine, for what the store could not take.
 *
 * DATA_DIR/spool holds one file for each delivery, and one for each set of GHL ids that a worker learned
 * while the store was away. A file is written under a temporary name, fsynced, renamed, and the directory is
 * fsynced: what spool_put_* says is kept survives a crash of the machine. Nothing in a file or its name
 * identifies a person: the order's key is in the name as a keyed hash. A file goes only after the store has
 * its content.
 *
 * EACH FILE FOR ITSELF. What is to be known of a file stands in its name (spool_name.h). One that the store
 * refuses, or that cannot be read, waits before it is tried again, longer each time, and holds up no other.
 * One whose key is missing is `locked`: nobody opens it until a configured secret fits. One that nobody can
 * use is set aside as `.damaged` until a person acts. The namespace (prefix, location, dry run) keeps several
 * installs on one directory apart.
 *
 * MOVING is at least once. spool_next locks the file (flock), so that several processes may move the spool at
 * once; the kernel drops the lock of one that dies, and the file is handed out again. Only SPOOL_TAKEN, after
 * the store has it, removes it; a crash between the two repeats it, and the store's claim dedupes. A process
 * must not fork between spool_next and spool_end: the child would keep the lock.
 */
#pragma once

#include "spool/spool_name.h"

#define SPOOL_CONTENT_MAX (64L * 1024 * 1024 + 64L * 1024) /* bytes of one file's content, opened */

struct spool;

/* -- life cycle -- */

/* Makes DATA_DIR (its parent must exist) and DATA_DIR/spool, 0700, if missing. NULL with the error set. crypt
 * must outlive it. */
struct spool *spool_open(const struct config *config, const struct crypt *crypt, struct error *e) MUST_CHECK;
void spool_close(struct spool *spool); /* NULL is fine */
/* False if its directory was deleted while it was open: nothing can be put into it. */
bool spool_is_there(const struct spool *spool);

/* -- putting; true = it is on disk. False with the error set, and nothing left behind -- */

struct spool_delivery {
    const char *key;    /* the order's, "" or NULL = not known */
    const void *packed; /* headers and raw body, any bytes (delivery_pack) */
    size_t packed_len;
    int64_t arrived_ago_ms; /* 0 = now */
};
bool spool_put_delivery(const struct spool *spool, const struct spool_delivery *delivery,
                        struct error *e) MUST_CHECK;

struct spool_ids {
    const char *key;            /* the order's */
    const char *contact_id;     /* "" or NULL = nothing new */
    const char *opportunity_id; /* "" or NULL = nothing new */
    bool clear_attempt;         /* the create that these ids come from is done with */
};
bool spool_put_ids(const struct spool *spool, const struct spool_ids *ids, struct error *e) MUST_CHECK;

/* Is a delivery of this order in the spool, damaged ones aside? Looks at names only. */
bool spool_holds(const struct spool *spool, const char *key);

/* -- moving -- */

/* What became of a file. */
enum spool_fate {
    SPOOL_TAKEN,   /* the store has it */
    SPOOL_REFUSED, /* not now: it waits and is tried again */
    SPOOL_DAMAGED, /* it is no file of a form that this version knows */
};

/* One file, locked for the caller. Zero-initialise; ended by spool_end. */
struct spool_item {
    enum spool_kind kind;
    int64_t arrived_ago_ms;         /* by the boot clock if it is the same boot, else the wall's; never
                                       negative */
    struct spool_delivery delivery; /* kind DELIVERY; points into content. Its arrived_ago_ms is the above */
    struct spool_ids ids;           /* kind IDS; points into content. Never NULL in it */
    enum spool_fate unreadable;     /* after SPOOL_UNREADABLE: REFUSED (permissions, memory) or DAMAGED */
    struct error why;               /* and in words; the caller sets it if the store refuses */
    struct spool_name name;
    struct buf content;
    int fd;
};

enum spool_result {
    SPOOL_OK,
    SPOOL_NONE,       /* nothing to move now */
    SPOOL_UNREADABLE, /* item->why says why; end it with item->unreadable */
    SPOOL_FAILED,     /* the directory cannot be read; no item */
};

/* Begins a pass over the files that are due. old_keys: over those that were sealed with another key than the one that
 * seals now instead, due or not: put anew, and ended as TAKEN, they need that key no more. OK, NONE or FAILED. Old temporary
 * files are cleaned. */
enum spool_result spool_begin(struct spool *spool, bool old_keys, struct error *e) MUST_CHECK;
/* The next file of the pass that no other process is moving: ids first, then deliveries, the oldest first.
 * Each comes once in a pass. */
enum spool_result spool_next(struct spool *spool, struct spool_item *item, struct error *e) MUST_CHECK;

/* Ends the item and removes the file, lets it wait, or sets it aside. line: what the log should say, "" =
 * nothing (a file that is refused again and again is told once an hour). If the directory does not allow it,
 * the pass is over, and begins anew after a minute. */
void spool_end(struct spool *spool, struct spool_item *item, enum spool_fate fate, struct error *line);

/* -- for health and commands; costs one look at the directory -- */

struct spool_stats {
    long deliveries, ids; /* to be moved */
    long refused;         /* those of them that were tried in vain */
    int64_t oldest_ms;    /* age of the oldest of them; 0 = none */
    long locked;          /* their key is missing: */
    struct error needs;   /* what one of them needs; "" = none is locked */
    long damaged;         /* set aside */
    long foreign;         /* of other namespaces, of any kind */
};
bool spool_stats(const struct spool *spool, struct spool_stats *stats, struct error *e) MUST_CHECK;
