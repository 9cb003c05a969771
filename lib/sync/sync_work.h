/*
 * sync_work: one leased order on its way to GHL, as the steps of sync see it. Only lib/sync includes this.
 *
 * Each step looks at the plan and the link, calls GHL if something differs, and says whether the next step may follow. A
 * step that stops has said how the work ends. Steps never call each other: one that finds the contact gone says so, and
 * sync begins again with the contact.
 */
#pragma once

#include "app/hold.h"
#include "ghl/fields.h"
#include "sync/sync.h"

#define SEARCH_LAG_MS 90000 /* GHL's search may not show for a minute and more what was written */
#define TROUBLE_WINDOW_MS (30LL * 60 * 1000) /* ... and longer while GHL is in trouble */
#define WRITE_SEND_MS 5000 /* a create's first byte leaves at most so long after it was recorded */

enum step { STEP_NEXT, STEP_STOP, STEP_CONTACT_GONE };

/* How the order leaves this worker. */
enum sync_end {
    SYNC_END_FINISH, /* GHL holds it, or needs nothing */
    SYNC_END_RETRY,  /* later; see delay_ms, counted, hold */
    SYNC_END_REFUSE, /* GHL refuses it */
    SYNC_END_LEAVE,  /* the lease is gone, or the store: tell nothing, its next holder goes on */
};

struct sync_work {
    struct app *app;
    struct order_work *work;
    struct work_terms terms; /* of every call to GHL */
    struct ghl_cache cache;
    int64_t deadline_mono_ms; /* of the whole work */

    struct planned *planned;
    const struct plan *plan;
    struct order_link link; /* what GHL holds as far as known; handed to the store at the end */
    bool contact_again;     /* the contact was gone once already */
    bool found;             /* the opportunity was found in GHL, with its contact */

    bool tags_added, tags_removed; /* GHL just showed, or was told: nothing to add, nothing to take off */

    enum sync_end end;
    char reason[64];              /* a word */
    char why[RECORD_REASON_SIZE]; /* for people: GHL's code, message, traceId */
    int64_t delay_ms;
    bool counted, hold;
};

/* Stops with this end. Always STEP_STOP. */
enum step sync_stop(struct sync_work *w, enum sync_end end, const char *reason);
enum step sync_stop_retry(struct sync_work *w, int64_t delay_ms, bool counted, const char *reason);
/* Stops for what GHL (or the way to it) answered: one place decides between retry, pause and dead letter. */
enum step sync_stop_answer(struct sync_work *w, const char *what, const struct ghl_answer *answer);
/* Stops for what the store answered. */
enum step sync_stop_store(struct sync_work *w, enum store_result result);
/* Stops for want of memory. */
enum step sync_stop_memory(struct sync_work *w);
/* Stops to look again in a moment: a create, or a write, may come true for left_ms more. */
enum step sync_stop_in_flight(struct sync_work *w, int64_t left_ms);

/* The terms of the next GHL call: inside the deadline, and never sent after the lease may have run out. */
struct ghl_call sync_call(const struct sync_work *w);

/* -- what GHL holds -- */

/* Does the part differ from what GHL holds? */
bool sync_differs(const struct sync_work *w, enum plan_part part);
/* The part is about to be written: unknown until sync_wrote says more. */
void sync_writes(struct sync_work *w, enum plan_part part);
/* A write of that part was answered: held if it is OK; a write that may be carried out late keeps the order in the queue
 * until its window is over. */
void sync_wrote(struct sync_work *w, enum plan_part part, const struct ghl_answer *answer);
/* GHL holds the plan's part now. */
void sync_holds(struct sync_work *w, enum plan_part part);

/* Ids that GHL gave, recorded at once; "" = none. STEP_STOP if the lease or the store is gone: they are spooled then. */
enum step sync_learn(struct sync_work *w, const char *contact, const char *opportunity);

/* -- creates -- */

