#include "shop/webhooks.h"
#include <string.h>

static const struct {
    const char *topic;
    bool needed; /* without it orders are missed; without the others only their end is */
} topics[] = {
    {"order.created", true}, {"order.updated", true}, {"order.deleted", false}, {"order.restored", false}};
#define TOPICS (sizeof topics / sizeof *topics)

const char *webhooks_topic(size_t n, bool watch)
{
    return n < TOPICS ? topics[n].topic : n == TOPICS && watch ? WEBHOOKS_WATCH : NULL;
}

bool webhooks_is_ours(const char *url)
{
    static const char path[] = "/woo-order";
    size_t len = strcspn(url, "?#");

    while (len && url[len - 1] == '/')
        len--;
    return len >= sizeof path - 1 && !strncmp(url + len - (sizeof path - 1), path, sizeof path - 1);
}

/* The webhook of the topic that delivers to us: an active one, else any; NULL = there is none. */
static const json_t *find(const json_t *list, const char *topic)
{
    const json_t *webhook, *found = NULL;
    size_t i;

    json_array_foreach(list, i, webhook)
    {
        if (strcmp(json_text(webhook, "topic"), topic) != 0 ||
            !webhooks_is_ours(json_text(webhook, "delivery_url")))
            continue;
        if (!found || !strcmp(json_text(webhook, "status"), "active"))
            found = webhook;
    }
    return found;
}

const char *webhooks_url(const json_t *list)
{
    const json_t *updated = find(list, "order.updated");

    return json_text(updated ? updated : find(list, "order.created"), "delivery_url");
}

bool webhooks_are_well(const json_t *list, bool existing, struct buf *out)
{
    bool well = true;

    for (size_t i = 0; i < TOPICS; i++) {
        const json_t *webhook = find(list, topics[i].topic);
        const char *status = json_text(webhook, "status");
        if (webhook ? !strcmp(status, "active") : existing)
            continue;
        if (webhook)
            (void)buf_addf(
                out,
                "The shop's webhook \"%.64s\" (%s) is %.32s: what it should deliver is missed. Set it to "
                "Active in WooCommerce > Settings > Advanced > Webhooks, then run `woo_ghl reconcile`\n",
                json_text(webhook, "name"), topics[i].topic, status);
        else
            (void)buf_addf(
                out,
                "The shop has no webhook of topic %s whose delivery URL ends in /woo-order: create it in "
                "WooCommerce > Settings > Advanced > Webhooks\n",
                topics[i].topic);
        well = well && !webhook && !topics[i].needed;
    }
    return well;
}
