#include "accept/accept.h"
#include "accept/accept_log.h"
#include "app/alert.h"
#include "app/ready.h"
#include "base/clock.h"
#include "base/text.h"
#include "plan/shop.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One delivery on its way. */
struct visit {
    struct app *app;
    const struct accept_delivery *delivery;
    struct acceptance *out;
    struct planned planned;
    struct buf made;    /* what was packed here */
    const char *packed; /* headers and bytes, as they are kept; NULL = not packed yet */
    size_t packed_len;
    char bytes[RECORD_SHORT_SIZE];   /* hash of the exact body */
    char status[RECORD_STATUS_SIZE]; /* the order's; the code of what came in its place */
    bool ready;                      /* orders can be claimed; if not, `trouble` says why */
    struct error trouble;
    int64_t began_mono_ms;
};

static void end(struct visit *v, enum accepted result, const char *reason)
{
    v->out->result = result;
    text_copy(v->out->reason, sizeof v->out->reason, reason);
}

/* Puts headers and bytes into the form in which they are kept. False if memory is short. */
static bool pack(struct visit *v)
{
    const struct accept_delivery *d = v->delivery;

    if (!v->packed && d->packed) {
        v->packed = d->packed;
        v->packed_len = d->packed_len;
    } else if (!v->packed && delivery_pack(&d->headers, d->bytes, d->len, &v->made)) {
        v->packed = v->made.data;
        v->packed_len = v->made.len;
    }
    return v->packed != NULL;
}

/* -- keeping it elsewhere -- */

/* The store cannot take it: a sealed file of this machine does. */
static void spool(struct visit *v, const char *trouble)
{
    struct app *app = v->app;
    struct error e = ERROR_NONE;
    bool kept = false;

    error_set(&v->out->trouble, "%s", trouble);
    if (v->delivery->origin != ORIGIN_WEBHOOK) { /* whoever brought it keeps it */
        end(v, ACCEPTED_AWAY, "store_unavailable");
        return;
    }
    if (!app->spool)
        error_set(&e, "The spool is not open");
    else if (!pack(v))
        error_set(&e, "Out of memory");
    else
        kept = spool_put_delivery(app->spool,
                                  &(struct spool_delivery){.key = v->planned.plan.key,
                                                           .packed = v->packed,
                                                           .packed_len = v->packed_len,
                                                           .arrived_ago_ms = v->delivery->arrived_ago_ms},
                                  &e);
    end(v, kept ? ACCEPTED_SPOOLED : ACCEPTED_AWAY, "store_unavailable");
    accept_log_spooled(app, v->out, kept, trouble, e.text);
}

static void spool_for(struct visit *v, enum store_result result)
{
    if (result == STORE_FULL && v->delivery->origin == ORIGIN_SPOOL) {
        error_set(&v->out->trouble, "%s", store_trouble(v->app->store));
        end(v, ACCEPTED_REFUSED, "store_full");
        return;
    }
    spool(v, store_trouble(v->app->store));
}

static const char *why_not_kept(const struct visit *v)
{
    return v->ready ? store_trouble(v->app->store) : v->trouble.text;
}

/* -- what is no order -- */

/* What cannot be read is kept as a dead letter of its own. */
static void keep_unread(struct visit *v, const struct order_verdict *verdict)
{
    char key[RECORD_SHORT_SIZE + 8];
    enum store_result kept = STORE_UNAVAILABLE;
    bool too_many = !strcmp(verdict->reason, "too_many_values");

    snprintf(key, sizeof key, "bad:%s", v->bytes);
    if (v->ready && pack(v))
        kept = orders_keep_bytes(&v->app->orders, key, v->packed, v->packed_len,
                                 too_many ? verdict->advice : "not decodable as JSON");
    if (kept != STORE_OK) {
        spool(v, why_not_kept(v));
        if (v->out->result == ACCEPTED_AWAY)
            return;
    }
    end(v, too_many ? ACCEPTED_UNREAD : ACCEPTED_BAD_JSON, verdict->reason);
    accept_log_unread(v->app, v->out, v->delivery->len);
}

