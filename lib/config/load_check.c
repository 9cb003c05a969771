/* What no setting alone can tell: what is missing, has no effect, or does not go together. */
#include "base/http_client.h"
#include "base/json.h"
#include "base/redis_url.h"
#include "config/load_work.h"
#include "config/places.h"
#include "order/template.h"
#include <limits.h>
#include <string.h>

static bool is_refused(const struct load *l, const char *name)
{
    return l->given[settings_find(name) - settings].refused;
}

/* Is it certain that this setting was not given? If it was given wrongly, that is reported already. */
static bool left_out(const struct load *l, const char *name, const char *value)
{
    return !*value && !l->unread && !is_refused(l, name);
}

static void check_required(struct load *l)
{
    const struct config *c = l->config;
    bool real = !c->dry_run && !is_refused(l, "GHL_DRY_RUN");

    if (left_out(l, "WOO_WEBHOOK_SECRET", c->webhook_secret))
        load_problem(l, "WOO_WEBHOOK_SECRET is empty: set it to the secret of the webhook in WooCommerce; "
                        "unsigned deliveries are never accepted");
    if (real && left_out(l, "GHL_API_KEY", c->ghl_api_key))
        load_problem(l, "GHL_API_KEY is empty: set it to the sub-account's private integration token "
                        "(pit-...), or set GHL_DRY_RUN=yes");
    if (real && left_out(l, "GHL_LOCATION_ID", c->ghl_location_id))
        load_problem(l, "GHL_LOCATION_ID is empty: set it to the sub-account's id, or set GHL_DRY_RUN=yes");
}

static void check_ids(struct load *l)
{
    const struct config *c = l->config;

    if (!strncmp(c->ghl_api_key, "eyJ", 3))
        load_problem(l, "GHL_API_KEY is a key of the API's version 1 (eyJ...), which GHL no longer supports; "
                        "make a private integration token (pit-...)");
    if (strpbrk(c->ghl_location_id, "{} \t"))
        load_problem(l, "GHL_LOCATION_ID: '%s' is not an id; copy it from the sub-account's business profile",
                     c->ghl_location_id);
    if (strpbrk(c->redis_prefix, "{}"))
        load_problem(l, "REDIS_PREFIX: '%s' contains braces; leave them out", c->redis_prefix);
}

/* Every order needs an opportunity's name of its own, or a field that marks it. */
static void check_name(struct load *l)
{
    const struct config *c = l->config;
    size_t literal = template_literal_len(c->opportunity_name);

    if (literal > CONFIG_NAME_MAX / 2)
        load_problem(l,
                     "GHL_OPPORTUNITY_NAME: its fixed text has %zu bytes; %d are allowed, so that the "
                     "order's number has room",
                     literal, CONFIG_NAME_MAX / 2);
    if (*c->order_field)
        return;
    if (!config_name_is_unique(c))
        load_problem(l,
                     "GHL_OPPORTUNITY_NAME: '%s' is the same for every order; put {number} or {id} into it, "
                     "or set GHL_ORDER_FIELD to a field that marks the order",
                     c->opportunity_name);
    if (c->shops.count > 1 && !template_uses(c->opportunity_name, "shop"))
        load_warning(l,
                     "GHL_OPPORTUNITY_NAME: '%s' is the same for two shops' orders with one number; put "
                     "{shop} into it, or set GHL_ORDER_FIELD to a field that marks the order",
                     c->opportunity_name);
}

static void check_statuses(struct load *l, const char *setting, const struct pair_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (config_outcome(l->config, list->item[i].key) == OUTCOME_IGNORE)
            load_warning(l, "%s: '%s' has no effect because GHL_STATUS_MAP ignores that status", setting,
                         list->item[i].key);
}

/* Each of the three is useless alone. */
static void check_woo(struct load *l)
{
    const struct config *c = l->config;
    const struct {
        const char *name, *value, *right;
    } part[] = {{"WOO_URL", c->woo_url, "the shop's address, https://shop.example.com"},
                {"WOO_CONSUMER_KEY", c->woo_consumer_key,
                 "a key (ck_...) of the shop's REST API with read permission"},
                {"WOO_CONSUMER_SECRET", c->woo_consumer_secret, "that key's secret (cs_...)"}};
    const char *given = NULL;

    for (size_t i = 0; i < sizeof part / sizeof *part; i++)
        if (*part[i].value)
            given = part[i].name;
    for (size_t i = 0; given && i < sizeof part / sizeof *part; i++)
        if (left_out(l, part[i].name, part[i].value))
            load_problem(l, "%s is empty, but %s is set: set it to %s, or leave out all three", part[i].name,
                         given, part[i].right);
}

