/*
 * resolve: names in the configuration -> ids in GHL.
 *
 * 20 letters or digits are an id and are sent without a look-up. Anything else is looked up, by id, then by
 * name, in the location's list, which is kept in the cache for an hour.
 */
#pragma once

#include "ghl/ghl.h"

/* The element of the array whose id, else whose name (in any case), is `wanted`; the first one for "".
 * Borrowed. */
const json_t *resolve_find(const json_t *array, const char *wanted);

/* GHL_PIPELINE_ID (or the location's first pipeline) and, in it, the stage named (NULL or "" = none;
 * *stage_id is then ""). GHL_OK, or the result of the look-up in *answer; an unknown name is GHL_CONFIG with
 * the message naming it. */
enum ghl_result resolve_pipeline(struct ghl *, const struct ghl_call *, const struct ghl_cache *,
                                 const char *stage, char pipeline_id[GHL_ID_SIZE], char stage_id[GHL_ID_SIZE],
                                 struct ghl_answer *answer) MUST_CHECK;

/* Asks GHL whether the configured pipeline and, in it, this stage (NULL or "" = none) are there. GHL_OK; GHL_CONFIG if
 * they are not; or what GHL answered. */
enum ghl_result resolve_check(struct ghl *, const struct ghl_call *, const struct ghl_cache *,
                              const char *stage, struct ghl_answer *answer) MUST_CHECK;
