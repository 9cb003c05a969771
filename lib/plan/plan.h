/*
 * plan: order + configuration -> what GHL should hold for it, and its fingerprint.
 *
 * Pure: no clock, no store, no network. Names (pipeline, stage, custom field) are still names here; sync
 * resolves them.
 */
#pragma once

#include "base/digest.h"
#include "config/config.h"
#include "order/order.h"

/* The parts of a plan that GHL is told separately. sync calls GHL only for a part whose hash differs from the
 * link's. */
enum plan_part { PLAN_CONTACT, PLAN_TAGS, PLAN_OPPORTUNITY, PLAN_NOTE, PLAN_PARTS };

#define PLAN_TAGS_HALF 32 /* hex digits */

struct plan {
    enum outcome outcome; /* IGNORE: the status makes no opportunity and changes none */
    bool status_only;     /* an order.deleted: only the opportunity's status is told, content is unknown */

    /* GHL_STATUS_MAP does not name the status, and it is no draft's: IGNORE. An opportunity that the order
     * has keeps its status and stage, but the rest follows and is planned. Of other IGNOREs nothing is
     * planned. */
    bool follows;
    bool unmapped_paid; /* the same of a paid order: the owner has to hear that it makes no sale */
    /* The shop erased the person: no contact, tags, note, source, fields. An opportunity that the order has
     * follows in status, stage and value. */
    bool erased;
    bool sub_order; /* a part of another order, which does not count (SUB_ORDERS): it makes nothing */

    char *key;          /* owned; "shop:1001", what the store and the log call this order */
    char *shop;         /* owned; the shop's name */
    const char *number; /* borrowed from the order */
    int64_t created_s, modified_s;
    int64_t sale_s; /* when it was paid, else created, s since 1970; 0 = the order does not say */

    /* What to send, each a JSON object or array, owned; NULL = nothing to send for it. Numbers are numbers
     * here. No empty values. */
    json_t *contact;     /* GHL's contact fields, without locationId, tags, source; customFields as below. {}
                          * if the order says nothing of its person */
    json_t *tags;        /* strings to add, but for those that are to remove */
    json_t *tags_remove; /* strings to take off */
    json_t *opportunity; /* name, monetaryValue, status; "stage" is a name or id and no field of GHL's. Of an
                          * erased order the name only if its template tells nothing of a person */
    /* customFields of both: {"the configured id or key": ["whole text", "each", "value"]}; fields.h makes
     * GHL's form of it */
    char *note;         /* text, or NULL */
    char *source;       /* for a new contact and opportunity; "" = none */
    char *standin_name; /* owned; for a new contact if this one has no name; "" = it has, or there is none */
    char amount_note[128]; /* why there is no monetaryValue, for a warning; "" = there is one */
    char phone_left_out[16], email_left_out[64]; /* see contact_notes */
    bool phone_shared; /* no contact is to be found by this phone: it is a switchboard's */

    char fingerprint[DIGEST_HEX_SIZE];
    char part_hash[PLAN_PARTS][DIGEST_HEX_SIZE]; /* "" where the part is NULL; of the tags one half is the
                                                  * hash of those to add, the other of those to remove */
};

enum plan_result {
    PLAN_OK,
    PLAN_FOREIGN_SHOP, /* WOO_SHOPS does not know the body's links (a staging clone): `e` names the host */
    PLAN_FAILED,       /* out of memory, or a template that cannot be rendered */
};

/* `hash_key` keys fingerprint and hashes (DIGEST_LEN bytes). `source` is X-WC-Webhook-Source or "". The order
 * must outlive the plan. Free in every case. */
enum plan_result plan_make(const struct order *order, const char *source, const struct config *config,
                           const unsigned char *hash_key, struct plan *out, struct error *e) MUST_CHECK;
void plan_free(struct plan *plan);

/* Was it a sale before start_s (s since 1970), in the shop's past? An order that does not say when it was
 * sold is one of today. */
bool plan_is_before(const struct plan *plan, int64_t start_s);

/* Puts the stand-in name into a contact that is about to be made and has neither email, phone, nor name.
 * False when out of memory. */
bool plan_name_new_contact(struct plan *plan) MUST_CHECK;

/* The contact's own email and E.164 phone as planned; "" = none. Borrowed. */
const char *plan_email(const struct plan *plan);
const char *plan_phone(const struct plan *plan);