/* Nothing of it is worth keeping but that it came: a reconcile is wanted. That survives a store that is away. */
static void ignore_not_order(struct visit *v, const struct order_verdict *verdict)
{
    char counter[80];

    if (v->delivery->origin != ORIGIN_FETCHED) {
        snprintf(counter, sizeof counter, "count/%s", verdict->reason);
        if (!v->ready || store_count(v->app->store, counter) != STORE_OK ||
            orders_want_reconcile(&v->app->orders) != STORE_OK) {
            spool(v, why_not_kept(v));
            if (v->delivery->origin == ORIGIN_SPOOL)
                return; /* it stays there */
        }
        accept_alert_not_order(v->app, verdict);
    }
    (void)text_copy(v->status, sizeof v->status, verdict->code ? verdict->code : "");
    end(v, ACCEPTED_IGNORED, verdict->reason);
    accept_log_ignored(v->app, v->delivery, v->out, LOG_LEVEL_WARN, verdict->advice);
}

/* -- orders that are not for GHL -- */

#define BEFORE_START "count/before_start" /* a counter, for `status` */

/* -- an order -- */

/* An older version that lies in the spool must be known before the order's end is judged: without it the end is that of an
 * order that was never sold, and the value that the end brings is not kept. */
static bool comes_after_the_spool(const struct visit *v)
{
    return !outcome_creates(v->planned.plan.outcome) && v->delivery->origin != ORIGIN_SPOOL &&
           v->app->spool && spool_holds(v->app->spool, v->planned.plan.key);
}

static enum arrival_kind kind_of(const struct visit *v)
{
    const struct plan *plan = &v->planned.plan;

    if (plan->outcome == OUTCOME_IGNORE)
        return ARRIVAL_FOLLOWS;
    if (!outcome_creates(plan->outcome) || plan->erased || plan->sub_order ||
        (!v->delivery->past_too && plan_is_before(plan, sync_start_s(v->app))))
        return ARRIVAL_ENDS;
    return ARRIVAL_SELLS;
}

static bool is_past(const struct visit *v)
{
    const struct plan *plan = &v->planned.plan;

    return outcome_creates(plan->outcome) && !plan->erased && !plan->sub_order && kind_of(v) == ARRIVAL_ENDS;
}

static void take_outcome(struct visit *v, const struct sync_outcome *outcome)
{
    text_copy(v->out->ghl_id, sizeof v->out->ghl_id, outcome->ghl_id);
    switch (outcome->result) {
    case SYNC_DONE: end(v, ACCEPTED_SYNCED, ""); break;
    case SYNC_NOTHING: end(v, ACCEPTED_IGNORED, outcome->reason); break;
    case SYNC_QUEUED: end(v, ACCEPTED_QUEUED, outcome->reason); break;
    case SYNC_DEAD: end(v, ACCEPTED_DEAD, "dead_letter"); break;
    }
}

static void work_now(struct visit *v, struct order_work *work)
{
    struct accept_about about;
    accept_about(v->app, v->delivery, &v->planned, &about);
    /* A body of its own status alone is planned as it is; another's counts after it was planned anew. */
    bool same = !work->record.current.status[0];
    struct sync_outcome outcome =
        sync_order(v->app, work, same ? &v->planned : NULL, v->delivery->work_until_mono_ms);

    if (same)
        v->planned = (struct planned){0};
    if (outcome.left)
        accept_rescue(v->app, work, outcome.reason);
    take_outcome(v, &outcome);
    if (v->out->result == ACCEPTED_IGNORED && !strcmp(v->out->reason, "before_start"))
        app_count(v->app, BEFORE_START);
    accept_log_worked(v->app, v->out, &about);
    order_work_free(work);
}

/* Leased, but not to be worked on now after all. */
static void put_back(struct visit *v, struct order_work *work, const char *reason)
{
    if (orders_retry(&v->app->orders, work, &work->record.link, 0, false, false, reason) == STORE_UNAVAILABLE)
        log_event(v->app->log, LOG_LEVEL_WARN, "store", NULL,
                  "The store did not take an order back: it is due again when its lease ends");
    end(v, ACCEPTED_QUEUED, reason);
}

