/*
 * trigger: sends what WooCommerce would send, and shows what comes back.
 *
 * A delivery of a made-up order (or of a file's bytes), signed with the configured secret and with all of WooCommerce's
 * headers. It goes through the web server like a real one: what it says of an order happens in GHL, too. So unless it is a
 * dry run, it asks for --live, and without an order it only asks whether this program answers.
 */
#include "base/clock.h"
#include "base/decimal.h"
#include "base/digest.h"
#include "base/files.h"
#include "base/http_client.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/commands_work.h"
#include "cli/options.h"
#include "order/signature.h"
#include "shop/public_url.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define USER_AGENT "WooCommerce/10.5.0 Hookshot (WordPress/6.9.1)"
#define TIMEOUT_MS 60000 /* as long as WooCommerce waits */
#define HEADERS 9
#define HEADER_SIZE 1024
#define FILE_MAX (64L * 1024 * 1024)
#define ID_MAX 999999999999999999 /* 18 digits */

struct trigger {
    const struct config *config;
    struct http *http;
    char default_url[64];
    const char *url, *order_file, *status, *total, *topic; /* from the arguments; NULL = not given */
    long id;                                               /* 0 = not given */
    bool scenarios, live;
};

struct delivery_to_send {
    const char *topic;
    const char *secret;
    const char *body;
    size_t len;
};

/* -- arguments -- */

static int wrong(const char *option, const char *what)
{
    fprintf(stderr, "woo_ghl trigger: %s: %s\n", option, what);
    return EX_USAGE;
}

/* "order.created": a resource and an event. */
static bool topic_is_legal(const char *topic)
{
    const char *dot = strchr(topic, '.');
    return dot && dot > topic && dot[1] && strlen(topic) < 100 &&
           strspn(topic, "abcdefghijklmnopqrstuvwxyz0123456789_.-") == strlen(topic);
}

static int check(struct trigger *t)
{
    struct decimal amount;

    if (t->topic && !topic_is_legal(t->topic))
        return wrong("--topic", "a topic is a resource and an event, such as order.updated");
    if (t->total && !decimal_parse(t->total, &amount))
        return wrong("--total", "an amount is a decimal number, such as 150.00");
    if (t->scenarios && (t->order_file || t->status || t->topic))
        return wrong("--scenarios", "the scenarios have their own order, status and topic; only --url, --id "
                                    "and --total go with them");
    if (t->order_file && (t->status || t->total || t->id))
        return wrong(
            "--order",
            "it sends the file's bytes as they are, so --id, --status and --total cannot go with it");
    return EX_OK;
}

/* -- bodies -- */

/* A made-up order, as JSON; malloc'ed, NULL when out of memory. */
static char *make_order(json_int_t id, const char *status, const char *total)
{
    json_t *order = json_pack("{sI ss ss ss s{ss ss ss ss}}", "id", id, "status", status, "total", total,
                              "currency", "USD", "billing", "first_name", "John", "last_name", "Doe", "email",
                              "john@example.com", "phone", "+1234567890");
    char *text = order ? json_written(order, JSON_COMPACT) : NULL;
    json_decref(order);
    if (!text)
        fprintf(stderr, "woo_ghl trigger: the order cannot be made: --status and --total must be UTF-8\n");
    return text;
}

static bool read_file(const char *path, struct buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        fprintf(stderr, "woo_ghl trigger: --order %s: %s\n", path, strerror(errno));
        return false;
    }
    bool good = files_read_fd(fd, out, NULL);
    close(fd);
    if (!good)
        fprintf(stderr, "woo_ghl trigger: --order %s: cannot be read, or is over 64 MB\n", path);
    return good;
}

/* -- one delivery -- */

struct header_lines {
    char text[HEADERS][HEADER_SIZE];
    const char *line[HEADERS + 1]; /* ends with NULL */
};

