/*
 * sync_work: one leased entry on its way to GHL, as the steps of sync see it. Only sync*.c include this.
 *
 * Each step looks at the plan and the link, calls GHL if something differs, and says whether the next step
 * may follow. A step that stops has said how the entry ends.
 */
#ifndef WOO_GHL_SYNC_WORK_H
#define WOO_GHL_SYNC_WORK_H

#include "app/hold.h"
#include "ghl/fields.h"
#include "order/delivery.h"
#include "sync/sync.h"

#define SEARCH_LAG_MS 90000 /* GHL's search may not show for a minute and more what was written */

enum step { STEP_NEXT, STEP_STOP };

/* How the entry leaves this worker. */
enum sync_end {
    END_FINISH, /* GHL holds it, or needs nothing */
    END_RETRY,  /* later; see delay_ms, counted, hold */
    END_PARK,   /* GHL refuses it */
    END_LEAVE,  /* the lease is gone, or the store: tell nothing, its next holder goes on */
};

struct sync_work {
    struct app *app;
    struct gate_watch watch; /* the terms of its calls */
    struct ghl_cache cache;
    struct store_entry *entry;
    int64_t deadline_mono_ms; /* of the whole work */
    int64_t lease_mono_ms; /* until then the lease is surely ours: counted from before the store was asked */

    struct delivery delivery;
    struct order order;
    struct plan plan;
    struct store_link link; /* what GHL holds as far as known; written back by finish */

    bool tags_added, tags_removed; /* GHL just showed, or was told: nothing to add, nothing to take off */

    enum sync_end end;
    char reason[64];             /* a word */
    char why[STORE_REASON_SIZE]; /* for people: GHL's code, message, traceId */
    int64_t delay_ms;
    bool counted, hold;
};

/* Stops with this end. Always STEP_STOP. */
enum step sync_stop(struct sync_work *w, enum sync_end end, const char *reason);
enum step sync_stop_retry(struct sync_work *w, int64_t delay_ms, bool counted, const char *reason);
/* Stops for what GHL (or the way to it) answered: one place decides between retry, pause and park. */
enum step sync_stop_answer(struct sync_work *w, const char *what, const struct ghl_answer *answer);

/* The terms of the next GHL call: inside the deadline, and never sent after the lease may have run out. */
struct ghl_call sync_call(const struct sync_work *w);

/* May this answer be one to a create that was carried out? So may one that only redirects: some do after the
 * effect. */
bool sync_may_have_happened(const struct ghl_answer *answer);

/* Records progress; STEP_STOP when the lease or the store is gone. */
enum step sync_progress(struct sync_work *w, const struct store_progress *progress);

/* Does the part differ from what GHL holds? */
bool sync_differs(const struct sync_work *w, enum plan_part part);
/* GHL holds the plan's part now. */
void sync_holds(struct sync_work *w, enum plan_part part);

/* Custom fields of a part in GHL's form, with the order's mark if there is one. */
enum step sync_fields(struct sync_work *w, enum fields_model model, json_t *part, const char *mark);
/* GHL does not take the part's custom fields, whatever else it says: they are left out. False: it is not
 * that. */
bool sync_drop_fields(const struct sync_work *w, json_t *part, const struct ghl_answer *answer);

/* Is it only to be looked for? A state that creates nothing, of an order that may have a card which the store
 * does not know: nothing may be written before the card is found. */
bool sync_only_looks(const struct sync_work *w);

/* -- the steps -- */
enum step sync_contact(struct sync_work *w);
enum step sync_tags(struct sync_work *w);
enum step sync_opportunity(struct sync_work *w);
enum step sync_note(struct sync_work *w);

/* This order's card at that contact, for an order that the store may not remember. Fills `id` with one that
 * no other order owns; "" when there is none. */
enum step sync_find_card(struct sync_work *w, const char *contact_id, char id[GHL_ID_SIZE]);
/* The contact does not exist any more: forget its id, upsert anew. Once a work. */
enum step sync_contact_again(struct sync_work *w);
/* GHL showed the contact as it is: tags that are right already need no call. */
void sync_tags_seen(struct sync_work *w, const json_t *contact);

#endif
