/*
 * spool: the last resort. Sealed files of this machine, for what the store could not take.
 *
 * DATA_DIR/spool holds one file for each delivery, and one for each set of GHL ids that a worker learned
 * while the store was away. A file is written under a temporary name, fsynced, renamed, and the directory is
 * fsynced: what spool_put_* says is kept survives a crash of the machine. Nothing in a file or its name
 * identifies a person. It never deletes what was not handed to the store: a file that cannot be opened is set
 * aside.
 *
 * NAMES: WALL_MSrRANDOM.nNAMESPACE.KIND, so that they sort by arrival. KIND is `delivery` or `ids`; set
 * aside, it gains `.locked` (its key is not to be had) or `.damaged`. NAMESPACE is a tag of the store's:
 * several installs on one directory never move each other's files.
 *
 * MOVING is at least once. spool_next locks the file (flock), so that several processes may move the spool at
 * once; the kernel drops the lock of one that dies, and the file is handed out again. Only spool_remove,
 * after the store has it, ends it; a crash between the two repeats it, and the store's claim dedupes.
 * A process must not fork between spool_next and spool_remove or spool_release: the child would keep the
 * lock.
 */
#ifndef WOO_GHL_SPOOL_H
#define WOO_GHL_SPOOL_H

#include "crypt/vault.h"

#define SPOOL_CONTENT_MAX (STORE_BODY_MAX + 64L * 1024) /* bytes of one file's content, opened */

#define SPOOL_NAME_SIZE 80

struct spool;

/* -- life cycle -- */

/* Makes DATA_DIR (its parent must exist) and DATA_DIR/spool, 0700, where missing. NULL with the error set.
 * The vault must outlive it. */
struct spool *spool_open(const struct config *config, struct vault *vault, struct error *e) MUST_CHECK;
void spool_close(struct spool *spool); /* NULL is fine */
/* False when its directory was deleted while it was open: nothing can be put into it. */
bool spool_is_there(const struct spool *spool);

/* -- putting; true = it is on disk -- */

struct spool_delivery {
    const char *key;    /* the order's, "" or NULL = not known */
    const void *packed; /* headers and raw body, any bytes (delivery_pack) */
    size_t packed_len;
    int64_t arrived_ago_ms; /* 0 = now */
};

/* False with the error set, and nothing left behind: no space, no permission. */
bool spool_put_delivery(struct spool *spool, const struct spool_delivery *delivery,
                        struct error *e) MUST_CHECK;

struct spool_ids {
    const char *key;            /* the order's */
    const char *contact_id;     /* "" or NULL = nothing new */
    const char *opportunity_id; /* "" or NULL = nothing new */
    bool clear_attempt;         /* the create that these ids come from is done with */
};
bool spool_put_ids(struct spool *spool, const struct spool_ids *ids, struct error *e) MUST_CHECK;

/* -- moving -- */

enum spool_kind { SPOOL_IDS, SPOOL_DELIVERY };

/* One file, locked for the caller. Zero-initialise; ended by spool_remove, spool_release or
 * spool_quarantine. */
struct spool_item {
    enum spool_kind kind;
    int64_t arrived_ago_ms;         /* by the boot clock when it is the same boot, else the wall's; never
                                       negative */
    struct spool_delivery delivery; /* kind DELIVERY; points into content. Its arrived_ago_ms is the above */
    struct spool_ids ids;           /* kind IDS; points into content. Never NULL in it */
    enum vault_result unreadable;   /* after SPOOL_UNREADABLE: UNKNOWN_KEY, DAMAGED, or FAILED (not to be read
                                       now: permissions, memory) */
    struct error why;               /* and in words */
    char name[SPOOL_NAME_SIZE];     /* the file's, for the log */
    struct buf content;
    int fd;
};

enum spool_result {
    SPOOL_OK,
    SPOOL_NONE,       /* nothing to move now; the next call begins anew */
    SPOOL_BUSY,       /* ids, which come before any delivery, are with another process or were released: the
                         deliveries have to wait; the next call begins anew */
    SPOOL_UNREADABLE, /* item->why says why: spool_quarantine or spool_release it */
    SPOOL_FAILED,     /* the directory cannot be read; no item */
};

/* Begins a pass anew, whatever was left of the last: to be called before the first spool_next of a mover that
 * may have stopped in the middle earlier. */
void spool_begin(struct spool *spool);

/* The oldest file that nobody is moving: ids first, then deliveries. A released item comes again only after a
 * NONE or BUSY; released ids make it BUSY before any delivery. Old temporary files are cleaned on the way. */
enum spool_result spool_next(struct spool *spool, struct spool_item *item, struct error *e) MUST_CHECK;

/* The store has it: the file goes. False when it could not be removed (it will come again; the item is freed
 * in any case). */
bool spool_remove(struct spool *spool, struct spool_item *item, struct error *e) MUST_CHECK;
/* It stays for a later pass: the store failed again. */
void spool_release(struct spool *spool, struct spool_item *item);
/* After UNREADABLE: it is set aside under another name and stays until a person acts (one that FAILED stays
 * as it is). `alert` names the file and what it needs. Only while the vault is settled: before that a key may
 * merely not be there yet. False: it could not be renamed, and comes again. */
bool spool_quarantine(struct spool *spool, struct spool_item *item, struct error *alert);

/* Puts what was set aside for a missing key back into the spool, for another try: at a drain's start, or
 * after secrets changed. How many; -1 with the error set. */
long spool_retry_locked(struct spool *spool, struct error *e);

/* -- for health and commands; costs one look at the directory -- */

struct spool_stats {
    long deliveries, ids; /* to be moved */
    int64_t oldest_ms;    /* age of the oldest of them; 0 = none */
    long locked, damaged; /* set aside */
    long foreign;         /* of other namespaces, of any kind */
};
bool spool_stats(const struct spool *spool, struct spool_stats *stats, struct error *e) MUST_CHECK;

#endif
