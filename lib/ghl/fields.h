/*
 * fields: custom fields of the configuration -> what GHL takes for them.
 *
 * The location's fields are asked for once and kept in the cache for an hour. A field is named by its id, its
 * key ("contact.utm_source", or "utm_source") or its name. One that is unknown, or that a value does not fit,
 * is logged and left out: it never holds up an order.
 */
#pragma once

#include "ghl/ghl.h"

enum fields_model { FIELDS_CONTACT, FIELDS_OPPORTUNITY };

/* The field of that model in the location's list (as ghl_custom_fields gives it); NULL = there is none.
 * Borrowed. */
const json_t *fields_find(const json_t *list, enum fields_model model, const char *key);
/* Can a text, a number or a list of texts be put into it? Not into files, signatures, lists of boxes. */
bool fields_can_hold(const json_t *field);

/* Makes GHL's form of body["customFields"] as the plan has them: [{id, field_value}], numbers, dates and
 * lists by the field's type. `mark` is put into GHL_ORDER_FIELD; NULL = none. What is in GHL's form already
 * stays. GHL_OK, or what GHL answered. */
enum ghl_result fields_resolve(struct ghl *, const struct ghl_call *, const struct ghl_cache *,
                               enum fields_model model, json_t *body, const char *mark,
                               struct ghl_answer *answer) MUST_CHECK;

/* The id of GHL_ORDER_FIELD; "" if none is set, or the location has none of that name. GHL_OK, or what GHL
 * answered; GHL_CONFIG if it is unknown and nothing else tells an order's opportunity from another's. */
enum ghl_result fields_mark(struct ghl *, const struct ghl_call *, const struct ghl_cache *,
                            char id[GHL_ID_SIZE], struct ghl_answer *answer) MUST_CHECK;

/* The text of a field in an opportunity that GHL answered; "" = none. Borrowed. */
const char *fields_value(const json_t *opportunity, const char *id);

/* GHL refused an id: the list is asked for anew at the next need. */
void fields_forget(const struct ghl_cache *);