/* Records that a create is about to be sent, and what to look for if nobody hears of it. */
enum step sync_attempt(struct sync_work *w, enum attempt_kind kind, const json_t *note);
/* What was recorded, the caller's; NULL = it is not readable. STEP_STOP: the store does not tell. */
enum step sync_attempt_note(struct sync_work *w, json_t **note);
/* Its answer, if it brought no id. */
enum step sync_attempt_answered(struct sync_work *w, const struct ghl_answer *answer);
/* How long after it began a create surely happened or not, and GHL's search shows it: longer if GHL is in trouble. */
int64_t sync_window_ms(const struct sync_work *w);
/* May the create have been carried out, and nobody told us? */
bool sync_attempt_is_open(const struct sync_work *w);
/* How long to wait until then, in steps; 0 = the window is over, or GHL refused the create. */
int64_t sync_in_flight_ms(const struct sync_work *w);

/* Custom fields of a part in GHL's form, with the order's mark if there is one. */
enum step sync_fields(struct sync_work *w, enum fields_model model, json_t *part, const char *mark);
/* An optional field that GHL does not take is left out of the body, with a warning. False: it is not that. */
bool sync_drop_refused(const struct sync_work *w, const char *what, json_t *body,
                       const struct ghl_answer *answer);

/* -- the steps -- */
enum step sync_look(struct sync_work *w); /* for an opportunity that the store does not know */
enum step sync_contact(struct sync_work *w);
enum step sync_tags(struct sync_work *w);
enum step sync_opportunity(struct sync_work *w);
enum step sync_note(struct sync_work *w);
enum step sync_erase(struct sync_work *w); /* GHL_ON_ERASE */

/* -- the search -- */

/* What tells this order's opportunity from others. */
struct sync_wanted {
    const char *name;     /* the exact name; "" = it tells nothing */
    const char *field;    /* the custom field that marks the order; "" = none */
    const char *contact;  /* one more contact to look at; "" = none */
    int64_t not_before_s; /* created in GHL before this, it is another's; 0 = any */
};
/* Fills name and field from the plan and the settings; field_room keeps the field's id. */
enum step sync_wanted(struct sync_work *w, struct sync_wanted *wanted, char field_room[GHL_ID_SIZE]);
bool sync_is_wanted(const struct sync_work *w, const json_t *opportunity, const struct sync_wanted *wanted);
/* What was found; id "" = nothing. */
struct sync_found {
    char id[GHL_ID_SIZE], contact[GHL_ID_SIZE];
};
/* Looks for it in the whole location by its name, and with every contact that this order had or, if that alone tells
 * enough, may have. It is one that no other order owns. */
enum step sync_search(struct sync_work *w, const struct sync_wanted *wanted, struct sync_found *found);

/* A contact that GHL has; id "" = there is none. */
struct sync_known {
    char id[GHL_ID_SIZE];
    char email[320];
    bool refused; /* GHL does not look for such an email or phone; that is logged */
};
/* The one with this email or, if that is "", with this phone now, without touching it. */
enum step sync_find_contact(struct sync_work *w, const char *email, const char *phone,
                            struct sync_known *known);

/* -- who owns an opportunity -- */

enum sync_owner { OWNER_TAKE, OWNER_TAKE_OVER, OWNER_LOOK };
/* OK: this order may have it (it is free, its own, or, with TAKE_OVER, its owner's order is not newer), and, but for
 * LOOK, has it now. NONE: another order owns it. UNAVAILABLE. */
enum store_result sync_own(struct sync_work *w, const char *opportunity, enum sync_owner how);

/* -- the customer, whom several orders may write -- */

struct sync_customer {
    char hash[2][RECORD_SHORT_SIZE]; /* of email and phone */
    size_t n;
    int64_t newest_s; /* the date of the newest order that wrote this customer */
};
/* Locks the plan's customer. STEP_STOP: another order has it, or the store is away. */
enum step sync_customer_lock(struct sync_work *w, struct sync_customer *customer);
void sync_customer_unlock(struct sync_work *w, const struct sync_customer *customer);
/* This order wrote it. */
void sync_customer_wrote(struct sync_work *w, const struct sync_customer *customer);

/* A contact that GHL cannot match: created once. */
enum step sync_contact_create(struct sync_work *w);
/* Such a create was begun: fills link.contact if it was carried out. */
enum step sync_contact_settle(struct sync_work *w);

/* GHL showed the contact as it is: tags that are right already need no call. */
void sync_tags_seen(struct sync_work *w, const json_t *contact);
