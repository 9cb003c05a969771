#include "queue/record.h"
#include <string.h>

/* A type and a member cannot stand in parentheses. NOLINTBEGIN(bugprone-macro-parentheses) */
#define INT(type, name, member)                                                                              \
    {                                                                                                        \
        name, FIELD_INT, offsetof(struct type, member), 0                                                    \
    }
#define FLAG(type, name, member)                                                                             \
    {                                                                                                        \
        name, FIELD_FLAG, offsetof(struct type, member), 0                                                   \
    }
#define TEXT(type, name, member)                                                                             \
    {                                                                                                        \
        name, FIELD_TEXT, offsetof(struct type, member), sizeof(((struct type *)0)->member)                  \
    }

#define BODY(prefix, member)                                                                                 \
    TEXT(order_record, prefix "_id", member.id), TEXT(order_record, prefix "_fp", member.fingerprint),       \
        TEXT(order_record, prefix "_status", member.status),                                                 \
        FLAG(order_record, prefix "_follows", member.follows),                                               \
        INT(order_record, prefix "_at", member.accepted_ms)
/* NOLINTEND(bugprone-macro-parentheses) */

/* What every record of a done order has is named by a letter or two: there are many of them. */
static const struct field order_fields[] = {
    TEXT(order_record, "ok",
         order_key), /* "k" was one that depended on the secret: those count as not known */
    TEXT(order_record, "later", newest),
    INT(order_record, "c", created_s),
    FLAG(order_record, "look", look),
    FLAG(order_record, "s", sold),
    FLAG(order_record, "erased", erased),
    FLAG(order_record, "restored", restored),
    INT(order_record, "m", modified_s),
    INT(order_record, "a", arrived_ms),
    TEXT(order_record, "f", fingerprint),
    TEXT(order_record, "h", hash_id),
    TEXT(order_record, "st", status),
    FLAG(order_record, "ended", ended),
    TEXT(order_record, "b", bytes),
    BODY("cur", current),
    BODY("next", waiting),
    INT(order_record, "tries", attempts),
    INT(order_record, "due", due_ms),
    TEXT(order_record, "reason", reason),
    TEXT(order_record, "lease", lease),
    INT(order_record, "lease_end", lease_ms),
    INT(order_record, "dead", dead_ms),
    {"attempt", FIELD_ENUM, offsetof(struct order_record, attempt.kind), ATTEMPT_KINDS},
    TEXT(order_record, "att_blob", attempt.blob),
    INT(order_record, "att_at", attempt.at_ms),
    INT(order_record, "att_window", attempt.window_ms),
    FLAG(order_record, "att_refused", attempt.refused),
    TEXT(order_record, "att_watch", attempt.watch),
    TEXT(order_record, "u", link.contact),
    TEXT(order_record, "former", link.former),
    TEXT(order_record, "o", link.opportunity),
    INT(order_record, "gone", link.gone_ms),
    TEXT(order_record, "p0", link.part[0]),
    TEXT(order_record, "p1", link.part[1]),
    TEXT(order_record, "p2", link.part[2]),
    TEXT(order_record, "p3", link.part[3]),
    TEXT(order_record, "e", link.email),
    FLAG(order_record, "n", link.made),
    INT(order_record, "unsettled", link.unsettled_ms),
    INT(order_record, "x", expires_ms),
};

static const struct field location_fields[] = {
    TEXT(location_record, "store_id", store_id),
    TEXT(location_record, "server", server),
    INT(location_record, "first_use", first_use_ms),
    INT(location_record, "up", up_ms),
    INT(location_record, "lost", lost_ms),
    TEXT(location_record, "shops", shops),
    TEXT(location_record, "site", site),
    INT(location_record, "reconcile", reconcile_ms),
    INT(location_record, "failures", failures),
    INT(location_record, "opened", opened),
    INT(location_record, "open_until", open_until_ms),
    INT(location_record, "probe_until", probe_until_ms),
    INT(location_record, "paused", paused_ms),
    INT(location_record, "pause_probe", pause_probe_ms),
    TEXT(location_record, "pause_token", pause_token),
    TEXT(location_record, "pause_reason", pause_reason),
};

static const struct field limiter_fields[] = {
    INT(limiter_record, "next", next_us),
    INT(limiter_record, "last", last_ms),
    INT(limiter_record, "day_left", day_left),
    INT(limiter_record, "day_until", day_until_ms),
    INT(limiter_record, "hold_until", hold_until_ms),
    TEXT(limiter_record, "hold_reason", hold_reason),
    INT(limiter_record, "shared_until", shared_until_ms),
};

#define COUNT(fields) (sizeof(fields) / sizeof *(fields))
const struct record_type order_record_type = {"order", sizeof(struct order_record), order_fields,
                                              COUNT(order_fields)};
const struct record_type location_record_type = {"location", sizeof(struct location_record), location_fields,
                                                 COUNT(location_fields)};
const struct record_type limiter_record_type = {"limiter", sizeof(struct limiter_record), limiter_fields,
                                                COUNT(limiter_fields)};

int64_t order_index_ms(const struct order_record *record, enum order_index index)
{
    bool queued = record->current.id[0] && !record->dead_ms;

    switch (index) {
    case INDEX_DUE: return !queued ? -1 : record->lease[0] ? record->lease_ms : record->due_ms;
    case INDEX_DEAD: return record->dead_ms ? record->dead_ms : -1;
    case INDEX_AGE: return queued ? record->current.accepted_ms : -1;
    case INDEXES: break;
    }
    return -1;
}

const char *order_other_status(const struct order_body *body)
{
    return body->status[0] && !body->follows ? body->status : NULL;
}

bool order_needs_nothing(const struct order_record *record)
{
    return !record->sold && !record->link.opportunity[0] && !record->current.id[0] && !record->dead_ms;
}

/* Without a modified time nothing tells whether bytes that come again are old ones or the newest. A deletion has none. A
 * dead letter is tried anew when it is delivered again. */
const char *order_known_bytes(const struct order_record *record)
{
    const char *space = strrchr(record->bytes, ' '), *last = space ? space + 1 : record->bytes;
    bool finished =
        record->fingerprint[0] && !record->current.id[0] && !record->dead_ms && !order_needs_nothing(record);
    bool known = finished && record->modified_s && !record->newest[0] && strcmp(last, RECORD_DELETION) != 0;

    return known ? last : "";
}

size_t order_blobs(const struct order_record *record, const char *id[RECORD_BLOBS])
{
    const char *const all[RECORD_BLOBS] = {record->current.id, record->waiting.id, record->attempt.blob};
    size_t n = 0;

    for (size_t i = 0; i < RECORD_BLOBS; i++)
        if (*all[i])
            id[n++] = all[i];
    return n;
}