bool config_is_served(const struct config *c, const char *document_root, struct error *e)
{
    const struct {
        const char *what, *path, *name;
    } place[] = {{"settings file", c->env_file, "env"},
                 {"DATA_DIR", c->data_dir, PLACES_DATA},
                 {"LOG", c->log_to, PLACES_LOG}};
    char root[PATH_MAX], settings_file[PATH_MAX], right[PATH_MAX] = "a directory elsewhere";

    for (size_t i = 0; i < sizeof place / sizeof *place; i++) {
        if (*place[i].path != '/' || !places_is_served(place[i].path, document_root, root))
            continue;
        if (places_settings(settings_file))
            (void)!places_beside(settings_file, place[i].name, right);
        error_set(e, "%s: %s lies under %s, whose files the web server hands out; move it to %s",
                  place[i].what, place[i].path, root, right);
        return true;
    }
    return false;
}

/* With texts in it, it must be JSON. */
static void check_alert(struct load *l)
{
    static const char *const names[] = {"text", "kind", "shop", "host", "what", "since", "costs", "mend"};
    const struct config *c = l->config;
    struct error e = ERROR_NONE;
    struct buf body;
    json_t *values = json_object(), *decoded = NULL;
    bool good = values != NULL;

    buf_init(&body, 64L * 1024);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        good = good && json_object_set_new(values, names[i], json_string("text")) == 0;
    good = good && json_fill(c->alert_body, values, &body);
    l->out_of_memory = l->out_of_memory || !good;
    if (good && *c->alert_body && !(decoded = json_decode_exact(body.data, body.len, &e)))
        load_problem(l, "ALERT_BODY is no JSON: %s; write for example {\"text\":\"{text}\"}", e.text);
    if (*c->alert_url && strncmp(c->alert_url, "https://", 8) != 0 && !http_check_base(c->alert_url, &e))
        load_problem(l, "ALERT_URL: %s", e.text);
    json_decref(decoded);
    json_decref(values);
    buf_free(&body);
}

static void check_places(struct load *l)
{
    struct config *c = l->config;
    struct error e = ERROR_NONE;
    char root[PATH_MAX];

    if (!*c->data_dir) {
        load_problem(l, "DATA_DIR is not set, and the program's directory is unknown; set an absolute path");
    } else {
        load_look_at_owner(l, "DATA_DIR", c->data_dir);
        load_look_at_mode(l, "DATA_DIR", c->data_dir);
    }
    if (config_is_served(c, NULL, &e))
        load_problem(l, "%s", e.text);
    if (*c->log_to == '/' && places_is_served(c->log_to, NULL, root))
        load_replace(l, &c->log_to, "stderr"); /* or the refusal itself would be written there */
}

static bool is_here(const char *host)
{
    return !strcmp(host, "localhost") || !strncmp(host, "127.", 4) || !strcmp(host, "::1");
}

static void check_redis(struct load *l)
{
    struct redis_url url;

    if (!*l->config->redis_url || is_refused(l, "REDIS_URL") ||
        !redis_url_parse(l->config->redis_url, &url, NULL))
        return;
    for (size_t i = 0; i < url.host_count && !url.tls && *url.login.password; i++)
        if (!is_here(url.host[i].name)) {
            load_warning(l,
                         "REDIS_URL: the password goes to %s unencrypted, and so does what the store holds; "
                         "use rediss://, or a tunnel that ends on this machine",
                         url.host[i].name);
            break;
        }
    redis_url_free(&url);
}

/* A password that can be guessed is worse than none; but orders must go on to be taken. */
static void drop_short(struct load *l)
{
    for (const struct setting *s = settings; s < settings + settings_count; s++) {
        char **value = (char **)((char *)l->config + s->offset);
        size_t len = s->type == &type_secret ? strlen(*value) : 0;
        if (!len || len >= (size_t)s->min)
            continue;
        load_warning(l, "%s has %zu characters and is not used: give it %lld or more", s->name, len,
                     (long long)s->min);
        load_replace(l, value, "");
    }
}

void load_check(struct load *l)
{
    const struct config *c = l->config;

    check_required(l);
    check_ids(l);
    check_name(l);
    check_statuses(l, "GHL_STAGE_MAP", &c->stage_map);
    check_statuses(l, "GHL_TAGS_REMOVE", &c->tags_remove);
    check_woo(l);
    check_places(l);
    check_alert(l);
    check_redis(l);
    drop_short(l);
}