static const char *why_queued(const struct orders_claimed *claimed)
{
    switch (claimed->hold) {
    case HOLD_PAUSED: return "paused";
    case HOLD_BREAKER: return "ghl_unavailable";
    case HOLD_NONE: break;
    }
    return "later";
}

static const char *why_ignored(const struct visit *v)
{
    if (v->planned.plan.sub_order)
        return "sub_order";
    if (v->planned.plan.outcome == OUTCOME_IGNORE)
        return "status_not_mapped";
    return is_past(v) ? "before_start" : "never_sold";
}

static void take_claimed(struct visit *v, const struct orders_claimed *claimed, struct order_work *work)
{
    int64_t limit = v->app->config.rate_limit_per_day;
    bool over = limit > 0 && claimed->client_count > limit;

    text_copy(v->out->key, sizeof v->out->key, claimed->key);
    if (v->planned.plan.status_only && claimed->record.restored && claimed->claim <= CLAIM_BUSY)
        accept_log_deleted_again(v->app, v->out);
    if ((unsigned)claimed->claim > CLAIM_OTHER_ORDER) {
        spool(v, "the claim ended in a way that this version does not know");
        return;
    }
    switch (claimed->claim) {
    case CLAIM_LEASED:
        if (!over && claimed->hold == HOLD_NONE) {
            work_now(v, work);
            return;
        }
        put_back(v, work, over ? "rate_limited" : why_queued(claimed));
        break;
    case CLAIM_QUEUED: end(v, ACCEPTED_QUEUED, over ? "rate_limited" : why_queued(claimed)); break;
    case CLAIM_BUSY: end(v, ACCEPTED_QUEUED, "busy"); break;
    case CLAIM_DUPLICATE:
        /* A redelivery of what needed nothing in GHL is answered as the first one was. */
        if (v->delivery->origin == ORIGIN_WEBHOOK && order_needs_nothing(&claimed->record))
            end(v, ACCEPTED_IGNORED, why_ignored(v));
        else
            end(v, ACCEPTED_DUPLICATE, "duplicate");
        break;
    case CLAIM_STALE: end(v, ACCEPTED_STALE, "stale"); break;
    case CLAIM_IGNORED:
        if (v->planned.plan.sub_order)
            accept_alert_sub_order(v->app);
        else if (is_past(v))
            app_count(v->app, BEFORE_START);
        /* A deletion names nothing to look for; a reconcile finds the whole order in the bin. */
        if (v->planned.plan.status_only && v->app->orders.location.lost_ms &&
            orders_want_reconcile(&v->app->orders) != STORE_OK) {
            spool(v, store_trouble(v->app->store));
            return;
        }
        if (v->planned.plan.unmapped_paid)
            accept_alert_unmapped(v->app, &v->planned);
        end(v, ACCEPTED_IGNORED, why_ignored(v));
        break;
    case CLAIM_OTHER_ORDER: spool(v, "its id was given to a third order meanwhile"); return;
    }
    accept_log_claimed(v->app, v->delivery, v->out, &v->planned);
}

/* An order is known by it for as long as there are records: it is the same whatever secret is configured. The order_key
 * is a random word of WooCommerce's, so that this hash, of so few digits, gives nothing away. */
static bool hash_order_key(const char *order_key, char out[RECORD_SHORT_SIZE])
{
    static const char key[] = "woo_ghl";
    char hex[DIGEST_HEX_SIZE] = "";
    bool good =
        !*order_key || digest_label_hex(key, sizeof key, "order_key", order_key, strlen(order_key), hex);

    snprintf(out, RECORD_SHORT_SIZE, "%.*s", RECORD_SHORT_SIZE - 1, hex);
    return good;
}

