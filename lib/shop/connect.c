#include "shop/connect.h"
#include "base/text.h"
#include "ghl/fields.h"
#include "shop/webhooks.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define GHL_BUDGET_MS 30000

void connect_free(struct connect_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        free(plan->step[i].text);
        json_decref(plan->step[i].body);
    }
    free(plan->step);
    *plan = (struct connect_plan){0};
}

/* Takes `body` over. */
static bool add_step(struct connect_plan *plan, struct connect_step step, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
static bool add_step(struct connect_plan *plan, struct connect_step step, const char *fmt, ...)
{
    struct connect_step *more = realloc(plan->step, (plan->count + 1) * sizeof *more);
    va_list args;

    if (more)
        plan->step = more;
    va_start(args, fmt);
    if (vasprintf(&step.text, fmt, args) < 0)
        step.text = NULL;
    va_end(args);
    if (step.text)
        text_still(step.text, strlen(step.text)); /* a webhook's name is typed by anybody */
    if (more && step.body && step.text) {
        plan->step[plan->count++] = step;
        return true;
    }
    free(step.text);
    json_decref(step.body);
    return false;
}

/* -- webhooks -- */

/* The topic's webhook that delivers to the URL; without one, another that delivers to a /woo-order. NULL = none. */
static const json_t *find(const struct config *config, const json_t *list, const char *topic, const char *url)
{
    const json_t *webhook, *found = NULL, *other = NULL;
    size_t i;

    json_array_foreach(list, i, webhook)
    {
        const char *to = json_text(webhook, "delivery_url");
        bool active = !strcmp(json_text(webhook, "status"), "active");
        if (strcmp(json_text(webhook, "topic"), topic) != 0)
            continue;
        if (webhooks_same_url(to, url) && (!found || active))
            found = webhook;
        else if (webhooks_is_ours(config, to) && (!other || active))
            other = webhook;
    }
    return found ? found : other;
}

static bool make(const struct config *config, const char *topic, const char *url, struct connect_plan *plan)
{
    char name[96];

    snprintf(name, sizeof name, "woo_ghl %.40s", topic);
    json_t *body = json_pack("{ss ss ss so}", "name", name, "topic", topic, "delivery_url", url, "secret",
                             json_from_text(config->webhook_secret));
    return add_step(plan, (struct connect_step){.body = body},
                    "make the shop's webhook %s, which delivers to %s", topic, url);
}

static bool mend(const struct config *config, const json_t *webhook, const struct connect_wishes *wishes,
                 struct connect_plan *plan)
{
    const char *status = json_text(webhook, "status"), *to = json_text(webhook, "delivery_url");
    bool active = !strcmp(status, "active"), there = webhooks_same_url(to, wishes->url);

    if (active && there && !wishes->secret)
        return true;
    json_t *body = json_pack("{so}", "secret", json_from_text(config->webhook_secret));
    bool good = body && (active || !json_object_set_new(body, "status", json_string("active"))) &&
                (there || !json_object_set_new(body, "delivery_url", json_string(wishes->url)));
    if (!good) {
        json_decref(body);
        return false;
    }
    struct connect_step step = {.body = body, .webhook = json_integer_value(json_object_get(webhook, "id"))};
    return add_step(plan, step, "change the shop's webhook \"%.64s\" (%s):%s%s%s%s%s%s write the secret",
                    json_text(webhook, "name"), json_text(webhook, "topic"),
                    active ? "" : " set it active, which is ", active ? "" : status, active ? "" : ";",
                    there ? "" : " deliver to ", there ? "" : wishes->url, there ? "" : ";");
}

/* An API version is told by few shops, and cannot be changed: another one takes the place of this. */
static bool replace(const struct config *config, const json_t *webhook, const char *url,
                    struct connect_plan *plan)
{
    const char *topic = json_text(webhook, "topic");
    struct connect_step step = {.body = json_pack("{ss}", "status", "paused"),
                                .webhook = json_integer_value(json_object_get(webhook, "id"))};

    return make(config, topic, url, plan) &&
           add_step(plan, step, "pause the shop's webhook \"%.64s\" (%s), which has the API version %.20s",
                    json_text(webhook, "name"), topic, json_text(webhook, "api_version"));
}

bool connect_plan_webhooks(const struct config *config, const json_t *webhooks,
                           const struct connect_wishes *wishes, struct connect_plan *plan)
{
    const char *topic;

    for (size_t i = 0; (topic = webhooks_topic(i, wishes->watch)); i++) {
        const json_t *webhook = find(config, webhooks, topic, wishes->url);
        const char *version = json_text(webhook, "api_version");
        bool good = !webhook ? make(config, topic, wishes->url, plan)
                    : *version && strcmp(version, "wp_api_v3") != 0
                        ? replace(config, webhook, wishes->url, plan)
                        : mend(config, webhook, wishes, plan);
        if (!good)
            return false;
    }
    return true;
}

/* -- GHL's custom fields -- */

static bool make_field(const json_t *fields, enum fields_model model, const char *key,
                       struct connect_plan *plan)
{
    const char *name = strchr(key, '.') ? strchr(key, '.') + 1 : key,
               *of = model == FIELDS_CONTACT ? "contact" : "opportunity";

    if (fields_find(fields, model, key))
        return true;
    for (size_t i = 0; i < plan->count; i++) /* the settings may name it twice */
        if (plan->step[i].field && !strcasecmp(json_text(plan->step[i].body, "name"), name) &&
            !strcmp(json_text(plan->step[i].body, "model"), of))
            return true;
    json_t *body = json_pack("{ss ss ss}", "name", name, "dataType", "TEXT", "model", of);
    return add_step(plan, (struct connect_step){.body = body, .field = true},
                    "make GHL's custom field \"%.64s\" of the %s", name, of);
}

bool connect_plan_fields(const struct config *config, const json_t *fields, struct connect_plan *plan)
{
    bool good = true;

    for (size_t i = 0; good && i < config->contact_fields.count; i++)
        good = make_field(fields, FIELDS_CONTACT, config->contact_fields.item[i].key, plan);
    for (size_t i = 0; good && i < config->opportunity_fields.count; i++)
        good = make_field(fields, FIELDS_OPPORTUNITY, config->opportunity_fields.item[i].key, plan);
    return good &&
           (!*config->order_field || make_field(fields, FIELDS_OPPORTUNITY, config->order_field, plan));
}

/* -- doing it -- */

static bool do_field(struct app *app, const struct connect_step *step, struct error *e)
{
    struct ghl_call call = ghl_call_within(GHL_BUDGET_MS);
    struct ghl_answer answer;
    bool good = ghl_custom_field_create(app->ghl, &call, step->body, &answer) == GHL_OK;

    if (!good)
        ghl_explain(&answer, e);
    if (answer.result == GHL_AUTH)
        error_prefix(e, "the token needs the scope locations/customFields.write");
    json_t *list = good ? json_pack("[O]", answer.json) : NULL;
    const char *model = json_text(step->body, "model"), *name = json_text(step->body, "name");
    if (good && !fields_find(list, *model == 'c' ? FIELDS_CONTACT : FIELDS_OPPORTUNITY, name)) {
        error_set(
            e, "GHL made it under another name: woo_ghl fields lists it; write that one into the settings");
        good = false;
    }
    json_decref(list);
    ghl_answer_free(&answer);
    return good;
}

bool connect_do(struct app *app, struct woo *woo, const struct connect_step *step, struct error *e)
{
    return step->field ? do_field(app, step, e)
                       : woo_webhook_write(woo, step->webhook, step->body, e) == WOO_OK;
}
