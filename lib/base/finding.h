/*
 * finding: what an examination found, and what there is to do.
 *
 * `woo_ghl check` prints findings; whoever examines something (store, shop, GHL) adds them. Nothing here knows what is
 * examined. Texts may come from elsewhere: control characters and marks that disguise a text are dropped.
 */
#pragma once

#include "base/buf.h"
#include "base/json.h"

enum finding_level { FINDING_OK, FINDING_WARN, FINDING_FAIL };

struct finding {
    enum finding_level level;
    const char *area, *id; /* constants: "store", "eviction". Scripts know a finding by them: never renamed */
    char *what;            /* what was found; "" = nothing to add to the level */
    char *means;           /* what it means for orders; "" with ok */
    char *mend;            /* the command or click that mends it; "" with ok */
};

/* Zero-initialise; findings_free. */
struct findings {
    struct finding *item;
    size_t count;
    const char *area; /* of what is added next */
    bool failed;      /* out of memory: some are missing */
};
void findings_free(struct findings *findings);

/* Adds one of the current area. */
void findings_add(struct findings *findings, enum finding_level level, const char *id, const char *means,
                  const char *mend, const char *what, ...) PRINTF_LIKE(6, 7);
#define FINDINGS_OK(findings, id, ...) findings_add(findings, FINDING_OK, id, "", "", __VA_ARGS__)

size_t findings_count(const struct findings *findings, enum finding_level level);

/* One line for each, then what to do: the failures first. */
bool findings_print(const struct findings *findings, struct buf *out);
/* The same for scripts; the man page documents it. NULL when out of memory. */
json_t *findings_json(const struct findings *findings);