static void claim(struct visit *v)
{
    const struct plan *plan = &v->planned.plan;
    char order_key[RECORD_SHORT_SIZE];
    struct order_work work = {0};
    struct orders_claimed claimed;

    if (!hash_order_key(v->planned.order.order_key, order_key)) {
        spool(v, "libcrypto failed");
        return;
    }
    const struct orders_claim claim = {
        .key = plan->key,
        .arrival = {.origin = v->delivery->origin,
                    .kind = kind_of(v),
                    .status_only = plan->status_only,
                    .erased = plan->erased,
                    .sold = v->delivery->sold,
                    .moved = v->delivery->moved,
                    .part = plan->sub_order,
                    .order_key = order_key,
                    .created_s = plan->created_s,
                    .modified_s = v->delivery->modified_s && !plan->status_only ? v->delivery->modified_s
                                                                                : plan->modified_s,
                    .fingerprint = v->planned.fingerprint,
                    .hash_id = v->app->hash_id,
                    .bytes = v->bytes,
                    .status = v->planned.order.status,
                    .other_status = v->delivery->status != NULL},
        .arrived_ago_ms = v->delivery->arrived_ago_ms,
        .body = v->packed,
        .body_len = v->packed_len,
        .client = v->delivery->client,
        .work = v->delivery->work_until_mono_ms > 0,
    };
    enum store_result result = orders_claim(&v->app->orders, &claim, &claimed, &work);
    if (result == STORE_OK)
        take_claimed(v, &claimed, &work);
    else
        spool_for(v, result);
    order_work_free(&work);
}

/* Another shop's order, or one of a shop that the settings name no more: kept until a person decides. */
static void keep_foreign(struct visit *v, const char *why)
{
    char key[RECORD_SHORT_SIZE + 16];
    enum store_result kept = STORE_UNAVAILABLE;

    snprintf(key, sizeof key, "foreign:%s", v->bytes);
    if (v->ready && pack(v))
        kept = orders_keep_bytes(&v->app->orders, key, v->packed, v->packed_len, why);
    if (kept != STORE_OK) {
        spool(v, why_not_kept(v));
        return;
    }
    text_copy(v->out->key, sizeof v->out->key, key);
    end(v, ACCEPTED_FOREIGN, "foreign_shop");
    accept_log_foreign(v->app, v->delivery, v->out, why);
}

/* Without WOO_SHOPS the first site whose order is accepted is the shop; a copy of it has the same secret. */
static bool is_other_site(const struct visit *v, struct error *e)
{
    const char *known = v->app->orders.location.site;
    char *site = shop_site(&v->planned.order, v->delivery->headers.source);
    bool other = v->app->config.shops.count == 0 && site && *site && *known && strcmp(site, known) != 0;

    if (other)
        error_set(e,
                  "The delivery names %.100s, but the orders of %.100s are the ones that count. If both are "
                  "your shop, set WOO_SHOPS='%s=%.100s,%.100s'; the order is kept: see `woo_ghl failed`",
                  site, known, v->app->config.shop, known, site);
    free(site);
    return other;
}

static bool saw_rule(struct location_record *location, int64_t now_ms, void *context)
{
    const struct visit *v = context;

    (void)now_ms;
    return location_saw_shop(location, v->planned.plan.shop, v->planned.order.site);
}

/* True if the store knows that orders come under this shop's name and from its site. */
static bool note_shop(struct visit *v)
{
    const struct location_record *known = &v->app->orders.location;

    if (location_has_shop(known, v->planned.plan.shop) && (*known->site || !*v->planned.order.site))
        return true;
    return orders_location(&v->app->orders, saw_rule, v) == STORE_OK;
}