/* The headers of a real delivery, in their order. */
static bool make_headers(const struct trigger *t, const struct delivery_to_send *d, struct header_lines *h)
{
    char signature[SIGNATURE_SIZE], source[512], resource[100], id[33];
    const char *dot = strchr(d->topic, '.');
    size_t n = (size_t)(dot - d->topic);

    memcpy(resource, d->topic, n);
    resource[n] = '\0';
    const struct shop_rule *shop = t->config->shops.count ? t->config->shops.item : NULL;
    int len = snprintf(source, sizeof source, "https://%s/",
                       shop && shop->alias_count ? shop->alias[0] : "shop.example.com");
    if (len < 0 || (size_t)len >= sizeof source || !digest_token(id, sizeof id) ||
        !signature_make(d->secret, d->body, d->len, signature))
        return false;
    const struct {
        const char *name, *value;
    } header[HEADERS] = {{"Accept", "*/*"},
                         {"Content-Type", "application/json"},
                         {"X-WC-Webhook-Source", source},
                         {"X-WC-Webhook-Topic", d->topic},
                         {"X-WC-Webhook-Resource", resource},
                         {"X-WC-Webhook-Event", dot + 1},
                         {"X-WC-Webhook-Signature", signature},
                         {"X-WC-Webhook-ID", "1"},
                         {"X-WC-Webhook-Delivery-ID", id}};
    for (size_t i = 0; i < HEADERS; i++) {
        h->line[i] = h->text[i];
        if (!text_format(h->text[i], HEADER_SIZE, "%s: %s", header[i].name, header[i].value))
            return false;
    }
    return true;
}

/* What another machine answered goes to a terminal: control characters become dots. */
static void print_text(const char *prefix, const char *text, size_t len)
{
    fputs(prefix, stdout);
    for (size_t i = 0; i < len; i++)
        putchar((unsigned char)text[i] < 0x20 || text[i] == 0x7f ? '.' : text[i]);
    putchar('\n');
}

/* Sends it and prints both ways. False when there was no answer. */
static bool send_delivery(const struct trigger *t, const struct delivery_to_send *d,
                          struct http_answer *answer)
{
    struct header_lines headers = {.line = {NULL}};

    if (!make_headers(t, d, &headers)) {
        fprintf(stderr, "woo_ghl trigger: the headers cannot be made (out of memory, or a shop's name in "
                        "WOO_SHOPS is too long)\n");
        return false;
    }
    printf("> POST %s\n", t->url);
    for (size_t i = 0; i < HEADERS; i++)
        printf("> %s\n", headers.line[i]);
    print_text("> ", d->body, d->len);

    const struct http_request request = {.method = "POST",
                                         .url = t->url,
                                         .headers = headers.line,
                                         .body = d->body,
                                         .body_len = d->len,
                                         .timeout_ms = TIMEOUT_MS,
                                         .fresh_connection = true,
                                         .unsent_ms = TIMEOUT_MS,
                                         .send_deadline_mono_ms = CLOCK_NEVER,
                                         .plain_anywhere = true};
    int64_t began = clock_mono_ms();
    if (http_call(t->http, &request, answer) != HTTP_ANSWERED) {
        fflush(stdout);
        fprintf(stderr, "woo_ghl trigger: no answer from %s: %s; does the web server run there?\n", t->url,
                answer->error);
        return false;
    }
    printf("< %ld in %lld ms\n", answer->status, (long long)(clock_mono_ms() - began));
    print_text("< ", answer->body.data, answer->body.len);
    return true;
}

static int run_one(const struct trigger *t)
{
    struct buf file;
    struct http_answer answer;
    struct delivery_to_send d = {.topic = t->topic ? t->topic : "order.created",
                                 .secret = t->config->webhook_secret};
    char *made = NULL;
    int code = t->order_file ? EX_NOINPUT : EX_USAGE;

    buf_init(&file, FILE_MAX);
    http_answer_init(&answer);
    if (!t->order_file)
        made = make_order(t->id, t->status ? t->status : "processing", t->total ? t->total : "150.00");
    if (t->order_file ? read_file(t->order_file, &file) : made != NULL) {
        d.body = made ? made : file.data;
        d.len = made ? strlen(made) : file.len;
        code = EX_UNAVAILABLE;
        if (send_delivery(t, &d, &answer))
            code = answer.status >= 200 && answer.status <= 299 ? EX_OK : EX_PROTOCOL;
    }
    http_answer_free(&answer);
    buf_wipe(&file);
    free(made);
    return code;
}

/* -- the scenarios -- */

struct scenario {
    const char *name;
    json_int_t id_offset; /* orders of the same offset are the same order */
    const char *status;
    bool forged; /* signed with another secret */
    long answer;
    const char *member, *value; /* what the answer's body must hold */
};

static const struct scenario scenarios[] = {
    {"a new paid order", 0, "processing", false, 200, "status", "synced"},
    {"the same delivery again", 0, "processing", false, 200, "reason", "duplicate"},
    {"a new order that is cancelled", 1, "cancelled", false, 200, "status", "ignored"},
    {"a wrong signature", 2, "processing", true, 401, "error", "Invalid Signature"},
};
#define SCENARIOS (sizeof scenarios / sizeof *scenarios)

static bool is_expected(const struct scenario *s, const struct http_answer *answer)
{
    json_t *body = json_decode_exact(answer->body.data, answer->body.len, NULL);
    bool good = answer->status == s->answer && !strcmp(json_text(body, s->member), s->value);
    json_decref(body);
    return good;
}

