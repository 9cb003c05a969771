/*
 * Fuzzes what reads strangers' bytes: a body and its headers through order_parse and plan_make (`make fuzz`).
 *
 * The first byte chooses the headers, the rest is the body. Whatever comes in, what goes out must be
 * encodable, and the same body must give the same plan.
 */
#include "plan/plan.h"
#include "rig.h"
#include <stdlib.h>
#include <string.h>

static const unsigned char hash_key[DIGEST_LEN];

static char shop[] = "shop", none[] = "";
static char name[] =
    "{customer.name} #{number} {value|0} {meta.a b|-} {line_items.meta.Size} {fee_lines.0.name}";
static char tags[] = "woocommerce,bought-{line_items.sku},{meta.list}-{coupon_lines.code},{refunds.reason}";
static char note[] = "yes", source[] = "{_links.self.href|none} {items} {date_paid}";
static char processing[] = "processing", completed[] = "completed", trash[] = "trash", stage[] = "Stage";
static char main_name[] = "main", host[] = "shop.example.com", b2b_name[] = "b2b",
            path[] = "example.org/trade";
static char *main_alias[] = {host}, *b2b_alias[] = {path};
static struct shop_rule shops[] = {{main_name, main_alias, 1}, {b2b_name, b2b_alias, 1}};
static char won[] = "won", abandoned[] = "abandoned";
static struct pair statuses[] = {{processing, won}, {completed, won}, {trash, abandoned}};
static struct pair stages[] = {{processing, stage}};

static const struct order_headers headers[] = {
    {NULL, NULL, NULL},
    {"order.created", "order", "https://shop.example.com/"},
    {"order.deleted", "order", "https://example.org/trade/"},
    {"action.x", "action", ""},
};

static void plan(const struct order *order, const struct order_headers *with, size_t shop_count)
{
    const struct config config = {
        .shop = shop,
        .shops = {shops, shop_count},
        .opportunity_name = name,
        .tags = tags,
        .note = note,
        .source = source,
        .order_field = none,
        .default_country = none,
        .status_map = {statuses, 3},
        .stage_map = {stages, 1},
    };
    struct plan first, again;
    enum plan_result result = plan_make(order, with->source, &config, hash_key, &first, NULL);
    check(result != PLAN_FAILED);
    check(plan_make(order, with->source, &config, hash_key, &again, NULL) == result);
    check(!strcmp(first.fingerprint, again.fingerprint));
    if (result == PLAN_OK && (first.outcome != OUTCOME_IGNORE || first.follows)) {
        char *text = json_canonical(first.opportunity);
        check(text && (first.status_only || first.erased || first.contact));
        check(first.status_only || *first.amount_note || json_object_get(first.opportunity, "monetaryValue"));
        check(!first.erased || (!first.contact && !first.tags && !first.note && !*first.source));
        free(text);
    }
    plan_free(&first);
    plan_free(&again);
}

void fuzz_order(const uint8_t *bytes, size_t len)
{
    struct order order;
    if (len == 0)
        return;
    /* A body as it is captured begins with "{": it goes with the headers of a created order. */
    bool chosen = *bytes != '{';
    const struct order_headers *with = &headers[chosen ? *bytes % 4 : 1];
    const char *body = (const char *)bytes + chosen;
    struct order_verdict verdict = order_parse(body, len - chosen, with, &order);
    if (verdict.kind == ORDER_FULL || verdict.kind == ORDER_DELETED) {
        check(*order.id && *order.number && *order.status && order.site && order.admin_url);
        plan(&order, with, chosen ? *bytes / 4 % 3 : 0);
    } else {
        check(*verdict.reason && *verdict.advice && !order.json);
    }
    order_free(&order);
}