static void accept_order(struct visit *v)
{
    const struct plan *plan = &v->planned.plan;
    struct error e = ERROR_NONE;

    text_copy(v->out->key, sizeof v->out->key, plan->key);
    text_copy(v->out->number, sizeof v->out->number, plan->number);
    text_copy(v->status, sizeof v->status, v->planned.order.status);
    if (v->delivery->only_key && strcmp(v->delivery->only_key, plan->key) != 0) {
        end(v, ACCEPTED_OTHER, "another_order");
        return;
    }
    if (v->planned.order.api_v1)
        accept_alert_api_v1(v->app);
    if (plan->outcome == OUTCOME_IGNORE && !plan->follows) { /* a draft: nothing was bought */
        end(v, ACCEPTED_IGNORED, "status_not_mapped");
        accept_log_claimed(v->app, v->delivery, v->out, &v->planned);
        return;
    }
    if (!v->ready) {
        spool(v, v->trouble.text);
        return;
    }
    if (!note_shop(v)) {
        spool(v, store_trouble(v->app->store));
        return;
    }
    if (is_other_site(v, &e)) {
        keep_foreign(v, e.text);
        return;
    }
    accept_note_plan(v->app, &v->planned);
    if (comes_after_the_spool(v)) {
        spool(v, "older versions of this order lie in the spool, and this one must not overtake them");
        return;
    }
    if (pack(v))
        claim(v);
    else
        spool(v, "out of memory");
}

/* The very bytes of an order's latest version, once more: nothing is read of them, and nothing changes, whatever else the
 * store may have forgotten. */
static bool is_redelivery(struct visit *v)
{
    struct acceptance *out = v->out;

    if (v->delivery->origin != ORIGIN_WEBHOOK || !order_headers_fit(&v->delivery->headers) ||
        !app_open_store(v->app, &v->trouble) ||
        orders_known_bytes(&v->app->orders, v->bytes, out->key) != STORE_OK)
        return false;
    const char *id = strchr(out->key, ':'); /* "shop:1001", or "shop:1001/HASH" */
    id = id ? id + 1 : out->key;
    (void)text_format(out->number, sizeof out->number, "%.*s", (int)strcspn(id, "/"), id);
    end(v, ACCEPTED_DUPLICATE, "duplicate");
    accept_log_claimed(v->app, v->delivery, out, &v->planned);
    return true;
}

static void read_delivery(struct visit *v)
{
    const struct accept_delivery *delivery = v->delivery;
    struct order_verdict verdict;
    struct error e = ERROR_NONE;

    switch (planned_make(v->app, delivery->bytes, delivery->len, &delivery->headers, delivery->status,
                         &v->planned, &verdict, &e)) {
    case PLANNED_OK: accept_order(v); break;
    case PLANNED_NO_MEMORY: spool(v, "out of memory"); break;
    case PLANNED_BAD_JSON:
        if (delivery->origin == ORIGIN_FETCHED && !strcmp(verdict.reason, "bad_json"))
            spool(v, verdict.advice);
        else
            keep_unread(v, &verdict);
        break;
    case PLANNED_NOT_ORDER: ignore_not_order(v, &verdict); break;
    case PLANNED_FOREIGN: keep_foreign(v, e.text); break;
    case PLANNED_FAILED: spool(v, e.text); break;
    }
    planned_free(&v->planned);
}

/* The name of the exact bytes: 64 bits of the HMAC that a signature is checked with anyway. Who knows them cannot make the
 * other 192. False if libcrypto failed. */
static bool name_bytes(struct visit *v)
{
    const size_t n = (RECORD_SHORT_SIZE - 1) / 2;
    const unsigned char *hmac = v->delivery->hmac;
    unsigned char made[DIGEST_LEN];

    if (!hmac && signature_first(&v->app->keys, v->delivery->bytes, v->delivery->len, made))
        hmac = made;
    if (hmac)
        digest_hex(hmac + DIGEST_LEN - n, n, v->bytes);
    return hmac != NULL;
}

void accept_delivery(struct app *app, const struct accept_delivery *delivery, struct acceptance *out)
{
    struct visit v = {.app = app, .delivery = delivery, .out = out, .began_mono_ms = clock_mono_ms()};

    *out = (struct acceptance){.result = ACCEPTED_AWAY};
    buf_init(&v.made, STORE_BLOB_MAX);
    if (!name_bytes(&v)) {
        spool(&v, "libcrypto failed");
    } else if (!is_redelivery(&v)) {
        out->read = true;
        v.ready = app_ready(app, &v.trouble); /* if not, it is spooled */
        read_delivery(&v);
    }
    accept_journal(app, delivery, out, v.bytes, v.status, clock_mono_ms() - v.began_mono_ms);
    buf_wipe(&v.made);
}