static int run_scenario(const struct trigger *t, const struct scenario *s)
{
    struct http_answer answer;
    char *order = make_order(t->id + s->id_offset, s->status, t->total ? t->total : "150.00");
    int code = EX_UNAVAILABLE;

    if (!order)
        return EX_USAGE;
    const struct delivery_to_send d = {.topic = "order.created",
                                       .secret = s->forged ? "another secret" : t->config->webhook_secret,
                                       .body = order,
                                       .len = strlen(order)};
    http_answer_init(&answer);
    if (send_delivery(t, &d, &answer))
        code = is_expected(s, &answer) ? EX_OK : EX_PROTOCOL;
    http_answer_free(&answer);
    free(order);
    return code;
}

static int run_scenarios(const struct trigger *t)
{
    int worst = EX_OK;

    for (size_t i = 0; i < SCENARIOS; i++) {
        const struct scenario *s = &scenarios[i];
        printf("%zu. %s: expected %ld with \"%s\":\"%s\"\n", i + 1, s->name, s->answer, s->member, s->value);
        int code = run_scenario(t, s);
        printf("%s\n\n", code == EX_OK ? "as expected" : "NOT as expected");
        if (code == EX_UNAVAILABLE)
            return code; /* the others would only wait, too */
        if (code != EX_OK)
            worst = code;
    }
    printf("%s\n", worst == EX_OK ? "All answers were as expected." : "Not all answers were as expected.");
    return worst;
}

/* Nothing that makes anything in GHL: does this program answer there? */
static int probe(const struct trigger *t)
{
    struct findings findings = {.area = "trigger"};
    struct buf out;

    buf_init(&out, 64L * 1024);
    public_url_look(t->config, t->url, &findings);
    bool good =
        findings_print(&findings, &out) && !findings.failed && !findings_count(&findings, FINDING_FAIL);
    fputs(out.data, stdout);
    printf("No order was sent: GHL is live. trigger --live sends one, and GHL gets it; with GHL_DRY_RUN=yes "
           "nothing is sent to GHL.\n");
    findings_free(&findings);
    buf_free(&out);
    return good ? EX_OK : EX_PROTOCOL;
}

static int run(struct trigger *t)
{
    struct error e = ERROR_NONE;

    if (!t->id)
        t->id = clock_wall_ms(); /* an order that was never seen */
    if (!strncmp(t->url, "http://", 7) && !http_check_base(t->url, &e))
        fprintf(stderr, "woo_ghl trigger: warning: %s: %s\n", t->url, e.text);
    t->http = http_new(USER_AGENT, t->config->ca_file, &e);
    if (!t->http) {
        fprintf(stderr, "woo_ghl trigger: %s\n", e.text);
        return EX_OSERR;
    }
    int code = t->scenarios ? run_scenarios(t) : run_one(t);
    http_free(t->http);
    return code;
}

static int trigger(struct app *app, void *context)
{
    struct trigger *t = context;

    t->config = &app->config;
    if (!t->url) {
        (void)snprintf(t->default_url, sizeof t->default_url, "http://127.0.0.1:%lld/woo-order",
                       (long long)t->config->port);
        t->url = t->default_url;
    }
    if (t->config->dry_run || t->live)
        return run(t);
    if (!t->scenarios && !t->order_file && !t->status && !t->total && !t->topic && !t->id)
        return probe(t);
    fprintf(stderr, "woo_ghl trigger: GHL is live, and would get this order: say --live if that is meant, or "
                    "set GHL_DRY_RUN=yes; without an order trigger only asks whether the program answers\n");
    return EX_USAGE;
}

/* EX_OK when every answer was as expected, EX_PROTOCOL when one was not, EX_UNAVAILABLE when none came, EX_NOINPUT when the
 * file cannot be read. */
int run_trigger(int argc, char **argv, volatile int *stop)
{
    struct trigger t = {.config = NULL};
    const struct option table[] = {{"--scenarios", .flag = &t.scenarios},
                                   {"--live", .flag = &t.live},
                                   {"--url", .text = &t.url},
                                   {"--order", .text = &t.order_file},
                                   {"--id", .number = &t.id, .least = 1, .most = ID_MAX},
                                   {"--status", .text = &t.status},
                                   {"--total", .text = &t.total},
                                   {"--topic", .text = &t.topic},
                                   {0}};
    int code = options_read("trigger", argc, argv, table, NULL);

    if (code == EX_OK)
        code = check(&t);
    return code == EX_OK ? commands_in_app(stop, trigger, &t) : code;
}
